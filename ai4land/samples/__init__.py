"""What a model may see: arrays of a case, splits by year and by spatial block, tables for trees.

Random windows need torch and are imported from ``ai4land.samples.windows`` and ``ai4land.samples.stream``.
"""

from ai4land.samples.arrays import Batch, coarse_pair, cut_batch, make_batch, refine_step
from ai4land.samples.cases import Case, Split, learnable, thinned
from ai4land.samples.patches import PATCH_CELLS, hide_patches
from ai4land.samples.predictors import Given, annual_fields, monthly_fields
from ai4land.samples.region import Region
from ai4land.samples.region_store import LAND_USE, VEGETATION, read_region
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
from ai4land.samples.tables import class_densities, feature_matrix, feature_table, kernel_density, transition_counts

__all__ = [
    "LAND_USE",
    "PATCH_CELLS",
    "RADII",
    "VEGETATION",
    "Batch",
    "Case",
    "Given",
    "Region",
    "Split",
    "annual_fields",
    "case_batch",
    "class_densities",
    "coarse_pair",
    "cut_batch",
    "data_digest",
    "deal_folds",
    "feature_matrix",
    "feature_table",
    "first_case",
    "held_out",
    "hide_patches",
    "kernel_density",
    "learnable",
    "make_batch",
    "make_split",
    "masked",
    "monthly_fields",
    "read_region",
    "refine_step",
    "spatial_folds",
    "thinned",
    "transition_counts",
]  # fmt: skip
