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
from ai4land.sources.luh2 import STATES, state_class_fractions


@dataclass(frozen=True)
class Luh2:
    """LUH2 of one region on its coarse cells.

    Parameters
    ----------
    years : list of int
    names : list of str
        The twelve states, ``secma`` and ``secmb``.
    states : numpy.ndarray, shape (year, state, Y, X), float32
        Fractions of the whole cell (1), years, kg m-2; NaN is ocean.
    fraction : numpy.ndarray, shape (year, class, Y, X), float32
        Class fractions of the whole cell (1): what is neither land nor ice-free stands as ocean.
    """

    years: list[int]
    names: list[str]
    states: np.ndarray
    fraction: np.ndarray

    def index(self, year: int) -> int:
        """Position of a year, with an error that names the years there are."""
        if year not in self.years:
            raise ValueError(f"LUH2 has no year {year}; the cube has {self.years[0]}-{self.years[-1]}.")
        return self.years.index(year)


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
    luh2: Luh2 | None = None

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
    states : dict of str to numpy.ndarray, shape (batch, Y, X), float32
        LUH2's states of the target year, by name, on 25-cell blocks; empty where the coarse input is perfect.
    """

    prior: np.ndarray
    years: np.ndarray
    coarse: dict[int, np.ndarray]
    valid: np.ndarray
    static: dict[str, np.ndarray] = field(default_factory=dict)
    start: np.ndarray = field(default_factory=lambda: np.zeros(2, int))
    states: dict[str, np.ndarray] = field(default_factory=dict)


def refine_step(coarse: np.ndarray, cells: int, shape: tuple[int, int]) -> np.ndarray:
    """Coarse values repeated over their fine cells: (..., Y, X) to (..., y, x), area-true."""
    fine = np.repeat(np.repeat(coarse, cells, axis=-2), cells, axis=-1)
    return fine[..., : shape[0], : shape[1]]


def _read_luh2(path: Path, group: str, coarse_rows: slice, coarse_cols: slice) -> Luh2:
    stored = open_cube(path, group)["luh2_state"].isel(lat=coarse_rows, lon=coarse_cols).load()
    fields = {str(n): stored.sel(state=n, drop=True) for n in stored["state"].to_numpy()}
    return Luh2(
        [int(y) for y in stored["time"]], list(fields), stored.to_numpy(), whole_cell_fractions(xr.Dataset(fields))
    )


def whole_cell_fractions(states: xr.Dataset) -> np.ndarray:
    """Class fractions of whole cells from LUH2's states; ocean, ice and water, which it does not tell apart, are 0.

    Returns
    -------
    numpy.ndarray, shape (year, class, Y, X), float32
        Sums to 1 over the classes.
    """
    land = state_class_fractions(states).transpose("time", "cover_class", "lat", "lon").to_numpy()
    known = np.nan_to_num(sum(states[n] for n in STATES).to_numpy())  # type: ignore[union-attr]
    fraction = np.nan_to_num(land) * np.clip(known, 0, 1)[:, None]
    fraction[:, 0] += 1 - fraction.sum(1)
    return fraction.astype(np.float32)


def read_region(path: Path, run: Run, region: str, scenario: str = "", halo: int = 0) -> RegionCube:
    """One region of the run's cube, read into memory.

    Parameters
    ----------
    path : pathlib.Path
        The store.
    run : Run
    region : str
        One of ``run.regions``.
    scenario : str
        LUH2 of that scenario instead of the history; one of ``run.inputs.scenarios``.
    halo : int
        Cells of the neighbours to read beyond the region's edges, a multiple of 25; fewer at the run's own edge.

    Returns
    -------
    RegionCube
    """
    if region not in run.regions:
        raise ValueError(f"region {region!r} is not one of run {run.name}: {list(run.regions)}.")
    fine, coarse = open_cube(path, "fine"), open_cube(path, "coarse")
    layout = plan_layout(run, fine["land_use"])
    rows, cols = (
        slice(max(part.start - halo, 0), min(part.stop + halo, size))
        for part, size in zip(layout.regions[region], layout.grid.shape, strict=True)
    )
    coarse_rows, coarse_cols = (slice(p.start // COARSE_CELLS, -(-p.stop // COARSE_CELLS)) for p in (rows, cols))
    fine = fine.isel(lat=rows, lon=cols).load()
    coarse = coarse.isel(lat=coarse_rows, lon=coarse_cols).load()
    shape = fine["land_use"].shape[1:]
    group = f"luh2-{scenario}" if scenario else "luh2"
    luh2 = _read_luh2(path, group, coarse_rows, coarse_cols) if run.inputs.luh2 else None
    static = {str(n): v.to_numpy() for n, v in fine.data_vars.items() if v.dims == ("lat", "lon")}
    static |= {
        str(n): refine_step(v.to_numpy(), COARSE_CELLS, (shape[0], shape[1]))
        for n, v in coarse.data_vars.items() if v.dims == ("lat", "lon")
    }  # fmt: skip
    if has_relief(path):
        relief = xr.open_zarr(path, group="relief", consolidated=False).load()["elevation"]
        static["elevation"] = relief.interp(lat=fine["lat"], lon=fine["lon"]).to_numpy().astype(np.float32)
    return RegionCube(
        region, layout.grid.cut(rows, cols), [int(y) for y in fine["time"]], fine["land_use"].to_numpy(),
        coarse["land_use_fraction"].to_numpy(), coarse["data_area"].to_numpy(),
        # Sorted: a store lists its arrays in any order, and features must come in one.
        {name: static[name] for name in sorted(static)}, luh2,
    )  # fmt: skip


def coarse_pair(cube: RegionCube, prior_year: int, year: int, cells: int, source: str) -> np.ndarray:
    """Class fractions of the prior and the target year on blocks of ``cells``, (2, class, Y, X) float32.

    Parameters
    ----------
    source : {'perfect', 'luh2'}
        Aggregated from the maps themselves, or LUH2's.
    """
    if source == "luh2":
        assert cube.luh2 is not None
        return cube.luh2.fraction[[cube.luh2.index(prior_year), cube.luh2.index(year)]]
    index = [cube.years.index(prior_year), cube.years.index(year)]
    return np.stack([coarsen_fractions(cube.fraction[i], cube.area[i], cells // COARSE_CELLS)[0] for i in index])


def luh2_states(cube: RegionCube, year: int, source: str) -> dict[str, np.ndarray]:
    """LUH2's states of one year by name, each (Y, X); empty where the coarse input is perfect."""
    if source != "luh2":
        return {}
    assert cube.luh2 is not None
    return dict(zip(cube.luh2.names, cube.luh2.states[cube.luh2.index(year)], strict=True))


def make_batch(
    cube: RegionCube, prior_year: int, year: int, coarse_cells: tuple[int, ...], hidden: np.ndarray | None = None,
    statics: bool = True, source: str = "perfect", prior: np.ndarray | None = None,
) -> Batch:  # fmt: skip
    """Inputs of one case: its prior (hidden where it must be), coarse fields of both years, statics.

    Parameters
    ----------
    prior : numpy.ndarray, shape (y, x), uint8, optional
        Map to start from instead of the observed one of ``prior_year``.
    """
    prior = cube.map(prior_year) if prior is None else prior
    valid = prior != NO_DATA
    if hidden is not None:
        prior = np.where(hidden, NO_DATA, prior).astype(np.uint8)
    coarse = {cells: coarse_pair(cube, prior_year, year, cells, source)[None] for cells in coarse_cells}
    states = {n: v[None] for n, v in luh2_states(cube, year, source).items()}
    years = np.array([year - prior_year], np.float32)
    return Batch(prior[None], years, coarse, valid[None], cube.static if statics else {}, states=states)
