"""Train the networks of one region in several processes, before its notebook: ``torchrun -m ai4land.fit RUN REGION``.

Reads the same knobs as ``03-train-unet`` and leaves finished checkpoints where that notebook looks for them; it then
goes on from there, whatever the number of processes was.
"""

import argparse
import ast
import inspect
import os
import sys
from pathlib import Path
from typing import Any

import papermill

from ai4land.devices import connect
from ai4land.execute import read_knobs
from ai4land.legend import DATA
from ai4land.models import make_networks
from ai4land.runs import read_run, run_folder
from ai4land.samples import make_split, read_region

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
    parser.add_argument("region", help="a region of the run")
    parser.add_argument("--processed", type=Path, default=DATA / "processed", help="folder of cubes")
    parser.add_argument("--results", type=Path, default=DATA / "results", help="folder of results")
    given = parser.parse_args()
    settings, knobs = read_run(given.run), notebook_knobs(given.run)
    fabric = connect(str(knobs["precision"]), *processes())
    cube = read_region(
        given.processed / given.run / "cube.zarr", settings, given.region, resident=bool(knobs["resident"])
    )
    checkpoints = given.results / given.run / given.region / "checkpoints"
    asked: dict[str, Any] = {k: v for k, v in knobs.items() if k in inspect.signature(make_networks).parameters}
    networks = make_networks(checkpoints, settings.seed, fabric=fabric, **asked)
    for name, experiment in settings.experiments.items():
        folds: list[int | None] = [*range(experiment.folds)] or [None]
        for fold in folds:
            for make in networks.values() if experiment.trained_as is None else ():
                make().fit(cube, make_split(name, experiment, cube, fold, settings.seed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
