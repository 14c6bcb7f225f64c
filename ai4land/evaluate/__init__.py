"""From maps to addable counts, and from counts to every score; per-tile scores are never averaged."""

from ai4land.evaluate.counts import (
    KEYS,
    RESOLUTIONS,
    count_calibration,
    count_maps,
    counts_with_keys,
    keep_lasting,
)
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
    "KEYS", "RESOLUTIONS", "add_regional_means", "beside_claims", "check_reproduced", "count_calibration",
    "count_maps", "counts_with_keys", "keep_lasting", "lead_tables", "masked_tables", "null_resolution", "pool_counts",
    "read_counts", "reliability_table", "score_counts", "score_run", "summary_table",
]  # fmt: skip
