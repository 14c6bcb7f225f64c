"""Train networks outside the notebooks, in one process or several: ``torchrun -m ai4land.fit RUN REGION``.

Reads the same knobs as ``03-train-unet``. For a region, finished checkpoints are left where that notebook looks for
them; it then goes on from there, whatever the number of processes was. Region ``shared`` learns from all regions of a
run and saves the networks that its regions then read (``weights: shared``), and what they cost.
"""

import argparse
import ast
import inspect
import os
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pandas as pd
import papermill
import torch

from ai4land.devices import connect
from ai4land.execute import locked, read_knobs
from ai4land.legend import DATA
from ai4land.models.choose import make_networks
from ai4land.models.neural import Neural
from ai4land.runs import SHARED, Run, read_run, run_folder
from ai4land.samples import Region, make_split, read_region

NOTEBOOK = DATA.parent / "notebooks" / "03-train-unet.ipynb"


def notebook_knobs(run: str) -> dict[str, object]:
    """Parameters of ``03-train-unet`` for a run: its defaults, overridden by the run's file."""
    stated = papermill.inspect_notebook(str(NOTEBOOK))
    defaults = {name: ast.literal_eval(about["default"]) for name, about in stated.items()}
    return defaults | read_knobs(run_folder(run) / "03-train-unet.yml")


def processes() -> tuple[int, int]:
    """Processes on this node and number of nodes, as torchrun or Slurm says; one where neither does."""
    everywhere = int(os.environ.get("WORLD_SIZE", os.environ.get("SLURM_NTASKS", 1)))
    here = int(os.environ.get("LOCAL_WORLD_SIZE", os.environ.get("SLURM_NTASKS_PER_NODE", everywhere)))
    return here, everywhere // here


def main() -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="ai4land.fit", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("run", help="a folder of data/runs")
    parser.add_argument("region", help="a region of the run, or shared")
    parser.add_argument("--processed", type=Path, default=DATA / "processed", help="folder of cubes")
    parser.add_argument("--results", type=Path, default=DATA / "results", help="folder of results")
    given = parser.parse_args()
    settings, knobs = read_run(given.run), notebook_knobs(given.run)
    torch.set_num_threads(settings.threads)
    fabric = connect(str(knobs["precision"]), *processes())
    store, results = given.processed / given.run / "cube.zarr", given.results / given.run
    checkpoints = results / given.region / "checkpoints"
    asked: dict[str, Any] = {k: v for k, v in knobs.items() if k in inspect.signature(make_networks).parameters}
    networks = make_networks(checkpoints, settings.seed, fabric=fabric, **asked)
    # Of a shared network this table is Make's sign that it is there.
    whole = checkpoints.parent / ("costs-unet.csv" if given.region == SHARED else "03-train-unet.ipynb")
    save = given.region == SHARED and fabric.is_global_zero
    try:
        with locked(whole) if fabric.is_global_zero else nullcontext():
            cube, costs = read_region(store, settings, given.region, resident=bool(knobs["resident"])), []
            for name, make in networks.items():
                costs += _fit_all(make, cube, settings, results / "models" / f"{name}-{SHARED}" if save else None)
            if save:
                pd.DataFrame(costs).to_csv(whole.with_suffix(".partial"), index=False)
                whole.with_suffix(".partial").rename(whole)
                shutil.rmtree(checkpoints, ignore_errors=True)
    except BlockingIOError as error:
        print(f"{given.run}, {given.region}: {error}", file=sys.stderr)
        return 1
    return 0


def _fit_all(make: Callable[[], Neural], cube: Region, run: Run, folder: Path | None) -> list[dict[str, object]]:
    """Fit one network in every experiment that trains, and in its folds; saved where there is a folder. The costs."""
    costs: list[dict[str, object]] = []
    for name, experiment in run.experiments.items():
        if experiment.trained_as is not None:
            continue
        for fold in [*range(experiment.folds)] or [None]:
            split, start = make_split(name, experiment, cube, fold, run.seed), time.perf_counter()
            model = make().fit(cube, split)
            costs.append({
                "experiment": name, "model": model.name, "member": model.member, "fold": fold,
                "training_seconds": time.perf_counter() - start, "prediction_seconds": 0.0, "cells": 0,
                "parameters": model.parameters,
            })  # fmt: skip
            if folder is not None:
                model.save(folder / split.title)
    return costs


if __name__ == "__main__":
    sys.exit(main())
