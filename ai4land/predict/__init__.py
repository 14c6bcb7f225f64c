"""Test maps of every model, and the counts that judge them."""

from ai4land.predict.counts import class_areas, common_cells, count_predictions, count_run
from ai4land.predict.maps import Predictions, predict_all, predict_experiment, read_peers, read_predictions

__all__ = [
    "Predictions", "class_areas", "common_cells", "count_predictions", "count_run", "predict_all",
    "predict_experiment", "read_peers", "read_predictions",
]  # fmt: skip
