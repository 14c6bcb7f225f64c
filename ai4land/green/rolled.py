"""The store of a region's rollout: maps, chances and seasons of every year."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ai4land.samples.predictors import cover_groups
from ai4land.samples.region import Region
from ai4land.store import Format, open_store
from ai4land.targets import read_target
from ai4land.templates import Template, rollout_group
from ai4land.vegetation import MONTHS

WATER = int(read_target("land_cover").water[0])  # code of land cover: no leaves
_FORMAT = Format("rollout", 1, "14-roll-vegetation")
_BYTES_A_CELL = 12.0  # of a year, compressed: room that is asked for


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


def rolled_template(cube: Region, years: list[int], error: np.ndarray, title: str) -> Template:
    """Empty rollout of a region, all years.

    Parameters
    ----------
    cube : Region
    years : list of int
    error : numpy.ndarray, shape (12, group), float32
        Of `error_table`.
    title : str
        Of the rollout, where the disk has no room.
    """
    group = rollout_group(["land_cover", "leaf_area_index"], years, cube.grid)
    errors = xr.Variable(("month", "cover_group"), error, {"units": read_target("leaf_area_index").units})
    needed = int(cube.grid.rows * cube.grid.cols * len(years) * _BYTES_A_CELL)
    groups = {"": replace(group, coordinates={**group.coordinates, "leaf_area_error": errors})}
    return Template(groups, {"format_version": _FORMAT.version}, needed, title)


def open_rolled(path: Path, lazy: bool = True) -> xr.Dataset:
    """A region's rollout; ``time`` is the calendar year.

    ``land_cover`` (time, lat, lon) uint8, 0 is no data; ``confidence`` (time, lat, lon) float32, the chance that the
    class is right, in steps of 1/65535; ``probability`` (time, cover_class, lat, lon) float32 in steps of 1/255, 0
    outside the bands; ``leaf_area_index`` (time, month, lat, lon) float32, m2 m-2 in steps of 0.01, NaN is no data;
    ``leaf_area_error`` (month, cover_group) float32, m2 m-2. With dask (``lazy``) or without.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is none, or it was written in another format.
    """
    return open_store(path, _FORMAT, lazy=lazy)
