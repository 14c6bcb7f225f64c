"""The twin Earth's land, as functions of place: relief, lakes, climate, its zones, slopes, where towns may grow."""

import numpy as np

from ai4land.grid import COARSE_CELLS, Grid, hash_unit
from ai4land.legend import read_legend
from twin_earth.noise import fractal_noise

OCEAN, URBAN, CROPLAND, PASTURE, FOREST, GRASS, OTHER, WATER = range(8)
_CONTINENTS = (3000.0, 1200.0, 500.0, 200.0, 80.0, 30.0, 10.0)  # fine cells; each divides 36000
_RUGGED = (400.0, 150.0, 60.0, 20.0)
_RAIN = (1500.0, 600.0, 200.0)
_TOWNS = ((160.0, 5.0), (48.0, 2.5), (15.0, 0.9))  # spacing of their lattice and reach of the largest, fine cells


def fine_position(lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns, in fine cells of the global grid, of latitudes and longitudes (degrees)."""
    # Rounded: the last digits of a coordinate depend on where its window starts.
    return np.round((90.0 - lat) * 100.0, 6), np.round((lon + 180.0) * 100.0, 6)


def elevation(lat: np.ndarray, lon: np.ndarray, seed: int, smallest: float = 0.0) -> np.ndarray:
    """Elevation of land and sea floor.

    Parameters
    ----------
    lat, lon : numpy.ndarray, shapes (rows,) and (cols,), or both (rows, cols)
        Degrees; any spacing.
    smallest : float
        Leave out relief of a smaller scale than this, fine cells.

    Returns
    -------
    numpy.ndarray, shape (rows, cols), float64
        m; below 0 is sea.
    """
    y, x = fine_position(lat, lon)
    scales = tuple(s for s in _CONTINENTS if s >= smallest)
    shape = fractal_noise(y, x, scales, seed, 1557, 0.6) - 0.2
    rugged = np.abs(fractal_noise(y, x, tuple(s for s in _RUGGED if s >= smallest), seed, 2, 0.55))
    land = 900 * np.clip(shape, 0, None) + 6000 * np.clip(shape - 0.15, 0, None) * rugged
    return np.where(shape > 0, land + 1, 3500 * shape - 1)


def lakes(lat: np.ndarray, lon: np.ndarray, height: np.ndarray, seed: int) -> np.ndarray:
    """Where inland water lies, shape (rows, cols), bool."""
    y, x = fine_position(lat, lon)
    return (fractal_noise(y, x, (40.0, 15.0, 5.0), seed, 51) > 0.62) & (height > 0) & (height < 900)


def climate(lat: np.ndarray, lon: np.ndarray, height: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Annual mean temperature (degree Celsius) and precipitation (mm), each (rows, cols)."""
    y, x = fine_position(lat, lon)
    phi = np.radians(lat if lat.ndim == 2 else lat[:, None])
    temperature = 29 - 45 * np.sin(phi) ** 2 - 0.0062 * np.clip(height, 0, None)
    degrees = np.degrees(np.abs(phi))
    belts = 400 + 1500 * np.exp(-((degrees / 14) ** 2)) + 450 * np.exp(-(((degrees - 48) / 14) ** 2))
    wet = np.exp(0.7 * fractal_noise(y, x, _RAIN, seed, 3))
    return temperature, belts * wet


def koppen(lat: np.ndarray, lon: np.ndarray, seed: int, warming: float = 0.0) -> np.ndarray:
    """Koeppen-Geiger zones of the made-up climate.

    A coarse reading of the rules of Koeppen from annual means alone: aridity first, then temperature.

    Parameters
    ----------
    lat, lon : numpy.ndarray, shapes (rows,) and (cols,)
        Degrees.
    warming : float
        Added to the temperature of the present, degree Celsius.

    Returns
    -------
    numpy.ndarray, shape (rows, cols), uint8
        Codes of legend ``koppen_geiger``; 0 at sea.
    """
    height = elevation(lat, lon, seed)
    t, p = climate(lat, lon, height, seed)
    t = t + warming
    code = read_legend("koppen_geiger").set_index("name")["code"].to_dict()
    dry = p < 20 * t + 140
    arid = p < 10 * t + 70
    zones = np.select(
        [t < -8, t < 0, arid & (t >= 18), arid, dry & (t >= 18), dry, (t >= 22) & (p > 1500), t >= 20, t >= 13, t >= 7],
        [code[n] for n in ("ef", "et", "bwh", "bwk", "bsh", "bsk", "af", "aw", "cfa", "cfb")],
        code["dfb"],
    )
    return np.where(height > 0, zones, 0).astype(np.uint8)


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
