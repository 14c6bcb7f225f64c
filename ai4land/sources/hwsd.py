"""Harmonized World Soil Database v2: sand, silt and clay of the soil units of a 30 arc-second raster of mapping units.

Traps: the raster holds identifiers, not values, and must never be averaged before they are looked up; a mapping unit
has up to twelve soil units with a share each; negative values in the table are missing or no soil (water, rock, ice);
shallow soils have no lower layers; the raster and the table come in two files, and only the SQLite copy of the table
is read, not the Access original; texture class codes are not those of other products (data/crosswalks).
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ai4land.sources.canonical import canonical
from ai4land.sources.rasters import open_geotiff
from ai4land.sources.registry import InputFile

DEPTH = 100  # cm
_LAYERS = ["SAND", "SILT", "CLAY"]
_NO_UNIT = 65535
_LICENCE = "CC BY-NC-SA 3.0: not for commercial use, and whatever is derived from it inherits this licence"


def read_hwsd_texture(path: Path) -> pd.DataFrame:
    """Texture of every mapping unit, weighted by the share of its soil units and the thickness of their layers.

    Parameters
    ----------
    path : pathlib.Path
        ``HWSD2.sqlite``, with its table ``HWSD2_LAYERS``.

    Returns
    -------
    pandas.DataFrame
        Columns ``sand``, ``silt``, ``clay``: mass fraction of the fine earth (1) in the upper metre, over the parts
        that have values; NaN where none has. Index: identifier of the mapping unit.

    Raises
    ------
    ValueError
        If the table or a column is not there, or a value is no percentage.
    """
    columns = ["HWSD2_SMU_ID", "SHARE", "TOPDEP", "BOTDEP", *_LAYERS]
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as table:
            rows = pd.read_sql(f"SELECT {', '.join(columns)} FROM HWSD2_LAYERS", table)
    except (sqlite3.Error, pd.errors.DatabaseError) as error:
        raise ValueError(f"{path}: no HWSD2_LAYERS with columns {columns} ({error}); take HWSD2.sqlite.") from None
    rows = rows.apply(pd.to_numeric, errors="coerce")
    if (rows[_LAYERS] > 100).any(axis=None):
        raise ValueError(f"{path}: sand, silt or clay up to {rows[_LAYERS].max().max()}, expected per cent.")
    thickness = (rows["BOTDEP"].clip(upper=DEPTH) - rows["TOPDEP"]).clip(lower=0)
    weight = (rows["SHARE"] * thickness).where((rows[_LAYERS] >= 0).all(axis=1), 0)
    units = rows["HWSD2_SMU_ID"].astype(int)
    total = weight.groupby(units).sum()
    mean = rows[_LAYERS].mul(weight, axis=0).groupby(units).sum().div(total.where(total > 0), axis=0)
    return (mean / 100).rename(columns=str.lower).rename_axis("mapping_unit")


def _look_up(units: np.ndarray, values: np.ndarray, listed: np.ndarray, file: str) -> np.ndarray:
    if not listed[units].all():
        unknown = np.unique(units[~listed[units]]).tolist()
        raise ValueError(f"{file}: mapping units {unknown[:5]} are not in the table; take both from one release.")
    return values[units]


def open_hwsd_bil(files: list[InputFile], version: str) -> xr.Dataset:
    """Texture of the fine earth in the upper metre, on the 30 arc-second grid of the mapping units.

    Parameters
    ----------
    files : list of InputFile
        ``HWSD2.bil`` (uint16, its .hdr and .prj beside it) and ``HWSD2.sqlite``.
    version : str
        HWSD release.

    Returns
    -------
    xarray.Dataset, (lat, lon) float32, lazy
        ``sand_fraction``, ``silt_fraction``, ``clay_fraction``: mass fraction of the fine earth (1), as
        `read_hwsd_texture`; NaN in water and where there is no soil. ``attrs["license"]`` forbids commercial use.

    Raises
    ------
    ValueError
        If there is not one raster and one table; on reading, if the table lacks a unit of the raster.

    References
    ----------
    FAO and IIASA (2023), Harmonized World Soil Database version 2.0, doi:10.4060/cc3823en
    """
    rasters, tables = ([f.path for f in files if f.path.suffix.lower() == s] for s in (".bil", ".sqlite"))
    if len(rasters) != 1 or len(tables) != 1:
        found = sorted(f.path.name for f in files)
        raise ValueError(f"HWSD {version}: found {found}, expected HWSD2.bil and HWSD2.sqlite (the .mdb is not read).")
    texture = read_hwsd_texture(tables[0])
    units = open_geotiff(rasters[0])
    nodata = units.attrs["nodata"]
    listed = np.zeros(_NO_UNIT + 1, bool)
    listed[[*texture.index, 0, _NO_UNIT, *([] if nodata is None else [int(nodata) & _NO_UNIT])]] = True
    fields = {}
    for layer, column in texture.items():
        values = np.full(_NO_UNIT + 1, np.nan, np.float32)
        values[texture.index] = column
        # A header that does not say "unsigned" gives the same bits as int16.
        codes = units.data.astype(np.uint16)
        found = codes.map_blocks(_look_up, values=values, listed=listed, file=rasters[0].name, dtype=np.float32)
        attrs = {"long_name": f"mass fraction of {layer} in the fine earth", "units": "1"}
        fields[f"{layer}_fraction"] = units.copy(data=found).assign_attrs(attrs)
        del fields[f"{layer}_fraction"].attrs["nodata"]
    made = canonical(xr.Dataset(fields), rasters[0])
    return made.assign_attrs(version=version, depths=f"0-{DEPTH}cm", license=_LICENCE)
