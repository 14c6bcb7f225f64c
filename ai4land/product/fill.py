"""A store of the product filled from its regions' rollouts, map by map, in parallel; resumable, whole or not there.

First the fine maps, any year alone; then the 0.25 degree fields, which need the map of the year before. A map is
written in the store's own units (shards, or chunks), each by one worker, so there is nothing to lock. What is done
stands in a list beside the store, which has its name only once it is whole; what it was made from stands in
``<store>.about``.
"""

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import xarray as xr

from ai4land import source_digest
from ai4land.allocate.wanted import class_pools, wanted_areas
from ai4land.cube import Layout, open_cube, plan_layout, read_inputs
from ai4land.legend import NO_DATA, class_codes, read_legend
from ai4land.product.fields import area_residual, coarse_shares, luh2_difference, member_spread
from ai4land.product.jobs import run_jobs, worker_pool
from ai4land.product.rollouts import check_rollouts, rollout_path
from ai4land.product.store import product_template
from ai4land.product.years import Years
from ai4land.rollout import open_rollout
from ai4land.runs import Experiment, Run
from ai4land.samples import Region, read_region
from ai4land.stitch import Tile, Vote, chance_of, plan_tiles, stitch_window, tile_weights
from ai4land.store import filling, is_whole, partial_path, read, remove_old, write
from ai4land.targets import read_target
from ai4land.windows import Window


@dataclass(frozen=True)
class _Work:
    """What every worker needs; two of the same ``about`` are equal."""

    about: str
    partial: Path = field(compare=False)
    run: Run = field(compare=False)
    cube: Path = field(compare=False)
    results: Path = field(compare=False)
    years: Years = field(compare=False)
    layout: Layout = field(compare=False)
    tiles: dict[str, Tile] = field(compare=False)

    def experiment(self, year: int) -> Experiment | None:
        """That made a year; None for a reference year."""
        name = self.years.emulated.get(year)
        return self.run.experiments[name] if name else None


def fill_product(path: Path, run: Run, cube: Path, results: Path, years: Years, halo: int, workers: int = 2) -> None:
    """Make one store of a run's product from the rollouts of its regions.

    A call that was killed is gone on with, and a whole store is kept, as long as software, settings, cube and rollouts
    are the same.

    Parameters
    ----------
    path : pathlib.Path
        Store to make, such as ``land_use.zarr``; one that was made from others is replaced when the new one is whole.
    run : Run
    cube : pathlib.Path
        The run's cube.
    results : pathlib.Path
        Folder of the run's results: rollouts lie in ``<region>/rollout.zarr/<experiment>/<member>``.
    years : Years
        Of the store, see `product_stores`.
    halo : int
        Of the rollouts, fine cells.
    workers : int
        Processes; their number does not change a byte.

    Raises
    ------
    ValueError
        If a rollout that is needed is missing, ends early, or has another halo; nothing is written then.
    OSError
        If the disk has no room for the store.
    """
    layout = plan_layout(run, open_cube(cube, "fine")["land_use"])
    tiles = plan_tiles(layout.regions, layout.grid, halo)
    made = check_rollouts(run, results, years, tiles)
    digest = hashlib.sha256(f"{path} {source_digest()} {run.model_dump_json()} {years} {halo} {made}".encode())
    digest.update((cube / "zarr.json").read_bytes())
    work = _Work(digest.hexdigest(), partial_path(path), run, cube, results, years, layout, tiles)
    if not is_whole(path, work.about):
        _make(path, work, workers)
    remove_old(path)


def _make(path: Path, work: _Work, workers: int) -> None:
    """Fill the store under its partial name, from where a killed call was, and give it its name."""
    years = work.years
    template = product_template(path, work.run, work.layout, years, read_inputs(work.cube))
    # Years of one place follow each other: what a worker has opened serves again.
    places = [(region, window) for region in work.tiles for window in work.layout.blocks(region)]
    with filling(path, work.about, template) as (done, log), worker_pool(workers, __name__) as pool:
        for title, do in (("maps", _fill_maps), ("0.25 degree fields", _fill_coarse)):
            jobs = {f"{do.__name__} {year} {window[0].start} {window[1].start}": (work, region, window, year)
                    for region, window in places for year in years.all}  # fmt: skip
            run_jobs(f"{path.stem}, {title}", do, jobs, done, log, pool)


@lru_cache(maxsize=64)
def _rollout(path: Path, about: str) -> xr.Dataset:
    # Without dask: a worker reads what it needs, when it needs it. ``about`` keeps apart what lay there at other times.
    return open_rollout(path, lazy=False)


@lru_cache(maxsize=1)
def _region(work: _Work, region: str, scenario: str | None) -> Region:
    return read_region(work.cube, work.run, region, scenario, resident=False)


def _cut(work: _Work, region: str, window: Window, scenario: str | None) -> Region:
    """A window of a region."""
    return _region(work, region, scenario).cut(window.relative_to(work.tiles[region].own))


def _rolled(work: _Work, region: str, window: Window, year: int, member: int) -> xr.Dataset:
    """What a member of a region's rollouts holds of a year in a window of the run's grid."""
    rows, cols = window.relative_to(work.tiles[region].wide)
    path = rollout_path(work.results, region, work.years.emulated[year], member)
    return _rollout(path, work.about).sel(time=year).isel(lat=rows, lon=cols)


def _member_chance(work: _Work, labels: np.ndarray, window: Window, year: int, member: int) -> np.ndarray:
    """Chance (1) of a map's classes by one member, blended across the regions' edges as the first member's is."""
    chance = np.zeros(labels.shape, np.float32)
    for region, tile in work.tiles.items():
        if part := tile.covered.intersection(window):
            one, here = _rolled(work, region, part, year, member), part.relative_to(window)
            vote = Vote(tile_weights(tile, part), one["land_use"].to_numpy(), one["confidence"].to_numpy())
            chance[here] += vote.weight * chance_of(read_target("land_use"), labels[here], vote)
    return chance


def _fill_maps(work: _Work, region: str, window: Window, year: int) -> None:
    """Map and confidence of one year in one unit of the store."""
    if experiment := work.experiment(year):
        name = work.years.emulated[year]
        made = {r: _rollout(rollout_path(work.results, r, name, 0), work.about)
                for r, tile in work.tiles.items() if tile.covered.intersection(window)}  # fmt: skip
        pools = class_pools(experiment)
        labels, chance = stitch_window(read_target("land_use"), work.tiles, made, region, year, window, pools)
        others = [_member_chance(work, labels, window, year, member) for member in range(1, experiment.members)]
        percent = 100 * np.mean([chance, *others], axis=0)
    else:
        maps = open_cube(work.cube, "fine")["land_use"].sel(time=year)
        labels = maps[window].to_numpy()
        percent = np.full(labels.shape, 100.0)
    fields = {"land_use": labels, "confidence": np.where(labels == NO_DATA, np.nan, percent)}
    write(work.partial, fields, work.years.all.index(year), window)


def _map(work: _Work, region: str, window: Window, year: int) -> np.ndarray | None:
    """Map of a year from the store, or the reference's; None where neither has it."""
    if year in work.years.all:
        return read(work.partial, "land_use", work.years.all.index(year), window)
    cube = _region(work, region, _scenario(work, year + 1))
    own = window.relative_to(work.tiles[region].own)
    return cube.field("land_use", year, own) if year in cube.years("land_use") else None


def _scenario(work: _Work, year: int) -> str | None:
    experiment = work.experiment(year)
    return experiment.scenario if experiment else None


def _fill_coarse(work: _Work, region: str, window: Window, year: int) -> None:
    """What the maps do at 0.25 degree, one year in one unit of the store."""
    labels = _map(work, region, window, year)
    assert labels is not None
    cube = _cut(work, region, window, _scenario(work, year))
    fraction, transition = coarse_shares(labels, _map(work, region, window, year - 1), cube.grid)
    spread = residual = None
    if experiment := work.experiment(year):
        free = np.isin(labels, class_codes(read_legend("land_use"), land_only=True))
        wanted = wanted_areas(cube, experiment, year, cube.field("land_use", experiment.start), free)
        residual = area_residual(labels, wanted)
        rolled = [_rolled(work, region, window, year, member) for member in range(experiment.members)]
        spread = member_spread([one["land_use"].to_numpy() for one in rolled], cube.grid)
    none = np.full_like(fraction, np.nan)
    values = {
        "land_use_fraction": fraction, "gross_transition": transition,
        "land_use_fraction_spread": np.where(np.isnan(fraction), np.nan, 0 if spread is None else spread),
        "area_residual": none if residual is None else residual,
        "luh2_difference": luh2_difference(cube, fraction, year),
    }  # fmt: skip
    fields = {f"coarse/{name}": value for name, value in values.items()}
    write(work.partial, fields, work.years.all.index(year), window.coarse())
