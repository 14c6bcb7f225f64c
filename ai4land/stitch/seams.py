"""What is left of a seam: along the edges between regions against their interiors, in tables that add up.

Every table has a row a year and ``place``: 'edge' is within one overlap of an edge between regions, 'interior' the
rest. Land cells are counted, those of a land class in all maps compared. Tables of years, windows and runs add up.
"""

import numpy as np
import pandas as pd
import xarray as xr

from ai4land.grid import COARSE_CELLS
from ai4land.legend import class_codes, read_legend
from ai4land.stitch.tiles import Tile, tile_edges


def _places(near: np.ndarray, maps: list[np.ndarray]) -> dict[str, np.ndarray]:
    land = np.logical_and.reduce([np.isin(m, class_codes(read_legend("land_use"), land_only=True)) for m in maps])
    return {"edge": land & near, "interior": land & ~near}


def count_seam(prior: np.ndarray, observed: xr.DataArray, simulated: xr.DataArray, near: np.ndarray) -> pd.DataFrame:
    """Right cells, and right, missed, wrong and made-up changes, at the edges between regions and elsewhere.

    Parameters
    ----------
    prior : numpy.ndarray, shape (y, x), uint8
        Map that the simulation started from; change is measured against it.
    observed, simulated : xarray.DataArray, shape (time, lat, lon), uint8
        ``time`` is the calendar year; years that both have are counted.
    near : numpy.ndarray, shape (y, x), bool
        Cells at an edge, see `ai4land.stitch.edge_mask`.

    Returns
    -------
    pandas.DataFrame
        Columns year, place, cells, right, hits, misses, wrong_hits, false_alarms.

    References
    ----------
    Pontius et al. (2008), doi:10.1007/s00168-007-0138-2
    """
    rows = []
    for year in sorted(set(observed["time"].to_numpy().tolist()) & set(simulated["time"].to_numpy().tolist())):
        seen, made = observed.sel(time=year).to_numpy(), simulated.sel(time=year).to_numpy()
        went, moved, right = seen != prior, made != prior, seen == made
        kinds = [right, went & moved & right, went & ~moved, went & moved & ~right, ~went & moved]
        for place, where in _places(near, [prior, seen, made]).items():
            rows.append([year, place, where.sum(), *((kind & where).sum() for kind in kinds)])
    names = ["year", "place", "cells", "right", "hits", "misses", "wrong_hits", "false_alarms"]
    return pd.DataFrame(rows, columns=names)


def score_seam(counts: pd.DataFrame) -> pd.DataFrame:
    """Scores of `count_seam`'s tables, summed by year and place, and by experiment where the tables name it.

    Returns
    -------
    pandas.DataFrame
        Index ([experiment,] year, place); columns accuracy (share of right cells), change_accuracy (share of the
        observed changes that are hit) and figure_of_merit; NaN where there is nothing to divide by.
    """
    keys = [name for name in ("experiment", "year", "place") if name in counts]
    total = counts.groupby(keys).sum()
    observed = total[["hits", "misses", "wrong_hits"]].sum(axis=1)
    return pd.DataFrame({
        "accuracy": total["right"] / total["cells"],
        "change_accuracy": total["hits"] / observed,
        "figure_of_merit": total["hits"] / (observed + total["false_alarms"]),
    })  # fmt: skip


def count_flicker(maps: xr.DataArray, near: np.ndarray) -> pd.DataFrame:
    """Cells that change from one year to the next, and those that change back, at the edges and elsewhere.

    Parameters
    ----------
    maps : xarray.DataArray, shape (time, lat, lon), uint8
        Consecutive years; ``time`` is the calendar year.
    near : numpy.ndarray, shape (y, x), bool

    Returns
    -------
    pandas.DataFrame
        Columns year (the later one), place, cells, changed, back; ``back`` are changes to the class of two years
        before.
    """
    rows, last, before = [], maps[0].to_numpy(), None
    for one in maps[1:]:
        labels = one.to_numpy()
        changed = labels != last
        back = changed & (labels == before) if before is not None else np.zeros_like(changed)
        for place, where in _places(near, [last, labels]).items():
            rows.append([int(one["time"]), place, where.sum(), (changed & where).sum(), (back & where).sum()])
        before, last = last, labels
    return pd.DataFrame(rows, columns=["year", "place", "cells", "changed", "back"])


def count_disagreement(one: xr.DataArray, many: xr.DataArray, near: np.ndarray) -> pd.DataFrame:
    """Cells in which the map of one region that holds all differs from the stitched map of many regions.

    Parameters
    ----------
    one, many : xarray.DataArray, shape (time, lat, lon), uint8
        Of the same years; ``time`` is the calendar year.
    near : numpy.ndarray, shape (y, x), bool

    Returns
    -------
    pandas.DataFrame
        Columns year, place, cells, differ.
    """
    rows = []
    for alone in one:
        year = int(alone["time"])
        pair = [alone.to_numpy(), many.sel(time=year).to_numpy()]
        for place, where in _places(near, pair).items():
            rows.append([year, place, where.sum(), ((pair[0] != pair[1]) & where).sum()])
    return pd.DataFrame(rows, columns=["year", "place", "cells", "differ"])


def edge_contrast(labels: np.ndarray, tiles: dict[str, Tile]) -> tuple[float, float]:
    """Share of neighbouring land cells of different class across the edges between regions, and across others.

    Edges of coarse cells are the ones to compare with: areas are given coarse cell by coarse cell, so maps, observed
    ones too, change more across them than inside, and every edge between regions is one of them.

    Parameters
    ----------
    labels : numpy.ndarray, shape (y, x), uint8
        Stitched map of the run's grid.
    tiles : dict of str to Tile

    Returns
    -------
    tuple of float
        Shares (1) across the edges between regions and across all other edges of coarse cells; a seam shows as a
        first number above the second. NaN where there is no such edge on land.
    """
    land = np.isin(np.arange(256), class_codes(read_legend("land_use"), land_only=True))
    unlike, pairs = np.zeros(2, int), np.zeros(2, int)
    for axis, turned in enumerate((labels, labels.T)):
        before, behind = turned[COARSE_CELLS - 1 : -1 : COARSE_CELLS], turned[COARSE_CELLS::COARSE_CELLS]
        both = land[before] & land[behind]
        seam = np.zeros(both.shape, bool)
        for _, at, along in (edge for edge in tile_edges(tiles) if edge[0] == axis):
            seam[at // COARSE_CELLS - 1, along] = True
        for place, where in enumerate((both & seam, both & ~seam)):
            unlike[place] += (where & (before != behind)).sum()
            pairs[place] += where.sum()
    across, elsewhere = (float(u / n) if n else np.nan for u, n in zip(unlike, pairs, strict=True))
    return across, elsewhere
