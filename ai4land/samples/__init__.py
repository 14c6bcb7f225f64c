"""What a model may see: arrays of a case, splits by year and by spatial block, tables for trees.

Random windows need torch and are imported from ``ai4land.samples.windows`` and ``ai4land.samples.stream``.
"""

from ai4land.samples.arrays import Batch, RegionCube, coarse_pair, cut_batch, make_batch, read_region, refine_step
from ai4land.samples.cases import Case, Split, learnable, thinned
from ai4land.samples.patches import PATCH_CELLS, hide_patches
from ai4land.samples.predictors import Given, annual_fields, monthly_fields
from ai4land.samples.splits import (
    RADII,
    case_batch,
    data_digest,
    deal_folds,
    first_case,
    held_out,
    make_split,
    masked,
    spatial_folds,
)  # fmt: skip
from ai4land.samples.states import Luh2
from ai4land.samples.tables import class_densities, feature_matrix, feature_table, kernel_density, transition_counts
from ai4land.samples.vegetation import VegetationCube
from ai4land.samples.vegetation_store import read_vegetation

__all__ = [
    "PATCH_CELLS", "RADII", "Batch", "Case", "Given", "Luh2", "RegionCube", "Split", "VegetationCube",
    "annual_fields", "case_batch", "class_densities", "coarse_pair", "cut_batch", "data_digest", "deal_folds",
    "feature_matrix", "feature_table", "first_case", "held_out", "hide_patches", "kernel_density", "learnable",
    "make_batch", "make_split", "masked", "monthly_fields", "read_region", "read_vegetation", "refine_step",
    "spatial_folds", "thinned", "transition_counts",
]  # fmt: skip
