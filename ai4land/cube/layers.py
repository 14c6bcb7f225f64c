"""The layers of one region, from the inputs on their own grids to the cube's cells."""

import numpy as np
import pandas as pd
import xarray as xr

from ai4land.grid import COARSE_CELLS, Grid, grid_of
from ai4land.legend import class_codes, read_crosswalk, read_legend, recode
from ai4land.regrid import area_mean, class_fractions, cut_around, nearest
from ai4land.runs import Run
from ai4land.sources import InputFile, open_input
from ai4land.sources.climate import join_climate
from ai4land.sources.elevation import derive_terrain
from ai4land.sources.joins import POPULATION_SEAM, join_co2, join_population

_FIRST_YEAR = 1850  # of the product
_COARSE_RELIEF = 5  # times the cells' size: elevation coarser than that stays on its own grid


def relief_is_coarse(elevation: xr.DataArray, grid: Grid) -> bool:
    """Whether an elevation is so coarse that it stays on its own grid."""
    return grid_of(elevation).dlat > _COARSE_RELIEF * grid.dlat


def regrid_land_use(cover: xr.DataArray, grid: Grid) -> xr.DataArray:
    """Land use of all years on the cells of a region, in the eight classes of legend ``land_use``.

    Parameters
    ----------
    cover : xarray.DataArray, shape (time, lat, lon), uint8
        HILDA+ codes, lazy; ``attrs["version"]`` chooses the crosswalk.
    grid : Grid
        Cells of about the size of the data's.

    Returns
    -------
    xarray.DataArray, shape (time, lat, lon), uint8
        255 is no data.

    Raises
    ------
    ValueError
        If a map holds a code that the version does not know.

    References
    ----------
    Winkler et al. (2021), doi:10.1038/s41467-021-22702-2
    """
    version = cover.attrs["version"]
    crosswalk = read_crosswalk(f"hilda_plus_v{version}", "land_use")
    maps = nearest(cut_around(cover, grid), grid).load()
    name = f"HILDA+ v{version}"
    classes = np.stack([recode(m.to_numpy(), crosswalk, f"{name}, {int(m['time'])}") for m in maps])
    return maps.copy(data=classes).rename("land_use")


def coarse_fractions(land_use: xr.DataArray) -> xr.Dataset:
    """Class fractions of blocks of 25 x 25 cells, every year, aggregated from land use itself.

    Parameters
    ----------
    land_use : xarray.DataArray, shape (time, lat, lon), uint8
        Blocks count from its north-west corner; 255 is no data.

    Returns
    -------
    xarray.Dataset
        ``land_use_fraction`` (time, cover_class, lat, lon) float32 (1), NaN without data, and
        ``data_area`` (time, lat, lon) float64 (m2).
    """
    codes = class_codes(read_legend("land_use"))
    blocks = grid_of(land_use).blocks(COARSE_CELLS)
    years = xr.concat([class_fractions(m, blocks, codes) for m in land_use], land_use["time"])
    return years.rename(fraction="land_use_fraction", area="data_area")


def regrid_terrain(elevation: xr.DataArray, grid: Grid) -> xr.Dataset:
    """Elevation, slope and aspect on the cells: derived on the elevation's own grid, then area means.

    Parameters
    ----------
    elevation : xarray.DataArray, shape (lat, lon), float32
        m, in memory, with a margin around ``grid`` where the data have one.

    Returns
    -------
    xarray.Dataset
        Variables of `ai4land.sources.elevation.derive_terrain`; NaN where there is no elevation.
    """
    return xr.Dataset({name: area_mean(field, grid) for name, field in derive_terrain(elevation).items()})


def regrid_luh2_static(static: xr.Dataset, blocks: Grid) -> xr.Dataset:
    """Static fields of LUH2 on coarse cells, area means.

    Parameters
    ----------
    static : xarray.Dataset
        Of `ai4land.sources.luh2.open_luh2_static`.
    blocks : Grid
        Coarse cells of the region.
    """
    fields = {n: area_mean(cut_around(f, blocks).load(), blocks) for n, f in static.items() if n != "cell_area"}
    return xr.Dataset(fields)


def luh2_groups(run: Run, inputs: dict[str, list[InputFile]]) -> dict[str, xr.Dataset]:
    """LUH2's states by group of the cube: ``luh2`` for the history, ``luh2-<scenario>`` for what follows it.

    Parameters
    ----------
    run : Run
    inputs : dict of str to list of InputFile
        Files by role, of `ai4land.sources.find_inputs`.

    Returns
    -------
    dict of str to xarray.Dataset
        Of `ai4land.sources.luh2.open_luh2_states`, lazy; the history starts in 1850.

    Raises
    ------
    ValueError
        If the history starts after the maps or ends before them and no scenario goes on, or there is a gap between it
        and a scenario.
    """
    groups: dict[str, xr.Dataset] = {}
    ends = _FIRST_YEAR
    for role in ("luh2", *run.inputs.scenarios) if run.inputs.luh2 else ():
        states = open_input(inputs[role])
        first, last = int(states["time"][0]), int(states["time"][-1])
        base, ends = run.map_years[-1], last if role == "luh2" else ends
        if role == "luh2" and (first > run.map_years[0] or (last < base and not run.inputs.scenarios)):
            raise ValueError(
                f"LUH2 history has years {first}-{last}, the maps {run.map_years[0]}-{base}; change years."
            )
        if first > ends + 1:
            raise ValueError(f"scenario {role} starts in {first}, LUH2's history ends in {ends}: nothing leads to it.")
        group = "luh2" if role == "luh2" else f"luh2-{role}"
        groups[group] = states.sel(time=slice(_FIRST_YEAR, None))
    return groups


def regrid_luh2_states(states: xr.Dataset, blocks: Grid) -> xr.Dataset:
    """LUH2's states on coarse cells, area means; an identity where the cells are LUH2's own.

    Parameters
    ----------
    states : xarray.Dataset, (time, lat, lon)
        Of `luh2_groups`.
    blocks : Grid
        Coarse cells of the run.

    Returns
    -------
    xarray.Dataset
        ``luh2_state`` (time, state, lat, lon) float32.
    """
    around = cut_around(states.to_dataarray("state"), blocks).transpose("time", "state", "lat", "lon").load()
    own = nearest(around, blocks)
    if not grid_of(around).same_cells(blocks):
        own = own.copy(data=[[area_mean(one, blocks).to_numpy() for one in year] for year in around])
    return own.astype(np.float32).to_dataset(name="luh2_state")


def koppen_maps(inputs: dict[str, list[InputFile]]) -> dict[str, xr.DataArray]:
    """Koeppen-Geiger maps by period and scenario, such as ``1961_1990`` or ``2041_2070-ssp370``.

    Parameters
    ----------
    inputs : dict of str to list of InputFile
        Files by role, of `ai4land.sources.find_inputs`.

    Returns
    -------
    dict of str to xarray.DataArray
        Of `ai4land.sources.open_input`, lazy; empty where the run names neither earlier nor later periods.
    """
    if not {"koppen_history", "koppen_future"} & set(inputs):
        return {}
    files = [f for role in ("koppen_history", "koppen", "koppen_future") for f in inputs.get(role, ())]
    return {"-".join(f.keys[k] for k in ("period", "scenario") if k in f.keys): open_input([f]) for f in files}


def open_series(run: Run, inputs: dict[str, list[InputFile]]) -> dict[str, xr.Dataset]:
    """Monthly and yearly series that stay on their own grids, by group of the cube.

    Parameters
    ----------
    run : Run
    inputs : dict of str to list of InputFile
        Files by role, of `ai4land.sources.find_inputs`.

    Returns
    -------
    dict of str to xarray.Dataset
        ``climate`` (the reanalysis, before it the adjusted climate model where the run names one), ``climate_land``,
        ``population`` and ``co2``, and what follows them in each scenario, ``climate-<scenario>`` and so on; lazy.
        The rules of the seams are those of `ai4land.sources.climate.join_climate`, `join_co2`, `join_population`.

    Raises
    ------
    ValueError
        If two parts do not continue each other.
    """
    names = ("climate_land", "population", "co2")
    groups = {role: open_input(inputs.get(f"{role}_history", []) + inputs[role]) for role in names if role in inputs}
    if "climate" in inputs:
        groups["climate"] = reanalysis = open_input(inputs["climate"])
        if "climate_history" in inputs:
            model = open_input(inputs["climate_history"])
            groups["climate"] = join_climate(reanalysis, model)
    for scenario in run.inputs.climate_scenarios:
        whole = join_climate(reanalysis, model, open_input(inputs[f"climate-{scenario}"]))
        groups[f"climate-{scenario}"] = whole.sel(time=whole["time"] > groups["climate"]["time"][-1])
    for role, join in (("co2", join_co2), ("population", join_population)):
        for scenario in getattr(run.inputs, f"{role}_scenarios"):
            whole = join(groups[role], open_input(inputs[f"{role}-{scenario}"]))
            last = POPULATION_SEAM if role == "population" else int(groups[role]["time"][-1])
            groups[f"{role}-{scenario}"] = whole.sel(time=slice(last + 1, None))
    return groups


def time_steps(inputs: dict[str, list[InputFile]]) -> dict[str, np.ndarray]:
    """Periods, years and months that the inputs give to the groups ``koppen``, ``land_cover`` and ``lai``.

    The months are those of the dates in the files' names, where these have dates; one such file is opened, to see that
    it can be read.

    Raises
    ------
    ValueError
        As the reader of leaf area index.
    """
    steps = {}
    if zones := koppen_maps(inputs):
        steps["koppen"] = np.array(list(zones), object)
    if years := [f.year for role in ("land_cover", "land_cover_later") for f in inputs.get(role, ())]:
        steps["land_cover"] = np.array(years)
    if files := inputs.get("leaf_area_index"):
        dates = [file.keys.get("date", "") for file in files]
        known = open_input(files[:1] if all(dates) else files)["time"].to_numpy()
        if all(dates):  # YYYYMMDD, or YYYYDDD with the day of the year
            known = pd.to_datetime(dates, format="%Y%m%d" if len(dates[0]) == 8 else "%Y%j").to_numpy()
        steps["lai"] = np.unique(known.astype("datetime64[M]")).astype("datetime64[ns]")
    return steps
