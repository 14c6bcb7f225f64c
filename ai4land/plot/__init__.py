"""Figures from saved tables and stores; every function returns a Figure and computes no score."""

from ai4land.plot.charts import plot_class_areas, plot_history, plot_lead_scores, plot_resolution, plot_score_table
from ai4land.plot.maps import plot_change, plot_map, plot_map_row
from ai4land.plot.style import model_label, save_figure

__all__ = [
    "model_label", "plot_change", "plot_class_areas", "plot_history", "plot_lead_scores", "plot_map", "plot_map_row",
    "plot_resolution", "plot_score_table", "save_figure",
]  # fmt: skip
