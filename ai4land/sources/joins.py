"""Where the past ends and a scenario begins: one rule a data set, stated, and the jump at the seam measured.

Traps: scenarios repeat the last years of the past; releases that do not belong together look alike; ISIMIP's
population moves between cells from 2015 to 2016, because past and scenarios come from different maps.
"""

import numpy as np
import xarray as xr

from ai4land.checks import check_same_grid
from ai4land.grid import grid_of
from ai4land.sources.luh2 import STATES

_CO2_JUMP = 5.0  # ppm; no year since 1959 rose by more than 4 at Mauna Loa
_STATES_AGREE = 1e-3  # of the cell
POPULATION_SEAM = 2015  # last year of the past
_POPULATION_FADED = 2050


def _continue(history: xr.Dataset, scenario: xr.Dataset, what: str) -> xr.Dataset:
    """The past to its last year, the scenario after it; raise ValueError if a year is missing between them."""
    last = int(history["time"][-1])
    later = scenario.sel(time=slice(last + 1, None))
    if not later.sizes["time"] or int(later["time"][0]) != last + 1:
        years = [f"{int(d['time'][0])}-{int(d['time'][-1])}" for d in (history, scenario)]
        raise ValueError(f"{what}: history is {years[0]} and scenario {years[1]}; no scenario for {last + 1}.")
    joined = xr.concat([history, later], "time", join="exact", coords="minimal", compat="override",
                       combine_attrs="override")  # fmt: skip
    versions = [d.attrs.get("version", "") for d in (history, scenario)]
    return joined.assign_attrs(version=f"{versions[0]} to {last}, then {versions[1]}")


def _on_cells_of(history: xr.Dataset, scenario: xr.Dataset, what: str) -> xr.Dataset:
    """The scenario with the coordinates of the past, which may differ in the last digits."""
    check_same_grid(grid_of(scenario), grid_of(history), f"{what}, scenario against history")
    return scenario.assign_coords(lat=history["lat"], lon=history["lon"])


def join_co2(history: xr.Dataset, scenario: xr.Dataset) -> xr.Dataset:
    """Yearly CO2: the past up to its last year, the scenario after it.

    Parameters
    ----------
    history, scenario : xarray.Dataset, (time,)
        Of `ai4land.sources.co2.open_co2_input4mips_netcdf`.

    Returns
    -------
    xarray.Dataset, (time,) float64
        ``co2`` (1e-6); its attribute ``seam_difference`` (1e-6) is the first scenario year minus the last of the past.

    Raises
    ------
    ValueError
        If one is of CMIP6 and the other of CMIP7, a year is missing between them, or they differ there by more than
        5 ppm.

    References
    ----------
    Meinshausen et al. (2020), doi:10.5194/gmd-13-3571-2020
    """
    eras = [d.attrs.get("mip_era") for d in (history, scenario)]
    if eras[0] is None or eras[0] != eras[1]:
        raise ValueError(f"CO2: history is of {eras[0]} and scenario of {eras[1]}; take both from one CMIP phase.")
    joined = _continue(history, scenario, "CO2")
    last = int(history["time"][-1])
    jump = float(joined["co2"].sel(time=last + 1) - joined["co2"].sel(time=last))
    if not abs(jump) <= _CO2_JUMP:
        raise ValueError(f"CO2: jumps by {jump:.2f} ppm from {last} to {last + 1}, more than {_CO2_JUMP}; wrong files?")
    joined["co2"].attrs = history["co2"].attrs | {"seam_difference": jump}
    return joined


def join_population(history: xr.Dataset, scenario: xr.Dataset) -> xr.Dataset:
    """Population density: the past to 2015, then the scenario plus a difference that fades out until 2050.

    Past and scenarios place people differently. The difference of the two maps of 2015 is added to the scenario,
    in full in 2015 and falling linearly to nothing in 2050; sums below 0 become 0. A ratio instead of a difference
    would blow up where the scenario of 2015 is nearly empty, and jump where it is empty.

    Parameters
    ----------
    history, scenario : xarray.Dataset, (time, lat, lon) float32
        Of `ai4land.sources.population.open_population_netcdf`; both hold 2015.

    Returns
    -------
    xarray.Dataset, (time, lat, lon) float32, lazy where the inputs are
        ``population_density`` (km-2): the past's values to 2015, the scenario's from 2050 on. A cell that has no
        value in one of the maps of 2015 takes the scenario as it is.

    Raises
    ------
    ValueError
        If one has no 2015, or their cells differ.

    References
    ----------
    Volkholz et al. (2024), doi:10.48364/ISIMIP.889136.2, for the jump; the rule is ours.
    """
    for role, data in (("history", history), ("scenario", scenario)):
        if POPULATION_SEAM not in data["time"]:
            years = f"{int(data['time'][0])}-{int(data['time'][-1])}"
            raise ValueError(f"population: the {role} is {years}, it must hold {POPULATION_SEAM} (ISIMIP3a's does).")
    scenario = _on_cells_of(history, scenario, "population")
    first, seen = (d["population_density"].sel(time=POPULATION_SEAM, drop=True) for d in (scenario, history))
    left = (_POPULATION_FADED - scenario["time"]).astype(np.float32) / (_POPULATION_FADED - POPULATION_SEAM)
    faded = scenario["population_density"] + (seen - first).fillna(0) * left.clip(0, 1)
    faded = faded.clip(min=0).astype(np.float32).transpose("time", "lat", "lon")
    faded.attrs = history["population_density"].attrs
    past = history.sel(time=slice(None, POPULATION_SEAM))
    return _continue(past, scenario.assign(population_density=faded), "population")


def join_luh2(history: xr.Dataset, scenario: xr.Dataset) -> xr.Dataset:
    """Land-use states: the past up to its last year (2015 in LUH2, 2024 in LUH3), the scenario after it.

    Parameters
    ----------
    history, scenario : xarray.Dataset, (time, lat, lon) float32
        Of `ai4land.sources.luh2.open_luh2_states`, with a year in common.

    Returns
    -------
    xarray.Dataset, (time, lat, lon) float32, lazy
        The variables of both. Attribute ``seam_difference`` of each (in its units): the largest difference between
        scenario and past, over all cells, in the last year that both hold. It is not checked for ``secma`` and
        ``secmb``, nor for a LUH3 scenario after its first year.

    Raises
    ------
    ValueError
        If LUH2 and LUH3 are mixed, their cells differ, no year is common, a year is missing, or a fraction
        of the scenario's first year differs from the past by more than 0.001.

    References
    ----------
    Hurtt et al. (2020), doi:10.5194/gmd-13-5425-2020
    """
    versions = [str(d.attrs.get("version", "")) for d in (history, scenario)]
    if versions[0][:1] != versions[1][:1]:
        raise ValueError(f"LUH2: history is version {versions[0]} and scenario {versions[1]}; never mix LUH2 and LUH3.")
    scenario = _on_cells_of(history, scenario, "LUH2")
    shared = np.intersect1d(history["time"], scenario["time"])
    if not shared.size:
        raise ValueError("LUH2: history and scenario have no year in common; give both whole, to compare them there.")
    years = np.unique(shared[[0, -1]])
    there, here = (d[list(history.data_vars)].sel(time=years).fillna(0) for d in (scenario, history))
    difference = abs(there - here).max(("lat", "lon")).compute()
    start = {state: float(difference[state][0]) for state in STATES}
    worst = max(start, key=lambda state: start[state])
    if start[worst] > _STATES_AGREE:
        raise ValueError(
            f"LUH2: {worst} of history and scenario differs by {start[worst]:.4g} of a cell in {years[0]}, more than "
            f"{_STATES_AGREE}; the scenario does not continue this history."
        )
    joined = _continue(history, scenario, "LUH2")
    for name in joined.data_vars:
        joined[name].attrs = history[name].attrs | {"seam_difference": float(difference[name][-1])}
    return joined
