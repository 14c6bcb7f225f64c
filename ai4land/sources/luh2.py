"""LUH2 and LUH3: yearly states and the static file, on 0.25 degree.

Traps: time in "years since", which xarray cannot decode; a mis-cased fill attribute, so 1e20 arrives as a
number; latitude flipped in some copies; states are fractions of the whole cell, ice and water left out.
"""

from pathlib import Path

import numpy as np
import xarray as xr

from ai4land.legend import crosswalk_weights, read_crosswalk, read_legend
from ai4land.sources.canonical import calendar_years
from ai4land.sources.registry import InputFile

STATES = (
    "primf", "primn", "secdf", "secdn", "pastr", "range", "urban", "c3ann", "c4ann", "c3per", "c4per", "c3nfx",
)  # fmt: skip
_SECONDARY = {
    "secma": ("mean age of secondary land", "years"),
    "secmb": ("mean biomass carbon density of secondary land", "kg m-2"),
}
_STATIC = {
    "ptbio": ("potential_biomass", "potential biomass carbon density of natural vegetation", "kg m-2"),
    "fstnf": ("potential_forest", "1 where natural vegetation is forest", "1"),
    "icwtr": ("ice_water_fraction", "fraction of the cell that is ice or water", "1"),
    "carea": ("cell_area", "cell area", "km2"),
}


def _check_variables(data: xr.Dataset, wanted: set[str], path: Path, kind: str) -> None:
    missing = sorted(wanted - set(map(str, data.variables)))
    if missing:
        found = sorted(map(str, data.data_vars))
        raise ValueError(f"{path}: no variables {missing}, found {found}; is this {kind}?")


def open_luh2_states(files: list[InputFile], version: str) -> xr.Dataset:
    """Yearly land-use states of LUH2 (v2h, v2f) or LUH3.

    Parameters
    ----------
    files : list of InputFile
        The one NetCDF file of the release, whole or cut in time or space.
    version : str
        LUH2 release, ``2h`` or ``2f``, or LUH3's.

    Returns
    -------
    xarray.Dataset, (time, lat, lon) float32, lazy, one chunk a year, north to south, west to east
        The 12 states of `STATES` (1, fraction of the whole cell: they sum to 1 minus ice and water), ``secma``
        (years) and ``secmb`` (kg m-2); NaN where the file holds its fill value. ``time`` is the calendar
        year, int16. The plantations of LUH3 (``pltns``, all 0 so far) are added to ``secdf``.

    Raises
    ------
    ValueError
        If a variable is missing, or ``time`` is neither in "years since" nor in "days since".

    References
    ----------
    Hurtt et al. (2020), doi:10.5194/gmd-13-5425-2020
    """
    path = files[0].path
    data = xr.open_dataset(path, decode_times=False, mask_and_scale=False, chunks={"time": 1})
    _check_variables(data, {*STATES, *_SECONDARY, "time", "lat", "lon"}, path, "a LUH2 states file")
    years = calendar_years(data["time"], path)
    names = read_crosswalk("luh2", "land_use").set_index("source_code")["source_name"]
    about = {state: (f"fraction of the cell that is {names[state]}", "1") for state in STATES} | _SECONDARY
    fields = {}
    for name, (long_name, units) in about.items():
        field = data[name]
        if name == "secdf" and "pltns" in data:
            field = field + data["pltns"]  # a fill value stays above the limit below
        field = field.where(abs(field) < 1e15).astype(np.float32)
        field.attrs, field.encoding = {"long_name": long_name, "units": units}, {}
        fields[name] = field
    states = xr.Dataset(fields, attrs={"version": version}).reset_coords(drop=True)
    if states["lat"][0] < states["lat"][-1]:
        states = states.isel(lat=slice(None, None, -1))
    if states["lon"][0] > states["lon"][-1]:
        states = states.sortby("lon")
    return states.assign_coords(
        time=("time", years, {"long_name": "calendar year"}),
        lat=("lat", states["lat"].to_numpy().astype(float), {"standard_name": "latitude", "units": "degrees_north"}),
        lon=("lon", states["lon"].to_numpy().astype(float), {"standard_name": "longitude", "units": "degrees_east"}),
    )


def state_class_fractions(states: xr.Dataset) -> xr.DataArray:
    """Area fraction of each land-use class, of the land of the cell, as LUH2 has it.

    The states are pooled by ``data/crosswalks/luh2-to-land_use.csv`` and divided by their sum, so the ice and
    water of a cell do not count. LUH2 cannot tell other land (deserts, bare ground) from grass/shrubland, and has
    neither ocean nor water among its states: these three classes are 0 everywhere, which is no observation.

    Parameters
    ----------
    states : xarray.Dataset, (time, lat, lon) float32
        Of `open_luh2_states`.

    Returns
    -------
    xarray.DataArray, shape (time, cover_class, lat, lon), float32
        Fractions (1) for the codes of legend ``land_use``, lazy where ``states`` are; they sum to 1 over
        ``cover_class``, NaN where the cell has no land or no data.

    References
    ----------
    Hurtt et al. (2020), doi:10.5194/gmd-13-5425-2020
    """
    weights = crosswalk_weights(read_crosswalk("luh2", "land_use"), read_legend("land_use"))
    table = weights.sel(source_code=list(STATES)).rename(source_code="state").T.astype(np.float32)
    stack = states[list(STATES)].to_dataarray("state")
    if stack.chunks is not None:
        stack = stack.chunk(state=-1)
    area = xr.dot(table, stack, dim="state")
    land = stack.sum("state", skipna=False)
    fraction = (area / land.where(land > 0)).transpose("time", "cover_class", "lat", "lon")
    fraction.attrs = {"long_name": "fraction of the land of the cell", "units": "1"}
    return fraction.rename("fraction")


def open_luh2_static(files: list[InputFile], version: str) -> xr.Dataset:
    """Static fields of LUH2 on 0.25 degree, by coordinate and never by row order.

    Parameters
    ----------
    files : list of InputFile
        ``staticData_quarterdeg.nc``.
    version : str
        LUH2 release.

    Returns
    -------
    xarray.Dataset, (lat, lon) float32, lazy, north to south
        ``potential_biomass`` (kg m-2), ``potential_forest`` (1), ``ice_water_fraction`` (1, of the whole
        cell), ``cell_area`` (km2); NaN where the file holds its fill value.

    Raises
    ------
    ValueError
        If a variable is missing.

    References
    ----------
    Hurtt et al. (2020), doi:10.5194/gmd-13-5425-2020
    """
    path = files[0].path
    data = xr.open_dataset(path, decode_times=False, mask_and_scale=False, chunks={})
    _check_variables(data, set(_STATIC), path, "LUH2 static data")
    fields = {}
    for source, (name, long_name, units) in _STATIC.items():
        # The fill value's attribute is mis-cased in LUH2, so 1e20 arrives as a number.
        field = data[source].where(abs(data[source]) < 1e15)
        fields[name] = field.assign_attrs(long_name=long_name, units=units)
        fields[name].encoding = {}
    return xr.Dataset(fields).sortby("lat", ascending=False).sortby("lon")
