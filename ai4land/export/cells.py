"""Target grids of host models: cells on the sphere, whatever their shape.

An edge is an arc of a great circle (ICON) or a straight line in the plane of longitude and sine of latitude, which
keeps areas: parallels and meridians (regular and Gaussian grids) and, between two thirds of the way to either pole,
the edges of HEALPix.
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.special import roots_legendre

from ai4land.export.edges import ring_areas
from ai4land.grid import EARTH_RADIUS, Bounds, Grid

_ICON_ATTRIBUTES = ("uuidOfHGrid", "number_of_grid_used", "grid_root", "grid_level")
_HEALPIX_STEPS = 4  # chords of one edge: near the poles edges are curved in longitude and sine of latitude
_HEALPIX_ROW = np.repeat([2, 3, 4], 4)  # of the southern corner of the 12 faces, in quarters of the sphere
_HEALPIX_COL = np.array([1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7])  # of their centre, in eighths of a circle


@dataclass(frozen=True)
class Cells:
    """Cells of a target grid.

    Parameters
    ----------
    name : str
    lon, lat : numpy.ndarray, shape (cell,), float64
        Centres, degrees.
    lon_corners, lat_corners : numpy.ndarray, shape (cell, corner), float64
        Corners in order along the edge, degrees; at a pole any longitude.
    area : numpy.ndarray, shape (cell,), float64
        m2, on the sphere of radius `ai4land.grid.EARTH_RADIUS`.
    great_circles : bool
        Whether edges are great circles; otherwise straight in longitude and sine of latitude.
    shape : tuple of int
        Of a field on the grid: (rows, cols) of a regular grid, else (cells,).
    attrs : dict
        What the publisher's file says of the grid.
    """

    name: str
    lon: np.ndarray
    lat: np.ndarray
    lon_corners: np.ndarray
    lat_corners: np.ndarray
    area: np.ndarray
    great_circles: bool
    shape: tuple[int, ...]
    attrs: dict[str, object] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Hash of the cells, which names their weights."""
        digest = hashlib.sha256(bytes(self.great_circles))
        for values in (self.lon_corners, self.lat_corners):
            digest.update(np.ascontiguousarray(values).data)
        return digest.hexdigest()[:16]


def regular(resolution: float, bounds: Bounds = (-180.0, -90.0, 180.0, 90.0)) -> Cells:
    """Regular latitude-longitude cells, row by row from the north-west corner.

    Parameters
    ----------
    resolution : float
        Cell size, degrees; must divide the window.
    bounds : tuple of float
        West, south, east, north, degrees.

    Raises
    ------
    ValueError
        If the window is no whole number of cells.
    """
    west, south, east, north = bounds
    cols, rows = (east - west) / resolution, (north - south) / resolution
    if min(rows, cols) < 1 or max(abs(cols - round(cols)), abs(rows - round(rows))) > 1e-6:
        raise ValueError(f"window {bounds} is {rows:.4g} x {cols:.4g} cells of {resolution} degrees; make them whole.")
    grid = Grid(north, west, (north - south) / round(rows), (east - west) / round(cols), round(rows), round(cols))
    lat, lon = grid.lat_edges, grid.lon_edges
    return _boxes(
        f"regular-{resolution:g}", np.tile(lon[:-1], grid.rows), np.tile(lon[1:], grid.rows),
        np.full(grid.rows, grid.cols), lat, grid.lat, grid.shape,
    )  # fmt: skip


def octahedral(n: int) -> Cells:
    """Octahedral reduced Gaussian grid O``n`` of the IFS, from north to south and from Greenwich eastwards.

    Row ``i`` from a pole has 16 + 4 i cells (i from 1); edges lie half-way between Gaussian latitudes and between
    longitudes, and at the poles, as CDO has them. Their areas sum to that of the sphere; they are not proportional to
    the Gaussian weights.

    Parameters
    ----------
    n : int
        Rows from pole to equator: 32 ... 1280.

    References
    ----------
    Malardel et al. (2016), ECMWF Newsletter 146, doi:10.21957/zwdu9u5i
    """
    centres = np.degrees(np.arcsin(roots_legendre(2 * n)[0][::-1]))
    edges = np.concatenate([[90.0], (centres[:-1] + centres[1:]) / 2, [-90.0]])
    half = 20 + 4 * np.arange(n)
    count = np.concatenate([half, half[::-1]])
    number = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    step = np.repeat(360 / count, count)
    west, east = (number - 0.5) * step, (number + 0.5) * step
    return _boxes(f"O{n}", west, east, count, edges, centres, (int(count.sum()),))


def _boxes(
    name: str, west: np.ndarray, east: np.ndarray, count: np.ndarray, edges: np.ndarray, centres: np.ndarray,
    shape: tuple[int, ...],
) -> Cells:  # fmt: skip
    """Cells between meridians and parallels, in rows of ``count`` cells from north to south."""
    north, south, lat = (np.repeat(v, count) for v in (edges[:-1], edges[1:], centres))
    band = np.repeat(-np.diff(np.sin(np.radians(edges))), count)
    return Cells(
        name, (west + east) / 2, lat, np.stack([west, west, east, east], 1), np.stack([north, south, south, north], 1),
        EARTH_RADIUS**2 * np.radians(east - west) * band, False, shape,
    )  # fmt: skip


def healpix(nside: int, order: str) -> Cells:
    """HEALPix grid of 12 ``nside``**2 cells of equal area.

    Corners run from the northern one counter-clockwise, with three points more on every edge: straight lines in
    longitude and sine of latitude between these are the edges up to 41.8 degrees of latitude, and nearer to the poles
    they lie close to them.

    Parameters
    ----------
    nside : int
        A power of 2.
    order : {'nested', 'ring'}

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
    area = np.full(number.size, 4 * np.pi * EARTH_RADIUS**2 / number.size)
    return Cells(f"healpix-{nside}-{order}", centre_lon, centre_lat, lon, lat, area, False, number.shape)


def _healpix_point(x: np.ndarray, y: np.ndarray, face: np.ndarray) -> tuple[np.ndarray, ...]:
    """Longitude (radians), sine of latitude, row and column of points of faces, ``x`` and ``y`` from 0 to 1."""
    row = _HEALPIX_ROW[face] - x - y
    size = np.where(row < 1, row, np.where(row > 3, 4 - row, 1))
    cap = 1 - size**2 / 3
    z = np.where(row < 1, cap, np.where(row > 3, -cap, (2 - row) * 2 / 3))
    col = np.mod(_HEALPIX_COL[face] * size + x - y, 8 * np.maximum(size, 1e-300))
    return np.pi / 4 * col / np.maximum(size, 1e-300), z, row, col


def icon(path: Path) -> Cells:
    """Cells of an ICON grid file: triangles between great circles.

    Parameters
    ----------
    path : pathlib.Path
        With ``clon``, ``clat`` and ``clon_vertices``, ``clat_vertices`` in radians (or ``vertex_of_cell`` with
        ``vlon``, ``vlat``), ``cell_area`` (m2, of a sphere of ICON's own radius, so that ours are all larger or
        smaller alike) and the attribute ``uuidOfHGrid``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a variable or the attribute is missing, or the areas are not those of the triangles.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such ICON grid file; 01-download makes one up, or name the model's own.")
    with xr.open_dataset(path, decode_coords=False) as data:
        wanted = {"clon", "clat", "cell_area", *({"clon_vertices", "clat_vertices"} if "clon_vertices" in data else
                  {"vertex_of_cell", "vlon", "vlat"})}  # fmt: skip
        missing = sorted(wanted - set(map(str, data.variables)))
        if missing:
            raise ValueError(f"{path}: not an ICON grid file, it has no {missing}; give the one the model runs on.")
        if "uuidOfHGrid" not in data.attrs:
            raise ValueError(f"{path}: the grid has no uuidOfHGrid, by which ICON knows it; give the original file.")
        values = {name: data[name].to_numpy() for name in wanted}
        attrs = {name: data.attrs[name] for name in _ICON_ATTRIBUTES if name in data.attrs}
    if "clon_vertices" in values:
        lon, lat = values["clon_vertices"].astype(float), values["clat_vertices"].astype(float)
    else:
        lon, lat = (values[name].astype(float)[values["vertex_of_cell"].T - 1] for name in ("vlon", "vlat"))
    area = np.abs(ring_areas(lon, lat, True))
    ratio = values["cell_area"] / area
    if ratio.max() > ratio.min() * 1.001:
        raise ValueError(f"{path}: cell_area is {ratio.min():.6g} to {ratio.max():.6g} m2 per unit of the triangles' "
                         "own areas; expected one number, the radius squared.")  # fmt: skip
    lon, lat, clon, clat = (np.degrees(v) for v in (lon, lat, values["clon"], values["clat"]))
    return Cells(path.stem, clon, clat, lon, lat, area * EARTH_RADIUS**2, True, area.shape, attrs)
