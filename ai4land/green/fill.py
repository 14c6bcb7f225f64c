"""Products of land cover and leaf area filled from the regions' rollouts; parallel, resumable, whole or not there.

In the bands along an edge both regions have a say, with weights that fall along a cosine and add up to 1: where they
disagree on the class, the largest sum of weighted probabilities decides; leaf area is the weighted mean. Where they
agree nothing changes, so any number of regions with one model make the map that one region makes.
"""

import hashlib
import shutil
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from ai4land import source_digest
from ai4land.checks import room_on_disk
from ai4land.cube import Layout, open_cube, plan_layout, read_inputs
from ai4land.green.pieces import (
    HALO_CELLS,
    check_rolled,
    green_stores,
    rolled_path,
    vegetation_of,
    vegetation_regions,
)
from ai4land.green.rolled import CHANCE_SCALE, LEAF_MISSING, LEAF_SCALE, PROBABILITY_SCALE, WATER
from ai4land.green.store import create_green
from ai4land.legend import NO_DATA, class_codes, read_legend
from ai4land.product import partial_path
from ai4land.product.jobs import read_done, run_jobs, worker_pool
from ai4land.runs import Run
from ai4land.samples.predictors import cover_groups, level_1
from ai4land.stitch import Tile, plan_tiles, tile_weights
from ai4land.stitch.tiles import band_windows
from ai4land.vegetation import MONTHS
from ai4land.windows import Window


@dataclass(frozen=True)
class _Work:
    """What every worker needs; two of the same ``about`` are equal."""

    about: str
    partial: Path = field(compare=False)
    results: Path = field(compare=False)
    years: list[int] = field(compare=False)
    reference: int = field(compare=False)
    tiles: dict[str, Tile] = field(compare=False)

    def rolled(self, region: str) -> dict[str, Any]:
        """Arrays of a region's rollout."""
        return _arrays(rolled_path(self.results, region), self.about)

    def number(self, region: str, year: int) -> int:
        """Place of a year in a region's rollout."""
        return int(np.flatnonzero(self.rolled(region)["time"][:] == year)[0])


@lru_cache(maxsize=64)
def _arrays(path: Path, about: str) -> dict[str, Any]:
    # ``about`` keeps apart what lay there at other times.
    return dict(zarr.open_group(path, mode="r").arrays())


@dataclass(frozen=True)
class _Say:
    """What one region says of some cells of a part of a band, and with which weight."""

    region: str
    at: Window
    weight: np.ndarray
    place: Window

    def read(self, work: _Work, name: str, year: int) -> np.ndarray:
        """Stored numbers of a year."""
        return work.rolled(self.region)[name][(work.number(self.region, year), ..., *self.place)]


def _says(work: _Work, part: Window) -> list[_Say]:
    """Regions that have a say in a part of a band, in one order."""
    found = []
    for region in sorted(work.tiles):
        tile = work.tiles[region]
        if shared := part.intersection(tile.covered):
            weight = tile_weights(tile, shared)
            found.append(_Say(region, shared.relative_to(part), weight, shared.relative_to(tile.wide)))
    return found


def _bands(work: _Work, region: str, window: Window) -> list[tuple[Window, list[_Say]]]:
    """Parts of a window that are blended, counted from its corner, and who has a say in them."""
    parts = [part for band in band_windows(work.tiles[region]) if (part := band.intersection(window))]
    return [(part.relative_to(window), _says(work, part)) for part in parts]


def _own(work: _Work, region: str, window: Window, year: int, name: str) -> np.ndarray:
    place = window.relative_to(work.tiles[region].wide)
    return np.array(work.rolled(region)[name][(work.number(region, year), ..., *place)])


def _cover(work: _Work, region: str, window: Window, year: int) -> tuple[np.ndarray, np.ndarray]:
    """Stitched map of a window, and the chance (1) that its classes are right."""
    labels = _own(work, region, window, year, "land_cover")
    chance = _own(work, region, window, year, "confidence") / CHANCE_SCALE
    if year != work.reference:
        for here, says in _bands(work, region, window):
            labels[here], chance[here] = _blend(work, says, year, labels[here])
    return labels, chance


def _blend(work: _Work, says: list[_Say], year: int, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Map and chance of a part of a band; ``own`` are the classes of the region it belongs to."""
    codes = class_codes(read_legend("land_cover"))
    score, differ, chance = np.zeros((codes.size, *own.shape)), np.zeros(own.shape, bool), np.zeros(own.shape)
    given = [say.read(work, "land_cover", year) for say in says]
    stored = [say.read(work, "probability", year) / PROBABILITY_SCALE for say in says]
    for say, theirs, p in zip(says, given, stored, strict=True):
        differ[say.at] |= (theirs != own[say.at]) & (say.weight > 0)
        score[(slice(None), *say.at)] += say.weight * p
    labels = np.where(differ & (own > 0), codes[score.argmax(0)], own).astype(np.uint8)
    for say, theirs, p in zip(says, given, stored, strict=True):
        sure, asked = say.read(work, "confidence", year) / CHANCE_SCALE, labels[say.at]
        of_asked, of_theirs = (_of(p, codes, which) for which in (asked, theirs))
        # Of what a region leaves to other classes, each has its share.
        other = (1 - sure) * of_asked / np.maximum(1 - of_theirs, 1 / PROBABILITY_SCALE)
        chance[say.at] += say.weight * np.where(asked == theirs, sure, np.minimum(other, 1))
    return labels, chance


def _of(p: np.ndarray, codes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Probability of one class in every cell."""
    return np.take_along_axis(p, np.searchsorted(codes, np.maximum(labels, codes[0]))[None], 0)[0]


def _fill_cover(work: _Work, region: str, window: Window, year: int) -> None:
    """Map and confidence of one year in one unit of the store."""
    labels, chance = _cover(work, region, window, year)
    root = zarr.open_group(work.partial, mode="r+")
    where = (work.years.index(year), *window)
    root["land_cover"][where] = labels  # type: ignore[index]
    root["confidence"][where] = np.where(labels == 0, NO_DATA, np.rint(100 * chance)).astype(np.uint8)  # type: ignore[index]


def _fill_leaves(work: _Work, region: str, window: Window, year: int) -> None:
    """Season and standard error of one year in one unit of the store."""
    season = _own(work, region, window, year, "leaf_area_index")
    labels, _ = _cover(work, region, window, year)
    group = np.searchsorted(list(cover_groups()), np.maximum(level_1(labels), min(cover_groups())))
    error = work.rolled(region)["leaf_area_error"][:][:, group].astype(np.float32)
    for here, says in _bands(work, region, window) if year != work.reference else ():
        total, weight, spread = (np.zeros((MONTHS, *group[here].shape)) for _ in range(3))
        for say in says:
            at, theirs = (slice(None), *say.at), say.read(work, "leaf_area_index", year)
            known = say.weight * (theirs != LEAF_MISSING)
            total[at], weight[at] = total[at] + known * theirs, weight[at] + known
            spread[at] += say.weight * work.rolled(say.region)["leaf_area_error"][:][:, group[here][say.at]]
        mean = np.where(labels[here] == WATER, 0, np.rint(total / np.maximum(weight, 1e-9)))
        season[(slice(None), *here)] = np.where(weight > 0, mean, LEAF_MISSING)
        error[(slice(None), *here)] = spread
    packed = np.rint(error / LEAF_SCALE) if year != work.reference else LEAF_MISSING
    root = zarr.open_group(work.partial, mode="r+")
    first = work.years.index(year) * MONTHS
    where = (slice(first, first + MONTHS), *window)
    root["leaf_area_index"][where] = season  # type: ignore[index]
    error_of = np.where(season == LEAF_MISSING, LEAF_MISSING, packed).astype(np.int16)
    root["leaf_area_index_standard_error"][where] = error_of  # type: ignore[index]


def stitch_green(results: Path, run: Run, cube: Path, halo: int = HALO_CELLS, workers: int = 2) -> list[Path]:
    """Make all stores of a run's land cover and leaf area from the rollouts of its regions.

    A call that was killed is gone on with, and a whole store is kept, as long as software, settings, cube and rollouts
    are the same. A worker holds one year of one shard, or chunk where there are none: about 100 bytes a cell.

    Parameters
    ----------
    results : pathlib.Path
        Folder of the run's results: rollouts lie in ``<region>/vegetation.zarr``, stores are made there.
    run : Run
    cube : pathlib.Path
        The run's cube.
    halo : int
        Of the rollouts, fine cells.
    workers : int
        Processes; their number does not change a byte.

    Returns
    -------
    list of pathlib.Path
        ``land_cover.zarr`` and ``leaf_area_index.zarr``, and those of the scenario.

    Raises
    ------
    ValueError
        If a rollout is missing, lacks years, or has another halo; nothing is written then.
    OSError
        If the disk has no room for a store.
    """
    layout = plan_layout(run, open_cube(cube, "fine")["land_use"], vegetation_regions(run))
    tiles = plan_tiles(layout.regions, layout.grid, halo)
    made, paths = check_rolled(results, run, tiles), []
    with worker_pool(workers, __name__) as pool:
        for suffix, years in green_stores(run).items():
            for kind, do in (("land_cover", _fill_cover), ("leaf_area_index", _fill_leaves)):
                path = results / f"{kind}{suffix}.zarr"
                text = f"{path.name} {source_digest()} {run.model_dump_json()} {halo} {made}"
                digest = hashlib.sha256(text.encode() + (cube / "zarr.json").read_bytes()).hexdigest()
                work = _Work(digest, partial_path(path), results, years, vegetation_of(run).reference, tiles)
                _make(path, work, run, layout, cube, do, pool)
                paths.append(path)
    return paths


def _make(
    path: Path, work: _Work, run: Run, layout: Layout, cube: Path, do: Callable[..., None], pool: Executor | None
) -> None:
    """Fill one store under its partial name, from where a killed call was, and give it its name."""
    about, marks, old = (path.with_name(f"{path.name}.{end}") for end in ("about", "done", "old"))
    if not (path.exists() and about.exists() and about.read_text() == work.about):
        done = read_done(marks, work.about) if work.partial.exists() else None
        if done is None:
            marks.unlink(missing_ok=True)
            inputs = read_inputs(cube)
            create_green(path, run, layout, work.years, inputs)
            marks.write_text(work.about + "\n")
        for left in work.partial.rglob("*.partial"):  # of a chunk whose writer was killed
            left.unlink()
        units = [(region, unit) for region in work.tiles for unit in layout.blocks(region)]
        jobs = {f"{year} {w[0].start} {w[1].start}": (work, r, w, year) for r, w in units for year in work.years}
        with room_on_disk(path.parent, path.name), marks.open("a") as log:
            run_jobs(path.stem, do, jobs, done or set(), log, pool)
        # Killed here, the old store, none or the new one is there: never half of one, nor one with the other's digest.
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)
            path.rename(old)
        about.write_text(work.about)
        work.partial.rename(path)
        marks.unlink()
    shutil.rmtree(old, ignore_errors=True)
