"""What the maps, layers and years that are given to an emulator must be."""

from typing import Any

import numpy as np
import xarray as xr

from ai4land.export.forcing import calendar
from ai4land.export.state import DIRECTIONS
from ai4land.grid import grid_of


def field_names(graph: dict[str, Any]) -> dict[str, list[str]]:
    """Names of what a graph of land use takes.

    Parameters
    ----------
    graph : dict
        Its description in ``model.json``, with its ``name``.

    Returns
    -------
    dict of str to list of str
        LUH2's ``states`` and the ``static`` layers, the climate zone among them.

    Raises
    ------
    ValueError
        If it is not driven by LUH2.
    """
    inputs = {one["name"]: one for one in graph["inputs"]}
    if "states" not in inputs:
        raise ValueError(
            f"{graph['name']}: its coarse input is {graph.get('coarse', 'not LUH2')}, and Emulator steps with LUH2; "
            "give its inputs to Emulator.run."
        )
    static = inputs["static"]["names"] if "static" in inputs else []
    return {"states": inputs["states"]["names"], "static": static + ["koppen"] * ("koppen" in inputs)}


def cut_layers(static: xr.Dataset, maps: xr.DataArray, names: list[str]) -> xr.Dataset:
    """Static layers wanted, on the cells of the maps, (lat, lon).

    Raises
    ------
    ValueError
        If one is missing, or they are of other cells.
    """
    if missing := [name for name in names if name not in static]:
        raise ValueError(f"static: no layers {missing}, found {sorted(map(str, static.data_vars))}; give those too.")
    if not grid_of(static).same_as(grid_of(maps)):
        raise ValueError(f"static: cells are {grid_of(static)}, those of the maps {grid_of(maps)}; give the same ones.")
    if "koppen" in names and static["koppen"].dtype != np.uint8:
        raise ValueError(f"static: koppen is {static['koppen'].dtype}, expected uint8 codes with 0 for no data.")
    return static[names].transpose("lat", "lon")


def leads_to(maps: xr.DataArray, year: int) -> int:
    """Direction that maps of several years lead to: 1, -1, or 0 where their years do not tell.

    Raises
    ------
    ValueError
        If the first is not of ``year``, or the others turn round.
    """
    if "time" not in maps.coords:
        return 0
    years = calendar(maps["time"]).ravel()
    if years[0] != year or (np.abs(np.diff(np.sign(np.diff(years)))) > 1).any():
        raise ValueError(f"maps: years are {years.tolist()}, expected {year} and then those ever further from it.")
    return int(np.sign(years[0] - years[-1]))


def step_direction(state: xr.Dataset, year: int) -> int:
    """Direction of a step from a state to a year, 1 or -1.

    Raises
    ------
    ValueError
        If the year is not the next, or lies behind the state.
    """
    now, goes = state.attrs.get("year"), state.attrs.get("direction")
    if now is None or abs(year - now) != 1:
        raise ValueError(f"year {year}: the state is of {now}, and a step is one year; step through those between.")
    if goes not in (DIRECTIONS[0], DIRECTIONS[year - now]):
        raise ValueError(f"year {year}: the state of {now} goes {goes}; start another one to turn round.")
    return int(year - now)
