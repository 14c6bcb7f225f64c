"""What step.f90 does, in Python: ``python step.py <bundle> <start.nc> <luh2.nc>`` prints the same lines."""

import sys
from pathlib import Path

import numpy as np
import xarray as xr

from ai4land.export.emulator import Emulator
from ai4land.grid import grid_of


def class_areas(land_use: xr.DataArray) -> list[float]:
    """Area of the codes 0 to 7, km2; summed row by row, as the Fortran program does."""
    area = grid_of(land_use).cell_area() / 1e6
    counts = [(land_use.to_numpy() == code).sum(1) for code in range(8)]
    return [float(np.cumsum(area * rows)[-1]) for rows in counts]


def main(bundle: str, start: str, luh2: str) -> None:
    """Step through all years of a forcing, printing the area of each class."""
    emulator = Emulator.load(Path(bundle))
    window, forcing = xr.load_dataset(start, mask_and_scale=False), xr.load_dataset(luh2)
    first, *years = (int(year) for year in forcing["time"])
    maps, static = window["land_use"], window.drop_vars("land_use")
    state = emulator.start(maps, static, forcing, first)
    print("year,code,km2")
    for year in (first, *years):
        if year != first:
            state = emulator.step(state, forcing, year)
        for code, area in enumerate(class_areas(state["land_use"])):
            print(f"{year},{code},{area:.3f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
