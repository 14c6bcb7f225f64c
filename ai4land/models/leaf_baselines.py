"""What a model of leaf area must beat: three means of the training years, and the prior season again."""

from pathlib import Path
from typing import Self

import numpy as np

from ai4land.experiments import Experiment
from ai4land.models.leaf_rows import blocks_of, land_and_water
from ai4land.samples.predictors import Given
from ai4land.samples.region import Region
from ai4land.vegetation import MONTHS
from ai4land.windows import WHOLE, Window

_MAPS = Given(land_use=True, land_cover=True)


class LeafPersistence:
    """The prior season again; hidden cells have none."""

    name = "persistence"
    targets: tuple[str, ...] = ("leaf_area_index",)
    given = Given(land_use=True, land_cover=True, prior_leaves=True)

    def fit(self, cube: Region, experiment: Experiment) -> Self:
        """Nothing to learn."""
        return self

    def predict(
        self, cube: Region, prior_year: int, year: int, hidden: np.ndarray | None = None,
        window: Window = WHOLE,
    ) -> dict[str, np.ndarray]:  # fmt: skip
        """See `GreenModel`; NaN where the prior season is hidden."""
        season = cube.field("leaf_area_index", prior_year, window).astype(np.float32)
        season = season if hidden is None else np.where(hidden, np.float32(np.nan), season)
        return {self.targets[0]: _on_land(season, cube, year, window)}

    def save(self, folder: Path) -> None:
        """Nothing to save."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """A new one."""
        return cls()


class Climatology:
    """Each cell's mean of every month over the training years.

    Attributes
    ----------
    season : numpy.ndarray, shape (12, y, x), float32
        m2 m-2; NaN where no training year has the month, and on water.
    """

    name = "climatology"
    targets: tuple[str, ...] = ("leaf_area_index",)
    given = _MAPS

    def __init__(self) -> None:
        self.season = np.empty((MONTHS, 0, 0), np.float32)

    def fit(self, cube: Region, experiment: Experiment) -> Self:
        """Means of the training years; each year's water is left out of them."""
        self.season = np.full((MONTHS, *cube.grid.shape), np.nan, np.float32)
        for block in blocks_of(cube.grid):
            shape = self.season[(slice(None), *block)].shape
            total, number = np.zeros(shape), np.zeros(shape)
            for year in experiment.learned("train"):
                leaves = cube.field("leaf_area_index", year, block)
                known = np.isfinite(leaves) & land_and_water(cube, _MAPS, year, block)[0]
                total, number = total + np.where(known, leaves, 0), number + known
            self.season[(slice(None), *block)] = np.where(number > 0, total / np.maximum(number, 1), np.nan)
        return self

    def made(self, window: Window) -> np.ndarray:
        """Season of a window of the region it was fitted on, (12, y, x)."""
        return self.season[(slice(None), *window)]

    def predict(
        self, cube: Region, prior_year: int, year: int, hidden: np.ndarray | None = None,
        window: Window = WHOLE,
    ) -> dict[str, np.ndarray]:  # fmt: skip
        """See `GreenModel`."""
        return {self.targets[0]: _on_land(self.made(window), cube, year, window)}

    def save(self, folder: Path) -> None:
        """Write ``season.npy``."""
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "season.npy", self.season)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; executes no code."""
        model = cls()
        model.season = np.load(folder / "season.npy", allow_pickle=False)
        return model


class CellMean(Climatology):
    """Each cell's mean over the training years: the mean of its climatology."""

    name = "cell_mean"

    def made(self, window: Window) -> np.ndarray:
        """See `Climatology`: the same in every month."""
        season = super().made(window)
        number = np.isfinite(season).sum(0)
        mean = np.where(number > 0, np.nansum(season, 0) / np.maximum(number, 1), np.nan)
        return np.broadcast_to(mean.astype(np.float32), season.shape)


class GlobalMean(Climatology):
    """One number: the mean of the climatology over all land cells of the region and all months."""

    name = "global_mean"

    def made(self, window: Window) -> np.ndarray:
        """See `Climatology`: the same everywhere."""
        return np.full_like(super().made(window), np.nanmean(self.season, dtype=float))


def _on_land(season: np.ndarray, cube: Region, year: int, window: Window) -> np.ndarray:
    """A season as it is on land; 0 on water, NaN without data."""
    land, water = land_and_water(cube, _MAPS, year, window)
    return np.where(water, np.float32(0), np.where(land, season, np.float32(np.nan)))
