"""Tables that a reader looks at, picked from the tidy scores."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from ai4land.evaluate.counts import KEYS
from ai4land.evaluate.scores import score_counts
from ai4land.experiments import Experiment
from ai4land.runs import Run

_ORDER = [
    "persistence",
    "coarse_majority",
    "kernel_density",
    "landscaler",
    "land_use_majority",
    "land_use_rule",
    "random_forest",
    "xgboost",
    "cnn",
    "unet",
]
_COVER_LEGENDS = {"land_cover": 37, "land_cover_22": 22, "land_use": 8}
_COVER_METRICS = {"overall_accuracy": "accuracy", "macro_precision": "precision", "mean_iou_land": "mIoU (land)",
                  "figure_of_merit": "figure of merit"}  # fmt: skip
_STEPS = {"land_use": "04-train-trees", "land_cover": "09-land-cover", "leaf_area_index": "10-leaf-area"}


def pool_counts(counts: pd.DataFrame, leads: dict[str, list[int]]) -> pd.DataFrame:
    """Counts once more under wider keys: all folds together, all regions together, groups of leads.

    Parameters
    ----------
    counts : pandas.DataFrame
        Rows by experiment, fold, region and lead.
    leads : dict of str to list of int
        Label of each group of leads, by ``<experiment>/<label>``.

    Returns
    -------
    pandas.DataFrame
        The rows given, and those of the wider keys; to be scored by `score_counts`.
    """
    by = [c for c in counts.columns if c != "value"]
    folds = counts[counts["fold"] != "all"].assign(fold="all")
    counts = pd.concat([counts, folds], ignore_index=True)
    whole = counts[counts["fold"] == "all"]
    grouped = []
    for name, members in leads.items():
        experiment, label = name.rsplit("/", 1)
        chosen = (whole["experiment"] == experiment) & whole["lead"].isin([str(m) for m in members])
        grouped.append(whole[chosen].assign(lead=label))
    counts = pd.concat([counts, *grouped], ignore_index=True)
    # A numbered fold is another place in each region; named parts, such as hidden cells, can be pooled.
    regions = counts[~counts["fold"].str.isdigit()].assign(region="all")
    return pd.concat([counts, regions], ignore_index=True).groupby(by, as_index=False)["value"].sum()


def add_regional_means(scores: pd.DataFrame) -> pd.DataFrame:
    """Scores with one row more per group: the mean of the regions' own mean IoU, ``region`` = 'mean'."""
    own = scores[scores["metric"].isin(["mean_iou", "mean_iou_land"]) & (scores["region"] != "all")]
    by = [c for c in scores.columns if c not in ("region", "value", "cells")]
    mean = own.groupby(by, as_index=False).agg(value=("value", "mean"), cells=("cells", "sum"))
    return pd.concat([scores, mean.assign(region="mean")[scores.columns]], ignore_index=True)


def summary_table(scores: pd.DataFrame, metrics: dict[str, str], **keys: str) -> pd.DataFrame:
    """One row a model, one column a metric.

    Parameters
    ----------
    scores : pandas.DataFrame
        Of `score_counts`.
    metrics : dict of str to str
        Metric to column title.
    **keys : str
        Values that key columns must have, such as ``experiment="forecast"``; regions and folds pooled,
        cells counted, unless said otherwise.

    Returns
    -------
    pandas.DataFrame
        Index (model, member), baselines first; NaN where a model has no such score.

    Raises
    ------
    ValueError
        If no score has these keys.
    """
    keys = {"fold": "all", "region": "all", "weight": "cells", "class": "all", **keys}
    chosen = scores
    for column, value in keys.items():
        chosen = chosen[chosen[column].astype(str) == value]
    chosen = chosen[chosen["metric"].isin(metrics)]
    if chosen.empty:
        raise ValueError(f"no scores with {keys}; experiments are {sorted(scores['experiment'].unique())}.")
    table = chosen.pivot_table(index=["model", "member"], columns="metric", values="value")
    table = table.reindex(columns=list(metrics)).rename(columns=metrics)
    rank = {name + more: i + 0.5 * bool(more) for i, name in enumerate(_ORDER) for more in ("", "+allocation")}
    return table.sort_index(key=lambda level: level.map(lambda v: rank.get(v, len(rank))) if level.name == "model"
                            else level)  # fmt: skip


def null_resolution(scores: pd.DataFrame, model: str, member: str = "all", **keys: str) -> int | None:
    """Finest resolution (fine cells) at which a model agrees better than persistence; None if never.

    References
    ----------
    Pontius et al. (2004), doi:10.1016/j.ecolmodel.2004.05.010
    """
    metrics = {m: m for m in scores["metric"].unique() if m.startswith("overall_accuracy_")}
    table = summary_table(scores, metrics, **keys)
    ahead = table.loc[(model, member)] > table.loc[("persistence", "all")]
    finer = sorted(int(str(name).split("_")[2]) for name in ahead.index[ahead])
    return finer[0] if finer else None


def read_counts(folder: Path, run: Run, target: str = "land_use") -> pd.DataFrame:
    """Counts of all regions and models of a run, of one target.

    Raises
    ------
    FileNotFoundError
        If a region has none.
    """
    regions = run.regions
    if target != "land_use" and run.vegetation is not None:
        regions = run.vegetation.regions or regions
    tables = []
    for region in regions:
        found = [pd.read_csv(path, keep_default_na=False, dtype=dict.fromkeys(KEYS, str))
                 for path in sorted((folder / region).glob("counts-*.csv"))]  # fmt: skip
        chosen = [table[table["target"] == target] for table in found if (table["target"] == target).any()]
        if not chosen:
            raise FileNotFoundError(
                f"region {region}: no counts-*.csv of {target} in {folder / region}; run {_STEPS[target]} for it."
            )
        tables += chosen
    return pd.concat(tables, ignore_index=True)


def score_run(counts: pd.DataFrame, run: Run) -> pd.DataFrame:
    """Every score of a run: by fold, region and lead, and pooled over each of them."""
    groups = {f"{name}/{label}": leads for name in run.experiments for label, leads in run.lead_groups(name).items()
              if len(leads) > 1}  # fmt: skip
    return add_regional_means(score_counts(pool_counts(counts, groups)))


def beside_claims(scores: pd.DataFrame, claims: pd.DataFrame) -> pd.DataFrame:
    """Published scores of a run with ours of the same case in column ``ours`` (NaN where there is none)."""
    keys = ["experiment", "target", "model", "member", "lead", "metric"]
    chosen = {"region": "all", "fold": "all", "weight": "cells", "class": "all", "month": "all"}
    ours = scores[(scores[list(chosen)] == pd.Series(chosen)).all(axis=1) & (scores["legend"] == scores["target"])]
    return claims.merge(ours.rename(columns={"value": "ours"})[[*keys, "ours"]], on=keys, how="left")


def check_reproduced(table: pd.DataFrame) -> None:
    """Raise ValueError unless every claim of kind 'reproduced' is met to its last published digit."""
    claims = table[table["kind"] == "reproduced"]
    off = claims[
        [round(o, int(d)) != v for o, d, v in zip(claims["ours"], claims["digits"], claims["value"], strict=True)]
    ]
    if len(off):
        shown = off[["model", "member", "metric", "value", "ours"]].to_dict("records")
        raise ValueError(f"published baselines are not reproduced: {shown}; the cells or the metric differ.")


def lead_tables(scores: pd.DataFrame, run: Run, metrics: dict[str, str]) -> dict[str, pd.DataFrame]:
    """Summary tables of every experiment whose prior is visible, one for each group of leads, by heading."""
    return {
        f"{name.replace('_', ' ')}, lead (years) {lead}": summary_table(scores, metrics, experiment=name, lead=lead)
        for name, e in run.experiments.items() if not e.mask_ratio for lead in run.lead_groups(name)
    }  # fmt: skip


def masked_tables(scores: pd.DataFrame, run: Run, metrics: dict[str, str]) -> dict[str, pd.DataFrame]:
    """Summary tables of every experiment with a masked prior, cells with hidden and visible priors apart."""
    tables = {}
    for name, experiment in run.experiments.items():
        lead = str(abs(experiment.targets[0] - experiment.start))
        for fold in ("all", "hidden", "visible") if experiment.mask_ratio else ():
            if ((scores["experiment"] == name) & (scores["fold"] == fold)).any():
                heading = f"{experiment.mask_ratio:.0%} of the prior hidden, {fold} cells, lead (years) {lead}"
                tables[heading] = summary_table(scores, metrics, experiment=name, lead=lead, fold=fold)
    return tables


def _cover_note(member: str) -> str:
    notes = {"sees part of the target: HILDA+ was built from ESA CCI among others": "hilda" in member,
             "has no prior map: persistence is told more": member in ("hilda", "none"),
             "changes as many cells as it expects, as the product": member.endswith("+expected_change")}  # fmt: skip
    return "; ".join(note for note, holds in notes.items() if holds)


def cover_table(scores: pd.DataFrame, experiments: Mapping[str, Experiment], region: str) -> pd.DataFrame:
    """Scores of land cover on 37 classes, on the 22 of level 1, and on the 8 of land use.

    Parameters
    ----------
    scores : pandas.DataFrame
        Of `score_counts`.
    experiments : mapping of str to Experiment
    region : str

    Returns
    -------
    pandas.DataFrame
        Index experiment, lead (years), trained on (years), classes, model, member; columns accuracy (overall),
        precision (macro: the mean over land classes), mIoU (land), figure of merit, and a note.
    """
    tables = {}
    for name, experiment in experiments.items():
        for lead in sorted(abs(year - experiment.start) for year in experiment.targets):
            keys = {"experiment": name, "lead": str(lead), "region": region}
            for legend, classes in _COVER_LEGENDS.items():
                part = summary_table(scores, _COVER_METRICS, target="land_cover", legend=legend, **keys)
                tables[name, lead, experiment.trained_on, classes] = part
    table = pd.concat(tables, names=["experiment", "lead", "trained on", "classes"])
    return table.assign(note=[_cover_note(member) for member in table.index.get_level_values("member")])


def reliability_table(counts: pd.DataFrame) -> pd.DataFrame:
    """What a model says of its most probable class, beside how often that is right.

    Parameters
    ----------
    counts : pandas.DataFrame
        Of `count_calibration`, with the columns of ``KEYS``.

    Returns
    -------
    pandas.DataFrame
        Columns experiment, model, member, bin, cells, confidence (1), accuracy (1): regions, folds and leads together,
        cells counted; bins without a cell are left out.
    """
    names = {"bin_total": "cells", "bin_confidence": "confidence", "bin_correct": "accuracy"}
    chosen = counts[counts["statistic"].isin(names) & (counts["weight"] == "cells")]
    keys = ["experiment", "model", "member", "resolution"]
    table = chosen.pivot_table(index=keys, columns="statistic", values="value", aggfunc="sum").rename(columns=names)
    table = table[table["cells"] > 0].reset_index().rename(columns={"resolution": "bin"})
    return table.assign(**{name: table[name] / table["cells"] for name in ("confidence", "accuracy")})
