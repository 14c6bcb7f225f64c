"""Cells of many blocks given classes in wanted numbers: the transportation problem, for all blocks at once.

Arrays of NumPy or PyTorch, shape (block, class, cell); the same code runs on both, and on any device. No block's
result depends on which others are there.
"""

from typing import Any

from array_api_compat import array_namespace, device

_SWEEPS = 4
_ROUNDS = 80
_LEAST = 1e-30
_FAR = 200.0  # of a log probability: beyond all differences of float32 probabilities
_EQUAL = 1e-11  # gains that differ by less are the same


def scale(probability: Any, wanted: Any, rounds: int = _ROUNDS) -> Any:
    """Probabilities times one factor a class and block, such that they add up to the wanted sums.

    Of all probabilities with those sums these are the nearest ones in relative entropy; a zero stays zero.

    Parameters
    ----------
    probability : array, shape (block, class, cell)
        A cell of zeros is none.
    wanted : array, shape (block, class)
        Sums; they add up to the cells of the block.
    rounds : int
        Alternations between the sums of cells and those of classes.

    Returns
    -------
    array, shape (block, class, cell)

    References
    ----------
    Deming and Stephan (1940), doi:10.1214/aoms/1177731829
    """
    xp = array_namespace(probability)
    factor = xp.ones_like(wanted)
    for _ in range(rounds):
        row = factor[:, None, :] @ probability
        inverse = xp.where(row > 0, 1 / _positive(row), xp.zeros_like(row))
        column = (probability @ xp.matrix_transpose(inverse))[:, :, 0]
        factor = xp.where(column > 0, wanted / _positive(column), xp.zeros_like(factor))
        factor = factor / _positive(xp.max(factor, axis=1, keepdims=True))
        factor = xp.where(factor > _LEAST, factor, xp.full_like(factor, _LEAST))
    scaled = probability * factor[:, :, None]
    return scaled / _positive(xp.sum(scaled, axis=1, keepdims=True))


def _positive(x: Any) -> Any:
    xp = array_namespace(x)
    return xp.where(x > 0, x, xp.ones_like(x))


def assign(score: Any, wanted: Any) -> Any:
    """Class of every cell such that every block holds the wanted number of each and the scores add up to the most.

    The best class at any prices of the classes is the best map of *some* numbers. Each class in turn gets the price
    at which its own number is right, a few times over; augmenting paths lead from there to the best map of the wanted
    numbers.

    Parameters
    ----------
    score : array, shape (block, class, cell), float64
        -inf where a class is impossible; a cell without any finite score is none.
    wanted : array, shape (block, class), int64

    Returns
    -------
    array, shape (block, cell), int64
        -1 where there is no cell. Numbers are missed only where no map has them.

    References
    ----------
    Bertsekas (1991), Linear Network Optimization (prices one at a time);
    Ahuja, Magnanti and Orlin (1993), Network Flows, section 9.7 (successive shortest paths)
    """
    xp = array_namespace(score)
    label = _best(xp, score)
    price = xp.zeros_like(score[:, :, 0])
    active = _unfit(xp, label, wanted)
    for _ in range(_SWEEPS):
        if not active.shape[0]:
            return label
        some = score[active, ...]
        price[active, ...] = _sweep(xp, some, price[active, ...], wanted[active, ...])
        label[active, ...] = _best(xp, some + price[active, ...][:, :, None])
        active = active[_unfit(xp, label[active, ...], wanted[active, ...])]
    label[active, ...] = _augment(xp, score[active, ...], label[active, ...], wanted[active, ...])
    return label


def _best(xp: Any, score: Any) -> Any:
    """Class of the highest score, the first of equals; -1 where none is finite."""
    best = xp.full_like(score[:, 0, :], -float("inf"))
    label = xp.full(best.shape, -1, dtype=xp.int64, device=device(score))
    for c in range(score.shape[1]):
        label = xp.where(score[:, c, :] > best, c, label)
        best = xp.maximum(best, score[:, c, :])
    return label


def _short(xp: Any, label: Any, wanted: Any) -> Any:
    """Cells that each class lacks, (block, class)."""
    have = [xp.sum(xp.astype(label == c, xp.int64), axis=1) for c in range(wanted.shape[1])]
    return wanted - xp.stack(have, axis=1)


def _unfit(xp: Any, label: Any, wanted: Any) -> Any:
    """Blocks in which a class lacks cells."""
    return xp.nonzero(xp.any(_short(xp, label, wanted) > 0, axis=1))[0]


def _sweep(xp: Any, score: Any, price: Any, wanted: Any) -> Any:
    """Prices after each class in turn got one that lies midway between its last cell and the first one it misses."""
    price, blocks = xp.asarray(price, copy=True), xp.arange(score.shape[0], device=device(score))
    ends, none = xp.full_like(price[:, :1], _FAR), xp.full_like(score[:, 0, :], -1e30)
    later = [none]  # best of the classes after each one
    for c in range(score.shape[1] - 1, 0, -1):
        later.append(xp.maximum(later[-1], score[:, c, :] + price[:, c, None]))
    before = none
    for c in range(score.shape[1]):
        lead = xp.clip(score[:, c, :] - xp.maximum(before, later.pop()), -_FAR, _FAR)
        lead = xp.concat([-ends, xp.sort(lead, axis=1, stable=False), ends], axis=1)
        place = score.shape[2] - wanted[:, c]
        price[:, c] = -(lead[blocks, place] + lead[blocks, place + 1]) / 2
        before = xp.maximum(before, score[:, c, :] + price[:, c, None])
    return price


def _moves(xp: Any, score: Any, label: Any, origin: Any) -> tuple[Any, Any]:
    """Most that is gained by a cell of one class a block going to each class, and which cell; (block, class)."""
    here = label == origin[:, None]
    own = score[xp.arange(label.shape[0], device=device(label)), origin]
    gain = score - xp.where(here, own, xp.zeros_like(own))[:, None, :]
    gain = xp.where(here[:, None, :], gain, xp.full_like(gain, -float("inf")))
    return xp.max(gain, axis=2), xp.argmax(gain, axis=2)


def _chains(xp: Any, gain: Any) -> tuple[Any, Any]:
    """Gain of the best chain of moves between every two classes (Floyd-Warshall), and the first step of each."""
    names = xp.arange(gain.shape[1], device=device(gain))
    following = xp.broadcast_to(names[None, None, :], gain.shape)
    gain = xp.where((names[:, None] == names[None, :])[None], xp.zeros_like(gain), gain)
    for via in range(gain.shape[1]):
        other = gain[:, :, via, None] + gain[:, None, via, :]
        better = other > gain + _EQUAL
        gain = xp.where(better, other, gain)
        following = xp.where(better, following[:, :, via, None], following)
    return gain, following


def _augment(xp: Any, score: Any, label: Any, wanted: Any) -> Any:
    """Follow the best chain from a class in excess to one that is short, a cell a block and turn, until all fit."""
    classes, need = score.shape[1], _short(xp, label, wanted)
    found = [_moves(xp, score, label, xp.full_like(need[:, 0], c)) for c in range(classes)]
    gain, cell = (xp.stack(list(parts), axis=1) for parts in zip(*found, strict=True))
    active = xp.arange(label.shape[0], device=device(label))
    while active.shape[0]:
        total, following = _chains(xp, gain[active, ...])
        ends = (need[active, ...] < 0)[:, :, None] & (need[active, ...] > 0)[:, None, :]
        value = xp.reshape(xp.where(ends, total, xp.full_like(total, -float("inf"))), (-1, classes * classes))
        keep = xp.nonzero(xp.isfinite(xp.max(value, axis=1)))[0]
        pair, active, following = xp.argmax(value, axis=1)[keep], active[keep], following[keep, ...]
        start, end = pair // classes, pair % classes
        need[active, start] += 1
        need[active, end] -= 1
        touched = [(active, end)]
        for rows, at, to in _steps(xp, following, start, end):
            label[active[rows], cell[active[rows], at, to]] = to
            touched.append((active[rows], at))
        for part, at in touched:
            gain[part, at], cell[part, at] = _moves(xp, score[part, ...], label[part, ...], at)
        active = active[xp.any(need[active, ...] > 0, axis=1)]
    return label


def _steps(xp: Any, following: Any, at: Any, end: Any) -> list[tuple[Any, Any, Any]]:
    """The steps of one chain a block: which blocks take a step, from which class, and to which."""
    steps, rows = [], xp.nonzero(at != end)[0]
    while rows.shape[0]:
        to = following[rows, at[rows], end[rows]]
        steps.append((rows, at[rows], to))
        at = xp.asarray(at, copy=True)
        at[rows] = to
        rows = rows[to != end[rows]]
    return steps
