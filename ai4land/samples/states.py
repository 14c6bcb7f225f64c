"""LUH2 of some coarse cells of a cube: its states, and the class fractions that they mean."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
import xarray as xr

from ai4land.cube import open_cube
from ai4land.sources.luh2 import STATES, state_class_fractions


def open_states(
    path: Path, blocks: tuple[slice, slice], scenario: str | None = None, years: Collection[int] | None = None
) -> xr.DataArray:
    """LUH2 of some coarse cells: its history, gone on with by a scenario after the history's last year.

    Parameters
    ----------
    path : pathlib.Path
        The store.
    blocks : tuple of slice
        Rows and columns of coarse cells.
    scenario : str, optional
    years : collection of int, optional
        Those of these that it has; all where absent.

    Returns
    -------
    xarray.DataArray, shape (time, state, lat, lon), float32, lazy
        The twelve states as fractions of the whole cell (1), ``secma`` (years) and ``secmb`` (kg m-2); NaN is ocean.

    Raises
    ------
    ValueError
        If the scenario starts after the year that follows the history's last.
    """
    rows, cols = blocks
    groups = ["luh2", *([f"luh2-{scenario}"] if scenario else [])]
    parts = [open_cube(path, group)["luh2_state"].isel(lat=rows, lon=cols) for group in groups]
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
    return stored if years is None else stored.isel(time=stored["time"].isin(list(years)))


def loaded_fractions(stored: xr.DataArray) -> np.ndarray:
    """Class fractions of whole cells, (year, class, Y, X) float32, of states of `open_states`, which are loaded."""
    stored.load()
    names = stored["state"].to_numpy()
    return whole_cell_fractions(xr.Dataset({str(name): stored.sel(state=name, drop=True) for name in names}))


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
