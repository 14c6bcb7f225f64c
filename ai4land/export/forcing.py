"""LUH2 as it drives an emulator: one year of it on its own grid, checked and cut to a window."""

import re

import numpy as np
import xarray as xr

from ai4land.export.window import Domain
from ai4land.grid import Grid, grid_of
from ai4land.legend import class_codes, crosswalk_weights, read_crosswalk, read_legend

_MISSING = 1e15  # LUH2's fill value of 1e20 has a mis-cased attribute: it arrives as a number
_OVER = 0.01  # by which rounding may take fractions of a cell beyond 1


def calendar(time: xr.DataArray) -> np.ndarray:
    """Calendar year of each step: decoded dates, whole years, or LUH2's undecoded "years since"; int64.

    Raises
    ------
    ValueError
        If the values are none of these.
    """
    if np.issubdtype(time.dtype, np.datetime64) or time.dtype == object:
        return time.dt.year.to_numpy().astype(int)
    units, values = str(time.attrs.get("units", "")), time.to_numpy().astype(float)
    epoch = re.match(r"years since (\d{1,4})-", units)
    if "since" in units and not epoch:
        raise ValueError(f"forcing: time is in {units!r}; decode it, or give calendar years.")
    return (int(epoch[1]) if epoch else 0) + np.floor(values + 1e-3).astype(int)


def open_year(forcing: xr.Dataset, names: list[str], year: int) -> tuple[xr.Dataset, Grid]:
    """One year of LUH2's states, north to south and west to east, lazy where ``forcing`` is; and its grid.

    Parameters
    ----------
    forcing : xarray.Dataset, ([time], lat, lon) float
        LUH2 on its own grid, in its own units: fractions of the whole cell (1), ``secma`` (years), ``secmb`` (kg m-2).
        Without ``time`` it is that year.
    names : list of str
        States wanted.
    year : int

    Raises
    ------
    ValueError
        If a state, the year or a coordinate is missing, or the grid is uneven.
    """
    missing = [name for name in names if name not in forcing]
    if missing:
        raise ValueError(f"forcing: no variables {missing}, found {sorted(map(str, forcing.data_vars))}; give LUH2's.")
    if absent := {"lat", "lon"} - set(forcing.coords):
        raise ValueError(f"forcing: no coordinates {sorted(absent)}, found {sorted(map(str, forcing.coords))}.")
    fields = forcing[names]
    if "time" in fields.dims:
        years = calendar(fields["time"])
        if year not in years:
            raise ValueError(f"forcing: no year {year}, found {years.min()}-{years.max()}; give LUH2 of that year.")
        fields = fields.isel(time=int(np.flatnonzero(years == year)[0]))
    fields = fields.isel(lat=slice(None, None, -1)) if fields["lat"][0] < fields["lat"][-1] else fields
    try:
        return fields, grid_of(fields)
    except ValueError as error:
        raise ValueError(f"forcing: {error}") from None


def cut_states(fields: xr.Dataset, grid: Grid, domain: Domain, names: list[str], year: int) -> np.ndarray:
    """States on the coarse cells that cover a domain.

    Parameters
    ----------
    fields : xarray.Dataset
    grid : Grid
        Both of `open_year`.
    domain : Domain
    names : list of str
        In the order wanted.
    year : int
        For the error message.

    Returns
    -------
    numpy.ndarray, shape (state, Y, X), float32
        NaN is ocean.

    Raises
    ------
    ValueError
        If fractions are no fractions of the cell, or there is no land at all.
    """
    top, left = (grid.north - domain.coarse.north) / grid.dlat, (domain.coarse.west - grid.west) / grid.dlon
    cut = {
        axis: slice(round(first), round(first) + length)
        for axis, first, length in zip(("lat", "lon"), (top, left), domain.coarse.shape, strict=True)
    }
    part = fields.isel(cut).transpose("lat", "lon")
    states = np.stack([part[name].to_numpy() for name in names]).astype(np.float32)
    states[np.abs(states) > _MISSING] = np.nan
    shares = states[[names.index(name) for name in fraction_names(names)]]
    if not np.isfinite(shares).any():
        raise ValueError(f"forcing {year}: LUH2 has no land in the window; give the window's own part of it.")
    least, most, whole = np.nanmin(shares), np.nanmax(shares), np.nanmax(shares.sum(0))
    if least < -_OVER or whole > 1 + _OVER:
        raise ValueError(
            f"forcing {year}: states run from {least:.4g} to {most:.4g} and sum to {whole:.4g}; give fractions of the "
            "whole cell (1), which sum to at most 1."
        )
    return states


def fraction_names(names: list[str]) -> list[str]:
    """Those of LUH2's states that are fractions of the cell, in the order given."""
    known = set(read_crosswalk("luh2", "land_use")["source_code"])
    return [name for name in names if name in known]


def class_fractions(states: np.ndarray, names: list[str]) -> np.ndarray:
    """Class fractions of whole cells from LUH2's states, as `ai4land.samples.states.whole_cell_fractions` has them.

    Parameters
    ----------
    states : numpy.ndarray, shape (state, Y, X), float32
        NaN is ocean.
    names : list of str

    Returns
    -------
    numpy.ndarray, shape (class, Y, X), float32
        Sums to 1 over the classes: what is neither land nor ice-free stands as ocean.
    """
    used = fraction_names(names)
    table = crosswalk_weights(read_crosswalk("luh2", "land_use"), read_legend("land_use")).sel(source_code=used)
    shares = states[[names.index(name) for name in used]]
    land = shares.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        fraction = np.einsum("sk,syx->kyx", table.to_numpy().astype(np.float32), shares) / land
    fraction = np.where(land > 0, fraction, 0) * np.clip(np.nan_to_num(land), 0, 1)
    fraction[class_codes(read_legend("land_use")) == 0] += 1 - fraction.sum(0)
    return fraction.astype(np.float32)
