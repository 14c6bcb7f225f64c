"""Conservative weights, to first order: the areas that target cells share with those of a regular grid."""

from dataclasses import dataclass

import numpy as np

from sphere_overlap.cells import Cells
from sphere_overlap.edges import ring_areas
from sphere_overlap.grid import RegularGrid
from sphere_overlap.overlap import shared_areas

_BLOCK = 500_000  # shared areas in work at a time
_LEAST = 1e-14  # area on the unit sphere: 0.4 m2 of the Earth; less is a cell without area
_TWICE, _ROUNDING = 1e-6, 1e-13  # of a source cell, and on the unit sphere: what may be covered twice


@dataclass(frozen=True, eq=False)
class Weights:
    """Weights as a sparse matrix in coordinates: ``scipy.sparse.coo_matrix((w.weight, (w.row, w.col)), w.shape)``.

    Parameters
    ----------
    row, col : numpy.ndarray, shape (pair,), int32 (int64 where a grid is larger)
        Numbers of the target cell, and of the source cell, row by row from the north-west corner; every pair once.
    overlap : numpy.ndarray, shape (pair,), float64
        Area that they share, in units of the target's ``radius`` squared.
    target_area : numpy.ndarray, shape (target cell,), float64
        Whole area between the edges, same unit.
    source_shape : tuple of int
        Rows and columns of the source.
    """

    row: np.ndarray
    col: np.ndarray
    overlap: np.ndarray
    target_area: np.ndarray
    source_shape: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int]:
        """Target cells and source cells."""
        return self.target_area.size, self.source_shape[0] * self.source_shape[1]

    @property
    def weight(self) -> np.ndarray:
        """Share of the target cell that lies in the source cell, shape (pair,), float64 (1)."""
        return self.overlap / self.target_area[self.row]

    def mean(self, field: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Area-weighted mean in every target cell, over the part that is not NaN.

        Parameters
        ----------
        field : numpy.ndarray, shape (..., rows, cols), float
            On the source grid, rows from north to south; NaN is missing.

        Returns
        -------
        mean : numpy.ndarray, shape (..., cell), float64
            NaN where there is no value. ``mean * share * target_area`` adds up to the integral of the field.
        share : numpy.ndarray, shape (..., cell), float64
            Share of the target cell that has values (1).

        Raises
        ------
        ValueError
            If the field is on another grid than the weights.
        """
        if field.shape[-2:] != self.source_shape:
            raise ValueError(f"field of shape {field.shape} on weights of {self.source_shape}; give (..., rows, cols).")
        cells = self.target_area.size
        total, valid = np.empty((2, field.size // self.shape[1], cells))
        for number, values in enumerate(field.reshape(-1, self.shape[1])):
            found = values[self.col]
            have = ~np.isnan(found)
            total[number] = np.bincount(self.row, self.overlap * np.where(have, found, 0), cells)
            valid[number] = np.bincount(self.row, self.overlap * have, cells)
        lead = (*field.shape[:-2], cells)
        return (total / np.where(valid > 0, valid, np.nan)).reshape(lead), (valid / self.target_area).reshape(lead)


def overlap_weights(source: RegularGrid, target: Cells) -> Weights:
    """Areas that target cells share with the cells of a regular grid, exactly.

    Parameters
    ----------
    source : RegularGrid
        Global, or a region: target cells beyond it share nothing, and their rows of the matrix are empty.
    target : Cells

    Returns
    -------
    Weights

    Raises
    ------
    ValueError
        If a cell has no area, crosses itself (seen where its loops lie in several source cells), or has an edge that
        may run either way round the globe.

    References
    ----------
    Jones (1999), first-order conservative remapping, doi:10.1175/1520-0493(1999)127<2204:FASOCR>2.0.CO;2
    """
    area = np.abs(ring_areas(np.radians(target.lon_corners), np.radians(target.lat_corners), target.great_circles))
    if area.size and area.min() < _LEAST:
        raise ValueError(f"cell {area.argmin()}: its corners enclose no area; give three different ones or more, "
                         "in order along the edge, and not from pole to pole.")  # fmt: skip
    kind = np.int32 if max(area.size, source.rows * source.cols) < 2**31 else np.int64
    whole = source.cell_area()
    south, size, parts = target.lat_corners.mean(1) < 0, _work(source, target), []
    for side in (~south, south):
        number = np.flatnonzero(side)
        ends = np.searchsorted(np.cumsum(size[number]), np.arange(_BLOCK, size[number].sum(), _BLOCK))
        for which in np.split(number, ends):
            corners = np.radians(target.lon_corners[which]), np.radians(target.lat_corners[which])
            cell, index, shared = shared_areas(*corners, target.great_circles, source)
            _check_once(shared, whole[index // source.cols], which[cell])
            cell, index, shared = (v[shared > 0] for v in (cell, index, shared))
            parts.append((which[cell].astype(kind), index.astype(kind), shared * target.radius**2))
    row, col, overlap = (np.concatenate(values) for values in zip(*parts, strict=True))
    return Weights(row, col, overlap, area * target.radius**2, source.shape)


def _check_once(shared: np.ndarray, whole: np.ndarray, cell: np.ndarray) -> None:
    """Refuse cells that cover part of a source cell twice, or the other way round."""
    twice = np.abs(shared - whole / 2) > whole * (0.5 + _TWICE) + _ROUNDING
    if twice.any():
        raise ValueError(f"cell {cell[twice][0]} crosses itself; give its corners in order along the edge.")


def _work(source: RegularGrid, target: Cells) -> np.ndarray:
    """About how many areas every target cell needs in work: few where it is far from the source."""
    west, low, east, high = source.bounds
    narrow = np.maximum(np.cos(np.radians(target.lat)), 0.02)
    reach = np.degrees(2 * np.sqrt(target.area) / target.radius)
    near = np.abs(target.lat - (low + high) / 2) < (high - low) / 2 + reach
    near &= np.abs((target.lon - (west + east) / 2 + 180) % 360 - 180) < (east - west) / 2 + reach / narrow
    return near * target.area / (source.cell_area(target.radius).max() * narrow) + 8 * target.lat_corners.shape[1]
