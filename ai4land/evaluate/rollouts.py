"""Does a rollout hold? Tables by lead time, from counts and scores, and by calendar year, from annual counts.

By calendar year: class areas (drift, and what happens where rollouts join the maps), changes, edges and patches, of the
reference maps (``observed``), of every member of every rollout, and the class areas of LUH2 (``luh2``).
"""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ai4land.evaluate.tables import null_resolution, reliability_table
from ai4land.evaluate.texture import annual_table, calendar_maps, luh2_areas
from ai4land.grid import grid_of
from ai4land.legend import class_codes, read_legend
from ai4land.runs import Run

OBSERVED, LUH2 = "observed", "luh2"
_SERIES = ["experiment", "model", "member"]


def rollout_annual(
    run: Run, observed: xr.DataArray, rolled: dict[tuple[str, int], xr.DataArray],
    luh2: dict[str, dict[int, np.ndarray]],
) -> pd.DataFrame:  # fmt: skip
    """Annual counts of one region: its reference maps, every member of every rollout, and LUH2's class areas.

    Parameters
    ----------
    run : Run
    observed : xarray.DataArray, shape (time, lat, lon), uint8
        Reference maps of the region's own cells; ``time`` is the calendar year; lazy.
    rolled : dict of (str, int) to xarray.DataArray
        By experiment and member, maps on the same cells; lazy.
    luh2 : dict of str to dict of int to numpy.ndarray, shape (class, Y, X)
        By experiment and year, class fractions of whole coarse cells.

    Returns
    -------
    pandas.DataFrame
        Columns of `annual_table`, and experiment, model, member. Cells are those that are land in the last
        reference map.
    """
    grid, codes = grid_of(observed), class_codes(read_legend("land_use"), land_only=True)
    land = observed[-1].isin(codes).to_numpy()
    maps = ((int(one["time"]), one.to_numpy()) for one in observed)
    tables = [annual_table(maps, grid, land).assign(experiment=OBSERVED, model=OBSERVED, member="all")]
    for (name, member), made in rolled.items():
        experiment = run.experiments[name]
        first = observed.sel(time=experiment.start).to_numpy()
        keys = {"experiment": name, "model": "unet+allocation" if experiment.allocation else "unet",
                "member": f"draw_{member}" if member else "all"}  # fmt: skip
        tables.append(annual_table(calendar_maps(made, experiment.start, first), grid, land).assign(**keys))
    for name, fraction in luh2.items():
        span = run.experiments[name].start, *run.experiments[name].test
        table = luh2_areas(np.stack(list(fraction.values())), list(fraction), grid)
        table = table[table["year"].between(min(span), max(span))]
        tables.append(table.assign(experiment=name, model=LUH2, member="all"))
    return pd.concat(tables, ignore_index=True)


def read_annual(folder: Path, run: Run) -> pd.DataFrame:
    """Annual counts of all regions of a run added up: the sum of the regions' ``06-annual.csv``.

    Raises
    ------
    FileNotFoundError
        If a region has none.
    """
    tables = []
    for region in run.regions:
        path = folder / region / "06-annual.csv"
        if not path.exists():
            raise FileNotFoundError(f"region {region}: no {path}; run 06-reconstruct for it.")
        tables.append(pd.read_csv(path, keep_default_na=False).drop(columns="region"))
    table = pd.concat(tables, ignore_index=True)
    return table.groupby([c for c in table.columns if c != "value"], as_index=False, sort=False)["value"].sum()


def _pick(annual: pd.DataFrame, statistic: str, weight: str, by: list[str]) -> pd.Series:
    """Sums of one statistic by series and further columns."""
    chosen = annual[(annual["statistic"] == statistic) & (annual["weight"] == weight)]
    return chosen.groupby([*_SERIES, *by], sort=False)["value"].sum()


def areas_by_year(annual: pd.DataFrame, run: Run) -> pd.DataFrame:
    """Area of every class by year, of maps, rollouts and LUH2.

    Parameters
    ----------
    annual : pandas.DataFrame
        Of `read_annual`.
    run : Run

    Returns
    -------
    pandas.DataFrame
        Columns experiment, model, member, year, class, km2, percent (of the land). LUH2's ``percent`` is that of
        the map that its experiment starts from, moved by LUH2's change since then; LUH2's ``km2`` is its own, and a
        class that it does not tell apart is left out.
    """
    table = _pick(annual, "area", "km2", ["year", "class"]).rename("km2").reset_index()
    land = table.groupby([*_SERIES, "year"])["km2"].transform("sum")
    table["percent"] = 100 * table["km2"] / land
    for name in table.loc[table["model"] == LUH2, "experiment"].unique():
        start = run.experiments[name].start
        own = (table["experiment"] == name) & (table["model"] == LUH2)
        base = table[(table["model"] == OBSERVED) & (table["year"] == start)].set_index("class")
        then = table[own & (table["year"] == start)].set_index("class")["km2"]
        classes = table.loc[own, "class"]
        moved = classes.map(base["km2"]) + table.loc[own, "km2"] - classes.map(then)
        table.loc[own, "percent"] = 100 * moved / base["km2"].sum()
    known = table.groupby([*_SERIES, "class"])["km2"].transform("max") > 0
    return table[known | (table["model"] != LUH2)].reset_index(drop=True)


def drift_table(areas: pd.DataFrame, run: Run, names: list[str]) -> pd.Series:
    """Quantity disagreement with the maps in the last judged year, half the sum of differences (% of land), by series.

    ``areas`` is of `areas_by_year`, ``names`` are experiments; ``persistence`` has the areas of the start map.
    """
    seen = areas[areas["model"] == OBSERVED].pivot_table(index="class", columns="year", values="percent")
    gaps = {}
    for name in names:
        start, last = run.experiments[name].start, run.experiments[name].targets[-1]
        own = areas[(areas["experiment"] == name) & (areas["model"] != LUH2) & (areas["year"] == last)]
        made = own.pivot_table(index="class", columns=["model", "member"], values="percent")
        made["persistence", "all"] = seen[start]
        gaps[name] = made.sub(seen[last], axis=0).abs().sum() / 2
    return pd.concat(gaps).rename("percent").rename_axis(_SERIES)


def changes_by_year(annual: pd.DataFrame) -> pd.DataFrame:
    """Per cent of the land that changes class to each year: all of it, what is undone in five years, what lasts.

    Returns
    -------
    pandas.DataFrame
        Columns experiment, model, member, year, changed, undone, lasting (per cent of the land, by area); NaN where
        the maps to tell are not there. What lasts and what is undone do not add up to all: the change that undoes
        another is neither.
    """
    land = _pick(annual, "area", "km2", ["year"])
    parts = {s: 100 * _pick(annual, s, "km2", ["year"]) / land for s in ("changed", "undone", "lasting")}
    return pd.DataFrame(parts).dropna(subset="changed").reset_index().sort_values([*_SERIES, "year"], ignore_index=True)


def texture_by_year(annual: pd.DataFrame) -> pd.DataFrame:
    """Edges and patches by year.

    Returns
    -------
    pandas.DataFrame
        Columns experiment, model, member, year, edges (per cent of the pairs of neighbouring land cells that differ
        in class), patch_cells (mean size of the patch that a land cell lies in, cells; NaN in years without).
    """
    names = ("edges", "pairs", "patch_cells_squared", "area")
    edges, pairs, squares, area = (_pick(annual, name, "cells", ["year"]) for name in names)
    parts = {"edges": 50 * edges / pairs, "patch_cells": squares / area}
    return pd.DataFrame(parts).dropna(subset="edges").reset_index().sort_values([*_SERIES, "year"], ignore_index=True)


def patch_sizes(annual: pd.DataFrame) -> pd.DataFrame:
    """Patches by size: columns experiment, model, member, year, size (cells, lower end), patches (a million cells)."""
    patches = _pick(annual, "patches", "cells", ["year", "size"]).rename("patches").reset_index("size")
    land = _pick(annual, "area", "cells", ["year"]).reindex(patches.index)
    return patches.assign(patches=1e6 * patches["patches"] / land).reset_index()


def join_table(annual: pd.DataFrame, run: Run, joins: list[int], window: int = 10) -> pd.DataFrame:
    """Mean changes a year before and after the years in which a rollout, or a scenario, joins what was before.

    Parameters
    ----------
    annual, run
        As of `areas_by_year`.
    joins : list of int
        Base years of rollouts, and the last year of LUH2's history.
    window : int
        Years on each side.

    Returns
    -------
    pandas.DataFrame
        Columns experiment, model, member, join, side ('before' or 'after'), quantity, percent (of the land, a year).
        ``quantity`` is a class, for the net change of its area, or 'changed', for all changes. Series that do not
        cover all years of a side are left out.
    """
    areas = areas_by_year(annual, run).pivot_table(index="year", columns=[*_SERIES, "class"], values="percent")
    rates = changes_by_year(annual).assign(**{"class": "changed"})
    rates = rates.pivot_table(index="year", columns=[*_SERIES, "class"], values="changed")
    parts = {}
    for year in joins:
        for side, first in (("before", year - window), ("after", year)):
            net = (areas.reindex([first, first + window]).diff() / window).iloc[-1]
            gross = rates.reindex(range(first + 1, first + window + 1)).mean(skipna=False)
            parts[year, side] = pd.concat([net, gross]).dropna()
    table = pd.concat(parts, names=["join", "side", *_SERIES, "quantity"]).rename("percent").reset_index()
    return table[[*_SERIES, "join", "side", "quantity", "percent"]]


def null_resolutions(scores: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Finest blocks in which a model agrees better than persistence, by lead; ``names`` are experiments.

    Columns experiment, lead, model, member, cells (side of the block; NaN: not even in the largest).
    """
    keys = ["experiment", "lead", "model", "member"]
    known = scores[scores["experiment"].isin(names) & scores["lead"].str.isdigit() & (scores["region"] == "all")]
    known = known.loc[known["model"] != "persistence", keys].drop_duplicates()
    rows = [(name, int(lead), model, member, null_resolution(scores, model, member, experiment=name, lead=lead))
            for name, lead, model, member in known.itertuples(index=False)]  # fmt: skip
    table = pd.DataFrame(rows, columns=[*keys, "cells"])
    return table.astype({"cells": float}).sort_values(["experiment", "model", "member", "lead"], ignore_index=True)


def transition_table(counts: pd.DataFrame) -> pd.DataFrame:
    """Transitions from the start map to the observed and to the simulated map, by lead.

    Parameters
    ----------
    counts : pandas.DataFrame
        Of `ai4land.evaluate.read_counts`.

    Returns
    -------
    pandas.DataFrame
        Columns experiment, lead, model, member, source ('observed' or 'simulated'), class, to_class, percent (of the
        land, by area, over the whole lead). Regions are pooled; cells are land in the start and the observed map.
    """
    legend = read_legend("land_use")
    names, land = legend.set_index("code")["name"], class_codes(legend, land_only=True)
    joint = counts[(counts["statistic"] == "joint") & (counts["weight"] == "km2")]
    joint = joint[joint["prior"].isin(land) & joint["observed"].isin(land)]
    keys = ["experiment", "lead", "model", "member"]
    tables = []
    for source in ("observed", "simulated"):
        table = joint.groupby([*keys, "prior", source], as_index=False)["value"].sum()
        tables.append(table.rename(columns={"prior": "class", source: "to_class"}).assign(source=source))
    table = pd.concat(tables, ignore_index=True)
    total = table.groupby([*keys, "source"])["value"].transform("sum")
    table = table.assign(percent=100 * table["value"] / total, lead=table["lead"].astype(int))
    table = table.assign(**{c: table[c].map(names) for c in ("class", "to_class")})
    return table[[*keys, "source", "class", "to_class", "percent"]]


def calibration_by_lead(counts: pd.DataFrame) -> pd.DataFrame:
    """`reliability_table` of every lead apart, with a column ``lead`` (years)."""
    parts = {int(lead): reliability_table(rows) for lead, rows in counts.groupby("lead")}
    return pd.concat(parts, names=["lead"]).reset_index("lead").reset_index(drop=True)
