"""Atmospheric CO2: as NOAA measures it, and the yearly global means that drive CMIP6 and CMIP7.

Traps: NOAA's files start with comment lines whose number changes, mark what is missing by negative numbers and grow
every month, so that no hash lasts; CMIP6 counts from a year 0, which xarray cannot decode, and keeps the global mean
as the first of three "sectors"; CMIP7 renames the variable and gives months too.
"""

import csv
from pathlib import Path

import numpy as np
import xarray as xr

from ai4land.sources.canonical import calendar_years
from ai4land.sources.registry import InputFile

_CO2 = {
    "long_name": "mole fraction of carbon dioxide in dry air",
    "standard_name": "mole_fraction_of_carbon_dioxide_in_air",
    "units": "1e-6",
}
_FIRST_YEAR = 1850
_MIP_ERA = {"mole_fraction_of_carbon_dioxide_in_air": "CMIP6", "co2": "CMIP7"}  # by the variable's name
_PPM = {"ppm", "1.e-6", "1e-6", "1e-06"}


def _read_rows(path: Path) -> list[dict[str, str]]:
    """Rows below the comments, by the names of the header in lower case; fields beyond the header are left out."""
    with path.open(newline="", encoding="utf-8", errors="replace") as stream:
        lines = (line for line in stream if line.strip() and not line.startswith("#"))
        return [{k.strip().lower(): v for k, v in row.items() if k} for row in csv.DictReader(lines)]


def open_co2_noaa_csv(files: list[InputFile], version: str) -> xr.Dataset:
    """CO2 measured by NOAA at Mauna Loa or as the global mean, by month or by year.

    Parameters
    ----------
    files : list of InputFile
        ``co2_mm_mlo.csv``, ``co2_mm_gl.csv``, ``co2_annmean_mlo.csv`` or ``co2_annmean_gl.csv``. Columns are found
        by name: ``average`` or ``mean``; ``year`` and ``month``, ``date`` (YYYY-MM) or ``year``.
    version : str
        Release; NOAA numbers none.

    Returns
    -------
    xarray.Dataset, (time,) float64, in memory
        ``co2`` (1e-6, parts per million), NaN where the file holds a negative number. ``time`` is the first day of
        the month (datetime64[ns]) or the calendar year (int16).

    Raises
    ------
    ValueError
        If the columns are not there, a row cannot be read, or time does not ascend.

    References
    ----------
    Lan, Tans and Thoning, Trends in globally-averaged CO2, doi:10.15138/9N0H-ZH07
    """
    path = files[0].path
    rows = _read_rows(path)
    names = set(rows[0]) if rows else set()
    value = next((name for name in ("average", "mean") if name in names), "")
    if not value or not names & {"year", "date"}:
        raise ValueError(
            f"{path}: columns are {sorted(names)}, expected year or date, and average or mean; "
            "is this a file of gml.noaa.gov/webdata/ccgg/trends/co2?"
        )
    try:
        co2 = np.array([float(row[value]) for row in rows])
        if "date" in names:
            time = np.array([row["date"] for row in rows], "datetime64[M]").astype("datetime64[ns]")
        elif "month" in names:
            months = [f"{int(row['year']):04d}-{int(row['month']):02d}" for row in rows]
            time = np.array(months, "datetime64[M]").astype("datetime64[ns]")
        else:
            time = np.array([int(row["year"]) for row in rows], np.int16)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: a row cannot be read ({error}); the file is damaged, fetch it again.") from None
    if not (time[1:] > time[:-1]).all():
        raise ValueError(f"{path}: time does not ascend; expected one row a month or a year.")
    return xr.Dataset({"co2": ("time", np.where(co2 > 0, co2, np.nan), _CO2)}, {"time": time}, {"version": version})


def open_co2_input4mips_netcdf(files: list[InputFile], version: str) -> xr.Dataset:
    """Yearly global mean CO2 of CMIP6 (UoM) or CMIP7 (Climate Resource), past or scenario, from 1850 on.

    Parameters
    ----------
    files : list of InputFile
        The one file: CMIP6 yearly on ``gr1-GMNHSH``, or CMIP7 yearly or monthly on ``gm``. The mean of a year is
        that of its twelve months, each counting the same.
    version : str
        Release.

    Returns
    -------
    xarray.Dataset, (time,) float64, in memory
        ``co2`` (1e-6, parts per million); ``time`` is the calendar year, int16. ``attrs["mip_era"]`` is the file's,
        or CMIP6 or CMIP7 by the name of its variable.

    Raises
    ------
    ValueError
        If there are several files, the variable, its dimensions or its units are others, or months do not fill
        whole years.

    References
    ----------
    Meinshausen et al. (2017), doi:10.5194/gmd-10-2057-2017; Meinshausen et al. (2020), doi:10.5194/gmd-13-3571-2020
    """
    path = files[0].path
    if len(files) > 1:
        raise ValueError(f"{path}: one of {len(files)} files, expected one past or one scenario; give that file alone.")
    data = xr.open_dataset(path, decode_times=False)
    name = next((name for name in _MIP_ERA if name in data), None)
    if name is None:
        raise ValueError(f"{path}: variables are {sorted(map(str, data.data_vars))}, expected one of {list(_MIP_ERA)}.")
    field = data[name]
    if "sector" in field.dims:
        field = field.sel(sector=0, drop=True)  # 0 is the globe, 1 and 2 the hemispheres
    if field.dims != ("time",) or field.attrs.get("units") not in _PPM:
        raise ValueError(
            f"{path}: {name} is over {data[name].dims} in {field.attrs.get('units')!r}, expected global means in ppm; "
            "take grid gm (CMIP7) or gr1-GMNHSH (CMIP6)."
        )
    steps = 12 if data.attrs.get("frequency") == "mon" else 1
    years, last = (calendar_years(data["time"][i::steps], path) for i in (0, steps - 1))
    if not np.array_equal(years, last):
        raise ValueError(f"{path}: {field.size} months do not fill whole years from January to December.")
    co2 = field.to_numpy().astype(float).reshape(-1, steps).mean(1)
    attrs = {"version": version, "mip_era": str(data.attrs.get("mip_era", _MIP_ERA[name]))}
    return xr.Dataset({"co2": ("time", co2, _CO2)}, {"time": years}, attrs).sel(time=slice(_FIRST_YEAR, None))
