"""ISIMIP3b bias-adjusted climate models on 0.5 degree: daily files by variable and decade, to monthly means.

Traps: 60,000 days of the globe are 62 GB a variable, so the mean is taken month by month, lazily; the first and the
last file of an experiment are no whole decades; models differ in their member (r1i1p1f1, r1i1p1f2).
"""

import numpy as np
import xarray as xr

from ai4land.checks import check_same_grid
from ai4land.grid import grid_of
from ai4land.sources.canonical import canonical
from ai4land.sources.climate import check_months, read_climate_variables, variable_attributes
from ai4land.sources.registry import InputFile


def _mean_of_month(days: np.ndarray) -> np.ndarray:
    return days.mean(axis=0, keepdims=True, dtype=float).astype(np.float32)


def _open_monthly(file: InputFile, variable: str, units: str) -> xr.DataArray:
    """One file as monthly means; its days must be those that its name says."""
    path, keys = file.path, file.keys
    data = xr.open_dataset(path)
    if variable not in data or data[variable].attrs.get("units") != units:
        found = {str(name): field.attrs.get("units") for name, field in data.data_vars.items()}
        raise ValueError(f"{path}: variables and units are {found}, expected {variable} in {units}.")
    step = {"daily": "D", "monthly": "M"}[keys["frequency"]]
    wanted = np.arange(keys["first"], str(int(keys["last"]) + 1), dtype=f"datetime64[{step}]")
    time = data["time"].to_numpy()
    if time.dtype.kind != "M" or not np.array_equal(time.astype(wanted.dtype), wanted):
        raise ValueError(
            f"{path}: time holds {time.size} steps from {str(time[0])[:10]} to {str(time[-1])[:10]}, the name says "
            f"{wanted.size} ({keys['frequency']}, {keys['first']}-{keys['last']}); fetch it again."
        )
    months, count = np.unique(wanted.astype("datetime64[M]"), return_counts=True)
    field = canonical(data[[variable]], path)[variable].transpose("time", "lat", "lon")
    if step == "M":  # a chunk for each of thousands of small fields would take longer than to read them
        means = field.chunk({"time": -1}).data.astype(np.float32)
    else:
        days = field.chunk({"time": tuple(map(int, count))}).data
        means = days.map_blocks(_mean_of_month, chunks=((1,) * months.size, *days.chunks[1:]), dtype=np.float32)
    coords = {**field.drop_vars("time").coords, "time": months.astype("datetime64[ns]")}
    return xr.DataArray(means, coords, field.dims)


def _check_one_run(files: list[InputFile]) -> None:
    for key in ("model", "member", "scenario"):
        found = sorted({file.keys[key] for file in files})
        if len(found) > 1:
            raise ValueError(f"ISIMIP3b files under {files[0].path.parent}: {key} is {found}; open one at a time.")


def open_isimip_netcdf(files: list[InputFile], version: str) -> xr.Dataset:
    """Monthly climate of one model run and one scenario of ISIMIP3b.

    Parameters
    ----------
    files : list of InputFile
        Files of ``tas``, ``pr`` and ``rsds``, all for the same years; keys ``model``, ``member``, ``scenario``,
        ``variable``, ``frequency`` (daily or monthly), ``first`` and ``last`` (year).
    version : str
        Simulation round, ``ISIMIP3b``.

    Returns
    -------
    xarray.Dataset, (time, lat, lon) float32, lazy, one chunk a month of daily files, and one a file of monthly ones
        ``air_temperature`` (K), ``precipitation_flux`` (kg m-2 s-1), ``surface_downwelling_shortwave_flux`` (W m-2);
        NaN where any day is missing. ``time`` is the first of the month, datetime64[ns]. ``attrs`` hold ``model``,
        ``member`` and ``scenario``.

    Raises
    ------
    ValueError
        If models, members or scenarios are mixed, a variable or a month is missing, there twice or not for all
        variables, a file does not hold the years of its name, or units or cells are other ones.

    References
    ----------
    Lange (2019), doi:10.5194/gmd-12-3055-2019
    """
    _check_one_run(files)
    table = read_climate_variables()
    fields: dict[str, xr.DataArray] = {}
    for name, row in table[table["isimip"] != ""].iterrows():
        chosen = sorted((f for f in files if f.keys["variable"] == row["isimip"]), key=lambda f: f.keys["first"])
        what = f"ISIMIP3b {files[0].keys['model']} {files[0].keys['scenario']} {row['isimip']}"
        if not chosen:
            raise ValueError(f"{what}: no file among {sorted({f.keys['variable'] for f in files})}; add its files.")
        parts = [_open_monthly(file, row["isimip"], row["isimip_units"]) for file in chosen]
        first = next(iter(fields.values()), parts[0])
        for part in parts:
            check_same_grid(grid_of(part), grid_of(first), what)
        same = {"lat": first["lat"], "lon": first["lon"]}
        field = xr.concat([part.assign_coords(same) for part in parts], "time", coords="minimal", compat="override")
        check_months(field["time"], what)
        if not np.array_equal(field["time"], first["time"]) and fields:
            ends = [str(t)[:7] for t in (*field["time"].to_numpy()[[0, -1]], *first["time"].to_numpy()[[0, -1]])]
            raise ValueError(
                f"{what}: {ends[0]} to {ends[1]}, other variables {ends[2]} to {ends[3]}; match the years."
            )
        field.attrs, field.encoding = variable_attributes(str(name)), {}
        fields[str(name)] = field.clip(min=0, keep_attrs=True) if row["join"] == "multiplicative" else field
    about = {key: files[0].keys[key] for key in ("model", "member", "scenario")}
    return xr.Dataset(fields, attrs={"version": version, **about})
