"""SoilGrids 2.0: sand, silt and clay on the Interrupted Goode Homolosine projection.

Traps: mapped units are g kg-1, not per cent; -32768 is no data, with or without a tag that says so, and files
cut by a web service often have 0 there; the projection is in lobes, so one cell of a latitude-longitude grid
can lie in two places of the map; layers of different extent exist and must not be stacked by index.
"""

import re
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
import xarray as xr

from ai4land.grid import Grid
from ai4land.sources.rasters import open_projected_geotiff, warp_to_grid
from ai4land.sources.registry import InputFile

LAYERS = ("sand", "silt", "clay")


def _thickness(depth: str) -> float:
    """Thickness, cm, of a depth interval such as ``5-15cm``."""
    bounds = re.fullmatch(r"(\d+)-(\d+)cm", depth)
    if bounds is None or int(bounds[2]) <= int(bounds[1]):
        raise ValueError(f"depth {depth!r} is no interval such as 5-15cm; take the file names of the publisher.")
    return float(bounds[2]) - float(bounds[1])


def _top(depth: str) -> int:
    return int(depth.split("-")[0])


def _check_same_cells(field: xr.DataArray, first: xr.DataArray, path: Path) -> None:
    cell = abs(float(first.x[1] - first.x[0]))
    same = field.shape == first.shape and field.attrs["crs"] == first.attrs["crs"]
    if not same or any(abs(field[d].to_numpy() - first[d].to_numpy()).max() > 1e-3 * cell for d in ("x", "y")):
        shown = [f"{f.shape} from x {float(f.x[0])}, y {float(f.y[0])}" for f in (field, first)]
        raise ValueError(f"{path}: cells are {shown[0]}, of other layers {shown[1]}; take all layers from one release.")


def _mean_over_depths(files: list[InputFile], first: xr.DataArray) -> xr.DataArray:
    """Thickness-weighted mean of one layer as a mass fraction (1); NaN where a depth has no data."""
    weight = {f.path: _thickness(f.keys["depth"]) for f in files}
    parts = []
    for file in files:
        field = open_projected_geotiff(file.path)
        _check_same_cells(field, first, file.path)
        nodata = field.attrs["nodata"]
        valid = field >= 0
        if nodata is not None and np.isfinite(nodata) and nodata != 0:
            valid &= field != nodata
        share = np.float32(weight[file.path] / sum(weight.values()) / 1000)  # g kg-1 to 1
        parts.append((field.where(valid).astype(np.float32) * share).assign_coords(x=first.x, y=first.y))
    return reduce(add, parts)


def open_soilgrids_geotiff(files: list[InputFile], version: str) -> xr.Dataset:
    """Texture of the fine earth, mean over the depths that are there, on SoilGrids' own projected grid.

    Parameters
    ----------
    files : list of InputFile
        One file for each ``layer`` (sand, silt, clay) and ``depth`` (``0-5cm`` ...), the same depths for all
        layers and one resolution: int16, g kg-1, no data -32768.
    version : str
        SoilGrids release.

    Returns
    -------
    xarray.Dataset, (y, x) float32, lazy, north to south
        ``sand_fraction``, ``silt_fraction``, ``clay_fraction``: mass fraction of the fine earth (1), the mean
        over the depths weighted by their thickness; NaN where a depth has no data, and where all three are 0.
        ``attrs``: ``crs`` (WKT), ``depths``.

    Raises
    ------
    ValueError
        If a layer or a depth is missing, or files differ in their cells.

    References
    ----------
    Poggio et al. (2021), doi:10.5194/soil-7-217-2021
    """
    by_layer = {name: [f for f in files if f.keys["layer"] == name] for name in LAYERS}
    depths = {name: sorted({f.keys["depth"] for f in found}, key=_top) for name, found in by_layer.items()}
    if not all(depths.values()) or len({tuple(d) for d in depths.values()}) > 1:
        raise ValueError(f"SoilGrids: depths found are {depths}; give sand, silt and clay for the same depths.")
    first = open_projected_geotiff(files[0].path)
    fields = {f"{name}_fraction": _mean_over_depths(found, first) for name, found in by_layer.items()}
    # Three fractions that make up the fine earth cannot all be 0: this is a no data value that lost its tag.
    some = reduce(add, fields.values()) > 0
    for name, field in fields.items():
        fields[name] = field.where(some)
        fields[name].attrs = {"long_name": f"mass fraction of {name.split('_')[0]} in the fine earth", "units": "1"}
    shared = {"version": version, "crs": first.attrs["crs"], "depths": " ".join(depths["sand"])}
    return xr.Dataset(fields, attrs=shared)


def warp_soil(soil: xr.Dataset, grid: Grid) -> xr.Dataset:
    """Soil texture on a latitude-longitude grid, as `ai4land.sources.rasters.warp_to_grid` samples it.

    Parameters
    ----------
    soil : xarray.Dataset, (y, x) float32
        Of `open_soilgrids_geotiff`.
    grid : Grid

    Returns
    -------
    xarray.Dataset, (lat, lon) float32
        ``sand_fraction``, ``silt_fraction``, ``clay_fraction`` (1); NaN where there is no soil data.
        ``attrs["depths"]``.

    Raises
    ------
    ValueError
        If the grid lies outside the data.
    """
    warped = warp_to_grid(soil, grid)
    warped.attrs = {name: soil.attrs[name] for name in ("version", "depths")}
    return warped
