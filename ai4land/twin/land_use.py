"""Annual land use of the twin Earth: demand per coarse cell, and the cells that rank highest carry it.

An explicit function of (cell, year, seed, scenario): no year needs the one before, no window its neighbour.
"""

import numpy as np

from ai4land.grid import COARSE_CELLS, Grid, hash_unit
from ai4land.twin.demand import Demand
from ai4land.twin.earth import fine_position
from ai4land.twin.ground import CROPLAND, FOREST, GRASS, OTHER, PASTURE, URBAN, Ground, in_blocks
from ai4land.twin.noise import MovingNoise, fractal_noise, uneven_time

_FLICKER_YEARS = 8  # time in which a patch of cells may be misread once
_USUAL = 1990  # the year whose demand shapes the ranks
_LEVEL = 0.2  # how far a rank rises for demand that is e times likelier
_FLICKER_SHARE = 0.04  # chance that it is


def _take_top(rank: np.ndarray, free: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Mark, in each block (last axis), the ``number`` free cells of highest rank; the ranks lie in -16 to 16."""
    # The cell's number in the low bits makes every key unique.
    key = ((rank + 16) * 2.0**17).astype(np.uint32) << 10 | np.arange(rank.shape[-1], dtype=np.uint32)
    key[~free] = 0
    order = np.sort(key, axis=-1)
    last = np.take_along_axis(order, (rank.shape[-1] - np.maximum(number, 1))[..., None], axis=-1)
    return free & (key >= last) & (number > 0)[..., None]


def _still_ranks(ground: Ground) -> dict[int, np.ndarray]:
    """Suitability of every cell for the classes that compete for space, in the order in which they take it."""
    y, x = fine_position(ground.grid.lat, ground.grid.lon)
    near, high, steep = 1 / (1 + ground.town / 6), ground.height / 1000, ground.steep
    speck = hash_unit(ground.seed, 32, y[:, None].astype(int), x[None, :].astype(int) % 36000) - 0.5

    def texture(layer: int) -> np.ndarray:
        still = fractal_noise(y, x, (60.0, 24.0, 12.0), ground.seed, layer, 0.5)
        return still + (0.12 if layer % 2 else -0.12) * speck

    return {
        CROPLAND: -2.0 * steep + 0.6 * near - 0.5 * high + texture(42),
        PASTURE: -0.7 * steep + 0.2 * near + texture(43),
        FOREST: 0.8 * steep - 0.3 * near - 0.4 * high + texture(44),
        GRASS: -0.5 * high - 0.5 * steep + texture(45),
    }


def _spread(field: np.ndarray) -> np.ndarray:
    """Coarse cells to fine cells, bilinear between their centres; the outermost coarse cells are margin."""
    n = COARSE_CELLS

    def along(field: np.ndarray) -> np.ndarray:
        cell = np.arange((len(field) - 2) * n)
        place = (cell % n + 0.5) / n + 0.5  # from the centre of the coarse cell before, 0.5 to 1.5
        below = cell // n + (place > 1)
        share = (place - (place > 1)).reshape(-1, *[1] * (field.ndim - 1))
        return field[below] * (1 - share) + field[below + 1] * share

    return along(along(field).T).T


class Land:
    """A window of the twin Earth; all that stands still is computed once.

    Parameters
    ----------
    grid : Grid
        Fine cells of 0.01 degree; edges on the 0.25 degree lattice of the globe.
    seed : int
    scenario : str
        What happens after 2015: a key of ``SCENARIOS``.

    Raises
    ------
    ValueError
        If the grid does not hold whole coarse cells, or the scenario is unknown.
    """

    def __init__(self, grid: Grid, seed: int, scenario: str = "") -> None:
        self.grid, self.seed = grid, seed
        # A coarse cell of margin: the ranks know the demand of the neighbours.
        n = COARSE_CELLS
        ground = Ground(grid.cut(slice(-n, grid.rows + n), slice(-n, grid.cols + n)), seed)
        self.demand = Demand(ground, scenario)
        self.flat = in_blocks(ground.kind[n:-n, n:-n])
        ranks = _still_ranks(ground)
        usual = self.demand.shares(self.demand.managed(_USUAL, swing=False))
        self.ranks = {URBAN: in_blocks(np.clip(-ground.town, -9, 0)[n:-n, n:-n])}
        for number, (code, rank) in enumerate(ranks.items(), 1):
            share = np.clip(usual[number] / np.maximum(usual[number:].sum(0), 1e-9), 0.02, 0.98)
            # Demand that moves smoothly from coarse cell to coarse cell must not show their edges.
            level = _LEVEL * np.log(share / (1 - share)) - in_blocks(rank).mean(-1)
            self.ranks[code] = in_blocks(np.clip(rank[n:-n, n:-n] + _spread(level), -9, 9))
        y, x = fine_position(grid.lat, grid.lon)
        self.moving = {
            code: MovingNoise(y, x, (20.0, 8.0), 100.0 if code == FOREST else 80.0, seed, code + 60) for code in ranks
        }
        self.flickers: dict[int, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}

    def _flicker(self, period: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """First year, end and strength of the misreadings that begin in one period, in blocks."""
        if period not in self.flickers:
            y, x = fine_position(self.grid.lat, self.grid.lon)
            row, col = (np.floor(a / 2).astype(int) for a in (y, x))
            keys = period, np.unique(row)[:, None], (np.unique(col) % 18000)[None, :]
            start, length, strength, drawn = (hash_unit(self.seed, 71 + k, *keys) for k in range(4))
            start = period * _FLICKER_YEARS + np.floor(start * _FLICKER_YEARS)
            end = start + 1 + np.floor(5 * length**2)
            at = np.ix_(row - row.min(), col - col.min())
            strength = np.where(drawn < _FLICKER_SHARE, 2 * strength - 1, 0)
            self.flickers = {p: f for p, f in self.flickers.items() if abs(p - period) <= 1}
            a, b, c = (in_blocks(f[at]) for f in (start, end, strength))
            self.flickers[period] = a, b, c
        return self.flickers[period]

    def land_use(self, year: int) -> np.ndarray:
        """Land use of one year, shape (rows, cols), uint8: codes of legend ``land_use``."""
        out = self.flat.copy()
        free = out == OTHER
        land = free.sum(-1)
        wanted = self.demand.shares(self.demand.managed(year))[:, 1:-1, 1:-1]
        time = uneven_time(year, self.seed)
        misread = np.zeros(out.shape, np.float32)
        period = year // _FLICKER_YEARS
        for p in (period - 1, period):
            start, end, strength = self._flicker(p)
            misread += strength * ((start <= year) & (year < end))
        for number, code in enumerate((URBAN, CROPLAND, PASTURE, FOREST, GRASS)):
            rank = self.ranks[code]
            if code in self.moving:
                sign = np.float32(0.5 if code in (CROPLAND, FOREST) else -0.5)
                rank = rank + np.float32(0.4) * in_blocks(self.moving[code].at(time)) + sign * misread
            top = _take_top(rank, free, np.rint(wanted[number] * land).astype(int))
            out[top] = code
            free &= ~top
        n = COARSE_CELLS
        rows, cols = self.grid.rows // n, self.grid.cols // n
        return out.reshape(rows, cols, n, n).swapaxes(1, 2).reshape(self.grid.shape)


def land_use(grid: Grid, year: int, seed: int, scenario: str = "") -> np.ndarray:
    """Land use of one year; for several years of a window, keep one `Land`.

    Parameters
    ----------
    grid : Grid
        Fine cells of 0.01 degree; edges on the 0.25 degree lattice of the globe.
    year : int
    seed : int
    scenario : str
        What happens after 2015: a key of ``SCENARIOS``; up to 2015 all agree.

    Returns
    -------
    numpy.ndarray, shape (rows, cols), uint8
        Codes of legend ``land_use``.

    Raises
    ------
    ValueError
        If the grid does not hold whole coarse cells, or the scenario is unknown.
    """
    return Land(grid, seed, scenario).land_use(year)
