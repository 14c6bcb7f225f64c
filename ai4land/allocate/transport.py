"""Cells of many blocks given classes in wanted numbers: the transportation problem, for all blocks at once.

Arrays of NumPy or PyTorch, shape (block, cell, class); the same code runs on both, and on any device.
"""

from typing import Any

from array_api_compat import array_namespace, device

_SMOOTH = (1.0, 0.3, 0.1, 0.03)  # of a log probability: first prices are sought ever nearer to hard choices
_ROUNDS = 80
_LEAST = 1e-30


def scale(probability: Any, wanted: Any, rounds: int = _ROUNDS) -> Any:
    """Probabilities times one factor a class and block, such that they add up to the wanted sums.

    Of all probabilities with those sums these are the nearest ones in relative entropy; a zero stays zero.

    Parameters
    ----------
    probability : array, shape (block, cell, class)
        A row of zeros holds no cell.
    wanted : array, shape (block, class)
        Sums; they add up to the cells of the block.
    rounds : int
        Alternations between the sums of cells and those of classes.

    Returns
    -------
    array, shape (block, cell, class)

    References
    ----------
    Deming and Stephan (1940), doi:10.1214/aoms/1177731829
    """
    scaled = probability * _factors(probability, wanted, rounds)[:, None, :]
    xp = array_namespace(scaled)
    return scaled / _positive(xp.sum(scaled, axis=2, keepdims=True))


def _positive(x: Any) -> Any:
    xp = array_namespace(x)
    return xp.where(x > 0, x, xp.ones_like(x))


def _factors(kernel: Any, wanted: Any, rounds: int) -> Any:
    xp = array_namespace(kernel)
    factor = xp.ones_like(wanted)
    for _ in range(rounds):
        row = (kernel @ factor[:, :, None])[:, :, 0]
        inverse = xp.where(row > 0, 1 / _positive(row), xp.zeros_like(row))
        column = (inverse[:, None, :] @ kernel)[:, 0, :]
        factor = xp.where(column > 0, wanted / _positive(column), xp.zeros_like(column))
        factor = factor / _positive(xp.max(factor, axis=1, keepdims=True))
        factor = xp.where(factor > _LEAST, factor, xp.full_like(factor, _LEAST))
    return factor


def assign(score: Any, wanted: Any) -> Any:
    """Class of every cell such that every block holds the wanted number of each and the scores add up to the most.

    First prices of the classes come from scaling the softened scores; the best class at any prices is the best map
    of *some* numbers, and augmenting paths lead from there to the best map of the wanted ones.

    Parameters
    ----------
    score : array, shape (block, cell, class)
        -inf where a class is impossible; a row without any finite score holds no cell.
    wanted : array, shape (block, class)
        Whole numbers.

    Returns
    -------
    array, shape (block, cell), int64
        -1 where there is no cell. Numbers are missed only where no map has them. The first cell wins a tie.

    References
    ----------
    Ahuja, Magnanti and Orlin (1993), Network Flows, section 9.7 (successive shortest paths)
    """
    xp = array_namespace(score)
    finite = xp.isfinite(score)
    there = xp.any(finite, axis=2)
    price = xp.zeros_like(wanted)
    for smooth in _SMOOTH:
        priced = score + price[:, None, :]
        top = xp.max(xp.where(finite, priced, xp.full_like(score, -1e30)), axis=2, keepdims=True)
        kernel = xp.where(finite, xp.exp((priced - top) / smooth), xp.zeros_like(score))
        price = price + smooth * xp.log(_factors(kernel, wanted, _ROUNDS // len(_SMOOTH)))
    label = xp.argmax(score + price[:, None, :], axis=2)
    return _augment(xp, score, xp.where(there, label, xp.full_like(label, -1)), wanted)


def _moves(xp: Any, score: Any, label: Any) -> tuple[Any, Any]:
    """Most that is gained by one cell going from a class to another, (block, class, class), and which cell that is."""
    own = xp.take_along_axis(score, xp.where(label < 0, xp.zeros_like(label), label)[:, :, None], axis=2)
    gain, low = score - xp.where(label[:, :, None] < 0, xp.zeros_like(own), own), xp.full_like(score, -float("inf"))
    masked = [xp.where((label == c)[:, :, None], gain, low) for c in range(score.shape[2])]
    return xp.stack([xp.max(m, axis=1) for m in masked], axis=1), xp.stack([xp.argmax(m, axis=1) for m in masked], 1)


def _chains(xp: Any, gain: Any) -> tuple[Any, Any]:
    """Gain of the best chain of moves between every two classes (Floyd-Warshall), and the first step of each."""
    names = xp.arange(gain.shape[1], device=device(gain))
    following = xp.broadcast_to(names[None, None, :], gain.shape)
    gain = xp.where((names[:, None] == names[None, :])[None], xp.zeros_like(gain), gain)
    for via in range(gain.shape[1]):
        other = gain[:, :, via, None] + gain[:, None, via, :]
        better = other > gain + 1e-9
        gain = xp.where(better, other, gain)
        following = xp.where(better, following[:, :, via, None], following)
    return gain, following


def _augment(xp: Any, score: Any, label: Any, wanted: Any) -> Any:
    """Follow the best chain from a class in excess to one that is short, a cell a block and turn, until all fit."""
    classes = score.shape[2]
    have = xp.stack([xp.sum(xp.astype(label == c, xp.int64), axis=1) for c in range(classes)], axis=1)
    short = xp.astype(wanted, xp.int64) - have
    active = xp.nonzero(xp.any(short > 0, axis=1))[0]
    while active.shape[0]:
        part, need = label[active, ...], short[active, ...]
        gain, cell = _moves(xp, score[active, ...], part)
        total, following = _chains(xp, gain)
        ends = (need < 0)[:, :, None] & (need > 0)[:, None, :]
        value = xp.reshape(xp.where(ends, total, xp.full_like(total, -float("inf"))), (-1, classes * classes))
        pair, found = xp.argmax(value, axis=1), xp.isfinite(xp.max(value, axis=1))
        _follow(xp, part, cell, following, pair // classes, pair % classes, found)
        rows = xp.nonzero(found)[0]
        need[rows, (pair // classes)[rows]] += 1
        need[rows, (pair % classes)[rows]] -= 1
        label[active, ...], short[active, ...] = part, need
        active = active[found & xp.any(need > 0, axis=1)]
    return label


def _follow(xp: Any, label: Any, cell: Any, following: Any, at: Any, end: Any, found: Any) -> None:
    """Move the cells of one chain in every block where one was found."""
    rows = xp.arange(label.shape[0], device=device(label))
    for _ in range(following.shape[1] - 1):
        to = following[rows, at, end]
        moving = xp.nonzero(found & (at != end))[0]
        label[moving, cell[moving, at[moving], to[moving]]] = to[moving]
        at = xp.where(found, to, at)
