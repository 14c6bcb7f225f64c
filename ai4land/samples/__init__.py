"""What a model may see: arrays of a case, splits by year and by spatial block, tables for trees."""

from ai4land.samples.arrays import Batch, RegionCube, make_batch, read_region, refine_step
from ai4land.samples.splits import Case, Split, case_batch, deal_folds, learnable, make_split
from ai4land.samples.tables import RADII, class_densities, feature_matrix, feature_table, kernel_density
from ai4land.samples.windows import PATCH_CELLS, WindowSampler, cut_batch, hide_patches

__all__ = [
    "PATCH_CELLS", "RADII", "Batch", "Case", "RegionCube", "Split", "WindowSampler", "case_batch", "class_densities",
    "cut_batch", "deal_folds", "feature_matrix", "feature_table", "hide_patches", "kernel_density", "learnable",
    "make_batch", "make_split", "read_region", "refine_step",
]  # fmt: skip
