"""MODIS leaf area index and land cover of a site, from MODIS' sinusoidal grid to latitude and longitude.

Traps: a row of the sinusoidal grid is a parallel 1/240 degree high, but its cells are 1/240 degree wide at the equator
only, and their columns lean: no regular grid of longitudes has these cells. A date begins its eight days. Water and
built-up land have no value. A cut by MODISTools carries no quality flags: cloudy dates are in it.
"""

from pathlib import Path

import numpy as np
import xarray as xr

from ai4land.grid import EARTH_RADIUS, Grid
from ai4land.legend import check_codes
from ai4land.sources.canonical import canonical
from ai4land.sources.leaf_area_series import concat_series
from ai4land.sources.registry import InputFile

IGBP = np.arange(1, 18)  # land-cover types of MCD12Q1, scheme 1; 17 is water
_ROWS = 240  # of the 500 m grid in a degree
_COLS = 1000  # of the result in a degree: narrower than MODIS' everywhere, and ten make a cell of 0.01 degree
_CELL = EARTH_RADIUS * np.radians(1 / _ROWS)  # m
_LARGEST = 10.0  # m2 m-2, of the publisher's valid range


def shared_areas(south: float, north: float, edges: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Area on the sphere that sinusoidal cells share with latitude-longitude cells between the same two parallels.

    Two intervals (a, b) and (c, d) share min(b, d) - min(a, d) - min(b, c) + min(a, c). A meridian lies at x = R lon
    cos(lat), so the area is that difference of the integral of R min(R lon cos(lat), x) over latitude, which has a
    closed form: on one side of the latitude at which the two cross the first is the smaller, on the other the second.

    Parameters
    ----------
    south, north : float
        Degrees, on one side of the equator.
    edges : numpy.ndarray, shape (x + 1,)
        Of the sinusoidal cells, m, ascending.
    lon : numpy.ndarray, shape (lon + 1,)
        Edges of the other cells, degrees, ascending.

    Returns
    -------
    numpy.ndarray, shape (lon, x), float64
        m2; 0 where cells share an edge at most.
    """
    near, far = sorted(np.abs(np.radians([south, north])))
    meridian = EARTH_RADIUS * np.radians(lon)[:, None]  # x at the equator
    meridian = np.where(meridian == 0, 1e-9, meridian)
    cross = np.arccos(np.clip(edges / meridian, np.cos(far), np.cos(near)))
    to_cross = meridian * (np.sin(cross) - np.sin(near)), edges * (cross - near)
    beyond = meridian * (np.sin(far) - np.sin(cross)), edges * (far - cross)
    # Away from the equator the meridian moves towards x = 0: it is the smaller beyond the crossing in the east.
    least = np.where(meridian > 0, to_cross[1] + beyond[0], to_cross[0] + beyond[1])
    area = EARTH_RADIUS * np.diff(np.diff(least, axis=0), axis=1)
    return np.where(area > 1e-9 * area.max(), area, 0.0)


def _open_site(path: Path, product: str) -> tuple[xr.Dataset, np.ndarray, Grid]:
    """A file's fields, the edges of its columns (m), and the latitude-longitude grid that has its rows."""
    data = xr.open_dataset(path)
    about = {name: data.attrs.get(name) for name in ("product", "crs", "cellsize_m", "xllcorner", "yllcorner")}
    corner = [data.attrs.get(name, np.nan) for name in ("cellsize_m", "xllcorner", "yllcorner")]
    size, left, bottom = lattice = np.array(corner, float) / _CELL
    if (
        not {"lai", "mcd12q1_lc_type1"} <= set(data.data_vars)
        or product not in str(about["product"])
        or "sinusoidal" not in str(about["crs"])
        or not np.abs(lattice - np.rint(lattice)).max() < 0.01  # also where one is missing
        or round(size) != 1
    ):
        raise ValueError(
            f"{path}: expected lai and mcd12q1_lc_type1 of {product} on the 500 m cells of MODIS' sinusoidal grid, "
            f"found {sorted(map(str, data.data_vars))} and {about}; give a cut of that product at its own cells."
        )
    rows, cols = data["mcd12q1_lc_type1"].transpose("y", "x").shape
    edges = (round(left) + np.arange(cols + 1)) * _CELL
    lat = (round(bottom) + np.arange(rows + 1)) / _ROWS
    reach = np.degrees(edges[[0, -1]] / EARTH_RADIUS / np.cos(np.radians(lat))[:, None]) * _COLS
    west, east = int(np.floor(reach.min())), int(np.ceil(reach.max()))
    return data, edges, Grid(float(lat[-1]), west / _COLS, 1 / _ROWS, 1 / _COLS, rows, east - west)


def _means(values: np.ndarray, edges: np.ndarray, grid: Grid) -> np.ndarray:
    """Means by area over the part that has a value, (n, y, x) sinusoidal to (n, lat, lon) float32; NaN where none."""
    out = np.full((len(values), *grid.shape), np.nan, np.float32)
    for row in range(grid.rows):
        area = shared_areas(grid.lat_edges[row + 1], grid.lat_edges[row], edges, grid.lon_edges)
        known = np.isfinite(values[:, row])
        weight = known @ area.T
        out[:, row] = (np.where(known, values[:, row], 0) @ area.T) / np.where(weight > 0, weight, np.nan)
    return out


def open_lai_modis_netcdf(files: list[InputFile], version: str) -> xr.Dataset:
    """Leaf area index of MODIS around a site, every eight days, as MODISTools cuts it out.

    Rows of the result are MODIS' own, 1/240 degree; columns are 1/1000 degree wide, and each cell takes the mean by
    area, on the sphere, of the part of the sinusoidal cells inside it that has a value (`shared_areas`). So means over
    cells of 0.01 degree are those of the sinusoidal cells, but where a column holds a coast or its row is cut.

    Parameters
    ----------
    files : list of InputFile
        NetCDF files of one site, each a stretch of time: ``lai(time, y, x)`` in m2 m-2, rows from north to south;
        attributes ``product``, ``crs``, ``cellsize_m``, ``xllcorner`` and ``yllcorner``.
    version : str
        The product that each file must be of, ``MOD15A2H``; files do not say of which collection.

    Returns
    -------
    xarray.Dataset, (time, lat, lon) float32, in memory
        ``leaf_area_index`` (m2 m-2), NaN where missing, as on water; ``time`` is the first of the eight days,
        ``sensor(time)`` Terra. ``attrs["definition"]`` is ``true``: one side of all leaves, half the area of needles.

    Raises
    ------
    ValueError
        If a file is of another product, grid, cell or scale, or cells or dates clash.

    References
    ----------
    Myneni et al. (2002), doi:10.1016/S0034-4257(02)00074-3; MODISTools, https://github.com/bluegreen-labs/MODISTools
    """
    parts = []
    for file in files:
        data, edges, grid = _open_site(file.path, version)
        lai = data["lai"].transpose("time", "y", "x").to_numpy().astype(np.float32)
        if data["time"].dtype.kind != "M" or not np.isfinite(lai).any() or np.nanmin(lai) < 0:
            raise ValueError(f"{file.path}: lai has no date, no value or one below 0; give MODISTools' values x 0.1.")
        if np.nanmax(lai) > _LARGEST:
            raise ValueError(f"{file.path}: lai reaches {np.nanmax(lai):g} m2 m-2, above {_LARGEST:g}: packed values?")
        made = xr.Dataset({"leaf_area_index": (("time", "lat", "lon"), _means(lai, edges, grid))}, grid.coords())
        made = canonical(made.assign_coords(time=data["time"].to_numpy()), file.path)
        parts.append(made.assign_coords(sensor=("time", ["Terra"] * made.sizes["time"])))
    series = concat_series(parts, [file.path.name for file in files])
    about = {"long_name": "leaf area index", "standard_name": "leaf_area_index", "units": "m2 m-2"}
    series["leaf_area_index"].attrs = about
    return series.assign_attrs(product="MODIS", version=version, definition="true")


def open_modis_land_cover(file: InputFile, version: str) -> xr.DataArray:
    """Shares of the land-cover types of MCD12Q1 that come with the leaf area index, on the same cells.

    Parameters
    ----------
    file : InputFile
        As of `open_lai_modis_netcdf`, with ``mcd12q1_lc_type1(y, x)`` uint8.
    version : str
        The product of the leaf area index.

    Returns
    -------
    xarray.DataArray, (igbp_type, lat, lon) float32, in memory
        Shares (1) of the part of a cell that the file covers, with sum 1; NaN where it covers none. ``igbp_type`` is
        the code of scheme 1, 1 to 17.

    Raises
    ------
    ValueError
        If the file is another, or holds another code.

    References
    ----------
    Friedl et al. (2010), doi:10.1016/j.rse.2009.08.016
    """
    data, edges, grid = _open_site(file.path, version)
    cover = data["mcd12q1_lc_type1"].transpose("y", "x").to_numpy()
    check_codes(cover, IGBP, str(file.path), "types 1 to 17 of MCD12Q1")
    shares = _means((cover == IGBP[:, None, None]).astype(np.float32), edges, grid)
    coords = {"igbp_type": IGBP, **grid.coords()}
    return xr.DataArray(shares, coords, ("igbp_type", "lat", "lon"), "land_cover_share", {"units": "1"})
