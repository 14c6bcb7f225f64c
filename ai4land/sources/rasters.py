"""GeoTIFF to canonical xarray, and from a map projection to a latitude-longitude grid."""

from math import ceil
from pathlib import Path

import numpy as np
import rioxarray
import xarray as xr
from rasterio.crs import CRS
from rasterio.warp import transform

from ai4land.grid import EARTH_RADIUS, Grid

_BLOCK = 1024  # sampling points along one side of a block: bounds memory, whatever the grid
_LONLAT = CRS.from_epsg(4326)


def _open_band(path: Path) -> xr.DataArray:
    raster = rioxarray.open_rasterio(path, chunks={"y": 2000, "x": 2000})
    assert isinstance(raster, xr.DataArray)
    if raster.sizes["band"] != 1:
        raise ValueError(f"{path}: {raster.sizes['band']} bands, expected one map a file.")
    crs, nodata = raster.rio.crs, raster.rio.nodata
    field = raster.isel(band=0, drop=True).drop_vars("spatial_ref")
    field.attrs, field.encoding = {"nodata": nodata, "crs": crs}, {}
    return field if field.y[0] > field.y[-1] else field.isel(y=slice(None, None, -1))


def open_geotiff(path: Path) -> xr.DataArray:
    """One band of a latitude-longitude GeoTIFF on its own grid, lazy.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    xarray.DataArray, shape (lat, lon)
        Publisher's dtype and values; the file's nodata value in ``attrs["nodata"]`` (None if it has none).

    Raises
    ------
    ValueError
        If the file is not in longitude and latitude, or has several bands.
    """
    field = _open_band(path)
    crs = field.attrs.pop("crs")
    if crs is None or not crs.is_geographic:
        raise ValueError(f"{path}: coordinate system is {crs}, expected longitude and latitude (EPSG:4326).")
    return field.rename(y="lat", x="lon")


def open_projected_geotiff(path: Path) -> xr.DataArray:
    """One band of a GeoTIFF (or VRT) on the grid of its own map projection, lazy.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    xarray.DataArray, shape (y, x)
        Publisher's dtype and values, north to south; ``attrs`` hold the file's ``nodata`` value (None if it has
        none) and its coordinate system ``crs``, WKT.

    Raises
    ------
    ValueError
        If the file does not say its coordinate system, or has several bands.
    """
    field = _open_band(path)
    if field.attrs["crs"] is None:
        raise ValueError(f"{path}: no coordinate system in the file; write it with gdal_edit.py -a_srs.")
    field.attrs["crs"] = field.attrs["crs"].to_wkt()
    return field


def _edges(centres: np.ndarray) -> tuple[float, float]:
    """Outer edge of the first cell, and the signed cell size."""
    step = (centres[-1] - centres[0]) / (centres.size - 1)
    return float(centres[0] - step / 2), float(step)


def _points_per_cell(fields: xr.Dataset, crs: CRS, grid: Grid) -> int:
    """Sampling points along one side of a target cell: 1 where source cells are of about its size or larger."""
    metres = np.radians(1.0) * EARTH_RADIUS if crs.is_geographic else crs.linear_units_factor[1]
    times = grid.dlat * np.radians(1.0) * EARTH_RADIUS / (abs(_edges(fields["y"].to_numpy())[1]) * metres)
    # Two points to three source cells, against the beat of one to one: rows of the map may be parallels.
    return 1 if times < 1.5 else ceil(1.5 * times)


def _sample(fields: xr.Dataset, crs: CRS, points: Grid) -> np.ndarray | None:
    """Source cells that hold the centres of ``points``: (variable, rows, cols) float32; None if all lie outside."""
    lon, lat = np.meshgrid(points.lon, points.lat)
    found = transform(_LONLAT, crs, lon.ravel(), lat.ravel())
    index, inside = {}, np.ones(lon.size, bool)
    for name, where in zip(("x", "y"), found, strict=True):
        first, step = _edges(fields[name].to_numpy())
        cell = np.floor((np.asarray(where) - first) / step)
        inside &= (cell >= 0) & (cell < fields.sizes[name])  # a centre that has no place on the map is inf
        index[name] = cell
    if not inside.any():
        return None
    used = {name: cell[inside].astype(np.intp) for name, cell in index.items()}
    part = fields.isel({name: slice(cell.min(), cell.max() + 1) for name, cell in used.items()})
    values = part.to_dataarray().transpose("variable", "y", "x").to_numpy()
    out = np.full((len(fields), lon.size), np.nan, np.float32)
    out[:, inside] = values[:, used["y"] - used["y"].min(), used["x"] - used["x"].min()]
    return out.reshape(-1, *points.shape)


def warp_to_grid(fields: xr.Dataset, grid: Grid) -> xr.Dataset:
    """Quantities on a map projection, brought onto a latitude-longitude grid.

    Each target cell is sampled at evenly spaced points, closer than the source cells, and takes the mean of the
    points with a value; where source cells are of about its own size or larger, the value at its centre.
    Every point is projected by itself: the averaging of GDAL's warper reads the box between the projected corners
    of a cell, which spans two lobes of an interrupted projection and takes in land from elsewhere.

    Parameters
    ----------
    fields : xarray.Dataset, (y, x) float32
        Quantities on the regular grid of a projection, NaN missing; ``attrs["crs"]`` is its WKT.
    grid : Grid
        Wanted cells, longitude and latitude of WGS84.

    Returns
    -------
    xarray.Dataset, (lat, lon) float32
        The same variables and units; NaN where no point has a value.

    Raises
    ------
    ValueError
        If the grid lies outside the data.
    """
    crs = CRS.from_wkt(fields.attrs["crs"])
    times = _points_per_cell(fields, crs, grid)
    block = max(1, _BLOCK // times)
    out = np.full((len(fields), *grid.shape), np.nan, np.float32)
    touched = False
    for top in range(0, grid.rows, block):
        for left in range(0, grid.cols, block):
            rows, cols = slice(top, min(top + block, grid.rows)), slice(left, min(left + block, grid.cols))
            part = grid.cut(rows, cols)
            size = part.rows * times, part.cols * times
            values = _sample(fields, crs, Grid(part.north, part.west, part.dlat / times, part.dlon / times, *size))
            if values is None:
                continue
            touched = True
            points = values.reshape(len(fields), part.rows, times, part.cols, times)
            count = np.isfinite(points).sum((2, 4))
            out[:, rows, cols] = np.nansum(points, (2, 4), dtype=float) / np.where(count > 0, count, np.nan)
    if not touched:
        shown = tuple(round(float(b), 3) for b in grid.bounds)
        raise ValueError(f"{sorted(map(str, fields))}: the grid {shown} (W, S, E, N) lies outside the data.")
    warped = {n: (("lat", "lon"), out[i], fields[n].attrs) for i, n in enumerate(fields)}
    return xr.Dataset(warped, grid.coords())
