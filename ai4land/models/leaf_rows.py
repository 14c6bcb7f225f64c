"""Rows of monthly leaf area for trees: where there is land, which rows are drawn, what they hold."""

from functools import cache

import numpy as np

from ai4land.grid import Grid
from ai4land.legend import class_codes, read_legend
from ai4land.models.green import Pair
from ai4land.samples.predictors import Given, annual_fields, level_1, monthly_fields
from ai4land.samples.region import Region
from ai4land.vegetation import MONTHS
from ai4land.windows import WHOLE, Window

BLOCK = 125  # fine cells: side of the blocks that are predicted one after the other; they bound the memory
DRAWN = 50  # fine cells: side of the blocks that rows are drawn from
PER_BLOCK = 600  # rows that are drawn from one
Draw = tuple[Pair, Window]


@cache
def _land_codes(legend: str) -> tuple[np.ndarray, np.ndarray]:
    """Whether each code is a class, and whether it is water, shape (256,) bool."""
    table, known, land = read_legend(legend), np.zeros(256, bool), np.zeros(256, bool)
    known[class_codes(table)], land[class_codes(table, land_only=True)] = True, True
    return known, known & ~land


def land_and_water(cube: Region, given: Given, year: int, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """Where leaf area is predicted, and where it is zero, by the maps of a year that a model is given.

    Returns
    -------
    tuple of numpy.ndarray, shape (y, x), bool
        Land with data in all the maps; water (land cover 210, land use 0 or 7) in any of them.
    """
    maps = ["land_use"] * given.land_use + ["land_cover"] * given.land_cover
    shape = np.broadcast_to(True, cube.grid.shape)[window].shape
    known, water = np.ones(shape, bool), np.zeros(shape, bool)
    for name in maps:
        codes, (classes, waters) = cube.field(name, year, window), _land_codes(name)
        known, water = known & classes[codes], water | waters[codes]
    return known & ~water, water


def changed_cells(cube: Region, given: Given, pair: Pair, window: Window) -> np.ndarray:
    """Cells (y, x) whose land use or land cover differs between two years, as far as a model is given both years."""
    maps = ["land_use"] * given.land_use + ["land_cover"] * given.land_cover
    changed = np.zeros(np.broadcast_to(True, cube.grid.shape)[window].shape, bool)
    for name in maps if given.prior_leaves or given.prior_cover else ():
        changed |= cube.field(name, pair[0], window) != cube.field(name, pair[1], window)
    return changed


def blocks_of(grid: Grid, window: Window = WHOLE, side: int = BLOCK) -> list[Window]:
    """Windows of at most ``side`` x ``side`` cells that tile a window, row by row from its north-west corner."""
    return Window(*window).resolved(grid.shape).tiles((side, side))


def draw_blocks(cube: Region, given: Given, chosen: list[Pair], rows: int, seed: list[int]) -> list[Draw]:
    """Pairs of years and blocks to draw rows from, by pair: the pairs and the blocks with land come in turn.

    Raises
    ------
    ValueError
        If no block has land.
    """
    land = [b for b in blocks_of(cube.grid, side=DRAWN) if land_and_water(cube, given, chosen[0][1], b)[0].any()]
    if not land:
        raise ValueError(
            f"region {cube.name}: no land in {chosen[0][1]} by its land use and land cover; is it all sea? Take "
            "another region."
        )
    rng, number = np.random.default_rng(seed), max(rows // PER_BLOCK, 1)
    turns = [
        np.concatenate([rng.permutation(n) for _ in range(-(-number // n))])[:number] for n in (len(chosen), len(land))
    ]
    return [(chosen[p], land[b]) for p, b in sorted(zip(*turns, strict=True))]


def draw_rows(
    known: np.ndarray, changed: np.ndarray, rng: np.random.Generator, number: int = PER_BLOCK
) -> tuple[np.ndarray, np.ndarray]:
    """Months and flat cells of a block's rows: as many of every month, half of them from changed cells.

    Parameters
    ----------
    known : numpy.ndarray, shape (12, y, x), bool
        Where leaf area is known on land.
    changed : numpy.ndarray, shape (y, x), bool
        All of them are taken where they are fewer than half.
    rng : numpy.random.Generator
    number : int
        Rows.

    Returns
    -------
    tuple of numpy.ndarray, shape (rows,), int64
        Months from 0.
    """
    months, cells, each = [], [], number // MONTHS
    for month, where in enumerate(known):
        moved = rng.permutation(np.flatnonzero(where & changed))[: each // 2]
        still = rng.permutation(np.flatnonzero(where & ~changed))[: each - moved.size]
        cells += [moved, still]
        months.append(np.full(moved.size + still.size, month))
    return np.concatenate(months), np.concatenate(cells)


def cover_kind(cube: Region, given: Given, year: int, window: Window) -> np.ndarray:
    """Class (y, x) that mean seasons are of: level 1 of land cover; land use where land cover is not given."""
    return level_1(cube.field("land_cover", year, window)) if given.land_cover else cube.field("land_use", year, window)


def leaf_rows(
    cube: Region, given: Given, seasons: np.ndarray, pair: Pair, window: Window, hidden: np.ndarray | None,
    month: np.ndarray, cell: np.ndarray,
) -> tuple[list[str], np.ndarray]:  # fmt: skip
    """Predictors of months of cells.

    Parameters
    ----------
    cube, given, pair, window, hidden
        As `annual_fields`.
    seasons : numpy.ndarray, shape (12, class), float32
        Mean leaf area of every class of `cover_kind`, m2 m-2.
    month, cell : numpy.ndarray, shape (rows,), int64
        Months from 0, flat cells of the window.

    Returns
    -------
    list of str
        Names: those of `annual_fields` and `monthly_fields`, but instead of the prior season what it has more than the
        mean season of its class, in the month (``prior_anomaly``) and in the mean of the year
        (``prior_anomaly_year``); ``month_sine`` and ``month_cosine``.
    numpy.ndarray, shape (rows, predictor), float32
        NaN where missing.
    """
    annual = annual_fields(cube, given, *pair, window, hidden)
    monthly = monthly_fields(cube, given, *pair, window, hidden)
    if given.prior_leaves:
        off = monthly.pop("prior_leaf_area") - seasons[:, cover_kind(cube, given, pair[0], window)]
        number = np.isfinite(off).sum(0)
        year = np.where(number > 0, np.nansum(off, 0) / np.maximum(number, 1), np.float32(np.nan))
        monthly["prior_anomaly"], annual["prior_anomaly_year"] = off, year.astype(np.float32)
    angle = 2 * np.pi * (np.arange(MONTHS) + 0.5) / MONTHS
    parts = [np.stack([field.ravel() for field in annual.values()], -1)[cell]]
    if monthly:
        parts.append(np.stack([field.reshape(MONTHS, -1) for field in monthly.values()], -1)[month, cell])
    parts.append(np.stack([np.sin(angle), np.cos(angle)], -1).astype(np.float32)[month])
    return [*annual, *monthly, "month_sine", "month_cosine"], np.concatenate(parts, 1)
