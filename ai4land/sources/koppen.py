"""Koeppen-Geiger zones of Beck et al. (2023) and Rubel et al. (2017), on the legend of Beck et al.

Traps: publications number the zones differently; the files of Beck et al. carry no nodata tag and all have one
name, their folders say the period and the scenario; there is no map of a year, nor of 2021-2040.
"""

from functools import partial

import pandas as pd
import xarray as xr

from ai4land.checks import check_same_grid
from ai4land.grid import grid_of
from ai4land.legend import DATA, read_crosswalk, recode
from ai4land.sources.rasters import open_geotiff
from ai4land.sources.registry import InputFile


def koppen_period(year: int) -> tuple[str, bool]:
    """Period of the map that serves a year, by ``data/koppen_periods.csv``, and whether it belongs to a scenario.

    Parameters
    ----------
    year : int
        Calendar year, 1850 to 2100.

    Returns
    -------
    tuple of str and bool
        The period as the publisher's folders name it, ``1991_2020``; True where each scenario has its own map.

    Raises
    ------
    ValueError
        If no map serves the year.

    References
    ----------
    Beck et al. (2023), doi:10.1038/s41597-023-02549-6
    """
    table = pd.read_csv(DATA / "koppen_periods.csv")
    rows = table[(table["first"] <= year) & (year <= table["last"])]
    if len(rows) != 1:
        raise ValueError(
            f"year {year}: {len(rows)} rows of data/koppen_periods.csv serve it, expected one; "
            f"the table covers {table['first'].min()}-{table['last'].max()}."
        )
    return str(rows["period"].iloc[0]), rows["scenario"].iloc[0] == "yes"


def _check_periods(files: list[InputFile]) -> None:
    """Raise ValueError unless the files are maps of different periods, of one scenario at most."""
    periods = [f.keys.get("period", "") for f in files]
    scenarios = sorted({f.keys["scenario"] for f in files if "scenario" in f.keys})
    if "" in periods or len(set(periods)) < len(periods) or len(scenarios) > 1:
        raise ValueError(
            f"{files[0].dataset}: {len(files)} maps of periods {sorted(periods)} and scenarios {scenarios}, expected "
            "one map a period and one scenario; give the files of one scenario."
        )


def open_koppen_geotiff(files: list[InputFile], version: str) -> xr.DataArray:
    """Koeppen-Geiger zones; ocean and no data are 0, whatever the file calls them.

    Parameters
    ----------
    files : list of InputFile
        One map, or one map a period (key ``period``) of one scenario (key ``scenario``, none for the past).
    version : str
        Name of the crosswalk to legend ``koppen_geiger``; publications number the zones differently.

    Returns
    -------
    xarray.DataArray, shape (lat, lon), or (period, lat, lon) for several files, uint8
        Codes of legend ``koppen_geiger``, lazy. ``period`` is the publisher's, ``1991_2020``, in order of time.

    Raises
    ------
    ValueError
        If two maps have the same period, several scenarios or different cells; on reading, if a map holds a code
        that the crosswalk does not list.

    References
    ----------
    Beck et al. (2023), doi:10.1038/s41597-023-02549-6
    """
    crosswalk = read_crosswalk(version, "koppen_geiger")
    if len(files) > 1:
        _check_periods(files)
        files = sorted(files, key=lambda f: f.keys["period"])
    maps = []
    for file in files:
        field = open_geotiff(file.path)
        codes = field.data.map_blocks(partial(recode, crosswalk=crosswalk, name=str(file.path)), dtype="uint8")
        maps.append(field.copy(data=codes))
    zones = maps[0]
    if len(files) > 1:
        for file, one in zip(files, maps, strict=True):
            check_same_grid(grid_of(one), grid_of(zones), f"{file.path} against {files[0].path}")
        maps = [one.assign_coords(lat=zones.lat, lon=zones.lon) for one in maps]
        zones = xr.concat(maps, pd.Index([f.keys["period"] for f in files], name="period"), join="exact")
    zones.attrs = {"long_name": "Koeppen-Geiger climate zone"}
    return zones.rename("koppen")
