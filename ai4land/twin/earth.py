"""The twin Earth's land: relief, lakes, climate and Koeppen zones, made up, as functions of place."""

import numpy as np

from ai4land.legend import read_legend
from ai4land.twin.noise import fractal_noise

_CONTINENTS = (3000.0, 1200.0, 500.0, 200.0, 80.0, 30.0, 10.0)  # fine cells; each divides 36000
_RUGGED = (400.0, 150.0, 60.0, 20.0)
_RAIN = (1500.0, 600.0, 200.0)


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
    seed : int
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
    seed : int
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
