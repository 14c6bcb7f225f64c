"""A small made-up region with land use, land cover, seasons of leaf area and climate, in memory."""

import numpy as np

from ai4land.grid import Grid
from ai4land.samples.region import Region, layer_of

CROP, FOREST, WATER = 2, 4, 7  # of land use
COVER = {0: 210, CROP: 10, FOREST: 60, 5: 130, WATER: 210}  # land cover of each land use
LEAVES = {210: (0.0, 0.0), 10: (3.0, 0.3), 60: (5.0, 0.8), 130: (2.0, 0.5)}  # in and out of season
YEARS = list(range(2000, 2010))


def land_use_maps(rows=50, cols=75, seed=3):
    """Maps in which a front of cropland moves into forest, two cells a year."""
    rng = np.random.default_rng(seed)
    base = np.full((rows, cols), FOREST, np.uint8)
    base[rows // 2 :, :] = 5
    base[:6, :6] = WATER
    base[rng.random((rows, cols)) < 0.02] = 5
    maps = {}
    for number, year in enumerate(YEARS):
        one = base.copy()
        one[:, 20 : 30 + 2 * number] = np.where(base[:, 20 : 30 + 2 * number] == WATER, WATER, CROP)
        maps[year] = one
    return maps


def season(cover, year, warmth):
    """Leaf area of twelve months from land cover and a warmth (12, y, x) between 0 and 1."""
    high, low = (np.vectorize(lambda c, k=k: LEAVES[int(c)][k])(cover) for k in (0, 1))
    return (low + (high - low) * warmth).astype(np.float32) * np.float32(1 + 0.01 * (year - 2000))


def small_cube(rows=50, cols=75, seed=3):
    """A `Region` of ten years whose leaf area follows land cover and temperature."""
    rng = np.random.default_rng(seed)
    grid = Grid(45.0, 0.0, 0.01, 0.01, rows, cols)
    use = land_use_maps(rows, cols, seed)
    cover = {y: np.vectorize(COVER.get)(m).astype(np.uint8) for y, m in use.items()}
    coarse = Grid(45.25, -0.25, 0.25, 0.25, rows // 25 + 2, cols // 25 + 2)
    names = ["air_temperature", "precipitation_flux", "surface_downwelling_shortwave_flux", "soil_moisture_1"]
    wave = -np.cos(2 * np.pi * (np.arange(12) + 0.5) / 12)
    climate, leaves = {}, {}
    for year in YEARS:
        values = climate[year] = np.empty((12, len(names), *coarse.shape), np.float32)
        warm = rng.normal(0, 1.5, (12, 1, 1)) + rng.normal(0, 0.1, (12, *coarse.shape))
        values[:, 0] = 283 + 10 * wave[:, None, None] + warm
        values[:, 1] = 3e-5 * (1 + 0.2 * rng.random((12, *coarse.shape)))
        values[:, 2] = 180 + 100 * wave[:, None, None]
        values[:, 3] = 0.3
        warmth = 1 / (1 + np.exp(-(values[:, 0].mean((1, 2)) - 283) / 3))
        leaves[year] = season(cover[year], year, warmth[:, None, None])
    return Region("small", grid).with_fields(
        elevation=rng.random((rows, cols)).astype(np.float32), koppen=np.full((rows, cols), 8, np.float32),
        land_use=use, land_cover=cover, leaf_area_index=leaves, climate=layer_of(climate, names, coarse),
        co2={y: 369.0 + 2 * (y - 2000) for y in YEARS},
    )  # fmt: skip
