"""What runs inside libai4land_emulator.so: `ai4land.export.emulator.Emulator` behind the functions of emulator.h."""

import sys
from functools import wraps
from pathlib import Path

import numpy as np
import xarray as xr
from ai4land_emulator import ffi  # the library itself

from ai4land.export.emulator import Emulator
from ai4land.export.state import save_state
from ai4land.grid import grid_of

held = {}  # the emulator, its state, and the host's grid, between two calls


def answered(function):
    """Answer 1, or 0 and one line on standard error; cffi itself answers 0 where Python could not start."""

    @wraps(function)
    def call(*arguments):
        try:
            function(*arguments)
        except Exception as error:
            print(f"{function.__name__}: {' '.join(str(error).split())}", file=sys.stderr, flush=True)
            return 0
        return 1

    return ffi.def_extern()(call)


def path(text) -> Path:
    """Path that the host names."""
    return Path(ffi.string(text).decode())


def array(pointer, dtype, *shape) -> np.ndarray:
    """Memory of the host as an array."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.frombuffer(ffi.buffer(pointer, size), dtype).reshape(shape)


def forcing(luh2) -> xr.Dataset:
    """LUH2's states of one year, copied: the host may read the next year into the same array."""
    shape = held["lat"].size, held["lon"].size
    values = array(luh2, np.float32, len(held["names"]), *shape).copy()
    fields = {name: (("lat", "lon"), field) for name, field in zip(held["names"], values, strict=True)}
    return xr.Dataset(fields, {"lat": held["lat"], "lon": held["lon"]})


def write(land_use) -> None:
    """Land use of the state into the host's array."""
    made = held["state"]["land_use"].to_numpy()
    array(land_use, np.uint8, *made.shape)[:] = made


@answered
def ai4land_init(bundle, start, luh2_rows, luh2_columns, lat, lon, rows, columns):
    held["emulator"] = Emulator.load(path(bundle))
    held["start"] = xr.load_dataset(path(start), mask_and_scale=False)
    graph = held["emulator"].about["graphs"][held["start"].attrs["graph"]]
    held["names"] = next(given["names"] for given in graph["inputs"] if given["name"] == "states")
    held["lat"], held["lon"] = array(lat, float, luh2_rows).copy(), array(lon, float, luh2_columns).copy()
    rows[0], columns[0] = held["start"].sizes["lat"], held["start"].sizes["lon"]


@answered
def ai4land_start(year, luh2, land_use, cell_area):
    maps, static = held["start"]["land_use"], held["start"].drop_vars("land_use")
    held["state"] = held["emulator"].start(maps, static, forcing(luh2), year)
    area = grid_of(held["state"]["land_use"]).cell_area() / 1e6
    array(cell_area, float, area.size)[:] = area
    write(land_use)


@answered
def ai4land_step(year, luh2, land_use):
    held["state"] = held["emulator"].step(held["state"], forcing(luh2), year)
    write(land_use)


@answered
def ai4land_finalise(state):
    save_state(held["state"], path(state))
    held.clear()
