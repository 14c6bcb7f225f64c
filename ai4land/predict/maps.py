"""Every test map of an experiment from one model or from a peer, and where they are kept."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from tqdm import tqdm

from ai4land.cube import regrid_land_use
from ai4land.legend import NO_DATA, flag_attributes, read_legend
from ai4land.models.base import Model, most_probable
from ai4land.predict.rules import RULES, TRAINED, Predictions, as_expected, as_wanted, by_rule
from ai4land.predict.windows import predict_windows
from ai4land.runs import Experiment, Run
from ai4land.samples import Region, Split, case_batch, make_split
from ai4land.sources import find_files, open_input
from ai4land.store import open_group, save


def predict_experiment(
    make_model: Callable[[], Model], cube: Region, name: str, experiment: Experiment, seed: int,
    folder: Path | None = None, costs: list[dict] | None = None, trained: bool = False,
) -> xr.Dataset:  # fmt: skip
    """Fit a model on each split of an experiment and predict its test maps, each cell out of fold.

    Parameters
    ----------
    make_model : callable
        Returns a new, unfitted model.
    cube : Region
    name : str
        Name of the experiment.
    experiment : Experiment
    seed : int
        Deals the spatial folds.
    folder : pathlib.Path, optional
        Where to save the fitted models, ``<folder>/<experiment>[-<fold>]``; those of an experiment that
        says ``trained_as`` are read from there.
    costs : list of dict, optional
        Gets a row for every fold: seconds of training and of prediction, cells predicted, values learned.
    trained : bool
        Models are read from the folder, none is trained; those without a folder learn nothing.

    Returns
    -------
    xarray.Dataset
        ``land_use`` (time, lat, lon) uint8, the most probable class, 255 without data; ``confidence``
        (time, lat, lon) float32, its probability (1); for trained models ``land_use_expected_change`` and
        ``land_use_allocation``, the maps of `ai4land.allocate.expected_change` and, unless LUH2 is the coarse input of
        a hidden prior, of `ai4land.allocate.match_areas`; attributes ``model``, ``member``.
    """
    shape = (len(experiment.targets), *cube.grid.shape)
    labels, confidence = np.full(shape, NO_DATA, np.uint8), np.zeros(shape, np.float32)
    ruled = {rule: labels.copy() for rule in RULES}
    folds: list[int | None] = list(range(experiment.folds)) or [None]
    model = make_model()
    title = f"{name}: {model.name}" + ("" if model.member == "all" else f" {model.member}")
    with tqdm(total=len(folds) * shape[0], desc=title, unit="map", mininterval=5) as bar:
        for fold in folds:
            split = make_split(name, experiment, cube, fold, seed)
            start = time.perf_counter()
            read = trained or experiment.trained_as is not None
            model = make_model() if read else make_model().fit(cube, split)
            if folder is not None:
                model = _kept(model, folder / (experiment.trained_as or split.title), read)
            seconds, predicted = time.perf_counter() - start, 0.0
            for number, case in enumerate(split.test):
                batch, start = case_batch(cube, split, case), time.perf_counter()
                probability = predict_windows(model, batch, cube.corner)[0]
                predicted += time.perf_counter() - start
                where = np.ones(cube.grid.shape, bool) if case.where is None else case.where
                labels[number][where] = most_probable(probability, batch.valid[0])[where]
                confidence[number][where] = probability.max(0)[where]
                if model.name in TRAINED:
                    expected = as_expected(probability, batch, labels[number], where)
                    matched = as_wanted(cube, experiment, case.year, probability, batch, where)
                    for rule, made in {"expected_change": expected, "allocation": matched}.items():
                        ruled[rule][number][where] = made[where]
                bar.update()
            if costs is not None:
                costs.append(_cost(model, split, cube, float("nan") if read else seconds, predicted))
    maps = _as_dataset(cube, experiment, labels, confidence, model.name, model.member)
    for rule, made in ruled.items():
        if model.name in TRAINED and (made != NO_DATA).any():
            maps[f"land_use_{rule}"] = maps["land_use"].copy(data=made)
    return maps


def _kept(model: Model, folder: Path, read: bool) -> Model:
    """A fitted model, saved; or the one that was, of the first fold where there are folds."""
    if read:
        return model.load(folder if folder.exists() else folder.with_name(f"{folder.name}-fold0"))
    model.save(folder)
    return model


def _cost(model: Model, split: Split, cube: Region, trained: float, predicted: float) -> dict[str, object]:
    return {
        "experiment": split.experiment, "model": model.name, "member": model.member, "fold": split.fold,
        "training_seconds": trained, "prediction_seconds": predicted,
        "cells": len(split.test) * cube.grid.rows * cube.grid.cols, "parameters": model.parameters,
    }  # fmt: skip


def _as_dataset(
    cube: Region,
    experiment: Experiment,
    labels: np.ndarray,
    confidence: np.ndarray | None,
    model: str,
    member: str,
) -> xr.Dataset:
    dims = ("time", "lat", "lon")
    attrs = {
        "long_name": "predicted land use",
        "comment": "255 is no data",
        **flag_attributes(read_legend("land_use")),
    }
    data: dict[str, tuple] = {"land_use": (dims, labels, attrs)}
    if confidence is not None:
        about = {"long_name": "probability of the predicted class", "units": "1"}
        data["confidence"] = (dims, confidence, about)
    time = ("time", np.array(experiment.targets, np.int16), {"long_name": "calendar year"})
    return xr.Dataset(data, {"time": time, **cube.grid.coords()}, {"model": model, "member": member})


def adopt_maps(cube: Region, experiment: Experiment, maps: xr.DataArray, model: str, member: str) -> xr.Dataset:
    """A peer's maps, on the same cells, in the form of `predict_experiment`.

    Parameters
    ----------
    maps : xarray.DataArray, shape (time, lat, lon), uint8
        Land-use classes on the region's grid.
    """
    return _as_dataset(cube, experiment, maps.sel(time=experiment.targets).to_numpy(), None, model, member)


def predict_all(
    models: dict[str, Callable[[], Model]],
    cube: Region,
    run: Run,
    store: Path,
    folders: dict[str, Path],
    trained: bool = False,
) -> dict[str, Predictions]:
    """Test maps of every model in every experiment of a run; saved as they are made.

    Parameters
    ----------
    models : dict of str to callable
        Group name in the store to a maker of new models.
    cube : Region
    run : Run
    store : pathlib.Path
        Zarr store ``predictions-<what>.zarr`` of the region; an older one is replaced. What fitting and predicting
        took stands beside it in ``costs-<what>.csv``.
    folders : dict of str to pathlib.Path
        Where to save fitted models, by group name.
    trained : bool
        Models are read from their folders, none is trained; those without a folder learn nothing.

    Returns
    -------
    dict of str to dict
        By experiment, then by (model, member).
    """
    shutil.rmtree(store, ignore_errors=True)
    costs: list[dict] = []
    made: dict[str, Predictions] = {}
    for name, experiment in run.experiments.items():
        if experiment.stepwise:
            continue
        made[name] = {}
        for group, make_model in models.items():
            maps = predict_experiment(make_model, cube, name, experiment, run.seed, folders.get(group), costs, trained)
            save(store, maps, f"{name}/{group}", {"time": 1})
            made[name] |= by_rule(maps)
    pd.DataFrame(costs).to_csv(store.with_name(store.stem.replace("predictions", "costs") + ".csv"), index=False)
    return made


def remove_checkpoints(folder: Path) -> None:
    """Remove the states of trainings that have ended."""
    shutil.rmtree(folder, ignore_errors=True)


def read_predictions(store: Path, name: str) -> Predictions:
    """Saved test maps of one experiment, lazy, by (model, member)."""
    groups = sorted(p.name for p in (store / name).iterdir() if p.is_dir())
    found: Predictions = {}
    for group in groups:
        found |= by_rule(open_group(store, f"{name}/{group}"))
    return found


def read_peers(cube: Region, run: Run, raw: Path) -> dict[str, Predictions]:
    """A peer's published maps on the region's cells, for every experiment; empty where the run names none."""
    if run.inputs.peers is None:
        return {}
    files = find_files(run.inputs.peers, raw)
    adopted: dict[str, Predictions] = {name: {} for name in run.experiments}
    for file in files:
        source = open_input([file])
        maps = regrid_land_use(source, cube.grid)
        for name, experiment in run.experiments.items():
            if experiment.stepwise:
                continue
            key = file.dataset.split("_")[0], file.keys["member"]
            adopted[name][key] = adopt_maps(cube, experiment, maps, *key)
    return adopted


def read_region_maps(folder: Path, cube: Region, run: Run, raw: Path, name: str) -> Predictions:
    """All saved maps of one experiment in one region: trees and baselines, networks, and a peer's.

    Parameters
    ----------
    folder : pathlib.Path
        Results of the region.
    cube : Region
    run : Run
    raw : pathlib.Path
        Where a peer's maps are.
    name : str
        Of the experiment.
    """
    found: Predictions = {}
    for store in sorted(folder.glob("predictions-*.zarr")):
        found |= read_predictions(store, name)
    return found | read_peers(cube, run, raw).get(name, {})
