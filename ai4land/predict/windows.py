"""Probabilities of a whole region from windows, each cell's the same in whatever window or region it is predicted.

Windows hold the receptive field around the cells that are taken from them, on the lattice of the run's grid
(`ai4land.windows`); only the region's own edges cut them. Within the receptive field of an edge that is not the run's,
a region cannot tell what lies beyond: its halo must be as wide.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise, product

import numpy as np

from ai4land.legend import NO_DATA
from ai4land.models.base import LATTICE, Model, free_cells, one_hot
from ai4land.samples import Batch
from ai4land.windows import Part, Shape, Window, cut_padded, lattice_edges, part_of


def _cut(batch: Batch, window: Window) -> Batch:
    """A window of a batch; cells beyond the batch's ends have no data."""
    return replace(
        batch, prior=cut_padded(batch.prior, window, NO_DATA), valid=cut_padded(batch.valid, window, 0),
        static={n: cut_padded(f, window, np.nan if f.dtype.kind == "f" else 0) for n, f in batch.static.items()},
        earlier=None if batch.earlier is None else cut_padded(batch.earlier, window, NO_DATA),
        start=batch.start + np.array(window.corner),
    )  # fmt: skip


def _parts(free: np.ndarray, corner: Shape, size: int, receptive_field: int) -> Iterator[Part]:
    """Parts that hold all free cells, each with the window that it is predicted in."""
    edges = [pairwise(lattice_edges(first, n, size, LATTICE)) for first, n in zip(corner, free.shape, strict=True)]
    for rows, cols in product(*edges):
        if output := Window(slice(*rows), slice(*cols)).shrunk_to(free):
            yield part_of(output, receptive_field, LATTICE, corner, (free.shape[0], free.shape[1]))


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
    for part in _parts(np.asarray(free.any(0)), corner, model.core, model.reach):
        out[..., *part.output] = model.predict_proba(_cut(batch, part.input))[..., *part.inside]
    return out
