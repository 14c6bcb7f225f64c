"""Does a rollout hold, by lead time? Skill, null resolution and calibration, from saved tables.

Columns are experiments, rows are quantities. Leads run away from the base year, to the left in a hindcast; leads to
years whose reference maps are themselves a reconstruction are shaded.
"""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ai4land.evaluate import RESOLUTIONS
from ai4land.plot.style import add_source, model_label, model_line, new_figure
from ai4land.runs import Run

SHADE = "#ececec"
_NEVER = 2.2  # times the largest block: where a model that is never ahead is drawn
_LEAST_CELLS = 100  # of a bin that is drawn
_MARKS = {"persistence": "s", "kernel_density": "^", "unet+allocation": "o", "unet": "D"}
_OWN_LABELS = {"unet": "U-Net, stepwise, no allocation", "unet+allocation": "U-Net, stepwise"}


def _style(model: str, member: str) -> dict[str, Any]:
    """Line of a model; draws of an ensemble are thin, a rollout without allocation is dashed."""
    draw, name = member.startswith("draw"), _OWN_LABELS.get(model, model_label(model, "all"))
    return {
        "color": model_line(model, "all")["color"], "linestyle": (0, (3, 1.5)) if model == "unet" else "-",
        "linewidth": 0.6 if draw else 1.1, "marker": "" if draw else _MARKS.get(model, "o"), "markersize": 3,
        "alpha": 0.7 if draw else 1, "label": f"{name} (draws)" if draw else name,
    }  # fmt: skip


def _leads(table: pd.DataFrame, names: list[str]) -> dict[str, list[int]]:
    return {n: sorted(int(v) for v in table.loc[table["experiment"] == n, "lead"].unique()) for n in names}


def _widths(leads: dict[str, list[int]]) -> list[int]:
    return [max(*values, 8) for values in leads.values()]


def _panels(figure: Figure, rows: int, leads: dict[str, list[int]], run: Run, reliable: int) -> np.ndarray:
    """Panels with their lead axes; the last row has the labels."""
    panels = figure.subplots(rows, len(leads), squeeze=False, sharey="row", width_ratios=_widths(leads))
    for axes, (name, values) in ((a, item) for row in panels for a, item in zip(row, leads.items(), strict=True)):
        _lead_axis(axes, values, run, name, reliable)
        axes.grid(axis="y", linewidth=0.3, color="#dddddd")
    for axes, name in zip(panels[0], leads, strict=True):
        axes.set_title(name.replace("_", " "), loc="left", weight="bold")
    for axes in panels[:-1].ravel():
        axes.set_xlabel("")
    return panels


def _lead_axis(axes: Axes, values: list[int], run: Run, name: str, reliable: int) -> None:
    start, most = run.experiments[name].start, max(values)
    back = run.experiments[name].targets[-1] < start
    axes.set_xlim(*((most * 1.05, 0) if back else (0, most * 1.05)))
    axes.set_xticks(values if len(values) < 6 else np.unique(np.linspace(0, most, 5).astype(int)))
    axes.set_xlabel(f"years {'before' if back else 'after'} {start}")
    if back and start - most < reliable:
        axes.axvspan(start - reliable, most * 1.05, color=SHADE, linewidth=0, zorder=0, label="reference reconstructed")


def finish(figure: Figure, source: str, synthetic: bool, columns: int = 4) -> Figure:
    """Add one legend for all panels, and the source, to a figure."""
    handles: dict[str, Any] = {}
    for axes in figure.axes:
        drawn, labels = axes.get_legend_handles_labels()
        handles |= {label: Patch(color=SHADE) if isinstance(h, Patch) else h
                    for label, h in zip(labels, drawn, strict=True) if label not in handles}  # fmt: skip
    figure.legend(list(handles.values()), list(handles), loc="outside upper center", ncols=min(columns, len(handles)))
    add_source(figure, source, synthetic)
    return figure


def plot_skill(
    scores: pd.DataFrame, metrics: dict[str, str], run: Run, names: list[str], reliable: int, source: str,
    synthetic: bool,
) -> Figure:  # fmt: skip
    """Skill by lead, beside persistence and the classical allocator, which go from the base year in one step.

    Parameters
    ----------
    scores : pandas.DataFrame
        Rows of ``scores.csv`` with single leads, regions and folds pooled, weight cells.
    metrics : dict of str to str
        Metric to axis title.
    run : Run
    names : list of str
        Experiments, from left to right.
    reliable : int
        First year whose reference maps are not themselves a reconstruction.
    source : str
    synthetic : bool

    Returns
    -------
    matplotlib.figure.Figure
    """
    scores = scores.assign(lead=scores["lead"].astype(int))
    figure = new_figure(3.4 * len(metrics) + 2.4)
    panels = _panels(figure, len(metrics), _leads(scores, names), run, reliable)
    for row, (metric, label) in zip(panels, metrics.items(), strict=True):
        for axes, name in zip(row, names, strict=True):
            chosen = scores[(scores["experiment"] == name) & (scores["metric"] == metric)]
            for (model, member), rows in chosen.groupby(["model", "member"]):
                rows = rows.sort_values("lead")
                axes.plot(rows["lead"], rows["value"], **_style(str(model), str(member)))
        row[0].set_ylabel(label)
    return finish(figure, source, synthetic)


def plot_null_resolution(
    table: pd.DataFrame, cell: float, run: Run, names: list[str], reliable: int, source: str, synthetic: bool
) -> Figure:
    """Side of the smallest blocks in which a model agrees better than persistence, by lead; small is good.

    Parameters
    ----------
    table : pandas.DataFrame
        Of `ai4land.evaluate.null_resolutions`.
    cell : float
        Size of a fine cell, degrees.
    run, names, reliable, source, synthetic
        As of `plot_skill`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    sides = [cell * s for s in RESOLUTIONS]
    figure = new_figure(6.4)
    panels = _panels(figure, 1, _leads(table, names), run, reliable)
    for axes, name in zip(panels[0], names, strict=True):
        series = list(table[table["experiment"] == name].groupby(["model", "member"]))
        for number, ((model, member), rows) in enumerate(series):
            # Lines on the same blocks lie a little apart, so that each can be seen.
            apart = 1 + 0.1 * (number - (len(series) - 1) / 2)
            side = (rows["cells"] * cell).fillna(_NEVER * sides[-1]) * apart
            axes.plot(rows["lead"], side, **_style(str(model), str(member)))
        axes.set(yscale="log", ylim=(sides[0] / 1.6, sides[-1] * _NEVER * 1.6))
        axes.set_yticks([*sides, sides[-1] * _NEVER], [*(f"{s:.2g}" for s in sides), "none"])
        axes.minorticks_off()
    panels[0, 0].set_ylabel("side of the smallest blocks\nahead of persistence (degrees)")
    return finish(figure, source, synthetic)


def plot_calibration(
    reliability: pd.DataFrame, errors: pd.DataFrame, run: Run, names: list[str], reliable: int, source: str,
    synthetic: bool,
) -> Figure:  # fmt: skip
    """Calibration by lead: how often a class is right, by the chance that is given to it, and the mean gap.

    Bins of fewer than 100 cells are not drawn.

    Parameters
    ----------
    reliability : pandas.DataFrame
        Of `ai4land.evaluate.calibration_by_lead`, one model and member.
    errors : pandas.DataFrame
        Rows of ``scores.csv`` of the metric ``expected_calibration_error``, the same model and member.
    run, names, reliable, source, synthetic
        As of `plot_skill`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    leads = _leads(reliability, names)
    every = sorted({v for values in leads.values() for v in values})
    shown = [every[i] for i in np.unique(np.linspace(0, len(every) - 1, 6).round().astype(int))]
    figure = new_figure(10)
    upper_part, lower_part = figure.subfigures(2, 1, squeeze=False, height_ratios=[3, 2])[:, 0]
    upper = upper_part.subplots(1, len(names), squeeze=False, sharey=True, width_ratios=_widths(leads))[0]
    lower = _panels(lower_part, 1, leads, run, reliable)[0]
    for top, bottom, name in zip(upper, lower, names, strict=True):
        top.plot([0, 1], [0, 1], color="#999999", linewidth=0.6)
        own = reliability[(reliability["experiment"] == name) & (reliability["cells"] >= _LEAST_CELLS)]
        for lead, color in zip(shown, colormaps["viridis"](np.linspace(0, 0.9, len(shown))), strict=True):
            rows = own[own["lead"] == lead]
            top.plot(rows["confidence"], rows["accuracy"], marker="o", markersize=2.4, linewidth=0.9, color=color,
                     label=f"{lead} year{'s' * (lead > 1)}")  # fmt: skip
        top.set(xlim=(0, 1), ylim=(0, 1), xticks=(0, 0.5, 1))
        top.set_title(name.replace("_", " "), loc="left", weight="bold")
        gap = errors[errors["experiment"] == name].assign(lead=lambda t: t["lead"].astype(int)).sort_values("lead")
        bottom.plot(gap["lead"], gap["value"], color="#333333", marker="o", markersize=2.6, linewidth=0.9)
        bottom.set_title("", loc="left")
    upper_part.supxlabel("chance that is given to the class (1)", fontsize=8)
    upper[0].set_ylabel("share that is right (1)")
    lower[0].set(ylabel="calibration error (1)", ylim=(0, None))
    return finish(figure, source, synthetic, columns=6)
