"""The cube of the made-up planet at 0.01 degree, with no more than a rollout of a few years needs.

The maps before the base year, still layers, and LUH2 of these years. Regions are made one by one, from raw files in the
publishers' formats that are removed again. LUH2 is put into the cube without the publisher's files: the inventory of
each region, as it would be read from them.
"""

import resource
import shutil
import time
from pathlib import Path

import numpy as np
import xarray as xr

from ai4land import cube
from ai4land.experiments import Experiment
from ai4land.grid import COARSE_CELLS, GLOBAL, region_bounds
from ai4land.runs import Inputs, Run, read_run
from ai4land.sources.luh2 import STATES
from twin_earth import write_twin
from twin_earth.inventories import FILL, Inventory

BASE, SCENARIO, NAME = 2015, "ssp126", "to_2100"
LAYERS = ("land_use", "elevation", "koppen", "luh2", "soil")  # the demo's
STATE_NAMES = (*STATES, "secma", "secmb")
Row = dict[str, object]


def planet_run(regions: list[str], years: int, priors: int) -> Run:
    """The global run on the made-up planet, cut to a few years before and after the base year."""
    run = read_run("global-twin")
    scenarios = {SCENARIO: run.inputs.scenarios[SCENARIO]}
    inputs = Inputs(**{role: getattr(run.inputs, role) for role in LAYERS}, scenarios=scenarios)
    forward = Experiment(
        start=BASE, priors=priors, test=(BASE + 1, BASE + years), trained_as="forecast", coarse="luh2", stepwise=True,
        product=True, scenario=SCENARIO,
    )  # fmt: skip
    update = {"regions": tuple(regions or run.regions), "years": (BASE - priors + 1, BASE), "inputs": inputs}
    return run.model_copy(update=update | {"experiments": {NAME: forward}})


def layout_of(run: Run) -> cube.Layout:
    """Cells of the planet: of the data, only grid and years are asked."""
    return cube.plan_layout(run, xr.Dataset(coords={**GLOBAL.coords(), "time": run.map_years}))


def peak() -> float:
    """Largest memory that this process ever had, GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def size(folder: Path) -> float:
    """Gigabytes below a folder."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 1e9


def make_region(folder: Path, run: Run, region: str, years: int) -> Row:
    """Raw files of a region, its cells of the cube, and its LUH2 beside the cube; the raw files are removed."""
    layout, raw, begun = layout_of(run), folder / "raw" / region, time.perf_counter()
    (folder / "luh2").mkdir(exist_ok=True)
    with np.errstate(all="ignore"):  # beyond the poles of the margins
        states = Inventory(layout.region_grid(region), run.seed, SCENARIO).states(luh2_years(run, years))
    stacked = np.stack([states[n] for n in STATE_NAMES], 1)
    np.save(folder / "luh2" / f"{region}.npy", np.where(stacked == np.float32(FILL), np.nan, stacked))
    bare = run.inputs.model_copy(update={"luh2": None, "scenarios": {}})
    here = run.model_copy(update={"window": region_bounds(region), "regions": (region,), "inputs": bare})
    write_twin(raw, here)
    written = time.perf_counter()
    cube.build_region(folder / "cube.zarr", here, raw, layout, region)
    done = time.perf_counter()
    shutil.rmtree(raw)
    return {
        "planet_minutes": (written - begun) / 60, "regrid_minutes": (done - written) / 60,
        "cpu_minutes": time.process_time() / 60, "peak_gb": peak(),
    }  # fmt: skip


def luh2_years(run: Run, years: int) -> np.ndarray:
    """Years of LUH2 in the cube: of the maps and of the rollout."""
    return np.arange(run.map_years[0], BASE + years + 1)


def write_luh2(folder: Path, run: Run, years: int) -> None:
    """The planet's LUH2 from the regions' parts: the history to the base year, and the scenario from there."""
    layout, when = layout_of(run), luh2_years(run, years)
    grid = layout.grid.blocks(COARSE_CELLS)
    whole = np.full((when.size, len(STATE_NAMES), *grid.shape), np.nan, np.float32)
    for region in run.regions:
        whole[(..., *layout.coarse_slices(region))] = np.load(folder / "luh2" / f"{region}.npy")
    fields = {n: (("time", "lat", "lon"), whole[:, i]) for i, n in enumerate(STATE_NAMES)}
    states = xr.Dataset(fields, {"time": when, **grid.coords()}).chunk(time=1)
    cube.write_luh2(folder / "cube.zarr", layout, "luh2", states.sel(time=slice(None, BASE)))
    cube.write_luh2(folder / "cube.zarr", layout, f"luh2-{SCENARIO}", states.sel(time=slice(BASE, None)))
