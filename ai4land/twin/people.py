"""People of the twin Earth: they live in towns and on fields. Its file: ISIMIP histsoc, 0.5 degree, people a cell."""

from math import ceil, floor
from pathlib import Path

import numpy as np
import xarray as xr

from ai4land.grid import COARSE_CELLS, Grid
from ai4land.twin.demand import Demand
from ai4land.twin.ground import OTHER, Ground, in_blocks
from ai4land.twin.writers import write_netcdf

_NAME = "population_histsoc_30arcmin_annual_1901_2021.nc"
_YEARS = np.arange(1901, 2022)
_IN_TOWN = 3000.0  # people on a km2 of town
_ON_LAND = np.array([0.0, 40.0, 4.0, 0.5, 0.5, 0.1])  # the same outside towns, by class of land use, urban first
_FILL = 1e20


def _halves(grid: Grid) -> Grid:
    """Fine cells of the cells of 0.5 degree that touch a window."""
    west, south, east, north = np.round(np.array(grid.bounds) * 2, 6)
    rows, cols = ceil(north) - floor(south), ceil(east) - floor(west)
    return Grid(ceil(north) / 2, floor(west) / 2, grid.dlat, grid.dlon, rows * 50, cols * 50)


def population(grid: Grid, years: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """People of every cell of 0.5 degree.

    Parameters
    ----------
    grid : Grid
        Fine cells of 0.01 degree; whole cells of 0.5 degree.
    years : numpy.ndarray, shape (years,)
    seed : int

    Returns
    -------
    dict of numpy.ndarray, each (years, rows, cols) float32
        ``urban-population``, ``rural-population`` and ``total-population``; 1e20 where there is no land.
    """
    ground = Ground(grid, seed)
    area = np.broadcast_to(grid.cell_area()[:, None] / 1e6, grid.shape)
    land = in_blocks(np.where(ground.kind == OTHER, area, 0.0)).sum(-1).astype(float)  # km2
    wanted = Demand(ground)
    shares = wanted.shares(wanted.managed(np.asarray(years, float)[:, None, None], swing=False))
    crowd = {"urban-population": _IN_TOWN * shares[0], "rural-population": np.tensordot(_ON_LAND, shares, 1)}
    rows, cols = (size // 2 for size in land.shape)

    def whole(field: np.ndarray) -> np.ndarray:
        return field.reshape(*field.shape[:-2], rows, 2, cols, 2).sum((-3, -1))

    people = {name: np.rint(whole(field * land)) for name, field in crowd.items()}
    people["total-population"] = people["urban-population"] + people["rural-population"]
    return {name: np.where(whole(land) > 0, field, _FILL).astype(np.float32) for name, field in people.items()}


def write_population(raw: Path, grid: Grid, seed: int) -> None:
    """Write people of 1901-2021 on the 0.5 degree cells that touch a window; a file that exists is kept.

    Parameters
    ----------
    raw : pathlib.Path
    grid : Grid
        Fine cells of the window; edges on the 0.25 degree lattice.
    seed : int
    """
    if (raw / _NAME).exists():
        return
    fine = _halves(grid)
    cells = fine.blocks(2 * COARSE_CELLS)
    about = {"units": "1", "missing_value": np.float32(_FILL)}
    fields = {
        name: (("time", "lat", "lon"), field, about | {"long_name": name.replace("-", " ")})
        for name, field in population(fine, _YEARS, seed).items()
    }
    days = np.array([f"{year}-01-01" for year in _YEARS], "datetime64[D]") - np.datetime64("1901-01-01")
    time = {"units": "days since 1901-01-01 00:00:00", "calendar": "proleptic_gregorian", "axis": "T",
            "standard_name": "time"}  # fmt: skip
    data = xr.Dataset(
        fields,
        {"time": ("time", days / np.timedelta64(1, "D"), time), **cells.coords()},
        {"title": "Population of the twin Earth (synthetic)"},
    )
    packed: dict[str, dict[str, object]] = {str(n): {"_FillValue": None} for n in data.variables}
    by_year = {"zlib": True, "complevel": 1, "chunksizes": (1, *cells.shape)}
    packed |= {name: {"_FillValue": np.float32(_FILL), **by_year} for name in fields}
    write_netcdf(raw / _NAME, data, packed)
