"""Probabilities of a whole region from windows, each cell's the same in whatever window or region it is predicted.

A network sees a cell and what is around it, no further than its reach, in groups of cells that are counted from the
north-west corner of the run's grid. So windows begin and end on the lattice of these groups and hold the reach around
the cells that are taken from them; only the region's own edges cut them. Within the reach of an edge that is not the
run's, a region cannot tell what lies beyond: its halo must be as wide.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise, product

import numpy as np

from ai4land.legend import NO_DATA
from ai4land.models.base import LATTICE, Model, free_cells, one_hot
from ai4land.samples import Batch, cut_batch

Part = tuple[slice, slice]  # rows and columns


def core_edges(first: int, length: int, core: int) -> list[int]:
    """Edges of the fewest parts of an axis no longer than about ``core``, all inner ones on the lattice.

    Parameters
    ----------
    first : int
        Place of the axis's first cell in the run's grid.
    length : int
        Cells of the axis.
    core : int
        Fine cells.

    Returns
    -------
    list of int
        Counted from the axis's first cell; the first is 0, the last is ``length``.
    """
    number = -(-length // core)
    inner = [round((first + length * i / number) / LATTICE) * LATTICE - first for i in range(1, number)]
    return [0, *inner, length]


def _filled(cells: np.ndarray, core: Part) -> Part | None:
    """Smallest part of a core that holds all of its wanted cells, None without any."""
    sides = []
    for axis, part in enumerate(core):
        found = np.flatnonzero(cells[core].any(1 - axis))
        if not found.size:
            return None
        sides.append(slice(part.start + int(found[0]), part.start + int(found[-1]) + 1))
    return sides[0], sides[1]


def _around(part: slice, reach: int, first: int, length: int) -> slice:
    """Part of an axis with its reach, on the lattice; up to 15 cells beyond the axis's ends where these are off it."""
    start = max((first + part.start - reach) // LATTICE, first // LATTICE) * LATTICE - first
    stop = min(-(-(first + part.stop + reach) // LATTICE), -(-(first + length) // LATTICE)) * LATTICE - first
    return slice(start, stop)


def _cut(batch: Batch, window: Part) -> Batch:
    """A window of a batch; cells beyond the batch's ends have no data."""
    size = batch.prior.shape[1:]
    rows, cols = (slice(max(part.start, 0), min(part.stop, n)) for part, n in zip(window, size, strict=True))
    inside = cut_batch(batch, rows.start, cols.start, (rows.stop - rows.start, cols.stop - cols.start))
    more = [(p.start - w.start, w.stop - p.stop) for p, w in zip((rows, cols), window, strict=True)]
    if not any(map(any, more)):
        return inside

    def wider(field: np.ndarray, fill: float) -> np.ndarray:
        return np.pad(field, [(0, 0)] * (field.ndim - 2) + more, constant_values=fill)

    return replace(
        inside, prior=wider(inside.prior, NO_DATA), valid=wider(inside.valid, 0),
        static={n: wider(f, np.nan if f.dtype.kind == "f" else 0) for n, f in inside.static.items()},
        earlier=None if inside.earlier is None else wider(inside.earlier, NO_DATA),
        start=batch.start + np.array([part.start for part in window]),
    )  # fmt: skip


def _windows(free: np.ndarray, corner: tuple[int, int], core: int, reach: int) -> Iterator[tuple[Part, Part]]:
    """Parts that hold all free cells, each with the window that it is predicted in."""
    edges = [pairwise(core_edges(first, n, core)) for first, n in zip(corner, free.shape, strict=True)]
    for (top, bottom), (left, right) in product(*edges):
        part = _filled(free, (slice(top, bottom), slice(left, right)))
        if part is not None:
            rows, cols = (_around(*axis) for axis in zip(part, (reach, reach), corner, free.shape, strict=True))
            yield part, (rows, cols)


def predict_windows(model: Model, batch: Batch, corner: tuple[int, int]) -> np.ndarray:
    """Class probabilities of a batch of any size; windows without a cell to decide are left out.

    Parameters
    ----------
    model : Model
        One whose ``core`` is 0 is given the batch whole.
    batch : Batch
        Of one region; visible ocean and water stay what they are.
    corner : tuple of int = (row, col)
        Place of the batch's first cell in the run's grid.

    Returns
    -------
    numpy.ndarray, shape (batch, class, y, x), float32
        Zeros where there is no data.
    """
    batch = model.prepare(batch)
    if not model.core or model.reach is None:
        return model.predict_proba(batch)
    free = free_cells(batch)  # (batch, y, x)
    out = one_hot(np.where(free | ~batch.valid, NO_DATA, batch.prior).astype(np.uint8))
    for part, window in _windows(np.asarray(free.any(0)), corner, model.core, model.reach):
        made = model.predict_proba(_cut(batch, window))
        rows, cols = (slice(p.start - w.start, p.stop - w.start) for p, w in zip(part, window, strict=True))
        out[..., part[0], part[1]] = made[..., rows, cols]
    return out
