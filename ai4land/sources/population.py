"""People per km2 from the ISIMIP population maps, 0.5 degree and yearly.

Traps: the files hold people a cell, not a density; the past counts "days since" and scenarios "years since", which
xarray cannot decode; the variable is called otherwise in ISIMIP2b; total, urban and rural people lie side by side.
"""

from pathlib import Path

import numpy as np
import xarray as xr

from ai4land.checks import check_same_grid
from ai4land.grid import grid_of
from ai4land.sources.canonical import calendar_years, canonical
from ai4land.sources.registry import InputFile

_TOTAL = ("total-population", "number_of_people")  # ISIMIP3, ISIMIP2b


def _open_density(path: Path) -> xr.Dataset:
    """Density of the one file: (time, lat, lon) float32."""
    data = xr.open_dataset(path, decode_times=False, mask_and_scale=False, chunks={"time": 1})
    name = next((name for name in _TOTAL if name in data), None)
    if name is None:
        raise ValueError(f"{path}: variables are {sorted(map(str, data.data_vars))}, expected one of {list(_TOTAL)}.")
    people = data[[name]].where((data[name] >= 0) & (data[name] < 1e15))  # neither -9999 nor 1e20
    people = canonical(people.assign_coords(time=calendar_years(data["time"], path)), path)
    area = xr.DataArray(grid_of(people).cell_area() / 1e6, dims="lat")  # m2 to km2
    density = (people[name] / area).astype(np.float32).transpose("time", "lat", "lon")
    density.attrs = {"long_name": "people per area of the whole cell", "units": "km-2"}
    return people.assign(population_density=density).drop_vars(name)


def open_population_netcdf(files: list[InputFile], version: str) -> xr.Dataset:
    """Yearly population density of ISIMIP, past (HYDE) or scenario (SSP).

    People of a cell are divided by its whole area on the sphere, water included, so that density times area gives
    the people back.

    Parameters
    ----------
    files : list of InputFile
        The files of one series, ``population_histsoc_30arcmin_annual_1850_1900.nc`` and ``..._1901_2021.nc``, or
        ``population_ssp2_30arcmin_annual_2015_2100.nc``.
    version : str
        Release.

    Returns
    -------
    xarray.Dataset, (time, lat, lon) float32, lazy, one chunk a year
        ``population_density`` (km-2); NaN where the file holds its fill value (sea). ``time`` is the calendar year,
        int16.

    Raises
    ------
    ValueError
        If there is no total of people, ``time`` is neither in "years since" nor in "days since", a year is missing
        or twice, or the cells of two files differ.

    References
    ----------
    Volkholz et al. (2022), doi:10.48364/ISIMIP.822480.1; Volkholz et al. (2024), doi:10.48364/ISIMIP.889136.2
    """
    parts = sorted((_open_density(f.path) for f in files), key=lambda part: int(part["time"][0]))
    for part in parts[1:]:
        check_same_grid(grid_of(part), grid_of(parts[0]), f"{files[0].dataset}, files of one series")
    parts = [part.assign_coords(lat=parts[0]["lat"], lon=parts[0]["lon"]) for part in parts]
    density = xr.concat(parts, "time", join="exact", coords="minimal", compat="override", combine_attrs="override")
    if (np.diff(density["time"].to_numpy()) != 1).any():
        years = [f"{int(part['time'][0])}-{int(part['time'][-1])}" for part in parts]
        raise ValueError(f"{files[0].path}: the files hold {years}, expected every year once; keep one of each.")
    density["time"].attrs = {"long_name": "calendar year"}
    return density.assign_attrs(version=version)
