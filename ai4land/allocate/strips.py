"""A field cut into strips of whole blocks, and its blocks gathered: the unit of work of allocation."""

from collections.abc import Iterator

import numpy as np

_CELLS_AT_ONCE, _BLOCKS_AT_ONCE = 2**20, 128


def strips(shape: tuple[int, ...], cells: int) -> Iterator[tuple[slice, slice]]:
    """Rows of cells, and blocks in row-major order, of some rows of blocks at a time.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the field.
    cells : int
        Side of a block, counted from the north-west corner; the last ones may be partial.
    """
    down, across = -(-shape[0] // cells), -(-shape[1] // cells)
    high = max(1, _CELLS_AT_ONCE // (cells * cells * across))
    for start in range(0, down, high):
        stop = min(start + high, down)
        yield slice(start * cells, min(stop * cells, shape[0])), slice(start * across, stop * across)


def batches(which: np.ndarray) -> Iterator[np.ndarray]:
    """Positions of what is true, some at a time."""
    numbers = np.flatnonzero(which)
    for start in range(0, numbers.size, _BLOCKS_AT_ONCE):
        yield numbers[start : start + _BLOCKS_AT_ONCE]


def blocked(field: np.ndarray, cells: int) -> np.ndarray:
    """(..., y, x) as (..., block row, row, block column, column), partial blocks filled up with zeros."""
    y, x = field.shape[-2:]
    down, across = -(-y // cells), -(-x // cells)
    if (y, x) != (down * cells, across * cells):
        filling = [(0, 0)] * (field.ndim - 2) + [(0, down * cells - y), (0, across * cells - x)]
        field = np.pad(field, filling)
    return field.reshape(*field.shape[:-2], down, cells, across, cells)


def unblocked(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Undo `blocked`; ``shape`` is that of the field's rows and columns."""
    *more, down, cells, across, _ = values.shape
    return values.reshape(*more, down * cells, across * cells)[..., : shape[0], : shape[1]]


def take(values: np.ndarray, some: np.ndarray) -> np.ndarray:
    """Some blocks of a blocked field, (block, ..., cell)."""
    row, col = np.divmod(some, values.shape[-2])
    return values[..., row, :, col, :].reshape(some.size, *values.shape[:-4], -1)


def put(values: np.ndarray, some: np.ndarray, given: np.ndarray) -> None:
    """Write (block, ..., cell) into a blocked field; undoes `take`."""
    row, col = np.divmod(some, values.shape[-2])
    values[..., row, :, col, :] = given.reshape(some.size, *values.shape[:-4], values.shape[-3], -1)


def places(like: np.ndarray, some: np.ndarray, corner: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the cells of some blocks of a blocked field whose first cell is at ``corner``."""
    row, col = np.divmod(some, like.shape[-2])
    side = np.arange(like.shape[-1])
    rows = corner[0] + row[:, None] * side.size + np.repeat(side, side.size)
    return rows, corner[1] + col[:, None] * side.size + np.tile(side, side.size)
