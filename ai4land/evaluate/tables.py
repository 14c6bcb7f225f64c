"""Tables that a reader looks at, picked from the tidy scores."""

from pathlib import Path

import pandas as pd

from ai4land.evaluate.counts import KEYS
from ai4land.evaluate.scores import score_counts
from ai4land.runs import Run

_ORDER = [
    "persistence",
    "coarse_majority",
    "kernel_density",
    "landscaler",
    "random_forest",
    "xgboost",
    "cnn",
    "unet",
]


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


def read_counts(folder: Path, run: Run) -> pd.DataFrame:
    """Counts of all regions and models of a run.

    Raises
    ------
    FileNotFoundError
        If a region has none.
    """
    tables = []
    for region in run.regions:
        paths = sorted((folder / region).glob("counts-*.csv"))
        if not paths:
            raise FileNotFoundError(
                f"region {region}: no counts-*.csv in {folder / region}; run 04-train-trees for it."
            )
        tables += [pd.read_csv(path, keep_default_na=False, dtype=dict.fromkeys(KEYS, str)) for path in paths]
    return pd.concat(tables, ignore_index=True)


def score_run(counts: pd.DataFrame, run: Run) -> pd.DataFrame:
    """Every score of a run: by fold, region and lead, and pooled over each of them."""
    groups = {f"{name}/{label}": leads for name in run.experiments for label, leads in run.lead_groups(name).items()
              if len(leads) > 1}  # fmt: skip
    return add_regional_means(score_counts(pool_counts(counts, groups)))


def beside_claims(scores: pd.DataFrame, claims: pd.DataFrame) -> pd.DataFrame:
    """Published scores of a run with ours of the same case in column ``ours`` (NaN where there is none)."""
    keys = ["experiment", "model", "member", "metric"]
    ours = scores[(scores["region"] == "all") & (scores["fold"] == "all") & (scores["weight"] == "cells")]
    ours = ours[ours["class"] == "all"].rename(columns={"value": "ours"})
    return claims.merge(ours[[*keys, "ours"]].drop_duplicates(keys), on=keys, how="left")


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
