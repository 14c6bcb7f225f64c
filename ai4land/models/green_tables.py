"""What the maps of training pairs say before a network has learned: frequencies of the classes, and mean seasons."""

import math

import numpy as np

from ai4land.models.green import Pair
from ai4land.models.green_inputs import COVERS, GROUPS, USE, USES, GreenInputs, places
from ai4land.models.transitions import all_cells, by_prior_class, drawn_towards
from ai4land.samples.predictors import level_1
from ai4land.samples.region import Region
from ai4land.vegetation import MONTHS
from ai4land.windows import Window

_ROWS = 512  # rows of a region that are looked at together


def blocks(cube: Region) -> list[Window]:
    """A region in blocks of rows."""
    return Window.whole(cube.grid.shape).tiles((_ROWS, cube.grid.cols))


def count_changes(cube: Region, inputs: GreenInputs, head: str, pairs: list[Pair]) -> dict[int, np.ndarray]:
    """How often each class followed, by years between the maps: arrays (prior class + 1, land use now + 1, class).

    Land use of the target year is told apart where it is given. The last rows are those of none.
    """
    target, known = ("land_use", USES) if head == USE else ("land_cover", COVERS)
    told, size = inputs.given.land_use, known.size
    shape = size + 1, USES.size + 1, size + 1
    out = {gap: np.zeros(math.prod(shape)) for gap in sorted({year - prior for prior, year in pairs})}
    for window in blocks(cube):
        place = {y: places(cube.field(target, y, window), known) for y in {y for pair in pairs for y in pair}}
        for prior, year in pairs:
            use = places(cube.field("land_use", year, window), USES) if told else np.full_like(place[year], USES.size)
            key = (place[prior] * shape[1] + use) * shape[2] + place[year]
            out[year - prior] += np.bincount(key.ravel(), minlength=math.prod(shape))
    return {gap: table.reshape(shape)[..., :size] for gap, table in out.items()}


def log_frequencies(counts: np.ndarray) -> np.ndarray:
    """Log frequencies of the classes by years between, prior class and land use now.

    Parameters
    ----------
    counts : numpy.ndarray, shape (gap, prior class + 1, land use + 1, class)
        Of `count_changes`.

    Returns
    -------
    numpy.ndarray, same shape, float32
        The last prior class is a hidden one: frequencies among all cells of that land use. The last land use is that of
        cells without. See `ai4land.models.transitions`: years towards all years, prior classes towards a hidden one,
        land uses with a hidden prior towards all cells.
    """
    counts = counts.copy()
    counts[:, -1] = counts.sum(1)
    counts[:, :-1, -1], counts[:, -1, -1] = counts[:, :-1].sum(2), counts[:, -1].sum(1)
    size, every = counts.shape[-1], counts.sum(0)  # (prior class, land use, class)
    hidden = drawn_towards(every[-1], all_cells(every[-1, -1]))
    stays = np.concatenate([np.eye(size), np.zeros((1, size))])
    return np.log(drawn_towards(counts, by_prior_class(every, stays, hidden))).astype(np.float32)


def mean_seasons(cube: Region, years: list[int]) -> np.ndarray:
    """Mean leaf area index by level-1 class of land cover and month, (class + 1, 12) float32, m2 m-2.

    The last row, and every class without cells, is the mean of all cells.
    """
    total, number = np.zeros((2, MONTHS, GROUPS.size + 1))
    for window in blocks(cube):
        for year in years:
            group = places(level_1(cube.field("land_cover", year, window)), GROUPS)
            for month, values in enumerate(cube.field("leaf_area_index", year, window)):
                have = np.isfinite(values)
                total[month] += np.bincount(group[have], values[have], GROUPS.size + 1)
                number[month] += np.bincount(group[have], minlength=GROUPS.size + 1)
    every = total.sum(1, keepdims=True) / np.maximum(number.sum(1, keepdims=True), 1)
    means = np.where(number > 0, total / np.maximum(number, 1), every)
    means[:, -1:] = every
    return means.T.astype(np.float32)
