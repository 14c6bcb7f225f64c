"""What rollouts and products of land cover and leaf area are made from: where it lies, and whether it is there."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import zarr

from ai4land.product import open_product
from ai4land.runs import Run
from ai4land.samples.region import Layer, Region
from ai4land.stitch import Tile
from ai4land.store import read_about, steps_done
from ai4land.vegetation import Vegetation
from ai4land.windows import Window

HALO_CELLS = 50  # fine cells: 25 that are blended, and around them the 8 that trees see, in whole coarse cells
KINDS = ("land_cover", "leaf_area_index")


def vegetation_of(run: Run) -> Vegetation:
    """Settings of a run's land cover and leaf area.

    Raises
    ------
    ValueError
        If it has none.
    """
    if run.vegetation is None:
        raise ValueError(f"run {run.name}: no vegetation, so no land cover or leaf area to step; add it to run.yml.")
    return run.vegetation


def vegetation_regions(run: Run) -> tuple[str, ...]:
    """Regions of a run that have land cover and leaf area."""
    return vegetation_of(run).regions or run.regions


def green_stores(run: Run) -> dict[str, list[int]]:
    """Years of each store of the product, by what stands behind ``land_cover`` or ``leaf_area_index`` in its name.

    The past and the reference year stand in one without a suffix, later years in that of the scenario.
    """
    vegetation = vegetation_of(run)
    past = [year for year in vegetation.product_years if year <= vegetation.reference]
    later = [year for year in vegetation.product_years if year > vegetation.reference]
    return {"": past} | ({f"-{vegetation.scenario}": later} if later else {})


def leaf_variant(vegetation: Vegetation) -> str:
    """Which predictors the model of leaf area has: ``cover+prior`` with the season of the prior year, or ``cover``.

    A prior season is used over steps that models have learned from: where ``every`` is longer than the longest lead
    of the first experiment, whose weights are taken, it is left out, so that leaf area follows land cover, climate and
    CO2 of the year alone, and no error of a season is carried on. The prior map of land cover stays, whatever the step:
    land use does not tell the subclasses, and from year to year few cells change theirs.
    """
    learned = next(iter(vegetation.leaf_area.values()))
    longest = max(abs(year - learned.start) for year in learned.targets)
    return "cover+prior" if vegetation.every <= longest else "cover"


def find_pieces(results: Path, run: Run, region: str) -> dict[str, Path]:
    """Weights and land use that a region's rollout needs.

    Parameters
    ----------
    results : pathlib.Path
        Folder of the run's results.
    run : Run
    region : str

    Returns
    -------
    dict of str to pathlib.Path
        Folders of weights ``land_cover`` and ``leaf_area_index``; stores of land use, ``land_use`` and perhaps
        ``land_use-<scenario>``.

    Raises
    ------
    ValueError
        If the region has no vegetation, or weights, a store or years of land use lack; one line names them all.
    """
    vegetation = vegetation_of(run)
    if region not in vegetation_regions(run):
        have = list(vegetation_regions(run))
        raise ValueError(f"region {region!r} is not one of the vegetation regions {have} of run {run.name}.")
    models, scenario = results / "models", vegetation.scenario
    stores = ["land_use", *([f"land_use-{scenario}"] if scenario else [])]
    pieces = {
        "land_cover": models / f"xgboost-land_cover-{region}-hilda+prior",
        "leaf_area_index": models / f"xgboost-leaf_area_index-{region}-{leaf_variant(vegetation)}",
        **{name: results / f"{name}.zarr" for name in stores},
    }
    makers = {"land_cover": "09-land-cover", "leaf_area_index": "10-leaf-area"}
    lacking = [f"{p.name} (run {makers.get(n, '07-stitch')})" for n, p in pieces.items() if not p.exists()]
    have_years = [int(y) for n in stores if pieces[n].exists() for y in open_product(pieces[n])["time"]]
    absent = [year for year in vegetation.product_years if year not in have_years]
    if absent and not lacking:
        lacking = [f"land use of {_few(absent)} (let a product experiment make it)"]
    if lacking:
        raise ValueError(f"{region}: {results} lacks {', '.join(lacking)}; nothing was written.")
    return pieces


def _few(years: list[int]) -> str:
    return ", ".join(map(str, years[:5])) + (", .." if years[5:] else "")


def product_land_use(pieces: dict[str, Path], cube: Region) -> Layer:
    """Land use of the product in a region's cells, years of all its stores; three years are in memory at a time.

    Parameters
    ----------
    pieces : dict
        Of `find_pieces`.
    cube : Region
        The region, with its halo if it has one.
    """
    stores = [open_product(path)["land_use"] for name, path in pieces.items() if name.startswith("land_use")]
    made = {int(year): one for one in stores for year in one["time"]}
    cells = Window.at(cube.corner, cube.grid.shape)

    @lru_cache(maxsize=3)  # a step asks for two years, block by block
    def whole(year: int) -> np.ndarray:
        return made[year].sel(time=year)[cells].to_numpy()

    return Layer(lambda year, window: whole(year)[window], tuple(sorted(made)))


def rolled_path(results: Path, region: str) -> Path:
    """Store of a region's rollout in the folder of a run's results."""
    return results / region / "vegetation.zarr"


def check_rolled(results: Path, run: Run, tiles: dict[str, Tile]) -> list[str]:
    """What every region's rollout was made from.

    Raises
    ------
    ValueError
        If one is missing, lacks years, or has another halo; one line names all regions.
    """
    faults, made = [], []
    for region, tile in tiles.items():
        path = rolled_path(results, region)
        if not (path / "zarr.json").exists():
            faults.append(f"{region}: not there")
            continue
        made.append(read_about(path))
        done, size = steps_done(path), tile.wide.shape
        have = zarr.open_array(path / "land_cover", mode="r").shape[1:]
        if absent := [year for year in vegetation_of(run).product_years if not done.get(year)]:
            faults.append(f"{region}: no {_few(absent)}")
        elif have != size:
            faults.append(f"{region}: {have[0]} x {have[1]} cells, not the {size[0]} x {size[1]} of halo {tile.halo}")
    if faults:
        raise ValueError(f"stitch vegetation: rollouts lack {'; '.join(faults)}; run 14-roll-vegetation for them.")
    return made
