"""Layers that stay on their own grids, written once a run: LUH2's states, climate, population, CO2, coarse relief."""

from pathlib import Path

import numpy as np
import xarray as xr
from numcodecs.bitround import BitRound

from ai4land.cube.layers import regrid_luh2_states
from ai4land.cube.layout import Layout
from ai4land.cube.store import source_and_kind, write_region
from ai4land.cube.templates import in_blocks
from ai4land.grid import COARSE_CELLS, Grid
from ai4land.regrid import cut_around
from ai4land.sources.canonical import with_bounds
from ai4land.store import allocate, save
from ai4land.templates import Field, Group, year_coordinate
from ai4land.windows import Window

_YEARS = 10  # of LUH2 in work at a time: bounds memory, whatever the window
_MONTHS = 12
_BITS = 12  # of the 23 of a mantissa


def write_relief(path: Path, elevation: xr.DataArray) -> None:
    """Keep a coarse elevation on its own grid, in group ``relief``; never upsampled to disk."""
    save(path, elevation.to_dataset(name="elevation"), "relief")


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
    allocate(path, group, _luh2_group(path, layout, grid, states))
    whole = Window.whole(grid.shape)
    for start in range(0, states.sizes["time"], _YEARS):
        years = regrid_luh2_states(states.isel(time=slice(start, start + _YEARS)), grid)
        write_region(path, group, years, whole)


def _luh2_group(path: Path, layout: Layout, grid: Grid, states: xr.Dataset) -> Group:
    about = {"long_name": "LUH2 state", "comment": "fraction of the whole cell (1); secma in years, secmb in kg m-2; "
             "NaN is ocean"}  # fmt: skip
    names = xr.Variable("state", np.array(list(map(str, states.data_vars)), object))
    chunk, years = in_blocks(layout.chunk), states["time"].to_numpy()
    rows, cols = (-(-n // c) * c for n, c in zip(grid.shape, chunk, strict=True))
    return Group(
        {"luh2_state": Field(("time", "state", "lat", "lon"), "float32", np.nan, about)},
        {**year_coordinate(years), "state": names, **grid.coords()}, chunk, (rows, cols) if layout.shard else None,
        _YEARS, source_and_kind(path),
    )  # fmt: skip


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
    save(path, data.assign_attrs(source_and_kind(path)), group, {"time": _MONTHS})


def _rounded(field: xr.DataArray) -> xr.DataArray:
    """A float32 field with the last bits of its mantissa rounded to 0; lazy."""
    return field.copy(data=field.data.map_blocks(_round_bits, dtype=np.float32))


def _round_bits(values: np.ndarray) -> np.ndarray:
    return BitRound(_BITS).encode(values.astype(np.float32)).view(np.float32).reshape(values.shape)
