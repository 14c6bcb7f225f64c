"""What stands still on the twin Earth, on disk: GEBCO, Koeppen-Geiger of several periods, and soil as of SoilGrids."""

from pathlib import Path

import numpy as np
import xarray as xr
from pyproj import Transformer
from rasterio.transform import from_origin

from ai4land.grid import Grid
from ai4land.runs import Run
from twin_earth.earth import climate, elevation, fine_position, koppen
from twin_earth.land_use import scenario_growth
from twin_earth.noise import fractal_noise
from twin_earth.weather import warming
from twin_earth.writers import write_geotiff, write_netcdf, write_raster

_PAST = ((1901, 1930), (1931, 1960), (1961, 1990))
_WARMED = {"2041_2070": 0.6, "2071_2099": 1.0}  # share of a scenario's warming that each period has seen
HOMOLOSINE = "+proj=igh +lat_0=0 +lon_0=0 +datum=WGS84 +units=m +no_defs"  # Interrupted Goode Homolosine
DEPTHS = {"0-5cm": 0.0, "5-15cm": 0.3, "15-30cm": 1.0}  # and how far the clay has moved down to them
_LAYERS = ("sand", "silt", "clay")
_CELL = 1000.0  # m
_NO_DATA = -32768
_MARGIN = 3  # cells


def _around(fine: Grid, per_degree: int, margin: int) -> Grid:
    """Cells of a window, and some of margin on each side, as a window cut from the globe has."""
    west, south, east, north = fine.bounds
    rows, cols = (round(size * per_degree) + 2 * margin for size in (north - south, east - west))
    return Grid(north + margin / per_degree, west - margin / per_degree, 1 / per_degree, 1 / per_degree, rows, cols)


def write_koppen(raw: Path, fine: Grid, run: Run) -> None:
    """Write the climate zones of the present, and of the past and the scenarios that a run names."""
    zone = _around(fine, 120, 1)
    degrees = {"1991_2020": 0.0}
    if run.inputs.koppen_history is not None:
        degrees |= {f"{first}_{last}": float(warming((first + last) / 2)) for first, last in _PAST}
    if run.inputs.koppen_future is not None:
        for scenario in run.inputs.scenarios:
            degrees |= {f"{p}/{scenario}": share * scenario_growth(scenario)[3] for p, share in _WARMED.items()}
    for folder, warmer in degrees.items():
        path = raw / folder / "koppen_geiger_0p00833333.tif"
        if not path.exists():
            write_geotiff(path, koppen(zone.lat, zone.lon, run.seed, warmer), zone)


def write_gebco(raw: Path, fine: Grid, seed: int) -> None:
    """Write elevation as GEBCO does, int16, m, south to north."""
    path = raw / "GEBCO_2024_CF.nc"
    if path.exists():
        return
    grid = _around(fine, 240, 4)
    height = np.rint(elevation(grid.lat, grid.lon, seed)).astype(np.int16)
    about = {"units": "m", "standard_name": "height_above_mean_sea_level"}
    # GEBCO runs south to north.
    data = xr.Dataset({"elevation": (("lat", "lon"), height[::-1], about)}, {"lat": grid.lat[::-1], "lon": grid.lon})
    packed = {"elevation": {"_FillValue": np.int16(-32768), "zlib": True}}
    write_netcdf(path, data, packed | {"lat": {}, "lon": {}})


def texture(lat: np.ndarray, lon: np.ndarray, seed: int, washed: float = 0.0) -> np.ndarray:
    """Sand, silt and clay of the soil.

    Parameters
    ----------
    lat, lon : numpy.ndarray, shapes (rows,) and (cols,), or both (rows, cols)
        Degrees.
    washed : float
        How much clay has moved to this depth, 0 to 1.

    Returns
    -------
    numpy.ndarray, shape (3, rows, cols), int16
        g kg-1; they sum to 1000. Sea is not masked.
    """
    y, x = fine_position(lat, lon)
    _, rain = climate(lat, lon, np.zeros(()), seed)
    sandy, clayey = (fractal_noise(y, x, (500.0, 120.0, 30.0, 8.0), seed, layer, 0.6) for layer in (101, 102))
    sand = np.exp(0.3 + 1.5 * sandy + 0.4 * np.clip(1 - rain / 800, -1, 1))
    clay = np.exp(-0.4 + 1.2 * clayey + 0.4 * washed)
    total = 1 + sand + clay
    sand, clay = np.floor(1000 * sand / total), np.floor(1000 * clay / total)
    return np.stack([sand, 1000 - sand - clay, clay]).astype(np.int16)


def _covering(grid: Grid) -> tuple[float, float, int, int]:
    """West and north edge (m) and shape of the projected cells around a window."""
    west, south, east, north = grid.bounds
    lon, lat = np.meshgrid(np.linspace(west, east, 101), np.linspace(south, north, 101))
    x, y = Transformer.from_crs("EPSG:4326", HOMOLOSINE, always_xy=True).transform(lon, lat)
    left, top = (np.floor(x.min() / _CELL) - _MARGIN) * _CELL, (np.ceil(y.max() / _CELL) + _MARGIN) * _CELL
    rows = round((top - np.floor(y.min() / _CELL) * _CELL) / _CELL) + _MARGIN
    return left, top, rows, round((np.ceil(x.max() / _CELL) * _CELL - left) / _CELL) + _MARGIN


def write_soil(raw: Path, grid: Grid, seed: int) -> None:
    """Write SoilGrids-like files of 1000 m: int16, g kg-1, -32768 at sea and between the lobes of the projection."""
    paths = {(d, n): raw / f"{n}_{d}_mean_1000.tif" for d in DEPTHS for n in _LAYERS}
    if all(path.exists() for path in paths.values()):
        return
    left, top, rows, cols = _covering(grid)
    x, y = np.meshgrid(left + (np.arange(cols) + 0.5) * _CELL, top - (np.arange(rows) + 0.5) * _CELL)
    lon, lat = Transformer.from_crs("EPSG:4326", HOMOLOSINE, always_xy=True).transform(x, y, direction="INVERSE")
    inside = np.isfinite(lon) & np.isfinite(lat)
    lat, lon = (np.where(inside, a, a[inside].flat[0]) for a in (lat, lon))
    land = inside & (elevation(lat, lon, seed) > 0)
    for depth, washed in DEPTHS.items():
        values = np.where(land, texture(lat, lon, seed, washed), np.int16(_NO_DATA))
        for name, layer in zip(_LAYERS, values, strict=True):
            if not paths[depth, name].exists():
                write_raster(paths[depth, name], layer, from_origin(left, top, _CELL, _CELL), HOMOLOSINE, _NO_DATA)
