"""Year by year backward or forward: each year's prior is the map made for the year before it.

A year is one step of the model. Its most probable class is nearly always the prior one, so that taking it would
never change a cell: instead every coarse cell gets the class areas that the coarse input wants of it, counted from the
start year and not from the year before, so that no error in areas adds up. A killed rollout goes on after the last
whole year.
"""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from tqdm import tqdm

from ai4land import source_digest
from ai4land.allocate import match_areas, scale_areas, wanted_areas
from ai4land.legend import NO_DATA, class_codes, flag_attributes, read_legend
from ai4land.models import Model
from ai4land.predict import predict_blended
from ai4land.runs import Experiment
from ai4land.samples import RegionCube, first_case, make_batch

PROBABILITY_SCALE = 255  # stored probability of 1


def step_years(experiment: Experiment) -> list[int]:
    """Every year of a rollout in the order of its steps."""
    first, last = experiment.test
    years = range(min(first, experiment.start + 1), max(last, experiment.start - 1) + 1)
    forward = [y for y in years if y > experiment.start]
    return forward or [y for y in years if y < experiment.start][::-1]


def _create(path: Path, about: str, cube: RegionCube, years: list[int]) -> dict[str, Any]:
    """Empty store of a rollout, all years; one that is there and about the same is gone on with."""
    for leftover in path.rglob("*.partial"):  # of a chunk whose writer was killed
        leftover.unlink()
    if (path / "zarr.json").exists() and zarr.open_group(path, mode="r").attrs.get("about") == about:
        return dict(zarr.open_group(path, mode="r+").arrays())
    shutil.rmtree(path, ignore_errors=True)
    root = zarr.open_group(path, mode="w", zarr_format=3)
    rows, cols = cube.grid.shape
    classes = class_codes(read_legend("land_use")).size
    flags = flag_attributes(read_legend("land_use"))
    fields: dict[str, Any] = {
        "land_use": (("time", "lat", "lon"), (rows, cols), "uint8", NO_DATA, {"long_name": "land use", **flags}),
        "confidence": (("time", "lat", "lon"), (rows, cols), "uint8", 0, {"units": "percent"}),
        "probability": (("time", "cover_class", "lat", "lon"), (classes, rows, cols), "uint8", 0,
                        {"scale": PROBABILITY_SCALE, "comment": "in the halo bands only"}),
        "done": (("time",), (), "uint8", 0, {"long_name": "1 once the year is whole"}),
    }  # fmt: skip
    for name, (dims, size, dtype, fill, attrs) in fields.items():
        root.create_array(
            name, shape=(len(years), *size), chunks=(1, *size), dtype=dtype, fill_value=fill, dimension_names=dims,
            attributes=attrs,
        )  # fmt: skip
    for name, values in (("time", np.array(years, np.int16)), ("lat", cube.grid.lat), ("lon", cube.grid.lon)):
        root.create_array(name, data=values, dimension_names=(name,))
    root.update_attributes({"about": about})
    return dict(root.arrays())


def _step(
    model: Model, cube: RegionCube, experiment: Experiment, maps: list[np.ndarray], prior_year: int, year: int
) -> tuple[np.ndarray, np.ndarray]:
    """Map of the year after known maps, the last first, and probabilities that add up to its class areas."""
    prior, *earlier = maps
    batch = make_batch(
        cube, prior_year, year, experiment.coarse_cells, None, experiment.statics, experiment.coarse, prior, earlier
    )
    p = predict_blended(model, batch, model.window)[0]
    free = np.isin(prior, class_codes(read_legend("land_use"), land_only=True))
    wanted = wanted_areas(cube, experiment, year, prior, free)
    labels = np.where(free, match_areas(p, free, wanted.numbers, wanted.pools, wanted.cells).labels, prior)
    return labels.astype(np.uint8), scale_areas(p, free, wanted.numbers, wanted.pools, wanted.cells)


def roll(
    model: Model, cube: RegionCube, name: str, experiment: Experiment, path: Path, bands: np.ndarray, weights: Path
) -> xr.Dataset:  # fmt: skip
    """Step a model from the map of ``experiment.start`` through its test years, keeping each year on disk.

    Parameters
    ----------
    model : Model
        Fitted.
    cube : RegionCube
        The region with its halo.
    name : str
        Of the experiment, for the progress bar.
    experiment : Experiment
    path : pathlib.Path
        Zarr store; one of the same model and region is gone on with after its last whole year.
    bands : numpy.ndarray, shape (y, x), bool
        Cells whose probabilities are kept, for the blending with the neighbours.
    weights : pathlib.Path
        Folder of the model's weights: a store made with others is made anew.

    Returns
    -------
    xarray.Dataset
        ``land_use`` (time, lat, lon) uint8, ``confidence`` (per cent, not calibrated), ``probability``
        (time, cover_class, lat, lon) uint8 in 1/255, 0 outside the bands; lazy.
    """
    years = step_years(experiment)
    store = _create(path, _about(cube, name, experiment, weights), cube, years)
    done = store["done"][:]
    year = experiment.start
    maps = [cube.map(y) for y in (year, *first_case(cube, experiment).earlier)]
    with tqdm(total=len(years), desc=f"{name}: {model.name}", unit="year", mininterval=5) as bar:
        for number, following in enumerate(years):
            if done[number]:
                labels = store["land_use"][number]
            else:
                labels, p = _step(model, cube, experiment, maps, year, following)
                _keep(store, number, labels, p, bands)
            year, maps = following, [labels, *maps[:-1]]
            bar.update()
    return xr.open_zarr(path, consolidated=False, mask_and_scale=False, chunks={})


def _keep(store: dict[str, Any], number: int, labels: np.ndarray, p: np.ndarray, bands: np.ndarray) -> None:
    own = np.take_along_axis(p, np.where(labels == NO_DATA, 0, labels)[None].astype(np.intp), 0)[0]
    store["land_use"][number] = labels
    store["confidence"][number] = np.rint(own * 100).astype(np.uint8)
    store["probability"][number] = np.where(bands, np.rint(p * PROBABILITY_SCALE), 0).astype(np.uint8)
    store["done"][number] = 1


def _about(cube: RegionCube, name: str, experiment: Experiment, weights: Path) -> str:
    """What a rollout depends on: the code, its region, years, start map, model and forcing."""
    digest = hashlib.sha256(f"{source_digest()} {cube.region} {cube.grid} {name} {experiment}".encode())
    digest.update(cube.map(experiment.start).tobytes())
    digest.update(cube.luh2.states.tobytes() if cube.luh2 and experiment.coarse == "luh2" else cube.fraction.tobytes())
    for file in sorted(weights.glob("*")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def own_maps(rolled: xr.Dataset, inside: tuple[slice, slice], model: Model, experiment: Experiment) -> xr.Dataset:
    """Rolled maps of the region's own cells in the judged years, in the form that `ai4land.predict` counts."""
    chosen = rolled[["land_use"]].isel(lat=inside[0], lon=inside[1]).sel(time=experiment.targets).load()
    return chosen.assign_attrs(model=f"{model.name}+allocation", member=model.member)
