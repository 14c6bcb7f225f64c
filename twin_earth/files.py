"""The twin Earth on disk, in the publishers' own formats: what the inputs of a run name, and no more."""

from math import ceil, floor
from pathlib import Path

import numpy as np
import xarray as xr
from tqdm import tqdm

from ai4land.grid import COARSE_CELLS, Grid, region_bounds
from ai4land.legend import read_crosswalk
from ai4land.runs import MADE_UP_MARK, Run
from ai4land.sources import dataset_row
from ai4land.sources.inputs import wanted_years
from twin_earth.climate_files import write_carbon_dioxide, write_climate_model, write_era5, write_era5_land
from twin_earth.inventories import write_population, write_states, write_static
from twin_earth.land_cover import write_c3s, write_esa_cci
from twin_earth.land_use import Land
from twin_earth.leaf_area import write_leaf_area
from twin_earth.still_layers import write_gebco, write_koppen, write_soil
from twin_earth.writers import write_geotiff, write_netcdf

V1_CELL = 0.00998837  # degree: cell of HILDA+ v1
_HILDA_NAMES = {
    "hilda_plus_v1": "hilda_plus_{}_states_GLOB-v1-0_wgs84-nn.tif",
    "hilda_plus_v2": "hilda_plus_states_{}_GLOB-v2_wgs84.tif",
}
_HISTORY = "multiple-states_input4MIPs_landState_CMIP_UofMD-landState-2-1-h_gn_0850-2015.nc"
_WRITTEN = {
    "land_use": (*_HILDA_NAMES, "hilda_plus_v2_netcdf"),
    "elevation": ("gebco_2024",),
    "koppen": ("koppen_beck_2023",),
    "koppen_history": ("koppen_beck_2023_history",),
    "koppen_future": ("koppen_beck_2023_future",),
    "luh2_static": ("luh2_static",),
    "luh2": ("luh2_v2h_states",),
    "soil": ("soilgrids",),
    "land_cover": ("esa_cci_land_cover",),
    "land_cover_later": ("c3s_land_cover",),
    "leaf_area_index": ("lai_cgls_1km",),
    "climate": ("era5_monthly",),
    "climate_land": ("era5_land_monthly",),
    "climate_history": ("isimip3b_historical",),
    "co2": ("co2_cmip6_history",),
    "population": ("population_histsoc",),
}
_VEGETATION = ("land_cover", "land_cover_later", "leaf_area_index")
_SERIES = {  # roles whose files are written for the years that the run uses
    "land_cover": write_esa_cci, "land_cover_later": write_c3s, "leaf_area_index": write_leaf_area,
    "climate": write_era5, "climate_land": write_era5_land,
}  # fmt: skip


def hilda_codes(classes: np.ndarray, version: str = "2.0") -> np.ndarray:
    """HILDA+ codes of land-use classes: the first code of each class in the version's crosswalk (uint8)."""
    first = read_crosswalk(f"hilda_plus_v{version}", "land_use").drop_duplicates("code").set_index("code")
    table = np.zeros(256, np.uint8)
    table[first.index] = first["source_code"]
    return table[classes]


def _v1_cells(fine: Grid) -> tuple[Grid, Grid, tuple[np.ndarray, ...]]:
    """Cells of HILDA+ v1 around a window with one of margin, the wider window of their land use, and where in it."""
    west, south, east, north = fine.bounds
    top, left = floor((90 - north) / V1_CELL) - 1, floor((west + 180) / V1_CELL) - 1
    bottom, right = ceil((90 - south) / V1_CELL) + 1, ceil((east + 180) / V1_CELL) + 1
    cells = Grid(90 - top * V1_CELL, -180 + left * V1_CELL, V1_CELL, V1_CELL, bottom - top, right - left)
    n = COARSE_CELLS
    wide = fine.cut(slice(-n, fine.rows + n), slice(-n, fine.cols + n))
    row = np.floor((wide.north - cells.lat) / wide.dlat).astype(int)
    col = np.floor((cells.lon - wide.west) / wide.dlon).astype(int)
    return cells, wide, np.ix_(row, col)


def _write_hilda(raw: Path, fine: Grid, dataset: str, years: list[int], seed: int) -> None:
    """HILDA+ of version 1 or 2: one GeoTIFF a year."""
    paths = {year: raw / _HILDA_NAMES[dataset].format(year) for year in years}
    paths = {year: path for year, path in paths.items() if not path.exists()}
    if not paths:
        return
    first = dataset == "hilda_plus_v1"
    cells, wide, at = _v1_cells(fine) if first else (fine, fine, ())
    land = Land(wide, seed)
    for year, path in tqdm(paths.items(), desc="twin Earth, HILDA+", unit="map", mininterval=5):
        write_geotiff(path, hilda_codes(land.land_use(year), "1.0" if first else "2.0")[at], cells)


def _write_hilda_netcdf(path: Path, fine: Grid, years: list[int], seed: int) -> None:
    """HILDA+ of version 2 as one NetCDF file."""
    land, span = Land(fine, seed), range(years[0], years[-1] + 1)
    states = np.stack([hilda_codes(land.land_use(y)) for y in tqdm(span, desc="twin Earth, HILDA+", mininterval=5)])
    data = xr.Dataset(
        {"LULC_states": (("time", "latitude", "longitude"), states)},
        {"time": np.array(span, np.uint16), "latitude": fine.lat.astype(np.float32),
         "longitude": fine.lon.astype(np.float32)},
    )  # fmt: skip
    packed = {"zlib": True, "complevel": 1, "chunksizes": (1, *fine.shape), "_FillValue": np.uint8(99)}
    write_netcdf(path, data, {"LULC_states": packed})


def _write_land_use(raw: Path, fine: Grid, run: Run) -> None:
    path = raw / "hildaplus_GLOB-2-0_states.nc"
    if run.inputs.land_use in _HILDA_NAMES:
        _write_hilda(raw, fine, run.inputs.land_use, run.map_years, run.seed)
    elif not path.exists():
        _write_hilda_netcdf(path, fine, run.map_years, run.seed)


def _write_luh2(raw: Path, fine: Grid, run: Run) -> None:
    if run.inputs.luh2_static is not None and not (raw / "staticData_quarterdeg.nc").exists():
        write_static(raw / "staticData_quarterdeg.nc", fine, run.seed)
    if run.inputs.luh2 is not None and not (raw / _HISTORY).exists():
        write_states(raw / _HISTORY, fine, np.arange(1850, 2016), 850, run.seed)
    for scenario, dataset in run.inputs.scenarios.items():
        path = raw / Path(dataset_row(dataset)["url"]).name
        if not path.exists():
            write_states(path, fine, np.arange(2015, 2101), 2015, run.seed, scenario)


def _write_series(raw: Path, fine: Grid, run: Run) -> None:
    inputs = run.inputs
    for role, write in _SERIES.items():
        if role in inputs.by_role:
            write(raw, _vegetation_cells(run, fine) if role in _VEGETATION else fine, wanted_years(run, role), run.seed)
    if inputs.climate_history is not None:
        write_climate_model(raw, fine, inputs.climate_history, run.seed)
    for scenario, dataset in inputs.climate_scenarios.items():
        write_climate_model(raw, fine, dataset, run.seed, scenario)
    if inputs.population is not None:
        write_population(raw, fine, run.seed)
    if inputs.co2 is not None:
        write_carbon_dioxide(raw, list(dict.fromkeys([*inputs.scenarios, *inputs.co2_scenarios])))


def _vegetation_cells(run: Run, fine: Grid) -> Grid:
    """The window around the regions that have land cover and leaf area."""
    regions = run.vegetation.regions if run.vegetation else ()
    if not regions:
        return fine
    west, south, east, north = np.array([region_bounds(region) for region in regions]).T
    return _fine(west.min(), south.min(), east.max(), north.max())


def _fine(west: float, south: float, east: float, north: float) -> Grid:
    return Grid(north, west, 0.01, 0.01, round((north - south) * 100), round((east - west) * 100))


def write_twin(raw: Path, run: Run) -> None:
    """Write what a synthetic run reads; files that are there already are kept.

    Parameters
    ----------
    raw : pathlib.Path
        Folder to write to.
    run : Run
        Its window, years and inputs; the window must lie on the 0.25 degree lattice.

    Raises
    ------
    ValueError
        If the run is not synthetic, has no window, or names inputs that are not made of the twin Earth, or the folder
        holds other files.
    """
    if not run.synthetic or run.window is None:
        raise ValueError(f"run {run.name}: the twin Earth is made for runs with synthetic: true and a window only.")
    inputs = run.inputs
    unmade = {role: name for role, name in inputs if isinstance(name, str) and name not in _WRITTEN.get(role, ())}
    unmade |= {s: name for s, name in inputs.climate_scenarios.items() if name != f"isimip3b_{s}"}
    if unmade:
        raise ValueError(f"run {run.name}: inputs {unmade} are not made of the twin Earth; known are {_WRITTEN}.")
    raw.mkdir(parents=True, exist_ok=True)
    if not (raw / MADE_UP_MARK).exists() and any(raw.iterdir()):
        raise ValueError(f"{raw}: holds files that the twin Earth did not make; give it a folder of its own by RAW=.")
    (raw / MADE_UP_MARK).write_text("Made-up files in the publishers' formats: the twin Earth of ai4land.\n")
    fine = _fine(*run.window)
    _write_land_use(raw, fine, run)
    write_koppen(raw, fine, run)
    write_gebco(raw, fine, run.seed)
    _write_luh2(raw, fine, run)
    if inputs.soil is not None:
        write_soil(raw, fine, run.seed)
    _write_series(raw, fine, run)


def write_planet_maps(folder: Path, run: Run, leads: list[int]) -> None:
    """Write the planet's own land use of years without a raw file, to judge a product by; nothing learns from it.

    ``planet-<experiment>.nc`` for every stepwise experiment whose years are not all among the run's maps: ``land_use``
    (time, lat, lon), uint8, codes of legend ``land_use``, on the fine cells of the window; ``time`` is the year. Files
    that are there are written again, so that they are of this run.

    Parameters
    ----------
    folder : pathlib.Path
        Of the run's cube.
    run : Run
        On the twin Earth.
    leads : list of int
        Years from an experiment's start that are written; its last test year where it has none of them.
    """
    for name, experiment in run.experiments.items():
        if run.window is None or not experiment.stepwise or run.judged(name):
            continue
        by_lead = {abs(year - experiment.start): year for year in experiment.targets}
        years = sorted(by_lead[lead] for lead in set(leads) & set(by_lead) or {max(by_lead)})
        fine = _fine(*run.window)
        land = Land(fine, run.seed, experiment.scenario or "")
        maps = np.stack([land.land_use(year) for year in years])
        data = xr.Dataset({"land_use": (("time", "lat", "lon"), maps)}, {"time": years, **fine.coords()})
        packed = {"zlib": True, "complevel": 1, "chunksizes": (1, *fine.shape), "_FillValue": None}
        write_netcdf(folder / f"planet-{name}.nc", data, {"land_use": packed})
