"""A map with as much change as probabilities expect."""

import numpy as np

from ai4land.grid import CHUNK_CELLS
from ai4land.targets import Target
from ai4land.windows import Window


def expected_change(probability: np.ndarray, prior: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Map that changes as many cells as the probabilities expect, those in which the change is most probable.

    For every pair of a prior class and another one, as many cells go over as the probabilities of the other
    add up to in all cells of the prior class. This is the hard prediction of land-change models.

    Parameters
    ----------
    probability : numpy.ndarray, shape (class, y, x), float32
        Row ``c`` is that of code ``c``.
    prior : numpy.ndarray, shape (y, x), uint8
    free : numpy.ndarray, shape (y, x), bool
        Cells that may change.

    Returns
    -------
    numpy.ndarray, shape (y, x), uint8
        ``prior`` where a cell is not free.

    References
    ----------
    Eastman et al. (2005), hard prediction of the Land Change Modeler
    """
    out, flat = prior.copy().ravel(), probability.reshape(len(probability), -1)
    pairs = []
    for origin in np.unique(prior[free]):
        cells = np.flatnonzero(free.ravel() & (prior.ravel() == origin))
        sums = flat[:, cells].sum(1)
        pairs += [(-round(float(s)), int(origin), to, cells) for to, s in enumerate(sums) if to != origin]
    for number, origin, to, cells in sorted(pairs, key=lambda pair: pair[:3]):
        left = cells[out[cells] == origin]
        out[left[np.argsort(-flat[to, left], kind="stable")[:-number]]] = to
    return out.reshape(prior.shape)


def blocks_of_change(shape: tuple[int, int], corner: tuple[int, int]) -> list[Window]:
    """Blocks in which change is counted: those of 500 x 500 cells of the run's grid, cut at the window's edges.

    Parameters
    ----------
    shape : tuple of int = (rows, cols)
        Of the window.
    corner : tuple of int = (row, col)
        Its first cell in the run's grid.

    Returns
    -------
    list of Window
        Counted from the window's first cell. Cells of one block are together in every window that holds it whole.
    """
    whole = Window.at(corner, shape)
    blocks = whole.coarse(CHUNK_CELLS).fine(CHUNK_CELLS).tiles((CHUNK_CELLS, CHUNK_CELLS))
    return [part.relative_to(whole) for block in blocks if (part := block.intersection(whole))]


def most_probable_class(target: Target, probability: np.ndarray) -> np.ndarray:
    """Most probable class in every cell, the lowest code on a tie.

    Parameters
    ----------
    target : Target
        Of classes.
    probability : numpy.ndarray, shape (class, y, x), float32
        In the order of ``target.codes``.

    Returns
    -------
    numpy.ndarray, shape (y, x), uint8
        The target's missing value where all probabilities are 0.
    """
    likely = target.codes[probability.argmax(0)]
    return np.where(probability.any(0), likely, target.packing.missing).astype(np.uint8)


def probability_of(target: Target, probability: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Probability of the classes of a map.

    Parameters
    ----------
    target : Target
        Of classes.
    probability : numpy.ndarray, shape (class, y, x), float32
        In the order of ``target.codes``.
    labels : numpy.ndarray, shape (y, x), uint8

    Returns
    -------
    numpy.ndarray, shape (y, x), float32
        0 where the map has no class.
    """
    known = np.isin(labels, target.codes)
    index = np.searchsorted(target.codes, np.where(known, labels, target.codes[0]))
    return np.where(known, np.take_along_axis(probability, index[None], 0)[0], np.float32(0))


def expected_map(
    target: Target, probability: np.ndarray, prior: np.ndarray, corner: tuple[int, int] = (0, 0)
) -> np.ndarray:
    """Map of a target with as much change from a prior map as the probabilities expect; see `expected_change`.

    Where change is rare, no cell's most probable class is another one, and the most probable map is the prior for
    ever. Changes are counted block by block (`blocks_of_change`), whatever the window.

    Parameters
    ----------
    target : Target
        Of classes.
    probability : numpy.ndarray, shape (class, y, x), float32
        In the order of ``target.codes``; 0 without data.
    prior : numpy.ndarray, shape (y, x), uint8
        Classes that are no land by the target's legend stay.
    corner : tuple of int = (row, col)
        First cell of the window in the run's grid.

    Returns
    -------
    numpy.ndarray, shape (y, x), uint8
        Most probable class where the prior has none; the target's missing value without data.
    """
    codes, out = target.codes, most_probable_class(target, probability)
    free = np.isin(prior, np.setdiff1d(codes, target.water)) & np.isin(out, codes)
    index = np.searchsorted(codes, np.where(free, prior, codes[0])).astype(np.uint8)
    for block in blocks_of_change((prior.shape[0], prior.shape[1]), corner):
        changed = expected_change(probability[:, *block], index[block], free[block])
        out[block] = np.where(free[block], codes[changed], out[block])
    return out
