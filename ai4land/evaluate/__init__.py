"""From maps to addable counts, and from counts to every score; per-tile scores are never averaged."""

from ai4land.evaluate.counts import (
    KEYS,
    RESOLUTIONS,
    count_calibration,
    count_maps,
    counts_with_keys,
    keep_lasting,
)
from ai4land.evaluate.protocol import class_table, cost_table, fold_table, protocol_table
from ai4land.evaluate.rollouts import (
    areas_by_year,
    calibration_by_lead,
    changes_by_year,
    drift_table,
    join_table,
    null_resolutions,
    patch_sizes,
    read_annual,
    rollout_annual,
    texture_by_year,
    transition_table,
)  # fmt: skip
from ai4land.evaluate.scores import read_scores, score_counts
from ai4land.evaluate.tables import (
    add_regional_means,
    beside_claims,
    check_reproduced,
    lead_tables,
    masked_tables,
    null_resolution,
    pool_counts,
    read_counts,
    reliability_table,
    score_run,
    summary_table,
)  # fmt: skip
from ai4land.evaluate.texture import annual_table, calendar_maps, luh2_areas

__all__ = [
    "KEYS", "RESOLUTIONS", "add_regional_means", "annual_table", "areas_by_year", "beside_claims",
    "calendar_maps", "calibration_by_lead", "changes_by_year", "check_reproduced", "class_table",
    "cost_table", "count_calibration", "count_maps", "counts_with_keys", "drift_table", "fold_table", "join_table",
    "keep_lasting", "lead_tables", "luh2_areas", "masked_tables", "null_resolution", "null_resolutions",
    "patch_sizes", "pool_counts", "protocol_table", "read_annual", "read_counts", "read_scores",
    "reliability_table",
    "rollout_annual", "score_counts", "score_run", "summary_table", "texture_by_year", "transition_table",
]  # fmt: skip
