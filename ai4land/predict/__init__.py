"""Test maps of every model, and the counts that judge them."""

from ai4land.predict.counts import class_areas, common_cells, count_predictions, count_run
from ai4land.predict.maps import (
    Predictions,
    predict_all,
    predict_experiment,
    read_peers,
    read_predictions,
    remove_checkpoints,
)
from ai4land.predict.windows import blend_weights, predict_blended, window_starts

__all__ = [
    "Predictions", "blend_weights", "class_areas", "common_cells", "count_predictions", "count_run", "predict_all",
    "predict_blended", "predict_experiment", "read_peers", "read_predictions", "remove_checkpoints", "window_starts",
]  # fmt: skip
