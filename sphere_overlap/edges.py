"""Edges of cells on the sphere: the area that lies under them, exactly.

An edge is an arc of a great circle, or a straight line in the plane of longitude and sine of latitude, which keeps
areas. Cells are handled as the sum over their edges of what lies between edge and pole: no cell is too large, and
the date line and the poles need no care.
"""

from math import pi
from typing import NamedTuple

import numpy as np

_POLE = pi / 2 - 1e-9  # radians: a corner that is nearer has no longitude of its own
_ROUNDING = 1e-12  # radians


class Edges(NamedTuple):
    """Edges of cells, cut where their latitude is extreme, each seen from west to east; arrays of one length.

    ``cell``: number of its cell; ``sign``: 1 where the ring runs eastwards, else -1; ``lon``: western end and
    ``width``: extent in longitude, radians; ``first``, ``slope``: tangent of latitude is ``first * cos(u) + slope *
    sin(u)`` at ``u`` radians from there on a great circle, sine of latitude ``first + slope * u`` on a straight line.
    """

    cell: np.ndarray
    sign: np.ndarray
    lon: np.ndarray
    width: np.ndarray
    first: np.ndarray
    slope: np.ndarray

    def take(self, which: np.ndarray) -> "Edges":
        """Some of the edges."""
        return Edges(*(values[which] for values in self))


def cell_edges(lon: np.ndarray, lat: np.ndarray, great_circles: bool) -> Edges:
    """Edges of cells that are not meridians.

    Parameters
    ----------
    lon, lat : numpy.ndarray, shape (cell, corner), float64
        Radians.
    great_circles : bool
        Whether edges are great circles; otherwise straight in longitude and sine of latitude.

    Raises
    ------
    ValueError
        If an edge may run either way round the globe: between opposite points, or straight over half a turn.
    """
    end_lon, end_lat = np.roll(lon, -1, 1), np.roll(lat, -1, 1)
    east = (end_lon - lon + pi) % (2 * pi) - pi
    # Meridians bound no area towards a pole, and neither do arcs over a pole: both ends see it in one direction.
    used = (np.abs(east) > _ROUNDING) & (np.abs(lat) < _POLE) & (np.abs(end_lat) < _POLE)
    half = np.abs(east) > pi - 1e-9
    either = np.abs(lat + end_lat) < 1e-9 if great_circles else used
    if (unclear := either & (half | (np.abs(lat) >= _POLE))).any():
        raise ValueError(f"cell {np.argwhere(unclear)[0, 0]}: an edge over half the globe may run either way; "
                         "add a corner on it.")  # fmt: skip
    used &= ~half | (not great_circles)
    cell = np.nonzero(used)[0]
    east, lon, end_lon, lat, end_lat = (v[used] for v in (east, lon, end_lon, lat, end_lat))
    eastwards = east > 0
    start = np.where(eastwards, lon, end_lon)
    a, b = np.where(eastwards, lat, end_lat), np.where(eastwards, end_lat, lat)
    width, sign = np.abs(east), np.where(eastwards, 1.0, -1.0)
    if not great_circles:
        return Edges(cell, sign, start, width, np.sin(a), (np.sin(b) - np.sin(a)) / width)
    first = np.tan(a)
    edges = Edges(cell, sign, start, width, first, (np.tan(b) - first * np.cos(width)) / np.sin(width))
    extreme = np.arctan2(edges.slope, first) % pi
    cut = extreme < width
    west, east_part = edges._replace(width=np.where(cut, extreme, width)), edges.take(cut)
    at = extreme[cut]
    cosine, sine = np.cos(at), np.sin(at)
    rest = Edges(
        east_part.cell, east_part.sign, east_part.lon + at, east_part.width - at,
        east_part.first * cosine + east_part.slope * sine, east_part.slope * cosine - east_part.first * sine,
    )  # fmt: skip
    return Edges(*(np.concatenate(pair) for pair in zip(west, rest, strict=True)))


def edge_value(edges: Edges, u: np.ndarray, great_circles: bool) -> np.ndarray:
    """Tangent (great circles) or sine of latitude at ``u`` radians east of the western end."""
    if great_circles:
        return edges.first * np.cos(u) + edges.slope * np.sin(u)
    return edges.first + edges.slope * u


def sine_of(value: np.ndarray, great_circles: bool) -> np.ndarray:
    """Sine of latitude from `edge_value`."""
    return value / np.hypot(1, value) if great_circles else value


def under_arc(a: np.ndarray, b: np.ndarray, width: np.ndarray, great_circles: bool) -> np.ndarray:
    """Area on the unit sphere between an edge and the equator, from `edge_value` at its ends; south of it negative.

    Of a great circle it is the excess of a spherical quadrangle with two right angles (Todhunter 1886, section 103).
    """
    if not great_circles:
        return (a + b) / 2 * width
    north, south = np.arctan(a), np.arctan(b)
    return 2 * np.arctan(np.tan(width / 2) * np.sin((north + south) / 2) / np.cos((north - south) / 2))


def ring_areas(lon: np.ndarray, lat: np.ndarray, great_circles: bool) -> np.ndarray:
    """Area of cells on the unit sphere, negative where corners run clockwise.

    Parameters
    ----------
    lon, lat : numpy.ndarray, shape (cell, corner), float64
        Radians.
    great_circles : bool

    Returns
    -------
    numpy.ndarray, shape (cell,), float64
    """
    mirror = np.where(lat.mean(1, keepdims=True) < 0, -1.0, 1.0)  # the area is counted from the nearer pole
    edges = cell_edges(lon, lat * mirror, great_circles)
    west, east = (edge_value(edges, u, great_circles) for u in (np.zeros_like(edges.width), edges.width))
    area = edges.sign * (edges.width - under_arc(west, east, edges.width, great_circles))
    return mirror[:, 0] * np.bincount(edges.cell, area, minlength=len(lon))
