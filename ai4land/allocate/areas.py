"""The most probable map whose class areas are wanted ones, draws of such maps, and probabilities that add up to them.

Worked through in strips of whole blocks, and only where the most probable classes do not fit, so that memory beyond
the input and the map stays at some hundred megabytes.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ai4land.allocate.strips import batches, blocked, places, put, strips, take, unblocked
from ai4land.allocate.transport import assign, scale
from ai4land.grid import COARSE_CELLS, hash_unit

_TIE = 1e-9  # of a log probability: among cells nearer than that the hash decides


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


def _pooled(probability: np.ndarray, free: np.ndarray, pools: np.ndarray, number: int, cells: int) -> np.ndarray:
    """Probability of each pool, blocked, float32, 0 where not free."""
    out = np.zeros((number, *free.shape), np.float32)
    for code, pool in enumerate(pools):
        if pool >= 0:
            np.add(out[pool], probability[code], out=out[pool], where=free, casting="same_kind")
    return blocked(out, cells)


def _on(values: np.ndarray, device: str) -> Any:
    if not device:
        return values
    import torch

    return torch.as_tensor(values, device=device)


def _assigned(score: np.ndarray, wanted: np.ndarray, device: str) -> np.ndarray:
    label = assign(_on(score, device), _on(wanted, device))
    return np.asarray(label.cpu() if device else label)


def _most_probable(values: np.ndarray) -> np.ndarray:
    """Row of the highest value, the first of equals, int8; -1 where all are zero."""
    label, best = np.full(values.shape[1:], -1, np.int8), np.zeros(values.shape[1:], values.dtype)
    for row, value in enumerate(values):
        np.copyto(label, row, where=value > best, casting="unsafe")
        np.maximum(best, value, out=best)
    return label


def _count(label: np.ndarray, pools: int) -> np.ndarray:
    """Cells of each pool in a blocked field, (block, pool) int64."""
    given = [(label == k).sum(1, dtype=np.uint32).sum(-1, dtype=np.int64) for k in range(pools)]
    return np.stack(given, axis=-1).reshape(-1, pools)


@dataclass(frozen=True)
class _Strip:
    """Probabilities of the pools, blocked (pool, block row, row, block column, column), and where they are."""

    pooled: np.ndarray
    corner: tuple[int, int]
    seed: int
    device: str

    def score(self, some: np.ndarray) -> np.ndarray:
        """Log probabilities (block, pool, cell), -inf where impossible; of equals the hash prefers one."""
        p = take(self.pooled, some)
        tie = hash_unit(self.seed, *places(self.pooled, some, self.corner))[:, None, :]
        with np.errstate(divide="ignore"):
            return np.log(p, dtype=float) + _TIE * tie * np.arange(p.shape[1])[:, None]

    def fit(self, label: np.ndarray, wanted: np.ndarray) -> None:
        """Give the wanted numbers (block, pool) wherever the present ones are others."""
        for some in batches((_count(label, wanted.shape[1]) != wanted).any(1)):
            put(label, some, _assigned(self.score(some), wanted[some], self.device))

    def draw(self, label: np.ndarray, prior: np.ndarray, draw: int) -> None:
        """Go from every prior pool (blocked; the number of pools for none) to each as often, but in drawn cells."""
        pools = len(self.pooled)
        names = np.arange(pools)[:, None]
        for some in batches(((label >= 0) & (label != prior)).any((1, 3))):
            now, origin = take(label, some), take(prior, some)
            from_to = [[((origin == a) & (now == b)).sum(1) for b in range(pools)] for a in range(pools + 1)]
            number = np.array(from_to).transpose(2, 0, 1)  # (block, prior pool, pool)
            block, group = np.nonzero((number * ~np.eye(pools + 1, pools, dtype=bool)).any(2))
            row, col = places(self.pooled, some, self.corner)
            uniform = np.clip(hash_unit(draw, row[:, None], col[:, None], names), 2.0**-54, 1 - 2.0**-53)
            gumbel = np.where(origin[:, None] == names, 0, -np.log(-np.log(uniform)))
            score = (self.score(some) + gumbel)[block]
            score = np.where((origin[block] == group[:, None])[:, None], score, -np.inf)
            drawn = _assigned(score, number[block, group], self.device)
            which, cell = np.nonzero(drawn >= 0)
            now[block[which], cell] = drawn[which, cell]
            put(label, some, now)


def _classes(pool: np.ndarray, probability: np.ndarray, pools: np.ndarray) -> np.ndarray:
    """Most probable class of each cell's pool, the lowest code of equals; 255 where there is no pool."""
    labels = np.full(pool.shape, 255, np.uint8)
    for row in np.unique(pools[pools >= 0]):
        first, *others = np.flatnonzero(pools == row)
        best, code = probability[first], np.full(pool.shape, first, np.uint8)
        for other in others:
            np.copyto(code, other, where=probability[other] > best, casting="unsafe")
            best = np.maximum(best, probability[other])
        np.copyto(labels, code, where=pool == row)
    return labels


def _check(probability: np.ndarray, free: np.ndarray, wanted: np.ndarray, cells: int) -> None:
    for rows, blocks in strips(free.shape, cells):
        if not np.isfinite(probability[:, rows].sum(0)[free[rows]]).all():
            raise ValueError("match_areas: a probability of a free cell is not finite; leave the cell out or fill it.")
        number, asked = blocked(free[rows], cells).sum((1, 3)).ravel(), wanted[:, blocks].sum(0)
        off = np.abs(number - asked) > 1e-6 * np.maximum(number, 1)
        if off.any():
            bad = int(np.flatnonzero(off)[0])
            raise ValueError(
                f"match_areas: block {blocks.start + bad} has {number[bad]} free cells, {asked[bad]:g} are wanted; "
                "round_counts makes them agree."
            )


def match_areas(
    probability: np.ndarray, free: np.ndarray, wanted: np.ndarray, pools: np.ndarray | None = None,
    cells: int = COARSE_CELLS, seed: int = 0, device: str = "", corner: tuple[int, int] = (0, 0),
    prior: np.ndarray | None = None, draw: int | None = None,
) -> Matched:  # fmt: skip
    """The most probable of all maps in which every block holds the wanted numbers of cells, or a draw of such maps.

    The product of the cells' probabilities is the largest that any such map has. Where classes are pooled, the pool's
    probability decides who belongs to it, and its most probable class is given.

    A draw has, in every block, as many cells going from each prior pool to each pool as the most probable map has: it
    differs in *where* change happens and adds none. Of the cells of a prior pool a, those of largest
    log(p_b / p_a) + G go to b, G being a Gumbel number of the cell and b. Such keys order cells as if drawn one after
    the other with chances in proportion to p_b / p_a (Plackett-Luce): a sample without replacement, weighted by the
    odds. Where cells of a go to several pools, the sum of their keys is the largest (perturb and MAP). G depends on
    neither year nor tile, so that a rollout goes on down one order, and a cell that has changed changes again only in
    a year whose most probable map moves land out of its new pool.

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
    corner : tuple of int
        Row and column of the first cell in the run's grid: what is hashed is a cell's place there.
    prior : numpy.ndarray, shape (y, x), uint8, optional
        Class before; needed for a draw. A cell of a class without pool, such as 255, may go to each pool.
    draw : int, optional
        Seed of a draw, the same in all years of a rollout; the most probable map where absent.

    Returns
    -------
    Matched

    Raises
    ------
    ValueError
        If the wanted numbers do not add up to the free cells, a probability is not finite, or a draw has no prior map.

    References
    ----------
    Papandreou and Yuille (2011), doi:10.1109/ICCV.2011.6126242; Kool et al. (2019), arXiv:1903.06059 (Gumbel-top-k)
    """
    pools = np.arange(len(probability)) if pools is None else pools
    if draw is not None and prior is None:
        raise ValueError("match_areas: a draw needs to know where change is; give the prior map.")
    _check(probability, free, wanted, cells)
    labels, residual = np.empty(free.shape, np.uint8), np.empty(wanted.shape, np.int64)
    known = np.full(256, len(wanted), np.int8)
    known[np.flatnonzero(pools >= 0)] = pools[pools >= 0]
    for rows, blocks in strips(free.shape, cells):
        p, numbers = probability[:, rows], wanted[:, blocks].T.astype(np.int64)
        pooled = _pooled(p, free[rows], pools, len(wanted), cells)
        strip, pool = _Strip(pooled, (corner[0] + rows.start, corner[1]), seed, device), _most_probable(pooled)
        strip.fit(pool, numbers)
        if draw is not None and prior is not None:
            strip.draw(pool, blocked(known[prior[rows]], cells), draw)
        residual[:, blocks] = (numbers - _count(pool, len(wanted))).T
        labels[rows] = _classes(unblocked(pool, p.shape[1:]), p, pools)
    return Matched(labels, residual)


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
    out = probability.astype(np.float32)
    for rows, blocks in strips(free.shape, cells):
        before = _pooled(probability[:, rows], free[rows], pools, len(wanted), cells)
        factor, numbers = np.zeros_like(before), wanted[:, blocks].T.astype(float)
        for some in batches(np.any(blocked(free[rows], cells), axis=(1, 3))):
            p = take(before, some)
            scaled = scale(_on(p.astype(float), device), _on(numbers[some], device))
            put(factor, some, np.asarray(scaled.cpu() if device else scaled) / np.where(p > 0, p, 1))
        factor = unblocked(factor, free[rows].shape)
        for code, pool in enumerate(pools):
            np.multiply(out[code, rows], factor[pool] if pool >= 0 else 0, out=out[code, rows], where=free[rows])
    return out
