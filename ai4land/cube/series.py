"""Layers that stay on their own grids, written once a run: LUH2's states, climate, population, CO2, coarse relief."""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numcodecs.bitround import BitRound

from ai4land.cube.layers import regrid_luh2_states
from ai4land.cube.layout import Layout
from ai4land.cube.store import source_and_kind, write_region
from ai4land.cube.templates import FLOATS, in_blocks
from ai4land.grid import COARSE_CELLS, Grid
from ai4land.regrid import cut_around
from ai4land.sources.canonical import with_bounds
from ai4land.windows import Window

_YEARS = 10  # of LUH2 in work at a time: bounds memory, whatever the window
_MONTHS = 12
_BITS = 12  # of the 23 of a mantissa


def write_relief(path: Path, elevation: xr.DataArray) -> None:
    """Keep a coarse elevation on its own grid, in group ``relief``; never upsampled to disk."""
    elevation.to_dataset(name="elevation").to_zarr(path, group="relief", mode="w", zarr_format=3, consolidated=False)


def write_luh2(path: Path, layout: Layout, group: str, states: xr.Dataset) -> None:
    """Write LUH2's states on the run's coarse cells, ten years at a time.

    Parameters
    ----------
    path : pathlib.Path
        The cube.
    layout : Layout
    group : str
        ``luh2`` or ``luh2-<scenario>``.
    states : xarray.Dataset, (time, lat, lon), lazy
        Of `ai4land.cube.luh2_groups`.
    """
    grid = layout.grid.blocks(COARSE_CELLS)
    _allocate_luh2(path, layout, grid, group, states)
    whole = Window.whole(grid.shape)
    for start in range(0, states.sizes["time"], _YEARS):
        years = regrid_luh2_states(states.isel(time=slice(start, start + _YEARS)), grid)
        write_region(path, group, years, whole)


def _allocate_luh2(path: Path, layout: Layout, grid: Grid, group: str, states: xr.Dataset) -> None:
    about = {"long_name": "LUH2 state", "comment": "fraction of the whole cell (1); secma in years, secmb in kg m-2; "
             "NaN is ocean"}  # fmt: skip
    names = [str(name) for name in states.data_vars]
    shape = {"time": states.sizes["time"], "state": len(names), "lat": grid.rows, "lon": grid.cols}
    chunk = (_YEARS, len(names), *in_blocks(layout.chunk))
    packed: dict[str, Any] = {"chunks": chunk, **FLOATS}
    if layout.shard:
        packed["shards"] = (_YEARS, len(names), *(-(-n // c) * c for n, c in zip(grid.shape, chunk[2:], strict=True)))
    whole = dict(zip(shape, packed.get("shards", chunk), strict=True))
    empty = xr.DataArray(np.float32(np.nan)).expand_dims(shape).chunk(whole)
    field = xr.Variable(tuple(shape), empty.data, about, packed)
    time = xr.Variable("time", states["time"].to_numpy().astype(np.int16), {"long_name": "calendar year"})
    coords = {"time": time, "state": np.array(names, object), **grid.coords()}
    template = xr.Dataset({"luh2_state": field}, coords, source_and_kind(path))
    template.to_zarr(path, group=group, mode="w", compute=False, zarr_format=3, consolidated=False)


def write_series(path: Path, layout: Layout, group: str, data: xr.Dataset) -> None:
    """Write a series on its own grid, cut around the run's cells; a year of months, or of values, at a time.

    Of every number 13 significant bits are kept (relative error below 1.3e-4), which compress well.

    Parameters
    ----------
    path : pathlib.Path
        The cube.
    layout : Layout
    group : str
        ``climate``, ``climate_land``, ``population`` or ``co2``.
    data : xarray.Dataset, (time, lat, lon) or (time), lazy
        Canonical, of `ai4land.sources.open_input`.

    References
    ----------
    Kloewer et al. (2021), Compressing atmospheric data into its real information content,
    doi:10.1038/s43588-021-00156-2
    """
    if "lat" in data.dims:
        kept = {str(name): _rounded(cut_around(field, layout.grid)) for name, field in data.data_vars.items()}
        data = with_bounds(xr.Dataset(kept, attrs=data.attrs))
    data = data.assign_attrs(source_and_kind(path))
    whole = data.drop_encoding().chunk({d: _MONTHS if d == "time" else -1 for d in data.dims})
    floats = {name: FLOATS for name, field in whole.data_vars.items() if field.dtype == np.float32}
    whole.to_zarr(path, group=group, mode="w", zarr_format=3, consolidated=False, encoding=floats)


def _rounded(field: xr.DataArray) -> xr.DataArray:
    """A float32 field with the last bits of its mantissa rounded to 0; lazy."""
    return field.copy(data=field.data.map_blocks(_round_bits, dtype=np.float32))


def _round_bits(values: np.ndarray) -> np.ndarray:
    return BitRound(_BITS).encode(values.astype(np.float32)).view(np.float32).reshape(values.shape)
