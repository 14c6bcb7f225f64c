"""Land cover and leaf area stepped from the reference year, back to 1850 and on to 2100, each year kept on disk.

A step is as long as the product's ``every``. Land cover follows the land use of the year, its prior being the map of
the step before, and changes as many cells as its probabilities expect; leaf area follows that land cover, and the
climate and CO2 of the year. A killed rollout goes on after its last whole year: every prior is read from the store,
never from memory, so that it ends with the same bytes.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from tqdm import tqdm

from ai4land import source_digest
from ai4land.allocate import blocks_of_change, expected_map, probability_of
from ai4land.checks import room_on_disk
from ai4land.green.rolled import (
    CHANCE_SCALE,
    PROBABILITY_SCALE,
    create_rolled,
    error_table,
    open_rolled,
    pack_leaves,
    unpack_leaves,
)
from ai4land.models.green import GreenModel
from ai4land.samples.region import Layer, Region
from ai4land.targets import read_target
from ai4land.vegetation import MONTHS, Vegetation
from ai4land.windows import Window


def steps_of(vegetation: Vegetation) -> list[tuple[int, int]]:
    """Prior year and year of every step: back from the reference first, then on from it."""
    years, reference = vegetation.product_years, vegetation.reference
    past = [year for year in years if year <= reference]
    return [*pairwise(past[::-1]), *pairwise([year for year in years if year >= reference])]


@dataclass(frozen=True)
class _Rollout:
    """A rollout that is being made: its store, its years, and what it is made with."""

    store: dict[str, Any]
    years: list[int]
    cube: Region
    cover: GreenModel
    leaves: GreenModel
    bands: np.ndarray

    @property
    def known(self) -> Region:
        """The region with the maps and seasons that were made."""

        def read_cover(year: int, window: Window) -> np.ndarray:
            return self.store["land_cover"][(self.years.index(year), *window)]

        def read_leaves(year: int, window: Window) -> np.ndarray:
            return unpack_leaves(self.store["leaf_area_index"][(self.years.index(year), slice(None), *window)])

        years = tuple(self.years)
        return self.cube.with_fields(land_cover=Layer(read_cover, years), leaf_area_index=Layer(read_leaves, years))

    def start(self, reference: int) -> None:
        """Keep the observed map and season of the reference year."""
        number = self.years.index(reference)
        self.store["land_cover"][number] = labels = self.cube.field("land_cover", reference)
        self.store["confidence"][number] = np.where(labels == 0, 0, CHANCE_SCALE).astype(np.uint16)
        self.store["leaf_area_index"][number] = pack_leaves(self.cube.field("leaf_area_index", reference))
        self.store["done"][number] = 1

    def step(self, prior: int, year: int) -> None:
        """Make and keep one year."""
        number, cube, cover = self.years.index(year), self.known, read_target("land_cover")
        shape = cube.grid.shape
        labels, chance = np.zeros(shape, np.uint8), np.zeros(shape, np.uint16)
        kept = np.zeros((cover.codes.size, *shape), np.uint8)
        for part in blocks_of_change(shape, cube.corner):
            p = self.cover.predict(cube, prior, year, window=part)["land_cover"]
            corner = part.moved(*cube.corner).corner
            labels[part] = expected_map(cover, p, cube.field("land_cover", prior, part), corner)
            own = probability_of(cover, p, labels[part])
            before = self.store["confidence"][(self.years.index(prior), *part)] / CHANCE_SCALE
            # A wrong class is taken to come right as often as a right one goes wrong.
            carried = before * own + (1 - before) * (1 - own)
            chance[part] = np.where(labels[part] != cover.packing.missing, np.rint(carried * CHANCE_SCALE), 0)
            kept[(slice(None), *part)] = np.rint(np.where(self.bands[part], p, 0) * PROBABILITY_SCALE)
        self.store["land_cover"][number] = labels
        self.store["confidence"][number] = chance
        self.store["probability"][number] = kept
        season = np.empty((MONTHS, *shape), np.int16)
        for part in blocks_of_change(
            shape, cube.corner
        ):  # leaf area is given the land cover of the year, from the store
            made = self.leaves.predict(cube, prior, year, window=part)["leaf_area_index"]
            season[(slice(None), *part)] = pack_leaves(made)
        self.store["leaf_area_index"][number] = season
        self.store["done"][number] = 1


def _about(cube: Region, vegetation: Vegetation, weights: Sequence[Path], bands: np.ndarray, error: np.ndarray) -> str:
    """What a rollout depends on: the code, its region, years, first map and season, models and forcing.

    Every year of land use, climate and CO2 is asked for: one that lacks is named before anything is written.
    """
    digest = hashlib.sha256(f"{source_digest()} {cube.name} {cube.grid} {vegetation}".encode())
    observed = [cube.field(name, vegetation.reference) for name in ("land_cover", "leaf_area_index")]
    for values in (*observed, bands, error):
        digest.update(np.ascontiguousarray(values).tobytes())
    for year in vegetation.product_years:
        digest.update(cube.field("land_use", year).tobytes())
        digest.update(cube.field("climate", year).tobytes())
        digest.update(cube.field("luh2_state", year).tobytes() if "luh2_state" in cube else b"")
        digest.update(str(float(cube.field("co2", year))).encode())
    for file in (file for folder in weights for file in sorted(folder.rglob("*")) if file.is_file()):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def roll_green(
    cover: GreenModel, leaves: GreenModel, error: pd.DataFrame, cube: Region, vegetation: Vegetation,
    path: Path, bands: np.ndarray, weights: Sequence[Path] = (),
) -> xr.Dataset:  # fmt: skip
    """Step land cover and leaf area of a region through the product's years, keeping each on disk.

    Holds one year in memory, about 65 bytes a cell, and predictors of 500 x 500 cells.

    Parameters
    ----------
    cover, leaves : GreenModel
        Fitted; of land cover, and of leaf area given land cover. Which predictors they have is theirs.
    error : pandas.DataFrame
        Columns month, cover (level-1 code), rmse (m2 m-2) of the validation years, kept for the product.
    cube : Region
        The region with its halo; land use of the product's years, climate and CO2 of its scenario.
    vegetation : Vegetation
        Of the run.
    path : pathlib.Path
        Zarr store; one made from the same is gone on with after its last whole year.
    bands : numpy.ndarray, shape (y, x), bool
        Cells whose class probabilities are kept, for the blending with the neighbours.
    weights : sequence of pathlib.Path
        Folders of the models' weights: a store made with others is made anew.

    Returns
    -------
    xarray.Dataset
        Of `open_rolled`.

    Raises
    ------
    ValueError
        If the reference year, or a year of land use, climate or CO2, lacks; nothing is written then.
    OSError
        If the disk has no room for it.
    """
    years, table = vegetation.product_years, error_table(error)
    store = create_rolled(path, _about(cube, vegetation, weights, bands, table), cube, years, table)
    rollout = _Rollout(store, years, cube, cover, leaves, bands)
    done = store["done"][:]
    bar = tqdm(total=len(years), desc=f"{cube.name}, land cover and leaf area", unit="year", mininterval=5)
    with bar, room_on_disk(path.parent, f"{cube.name}: {path.name}"):
        if not done[years.index(vegetation.reference)]:
            rollout.start(vegetation.reference)
        bar.update()
        for prior, year in steps_of(vegetation):
            if not done[years.index(year)]:
                rollout.step(prior, year)
            bar.update()
    return open_rolled(path)
