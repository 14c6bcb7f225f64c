"""The most probable map whose class areas are wanted ones, and probabilities that add up to them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ai4land.allocate.transport import assign, scale
from ai4land.grid import COARSE_CELLS, hash_unit

_BLOCKS_AT_ONCE = 128


@dataclass(frozen=True)
class Matched:
    """A map with wanted areas.

    Parameters
    ----------
    labels : numpy.ndarray, shape (y, x), uint8
        255 where not free.
    residual : numpy.ndarray, shape (pool, block), int64
        Wanted minus given cells: 0 unless no map of positive probability has the wanted areas.
    """

    labels: np.ndarray
    residual: np.ndarray


def _to_blocks(field: np.ndarray, cells: int) -> np.ndarray:
    """(y, x, ...) to (block, cell, ...), partial blocks filled up with zeros."""
    rows, cols = (-(-n // cells) for n in field.shape[:2])
    padded = np.zeros((rows * cells, cols * cells, *field.shape[2:]), field.dtype)
    padded[: field.shape[0], : field.shape[1]] = field
    split = padded.reshape(rows, cells, cols, cells, *field.shape[2:]).swapaxes(1, 2)
    return split.reshape(rows * cols, cells * cells, *field.shape[2:])


def _from_blocks(blocks: np.ndarray, cells: int, shape: tuple[int, int]) -> np.ndarray:
    rows, cols = (-(-n // cells) for n in shape)
    split = blocks.reshape(rows, cols, cells, cells, *blocks.shape[2:]).swapaxes(1, 2)
    return split.reshape(rows * cells, cols * cells, *blocks.shape[2:])[: shape[0], : shape[1]]


def _pooled(probability: np.ndarray, free: np.ndarray, pools: np.ndarray) -> np.ndarray:
    """Probability of each pool, (y, x, pool) float32, 0 where not free."""
    out = np.zeros((*free.shape, int(pools.max()) + 1), np.float32)
    for code, pool in enumerate(pools):
        if pool >= 0:
            out[..., pool] += np.where(free, probability[code], 0)
    return out


def _check(probability: np.ndarray, free: np.ndarray, wanted: np.ndarray, cells: int) -> None:
    if not np.isfinite(probability[:, free]).all():
        raise ValueError("match_areas: a probability of a free cell is not finite; leave the cell out or fill it.")
    number = _to_blocks(free, cells).sum(1)
    off = np.abs(number - wanted.sum(0)) > 1e-6 * np.maximum(number, 1)
    if off.any():
        bad = int(np.flatnonzero(off)[0])
        raise ValueError(
            f"match_areas: block {bad} has {number[bad]} free cells, {wanted[:, bad].sum():g} are wanted; "
            "round_counts makes them agree."
        )


def _parts(
    pooled: np.ndarray, free: np.ndarray, wanted: np.ndarray, cells: int, seed: int, device: str
) -> Iterator[tuple[np.ndarray, np.ndarray, Any, Any]]:
    """Some blocks at a time: which, the order of their cells by hash, probabilities in that order, wanted numbers."""
    p, used = _to_blocks(pooled, cells), np.flatnonzero(_to_blocks(free, cells).any(1))
    rows, cols = np.arange(free.shape[0])[:, None], np.arange(free.shape[1])[None, :]
    order = np.argsort(_to_blocks(hash_unit(seed, rows, cols), cells), axis=1, kind="stable")
    for start in range(0, used.size, _BLOCKS_AT_ONCE):
        some = used[start : start + _BLOCKS_AT_ONCE]
        values = np.take_along_axis(p[some], order[some, :, None], axis=1).astype(float)
        yield some, order[some], _on(values, device), _on(wanted[:, some].T.astype(float), device)


def _on(values: np.ndarray, device: str) -> Any:
    if not device:
        return values
    import torch

    return torch.as_tensor(values, device=device)


def match_areas(
    probability: np.ndarray, free: np.ndarray, wanted: np.ndarray, pools: np.ndarray | None = None,
    cells: int = COARSE_CELLS, seed: int = 0, device: str = "",
) -> Matched:  # fmt: skip
    """The most probable of all maps in which every block holds the wanted numbers of cells.

    The product of the cells' probabilities is the largest that any such map has. Where classes are pooled, the pool's
    probability decides who belongs to it, and its most probable class is given.

    Parameters
    ----------
    probability : numpy.ndarray, shape (class, y, x), float32
        Row ``c`` is that of code ``c``; a class whose probability is zero is not given.
    free : numpy.ndarray, shape (y, x), bool
        Cells to be given a class.
    wanted : numpy.ndarray, shape (pool, block), int
        Cells of each pool; they add up to the free cells of the block.
    pools : numpy.ndarray, shape (class,), int, optional
        Row of ``wanted`` that each class belongs to, -1 for none; every class is its own pool where absent.
    cells : int
        Side of a block, fine cells, counted from the north-west corner.
    seed : int
        Of the hash of a cell that breaks ties.
    device : str
        Of PyTorch, such as 'cuda'; NumPy where empty.

    Returns
    -------
    Matched

    Raises
    ------
    ValueError
        If the wanted numbers do not add up to the free cells, or a probability is not finite.
    """
    pools = np.arange(len(probability)) if pools is None else pools
    _check(probability, free, wanted, cells)
    given = np.full(_to_blocks(free, cells).shape, -1, np.int64)
    for some, order, p, numbers in _parts(_pooled(probability, free, pools), free, wanted, cells, seed, device):
        with np.errstate(divide="ignore"):
            score = np.log(p) if not device else p.log()
        label = assign(score, numbers)
        back = np.empty(order.shape, np.int64)
        np.put_along_axis(back, order, np.asarray(label.cpu() if device else label), axis=1)
        given[some] = back
    got = np.stack([(given == row).sum(1) for row in range(len(wanted))])
    pool = _from_blocks(given, cells, (free.shape[0], free.shape[1]))
    labels, best = np.full(free.shape, 255, np.uint8), np.full(free.shape, -1.0)
    for code, row in enumerate(pools):
        better = (pool == row) & (row >= 0) & (probability[code] > best)
        labels[better], best[better] = code, probability[code][better]
    return Matched(labels, wanted.astype(np.int64) - got)


def scale_areas(
    probability: np.ndarray, free: np.ndarray, wanted: np.ndarray, pools: np.ndarray | None = None,
    cells: int = COARSE_CELLS, device: str = "",
) -> np.ndarray:  # fmt: skip
    """Probabilities that add up to the wanted numbers in every block; as in `match_areas`.

    Returns
    -------
    numpy.ndarray, shape (class, y, x), float32
        As they were where not free; a zero stays zero.
    """
    pools = np.arange(len(probability)) if pools is None else pools
    _check(probability, free, wanted, cells)
    before = _pooled(probability, free, pools)
    after = np.zeros(_to_blocks(before, cells).shape, np.float32)
    for some, order, p, numbers in _parts(before, free, wanted, cells, 0, device):
        back = np.empty((*order.shape, p.shape[2]), np.float32)
        scaled = scale(p, numbers)
        np.put_along_axis(back, order[:, :, None], np.asarray(scaled.cpu() if device else scaled), axis=1)
        after[some] = back
    factor = _from_blocks(after, cells, (free.shape[0], free.shape[1])) / np.where(before > 0, before, 1)
    out = probability.astype(np.float32).copy()
    for code, pool in enumerate(pools):
        out[code] = np.where(free, probability[code] * factor[..., pool] if pool >= 0 else 0, out[code])
    return out
