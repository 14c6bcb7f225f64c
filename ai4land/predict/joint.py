"""Land use, land cover and leaf area of test years, by a chain of models and by one that predicts all three."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ai4land.allocate import expected_map, most_probable_class, probability_of
from ai4land.evaluate import count_calibration, count_maps, counts_with_keys, score_counts
from ai4land.evaluate.consistency import class_misfit, spread_table
from ai4land.evaluate.leaf_area import count_leaves, pick, score_leaves
from ai4land.experiments import Experiment
from ai4land.legend import class_codes, read_legend
from ai4land.models.green import GreenModel, Pair
from ai4land.models.green_chain import predict_chain
from ai4land.models.green_inputs import COVER, GROUPS, LEAVES, USE, places
from ai4land.models.green_predict import ERROR
from ai4land.models.green_tables import mean_seasons
from ai4land.models.leaf_baselines import CellMean, Climatology, GlobalMean, LeafPersistence
from ai4land.models.leaf_rows import land_and_water
from ai4land.predict.cover import Labels, count_cover
from ai4land.samples.predictors import Given, level_1
from ai4land.samples.region import Region
from ai4land.targets import read_target
from ai4land.windows import WHOLE

Title = tuple[str, str]  # model and member
PERSISTENCE, TRUTH = ("persistence", "all"), ("observed", "all")
CHAIN, OBSERVED, JOINT = ("unet", "chain"), ("unet", "observed"), ("joint", "all")
Made = dict[Title, dict[str, np.ndarray]]


@dataclass(frozen=True)
class Together:
    """Test years predicted both ways.

    Parameters
    ----------
    classes, leaves : pandas.DataFrame
        Counts of land use and land cover, and of leaf area.
    consistency : pandas.DataFrame
        Columns model, member, lead, class_misfit (m2 m-2), of `class_misfit`.
    spread : pandas.DataFrame
        Of `spread_table`, with columns model, member, lead.
    seconds : dict
        Of prediction, a year, by model and member.
    seasons : dict
        Leaf area of the last test year by model and member, (12, y, x).
    """

    classes: pd.DataFrame
    leaves: pd.DataFrame
    consistency: pd.DataFrame
    spread: pd.DataFrame
    seconds: dict[Title, float]
    seasons: dict[Title, np.ndarray]


def fit_timed(
    models: Mapping[str, GreenModel], cube: Region, experiment: Experiment, folder: Path
) -> pd.DataFrame:  # fmt: skip
    """Fit models one after the other, and save them as ``<folder>/<name>-<region>``.

    Returns
    -------
    pandas.DataFrame
        Columns training_seconds, parameters by model. A resumed training has the seconds of its last part.
    """
    rows = []
    for name, model in models.items():
        start = time.perf_counter()
        model.fit(cube, experiment).save(folder / f"{name}-{cube.name}")
        rows.append((name, time.perf_counter() - start, getattr(model, "parameters", 0)))
    return pd.DataFrame(rows, columns=["model", "training_seconds", "parameters"]).set_index("model")


def _predicted(
    chain: Sequence[GreenModel], joint: GreenModel, cube: Region, pair: Pair, seconds: dict[Title, float]
) -> Made:
    """What a year becomes by the chain, by its later parts given the observed maps, and by the joint model."""
    starts = [time.perf_counter()]
    made = {CHAIN: predict_chain(chain, cube, *pair)}
    starts.append(time.perf_counter())
    made[JOINT] = joint.predict(cube, *pair)
    starts.append(time.perf_counter())
    made[OBSERVED] = {t: v for model in chain[1:] for t, v in model.predict(cube, *pair).items()}
    for title, took in zip((CHAIN, JOINT), np.diff(starts), strict=True):
        seconds[title] = seconds.get(title, 0.0) + float(took)
    return made


def class_maps(target: str, made: Made, prior: np.ndarray, corner: tuple[int, int]) -> dict[Title, Labels]:
    """Maps of one target and the probabilities of their labels, by model and member.

    With as much change as the probabilities expect; and the most probable class (member ``most_probable``, or that
    added to another), which where change is rare is nearly always the prior one. Persistence is the prior.
    """
    one, maps = read_target(target), {PERSISTENCE: (prior, np.ones(prior.shape, np.float32))}
    for (model, member), found in made.items():
        if target in found:
            p = found[target]
            likely = "most_probable" if member == "all" else f"{member}+most_probable"
            for name, labels in ((member, expected_map(one, p, prior, corner)), (likely, most_probable_class(one, p))):
                maps[model, name] = labels, probability_of(one, p, labels)
    return maps


def count_use(
    cube: Region, name: str, experiment: Experiment, year: int, made: Mapping[Title, Labels]
) -> pd.DataFrame:  # fmt: skip
    """Counts of maps of land use, all models on the same cells; as `ai4land.predict.cover.count_cover`."""
    prior, observed = cube.field("land_use", experiment.start), cube.field("land_use", year)
    missing = np.setdiff1d(np.arange(256), read_target(USE).codes)
    where = ~np.any([np.isin(labels, missing) for labels, _ in made.values()], axis=0)
    land = class_codes(read_legend(USE), land_only=True)
    judged, tables = where & np.isin(prior, land) & np.isin(observed, land), []
    for (model, member), (labels, confidence) in made.items():
        counts = [count_maps(prior, observed, labels, where, cube.grid)]
        if (model, member) != PERSISTENCE:
            counts.append(count_calibration(confidence, labels == observed, judged, cube.grid))
        keys = {"model": model, "member": member, "region": cube.name, "lead": str(abs(year - experiment.start))}
        tables.append(counts_with_keys(pd.concat(counts), experiment=name, **keys))
    return pd.concat(tables, ignore_index=True)


def _references(cube: Region, experiment: Experiment) -> list[GreenModel]:
    """What leaf area is judged beside: those of `count_leaves`."""
    climatology, means = Climatology().fit(cube, experiment), (GlobalMean(), CellMean())
    for model in means:
        model.season = climatology.season
    return [*means, climatology, LeafPersistence()]


def _count_leaves(
    cube: Region, name: str, pair: Pair, leaves: dict[Title, np.ndarray], references: dict[str, np.ndarray],
    where: np.ndarray,
) -> pd.DataFrame:  # fmt: skip
    """Counts of seasons, all cells (``fold`` all) and those apart whose land use or land cover changed."""
    changed = np.any([cube.field(n, pair[1]) != cube.field(n, pair[0]) for n in (USE, COVER)], axis=0)
    lead, tables = str(abs(pair[1] - pair[0])), []
    for (model, member), season in leaves.items():
        for fold, part in (("all", where), ("changed", where & changed)):
            tables.append(count_leaves(
                cube.field(LEAVES, pair[1]), season, references, cube.field(COVER, pair[1]), part, cube.grid,
                experiment=name, model=model, member=member, fold=fold, region=cube.name, lead=lead,
            ))  # fmt: skip
    return pd.concat(tables, ignore_index=True)


def judge_together(
    chain: Sequence[GreenModel], joint: GreenModel, cube: Region, name: str, experiment: Experiment
) -> Together:
    """Predict the test years of an experiment both ways, and count.

    Parameters
    ----------
    chain : sequence of GreenModel
        Of land use, land cover and leaf area. Judged with what it made itself (member ``chain``) and, but for land use,
        with the observed maps of the year in place of its own (member ``observed``).
    joint : GreenModel
        Of all three.
    cube : Region
    name : str
        Of the experiment, in the counts.
    experiment : Experiment

    Returns
    -------
    Together
        Leaf area is judged on land, in cells where its references and all ways have all months.
    """
    baselines, seconds = _references(cube, experiment), dict[Title, float]()
    classes, counted, consistency, spread = list[pd.DataFrame](), list[pd.DataFrame](), [], list[pd.DataFrame]()
    usual = mean_seasons(cube, list(experiment.learned("train")))
    for year in experiment.targets:
        pair, lead = (experiment.start, year), str(abs(year - experiment.start))
        made = _predicted(chain, joint, cube, pair, seconds)
        use = class_maps(USE, made, cube.field("land_use", pair[0]), cube.corner)
        cover = class_maps(COVER, made, cube.field("land_cover", pair[0]), cube.corner)
        classes += [count_use(cube, name, experiment, year, use), count_cover(cube, name, experiment, year, cover)]
        references = {model.name: model.predict(cube, *pair)[LEAVES] for model in baselines}
        leaves = {title: found[LEAVES] for title, found in made.items()} | {PERSISTENCE: references["persistence"]}
        where = land_and_water(cube, Given(land_cover=True), year, WHOLE)[0]
        where &= np.all([np.isfinite(season).all(0) for season in (*leaves.values(), *references.values())], axis=0)
        counted.append(_count_leaves(cube, name, pair, leaves, references, where))
        seasons = leaves | {TRUTH: cube.field("leaf_area_index", year)}
        labels = dict.fromkeys((TRUTH, OBSERVED), cube.field("land_cover", year))
        labels |= {title: cover[title][0] for title in (PERSISTENCE, CHAIN, JOINT)}
        for title, season in seasons.items():
            misfit = class_misfit(season, places(level_1(labels[title]), GROUPS), usual, where)
            consistency.append((*title, lead, misfit))
        for (model, member), found in made.items():
            table = spread_table(cube.field("leaf_area_index", year), found[LEAVES], found[ERROR], where)
            spread.append(table.assign(model=model, member=member, lead=lead))
    fit = pd.DataFrame(consistency, columns=["model", "member", "lead", "class_misfit"])
    seconds = {title: total / len(experiment.targets) for title, total in seconds.items()}
    return Together(pd.concat(classes), pd.concat(counted), fit, pd.concat(spread), seconds, seasons)


def score_together(judged: Together, region: str) -> pd.DataFrame:
    """Scores of all three targets, months and classes together: rows of ``scores.csv`` with weight cells.

    Land cover by its 37 classes, by 22 and by 8, in column ``legend``.
    """
    classes = score_counts(pick(judged.classes, weight="cells"))
    leaves = pick(score_leaves(judged.leaves), region=region, month="all", weight="cells")
    return pick(pd.concat([classes, leaves], ignore_index=True), **{"class": "all"})
