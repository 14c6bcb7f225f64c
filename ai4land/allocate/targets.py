"""Class areas that a map should have: those of the coarse input, or the base map's areas moved by LUH2's change.

LUH2's own areas are never the target: its forest is potential forest, and its pasture is not the reference's. Where
LUH2's area of a managed class falls below its base-year value, the reference area falls by the same factor; where it
rises, the reference area grows by LUH2's increase on the land that both masks share, as far as there is land. What
managed classes leave is natural. Always from the base year, never year to year.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ai4land.grid import block_index
from ai4land.legend import DATA, NO_DATA, class_codes, read_legend


@dataclass(frozen=True)
class Targets:
    """Wanted areas of pools of classes.

    Parameters
    ----------
    cells : numpy.ndarray, shape (pool, block), float64
        Cells of each pool, not rounded; they add up to the block's land cells.
    clipped : numpy.ndarray, shape (block,), float64
        Cells of managed growth for which there was no land.
    """

    cells: np.ndarray
    clipped: np.ndarray


def read_pools() -> pd.DataFrame:
    """Pools of land classes that LUH2 tells apart: columns code, name, pool, managed, reason; pools named by a code."""
    return pd.read_csv(DATA / "luh2_pools.csv", dtype={"managed": bool})


def luh2_pools() -> np.ndarray:
    """Row in `Targets` of the pool that each class belongs to, by class code, int64; -1 for none."""
    table, pools = read_pools(), np.full(class_codes(read_legend("land_use")).size, -1)
    pools[table["code"]] = np.unique(table["pool"], return_inverse=True)[1]
    return pools


def luh2_targets(base: np.ndarray, luh2_base: np.ndarray, luh2: np.ndarray, whole: np.ndarray) -> Targets:
    """Areas of the pools in one year.

    Parameters
    ----------
    base : numpy.ndarray, shape (class, block), float
        Land cells of each class in the base year's map; row ``c`` is that of code ``c``.
    luh2_base, luh2 : numpy.ndarray, shape (class, block), float
        LUH2's class fractions of the whole cell (1) in the base year and in the wanted year.
    whole : numpy.ndarray, shape (block,), int
        Cells of the block, land or not.

    Returns
    -------
    Targets
        Rows in the order of the codes that name the pools.
    """
    pools = read_pools()
    managed = np.sort(pools.loc[pools["managed"], "pool"].unique())
    codes = pools["code"].to_numpy()
    land = base[codes].sum(0)
    shared = np.minimum(land, luh2_base[codes].sum(0) * whole)
    per_land = shared / np.maximum(luh2_base[codes].sum(0), 1e-9)  # land cells to a fraction of LUH2's
    wanted, growth = [], []
    for pool in managed:
        members = pools.loc[pools["pool"] == pool, "code"].to_numpy()
        have, then, now = (part[members].sum(0) for part in (base, luh2_base, luh2))
        falls = now < then
        wanted.append(np.where(falls, have * now / np.maximum(then, 1e-9), have))
        growth.append(np.where(falls, 0, (now - then) * per_land))
    room = land - np.sum(wanted, axis=0)
    total = np.sum(growth, axis=0)
    fits = np.minimum(1, np.maximum(room, 0) / np.maximum(total, 1e-9))
    rows = dict(zip(managed, (w + g * fits for w, g in zip(wanted, growth, strict=True)), strict=True))
    (natural,) = np.setdiff1d(pools["pool"], managed)
    rows[natural] = land - np.sum(list(rows.values()), axis=0)
    cells = np.stack([np.maximum(rows[p], 0) for p in np.sort(pools["pool"].unique())])
    return Targets(cells, total * (1 - fits))


def fraction_numbers(fraction: np.ndarray, prior: np.ndarray, free: np.ndarray, cells: int) -> np.ndarray:
    """Cells of each class among the free ones that class fractions of whole blocks leave, whatever is fixed taken off.

    Parameters
    ----------
    fraction : numpy.ndarray, shape (class, Y, X), float
        Of the cells with data (1); NaN without.
    prior : numpy.ndarray, shape (y, x), uint8
        255 where hidden or without data.
    free : numpy.ndarray, shape (y, x), bool
    cells : int
        Side of a block, fine cells.

    Returns
    -------
    numpy.ndarray, shape (class, block), float64
        Add up to the free cells; in a block without fractions every class keeps its prior cells.
    """
    blocks = block_index((free.shape[0], free.shape[1]), cells)
    total = np.bincount(blocks[free], minlength=blocks.max() + 1)
    fixed = (prior != NO_DATA) & ~free
    whole = total + np.bincount(blocks[fixed], minlength=total.size)
    numbers = np.nan_to_num(fraction).reshape(len(fraction), -1) * whole
    numbers = np.maximum(numbers - count_classes(prior, fixed, cells), 0)
    numbers = np.where(numbers.sum(0) > 0, numbers, count_classes(prior, free, cells) + 1e-9)
    return numbers * (total / numbers.sum(0))


def count_classes(labels: np.ndarray, where: np.ndarray, cells: int) -> np.ndarray:
    """Cells of each class in each block, (class, block) float64, of those that are wanted and have data."""
    n, blocks = class_codes(read_legend("land_use")).size, block_index((labels.shape[0], labels.shape[1]), cells)
    size = int(blocks.max()) + 1
    known = where & (labels != NO_DATA)
    return np.bincount(blocks[known] * n + labels[known], minlength=size * n).reshape(size, n).T.astype(float)
