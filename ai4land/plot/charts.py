"""Charts from ``scores.csv`` and other saved tables."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ai4land.plot.style import add_source, model_label, model_line, new_figure


def plot_score_table(tables: dict[str, pd.DataFrame], source: str, synthetic: bool) -> Figure:
    """Score tables as a figure, the best value of each column in bold.

    Parameters
    ----------
    tables : dict of str to pandas.DataFrame
        Heading to table of `ai4land.evaluate.summary_table`; columns whose title says "error" or
        "disagreement" are best when small.
    source : str
    synthetic : bool

    Returns
    -------
    matplotlib.figure.Figure
    """
    lines = sum(len(t) + 3 for t in tables.values())
    figure = new_figure(0.48 * lines + 1.2)
    axes = figure.add_subplot()
    axes.axis("off")
    columns = list(next(iter(tables.values())).columns)
    x = np.linspace(0.42, 0.99, len(columns))
    axes.set(xlim=(0, 1), ylim=(lines, 0))
    y = 0.7
    for heading, table in tables.items():
        axes.text(0, y, heading, weight="bold", va="center")
        y += 1
        for left, title in zip(x, columns, strict=True):
            axes.text(left, y, title, ha="right", va="center", color="#333333")
        axes.plot([0, 1], [y + 0.5] * 2, color="black", linewidth=0.6)
        low = [("error" in c.lower()) or ("disagreement" in c.lower()) for c in columns]
        best = [table[c].min() if small else table[c].max() for c, small in zip(columns, low, strict=True)]
        for (model, member), row in table.iterrows():
            y += 1
            axes.text(0.01, y, model_label(model, member), va="center", color=model_line(model, member)["color"])
            for left, value, top in zip(x, row, best, strict=True):
                text = "–" if pd.isna(value) else f"{value:.4f}"
                axes.text(left, y, text, ha="right", va="center", weight="bold" if value == top else "normal")
        y += 2
    add_source(figure, source, synthetic)
    return figure


def _lines(axes: Axes, scores: pd.DataFrame, metric: str, x: str) -> None:
    for (model, member), rows in scores[scores["metric"] == metric].groupby(["model", "member"], sort=False):
        rows = rows.sort_values(x)
        axes.plot(rows[x], rows["value"], marker="o", markersize=2.2, linewidth=1, label=model_label(model, member),
                  **model_line(model, member))  # fmt: skip


def plot_lead_scores(
    scores: pd.DataFrame, metrics: dict[str, str], titles: dict[str, str], source: str, synthetic: bool
) -> Figure:
    """Scores by lead time, a row of panels per experiment.

    Parameters
    ----------
    scores : pandas.DataFrame
        Rows of ``scores.csv`` with single leads, regions and folds pooled, weight cells.
    metrics : dict of str to str
        Metric to axis title.
    titles : dict of str to str
        Experiment to heading.
    source : str
    synthetic : bool

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = new_figure(5.2 * len(titles) + 1.6)
    panels = figure.subplots(len(titles), len(metrics), squeeze=False)
    for row, (experiment, title) in zip(panels, titles.items(), strict=True):
        chosen = scores[scores["experiment"] == experiment].assign(lead=lambda t: t["lead"].astype(int))
        for number, (axes, (metric, label)) in enumerate(zip(row, metrics.items(), strict=True)):
            _lines(axes, chosen, metric, "lead")
            axes.set(xlabel="lead time (years)", ylabel=label)
            if number == 0:
                axes.set_title(title, loc="left", weight="bold")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3)
    add_source(figure, source, synthetic)
    return figure


def plot_resolution(scores: pd.DataFrame, cell: float, title: str, source: str, synthetic: bool) -> Figure:
    """Figure of merit and agreement of class areas, by the size of the blocks that are compared.

    Parameters
    ----------
    scores : pandas.DataFrame
        Rows of one experiment, one lead, regions and folds pooled, weight cells.
    cell : float
        Size of a fine cell, degrees.
    title, source : str
    synthetic : bool

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = new_figure(6.4)
    panels = figure.subplots(1, 2)
    for axes, (stem, label) in zip(
        panels,
        {"figure_of_merit": "figure of merit", "overall_accuracy": "agreement of class areas"}.items(),
        strict=True,
    ):
        parts = scores["metric"].str.extract(rf"^({stem})_(\d+)_cells$")
        chosen = scores.assign(metric=parts[0], degrees=parts[1].astype(float) * cell).dropna(subset="metric")
        if stem == "overall_accuracy":
            chosen = chosen[chosen["model"] != "coarse_majority"]  # far below: it would flatten the others
        _lines(axes, chosen, stem, "degrees")
        axes.set(xscale="log", xlabel="side of the blocks compared (degrees)", ylabel=label)
        ticks = sorted(chosen["degrees"].unique())
        axes.set_xticks(ticks, [f"{t:.2g}" for t in ticks])
        axes.minorticks_off()
    panels[0].set_title(title, loc="left", weight="bold")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3)
    add_source(figure, source, synthetic)
    return figure


def plot_class_areas(areas: pd.DataFrame, legend: pd.DataFrame, source: str, synthetic: bool) -> Figure:
    """Area of each land class by year: observed as a line, predicted as marks.

    Parameters
    ----------
    areas : pandas.DataFrame
        Columns experiment, model, member, year, class, km2; ``model`` 'observed' is the reference.
    legend : pandas.DataFrame
    source : str
    synthetic : bool

    Returns
    -------
    matplotlib.figure.Figure
    """
    names = [n for n in legend.loc[legend["land"], "name"] if n in set(areas["class"])]
    figure = new_figure(9.5)
    panels = figure.subplots(2, -(-len(names) // 2), squeeze=False).ravel()
    handles: dict[str, object] = {}
    for axes, name in zip(panels, names, strict=False):
        rows = areas[areas["class"] == name]
        for (model, member), part in rows.groupby(["model", "member"], sort=False):
            part = part.sort_values("year")
            if model == "observed":
                color = legend.loc[legend["name"] == name, "color"].item()
                (line,) = axes.plot(part["year"], part["km2"], color="black", linewidth=1.2, label="observed")
                axes.fill_between(part["year"], part["km2"], part["km2"].min(), color=color, alpha=0.25, linewidth=0)
            else:
                (line,) = axes.plot(part["year"], part["km2"], ".", markersize=3.5, label=model_label(model, member),
                                    color=model_line(model, member)["color"])  # fmt: skip
            handles[line.get_label()] = line
        axes.set_title(legend.loc[legend["name"] == name, "label"].item(), loc="left")
        axes.set(ylabel="area (km²)", xlabel="year")
        axes.locator_params(axis="x", integer=True, nbins=4)
    for axes in panels[len(names) :]:
        axes.axis("off")
    figure.legend(handles=list(handles.values()), loc="outside upper center", ncols=4)
    add_source(figure, source, synthetic)
    return figure


def plot_reliability(table: pd.DataFrame, experiments: dict[str, str], source: str, synthetic: bool) -> Figure:
    """Reliability diagram: how often the most probable class is right, by what the model says of it; cells below.

    Parameters
    ----------
    table : pandas.DataFrame
        Of `ai4land.evaluate.reliability_table`.
    experiments : dict of str to str
        Experiment to panel title.
    source : str
    synthetic : bool

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = new_figure(8.6)
    panels = figure.subplots(2, len(experiments), squeeze=False, sharex=True, sharey="row", height_ratios=[3, 1])
    for (upper, lower), (name, title) in zip(panels.T, experiments.items(), strict=True):
        upper.plot([0, 1], [0, 1], color="#999999", linewidth=0.6)
        for (model, member), rows in table[table["experiment"] == name].groupby(["model", "member"], sort=False):
            style = model_line(model, member)
            upper.plot(rows["confidence"], rows["accuracy"], marker="o", markersize=2.4, linewidth=1,
                       label=model_label(model, member), **style)  # fmt: skip
            lower.plot(rows["confidence"], rows["cells"], marker="o", markersize=2, linewidth=0.8, **style)
        upper.set_title(title, loc="left", fontsize=7)
        upper.set(xlim=(0, 1), ylim=(0, 1))
        lower.set(yscale="log")
    panels[1, len(experiments) // 2].set_xlabel("probability of the most probable class (1)")
    panels[0, 0].set_ylabel("share that is right (1)")
    panels[1, 0].set_ylabel("cells")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    add_source(figure, source, synthetic)
    return figure


def plot_history(history: pd.DataFrame, source: str, synthetic: bool) -> Figure:
    """Training curves: loss of training and validation windows by step, one panel per training.

    Parameters
    ----------
    history : pandas.DataFrame
        Columns experiment, step, training_loss, validation_loss (nat).
    source : str
    synthetic : bool

    Returns
    -------
    matplotlib.figure.Figure
    """
    names = list(dict.fromkeys(history["experiment"]))
    rows = -(-len(names) // 3)
    figure = new_figure(4.2 * rows + 1.6)
    panels = figure.subplots(rows, min(3, len(names)), squeeze=False, sharey=True).ravel()
    for axes, name in zip(panels, names, strict=False):
        one = history[history["experiment"] == name]
        axes.plot(one["step"], one["training_loss"], color="#999999", label="training")
        axes.plot(one["step"], one["validation_loss"], color="#D55E00", marker="o", markersize=2.2, label="validation")
        axes.set(xlabel="training step", ylabel="cross entropy (nat)")
        axes.set_title(name.replace("_", " "), loc="left", fontsize=7)
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    add_source(figure, source, synthetic)
    return figure
