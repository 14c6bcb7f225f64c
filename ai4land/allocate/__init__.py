"""Maps whose class areas are wanted ones, coarse cell by coarse cell; and which areas LUH2 wants.

What an experiment on a cube wants is in ``ai4land.allocate.wanted``; the rest needs arrays only, and no cube's reader.
"""

from ai4land.allocate.areas import Matched, match_areas, scale_areas
from ai4land.allocate.change import (
    blocks_of_change,
    expected_change,
    expected_map,
    most_probable_class,
    probability_of,
)
from ai4land.allocate.counts import best_per_block, expected_counts, round_counts
from ai4land.allocate.targets import (
    Targets,
    count_classes,
    fraction_numbers,
    luh2_pools,
    luh2_targets,
    read_pools,
)

__all__ = [
    "Matched", "Targets", "best_per_block", "blocks_of_change", "count_classes", "expected_change", "expected_counts",
    "expected_map", "fraction_numbers", "luh2_pools", "luh2_targets", "match_areas", "most_probable_class",
    "probability_of", "read_pools", "round_counts", "scale_areas",
]  # fmt: skip
