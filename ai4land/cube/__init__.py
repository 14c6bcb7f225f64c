"""One Zarr v3 store a run: its cells, its layers, and how regions write into it."""

from ai4land.cube.build import build_region
from ai4land.cube.layers import (
    coarse_fractions,
    luh2_groups,
    open_series,
    regrid_land_use,
    regrid_luh2_states,
    regrid_luh2_static,
    regrid_terrain,
    relief_is_coarse,
    time_steps,
)
from ai4land.cube.layout import Layout, plan_layout
from ai4land.cube.series import write_luh2, write_relief, write_series
from ai4land.cube.store import create_cube, has_relief, luh2_years, open_cube, read_inputs, write_region

__all__ = [
    "Layout", "build_region", "coarse_fractions", "create_cube", "has_relief", "luh2_groups", "luh2_years",
    "open_cube", "open_series", "plan_layout", "read_inputs", "regrid_land_use", "regrid_luh2_states",
    "regrid_luh2_static", "regrid_terrain", "relief_is_coarse", "time_steps", "write_luh2", "write_region",
    "write_relief", "write_series",
]  # fmt: skip
