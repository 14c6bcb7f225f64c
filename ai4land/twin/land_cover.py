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
from ai4land.twin.cover_classes import class_code, cover_classes
from ai4land.twin.land_use import Land
from ai4land.twin.noise import fractal_noise
from ai4land.twin.writers import write_geotiff, write_netcdf

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
    seed : int
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
        """Land cover of one year.

        Parameters
        ----------
        year : int
        later : bool
            As the series from 2016 labels it.

        Returns
        -------
        numpy.ndarray, shape (rows, cols), uint8
            Codes of legend ``land_cover``.
        """
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
    packed: dict[str, dict[str, object]] = {str(n): {"_FillValue": None} for n in data.variables}
    write_netcdf(path, data, packed | {"lccs_class": {"_FillValue": None, "zlib": True, "complevel": 1}})


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
    """Write ESA CCI land cover v2.0.7 at 300 m as GeoTIFF (uint8, LZW), one file a year; those that exist are kept.

    Parameters
    ----------
    raw : pathlib.Path
    grid : Grid
        Fine cells of the window; edges on the 0.25 degree lattice.
    years : list of int
        Those outside 1992-2015 are left out.
    seed : int
    """
    wanted = [year for year in years if year in CCI_YEARS]
    for year, path, cover in _maps(raw, "ESACCI-LC-L4-LCCS-Map-300m-P1Y-{}-v2.0.7.tif", grid, wanted, seed):
        write_geotiff(path, cover.at(year), _cells(grid))


def write_c3s(raw: Path, grid: Grid, years: list[int], seed: int) -> None:
    """Write C3S land cover v2.1.1 at 300 m as NetCDF, one file a year of 2016-2022; as `write_esa_cci` otherwise."""
    wanted = [year for year in years if year in C3S_YEARS]
    for year, path, cover in _maps(raw, "C3S-LC-L4-LCCS-Map-300m-P1Y-{}-v2.1.1.nc", grid, wanted, seed):
        _write_c3s(path, cover.at(year, later=True), _cells(grid), year)
