"""How a region is read out of a run's cube: which cells, which years, and what of it stays in memory."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr

from ai4land.cube import has_relief, open_cube, plan_layout
from ai4land.cube.layout import Layout
from ai4land.grid import COARSE_CELLS, Grid, grid_of
from ai4land.regrid import cut_around
from ai4land.runs import SHARED, Run
from ai4land.samples.region import Layer, Read, Region, layer_of, within
from ai4land.samples.states import loaded_fractions, open_states
from ai4land.sources.climate import read_climate_variables
from ai4land.sources.inputs import check_cover_versions
from ai4land.store import unpack
from ai4land.vegetation import MONTHS, Vegetation
from ai4land.windows import WHOLE, Window, bounding

LAND_USE = ("land_use",)
VEGETATION = ("land_use", "land_cover", "leaf_area_index")
_KEPT = 1 << 28  # bytes of the years of one layer that stay in memory, with vegetation


def read_region(
    path: Path, run: Run, region: str, scenario: str | None = None, halo: int = 0, resident: bool = True,
    fields: Collection[str] = LAND_USE,
) -> Region:  # fmt: skip
    """One region of the run's cube; its fields are read where they are asked for.

    Coarse fields stay in memory once they were read. With land cover or leaf area, maps and seasons of whole years
    stay there while they fit into 256 MB a layer, the years used last; LUH2 and the climate are there of the years of
    the run's experiments and of its product, and of the year before each (3.4 KB a year and 0.25 degree cell of the
    climate: 0.07 GB a year for 20 x 60 degrees).

    Parameters
    ----------
    path : pathlib.Path
        The store.
    run : Run
    region : str
        One of ``run.regions``, or `ai4land.runs.SHARED` for all of them; with land cover or leaf area one of
        ``run.vegetation.regions``.
    scenario : str, optional
        LUH2, climate and CO2 go on with it after the history; one of ``run.inputs.scenarios``. With land cover or leaf
        area ``run.vegetation.scenario`` where absent.
    halo : int
        Cells of the neighbours to read beyond the region's edges, a multiple of 25; fewer at the run's own edge, with
        land cover or leaf area at the edge of the rectangle around all regions that have them.
    resident : bool
        Fine fields stay in memory once they were read. False leaves them in the store, for regions that do not fit.
    fields : collection of str
        What is predicted: `LAND_USE`, or of `VEGETATION`.

    Returns
    -------
    Region
        Climate of whole years only.

    Raises
    ------
    ValueError
        If the run has no such region, or no vegetation, or not in this region, or the scenario is not among its inputs
        or starts after a gap, or an experiment takes land cover of two versions
        (`ai4land.sources.inputs.check_cover_versions`).
    FileNotFoundError
        If there is no cube, or it lacks what vegetation needs.
    """
    if halo % COARSE_CELLS:
        raise ValueError(f"halo {halo} is no multiple of {COARSE_CELLS} cells: coarse cells would be cut; choose one.")
    with_vegetation = bool(set(fields) - set(LAND_USE))
    if with_vegetation:
        vegetation, regions = _settings(run, region)
        scenario = _known_scenario(run, scenario or vegetation.scenario)
        years: Collection[int] | None = _needed_years(vegetation, scenario)
        _check_groups(path)
    elif region not in (*run.regions, SHARED):
        raise ValueError(f"region {region!r} is not one of run {run.name}: {list(run.regions)}.")
    else:
        regions, years = (), run.map_years if region == SHARED else None
    layout = plan_layout(run, open_cube(path, "fine")["land_use"])
    window = _around(layout, regions, region, halo)
    grid, blocks = layout.grid.cut(*window), window.coarse()
    keep = partial(_keep, kept=(_KEPT if with_vegetation else None) if resident else 0)
    layers = _land_use(path, window, keep) | _static(path, window, resident)
    if run.inputs.luh2:
        layers |= _luh2(path, blocks, scenario, years)
    if with_vegetation:
        layers |= {"land_cover": _maps(path, "land_cover", "land_cover", window, keep)}
        layers |= {"leaf_area_index": _seasons(path, window, keep)}
        layers |= {"climate": _climate(path, scenario, grid, years or ()), "co2": layer_of(_co2(path, scenario))}
    return Region(region, grid, window.corner, layers, resident)


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


def _needed_years(vegetation: Vegetation, scenario: str | None) -> list[int]:
    """Years of LUH2 and the climate that models of vegetation see: those of the run, and the year before each."""
    product = vegetation.model_copy(update={"scenario": scenario}).product_years
    return sorted({year - back for year in (*vegetation.years, *product) for back in (0, 1)})


def _check_groups(path: Path) -> None:
    lacking = [name for name in ("land_cover", "lai", "climate", "co2") if not (path / name).is_dir()]
    if path.is_dir() and lacking:
        raise FileNotFoundError(f"{path}: has no {', '.join(lacking)}; run 01-download and 02-regrid again.")


def _around(layout: Layout, regions: Sequence[str], region: str, halo: int) -> Window:
    """Rows and columns of a region with its halo, inside the rectangle around several regions (none: the run)."""
    whole = Window.whole(layout.grid.shape)
    limits = bounding([layout.regions[name] for name in regions] or [whole])
    return layout.regions.get(region, whole).grown(halo, limits)


Keep = Callable[["_Stored"], Read]


def _keep(read: "_Stored", kept: int | None) -> Read:
    return _Kept(read, read.size, kept)


def _position(path: Path, group: str) -> dict[int, int]:
    """Years of a group, and where they stand in it."""
    return {int(year): i for i, year in enumerate(open_cube(path, group)["time"].to_numpy())}


def _maps(path: Path, group: str, name: str, cells: Window, keep: Keep) -> Layer:
    first = _position(path, group)
    return Layer(keep(_Stored(zarr.open_array(path / group / name, mode="r"), cells, first)), tuple(first))


def _land_use(path: Path, window: Window, keep: Keep) -> dict[str, Layer]:
    """Maps of land use, and what was aggregated from them."""
    coarse, position = open_cube(path, "coarse"), _position(path, "coarse")
    blocks = dict(zip(("lat", "lon"), window.coarse(), strict=True))
    layers = {"land_use": _maps(path, "fine", "land_use", window, keep)}
    for name in ("land_use_fraction", "data_area"):
        layers[name] = Layer(_AllYears(coarse[name].isel(blocks).to_numpy, position), tuple(position))
    return layers


def _luh2(path: Path, blocks: Window, scenario: str | None, years: Collection[int] | None) -> dict[str, Layer]:
    stored = open_states(path, blocks, scenario, years)
    position = {int(year): i for i, year in enumerate(stored["time"].to_numpy())}
    # Both load ``stored`` itself, once.
    return {
        "luh2_state": Layer(
            _AllYears(partial(_loaded, stored), position), tuple(position), tuple(map(str, stored["state"].to_numpy()))
        ),
        "luh2_fraction": Layer(_AllYears(partial(loaded_fractions, stored), position), tuple(position)),
    }


def _loaded(stored: xr.DataArray) -> np.ndarray:
    return stored.load().to_numpy()


def _static(path: Path, window: Window, resident: bool) -> dict[str, Layer]:
    """Layers that stand still: relief, soil, climate zones, LUH2's static fields."""
    fine, coarse = open_cube(path, "fine"), open_cube(path, "coarse")
    blocks = dict(zip(("lat", "lon"), window.coarse(), strict=True))
    reads: dict[str, Read] = {
        str(name): _Stored(zarr.open_array(path / "fine" / str(name), mode="r"), window)
        for name, values in fine.data_vars.items() if values.dims == ("lat", "lon")
    }  # fmt: skip
    for name, values in coarse.data_vars.items():
        if values.dims == ("lat", "lon"):
            reads[str(name)] = _Stepped(values.isel(blocks).to_numpy, window.shape)
    if resident:
        reads = {name: _Kept(read, 0, None) for name, read in reads.items()}
    if has_relief(path):
        reads["elevation"] = _Relief(path, fine["lat"][window[0]], fine["lon"][window[1]])
    return {name: Layer(read) for name, read in reads.items()}


def _seasons(path: Path, cells: Window, keep: Keep) -> Layer:
    """Leaf area of the years of which all months are there."""
    first = _whole_years(open_cube(path, "lai")["time"])
    array = zarr.open_array(path / "lai" / "leaf_area_index", mode="r")
    return Layer(_Unpacked(keep(_Stored(array, cells, first, MONTHS)), dict(array.attrs)), tuple(first))


def _whole_years(time: xr.DataArray) -> dict[int, int]:
    """Years of which all twelve months are there, and the position of their January."""
    years, first, count = np.unique(time.dt.year, return_index=True, return_counts=True)
    return {int(y): int(i) for y, i, n in zip(years, first, count, strict=True) if n == MONTHS}


def _climate(path: Path, scenario: str | None, grid: Grid, years: Collection[int]) -> Layer:
    """Whole years of the climate around a region, those of ``years`` that are there."""
    names = list(map(str, read_climate_variables().index))
    parts = [open_cube(path, group)[names] for group in ("climate", *([f"climate-{scenario}"] if scenario else []))]
    joined = xr.concat(parts, "time", join="exact", coords="minimal", compat="override")
    first = {year: at for year, at in _whole_years(joined["time"]).items() if year in years}
    cut = [cut_around(joined[name], grid) for name in names]
    return Layer(_Kept(_Months(cut, first), 0, None), tuple(first), tuple(names), grid_of(cut[0]))


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


@dataclass(frozen=True)
class _Stored:
    """Some cells of a stored array, (..., y, x); of a year ``steps`` time steps, from position ``first[year]`` on."""

    array: zarr.Array
    cells: Window
    first: Mapping[int, int] | None = None
    steps: int = 1

    def __call__(self, year: Any, window: Window) -> np.ndarray:
        rows, cols = within(window, self.cells)
        if self.first is None:
            return np.asarray(self.array[rows, cols])
        first = self.first[year]
        time = first if self.steps == 1 else slice(first, first + self.steps)
        return np.asarray(self.array[time, ..., rows, cols])

    @property
    def size(self) -> int:
        """Bytes of all cells of a year."""
        return self.steps * int(np.prod(self.cells.shape)) * self.array.dtype.itemsize


class _Kept:
    """Whole years of a layer that stay in memory, the last ones used, up to a number of bytes (None: all)."""

    def __init__(self, read: Read, size: int, kept: int | None) -> None:
        self.read, self.size, self.kept = read, size, kept
        self.whole = lru_cache(None if kept is None else kept // size)(lambda year: read(year, WHOLE))

    def __call__(self, year: Any, window: Window) -> np.ndarray:
        if self.kept is None:
            return self.whole(year)[(..., *window)]
        return self.whole(year)[(..., *window)].copy() if self.size <= self.kept else self.read(year, window)

    def __reduce__(self) -> tuple:
        return _Kept, (self.read, self.size, self.kept)


@dataclass(frozen=True)
class _Unpacked:
    """A packed field in its units; in memory it stays packed."""

    read: Read
    packing: Mapping[str, Any]

    def __call__(self, year: Any, window: Window) -> np.ndarray:
        return unpack(self.read(year, window), self.packing)


@dataclass(frozen=True)
class _AllYears:
    """A coarse field (year, ..., Y, X) that is read at its first use."""

    load: Callable[[], np.ndarray]
    position: Mapping[int, int]

    @cached_property
    def values(self) -> np.ndarray:
        return self.load()

    def __call__(self, year: Any, window: Window) -> np.ndarray:
        return self.values[(self.position[year], ..., *window)]


@dataclass(frozen=True)
class _Stepped:
    """Coarse values (Y, X) that are repeated over their fine cells where they are cut."""

    load: Callable[[], np.ndarray]
    shape: tuple[int, int]

    @cached_property
    def coarse(self) -> np.ndarray:
        return self.load()

    def __call__(self, year: Any, window: Window) -> np.ndarray:
        rows, cols = (np.arange(*part.indices(n)) // COARSE_CELLS for part, n in zip(window, self.shape, strict=True))
        return self.coarse[np.ix_(rows, cols)]


@dataclass(frozen=True)
class _Relief:
    """Elevation from a coarse grid, bilinear between its centres."""

    path: Path
    lat: xr.DataArray
    lon: xr.DataArray

    @cached_property
    def values(self) -> np.ndarray:
        relief = xr.open_zarr(self.path, group="relief", consolidated=False).load()["elevation"]
        return relief.interp(lat=self.lat, lon=self.lon).to_numpy().astype(np.float32)

    def __call__(self, year: Any, window: Window) -> np.ndarray:
        return self.values[window]


@dataclass(frozen=True)
class _Months:
    """Climate of a year, its variables side by side."""

    fields: list[xr.DataArray]
    first: Mapping[int, int]

    def __call__(self, year: Any, window: Window) -> np.ndarray:
        first = self.first[year]
        months = [field.isel(time=slice(first, first + MONTHS)).to_numpy() for field in self.fields]
        return np.stack(months, 1)[(..., *window)]
