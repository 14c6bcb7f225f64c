"""Annual land use of the twin Earth: demand per coarse cell, and the cells that rank highest carry it.

An explicit function of (cell, year, seed): no year needs the one before, no window its neighbour.
"""

import numpy as np

from ai4land.grid import COARSE_CELLS, Grid
from ai4land.twin.earth import climate, elevation, fine_position
from ai4land.twin.noise import fractal_noise, hash_unit, moving_noise, value_noise

URBAN, CROPLAND, PASTURE, FOREST, GRASS, OTHER, WATER = 1, 2, 3, 4, 5, 6, 7
_TOWN_CELLS = 40.0  # fine cells: spacing of the lattice that towns may stand on


def demand(grid: Grid, year: int, seed: int) -> np.ndarray:
    """Share of land that each class wants in every coarse cell.

    Parameters
    ----------
    grid : Grid
        Coarse cells of 0.25 degree, on the global lattice.
    year : int
    seed : int

    Returns
    -------
    numpy.ndarray, shape (class, rows, cols), float64
        Shares (1) of urban, cropland, pasture, forest, grass/shrubland, other land; sum to 1.
    """
    y, x = fine_position(grid.lat, grid.lon)
    height = elevation(grid.lat, grid.lon, seed)
    t, p = climate(grid.lat, grid.lon, height, seed)
    warm, moist = np.clip(t / 20, 0, 1), np.clip(p / 1000, 0, 1)
    settled = value_noise(y, x, 300.0, seed, 11)
    # Settling starts at different times in different places and slows down by itself.
    onset = 1850 + 120 * value_noise(y, x, 800.0, seed, 12)
    progress = 1 / (1 + np.exp(-(year - onset) / 25))
    swing = 0.06 * (2 * moving_noise(y, x, 150.0, year, 30.0, seed, 13) - 1)
    use = np.clip(settled * progress * warm * moist + swing * progress, 0, 0.9)
    crop_share = np.clip(0.5 + 0.4 * fractal_noise(y, x, (600.0, 200.0), seed, 14), 0.1, 0.9)
    urban = 0.04 * use**2 * progress
    crop, pasture = use * crop_share * 0.8, use * (1 - crop_share) * 0.8
    rest = 1 - urban - crop - pasture
    trees = np.clip(1.5 * moist * warm - 0.2, 0, 1) * np.clip(1.2 - height / 3000, 0, 1)
    bare = np.clip(0.6 - moist, 0, 1) * 0.5 + np.clip((height - 2000) / 2000, 0, 0.5)
    forest = rest * trees * (1 - bare)
    other = rest * bare
    return np.stack([urban, crop, pasture, forest, rest - forest - other, other])


def _town_distance(y: np.ndarray, x: np.ndarray, seed: int) -> np.ndarray:
    """Distance to the nearest possible town, in lattice spacings; one stands in each lattice square."""
    row, col = np.floor(y / _TOWN_CELLS).astype(int), np.floor(x / _TOWN_CELLS).astype(int)
    fy, fx = (y / _TOWN_CELLS)[:, None], (x / _TOWN_CELLS)[None, :]
    nearest = np.full((y.size, x.size), np.inf)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            i, j = (row + dy)[:, None], (col + dx)[None, :]
            wrapped = j % round(36000 / _TOWN_CELLS)
            ty, tx = i + hash_unit(seed, 21, i, wrapped), j + hash_unit(seed, 22, i, wrapped)
            nearest = np.minimum(nearest, np.hypot(fy - ty, fx - tx))
    return nearest


def _ranks(grid: Grid, height: np.ndarray, year: int, seed: int) -> dict[int, np.ndarray]:
    """Rank of every cell for every class: suitability, distance to towns, noise that moves slowly."""
    y, x = fine_position(grid.lat, grid.lon)
    town = _town_distance(y, x, seed)
    rough = np.abs(np.gradient(height)[0]) + np.abs(np.gradient(height)[1])
    steep = rough / (rough + 30)
    # A little of the rank is drawn anew every few years: the flicker of classified maps.
    flicker = 0.05 * moving_noise(y, x, 2.0, year, 3.0, seed, 31)

    def texture(layer: int, years: float) -> np.ndarray:
        still = fractal_noise(y, x, (60.0, 20.0, 6.0), seed, layer)
        return 0.6 * still + 0.5 * moving_noise(y, x, 10.0, year, years, seed, layer)

    return {
        URBAN: -3 * town + 0.3 * texture(41, 200.0),
        CROPLAND: -1.5 * steep - 0.4 * town + texture(42, 80.0) + flicker,
        PASTURE: -0.5 * steep - 0.2 * town + texture(43, 80.0) + flicker,
        FOREST: 0.5 * steep + texture(44, 120.0) + flicker,
        GRASS: texture(45, 120.0),
    }


def _take_top(rank: np.ndarray, free: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Mark, in each block (last axis), the ``number`` free cells of highest rank."""
    order = np.argsort(np.where(free, -rank, np.inf), axis=-1, kind="stable")
    place = np.empty_like(order)
    np.put_along_axis(place, order, np.broadcast_to(np.arange(order.shape[-1]), order.shape), axis=-1)
    return free & (place < number[..., None])


def _in_blocks(field: np.ndarray) -> np.ndarray:
    """(y, x) to (Y, X, cells of the block)."""
    n = COARSE_CELLS
    rows, cols = field.shape[0] // n, field.shape[1] // n
    return field.reshape(rows, n, cols, n).swapaxes(1, 2).reshape(rows, cols, n * n)


def land_use(grid: Grid, year: int, seed: int) -> np.ndarray:
    """Land use of one year.

    Parameters
    ----------
    grid : Grid
        Fine cells of 0.01 degree; edges on the 0.25 degree lattice of the globe.
    year : int
    seed : int

    Returns
    -------
    numpy.ndarray, shape (rows, cols), uint8
        Codes of legend ``land_use``.

    Raises
    ------
    ValueError
        If the grid does not hold whole coarse cells.
    """
    offset = (90 - grid.north) * 100 % COARSE_CELLS, (grid.west + 180) * 100 % COARSE_CELLS
    apart = [min(o, COARSE_CELLS - o) for o in offset]
    if grid.rows % COARSE_CELLS or grid.cols % COARSE_CELLS or max(apart) > 1e-6:
        raise ValueError(
            f"window {grid.bounds} must lie on the 0.25 degree lattice: the twin makes whole coarse cells."
        )
    # One cell of margin: slopes at the edge must not depend on where the window ends.
    wide = Grid(grid.north + grid.dlat, grid.west - grid.dlon, grid.dlat, grid.dlon, grid.rows + 2, grid.cols + 2)
    tall = elevation(wide.lat, wide.lon, seed)
    height = tall[1:-1, 1:-1]
    ranks = {c: _in_blocks(r[1:-1, 1:-1]) for c, r in _ranks(wide, tall, year, seed).items()}
    y, x = fine_position(grid.lat, grid.lon)
    lake = (fractal_noise(y, x, (40.0, 15.0, 5.0), seed, 51) > 0.62) & (height < 900)
    flat = np.where(height <= 0, 0, np.where(lake, WATER, OTHER)).astype(np.uint8)
    out = _in_blocks(flat).copy()
    free = out == OTHER
    land = free.sum(-1)
    wanted = demand(grid.blocks(COARSE_CELLS), year, seed)
    for number, code in enumerate((URBAN, CROPLAND, PASTURE, FOREST, GRASS)):
        top = _take_top(ranks[code], free, np.rint(wanted[number] * land).astype(int))
        out[top] = code
        free &= ~top
    n = COARSE_CELLS
    rows, cols = grid.rows // n, grid.cols // n
    return out.reshape(rows, cols, n, n).swapaxes(1, 2).reshape(grid.shape)
