"""The folder that a model developer takes: graphs in three formats, what they are, checksums; whole or not at all."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from itertools import repeat
from pathlib import Path
from typing import Any

import pandas as pd
from torch import nn

from ai4land import __version__
from ai4land.export.card import model_card
from ai4land.export.checksums import SUMS
from ai4land.export.formats import write_formats
from ai4land.export.graph import LandUseGraph
from ai4land.export.green_graph import GreenGraph, describe
from ai4land.grid import GLOBAL, Grid
from ai4land.models.green_net import GreenNet
from ai4land.models.neural import Neural
from ai4land.product.jobs import worker_pool
from ai4land.runs import SHARED, Run
from ai4land.store import licence_of

FORMAT_VERSION = 1
TARGETS = ("land_use", "land_cover", "leaf_area_index")
DIRECTIONS = ("forward", "backward")


def write_bundle(
    folder: Path,
    models: Mapping[str, Path],
    run: Run,
    grid: Grid,
    inputs: list[dict],
    scores: pd.DataFrame,
    workers: int = 2,
) -> Path:
    """Write the emulators of a run as one folder; one that is there is replaced when the new one is whole.

    Parameters
    ----------
    folder : pathlib.Path
        For ``model.json``, ``README.md`` (the model card), ``SHA256SUMS`` and three files a graph.
    models : dict of str to pathlib.Path
        Folders of trained networks by name of the graph: ``land_use``, ``land_cover`` or ``leaf_area_index``, with
        ``-forward`` or ``-backward`` behind it where it goes one way only.
    run : Run
        That the networks were trained in.
    grid : Grid
        The run's fine cells: their size, and the corner that the lattice of the networks is counted from.
    inputs : list of dict
        Input files of the run with licence and citation, as cubes and products keep them.
    scores : pandas.DataFrame
        Rows of the run's ``scores.csv``.
    workers : int
        Processes that write graphs; PyTorch takes half a minute to trace one for windows of any size.

    Returns
    -------
    pathlib.Path
        ``folder``.

    Raises
    ------
    ValueError
        If a name is none of these, or a network is of another kind.
    """
    if odd := sorted(name for name in models if _named(name)[0] not in TARGETS):
        raise ValueError(
            f"graphs {odd}: names begin with one of {TARGETS}, and end with one of {DIRECTIONS} or neither."
        )
    half = folder.with_name(folder.name + ".partial")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    about: dict[str, Any] = {
        "format_version": FORMAT_VERSION, "title": run.title, "run": run.name, "synthetic": run.synthetic,
        "source": run.source, "software": f"ai4land {__version__}", "licence": licence_of(inputs), "grid": run.grid,
        "cell_degrees": round(grid.dlat, 10), "graphs": {}, "files": {},
    }  # fmt: skip
    if run.grid == "global":
        place = (GLOBAL.north - grid.north) / GLOBAL.dlat, (grid.west - GLOBAL.west) / GLOBAL.dlon
        about["corner"] = [round(part) for part in place]
    with worker_pool(min(workers, len(models)), __name__) as pool:
        made = (map if pool is None else pool.map)(_write_graph, models, models.values(), repeat(half))
        for (name, path), (files, said) in zip(models.items(), made, strict=True):
            about["graphs"][name] = {"file": files[0].name, **said, "trained_on": trained_on(run, path)}
            about["files"] |= {file.name: _digest(file) for file in files}
    (half / "model.json").write_text(json.dumps(about, indent=1) + "\n")
    (half / "README.md").write_text(model_card(run, about, inputs, scores))
    files = sorted(half.iterdir())
    (half / SUMS).write_text("".join(f"{_digest(file)}  {file.name}\n" for file in files))
    shutil.rmtree(folder, ignore_errors=True)
    return half.rename(folder)


def trained_on(run: Run, path: Path) -> dict[str, Any]:
    """What a network learned from, as ``model.json`` says it.

    Parameters
    ----------
    run : Run
    path : pathlib.Path
        Folder of the network: ``unet-<region>/<experiment>``, or ``unet-<target>-<region>`` of the second phase.

    Returns
    -------
    dict
        ``experiment``, ``years`` and ``validation`` (first and last), ``regions``.

    Raises
    ------
    ValueError
        If the run has no such experiment.
    """
    name, place = path.name.split("-fold")[0], path.parent.name
    if name in run.experiments:
        one: Any = run.experiments[name]
    elif run.vegetation is not None and path.name.removeprefix("unet-").split("-")[0] in TARGETS:
        name, one = next(iter(run.vegetation.leaf_area.items()))
        place = path.name
    else:
        raise ValueError(f"{path}: run {run.name} has no experiment {name}, it has {list(run.experiments)}.")
    region = place.rsplit("-", 1)[-1]
    years = one.train or (run.map_years[0], run.map_years[-1])
    return {
        "experiment": name, "years": list(years), "validation": list(one.validation or ()),
        "regions": list(run.regions) if region == SHARED else [region],
    }  # fmt: skip


def _named(name: str) -> tuple[str, str]:
    """Target and direction that the name of a graph says."""
    target, _, direction = name.partition("-")
    return (target, direction) if direction in DIRECTIONS else (name, "both")


def _write_graph(name: str, path: Path, folder: Path) -> tuple[list[Path], dict[str, Any]]:
    """Files of one graph, and what it is."""
    target, direction = _named(name)
    graph, said = _graph(target, path)
    return write_formats(graph, said, folder / name), {"target": target, "direction": direction, **said}


def _graph(target: str, path: Path) -> tuple[nn.Module, dict[str, Any]]:
    if target == "land_use":
        graph = LandUseGraph(Neural.load(path))
        return graph, graph.describe()
    model = GreenNet.load(path)
    if model.targets != (target,):
        raise ValueError(f"{path}: a network of {list(model.targets)}, expected one of {target}.")
    return GreenGraph(model), describe(model)


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
