"""Probabilities of a whole region from overlapping windows, blended where they overlap."""

import numpy as np

from ai4land.models.base import Model
from ai4land.samples import Batch, cut_batch

OVERLAP = 0.25  # least share of a window's side that it has in common with the next


def blend_weights(size: tuple[int, int]) -> np.ndarray:
    """Weight of each cell of a window: a Gaussian of a quarter of its side, (rows, cols) float32."""
    sides = [np.exp(-0.5 * ((np.arange(n) + 0.5 - n / 2) / (n / 4)) ** 2) for n in size]
    return np.outer(*sides).astype(np.float32)


def window_starts(length: int, size: int) -> list[int]:
    """First cells of windows that cover an axis, evenly spread, the last one ending with the axis."""
    if size >= length:
        return [0]
    number = 1 + int(np.ceil((length - size) / (size * (1 - OVERLAP))))
    return [round(float(s)) for s in np.linspace(0, length - size, number)]


def predict_blended(model: Model, batch: Batch, window: int) -> np.ndarray:
    """Class probabilities of a batch of any size, from windows with Gaussian weights.

    Parameters
    ----------
    model : Model
    batch : Batch
    window : int
        Side of a window, fine cells; a batch that fits into one, or a window of 0, is predicted as it is.

    Returns
    -------
    numpy.ndarray, shape (batch, class, y, x), float32
    """
    batch = model.prepare(batch)
    shape = batch.prior.shape[1], batch.prior.shape[2]
    size = min(window, shape[0]), min(window, shape[1])
    if not window or size == shape:
        return model.predict_proba(batch)
    weights = blend_weights(size)
    total, weight = None, np.zeros(shape, np.float32)
    for top in window_starts(shape[0], size[0]):
        for left in window_starts(shape[1], size[1]):
            where = (..., slice(top, top + size[0]), slice(left, left + size[1]))
            part = model.predict_proba(cut_batch(batch, top, left, size))
            total = np.zeros((*part.shape[:2], *shape), np.float32) if total is None else total
            total[where] += weights * part
            weight[where] += weights
    assert total is not None
    return total / weight
