"""The one form in which every gridded input leaves its reader, and calendar years where xarray cannot decode them."""

import re
import warnings
from pathlib import Path

import cftime
import numpy as np
import xarray as xr

from ai4land.grid import grid_of

_NAMES = {"latitude": "lat", "longitude": "lon", "y": "lat", "x": "lon", "valid_time": "time"}


def canonical(data: xr.Dataset, path: Path) -> xr.Dataset:
    """Coordinates by their CF names, north to south, -180 to 180, at cell centres, with bounds.

    Parameters
    ----------
    data : xarray.Dataset
        Fields on a regular latitude-longitude grid, whatever the publisher calls and orders its axes.
    path : pathlib.Path
        The file, for the error message.

    Returns
    -------
    xarray.Dataset, (..., lat, lon)
        The fields with a ``lat`` or ``lon`` and those without; lazy where ``data`` is. ``lat`` and ``lon`` are
        float64 with CF attributes, ``lat_bnds`` and ``lon_bnds`` (degrees) new coordinates; the file's own bounds
        and other auxiliary coordinates are left out.

    Raises
    ------
    ValueError
        If there is no latitude and longitude, or their steps are uneven.
    """
    data = data.rename({old: new for old, new in _NAMES.items() if old in data.dims and new not in data.dims})
    if not {"lat", "lon"} <= set(data.dims):
        raise ValueError(f"{path}: dimensions are {sorted(map(str, data.dims))}, expected latitude and longitude.")
    data = data.reset_coords(drop=True)
    bounds = [name for name in data.data_vars if {"bnds", "bounds", "nv"} & set(map(str, data[name].dims))]
    data = data.drop_vars(bounds)
    lat, lon = data["lat"].to_numpy().astype(float), data["lon"].to_numpy().astype(float)
    if lon.max() > 180 + 1e-6:
        # An even step wraps to an even step: rounding keeps 359.75 - 360 on the lattice.
        lon = np.round((lon + 180) % 360 - 180, 9)
    data = data.assign_coords(lat=lat, lon=lon)
    if lat[0] < lat[-1]:
        data = data.isel(lat=slice(None, None, -1))
    if (np.diff(lon) < 0).any():
        data = data.isel(lon=np.argsort(lon, kind="stable"))
    for name, axis, standard, unit in (
        ("lat", "Y", "latitude", "degrees_north"),
        ("lon", "X", "longitude", "degrees_east"),
    ):
        data[name].attrs = {"standard_name": standard, "units": unit, "axis": axis, "bounds": f"{name}_bnds"}
        data[name].encoding = {}
    try:
        return with_bounds(data)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def with_bounds(data: xr.Dataset) -> xr.Dataset:
    """Fields with the coordinates ``lat_bnds`` and ``lon_bnds`` (degrees), the edges of their cells."""
    grid = grid_of(data)
    edges = {"lat": grid.lat_edges, "lon": grid.lon_edges}
    return data.assign_coords({f"{d}_bnds": ((d, "bnds"), np.stack([e[:-1], e[1:]], -1)) for d, e in edges.items()})


def calendar_years(time: xr.DataArray, path: Path) -> np.ndarray:
    """Calendar year of each time step of a yearly series, from the values of ``time`` and never from their position.

    Parameters
    ----------
    time : xarray.DataArray, shape (time,)
        As the file holds it, not decoded: "years since" or "days since" in any CF calendar, year 0 included.
    path : pathlib.Path
        The file, for the error message.

    Returns
    -------
    numpy.ndarray, shape (time,), int16

    Raises
    ------
    ValueError
        If the units are others, or the steps do not ascend by a year or more.
    """
    units, values = str(time.attrs.get("units", "")), time.to_numpy().astype(float)
    if epoch := re.match(r"years since (\d{1,4})-", units):
        # Steps are whole years; the small term keeps a year that single precision holds a little too low.
        years = int(epoch[1]) + np.floor(values + 1e-3)
    elif units.startswith("days since"):
        calendar = time.attrs.get("calendar", "standard")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", cftime.CFWarning)  # CF has no year 0, CMIP6 counts from one
            dates = np.asarray(cftime.num2date(values, units, calendar, has_year_zero=True), object)
        years = np.array([date.year for date in dates])
    else:
        raise ValueError(f"{path}: units of time are {units!r}, expected 'years since Y-M-D' or 'days since Y-M-D'.")
    if not np.isfinite(years).all() or (np.diff(years) < 1).any():
        raise ValueError(f"{path}: time holds years {years[:5].tolist()}..., expected one ascending step a year.")
    return years.astype(np.int16)
