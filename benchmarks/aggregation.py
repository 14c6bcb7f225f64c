"""Aggregation of 300 m classes and 15 arc-second relief to 0.01 degree, side by side: ``make bench``.

Each tool does the same window in the same process, the fastest of three turns counts, ratios are to ours.
GDAL's ``mode`` does not weigh by area: the share of cells on which it differs from the exact majority is
printed beside its time. The class map is synthetic, with patches of 12 cells on average.
"""

import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
import xarray_regrid  # noqa: F401  registers the accessor
from rasterio.transform import from_origin
from rasterio.warp import Resampling, reproject
from scipy import ndimage

from ai4land.grid import Grid
from ai4land.regrid import area_mean, class_fractions, majority

CODES = np.arange(8)


def fastest(work: Callable[[], np.ndarray], turns: int = 3) -> tuple[float, np.ndarray]:
    """Seconds of the fastest of some turns, and the result."""
    seconds = []
    for _ in range(turns):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


def gdal(values: np.ndarray, source: Grid, target: Grid, how: Resampling, threads: int) -> Callable[[], np.ndarray]:
    """GDAL's warp of one array."""

    def work() -> np.ndarray:
        out = np.zeros(target.shape, values.dtype)
        reproject(values, out, src_transform=from_origin(source.west, source.north, source.dlon, source.dlat),
                  dst_transform=from_origin(target.west, target.north, target.dlon, target.dlat), src_crs="EPSG:4326",
                  dst_crs="EPSG:4326", resampling=how, num_threads=threads)  # fmt: skip
        return out

    return work


def classes(shape: tuple[int, int]) -> np.ndarray:
    """Patchy classes 0 to 7."""
    rng = np.random.default_rng(0)
    smooth = ndimage.gaussian_filter(rng.standard_normal((shape[0] // 4, shape[1] // 4)), 1.5)
    ranks = np.digitize(smooth, np.quantile(smooth, np.linspace(0, 1, 9)[1:-1])).astype(np.uint8)
    return np.repeat(np.repeat(ranks, 4, 0), 4, 1)


def categorical() -> pd.DataFrame:
    """300 m classes, 3.6 cells to one, 20 x 20 degrees."""
    source, target = Grid(50, 0, 1 / 360, 1 / 360, 7200, 7200), Grid(50, 0, 0.01, 0.01, 2000, 2000)
    cover = xr.DataArray(classes(source.shape), source.coords(), ("lat", "lon"), "cover")
    ours, fractions = fastest(lambda: class_fractions(cover, target, CODES)["fraction"])
    exact = majority(fractions).to_numpy()
    rows = [("ai4land: all class fractions", ours, ours, 0.0)]
    for threads in (1, 2):
        seconds, mode = fastest(gdal(cover.to_numpy(), source, target, Resampling.mode, threads))
        rows.append((f"GDAL mode, {threads} thread(s)", seconds, ours, float((mode != exact).mean())))
    # xarray-regrid wants ascending latitude; a 5 x 5 degree part, scaled to the window's area.
    part = cover.isel(lat=slice(0, 1800), lon=slice(0, 1800)).sortby("lat")
    wanted = xr.Dataset(coords=target.cut(slice(0, 500), slice(0, 500)).coords()).sortby("lat")
    seconds, mode = fastest(
        lambda: part.regrid.most_common(wanted, values=CODES).sortby("lat", ascending=False).to_numpy(), 1
    )
    rows.append(("xarray-regrid most_common (x16)", 16 * seconds, ours, float((mode != exact[:500, :500]).mean())))
    return pd.DataFrame(rows, columns=["300 m classes to 0.01 degree", "seconds", "ours", "share that differs"])


def relief() -> pd.DataFrame:
    """15 arc-second elevation, 2.4 cells to one, 20 x 20 degrees."""
    source, target = Grid(50, 0, 1 / 240, 1 / 240, 4800, 4800), Grid(50, 0, 0.01, 0.01, 2000, 2000)
    rng = np.random.default_rng(1)
    height = (ndimage.gaussian_filter(rng.standard_normal(source.shape), 3) * 3000).astype(np.float32)
    field = xr.DataArray(height, source.coords(), ("lat", "lon"), "elevation")
    ours, exact = fastest(lambda: area_mean(field, target).to_numpy())
    rows = [("ai4land: area mean", ours, ours, 0.0)]
    seconds, mean = fastest(gdal(height, source, target, Resampling.average, 1))
    rows.append(("rasterio average", seconds, ours, float(np.abs(mean - exact).max())))
    wanted = xr.Dataset(coords=target.coords())
    seconds, mean = fastest(lambda: field.regrid.conservative(wanted, latitude_coord="lat").to_numpy(), 1)
    rows.append(("xarray-regrid conservative", seconds, ours, float(np.nanmax(np.abs(mean - exact)))))
    return pd.DataFrame(
        rows, columns=["15 arc-second relief to 0.01 degree", "seconds", "ours", "largest difference (m)"]
    )


def main() -> None:
    """Print both tables and keep them."""
    out = Path(__file__).parent / "results"
    out.mkdir(exist_ok=True)
    print(f"{platform.machine()}, Python {platform.python_version()}; window of 20 x 20 degrees")
    for name, table in (("aggregation-classes", categorical()), ("aggregation-relief", relief())):
        table["times ours"] = table["seconds"] / table.pop("ours")
        print("\n" + table.round(4).to_string(index=False))
        table.round(4).to_csv(out / f"{name}.csv", index=False)


if __name__ == "__main__":
    main()
