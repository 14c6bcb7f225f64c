"""Figures of one network with three heads beside a chain of three."""

from calendar import month_abbr

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ai4land.grid import Grid
from ai4land.plot.style import WIDTH, add_source, largest_shown, new_figure, page_shape

# By model and member; colours of Okabe and Ito.
WAYS = {
    ("persistence", "all"): ("Persistence", "#000000", "o", ":"),
    ("unet", "chain"): ("Chain of three", "#D55E00", "s", "-"),
    ("unet", "observed"): ("Chain, given observed maps", "#E69F00", "^", "--"),
    ("joint", "all"): ("Joint, three heads", "#0072B2", "D", "-"),
}
TARGETS = {"land_use": "Land use", "land_cover": "Land cover", "leaf_area_index": "Leaf area"}
_CLASSES = {"overall_accuracy": "overall accuracy (1)", "figure_of_merit": "figure of merit (1)"}
METRICS = {
    "land_use": _CLASSES, "land_cover": _CLASSES,
    "leaf_area_index": {"rmse": "RMSE (m² m⁻²)", "anomaly_correlation": "correlation of anomalies (1)"},
}  # fmt: skip
_NO_LEAVES = "#d8e6ee"


def plot_joint_scores(scores: pd.DataFrame, source: str, synthetic: bool) -> Figure:
    """Scores of the chain, of its later parts given the observed maps, and of the joint network, by lead.

    Parameters
    ----------
    scores : pandas.DataFrame
        Columns target, model, member, lead, metric, value: a row each of what is drawn.
    source : str
    synthetic : bool

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = new_figure(10.5)
    panels = figure.subplots(2, len(TARGETS))
    chosen = scores.astype({"lead": int})
    leads = sorted(chosen["lead"].unique())
    for column, (target, title) in zip(panels.T, TARGETS.items(), strict=True):
        column[0].set_title(title, loc="left", weight="bold")
        for axes, (metric, label) in zip(column, METRICS[target].items(), strict=True):
            for number, (way, (name, color, marker, line)) in enumerate(WAYS.items()):
                rows = chosen[(chosen["target"] == target) & (chosen["metric"] == metric)]
                rows = rows[(rows["model"] == way[0]) & (rows["member"] == way[1])].sort_values("lead")
                place = [leads.index(lead) + 0.08 * (number - 1.5) for lead in rows["lead"]]
                axes.plot(place, rows["value"], color=color, marker=marker, linestyle=line, linewidth=1, markersize=4,
                          label=name)  # fmt: skip
            axes.set_xticks(range(len(leads)), [str(lead) for lead in leads])
            axes.set(ylabel=label, xlim=(-0.4, len(leads) - 0.6))
            axes.margins(y=0.12)
        column[-1].set_xlabel("lead time (years)")
    figure.legend(*panels[0, 1].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    add_source(figure, source, synthetic)
    return figure


def plot_joint_seasons(
    seasons: dict[str, np.ndarray], months: list[int], grid: Grid, title: str, source: str, synthetic: bool
) -> Figure:
    """Leaf area of a few months: a row of maps for every season, such as chain, joint and observed.

    Parameters
    ----------
    seasons : dict of str to numpy.ndarray, shape (12, y, x)
        Heading to leaf area, m2 m-2; NaN is left blank.
    months : list of int
        1 to 12.
    grid : Grid
    title, source : str
    synthetic : bool

    Returns
    -------
    matplotlib.figure.Figure
    """
    west, south, east, north = grid.bounds
    figure = new_figure(len(seasons) * (WIDTH / len(months) * 0.8 * page_shape(grid.bounds) + 0.45) + 2.0)
    panels = figure.subplots(len(seasons), len(months), squeeze=False, sharex=True, sharey=True)
    largest = largest_shown(list(seasons.values()))
    for line, (heading, season) in zip(panels, seasons.items(), strict=True):
        for axes, month in zip(line, months, strict=True):
            axes.set_facecolor(_NO_LEAVES)
            image = axes.imshow(np.ma.masked_invalid(season[month - 1]), "viridis", vmin=0, vmax=largest,
                                extent=(west, east, south, north), origin="upper", interpolation="nearest")  # fmt: skip
            axes.set_aspect(1 / np.cos(np.radians((north + south) / 2)))
            axes.set_title(f"{heading}, {month_abbr[month]}", loc="left", fontsize=7.5)
            axes.locator_params(nbins=4)
        line[0].set_ylabel("latitude (°)")
    for axes in panels[-1]:
        axes.set_xlabel("longitude (°)")
    bar = figure.colorbar(image, ax=list(panels.ravel()), shrink=0.6, aspect=30, pad=0.01)
    bar.set_label("leaf area index (m² m⁻²)", size=7)
    figure.suptitle(title, x=0.01, ha="left", fontsize=8.5, weight="bold")
    add_source(figure, source, synthetic)
    return figure


def plot_spread(spread: pd.DataFrame, source: str, synthetic: bool) -> Figure:
    """Found against stated error of leaf area: on the line, the stated one holds.

    Parameters
    ----------
    spread : pandas.DataFrame
        Of `ai4land.evaluate.consistency.spread_table`, with columns model, member and lead.
    source : str
    synthetic : bool

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = new_figure(7.2)
    leads = sorted(spread["lead"].unique(), key=int)
    panels = figure.subplots(1, len(leads), squeeze=False, sharex=True, sharey=True)[0]
    most = float(spread[["stated", "rmse"]].max().max()) * 1.05
    for axes, lead in zip(panels, leads, strict=True):
        axes.plot([0, most], [0, most], color="#999999", linewidth=0.6)
        for (model, member), (name, color, marker, line) in WAYS.items():
            rows = spread[(spread["lead"] == lead) & (spread["model"] == model) & (spread["member"] == member)]
            if len(rows):
                axes.plot(rows["stated"], rows["rmse"], color=color, marker=marker, linestyle=line, linewidth=1,
                          markersize=3, label=name)  # fmt: skip
        axes.set_title(f"{lead} year{'s' if int(lead) > 1 else ''} ahead", loc="left")
        axes.set(xlabel="stated error (m² m⁻²)", xlim=(0, most), ylim=(0, most))
    panels[0].set_ylabel("root mean square error found (m² m⁻²)")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    add_source(figure, source, synthetic)
    return figure
