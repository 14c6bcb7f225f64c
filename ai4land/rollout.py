"""Year by year backward or forward: each year's prior is the map made for the year before it.

A year is one step of the model. Its most probable class is nearly always the prior one, so that taking it would
never change a cell: instead every coarse cell gets the class areas that the coarse input wants of it, counted from the
start year and not from the year before, so that no error in areas adds up. An ensemble has members: the first takes
the most probable changes, the others draw them; where there are models of several folds, members take turns with them.
A killed rollout goes on after the last whole year.
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
from ai4land.allocate import match_areas
from ai4land.allocate.wanted import wanted_areas
from ai4land.checks import check_room, room_on_disk
from ai4land.experiments import step_years
from ai4land.legend import NO_DATA, class_codes, flag_attributes, read_legend
from ai4land.models.base import Model, most_probable
from ai4land.predict import predict_windows
from ai4land.runs import Experiment
from ai4land.samples import Region, first_case, make_batch

PROBABILITY_SCALE = 255  # stored probability of 1
_CARRIED_SCALE = 65535  # the same, finer, for what the next year goes on with: a year takes off parts in a thousand
_CHUNK = 512
_BYTES_A_CELL = 1.0  # of a year, compressed: room that is asked for, about twice what the demo takes


def _create(path: Path, about: str, cube: Region, years: list[int]) -> dict[str, Any]:
    """Empty store of a rollout, all years; one that is there and about the same is gone on with."""
    for leftover in path.rglob("*.partial"):  # of a chunk whose writer was killed
        leftover.unlink()
    if (path / "zarr.json").exists() and zarr.open_group(path, mode="r").attrs.get("about") == about:
        return dict(zarr.open_group(path, mode="r+").arrays())
    shutil.rmtree(path, ignore_errors=True)
    rows, cols = cube.grid.shape
    check_room(
        path.parent, int(rows * cols * len(years) * _BYTES_A_CELL), f"rollout of {len(years)} years of {cube.name}"
    )
    root = zarr.open_group(path, mode="w", zarr_format=3)
    legend = read_legend("land_use")
    classes, chunk = class_codes(legend).size, (min(rows, _CHUNK), min(cols, _CHUNK))
    frame = tuple(-(-n // c) * c for n, c in zip((rows, cols), chunk, strict=True))  # a year is one file
    fields: dict[str, Any] = {
        "land_use": ((), "uint8", NO_DATA, {"long_name": "land use", **flag_attributes(legend)}),
        "confidence": ((), "uint8", 0, {"long_name": "chance that the class is right", "scale": PROBABILITY_SCALE}),
        "probability": ((classes,), "uint8", 0, {"scale": PROBABILITY_SCALE, "comment": "in the bands only"}),
    }  # fmt: skip
    for name, (more, dtype, fill, attrs) in fields.items():
        dims = ("time", *(("cover_class",) if more else ()), "lat", "lon")
        root.create_array(
            name, shape=(len(years), *more, rows, cols), chunks=(1, *more, *chunk), shards=(1, *more, *frame),
            dtype=dtype, fill_value=fill, dimension_names=dims, attributes=attrs,
        )  # fmt: skip
    root.create_array(
        "carried", shape=(2, rows, cols), chunks=(1, *chunk), shards=(1, *frame), dtype="uint16", fill_value=0,
        dimension_names=("parity", "lat", "lon"),
        attributes={"long_name": "confidence of the last two years, exactly", "scale": _CARRIED_SCALE},
    )  # fmt: skip
    root.create_array("done", shape=(len(years),), chunks=(1,), dtype="uint8", fill_value=0, dimension_names=("time",))
    for name, values in (("time", np.array(years, np.int16)), ("lat", cube.grid.lat), ("lon", cube.grid.lon)):
        root.create_array(name, data=values, dimension_names=(name,))
    root.update_attributes({"about": about})
    return dict(root.arrays())


def _step(
    model: Model, cube: Region, experiment: Experiment, maps: list[np.ndarray], years: tuple[int, int],
    draw: int | None,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Map of the second year after known maps, that of the first year first, and the probabilities of its classes."""
    prior, *earlier = maps
    batch = make_batch(
        cube, *years, experiment.coarse_cells, None, experiment.statics, experiment.coarse, prior, earlier
    )
    p = predict_windows(model, batch, cube.corner)[0]
    if not experiment.allocation:
        return most_probable(p, batch.valid[0]), p
    free = np.isin(prior, class_codes(read_legend("land_use"), land_only=True))
    wanted = wanted_areas(cube, experiment, years[1], prior, free)
    matched = match_areas(
        p, free, wanted.numbers, wanted.pools, wanted.cells, corner=cube.corner, prior=prior, draw=draw
    )
    return np.where(free, matched.labels, prior).astype(np.uint8), p


def _carried(before: np.ndarray, labels: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Chance that a class is right after one more year, if a wrong one comes right as often as a right one goes wrong.

    ``before`` is that of the year before (1), ``p`` the probabilities that the model gives to this year's classes.
    """
    own = np.take_along_axis(p, np.where(labels == NO_DATA, 0, labels)[None].astype(np.intp), 0)[0]
    chance = before * own + (1 - before) * (1 - own)
    return np.where(labels == NO_DATA, 0, np.rint(chance * _CARRIED_SCALE)).astype(np.uint16)


def roll(
    model: Model, cube: Region, name: str, experiment: Experiment, path: Path, bands: np.ndarray, weights: Path,
    member: int = 0, seed: int = 1,
) -> xr.Dataset:  # fmt: skip
    """Step a model from the map of ``experiment.start`` through its test years, keeping each year on disk.

    Parameters
    ----------
    model : Model
        Fitted.
    cube : Region
        The region with its halo, and LUH2 of the experiment's scenario.
    name : str
        Of the experiment, for the progress bar.
    experiment : Experiment
    path : pathlib.Path
        Zarr store of this member; one of the same model and region is gone on with after its last whole year.
    bands : numpy.ndarray, shape (y, x), bool
        Cells whose probabilities are kept, for the blending with the neighbours; of the first member only.
    weights : pathlib.Path
        Folder of the model's weights: a store made with others is made anew.
    member : int
        0 takes the most probable changes; others draw them.
    seed : int
        Of the draws, with the member: the same in every region and year, so for all scenarios and directions.

    Returns
    -------
    xarray.Dataset
        ``land_use`` (time, lat, lon) uint8; ``confidence`` (time, lat, lon) uint8 in 1/255, the chance that the
        class is right, carried on from the start map; ``probability`` (time, cover_class, lat, lon) uint8 in 1/255,
        0 outside the bands; lazy.

    Raises
    ------
    ValueError
        If LUH2 has not all years of the rollout.
    OSError
        If the disk has no room for it.
    """
    years = step_years(experiment)
    if experiment.coarse == "luh2":
        for year in (experiment.start, years[-1]):
            cube.field("luh2_state", year)
    maps = [cube.field("land_use", y) for y in (experiment.start, *first_case(cube, experiment).earlier)]
    store = _create(path, _about(cube, f"{name} {member} {seed}", experiment, weights, maps), cube, years)
    done, year = store["done"][:], experiment.start
    carried = np.full(cube.grid.shape, _CARRIED_SCALE, np.uint16)
    title, draw = f"{name}, member {member}: {model.name}", 1000 * seed + member if member else None
    bar = tqdm(total=len(years), desc=title, unit="year", mininterval=5)
    with bar, room_on_disk(path.parent, f"{cube.name}, {title}"):
        for number, following in enumerate(years):
            if done[number]:
                labels = store["land_use"][number]
                if number + 1 == done.sum():
                    carried = store["carried"][number % 2]
            else:
                labels, p = _step(model, cube, experiment, maps, (year, following), draw)
                carried = _carried(carried.astype(np.float32) / _CARRIED_SCALE, labels, p)
                _keep(store, number, labels, carried, None if member else np.where(bands, p, 0))
            year, maps = following, [labels, *maps[:-1]]
            bar.update()
    return open_rollout(path)


def open_rollout(path: Path) -> xr.Dataset:
    """One member's rollout, lazy, codes as they are stored; ``time`` is the calendar year, in order of the steps."""
    return xr.open_zarr(path, consolidated=False, mask_and_scale=False, chunks={})


def _keep(store: dict[str, Any], number: int, labels: np.ndarray, carried: np.ndarray, p: np.ndarray | None) -> None:
    """Write one year; ``carried`` into the place of the year before the last, so that a killed write harms nothing."""
    store["land_use"][number] = labels
    store["confidence"][number] = np.rint(carried * (PROBABILITY_SCALE / _CARRIED_SCALE)).astype(np.uint8)
    store["carried"][number % 2] = carried
    if p is not None:
        store["probability"][number] = np.rint(p * PROBABILITY_SCALE).astype(np.uint8)
    store["done"][number] = 1


def _about(cube: Region, name: str, experiment: Experiment, weights: Path, maps: list[np.ndarray]) -> str:
    """What a rollout depends on: the code, its region, years, first maps, model and forcing."""
    digest = hashlib.sha256(f"{source_digest()} {cube.name} {cube.grid} {name} {experiment}".encode())
    for known in maps:
        digest.update(known.tobytes())
    coarse = "luh2_state" if experiment.coarse == "luh2" else "land_use_fraction"
    for year in cube.years(coarse):
        digest.update(cube.field(coarse, year).tobytes())
    for file in sorted(weights.glob("*")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def own_maps(
    rolled: xr.Dataset, inside: tuple[slice, slice], model: Model, experiment: Experiment, member: int = 0
) -> xr.Dataset:
    """Rolled maps of the region's own cells in the judged years, in the form that `ai4land.predict` counts."""
    chosen = rolled[["land_use", "confidence"]].isel(lat=inside[0], lon=inside[1]).sel(time=experiment.targets).load()
    chosen["confidence"] = chosen["confidence"].astype(np.float32) / PROBABILITY_SCALE
    made = f"{model.name}+allocation" if experiment.allocation else model.name
    return chosen.assign_attrs(model=made, member=f"draw_{member}" if member else "all")
