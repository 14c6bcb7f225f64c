"""Moving fields between grids, by area.

Which method suits which field: shares of classes on a coarser grid -> `class_fractions`; the class
of a coarser cell -> `majority_of`; a quantity on a coarser grid -> `area_mean`; classes on a grid of about the same
cell -> `nearest`. Beside input and result they hold a few target rows, whatever the height of the window.
"""

from collections.abc import Iterator

import numpy as np
import xarray as xr
from scipy import sparse

from ai4land.grid import EARTH_RADIUS, Grid, grid_of
from ai4land.legend import NO_DATA, check_codes

_WORK = 2**20  # numbers in work at a time; the result does not depend on it, nor on the number of threads


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


def _bands(by_row: sparse.csr_matrix, width: int) -> list[tuple[slice, slice, sparse.csr_matrix]]:
    """A few target rows at a time: these, the source rows they touch, and the weights of one on the other."""
    height = max(1, _WORK * by_row.shape[0] // max(1, by_row.nnz * width))
    bands = []
    for start in range(0, by_row.shape[0], height):
        ends = by_row.indptr[start : start + height + 1]
        used, weights = (a[ends[0] : ends[-1]] for a in (by_row.indices, by_row.data))
        first, last = (int(used[0]), int(used[-1])) if used.size else (0, 0)
        shape = ends.size - 1, last - first + 1
        band = sparse.csr_matrix((weights, used - first, ends - ends[0]), shape)
        bands.append((slice(start, start + shape[0]), slice(first, last + 1), band))
    return bands


def _class_areas(cover: xr.DataArray, target: Grid, codes: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Area of each class on the unit sphere, (class, row, col) float32, a few target rows at a time.

    Along a row of source cells the codes are the column numbers of a sparse matrix with one row a target cell:
    written out dense, it is the length of every class in every cell, at a cost that hardly grows with the classes.
    """
    by_row, by_col = (w.astype(np.float32) for w in overlap_weights(grid_of(cover), target))
    values, (cols, each) = cover.to_numpy(), (by_col.shape[0], by_col.nnz)
    known, number = np.append(codes, NO_DATA), np.full(256, len(codes) + 1, np.uint8)
    number[known] = np.arange(len(known))
    bands = _bands(by_row, max(cols * len(known), each))
    tall = max(touched.stop - touched.start for _, touched, _ in bands)
    length = np.tile(by_col.data, tall)
    ends = np.append((by_col.indptr[:-1] + each * np.arange(tall)[:, None]).ravel(), each * tall)
    for rows, touched, band in bands:
        found = np.take(number, values[touched])
        if found.max() > len(codes):
            check_codes(values, known, str(cover.name or "cover"), "the legend")
        deep = len(found)
        entries = length[: deep * each], found[:, by_col.indices].ravel(), ends[: deep * cols + 1]
        lengths = sparse.csr_matrix(entries, shape=(deep * cols, len(known))).toarray()
        areas = band @ lengths.reshape(deep, -1)
        yield rows, np.ascontiguousarray(np.moveaxis(areas.reshape(-1, cols, len(known)), -1, 0)[:-1])


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
        4 bytes a class and cell: on a fine grid with many classes, `majority_of` needs one a cell.

    Raises
    ------
    ValueError
        If ``cover`` holds a code inside the target that is neither in ``codes`` nor 255.

    References
    ----------
    Jones (1999), first-order conservative remapping, doi:10.1175/1520-0493(1999)127<2204:FASOCR>2.0.CO;2
    """
    fraction, area = np.empty((len(codes), *target.shape), np.float32), np.empty(target.shape)
    for rows, areas in _class_areas(cover, target, codes):
        area[rows] = total = areas.sum(0, dtype=float)
        np.divide(areas, np.where(total > 0, total, np.nan).astype(np.float32), out=fraction[:, rows])
    coords = {"cover_class": np.asarray(codes), **target.coords()}
    made = xr.DataArray(fraction, coords, ("cover_class", "lat", "lon"), "fraction", {"units": "1"}).to_dataset()
    return made.assign(area=(("lat", "lon"), area * EARTH_RADIUS**2, {"units": "m2"}))


def majority_of(cover: xr.DataArray, target: Grid, codes: np.ndarray) -> xr.DataArray:
    """Class with the largest area in every target cell, without holding the fractions of all classes.

    Parameters
    ----------
    cover, target, codes
        As of `class_fractions`, and refused for the same reason.

    Returns
    -------
    xarray.DataArray, shape (lat, lon), uint8
        Class code, the lowest in a tie; 255 where there is no data.
    """
    code, below = np.empty(target.shape, np.uint8), 255 - np.arange(len(codes), dtype=np.int32)[:, None, None]
    for rows, areas in _class_areas(cover, target, codes):
        total = areas.sum(0)
        scale = np.divide(np.float32(1e5), total, out=np.zeros_like(total), where=total > 0)
        # Rounding makes equal areas equal: float32 sums of the same area differ in the last digits.
        rank = (np.rint(areas * scale).astype(np.int32) << 8) + below
        code[rows] = np.where(total > 0, np.asarray(codes)[255 - (rank.max(0) & 255)], NO_DATA)
    return xr.DataArray(code, target.coords(), ("lat", "lon"), cover.name)


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
    by_row, by_col = (w.astype(np.float32) for w in overlap_weights(grid_of(field), target))
    values, mean = field.to_numpy(), np.empty(target.shape, np.float32)
    for rows, touched, band in _bands(by_row, by_col.shape[1]):
        part = np.asarray(values[touched], np.float32)
        valid = np.isfinite(part)
        if valid.all():
            # Every column has the weight of the rows: one column stands for all, to the last digit.
            height = np.repeat(band @ np.ones((len(part), 1), np.float32), part.shape[1], 1)
        else:
            part, height = np.where(valid, part, np.float32(0)), band @ valid.astype(np.float32)
        total, weight = ((by_col @ narrow.T).T for narrow in (band @ part, height))
        mean[rows] = total / np.where(weight > 0, weight, np.float32(np.nan))
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
