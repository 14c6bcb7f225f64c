"""How much of each coarse cell every class wants, year by year and scenario by scenario."""

import numpy as np

from ai4land.grid import COARSE_CELLS, Grid
from ai4land.twin.earth import climate, elevation, fine_position
from ai4land.twin.ground import OTHER, Ground, in_blocks
from ai4land.twin.noise import MovingNoise, fractal_noise, value_noise

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


_REACHES = np.geomspace(0.05, 8.0, 33)  # growth of towns, as multiples of their size


class Demand:
    """Shares of land that the classes want in every coarse cell; all that stands still is computed once.

    Parameters
    ----------
    ground : Ground
        Its coarse cells are meant.
    scenario : str
        A key of ``SCENARIOS``: what happens after 2015; the empty one carries on.
    """

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


def demand(grid: Grid, year: int, seed: int, scenario: str = "") -> np.ndarray:
    """Share of land that each class wants in every coarse cell.

    Parameters
    ----------
    grid : Grid
        Fine cells, as for `ai4land.twin.land_use`.
    year : int
    seed : int
    scenario : str
        A key of ``SCENARIOS``.

    Returns
    -------
    numpy.ndarray, shape (class, coarse rows, coarse cols), float64
        Shares (1) of urban, cropland, pasture, forest, grass/shrubland, other land; sum to 1.
    """
    wanted = Demand(Ground(grid, seed), scenario)
    return wanted.shares(wanted.managed(year))
