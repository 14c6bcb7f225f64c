"""GeoTIFF and NetCDF files that hold no time stamp: equal content has equal bytes, and no half file is left."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import rasterio
import xarray as xr
from rasterio import Affine
from rasterio.transform import from_origin

from ai4land.grid import Grid


def write_geotiff(path: Path, values: np.ndarray, grid: Grid) -> None:
    """Write a map in longitude and latitude, LZW, without a nodata tag."""
    write_raster(path, values, from_origin(grid.west, grid.north, grid.dlon, grid.dlat), "EPSG:4326")


def write_raster(path: Path, values: np.ndarray, transform: Affine, crs: str, nodata: float | None = None) -> None:
    """Write one band on any projection.

    Parameters
    ----------
    path : pathlib.Path
    values : numpy.ndarray, shape (rows, cols)
    transform : rasterio.Affine
    crs : str
        What rasterio understands.
    nodata : float, optional
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    profile = {
        "driver": "GTiff", "dtype": values.dtype.name, "count": 1, "width": values.shape[1], "height": values.shape[0],
        "compress": "lzw", "crs": crs, "transform": transform, "nodata": nodata,
    }  # fmt: skip
    with rasterio.open(part, "w", **profile) as raster:
        raster.write(values, 1)
    part.replace(path)


def write_netcdf(path: Path, data: xr.Dataset, encoding: Mapping[str, Mapping[str, object]]) -> None:
    """Write a data set as NetCDF4; a variable that ``encoding`` does not name has no fill value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    packed = {str(name): {"_FillValue": None} for name in data.variables} | dict(encoding)
    data.to_netcdf(part, encoding=packed, engine="h5netcdf")
    part.replace(path)
