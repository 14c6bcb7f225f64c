"""What an emulator starts from and is driven by, cut from a run's cube as a host model would give it."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from ai4land.grid import COARSE_CELLS
from ai4land.runs import Run
from ai4land.samples import read_region
from ai4land.samples.region_store import VEGETATION
from ai4land.sources.climate import read_climate_variables
from ai4land.vegetation import MONTHS


class Inputs(NamedTuple):
    """For `Emulator.start` and `Emulator.step`: maps and LUH2 (time, lat, lon), static layers (lat, lon)."""

    maps: xr.DataArray
    static: xr.Dataset
    forcing: xr.Dataset


def region_inputs(
    path: Path, run: Run, region: str, year: int, maps: int, backward: bool = False, scenario: str | None = None
) -> Inputs:
    """Known maps of a region up to a year, its static layers, and LUH2 of all years.

    Parameters
    ----------
    path : pathlib.Path
        The cube.
    run : Run
    region : str
    year : int
        Of the newest map.
    maps : int
        How many: those of the years before, of a model that goes backward those of the years after.
    backward : bool
    scenario : str, optional
        LUH2 of that scenario after the history.

    Returns
    -------
    Inputs
        Land use uint8, 255 is no data; layers in their own units, climate zones uint8; LUH2's states on its own grid
        and in its own units, ``time`` the calendar year.

    Raises
    ------
    ValueError
        If the cube lacks a year, or the run has no LUH2.
    """
    cube = read_region(path, run, region, scenario)
    if "luh2_state" not in cube:
        raise ValueError(f"run {run.name}: its coarse input is not LUH2, and emulators are driven by LUH2.")
    years = [year + number * (1 if backward else -1) for number in range(maps)]
    known = xr.DataArray(
        np.stack([cube.field("land_use", y) for y in years]),
        {"time": years, **cube.grid.coords()},
        ("time", "lat", "lon"),
        "land_use",
    )
    layers = {name: cube.field(name) for name in cube.static}
    if "koppen" in layers:
        layers["koppen"] = np.nan_to_num(layers["koppen"]).astype(np.uint8)
    static = xr.Dataset({n: (("lat", "lon"), values) for n, values in layers.items()}, cube.grid.coords())
    states = np.stack([cube.field("luh2_state", y) for y in cube.years("luh2_state")], 1)
    fields = {n: (("time", "lat", "lon"), one) for n, one in zip(cube.names("luh2_state"), states, strict=True)}
    forcing = xr.Dataset(fields, {"time": cube.years("luh2_state"), **cube.grid.blocks(COARSE_CELLS).coords()})
    return Inputs(known, static, forcing)


class GreenInputs(NamedTuple):
    """More: land cover (lat, lon), leaf area (month, lat, lon), climate and ``co2`` by month (time, lat, lon)."""

    land_cover: xr.DataArray
    leaf_area_index: xr.DataArray
    climate: xr.Dataset


def green_inputs(path: Path, run: Run, region: str, year: int, scenario: str | None = None) -> GreenInputs:
    """Land cover and season of a year, and the climate of all years.

    Parameters
    ----------
    path : pathlib.Path
        The cube.
    run : Run
        With a section ``vegetation``.
    region : str
        One that has vegetation.
    year : int
        With observed land cover and leaf area.
    scenario : str, optional
        Climate and CO2 of that scenario after the history.

    Returns
    -------
    GreenInputs
        Land cover uint8, 0 is no data; leaf area float32, m2 m-2; climate on its own grid, in its CF units.

    Raises
    ------
    ValueError
        If the cube lacks a year.
    """
    cube = read_region(path, run, region, scenario, fields=VEGETATION)
    fine, years = cube.grid.coords(), cube.years("climate")
    cover = xr.DataArray(cube.field("land_cover", year), fine, ("lat", "lon"), "land_cover")
    season = xr.DataArray(cube.field("leaf_area_index", year), fine, ("month", "lat", "lon"), "leaf_area_index")
    time = np.concatenate([np.arange(f"{y}-01", f"{y + 1}-01", dtype="datetime64[M]") for y in years])
    units = read_climate_variables()["units"]
    months = np.concatenate([cube.field("climate", y) for y in years])
    fields: dict[str, Any] = {
        name: (("time", "lat", "lon"), months[:, number], {"units": units[name]})
        for number, name in enumerate(cube.names("climate"))
    }
    have = cube.years("co2")
    co2 = [float(cube.field("co2", y)) if y in have else np.nan for y in years for _ in range(MONTHS)]
    fields["co2"] = ("time", co2, {"units": "1e-6"})
    drivers = xr.Dataset(fields, {"time": time.astype("datetime64[ns]"), **cube.grid_of("climate").coords()})
    return GreenInputs(cover, season, drivers)
