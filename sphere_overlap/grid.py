"""Source grids: rows between parallels, and columns of one width."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sphere_overlap.cells import Cells, latlon_cells

_ROUNDING = 1e-9  # degrees


@dataclass(frozen=True, eq=False)
class RegularGrid:
    """A latitude-longitude grid, global or a region, cells row by row from the north-west corner.

    Parameters
    ----------
    lat_edges : numpy.ndarray, shape (rows + 1,), float64
        Parallels between rows, degrees, from north to south; rows may differ in height, as Gaussian ones do.
    west : float
        Meridian at which the first column begins, degrees.
    dlon : float
        Width of a column, degrees.
    cols : int

    Raises
    ------
    ValueError
        If edges are not finite, not from north to south or beyond a pole, there is no column, or columns go around the
        globe more than once.
    """

    lat_edges: np.ndarray
    west: float
    dlon: float
    cols: int

    def __post_init__(self) -> None:
        lat = self.lat_edges
        if lat.ndim != 1 or lat.size < 2:
            raise ValueError(f"lat_edges have shape {lat.shape}; give one edge more than rows, in one dimension.")
        if not (np.isfinite(lat).all() and np.isfinite([self.west, self.dlon]).all()):
            raise ValueError("edges of the grid are not finite; give degrees without NaN.")
        if not (np.diff(lat) < 0).all():
            raise ValueError(f"lat_edges {lat[0]:g} ... {lat[-1]:g} do not fall; give north to south, fields too.")
        if np.abs(lat).max() > 90 + _ROUNDING:
            raise ValueError(f"lat_edges reach {lat[0]:g} to {lat[-1]:g} degrees; clip them to 90 and -90.")
        if self.cols < 1 or self.dlon <= 0:
            raise ValueError(f"{self.cols} columns of {self.dlon:g} degrees are no grid; give one or more, eastwards.")
        if self.cols * self.dlon > 360 + 1e-6:
            raise ValueError(f"a grid of {self.cols * self.dlon:g} degrees overlaps itself; give at most 360.")

    @classmethod
    def from_edges(cls, lat_edges: ArrayLike, lon_edges: ArrayLike) -> "RegularGrid":
        """Grid of its parallels (north to south) and meridians (west to east), degrees.

        Raises
        ------
        ValueError
            If meridians are not evenly spaced to a millionth of their step, or as of the class.
        """
        lat, lon = np.asarray(lat_edges, float), np.asarray(lon_edges, float)
        if lon.ndim != 1 or lon.size < 2:
            raise ValueError(f"lon_edges have shape {lon.shape}; give one edge more than columns, in one dimension.")
        step, steps = (lon[-1] - lon[0]) / (lon.size - 1), np.diff(lon)
        if np.abs(steps - step).max() > 1e-6 * abs(step):
            raise ValueError(f"lon_edges are {steps.min():g} to {steps.max():g} degrees apart; give even steps east.")
        return cls(lat, float(lon[0]), float(step), lon.size - 1)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.lat_edges.size - 1

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows, self.cols

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north edges, degrees."""
        return self.west, float(self.lat_edges[-1]), self.west + self.cols * self.dlon, float(self.lat_edges[0])

    def cell_area(self, radius: float = 1.0) -> np.ndarray:
        """Area of one cell of each row, shape (rows,), float64, in units of ``radius`` squared."""
        return radius**2 * np.radians(self.dlon) * -np.diff(np.sin(np.radians(self.lat_edges)))

    def cells(self, radius: float = 1.0) -> Cells:
        """The grid as target cells."""
        lon = self.west + np.arange(self.cols + 1) * self.dlon
        west, east = np.tile(lon[:-1], self.rows), np.tile(lon[1:], self.rows)
        return latlon_cells(self.lat_edges, west, east, np.full(self.rows, self.cols), radius=radius)
