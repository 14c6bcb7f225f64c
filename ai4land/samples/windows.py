"""Windows of a region: where they are, what is hidden in them, what they look like as a batch."""

from dataclasses import replace

import numpy as np

from ai4land.legend import NO_DATA
from ai4land.samples.arrays import Batch, RegionCube, coarse_pair, luh2_states
from ai4land.samples.patches import hide_patches
from ai4land.samples.splits import Case, Split, learnable

_TRIES = 20  # windows drawn before one without a label is accepted


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
        Lowest and highest share of the prior that is hidden, drawn for each window: half have the lowest.
    seed : int
    """

    def __init__(
        self, cube: RegionCube, split: Split, cases: list[Case], size: int, mask_ratio: tuple[float, float], seed: int
    ) -> None:
        self.cube, self.split, self.cases, self.mask_ratio, self.seed = cube, split, cases, mask_ratio, seed
        self.size = min(size, cube.grid.rows), min(size, cube.grid.cols)
        self._coarse: dict[tuple[int, int, int], np.ndarray] = {}

    def _fractions(self, case: Case, cells: int) -> np.ndarray:
        key = case.prior_year, case.year, cells
        if key not in self._coarse:
            self._coarse[key] = coarse_pair(self.cube, *key, self.split.coarse)
        return self._coarse[key]

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
            low, high = self.mask_ratio
            # Half of the windows keep the lowest ratio: change is learned where the prior is visible.
            hidden = hide_patches(self.size, low + (high - low) * max(0.0, 2 * rng.random() - 1), rng)
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
        coarse = {n: np.stack([self._fractions(c, n) for c, *_ in parts]) for n in self.split.coarse_cells}
        each = [luh2_states(self.cube, c.year, self.split.coarse) for c, *_ in parts]
        states = {n: np.stack([one[n] for one in each]) for n in each[0]}
        names = self.cube.static if self.split.statics else {}
        return Batch(
            np.stack([p for *_, p, _ in parts]).astype(np.uint8),
            np.array([c.year - c.prior_year for c, *_ in parts], np.float32), coarse,
            np.stack([v for *_, v in parts]),
            {n: np.stack([self.cube.static[n][w] for _, w, *_ in parts]) for n in names},
            np.array([(w[0].start, w[1].start) for _, w, *_ in parts]), states,
        )  # fmt: skip
