"""What stands still at 1 km on the twin Earth: sea, lakes, slopes and where towns may grow."""

import numpy as np

from ai4land.grid import COARSE_CELLS, Grid, hash_unit
from ai4land.twin.earth import elevation, fine_position, lakes
from ai4land.twin.noise import fractal_noise

OCEAN, URBAN, CROPLAND, PASTURE, FOREST, GRASS, OTHER, WATER = range(8)
_TOWNS = ((160.0, 5.0), (48.0, 2.5), (15.0, 0.9))  # spacing of their lattice and reach of the largest, fine cells


def in_blocks(field: np.ndarray) -> np.ndarray:
    """(y, x) to (Y, X, cells of the coarse cell), float32 where it was a float."""
    n = COARSE_CELLS
    rows, cols = field.shape[0] // n, field.shape[1] // n
    blocks = field.reshape(rows, n, cols, n).swapaxes(1, 2).reshape(rows, cols, n * n)
    return blocks.astype(np.float32) if field.dtype.kind == "f" else blocks


def settlement(y: np.ndarray, x: np.ndarray, seed: int) -> np.ndarray:
    """Distance to the nearest possible town as a multiple of its size: cities, towns and villages.

    Parameters
    ----------
    y, x : numpy.ndarray, shapes (rows,) and (cols,)
        Position in fine cells of the global grid.
    seed : int

    Returns
    -------
    numpy.ndarray, shape (rows, cols), float64
    """
    nearest = np.full((y.size, x.size), np.inf)
    for level, (spacing, reach) in enumerate(_TOWNS):
        row, col = np.floor(y / spacing).astype(int), np.floor(x / spacing).astype(int)
        rows, cols = np.arange(row.min() - 1, row.max() + 2), np.arange(col.min() - 1, col.max() + 2)
        keys = rows[:, None], cols[None, :] % round(36000 / spacing)
        ty = (rows[:, None] + hash_unit(seed, 21 + 3 * level, *keys)) * spacing
        tx = (cols[None, :] + hash_unit(seed, 22 + 3 * level, *keys)) * spacing
        size = reach * (0.1 + hash_unit(seed, 23 + 3 * level, *keys) ** 2)
        for dy in (0, 1, 2):
            for dx in (0, 1, 2):
                town = (row - row.min() + dy)[:, None], (col - col.min() + dx)[None, :]
                away = ((y[:, None] - ty[town]) ** 2 + (x[None, :] - tx[town]) ** 2) / size[town] ** 2
                np.minimum(nearest, away, out=nearest)
    return np.sqrt(nearest) * np.exp(0.8 * fractal_noise(y, x, (12.0, 4.0), seed, 40))


class Ground:
    """Still fields of a window.

    Parameters
    ----------
    grid : Grid
        Fine cells of 0.01 degree; edges on the 0.25 degree lattice of the globe.
    seed : int

    Attributes
    ----------
    height, steep, town : numpy.ndarray, shape (rows, cols)
        Elevation (m), steepness (0 to 1), distance to the nearest possible town over its size.
    kind : numpy.ndarray, shape (rows, cols), uint8
        Ocean, water, or other land.

    Raises
    ------
    ValueError
        If the grid does not hold whole coarse cells.
    """

    def __init__(self, grid: Grid, seed: int) -> None:
        offset = (90 - grid.north) * 100 % COARSE_CELLS, (grid.west + 180) * 100 % COARSE_CELLS
        apart = [min(o, COARSE_CELLS - o) for o in offset]
        if grid.rows % COARSE_CELLS or grid.cols % COARSE_CELLS or max(apart) > 1e-6:
            raise ValueError(
                f"window {grid.bounds} must lie on the 0.25 degree lattice: the twin makes whole coarse cells."
            )
        self.grid, self.seed = grid, seed
        # One cell of margin: slopes at the edge must not depend on where the window ends.
        wide = Grid(grid.north + grid.dlat, grid.west - grid.dlon, grid.dlat, grid.dlon, grid.rows + 2, grid.cols + 2)
        tall = elevation(wide.lat, wide.lon, seed)
        rough = (np.abs(np.gradient(tall, axis=0)) + np.abs(np.gradient(tall, axis=1)))[1:-1, 1:-1]
        self.height, self.steep = tall[1:-1, 1:-1], rough / (rough + 30)
        water = lakes(grid.lat, grid.lon, self.height, seed)
        self.kind = np.where(self.height <= 0, OCEAN, np.where(water, WATER, OTHER)).astype(np.uint8)
        self.town = settlement(*fine_position(grid.lat, grid.lon), seed)
