"""What the maps of training pairs say before a network has learned: shares of the classes, and mean seasons."""

import math
from collections.abc import Iterator

import numpy as np

from ai4land.models.green import Pair
from ai4land.models.green_inputs import COVERS, GROUPS, USE, USES, GreenInputs, places
from ai4land.samples.predictors import level_1
from ai4land.samples.region import Region, Window
from ai4land.vegetation import MONTHS

_LIKE = 2.0  # cells that count as if they had stayed, and as many as if their prior were hidden
_ROWS = 512  # rows of a region that are looked at together


def blocks(cube: Region) -> Iterator[Window]:
    """A region in blocks of rows."""
    for top in range(0, cube.grid.rows, _ROWS):
        yield slice(top, min(top + _ROWS, cube.grid.rows)), slice(0, cube.grid.cols)


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


def log_shares(counts: np.ndarray) -> np.ndarray:
    """Log shares of the classes by years between, prior class and land use now.

    Parameters
    ----------
    counts : numpy.ndarray, shape (gap, prior class + 1, land use + 1, class)
        Of `count_changes`.

    Returns
    -------
    numpy.ndarray, same shape, float32
        The last row of prior classes is that of a hidden prior: the shares among all cells of that land use. Rows with
        few cells are filled up with those of all gaps, which are filled up with what stays and with a hidden prior's.
    """
    counts = counts.copy()
    counts[:, -1] = counts.sum(1)
    counts[:, :-1, -1], counts[:, -1, -1] = counts[:, :-1].sum(2), counts[:, -1].sum(1)

    def filled(table: np.ndarray, like: np.ndarray, weight: float = _LIKE) -> np.ndarray:
        return (table + weight * like) / (table.sum(-1, keepdims=True) + weight)

    size = counts.shape[-1]
    overall = filled(counts[:, -1, -1].sum(0), np.full(size, 1 / size))
    hidden = filled(counts[:, -1].sum(0), overall)  # (land use now, class)
    stays = np.concatenate([np.eye(size), np.zeros((1, size))])[:, None]  # (prior class, 1, class)
    like = (stays + hidden) / (stays.sum(-1, keepdims=True) + 1)
    every = filled(counts.sum(0), like, 2 * _LIKE)
    return np.log(filled(counts, every)).astype(np.float32)


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
