"""Figures from saved tables and stores; every function returns a Figure and computes no score."""

from ai4land.plot.cells import plot_cells
from ai4land.plot.charts import (
    plot_class_areas,
    plot_history,
    plot_lead_scores,
    plot_reliability,
    plot_resolution,
    plot_score_table,
)  # fmt: skip
from ai4land.plot.inputs import HIDDEN, plot_input_stack, plot_timeline, with_hidden
from ai4land.plot.maps import plot_change, plot_map, plot_map_row
from ai4land.plot.panels import masked_prior, stack_fields, timeline_spans
from ai4land.plot.rollouts import plot_calibration, plot_null_resolution, plot_skill
from ai4land.plot.seams import plot_seams
from ai4land.plot.style import Album, model_label, save_figure
from ai4land.plot.twin import plot_twin
from ai4land.plot.years import plot_changes, plot_drift, plot_texture, plot_transitions

__all__ = [
    "HIDDEN", "Album", "masked_prior", "model_label", "plot_calibration", "plot_cells", "plot_change",
    "plot_changes", "plot_class_areas", "plot_drift", "plot_history", "plot_input_stack", "plot_lead_scores",
    "plot_map", "plot_map_row", "plot_null_resolution", "plot_reliability", "plot_resolution",
    "plot_score_table", "plot_seams", "plot_skill", "plot_texture", "plot_timeline", "plot_transitions", "plot_twin",
    "save_figure", "stack_fields", "timeline_spans", "with_hidden",
]  # fmt: skip
