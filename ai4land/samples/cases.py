"""One question that a model learns from or is judged on, and the sets of them."""

from collections.abc import Collection
from dataclasses import dataclass
from math import ceil

import numpy as np

from ai4land.legend import NO_DATA, class_codes, read_legend
from ai4land.samples.region import Region
from ai4land.windows import WHOLE, Window

MOST_CELLS = 2**24  # a region of 20 x 60 degrees has fewer


@dataclass(frozen=True)
class Case:
    """Predict the map of ``year`` from the map of ``prior_year``.

    Parameters
    ----------
    prior_year, year : int
    where : numpy.ndarray, shape (y, x), bool, optional
        Learn or judge in these cells only; everywhere where absent.
    hidden : numpy.ndarray, shape (y, x), bool, optional
        Cells whose prior class is hidden.
    earlier : tuple of int
        Years of the maps known beside the prior one, each a year further from ``year``.
    """

    prior_year: int
    year: int
    where: np.ndarray | None = None
    hidden: np.ndarray | None = None
    earlier: tuple[int, ...] = ()


@dataclass(frozen=True)
class Split:
    """Training, validation and test cases of one experiment (and one of its folds).

    ``refit`` says that a model may learn from the validation cases too once they have stopped it: in a
    spatial split, where they are one more fold; never in a split by years, where they are held out.
    ``statics`` says whether static layers are an input, ``coarse`` where the coarse fields come from.
    """

    experiment: str
    coarse_cells: tuple[int, ...]
    fold: int | None
    train: list[Case]
    validation: list[Case]
    test: list[Case]
    refit: bool = False
    statics: bool = True
    coarse: str = "perfect"

    @property
    def title(self) -> str:
        """Name of the experiment, and of the fold where there is one: that of its models' folder."""
        return self.experiment if self.fold is None else f"{self.experiment}-fold{self.fold}"


def earlier_years(prior_year: int, year: int, priors: int, known: Collection[int]) -> tuple[int, ...]:
    """Years of the maps before the prior one; where one is not known, the last that is stands for it."""
    step, found = 1 if year > prior_year else -1, [prior_year]
    for _ in range(priors - 1):
        found.append(found[-1] - step if found[-1] - step in known else found[-1])
    return tuple(found[1:])


def thinned(cube: Region) -> Window:
    """Rows and columns that statistics are taken from: all, or every second, third.. where there are too many cells."""
    step = ceil((cube.grid.rows * cube.grid.cols / MOST_CELLS) ** 0.5)
    return Window(slice(None, None, step), slice(None, None, step))


def learnable(cube: Region, case: Case, window: Window = WHOLE) -> np.ndarray:
    """Cells of a case (in a window of it) with a label worth learning: data in both maps, land unless hidden.

    Ocean and water are taken over from the prior map, so a visible one teaches nothing.

    Returns
    -------
    numpy.ndarray, shape (y, x), bool
    """
    land = class_codes(read_legend("land_use"), land_only=True)
    prior, observed = cube.field("land_use", case.prior_year, window), cube.field("land_use", case.year, window)
    cells = np.isin(prior, land) & np.isin(observed, land)
    if case.hidden is not None:
        cells |= case.hidden[window] & (prior != NO_DATA) & (observed != NO_DATA)
    return cells if case.where is None else cells & case.where[window]
