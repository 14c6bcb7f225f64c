"""The twin Earth's land: relief, climate and Koeppen zones, made up, as functions of place."""

import numpy as np

from ai4land.legend import read_legend
from ai4land.twin.noise import fractal_noise

_CONTINENTS = (3000.0, 1200.0, 500.0, 200.0, 80.0, 30.0, 10.0)  # fine cells; each divides 36000
_RAIN = (1500.0, 600.0, 200.0)


def fine_position(lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns, in fine cells of the global grid, of latitudes and longitudes (degrees)."""
    return (90.0 - lat) * 100.0, (lon + 180.0) * 100.0


def elevation(lat: np.ndarray, lon: np.ndarray, seed: int) -> np.ndarray:
    """Elevation of land and sea floor.

    Parameters
    ----------
    lat, lon : numpy.ndarray, shapes (rows,) and (cols,)
        Degrees; any spacing.
    seed : int

    Returns
    -------
    numpy.ndarray, shape (rows, cols), float64
        m; below 0 is sea.
    """
    y, x = fine_position(lat, lon)
    shape = fractal_noise(y, x, _CONTINENTS, seed, 1, 0.6) - 0.28
    rugged = np.abs(fractal_noise(y, x, (400.0, 150.0, 60.0, 20.0), seed, 2, 0.55))
    land = 900 * np.clip(shape, 0, None) + 2200 * np.clip(shape - 0.15, 0, None) * rugged
    return np.where(shape > 0, land + 1, 3500 * shape - 1)


def climate(lat: np.ndarray, lon: np.ndarray, height: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Annual mean temperature (degree Celsius) and precipitation (mm), each (rows, cols)."""
    y, x = fine_position(lat, lon)
    phi = np.radians(lat)[:, None]
    temperature = 29 - 45 * np.sin(phi) ** 2 - 0.0062 * np.clip(height, 0, None)
    belts = 900 + 700 * np.cos(3 * phi) ** 2 * np.cos(phi)
    wet = np.exp(0.7 * fractal_noise(y, x, _RAIN, seed, 3))
    return temperature, belts * wet


def koppen(lat: np.ndarray, lon: np.ndarray, seed: int) -> np.ndarray:
    """Koeppen-Geiger zones of the made-up climate, codes of legend ``koppen_geiger``; 0 at sea (uint8).

    A coarse reading of the rules of Koeppen from annual means alone: aridity first, then temperature.
    """
    height = elevation(lat, lon, seed)
    t, p = climate(lat, lon, height, seed)
    dry = p < 20 * t + 140
    arid = p < 10 * t + 70
    names = np.select(
        [t < -8, t < 0, arid & (t >= 18), arid, dry & (t >= 18), dry, (t >= 22) & (p > 1500), t >= 20, t >= 13, t >= 7],
        ["ef", "et", "bwh", "bwk", "bsh", "bsk", "af", "aw", "cfa", "cfb"],
        "dfb",
    )  # fmt: skip
    legend = read_legend("koppen_geiger").set_index("name")["code"]
    codes = legend.reindex(names.ravel()).to_numpy().reshape(names.shape)
    return np.where(height > 0, codes, 0).astype(np.uint8)
