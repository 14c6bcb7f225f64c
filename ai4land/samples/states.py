"""LUH2 of one region, in memory: its states, and the class fractions that they mean."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from ai4land.cube import open_cube
from ai4land.sources.luh2 import STATES, state_class_fractions


@dataclass(frozen=True)
class Luh2:
    """LUH2 of one region on its coarse cells.

    Parameters
    ----------
    years : list of int
    names : list of str
        The twelve states, ``secma`` and ``secmb``.
    states : numpy.ndarray, shape (year, state, Y, X), float32
        Fractions of the whole cell (1), years, kg m-2; NaN is ocean.
    fraction : numpy.ndarray, shape (year, class, Y, X), float32
        Class fractions of the whole cell (1): what is neither land nor ice-free stands as ocean.
    """

    years: list[int]
    names: list[str]
    states: np.ndarray
    fraction: np.ndarray

    def index(self, year: int) -> int:
        """Position of a year, with an error that names the years there are."""
        if year not in self.years:
            raise ValueError(f"LUH2 has no year {year}; the cube has {self.years[0]}-{self.years[-1]}.")
        return self.years.index(year)


def read_luh2(path: Path, group: str, coarse_rows: slice, coarse_cols: slice) -> Luh2:
    """LUH2 of the coarse cells of a region from a group of the cube."""
    stored = open_cube(path, group)["luh2_state"].isel(lat=coarse_rows, lon=coarse_cols).load()
    fields = {str(n): stored.sel(state=n, drop=True) for n in stored["state"].to_numpy()}
    return Luh2(
        [int(y) for y in stored["time"]], list(fields), stored.to_numpy(), whole_cell_fractions(xr.Dataset(fields))
    )


def whole_cell_fractions(states: xr.Dataset) -> np.ndarray:
    """Class fractions of whole cells from LUH2's states; ocean, ice and water, which it does not tell apart, are 0.

    Returns
    -------
    numpy.ndarray, shape (year, class, Y, X), float32
        Sums to 1 over the classes.
    """
    land = state_class_fractions(states).transpose("time", "cover_class", "lat", "lon").to_numpy()
    known = np.nan_to_num(sum(states[n] for n in STATES).to_numpy())  # type: ignore[union-attr]
    fraction = np.nan_to_num(land) * np.clip(known, 0, 1)[:, None]
    fraction[:, 0] += 1 - fraction.sum(1)
    return fraction.astype(np.float32)
