"""The paper's protocol as tables: masked priors and two output years, classes, spread over folds, costs."""

from pathlib import Path

import pandas as pd

from ai4land.evaluate.tables import summary_table
from ai4land.runs import SHARED, Run

METRICS = {"overall_accuracy": "accuracy", "macro_f1": "F1 (macro)", "mean_iou": "mIoU"}
CLASS_METRICS = {"accuracy": "accuracy", "f1": "F1", "iou": "IoU"}


def _years(run: Run, name: str) -> dict[str, str]:
    """Title of an output year to its lead."""
    experiment = run.experiments[name]
    return {f"year {number}": str(abs(year - experiment.start)) for number, year in enumerate(experiment.targets)}


def protocol_table(scores: pd.DataFrame, run: Run) -> pd.DataFrame:
    """Summary of every experiment with a masked prior: all, hidden and visible cells; each year and their average.

    Parameters
    ----------
    scores : pandas.DataFrame
        Of `score_run`.
    run : Run

    Returns
    -------
    pandas.DataFrame
        Index (masked, cells, model, member), columns (metric, year); the filler of hidden cells is the model
        ``persistence``. Empty without such an experiment.
    """
    tables = {}
    masked = {n: e for n, e in run.experiments.items() if e.trained_as and not e.stepwise}
    for name, experiment in sorted(masked.items(), key=lambda item: item[1].mask_ratio):
        for fold in ("all", "hidden", "visible"):
            if not ((scores["experiment"] == name) & (scores["fold"] == fold)).any():
                continue
            years = {year: summary_table(scores, METRICS, experiment=name, lead=lead, fold=fold)
                     for year, lead in _years(run, name).items()}  # fmt: skip
            both = pd.concat(years, axis=1).swaplevel(axis=1)
            average = pd.concat({(m, "average"): both[m].mean(axis=1) for m in METRICS.values()}, axis=1)
            tables[f"{experiment.mask_ratio:.0%}", fold] = pd.concat([both, average], axis=1)
    if not tables:
        return pd.DataFrame()
    table = pd.concat(tables, names=["masked", "cells"])
    titles = sorted(set(table.columns.get_level_values(1)) - {"average"})
    return table[[(m, title) for m in METRICS.values() for title in (*titles, "average")]]


def class_table(scores: pd.DataFrame, experiment: str, lead: str) -> pd.DataFrame:
    """Accuracy (producer's), F1 and IoU of every class, one row a class, models side by side.

    Returns
    -------
    pandas.DataFrame
        Index class, columns (model, member, metric); regions and folds pooled, cells counted.
    """
    keys = {"experiment": experiment, "lead": lead, "fold": "all", "region": "all", "weight": "cells"}
    chosen = scores[scores["metric"].isin(CLASS_METRICS) & (scores["class"] != "all")]
    for column, value in keys.items():
        chosen = chosen[chosen[column].astype(str) == value]
    order = list(dict.fromkeys(chosen["class"]))
    table = chosen.pivot_table(index="class", columns=["model", "member", "metric"], values="value")
    return table.rename(columns=CLASS_METRICS, level="metric").reindex(order)


def fold_table(scores: pd.DataFrame, metrics: dict[str, str]) -> pd.DataFrame:
    """Mean and standard deviation over the spatial folds of every experiment that has some, regions pooled or one.

    Parameters
    ----------
    scores : pandas.DataFrame
        Of `score_run`.
    metrics : dict of str to str
        Metric to column title.

    Returns
    -------
    pandas.DataFrame
        Index (experiment, region, model, member), columns (metric, 'mean' or 'spread'); empty without folds.
    """
    chosen = scores[scores["fold"].str.isdigit() & scores["metric"].isin(metrics) & (scores["class"] == "all")]
    chosen = chosen[chosen["weight"] == "cells"]
    keys = ["experiment", "region", "model", "member"]
    both = {"mean": "mean", "spread": "std"}
    table = pd.concat({title: chosen.pivot_table(index=keys, columns="metric", values="value", aggfunc=how)
                       for title, how in both.items()}, axis=1).swaplevel(axis=1)  # fmt: skip
    columns = [(m, part) for m in metrics for part in ("mean", "spread")]
    return table.reindex(columns=columns).rename(columns=metrics, level=0)


def cost_table(folder: Path, run: Run) -> pd.DataFrame:
    """What models cost: seconds of training, cells predicted per second, values learned; regions and folds added.

    Parameters
    ----------
    folder : pathlib.Path
        Results of the run; reads ``<region>/costs-*.csv``, and those of a network that all regions share.
    run : Run

    Returns
    -------
    pandas.DataFrame
        Index (experiment, model, member). Times are those of this machine; a training that was killed counts from its
        last checkpoint.
    """
    files = [path for part in (*run.regions, SHARED) for path in sorted((folder / part).glob("costs-*.csv"))]
    rows = pd.concat([pd.read_csv(path) for path in files])
    rows = rows[rows["experiment"].map(lambda name: run.experiments[name].trained_as is None)]
    # Persistence is predicted in two notebooks.
    table = rows.groupby(["experiment", "model", "member"]).agg(
        training_seconds=("training_seconds", "sum"), prediction_seconds=("prediction_seconds", "sum"),
        cells=("cells", "sum"), parameters=("parameters", "mean"),
    )  # fmt: skip
    return table.assign(million_cells_per_second=table["cells"] / table["prediction_seconds"] / 1e6).drop(
        columns=["cells", "prediction_seconds"]
    )
