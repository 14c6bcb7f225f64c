"""Annual land cover of ESA CCI (v2.0.x, 1992-2015) and of its C3S continuation (v2.1.x, 2016-2022), 300 m.

Traps: some files hold the codes as signed bytes (130 arrives as -126), with attributes of a fill value and a valid
range that decoding would obey; 0 is no data; sea and inland water are one class, 210; where there is a regional
sub-class (11, 61, ...) the cell does not carry the code of its class; sensors and processing change between 2015 and
2016.
"""

import re
from pathlib import Path

import numpy as np
import xarray as xr

from ai4land.checks import check_same_grid
from ai4land.grid import grid_of
from ai4land.legend import check_codes, flag_attributes, read_legend
from ai4land.sources.canonical import canonical
from ai4land.sources.rasters import open_geotiff
from ai4land.sources.registry import InputFile

_CHUNK = 4050  # cells: 16 x 32 chunks tile the globe
_SERIES = re.compile(r"-v(\d+\.\d+)\.")


def _check_version(files: list[InputFile], version: str) -> None:
    """One series a call: the one of ``version``."""
    wanted = ".".join(version.split(".")[:2])
    named = {f.path.name: m.group(1) for f in files if (m := _SERIES.search(f.path.name))}
    foreign = sorted(name for name, series in named.items() if series != wanted)
    if foreign:
        raise ValueError(
            f"ESA CCI land cover v{version}: files of another version among them, {foreign[:3]}; sensors and "
            "processing change between 2015 (v2.0.x) and 2016 (v2.1.x). Open each version alone, then join_land_cover."
        )


def _known_codes(codes: np.ndarray, known: np.ndarray, what: str) -> np.ndarray:
    check_codes(codes, known, what, "legend land_cover")
    return codes


def _as_land_cover(field: xr.DataArray, path: Path) -> xr.Dataset:
    """Codes of one map as uint8 on canonical coordinates; foreign codes are refused on reading."""
    if field.dtype not in (np.uint8, np.int8):
        raise ValueError(
            f"{path}: codes are {field.dtype}, expected bytes; take the publisher's file, "
            "or cut it without decoding (mask_and_scale=False)."
        )
    legend = read_legend("land_cover")
    codes = field.data.astype(np.uint8)  # the same bits: -126 is 130
    codes = codes.map_blocks(_known_codes, known=legend["code"].to_numpy(), what=path.name, dtype=np.uint8)
    about = {"long_name": "land cover class", "standard_name": "land_cover_lccs", "comment": "0 is no data"}
    cover = xr.DataArray(codes, field.coords, field.dims, attrs=about | flag_attributes(legend))
    return canonical(cover.to_dataset(name="land_cover"), path)


def _by_year(maps: list[xr.Dataset], files: list[InputFile], version: str) -> xr.Dataset:
    first = grid_of(maps[0])
    for file, one in zip(files[1:], maps[1:], strict=True):
        check_same_grid(grid_of(one), first, f"{file.path.name} against {files[0].path.name}")
    years = np.array([f.year for f in files], np.int16)
    # Coordinates may differ in the last digits between files: the first file's are taken.
    time = xr.Variable("time", years, {"long_name": "calendar year"})
    cover = xr.concat(maps, time, data_vars="all", coords="minimal", compat="override", join="override")
    return cover.assign_attrs(version=version)


def open_esa_cci_geotiff(files: list[InputFile], version: str) -> xr.Dataset:
    """Annual land cover from the GeoTIFF files of CEDA.

    Parameters
    ----------
    files : list of InputFile
        One file a year, whole or cut.
    version : str
        Release, such as ``2.0.7``.

    Returns
    -------
    xarray.Dataset, (time, lat, lon) uint8, lazy, north to south
        ``land_cover``, codes of legend ``land_cover``; 0 is no data. ``time`` is the calendar year, int16.

    Raises
    ------
    ValueError
        If a file is of another version, or two files differ in their cells; on reading, if a map holds a code
        that the legend does not list.

    References
    ----------
    ESA (2017), Land Cover CCI Product User Guide Version 2.0; doi:10.24381/cds.006f2c9a
    """
    _check_version(files, version)
    return _by_year([_as_land_cover(open_geotiff(f.path), f.path) for f in files], files, version)


def _open_netcdf(path: Path) -> xr.DataArray:
    data = xr.open_dataset(path, decode_times=False, mask_and_scale=False, chunks={"lat": _CHUNK, "lon": _CHUNK})
    if "lccs_class" not in data:
        found = sorted(map(str, data.data_vars))
        raise ValueError(f"{path}: no variable lccs_class, found {found}; is this a land cover map?")
    field = data["lccs_class"]
    if field.sizes.get("time", 1) != 1:
        raise ValueError(f"{path}: {field.sizes['time']} time steps, expected one map a file.")
    return field.squeeze("time", drop=True) if "time" in field.dims else field


def open_esa_cci_netcdf(files: list[InputFile], version: str) -> xr.Dataset:
    """Annual land cover from the NetCDF files of the Climate Data Store or CEDA, global or cut to an area.

    Parameters
    ----------
    files : list of InputFile
        One file a year.
    version : str
        Release: ``2.0.7``, ``2.0.7cds`` or ``2.0.7b``, or ``2.1.1``.

    Returns
    -------
    xarray.Dataset, (time, lat, lon) uint8, lazy, north to south
        As `open_esa_cci_geotiff`. The year is that of the file name.

    Raises
    ------
    ValueError
        If a file is of another version, holds no ``lccs_class`` or several maps, or no bytes, or two files differ
        in their cells; on reading, if a map holds a code that the legend does not list.

    References
    ----------
    ESA (2017), Land Cover CCI Product User Guide Version 2.0; doi:10.24381/cds.006f2c9a
    """
    _check_version(files, version)
    return _by_year([_as_land_cover(_open_netcdf(f.path), f.path) for f in files], files, version)


def join_land_cover(first: xr.Dataset, second: xr.Dataset) -> xr.Dataset:
    """One series of two versions; the break between them stays visible.

    Parameters
    ----------
    first, second : xarray.Dataset
        Of the readers, v2.0.x (to 2015) and v2.1.x (from 2016).

    Returns
    -------
    xarray.Dataset, (time, lat, lon) uint8, lazy
        ``land_cover`` of all years, with the release of each year as coordinate ``version`` (time). A change
        from one version to the next is one of sensor and processing as well as of the land.

    Raises
    ------
    ValueError
        If the second does not begin the year after the first ends, years are missing, or cells differ.
    """
    years = np.concatenate([first["time"], second["time"]]).astype(int)
    if (np.diff(years) != 1).any():
        spans = [f"v{d.attrs['version']} {d['time'].to_numpy().tolist()}" for d in (first, second)]
        raise ValueError(f"land cover of {' and '.join(spans)}: expected consecutive years, none twice.")
    check_same_grid(grid_of(second), grid_of(first), "land cover of two versions")
    parts = []
    for part in (first, second):
        version = xr.DataArray([part.attrs["version"]] * part.sizes["time"], dims="time")
        parts.append(part.assign_coords(version=version.assign_attrs(long_name="release")).drop_attrs(deep=False))
    return xr.concat(parts, "time", data_vars="minimal", coords="minimal", compat="override", join="override")
