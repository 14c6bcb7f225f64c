"""Maps whose class areas are wanted ones, coarse cell by coarse cell; and which areas LUH2 wants."""

from ai4land.allocate.areas import Matched, match_areas, scale_areas
from ai4land.allocate.change import expected_change
from ai4land.allocate.counts import best_per_block, expected_counts, round_counts
from ai4land.allocate.targets import (
    Targets,
    Wanted,
    class_pools,
    fraction_numbers,
    luh2_targets,
    read_pools,
    wanted_areas,
)

__all__ = [
    "Matched", "Targets", "Wanted", "best_per_block", "class_pools", "expected_change", "expected_counts",
    "fraction_numbers", "luh2_targets", "match_areas", "read_pools", "round_counts", "scale_areas", "wanted_areas",
]  # fmt: skip
