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
from ai4land.evaluate.scores import score_counts
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

__all__ = [
    "KEYS", "RESOLUTIONS", "add_regional_means", "beside_claims", "check_reproduced", "class_table",
    "cost_table", "count_calibration", "count_maps", "counts_with_keys", "fold_table", "keep_lasting",
    "lead_tables", "masked_tables", "null_resolution", "pool_counts", "protocol_table", "read_counts",
    "reliability_table", "score_counts", "score_run", "summary_table",
]  # fmt: skip
