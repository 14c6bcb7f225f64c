"""Carbon dioxide and warming of the twin Earth: one smooth curve, then one for each scenario; no measured number."""

from pathlib import Path

import numpy as np
import xarray as xr

from ai4land.twin.demand import scenario_growth
from ai4land.twin.writers import write_netcdf

_VARIABLE = "mole_fraction_of_carbon_dioxide_in_air"
_NAME = "mole-fraction-of-carbon-dioxide-in-air_input4MIPs_GHGConcentrations_{}_gr1-GMNHSH_{}.nc"
_HISTORY = _NAME.format("CMIP_UoM-CMIP-1-2-0", "0000-2014")
_MODELS = {"ssp126": "IMAGE", "ssp245": "MESSAGE-GLOBIOM", "ssp370": "AIM", "ssp585": "REMIND-MAGPIE"}
_BASE, _RISE, _PACE = 270.0, 100.0, 55.0  # ppm, ppm in excess at present, years in which the excess grows e-fold
PRESENT = 2005.0  # middle of 1991-2020, the period of the present climate
_SENSITIVITY = 4.0  # degree Celsius of warming for e times the carbon dioxide
_FORK, _END = 2015.0, 2100.0


def carbon_dioxide(year: float | np.ndarray, scenario: str = "") -> np.ndarray:
    """Carbon dioxide of the air, global mean.

    Parameters
    ----------
    year : float or numpy.ndarray
    scenario : str
        A key of ``SCENARIOS``; up to 2015 all agree. By 2100 the curve has led to the scenario's warming, then it
        stays.

    Returns
    -------
    numpy.ndarray, shape of ``year``, float64
        ppm.
    """
    year = np.asarray(year, float)
    grown = _RISE * np.exp((np.minimum(year, _FORK) - PRESENT) / _PACE)
    start, slope = _BASE + _RISE * np.exp((_FORK - PRESENT) / _PACE), _RISE * np.exp((_FORK - PRESENT) / _PACE) / _PACE
    end = (_BASE + _RISE) * np.exp(scenario_growth(scenario)[3] / _SENSITIVITY)
    # Cubic from the history's value and slope to a level end.
    s = np.clip((year - _FORK) / (_END - _FORK), 0, 1)
    bent = start + (end - start) * s * s * (3 - 2 * s) + slope * (_END - _FORK) * s * (1 - s) ** 2
    return np.where(year <= _FORK, _BASE + grown, bent)


def warming(year: float | np.ndarray, scenario: str = "") -> np.ndarray:
    """Warming since the present climate of 1991-2020, degree Celsius; before it negative, by 2100 the scenario's."""
    return _SENSITIVITY * np.log(carbon_dioxide(year, scenario) / (_BASE + _RISE))


def _write(path: Path, years: np.ndarray, origin: str, scenario: str) -> None:
    mean = carbon_dioxide(years, scenario)
    contrast = 0.02 * (mean - _BASE)  # the north emits more
    middle = np.array([f"{year:04d}-07-02" for year in years], "datetime64[D]") - np.datetime64(f"{origin:0>4}-01-01")
    values = np.stack([mean, mean + contrast, mean - contrast], -1).astype(np.float32)
    about = {"long_name": _VARIABLE, "standard_name": _VARIABLE, "units": "1.e-6", "cell_methods": "time: mean"}
    data = xr.Dataset(
        {_VARIABLE: (("time", "sector"), values, about)},
        {"time": ("time", middle / np.timedelta64(1, "D"), {"units": f"days since {origin}-1-1", "axis": "T",
                  "calendar": "gregorian", "long_name": "time", "standard_name": "time"}),
         "sector": ("sector", np.arange(3, dtype=np.int32),
                    {"long_name": "sector", "ids": "0: Global; 1: Northern Hemisphere; 2: Southern Hemisphere"})},
        {"title": "Carbon dioxide of the twin Earth (synthetic)", "Conventions": "CF-1.6", "frequency": "yr"},
    )  # fmt: skip
    write_netcdf(path, data, {"time": {"_FillValue": None}, _VARIABLE: {"_FillValue": np.float32(1e20)}})


def write_carbon_dioxide(raw: Path, scenarios: list[str]) -> None:
    """Write the history, years 0 to 2014, and a file for each scenario, 2015 to 2500; those that exist are kept.

    float32 (time, sector), 1e-6; sector 0 is the global mean, 1 and 2 are the hemispheres. Time of the history counts
    from year 0, which does not exist in most calendars.

    Parameters
    ----------
    raw : pathlib.Path
    scenarios : list of str
        Keys of ``SCENARIOS``; those other than ssp126, ssp245, ssp370 and ssp585 are left out.
    """
    if not (raw / _HISTORY).exists():
        _write(raw / _HISTORY, np.arange(2015), "0", "")
    for scenario in scenarios:
        path = raw / _NAME.format(f"ScenarioMIP_UoM-{_MODELS.get(scenario)}-{scenario}-1-2-1", "2015-2500")
        if scenario in _MODELS and not path.exists():
            _write(path, np.arange(2015, 2501), "1850", scenario)
