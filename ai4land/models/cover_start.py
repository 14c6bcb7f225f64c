"""What a model of land cover is shown of a cell, and the shares of the classes that it starts from."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ai4land.legend import NO_DATA, class_codes, read_legend
from ai4land.models.transitions import all_cells, by_prior_class, drawn_towards
from ai4land.samples.predictors import Given
from ai4land.samples.region import Region
from ai4land.windows import Window

_CELLS_AT_ONCE = 250_000  # whose predictors are in memory at a time
CODES = class_codes(read_legend("land_cover"))
WATER = np.setdiff1d(CODES, class_codes(read_legend("land_cover"), land_only=True))
_USES = class_codes(read_legend("land_use"))
_WATER_USES = np.setdiff1d(_USES, class_codes(read_legend("land_use"), land_only=True))
_NONE = _USES.size  # column of cells without land use; behind it those of land uses that changed
_SHAPE = CODES.size + 1, 2 * (_NONE + 1), 256  # prior cover (first: none), land use, land cover


# What a model of land cover is given, by its name in column ``member``.
VARIANTS = {
    "hilda+prior": Given(prior_cover=True), "hilda": Given(), "prior": Given(land_use=False, prior_cover=True),
    "none": Given(land_use=False),
}  # fmt: skip


def variant(given: Given) -> str:
    """Entry in ``VARIANTS`` of what a model is given of land use and land cover."""
    told = given.land_use, given.prior_cover
    return next(name for name, one in VARIANTS.items() if (one.land_use, one.prior_cover) == told)


@dataclass(frozen=True)
class Shown:
    """Maps of a window that a model is given.

    Parameters
    ----------
    prior : numpy.ndarray, shape (y, x), uint8
        Land cover of the prior year; 0 where hidden, not given or without data.
    land_use : numpy.ndarray, shape (y, x), uint8
        Of the year; 255 where not given or without data.
    moved : numpy.ndarray, shape (y, x), bool
        Where land use is given, and another than in the prior year, and the prior is seen.
    valid : numpy.ndarray, shape (y, x), bool
        Cells with data in the prior map, hidden or not; in land use where no prior is given; all where neither is.
    """

    prior: np.ndarray
    land_use: np.ndarray
    moved: np.ndarray
    valid: np.ndarray

    def cut(self, rows: slice) -> "Shown":
        """Some rows of it."""
        return Shown(self.prior[rows], self.land_use[rows], self.moved[rows], self.valid[rows])

    @property
    def water(self) -> np.ndarray:
        """Cells that stay water: by the prior map, or, where it is not seen, by land use; (y, x) bool."""
        unseen = (self.prior == 0) & np.isin(self.land_use, _WATER_USES)
        return self.valid & (np.isin(self.prior, WATER) | unseen)

    @property
    def group(self) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of every cell in `start_shares`, each (y, x) int."""
        prior = np.where(self.prior == 0, 0, np.searchsorted(CODES, self.prior) + 1)
        return prior, np.searchsorted(_USES, self.land_use) + np.where(self.moved, _NONE + 1, 0)


def show(
    cube: Region, given: Given, prior_year: int, year: int, window: Window, hidden: np.ndarray | None = None
) -> Shown:
    """Maps of a window as a model is given them; see `Shown` and `annual_fields`."""
    shape = cube.grid.lat[window[0]].size, cube.grid.lon[window[1]].size
    use = cube.field("land_use", year, window) if given.land_use else np.full(shape, NO_DATA, np.uint8)
    if not given.prior_cover:
        valid = use != NO_DATA if given.land_use else np.ones(shape, bool)
        return Shown(np.zeros(shape, np.uint8), use, np.zeros(shape, bool), valid)
    known = cube.field("land_cover", prior_year, window)
    prior = known if hidden is None else np.where(hidden, np.uint8(0), known)
    before = cube.field("land_use", prior_year, window) if given.land_use else use
    moved = (prior != 0) & (use != before) & (use != NO_DATA) & (before != NO_DATA)
    return Shown(prior, use, moved, known != 0)


def count_groups(shown: Shown, cover: np.ndarray) -> np.ndarray:
    """Cells by prior cover, land use and land cover, (38, 18, 256) int64; no data counts nowhere."""
    where = shown.valid & (cover != 0)
    key = np.ravel_multi_index((*(g[where] for g in shown.group), cover[where].astype(int)), _SHAPE)
    return np.bincount(key, minlength=np.prod(_SHAPE)).reshape(_SHAPE)


def start_shares(count: np.ndarray, classes: list[int]) -> np.ndarray:
    """Shares of the classes that cells with a prior cover and a land use came to have.

    Where there is no prior, or no land use, those of all cells alike in the other. Those of both are drawn towards
    those of the prior cover alone, or, where land use changed, of the new land use alone; see
    `ai4land.models.transitions`.

    Parameters
    ----------
    count : numpy.ndarray, shape (38, 18, 256)
        Of `count_groups`.
    classes : list of int
        Codes that there may be.

    Returns
    -------
    numpy.ndarray, shape (38, 18, class), float32
        First row: no prior. Columns: eight land uses, none, eight that land use changed to, one unused.
    """
    some = count[..., classes].astype(float)
    some[0] = some.sum(0)
    some[:, _NONE] = some.sum(1)
    whole, stays = all_cells(some[0, _NONE]), np.append(0, CODES)[:, None] == np.array(classes)
    by_prior, by_use = by_prior_class(some[:, _NONE], stays.astype(float), whole), drawn_towards(some[0], whole)
    some[0, :_NONE] += some[0, _NONE + 1 : -1]  # without a prior, no change is seen
    parent = np.repeat(by_prior[:, None], some.shape[1], axis=1)
    parent[:, _NONE + 1 :] = by_use[_NONE + 1 :]
    return drawn_towards(some, parent).astype(np.float32)


def draw_cells(
    shown: Shown, cover: np.ndarray, classes: list[int], number: int, rng: np.random.Generator, halved: bool
) -> tuple[np.ndarray, float]:
    """Cells of one pair of years to learn from: drawn evenly, or half of them such as changed.

    Parameters
    ----------
    shown : Shown
    cover : numpy.ndarray, shape (y, x), uint8
        Land cover of the year.
    classes : list of int
        Cells of other classes are left out, and those that stay water.
    number : int
        Cells to draw at most.
    rng : numpy.random.Generator
    halved : bool
        Half of the cells, or all such cells where they are fewer, have a prior that is seen and another class since.

    Returns
    -------
    numpy.ndarray, shape (y, x), bool
    float
        Log of how much more rarely others were drawn than those that changed; 0 where all were drawn alike.
    """
    free = np.flatnonzero(shown.valid & ~shown.water & np.isin(cover, classes))
    prior, number = shown.prior.ravel()[free], min(number, free.size)
    moved = (prior > 0) & (prior != cover.ravel()[free])
    changed, other = free[moved], free[~moved]
    half = min(changed.size, number // 2)
    rest = min(number - half, other.size)
    where = np.zeros(cover.shape, bool)
    if not (halved and half and rest):
        where.ravel()[rng.choice(free, number, replace=False)] = True
        return where, 0.0
    where.ravel()[rng.choice(changed, half, replace=False)] = True
    where.ravel()[rng.choice(other, rest, replace=False)] = True
    return where, float(np.log(rest / other.size) - np.log(half / changed.size))


def strips(rows: int, cols: int) -> Iterator[slice]:
    """Rows whose predictors are in memory at a time."""
    step = max(_CELLS_AT_ONCE // cols, 1)
    yield from (slice(top, min(top + step, rows)) for top in range(0, rows, step))
