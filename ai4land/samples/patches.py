"""Random square patches that hide the prior map."""

from dataclasses import dataclass

import numpy as np

PATCH_CELLS = 32  # side of the patches that hide the prior, fine cells


@dataclass(frozen=True)
class Patches:
    """Patches of one window: which are hidden, and where their lattice starts before the window.

    Parameters
    ----------
    hidden : numpy.ndarray, shape (Y, X), bool
    top, left : int
        Fine cells of the first patch that lie outside the window.
    cells : int
        Side of a patch.
    """

    hidden: np.ndarray
    top: int
    left: int
    cells: int

    def fine(self, shape: tuple[int, int]) -> np.ndarray:
        """Hidden cells of the window, (rows, cols) bool."""
        rows = (np.arange(shape[0]) + self.top) // self.cells
        cols = (np.arange(shape[1]) + self.left) // self.cells
        return self.hidden[rows[:, None], cols]


def draw_patches(
    shape: tuple[int, int], ratio: float, rng: np.random.Generator, cells: int = PATCH_CELLS
) -> Patches:  # fmt: skip
    """Patches that hide a share of a window of (rows, cols) cells; see `hide_patches`."""
    top, left = (int(n) for n in rng.integers(0, cells, 2))
    rows, cols = -(-(shape[0] + top) // cells), -(-(shape[1] + left) // cells)
    hidden = np.zeros(rows * cols, bool)
    hidden[rng.permutation(rows * cols)[: round(ratio * rows * cols)]] = True
    return Patches(hidden.reshape(rows, cols), top, left, cells)


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
    return draw_patches(shape, ratio, rng, cells).fine(shape)
