"""Rules that turn probabilities into a map, beside the most probable class."""

import numpy as np
import xarray as xr

from ai4land.allocate import expected_change, match_areas
from ai4land.allocate.wanted import wanted_areas
from ai4land.legend import NO_DATA, class_codes, read_legend
from ai4land.runs import Experiment
from ai4land.samples import Batch, Region

TRAINED = ("unet", "cnn", "xgboost", "random_forest", "sequence")
# By rule: what is added to the model's name in scores, and the member.
RULES = {"expected_change": ("", "expected_change"), "allocation": ("+allocation", "all")}
Predictions = dict[tuple[str, str], xr.Dataset]  # by model and member


def as_expected(probability: np.ndarray, batch: Batch, labels: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Map with as much change from the visible prior as is expected; hidden cells get the most probable class."""
    prior = np.where(batch.prior[0] == NO_DATA, labels, batch.prior[0]).astype(np.uint8)
    free = np.isin(batch.prior[0], class_codes(read_legend("land_use"), land_only=True)) & where
    return expected_change(probability, prior, free)


def as_wanted(
    cube: Region, experiment: Experiment, year: int, probability: np.ndarray, batch: Batch, where: np.ndarray
) -> np.ndarray:
    """Map whose class areas are those that the coarse input wants; 255 everywhere where it cannot tell."""
    prior, valid = batch.prior[0], batch.valid[0]
    if experiment.coarse != "perfect" and (prior[valid] == NO_DATA).any():
        return np.full(prior.shape, NO_DATA, np.uint8)  # the base map's areas are not known
    free = valid & where & (np.isin(prior, class_codes(read_legend("land_use"), land_only=True)) | (prior == NO_DATA))
    wanted = wanted_areas(cube, experiment, year, np.where(where, prior, NO_DATA), free)
    matched = match_areas(probability, free, wanted.numbers, wanted.pools, wanted.cells, corner=cube.corner)
    return np.where(free, matched.labels, prior).astype(np.uint8)


def by_rule(maps: xr.Dataset) -> Predictions:
    """Most probable classes, and under names of their own the maps that other rules make."""
    model, member = maps.attrs["model"], maps.attrs["member"]
    others = {rule: f"land_use_{rule}" for rule in RULES if f"land_use_{rule}" in maps}
    found = {(model, member): maps.drop_vars(list(others.values()))}
    for rule, name in others.items():
        suffix, variant = RULES[rule]
        other = maps[[name]].rename({name: "land_use"})
        found[model + suffix, variant] = other.assign_attrs(maps.attrs, model=model + suffix, member=variant)
    return found
