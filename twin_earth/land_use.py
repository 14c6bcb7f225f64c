"""Annual land use of the twin Earth: demand per coarse cell, and the cells that rank highest carry it.

An explicit function of (cell, year, seed, scenario): no year needs the one before, no window its neighbour.
"""

import numpy as np

from ai4land.grid import COARSE_CELLS, Grid, hash_unit
from twin_earth.earth import (
    CROPLAND,
    FOREST,
    GRASS,
    OTHER,
    PASTURE,
    URBAN,
    Ground,
    climate,
    elevation,
    fine_position,
    in_blocks,
)
from twin_earth.noise import MovingNoise, fractal_noise, uneven_time, value_noise

# What a scenario has added by 2100: to the cropland, pasture and towns of its own place (1), and warming (degree C).
SCENARIOS = {
    "": (0.0, 0.0, 0.0, 1.5),
    "ssp119": (-0.35, -0.4, 0.3, 0.8),
    "ssp126": (-0.3, -0.4, 0.3, 1.2),
    "ssp245": (0.0, -0.1, 0.5, 2.2),
    "ssp370": (0.4, 0.2, 0.6, 3.3),
    "ssp434": (-0.1, -0.1, 0.5, 1.8),
    "ssp460": (0.3, 0.1, 0.5, 2.8),
    "ssp534": (-0.1, -0.2, 0.8, 1.9),
    "ssp585": (0.1, 0.0, 0.9, 4.2),
}
_FORK = 2015  # the last year that all scenarios share
_REACHES = np.geomspace(0.05, 8.0, 33)  # growth of towns, as multiples of their size
_FLICKER_YEARS = 8  # time in which a patch of cells may be misread once
_USUAL = 1990  # the year whose demand shapes the ranks
_LEVEL = 0.2  # how far a rank rises for demand that is e times likelier
_FLICKER_SHARE = 0.04  # chance that it is


def scenario_growth(scenario: str) -> tuple[float, float, float, float]:
    """Relative growth of cropland, pasture and towns (1), and warming (degree C), by 2100.

    Raises
    ------
    ValueError
        If the scenario is unknown.
    """
    if scenario not in SCENARIOS:
        raise ValueError(f"scenario {scenario!r} is not one of {sorted(SCENARIOS)}.")
    return SCENARIOS[scenario]


class Demand:
    """Fractions of land that the classes want in every coarse cell; all that stands still is computed once."""

    def __init__(self, ground: Ground, scenario: str = "") -> None:
        self.growth = scenario_growth(scenario)[:3]
        grid, seed = ground.grid.blocks(COARSE_CELLS), ground.seed
        y, x = fine_position(grid.lat, grid.lon)
        height = elevation(grid.lat, grid.lon, seed, smallest=80.0)
        self.t, self.p = t, p = climate(grid.lat, grid.lon, height, seed)
        high = np.clip(height / 2500, 0, 1)
        self.settled = settled = np.clip(0.65 + 1.1 * fractal_noise(y, x, (600.0, 200.0, 75.0), seed, 11), 0, 1)
        crops = np.clip(0.45 + 1.3 * fractal_noise(y, x, (500.0, 150.0, 60.0), seed, 14), 0, 1)
        self.crop_fit = 0.9 * settled * crops * np.clip(t / 10, 0, 1) * np.clip((p - 150) / 450, 0, 1) * (1 - high)
        self.pasture_fit = 0.75 * settled * (1 - 0.9 * crops) * np.clip((t + 3) / 8, 0, 1) * np.clip(p / 400, 0, 1)
        # Settling starts at different times in different places and slows down by itself.
        self.onset = 1840 + 120 * value_noise(y, x, 800.0, seed, 12)
        wet = 1.2 * np.clip(p / 800, 0, 1.4) * np.clip((t + 3) / 10, 0, 1)
        patchy = 0.9 * fractal_noise(y, x, (400.0, 150.0, 60.0), seed, 17)
        self.trees = np.clip(wet + patchy - 0.3, 0, 1) * np.clip(1.4 - height / 2500, 0, 1)
        bare = 0.8 * np.clip((450 - p) / 300, 0, 1) + np.clip((height - 1500) / 1500, 0, 0.8)
        self.bare = np.clip(0.04 + bare + np.clip((-2 - t) / 6, 0, 1), 0, 1)
        self.swings = [
            MovingNoise(y, x, (150.0, 50.0), years, seed, layer) for layer, years in ((13, 30.0), (16, 25.0))
        ]
        self.town_fit = settled * np.clip(t / 10, 0, 1)
        land, town = in_blocks(ground.kind) == OTHER, in_blocks(ground.town)
        cells = np.maximum(land.sum(-1), 1)
        self.towns = np.stack([(land & (town < reach)).sum(-1) / cells for reach in _REACHES])

    def _town_share(self, reach: np.ndarray) -> np.ndarray:
        """Share of land (1) within towns that have grown to a multiple of their size."""
        last = len(_REACHES) - 1
        place = np.clip(np.log(np.maximum(reach, 1e-9) / _REACHES[0]) / np.log(_REACHES[-1] / _REACHES[0]), 0, 1) * last
        below = np.minimum(place.astype(int), last - 1)
        shape = np.broadcast_shapes(below.shape, self.towns.shape[1:])
        low, high = (
            np.take_along_axis(self.towns, (below + k).reshape(-1, *shape[-2:]), axis=0).reshape(shape) for k in (0, 1)
        )
        return low + (high - low) * (place - below)

    def progress(self, year: float | np.ndarray) -> np.ndarray:
        """How far settling has come (0 to 1)."""
        return 1 / (1 + np.exp(-(year - self.onset) / 25))

    def managed(self, year: int | np.ndarray, swing: bool = True) -> np.ndarray:
        """Shares (1) of towns, cropland and pasture, before they make room for each other.

        Parameters
        ----------
        year : int or numpy.ndarray, shape (years, 1, 1)
        swing : bool
            With the local ups and downs that no inventory sees; for a single year only.

        Returns
        -------
        numpy.ndarray, shape (3, [years,] rows, cols)
        """
        progress = self.progress(year)
        ups = [0.05 * s.at(float(year)) if swing else 0.0 for s in self.swings]
        ramp = np.clip((np.asarray(year) - _FORK) / (2100 - _FORK), 0, 1)
        ramp = ramp * ramp * (3 - 2 * ramp)
        crop, pasture, town = (1 + g * ramp for g in self.growth)
        return np.stack([
            self._town_share(2.2 * town * self.town_fit * progress * self.progress(np.asarray(year) - 30)),
            crop * self.crop_fit * (progress + ups[0]),
            pasture * self.pasture_fit * (progress + ups[1]),
        ])  # fmt: skip

    def shares(self, managed: np.ndarray) -> np.ndarray:
        """Shares (1) of urban, cropland, pasture, forest, grass/shrubland, other land, from `managed`; sum to 1."""
        managed = np.clip(managed, 0, None)
        managed = managed * (0.96 / np.maximum(managed.sum(0), 0.96))
        rest = 1 - managed.sum(0)
        other = rest * self.bare
        forest = (rest - other) * self.trees
        return np.concatenate([managed, np.stack([forest, rest - other - forest, other])])


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
