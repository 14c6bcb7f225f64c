"""Relief: GEBCO (NetCDF, ice surface) and elevation GeoTIFF, with slope and aspect on their own grid."""

import numpy as np
import xarray as xr

from ai4land.grid import EARTH_RADIUS
from ai4land.sources.rasters import open_geotiff
from ai4land.sources.registry import InputFile

_ATTRS = {"standard_name": "height_above_mean_sea_level", "long_name": "elevation", "units": "m"}


def open_gebco_netcdf(files: list[InputFile], version: str) -> xr.DataArray:
    """Elevation of GEBCO, turned north to south.

    Parameters
    ----------
    files : list of InputFile
        The one NetCDF file: ``elevation(lat, lon)`` int16, m, latitude ascending, fill -32768.
    version : str
        Year of the release.

    Returns
    -------
    xarray.DataArray, shape (lat, lon), float32
        Elevation, m, negative at sea; NaN is missing; lazy.

    Raises
    ------
    ValueError
        If there is no variable ``elevation``.
    """
    path = files[0].path
    data = xr.open_dataset(path, mask_and_scale=False, chunks={})
    if "elevation" not in data:
        raise ValueError(
            f"{path}: no variable elevation, found {sorted(map(str, data.data_vars))}; is this a GEBCO grid?"
        )
    field = data["elevation"]
    field = field.where(field != -32768).astype(np.float32)
    field.attrs, field.encoding = dict(_ATTRS), {}
    return field.sortby("lat", ascending=False)


def open_elevation_geotiff(files: list[InputFile], version: str) -> xr.DataArray:
    """Elevation from a GeoTIFF (GEBCO, ETOPO).

    Returns
    -------
    xarray.DataArray, shape (lat, lon), float32
        Elevation, m, negative at sea; NaN is missing; lazy.
    """
    field = open_geotiff(files[0].path)
    nodata = field.attrs["nodata"]
    if nodata is not None:
        field = field.where(field != nodata)
    field = field.astype(np.float32).rename("elevation")
    field.attrs = dict(_ATTRS)
    return field


def derive_terrain(elevation: xr.DataArray) -> xr.Dataset:
    """Slope and aspect on the elevation's own grid, before any regridding.

    Central differences; distances shrink with the cosine of latitude.

    Parameters
    ----------
    elevation : xarray.DataArray, shape (lat, lon), float32
        m, north to south; NaN is missing.

    Returns
    -------
    xarray.Dataset
        ``elevation`` (m), ``slope`` (degrees from the horizontal), ``aspect_sin`` and ``aspect_cos`` (1):
        sine and cosine of the direction that the slope faces, clockwise from north; 0 on flat ground.

    References
    ----------
    Horn (1981), Proceedings of the IEEE 69(1), 14-47, for the convention of aspect.
    """
    metres = np.radians(1.0) * EARTH_RADIUS
    height = elevation.astype(float)
    north = height.differentiate("lat") / metres
    east = height.differentiate("lon") / (metres * np.cos(np.radians(height.lat)))
    steep = np.hypot(north, east)
    flat = steep < 1e-12
    terrain = xr.Dataset({
        "elevation": elevation,
        "slope": np.degrees(np.arctan(steep)),
        "aspect_sin": xr.where(flat, 0.0, -east / steep.where(~flat, 1.0)),
        "aspect_cos": xr.where(flat, 0.0, -north / steep.where(~flat, 1.0)),
    }).astype(np.float32)  # fmt: skip
    terrain["elevation"].attrs = dict(_ATTRS)
    terrain["slope"].attrs = {"long_name": "slope", "units": "degree"}
    terrain["aspect_sin"].attrs = {"long_name": "sine of aspect", "units": "1"}
    terrain["aspect_cos"].attrs = {"long_name": "cosine of aspect", "units": "1"}
    return terrain
