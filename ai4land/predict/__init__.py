"""Test maps of every model, and the counts that judge them."""

from ai4land.predict.counts import common_cells, count_predictions, count_run
from ai4land.predict.maps import (
    predict_all,
    predict_experiment,
    read_peers,
    read_predictions,
    read_region_maps,
    remove_checkpoints,
)
from ai4land.predict.planet import with_planet_maps
from ai4land.predict.rules import Predictions
from ai4land.predict.windows import predict_windows

__all__ = [
    "Predictions", "common_cells", "count_predictions", "count_run", "predict_all", "predict_experiment",
    "predict_windows", "read_peers", "read_predictions", "read_region_maps", "remove_checkpoints",
    "with_planet_maps",
]  # fmt: skip
