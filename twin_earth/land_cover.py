"""Land cover of the twin Earth at 300 m, seen on its land use, and its files: ESA CCI to 2015, C3S from 2016.

A 300 m cell looks at a place a little off its centre, so that borders wiggle. The later series labels some mosaics
otherwise than the earlier one: a break of the product, not of the land.
"""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import xarray as xr
from tqdm import tqdm

from ai4land.grid import COARSE_CELLS, Grid, hash_unit
from ai4land.legend import read_legend
from twin_earth.earth import CROPLAND, FOREST, GRASS, OTHER, PASTURE, URBAN, climate, elevation, fine_position
from twin_earth.land_use import Land
from twin_earth.noise import fractal_noise
from twin_earth.writers import write_geotiff, write_netcdf

CCI_YEARS, C3S_YEARS = range(1992, 2016), range(2016, 2023)
_PER_DEGREE = 360
_WIGGLE = (6.0, 2.4, 1.2)  # scales, fine cells; each divides 36000
_FARTHEST = 0.8  # fine cells that a look may be off
_STRIP = 450  # rows made at a time
_SECOND = 0.15  # share of cells that show the second draw of classes
_BREAK = 0.3  # share of these mosaics that the later series labels otherwise
_RELABELLED = {
    "mosaic_cropland": "cropland_rainfed", "mosaic_natural_vegetation": "grassland",
    "mosaic_tree_and_shrub": "tree_mixed", "mosaic_herbaceous": "shrubland",
}  # fmt: skip
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


@lru_cache(maxsize=1)
def _still(wide: Grid, seed: int) -> tuple[Land, np.ndarray]:
    """Land use and classes of a window: land cover and leaf area are made of the same, one after the other."""
    return Land(wide, seed), cover_classes(wide, seed)


class LandCover:
    """Land cover where points of a window lie.

    Parameters
    ----------
    grid : Grid
        Fine cells of the window; edges on the 0.25 degree lattice. Points may lie 0.2 degree beyond it.
    lat, lon : numpy.ndarray, shapes (rows,) and (cols,)
        Points, degrees; each takes the class of the 300 m cell that it lies in.
    """

    def __init__(self, grid: Grid, lat: np.ndarray, lon: np.ndarray, seed: int) -> None:
        n = COARSE_CELLS
        wide = grid.cut(slice(-n, grid.rows + n), slice(-n, grid.cols + n))
        self.land, self.classes = _still(wide, seed)
        # Cells of the global 300 m lattice; edges may be off by a float step.
        row = np.floor((90 - lat) * _PER_DEGREE + 1e-6).astype(int)
        col = np.floor((lon + 180) * _PER_DEGREE + 1e-6).astype(int)
        parts = [self._look(row[k : k + _STRIP], col, seed) for k in range(0, row.size, _STRIP)]
        self.cell, self.second, self.broken = (np.concatenate(part) for part in zip(*parts, strict=True))

    def _look(self, row: np.ndarray, col: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Number of the fine cell that is seen, and whether the second draw and the break show, each (rows, cols)."""
        wide = self.land.grid
        y, x = ((index + 0.5) / (_PER_DEGREE / 100) for index in (row, col))
        off = [np.clip(fractal_noise(y, x, _WIGGLE, seed, k), -_FARTHEST, _FARTHEST) for k in (131, 132)]
        down = np.floor(y[:, None] + off[0]).astype(int) - round((90 - wide.north) * 100)
        right = np.floor(x[None, :] + off[1]).astype(int) - round((wide.west + 180) * 100)
        keys = row[:, None], col[None, :] % (360 * _PER_DEGREE)
        drawn = hash_unit(seed, 133, *keys) < _SECOND, hash_unit(seed, 134, *keys) < _BREAK
        return (down * wide.cols + right).astype(np.int32), *drawn

    def at(self, year: int, later: bool = False) -> np.ndarray:
        """Codes of legend ``land_cover``, (rows, cols) uint8; ``later`` is as the series from 2016 labels them."""
        land_use = self.land.land_use(year)[None]
        first, second = (np.take_along_axis(draw, land_use, 0).ravel() for draw in self.classes)
        cover = np.where(self.second, second[self.cell], first[self.cell])
        if later:
            table = np.arange(256, dtype=np.uint8)
            table[[class_code(n) for n in _RELABELLED]] = [class_code(n) for n in _RELABELLED.values()]
            cover = np.where(self.broken, table[cover], cover)
        return cover


def _cells(grid: Grid) -> Grid:
    """The 300 m cells of a window."""
    shape = round(grid.rows * grid.dlat * _PER_DEGREE), round(grid.cols * grid.dlon * _PER_DEGREE)
    return Grid(grid.north, grid.west, 1 / _PER_DEGREE, 1 / _PER_DEGREE, *shape)


def _write_c3s(path: Path, cover: np.ndarray, cells: Grid, year: int) -> None:
    legend = read_legend("land_cover")
    about = {"long_name": "Land cover class defined in LCCS", "standard_name": "land_cover_lccs",
             "flag_values": legend["code"].to_numpy(np.uint8), "flag_meanings": " ".join(legend["name"]),
             "valid_min": np.uint8(1), "valid_max": np.uint8(220), "grid_mapping": "crs"}  # fmt: skip
    day = (np.datetime64(f"{year}-01-01") - np.datetime64("1970-01-01")).astype(float)
    bounds = {
        "lat_bounds": (("lat", "bounds"), np.stack([cells.lat_edges[:-1], cells.lat_edges[1:]], -1)),
        "lon_bounds": (("lon", "bounds"), np.stack([cells.lon_edges[:-1], cells.lon_edges[1:]], -1)),
        "time_bounds": (("time", "bounds"), np.array([[day, day + 365 + (year % 4 == 0)]])),
    }
    time = {"standard_name": "time", "long_name": "time", "axis": "T", "units": "days since 1970-01-01 00:00:00",
            "calendar": "standard", "bounds": "time_bounds"}  # fmt: skip
    axes = {n: (n, axis.values, {**axis.attrs, "bounds": f"{n}_bounds"}) for n, axis in cells.coords().items()}
    data = xr.Dataset(
        {"lccs_class": (("time", "lat", "lon"), cover[None], about), **bounds,
         "crs": ((), np.int32(0), {"grid_mapping_name": "latitude_longitude"})},
        {"time": ("time", [day], time), **axes},
        {"title": "Land cover of the twin Earth (synthetic)", "Conventions": "CF-1.6"},
    )  # fmt: skip
    write_netcdf(path, data, {"lccs_class": {"_FillValue": None, "zlib": True, "complevel": 1}})


def _maps(raw: Path, name: str, grid: Grid, years: list[int], seed: int) -> Iterator[tuple[int, Path, LandCover]]:
    """Years, paths and the land cover of the files that are not there yet."""
    paths = {year: raw / name.format(year) for year in years}
    paths = {year: path for year, path in paths.items() if not path.exists()}
    if paths:
        cells = _cells(grid)
        cover = LandCover(grid, cells.lat, cells.lon, seed)
        for year, path in tqdm(paths.items(), desc="twin Earth, land cover", unit="map", mininterval=5):
            yield year, path, cover


def write_esa_cci(raw: Path, grid: Grid, years: list[int], seed: int) -> None:
    """Write ESA CCI land cover v2.0.7 at 300 m as GeoTIFF (uint8, LZW), one file a year of 1992-2015."""
    wanted = [year for year in years if year in CCI_YEARS]
    for year, path, cover in _maps(raw, "ESACCI-LC-L4-LCCS-Map-300m-P1Y-{}-v2.0.7.tif", grid, wanted, seed):
        write_geotiff(path, cover.at(year), _cells(grid))


def write_c3s(raw: Path, grid: Grid, years: list[int], seed: int) -> None:
    """Write C3S land cover v2.1.1 at 300 m as NetCDF, one file a year of 2016-2022."""
    wanted = [year for year in years if year in C3S_YEARS]
    for year, path, cover in _maps(raw, "C3S-LC-L4-LCCS-Map-300m-P1Y-{}-v2.1.1.nc", grid, wanted, seed):
        _write_c3s(path, cover.at(year, later=True), _cells(grid), year)
