"""Scores of monthly leaf area index: sums that add up over cells, regions and years first, one division at the end."""

import numpy as np
import pandas as pd

from ai4land.evaluate.counts import KEYS
from ai4land.evaluate.scores import SCORE_COLUMNS
from ai4land.evaluate.tables import summary_table
from ai4land.experiments import Experiment
from ai4land.grid import Grid
from ai4land.legend import class_codes, read_legend

MONTHS = 12
REFERENCES = ("global_mean", "cell_mean", "climatology", "persistence")
_GROUP = 10  # codes of land cover are level 1 in tens
_YEAR = 365.25  # days
_LEAST = 1e-8  # m4 m-4: a variance below this is a rounding error
_WIDE = [*KEYS, "weight", "class"]
_TITLES = {"r2": "R2", "rmse": "RMSE (m2 m-2)", "bias": "bias (m2 m-2)",
           **{f"misfit_reduction_{name}": f"misfit reduction, {name.replace('_', ' ')}" for name in REFERENCES},
           "anomaly_correlation": "anomaly correlation", "phase_error": "phase error (days)"}  # fmt: skip


def cover_names() -> dict[int, str]:
    """Names of the level-1 classes of land cover that are land, by code."""
    legend = read_legend("land_cover")
    names = legend.set_index("code")["name"]
    land = {int(code) // _GROUP * _GROUP for code in class_codes(legend, land_only=True)}
    return {code: str(names[code]) for code in sorted(land)}


def judged_months(seasons: list[np.ndarray], cover: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Months of cells (12, y, x) bool that are land and have a value in all seasons."""
    land = where & np.isin(np.asarray(cover) // _GROUP * _GROUP, list(cover_names()))
    return land & np.isfinite(np.stack(seasons)).all(0)


def count_leaves(
    observed: np.ndarray, simulated: np.ndarray, references: dict[str, np.ndarray], cover: np.ndarray,
    where: np.ndarray, grid: Grid, **keys: str,
) -> pd.DataFrame:  # fmt: skip
    """Sums of one predicted season by month and class, from which `score_leaves` makes every score.

    Parameters
    ----------
    observed, simulated : numpy.ndarray, shape (12, y, x), float32
        Leaf area index, m2 m-2; NaN is no data.
    references : dict of str to numpy.ndarray, shape (12, y, x)
        Those of ``REFERENCES``. A month of a cell is judged where all of these have a value, so that all models that
        are given the same references, and predict the same cells, are judged on the same ones.
    cover : numpy.ndarray, shape (y, x), uint8
        Land cover of the target year; water and no data are left out.
    where : numpy.ndarray, shape (y, x), bool
        Cells to judge.
    grid : Grid
        The cells, for their area.
    **keys : str
        Of ``KEYS``: experiment, model, region, lead, member; those absent are 'all'.

    Returns
    -------
    pandas.DataFrame
        Columns of ``KEYS`` (``month`` 1 to 12), then weight ('cells' or 'km2'), class (level 1 of ``cover``),
        statistic, value. Rows with equal keys add up.

    Raises
    ------
    ValueError
        If a reference is absent, or shapes differ.
    """
    if set(references) != set(REFERENCES):
        raise ValueError(f"references {sorted(references)}: expected {sorted(REFERENCES)}.")
    shapes = [np.shape(a) for a in (observed, simulated, *references.values())]
    if set(shapes) != {(MONTHS, *grid.shape)} or {cover.shape, where.shape} != {grid.shape}:
        raise ValueError(f"seasons differ in shape: {shapes}, cover {cover.shape}, grid {grid.shape}.")
    judged = judged_months([observed, simulated, *references.values()], cover, where)
    o, s, c = (a[judged].astype(float) for a in (observed, simulated, references["climatology"]))
    parts = {
        "number": np.ones(o.size), "total": np.ones(o.size), "observed": o, "observed_squared": o**2, "simulated": s,
        "misfit": (s - o) ** 2, "anomaly_observed": o - c, "anomaly_simulated": s - c,
        "anomaly_simulated_squared": (s - c) ** 2, "anomaly_product": (s - c) * (o - c),
    }  # fmt: skip
    parts |= {f"misfit_{name}": (field[judged] - o) ** 2 for name, field in references.items()}
    names = cover_names()
    kind = np.searchsorted(list(names), cover // _GROUP * _GROUP)
    group = (np.arange(MONTHS)[:, None, None] * len(names) + kind)[judged]
    area = np.broadcast_to(grid.cell_area()[:, None] * 1e-6, judged.shape)[judged]
    tables = []
    for weight, value in (("cells", np.ones(o.size)), ("km2", area)):
        sums = {
            n: np.bincount(group, part if n == "number" else part * value, MONTHS * len(names))
            for n, part in parts.items()
        }
        table = pd.DataFrame(sums)[sums["number"] > 0]
        table["month"] = (table.index // len(names) + 1).astype(str)
        table["class"] = np.array(list(names.values()))[table.index % len(names)]
        tables.append(table.assign(weight=weight).melt(["month", "class", "weight"], var_name="statistic"))
    fixed = {"target": "leaf_area_index", "legend": "land_cover_22", "split": "test"} | keys
    out = pd.concat(tables, ignore_index=True).assign(**{k: fixed.get(k, "all") for k in KEYS if k != "month"})
    return out[[*_WIDE, "statistic", "value"]]


def _pooled(counts: pd.DataFrame) -> pd.DataFrame:
    """Sums, one column a statistic, once more with all regions, months and classes together."""
    sums = counts.pivot_table("value", _WIDE, "statistic", "sum").reset_index()
    for column in ("region", "month", "class"):
        sums = pd.concat([sums, sums.assign(**{column: "all"})], ignore_index=True)
    return sums.groupby(_WIDE, as_index=False).sum()


def harmonic_phase(season: np.ndarray) -> np.ndarray:
    """Time of the year at which the first harmonic of a season is highest.

    Parameters
    ----------
    season : numpy.ndarray, shape (12, ...)
        Months, each at its middle.

    Returns
    -------
    numpy.ndarray, shape (...), float64
        Months from the start of January, 0 to 12; NaN where a month is missing or there is no cycle.
    """
    angle = 2 * np.pi * (np.arange(MONTHS) + 0.5) / MONTHS
    wave = np.tensordot(np.exp(1j * angle), np.asarray(season, float), 1)
    cycle = np.abs(wave) > 1e-6 * MONTHS
    return np.where(cycle, np.angle(wave) % (2 * np.pi) * MONTHS / (2 * np.pi), np.nan)


def phase_error(observed: np.ndarray, simulated: np.ndarray) -> np.ndarray:
    """Days by which the first harmonic of a predicted season is late (negative: early), half a year at most."""
    off = harmonic_phase(simulated) - harmonic_phase(observed)
    return ((off + MONTHS / 2) % MONTHS - MONTHS / 2) * _YEAR / MONTHS


def seasonal_cycles(counts: pd.DataFrame) -> pd.DataFrame:
    """Mean leaf area index by month and class.

    Parameters
    ----------
    counts : pandas.DataFrame
        Of `count_leaves`.

    Returns
    -------
    pandas.DataFrame
        Columns of ``KEYS`` (``month`` int), weight, class, observed, simulated (m2 m-2), cells; regions and classes
        also pooled as 'all'.
    """
    sums = _pooled(counts)
    sums = sums[sums["month"] != "all"].astype({"month": int})
    means = {name: sums[name] / sums["total"] for name in ("observed", "simulated")}
    cycles = sums[_WIDE].assign(**means, cells=sums["number"])
    return cycles.sort_values([c for c in _WIDE if c != "month"] + ["month"], ignore_index=True)


def _phases(counts: pd.DataFrame) -> pd.DataFrame:
    """Rows of scores: phase error of every class that has all months."""
    keys = [c for c in _WIDE if c != "month"]
    whole = seasonal_cycles(counts).groupby(keys).filter(lambda t: len(t) == MONTHS)
    if whole.empty:
        return pd.DataFrame(columns=SCORE_COLUMNS)
    heads = whole.groupby(keys, as_index=False)["cells"].sum().assign(month="all", metric="phase_error")
    observed, simulated = (whole[name].to_numpy().reshape(-1, MONTHS).T for name in ("observed", "simulated"))
    return heads.assign(value=phase_error(observed, simulated))[SCORE_COLUMNS]


def score_leaves(counts: pd.DataFrame) -> pd.DataFrame:
    """Scores by region, month and class, and of all of them together.

    ``r2`` is 1 - MSE / variance of the observed values (the coefficient of determination, not a squared correlation);
    ``rmse`` and ``bias`` (predicted - observed) are in m2 m-2. ``misfit_reduction_<reference>`` is 1 - MSE of the model
    / MSE of the reference: the mean of all training values of the region (``global_mean``), each cell's training mean,
    each cell's monthly climatology of the training years, and the prior season again (``persistence``). Against the
    global mean, places that always differ give about 90 % by themselves (it is `r2` but for the years of the mean), so
    that it proves little; compare the reductions of the references in the same table. ``anomaly_correlation`` is the
    correlation of what is left of the predicted and of the observed values after each cell's monthly climatology, over
    all cells and months pooled: the honest one. ``phase_error`` is that of `phase_error`, days.

    Parameters
    ----------
    counts : pandas.DataFrame
        Rows of `count_leaves`, of many regions and years.

    Returns
    -------
    pandas.DataFrame
        Columns of ``scores.csv``; ``cells`` is the number of months of cells judged. Undefined scores are left out: the
        anomalies of the climatology itself have no correlation.
    """
    sums = _pooled(counts)
    n, mse = sums["total"], sums["misfit"] / sums["total"]
    variance = sums["observed_squared"] / n - (sums["observed"] / n) ** 2
    a, b = sums["anomaly_observed"] / n, sums["anomaly_simulated"] / n
    spread = [s.where(s > _LEAST) for s in (sums["misfit_climatology"] / n - a**2,
                                            sums["anomaly_simulated_squared"] / n - b**2)]  # fmt: skip
    scores = {
        "r2": 1 - mse / variance.where(variance > _LEAST), "rmse": np.sqrt(mse),
        "bias": (sums["simulated"] - sums["observed"]) / n,
        "anomaly_correlation": (sums["anomaly_product"] / n - a * b) / np.sqrt(spread[0] * spread[1]),
    }  # fmt: skip
    for name in REFERENCES:
        reference = sums[f"misfit_{name}"] / n
        scores[f"misfit_reduction_{name}"] = 1 - mse / reference.where(reference > 0)
    table = sums[_WIDE].assign(cells=sums["number"], **scores).melt([*_WIDE, "cells"], var_name="metric")
    return pd.concat([table[SCORE_COLUMNS], _phases(counts)]).dropna(subset="value", ignore_index=True)


def pick(table: pd.DataFrame, **keys: str) -> pd.DataFrame:
    """Rows of a table of scores or cycles with these values in these columns."""
    return table[np.all([table[column] == value for column, value in keys.items()], axis=0)]


def leaf_table(scores: pd.DataFrame, experiments: dict[str, Experiment], region: str) -> pd.DataFrame:
    """Scores of every experiment, year and model of a region, all months and classes together."""
    tables = {
        (name, one.trained_on, abs(year - one.start)): summary_table(
            scores, _TITLES, experiment=name, lead=str(abs(year - one.start)), region=region, month="all"
        )
        for name, one in experiments.items() for year in one.targets
    }  # fmt: skip
    return pd.concat(tables, names=["experiment", "trained on", "lead (years)"])
