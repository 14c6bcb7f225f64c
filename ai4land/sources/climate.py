"""Climate inputs: what they are called, which scenarios have them, and how a climate model continues a reanalysis.

Traps: a reanalysis starts in 1940 (ERA5) or 1950 (ERA5-Land) and ends today, so 1850 and 2100 come from a climate
model, whose own mean state would show as a step at both seams; it has no soil moisture; not every land-use scenario
has a climate.
"""

from functools import cache

import numpy as np
import pandas as pd
import xarray as xr

from ai4land.grid import grid_of
from ai4land.legend import DATA

COMMON_PERIOD = (1981, 2010)  # years whose mean a climate model shares with the reanalysis
ORIGINS = ("reanalysis", "model_history", "model_scenario", "climatology")
_BLOCK = 1 << 24  # values of a variable in work at a time: 128 MB, whatever the grid


@cache
def read_climate_variables() -> pd.DataFrame:
    """Data dictionary ``data/climate_variables.csv``, one row a variable, index ``name``.

    ``least``, ``layer_top`` and ``layer_bottom`` (m) are float, NaN where they do not apply; the rest is text.
    The table is read once and shared: do not change it.
    """
    table = pd.read_csv(DATA / "climate_variables.csv", dtype=str, keep_default_na=False, index_col="name")
    for column in ("least", "layer_top", "layer_bottom"):
        table[column] = pd.to_numeric(table[column])
    return table


def variable_attributes(name: str) -> dict[str, str | float]:
    """CF attributes of a climate variable; soil layers with ``layer_top`` and ``layer_bottom``, m below the surface."""
    row = read_climate_variables().loc[name]
    layer = {} if np.isnan(row["layer_top"]) else {c: float(row[c]) for c in ("layer_top", "layer_bottom")}
    return {**row[["standard_name", "long_name", "units"]], "cell_methods": "time: mean", **layer}


def check_climate_scenario(scenario: str) -> None:
    """Raise ValueError unless ``data/climate_scenarios.csv`` accepts a scenario; none stands in for another."""
    table = pd.read_csv(DATA / "climate_scenarios.csv", keep_default_na=False, index_col="scenario")
    if scenario not in table.index or not table.loc[scenario, "accepted"]:
        why = table.loc[scenario, "reason"] if scenario in table.index else "not in data/climate_scenarios.csv"
        raise ValueError(
            f"scenario {scenario!r} has no climate here ({why}); those with one are "
            f"{list(table.index[table['accepted'] == 1])}. Choose one of them, or leave climate out of the inputs."
        )


def check_months(time: xr.DataArray, what: str) -> None:
    """Raise ValueError unless ``time`` (datetime64) holds every month from its first to its last once."""
    months = time.to_numpy().astype("datetime64[M]")
    found, count = np.unique(months, return_counts=True)
    if (count > 1).any():
        raise ValueError(f"{what}: months {list(map(str, found[count > 1][:3]))} occur twice; keep one of each.")
    missing = np.setdiff1d(np.arange(found[0], found[-1] + 1), found)
    if missing.size:
        raise ValueError(
            f"{what}: {missing.size} months are missing between {found[0]} and {found[-1]}, "
            f"{list(map(str, missing[:3]))} first; add their files."
        )


def monthly_climatology(field: xr.DataArray, period: tuple[int, int], what: str) -> xr.DataArray:
    """Mean of each calendar month over a period of whole years.

    Parameters
    ----------
    field : xarray.DataArray, shape (time, lat, lon)
        Monthly, ``time`` datetime64.
    period : tuple of int
        First and last year.
    what : str
        What the field is, for the error message.

    Returns
    -------
    xarray.DataArray, shape (month, lat, lon), float64
        Same unit, lazy; NaN where any year is missing.

    Raises
    ------
    ValueError
        If the field does not hold every month of the period.
    """
    part = field.sel(time=slice(f"{period[0]}-01", f"{period[1]}-12"))
    wanted = 12 * (period[1] - period[0] + 1)
    if part.sizes["time"] != wanted:
        found = [str(t)[:7] for t in field["time"].to_numpy()[[0, -1]]]
        raise ValueError(
            f"{what}: {part.sizes['time']} of the {wanted} months of {period[0]}-{period[1]} are there; it runs from "
            f"{found[0]} to {found[1]}. Choose a common period inside it, or add files."
        )
    return part.astype(float).groupby("time.month").mean("time", skipna=False)


def _interpolate(delta: xr.DataArray, like: xr.Dataset) -> xr.DataArray:
    """Bilinear between the cell centres of ``delta``; constant from the outermost centres to the cell edges."""
    source, target = grid_of(delta), grid_of(like)
    west, south, east, north = source.bounds
    lat, lon = like["lat"].to_numpy(), like["lon"].to_numpy()
    if lat.max() > north + 1e-6 or lat.min() < south - 1e-6 or lon.min() < west - 1e-6 or lon.max() > east + 1e-6:
        raise ValueError(
            f"{delta.name}: the model covers {source.bounds} and not all of the reanalysis, {target.bounds} "
            "(W, S, E, N); cut the reanalysis or fetch a larger window of the model."
        )
    if abs(source.cols * source.dlon - 360) < 1e-6:
        around = np.concatenate([[source.lon[-1] - 360], source.lon, [source.lon[0] + 360]])
        delta = delta.pad(lon=1, mode="wrap").assign_coords(lon=around)
    inside = {
        "lat": lat.clip(delta["lat"].min().item(), delta["lat"].max().item()),
        "lon": lon.clip(delta["lon"].min().item(), delta["lon"].max().item()),
    }
    return delta.interp(inside, method="linear").assign_coords(lat=like["lat"], lon=like["lon"])


def adjust_model(
    model: xr.Dataset, history: xr.Dataset, reanalysis: xr.Dataset, common: tuple[int, int] = COMMON_PERIOD
) -> xr.Dataset:
    """Months of a climate model on the grid and in the mean climate of a reanalysis: the delta method.

    For each calendar month, the change of the model against its own mean of the common period is taken on the model's
    grid, brought onto the reanalysis grid (bilinear) and applied to the reanalysis mean of that month:

    - additive (temperature): the difference is added;
    - multiplicative (precipitation, radiation): the ratio multiplies. It is 1 where the model's own mean is below
      ``least`` of the data dictionary (a dry month, polar night), and at most the number of years of the common
      period, which no ratio within that period can exceed;
    - climatology (soil moisture, which the model lacks): the reanalysis mean, the same in every year. It knows no
      drought, no trend and no scenario.

    So over the common period the mean of the adjusted model is that of the reanalysis, month by month and cell by cell.

    Parameters
    ----------
    model : xarray.Dataset, (time, lat, lon)
        Months to adjust, of `ai4land.sources.isimip.open_isimip_netcdf`.
    history : xarray.Dataset, (time, lat, lon)
        The same model where it holds the common period.
    reanalysis : xarray.Dataset, (time, lat, lon)
        Of `ai4land.sources.era5.open_era5_netcdf`.
    common : tuple of int
        First and last year of the common period.

    Returns
    -------
    xarray.Dataset, (time, lat, lon) float32, lazy
        Variables and units of the data dictionary on the grid of ``reanalysis``; NaN where it or the model has none.

    Raises
    ------
    ValueError
        If a variable or a month of the common period is missing, or the model does not cover the reanalysis.
    """
    months = max(1, _BLOCK // (reanalysis.sizes["lat"] * reanalysis.sizes["lon"]))
    model, history, reanalysis = (data.chunk({"time": months}) for data in (model, history, reanalysis))
    month, fields = model["time"].dt.month, {}
    for name, row in read_climate_variables().iterrows():
        held = {"reanalysis": reanalysis} | ({"climate model": model} if row["isimip"] else {})
        for what, data in held.items():
            if name not in data:
                raise ValueError(f"{what}: no variable {name}, found {sorted(map(str, data.data_vars))}.")
        mean = monthly_climatology(reanalysis[name], common, "reanalysis").sel(month=month)
        if row["join"] != "climatology":
            usual = monthly_climatology(history[name], common, "climate model").sel(month=month)
            now = model[name].astype(float).reset_coords(drop=True)
            if row["join"] == "additive":
                mean = mean + _interpolate((now - usual).drop_vars("month").rename(name), reanalysis)
            else:
                # A missing value is not below any limit, and stays missing.
                ratio = xr.where(usual < row["least"], 1.0, now / usual).clip(max=common[1] - common[0] + 1)
                mean = mean * _interpolate(ratio.drop_vars("month").rename(name), reanalysis)
        field = mean.reset_coords(drop=True).astype(np.float32).transpose("time", "lat", "lon")
        fields[name] = field.assign_attrs(variable_attributes(str(name)))
    return xr.Dataset(fields)


def _check_models(history: xr.Dataset, scenario: xr.Dataset | None) -> None:
    parts = [history] if scenario is None else [history, scenario]
    if history.attrs["scenario"] != "historical":
        raise ValueError(f"model_history is {history.attrs['scenario']!r}; expected the historical experiment.")
    if scenario is not None:
        check_climate_scenario(scenario.attrs["scenario"])
        one, other = ({k: p.attrs[k] for k in ("model", "member")} for p in parts)
        if one != other:
            raise ValueError(f"model_history is of {one} and model_scenario of {other}; give two of one model run.")
    check_months(xr.concat([p["time"] for p in parts], "time"), "model_history and model_scenario")


def join_climate(
    reanalysis: xr.Dataset,
    model_history: xr.Dataset,
    model_scenario: xr.Dataset | None = None,
    common: tuple[int, int] = COMMON_PERIOD,
) -> xr.Dataset:
    """One monthly series: the reanalysis where it is, before and after it the adjusted climate model.

    Parameters
    ----------
    reanalysis : xarray.Dataset, (time, lat, lon)
        Of `ai4land.sources.era5.open_era5_netcdf`; its grid and its values stay.
    model_history, model_scenario : xarray.Dataset, (time, lat, lon)
        One run of one model, of `ai4land.sources.isimip.open_isimip_netcdf`; they follow on each other.
    common : tuple of int
        First and last year of the common period, inside both the reanalysis and ``model_history``, so that the past
        is the same under every scenario.

    Returns
    -------
    xarray.Dataset, (time, lat, lon) float32, lazy
        As `adjust_model`, which states the rules. Coordinates ``origin`` and ``soil_moisture_origin`` (time), uint8,
        index `ORIGINS`: soil moisture outside the reanalysis is its climatology.

    Raises
    ------
    ValueError
        If the scenario has no climate, the parts are not of one model run, a month is missing, or as `adjust_model`.
    """
    _check_models(model_history, model_scenario)
    check_months(reanalysis["time"], "reanalysis")
    first, last = reanalysis["time"].to_numpy()[[0, -1]]
    parts = [(1, model_history.sel(time=model_history["time"] < first)), (0, reanalysis)]
    parts += [(k, m.sel(time=m["time"] > last)) for k, m in ((1, model_history), (2, model_scenario)) if m is not None]
    parts = [(k, part) for k, part in parts if part.sizes["time"]]
    names = list(read_climate_variables().index)
    series = [adjust_model(p, model_history, reanalysis, common) if k else p[names] for k, p in parts]
    joined = xr.concat([s.reset_coords(drop=True) for s in series], "time", join="exact")
    check_months(joined["time"], "reanalysis and climate model")
    origin = np.repeat([k for k, _ in parts], [p.sizes["time"] for _, p in parts]).astype(np.uint8)
    about = {"flag_values": np.arange(len(ORIGINS), dtype=np.uint8), "flag_meanings": " ".join(ORIGINS)}
    soil = np.where(origin == 0, 0, ORIGINS.index("climatology")).astype(np.uint8)
    coords = {
        "origin": ("time", origin, {"long_name": "where the month is from"} | about),
        "soil_moisture_origin": ("time", soil, {"long_name": "where the month of soil moisture is from"} | about),
        **{name: reanalysis[name] for name in ("lat_bnds", "lon_bnds")},
    }
    return joined.assign_coords(coords).assign_attrs({**reanalysis.attrs, "common_period": f"{common[0]}-{common[1]}"})
