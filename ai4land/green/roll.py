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

import numpy as np
import pandas as pd
import xarray as xr
from tqdm import tqdm

from ai4land import source_digest
from ai4land.allocate import blocks_of_change, expected_map, probability_of
from ai4land.checks import room_on_disk
from ai4land.green.rolled import error_table, open_rolled, rolled_template
from ai4land.models.green import GreenModel
from ai4land.rollout import carry
from ai4land.samples.region import Layer, Region
from ai4land.store import pack, read, resume, steps_done, write
from ai4land.targets import read_target
from ai4land.vegetation import MONTHS, Vegetation


def steps_of(vegetation: Vegetation) -> list[tuple[int, int]]:
    """Prior year and year of every step: back from the reference first, then on from it."""
    years, reference = vegetation.product_years, vegetation.reference
    past = [year for year in years if year <= reference]
    return [*pairwise(past[::-1]), *pairwise([year for year in years if year >= reference])]


@dataclass(frozen=True)
class _Rollout:
    """A rollout that is being made: its store, its years, and what it is made with."""

    path: Path
    years: list[int]
    cube: Region
    cover: GreenModel
    leaves: GreenModel
    bands: np.ndarray

    @property
    def known(self) -> Region:
        """The region with the maps and seasons that were predicted, as they are stored."""

        def layer(name: str) -> Layer:
            return Layer(lambda year, window: read(self.path, name, self.years.index(year), window), tuple(self.years))

        return self.cube.with_fields(**{name: layer(name) for name in ("land_cover", "leaf_area_index")})

    def keep(self, year: int, **fields: np.ndarray) -> None:
        """Write fields of a year."""
        write(self.path, fields, self.years.index(year))

    def start(self, reference: int) -> None:
        """Keep the observed map and season of the reference year."""
        labels = self.cube.field("land_cover", reference)
        sure = np.where(labels == read_target("land_cover").packing.missing, 0, np.float32(1))
        season = self.cube.field("leaf_area_index", reference)
        self.keep(reference, land_cover=labels, confidence=sure, leaf_area_index=season)
        self.keep(reference, done=np.array(1, np.uint8))

    def step(self, prior: int, year: int) -> None:
        """Make and keep one year."""
        cube, target, shape = self.known, read_target("land_cover"), self.cube.grid.shape
        labels, chance = np.zeros(shape, np.uint8), np.zeros(shape, np.float32)
        kept = np.zeros((target.codes.size, *shape), np.uint8)
        for part in blocks_of_change(shape, cube.corner):
            p = self.cover.predict(cube, prior, year, window=part)["land_cover"]
            before = cube.field("land_cover", prior, part)
            labels[part] = expected_map(target, p, before, part.moved(*cube.corner).corner)
            carried = carry(
                read(self.path, "confidence", self.years.index(prior), part), probability_of(target, p, labels[part])
            )
            chance[part] = np.where(labels[part] != target.packing.missing, carried, 0)
            kept[:, *part] = pack(self.path / "probability", np.where(self.bands[part], p, 0))
        self.keep(year, land_cover=labels, confidence=chance, probability=kept)
        season = np.empty((MONTHS, *shape), read_target("leaf_area_index").packing.dtype)
        for part in blocks_of_change(shape, cube.corner):  # it sees the land cover of the year in the store
            leaves = self.leaves.predict(cube, prior, year, window=part)["leaf_area_index"]
            season[:, *part] = pack(self.path / "leaf_area_index", leaves)
        self.keep(year, leaf_area_index=season)
        self.keep(year, done=np.array(1, np.uint8))


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
    template = rolled_template(cube, years, table, f"{cube.name}: {path.name}")
    resume(path, _about(cube, vegetation, weights, bands, table), template)
    rollout, done = _Rollout(path, years, cube, cover, leaves, bands), steps_done(path)
    bar = tqdm(total=len(years), desc=f"{cube.name}, land cover and leaf area", unit="year", mininterval=5)
    with bar, room_on_disk(path.parent, f"{cube.name}: {path.name}"):
        if not done[vegetation.reference]:
            rollout.start(vegetation.reference)
        bar.update()
        for prior, year in steps_of(vegetation):
            if not done[year]:
                rollout.step(prior, year)
            bar.update()
    return open_rolled(path)
