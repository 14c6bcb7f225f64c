"""Windows of a region: where they are, what is hidden in them, what they look like as a batch."""

from dataclasses import replace

import numpy as np

from ai4land.grid import COARSE_CELLS
from ai4land.legend import NO_DATA
from ai4land.regrid import coarsen_fractions
from ai4land.samples.arrays import Batch, RegionCube
from ai4land.samples.splits import Case, Split, learnable

PATCH_CELLS = 32  # side of the patches that hide the prior, fine cells
_TRIES = 20  # windows drawn before one without a label is accepted


def hide_patches(
    shape: tuple[int, int], ratio: float, rng: np.random.Generator, cells: int = PATCH_CELLS
) -> np.ndarray:
    """Random square patches that hide a share of a window.

    Parameters
    ----------
    shape : tuple of int = (rows, cols)
    ratio : float
        Share of the patches that are hidden, 0 to 1.
    rng : numpy.random.Generator
        Decides which, and where the lattice of patches starts.
    cells : int
        Side of a patch.

    Returns
    -------
    numpy.ndarray, shape (rows, cols), bool
    """
    top, left = rng.integers(0, cells, 2)
    rows, cols = -(-(shape[0] + top) // cells), -(-(shape[1] + left) // cells)
    hidden = np.zeros(rows * cols, bool)
    hidden[rng.permutation(rows * cols)[: round(ratio * rows * cols)]] = True
    fine = np.repeat(np.repeat(hidden.reshape(rows, cols), cells, 0), cells, 1)
    return fine[top : top + shape[0], left : left + shape[1]]


def cut_batch(batch: Batch, top: int, left: int, size: tuple[int, int]) -> Batch:
    """A window of a batch; coarse fields stay whole, ``start`` says where the window lies in them."""
    rows, cols = slice(top, top + size[0]), slice(left, left + size[1])
    start = batch.start + np.array([top, left])
    return replace(
        batch, prior=batch.prior[:, rows, cols], valid=batch.valid[:, rows, cols], start=start,
        static={n: v[..., rows, cols] for n, v in batch.static.items()},
    )  # fmt: skip


class WindowSampler:
    """Random windows of the cases of a split, the same for the same (seed, number).

    Parameters
    ----------
    cube : RegionCube
    split : Split
        Decides the inputs; no cell outside its cases is ever a label.
    cases : list of Case
        The split's training or validation cases.
    size : int
        Side of a window, fine cells; a region smaller than that is taken whole along that side.
    mask_ratio : tuple of float
        Lowest and highest share of the prior that is hidden, drawn for each window.
    seed : int
    """

    def __init__(
        self, cube: RegionCube, split: Split, cases: list[Case], size: int, mask_ratio: tuple[float, float], seed: int
    ) -> None:
        self.cube, self.split, self.cases, self.mask_ratio, self.seed = cube, split, cases, mask_ratio, seed
        self.size = min(size, cube.grid.rows), min(size, cube.grid.cols)
        self._coarse: dict[tuple[int, int], np.ndarray] = {}

    def _fractions(self, year: int, cells: int) -> np.ndarray:
        if (year, cells) not in self._coarse:
            i = self.cube.years.index(year)
            whole, _ = coarsen_fractions(self.cube.fraction[i], self.cube.area[i], cells // COARSE_CELLS)
            self._coarse[year, cells] = whole
        return self._coarse[year, cells]

    def _place(self, rng: np.random.Generator) -> tuple[Case, tuple[slice, slice], np.ndarray]:
        """A case, a window that holds something to learn, and which of its cells that is."""
        for _ in range(_TRIES):
            case = self.cases[rng.integers(len(self.cases))]
            top, left = (int(rng.integers(n - s + 1)) for n, s in zip(self.cube.grid.shape, self.size, strict=True))
            window = slice(top, top + self.size[0]), slice(left, left + self.size[1])
            wanted = learnable(self.cube, case, window)
            if wanted.any():
                break
        return case, window, wanted

    def draw(self, number: int, count: int) -> tuple[Batch, np.ndarray]:
        """The windows of one training step.

        Parameters
        ----------
        number : int
            Of the step; the same number gives the same windows.
        count : int
            Windows in the batch.

        Returns
        -------
        Batch
            With priors hidden in random patches.
        numpy.ndarray, shape (batch, y, x), uint8
            Labels; 255 where there is nothing to learn.
        """
        rng = np.random.default_rng([self.seed, number])
        parts, labels = [], []
        for _ in range(count):
            case, window, wanted = self._place(rng)
            prior = self.cube.map(case.prior_year)[window]
            hidden = hide_patches(self.size, float(rng.uniform(*self.mask_ratio)), rng)
            if case.hidden is not None:
                hidden = hidden | case.hidden[window]
            observed = self.cube.map(case.year)[window]
            # A hidden cell must be told from its surroundings, ocean and water too.
            wanted = wanted | (hidden & self._known(case, window))
            labels.append(np.where(wanted, observed, NO_DATA).astype(np.uint8))
            parts.append((case, window, np.where(hidden, NO_DATA, prior), prior != NO_DATA))
        return self._stack(parts), np.stack(labels)

    def _known(self, case: Case, window: tuple[slice, slice]) -> np.ndarray:
        have = (self.cube.map(case.prior_year)[window] != NO_DATA) & (self.cube.map(case.year)[window] != NO_DATA)
        return have if case.where is None else have & case.where[window]

    def _stack(self, parts: list) -> Batch:
        coarse = {
            cells: np.stack([
                np.stack([self._fractions(c.prior_year, cells), self._fractions(c.year, cells)]) for c, *_ in parts
            ])
            for cells in self.split.coarse_cells
        }  # fmt: skip
        names = self.cube.static if self.split.statics else {}
        return Batch(
            np.stack([p for *_, p, _ in parts]).astype(np.uint8),
            np.array([c.year - c.prior_year for c, *_ in parts], np.float32), coarse,
            np.stack([v for *_, v in parts]),
            {n: np.stack([self.cube.static[n][w] for _, w, *_ in parts]) for n in names},
            np.array([(w[0].start, w[1].start) for _, w, *_ in parts]),
        )  # fmt: skip
