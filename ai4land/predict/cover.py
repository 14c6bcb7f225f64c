"""Test maps of land cover from every model, judged together on three legends."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from ai4land.allocate import blocks_of_change, expected_map, most_probable_class, probability_of
from ai4land.evaluate import RESOLUTIONS, count_calibration, count_maps, counts_with_keys, keep_lasting
from ai4land.experiments import Experiment
from ai4land.legend import class_codes, read_crosswalk, read_legend, recode
from ai4land.models.green import GreenModel
from ai4land.predict.counts import LASTING_YEARS
from ai4land.samples.region import Region
from ai4land.targets import read_target

LEGENDS = ("land_cover", "land_cover_22", "land_use")  # 37, 22 and 8 classes
_CERTAIN = {"persistence", "land_use_rule"}  # models that give no probabilities
Title = tuple[str, str]  # model and member
Labels = tuple[np.ndarray, np.ndarray]  # classes, and their probabilities


@dataclass
class Judged:
    """Counts of test maps, what fitting and predicting took, and the maps of the longest lead."""

    counts: list[pd.DataFrame] = field(default_factory=list)
    costs: list[dict[str, object]] = field(default_factory=list)
    maps: dict[str, dict[Title, np.ndarray]] = field(default_factory=dict)  # by experiment


def predict_cover(model: GreenModel, cube: Region, prior_year: int, year: int) -> dict[str, Labels]:
    """Land cover of a region by each rule that makes a map of probabilities, and the probability of its classes.

    Returns
    -------
    dict of str to (numpy.ndarray, numpy.ndarray)
        ``most_probable``, the lowest code on a tie; and, of models that are given the prior map, ``expected_change``
        (`ai4land.allocate.expected_map`), the product's rule. Classes (y, x) uint8, 0 without data; probabilities
        (y, x) float32.
    """
    target, shape = read_target("land_cover"), cube.grid.shape
    rules = ["most_probable", *(["expected_change"] if sees_prior(model) else [])]
    made = {rule: (np.zeros(shape, np.uint8), np.zeros(shape, np.float32)) for rule in rules}
    for part in blocks_of_change(shape, cube.corner):
        p = model.predict(cube, prior_year, year, window=part)["land_cover"]
        for rule, (labels, probability) in made.items():
            if rule == "most_probable":
                labels[part] = most_probable_class(target, p)
            else:
                corner = part.moved(*cube.corner).corner
                labels[part] = expected_map(target, p, cube.field("land_cover", prior_year, part), corner)
            probability[part] = probability_of(target, p, labels[part])
    return made


def sees_prior(model: GreenModel) -> bool:
    """Whether a model gives probabilities of change from a prior map of land cover that it is given."""
    return model.name not in _CERTAIN and bool(getattr(getattr(model, "given", None), "prior_cover", False))


def _as_legend(cover: np.ndarray, legend: str) -> np.ndarray:
    return cover if legend == "land_cover" else recode(cover, read_crosswalk("land_cover", legend), "land cover")


def _lasting(cube: Region, experiment: Experiment, year: int) -> np.ndarray | None:
    """Observed map without changes that do not last, None where the maps to tell are not there."""
    later = [year + experiment.sign * i for i in range(LASTING_YEARS)]
    if not set(later) <= set(cube.years("land_cover")):
        return None
    return keep_lasting(cube.field("land_cover", experiment.start), [cube.field("land_cover", y) for y in later], 0)


def count_cover(
    cube: Region, name: str, experiment: Experiment, year: int, made: Mapping[Title, Labels]
) -> pd.DataFrame:
    """Counts of the maps of one test year, all models on the same cells.

    Parameters
    ----------
    cube : Region
    name : str
        Of the experiment.
    experiment : Experiment
    year : int
    made : mapping of (str, str) to tuple of numpy.ndarray
        Classes and their probabilities, by model and member.

    Returns
    -------
    pandas.DataFrame
        Columns of ``evaluate.KEYS`` and of `ai4land.evaluate.count_maps`, by legend: 37 classes of land cover, 22 of
        level 1, 8 of land use. Change is counted in blocks of 2 cells and more; the three maps themselves are those of
        one cell. Calibration is that of the 37 classes.
    """
    prior, observed = cube.field("land_cover", experiment.start), cube.field("land_cover", year)
    lasting = _lasting(cube, experiment, year)
    where = np.all([labels != 0 for labels, _ in made.values()], axis=0)
    land = class_codes(read_legend("land_cover"), land_only=True)
    judged = where & np.isin(prior, land) & np.isin(observed, land)
    tables = []
    for (model, member), (labels, confidence) in made.items():
        keys = {"experiment": name, "target": "land_cover", "model": model, "member": member, "region": cube.name,
                "lead": str(abs(year - experiment.start))}  # fmt: skip
        for legend in LEGENDS:
            p, o, s = (_as_legend(m, legend) for m in (prior, observed, labels))
            kept = None if lasting is None else _as_legend(lasting, legend)
            counts = count_maps(p, o, s, where, cube.grid, kept, legend, RESOLUTIONS[1:])
            tables.append(counts_with_keys(counts, legend=legend, **keys))
        if model not in _CERTAIN:
            counts = count_calibration(confidence, labels == observed, judged, cube.grid)
            tables.append(counts_with_keys(counts, legend=LEGENDS[0], **keys))
    return pd.concat(tables, ignore_index=True)


def judge_cover(
    models: Mapping[Title, GreenModel], cube: Region, experiments: Mapping[str, Experiment],
    folders: Mapping[Title, Path],
) -> Judged:  # fmt: skip
    """Fit every model on each experiment, predict its test maps from the map it starts from, and count.

    Parameters
    ----------
    models : mapping of (str, str) to GreenModel
        By name and member; they are fitted anew for each experiment.
    cube : Region
    experiments : mapping of str to Experiment
    folders : mapping of (str, str) to pathlib.Path
        Where to save what was learned for the first experiment, by name and member.

    Returns
    -------
    Judged
        One test year is in memory at a time.
    """
    out = Judged()
    for number, (name, experiment) in enumerate(experiments.items()):
        costs = {}
        for title, model in tqdm(models.items(), desc=f"{name}: training", unit="model", mininterval=5):
            start = time.perf_counter()
            model.fit(cube, experiment)
            if number == 0 and title in folders:
                model.save(folders[title])
            took = {"training_seconds": time.perf_counter() - start, "prediction_seconds": 0.0}
            costs[title] = {"experiment": name, "model": title[0], "member": title[1], **took}
        for year in tqdm(experiment.targets, desc=f"{name}: test maps", unit="year", mininterval=5):
            made: dict[Title, Labels] = {}
            for title, model in models.items():
                start = time.perf_counter()
                for rule, map_of in predict_cover(model, cube, experiment.start, year).items():
                    made[title[0], title[1] if rule == "most_probable" else f"{title[1]}+{rule}"] = map_of
                costs[title]["prediction_seconds"] += time.perf_counter() - start
            out.counts.append(count_cover(cube, name, experiment, year, made))
            out.maps[name] = {title: labels for title, (labels, _) in made.items()}
        out.costs += costs.values()
    return out
