"""Target grids of host models: cells of `sphere_overlap` on the project's sphere, with the names of their grids."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.special import roots_legendre

import sphere_overlap
from ai4land.grid import EARTH_RADIUS, Bounds, Grid

_ICON_ATTRIBUTES = ("uuidOfHGrid", "number_of_grid_used", "grid_root", "grid_level")


@dataclass(frozen=True)
class Cells(sphere_overlap.Cells):
    """Cells of a target grid: areas in m2, on the sphere of radius `ai4land.grid.EARTH_RADIUS`.

    Parameters
    ----------
    name : str
    shape : tuple of int
        Of a field on the grid: (rows, cols) of a regular grid, else (cells,).
    attrs : dict
        What the publisher's file says of the grid.
    """

    name: str = field(kw_only=True)
    shape: tuple[int, ...] = field(kw_only=True)
    attrs: dict[str, object] = field(default_factory=dict, kw_only=True)

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
    lon = grid.lon_edges
    left, right = np.tile(lon[:-1], grid.rows), np.tile(lon[1:], grid.rows)
    count = np.full(grid.rows, grid.cols)
    cells = sphere_overlap.latlon_cells(grid.lat_edges, left, right, count, grid.lat, EARTH_RADIUS)
    return Cells(**vars(cells), name=f"regular-{resolution:g}", shape=grid.shape)


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
    cells = sphere_overlap.latlon_cells(edges, west, east, count, centres, EARTH_RADIUS)
    return Cells(**vars(cells), name=f"O{n}", shape=west.shape)


def healpix(nside: int, order: str) -> Cells:
    """HEALPix grid of 12 ``nside``**2 cells, of `sphere_overlap.healpix`."""
    cells = sphere_overlap.healpix(nside, order, EARTH_RADIUS)
    return Cells(**vars(cells), name=f"healpix-{nside}-{order}", shape=cells.lon.shape)


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
    area = np.abs(sphere_overlap.ring_areas(lon, lat, True))
    ratio = values["cell_area"] / area
    if ratio.max() > ratio.min() * 1.001:
        raise ValueError(f"{path}: cell_area is {ratio.min():.6g} to {ratio.max():.6g} m2 per unit of the triangles' "
                         "own areas; expected one number, the radius squared.")  # fmt: skip
    lon, lat, clon, clat = (np.degrees(v) for v in (lon, lat, values["clon"], values["clat"]))
    return Cells(clon, clat, lon, lat, area * EARTH_RADIUS**2, True, EARTH_RADIUS, name=path.stem, shape=area.shape,
                 attrs=attrs)  # fmt: skip
