"""Conservative remapping from a regular grid to cells of any shape, to first order.

A map of 0.01 degree of the whole globe is averaged to 0.05 degree first (`remap_classes`): the cells of host models
are larger than that. A region is remapped as it is. Means are those of CDO's ``remapcon`` to 1e-12 on the small grids
of ``tests/golden/remap``: no mean depends on the radius, and areas in m2 are those of the project's sphere. On HEALPix
alone they differ: CDO draws its edges as great circles, which they are not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import xarray as xr
from scipy import sparse

from ai4land.checks import check_same_grid
from ai4land.export.cells import Cells
from ai4land.grid import Grid, grid_of
from ai4land.regrid import class_fractions
from sphere_overlap import RegularGrid, overlap_weights

_BAND = 2_000_000  # source cells in work at a time
_LARGEST = 50_000_000  # cells of a map that is remapped as it is
_AVERAGED = 5  # cells of a larger one, along one side of a block, that are averaged first


@dataclass(frozen=True)
class Weights:
    """Shared areas of the cells of two grids.

    Parameters
    ----------
    source : Grid
    name : str
        Of the target.
    area : numpy.ndarray, shape (target cell,), float64
        Whole area of the target cells between their edges as they are cut, m2.
    shared : scipy.sparse.csc_matrix, shape (target cell, source cell), float64
        m2; source cells row by row from the north-west corner.
    """

    source: Grid
    name: str
    area: np.ndarray
    shared: sparse.csc_matrix


def remap_weights(source: Grid, target: Cells, cache: Path | None = None) -> Weights:
    """Areas that target cells share with the cells of a regular grid.

    Parameters
    ----------
    source : Grid
        Global, or a region: target cells beyond it share nothing.
    target : Cells
    cache : pathlib.Path, optional
        Folder of weights made before: ``<target>-<hash of both grids>.npz`` is read, or written.

    Returns
    -------
    Weights

    Raises
    ------
    ValueError
        If the grids share no area.

    References
    ----------
    Jones (1999), first-order conservative remapping, doi:10.1175/1520-0493(1999)127<2204:FASOCR>2.0.CO;2
    """
    path = cache / f"{target.name}-{target.key}-{_key(source)}.npz" if cache else None
    if path and path.exists():
        with np.load(path) as made:
            parts = made["data"], made["indices"], made["indptr"]
            shape = target.area.size, source.rows * source.cols
            return Weights(source, target.name, made["area"], sparse.csc_matrix(parts, shape))
    weights = overlap_weights(RegularGrid(source.lat_edges, source.west, source.dlon, source.cols), target)
    if not weights.row.size:
        raise ValueError(f"{target.name}: no cell meets the data {source.bounds} (W, S, E, N); choose another grid.")
    area, pairs = weights.target_area, (weights.row, weights.col)
    shared = sparse.coo_matrix((weights.overlap, pairs), weights.shape).tocsc()
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.stem}.partial.npz")
        np.savez(part, data=shared.data, indices=shared.indices, indptr=shared.indptr, area=area)
        part.replace(path)
    return Weights(source, target.name, area, shared)


def _key(grid: Grid) -> str:
    """Hash of a grid, to a millionth of its cell."""
    lattice = (grid.north, grid.west, grid.dlat, grid.dlon, *grid.shape)
    return sha256(" ".join(f"{v:.9f}" for v in lattice).encode()).hexdigest()[:16]


def _bands(weights: Weights) -> Iterator[tuple[slice, sparse.csc_matrix]]:
    """Some source rows at a time, and the weights of their cells."""
    grid, shared = weights.source, weights.shared
    step = max(1, _BAND // grid.cols)
    for top in range(0, grid.rows, step):
        rows = slice(top, min(top + step, grid.rows))
        ends = shared.indptr[rows.start * grid.cols : rows.stop * grid.cols + 1]
        used = slice(ends[0], ends[-1])
        shape = shared.shape[0], ends.size - 1
        yield rows, sparse.csc_matrix((shared.data[used], shared.indices[used], ends - ends[0]), shape)


def apply(weights: Weights, field: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Area-weighted mean of a quantity in every target cell, over the part that is not NaN.

    Parameters
    ----------
    weights : Weights
    field : xarray.DataArray, shape (..., lat, lon), float
        On the source grid; NaN is missing.

    Returns
    -------
    mean : xarray.DataArray, shape (..., cell), float64
        Same unit; NaN where there is no value. ``mean * share * weights.area`` adds up to the integral of the field.
    share : xarray.DataArray, shape (..., cell), float64
        Share of the target cell that has values (1).

    Raises
    ------
    ValueError
        If the field is on another grid than the weights.
    """
    check_same_grid(grid_of(field), weights.source, f"{field.name} to {weights.name}")
    lead = field.shape[:-2]
    values = field.to_numpy().reshape(-1, *weights.source.shape)
    total, valid = np.zeros((2, weights.area.size, len(values)))
    for rows, part in _bands(weights):
        band = values[:, rows].reshape(len(values), -1).T
        have = np.isfinite(band)
        total += part @ np.where(have, band, 0.0)
        valid += part @ have.astype(float)
    with np.errstate(invalid="ignore"):
        results = total / np.where(valid > 0, valid, np.nan), valid / weights.area[:, None]
    dims, coords = (*field.dims[:-2], "cell"), {k: v for k, v in field.coords.items() if not {"lat", "lon"} & {*v.dims}}
    mean, share = (xr.DataArray(v.T.reshape(*lead, -1), coords, dims) for v in results)
    return mean.rename(field.name).assign_attrs(field.attrs), share.rename("share").assign_attrs(units="1")


def remap_classes(
    cover: xr.DataArray, target: Cells, codes: np.ndarray, cache: Path | None = None
) -> tuple[xr.DataArray, xr.DataArray]:
    """Area fraction of each class in every target cell, of its part with data.

    Parameters
    ----------
    cover : xarray.DataArray, shape (lat, lon), uint8
        Class codes on a regular grid, lazy or not; 255 is no data. More than 50 million cells are averaged to
        blocks of 5 x 5 first, by area: exact where target cells are whole blocks, and area is kept everywhere.
    target : Cells
    codes : numpy.ndarray, shape (class,)
        Class codes wanted, ascending.
    cache : pathlib.Path, optional
        Folder of weights, as of `remap_weights`.

    Returns
    -------
    fraction : xarray.DataArray, shape (cover_class, cell), float32
        Sums to 1 over ``cover_class``; NaN where the cell has no data.
    area : xarray.DataArray, shape (cell,), float64
        With data, m2.

    Raises
    ------
    ValueError
        If the map holds a code that is neither in ``codes`` nor 255, or does not meet the target.
    """
    grid = grid_of(cover)
    times = _AVERAGED if cover.size > _LARGEST else 1
    weights = remap_weights(grid.blocks(times), target, cache)
    total = sparse.csr_matrix((target.area.size, len(codes)))
    for rows, part in _bands(weights):
        fine = cover.isel(lat=slice(rows.start * times, rows.stop * times))
        blocks = weights.source.cut(rows, slice(0, weights.source.cols))
        found = class_fractions(fine, blocks, codes)
        have = (found["area"] / blocks.cell_area()[:, None]).to_numpy().ravel()
        values = found["fraction"].to_numpy().reshape(len(codes), -1)
        number, cell = np.nonzero(values > 0)
        areas = values[number, cell].astype(float) * have[cell]
        total = total + part @ sparse.csr_matrix((areas, (cell, number)), (have.size, len(codes)))
    area = np.asarray(total.sum(1)).ravel()
    with np.errstate(invalid="ignore"):
        fraction = (total.toarray() / np.where(area > 0, area, np.nan)[:, None]).T.astype(np.float32)
    made = xr.DataArray(fraction, {"cover_class": np.asarray(codes)}, ("cover_class", "cell"), "fraction")
    return made.assign_attrs(units="1"), xr.DataArray(area, dims="cell", name="area", attrs={"units": "m2"})
