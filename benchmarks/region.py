"""One whole region of 20 x 60 degrees of the made-up planet, all layers: minutes, memory and bytes of its cube.

``python benchmarks/region.py FOLDER`` writes raw files and cubes below FOLDER (about 10 GB) and
``benchmarks/results/region.csv``. The product's layers have 60 years of maps; land cover, leaf area index and climate
have two years, and their cost is scaled to the years of the whole series. Bytes of the globe are those of the region
times the 54 regions, layers on their own grids included; this region has more land (its share is printed) than the
Earth (0.29). Synthetic.
"""

import platform
import sys
import time
from pathlib import Path

import dask
import pandas as pd

from ai4land import cube
from ai4land.cube import blocks, build
from ai4land.legend import class_codes, read_legend
from ai4land.runs import Run, read_run
from ai4land.sources import find_inputs, open_input
from twin_earth import write_twin

REGION, WINDOW = "n50_e120", (120.0, 30.0, 180.0, 50.0)
REGIONS = 54
LAND = class_codes(read_legend("land_use"), land_only=True)
YEARS = (1956, 2015)  # sixty, the last of LUH2's past
SERIES = {"land_cover": 31, "lai": 17, "climate": 86, "climate_land": 76}  # years of the whole series, by group
ROLES = ("land_cover", "leaf_area_index", "climate", "climate_land")
Rows = list[tuple[str, str, float]]


def run_of(years: tuple[int, int], series: bool) -> Run:
    """The global run on the made-up planet, cut to one region, with or without the series of few years."""
    run = read_run("global-twin").model_copy(update={"window": WINDOW, "regions": (REGION,), "years": years})
    return run if series else run.model_copy(update={"inputs": run.inputs.model_copy(update=dict.fromkeys(ROLES))})


def empty_cube(store: Path, run: Run, raw: Path) -> cube.Layout:
    """Empty cube of a run, without the hashes of its inputs."""
    inputs = find_inputs(run, raw)
    layout = cube.plan_layout(run, open_input(inputs["land_use"]))
    store.parent.mkdir(parents=True, exist_ok=True)
    columns = ["role", "dataset", "file", "bytes", "sha256", "licence", "doi"]
    cube.create_cube(store, run, layout, pd.DataFrame(columns=columns), False, cube.time_steps(inputs))
    return layout


def own_grids(store: Path, run: Run, raw: Path, layout: cube.Layout) -> None:
    """LUH2, climate, population and CO2."""
    inputs = find_inputs(run, raw)
    for group, states in cube.luh2_groups(run, inputs).items():
        cube.write_luh2(store, layout, group, states)
    for group, series in cube.open_series(run, inputs).items():
        cube.write_series(store, layout, group, series)


def minutes(work, *args) -> float:
    """Minutes that a call takes."""
    start = time.perf_counter()
    work(*args)
    return (time.perf_counter() - start) / 60


def forget_peak() -> None:
    """Let `peak` start from here (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def peak() -> float:
    """Largest memory of this process since `forget_peak`, GB."""
    line = next(n for n in Path("/proc/self/status").read_text().splitlines() if n.startswith("VmHWM"))
    return int(line.split()[1]) / 1e6


def size(folder: Path) -> float:
    """Gigabytes below a folder."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 1e9


def long_run(folder: Path) -> Rows:
    """60 years of land use, relief, soil, climate zones of all periods and scenarios, LUH2 and all its scenarios."""
    raw, run, store = folder / "raw", run_of(YEARS, False), folder / "long" / "cube.zarr"
    layout = empty_cube(store, run, raw)
    forget_peak()
    rows: Rows = [("layers on their own grids, LUH2 1850-2100 with eight scenarios", "minutes",
                   minutes(own_grids, store, run, raw, layout))]  # fmt: skip
    shards = [minutes(build.regrid_block, raw, store, run, layout.grid, block) for block in layout.blocks(REGION)]
    rows += [(f"shard {i + 1} of {len(shards)}, 60 years of land use and statics", "minutes", t)
             for i, t in enumerate(shards)]  # fmt: skip
    rows += [("region, 60 years of land use and statics, one worker", "minutes", sum(shards)),
             ("peak memory of these", "GB", peak())]  # fmt: skip
    land = cube.open_cube(store, "fine")["land_use"].isel(time=-1).isin(LAND).mean()
    rows += [("land, share of the region", "1", float(land))]
    groups = sorted(p for p in store.iterdir() if p.is_dir() and p.name not in SERIES)
    rows += [(f"cube, {g.name}, region", "GB", size(g)) for g in groups]
    return [*rows, ("cube of the globe, these groups", "GB", REGIONS * sum(size(g) for g in groups))]


def series_run(folder: Path) -> Rows:
    """Two years of land cover, leaf area index and climate, scaled to the whole series."""
    raw, run, store = folder / "raw", run_of((2014, 2015), True), folder / "series" / "cube.zarr"
    layout, inputs = empty_cube(store, run, raw), find_inputs(run, raw)
    own_grids(store, run, raw, layout)
    forget_peak()
    rows: Rows = []
    for name, work in (("land_cover", blocks._write_land_cover), ("lai", blocks._write_leaf_area)):
        with dask.config.set(scheduler="synchronous"):
            each = [minutes(work, store, inputs, layout.grid.cut(*w), w) for w in layout.blocks(REGION)]
        rows += [(f"{name}, {SERIES[name]} years, region", "minutes", sum(each) * SERIES[name] / 2)]
    for name, years in SERIES.items():
        rows += [(f"cube, {name}, {years} years, globe", "GB", REGIONS * size(store / name) * years / 2)]
    return [*rows, ("peak memory of land_cover and lai", "GB", peak())]


def main(folder: Path) -> None:
    """Make the region, and print and keep what it cost."""
    raw = folder / "raw"
    write_twin(raw, run_of(YEARS, False))
    write_twin(raw, run_of((2014, 2015), True))
    table = pd.DataFrame(long_run(folder) + series_run(folder), columns=["what", "unit", "value"])
    print(platform.machine(), platform.python_version(), "20 x 60 degrees, synthetic")
    print(table.round(4).to_string(index=False))
    table.round(4).to_csv(Path(__file__).parent / "results" / "region.csv", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
