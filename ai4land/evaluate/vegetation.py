"""Scores of land cover and leaf area of a whole run, for ``scores.csv``."""

from pathlib import Path

import pandas as pd

from ai4land.evaluate.counts import KEYS
from ai4land.evaluate.leaf_area import leaf_table, score_leaves
from ai4land.evaluate.scores import score_counts
from ai4land.evaluate.tables import cover_table, pool_counts, read_counts
from ai4land.runs import Run


def score_vegetation(folder: Path, run: Run) -> pd.DataFrame:
    """Scores of land cover (37, 22 and 8 classes), leaf area, and all three targets of the joint network and the chain.

    Parameters
    ----------
    folder : pathlib.Path
        Results of the run: ``<region>/counts-land-cover.csv``, ``<region>/counts-leaf-area.csv``,
        ``counts-joint-classes.csv``, ``counts-joint-leaves.csv``.
    run : Run

    Returns
    -------
    pandas.DataFrame
        Columns of ``scores.csv``, by region and over all of them; empty for a run without land cover and leaf area.
        Leaf area by month and class at once is scored over all regions only.

    Raises
    ------
    FileNotFoundError
        If a region has no counts.
    """
    if run.vegetation is None:
        return pd.DataFrame()
    joint = [pd.read_csv(folder / f"counts-joint-{part}.csv", keep_default_na=False, dtype=dict.fromkeys(KEYS, str))
             for part in ("classes", "leaves")]  # fmt: skip
    classes = [read_counts(folder, run, "land_cover"), joint[0]]
    leaves = [read_counts(folder, run, "leaf_area_index"), joint[1]]
    seasons = score_leaves(pd.concat(leaves))
    seasons = seasons[(seasons[["region", "month", "class"]] == "all").any(axis=1)]
    maps = score_counts(pool_counts(pd.concat(classes, ignore_index=True), {}))
    return pd.concat([maps, seasons], ignore_index=True)


def vegetation_tables(scores: pd.DataFrame, run: Run) -> dict[str, pd.DataFrame]:
    """`cover_table` and `leaf_table` of all regions together, by name; none for a run without them."""
    if run.vegetation is None:
        return {}
    return {
        "land-cover": cover_table(scores, run.vegetation.land_cover, "all"),
        "leaf-area": leaf_table(scores, run.vegetation.leaf_area, "all"),
    }
