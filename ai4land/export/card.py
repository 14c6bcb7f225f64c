"""The model card beside a bundle; its words are in ``data/model_card.md``, its numbers in the bundle and the scores."""

from string import Template
from typing import Any

import pandas as pd

from ai4land.legend import DATA
from ai4land.product.licence import citations
from ai4land.runs import Run
from ai4land.store import MADE_UP_LICENCE

_MARK = "> **SYNTHETIC DATA.** Trained on made-up maps: it describes no place on Earth.\n\n"
_METRICS = {
    "overall_accuracy": "overall accuracy", "mean_iou_land": "mIoU (land)", "figure_of_merit": "figure of merit",
    "rmse": "RMSE (m2 m-2)", "r2": "R2", "anomaly_correlation": "anomaly correlation",
}  # fmt: skip
_JUDGED = {"model": ["unet", "unet+allocation", "persistence"], "member": ["all", "chain", "observed"]}
_KEYS = ["target", "experiment", "region", "lead", "model", "member"]


def model_card(run: Run, about: dict[str, Any], inputs: list[dict], scores: pd.DataFrame) -> str:
    """Markdown page on a bundle.

    Parameters
    ----------
    run : Run
    about : dict
        Its ``model.json``.
    inputs : list of dict
        Input files of the run; see `ai4land.product.licence.citations`.
    scores : pandas.DataFrame
        Rows of the run's ``scores.csv``.
    """
    graphs, made_up = about["graphs"], about["licence"] == MADE_UP_LICENCE
    table = citations(inputs)[["role", "dataset", "files", "licence", "citation", "doi"]]
    words = {
        "title": run.title, "mark": _MARK if run.synthetic else "", "software": about["software"], "source": run.source,
        "licence": about["licence"], "folder": "emulator", "cell": f"{about['cell_degrees']:.4g}",
        "multiple": ", ".join(sorted({str(one["multiple"]) for one in graphs.values()})),
        "graphs": _table(pd.DataFrame([_row(name, one) for name, one in graphs.items()])),
        "inputs": "\n\n".join(f"### {name}\n\n{_variables(one)}" for name, one in graphs.items()),
        "training": _table(pd.DataFrame([{"graph": name, **_training(one)} for name, one in graphs.items()])),
        "scores": score_table(run, graphs, scores), "citations": _table(table.rename(columns={"dataset": "data set"})),
        "demand": "The inputs are made up in the formats of these data sets." if made_up else
        "The licences of the inputs demand it. Whoever uses the emulators cites these data sets:",
        "more_limits": _GREEN if any(one["target"] != "land_use" for one in graphs.values()) else "",
    }  # fmt: skip
    return Template((DATA / "model_card.md").read_text()).substitute(words)


_GREEN = "- Land cover and leaf area follow the land use and climate they are given, with no feedback on them.\n"


def score_table(run: Run, graphs: dict[str, dict], scores: pd.DataFrame) -> str:
    """Scores of the networks of a bundle beside persistence, Markdown; or the sentence that there are none.

    Those with the prior map in sight, of the most probable maps; ``chain`` is predicted from predicted maps,
    ``observed`` from observed ones.

    Parameters
    ----------
    run : Run
    graphs : dict of str to dict
        By name, with ``target`` and ``trained_on``.
    scores : pandas.DataFrame
        Tidy, of any experiments; those that judge these networks are shown, all regions together where they are pooled.
    """
    chosen = []
    pooled = {"split": "test", "fold": "all", "weight": "cells", "class": "all", "month": "all"}
    for target, experiment in {(g["target"], g["trained_on"]["experiment"]) for g in graphs.values()}:
        judges = [n for n, e in run.experiments.items() if (e.trained_as or n) == experiment and not e.mask_ratio]
        own = scores["experiment"].isin([*judges, f"joint_{experiment}"]) & (scores["target"] == target)
        for column, values in (_JUDGED | {"metric": list(_METRICS)}).items():
            own &= scores[column].isin(values)
        for column, value in pooled.items():
            own &= scores[column].astype(str) == value
        part = scores[own & (scores["legend"].isin([target, "none", ""]) | (target == "leaf_area_index"))]
        chosen.append(part[part["region"] == "all"] if (part["region"] == "all").any() else part)
    shown = pd.concat(chosen) if chosen else scores[:0]
    if shown.empty:
        return "Not measured: no scores of these networks were found."
    wide = shown.pivot_table("value", _KEYS, "metric").rename(columns=_METRICS).reset_index()
    wide = wide[[*_KEYS, *(title for title in _METRICS.values() if title in wide)]]
    wide = wide.sort_values(_KEYS, key=lambda c: c.map(_place) if c.name == "lead" else c)
    digits = {
        title: wide[title].map(lambda v: "-" if pd.isna(v) else f"{v:.4f}") for title in wide.columns[len(_KEYS) :]
    }
    return _table(wide.assign(**digits))


def _place(lead: str) -> float:
    """Where a lead, or a period of leads such as 1-5, stands among the others."""
    return float(lead.split("-")[0]) + 0.5 * ("-" in lead)


def _row(name: str, one: dict[str, Any]) -> dict[str, Any]:
    return {"graph": f"`{name}`", "target": one["target"].replace("_", " "), "direction": one["direction"],
            "multiple": one["multiple"], "reach (cells)": one["reach"]}  # fmt: skip


def _training(one: dict[str, Any]) -> dict[str, str]:
    learned = one["trained_on"]
    spans = {title: " to ".join(map(str, learned[title])) or "-" for title in ("years", "validation")}
    return {"experiment": learned["experiment"], **spans, "regions": ", ".join(learned["regions"])}


def _variables(one: dict[str, Any]) -> str:
    rows = []
    for way in ("inputs", "outputs"):
        for v in one[way]:
            units = [v["units"]] if isinstance(v["units"], str) else v["units"]
            rows.append({"name": f"`{v['name']}`", "": way[:-1], "type": v["dtype"],
                         "shape": ", ".join(map(str, v["shape"])), "units": ", ".join(dict.fromkeys(units)),
                         "what": v["long_name"],
                         "fields": ", ".join(v.get("names", []))})  # fmt: skip
    return _table(pd.DataFrame(rows))


def _table(frame: pd.DataFrame) -> str:
    """Markdown table."""
    lines = [[str(c) for c in frame.columns], ["---"] * frame.shape[1], *frame.astype(str).to_numpy().tolist()]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
