"""One region's land cover, leaf area and what they are predicted from, out of a run's cube."""

from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import xarray as xr
import zarr

from ai4land.cube import open_cube, plan_layout
from ai4land.cube.layout import Layout, coarse_window
from ai4land.grid import COARSE_CELLS, Grid, grid_of
from ai4land.regrid import cut_around
from ai4land.runs import Run
from ai4land.samples.states import read_luh2
from ai4land.samples.static import read_static
from ai4land.samples.vegetation import Climate, VegetationCube, Window, Yearly
from ai4land.sources.climate import read_climate_variables
from ai4land.sources.inputs import check_cover_versions
from ai4land.store import unpack
from ai4land.vegetation import MONTHS, Vegetation

_KEPT = 1 << 28  # bytes of the years of one layer that stay in memory


def read_vegetation(
    path: Path, run: Run, region: str, scenario: str | None = None, halo: int = 0
) -> VegetationCube:  # fmt: skip
    """One region of the run's cube, for models of land cover and leaf area.

    Maps and seasons are read where they are cut; those of whole years are kept while they fit into 256 MB a layer, the
    years used last. In memory are the static layers (4 bytes a layer and cell: 0.6 GB for 20 x 60 degrees), and of
    LUH2 and the climate the years of the run's experiments and of its product, and the year before each (3.4 KB a year
    and 0.25 degree cell of the climate: 0.07 GB a year for 20 x 60 degrees).

    Parameters
    ----------
    path : pathlib.Path
        The store.
    run : Run
    region : str
        One of ``run.vegetation.regions``.
    scenario : str, optional
        LUH2, climate and CO2 go on with it after the history; ``run.vegetation.scenario`` where absent.
    halo : int
        Cells of the neighbours to read beyond the region's edges, a multiple of 25; fewer at the edge of the
        rectangle around all regions that have land cover and leaf area.

    Returns
    -------
    VegetationCube
        Climate of whole years only.

    Raises
    ------
    ValueError
        If the run has no vegetation, or not in this region, or the scenario is not among its inputs, or an experiment
        takes land cover of two versions (`ai4land.sources.inputs.check_cover_versions`).
    FileNotFoundError
        If the cube lacks what vegetation needs.
    """
    vegetation, regions = _settings(run, region)
    scenario = _known_scenario(run, scenario or vegetation.scenario)
    lacking = [name for name in ("land_cover", "lai", "climate", "co2") if not (path / name).is_dir()]
    if path.is_dir() and lacking:
        raise FileNotFoundError(f"{path}: has no {', '.join(lacking)}; run 01-download and 02-regrid again.")
    fine, coarse = open_cube(path, "fine"), open_cube(path, "coarse")
    layout = plan_layout(run, fine["land_use"])
    window = _around(layout, regions, region, halo)
    blocks, grid = coarse_window(window), layout.grid.cut(*window)
    product = vegetation.model_copy(update={"scenario": scenario}).product_years
    years = sorted({y - back for y in (*vegetation.years, *product) for back in (0, 1)})
    fine, coarse = (data.isel(lat=part[0], lon=part[1]) for data, part in ((fine, window), (coarse, blocks)))
    still = fine.drop_dims("time"), coarse.drop_dims("time").load()
    return VegetationCube(
        region, grid, (window[0].start, window[1].start), read_static(path, *still),
        _maps(path, "fine", "land_use", window), _maps(path, "land_cover", "land_cover", window),
        _seasons(path, window), _climate(path, scenario, grid, years), _co2(path, scenario),
        read_luh2(path, *blocks, scenario, years) if run.inputs.luh2 else None,
    )  # fmt: skip


def _settings(run: Run, region: str) -> tuple[Vegetation, Sequence[str]]:
    """Settings of a run's vegetation, and the regions that have it, this one among them."""
    if run.vegetation is None:
        raise ValueError(f"run {run.name} has no vegetation; add that section to its run.yml (ai4land.vegetation).")
    check_cover_versions(run)
    regions = run.vegetation.regions or run.regions
    if region not in regions:
        raise ValueError(f"region {region!r} has no vegetation in run {run.name}; those that have are {list(regions)}.")
    return run.vegetation, regions


def _known_scenario(run: Run, scenario: str | None) -> str | None:
    roles = ["climate_scenarios", "co2_scenarios", *(["scenarios"] if run.inputs.luh2 else [])]
    if lacking := [r for r in roles if scenario and scenario not in getattr(run.inputs, r)]:
        raise ValueError(f"run {run.name}: scenario {scenario} is not among {lacking} of its inputs; add it there.")
    return scenario


def _around(layout: Layout, regions: Sequence[str], region: str, halo: int) -> Window:
    """Rows and columns of a region with its halo, inside the rectangle around several regions."""
    if halo % COARSE_CELLS:
        raise ValueError(f"halo {halo} is no multiple of {COARSE_CELLS} cells: coarse cells would be cut; choose one.")
    rows, cols = (
        slice(max(own.start - halo, min(p.start for p in parts)), min(own.stop + halo, max(p.stop for p in parts)))
        for own, parts in zip(
            layout.regions[region], zip(*(layout.regions[r] for r in regions), strict=True), strict=True
        )
    )
    return rows, cols


def _reader(array: zarr.Array, first: dict[int, int], steps: int, cells: Window) -> Callable[[int, Window], np.ndarray]:
    """Reads ``steps`` time steps of a year, (step, y, x), in a window of some cells of a stored array."""
    shape = cells[0].stop - cells[0].start, cells[1].stop - cells[1].start
    size = steps * shape[0] * shape[1] * array.dtype.itemsize

    def stored(year: int, rows: slice, cols: slice) -> np.ndarray:
        return np.asarray(array[first[year] : first[year] + steps, rows, cols])

    @lru_cache(maxsize=_KEPT // size)
    def whole(year: int) -> np.ndarray:
        return stored(year, *cells)

    def read(year: int, window: Window) -> np.ndarray:
        rows, cols = (slice(*part.indices(n)) for part, n in zip(window, shape, strict=True))
        if size <= _KEPT:
            return whole(year)[:, rows, cols].copy()
        return stored(
            year, *(slice(c.start + p.start, c.start + p.stop) for c, p in zip(cells, (rows, cols), strict=True))
        )

    return read


def _maps(path: Path, group: str, name: str, cells: Window) -> Yearly:
    first = {int(year): i for i, year in enumerate(open_cube(path, group)["time"].to_numpy())}
    read = _reader(zarr.open_array(path / group / name, mode="r"), first, 1, cells)
    return Yearly(name.replace("_", " "), list(first), lambda year, window: read(year, window)[0])


def _seasons(path: Path, cells: Window) -> Yearly:
    """Leaf area of the years of which all months are there."""
    first = _whole_years(open_cube(path, "lai")["time"])
    array = zarr.open_array(path / "lai" / "leaf_area_index", mode="r")
    read, packing = _reader(array, first, MONTHS, cells), dict(array.attrs)
    return Yearly("leaf area index", list(first), lambda year, window: unpack(read(year, window), packing))


def _whole_years(time: xr.DataArray) -> dict[int, int]:
    """Years of which all twelve months are there, and the position of their January."""
    years, first, count = np.unique(time.dt.year, return_index=True, return_counts=True)
    return {int(y): int(i) for y, i, n in zip(years, first, count, strict=True) if n == MONTHS}


def _climate(path: Path, scenario: str | None, grid: Grid, years: Collection[int]) -> Climate:
    """Whole years of the climate around a region, those of ``years`` that are there."""
    names = list(map(str, read_climate_variables().index))
    parts = [open_cube(path, group)[names] for group in ("climate", *([f"climate-{scenario}"] if scenario else []))]
    joined = xr.concat(parts, "time", join="exact", coords="minimal", compat="override")
    whole = [year for year in _whole_years(joined["time"]) if year in years]
    chosen = joined.isel(time=np.isin(joined["time"].dt.year, whole))
    cut = [cut_around(chosen[name], grid) for name in names]
    values = np.stack([field.to_numpy() for field in cut], 1)  # (time, variable, Y, X)
    return Climate(names, grid_of(cut[0]), whole, values.reshape(len(whole), MONTHS, *values.shape[1:]))


def _co2(path: Path, scenario: str | None) -> dict[int, float]:
    groups = "co2", *([f"co2-{scenario}"] if scenario else [])
    return {year: value for group in groups for year, value in annual_co2(open_cube(path, group)["co2"]).items()}


def annual_co2(co2: xr.DataArray) -> dict[int, float]:
    """Mole fraction of carbon dioxide by year.

    Parameters
    ----------
    co2 : xarray.DataArray, shape (time,)
        1e-6, of `ai4land.sources.co2`: by calendar year, or by month (datetime64).

    Returns
    -------
    dict of int to float
        1e-6; of months the mean of their year, each counting the same. Years with a month missing are left out.
    """
    values = co2.to_numpy()
    if co2["time"].dtype.kind == "M":
        means = {year: values[i : i + MONTHS].mean() for year, i in _whole_years(co2["time"]).items()}
    else:
        means = dict(zip(co2["time"].to_numpy(), values, strict=True))
    return {int(year): float(value) for year, value in means.items() if np.isfinite(value)}
