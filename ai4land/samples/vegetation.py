"""One region's maps of land use and land cover, seasons of leaf area, and what they may be predicted from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ai4land.grid import Grid
from ai4land.samples.states import Luh2
from ai4land.windows import WHOLE, Window


@dataclass(frozen=True)
class Yearly:
    """Fields of a region by year, read where they are cut.

    Parameters
    ----------
    name : str
        What they are, for error messages.
    years : list of int
    read : callable
        Year, rows and columns to an array: (y, x) uint8 of maps, (12, y, x) float32 of seasons, NaN where missing.
    """

    name: str
    years: list[int]
    read: Callable[[int, Window], np.ndarray]

    def at(self, year: int, window: Window = WHOLE) -> np.ndarray:
        """The field of one year, or a window of it.

        Raises
        ------
        ValueError
            If there is none of that year.
        """
        if year not in self.years:
            have = f"{self.years[0]}-{self.years[-1]}" if self.years else "none"
            raise ValueError(f"{self.name}: no year {year}, there are {have}; change the years in run.yml.")
        return np.asarray(self.read(year, window))


@dataclass(frozen=True)
class Climate:
    """Monthly climate of a region on its own coarse grid.

    Parameters
    ----------
    names : list of str
        Variables of ``data/climate_variables.csv``.
    grid : Grid
        Its cells, around the region's.
    years : list of int
        Whole years.
    values : numpy.ndarray, shape (year, month, variable, Y, X), float32
        NaN where missing, as over the sea.
    """

    names: list[str]
    grid: Grid
    years: list[int]
    values: np.ndarray

    def of(self, year: int) -> np.ndarray:
        """Months of one year, (month, variable, Y, X).

        Raises
        ------
        ValueError
            If there is none of that year.
        """
        if year not in self.years:
            raise ValueError(
                f"climate: no year {year}, there are {self.years[0]}-{self.years[-1]}; before and after a reanalysis "
                "it comes from a climate model: name climate_history and climate_scenarios in run.yml."
            )
        return self.values[self.years.index(year)]


@dataclass(frozen=True)
class VegetationCube:
    """One region: what is predicted, and what it may be predicted from.

    Parameters
    ----------
    region : str
    grid : Grid
        Fine cells.
    corner : tuple of int = (row, col)
        Place of the first fine cell in the run's grid.
    static : dict of str to numpy.ndarray, shape (y, x), float32
    land_use, land_cover : Yearly
        Maps (y, x) uint8; 255 and 0 are no data.
    leaf_area : Yearly
        Seasons (12, y, x) float32, m2 m-2, NaN where missing.
    climate : Climate
    co2 : dict of int to float
        Mole fraction by year, 1e-6.
    luh2 : Luh2, optional
    """

    region: str
    grid: Grid
    corner: tuple[int, int]
    static: Mapping[str, np.ndarray]
    land_use: Yearly
    land_cover: Yearly
    leaf_area: Yearly
    climate: Climate
    co2: Mapping[int, float] = field(default_factory=dict)
    luh2: Luh2 | None = None

    def with_maps(self, **maps: Yearly) -> "VegetationCube":
        """The same region with other ``land_use``, ``land_cover`` or ``leaf_area``: predicted ones, or changed ones."""
        return replace(self, **maps)  # type: ignore[arg-type]


def held_in_memory(name: str, fields: Mapping[int, np.ndarray]) -> Yearly:
    """Fields by year that are in memory, as `Yearly`."""
    return Yearly(name, sorted(fields), lambda year, window: fields[year][(..., *window)])
