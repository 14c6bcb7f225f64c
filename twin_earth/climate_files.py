"""Climate of the twin Earth on disk: monthly ERA5 and ERA5-Land, a climate model in ISIMIP3b's files, carbon dioxide.

The Climate Data Store delivers a ZIP called .nc of two NetCDF files, for state and for accumulated variables; sums are
means per day. The model differs from the reanalysis as a model does: other spells (another seed), 1.2 degree too warm,
a sixth too wet and a twentieth too dark, on cells of half a degree whose relief is smoothed. Its warming is the
planet's.
"""

import zipfile
from math import ceil, floor
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import xarray as xr

from ai4land.grid import Grid
from ai4land.sources.registry import dataset_row, series_of
from twin_earth.earth import elevation
from twin_earth.weather import BASE, Weather, carbon_dioxide
from twin_earth.writers import write_netcdf

ERA5_YEARS, ERA5_LAND_YEARS = range(1940, 2026), range(1950, 2026)
# Years by which a layer lags behind the rain, and share of the cycle of the year that reaches it.
_LAYERS = {"swvl1": (0.0, 1.0), "swvl2": (0.04, 0.9), "swvl3": (0.12, 0.6), "swvl4": (0.25, 0.3)}
_REANALYSIS = {  # units, long name, number of the parameter, kind of step
    "t2m": ("K", "2 metre temperature", 167, "avgua"),
    **{f"swvl{k}": ("m**3 m**-3", f"Volumetric soil water layer {k}", 38 + k, "avgua") for k in (1, 2, 3, 4)},
    "tp": ("m", "Total precipitation", 228, "avgad"),
    "ssrd": ("J m**-2", "Surface short-wave (solar) radiation downwards", 169, "avgad"),
}
_DAY = 86400  # s
_WARM, _WET, _DARK = 1.2, 7 / 6, 0.95  # K; factors of precipitation and radiation
_OTHER = 1_000_003  # added to the seed of the planet's weather
_MODEL = {
    "tas": ("air_temperature", "Near-Surface Air Temperature", "K"),
    "pr": ("precipitation_flux", "Precipitation", "kg m-2 s-1"),
    "rsds": ("surface_downwelling_shortwave_flux_in_air", "Surface Downwelling Shortwave Radiation", "W m-2"),
}
_CO2 = "mole_fraction_of_carbon_dioxide_in_air"
_CO2_NAME = "mole-fraction-of-carbon-dioxide-in-air_input4MIPs_GHGConcentrations_{}_gr1-GMNHSH_{}.nc"
_CO2_MODELS = {"ssp126": "IMAGE", "ssp245": "MESSAGE-GLOBIOM", "ssp370": "AIM", "ssp585": "REMIND-MAGPIE"}


def _relief(lat: np.ndarray, lon: np.ndarray, per_degree: int, seed: int) -> np.ndarray:
    """Elevation at five by five points of every cell, (rows, 5, cols, 5), m."""
    y, x = ((axis[:, None] + np.arange(-2, 3) / 5 / per_degree).ravel() for axis in (lat, lon))
    return elevation(y, x, seed).reshape(lat.size, 5, lon.size, 5)


class Reanalysis:
    """Monthly fields on a lattice of points, ``cells`` to a degree: 4 for ERA5, 10 for ERA5-Land.

    ``lat`` and ``lon``, degrees, are multiples of the spacing, from the window's edge or one beyond it; ``land`` is the
    fraction of land (1), (rows, cols).
    """

    def __init__(self, grid: Grid, cells: int, seed: int) -> None:
        west, south, east, north = np.round(np.array(grid.bounds) * cells, 6)
        self.lat = np.arange(ceil(north), floor(south) - 1, -1) / cells
        self.lon = np.arange(floor(west), ceil(east) + 1) / cells
        height = _relief(self.lat, self.lon, cells, seed)
        self.land = (height > 0).mean((1, 3))
        self.weather = Weather(self.lat, self.lon, np.clip(height, 0, None).mean((1, 3)), seed)

    def month(self, year: int, month: int) -> dict[str, np.ndarray]:
        """The variables of one month, each (rows, cols): K, m3 m-3 (0 at sea), m day-1, J m-2 day-1."""
        time, weather = year + (month - 0.5) / 12, self.weather
        soil = {
            name: np.where(self.land >= 0.5, 0.06 + 0.4 * weather.moisture(time - lag, damping), 0)
            for name, (lag, damping) in _LAYERS.items()
        }
        return {"t2m": weather.temperature(time) + 273.15, **soil, "tp": weather.rainfall(time) / 1000,
                "ssrd": weather.sunshine(time)}  # fmt: skip


def _member(planet: Reanalysis, fields: dict[str, np.ndarray], year: int) -> xr.Dataset:
    """One member of the ZIP: all months of some variables."""
    months = np.array([f"{year}-{month:02d}-01" for month in range(1, 13)], "datetime64[s]").astype(np.int64)
    variables = {}
    for name, values in fields.items():
        units, title, number, step = _REANALYSIS[name]
        about = {"units": units, "long_name": title, "standard_name": "unknown", "GRIB_paramId": np.int64(number),
                 "GRIB_shortName": name, "GRIB_stepType": step, "GRIB_gridType": "regular_ll"}  # fmt: skip
        variables[name] = (("valid_time", "latitude", "longitude"), values, about)
    axes = {
        name: (name, axis, {"units": f"degrees_{side}", "standard_name": name, "long_name": name,
                            "stored_direction": direction})
        for name, axis, side, direction in (("latitude", planet.lat, "north", "decreasing"),
                                            ("longitude", planet.lon, "east", "increasing"))
    }  # fmt: skip
    time = {"long_name": "time", "standard_name": "time", "units": "seconds since 1970-01-01"}
    member = {"long_name": "ensemble member numerical id", "units": "1", "standard_name": "realization"}
    return xr.Dataset(
        variables,
        {"valid_time": ("valid_time", months, time | {"calendar": "proleptic_gregorian"}), **axes,
         "number": ((), np.int64(0), member), "expver": ("valid_time", np.full(12, "0001", object))},
        {"Conventions": "CF-1.7", "title": "Monthly weather of the twin Earth (synthetic)"},
    )  # fmt: skip


def _write_reanalysis_year(path: Path, planet: Reanalysis, year: int, masked: bool) -> None:
    months = [planet.month(year, month) for month in range(1, 13)]
    part = path.with_suffix(".part")
    with TemporaryDirectory() as folder, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for step in ("avgua", "avgad"):
            names = [name for name, about in _REANALYSIS.items() if about[3] == step]
            fields = {name: np.stack([m[name] for m in months]).astype(np.float32) for name in names}
            if masked:
                fields = {n: np.where(planet.land >= 0.5, field, np.float32(np.nan)) for n, field in fields.items()}
            file = Path(folder) / f"data_stream-moda_stepType-{step}.nc"
            packed = {n: {"_FillValue": np.float32(np.nan), "zlib": True} for n in fields}
            write_netcdf(file, _member(planet, fields, year), packed | {"latitude": {}, "longitude": {}})
            # The date is fixed: equal content has equal bytes.
            info = zipfile.ZipInfo(file.name, (1980, 1, 1, 0, 0, 0))
            archive.writestr(info, file.read_bytes(), zipfile.ZIP_DEFLATED)
    part.replace(path)


def _write_reanalysis(raw: Path, name: str, planet: Reanalysis, years: list[int], masked: bool) -> None:
    for year in years:
        if not (raw / name.format(year)).exists():
            _write_reanalysis_year(raw / name.format(year), planet, year, masked)


def write_era5(raw: Path, grid: Grid, years: list[int], seed: int) -> None:
    """Write monthly ERA5 on 0.25 degree, one file a year from 1940."""
    wanted = [y for y in years if y in ERA5_YEARS]
    _write_reanalysis(raw, "era5_monthly_{}.nc", Reanalysis(grid, 4, seed), wanted, False)


def write_era5_land(raw: Path, grid: Grid, years: list[int], seed: int) -> None:
    """Write monthly ERA5-Land on 0.1 degree, NaN at sea, one file a year from 1950."""
    wanted = [y for y in years if y in ERA5_LAND_YEARS]
    _write_reanalysis(raw, "era5_land_monthly_{}.nc", Reanalysis(grid, 10, seed), wanted, True)


class ClimateModel:
    """Monthly climate of a model.

    ``cells`` are of half a degree on the globe's lattice: those that cover the window, and one beyond where there is
    one. ``smooth`` is their elevation, (rows, cols), m; 0 at sea.
    """

    def __init__(self, grid: Grid, seed: int, scenario: str = "") -> None:
        west, south, east, north = np.round(np.array(grid.bounds) * 2, 6)
        top, bottom = min(ceil(north) + 1, 180), max(floor(south) - 1, -180)
        left, right = max(floor(west) - 1, -360), min(ceil(east) + 1, 360)
        self.cells = Grid(top / 2, left / 2, 0.5, 0.5, top - bottom, right - left)
        self.smooth = np.clip(_relief(self.cells.lat, self.cells.lon, 2, seed), 0, None).mean((1, 3))
        self.weather = Weather(self.cells.lat, self.cells.lon, self.smooth, seed, seed + _OTHER, scenario)

    def month(self, year: int, month: int) -> dict[str, np.ndarray]:
        """tas (K), pr (kg m-2 s-1) and rsds (W m-2) of one month, each (rows, cols)."""
        time, weather = year + (month - 0.5) / 12, self.weather
        return {
            "tas": weather.temperature(time) + 273.15 + _WARM,
            "pr": weather.rainfall(time) / _DAY * _WET,
            "rsds": weather.sunshine(time) / _DAY * _DARK,
        }


def write_climate_model(raw: Path, grid: Grid, dataset: str, seed: int, scenario: str = "") -> None:
    """Write monthly means of a model run, one file a variable and decade.

    ``dataset`` is one of ISIMIP3b in the registry, which names the files; ``monthly`` stands for ``daily``.
    """
    row, model = dataset_row(dataset), ClimateModel(grid, seed, scenario)
    name = Path(row["url"]).name.replace("_daily_", "_monthly_")
    for decade in dict.fromkeys(one["decade"] for one in series_of(row)):
        paths = {v: raw / name.format(variable=v, decade=decade) for v in _MODEL}
        if all(path.exists() for path in paths.values()):
            continue
        first, last = map(int, decade.split("_"))
        months = [model.month(year, month) for year in range(first, last + 1) for month in range(1, 13)]
        for variable, path in paths.items():
            if not path.exists():
                _write_model(path, model.cells, variable, first, np.stack([m[variable] for m in months]))


def _write_model(path: Path, cells: Grid, variable: str, first: int, values: np.ndarray) -> None:
    standard, title, units = _MODEL[variable]
    about = {"standard_name": standard, "long_name": title, "units": units}
    starts = np.datetime64(f"{first}-01", "M") + np.arange(len(values))
    days = starts.astype("datetime64[D]").astype(int) + 14.0
    time = {"standard_name": "time", "units": "days since 1970-1-1", "calendar": "proleptic_gregorian", "axis": "T"}
    data = xr.Dataset(
        {variable: (("time", "lat", "lon"), values.astype(np.float32), about)},
        {"time": ("time", days, time), **cells.coords()},
        {"title": "Climate model of the twin Earth (synthetic)", "Conventions": "CF-1.6"},
    )
    write_netcdf(path, data, {variable: {"_FillValue": np.float32(1e20), "zlib": True, "complevel": 1}})


def _write_co2(path: Path, years: np.ndarray, origin: str, scenario: str) -> None:
    mean = carbon_dioxide(years, scenario)
    contrast = 0.02 * (mean - BASE)  # the north emits more
    middle = np.array([f"{year:04d}-07-02" for year in years], "datetime64[D]") - np.datetime64(f"{origin:0>4}-01-01")
    values = np.stack([mean, mean + contrast, mean - contrast], -1).astype(np.float32)
    about = {"long_name": _CO2, "standard_name": _CO2, "units": "1.e-6", "cell_methods": "time: mean"}
    data = xr.Dataset(
        {_CO2: (("time", "sector"), values, about)},
        {"time": ("time", middle / np.timedelta64(1, "D"), {"units": f"days since {origin}-1-1", "axis": "T",
                  "calendar": "gregorian", "long_name": "time", "standard_name": "time"}),
         "sector": ("sector", np.arange(3, dtype=np.int32),
                    {"long_name": "sector", "ids": "0: Global; 1: Northern Hemisphere; 2: Southern Hemisphere"})},
        {"title": "Carbon dioxide of the twin Earth (synthetic)", "Conventions": "CF-1.6", "frequency": "yr"},
    )  # fmt: skip
    write_netcdf(path, data, {_CO2: {"_FillValue": np.float32(1e20)}})


def write_carbon_dioxide(raw: Path, scenarios: list[str]) -> None:
    """Write the history, years 0 to 2014, and 2015 to 2500 of ssp126, ssp245, ssp370 and ssp585 where they are named.

    float32 (time, sector), 1e-6; sector 0 is the global mean, 1 and 2 are the hemispheres. Time of the history counts
    from year 0, which does not exist in most calendars.
    """
    path = raw / _CO2_NAME.format("CMIP_UoM-CMIP-1-2-0", "0000-2014")
    if not path.exists():
        _write_co2(path, np.arange(2015), "0", "")
    for scenario in scenarios:
        path = raw / _CO2_NAME.format(f"ScenarioMIP_UoM-{_CO2_MODELS.get(scenario)}-{scenario}-1-2-1", "2015-2500")
        if scenario in _CO2_MODELS and not path.exists():
            _write_co2(path, np.arange(2015, 2501), "1850", scenario)
