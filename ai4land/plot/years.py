"""Does a rollout hold, by calendar year? Class areas, changes, texture and transitions, from saved tables.

Rollouts are drawn as a line of the first member and a shade from the lowest to the highest of all; dotted vertical
lines are the years in which they join the reference maps, or LUH2's scenario its history.
"""

from collections.abc import Iterable
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from ai4land.plot.rollouts import SHADE, finish
from ai4land.plot.style import add_source, new_figure

# Of experiments: Okabe and Ito (2008), and two of Tol's (2021) muted scheme.
_COLORS = ["#D55E00", "#0072B2", "#CC79A7", "#009E73", "#E69F00", "#56B4E9", "#882255", "#999933"]
_LEAST_SPAN = 0.5  # % of land: no axis of areas is shorter, or noise would look like drift
_RELIABLE = "reference reconstructed"


def _label(name: str, model: str, members: int) -> str:
    more = f", {members} members" if members > 1 else ""
    return name.replace("_", " ") + (", no allocation" if model == "unet" else more)


def _draw(axes: Axes, table: pd.DataFrame, column: str, names: list[str], **style: Any) -> None:
    """One line or shade of every rollout of a table, and a line of the observed series."""
    seen = table[table["model"] == "observed"].sort_values("year").dropna(subset=column)
    axes.plot(seen["year"], seen[column], color="black", zorder=4, label="observed", **{"linewidth": 1.2} | style)
    for name, color in zip(names, cycle(_COLORS), strict=False):
        own = table[table["experiment"] == name]
        moved = own[own["model"] == "luh2"].sort_values("year")
        if len(moved):
            axes.plot(moved["year"], moved[column], color="#888888", linewidth=0.9, linestyle=(0, (4, 2)), zorder=2,
                      label="map moved by LUH2's change")  # fmt: skip
        own = own[own["model"] != "luh2"].dropna(subset=column)
        if own.empty:
            continue
        members = own.pivot_table(index="year", columns="member", values=column)
        label = _label(name, own["model"].iloc[0], members.shape[1])
        axes.fill_between(members.index, members.min(axis=1), members.max(axis=1), color=color, alpha=0.3, linewidth=0)
        line = {"linewidth": 1.0, "linestyle": (0, (2, 1)) if own["model"].iloc[0] == "unet" else "-"} | style
        axes.plot(members.index, members["all"], color=color, zorder=3, label=label, **line)


def _mark(axes: Axes, joins: Iterable[int], span: tuple[int, int], reliable: int, table: pd.DataFrame) -> None:
    """Lines at the joins, a shade over years of modelled reference maps, the axis of years."""
    for year in joins:
        axes.axvline(year, color="#666666", linewidth=0.6, linestyle=":", zorder=1)
    first = table.loc[table["model"] == "observed", "year"].min()
    if first < reliable:
        axes.axvspan(max(first, span[0]), reliable, color=SHADE, linewidth=0, zorder=0, label=_RELIABLE)
    axes.set_xlim(*span)
    axes.locator_params(axis="x", integer=True, nbins=6)


def _span(table: pd.DataFrame, names: list[str]) -> tuple[int, int]:
    years = table.loc[table["experiment"].isin(names), "year"]
    return int(years.min()), int(years.max())


def plot_drift(
    areas: pd.DataFrame, legend: pd.DataFrame, names: list[str], joins: list[int], reliable: int, source: str,
    synthetic: bool, span: tuple[int, int] | None = None,
) -> Figure:  # fmt: skip
    """Area of each class by year, a panel a class: observed, rollouts, and the base map moved by LUH2's change.

    Parameters
    ----------
    areas : pandas.DataFrame
        Of `ai4land.evaluate.areas_by_year`.
    legend : pandas.DataFrame
    names : list of str
        Rollouts that are shown.
    joins : list of int
        Years that are marked.
    reliable : int
        First year whose reference maps are not themselves a reconstruction.
    source : str
    synthetic : bool
    span : tuple of int, optional
        First and last year shown; all where absent.

    Returns
    -------
    matplotlib.figure.Figure
    """
    span = span or _span(areas, names)
    areas = areas[areas["year"].between(*span)]
    classes = [n for n in legend.loc[legend["land"], "name"] if n in set(areas["class"])]
    labels = legend.set_index("name")["label"]
    figure = new_figure(11.5)
    panels = figure.subplots(2, -(-len(classes) // 2), squeeze=False, sharex=True)
    for axes, name in zip(panels.ravel(), classes, strict=False):
        one = areas[areas["class"] == name]
        _draw(axes, one, "percent", names)
        _mark(axes, joins, span, reliable, areas)
        axes.set_title(labels[name], loc="left")
        low, high = axes.get_ylim()
        spare = max(0, _LEAST_SPAN - (high - low)) / 2
        axes.set_ylim(low - spare, high + spare)
    for axes in panels.ravel()[len(classes) :]:
        axes.set_visible(False)
    for axes in panels[:, 0]:
        axes.set_ylabel("area (% of land)")
    for axes in panels[-1]:
        axes.set_xlabel("year")
    return finish(figure, source, synthetic, columns=3)


def plot_changes(
    changes: pd.DataFrame, names: list[str], joins: list[int], reliable: int, source: str, synthetic: bool
) -> Figure:
    """Land that changes class each year: all changes, and those that last.

    Parameters
    ----------
    changes : pandas.DataFrame
        Of `ai4land.evaluate.changes_by_year`.
    names, joins, reliable, source, synthetic
        As of `plot_drift`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = new_figure(7.6)
    panels = figure.subplots(1, 2, sharey=True)
    titles = {"changed": "All changes", "lasting": "Changes that last five years, and undo none"}
    for axes, (column, title) in zip(panels, titles.items(), strict=True):
        _draw(axes, changes, column, names)
        _mark(axes, joins, _span(changes, names), reliable, changes)
        axes.set_title(title, loc="left")
        axes.set_xlabel("year")
        axes.grid(axis="y", linewidth=0.3, color="#dddddd")
    panels[0].set_ylabel("change since the year before (% of land)")
    panels[0].set_ylim(bottom=0)
    return finish(figure, source, synthetic, columns=3)


def plot_texture(
    texture: pd.DataFrame, sizes: pd.DataFrame, names: list[str], joins: list[int], reliable: int, source: str,
    synthetic: bool,
) -> Figure:  # fmt: skip
    """Edges and mean patch size by year, and how many patches of each size the first and the last maps have.

    Parameters
    ----------
    texture : pandas.DataFrame
        Of `ai4land.evaluate.texture_by_year`.
    sizes : pandas.DataFrame
        Of `ai4land.evaluate.patch_sizes`.
    names, joins, reliable, source, synthetic
        As of `plot_drift`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = new_figure(10.5)
    panels = figure.subplot_mosaic([["edges", "sizes"], ["patch_cells", "sizes"]], width_ratios=[3, 2])
    titles = {"edges": "unlike neighbours\n(% of pairs)", "patch_cells": "mean patch that a\ncell lies in (cells)"}
    for (column, label), mark in zip(titles.items(), ("", "o"), strict=True):
        _draw(panels[column], texture, column, names, marker=mark, markersize=2)
        _mark(panels[column], joins, _span(texture, names), reliable, texture)
        panels[column].set(ylabel=label, ylim=(0, None))
    panels["edges"].tick_params(labelbottom=False)
    panels["patch_cells"].set_xlabel("year")
    _draw_sizes(panels["sizes"], sizes[sizes["member"] == "all"], names)
    return finish(figure, source, synthetic, columns=3)


def _draw_sizes(axes: Axes, sizes: pd.DataFrame, names: list[str]) -> None:
    """Patches by size: first and last observed map, and the map of every rollout that is farthest from them."""
    seen = sizes[sizes["model"] == "observed"]
    first, last = seen["year"].min(), seen["year"].max()
    drawn = [("observed", seen, first, "black", "-"), ("observed", seen, last, "black", "--")]
    for name, color in zip(names, cycle(_COLORS), strict=False):
        own = sizes[sizes["experiment"] == name]
        far = max(own["year"], key=lambda year: max(first - year, year - last))
        drawn.append((name.replace("_", " "), own, far, color, "-"))
    lines = []
    for title, rows, year, color, style in drawn:
        rows = rows[rows["year"] == year].sort_values("size")
        lines += axes.plot(rows["size"], rows["patches"], color=color, linestyle=style, linewidth=1, marker="o",
                           markersize=2, label=f"_{title}, {year}")  # fmt: skip
    axes.legend(lines, [str(line.get_label())[1:] for line in lines], loc="upper right", fontsize=7)
    axes.set(xscale="log", yscale="log", xlabel="patch size (cells)", ylabel="patches in a million land cells")


def plot_transitions(
    table: pd.DataFrame, legend: pd.DataFrame, experiments: list[str], source: str, synthetic: bool
) -> Figure:
    """Transitions observed, beside those simulated, a row an experiment; log colour, the same in all panels.

    Parameters
    ----------
    table : pandas.DataFrame
        Of `ai4land.evaluate.transition_table`, one lead, model and member an experiment.
    legend : pandas.DataFrame
    experiments : list of str
    source : str
    synthetic : bool

    Returns
    -------
    matplotlib.figure.Figure
    """
    land = legend[legend["land"]]
    names, labels = list(land["name"]), list(land["label"])
    moved = table[table["class"] != table["to_class"]]
    norm = LogNorm(max(moved["percent"].max() / 1e4, 1e-4), moved["percent"].max())
    figure = new_figure(4.8 * len(experiments) + 2)
    panels = figure.subplots(len(experiments), 2, squeeze=False, sharex=True, sharey=True)
    for row, name in zip(panels, experiments, strict=True):
        for axes, source_name in zip(row, ("observed", "simulated"), strict=True):
            own = moved[(moved["experiment"] == name) & (moved["source"] == source_name)]
            matrix = own.pivot_table(index="class", columns="to_class", values="percent", aggfunc="sum")
            matrix = matrix.reindex(index=names, columns=names)
            axes.set_facecolor("#f2f2f2")
            image = axes.imshow(matrix, cmap="cividis_r", norm=norm, aspect="auto")
            for i, j in np.argwhere(matrix.to_numpy() > 0):
                value = matrix.iloc[i, j]
                dark = norm(value) > 0.55
                axes.text(
                    j, i, f"{value:.2g}", ha="center", va="center", fontsize=5.5, color="white" if dark else "black"
                )
            axes.set_title(f"{name.replace('_', ' ')}, {own['lead'].max()} years, {source_name}", loc="left")
            axes.set_xticks(range(len(names)), labels, rotation=45, ha="right")
            axes.set_yticks(range(len(names)), labels)
        row[0].set_ylabel("from")
    for axes in panels[-1]:
        axes.set_xlabel("to")
    figure.colorbar(image, ax=panels, label="share of the land (%)", aspect=40, fraction=0.04)
    add_source(figure, source, synthetic)
    return figure
