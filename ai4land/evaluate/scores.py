"""Every score from counts: sums first, one division at the end."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from ai4land.evaluate.counts import KEYS
from ai4land.legend import class_codes, read_legend

_ID = [*KEYS, "weight"]
SCORE_COLUMNS = [*_ID, "metric", "class", "value", "cells"]


def _ratio(top: np.ndarray | float, bottom: np.ndarray | float) -> np.ndarray:
    bottom = np.asarray(bottom, float)
    return np.divide(top, bottom, out=np.full(np.broadcast(top, bottom).shape, np.nan), where=bottom > 0)


def _legend(rows: pd.DataFrame) -> pd.DataFrame:
    """Classes that the counts of a group are of."""
    return read_legend(str(rows["legend"].iloc[0]))


def _joint(rows: pd.DataFrame) -> np.ndarray:
    """Counts (prior, observed, simulated), shape (class, class, class)."""
    codes = class_codes(_legend(rows))
    cube = np.zeros((codes.size,) * 3)
    index = tuple(np.searchsorted(codes, rows[name]) for name in ("prior", "observed", "simulated"))
    np.add.at(cube, index, rows["value"].to_numpy())
    return cube


def _land_only(joint: np.ndarray, legend: pd.DataFrame) -> np.ndarray:
    """The same counts, cells that carry a land class in the prior and the observed map only."""
    land = np.isin(class_codes(legend), class_codes(legend, land_only=True))
    return joint * (land[:, None, None] & land[None, :, None])


def class_scores(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """Accuracy (producer's), precision (user's), F1 and IoU of every class.

    Parameters
    ----------
    confusion : numpy.ndarray, shape (class, class)
        Rows observed, columns simulated.

    Returns
    -------
    dict of str to numpy.ndarray, shape (class,)
        NaN where a class is neither observed nor simulated, or the ratio has no cells.
    """
    hit, seen, made = np.diag(confusion), confusion.sum(1), confusion.sum(0)
    return {
        "accuracy": _ratio(hit, seen), "precision": _ratio(hit, made),
        "f1": _ratio(2 * hit, seen + made), "iou": _ratio(hit, seen + made - hit),
    }  # fmt: skip


def change_scores(joint: np.ndarray) -> dict[str, float]:
    """Hits, misses, false alarms, wrong hits and the figure of merit of counts (prior, observed, simulated)."""
    n = joint.shape[0]
    same = np.eye(n, dtype=bool)
    seen, made = ~same[:, :, None], ~same[:, None, :]  # changed in the observed, in the simulated map
    agree = same[None, :, :]
    parts = {
        "hits": joint[np.broadcast_to(seen & made & agree, joint.shape)].sum(),
        "misses": joint[np.broadcast_to(seen & ~made, joint.shape)].sum(),
        "false_alarms": joint[np.broadcast_to(~seen & made, joint.shape)].sum(),
        "wrong_hits": joint[np.broadcast_to(seen & made & ~agree, joint.shape)].sum(),
    }
    parts["figure_of_merit"] = float(_ratio(parts["hits"], sum(parts.values())))
    return {name: float(value) for name, value in parts.items()}


def agreement_scores(confusion: np.ndarray) -> dict[str, float]:
    """Overall accuracy, kappa, and quantity and allocation disagreement.

    References
    ----------
    Pontius and Millones (2011), doi:10.1080/01431161.2011.552923
    """
    total = confusion.sum()
    seen, made = confusion.sum(1) / total, confusion.sum(0) / total
    accuracy, chance = np.trace(confusion) / total, float((seen * made).sum())
    quantity = float(np.abs(seen - made).sum() / 2)
    return {
        "overall_accuracy": float(accuracy), "kappa": float(_ratio(accuracy - chance, 1 - chance)),
        "quantity_disagreement": quantity, "allocation_disagreement": float(1 - accuracy - quantity),
    }  # fmt: skip


def _joint_scores(rows: pd.DataFrame) -> list[tuple[str, str, float]]:
    legend = _legend(rows)
    codes, land_codes = class_codes(legend), class_codes(legend, land_only=True)
    names = [str(legend.loc[legend["code"] == c, "name"].item()) for c in codes]
    joint = _joint(rows)
    land = _land_only(joint, legend)
    everywhere, on_land = class_scores(joint.sum(0)), class_scores(land.sum(0))
    is_land = np.isin(codes, land_codes)
    out = []
    for metric in ("accuracy", "precision", "f1", "iou"):
        values = np.where(is_land, on_land[metric], everywhere[metric])
        out += [(metric, name, float(v)) for name, v in zip(names, values, strict=True)]
    out.append(("mean_iou", "all", float(np.nanmean(everywhere["iou"]))))
    confusion = land.sum(0)
    if confusion.sum() == 0:
        return out
    seen = confusion.sum(1)
    f1 = on_land["f1"][is_land]
    out.append(("mean_iou_land", "all", float(np.nanmean(on_land["iou"][is_land]))))
    out.append(("macro_f1", "all", float(np.nanmean(f1))))
    if rows["target"].iloc[0] == "land_cover":
        # As scikit-learn has it: 0 for a class that is observed and never predicted.
        precision = np.nan_to_num(on_land["precision"][is_land])[~np.isnan(f1)]
        out.append(("macro_precision", "all", float(precision.mean())))
    out.append(("weighted_f1", "all", float(np.nansum(f1 * seen[is_land]) / seen.sum())))
    out += [(m, "all", v) for m, v in {**agreement_scores(confusion), **change_scores(land)}.items()]
    return out


def _lasting_scores(rows: pd.DataFrame) -> list[tuple[str, str, float]]:
    return [(f"{m}_lasting", "all", v) for m, v in change_scores(_land_only(_joint(rows), _legend(rows))).items()]


def _block_scores(rows: pd.DataFrame) -> list[tuple[str, str, float]]:
    out = []
    for cells, table in rows.groupby("resolution"):
        sums = table.groupby("statistic")["value"].sum()
        change = sums[["hits", "misses", "false_alarms", "wrong_hits"]].sum()
        error = float(_ratio(sums["area_error_sum"], sums["area_error_number"]))
        out += [
            (f"figure_of_merit_{cells}_cells", "all", float(_ratio(sums["hits"], change))),
            (f"overall_accuracy_{cells}_cells", "all", float(_ratio(sums["agreement"], sums["total"]))),
            (f"coarse_area_error_{cells}_cells", "all", error),
        ]
        if cells == 25:
            out.append(("coarse_area_error", "all", error))
    return out


def _calibration_scores(rows: pd.DataFrame) -> list[tuple[str, str, float]]:
    bins = rows.pivot_table(index="resolution", columns="statistic", values="value", aggfunc="sum")
    gap = (bins["bin_confidence"] - bins["bin_correct"]).abs().sum()
    return [("expected_calibration_error", "all", float(gap / bins["bin_total"].sum()))]


_PARTS: list[tuple[set[str], Callable[[pd.DataFrame], list[tuple[str, str, float]]]]] = [
    ({"joint"}, _joint_scores),
    ({"joint_lasting"}, _lasting_scores),
    ({"hits", "misses", "false_alarms", "wrong_hits", "agreement", "total", "area_error_sum",
      "area_error_number"}, _block_scores),
    ({"bin_total", "bin_confidence", "bin_correct"}, _calibration_scores),
]  # fmt: skip


def _score_group(rows: pd.DataFrame, cells: float) -> list[tuple[str, str, float, float]]:
    out: list[tuple[str, str, float, float]] = []
    for names, scores in _PARTS:
        part = rows[rows["statistic"].isin(names)]
        if len(part):
            out += [(*score, cells) for score in scores(part)]
    return out


def _judged(counts: pd.DataFrame) -> dict[tuple, float]:
    """Number of land cells by group."""
    judged: dict[tuple, float] = {}
    for legend, rows in counts.groupby("legend"):
        land = class_codes(read_legend(str(legend)), land_only=True)
        judged |= rows[
            (rows["statistic"] == "joint") & (rows["weight"] == "cells")
            & rows["prior"].isin(land) & rows["observed"].isin(land)
        ].groupby(KEYS)["value"].sum().to_dict()  # fmt: skip
    return judged


def score_counts(counts: pd.DataFrame) -> pd.DataFrame:
    """Scores of every group of counts with equal keys.

    Parameters
    ----------
    counts : pandas.DataFrame
        Rows of `count_maps` and `count_calibration` with the columns of ``KEYS`` added. Rows may come
        from many tiles, years, folds: to pool them, give them equal keys.

    Returns
    -------
    pandas.DataFrame
        Columns ``SCORE_COLUMNS``; ``cells`` is the number of land cells judged. Scores that have no
        cells (a class that is absent) are left out.
    """
    columns = [*_ID, "statistic", "resolution", "prior", "observed", "simulated"]
    counts = counts.groupby(columns, as_index=False, dropna=False)["value"].sum()
    judged, out = _judged(counts), []
    for key, rows in counts.groupby(_ID):
        cells = float(judged.get(key[:-1], 0.0))
        out += [(*key, *score) for score in _score_group(rows, cells)]
    return pd.DataFrame(out, columns=SCORE_COLUMNS).dropna(subset="value", ignore_index=True)


def read_scores(folder: Path, target: str | None = "land_use") -> pd.DataFrame:
    """Rows of a run's ``scores.csv`` of one target, or of all with None; ``fold`` and ``lead`` are text.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    path = folder / "scores.csv"
    if not path.exists():
        raise FileNotFoundError(f"no scores at {path}; run 05-evaluate of this run first.")
    scores = pd.read_csv(path, keep_default_na=False, dtype={"fold": str, "lead": str, "month": str})
    return scores if target is None else scores[scores["target"] == target]
