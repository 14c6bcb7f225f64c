"""Noise as an explicit function of place, time and seed: any window equals the same cut of a larger one."""

from math import cos, floor, pi, sin

import numpy as np

from ai4land.grid import hash_unit

_SLOPES = np.stack([np.sin(np.arange(64) * np.pi / 32), np.cos(np.arange(64) * np.pi / 32)], -1)  # unit gradients
_ROUND = 36000  # fine cells around the globe


def _fade(t: np.ndarray) -> np.ndarray:
    return t * t * (3 - 2 * t)


def _lattice(
    y: np.ndarray, x: np.ndarray, scale: float, seed: int, layer: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Numbers on the lattice points around the positions, and index and offset of the positions among them."""
    # Every layer has its own origin: lattices that share lines would show.
    y, x = y / scale + float(hash_unit(seed, layer, 1)), x / scale + float(hash_unit(seed, layer, 2))
    row, col = np.floor(y).astype(int), np.floor(x).astype(int)
    rows, cols = np.arange(row.min(), row.max() + 2), np.arange(col.min(), col.max() + 2)
    wrap = round(_ROUND / scale)  # the lattice closes at the date line
    return hash_unit(seed, layer, rows[:, None], cols[None, :] % wrap), row - rows[0], col - cols[0], y - row, x - col


def value_noise(y: np.ndarray, x: np.ndarray, scale: float, seed: int, layer: int = 0) -> np.ndarray:
    """Smooth noise in [0, 1), evenly spread, on a lattice of ``scale``.

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
    lattice, i, j, dy, dx = _lattice(y, x, scale, seed, layer)
    fy, fx = _fade(dy)[:, None], _fade(dx)
    across = lattice[:, j] * (1 - fx) + lattice[:, j + 1] * fx
    return across[i] * (1 - fy) + across[i + 1] * fy


def gradient_noise(y: np.ndarray, x: np.ndarray, scale: float, seed: int, layer: int = 0) -> np.ndarray:
    """Smooth noise in about [-1, 1] whose patches follow no axis.

    Parameters
    ----------
    y, x : numpy.ndarray, shapes (rows,) and (cols,), or both (rows, cols)
        As in `value_noise`. Two vectors span a grid; two fields are taken point by point.
    scale : float
        Lattice spacing, fine cells.
    seed, layer : int

    Returns
    -------
    numpy.ndarray, shape (rows, cols), float64

    References
    ----------
    Perlin (2002), Improving noise, doi:10.1145/566654.566636
    """
    lattice, i, j, dy, dx = _lattice(y, x, scale, seed, layer)
    toward = (lattice * len(_SLOPES)).astype(int)
    gy, gx = _SLOPES[toward, 0], _SLOPES[toward, 1]
    fy, fx = _fade(dy), _fade(dx)
    if y.ndim == 2:
        rows = [(gy[k, j], gy[k, j + 1], gx[k, j], gx[k, j + 1]) for k in (i, i + 1)]
        mixed = [(a * (1 - fx) + b * fx, c * dx * (1 - fx) + d * (dx - 1) * fx) for a, b, c, d in rows]
    else:
        down = gy[:, j] * (1 - fx) + gy[:, j + 1] * fx
        right = gx[:, j] * dx * (1 - fx) + gx[:, j + 1] * (dx - 1) * fx
        mixed = [(down[k], right[k]) for k in (i, i + 1)]
        dy, fy = dy[:, None], fy[:, None]
    (a, b), (c, d) = mixed
    return 1.5 * ((a * dy + b) * (1 - fy) + (c * (dy - 1) + d) * fy)


def fractal_noise(
    y: np.ndarray, x: np.ndarray, scales: tuple[float, ...], seed: int, layer: int = 0, decay: float = 0.5
) -> np.ndarray:
    """Sum of octaves of `gradient_noise`, each weaker by ``decay`` than the one before, in about [-1, 1]."""
    weights = decay ** np.arange(len(scales))
    total = sum(
        w * gradient_noise(y, x, s, seed, layer * 97 + i) for i, (s, w) in enumerate(zip(scales, weights, strict=True))
    )
    return np.asarray(total) / np.sqrt((weights**2).sum())


class MovingNoise:
    """Noise in [-1, 1] that moves slowly in time: a blend of two fields ``years`` apart, of even variance.

    Parameters
    ----------
    y, x, scales, seed, layer
        As in `fractal_noise`.
    years : float
        Time between two independent fields.
    """

    def __init__(
        self, y: np.ndarray, x: np.ndarray, scales: tuple[float, ...], years: float, seed: int, layer: int
    ) -> None:
        self.y, self.x, self.scales, self.years, self.seed, self.layer = y, x, scales, years, seed, layer
        self.fields: dict[int, np.ndarray] = {}

    def _field(self, step: int) -> np.ndarray:
        if step not in self.fields:
            field = fractal_noise(self.y, self.x, self.scales, self.seed, self.layer * 8191 + step, 0.7)
            # Two steps are enough for a walk through the years.
            self.fields = {s: f for s, f in self.fields.items() if abs(s - step) <= 1}
            self.fields[step] = field.astype(np.float32)
        return self.fields[step]

    def at(self, year: float) -> np.ndarray:
        """The field of one year, shape (rows, cols), float32."""
        step = floor(year / self.years)
        angle = pi / 2 * (year / self.years - step)
        return np.float32(cos(angle)) * self._field(step) + np.float32(sin(angle)) * self._field(step + 1)


def uneven_time(year: int, seed: int) -> float:
    """Year, stretched so that some years see five times the change of others; 1800 is 1800."""
    rates = 0.4 + 1.8 * hash_unit(seed, 7, np.arange(1800, max(year, 1800))) ** 2  # mean 1
    return 1800 + float(rates.sum()) if year >= 1800 else float(year)
