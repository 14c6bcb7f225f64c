"""Leaf area by trees on a full tile of 20 x 60 degrees of the made-up planet: memory, time, cells per second.

``python benchmarks/leaf_area.py FOLDER [REGION] [ROWS]``. The tile's land use, land cover and leaf area of 14 years and
two more for validation are made at 0.01 degree directly, not through files of 300 m; the climate is the made-up
planet's ERA5; LUH2 and soil are left out. Leaf area follows cover, the weather between the climate's cells, and CO2, as
the twin's files do. Trees of scikit-learn grow on the same rows, to the same depth and number, from the same starts.
"""

import multiprocessing
import os
import platform
import resource
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor

from ai4land.experiments import Experiment
from ai4land.grid import GLOBAL, Grid, hash_unit, region_bounds, window_slices
from ai4land.models.boosting import Table
from ai4land.models.green import pairs
from ai4land.models.leaf_rows import blocks_of, draw_blocks
from ai4land.models.leaf_trees import LeafTrees
from ai4land.samples.predictors import between
from ai4land.samples.region import Layer, Region, layer_of
from ai4land.vegetation import MONTHS
from ai4land.windows import Window
from twin_earth.climate_files import Reanalysis
from twin_earth.earth import elevation, koppen
from twin_earth.land_cover import cover_classes
from twin_earth.land_use import Land
from twin_earth.leaf_area import _leaves
from twin_earth.weather import PRESENT, carbon_dioxide

SEED, SIDE, WATER, MISSING, STEP = 1, 500, 210, 255, 1 / 30  # packed in steps of 1/30 m2 m-2
EXPERIMENT = Experiment(start=2014, train=(1999, 2012), validation=(2013, 2014), test=(2015, 2015))
YEARS = [*range(1999, 2016)]
SHAPES = {"land_use": (), "land_cover": (), "leaf_area_index": (MONTHS,), "elevation": (), "koppen": ()}
NAMES = {"air_temperature": "t2m", "precipitation_flux": "tp", "surface_downwelling_shortwave_flux": "ssrd",
         **{f"soil_moisture_{k}": f"swvl{k}" for k in (1, 2, 3, 4)}}  # fmt: skip
Rows = list[tuple[str, str, float]]


def climate_of(grid: Grid) -> Region:
    """A tile with monthly ERA5 of the made-up planet around it, and of the year before its first."""
    made, years = Reanalysis(grid, 4, SEED), [YEARS[0] - 1, *YEARS]
    unit = {"precipitation_flux": 1000 / 86400, "surface_downwelling_shortwave_flux": 1 / 86400}
    coarse = Grid(made.lat[0] + 0.125, made.lon[0] - 0.125, 0.25, 0.25, made.lat.size, made.lon.size)
    values = {year: np.empty((MONTHS, len(NAMES), *coarse.shape), np.float32) for year in years}
    for year in years:
        for month in range(MONTHS):
            fields = made.month(year, month + 1)
            values[year][month] = [fields[code] * unit.get(name, 1) for name, code in NAMES.items()]
    return Region("tile", grid).with_fields(climate=layer_of(values, list(NAMES), coarse))


def stored(folder: Path, name: str, grid: Grid, year: int, mode: str = "r") -> np.ndarray:
    """A field of one year on disk, uint8 (elevation: float32)."""
    dtype = np.float32 if name == "elevation" else np.uint8
    file = folder / f"{name}-{year}.npy"
    if mode == "r":
        return np.load(file, mmap_mode="r")
    return np.lib.format.open_memmap(file, mode, dtype, (*SHAPES[name], *grid.shape))


def make_block(folder: Path, grid: Grid, climate: Region, window: Window) -> None:
    """All fields of 500 x 500 cells."""
    fine = grid.cut(*window)
    height, land = np.clip(elevation(fine.lat, fine.lon, SEED), 0, None), Land(fine, SEED)
    classes, table = cover_classes(fine, SEED)[0], _leaves()
    stored(folder, "elevation", grid, 0, "r+")[window] = height
    stored(folder, "koppen", grid, 0, "r+")[window] = koppen(fine.lat, fine.lon, SEED)
    coarse = climate.grid_of("climate")
    lift = between(np.clip(elevation(coarse.lat, coarse.lon, SEED), 0, None), coarse, fine) - height
    keys = np.arange(window[0].start, window[0].stop)[:, None], np.arange(window[1].start, window[1].stop)
    for year in YEARS:
        use, weather = land.land_use(year), climate.field("climate", year)
        cover = np.take_along_axis(classes, use[None], 0)[0]
        warm, rain, wet = (between(weather[:, k], coarse, fine) for k in (0, 1, 3))
        fed = 1 + 0.15 * np.log(float(carbon_dioxide(year)) / float(carbon_dioxide(PRESENT)))
        high, low = table[:, cover] * (1 - np.exp(-rain.mean(0) * 86400 * 365.25 / 500)) * fed
        warmth = 1 / (1 + np.exp((279.15 - warm - 0.0062 * lift) / 2.5))
        leaves = low + (high - low) * warmth * np.clip((wet - 0.06) / 0.4 / 0.5, 0, 1)
        noise = hash_unit(SEED, 141, year * MONTHS + np.arange(MONTHS)[:, None, None], *keys) - 0.5
        leaves = np.clip(leaves + (0.1 + 0.08 * leaves) * noise, 0, 7) / STEP
        stored(folder, "land_use", grid, year, "r+")[window] = use
        stored(folder, "land_cover", grid, year, "r+")[window] = cover
        stored(folder, "leaf_area_index", grid, year, "r+")[(slice(None), *window)] = np.where(
            cover == WATER, MISSING, np.rint(leaves)
        )


def make_tile(folder: Path, grid: Grid) -> None:
    """All fields of a tile on disk, block by block; a tile that is there is kept."""
    if (folder / "made").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name in SHAPES:
        for year in [0] if name in ("elevation", "koppen") else YEARS:
            stored(folder, name, grid, year, "w+")
    with multiprocessing.Pool(os.cpu_count()) as pool:
        pool.map(partial(make_block, folder, grid, climate_of(grid)), blocks_of(grid, side=SIDE), 1)
    (folder / "made").touch()


def open_tile(folder: Path, grid: Grid) -> Region:
    """The tile; maps and seasons are read where they are cut."""

    def read(name: str, year: int, window: Window) -> np.ndarray:
        return np.array(stored(folder, name, grid, year)[(..., *window)])

    def season(year: int, window: Window) -> np.ndarray:
        counts = read("leaf_area_index", year, window)
        return np.where(counts == MISSING, np.float32(np.nan), counts * np.float32(STEP))

    maps = {name: Layer(partial(read, name), tuple(YEARS)) for name in ("land_use", "land_cover")}
    static = {name: stored(folder, name, grid, 0) for name in ("elevation", "koppen")}
    co2 = {year: float(carbon_dioxide(year)) for year in YEARS}
    return climate_of(grid).with_fields(**maps, **static, leaf_area_index=Layer(season, tuple(YEARS)), co2=co2)


def peak() -> float:
    """Largest memory that this process ever had, GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def all_rows(trees: LeafTrees, cube: Region, rows: int) -> Table:
    """The rows that the trees were trained on, in one table."""
    draws = draw_blocks(cube, trees.given, list(pairs(EXPERIMENT, "train")), rows, [trees.settings["seed"], 0])
    x, y, start = zip(*trees._tables(cube, draws, 0), strict=True)
    return np.concatenate(x), np.concatenate(y), np.concatenate(start)


def beside_sklearn(trees: LeafTrees, cube: Region, rows: int) -> Rows:
    """What scikit-learn takes for the same rows, and how fast both predict one million of them, on one thread."""
    x, y, start = all_rows(trees, cube, rows)
    begun = time.perf_counter()
    other = HistGradientBoostingRegressor(
        max_iter=trees.booster.num_boosted_rounds(), max_depth=trees.settings["depth"], max_leaf_nodes=None,
        learning_rate=trees.settings["learning_rate"], early_stopping=False, random_state=1, min_samples_leaf=1,
    ).fit(x, y - start)  # fmt: skip
    grown, part = (time.perf_counter() - begun) / 60, slice(0, 1_000_000)
    begun = time.perf_counter()
    theirs = other.predict(x[part])
    middle = time.perf_counter()
    ours = trees.booster.inplace_predict(x[part], base_margin=start[part]) - start[part]
    speeds = [theirs.size / (middle - begun), ours.size / (time.perf_counter() - middle)]
    fit = [float(np.sqrt(np.mean((made - (y - start)[part]) ** 2))) for made in (theirs, ours)]
    return [
        ("scikit-learn, growing as many trees on the same rows", "minutes", grown),
        ("scikit-learn, predicting from predictors in memory", "cell-months s-1", speeds[0]),
        ("XGBoost, predicting from predictors in memory", "cell-months s-1", speeds[1]),
        ("XGBoost over scikit-learn, predicting", "1", speeds[1] / speeds[0]),
        ("scikit-learn, RMSE on training rows", "m2 m-2", fit[0]), ("XGBoost, RMSE on training rows", "m2 m-2", fit[1]),
    ]  # fmt: skip


def main(folder: Path, region: str = "n70_e000", rows: int = 2_000_000) -> None:
    """Make the tile, train, predict a year of it, and print and keep what it cost."""
    grid = GLOBAL.cut(*window_slices(GLOBAL, region_bounds(region), region))
    make_tile(folder, grid)
    cube, begun = open_tile(folder, grid), time.perf_counter()
    trees = LeafTrees(rounds=300, rows=rows, seed=SEED, threads=1).fit(cube, EXPERIMENT)
    trained, memory = (time.perf_counter() - begun) / 60, peak()
    assert trees.booster is not None
    land = np.isfinite(cube.field("leaf_area_index", 2015)[0])
    begun = time.perf_counter()
    made = trees.predict(cube, 2014, 2015)["leaf_area_index"]
    seconds = time.perf_counter() - begun
    off = [made[m][land] - cube.field("leaf_area_index", 2015)[m][land] for m in range(MONTHS)]
    table: Rows = [
        (f"tile {region}: cells", "1", float(land.size)), ("land cells", "1", float(land.sum())),
        ("months of training years", "1", float(MONTHS * 14)), ("rows trained on", "1", float(rows)),
        ("trees", "1", float(trees.booster.num_boosted_rounds())), ("training, one thread", "minutes", trained),
        ("peak memory of training", "GB", memory), ("peak memory with prediction", "GB", peak()),
        ("one tile-month, predictors and prediction, one thread", "s", seconds / MONTHS),
        ("the same", "land cells s-1", land.sum() * MONTHS / seconds),
        ("the same, all cells", "cells s-1", land.size * MONTHS / seconds),
        ("RMSE of the test year", "m2 m-2", float(np.sqrt(np.mean(np.concatenate(off) ** 2)))),
    ]  # fmt: skip
    frame = pd.DataFrame(table + beside_sklearn(trees, cube, rows), columns=["what", "unit", "value"])
    print(platform.machine(), platform.python_version(), "synthetic")
    print(frame.round(4).to_string(index=False))
    if region == "n70_e000":
        frame.round(4).to_csv(Path(__file__).parent / "results" / "leaf-area.csv", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:3], *map(int, sys.argv[3:4]))
