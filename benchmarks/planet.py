"""The made-up planet at 0.01 degree, stepped by a trained network: minutes a year, memory and bytes, region by region.

``python benchmarks/planet.py FOLDER --weights data/results/demo/models/unet-shared/forecast`` makes the cube of run
``global-twin`` below FOLDER with no more than a rollout of a few years needs (the maps before it, still layers, LUH2
of these years), steps the network from 2015 on in every region, stitches the product, and writes
``benchmarks/results/planet.csv``. Regions are made one a process, ``--workers`` at a time with one thread each; what
is done is not done again, so that the command can be stopped and given again at any time. Every region's row stands in
FOLDER/make.csv and FOLDER/roll.csv from the moment that it is done; the product is stitched by as many workers.

A region whose neighbours are not among ``--regions`` has no data in its halo. A folder is of one number of years and
one network. On a GPU give ``--workers 1``. Synthetic.
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from pathlib import Path
from threading import Event, Thread

os.environ.setdefault("OMP_NUM_THREADS", "1")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import psutil
import torch
from planet_cube import BASE, NAME, SCENARIO, Row, layout_of, make_region, peak, planet_run, size, write_luh2
from tqdm import tqdm

from ai4land import cube, product, rollout, stitch
from ai4land.legend import class_codes, read_legend
from ai4land.models.inputs import Encoding
from ai4land.models.neural import Neural
from ai4land.runs import Run
from ai4land.samples import read_region

LAND = class_codes(read_legend("land_use"), land_only=True)


# --- a region's rollout ----------------------------------------------------------------------------
@contextmanager
def timed(seconds: dict[str, float], places: dict[str, tuple[tuple[object, str], ...]]) -> Iterator[None]:
    """Add up the seconds that calls of some functions take, by key, waiting for the GPU at the end of each."""
    kept = [(owner, name, getattr(owner, name)) for each in places.values() for owner, name in each]

    def clocked(key: str, work: Callable) -> Callable:
        def call(*args: object, **more: object) -> object:
            start = time.perf_counter()
            try:
                return work(*args, **more)
            finally:
                if torch.cuda.is_initialized():
                    torch.cuda.synchronize()
                seconds[key] = seconds.get(key, 0.0) + time.perf_counter() - start

        return call

    for key, each in places.items():
        for owner, name in each:
            setattr(owner, name, clocked(key, getattr(owner, name)))
    try:
        yield
    finally:
        for owner, name, work in kept:
            setattr(owner, name, work)


def roll_region(folder: Path, run: Run, region: str, weights: Path) -> Row:
    """Step a region through all years of the rollout, and say where the time went."""
    begun = time.perf_counter()
    model, layout = Neural.load(weights), layout_of(run)
    tile = stitch.plan_tiles(layout.regions, layout.grid)[region]
    data = read_region(folder / "cube.zarr", run, region, SCENARIO, tile.halo)
    loaded = time.perf_counter()
    experiment, seconds = run.experiments[NAME], dict[str, float]()
    path = folder / "results" / region / "rollout.zarr" / NAME / "0"
    shutil.rmtree(path, ignore_errors=True)  # a rollout that was stopped is timed from its start
    places = {
        "network": ((model, "predict_proba"),),
        "encode": ((Encoding, "__call__"),),  # coarse fields refined, layers scaled: within the network's calls
        "allocate": ((rollout, "wanted_areas"), (rollout, "match_areas")),
        "write": ((rollout, "_create"), (rollout, "_keep")),
    }
    with timed(seconds, places):
        rollout.roll(model, data, NAME, experiment, path, stitch.tile_bands(tile), weights)
    total, land = time.perf_counter() - loaded, np.isin(data.field("land_use", BASE), LAND)
    parts = {f"{key}_seconds": seconds.get(key, 0.0) for key in places}
    parts["network_seconds"] -= parts["encode_seconds"]
    return {
        "land_cells": int(land[tile.inside()].sum()), "stepped_cells": int(land.sum()),
        "years": len(experiment.targets), "load_seconds": loaded - begun, **parts,
        "other_seconds": total - sum(parts.values()), "total_seconds": total,
        "cpu_seconds": time.process_time(), "peak_gb": peak(), "gb": size(path),
        "device": device_name(model),
    }  # fmt: skip


def device_name(model: Neural) -> str:
    """The GPU, or the processor with the threads of a region."""
    if model.device.type == "cuda":
        return torch.cuda.get_device_name()
    about = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    names = [line.partition(":")[2].strip() for line in about.splitlines() if line.startswith("model name")]
    return f"{names[0] if names else 'CPU'}, {torch.get_num_threads()} thread"


# --- the product, and the table -------------------------------------------------------------
class Watch(Thread):
    """Largest memory of this process and those that it started, all together, GB."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most, self.over = 0.0, Event()

    def run(self) -> None:
        """Look five times a second."""
        while not self.over.wait(0.2):
            total = 0
            for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
                with suppress(psutil.Error):
                    total += process.memory_info().rss
            self.most = max(self.most, total / 1e9)


def fill(folder: Path, run: Run, workers: int) -> Row:
    """Stitch the years of the rollout into a store of the product."""
    path, watch = folder / f"land_use-{SCENARIO}.zarr", Watch()
    years = product.product_stores(run)[path.stem]
    watch.start()
    begun = time.perf_counter()
    product.fill_product(path, run, folder / "cube.zarr", folder / "results", years, stitch.HALO_CELLS, workers)
    seconds = time.perf_counter() - begun
    watch.over.set()
    return {"stitch_seconds": workers * seconds, "product_gb": size(path), "stitch_peak_gb": watch.most}


def tabulate(folder: Path, run: Run, stitched: Row, workers: int) -> pd.DataFrame:
    """Rows of all regions, and one of the planet, whose memory is that of all regions that are made at a time."""
    rolled, made = (pd.read_csv(folder / f"{stage}.csv") for stage in ("roll", "make"))
    table = rolled.merge(made[["region", "planet_minutes", "regrid_minutes"]], on="region")
    table = table[table["region"].isin(run.regions)]
    whole = table.select_dtypes("number").sum().to_dict()
    more = {"region": "all", "years": table["years"].max(), "peak_gb": workers * table["peak_gb"].max(),
            "device": table["device"].iloc[0], "workers": workers}  # fmt: skip
    table = pd.concat([table, pd.DataFrame([whole | more | stitched])], ignore_index=True)
    table.round(4).to_csv(Path(__file__).parent / "results" / "planet.csv", index=False)
    return table


def summarise(table: pd.DataFrame) -> str:
    """Minutes a year with the workers at once, memory and bytes of the planet, and how cost grows with land."""
    each, whole = table[table["region"] != "all"], table[table["region"] == "all"].iloc[0]
    shared = 60 * whole["workers"] * whole["years"]
    parts = ("network", "encode", "allocate", "write", "other", "stitch")
    lines = [f"{whole['device']} x {whole['workers']}: {len(each)} regions, {whole['land_cells'] / 1e6:.1f} million "
             f"land cells, {whole['years']:.0f} years (synthetic)"]  # fmt: skip
    lines += [f"  {part:9s}{whole[f'{part}_seconds'] / shared:8.2f} minutes a year" for part in parts]
    lines += [f"  all in   {(whole['total_seconds'] + whole['stitch_seconds']) / shared:8.2f} minutes a year",
              f"  memory   {max(whole['peak_gb'], whole['stitch_peak_gb']):8.2f} GB",
              f"  rollouts {whole['gb'] / whole['years']:8.3f} GB a year",
              f"  product  {whole['product_gb'] / whole['years']:8.3f} GB a year"]  # fmt: skip
    if len(each) > 2:
        land, seconds = each["stepped_cells"] / 1e6, each["total_seconds"] / each["years"]
        slope, start = np.polyfit(land, seconds, 1)
        r2 = np.corrcoef(land, seconds)[0, 1] ** 2
        lines.append(f"  a region's year takes {start:.1f} s and {slope:.2f} s per million land cells (R2 {r2:.3f})")
    return "\n".join(lines)


def draw(table: pd.DataFrame, path: Path) -> None:
    """Cost against land: a point a region."""
    each = table[table["region"] != "all"]
    figure, axes = plt.subplots(figsize=(9 / 2.54, 7 / 2.54), layout="constrained")
    axes.plot(each["stepped_cells"] / 1e6, each["total_seconds"] / each["years"], "o", ms=4, color="0.2")
    axes.set(xlabel="Land cells of a region with its halo (million)", ylabel="Time of one year (s)", xlim=0, ylim=0)
    axes.set_title(f"Twin Earth (synthetic), {each['device'].iloc[0]}", fontsize=8)
    figure.savefig(path, dpi=200)


# --- stages ------------------------------------------------------------------------------------------
def each_region(
    folder: Path, stage: str, regions: tuple[str, ...], workers: int, work: Callable, *args: object
) -> None:
    """Rows of a stage into FOLDER/<stage>.csv, a process a region; those that are there are not made again."""
    path = folder / f"{stage}.csv"
    done = set(pd.read_csv(path)["region"]) if path.exists() else set()
    left = [region for region in regions if region not in done]
    with (
        ProcessPoolExecutor(workers, get_context("spawn"), max_tasks_per_child=1) as pool,
        tqdm(total=len(regions), initial=len(regions) - len(left), desc=stage, unit="region") as bar,
    ):
        jobs = {pool.submit(work, folder, *args[:1], region, *args[1:]): region for region in left}
        for job in as_completed(jobs):
            bar.update()
            if job.exception() is None:
                row = pd.DataFrame([{"region": jobs[job], **job.result(), "workers": workers}])
                row.to_csv(path, mode="a", header=not path.exists(), index=False)
    if failed := {region: job.exception() for job, region in jobs.items() if job.exception()}:
        sys.exit("\n".join(f"{stage} of {region} failed: {error!r}" for region, error in failed.items()))


def main() -> None:
    """Make what is not there yet, print and keep what it cost."""
    known = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    known.add_argument("folder", type=Path, help="where to work: about 8 GB for the planet")
    known.add_argument("--weights", type=Path, required=True, help="folder of a trained network")
    known.add_argument("--years", type=int, default=3, help="years to step")
    known.add_argument("--regions", default="", help="some regions, commas between; all without")
    known.add_argument("--workers", type=int, default=2, help="regions at a time")
    given = known.parse_args()
    for name, large in (("MMAP_THRESHOLD_", 1 << 25), ("TRIM_THRESHOLD_", 1 << 28), ("TOP_PAD_", 1 << 25)):
        os.environ.setdefault(f"MALLOC_{name}", str(large))  # of the processes that are started, as in the Makefile
    encoding = Neural.load(given.weights).encoding
    assert encoding is not None
    run = planet_run([r for r in given.regions.split(",") if r], given.years, encoding.priors)
    folder, store = given.folder, given.folder / "cube.zarr"
    folder.mkdir(parents=True, exist_ok=True)
    if not store.exists():
        columns = ["role", "dataset", "file", "bytes", "sha256", "licence", "doi"]
        cube.create_cube(store, run, layout_of(run), pd.DataFrame(columns=columns), False)
    each_region(folder, "make", run.regions, given.workers, make_region, run, given.years)
    write_luh2(folder, run, given.years)
    each_region(folder, "roll", run.regions, given.workers, roll_region, run, given.weights.resolve())
    table = tabulate(folder, run, fill(folder, run, given.workers), given.workers)
    draw(table, folder / "planet.png")
    print(summarise(table))


if __name__ == "__main__":
    main()
