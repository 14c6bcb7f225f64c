"""Moving fields between grids, by area.

Which method suits which field: classes to a coarser grid -> `class_fractions`, then `majority`;
a quantity to a coarser grid -> `area_mean`; classes to a grid of about the same cell -> `nearest`.
"""

from collections.abc import Callable, Iterator

import numpy as np
import xarray as xr
from scipy import sparse

from ai4land.grid import EARTH_RADIUS, Grid, grid_of
from ai4land.legend import NO_DATA, check_codes

Planes = Callable[[slice], Iterator[tuple[int, np.ndarray]]]

_BAND = 64  # target rows in work at a time: bounds memory, whatever the window


def _overlaps(source: np.ndarray, target: np.ndarray) -> sparse.csr_matrix:
    """Length that each target interval shares with each source interval, from ascending edges."""
    first = np.clip(np.searchsorted(source, target[:-1], side="right") - 1, 0, source.size - 2)
    last = np.clip(np.searchsorted(source, target[1:], side="left") - 1, 0, source.size - 2)
    count = np.maximum(last - first + 1, 1)
    rows = np.repeat(np.arange(target.size - 1), count)
    cols = first[rows] + np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    low, high = np.maximum(source[cols], target[rows]), np.minimum(source[cols + 1], target[rows + 1])
    length = high - low
    # Edges that agree but for rounding share nothing.
    keep = length > 1e-9 * np.diff(source).mean()
    shape = (target.size - 1, source.size - 1)
    return sparse.csr_matrix((length[keep], (rows[keep], cols[keep])), shape=shape)


def overlap_weights(source: Grid, target: Grid) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """Area on the unit sphere that target cells share with source cells, as a row and a column factor.

    Exact for any ratio of cell sizes: the shared area of two latitude-longitude cells is the product
    of a difference of sines of latitude and a difference of longitudes (radians).

    Returns
    -------
    tuple of scipy.sparse.csr_matrix
        Shapes (target rows, source rows) and (target cols, source cols), float64.
    """
    rows = _overlaps(-np.sin(np.radians(source.lat_edges)), -np.sin(np.radians(target.lat_edges)))
    cols = _overlaps(np.radians(source.lon_edges), np.radians(target.lon_edges))
    return rows, cols


def _aggregate(by_row: sparse.csr_matrix, by_col: sparse.csr_matrix, planes: Planes, count: int) -> np.ndarray:
    """Sum ``planes(rows)``, an iterable of ``count`` float32 source planes, over the target cells."""
    out = np.zeros((count, by_row.shape[0], by_col.shape[0]), np.float32)
    by_row, by_col = by_row.astype(np.float32), by_col.astype(np.float32)
    for start in range(0, by_row.shape[0], _BAND):
        band = by_row[start : start + _BAND]
        used = np.unique(band.indices)
        if not used.size:
            continue
        rows = slice(used[0], used[-1] + 1)
        for number, plane in planes(rows):
            narrow = band[:, rows] @ plane
            out[number, start : start + _BAND] = (by_col @ narrow.T).T
    return out


def class_fractions(cover: xr.DataArray, target: Grid, codes: np.ndarray) -> xr.Dataset:
    """Area fraction of each class in every target cell, exact for any ratio of cell sizes.

    Parameters
    ----------
    cover : xarray.DataArray, shape (lat, lon), uint8
        Class codes on a regular grid; 255 is no data.
    target : Grid
    codes : numpy.ndarray, shape (class,)
        Class codes wanted, ascending.

    Returns
    -------
    xarray.Dataset
        ``fraction`` (cover_class, lat, lon) float32, of the area with data (1), sums to 1 over
        ``cover_class``, NaN where there is none; ``area`` (lat, lon) float64, that area in m2.

    Raises
    ------
    ValueError
        If ``cover`` holds a code that is neither in ``codes`` nor 255.

    References
    ----------
    Jones (1999), first-order conservative remapping, doi:10.1175/1520-0493(1999)127<2204:FASOCR>2.0.CO;2
    """

    values = cover.to_numpy()
    check_codes(values, np.append(codes, NO_DATA), str(cover.name or "cover"), "the legend")

    def planes(rows: slice) -> Iterator[tuple[int, np.ndarray]]:
        part = values[rows]
        for number, code in enumerate(codes):
            hit = part == code
            if hit.any():
                yield number, hit.astype(np.float32)

    shared = _aggregate(*overlap_weights(grid_of(cover), target), planes, len(codes))
    total = shared.sum(0, dtype=float)
    shared /= np.where(total > 0, total, np.nan).astype(np.float32)
    coords = {"cover_class": np.asarray(codes), **target.coords()}
    return xr.Dataset(
        {
            "fraction": (("cover_class", "lat", "lon"), shared, {"units": "1"}),
            "area": (("lat", "lon"), total * EARTH_RADIUS**2, {"units": "m2"}),
        },
        coords,
    )


def majority(fractions: xr.DataArray) -> xr.DataArray:
    """Class with the largest area in each cell; the lowest code wins a tie.

    Parameters
    ----------
    fractions : xarray.DataArray, shape (..., cover_class, lat, lon), float
        Codes ascending along ``cover_class``; NaN where there is no data.

    Returns
    -------
    xarray.DataArray, shape (..., lat, lon), uint8
        Class code; 255 where fractions are NaN.
    """
    # Rounding makes equal areas equal: float32 sums of the same area differ in the last digits.
    filled = fractions.fillna(-1).round(5)
    code = fractions["cover_class"][filled.argmax("cover_class")].drop_vars("cover_class")
    return code.where(fractions.notnull().any("cover_class"), NO_DATA).astype(np.uint8)


def area_mean(field: xr.DataArray, target: Grid) -> xr.DataArray:
    """Area-weighted mean of a quantity in every target cell, over the part that is not NaN.

    Parameters
    ----------
    field : xarray.DataArray, shape (lat, lon), float
        A quantity on a regular grid; NaN is missing.
    target : Grid

    Returns
    -------
    xarray.DataArray, shape (lat, lon), float32
        Same unit; NaN where no source cell has a value.
    """
    values = field.to_numpy()

    def planes(rows: slice) -> Iterator[tuple[int, np.ndarray]]:
        part = np.asarray(values[rows], np.float32)
        valid = np.isfinite(part)
        yield 0, np.where(valid, part, 0).astype(np.float32)
        yield 1, valid.astype(np.float32)

    total, weight = _aggregate(*overlap_weights(grid_of(field), target), planes, 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(weight > 0, total / weight, np.nan).astype(np.float32)
    return xr.DataArray(mean, target.coords(), ("lat", "lon"), field.name, field.attrs)


def nearest(field: xr.DataArray, target: Grid) -> xr.DataArray:
    """Value of the source cell that holds each target centre: for classes on a grid of about the same cell.

    Parameters
    ----------
    field : xarray.DataArray, shape (..., lat, lon)
    target : Grid
        Centres must lie inside the grid of ``field``.

    Returns
    -------
    xarray.DataArray, shape (..., lat, lon), dtype of ``field``

    Raises
    ------
    ValueError
        If a target centre lies outside the source grid.
    """
    source = grid_of(field)
    rows = np.floor((source.north - target.lat) / source.dlat + 1e-9).astype(int)
    cols = np.floor((target.lon - source.west) / source.dlon + 1e-9).astype(int)
    if rows.min() < 0 or cols.min() < 0 or rows.max() >= source.rows or cols.max() >= source.cols:
        raise ValueError(f"{field.name}: target {target.bounds} lies outside the data {source.bounds}.")
    return field.isel(lat=rows, lon=cols).assign_coords(target.coords())


def coarsen_fractions(fraction: np.ndarray, area: np.ndarray, times: int) -> tuple[np.ndarray, np.ndarray]:
    """Class fractions of blocks of ``times`` x ``times`` coarse cells, weighted by their area with data.

    Parameters
    ----------
    fraction : numpy.ndarray, shape (class, y, x), float
        Fractions (1); NaN where ``area`` is 0.
    area : numpy.ndarray, shape (y, x)
        Area with data, m2.

    Returns
    -------
    tuple of numpy.ndarray
        Fractions (class, ceil(y / times), ceil(x / times)) float32, and areas, m2.
    """
    pad = [(0, -n % times) for n in area.shape]
    area = np.pad(area, pad)
    summed = np.pad(np.nan_to_num(fraction), [(0, 0), *pad]) * area

    def blocks(a: np.ndarray) -> np.ndarray:
        shape = (*a.shape[:-2], a.shape[-2] // times, times, a.shape[-1] // times, times)
        return a.reshape(shape).sum((-3, -1))

    total = blocks(area)
    with np.errstate(invalid="ignore"):
        return np.where(total > 0, blocks(summed) / total, np.nan).astype(np.float32), total


def cut_around(field: xr.DataArray, target: Grid, margin: int = 2) -> xr.DataArray:
    """Part of a lazy field that covers a target grid and ``margin`` cells more, where it has them.

    Raises
    ------
    ValueError
        If the field does not touch the target at all.
    """
    source = grid_of(field)
    west, south, east, north = target.bounds
    top = int(np.floor((source.north - north) / source.dlat)) - margin
    bottom = int(np.ceil((source.north - south) / source.dlat)) + margin
    left = int(np.floor((west - source.west) / source.dlon)) - margin
    right = int(np.ceil((east - source.west) / source.dlon)) + margin
    rows, cols = slice(max(top, 0), min(bottom, source.rows)), slice(max(left, 0), min(right, source.cols))
    if rows.stop - rows.start < 2 or cols.stop - cols.start < 2:
        shown = [tuple(round(float(b), 3) for b in g.bounds) for g in (target, source)]
        raise ValueError(f"{field.name}: the region {shown[0]} lies outside the data {shown[1]} (W, S, E, N).")
    return field.isel(lat=rows, lon=cols)
