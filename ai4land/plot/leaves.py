"""Figures of leaf area: maps of a few months, seasons by class, skill, and what a change of cover does."""

from calendar import month_abbr

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from ai4land.grid import Grid
from ai4land.legend import read_legend
from ai4land.plot.style import MODEL_NAMES, WIDTH, add_source, largest_shown, model_line, new_figure, page_shape

_UNIT = "leaf area index (m² m⁻²)"
_WATER = "#d8e6ee"
_MOST = 1000  # cells along a side of a panel; of a larger map every second is drawn, or third
_NAMES = {"climatology": "Monthly climatology", "cell_mean": "Cell mean", "global_mean": "Mean of the region",
          "sequence": "Sequence model"}  # fmt: skip
# Variants of one model by line, since its colour is taken; references in greys.
_MEMBERS = {"cover": "--", "coupled": ":"}
_GREYS = {"climatology": ("#777777", "-"), "cell_mean": ("#999999", "--"), "global_mean": ("#bbbbbb", ":")}


def _label(model: str, member: str) -> str:
    name = _NAMES.get(model, MODEL_NAMES.get(model, model))
    return name if member == "all" else f"{name} ({member.replace('+', ', ')})"


def _line(model: str, member: str) -> dict[str, object]:
    color, style = _GREYS.get(model, (model_line(model, member)["color"], _MEMBERS.get(member, "-")))
    return {"color": color, "linestyle": style}


def _map(axes: Axes, field: np.ndarray, grid: Grid, low: float, high: float, colors: str) -> AxesImage:
    west, south, east, north = grid.bounds
    step = -(-max(field.shape) // _MOST)
    shown = np.ma.masked_invalid(field[step // 2 :: step, step // 2 :: step])
    axes.set_facecolor(_WATER)
    image = axes.imshow(shown, colors, vmin=low, vmax=high, extent=(west, east, south, north), origin="upper",
                        interpolation="nearest")  # fmt: skip
    axes.set_aspect(1 / np.cos(np.radians((north + south) / 2)))
    axes.locator_params(nbins=4)
    return image


def plot_leaf_maps(
    seasons: dict[str, np.ndarray], months: list[int], grid: Grid, title: str, source: str, synthetic: bool
) -> Figure:
    """Leaf area of a few months, a row of maps each, and in a last row what the second has more than the first.

    Parameters
    ----------
    seasons : dict of str to numpy.ndarray, shape (12, y, x)
        Heading to leaf area, m2 m-2, such as observed and predicted; NaN is left blank.
    months : list of int
        1 to 12.
    grid : Grid
    title, source : str
    synthetic : bool

    Returns
    -------
    matplotlib.figure.Figure
    """
    first, second = list(seasons.values())[:2]
    rows = [*seasons.items(), ("difference", second - first)]
    figure = new_figure(len(rows) * (WIDTH / len(months) * 0.72 * page_shape(grid.bounds) + 0.5) + 2.2)
    panels = figure.subplots(len(rows), len(months), squeeze=False, sharex=True, sharey=True)
    largest = largest_shown(list(seasons.values()))
    for line, (heading, season) in zip(panels, rows, strict=True):
        low, high, colors = (-1.0, 1.0, "PuOr") if heading == "difference" else (0.0, largest, "viridis")
        for axes, month in zip(line, months, strict=True):
            image = _map(axes, season[month - 1], grid, low, high, colors)
            axes.set_title(f"{heading}, {month_abbr[month]}", loc="left", fontsize=7.5)
        line[0].set_ylabel("latitude (°)")
        bar = figure.colorbar(image, ax=list(line), shrink=0.85, aspect=14, pad=0.01)
        bar.set_label("m² m⁻²", size=7)
    for axes in panels[-1]:
        axes.set_xlabel("longitude (°)")
    figure.suptitle(f"{title}: {_UNIT}", x=0.01, ha="left", fontsize=8.5, weight="bold")
    add_source(figure, source, synthetic)
    return figure


def plot_seasons(cycles: pd.DataFrame, source: str, synthetic: bool, most: int = 8) -> Figure:
    """Mean seasonal cycle by class of land cover: observed and predicted.

    Parameters
    ----------
    cycles : pandas.DataFrame
        Of `ai4land.evaluate.leaf_area.seasonal_cycles`: one weight, region, experiment and lead. The climatology and
        models are drawn, no other reference.
    source : str
    synthetic : bool
    most : int
        Classes that are shown, those with most cells.

    Returns
    -------
    matplotlib.figure.Figure
    """
    labels = read_legend("land_cover").set_index("name")["label"]
    cycles = cycles[~cycles["model"].isin(["cell_mean", "global_mean", "persistence"])]
    size = cycles[cycles["class"] != "all"].groupby("class")["cells"].max().nlargest(most)
    figure = new_figure(4.4 * (-(-len(size) // 4)) + 1.8)
    panels = figure.subplots(-(-len(size) // 4), 4, squeeze=False, sharex=True, sharey=True)
    for axes, name in zip(panels.ravel(), size.index, strict=False):
        rows = cycles[cycles["class"] == name]
        for (model, member), one in rows.groupby(["model", "member"], sort=False):
            axes.plot(one["month"], one["simulated"], linewidth=1, label=_label(model, member), **_line(model, member))
        seen = rows.drop_duplicates("month")
        axes.plot(seen["month"], seen["observed"], "o", color="black", markersize=2.4, label="Observed")
        axes.set_title(_wrapped(labels[name]), loc="left", fontsize=6.5)
        axes.set_xticks([1, 4, 7, 10], [month_abbr[m] for m in (1, 4, 7, 10)])
    for axes in panels.ravel()[len(size) :]:
        axes.set_visible(False)
    panels[0, 0].set_ylim(0, None)  # of all panels, when all lines are drawn
    for axes in panels[:, 0]:
        axes.set_ylabel("LAI (m² m⁻²)")
    handles, names = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=4)
    add_source(figure, source, synthetic)
    return figure


def _wrapped(text: str, width: int = 30) -> str:
    cut = text.split(" (")[0]
    middle = cut.rfind(" ", 0, width)
    return cut if len(cut) <= width or middle < 0 else cut[:middle] + "\n" + cut[middle + 1 :]


def plot_anomaly_skill(skill: dict[tuple[str, str], np.ndarray], grid: Grid, source: str, synthetic: bool) -> Figure:
    """Correlation in time of predicted and observed anomalies, cell by cell, of all but the references without any.

    Parameters
    ----------
    skill : dict of (str, str) to numpy.ndarray, shape (y, x)
        `ai4land.evaluate.leaf_maps.anomaly_skill` by model and member; NaN is left blank.
    grid : Grid
    source : str
    synthetic : bool

    Returns
    -------
    matplotlib.figure.Figure
    """
    maps = {_label(*title): field for title, field in skill.items() if title[0] not in _GREYS}
    figure = new_figure(WIDTH / len(maps) * 0.8 * page_shape(grid.bounds) + 2.2)
    panels = figure.subplots(1, len(maps), squeeze=False, sharex=True, sharey=True)[0]
    for axes, (title, field) in zip(panels, maps.items(), strict=True):
        image = _map(axes, field, grid, -1, 1, "PuOr")
        axes.set_title(title, loc="left", fontsize=7.5)
        axes.set_xlabel("longitude (°)")
    panels[0].set_ylabel("latitude (°)")
    bar = figure.colorbar(image, ax=list(panels), shrink=0.85, aspect=18, pad=0.01)
    bar.set_label("correlation of anomalies (1)", size=7)
    add_source(figure, source, synthetic)
    return figure


def plot_monthly_error(scores: pd.DataFrame, source: str, synthetic: bool) -> Figure:
    """Root mean square error by month, a panel per lead.

    Parameters
    ----------
    scores : pandas.DataFrame
        Of `ai4land.evaluate.leaf_area.score_leaves`: one experiment, weight and region, all classes. The mean of the
        region is left out: far above, it would flatten the others.
    source : str
    synthetic : bool

    Returns
    -------
    matplotlib.figure.Figure
    """
    chosen = scores[(scores["metric"] == "rmse") & (scores["month"] != "all")].astype({"month": int})
    chosen = chosen[chosen["model"] != "global_mean"]
    leads = sorted(chosen["lead"].unique(), key=int)
    figure = new_figure(6.6)
    panels = figure.subplots(1, len(leads), squeeze=False, sharey=True)[0]
    for axes, lead in zip(panels, leads, strict=True):
        for (model, member), rows in chosen[chosen["lead"] == lead].groupby(["model", "member"], sort=False):
            rows = rows.sort_values("month")
            axes.plot(rows["month"], rows["value"], marker="o", markersize=2.2, linewidth=1,
                      label=_label(model, member), **_line(model, member))  # fmt: skip
        axes.set_title(f"lead {lead} year{'s' * (lead != '1')}", loc="left")
        axes.set_xticks(range(1, 13), [month_abbr[m][0] for m in range(1, 13)])
        axes.set(xlabel="month", ylim=(0, None))
    panels[0].set_ylabel("RMSE (m² m⁻²)")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    add_source(figure, source, synthetic)
    return figure


def plot_response(moved: np.ndarray, neighbours: np.ndarray, title: str, source: str, synthetic: bool) -> Figure:
    """How leaf area moves where land cover is changed in the input, beside the difference of neighbours.

    Parameters
    ----------
    moved, neighbours : numpy.ndarray, shape (12,)
        m2 m-2 by month.
    title, source : str
    synthetic : bool

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = new_figure(6.4, WIDTH / 2)
    axes = figure.add_subplot()
    axes.axhline(0, color="#999999", linewidth=0.6)
    axes.plot(range(1, 13), neighbours, "o", color="black", markersize=3.5, label="observed, between neighbours")
    axes.plot(range(1, 13), moved, color="#0072B2", linewidth=1.2, label="predicted, cover changed in the input")
    axes.set_xticks(range(1, 13), [month_abbr[m][0] for m in range(1, 13)])
    axes.set(xlabel="month", ylabel="difference of leaf area (m² m⁻²)")
    axes.set_title(title, loc="left")
    axes.legend(loc="best", fontsize=6.5)
    add_source(figure, source, synthetic)
    return figure
