"""Regions joined into one map: probabilities blended across their edges, and what is left of a seam."""

from ai4land.stitch.blend import Vote, blend_classes, chance_of, join_regions, stitch_maps, stitch_window
from ai4land.stitch.seams import count_disagreement, count_flicker, count_seam, edge_contrast, score_seam
from ai4land.stitch.tiles import (
    HALO_CELLS,
    OVERLAP_CELLS,
    Tile,
    edge_mask,
    plan_tiles,
    tile_bands,
    tile_edges,
    tile_weights,
)

__all__ = [
    "HALO_CELLS", "OVERLAP_CELLS", "Tile", "Vote", "blend_classes", "chance_of", "count_disagreement", "count_flicker",
    "count_seam", "edge_contrast", "edge_mask", "join_regions", "plan_tiles", "score_seam", "stitch_maps",
    "stitch_window", "tile_bands", "tile_edges", "tile_weights",
]  # fmt: skip
