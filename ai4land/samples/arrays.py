"""The arrays of one region, and of one case that a model predicts."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import xarray as xr

from ai4land.cube import has_relief, open_cube, plan_layout
from ai4land.grid import COARSE_CELLS, Grid
from ai4land.legend import NO_DATA
from ai4land.regrid import coarsen_fractions
from ai4land.runs import Run


@dataclass(frozen=True)
class RegionCube:
    """One region of a cube, in memory.

    Parameters
    ----------
    grid : Grid
        Fine cells of the region.
    years : list of int
    land_use : numpy.ndarray, shape (year, y, x), uint8
        255 is no data.
    fraction : numpy.ndarray, shape (year, class, Y, X), float32
        Class fractions (1) of the coarse cells; NaN without data.
    area : numpy.ndarray, shape (year, Y, X), float64
        Area with data, m2.
    static : dict of str to numpy.ndarray, shape (y, x), float32
    """

    region: str
    grid: Grid
    years: list[int]
    land_use: np.ndarray
    fraction: np.ndarray
    area: np.ndarray
    static: dict[str, np.ndarray]

    def map(self, year: int) -> np.ndarray:
        """Land-use map of one year, (y, x) uint8."""
        if year not in self.years:
            raise ValueError(f"region {self.region}: no map of {year}; the cube has {self.years[0]}-{self.years[-1]}.")
        return self.land_use[self.years.index(year)]

    def map_array(self, year: int) -> xr.DataArray:
        """Land-use map of one year with its coordinates."""
        return xr.DataArray(self.map(year), self.grid.coords(), ("lat", "lon"), "land_use")


@dataclass(frozen=True)
class Batch:
    """What a model is given to predict from.

    Parameters
    ----------
    prior : numpy.ndarray, shape (batch, y, x), uint8
        Land use of the prior year; 255 where hidden or without data.
    years : numpy.ndarray, shape (batch,), float32
        Target year minus prior year, negative in a hindcast.
    coarse : dict of int to numpy.ndarray, shape (batch, 2, class, Y, X), float32
        By side of the coarse cells in fine cells: class fractions (1) of the prior and the target year.
    valid : numpy.ndarray, shape (batch, y, x), bool
        Cells with data in the prior year, hidden or not.
    static : dict of str to numpy.ndarray, shape (y, x) or (batch, y, x), float32
    start : numpy.ndarray, shape (batch, 2) or (2,), int
        Row and column of the first cell, counted from the north-west corner of the coarse fields.
    """

    prior: np.ndarray
    years: np.ndarray
    coarse: dict[int, np.ndarray]
    valid: np.ndarray
    static: dict[str, np.ndarray] = field(default_factory=dict)
    start: np.ndarray = field(default_factory=lambda: np.zeros(2, int))


def refine_step(coarse: np.ndarray, cells: int, shape: tuple[int, int]) -> np.ndarray:
    """Coarse values repeated over their fine cells: (..., Y, X) to (..., y, x), area-true."""
    fine = np.repeat(np.repeat(coarse, cells, axis=-2), cells, axis=-1)
    return fine[..., : shape[0], : shape[1]]


def read_region(path: Path, run: Run, region: str) -> RegionCube:
    """One region of the run's cube, read into memory.

    Parameters
    ----------
    path : pathlib.Path
        The store.
    run : Run
    region : str
        One of ``run.regions``.

    Returns
    -------
    RegionCube
    """
    if region not in run.regions:
        raise ValueError(f"region {region!r} is not one of run {run.name}: {list(run.regions)}.")
    fine, coarse = open_cube(path, "fine"), open_cube(path, "coarse")
    layout = plan_layout(run, fine["land_use"])
    rows, cols = layout.regions[region]
    coarse_rows, coarse_cols = layout.coarse_slices(region)
    fine = fine.isel(lat=rows, lon=cols).load()
    coarse = coarse.isel(lat=coarse_rows, lon=coarse_cols).load()
    shape = fine["land_use"].shape[1:]
    static = {str(n): v.to_numpy() for n, v in fine.data_vars.items() if v.dims == ("lat", "lon")}
    static |= {
        str(n): refine_step(v.to_numpy(), COARSE_CELLS, (shape[0], shape[1]))
        for n, v in coarse.data_vars.items() if v.dims == ("lat", "lon")
    }  # fmt: skip
    if has_relief(path):
        relief = xr.open_zarr(path, group="relief", consolidated=False).load()["elevation"]
        static["elevation"] = relief.interp(lat=fine["lat"], lon=fine["lon"]).to_numpy().astype(np.float32)
    return RegionCube(
        region, layout.region_grid(region), [int(y) for y in fine["time"]], fine["land_use"].to_numpy(),
        coarse["land_use_fraction"].to_numpy(), coarse["data_area"].to_numpy(),
        # Sorted: a store lists its arrays in any order, and features must come in one.
        {name: static[name] for name in sorted(static)},
    )  # fmt: skip


def make_batch(
    cube: RegionCube, prior_year: int, year: int, coarse_cells: tuple[int, ...], hidden: np.ndarray | None = None,
    statics: bool = True,
) -> Batch:  # fmt: skip
    """Inputs of one case: its prior (hidden where it must be), coarse fractions of both years, statics."""
    prior = cube.map(prior_year)
    valid = prior != NO_DATA
    if hidden is not None:
        prior = np.where(hidden, NO_DATA, prior).astype(np.uint8)
    index = [cube.years.index(prior_year), cube.years.index(year)]
    coarse = {}
    for cells in coarse_cells:
        pair = [coarsen_fractions(cube.fraction[i], cube.area[i], cells // COARSE_CELLS)[0] for i in index]
        coarse[cells] = np.stack(pair)[None]
    years = np.array([year - prior_year], np.float32)
    return Batch(prior[None], years, coarse, valid[None], cube.static if statics else {})
