"""HILDA+ land-use states, versions 1.0, 1.0-f, 2.0 and 2.1-crop, as GeoTIFF series and as NetCDF.

Traps: code 44 is all forest in v1.0 and deciduous broadleaf elsewhere; v1 and v2 differ in cell size;
the NetCDF series start in 1899 or 1900; code 99 (no data) changes from year to year; maps cut by
others are often float with NaN for no data; the transition maps of v1.0 carry a date, ``GLOB-v20-11-29``, that looks
like a version 2.
"""

import re
from collections.abc import Callable

import numpy as np
import xarray as xr

from ai4land.checks import check_same_grid
from ai4land.grid import grid_of
from ai4land.sources.canonical import canonical
from ai4land.sources.rasters import open_geotiff
from ai4land.sources.registry import InputFile

HILDA_NO_DATA = 99
_NO_PAIR = 100 * HILDA_NO_DATA + HILDA_NO_DATA
# Cell sizes, degrees: v1 is 0.0099884, v2 is 0.01; crops of v1 on a 0.01 grid exist.
_NAME_VERSION = re.compile(r"GLOB[-_]v?(\d)(?!\d)")


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


def _open_series(files: list[InputFile], version: str, decode: Callable[[xr.DataArray], xr.DataArray]) -> xr.DataArray:
    """One GeoTIFF a year, decoded and stacked."""
    _check_version(files, version)
    maps = [open_geotiff(f.path) for f in files]
    first = grid_of(maps[0])
    for file, one in zip(files[1:], maps[1:], strict=True):
        check_same_grid(grid_of(one), first, f"{file.path.name} against {files[0].path.name}")
    # Coordinates may differ in the last digits between files: take the first file's.
    maps = [decode(m).assign_coords(lat=maps[0].lat, lon=maps[0].lon) for m in maps]
    return xr.concat(maps, xr.Variable("time", np.array([f.year for f in files], np.int16)), join="exact")


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
    cover = _open_series(files, version, _as_codes)
    return cover.rename("land_use").assign_attrs(version=version)


def _open_netcdf(files: list[InputFile], version: str, name: str) -> xr.DataArray:
    """One variable of the NetCDF release, publisher's values; calendar years as int16, north to south."""
    _check_version(files, version)
    path = files[0].path
    data = xr.open_dataset(path, decode_times=False, mask_and_scale=False, chunks={"time": 1})
    if name not in data:
        raise ValueError(
            f"{path}: no variable {name}, found {sorted(map(str, data.data_vars))}; is this a {name[5:]} file?"
        )
    cover = data[name].rename(latitude="lat", longitude="lon")
    years = cover["time"].to_numpy().astype(int)
    if years.min() < 1800 or years.max() > 2100 or (np.diff(years) != 1).any():
        raise ValueError(f"{path}: time holds {years[0]}..{years[-1]}, expected consecutive calendar years.")
    if cover.lat[0] < cover.lat[-1]:
        cover = cover.isel(lat=slice(None, None, -1))
    coords = {"time": years.astype(np.int16), "lat": cover.lat.astype(float), "lon": cover.lon.astype(float)}
    return cover.assign_coords(coords)


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
    cover = _open_netcdf(files, version, "LULC_states")
    cover.attrs["nodata"] = cover.attrs.get("_FillValue")
    cover = _as_codes(cover)
    cover.attrs, cover.encoding = {"version": version}, {}
    return cover.rename("land_use")


def _halves(code: xr.DataArray) -> xr.DataArray:
    """Transition codes XXYY as int16; NaN, the file's own nodata value and what is no pair become 9999."""
    nodata = code.attrs.get("nodata")
    pair = (code >= 0) & (code <= _NO_PAIR)
    if nodata is not None and nodata != 0:
        pair &= code != nodata
    return code.where(pair, _NO_PAIR).astype(np.int16)


def open_hilda_plus_transitions(files: list[InputFile], version: str) -> xr.Dataset:
    """Annual HILDA+ transitions, as the class a cell had in the year before and the one it has.

    Parameters
    ----------
    files : list of InputFile
        The one NetCDF file with ``LULC_transitions``, or one GeoTIFF a year; the year is the later of the two.
    version : str
        As in `open_hilda_plus_geotiff`.

    Returns
    -------
    xarray.Dataset, (time, lat, lon) uint8, lazy
        ``land_use_before`` and ``land_use``: publisher's codes, XX and YY of the code XXYY; 99 is no data.
        ``time`` is the calendar year.

    Raises
    ------
    ValueError
        If versions are mixed, two files differ in their cells, or there is no ``LULC_transitions``.

    References
    ----------
    Winkler et al. (2021), doi:10.1038/s41467-021-22702-2
    """
    path = files[0].path
    if path.suffix == ".nc":
        code = _open_netcdf(files, version, "LULC_transitions")
        code = _halves(code.assign_attrs(nodata=code.attrs.get("_FillValue")))
    else:
        code = _open_series(files, version, _halves)
    attrs = {"version": version}
    before, after = ((part.astype(np.uint8)).assign_attrs(attrs) for part in (code // 100, code % 100))
    return canonical(xr.Dataset({"land_use_before": before, "land_use": after}, attrs=attrs), path)


def open_hilda_plus_change_frequency(files: list[InputFile], version: str) -> xr.Dataset:
    """Number of land-use changes of every cell over the years of the change layers of HILDA+ v1.0.

    Parameters
    ----------
    files : list of InputFile
        The layer ``..._luc_change-freq_<first>-<last>_wgs84.tif``; the other change layers are not read.
    version : str
        ``1.0``.

    Returns
    -------
    xarray.Dataset, (lat, lon) float32, lazy
        ``number_of_changes`` (1) between the years ``attrs["years"]``; NaN where there is no data.

    Raises
    ------
    ValueError
        If the file is another layer; on reading, if a cell changed more often than there are pairs of years.

    References
    ----------
    Winkler et al. (2021), doi:10.1038/s41467-021-22702-2
    """
    _check_version(files, version)
    names = [f.path.name for f in files]
    years = re.search(r"luc_change-freq_(\d{4})-(\d{4})", names[0])
    if years is None or len(files) > 1:
        raise ValueError(f"HILDA+ v{version}: change layers found are {names}, expected the one luc_change-freq.")
    field = open_geotiff(files[0].path)
    nodata, most = field.attrs["nodata"], int(years[2]) - int(years[1])
    counts = field.data.map_blocks(_check_counts, most=most, nodata=nodata, file=names[0], dtype=np.float32)
    made = field.copy(data=counts)
    made.attrs = {"long_name": "number of land-use changes", "units": "1"}
    attrs = {"version": version, "years": f"{years[1]}-{years[2]}"}
    return canonical(xr.Dataset({"number_of_changes": made}, attrs=attrs), files[0].path)


def _check_counts(counts: np.ndarray, most: int, nodata: float | None, file: str) -> np.ndarray:
    missing = ~np.isfinite(counts) if nodata is None else ~np.isfinite(counts) | (counts == nodata)
    made = np.where(missing, np.nan, counts).astype(np.float32)
    if ((made < 0) | (made > most)).any():
        shown = np.nanmin(made), np.nanmax(made)
        raise ValueError(f"{file}: {shown[0]} to {shown[1]} changes, expected 0 to {most}; is no data without its tag?")
    return made
