"""Monthly ERA5 and ERA5-Land of the twin Earth, as the Climate Data Store delivers them.

A file called .nc is a ZIP of two NetCDF files, for state and for accumulated variables; sums are means per day.
"""

import zipfile
from math import ceil, floor
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import xarray as xr

from ai4land.grid import Grid
from ai4land.twin.earth import elevation
from ai4land.twin.weather import Weather
from ai4land.twin.writers import write_netcdf

ERA5_YEARS, ERA5_LAND_YEARS = range(1940, 2026), range(1950, 2026)
_SUB = np.arange(-2, 3) / 5  # points across a cell, in cells
# Years by which a layer lags behind the rain, and share of the cycle of the year that reaches it.
_LAYERS = {"swvl1": (0.0, 1.0), "swvl2": (0.04, 0.9), "swvl3": (0.12, 0.6), "swvl4": (0.25, 0.3)}
_ABOUT = {  # units, long name, number of the parameter, kind of step
    "t2m": ("K", "2 metre temperature", 167, "avgua"),
    **{f"swvl{k}": ("m**3 m**-3", f"Volumetric soil water layer {k}", 38 + k, "avgua") for k in (1, 2, 3, 4)},
    "tp": ("m", "Total precipitation", 228, "avgad"),
    "ssrd": ("J m**-2", "Surface short-wave (solar) radiation downwards", 169, "avgad"),
}


class Reanalysis:
    """Monthly fields on a lattice of points.

    Parameters
    ----------
    grid : Grid
        Window.
    cells : int
        Cells to a degree: 4 for ERA5, 10 for ERA5-Land. Their centres lie on multiples of the spacing, from the
        window's edge or one beyond it.
    seed : int

    Attributes
    ----------
    lat, lon : numpy.ndarray, shapes (rows,) and (cols,)
        Degrees.
    land : numpy.ndarray, shape (rows, cols), float64
        Share of land (1).
    """

    def __init__(self, grid: Grid, cells: int, seed: int) -> None:
        west, south, east, north = np.round(np.array(grid.bounds) * cells, 6)
        self.lat = np.arange(ceil(north), floor(south) - 1, -1) / cells
        self.lon = np.arange(floor(west), ceil(east) + 1) / cells
        lat, lon = ((axis[:, None] + _SUB / cells).ravel() for axis in (self.lat, self.lon))
        height = elevation(lat, lon, seed).reshape(self.lat.size, 5, self.lon.size, 5)
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


def _dataset(made: Reanalysis, fields: dict[str, np.ndarray], year: int) -> xr.Dataset:
    """One member of the ZIP: all months of some variables."""
    months = np.array([f"{year}-{month:02d}-01" for month in range(1, 13)], "datetime64[s]").astype(np.int64)
    variables = {}
    for name, values in fields.items():
        units, title, number, step = _ABOUT[name]
        about = {"units": units, "long_name": title, "standard_name": "unknown", "GRIB_paramId": np.int64(number),
                 "GRIB_shortName": name, "GRIB_stepType": step, "GRIB_gridType": "regular_ll"}  # fmt: skip
        variables[name] = (("valid_time", "latitude", "longitude"), values, about)
    degrees = {"latitude": ("degrees_north", "decreasing"), "longitude": ("degrees_east", "increasing")}
    axes = {
        name: (name, axis, {"units": degrees[name][0], "standard_name": name, "long_name": name,
                            "stored_direction": degrees[name][1]})
        for name, axis in (("latitude", made.lat), ("longitude", made.lon))
    }  # fmt: skip
    time = {"long_name": "time", "standard_name": "time", "units": "seconds since 1970-01-01"}
    member = {"long_name": "ensemble member numerical id", "units": "1", "standard_name": "realization"}
    return xr.Dataset(
        variables,
        {"valid_time": ("valid_time", months, time | {"calendar": "proleptic_gregorian"}), **axes,
         "number": ((), np.int64(0), member), "expver": ("valid_time", np.full(12, "0001", object))},
        {"Conventions": "CF-1.7", "title": "Monthly weather of the twin Earth (synthetic)"},
    )  # fmt: skip


def _write_year(path: Path, made: Reanalysis, year: int, masked: bool) -> None:
    months = [made.month(year, month) for month in range(1, 13)]
    part = path.with_suffix(".part")
    with TemporaryDirectory() as folder, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for step in ("avgua", "avgad"):
            names = [name for name, about in _ABOUT.items() if about[3] == step]
            fields = {name: np.stack([m[name] for m in months]).astype(np.float32) for name in names}
            if masked:
                fields = {name: np.where(made.land >= 0.5, field, np.float32(np.nan)) for name, field in fields.items()}
            member = Path(folder) / f"data_stream-moda_stepType-{step}.nc"
            packed: dict[str, dict[str, object]] = {n: {"_FillValue": np.float32(np.nan), "zlib": True} for n in fields}
            write_netcdf(member, _dataset(made, fields, year), packed)
            # The date is fixed: equal content has equal bytes.
            info = zipfile.ZipInfo(member.name, (1980, 1, 1, 0, 0, 0))
            archive.writestr(info, member.read_bytes(), zipfile.ZIP_DEFLATED)
    part.replace(path)


def write_era5(raw: Path, grid: Grid, years: list[int], seed: int) -> None:
    """Write monthly ERA5 on 0.25 degree, one file a year; those that exist are kept.

    Parameters
    ----------
    raw : pathlib.Path
    grid : Grid
        Window.
    years : list of int
        Those before 1940 are left out.
    seed : int
    """
    _write_all(raw, "era5_monthly_{}.nc", Reanalysis(grid, 4, seed), [y for y in years if y in ERA5_YEARS], False)


def write_era5_land(raw: Path, grid: Grid, years: list[int], seed: int) -> None:
    """Write monthly ERA5-Land on 0.1 degree, NaN at sea, one file a year from 1950; those that exist are kept."""
    wanted = [y for y in years if y in ERA5_LAND_YEARS]
    _write_all(raw, "era5_land_monthly_{}.nc", Reanalysis(grid, 10, seed), wanted, True)


def _write_all(raw: Path, name: str, made: Reanalysis, years: list[int], masked: bool) -> None:
    for year in years:
        if not (raw / name.format(year)).exists():
            _write_year(raw / name.format(year), made, year, masked)
