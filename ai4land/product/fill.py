"""Regions stitched into the product, in parallel: each writes its own chunks and no others."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr
import zarr
from tqdm import tqdm

from ai4land.allocate import Wanted, wanted_areas
from ai4land.cube import Layout
from ai4land.legend import NO_DATA, class_codes, read_legend
from ai4land.product.fields import area_residual, coarse_shares, luh2_difference
from ai4land.product.store import Years
from ai4land.runs import Experiment
from ai4land.samples import RegionCube
from ai4land.stitch import Tile, stitch_region


def fill_product(
    path: Path, cubes: dict[str, RegionCube], layout: Layout, years: Years, tiles: dict[str, Tile],
    made: dict[str, dict[str, xr.Dataset]], experiments: dict[str, Experiment], workers: int = 2,
) -> None:  # fmt: skip
    """Stitch every region into the product, regions in parallel; a region writes its own chunks only.

    Parameters
    ----------
    path : pathlib.Path
        Of `create_product`.
    cubes : dict of str to RegionCube
        By region, without halo.
    layout : Layout
    years : Years
    tiles : dict of str to Tile
    made : dict of str to dict
        Rollouts by experiment, then by region.
    experiments : dict of str to Experiment
        Those that were rolled.
    workers : int
        Regions at a time; their number does not change the result.
    """
    with ThreadPoolExecutor(workers) as pool, tqdm(total=len(tiles), desc="stitch", unit="region") as bar:
        jobs = [pool.submit(_fill_region, path, cubes[r], layout, years, tiles, made, experiments) for r in tiles]
        for job in jobs:
            job.result()
            bar.update()


def _fill_region(
    path: Path, cube: RegionCube, layout: Layout, years: Years, tiles: dict[str, Tile],
    made: dict[str, dict[str, xr.Dataset]], experiments: dict[str, Experiment],
) -> None:  # fmt: skip
    fine = dict(zarr.open_group(path, mode="r+").arrays())
    coarse = dict(zarr.open_group(path, path="coarse", mode="r+").arrays())
    rows, cols = layout.regions[cube.region]
    block = layout.coarse_slices(cube.region)
    land = class_codes(read_legend("land_use"), land_only=True)
    before = None
    for number, year in enumerate(years.all):
        if year in years.emulated:
            name = years.emulated[year]
            want = partial(_want, cube, experiments[name], year)
            labels, confidence = stitch_region(tiles, made[name], cube.region, year, want)
            residual = area_residual(labels, want(np.isin(labels, land)))
        else:
            labels = cube.map(year)
            confidence = np.where(labels == NO_DATA, 0, 100).astype(np.uint8)
            residual = np.full((class_codes(read_legend("land_use")).size, *cube.fraction.shape[2:]), np.nan)
        fine["land_use"][number, rows, cols] = labels
        fine["confidence"][number, rows, cols] = confidence
        fraction, transition = coarse_shares(labels, before, cube.grid)
        values = {"land_use_fraction": fraction, "area_residual": residual,
                  "luh2_difference": luh2_difference(cube, fraction, year), "gross_transition": transition}  # fmt: skip
        for field, value in values.items():
            coarse[field][(number, ..., *block)] = value
        before = labels


def _want(cube: RegionCube, experiment: Experiment, year: int, free: np.ndarray) -> Wanted:
    return wanted_areas(cube, experiment, year, cube.map(experiment.start), free)
