"""The arrays of one region, and of one case that a model predicts."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ai4land.cube import open_cube, plan_layout
from ai4land.grid import COARSE_CELLS, Grid
from ai4land.legend import NO_DATA
from ai4land.regrid import coarsen_fractions
from ai4land.runs import SHARED, Run
from ai4land.samples.states import Luh2, read_luh2
from ai4land.samples.static import read_static
from ai4land.windows import Window

Array = Any  # numpy.ndarray, or torch.Tensor of the same shape and type


@dataclass(frozen=True)
class RegionCube:
    """One region of a cube; its fine layers are in memory, or stored arrays that are read where they are cut.

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
    corner : tuple of int = (row, col)
        Place of the first fine cell in the run's grid.
    """

    region: str
    grid: Grid
    years: list[int]
    land_use: Array
    fraction: np.ndarray
    area: np.ndarray
    static: dict[str, Array]
    luh2: Luh2 | None = None
    corner: tuple[int, int] = (0, 0)

    def map(self, year: int, window: tuple[slice, slice] = (slice(None), slice(None))) -> np.ndarray:
        """Land-use map of one year, or a window of it, (y, x) uint8."""
        if year not in self.years:
            raise ValueError(f"region {self.region}: no map of {year}; the cube has {self.years[0]}-{self.years[-1]}.")
        return np.asarray(self.land_use[(self.years.index(year), *window)])

    def map_array(self, year: int) -> xr.DataArray:
        """Land-use map of one year with its coordinates."""
        return xr.DataArray(self.map(year), self.grid.coords(), ("lat", "lon"), "land_use")


@dataclass(frozen=True)
class Batch:
    """What a model is given to predict from; a sampler's are tensors on its device.

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
    states : dict of str to numpy.ndarray, shape (batch, Y, X), float32
        LUH2's states of the target year, by name, on 25-cell blocks; empty where the coarse input is perfect.
    earlier : numpy.ndarray, shape (batch, map, y, x), uint8, optional
        Maps of the years before the prior one, the nearest first; 255 where hidden or without data. None without any.
    """

    prior: Array
    years: Array
    coarse: dict[int, Array]
    valid: Array
    static: dict[str, Array] = field(default_factory=dict)
    start: Array = field(default_factory=lambda: np.zeros(2, int))
    states: dict[str, Array] = field(default_factory=dict)
    earlier: Array | None = None

    @property
    def priors(self) -> int:
        """Maps that are known: the prior one and those before it."""
        return 1 if self.earlier is None else 1 + self.earlier.shape[1]


def refine_step(coarse: np.ndarray, cells: int, shape: tuple[int, int]) -> np.ndarray:
    """Coarse values repeated over their fine cells: (..., Y, X) to (..., y, x), area-true."""
    fine = np.repeat(np.repeat(coarse, cells, axis=-2), cells, axis=-1)
    return fine[..., : shape[0], : shape[1]]


def read_region(
    path: Path, run: Run, region: str, scenario: str | None = None, halo: int = 0, resident: bool = True
) -> RegionCube:
    """One region of the run's cube, read into memory.

    Parameters
    ----------
    path : pathlib.Path
        The store.
    run : Run
    region : str
        One of ``run.regions``, or `ai4land.runs.SHARED` for all of them.
    scenario : str, optional
        LUH2 of that scenario after the history; one of ``run.inputs.scenarios``.
    halo : int
        Cells of the neighbours to read beyond the region's edges, a multiple of 25; fewer at the run's own edge.
    resident : bool
        False leaves the fine layers in the store, for regions that do not fit into memory.

    Returns
    -------
    RegionCube
    """
    if region not in (*run.regions, SHARED):
        raise ValueError(f"region {region!r} is not one of run {run.name}: {list(run.regions)}.")
    fine, coarse = open_cube(path, "fine"), open_cube(path, "coarse")
    layout = plan_layout(run, fine["land_use"])
    whole = Window.whole(layout.grid.shape)
    cells = layout.regions.get(region, whole).grown(halo, whole)
    blocks = cells.coarse()
    fine = fine.isel(lat=cells.rows, lon=cells.cols)
    fine = fine.load() if resident else fine
    coarse = coarse.isel(lat=blocks.rows, lon=blocks.cols).load()
    years = run.map_years if region == SHARED else None
    luh2 = read_luh2(path, *blocks, scenario, years) if run.inputs.luh2 else None
    return RegionCube(
        region, layout.grid.cut(*cells), [int(y) for y in fine["time"]],
        fine["land_use"].to_numpy() if resident else fine["land_use"].variable,
        coarse["land_use_fraction"].to_numpy(), coarse["data_area"].to_numpy(),
        read_static(path, fine, coarse, resident), luh2, cells.corner,
    )  # fmt: skip


def coarse_field(cube: RegionCube, year: int, cells: int, source: str) -> np.ndarray:
    """Class fractions of one year on blocks of ``cells``, (class, Y, X) float32.

    Parameters
    ----------
    source : {'perfect', 'luh2'}
        Aggregated from the maps themselves, or LUH2's.
    """
    if source == "luh2":
        assert cube.luh2 is not None
        return cube.luh2.fraction[cube.luh2.index(year)]
    i = cube.years.index(year)
    return coarsen_fractions(cube.fraction[i], cube.area[i], cells // COARSE_CELLS)[0]


def coarse_pair(cube: RegionCube, prior_year: int, year: int, cells: int, source: str) -> np.ndarray:
    """Class fractions of the prior and the target year, (2, class, Y, X) float32; see `coarse_field`."""
    return np.stack([coarse_field(cube, y, cells, source) for y in (prior_year, year)])


def luh2_states(cube: RegionCube, year: int, source: str) -> dict[str, np.ndarray]:
    """LUH2's states of one year by name, each (Y, X); empty where the coarse input is perfect."""
    if source != "luh2":
        return {}
    assert cube.luh2 is not None
    return dict(zip(cube.luh2.names, cube.luh2.states[cube.luh2.index(year)], strict=True))


def make_batch(
    cube: RegionCube, prior_year: int, year: int, coarse_cells: tuple[int, ...], hidden: np.ndarray | None = None,
    statics: bool = True, source: str = "perfect", prior: np.ndarray | None = None,
    earlier: Sequence[np.ndarray] = (),
) -> Batch:  # fmt: skip
    """Inputs of one case: its prior (hidden where it must be), coarse fields of both years, statics.

    Parameters
    ----------
    prior : numpy.ndarray, shape (y, x), uint8, optional
        Map to start from instead of the observed one of ``prior_year``.
    earlier : sequence of numpy.ndarray, shape (y, x), uint8
        Maps of the years before it, the nearest first; hidden where the prior is.
    """
    prior = cube.map(prior_year) if prior is None else prior
    valid = prior != NO_DATA
    if hidden is not None:
        prior, *earlier = (np.where(hidden, NO_DATA, one).astype(np.uint8) for one in (prior, *earlier))
    coarse = {cells: coarse_pair(cube, prior_year, year, cells, source)[None] for cells in coarse_cells}
    states = {n: v[None] for n, v in luh2_states(cube, year, source).items()}
    years = np.array([year - prior_year], np.float32)
    static = {name: np.asarray(values[:, :]) for name, values in cube.static.items()} if statics else {}
    return Batch(prior[None], years, coarse, valid[None], static, states=states,
                 earlier=np.stack(earlier)[None] if earlier else None)  # fmt: skip


def cut_batch(batch: Batch, top: int, left: int, size: tuple[int, int]) -> Batch:
    """A window of a batch; coarse fields stay whole, ``start`` says where the window lies in them."""
    rows, cols = slice(top, top + size[0]), slice(left, left + size[1])
    earlier = None if batch.earlier is None else batch.earlier[..., rows, cols]
    return replace(
        batch, prior=batch.prior[:, rows, cols], valid=batch.valid[:, rows, cols], earlier=earlier,
        start=batch.start + np.array([top, left]), static={n: v[..., rows, cols] for n, v in batch.static.items()},
    )  # fmt: skip
