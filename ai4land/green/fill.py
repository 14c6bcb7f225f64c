"""Products of land cover and leaf area filled from the regions' rollouts; parallel, resumable, whole or not there.

In the bands along an edge both regions have a say, with weights that fall along a cosine and add up to 1: classes are
blended as those of land use are (`ai4land.stitch.stitch_window`), leaf area is the weighted mean. Where regions agree
nothing changes.
"""

import hashlib
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import xarray as xr

from ai4land import source_digest
from ai4land.cube import Layout, open_cube, plan_layout, read_inputs
from ai4land.green.pieces import (
    HALO_CELLS,
    check_rolled,
    green_stores,
    rolled_path,
    vegetation_of,
    vegetation_regions,
)
from ai4land.green.rolled import WATER, open_rolled
from ai4land.green.store import green_template
from ai4land.product.jobs import run_jobs, worker_pool
from ai4land.runs import Run
from ai4land.samples.predictors import cover_groups, level_1
from ai4land.stitch import Tile, plan_tiles, stitch_window, tile_weights
from ai4land.stitch.tiles import band_windows
from ai4land.store import filling, is_whole, partial_path, remove_old, write
from ai4land.targets import read_target
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

    def rolled(self, region: str) -> xr.Dataset:
        """A region's rollout."""
        return _rolled(rolled_path(self.results, region), self.about)


@lru_cache(maxsize=64)
def _rolled(path: Path, about: str) -> xr.Dataset:
    # Without dask: a worker reads what it needs, when it needs it. ``about`` keeps apart what lay there at other times.
    return open_rolled(path, lazy=False)


@dataclass(frozen=True)
class _Say:
    """What one region says of some cells of a part of a band, and with which weight."""

    region: str
    at: Window
    weight: np.ndarray
    place: Window

    def read(self, work: _Work, name: str, year: int) -> np.ndarray:
        """Values of a year."""
        return work.rolled(self.region)[name].sel(time=year)[..., *self.place].to_numpy()


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
    return work.rolled(region)[name].sel(time=year)[..., *place].to_numpy().copy()


def _cover(work: _Work, region: str, window: Window, year: int) -> tuple[np.ndarray, np.ndarray]:
    """Stitched map of a window, and the chance (1) that its classes are right."""
    if year == work.reference:
        return _own(work, region, window, year, "land_cover"), _own(work, region, window, year, "confidence")
    made = {name: work.rolled(name) for name, tile in work.tiles.items() if tile.covered.intersection(window)}
    return stitch_window(read_target("land_cover"), work.tiles, made, region, year, window)


def _fill_cover(work: _Work, region: str, window: Window, year: int) -> None:
    """Map and confidence of one year in one unit of the store."""
    labels, chance = _cover(work, region, window, year)
    percent = np.where(labels == read_target("land_cover").packing.missing, np.nan, 100 * chance)
    write(work.partial, {"land_cover": labels, "confidence": percent}, work.years.index(year), window)


def _fill_leaves(work: _Work, region: str, window: Window, year: int) -> None:
    """Season and standard error of one year in one unit of the store."""
    season = _own(work, region, window, year, "leaf_area_index")
    labels, _ = _cover(work, region, window, year)
    group = np.searchsorted(list(cover_groups()), np.maximum(level_1(labels), min(cover_groups())))
    error = work.rolled(region)["leaf_area_error"].to_numpy()[:, group]
    for here, says in _bands(work, region, window) if year != work.reference else ():
        total, weight, spread = (np.zeros((MONTHS, *group[here].shape)) for _ in range(3))
        for say in says:
            at, theirs = (slice(None), *say.at), say.read(work, "leaf_area_index", year)
            known = say.weight * np.isfinite(theirs)
            total[at], weight[at] = total[at] + known * np.nan_to_num(theirs), weight[at] + known
            spread[at] += say.weight * work.rolled(say.region)["leaf_area_error"].to_numpy()[:, group[here][say.at]]
        mean = np.where(labels[here] == WATER, 0, total / np.maximum(weight, 1e-9))
        season[(slice(None), *here)] = np.where(weight > 0, mean, np.nan)
        error[(slice(None), *here)] = spread
    stated = np.where(np.isnan(season) | (year == work.reference), np.nan, error)
    first = work.years.index(year) * MONTHS
    fields = {"leaf_area_index": season, "leaf_area_index_standard_error": stated}
    write(work.partial, fields, slice(first, first + MONTHS), window)


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
    if not is_whole(path, work.about):
        units = [(region, unit) for region in work.tiles for unit in layout.blocks(region)]
        jobs = {f"{year} {w[0].start} {w[1].start}": (work, r, w, year) for r, w in units for year in work.years}
        template = green_template(path, run, layout, work.years, read_inputs(cube))
        with filling(path, work.about, template) as (done, log):
            run_jobs(path.stem, do, jobs, done, log, pool)
    remove_old(path)
