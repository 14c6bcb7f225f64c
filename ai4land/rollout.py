"""Year by year backward or forward: each year's prior is the map made for the year before it.

A year is one step of the model. Its most probable class is nearly always the prior one, so that taking it would
never change a cell: instead every coarse cell gets the class areas that the coarse input wants of it, counted from the
start year and not from the year before, so that no error in areas adds up. An ensemble has members: the first takes
the most probable changes, the others draw them; where there are models of several folds, members take turns with them.
A killed rollout goes on after the last whole year.
"""

import hashlib
from pathlib import Path

import numpy as np
import xarray as xr
from tqdm import tqdm

from ai4land import source_digest
from ai4land.allocate import match_areas, probability_of
from ai4land.allocate.wanted import wanted_areas
from ai4land.checks import room_on_disk
from ai4land.experiments import step_years
from ai4land.legend import NO_DATA, class_codes, read_legend
from ai4land.models.base import Model, most_probable
from ai4land.predict import predict_windows
from ai4land.runs import Experiment
from ai4land.samples import Region, first_case, make_batch
from ai4land.store import Format, open_store, read, resume, steps_done, write
from ai4land.targets import read_target
from ai4land.templates import Template, rollout_group

_FORMAT = Format("rollout", 1, "06-reconstruct")
_BYTES_A_CELL = 1.0  # of a year, compressed: room that is asked for, about twice what the demo takes


def _template(cube: Region, years: list[int]) -> Template:
    """Empty store of a rollout, all years."""
    needed, title = cube.grid.rows * cube.grid.cols * len(years) * _BYTES_A_CELL, f"{len(years)} years of {cube.name}"
    groups = {"": rollout_group(["land_use"], years, cube.grid)}
    return Template(groups, {"format_version": _FORMAT.version}, int(needed), f"rollout of {title}")


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


def carry(before: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Chance that a class is right after one more step, if a wrong one comes right as often as a right one goes wrong.

    Parameters
    ----------
    before : numpy.ndarray, shape (y, x), float32
        Chance that the class of the step before is right (1).
    own : numpy.ndarray, shape (y, x), float32
        Probability that the model gives to the class of the step (1).

    Returns
    -------
    numpy.ndarray, shape (y, x), float32
    """
    return before * own + (1 - before) * (1 - own)


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
        Of `open_rollout`.

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
    resume(path, _about(cube, f"{name} {member} {seed}", experiment, weights, maps), _template(cube, years))
    done, year, before = steps_done(path), experiment.start, np.ones(cube.grid.shape, np.float32)
    title, draw = f"{name}, member {member}: {model.name}", 1000 * seed + member if member else None
    bar = tqdm(total=len(years), desc=title, unit="year", mininterval=5)
    with bar, room_on_disk(path.parent, f"{cube.name}, {title}"):
        for number, following in enumerate(years):
            if done[following]:
                labels = read(path, "land_use", number)
            else:
                if number:  # what is kept is gone on with, killed or not
                    before = read(path, "confidence", number - 1)
                labels, p = _step(model, cube, experiment, maps, (year, following), draw)
                own = probability_of(read_target("land_use"), p, labels)
                fields = {"land_use": labels, "confidence": np.where(labels == NO_DATA, 0, carry(before, own))}
                _keep(path, number, fields | ({} if member else {"probability": np.where(bands, p, 0)}))
            year, maps = following, [labels, *maps[:-1]]
            bar.update()
    return open_rollout(path)


def open_rollout(path: Path, lazy: bool = True) -> xr.Dataset:
    """One member's rollout; ``time`` is the calendar year, in order of the steps.

    ``land_use`` (time, lat, lon) uint8; ``confidence`` (time, lat, lon) float32, the chance that the class is right,
    carried on from the start map, in steps of 1/65535; ``probability`` (time, cover_class, lat, lon) float32, in steps
    of 1/255, 0 outside the bands. With dask (``lazy``) or without.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is none, or it was written in another format.
    """
    return open_store(path, _FORMAT, lazy=lazy)


def _keep(path: Path, number: int, fields: dict[str, np.ndarray]) -> None:
    """Write one year, and then its mark."""
    write(path, fields, number)
    write(path, {"done": np.array(1, np.uint8)}, number)


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
    made = f"{model.name}+allocation" if experiment.allocation else model.name
    return chosen.assign_attrs(model=made, member=f"draw_{member}" if member else "all")
