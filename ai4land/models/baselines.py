"""What a learned model must beat: doing nothing, the coarse majority, and the classical allocator."""

from pathlib import Path
from typing import Self

import numpy as np

from ai4land.allocate import best_per_block
from ai4land.grid import block_index
from ai4land.legend import NO_DATA, class_codes, read_legend
from ai4land.models.base import Whole, most_probable, one_hot
from ai4land.samples import Batch, Region, Split, kernel_density, refine_step


class _Untrained(Whole):
    """A baseline learns nothing: there is nothing to save but its name."""

    parameters = 0

    def fit(self, cube: Region, split: Split) -> Self:
        return self

    def save(self, folder: Path) -> None:
        """Nothing to save."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls()


def _finest(batch: Batch) -> tuple[int, np.ndarray]:
    """Side and class fractions (2, class, Y, X) of the finest coarse cells of a batch of one."""
    cells = min(batch.coarse)
    return cells, np.nan_to_num(batch.coarse[cells][0])


class CoarseMajority(_Untrained):
    """The class fractions of the target year's coarse cell, the same in each of its fine cells."""

    name = "coarse_majority"
    reach = 0

    def predict_proba(self, batch: Batch) -> np.ndarray:
        """See `Model`; the most probable class is the coarse cell's majority."""
        cells, fraction = _finest(batch)
        shape = (batch.prior.shape[1], batch.prior.shape[2])
        return refine_step(fraction[1], cells, shape)[None]


class Persistence(_Untrained):
    """The prior map again; hidden cells take the majority of their coarse cell."""

    name = "persistence"
    reach = 0

    def predict_proba(self, batch: Batch) -> np.ndarray:
        """See `Model`."""
        return one_hot(_filled(batch)[None])


def _filled(batch: Batch) -> np.ndarray:
    """Prior map (y, x) with the coarse majority in its hidden cells."""
    prior = batch.prior[0]
    filler = most_probable(CoarseMajority().predict_proba(batch)[0], batch.valid[0])
    return np.where(prior == NO_DATA, filler, prior).astype(np.uint8)


class KernelDensity(_Untrained):
    """Kernel-density allocation of the coarse change to the prior map, as LandScaleR documents it.

    In each coarse cell the classes that grow take cells from those that shrink. Growing classes come
    in turn, the rarest of the prior map first; each takes from the shrinking classes beside which it is
    most often found, and there the cells with its highest kernel density. Cells that changed once stay.

    Parameters
    ----------
    fuzzy : float
        0 takes the highest densities; otherwise normal noise of ``fuzzy`` times the standard deviation
        of the candidates' densities is added first.
    radius : int
        Half side of the neighbourhood, cells.
    seed : int

    References
    ----------
    Woodman et al., LandScaleR (R package), https://github.com/TamsinWoodman/LandScaleR
    """

    name = "kernel_density"

    def __init__(self, fuzzy: float = 0.0, radius: int = 1, seed: int = 0) -> None:
        self.fuzzy, self.radius, self.seed = fuzzy, radius, seed
        self.member = "fuzzy" if fuzzy else "deterministic"

    def predict_proba(self, batch: Batch) -> np.ndarray:
        """See `Model`."""
        return one_hot(self.allocate(batch)[None])

    def allocate(self, batch: Batch) -> np.ndarray:
        """Map of the target year, (y, x) uint8; 255 where there is no data."""
        land = class_codes(read_legend("land_use"), land_only=True)
        cells, fraction = _finest(batch)
        labels = _filled(batch)
        density = {int(c): kernel_density(labels, c, self.radius) for c in land}
        blocks = block_index(labels.shape, cells)
        size = np.bincount(blocks[labels != NO_DATA], minlength=blocks.max() + 1)
        change = (fraction[1] - fraction[0]).reshape(fraction.shape[1], -1) * size  # (class, block), cells
        wanted = {int(c): np.rint(change[c]).astype(int) for c in land}
        free = np.isin(labels, land)
        rng = np.random.default_rng([self.seed, abs(int(batch.years[0]))])
        out = labels.copy()
        for grow in sorted(density, key=lambda c: (int((labels == c).sum()), c)):
            for shrink in _neighbours(labels, density[grow], [c for c in density if c != grow]):
                quota = np.minimum(np.maximum(wanted[grow], 0), np.maximum(-wanted[shrink], 0))
                candidates = np.flatnonzero((free & (out == shrink)).ravel() & (quota[blocks.ravel()] > 0))
                rank = density[grow].ravel()[candidates]
                if self.fuzzy and candidates.size:
                    rank = rank + rng.normal(0, self.fuzzy * rank.std() + 1e-12, rank.size)
                taken = best_per_block(candidates, rank, blocks.ravel()[candidates], quota)
                out.ravel()[taken] = grow
                free.ravel()[taken] = False
                moved = np.bincount(blocks.ravel()[taken], minlength=quota.size)
                wanted[grow], wanted[shrink] = wanted[grow] - moved, wanted[shrink] + moved
        return out


def _neighbours(labels: np.ndarray, density: np.ndarray, classes: list[int]) -> list[int]:
    """Classes in the order of the mean kernel density that a growing class has in their cells."""
    mean = {c: float(density[labels == c].mean()) if (labels == c).any() else 0.0 for c in classes}
    return sorted(classes, key=lambda c: (-mean[c], c))
