"""Leaf area index of CGLS, C3S, GLASS and CONFESS in one form.

Traps: CGLS packs flags (251-255) above the physical values and labels cell centres, C3S at 300 m the south-west
corner; C3S is true leaf area index to V1 and effective (two-stream) from V2; the scale of ``retrieval_flag`` would
round its bits; sensors change within a product; GLASS V04 is scaled by 0.01, later versions by 0.1.
"""

import re
from collections.abc import Hashable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ai4land.sources.canonical import canonical
from ai4land.sources.leaf_area_series import concat_series
from ai4land.sources.rasters import open_geotiff
from ai4land.sources.registry import InputFile

_NAME = re.compile(r"(_GLOBE_(?P<sensor>[\w-]+?)_|(?P<code>GLASS01[A-Z]\d\d)\.)V(?P<version>\d+)")
_HDF4 = (
    "Convert HDF4 with a GDAL that reads it: gdal_translate X.hdf X.tif (0.05 degree), or for the tiles of a date "
    "gdalwarp -t_srs EPSG:4326 -srcnodata 255 -dstnodata 255 *.hdf X.tif; then give the GeoTIFF alone."
)
_UNITS = {"1", "m2 m-2", "m**2 m**-2", "m^2 m^-2", "m2/m2", "m2.m-2"}
_CGLS = {"LAI": "leaf_area_index", "RMSE": "leaf_area_index_uncertainty"}
_ENDS = {"LAI": 211, "RMSE": 251}  # 210 steps of 1/30 make the physical maximum, 7; flags are above 250
_UNUSABLE = 0x01 | 0x40 | 0x80  # obs_is_fillvalue, tip_untrusted, obs_unusable


def _sensor(file: InputFile, version: str) -> str:
    """Sensor (GLASS: product code) in a file name, which must have the wanted main version."""
    name, wanted = _NAME.search(file.path.name), int(version.lstrip("vV").split(".")[0])
    if name is None or int(name["version"]) != wanted:
        raise ValueError(
            f"{file.path}: no sensor and version {wanted} in the name; versions differ in definition (C3S: true leaf "
            "area index to V1, effective from V2), grid and retrieval. Keep one in a call."
        )
    return name["sensor"] or name["code"]


def _series(parts: list[xr.Dataset], files: list[InputFile], **attrs: str) -> xr.Dataset:
    lai = concat_series(parts, [file.path.name for file in files]).transpose("time", "lat", "lon", ...)
    for name, field in lai.data_vars.items():
        lai[name] = field.astype(np.float32).assign_attrs(long_name=str(name).replace("_", " "), units="m2 m-2")
    lai["leaf_area_index"].attrs["standard_name"] = "leaf_area_index"
    return lai.assign_attrs(attrs)


def _at_date(fields: Mapping[Hashable, xr.DataArray], file: InputFile, sensor: str) -> xr.Dataset:
    """Maps of one file in the canonical form, at the nominal date of the file name."""
    date = file.keys["date"]
    when = pd.to_datetime(date, format="%Y%m%d" if len(date) == 8 else "%Y%j", errors="coerce")
    if pd.isna(when):
        raise ValueError(f"{file.path}: {date!r} in the name is no date YYYYMMDD or YYYYDDD.")
    maps = canonical(xr.Dataset(fields), file.path)
    return maps.expand_dims(time=np.array([when], "datetime64[ns]")).assign_coords(sensor=("time", [sensor]))


def _open_packed(path: Path, *wanted: str) -> xr.Dataset:
    data = xr.open_dataset(path, decode_times=False, mask_and_scale=False)
    found = sorted(map(str, data.variables))
    if not {"LAI", "lat", "lon", *wanted} <= set(found) or data.sizes.get("time", 1) != 1:
        raise ValueError(
            f"{path}: expected one date of {('LAI', *wanted)} on lat and lon, found {found}, {dict(data.sizes)}."
        )
    data = data[[name for name in (*_CGLS, *wanted) if name in data]]
    data = data.squeeze("time", drop=True) if "time" in data.dims else data
    return data.chunk({"lat": 2000, "lon": 2000})


def _unpack(raw: xr.DataArray, valid: xr.DataArray, path: Path) -> xr.DataArray:
    if raw.dtype.kind not in "iu" or raw.dtype == np.int8 or "scale_factor" not in raw.attrs:
        raise ValueError(
            f"{path}: {raw.name} is {raw.dtype} with {raw.attrs}, expected the publisher's packed integers."
        )
    value = raw.astype(np.float32) * np.float32(raw.attrs["scale_factor"]) + np.float32(raw.attrs.get("add_offset", 0))
    return value.where(valid).drop_attrs()


def open_lai_cgls_netcdf(files: list[InputFile], version: str) -> xr.Dataset:
    """Leaf area index of Copernicus Global Land, 1 km V2 (GEOV2) or 300 m V1, every ten days.

    Parameters
    ----------
    files, version : list of InputFile, str
        One file a date, and the main version in their names: ``2`` (1 km) or ``1`` (300 m).

    Returns
    -------
    xarray.Dataset, (time, lat, lon) float32, lazy
        ``leaf_area_index`` (m2 m-2, 0 to 7) and, where the files have RMSE, ``leaf_area_index_uncertainty``; NaN
        where missing or flagged (251-255); QFLAG is not used. ``sensor(time)`` keeps the breaks from SPOT-VGT to
        PROBA-V and on to OLCI, which are not harmonised. Described in doi:10.1016/j.jag.2023.103479.

    Raises
    ------
    ValueError
        If versions, cells or dates clash, or LAI is not packed as published.
    """
    parts = []
    for file in files:
        raw = _open_packed(file.path)
        for field in raw.values():
            if field.dtype != np.uint8 or abs(30 * float(field.attrs.get("scale_factor", 0)) - 1) > 2e-3:
                what = f"{file.path}: {field.name} is {field.dtype} with {field.attrs}"
                raise ValueError(f"{what}, expected packed integers in steps of 1/30 (m2 m-2); another product?")
        parts.append(_at_date(dict(raw), file, _sensor(file, version)))
    raw = concat_series(parts, [file.path.name for file in files])  # unpacked together: faster than file by file
    fields = {_CGLS[n]: (raw[n] * np.float32(1 / 30)).where(raw[n] < _ENDS[n]).drop_attrs() for n in _CGLS if n in raw}
    return _series([xr.Dataset(fields, raw.coords)], files, product="CGLS", version=version, definition="true")


def open_lai_c3s_netcdf(files: list[InputFile], version: str) -> xr.Dataset:
    """Leaf area index of the Copernicus Climate Change Service, every ten days.

    Parameters
    ----------
    files, version : list of InputFile, str
        One file a date, and the main version in their names: to 1 true, from 2 effective leaf area index.

    Returns
    -------
    xarray.Dataset, (time, lat, lon) float32, lazy
        ``leaf_area_index`` (m2 m-2), NaN where missing or ``retrieval_flag`` says fill value, untrusted or unusable;
        ``sensor(time)``. From V4 (300 m) labels, which are south-west corners, are moved to the cell centres.
        Described in doi:10.24381/cds.7e59b01a.

    Raises
    ------
    ValueError
        If versions (so definitions), cells or dates clash, LAI is not packed as published, or V4 has no flag.
    """
    major, parts = int(version.lstrip("vV").split(".")[0]), []
    for file in files:
        sensor = _sensor(file, version)
        data = _open_packed(file.path, *(["retrieval_flag"] if major >= 4 else []))
        raw = data["LAI"]
        low, high = raw.attrs.get("valid_range", (0, 0xFFFE))
        valid = (raw >= low) & (raw <= high) & (raw != raw.attrs.get("_FillValue", 0xFFFF))
        if "retrieval_flag" in data:
            valid &= (data["retrieval_flag"] & _UNUSABLE) == 0
        lai = _unpack(raw, valid, file.path)
        if major >= 4:
            corner = {name: lai[name].astype(float) for name in ("lat", "lon")}
            lai = lai.assign_coords({n: c + abs(float(c[-1] - c[0])) / (c.size - 1) / 2 for n, c in corner.items()})
        parts.append(_at_date({"leaf_area_index": lai}, file, sensor))
    return _series(parts, files, product="C3S", version=version, definition="true" if major < 2 else "effective")


def open_lai_glass(files: list[InputFile], version: str) -> xr.Dataset:
    """Leaf area index of GLASS, every eight days, from latitude-longitude GeoTIFFs that GDAL made of its HDF4.

    Parameters
    ----------
    files, version : list of InputFile, str
        One file a date with the publisher's numbers (uint8), and the version in their names, such as ``60``.

    Returns
    -------
    xarray.Dataset, (time, lat, lon) float32, lazy
        ``leaf_area_index`` (m2 m-2), NaN above 100 (water is 255); ``time`` is the first of the eight days,
        ``sensor(time)`` the product code. Described in doi:10.1109/TGRS.2013.2237780.

    Raises
    ------
    ValueError
        If a file is HDF4, sinusoidal or not uint8 (V04), or versions, cells or dates clash.
    """
    parts = []
    for file in files:
        try:
            if file.path.suffix == ".hdf":
                raise ValueError(f"{file.path}: HDF4.")
            raw = open_geotiff(file.path)
        except ValueError as error:
            raise ValueError(f"{error} {_HDF4}") from None
        if raw.dtype != np.uint8:
            raise ValueError(f"{file.path}: {raw.dtype}, expected uint8 in steps of 0.1; V04 (0.01) is not read.")
        lai = (raw.astype(np.float32) * np.float32(0.1)).where(raw <= 100)
        parts.append(_at_date({"leaf_area_index": lai.drop_attrs()}, file, _sensor(file, version)))
    return _series(parts, files, product="GLASS", version=version, definition="true")


def _identified(data: xr.Dataset, path: Path) -> xr.DataArray:
    """The one leaf area index of a file, or the cover-weighted sum of ECMWF's low and high vegetation."""
    tiles = {"cvl", "lai_lv", "cvh", "lai_hv"}
    if {"lai_lv", "lai_hv"} & set(data.data_vars):
        if missing := sorted(tiles - set(data.data_vars)):
            raise ValueError(
                f"{path}: no {missing}; leaf area index of a cell is cvl x lai_lv + cvh x lai_hv. Add them."
            )
        return data["cvl"] * data["lai_lv"] + data["cvh"] * data["lai_hv"]

    def names_it(field: xr.DataArray) -> bool:
        title = f"{field.name} {field.attrs.get('long_name', '')}".lower().replace("_", " ")
        standard = field.attrs.get("standard_name") == "leaf_area_index"
        return field.attrs.get("units") in _UNITS and (standard or "leaf area index" in title or field.name == "lai")

    named = [field for field in data.data_vars.values() if names_it(field)]
    if len(named) != 1:
        about = {str(n): f.attrs.get("standard_name", f.attrs.get("units")) for n, f in data.data_vars.items()}
        raise ValueError(
            f"{path}: {len(named)} variables are leaf area index by standard name and units, found {about}."
        )
    return named[0]


def open_lai_confess(files: list[InputFile], version: str) -> xr.Dataset:
    """Leaf area index of CONFESS, from files of its partners: it has no public link and no published layout.

    The papers that use it say 1 km, every 5 days, 1980-2020; the project's own pages about 9 km (Tco1279),
    1993-2019. Read is what the file identifies as leaf area index by CF names, or as ECMWF's ``lai_lv``, ``lai_hv``,
    ``cvl``, ``cvh``, on a regular latitude-longitude grid with a CF time; reduced grids must be regridded before.

    Parameters
    ----------
    files, version : list of InputFile, str
        NetCDF files, each a stretch of time; the version is only noted.

    Returns
    -------
    xarray.Dataset, (time, lat, lon) float32, lazy
        ``leaf_area_index`` (m2 m-2 of the whole cell), NaN missing; ``attrs["definition"]`` is ``unknown``.

    Raises
    ------
    ValueError
        If leaf area index, its covers, its grid or its time cannot be told, or cells or dates clash.
    """
    parts = []
    for file in files:
        try:
            data = xr.open_dataset(file.path, chunks={})
        except ValueError as error:
            raise ValueError(f"{file.path}: cannot be decoded ({str(error).splitlines()[0]}).") from None
        lai = canonical(_identified(data, file.path).to_dataset(name="leaf_area_index"), file.path)
        dims, time = set(lai["leaf_area_index"].dims), lai.get("time", xr.DataArray())
        if (
            dims != {"time", "lat", "lon"}
            or time.dtype.kind != "M"
            or (np.diff(time.to_numpy()) <= np.timedelta64(0)).any()
        ):
            raise ValueError(
                f"{file.path}: dims {sorted(map(str, dims))}, time {time.dtype}; expected ascending CF dates."
            )
        parts.append(lai.assign_coords(sensor=("time", ["CONFESS"] * time.size)))
    return _series(parts, files, product="CONFESS", version=version, definition="unknown")
