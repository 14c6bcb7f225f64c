"""LUH2 of one region, in memory: its states, and the class fractions that they mean."""

from collections.abc import Sequence
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


def read_luh2(
    path: Path, coarse_rows: slice, coarse_cols: slice, scenario: str | None = None, years: Sequence[int] | None = None
) -> Luh2:
    """LUH2 of the coarse cells of a region: its history, gone on with by a scenario after the history's last year.

    All years, or those of ``years`` that it has.

    Raises
    ------
    ValueError
        If the scenario starts after the year that follows the history's last.
    """
    groups = ["luh2", *([f"luh2-{scenario}"] if scenario else [])]
    parts = [open_cube(path, g)["luh2_state"].isel(lat=coarse_rows, lon=coarse_cols) for g in groups]
    last = int(parts[0]["time"][-1])
    if scenario:
        first = int(parts[1]["time"][0])
        if first > last + 1:
            raise ValueError(
                f"{path}: LUH2's {scenario} starts in {first}, its history ends in {last}: no rollout can cross the "
                "years between; name a history that reaches the scenario in run.yml."
            )
        parts[1] = parts[1].sel(time=slice(last + 1, None))
    stored = xr.concat(parts, "time")
    stored = (stored if years is None else stored.isel(time=stored["time"].isin(years))).load()
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
