"""One Zarr v3 store a run: its cells, its layers, and how regions write into it."""

from ai4land.cube.layers import (
    coarse_fractions,
    luh2_groups,
    regrid_land_use,
    regrid_luh2_states,
    regrid_luh2_static,
    regrid_terrain,
    relief_is_coarse,
)  # fmt: skip
from ai4land.cube.layout import Layout, plan_layout
from ai4land.cube.store import create_cube, has_relief, luh2_years, open_cube, write_region, write_relief

__all__ = [
    "Layout", "coarse_fractions", "create_cube", "has_relief", "luh2_groups", "luh2_years", "open_cube", "plan_layout",
    "regrid_land_use", "regrid_luh2_states", "regrid_luh2_static", "regrid_terrain", "relief_is_coarse",
    "write_region", "write_relief",
]  # fmt: skip
