"""The store of a region's rollout: maps, chances and seasons of every year, in whole numbers."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
import zarr

from ai4land.checks import check_room
from ai4land.legend import class_codes, flag_attributes, read_legend
from ai4land.samples.predictors import cover_groups
from ai4land.samples.region import Region
from ai4land.vegetation import MONTHS

LEAF_SCALE, LEAF_MISSING = 0.01, -1  # m2 m-2 of one step of the stored leaf area; int16, as CF wants packed data
PROBABILITY_SCALE, CHANCE_SCALE = 255, 65535  # stored probability of 1; chances are carried on, so they are finer
WATER = 210  # code of land cover: no leaves
CHUNK = 512
_BYTES_A_CELL = 12.0  # of a year, compressed: room that is asked for


def pack_leaves(values: np.ndarray) -> np.ndarray:
    """Leaf area (m2 m-2, NaN without data) in steps of 0.01, int16; -1 without data."""
    known = np.isfinite(values)
    return np.where(known, np.rint(np.where(known, values, 0) / LEAF_SCALE), LEAF_MISSING).astype(np.int16)


def unpack_leaves(stored: np.ndarray) -> np.ndarray:
    """What `pack_leaves` packed, float32."""
    return np.where(stored == LEAF_MISSING, np.float32(np.nan), stored * np.float32(LEAF_SCALE)).astype(np.float32)


def error_table(error: pd.DataFrame) -> np.ndarray:
    """Standard error of leaf area by month and level-1 class of land cover.

    Parameters
    ----------
    error : pandas.DataFrame
        Columns month (1-12), cover (level-1 code), rmse (m2 m-2), of the validation years.

    Returns
    -------
    numpy.ndarray, shape (12, group), float32
        In the order of `cover_groups`. 0 on water, which has no leaves; a class that validation years lack has the
        largest error of the month.
    """
    table = error.pivot_table(index="month", columns="cover", values="rmse").reindex(index=range(1, MONTHS + 1))
    whole = table.reindex(columns=list(cover_groups())).T.fillna(table.max(axis=1)).T
    whole[WATER] = 0.0
    return whole.to_numpy(np.float32)


def create_rolled(path: Path, about: str, cube: Region, years: list[int], error: np.ndarray) -> dict[str, Any]:
    """Arrays of an empty rollout, all years; one that is there and about the same is gone on with.

    Parameters
    ----------
    path : pathlib.Path
    about : str
        What it is made from.
    cube : Region
    years : list of int
    error : numpy.ndarray, shape (12, group), float32
        Of `error_table`.

    Raises
    ------
    OSError
        If the disk has no room for it.
    """
    for leftover in path.rglob("*.partial"):  # of a chunk whose writer was killed
        leftover.unlink()
    if (path / "zarr.json").exists() and zarr.open_group(path, mode="r").attrs.get("about") == about:
        return dict(zarr.open_group(path, mode="r+").arrays())
    shutil.rmtree(path, ignore_errors=True)
    rows, cols = cube.grid.shape
    check_room(path.parent, int(rows * cols * len(years) * _BYTES_A_CELL), f"{cube.name}: {path.name}")
    root = zarr.open_group(path, mode="w", zarr_format=3)
    chunk = min(rows, CHUNK), min(cols, CHUNK)
    frame = tuple(-(-n // c) * c for n, c in zip((rows, cols), chunk, strict=True))  # a year is one file
    for name, (dims, more, dtype, fill, attrs) in _fields().items():
        root.create_array(
            name, shape=(len(years), *more, rows, cols), chunks=(1, *more, *chunk), shards=(1, *more, *frame),
            dtype=dtype, fill_value=fill, dimension_names=("time", *dims, "lat", "lon"), attributes=attrs,
        )  # fmt: skip
    root.create_array("done", shape=(len(years),), chunks=(1,), dtype="uint8", fill_value=0, dimension_names=("time",))
    root.create_array("leaf_area_error", data=error, dimension_names=("month", "cover_group"))
    for name, values in (("time", np.array(years, np.int16)), ("lat", cube.grid.lat), ("lon", cube.grid.lon)):
        root.create_array(name, data=values, dimension_names=(name,))
    root.update_attributes({"about": about})
    return dict(root.arrays())


def _fields() -> dict[str, Any]:
    """Further dimensions, their lengths, type, missing value and attributes of every map."""
    legend = read_legend("land_cover")
    leaf = {"units": "m2 m-2", "scale_factor": LEAF_SCALE, "_FillValue": LEAF_MISSING}
    return {
        "land_cover": ((), (), "uint8", 0, {"long_name": "land cover", **flag_attributes(legend)}),
        "confidence": ((), (), "uint16", 0, {"long_name": "chance that the class is right", "scale": CHANCE_SCALE}),
        "probability": (("cover_class",), (class_codes(legend).size,), "uint8", 0, {
            "scale": PROBABILITY_SCALE, "comment": "in the bands only"}),
        "leaf_area_index": (("month",), (MONTHS,), "int16", LEAF_MISSING, {"long_name": "leaf area index", **leaf}),
    }  # fmt: skip


def open_rolled(path: Path) -> xr.Dataset:
    """A region's rollout, lazy, numbers as they are stored; ``time`` is the calendar year.

    ``land_cover`` (time, lat, lon) uint8, 0 is no data; ``confidence`` (time, lat, lon) uint16 in 1/65535;
    ``probability`` (time, cover_class, lat, lon) uint8 in 1/255, 0 outside the bands; ``leaf_area_index``
    (time, month, lat, lon) int16 in 0.01 m2 m-2, -1 is no data; ``leaf_area_error`` (month, cover_group) float32,
    m2 m-2.
    """
    return xr.open_zarr(path, consolidated=False, mask_and_scale=False, chunks={})
