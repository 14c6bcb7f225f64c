"""Transition frequencies where few cells were counted: one rule for every model.

A row of few cells is drawn towards that of a wider group as if by one cell of the group: the cells of a prior class
after some years towards those after any number of years, these towards all cells alike, and these have half a cell of
every class, so that no transition is impossible. Of each prior class one more cell stays what it is.
"""

import numpy as np


def all_cells(counts: np.ndarray) -> np.ndarray:
    """Frequencies of the classes among all cells; half a cell of every class is added.

    Parameters
    ----------
    counts : numpy.ndarray, shape (class,)

    Returns
    -------
    numpy.ndarray, shape (class,), float64
        Sum 1.
    """
    return (counts + 0.5) / (counts + 0.5).sum()


def drawn_towards(counts: np.ndarray, wider: np.ndarray) -> np.ndarray:
    """Frequencies of a group's classes, as if one cell of a wider group had been counted too.

    Parameters
    ----------
    counts : numpy.ndarray, shape (..., class)
        Cells.
    wider : numpy.ndarray, shape (..., class)
        Frequencies of the wider group; sum 1.

    Returns
    -------
    numpy.ndarray, shape (..., class), float64
        Sum 1 over the classes.
    """
    return (counts + wider) / (counts.sum(-1, keepdims=True) + 1)


def by_prior_class(counts: np.ndarray, stays: np.ndarray, wider: np.ndarray) -> np.ndarray:
    """Frequencies of the classes that each prior class became.

    Parameters
    ----------
    counts : numpy.ndarray, shape (prior class, ..., class)
        Cells.
    stays : numpy.ndarray, shape (prior class, class)
        1 where a class is the prior one, else 0; a row of zeros for a prior that is hidden or of no class.
    wider : numpy.ndarray, shape (..., class)
        Frequencies of all prior classes together.

    Returns
    -------
    numpy.ndarray, shape (prior class, ..., class), float64
        Sum 1 over the classes.
    """
    kept = stays[:, *(None for _ in counts.shape[1:-1])]
    return drawn_towards(counts, drawn_towards(kept, wider))
