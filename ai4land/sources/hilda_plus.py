"""HILDA+ land-use states, versions 1.0, 1.0-f, 2.0 and 2.1-crop, as GeoTIFF series and as NetCDF.

Traps: code 44 is all forest in v1.0 and deciduous broadleaf elsewhere; v1 and v2 differ in cell size;
the NetCDF series start in 1899 or 1900; code 99 (no data) changes from year to year; maps cut by
others are often float with NaN for no data.
"""

import re

import numpy as np
import xarray as xr

from ai4land.checks import check_same_grid
from ai4land.grid import grid_of
from ai4land.sources.rasters import open_geotiff
from ai4land.sources.registry import InputFile

HILDA_NO_DATA = 99
# Cell sizes, degrees: v1 is 0.0099884, v2 is 0.01; crops of v1 on a 0.01 grid exist.
_NAME_VERSION = re.compile(r"GLOB[-_]v?(\d)")


def _check_version(files: list[InputFile], version: str) -> None:
    named = {f.path.name: m.group(1) for f in files if (m := _NAME_VERSION.search(f.path.name))}
    foreign = sorted(name for name, major in named.items() if major != version[0])
    if foreign:
        raise ValueError(
            f"HILDA+ v{version}: files of another version among them, {foreign[:3]}; "
            "codes and cells differ between v1 and v2. Keep one version in a run."
        )


def _as_codes(field: xr.DataArray) -> xr.DataArray:
    """Codes as uint8; NaN and the file's own nodata value become 99."""
    if field.dtype.kind == "f":
        field = field.where(np.isfinite(field), HILDA_NO_DATA)
    nodata = field.attrs.get("nodata")
    if nodata is not None and np.isfinite(nodata) and nodata != 0:
        field = field.where(field != nodata, HILDA_NO_DATA)
    return field.astype(np.uint8)


def open_hilda_plus_geotiff(files: list[InputFile], version: str) -> xr.DataArray:
    """Annual HILDA+ maps from a series of GeoTIFF files.

    Parameters
    ----------
    files : list of InputFile
        One file a year.
    version : str
        HILDA+ version, ``1.0``, ``1.0-f``, ``2.0`` or ``2.1-crop``: it decides what the codes mean.

    Returns
    -------
    xarray.DataArray, shape (time, lat, lon), uint8
        Publisher's codes, lazy; 99 is no data. ``time`` is the calendar year.

    Raises
    ------
    ValueError
        If versions are mixed, or two files differ in their cells.

    References
    ----------
    Winkler et al. (2021), doi:10.1038/s41467-021-22702-2
    """
    _check_version(files, version)
    maps = [open_geotiff(f.path) for f in files]
    first = grid_of(maps[0])
    for file, one in zip(files[1:], maps[1:], strict=True):
        check_same_grid(grid_of(one), first, f"{file.path.name} against {files[0].path.name}")
    # Coordinates may differ in the last digits between files: take the first file's.
    maps = [_as_codes(m).assign_coords(lat=maps[0].lat, lon=maps[0].lon) for m in maps]
    cover = xr.concat(maps, xr.Variable("time", np.array([f.year for f in files], np.int16)), join="exact")
    return cover.rename("land_use").assign_attrs(version=version)


def open_hilda_plus_netcdf(files: list[InputFile], version: str) -> xr.DataArray:
    """Annual HILDA+ maps from the NetCDF release; years are read from its ``time``, never counted.

    Parameters
    ----------
    files : list of InputFile
        The one file of the release.
    version : str
        As in `open_hilda_plus_geotiff`.

    Returns
    -------
    xarray.DataArray, shape (time, lat, lon), uint8
        Publisher's codes, lazy; 99 is no data. ``time`` is the calendar year.

    Raises
    ------
    ValueError
        If versions are mixed, there is no ``LULC_states``, or ``time`` does not hold years.
    """
    _check_version(files, version)
    path = files[0].path
    data = xr.open_dataset(path, decode_times=False, mask_and_scale=False, chunks={"time": 1})
    if "LULC_states" not in data:
        raise ValueError(
            f"{path}: no variable LULC_states, found {sorted(map(str, data.data_vars))}; is this a states file?"
        )
    cover = data["LULC_states"].rename(latitude="lat", longitude="lon")
    years = cover["time"].to_numpy().astype(int)
    if years.min() < 1800 or years.max() > 2100 or (np.diff(years) != 1).any():
        raise ValueError(f"{path}: time holds {years[0]}..{years[-1]}, expected consecutive calendar years.")
    if cover.lat[0] < cover.lat[-1]:
        cover = cover.isel(lat=slice(None, None, -1))
    cover.attrs["nodata"] = cover.attrs.get("_FillValue")
    cover = _as_codes(cover).assign_coords(time=years.astype(np.int16))
    cover = cover.assign_coords(lat=cover.lat.astype(float), lon=cover.lon.astype(float))
    cover.attrs, cover.encoding = {"version": version}, {}
    return cover.rename("land_use")
