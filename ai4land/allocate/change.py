"""A map with as much change as probabilities expect."""

import numpy as np


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
