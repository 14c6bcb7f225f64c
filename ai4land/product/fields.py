"""What a map does at 0.25 degree: class fractions, transitions, and how they differ from LUH2's."""

import numpy as np
import pandas as pd
import xarray as xr

from ai4land.allocate.wanted import Wanted
from ai4land.grid import COARSE_CELLS, Grid, block_index, grid_of
from ai4land.legend import NO_DATA, class_codes, read_legend
from ai4land.samples import Region

_STRIP = 500  # rows in work at a time


def coarse_shares(labels: np.ndarray, before: np.ndarray | None, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Area fractions of a map and of its transitions since the map before, on 25-cell blocks.

    Parameters
    ----------
    labels, before : numpy.ndarray, shape (y, x), uint8
        255 is no data. ``before`` is None where there is no earlier map.
    grid : Grid
        The cells, for their areas.

    Returns
    -------
    fraction : numpy.ndarray, shape (class, Y, X), float32
        Of the cells with data.
    transition : numpy.ndarray, shape (class, class, Y, X), float32
        From, to; of the cells with data in both maps; NaN without an earlier map. Both NaN in blocks without data.
    """
    n = class_codes(read_legend("land_use")).size
    blocks, shape = block_index(grid.shape, COARSE_CELLS), grid.blocks(COARSE_CELLS).shape
    area = np.broadcast_to(grid.cell_area()[:, None], grid.shape)

    def shares(kind: np.ndarray, kinds: int, known: np.ndarray) -> np.ndarray:
        key = blocks[known] * kinds + kind[known]
        table = np.bincount(key, weights=area[known], minlength=blocks.max() * kinds + kinds).reshape(-1, kinds)
        total = table.sum(1, keepdims=True)
        return (table / np.where(total > 0, total, np.nan)).T.reshape(kinds, *shape).astype(np.float32)

    known = labels != NO_DATA
    fraction = shares(labels, n, known)
    if before is None:
        return fraction, np.full((n, *fraction.shape), np.nan, np.float32)
    moved = shares(before.astype(int) * n + labels, n * n, known & (before != NO_DATA))
    return fraction, moved.reshape(n, *fraction.shape)


def member_spread(maps: list[np.ndarray], grid: Grid) -> np.ndarray:
    """Standard deviation (population) of class fractions over the maps of an ensemble.

    Parameters
    ----------
    maps : list of numpy.ndarray, shape (y, x), uint8
    grid : Grid

    Returns
    -------
    numpy.ndarray, shape (class, Y, X), float32
        0 with one map; NaN in blocks without data.
    """
    return np.std([coarse_shares(labels, None, grid)[0] for labels in maps], axis=0).astype(np.float32)


def area_residual(labels: np.ndarray, wanted: Wanted) -> np.ndarray:
    """Share of cells of a class minus the wanted one, among the cells that were allocated.

    Cells are counted, not their areas: a step allocates numbers of cells.

    Parameters
    ----------
    labels : numpy.ndarray, shape (y, x), uint8
    wanted : Wanted
        On 25-cell blocks, of all land cells of the map.

    Returns
    -------
    numpy.ndarray, shape (class, Y, X), float32
        A pool of classes stands under its first class; NaN for the others, and in blocks without land.
    """
    codes = class_codes(read_legend("land_use"))
    blocks = block_index((labels.shape[0], labels.shape[1]), COARSE_CELLS)
    shape = tuple(-(-n // COARSE_CELLS) for n in labels.shape)
    out = np.full((codes.size, shape[0] * shape[1]), np.nan, np.float32)
    total = wanted.numbers.sum(0)
    land = np.isin(codes, class_codes(read_legend("land_use"), land_only=True))
    for row in np.unique(wanted.pools[land & (wanted.pools >= 0)]):
        members = codes[wanted.pools == row]
        have = np.bincount(blocks[np.isin(labels, members)], minlength=total.size)
        out[members[0]] = np.where(total > 0, (have - wanted.numbers[row]) / np.maximum(total, 1), np.nan)
    return out.reshape(codes.size, *shape)


def luh2_difference(cube: Region, fraction: np.ndarray, year: int) -> np.ndarray:
    """Difference of class fractions from LUH2's own, (class, Y, X) float32; NaN where LUH2 has no such year."""
    if "luh2_state" not in cube or year not in cube.years("luh2_state"):
        return np.full_like(fraction, np.nan)
    return fraction - cube.field("luh2_fraction", year)


def product_areas(maps: xr.DataArray, model: str, member: str) -> pd.DataFrame:
    """Area of every land class by year.

    Parameters
    ----------
    maps : xarray.DataArray, shape (time, lat, lon), uint8
        ``time`` is the calendar year.
    model, member : str
        Who made them; 'observed' are the reference maps.

    Returns
    -------
    pandas.DataFrame
        Columns model, member, year, class, km2.
    """
    grid, legend = grid_of(maps), read_legend("land_use")
    land = legend[legend["land"]]
    area, codes = grid.cell_area() * 1e-6, land["code"].to_numpy()
    rows = []
    for one in maps:
        total = np.zeros(256)
        for start in range(0, grid.rows, _STRIP):
            strip = one[start : start + _STRIP].to_numpy()
            number = np.stack([(strip == code).sum(1) for code in codes])
            total[codes] += number @ area[start : start + _STRIP]
        rows += [
            (model, member, int(one["time"]), str(n), total[c]) for c, n in zip(land["code"], land["name"], strict=True)
        ]
    return pd.DataFrame(rows, columns=["model", "member", "year", "class", "km2"])
