"""The twin Earth on disk, in the publishers' own formats: HILDA+ v2, GEBCO and Koeppen-Geiger."""

from pathlib import Path

import numpy as np
import rasterio
import xarray as xr
from rasterio.transform import from_origin
from tqdm import tqdm

from ai4land.grid import Grid
from ai4land.legend import read_crosswalk
from ai4land.runs import Run
from ai4land.twin.earth import elevation, koppen
from ai4land.twin.land_use import land_use


def _write_geotiff(path: Path, codes: np.ndarray, grid: Grid) -> None:
    part = path.with_suffix(".part")
    profile = {
        "driver": "GTiff", "dtype": "uint8", "count": 1, "width": grid.cols, "height": grid.rows, "compress": "lzw",
        "crs": "EPSG:4326", "transform": from_origin(grid.west, grid.north, grid.dlon, grid.dlat),
    }  # fmt: skip
    with rasterio.open(part, "w", **profile) as raster:
        raster.write(codes, 1)
    part.replace(path)


def hilda_codes(classes: np.ndarray) -> np.ndarray:
    """HILDA+ v2 codes of land-use classes: the first code of each class in the crosswalk (uint8)."""
    first = read_crosswalk("hilda_plus_v2.0", "land_use").drop_duplicates("code").set_index("code")["source_code"]
    table = np.zeros(256, np.uint8)
    table[first.index] = first
    return table[classes]


def write_twin(raw: Path, run: Run) -> None:
    """Write what a synthetic run reads; files that are there already are kept.

    Parameters
    ----------
    raw : pathlib.Path
        Folder to write to.
    run : Run
        Its window and years; the window must lie on the 0.25 degree lattice.

    Raises
    ------
    ValueError
        If the run is not synthetic, or has no window.
    """
    if not run.synthetic or run.window is None:
        raise ValueError(f"run {run.name}: the twin Earth is made for runs with synthetic: true and a window only.")
    raw.mkdir(parents=True, exist_ok=True)
    west, south, east, north = run.window
    fine = Grid(north, west, 0.01, 0.01, round((north - south) * 100), round((east - west) * 100))
    for year in tqdm(run.map_years, desc="twin Earth, HILDA+ v2", unit="map", mininterval=5):
        path = raw / f"hilda_plus_states_{year}_GLOB-v2_wgs84.tif"
        if not path.exists():
            _write_geotiff(path, hilda_codes(land_use(fine, year, run.seed)), fine)
    # One cell of margin on each side, as a window cut from the globe has.
    zone = Grid(north + 1 / 120, west - 1 / 120, 1 / 120, 1 / 120, round((north - south) * 120) + 2,
                round((east - west) * 120) + 2)  # fmt: skip
    path = raw / "1991_2020" / "koppen_geiger_0p00833333.tif"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        _write_geotiff(path, koppen(zone.lat, zone.lon, run.seed), zone)
    _write_gebco(raw / "GEBCO_2024_CF.nc", run)


def _write_gebco(path: Path, run: Run) -> None:
    assert run.window is not None
    if path.exists():
        return
    west, south, east, north = run.window
    grid = Grid(north + 4 / 240, west - 4 / 240, 1 / 240, 1 / 240, round((north - south) * 240) + 8,
                round((east - west) * 240) + 8)  # fmt: skip
    height = np.rint(elevation(grid.lat, grid.lon, run.seed)).astype(np.int16)
    # GEBCO runs south to north.
    data = xr.Dataset(
        {
            "elevation": (
                ("lat", "lon"),
                height[::-1],
                {"units": "m", "standard_name": "height_above_mean_sea_level"},
            )
        },
        {"lat": grid.lat[::-1], "lon": grid.lon},
    )
    part = path.with_suffix(".part")
    data.to_netcdf(part, encoding={"elevation": {"_FillValue": np.int16(-32768), "zlib": True}}, engine="h5netcdf")
    part.replace(path)
