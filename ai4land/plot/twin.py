"""Does the twin Earth look and change like land? Its statistics beside those of real maps."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ai4land.plot.style import add_source, new_figure

_PLACES = {
    "crete": ("Crete (HILDA+ v1.0)", "#0072B2", "o"), "uk_north": ("UK north (HILDA+ v1.0-f)", "#56B4E9", "s"),
    "twin_demo": ("Twin Earth, demo", "#D55E00", "^"), "twin_tiny": ("Twin Earth, tiny", "#E69F00", "v"),
}  # fmt: skip
_PAIRS = 10  # transitions shown


def _dots(axes: Axes, table: pd.DataFrame, title: str, label: str) -> None:
    """One row a category, one mark a place."""
    for place, (name, color, marker) in _PLACES.items():
        if place in table:
            axes.plot(table[place], np.arange(len(table)), marker, color=color, markersize=4, label=name, alpha=0.9)
    axes.set_yticks(range(len(table)), list(table.index))
    axes.invert_yaxis()
    axes.grid(axis="y", linewidth=0.3, color="#dddddd")
    axes.set_title(title, loc="left")
    axes.set_xlabel(label)


def plot_twin(statistics: pd.DataFrame, legend: pd.DataFrame) -> Figure:
    """Class shares, patch sizes, change rates and transitions of the twin Earth and of real maps.

    Parameters
    ----------
    statistics : pandas.DataFrame
        ``data/twin_statistics.csv``: place, statistic, class, to_class, value.
    legend : pandas.DataFrame

    Returns
    -------
    matplotlib.figure.Figure
    """
    labels = legend.set_index("name")["label"]
    order = [n for n in legend.loc[legend["land"], "name"]]
    figure = new_figure(13.5)
    panels = figure.subplots(2, 2)
    for axes, statistic, title, unit in (
        (panels[0, 0], "class_share_last_year", "Class shares", "share of land cells"),
        (panels[0, 1], "patch_cells_mean", "Patch size, mean", "cells (about 1 km²)"),
    ):
        chosen = statistics[statistics["statistic"] == statistic]
        table = chosen.pivot_table(index="class", columns="place", values="value").reindex(order)
        _dots(axes, table.rename(index=labels), title, unit)
    panels[0, 1].set_xscale("log")
    _change_rates(panels[1, 0], statistics)
    moves = statistics[statistics["statistic"] == "transition_share_3_years"]
    moves = moves.assign(pair=moves["class"].map(labels) + " to " + moves["to_class"].map(labels))
    table = moves.pivot_table(index="pair", columns="place", values="value")
    table = table.loc[table.mean(axis=1).sort_values(ascending=False).index[:_PAIRS]]
    _dots(panels[1, 1], table, "Most frequent transitions in 3 years", "share of all changes")
    panels[1, 1].tick_params(axis="y", labelsize=6)
    handles, names = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=4)
    add_source(figure, "data/twin_statistics.csv, made by benchmarks/twin_statistics.py from HILDA+ and the twin", True)
    return figure


def _change_rates(axes: Axes, statistics: pd.DataFrame) -> None:
    chosen = statistics[statistics["statistic"].str.fullmatch(r"changed_in_\d+_years_mean")]
    years = chosen["statistic"].str.extract(r"_(\d+)_", expand=False).astype(int)
    table = chosen.assign(years=years).pivot_table(index="years", columns="place", values="value")
    for place, (_, color, marker) in _PLACES.items():
        if place in table:
            axes.plot(table.index, 100 * table[place], marker + "-", color=color, markersize=4, linewidth=0.8)
    axes.set_title("Cells that differ after some years", loc="left")
    axes.set(xlabel="years between two maps", ylabel="share of land cells (%)")
