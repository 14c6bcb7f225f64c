"""Noise as an explicit function of place, time and seed: any window equals the same cut of a larger one."""

import numpy as np

_MIX = np.array([0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0x9E3779B97F4A7C15], np.uint64)


def hash_unit(seed: int, *keys: np.ndarray | int) -> np.ndarray:
    """Uniform numbers in [0, 1) from integer keys, the same on every machine.

    Parameters
    ----------
    seed : int
    *keys : numpy.ndarray or int
        Integers, broadcast together.

    Returns
    -------
    numpy.ndarray, float64

    References
    ----------
    Steele et al. (2014), SplitMix64, doi:10.1145/2660193.2660195
    """
    with np.errstate(over="ignore"):
        state = np.uint64(seed) * _MIX[2]
        for key in keys:
            state = state + np.asarray(key).astype(np.int64).astype(np.uint64) * _MIX[0] + _MIX[2]
            state = (state ^ (state >> np.uint64(30))) * _MIX[0]
            state = (state ^ (state >> np.uint64(27))) * _MIX[1]
            state = state ^ (state >> np.uint64(31))
    return (state >> np.uint64(11)).astype(float) * 2.0**-53


def _smooth(t: np.ndarray) -> np.ndarray:
    return t * t * (3 - 2 * t)


def value_noise(y: np.ndarray, x: np.ndarray, scale: float, seed: int, layer: int = 0) -> np.ndarray:
    """Smooth noise in [0, 1) on a lattice of ``scale``.

    Parameters
    ----------
    y, x : numpy.ndarray, shapes (rows,) and (cols,)
        Position in fine cells of the global grid, from the north and from 180 W; may be fractional.
    scale : float
        Lattice spacing, fine cells.
    seed, layer : int
        Different layers of one seed are independent.

    Returns
    -------
    numpy.ndarray, shape (rows, cols), float64
    """
    row, col = np.floor(y / scale).astype(int), np.floor(x / scale).astype(int)
    wrap = round(36000 / scale)  # the lattice closes at the date line
    fy, fx = _smooth(y / scale - row)[:, None], _smooth(x / scale - col)[None, :]
    rows, cols = np.arange(row.min(), row.max() + 2), np.arange(col.min(), col.max() + 2)
    lattice = hash_unit(seed, layer, rows[:, None], cols[None, :] % wrap)
    i, j = (row - rows[0])[:, None], (col - cols[0])[None, :]
    top = lattice[i, j] * (1 - fx) + lattice[i, j + 1] * fx
    bottom = lattice[i + 1, j] * (1 - fx) + lattice[i + 1, j + 1] * fx
    return top * (1 - fy) + bottom * fy


def fractal_noise(
    y: np.ndarray, x: np.ndarray, scales: tuple[float, ...], seed: int, layer: int = 0, decay: float = 0.5
) -> np.ndarray:
    """Sum of octaves of `value_noise`, each weaker by ``decay`` than the one before, in about [-1, 1]."""
    weights = decay ** np.arange(len(scales))
    total = sum(
        w * (2 * value_noise(y, x, s, seed, layer * 97 + i) - 1)
        for i, (s, w) in enumerate(zip(scales, weights, strict=True))
    )
    return np.asarray(total) / np.sqrt((weights**2).sum()) * 0.8


def moving_noise(
    y: np.ndarray, x: np.ndarray, scale: float, year: float, years: float, seed: int, layer: int = 0
) -> np.ndarray:
    """Noise in [0, 1) that moves slowly in time: a blend of two fields ``years`` apart."""
    step = int(np.floor(year / years))
    share = year / years - step
    first = value_noise(y, x, scale, seed, layer * 8191 + step)
    return first * (1 - share) + value_noise(y, x, scale, seed, layer * 8191 + step + 1) * share
