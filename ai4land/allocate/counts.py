"""Whole numbers of cells a block: rounded, summed, and the best cells of each."""

import numpy as np

from ai4land.grid import COARSE_CELLS, block_index


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
