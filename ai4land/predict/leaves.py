"""Test seasons of leaf area from every model, judged together, strip by strip of a region."""

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from ai4land.evaluate.leaf_area import REFERENCES, count_leaves
from ai4land.evaluate.leaf_maps import anomaly_skill, neighbour_difference
from ai4land.experiments import Experiment
from ai4land.grid import CHUNK_CELLS, Grid
from ai4land.models.green import GreenModel
from ai4land.models.leaf_baselines import CellMean, Climatology, GlobalMean, LeafPersistence
from ai4land.models.leaf_rows import BLOCK, blocks_of, land_and_water
from ai4land.models.leaf_trees import GIVEN
from ai4land.samples.patches import hide_patches
from ai4land.samples.region import Region
from ai4land.store import allocate, open_group, write
from ai4land.templates import Group, target_field, time_with_bounds
from ai4land.vegetation import MONTHS
from ai4land.windows import WHOLE, Window

Title = tuple[str, str]  # model and member
_DIMS = ("time", "lat", "lon")
_TURNED, _PATCH = 0.25, 16  # share of a block, and side (cells) of its patches, whose forest is turned


@dataclass
class JudgedLeaves:
    """Counts of test seasons, what fitting and predicting took, and the skill in time of every cell."""

    counts: pd.DataFrame
    costs: pd.DataFrame
    skill: dict[str, dict[Title, np.ndarray]] = field(default_factory=dict)  # by experiment


def _references(cube: Region, experiment: Experiment) -> dict[Title, GreenModel]:
    climatology, out = Climatology().fit(cube, experiment), {}
    for model in (GlobalMean(), CellMean()):
        model.season = climatology.season
        out[model.name, "all"] = model
    return {**out, ("climatology", "all"): climatology, ("persistence", "all"): LeafPersistence()}


def _template(grid: Grid, years: list[int]) -> Group:
    """Predicted seasons of some years."""
    fields = {"leaf_area_index": target_field("leaf_area_index", _DIMS, long_name="predicted leaf area index")}
    return Group(fields, {**time_with_bounds(years, MONTHS), **grid.coords()}, (BLOCK, CHUNK_CELLS), steps=MONTHS)


def _strips(grid: Grid) -> list[Window]:
    """Rows of a region that are in work at a time."""
    return Window.whole(grid.shape).tiles((BLOCK, grid.cols))


def _judge_strip(
    models: Mapping[Title, GreenModel], cube: Region, name: str, experiment: Experiment,
    window: Window, costs: dict[Title, float],
) -> tuple[pd.DataFrame, dict[int, dict[Title, np.ndarray]]]:  # fmt: skip
    """Counts and seasons of a strip, all models on the same cells; ``costs`` gets the seconds of prediction."""
    counts, made = [], {year: dict[Title, np.ndarray]() for year in experiment.targets}
    for year in experiment.targets:
        for title, model in models.items():
            start = time.perf_counter()
            made[year][title] = model.predict(cube, experiment.start, year, window=window)["leaf_area_index"]
            costs[title] += time.perf_counter() - start
        land, _ = land_and_water(cube, GIVEN, year, window)
        where = land & np.all([np.isfinite(season).all(0) for season in made[year].values()], axis=0)
        references = {title[0]: season for title, season in made[year].items() if title[0] in REFERENCES}
        for (kind, member), season in made[year].items():
            counts.append(count_leaves(
                cube.field("leaf_area_index", year, window), season, references,
                cube.field("land_cover", year, window), where, cube.grid.cut(*window), experiment=name, model=kind,
                member=member, region=cube.name, lead=str(abs(year - experiment.start)),
            ))  # fmt: skip
    return pd.concat(counts), made


def judge_leaves(
    models: Mapping[Title, GreenModel], cube: Region, experiments: Mapping[str, Experiment],
    folders: Mapping[Title, Path], store: Path,
) -> JudgedLeaves:  # fmt: skip
    """Fit every model on each experiment, predict its test years from the season it starts from, and count.

    Beside them stand the mean of the region, each cell's mean and its monthly climatology in the training years, and
    persistence. A cell is judged where all of them, and all models, have all months.

    Parameters
    ----------
    models : mapping of (str, str) to GreenModel
        By name and member; they are fitted anew for each experiment.
    cube : Region
    experiments : mapping of str to Experiment
    folders : mapping of (str, str) to pathlib.Path
        Where to save what was learned for the first experiment, by name and member.
    store : pathlib.Path
        Zarr store of the predicted seasons, a group ``<experiment>/<model>-<member>``; an older one is replaced.

    Returns
    -------
    JudgedLeaves
        Made from strips of 125 rows.
    """
    shutil.rmtree(store, ignore_errors=True)
    counts, costs, skill = [], [], {}
    for number, (name, experiment) in enumerate(experiments.items()):
        every, took = _references(cube, experiment), {}
        for title, model in tqdm(models.items(), desc=f"{name}: training", unit="model", mininterval=5):
            start = time.perf_counter()
            every[title] = model.fit(cube, experiment)
            took[title] = time.perf_counter() - start
            allocate(store, f"{name}/{'-'.join(title)}", _template(cube.grid, experiment.targets))
            if number == 0 and title in folders:
                model.save(folders[title])
        spent, skill[name] = dict.fromkeys(every, 0.0), {t: np.empty(cube.grid.shape, np.float32) for t in every}
        for window in tqdm(_strips(cube.grid), desc=f"{name}: test years", unit="strip", mininterval=5):
            counted, made = _judge_strip(every, cube, name, experiment, window, spent)
            counts.append(counted)
            observed = [cube.field("leaf_area_index", year, window) for year in made]
            usual = made[experiment.targets[-1]]["climatology", "all"]
            for title in every:
                skill[name][title][window] = anomaly_skill(observed, [s[title] for s in made.values()], usual)
            for title, step in product(models, range(len(made))):
                season = made[experiment.targets[step]][title]
                months = slice(MONTHS * step, MONTHS * (step + 1))
                write(store / name / "-".join(title), {"leaf_area_index": season}, months, window)
        cells = cube.grid.rows * cube.grid.cols * len(experiment.targets)
        costs += [{"experiment": name, "model": title[0], "member": title[1], "training_seconds": took.get(title),
                   "prediction_seconds": spent[title], "cells": cells} for title in every]  # fmt: skip
    table = pd.concat(counts)
    summed = table.groupby([c for c in table.columns if c != "value"], as_index=False)["value"].sum()
    return JudgedLeaves(summed, pd.DataFrame(costs), skill)


def read_season(store: Path, group: str, year: int) -> np.ndarray:
    """Leaf area of a test year in a group of `judge_leaves`, (12, y, x) float32, m2 m-2; NaN is no data."""
    return open_group(store, group)["leaf_area_index"].sel(time=str(year)).to_numpy()


def on_land(seasons: Mapping[str, np.ndarray], cube: Region, year: int) -> dict[str, np.ndarray]:
    """Seasons (12, y, x) with NaN where a year has water or no data."""
    land, _ = land_and_water(cube, GIVEN, year, WHOLE)
    return {name: np.where(land, season, np.float32(np.nan)) for name, season in seasons.items()}


def cover_response(
    model: GreenModel, cube: Region, prior_year: int, year: int, before: int = 4, after: int = 2
) -> tuple[np.ndarray, np.ndarray]:
    """What leaf area does where forest is turned into crop in the input, beside what it is around these cells.

    In the block of 125 x 125 cells with most of both, the forest in a quarter of the patches of 16 x 16 cells becomes
    cropland in the land use and land cover of the target year, of the land cover that most cropland there has; the
    prior year stays. (A single cell would hardly move: leaf area of 1 km is not as sharp as land cover of 300 m.)

    Parameters
    ----------
    model : GreenModel
    cube : Region
    prior_year, year : int
    before, after : int
        Land use, forest and cropland.

    Returns
    -------
    tuple of numpy.ndarray, shape (12,), float64
        Change of the predicted leaf area in the cells turned, m2 m-2; and the difference between the observed leaf area
        of cropland and of forest within 12 cells of them.

    Raises
    ------
    ValueError
        If no block has both.
    """
    use, cover = cube.field("land_use", year), cube.field("land_cover", year).copy()
    window = max(blocks_of(cube.grid), key=lambda b: min((use[b] == before).sum(), (use[b] == after).sum()))
    here, others = use[window] == before, use[window] == after
    turned = here & hide_patches((here.shape[0], here.shape[1]), _TURNED, np.random.default_rng(0), _PATCH)
    if not turned.any() or not others.any():
        raise ValueError(f"region {cube.name}: no block of {year} has land use {before} and {after}; take others.")
    maps = {"land_use": use.copy(), "land_cover": cover}
    for name, code in (("land_use", after), ("land_cover", np.bincount(cover[window][others]).argmax())):
        maps[name][window][turned] = code
    changed = cube.with_years(**{name: {year: field} for name, field in maps.items()})
    first, second = (
        model.predict(c, prior_year, year, window=window)["leaf_area_index"][:, turned] for c in (cube, changed)
    )
    around = neighbour_difference(cube.field("leaf_area_index", year, window), here, others)[:, turned]
    return np.nanmean(second - first, 1, dtype=float), np.nanmean(around, 1)
