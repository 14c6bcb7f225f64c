"""Target cells on the sphere, whatever their shape.

An edge is an arc of a great circle (triangles of ICON) or a straight line in the plane of longitude and sine of
latitude, which keeps areas: parallels and meridians (regular and Gaussian grids) and, between two thirds of the way to
either pole, the edges of HEALPix.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sphere_overlap.edges import ring_areas

_ROUNDING = 1e-9  # degrees
_HEALPIX_STEPS = 4  # chords of one edge: near the poles edges are curved in longitude and sine of latitude
_HEALPIX_ROW = np.repeat([2, 3, 4], 4)  # of the southern corner of the 12 faces, in quarters of the sphere
_HEALPIX_COL = np.array([1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7])  # of their centre, in eighths of a circle


@dataclass(frozen=True)
class Cells:
    """Target cells; they may overlap, leave gaps, be concave, lie around a pole or across the date line.

    Parameters
    ----------
    lon, lat : numpy.ndarray, shape (cell,), float64
        Centres, degrees.
    lon_corners, lat_corners : numpy.ndarray, shape (cell, corner), float64
        Corners in order along the edge, either way, degrees; at a pole any longitude. Rings close by themselves; cells
        with fewer corners repeat one.
    area : numpy.ndarray, shape (cell,), float64
        In units of ``radius`` squared. Weights are of the corners alone; centres and areas plan the work.
    great_circles : bool
        Whether edges are great circles; otherwise straight in longitude and sine of latitude.
    radius : float
        Of the sphere; with 1, areas are in steradian.

    Raises
    ------
    ValueError
        If shapes differ, a cell has fewer than three corners, a value is not finite, or a latitude beyond a pole.
    """

    lon: np.ndarray
    lat: np.ndarray
    lon_corners: np.ndarray
    lat_corners: np.ndarray
    area: np.ndarray
    great_circles: bool
    radius: float = 1.0

    def __post_init__(self) -> None:
        shape = self.lon_corners.shape
        if len(shape) != 2 or shape != self.lat_corners.shape or shape[1] < 3:
            raise ValueError(f"corners: {shape} and {self.lat_corners.shape}; give (cell, corner), 3 corners at least.")
        for values in (self.lon, self.lat, self.area):
            if values.shape != shape[:1]:
                raise ValueError(f"{shape[0]} cells have centres or areas of shape {values.shape}; give one a cell.")
        for values in (self.lon, self.lat, self.area, self.lon_corners, self.lat_corners):
            if not np.isfinite(values).all():
                cell = np.argwhere(~np.isfinite(values))[0, 0]
                raise ValueError(f"cell {cell}: a corner, centre or area is not finite; leave such cells out.")
        if self.lat_corners.size and np.abs(self.lat_corners).max() > 90 + _ROUNDING:
            cell, corner = np.argwhere(np.abs(self.lat_corners) > 90 + _ROUNDING)[0]
            raise ValueError(f"cell {cell}: a corner at latitude {self.lat_corners[cell, corner]:g}; give -90 to 90.")

    @classmethod
    def from_corners(
        cls, lon_corners: ArrayLike, lat_corners: ArrayLike, great_circles: bool, radius: float = 1.0
    ) -> "Cells":
        """Cells of their corners alone: centres are the mean direction of the corners, areas those of the rings."""
        corners = np.asarray(lon_corners, float), np.asarray(lat_corners, float)
        none = np.zeros(corners[0].shape[:1])
        cls(none, none, *corners, none, great_circles)  # refuse what is none
        lon, lat = map(np.radians, corners)
        x, y, z = (v.mean(1) for v in (np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)))
        centre = np.degrees(np.arctan2(y, x)), np.degrees(np.arctan2(z, np.hypot(x, y)))
        area = np.abs(ring_areas(lon, lat, great_circles)) * radius**2
        return cls(*centre, *corners, area, great_circles, radius)


def latlon_cells(
    lat_edges: np.ndarray, west: np.ndarray, east: np.ndarray, count: np.ndarray, lat: np.ndarray | None = None,
    radius: float = 1.0,
) -> Cells:  # fmt: skip
    """Cells between meridians and parallels, in rows from north to south: regular and (reduced) Gaussian grids.

    Parameters
    ----------
    lat_edges : numpy.ndarray, shape (rows + 1,), float64
        Parallels between rows, degrees.
    west, east : numpy.ndarray, shape (cell,), float64
        Meridians of every cell, degrees.
    count : numpy.ndarray, shape (rows,), int
        Cells in every row.
    lat : numpy.ndarray, shape (rows,), float64, optional
        Centres of rows, degrees; without it half-way between edges.
    radius : float

    Raises
    ------
    ValueError
        If rows, edges and cells do not fit each other, or as of `Cells`.
    """
    if lat_edges.size != count.size + 1 or not west.size == east.size == count.sum():
        found = f"{lat_edges.size} lat_edges, {west.size} western and {east.size} eastern ones"
        raise ValueError(f"{count.size} rows of {count.sum()} cells with {found}; give one parallel more than rows.")
    middle = (lat_edges[:-1] + lat_edges[1:]) / 2 if lat is None else lat
    north, south, centre = (np.repeat(v, count) for v in (lat_edges[:-1], lat_edges[1:], middle))
    band = np.repeat(-np.diff(np.sin(np.radians(lat_edges))), count)
    return Cells(
        (west + east) / 2, centre, np.stack([west, west, east, east], 1), np.stack([north, south, south, north], 1),
        radius**2 * np.radians(east - west) * band, False, radius,
    )  # fmt: skip


def healpix(nside: int, order: str, radius: float = 1.0) -> Cells:
    """HEALPix grid of 12 ``nside``**2 cells of equal area.

    Corners run from the northern one counter-clockwise, with three points more on every edge: straight lines between
    these are the edges up to 41.8 degrees of latitude, and nearer to the poles they lie close to them.

    Parameters
    ----------
    nside : int
        A power of 2.
    order : {'nested', 'ring'}
    radius : float

    Raises
    ------
    ValueError
        If ``nside`` is no power of 2, or the order unknown.

    References
    ----------
    Gorski et al. (2005), doi:10.1086/427976
    """
    if nside < 1 or nside & (nside - 1):
        raise ValueError(f"HEALPix nside {nside} is no power of 2; take 1, 2, 4 ...")
    if order not in ("nested", "ring"):
        raise ValueError(f"HEALPix order {order!r} is unknown; take 'nested' or 'ring'.")
    number = np.arange(12 * nside**2)
    face, within = np.divmod(number, nside**2)
    bits = np.arange(nside.bit_length())  # of x and y by turns
    x, y = (((within[:, None] >> (2 * bits + odd) & 1) << bits).sum(1) for odd in (0, 1))
    along = np.arange(_HEALPIX_STEPS) / _HEALPIX_STEPS
    ones, zeros = np.ones_like(along), np.zeros_like(along)
    dx = np.concatenate([1 - along, zeros, along, ones])  # north, west, south, east
    dy = np.concatenate([ones, 1 - along, zeros, along])
    lon, z, _, _ = _healpix_point((x[:, None] + dx) / nside, (y[:, None] + dy) / nside, face[:, None])
    centre_lon, centre_z, row, col = _healpix_point((x + 0.5) / nside, (y + 0.5) / nside, face)
    # Along a ring eastwards: columns are eighths of the circle that shrinks with the row.
    place = np.lexsort((col, np.rint(row * nside))) if order == "ring" else number
    lon, lat, centre_lon, centre_lat = (
        np.degrees(v[place]) for v in (lon, np.arcsin(z), centre_lon, np.arcsin(centre_z))
    )
    area = np.full(number.size, 4 * np.pi * radius**2 / number.size)
    return Cells(centre_lon, centre_lat, lon, lat, area, False, radius)


def _healpix_point(x: np.ndarray, y: np.ndarray, face: np.ndarray) -> tuple[np.ndarray, ...]:
    """Longitude (radians), sine of latitude, row and column of points of faces, ``x`` and ``y`` from 0 to 1."""
    row = _HEALPIX_ROW[face] - x - y
    size = np.where(row < 1, row, np.where(row > 3, 4 - row, 1))
    cap = 1 - size**2 / 3
    z = np.where(row < 1, cap, np.where(row > 3, -cap, (2 - row) * 2 / 3))
    col = np.mod(_HEALPIX_COL[face] * size + x - y, 8 * np.maximum(size, 1e-300))
    return np.pi / 4 * col / np.maximum(size, 1e-300), z, row, col
