"""Regions stitched into the product, in parallel: each writes its own chunks and no others."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import xarray as xr
import zarr
from tqdm import tqdm

from ai4land.cube import Layout
from ai4land.legend import NO_DATA
from ai4land.product.fields import coarse_shares, luh2_fields
from ai4land.product.store import Years
from ai4land.samples import RegionCube
from ai4land.stitch import Tile, stitch_region


def fill_product(
    path: Path, cubes: dict[str, RegionCube], layout: Layout, years: Years, tiles: dict[str, Tile],
    made: dict[str, dict[str, xr.Dataset]], bases: dict[str, int], workers: int = 2,
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
    bases : dict of str to int
        Start year of each experiment.
    workers : int
        Regions at a time; their number does not change the result.
    """
    with ThreadPoolExecutor(workers) as pool, tqdm(total=len(tiles), desc="stitch", unit="region") as bar:
        jobs = [pool.submit(_fill_region, path, cubes[r], layout, years, tiles, made, bases) for r in tiles]
        for job in jobs:
            job.result()
            bar.update()


def _fill_region(
    path: Path, cube: RegionCube, layout: Layout, years: Years, tiles: dict[str, Tile],
    made: dict[str, dict[str, xr.Dataset]], bases: dict[str, int],
) -> None:  # fmt: skip
    fine = dict(zarr.open_group(path, mode="r+").arrays())
    coarse = dict(zarr.open_group(path, path="coarse", mode="r+").arrays())
    rows, cols = layout.regions[cube.region]
    block = layout.coarse_slices(cube.region)
    before = None
    for number, year in enumerate(years.all):
        if year in years.emulated:
            name = years.emulated[year]
            labels, confidence = stitch_region(tiles, made[name], cube.region, year)
            base = bases[name]
        else:
            labels, base = cube.map(year), year
            confidence = np.where(labels == NO_DATA, 0, 100).astype(np.uint8)
        fine["land_use"][number, rows, cols] = labels
        fine["confidence"][number, rows, cols] = confidence
        fraction, transition = coarse_shares(labels, before, cube.grid)
        residual, difference = luh2_fields(cube, fraction, year, base)
        values = {"land_use_fraction": fraction, "area_residual": residual, "luh2_difference": difference,
                  "gross_transition": transition}  # fmt: skip
        for field, value in values.items():
            coarse[field][(number, ..., *block)] = value
        before = labels
