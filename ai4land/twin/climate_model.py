"""A climate model of the twin Earth, in ISIMIP3b's files: the planet's climate with a bias, and weather of its own.

It differs from the reanalysis as a model does: other spells (another seed), 1.2 degree too warm, a sixth too wet and a
twentieth too dark, on cells of half a degree whose relief is smoothed. Its warming is the planet's.
"""

from math import ceil, floor
from pathlib import Path

import numpy as np
import xarray as xr

from ai4land.grid import Grid
from ai4land.sources.registry import dataset_row, series_of
from ai4land.twin.earth import elevation
from ai4land.twin.weather import Weather
from ai4land.twin.writers import write_netcdf

_PER_DEGREE = 2
_DAY = 86400  # s
_WARM, _WET, _DARK = 1.2, 7 / 6, 0.95  # K; factors of precipitation and radiation
_OTHER = 1_000_003  # added to the seed of the planet's weather
_SUB = np.arange(-2, 3) / 5  # points across a cell, in cells
_ABOUT = {
    "tas": ("air_temperature", "Near-Surface Air Temperature", "K"),
    "pr": ("precipitation_flux", "Precipitation", "kg m-2 s-1"),
    "rsds": ("surface_downwelling_shortwave_flux_in_air", "Surface Downwelling Shortwave Radiation", "W m-2"),
}


def _cells(grid: Grid) -> Grid:
    """Cells of half a degree on the globe's lattice that cover a window, and one beyond where there is one."""
    west, south, east, north = np.round(np.array(grid.bounds) * _PER_DEGREE, 6)
    top, bottom = min(ceil(north) + 1, 90 * _PER_DEGREE), max(floor(south) - 1, -90 * _PER_DEGREE)
    left, right = max(floor(west) - 1, -180 * _PER_DEGREE), min(ceil(east) + 1, 180 * _PER_DEGREE)
    return Grid(top / _PER_DEGREE, left / _PER_DEGREE, 1 / _PER_DEGREE, 1 / _PER_DEGREE, top - bottom, right - left)


class ClimateModel:
    """Monthly climate of a model.

    Parameters
    ----------
    grid : Grid
        Window.
    seed : int
    scenario : str
        What follows 2015: a key of ``SCENARIOS``.

    Attributes
    ----------
    cells : Grid
    smooth : numpy.ndarray, shape (rows, cols)
        Elevation of the cells, m; 0 at sea.
    """

    def __init__(self, grid: Grid, seed: int, scenario: str = "") -> None:
        self.cells = _cells(grid)
        lat, lon = ((axis[:, None] + _SUB / _PER_DEGREE).ravel() for axis in (self.cells.lat, self.cells.lon))
        height = np.clip(elevation(lat, lon, seed), 0, None).reshape(self.cells.rows, 5, self.cells.cols, 5)
        self.smooth = height.mean((1, 3))
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
    """Write monthly means of a model run, one file a variable and decade; those that exist are kept.

    Parameters
    ----------
    raw : pathlib.Path
    grid : Grid
        Window.
    dataset : str
        A data set of ISIMIP3b in the registry, which names the files; ``monthly`` stands for ``daily``.
    seed : int
    scenario : str
        What follows 2015: a key of ``SCENARIOS``.
    """
    row, made = dataset_row(dataset), ClimateModel(grid, seed, scenario)
    series = series_of(row)
    for decade in dict.fromkeys(one["decade"] for one in series):
        name = Path(row["url"]).name.replace("_daily_", "_monthly_")
        paths = {v: raw / name.format(variable=v, decade=decade) for v in _ABOUT}
        if all(path.exists() for path in paths.values()):
            continue
        first, last = map(int, decade.split("_"))
        months = [made.month(year, month) for year in range(first, last + 1) for month in range(1, 13)]
        for variable, path in paths.items():
            if not path.exists():
                _write(path, made.cells, variable, first, np.stack([m[variable] for m in months]))


def _write(path: Path, cells: Grid, variable: str, first: int, values: np.ndarray) -> None:
    standard, title, units = _ABOUT[variable]
    about = {"standard_name": standard, "long_name": title, "units": units}
    starts = np.datetime64(f"{first}-01", "M") + np.arange(len(values))
    days = starts.astype("datetime64[D]").astype(int) + 14.0
    time = {"standard_name": "time", "units": "days since 1970-1-1", "calendar": "proleptic_gregorian", "axis": "T"}
    data = xr.Dataset(
        {variable: (("time", "lat", "lon"), values.astype(np.float32), about)},
        {"time": ("time", days, time), **cells.coords()},
        {"title": "Climate model of the twin Earth (synthetic)", "Conventions": "CF-1.6"},
    )
    packed: dict[str, dict[str, object]] = {n: {"_FillValue": None} for n in ("time", "lat", "lon")}
    write_netcdf(path, data, packed | {variable: {"_FillValue": np.float32(1e20), "zlib": True, "complevel": 1}})
