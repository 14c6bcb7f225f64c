"""Probabilities that mean what they say: one temperature, found on validation cells."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

MOST_CELLS = 500_000
_RANGE = (0.2, 5.0)


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Temperature by which logits are divided so that the log loss is the least.

    Parameters
    ----------
    logits : numpy.ndarray, shape (cells, class)
        Or log probabilities.
    labels : numpy.ndarray, shape (cells,), int
        Column that is right.

    Returns
    -------
    float
        Between 0.2 and 5; 1 where there is no cell. Above 1 the model was too sure of itself.

    References
    ----------
    Guo et al. (2017), arXiv:1706.04599
    """
    if not len(labels):
        return 1.0
    step = -(-len(labels) // MOST_CELLS)
    logits, labels = logits[::step].astype(float), labels[::step].astype(int)
    rows = np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        return -float(log_softmax(logits / np.exp(log_temperature), axis=1)[rows, labels].mean())

    found = minimize_scalar(loss, bounds=tuple(np.log(_RANGE)), method="bounded", options={"xatol": 1e-3})
    return float(np.exp(found.x))


def temper(probability: np.ndarray, temperature: float, axis: int) -> np.ndarray:
    """Probabilities at a temperature: their power 1 / temperature, adding up to 1 along the axis again."""
    powered = probability ** np.float32(1 / temperature)
    return powered / np.maximum(powered.sum(axis, keepdims=True), 1e-12)
