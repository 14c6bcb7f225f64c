"""Which of the 38 land-cover classes a land-use class is on the twin Earth, by climate and noise.

The rules know no year: within a land-use class a place never changes its class, as ESA CCI tracks no such change.
"""

import numpy as np

from ai4land.grid import Grid, hash_unit
from ai4land.legend import read_legend
from ai4land.twin.earth import climate, elevation, fine_position
from ai4land.twin.ground import CROPLAND, FOREST, GRASS, OTHER, PASTURE, URBAN
from ai4land.twin.noise import fractal_noise

_Rules = list[tuple[np.ndarray | bool, str]]


def class_code(name: str) -> int:
    """Code of a class of legend ``land_cover``."""
    legend = read_legend("land_cover")
    return int(legend.loc[legend["name"] == name, "code"].item())


def _farmed(t: np.ndarray, p: np.ndarray, n: np.ndarray) -> dict[int, _Rules]:
    return {
        CROPLAND: [
            ((p < 14 * t + 140) & (n > 0.25), "cropland_irrigated"),
            (n > 0.6, "mosaic_cropland"),
            ((t > 13) & (n < -0.6), "cropland_rainfed_tree_or_shrub_cover"),
            (n < -0.2, "cropland_rainfed_herbaceous_cover"),
            (True, "cropland_rainfed"),
        ],
        PASTURE: [(n > 0.85, "mosaic_cropland"), (n > 0.5, "mosaic_natural_vegetation"), (True, "grassland")],
    }


def _trees(t: np.ndarray, p: np.ndarray, n: np.ndarray, height: np.ndarray, swamp: np.ndarray) -> _Rules:
    return [
        ((height < 4) & (t > 22), "tree_cover_flooded_saline_water"),
        (swamp, "tree_cover_flooded_fresh_or_brakish_water"),
        (n > 0.75, "mosaic_tree_and_shrub"),
        ((t >= 20) & (p >= 1300), "tree_broadleaved_evergreen_closed_to_open"),
        ((t >= 13) & (p < 700) & (n > 0), "tree_broadleaved_deciduous_open"),
        ((t >= 13) & (n < -0.3), "tree_needleleaved_evergreen_closed_to_open"),
        (t >= 13, "tree_broadleaved_deciduous_closed_to_open"),
        ((t >= 5) & (n > 0.2), "tree_broadleaved_deciduous_closed"),
        ((t >= 5) & (n < -0.2), "tree_needleleaved_evergreen_closed"),
        (t >= 5, "tree_mixed"),
        ((p < 500) & (n > 0.2), "tree_needleleaved_deciduous_closed"),
        ((p < 500) & (n < -0.2), "tree_needleleaved_deciduous_open"),
        (p < 500, "tree_needleleaved_deciduous_closed_to_open"),
        (n > 0, "tree_needleleaved_evergreen_open"),
        (True, "tree_needleleaved_evergreen_closed_to_open"),
    ]


def _open_land(t: np.ndarray, p: np.ndarray, n: np.ndarray, swamp: np.ndarray) -> dict[int, _Rules]:
    return {
        GRASS: [
            (swamp, "shrub_or_herbaceous_cover_flooded"),
            (n > 0.5, "mosaic_herbaceous"),
            (t < 2, "grassland"),
            ((p < 14 * t + 140) & (n > 0), "shrubland_evergreen"),
            (n > 0.1, "shrubland"),
            ((n < -0.5) & (t > 8), "shrubland_deciduous"),
            (True, "grassland"),
        ],
        OTHER: [
            (t < -8, "snow_and_ice"),
            ((t < 0) & (n > 0), "lichens_and_mosses"),
            ((p < 300) & (n > 0.3), "bare_areas_consolidated"),
            ((p < 300) & (n < -0.3), "bare_areas_unconsolidated"),
            (p < 300, "bare_areas"),
            (n > 0.4, "sparse_shrub"),
            (n < -0.4, "sparse_herbaceous"),
            (np.abs(n) < 0.05, "sparse_tree"),
            (True, "sparse_vegetation"),
        ],
    }


def cover_classes(grid: Grid, seed: int) -> np.ndarray:
    """Land-cover class that each land-use class would be in every cell, in two draws of the finest noise.

    Parameters
    ----------
    grid : Grid
        Fine cells of 0.01 degree.
    seed : int

    Returns
    -------
    numpy.ndarray, shape (2, 8, rows, cols), uint8
        Codes of legend ``land_cover``, by draw and land-use class; ocean and water are 210.
    """
    y, x = fine_position(grid.lat, grid.lon)
    # From the rounded position: the last digits of a coordinate depend on where its window starts.
    lat, lon = 90 - y / 100, x / 100 - 180
    height = elevation(lat, lon, seed)
    t, p = climate(lat, lon, height, seed)
    patch = 0.8 * fractal_noise(y, x, (60.0, 20.0, 6.0), seed, 121)
    swamp = (fractal_noise(y, x, (40.0, 15.0, 5.0), seed, 122) > 0.55) & (height < 200)
    codes = np.full((2, 8, *grid.shape), class_code("water"), np.uint8)
    codes[:, URBAN] = class_code("urban")
    keys = y[:, None].astype(int), x[None, :].astype(int) % 36000
    for draw, out in enumerate(codes):
        n = patch + 0.7 * (hash_unit(seed, 123 + draw, *keys) - 0.5)
        rules = _farmed(t, p, n) | _open_land(t, p, n, swamp) | {FOREST: _trees(t, p, n, height, swamp)}
        for land_use, ordered in rules.items():
            chosen = [np.broadcast_to(when, grid.shape) for when, _ in ordered]
            out[land_use] = np.select(chosen, [class_code(name) for _, name in ordered])
    return codes
