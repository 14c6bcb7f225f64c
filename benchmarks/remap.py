"""Remapping one global field to the IFS's O1280 and to an ICON grid of R02B06's size: seconds with weights cached.

``python benchmarks/remap.py FOLDER`` keeps weights below FOLDER (about 2 GB) and writes
``benchmarks/results/remap.csv``; ``--cell 0.02`` tries it on cells twice as large. Two fields: a quantity on 0.05
degree, and eight classes on 0.01 degree, which are averaged to 0.05 degree on the way, as `remap_classes` does. Medians
of three turns; each turn reads the weights again, of which the time is also given alone. The ICON grid is the
icosahedron bisected seven times: as many cells as R02B06 (20 x 2**2 x 4**6), not its places. Area kept: relative error
of the integral over the globe. Synthetic fields. The sums run on one thread.
"""

import argparse
import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import xarray as xr

from ai4land.export.cells import Cells, icon, octahedral
from ai4land.export.remap import apply, remap_classes, remap_weights
from ai4land.grid import Grid
from twin_earth import write_icon_grid

TURNS, CODES = 3, np.arange(8)


def globe(cell: float) -> Grid:
    """The whole globe in cells of ``cell`` degrees."""
    return Grid(90.0, -180.0, cell, cell, round(180 / cell), round(360 / cell))


def quantity(grid: Grid) -> xr.DataArray:
    """A smooth field with a gap in the south."""
    lat, lon = np.radians(grid.lat)[:, None], np.radians(grid.lon)
    values = (1 + np.sin(7 * lon) * np.cos(5 * lat)).astype(np.float32)
    values[grid.lat < -60] = np.nan
    return xr.DataArray(values, grid.coords(), ("lat", "lon"), "quantity")


def classes(grid: Grid) -> xr.DataArray:
    """Patches of eight classes, 12 cells wide."""
    rng = np.random.default_rng(0)
    tile = np.kron(rng.integers(0, 8, (50, 50)), np.ones((12, 12))).astype(np.uint8)
    values = np.tile(tile, (-(-grid.rows // 600), -(-grid.cols // 600)))[: grid.rows, : grid.cols]
    return xr.DataArray(values, grid.coords(), ("lat", "lon"), "classes")


def seconds(work: Callable[[], object]) -> tuple[float, object]:
    """Median of three turns, and the last result."""
    spent = []
    for _ in range(TURNS):
        start = time.perf_counter()
        result = work()
        spent.append(time.perf_counter() - start)
    return median(spent), result


def measure(target: Cells, fine: Grid, folder: Path) -> list[dict[str, object]]:
    """Both fields on one target."""
    middle = fine.blocks(5)
    start = time.perf_counter()
    remap_weights(middle, target, folder)
    made = time.perf_counter() - start
    field, cover = quantity(middle), classes(fine)
    read, weights = seconds(lambda: remap_weights(middle, target, folder))
    whole = float((field.fillna(0).astype(float) * middle.cell_area()[:, None]).sum())
    rows = []
    spent, (mean, share) = seconds(lambda: apply(remap_weights(middle, target, folder), field))
    after = float((mean.fillna(0) * share * weights.area).sum())
    rows.append({"field": "quantity", "remapped (s)": spent, "area kept": after / whole - 1})
    spent, (fraction, area) = seconds(lambda: remap_classes(cover, target, CODES, folder))
    one = np.count_nonzero(cover.to_numpy() == 3, axis=1) @ fine.cell_area()
    after = float((fraction.sel(cover_class=3).fillna(0).astype(float) * area).sum())
    rows.append({"field": "8 classes", "remapped (s)": spent, "area kept": after / one - 1})
    about = {"target": target.name, "cells": target.area.size, "source cell (degrees)": fine.dlat,
             "shared areas": weights.shared.nnz, "weights made (s)": made, "weights read (s)": read}  # fmt: skip
    return [{**about, **row, "machine": platform.machine()} for row in rows]


def main() -> None:
    """Measure both targets, print and keep the table."""
    known = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    known.add_argument("folder", type=Path, help="where weights lie; the first run makes them")
    known.add_argument(
        "--cell", type=float, default=0.01, help="degrees; other than 0.01 is a trial, which is not kept"
    )
    given = known.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    coarser = round(given.cell / 0.01)  # a trial keeps the ratio of cells
    path = given.folder / "icosahedron.nc"
    targets = [
        lambda: octahedral(1280 // coarser),
        lambda: icon(write_icon_grid(path, 7 - round(np.log2(coarser)))),
    ]
    table = pd.DataFrame([row for make in targets for row in measure(make(), globe(given.cell), given.folder)])
    print(table.to_string(index=False, float_format=lambda v: f"{v:.3g}"))
    if coarser == 1:
        table.to_csv(Path(__file__).parent / "results" / "remap.csv", index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
