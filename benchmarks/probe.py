"""What trained models of a run make of one fixed window, and the predictors that its trees see there: ``probe.npz``.

``python benchmarks/probe.py RUN MODELS OUT`` in a checkout, with its own ``ai4land`` and its cube of the run; `frozen`
runs it on both sides of a comparison. Networks predict in float32. Keys: ``<model>|probability|<target>``
(class, y, x), ``<model>|value|<target>`` (month, y, x), ``<model>|names``, ``<model>|table`` (cells, predictors).
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from ai4land import samples
from ai4land.models.cover_forest import CoverForest
from ai4land.models.cover_trees import CoverTrees
from ai4land.models.forest import RandomForest
from ai4land.models.green_net import GreenNet
from ai4land.models.leaf_rows import land_and_water, leaf_rows
from ai4land.models.leaf_trees import LeafTrees
from ai4land.models.neural import NETWORKS, Neural
from ai4land.models.season import SeasonNet
from ai4land.models.trees import Trees
from ai4land.runs import Run, read_run
from ai4land.windows import Window

SIDE = 200  # fine cells of the window, from a region's north-west corner
THIN = 7  # one cell in so many is in a table of predictors
Arrays = Iterator[tuple[str, np.ndarray]]


def convert(folder: Path) -> Path:
    """Folder with a parent's weights in the form that this checkout reads: its own, as long as the form is the same."""
    return folder


def region_of(run: Run, model: Path) -> str:
    """Region whose name is part of a model's folder; the first of the run for a model of all regions."""
    named = [region for region in run.regions if region in model.as_posix()]
    return max(named, key=len, default=run.regions[0])


def probe_land_use(run: Run, cube: Path, model: Path, folder: Path, about: dict) -> Arrays:
    """A model of land use: the first test year of its experiment."""
    experiment = model.name.split("-fold")[0]
    data = samples.read_region(cube, run, region_of(run, model))
    split = samples.make_split(experiment, run.experiments[experiment], data, None, run.seed)
    batch = samples.case_batch(data, split, split.test[0])
    size = min(SIDE, data.grid.rows), min(SIDE, data.grid.cols)
    if about["model"] in NETWORKS:
        network = Neural.load(folder)
        network.schedule = replace(network.schedule, precision="fp32")
        yield "probability|land_use", network.predict_proba(samples.cut_batch(network.prepare(batch), 0, 0, size))[0]
        return
    window = samples.cut_batch(batch, 0, 0, size)
    kind = RandomForest if about["model"] == "random_forest" else Trees
    yield "probability|land_use", kind.load(folder).predict_proba(window)[0]
    where = np.zeros(size, bool)
    where.ravel()[::THIN] = True
    table = samples.feature_table(window, where & window.valid[0])
    yield from (("names", np.array(list(table))), ("table", samples.feature_matrix(table)))


def probe_vegetation(run: Run, cube: Path, model: Path, folder: Path, about: dict) -> Arrays:
    """A model of land cover, leaf area, or more: the first test year of the first experiment."""
    cover = about.get("legend") == "land_cover"
    experiment = next(iter((run.vegetation.land_cover if cover else run.vegetation.leaf_area).values()))
    pair, window = (experiment.start, experiment.targets[0]), Window.at((0, 0), (SIDE, SIDE))
    data = samples.read_region(cube, run, region_of(run, model), fields=samples.VEGETATION)
    if "channels" in about:
        made = (SeasonNet if about["model"] == "sequence" else GreenNet).load(folder)
        made.settings["precision"] = "fp32"
    elif cover:
        made = (CoverForest if about["model"] == "random_forest" else CoverTrees).load(folder)
        fields = samples.annual_fields(data, made.given, *pair, window)
        table = np.stack([field.ravel()[::THIN] for field in fields.values()], 1)
        yield from (("names", np.array(list(fields))), ("table", table))
    else:
        made = LeafTrees.load(folder)
        cell = np.flatnonzero(land_and_water(data, made.given, pair[1], window)[0])[::THIN]
        names, table = leaf_rows(data, made.given, made.seasons, pair, window, None, np.arange(cell.size) % 12, cell)
        yield from (("names", np.array(names)), ("table", table))
    for target, values in made.predict(data, *pair, window=window).items():
        yield f"{'value' if 'leaf' in target else 'probability'}|{target}", values


def probe(run: Run, cube: Path, models: Path) -> dict[str, np.ndarray]:
    """Arrays of every model below a folder."""
    found = {}
    for path in sorted(models.rglob("model.json")):
        model, about = path.parent, json.loads(path.read_text())
        of = probe_land_use if about.get("legend") == "land_use" else probe_vegetation
        name = model.relative_to(models).as_posix()
        arrays = of(run, cube, model.relative_to(models), convert(model), about)
        found |= {f"{name}|{key}": values for key, values in arrays}
    return found


if __name__ == "__main__":
    name, models, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    np.savez_compressed(out, **probe(read_run(name), Path("data/processed") / name / "cube.zarr", models))
