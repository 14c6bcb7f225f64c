"""Leaf area index of the twin Earth, every ten days, and its files: CGLS, 1 km, version 2.

What grows follows the land cover of the year, its season the weather. Codes above 250 are no values; the sensor
changes from 2014, and with it the name of the files.
"""

import zlib
from collections.abc import Iterator
from datetime import date, timedelta
from math import ceil, floor
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory

import h5py
import numpy as np
import xarray as xr
from tqdm import tqdm

from ai4land.grid import Grid, hash_unit
from ai4land.legend import read_legend
from twin_earth.earth import elevation
from twin_earth.land_cover import LandCover
from twin_earth.weather import PRESENT, Weather, carbon_dioxide
from twin_earth.writers import write_netcdf

_PER_DEGREE = 112
_NORTH, _ROWS, _COLS = 80, 15680, 40320  # the product ends at 60 S
_FIRST, _LAST = date(1999, 1, 1), date(2020, 6, 30)
_WATER, _MISSING = 254, 255
_TYPES = {"LAI": np.uint8, "RMSE": np.uint8, "QFLAG": np.uint16}
_LEVEL = 1  # of compression
_STRIP = 48  # rows made at a time
_LAG = 0.04  # years by which leaves follow the weather
# Leaf area index (m2 m-2) in season and out of season where neither warmth nor water is short, by start of the name.
_LEAVES = {
    "cropland": (4.0, 0.3), "mosaic_cropland": (3.6, 0.5), "mosaic_natural": (3.2, 0.6),
    "tree_broadleaved_evergreen": (5.8, 5.0), "tree_broadleaved_deciduous": (5.2, 0.6),
    "tree_needleleaved_evergreen": (4.4, 2.8), "tree_needleleaved_deciduous": (3.6, 0.5), "tree_mixed": (4.8, 1.7),
    "tree_cover_flooded": (4.8, 3.0), "mosaic_tree": (3.9, 1.0), "mosaic_herbaceous": (3.0, 0.6),
    "shrub": (2.4, 0.7), "grassland": (2.8, 0.4), "lichens": (0.9, 0.1), "sparse": (0.6, 0.15), "urban": (1.4, 0.4),
}  # fmt: skip


def dekads(year: int) -> Iterator[date]:
    """The nominal dates of a year: the 10th, the 20th and the last day of each month; shorter years at either end."""
    for month in range(1, 13):
        last = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
        yield from (d for d in (date(year, month, 10), date(year, month, 20), last) if _FIRST <= d <= _LAST)


def _leaves() -> np.ndarray:
    """Leaf area index in and out of season by code of land cover, shape (2, 256); 0 where nothing grows."""
    legend, table = read_legend("land_cover"), np.zeros((2, 256))
    for start, values in _LEAVES.items():
        table[:, legend["code"][legend["name"].str.startswith(start)]] = np.array(values)[:, None]
    return table


class LeafArea:
    """Leaf area index of a window.

    Attributes
    ----------
    lat, lon : numpy.ndarray, shapes (rows,) and (cols,)
        Centres of the cells of 1/112 degree that touch the window, degrees; multiples of 1/112.

    Raises
    ------
    ValueError
        If the product has no cell in the window.
    """

    def __init__(self, grid: Grid, seed: int) -> None:
        west, south, east, north = grid.bounds
        top, bottom = floor((_NORTH - north) * _PER_DEGREE + 0.5), ceil((_NORTH - south) * _PER_DEGREE - 0.5)
        left, right = floor((west + 180) * _PER_DEGREE + 0.5), ceil((east + 180) * _PER_DEGREE - 0.5)
        self.rows, self.cols = np.arange(max(top, 0), min(bottom + 1, _ROWS)), np.arange(left, min(right + 1, _COLS))
        if not self.rows.size:
            raise ValueError(f"leaf area index: window {grid.bounds} lies beyond 80 N or 60 S, where the product ends.")
        self.lat, self.lon = _NORTH - self.rows / _PER_DEGREE, self.cols / _PER_DEGREE - 180
        height = np.clip(elevation(self.lat, self.lon, seed), 0, None)
        # A few rows at a time stay in the processor's cache: twice as fast.
        strips = [slice(k, k + _STRIP) for k in range(0, self.rows.size, _STRIP)]
        self.weather = [(rows, Weather(self.lat[rows], self.lon, height[rows], seed)) for rows in strips]
        self.seed = seed
        # Three by three points stand for the 300 m cells of a cell.
        thirds = np.array([-1, 0, 1]) / (3 * _PER_DEGREE)
        lat, lon = (self.lat[:, None] - thirds).ravel(), (self.lon[:, None] + thirds).ravel()
        self.cover = LandCover(grid, lat, lon, seed)
        self.grown: dict[int, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}

    def _growth(self, year: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Leaf area index in and out of season (m2 m-2), and whether a cell is water, by year."""
        if year not in self.grown:
            cover = self.cover.at(year).reshape(self.rows.size, 3, self.cols.size, 3)
            watered = 1 - np.exp(-np.concatenate([weather.rain for _, weather in self.weather]) / 500)
            fed = 1 + 0.15 * np.log(float(carbon_dioxide(year)) / float(carbon_dioxide(PRESENT)))
            high, low = (leaves[cover].mean((1, 3)) * watered * fed for leaves in _leaves())
            self.grown = {year: (high, low, (cover == 210).mean((1, 3)) >= 0.5)}
        return self.grown[year]

    def at(self, when: date) -> tuple[np.ndarray, np.ndarray]:
        """Leaf area index of one date, m2 m-2, not masked, and sea and lakes (bool), each (rows, cols)."""
        lai = np.concatenate([self._leaves(when, rows, weather) for rows, weather in self.weather])
        return lai, self._growth(when.year)[2]

    def _leaves(self, when: date, rows: slice, weather: Weather) -> np.ndarray:
        high, low = (field[rows] for field in self._growth(when.year)[:2])
        time = when.year + (when.timetuple().tm_yday - 0.5) / 365.25 - _LAG
        warmth = 1 / (1 + np.exp((6 - weather.temperature(time)) / 2.5))
        wetness = np.clip(weather.moisture(time, 0.7) / 0.5, 0, 1)
        return low + (high - low) * warmth * wetness

    def packed(self, when: date) -> dict[str, np.ndarray]:
        """LAI and RMSE (uint8, 1/30 m2 m-2; 254 water, 255 missing) and QFLAG (uint16, bit 0 is sea), by name."""
        parts = [self._packed(when, rows, weather) for rows, weather in self.weather]
        return {name: np.concatenate([part[name] for part in parts]) for name in _TYPES}

    def _packed(self, when: date, rows: slice, weather: Weather) -> dict[str, np.ndarray]:
        lai, water = self._leaves(when, rows, weather), self._growth(when.year)[2][rows]
        keys = when.toordinal(), self.rows[rows, None], self.cols[None, :] % _COLS
        noise, gap = (hash_unit(self.seed, layer, *keys) for layer in (141, 142))
        error = 0.1 + 0.08 * lai
        value = np.rint(30 * np.clip(lai + error * (noise - 0.5), 0, 7)).astype(np.uint8)
        out = {"LAI": value, "RMSE": np.rint(30 * error).astype(np.uint8)}
        for field in out.values():
            field[gap < 0.004] = _MISSING  # less than a cell in a hundred is missing in the gap-filled product
            field[water] = _WATER
        return out | {"QFLAG": water.astype(np.uint16)}


def _write_empty(path: Path, made: LeafArea) -> None:
    """Write a file without values: each field is one chunk, all of zeros."""
    scale = {"scale_factor": np.float32(1 / 30), "add_offset": np.float32(0), "units": "", "grid_mapping": "crs",
             "valid_range": np.array([0, 210], np.uint8), "missing_value": np.uint8(_MISSING)}  # fmt: skip
    about = {
        "LAI": {"long_name": "Leaf Area Index 1km", "standard_name": "leaf_area_index", **scale},
        "RMSE": {"long_name": "Root Mean Square Error of Leaf Area Index 1km", **scale},
        "QFLAG": {"long_name": "Quality flag of Leaf Area Index 1km", "grid_mapping": "crs"},
    }
    axes = {
        "time": ("time", [0.0], {"units": "days since 1970-01-01 00:00:00", "axis": "T", "long_name": "Time"}),
        "lat": ("lat", made.lat, {"units": "degrees_north", "standard_name": "latitude", "axis": "Y"}),
        "lon": ("lon", made.lon, {"units": "degrees_east", "standard_name": "longitude", "axis": "X"}),
    }
    shape = 1, made.lat.size, made.lon.size
    fields = {name: (("time", "lat", "lon"), np.zeros(shape, _TYPES[name]), about[name]) for name in about}
    crs = ((), np.int32(0), {"grid_mapping_name": "latitude_longitude"})
    data = xr.Dataset({**fields, "crs": crs}, axes, {"title": "Leaf area index of the twin Earth (synthetic)"})
    deflated = {"zlib": True, "complevel": _LEVEL, "chunksizes": shape}
    packed = {name: {"_FillValue": np.uint8(_MISSING), **deflated} for name in ("LAI", "RMSE")}
    write_netcdf(path, data, packed | {"QFLAG": {"_FillValue": None, **deflated}})


def _fill(path: Path, made: LeafArea, when: date) -> None:
    """Put the values of one date into a file of `_write_empty`."""
    with h5py.File(path, "r+") as file:
        file["time"][0] = (np.datetime64(when) - np.datetime64("1970-01-01")).astype(float)
        for name, field in made.packed(when).items():
            # Long runs are water; of the noise beside them nothing repeats that a search would find.
            deflate = zlib.compressobj(_LEVEL, strategy=zlib.Z_RLE)
            file[name].id.write_direct_chunk((0, 0, 0), deflate.compress(field.tobytes()) + deflate.flush())


def write_leaf_area(raw: Path, grid: Grid, years: list[int], seed: int) -> None:
    """Write leaf area index of CGLS, 1 km version 2, one file a dekad from 1999 to June 2020."""
    names = {False: "c_gls_LAI_{}0000_GLOBE_VGT_V2.0.2.nc", True: "c_gls_LAI-RT6_{}0000_GLOBE_PROBAV_V2.0.2.nc"}
    paths = {when: raw / names[year >= 2014].format(f"{when:%Y%m%d}") for year in years for when in dekads(year)}
    paths = {when: path for when, path in paths.items() if not path.exists()}
    if not paths:
        return
    made = LeafArea(grid, seed)
    with TemporaryDirectory(dir=raw) as folder:
        # All dates have the same axes and attributes: a copy with other values takes a third of the time.
        empty = Path(folder) / "empty.nc"
        _write_empty(empty, made)
        for when, path in tqdm(paths.items(), desc="twin Earth, leaf area index", unit="map", mininterval=5):
            part = Path(copyfile(empty, path.with_suffix(".part")))
            _fill(part, made, when)
            part.replace(path)
