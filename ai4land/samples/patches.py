"""Random square patches that hide the prior map."""

import numpy as np

PATCH_CELLS = 32  # side of the patches that hide the prior, fine cells


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
