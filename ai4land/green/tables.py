"""What rollouts and products of land cover and leaf area do over time, and at the edges between regions."""

import numpy as np
import pandas as pd
import xarray as xr

from ai4land.green.roll import steps_of
from ai4land.green.rolled import WATER
from ai4land.grid import COARSE_CELLS, grid_of
from ai4land.samples.predictors import cover_groups, level_1
from ai4land.stitch import Tile
from ai4land.stitch.tiles import tile_edges
from ai4land.vegetation import Vegetation

_STRIP = 500  # rows in work at a time


def cover_areas(maps: xr.DataArray) -> pd.DataFrame:
    """Area of every level-1 class of land cover by year.

    Parameters
    ----------
    maps : xarray.DataArray, shape (time, lat, lon), uint8
        Codes of land cover; 0 is no data.

    Returns
    -------
    pandas.DataFrame
        Columns year, code (level 1), class, km2; classes that no map has are left out.
    """
    area, rows = grid_of(maps).cell_area() * 1e-6, []
    for one in maps:
        total = np.zeros(256)
        for start in range(0, one.sizes["lat"], _STRIP):
            strip = level_1(one[start : start + _STRIP].to_numpy())
            weight = np.broadcast_to(area[start : start + _STRIP, None], strip.shape)
            total += np.bincount(strip.ravel(), weights=weight.ravel(), minlength=256)
        rows += [(int(one["time"].dt.year), code, name, total[code]) for code, name in cover_groups().items()]
    table = pd.DataFrame(rows, columns=["year", "code", "class", "km2"])
    return table[table.groupby("code")["km2"].transform("max") > 0].reset_index(drop=True)


def mean_seasons(leaves: xr.DataArray, land: np.ndarray) -> pd.DataFrame:
    """Mean leaf area of every month over land, weighted by the area of its cells.

    Parameters
    ----------
    leaves : xarray.DataArray, shape (time, lat, lon), float32
        Months, m2 m-2; NaN is no data, and left out.
    land : numpy.ndarray, shape (y, x), bool
        Cells to take: water has no leaves in the product, and no data in what was observed.

    Returns
    -------
    pandas.DataFrame
        Columns year, month, leaf_area_index (m2 m-2).
    """
    area, rows = grid_of(leaves).cell_area(), []
    for one in leaves:
        total = weight = 0.0
        for start in range(0, one.sizes["lat"], _STRIP):
            part = slice(start, start + _STRIP)
            strip = np.where(land[part], one[part].to_numpy(), np.nan)
            total += float(np.nansum(strip, axis=1, dtype=float) @ area[part])
            weight += float(np.isfinite(strip).sum(1) @ area[part])
        when = one["time"].dt
        rows.append((int(when.year), int(when.month), total / weight if weight else np.nan))
    return pd.DataFrame(rows, columns=["year", "month", "leaf_area_index"])


def seam_contrast(field: np.ndarray, tiles: dict[str, Tile], unlike: bool = False) -> tuple[float, float]:
    """Mean difference of neighbouring cells across the edges between regions, and across others.

    Others are the other edges of 25-cell blocks, as in `ai4land.stitch.edge_contrast`.

    Parameters
    ----------
    field : numpy.ndarray, shape (y, x), float32
        Leaf area, or codes of classes; NaN is left out.
    tiles : dict of str to Tile
        In the grid of the field.
    unlike : bool
        Count cells that differ, of classes, instead of how much.

    Returns
    -------
    tuple of float
        In the unit of the field, or shares (1); a seam shows as a first number above the second. NaN where there is no
        such edge with data.
    """
    apart: tuple[list[np.ndarray], list[np.ndarray]] = [], []
    for axis, turned in enumerate((field, field.T)):
        jump = np.abs(turned[COARSE_CELLS::COARSE_CELLS] - turned[COARSE_CELLS - 1 : -1 : COARSE_CELLS])
        seam = np.zeros(jump.shape, bool)
        for _, at, along in (edge for edge in tile_edges(tiles) if edge[0] == axis):
            seam[at // COARSE_CELLS - 1, along] = True
        for place, where in zip(apart, (seam, ~seam), strict=True):
            known = jump[where & np.isfinite(jump)]
            place.append(known > 0 if unlike else known)
    across, elsewhere = (np.concatenate(place) for place in apart)
    return tuple(float(v.mean()) if v.size else np.nan for v in (across, elsewhere))  # type: ignore[return-value]


def annual_summary(rolled: xr.Dataset, vegetation: Vegetation) -> pd.DataFrame:
    """What a rollout does year by year, over the cells that are land in the reference year.

    Parameters
    ----------
    rolled : xarray.Dataset
        Of `ai4land.green.open_rolled`, or a part of its cells.
    vegetation : Vegetation
        Of the run.

    Returns
    -------
    pandas.DataFrame
        Index year; columns prior (year of the map that the step began with), chance (mean, that the class is right),
        changed (share of the cells that the step changed), january and july (mean leaf area), least and largest (leaf
        area of any cell and month, m2 m-2), drained (cells that are water in the reference year only) and leafy_water
        (water cells with leaves). The reference year is not among them.
    """
    reference, rows = rolled["land_cover"].sel(time=vegetation.reference).to_numpy(), {}
    land = (reference != WATER) & (reference != 0)
    for prior, year in steps_of(vegetation):
        one = rolled.sel(time=year)
        labels, before = one["land_cover"].to_numpy(), rolled["land_cover"].sel(time=prior).to_numpy()
        season = one["leaf_area_index"].to_numpy()
        rows[year] = {
            "prior": prior, "chance": one["confidence"].to_numpy()[land].mean(),
            "changed": (labels != before)[land].mean(), "january": np.nanmean(season[0, land]),
            "july": np.nanmean(season[6, land]), "least": np.nanmin(season), "largest": np.nanmax(season),
            "drained": int(((reference == WATER) & (labels != WATER)).sum()),
            "leafy_water": int((season[:, labels == WATER] > 0).any(0).sum()),
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, "index").rename_axis("year").sort_index()
