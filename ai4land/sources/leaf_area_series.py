"""Series of leaf area index: one after the other, and their monthly means.

Traps: true and effective leaf area index are different quantities; the 10th, the 20th and the last of a month end
their dekad, while an 8-day or 5-day date begins its days.
"""

from itertools import pairwise

import numpy as np
import xarray as xr

from ai4land.checks import check_same_grid
from ai4land.grid import grid_of

_DAY = np.timedelta64(1, "D")


def concat_series(parts: list[xr.Dataset], names: list[str]) -> xr.Dataset:
    """Several series of leaf area index as one, in the order of their dates.

    Parameters
    ----------
    parts : list of xarray.Dataset, (time, lat, lon)
        In the canonical form.
    names : list of str
        What each is called in an error message.

    Returns
    -------
    xarray.Dataset, (time, lat, lon), lazy
        Variables of all, NaN where one has none; cells of the earliest.

    Raises
    ------
    ValueError
        If cells differ or dates overlap.
    """
    order = sorted(range(len(parts)), key=lambda i: parts[i]["time"].to_numpy()[0])
    first = parts[order[0]]
    for before, after in pairwise(order):
        check_same_grid(grid_of(parts[after]), grid_of(first), f"{names[after]} against {names[order[0]]}")
        end, start = parts[before]["time"].to_numpy()[-1], parts[after]["time"].to_numpy()[0]
        if start <= end:
            raise ValueError(f"{names[after]} starts {start}, {names[before]} ends {end}: keep one of each date.")
    # Coordinates may differ in the last digits between files: take the first file's.
    same = [parts[i].assign_coords({c: first[c] for c in ("lat", "lon", "lat_bnds", "lon_bnds")}) for i in order]
    return xr.concat(same, "time", data_vars="all", coords="minimal", compat="override", join="exact")


def join_leaf_area_index(first: xr.Dataset, second: xr.Dataset) -> xr.Dataset:
    """Two series of leaf area index, one after the other; nothing is harmonised.

    Parameters
    ----------
    first, second : xarray.Dataset, (time, lat, lon)
        Of the readers, in any order.

    Returns
    -------
    xarray.Dataset, (time, lat, lon) float32, lazy
        Variables of both, NaN where one series has none; ``sensor(time)`` keeps the break.

    Raises
    ------
    ValueError
        If definitions differ or one is unknown, or cells differ, or dates overlap.
    """
    pair = [first.attrs, second.attrs]
    names = [f"{a['product']} V{a['version']} ({a['definition']} leaf area index)" for a in pair]
    if pair[0]["definition"] != pair[1]["definition"] or pair[0]["definition"] == "unknown":
        raise ValueError(
            f"{names[0]} and {names[1]} are not known to be the same quantity: convert one, never join them."
        )
    joined = concat_series([first, second], names)
    joined.attrs = {
        key: " + ".join(dict.fromkeys(a[key] for a in pair)) for key in ("product", "version", "definition")
    }
    return joined


def _days_of_dates(time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First day that each date stands for, and the day after the last, datetime64[D]."""
    day = time.astype("datetime64[D]")
    first = day.astype("datetime64[M]").astype("datetime64[D]")
    number, ends_month = (day - first) // _DAY + 1, (day + _DAY).astype("datetime64[M]") > day.astype("datetime64[M]")
    if (np.isin(number, (10, 20)) | ends_month).all():
        return first + np.select([number == 10, number == 20], [0, 10], 20) * _DAY, day + _DAY
    if day.size < 2:
        raise ValueError(f"one date, {day[0]}, does not say how many days it stands for; give a series.")
    step = np.diff(day)
    usual = np.sort(step)[step.size // 2]
    return day, day + np.append(np.where(2 * step > 3 * usual, usual, step), usual)


def monthly_mean(lai: xr.Dataset) -> xr.Dataset:
    """Monthly mean leaf area index, each observation weighted by the days it stands for within the month.

    Dates that are all the 10th, the 20th or the last of a month end their dekad (days 1-10, 11-20, 21-end). In any
    other series a date stands for the days until the next one; before a gap (1.5 times the usual step), and at the
    end, for the usual step. A month without a date of its own is left out.

    Parameters
    ----------
    lai : xarray.Dataset, (time, lat, lon)
        Of the readers, ascending in time.

    Returns
    -------
    xarray.Dataset, (time, lat, lon), lazy where ``lai`` is
        ``leaf_area_index`` (float32, m2 m-2), over the days with an observation, NaN where there is none; ``count``
        (int16, 1), observations with a day in the month. ``time`` is the first of the month; the uncertainty, whose
        correlation in time is not known, is left out.

    Raises
    ------
    ValueError
        If there is one date only and it ends no dekad.
    """
    time = lai["time"].to_numpy()
    start, end = _days_of_dates(time)
    months = []
    for month in np.unique(time.astype("datetime64[M]")):
        first, after = month.astype("datetime64[D]"), (month + 1).astype("datetime64[D]")
        inside = (np.minimum(end, after) - np.maximum(start, first)) // _DAY
        used = np.flatnonzero(inside > 0)
        field = lai["leaf_area_index"].isel(time=used)
        days = xr.DataArray(inside[used].astype(np.float32), dims="time")
        seen = xr.apply_ufunc(np.isfinite, field, dask="allowed")
        total = (seen * days).sum("time")
        mean = ((field * days).sum("time") / total.where(total > 0)).astype(np.float32)
        one = xr.Dataset({"leaf_area_index": mean, "count": seen.sum("time").astype(np.int16)})
        sensor = "+".join(dict.fromkeys(lai["sensor"].to_numpy()[used]))
        months.append(
            one.expand_dims(time=np.array([month], "datetime64[ns]")).assign_coords(sensor=("time", [sensor]))
        )
    means = xr.concat(months, "time", coords="minimal", compat="override", join="exact").assign_attrs(lai.attrs)
    means["leaf_area_index"].attrs = lai["leaf_area_index"].attrs | {"cell_methods": "time: mean"}
    means["count"].attrs = {"long_name": "observations with a day in the month", "units": "1"}
    return means
