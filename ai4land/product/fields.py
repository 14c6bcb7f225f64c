"""What a map does at 0.25 degree: class fractions, transitions, and how they differ from LUH2's."""

import numpy as np
import pandas as pd
import xarray as xr

from ai4land.grid import COARSE_CELLS, Grid, block_index, grid_of
from ai4land.legend import NO_DATA, class_codes, read_legend
from ai4land.samples import RegionCube


def coarse_shares(labels: np.ndarray, before: np.ndarray | None, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Area fractions of a map and of its transitions since the map before, on 25-cell blocks.

    Parameters
    ----------
    labels, before : numpy.ndarray, shape (y, x), uint8
        ``before`` is None where there is no earlier map.
    grid : Grid
        The cells, for their areas.

    Returns
    -------
    fraction : numpy.ndarray, shape (class, Y, X), float32
    transition : numpy.ndarray, shape (class, class, Y, X), float32
        From, to; NaN without an earlier map. Both NaN in blocks without data.
    """
    n = class_codes(read_legend("land_use")).size
    blocks, shape = block_index(grid.shape, COARSE_CELLS), grid.blocks(COARSE_CELLS).shape
    area = np.broadcast_to(grid.cell_area()[:, None], grid.shape)
    size = shape[0] * shape[1]
    old = labels if before is None else before
    known = (labels != NO_DATA) & (old != NO_DATA)
    key = (blocks[known] * n + old[known]) * n + labels[known]
    table = np.bincount(key, weights=area[known], minlength=size * n * n).reshape(size, n, n)
    total = np.bincount(blocks[known], weights=area[known], minlength=size)
    share = table / np.where(total > 0, total, np.nan)[:, None, None]
    transition = share.reshape(*shape, n, n).transpose(2, 3, 0, 1).astype(np.float32)
    return transition.sum(0), transition if before is not None else np.full_like(transition, np.nan)


def luh2_fields(cube: RegionCube, fraction: np.ndarray, year: int, base: int) -> tuple[np.ndarray, np.ndarray]:
    """Residual against the reference moved by LUH2's change since a base year, and difference from LUH2.

    Both (class, Y, X) float32; NaN where the cube has no LUH2.
    """
    if cube.luh2 is None:
        return (np.full_like(fraction, np.nan),) * 2
    now, then = cube.luh2.fraction[cube.luh2.index(year)], cube.luh2.fraction[cube.luh2.index(base)]
    reference, _ = coarse_shares(cube.map(base), None, cube.grid)
    return fraction - (reference + now - then), fraction - now


def product_areas(maps: xr.DataArray, model: str, member: str) -> pd.DataFrame:
    """Area of every land class by year.

    Parameters
    ----------
    maps : xarray.DataArray, shape (time, lat, lon), uint8
        ``time`` is the calendar year.
    model, member : str
        Who made them; 'observed' are the reference maps.

    Returns
    -------
    pandas.DataFrame
        Columns model, member, year, class, km2.
    """
    grid, legend = grid_of(maps), read_legend("land_use")
    land = legend[legend["land"]]
    area = np.broadcast_to(grid.cell_area()[:, None] * 1e-6, grid.shape).ravel()
    rows = []
    for one in maps:
        total = np.bincount(one.to_numpy().ravel(), weights=area, minlength=256)
        rows += [
            (model, member, int(one["time"]), str(n), total[c]) for c, n in zip(land["code"], land["name"], strict=True)
        ]
    return pd.DataFrame(rows, columns=["model", "member", "year", "class", "km2"])
