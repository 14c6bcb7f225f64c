"""Aggregation of 300 m classes and 15 arc-second relief to 0.01 degree, side by side: ``make bench``.

The tools take turns on the same window in one process, the fastest turn of each counts, and the spread of its turns
(median to fastest) tells how busy the machine was. Ours runs on one thread; GDAL on one and on two. GDAL's ``mode``
does not weigh by area: the share of cells on which it differs from the exact majority stands beside its time. The
class maps are synthetic, with patches of 12 cells on average. Peak memory is that of a process of its own. On a
virtual machine the first touch of new memory can be slow: it shows in the spread of tools with large results.
"""

import multiprocessing
import platform
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
import xarray_regrid  # noqa: F401  registers the accessor
from rasterio.transform import from_origin
from rasterio.warp import Resampling, reproject
from scipy import ndimage

from ai4land.grid import Grid
from ai4land.regrid import area_mean, class_fractions, majority_of

TURNS = 15
MAKE = {"class_fractions": lambda *a: class_fractions(*a)["fraction"], "majority_of": majority_of}


def race(tools: dict[str, Callable[[], np.ndarray]], turns: int = TURNS) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """Seconds and spread of each tool, all of them in every turn, and their results."""
    seconds, results = np.zeros((turns, len(tools))), [np.empty(0)] * len(tools)
    for turn in range(turns):
        for number, work in enumerate(tools.values()):
            start = time.perf_counter()
            results[number] = work()
            seconds[turn, number] = time.perf_counter() - start
    best = seconds.min(0)
    return pd.DataFrame({"tool": list(tools), "seconds": best, "spread": np.median(seconds, 0) / best}), results


def gdal(values: np.ndarray, source: Grid, target: Grid, how: Resampling, threads: int) -> Callable[[], np.ndarray]:
    """GDAL's warp of one array."""

    def work() -> np.ndarray:
        out = np.zeros(target.shape, values.dtype)
        reproject(values, out, src_transform=from_origin(source.west, source.north, source.dlon, source.dlat),
                  dst_transform=from_origin(target.west, target.north, target.dlon, target.dlat), src_crs="EPSG:4326",
                  dst_crs="EPSG:4326", resampling=how, num_threads=threads)  # fmt: skip
        return out

    return work


def classes(shape: tuple[int, int], count: int) -> np.ndarray:
    """Patchy classes 0 to ``count`` - 1, equally frequent."""
    rng = np.random.default_rng(0)
    smooth = ndimage.gaussian_filter(rng.standard_normal((shape[0] // 4, shape[1] // 4)), 1.5)
    ranks = np.digitize(smooth, np.quantile(smooth, np.linspace(0, 1, count + 1)[1:-1])).astype(np.uint8)
    # Neighbours of a smooth field have neighbouring ranks; shuffled, any class meets any other.
    ranks = rng.permutation(count).astype(np.uint8)[ranks]
    return np.repeat(np.repeat(ranks, 4, 0), 4, 1)


def categorical(count: int) -> pd.DataFrame:
    """300 m classes, 3.6 cells to one, 20 x 20 degrees."""
    source, target = Grid(50, 0, 1 / 360, 1 / 360, 7200, 7200), Grid(50, 0, 0.01, 0.01, 2000, 2000)
    cover = xr.DataArray(classes(source.shape, count), source.coords(), ("lat", "lon"), "cover")
    codes, values = np.arange(count), cover.to_numpy()
    tools: dict[str, Callable[[], np.ndarray]] = {
        "ai4land class_fractions": lambda: class_fractions(cover, target, codes)["fraction"].to_numpy(),
        "ai4land majority_of": lambda: majority_of(cover, target, codes).to_numpy(),
        "GDAL mode, 1 thread": gdal(values, source, target, Resampling.mode, 1),
        "GDAL mode, 2 threads": gdal(values, source, target, Resampling.mode, 2),
    }
    table, (_, exact, *modes) = race(tools)
    table["share that differs"] = [0.0, 0.0, *((mode != exact).mean() for mode in modes)]
    # xarray-regrid wants ascending latitude; a 5 x 5 degree part, scaled to the window's area.
    part = cover.isel(lat=slice(0, 1800), lon=slice(0, 1800)).sortby("lat")
    wanted = xr.Dataset(coords=target.cut(slice(0, 500), slice(0, 500)).coords()).sortby("lat")
    name = "xarray-regrid most_common (x16)"
    extra, (mode,) = race({name: lambda: part.regrid.most_common(wanted, values=codes).to_numpy()[::-1]}, 3)
    extra["share that differs"] = (mode != exact[:500, :500]).mean()
    table = pd.concat([table, extra.assign(seconds=16 * extra["seconds"])], ignore_index=True)
    return table.assign(classes=count, **{"times ours": table["seconds"] / table["seconds"][0]})


def relief() -> pd.DataFrame:
    """15 arc-second elevation, 2.4 cells to one, 20 x 20 degrees."""
    source, target = Grid(50, 0, 1 / 240, 1 / 240, 4800, 4800), Grid(50, 0, 0.01, 0.01, 2000, 2000)
    rng = np.random.default_rng(1)
    height = (ndimage.gaussian_filter(rng.standard_normal(source.shape), 3) * 3000).astype(np.float32)
    field = xr.DataArray(height, source.coords(), ("lat", "lon"), "elevation")
    tools: dict[str, Callable[[], np.ndarray]] = {
        "ai4land area_mean": lambda: area_mean(field, target).to_numpy(),
        "GDAL average, 1 thread": gdal(height, source, target, Resampling.average, 1),
        "GDAL average, 2 threads": gdal(height, source, target, Resampling.average, 2),
    }
    table, results = race(tools)
    wanted = xr.Dataset(coords=target.coords())
    name = "xarray-regrid conservative"
    extra, (mean,) = race({name: lambda: field.regrid.conservative(wanted, latitude_coord="lat").to_numpy()}, 3)
    table = pd.concat([table, extra], ignore_index=True)
    table["largest difference (m)"] = [float(np.nanmax(np.abs(r - results[0]))) for r in [*results, mean]]
    return table.assign(**{"times ours": table["seconds"] / table["seconds"][0]})


def _peak(name: str, cell: float, lon: int) -> tuple[float, float, float]:
    """Peak memory of this process before and after a window of 20 x ``lon`` degrees, and the result's size, MB."""
    source = Grid(50, 0, 1 / 360, 1 / 360, 7200, 360 * lon)
    target = Grid(50, 0, cell, cell, round(20 / cell), round(lon / cell))
    cover = xr.DataArray(np.tile(classes((720, 720), 38), (10, lon // 2)), source.coords(), ("lat", "lon"), "cover")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    made = MAKE[name](cover, target, np.arange(38))
    return before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, made.nbytes / 2**20


def memory() -> pd.DataFrame:
    """Peak memory of 38 classes of 300 m, by window."""
    rows = []
    for name, cell in (("majority_of", 0.01), ("class_fractions", 0.25), ("class_fractions", 0.01)):
        for lon in (20, 60):
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                before, peak, result = pool.submit(_peak, name, cell, lon).result()
            rows.append((name, cell, f"20 x {lon}", peak, result, peak - before - result))
    columns = [
        "38 classes of 300 m",
        "cell (degree)",
        "window (degree)",
        "peak (MB)",
        "result (MB)",
        "beside both (MB)",
    ]
    return pd.DataFrame(rows, columns=columns)


def main() -> None:
    """Print the tables and keep them."""
    out = Path(__file__).parent / "results"
    out.mkdir(exist_ok=True)
    print(f"{platform.machine()}, Python {platform.python_version()}; speed in a window of 20 x 20 degrees")
    # Memory first: a process starts with the peak of the one that started it.
    tables = {"memory": memory(), "classes": pd.concat([categorical(8), categorical(38)]), "relief": relief()}
    for name, table in tables.items():
        print("\n" + table.round(4).to_string(index=False))
        table.round(4).to_csv(out / f"aggregation-{name}.csv", index=False)


if __name__ == "__main__":
    main()
