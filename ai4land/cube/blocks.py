"""All layers of one shard of a region, from the inputs on their own grids to the cube's cells."""

from pathlib import Path

import dask
import numpy as np
import xarray as xr

from ai4land.cube.layers import (
    coarse_fractions,
    koppen_maps,
    regrid_land_use,
    regrid_luh2_static,
    regrid_terrain,
    relief_is_coarse,
)
from ai4land.cube.store import write_region
from ai4land.grid import CHUNK_CELLS, COARSE_CELLS, Grid, grid_of, region_bounds
from ai4land.legend import NO_DATA, class_codes, read_legend
from ai4land.regrid import area_mean, cut_around, majority_of, nearest
from ai4land.runs import Run
from ai4land.sources import InputFile, find_inputs, open_input
from ai4land.sources.leaf_area_series import monthly_mean
from ai4land.sources.soilgrids import LAYERS, warp_soil
from ai4land.targets import read_target
from ai4land.windows import Window

Inputs = dict[str, list[InputFile]]
_YEARS = 10  # of land use in work at a time
_MONTHS = 4  # of leaf area index
_STEP = np.timedelta64(10, "D")  # the longest time that a date of leaf area index stands for
_ANTARCTICA = -60.0  # degrees north: no soil is mapped south of it


def regrid_block(raw: Path, store: Path, run: Run, cells: Grid, window: Window) -> None:
    """Write every layer of some cells of a cube; nobody else may write their shards meanwhile.

    Parameters
    ----------
    raw : pathlib.Path
        Folder with the raw files.
    store : pathlib.Path
        The cube.
    run : Run
    cells : Grid
        Fine grid of the whole cube.
    window : Window
        Of it: whole shards (chunks, where there are none).

    Raises
    ------
    ValueError, FileNotFoundError
        As the readers of the inputs.
    """
    inputs = find_inputs(run, raw)
    grid = cells.cut(*window)
    with dask.config.set(scheduler="synchronous"):
        _write_land_use(store, run, inputs, grid, window)
        _write_still(store, inputs, grid, window)
        _write_relief(store, inputs, cells, window)
        if _has_vegetation(run, grid):
            _write_land_cover(store, inputs, grid, window)
            _write_leaf_area(store, inputs, grid, window)


def _write_land_use(store: Path, run: Run, inputs: Inputs, grid: Grid, window: Window) -> None:
    cover = open_input(inputs["land_use"]).sel(time=run.map_years)
    for start in range(0, cover.sizes["time"], _YEARS):
        maps = regrid_land_use(cover.isel(time=slice(start, start + _YEARS)), grid)
        write_region(store, "fine", maps.to_dataset(), window)
        write_region(store, "coarse", coarse_fractions(maps), window.coarse())


def _write_still(store: Path, inputs: Inputs, grid: Grid, window: Window) -> None:
    """Climate zones, soil, and LUH2's static fields."""
    zones = nearest(cut_around(open_input(inputs["koppen"]), grid), grid)
    write_region(store, "fine", zones.to_dataset(name="koppen"), window)
    periods = {name: nearest(cut_around(zones, grid), grid) for name, zones in koppen_maps(inputs).items()}
    if periods:
        stack = xr.concat(periods.values(), xr.Variable("period", list(periods)))
        write_region(store, "koppen", stack.to_dataset(name="koppen"), window)
    if "soil" in inputs:
        write_region(store, "fine", _soil(open_input(inputs["soil"]), grid), window)
    if "luh2_static" in inputs:
        coarse = grid.blocks(COARSE_CELLS)
        static = regrid_luh2_static(open_input(inputs["luh2_static"]), coarse)
        write_region(store, "coarse", static, window.coarse())


def _missing(grid: Grid, **more: xr.DataArray) -> xr.DataArray:
    """A field without any value."""
    shape = {**{name: values.size for name, values in more.items()}, "lat": grid.rows, "lon": grid.cols}
    return xr.DataArray(np.full(list(shape.values()), np.nan, np.float32), {**more, **grid.coords()}, list(shape))


def _soil(soil: xr.Dataset, grid: Grid) -> xr.Dataset:
    if grid.bounds[3] <= _ANTARCTICA:
        return xr.Dataset({f"{name}_fraction": _missing(grid) for name in LAYERS})
    if "crs" in soil.attrs:
        return warp_soil(soil, grid)
    return xr.Dataset({name: area_mean(cut_around(field, grid).load(), grid) for name, field in soil.items()})


def _write_relief(store: Path, inputs: Inputs, cells: Grid, window: Window) -> None:
    elevation = open_input(inputs["elevation"])
    if relief_is_coarse(elevation, cells):
        return
    shard = cells.cut(*window)
    whole = xr.Dataset(coords=shard.coords())
    for part in window.tiles((CHUNK_CELLS, CHUNK_CELLS)):
        grid = cells.cut(*part)
        terrain = regrid_terrain(cut_around(elevation, grid).load(), grid)
        inside = part.relative_to(window)
        for name, field in terrain.items():
            if name not in whole:
                whole[name] = ("lat", "lon"), np.full(shard.shape, np.nan, np.float32)
            whole[name].values[inside] = field
    write_region(store, "fine", whole, window)


def _has_vegetation(run: Run, grid: Grid) -> bool:
    """Whether cells of one region lie in one that has land cover and leaf area."""
    regions = run.vegetation.regions if run.vegetation else ()
    west, south, east, north = grid.bounds
    around = [region_bounds(region) for region in regions]
    return not regions or any(w < (west + east) / 2 < e and s < (south + north) / 2 < n for w, s, e, n in around)


def _write_land_cover(store: Path, inputs: Inputs, grid: Grid, window: Window) -> None:
    codes = class_codes(read_legend("land_cover"))
    for role in ("land_cover", "land_cover_later"):
        if role in inputs:
            for cover in open_input(inputs[role])["land_cover"]:
                around = cut_around(cover, grid)
                year = majority_of(around.where(around != 0, NO_DATA).load(), grid, codes)
                dated = year.where(year != NO_DATA, 0).expand_dims(time=[int(cover["time"])])
                write_region(store, "land_cover", dated.to_dataset(name="land_cover"), window)


def _write_leaf_area(store: Path, inputs: Inputs, grid: Grid, window: Window) -> None:
    """Monthly means; cells stay without a value where the data do not reach, as beyond 80 N and 60 S."""
    if "leaf_area_index" not in inputs:
        return
    lai = open_input(inputs["leaf_area_index"])
    if not grid_of(lai).meets(grid):
        return
    around = cut_around(lai["leaf_area_index"], grid).to_dataset()
    known = np.unique(lai["time"].to_numpy().astype("datetime64[M]"))
    for year in np.unique(known.astype("datetime64[Y]")):
        months = known[known.astype("datetime64[Y]") == year]
        for part in np.array_split(months, range(_MONTHS, months.size, _MONTHS)):
            dates = slice(part[0].astype("datetime64[D]") - _STEP, (part[-1] + 1).astype("datetime64[D]"))
            means = monthly_mean(around.sel(time=dates).load())["leaf_area_index"].sel(time=part.astype("M8[ns]"))
            _check_leaf_area(means, year)
            on_cells = xr.concat([area_mean(month, grid) for month in means], means["time"])
            write_region(store, "lai", on_cells.to_dataset(name="leaf_area_index"), window)


def _check_leaf_area(lai: xr.DataArray, year: np.datetime64) -> None:
    largest = read_target("leaf_area_index").bounds[1]
    if (most := float(lai.max())) > largest:
        raise ValueError(
            f"leaf area index of {year} reaches {most:.1f} m2 m-2, more than {largest:g}: the files hold another "
            "quantity or scale than the registry says; give those of the data set that the run names."
        )
