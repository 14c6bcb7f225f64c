"""A map from class probabilities whose class areas are wanted ones, coarse cell by coarse cell."""

import numpy as np

from ai4land.grid import COARSE_CELLS, block_index

_LEAST = 1e-6  # probability below which classes are not told apart


def round_counts(shares: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Whole numbers nearest to shares that add up to the totals, by largest remainder.

    Parameters
    ----------
    shares : numpy.ndarray, shape (class, block), float
        Numbers of cells, about ``total`` in sum; negative ones count as 0.
    total : numpy.ndarray, shape (block,), int

    Returns
    -------
    numpy.ndarray, shape (class, block), int64
        The lowest code wins a tie.
    """
    shares = np.clip(shares, 0, None).astype(float)
    shares *= total / np.maximum(shares.sum(0), 1e-12)
    counts = np.floor(shares + 1e-9).astype(np.int64)
    order = np.argsort(-(shares - counts), axis=0, kind="stable")
    place = np.empty_like(order)
    np.put_along_axis(place, order, np.broadcast_to(np.arange(len(shares))[:, None], order.shape), axis=0)
    return counts + (place < total - counts.sum(0))


def best_per_block(cells: np.ndarray, rank: np.ndarray, blocks: np.ndarray, quota: np.ndarray) -> np.ndarray:
    """The ``quota[block]`` cells of highest rank of every block; the first cell wins a tie.

    Parameters
    ----------
    cells : numpy.ndarray, shape (candidate,), int
        Flat positions.
    rank : numpy.ndarray, shape (candidate,), float
    blocks : numpy.ndarray, shape (candidate,), int
        Block of each candidate.
    quota : numpy.ndarray, shape (block,), int
    """
    order = np.lexsort((cells, -rank, blocks))
    cells, blocks = cells[order], blocks[order]
    _, first, count = np.unique(blocks, return_index=True, return_counts=True)
    place = np.arange(cells.size) - np.repeat(first, count)
    return cells[place < quota[blocks]]


def expected_counts(probability: np.ndarray, free: np.ndarray, cells: int = COARSE_CELLS) -> np.ndarray:
    """Sum of the probabilities of every class over the free cells of each block, (class, block) float64."""
    blocks = block_index((free.shape[0], free.shape[1]), cells)
    number = blocks.max() + 1
    return np.stack([np.bincount(blocks[free], weights=p[free], minlength=number) for p in probability])


def allocate(probability: np.ndarray, free: np.ndarray, wanted: np.ndarray, cells: int = COARSE_CELLS) -> np.ndarray:
    """Classes of the free cells such that every block holds the wanted number of each.

    Starts from the most probable class; then each class that is short, the rarest first, takes from the
    classes that are over those cells where this costs the least probability.

    Parameters
    ----------
    probability : numpy.ndarray, shape (class, y, x), float32
        Row ``c`` is that of code ``c``.
    free : numpy.ndarray, shape (y, x), bool
        Cells to be given a class.
    wanted : numpy.ndarray, shape (class, block), int
        Cells of each class; sums to the free cells of the block.
    cells : int
        Side of a block, fine cells, counted from the north-west corner.

    Returns
    -------
    numpy.ndarray, shape (y, x), uint8
        255 where not free.

    Raises
    ------
    ValueError
        If the wanted numbers do not add up to the free cells.
    """
    blocks = block_index((free.shape[0], free.shape[1]), cells)
    number = np.bincount(blocks[free], minlength=wanted.shape[1])
    if not np.array_equal(number, wanted.sum(0)):
        bad = int(np.flatnonzero(number != wanted.sum(0))[0])
        raise ValueError(f"allocate: block {bad} has {number[bad]} free cells, {wanted[:, bad].sum()} are wanted.")
    at = np.flatnonzero(free)
    p = np.log(np.maximum(probability.reshape(len(probability), -1)[:, at], _LEAST))
    where, label = blocks.ravel()[at], p.argmax(0)
    short = wanted - np.stack([np.bincount(where[label == c], minlength=number.size) for c in range(len(p))])
    for grow in np.argsort(wanted.sum(1), kind="stable"):
        for shrink in np.flatnonzero((short < 0).any(1)):
            quota = np.minimum(np.maximum(short[grow], 0), np.maximum(-short[shrink], 0))
            candidates = np.flatnonzero((label == shrink) & (quota[where] > 0))
            gain = p[grow, candidates] - p[shrink, candidates]
            taken = best_per_block(candidates, gain, where[candidates], quota)
            label[taken] = grow
            moved = np.bincount(where[taken], minlength=number.size)
            short[grow] -= moved
            short[shrink] += moved
    out = np.full(free.shape, 255, np.uint8)
    out.ravel()[at] = label
    return out


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
