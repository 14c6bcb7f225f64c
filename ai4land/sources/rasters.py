"""GeoTIFF to canonical xarray: one band, cell centres, north to south, -180 to 180."""

from pathlib import Path

import rioxarray
import xarray as xr


def open_geotiff(path: Path) -> xr.DataArray:
    """One band of a latitude-longitude GeoTIFF on its own grid, lazy.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    xarray.DataArray, shape (lat, lon)
        Publisher's dtype and values; the file's nodata value in ``attrs["nodata"]`` (None if it has none).

    Raises
    ------
    ValueError
        If the file is not in longitude and latitude, or has several bands.
    """
    raster = rioxarray.open_rasterio(path, chunks={"y": 2000, "x": 2000})
    assert isinstance(raster, xr.DataArray)
    crs = raster.rio.crs
    if crs is None or not crs.is_geographic:
        raise ValueError(f"{path}: coordinate system is {crs}, expected longitude and latitude (EPSG:4326).")
    if raster.sizes["band"] != 1:
        raise ValueError(f"{path}: {raster.sizes['band']} bands, expected one map a file.")
    nodata = raster.rio.nodata
    field = raster.isel(band=0, drop=True).drop_vars("spatial_ref").rename(y="lat", x="lon")
    field.attrs = {"nodata": nodata}
    field.encoding = {}
    return field if field.lat[0] > field.lat[-1] else field.isel(lat=slice(None, None, -1))
