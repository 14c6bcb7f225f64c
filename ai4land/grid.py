"""Regular latitude-longitude grids: cells, their area on the sphere, windows, blocks and regions."""

from dataclasses import dataclass
from math import ceil

import numpy as np
import pandas as pd
import xarray as xr

from ai4land.legend import DATA

SHARD_CELLS = 2000  # 20 degrees: the unit of writing of large stores
Bounds = tuple[float, float, float, float]  # west, south, east, north, degrees
EARTH_RADIUS = 6371007.181  # m, radius of the sphere with the area of the WGS84 ellipsoid
COARSE_CELLS = 25  # fine cells along one side of a 0.25 degree cell
CHUNK_CELLS = 500  # 5 degrees: 20 coarse cells, and a whole number of them tiles every region
_MIX = np.array([0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0x9E3779B97F4A7C15], np.uint64)


@dataclass(frozen=True)
class Grid:
    """A regular grid, rows from north to south and columns from west to east.

    Parameters
    ----------
    north, west : float
        Outer edges of the first row and column, degrees.
    dlat, dlon : float
        Cell size, degrees, positive.
    rows, cols : int
        Number of cells.
    """

    north: float
    west: float
    dlat: float
    dlon: float
    rows: int
    cols: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows, self.cols

    @property
    def lat(self) -> np.ndarray:
        """Latitude of cell centres, degrees, north to south (float64)."""
        return self.north - (np.arange(self.rows) + 0.5) * self.dlat

    @property
    def lon(self) -> np.ndarray:
        """Longitude of cell centres, degrees, west to east (float64)."""
        return self.west + (np.arange(self.cols) + 0.5) * self.dlon

    @property
    def lat_edges(self) -> np.ndarray:
        """Latitude of the ``rows + 1`` cell edges, degrees, clipped at the poles."""
        return np.clip(self.north - np.arange(self.rows + 1) * self.dlat, -90, 90)

    @property
    def lon_edges(self) -> np.ndarray:
        """Longitude of the ``cols + 1`` cell edges, degrees."""
        return self.west + np.arange(self.cols + 1) * self.dlon

    @property
    def bounds(self) -> Bounds:
        """West, south, east, north edges, degrees."""
        return self.west, self.north - self.rows * self.dlat, self.west + self.cols * self.dlon, self.north

    def cell_area(self) -> np.ndarray:
        """Area of one cell of each row on the sphere, m2, shape (rows,), float64."""
        band = -np.diff(np.sin(np.radians(self.lat_edges)))
        return EARTH_RADIUS**2 * np.radians(self.dlon) * band

    def cut(self, rows: slice, cols: slice) -> "Grid":
        """The part of the grid that two slices select."""
        north, west = self.north - rows.start * self.dlat, self.west + cols.start * self.dlon
        return Grid(north, west, self.dlat, self.dlon, rows.stop - rows.start, cols.stop - cols.start)

    def blocks(self, cells: int) -> "Grid":
        """Coarse grid of blocks of ``cells`` x ``cells``, counted from the north-west corner.

        The last row and column reach beyond the grid where its size is no multiple of ``cells``.
        """
        rows, cols = ceil(self.rows / cells), ceil(self.cols / cells)
        return Grid(self.north, self.west, self.dlat * cells, self.dlon * cells, rows, cols)

    def coords(self) -> dict[str, xr.Variable]:
        """CF coordinates ``lat`` and ``lon`` of the cell centres."""
        return {
            "lat": xr.Variable("lat", self.lat, {"standard_name": "latitude", "units": "degrees_north", "axis": "Y"}),
            "lon": xr.Variable("lon", self.lon, {"standard_name": "longitude", "units": "degrees_east", "axis": "X"}),
        }

    def same_as(self, other: "Grid", tolerance: float = 1e-3) -> bool:
        """Whether two grids have the same cells, within a share ``tolerance`` of one cell."""
        near = np.allclose(self.bounds, other.bounds, rtol=0, atol=tolerance * min(self.dlat, self.dlon))
        return self.shape == other.shape and near

    def meets(self, other: "Grid") -> bool:
        """Whether two grids share more than an edge."""
        (west, south, east, north), (w, s, e, n) = self.bounds, other.bounds
        return min(east, e) - max(west, w) > 1e-9 and min(north, n) - max(south, s) > 1e-9

    def same_cells(self, other: "Grid", tolerance: float = 1e-3) -> bool:
        """Whether the cells of two grids lie on one lattice, within a share ``tolerance`` of a cell."""
        if not np.allclose((self.dlat, self.dlon), (other.dlat, other.dlon), rtol=1e-5):
            return False
        off = np.array([(self.north - other.north) / self.dlat, (self.west - other.west) / self.dlon])
        return bool(np.abs(off - np.rint(off)).max() < tolerance)


GLOBAL = Grid(90.0, -180.0, 0.01, 0.01, 18000, 36000)


def grid_of(field: xr.DataArray | xr.Dataset) -> Grid:
    """Grid of a field with 1-d ``lat`` and ``lon`` cell centres.

    Raises
    ------
    ValueError
        If the centres are not evenly spaced, or not ordered north to south and west to east.
    """
    lat, lon = field["lat"].to_numpy().astype(float), field["lon"].to_numpy().astype(float)
    if lat.size < 2 or lon.size < 2:
        raise ValueError(f"a grid needs two rows and columns at least, found {lat.size} x {lon.size}.")
    dlat, dlon = (lat[0] - lat[-1]) / (lat.size - 1), (lon[-1] - lon[0]) / (lon.size - 1)
    if dlat <= 0 or dlon <= 0:
        raise ValueError("lat must run north to south and lon west to east; sort the field first.")
    for name, values, step in (("lat", lat, -dlat), ("lon", lon, dlon)):
        if np.abs(np.diff(values) - step).max() > 1e-2 * abs(step):
            raise ValueError(f"{name} is not evenly spaced: steps {np.diff(values).min()} to {np.diff(values).max()}.")
    dlat, dlon = float(dlat), float(dlon)
    return Grid(float(lat[0]) + dlat / 2, float(lon[0]) - dlon / 2, dlat, dlon, lat.size, lon.size)


def check_bounds(bounds: Bounds, name: str) -> None:
    """Refuse a window of which west, south, east, north are not in order, or that crosses the date line.

    Raises
    ------
    ValueError
        With ``name``, what asks for the window.
    """
    west, south, east, north = bounds
    if west > east or west < -180.01 or east > 180.01:  # a cell of slack: v1's grid ends a little beyond
        raise ValueError(
            f"{name}: window {bounds} crosses the date line (or is turned); split it: one to 180, one from -180."
        )
    if west == east or south >= north:
        raise ValueError(f"{name}: window {bounds} is empty; give west, south, east, north with south < north.")


def window_slices(grid: Grid, bounds: Bounds, name: str) -> tuple[slice, slice]:
    """Rows and columns of the cells whose centres lie inside a window.

    Parameters
    ----------
    grid : Grid
    bounds : tuple of float
        West, south, east, north, degrees.
    name : str
        What asks for the window, for the error message.

    Raises
    ------
    ValueError
        If the window is none (`check_bounds`), or reaches beyond the grid by more than half a cell.
    """
    check_bounds(bounds, name)
    west, south, east, north = bounds
    have = grid.bounds
    slack = grid.dlon / 2, grid.dlat / 2
    beyond = [
        west < have[0] - slack[0], south < have[1] - slack[1], east > have[2] + slack[0], north > have[3] + slack[1],
    ]  # fmt: skip
    if any(beyond):
        sides = [s for s, b in zip(("west", "south", "east", "north"), beyond, strict=True) if b]
        shown = tuple(round(b, 4) for b in have)
        raise ValueError(
            f"{name}: window {bounds} reaches beyond the data to the {', '.join(sides)}; the data cover "
            f"{shown} (west, south, east, north). Choose a window inside, or other data."
        )
    # Edges round to the nearest cell edge: a bound half a float step off must not drop a row.
    top, left = round((grid.north - north) / grid.dlat), round((west - grid.west) / grid.dlon)
    bottom, right = round((grid.north - south) / grid.dlat), round((east - grid.west) / grid.dlon)
    top, left, bottom, right = max(top, 0), max(left, 0), min(bottom, grid.rows), min(right, grid.cols)
    if bottom <= top or right <= left:
        raise ValueError(f"{name}: window {bounds} holds no cell of {grid.dlat:.4g} degrees; make it larger.")
    return slice(top, bottom), slice(left, right)


def read_regions() -> pd.DataFrame:
    """Table ``data/regions.csv``: index ``region``; west, south, east, north (degrees), land (share), description."""
    return pd.read_csv(DATA / "regions.csv", index_col="region")


def region_bounds(region: str) -> Bounds:
    """West, south, east, north of a named region, degrees.

    Raises
    ------
    ValueError
        If ``data/regions.csv`` has no such region, or one that is no window (`check_bounds`).
    """
    table = read_regions()
    if region not in table.index:
        raise ValueError(f"region {region!r} is not in data/regions.csv, which has {sorted(table.index)}; add a row.")
    west, south, east, north = (float(v) for v in table.loc[region, ["west", "south", "east", "north"]])
    check_bounds((west, south, east, north), f"region {region}")
    return west, south, east, north


def block_index(shape: tuple[int, int], cells: int) -> np.ndarray:
    """Number of the block that each cell belongs to, blocks counted row by row from the north-west corner.

    Returns
    -------
    numpy.ndarray, shape ``shape``, int64
    """
    rows, cols = np.arange(shape[0]) // cells, np.arange(shape[1]) // cells
    return rows[:, None] * ceil(shape[1] / cells) + cols[None, :]


def hash_unit(seed: int, *keys: np.ndarray | int) -> np.ndarray:
    """Uniform numbers in [0, 1) from integer keys, the same on every machine.

    Parameters
    ----------
    seed : int
    *keys : numpy.ndarray or int
        Integers, broadcast together.

    Returns
    -------
    numpy.ndarray, float64

    References
    ----------
    Steele et al. (2014), SplitMix64, doi:10.1145/2660193.2660195
    """
    with np.errstate(over="ignore"):
        state = np.uint64(seed) * _MIX[2]
        for key in keys:
            state = state + np.asarray(key).astype(np.int64).astype(np.uint64) * _MIX[0] + _MIX[2]
            state = (state ^ (state >> np.uint64(30))) * _MIX[0]
            state = (state ^ (state >> np.uint64(27))) * _MIX[1]
            state = state ^ (state >> np.uint64(31))
    return (state >> np.uint64(11)).astype(float) * 2.0**-53
