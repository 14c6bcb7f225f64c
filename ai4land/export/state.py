"""The state of an emulator between two years: all that the next year depends on, as one CF dataset.

Targets are counted from the start year, so a state carries the areas of the start year's map and LUH2's fractions then.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ai4land.export.window import Domain, known_domain
from ai4land.legend import NO_DATA, check_codes, class_codes, flag_attributes, read_legend

STATE_VERSION = 1
DIRECTIONS = {1: "forward", -1: "backward", 0: "either"}
_COARSE = ("luh2_lat", "luh2_lon")
_BY_CLASS = ("land_use_class", *_COARSE)
_LONG_NAMES = {
    "earlier_land_use": "land use of the years before, the nearest first",
    "confidence": "probability that the class is right",
    "land_use_fraction": "area fraction of the class in the LUH2 cell, of the cells of the window with data",
    "start_cells": "fine cells of the class in the start year's map",
    "start_luh2_fraction": "LUH2's area fraction of the class in the start year",
}


def make_state(
    domain: Domain, maps: np.ndarray, static: xr.Dataset, states: dict[str, np.ndarray], fraction: np.ndarray,
    attributes: dict[str, Any],
) -> xr.Dataset:  # fmt: skip
    """State of the start year.

    Parameters
    ----------
    domain : Domain
    maps : numpy.ndarray, shape (map, y, x), uint8
        The start year's first, then those of the years before; 255 is no data.
    static : xarray.Dataset, (lat, lon)
        Layers that stand still, in the units of the bundle.
    states : dict of str to numpy.ndarray, shape (Y, X), float32
        LUH2 of the start year by name.
    fraction : numpy.ndarray, shape (class, Y, X), float32
        LUH2's class fractions then.
    attributes : dict
        ``year``, ``direction``, ``legend`` and what the bundle says of itself.

    Returns
    -------
    xarray.Dataset
        ``land_use`` (lat, lon) uint8, ``earlier_land_use`` (earlier, lat, lon) uint8, ``confidence`` (lat, lon)
        float32, the statics by name; on LUH2's cells (luh2_lat, luh2_lon): its states by name,
        ``land_use_fraction``, ``start_cells`` and ``start_luh2_fraction`` (land_use_class, luh2_lat, luh2_lon).
    """
    legend, fine = read_legend("land_use"), ("lat", "lon")
    coarse = {f"luh2_{n}": (f"luh2_{n}", v.data, v.attrs) for n, v in domain.coarse.coords().items()}
    counts = domain.class_sums(maps[0], np.ones(domain.grid.rows, np.int32))
    fields: dict[str, Any] = {
        "land_use": (fine, maps[0], {"long_name": "land use", **flag_attributes(legend)}),
        "earlier_land_use": (("earlier", *fine), maps[1:], flag_attributes(legend)),
        "confidence": (fine, (maps[0] != NO_DATA).astype(np.float32), {"units": "1"}),
        "land_use_fraction": (_BY_CLASS, class_shares(maps[0], domain), {"units": "1"}),
        "start_cells": (_BY_CLASS, counts, {"units": "1"}),
        "start_luh2_fraction": (_BY_CLASS, fraction, {"units": "1"}),
    }
    fields |= {str(name): (fine, layer.to_numpy(), layer.attrs) for name, layer in static.items()}
    fields |= {name: (_COARSE, values) for name, values in states.items()}
    coords: dict[str, Any] = {**domain.grid.coords(), **coarse, "land_use_class": class_codes(legend)}
    state = xr.Dataset(fields, coords, {"Conventions": "CF-1.11", "state_version": STATE_VERSION, **attributes})
    state.attrs["start_year"] = state.attrs["year"]
    for name, text in _LONG_NAMES.items():
        state[name].attrs["long_name"] = text
    return _plain(state)


def class_shares(labels: np.ndarray, domain: Domain) -> np.ndarray:
    """Area fractions of the classes in LUH2's cells, (class, Y, X) float32; NaN without data."""
    area = domain.class_sums(labels, domain.grid.cell_area())
    total = area.sum(0)
    return (area / np.where(total > 0, total, np.nan)).astype(np.float32)


def _plain(state: xr.Dataset) -> xr.Dataset:
    """No missing value in any file: a reader would turn codes into floats."""
    for name in state.variables:
        state[name].encoding = {"_FillValue": None}
    return state


def next_state(
    state: xr.Dataset, domain: Domain, labels: np.ndarray, confidence: np.ndarray, states: dict[str, np.ndarray],
    year: int,
) -> xr.Dataset:  # fmt: skip
    """State after a step, of the map made and the LUH2 states used."""
    earlier = np.concatenate([state["land_use"].to_numpy()[None], state["earlier_land_use"].to_numpy()])[:-1]
    made: dict[str, np.ndarray] = {
        "land_use": labels, "earlier_land_use": earlier, "confidence": confidence,
        "land_use_fraction": class_shares(labels, domain), **states,
    }  # fmt: skip
    fields = {name: (state[name].dims, values, state[name].attrs) for name, values in made.items()}
    direction = DIRECTIONS[int(np.sign(year - state.attrs["year"]))]
    return _plain(state.assign(fields).assign_attrs(year=year, direction=direction))


def check_state(state: xr.Dataset, about: dict[str, Any], names: Sequence[str], priors: int) -> Domain:
    """Refuse what no emulator of this bundle can step; else the domain of the state.

    Parameters
    ----------
    state : xarray.Dataset
    about : dict
        Of the bundle.
    names : sequence of str
        Static layers and LUH2 states that its graph needs.
    priors : int
        Maps that it needs.

    Raises
    ------
    ValueError
        If the state is of another legend or version, lacks a field, or holds unknown codes.
    """
    version, legend = state.attrs.get("state_version"), state.attrs.get("legend")
    if version != STATE_VERSION:
        raise ValueError(f"state: state_version is {version}, expected {STATE_VERSION}; make one with Emulator.start.")
    missing = [name for name in ("land_use", "start_cells", *names) if name not in state]
    if missing:
        raise ValueError(f"state: no {missing}; make one with Emulator.start of this bundle.")
    if legend != "land_use":
        raise ValueError(f"state: legend is {legend!r}, the bundle's is 'land_use'; start from maps of that legend.")
    check_map(state["land_use"], "state")
    if state.sizes["earlier"] + 1 < priors:
        raise ValueError(f"state: {state.sizes['earlier'] + 1} maps, the graph needs {priors}; start with this bundle.")
    return known_domain(state, about)


def check_map(cover: xr.DataArray, name: str) -> None:
    """Refuse a map that is not one of codes of legend ``land_use`` (uint8, 255 no data)."""
    if cover.dtype != np.uint8:
        raise ValueError(f"{name}: land use is {cover.dtype}, expected uint8 codes; open it with mask_and_scale=False.")
    legend = read_legend("land_use")
    wanted, given = flag_attributes(legend), {k: cover.attrs[k] for k in ("flag_meanings",) if k in cover.attrs}
    if given and given["flag_meanings"] != wanted["flag_meanings"]:
        raise ValueError(f"{name}: classes are {given['flag_meanings']!r}, expected {wanted['flag_meanings']!r}.")
    check_codes(cover.to_numpy(), np.append(class_codes(legend), NO_DATA), name, "legend land_use")


def save_state(state: xr.Dataset, path: Path) -> None:
    """Write a state, whole or not at all.

    Parameters
    ----------
    state : xarray.Dataset
    path : pathlib.Path
        Ends in ``.nc`` (NetCDF) or ``.zarr``; restored with `xarray.open_dataset`.

    Raises
    ------
    ValueError
        If it ends otherwise.
    """
    if path.suffix not in (".nc", ".zarr"):
        raise ValueError(f"{path}: a state is written to .nc or .zarr; choose one of them.")
    partial = path.with_name(path.stem + ".partial" + path.suffix)
    if path.suffix == ".nc":
        state.to_netcdf(partial)
        partial.replace(path)
    else:
        old = path.with_name(path.stem + ".old" + path.suffix)
        state.to_zarr(partial, mode="w", zarr_format=3, consolidated=False)
        shutil.rmtree(old, ignore_errors=True)
        if path.exists():
            path.replace(old)
        partial.replace(path)
        shutil.rmtree(old, ignore_errors=True)
