"""Land cover and leaf area through the product's years: rollouts of regions, and the stores stitched from them."""

from ai4land.green.fill import stitch_green
from ai4land.green.pieces import (
    HALO_CELLS,
    KINDS,
    find_pieces,
    green_stores,
    leaf_variant,
    product_land_use,
    rolled_path,
    vegetation_regions,
)
from ai4land.green.roll import roll_green, steps_of
from ai4land.green.rolled import WATER, open_rolled
from ai4land.green.store import open_green
from ai4land.green.tables import annual_summary, cover_areas, mean_seasons, seam_contrast

__all__ = [
    "HALO_CELLS", "KINDS", "WATER", "annual_summary", "cover_areas", "find_pieces", "green_stores", "leaf_variant",
    "mean_seasons", "open_green", "open_rolled", "product_land_use", "roll_green", "rolled_path", "seam_contrast",
    "steps_of", "stitch_green", "vegetation_regions",
]  # fmt: skip
