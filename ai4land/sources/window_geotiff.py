"""The window of a region out of a GeoTIFF on a server, by GDAL's HTTP reader, in the file's own projection."""

from pathlib import Path

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.warp import transform
from rasterio.windows import Window
from tqdm import tqdm

from ai4land.grid import Bounds
from ai4land.sources.hosts import certificates, user_agent
from ai4land.sources.remote import WAITS, probe

_MARGIN = 4  # cells around the window
_ROWS = 512  # rows of one piece: bounds memory, whatever the window
_POINTS = 201  # along one side: a window's image on a map is not between its corners


def _covering(raster: rasterio.DatasetReader, bounds: Bounds) -> Window:
    """Cells of a map that hold a window, in longitude and latitude, and some more."""
    west, south, east, north = bounds
    lon, lat = np.meshgrid(np.linspace(west, east, _POINTS), np.linspace(south, north, _POINTS))
    where = transform(CRS.from_epsg(4326), raster.crs, lon.ravel(), lat.ravel())
    x, y = (np.asarray(w) for w in where)
    on_map = np.isfinite(x) & np.isfinite(y)
    col, row = ~raster.transform * (x[on_map], y[on_map])
    left, top = max(int(np.floor(col.min())) - _MARGIN, 0), max(int(np.floor(row.min())) - _MARGIN, 0)
    right = min(int(np.ceil(col.max())) + _MARGIN, raster.width)
    bottom = min(int(np.ceil(row.max())) + _MARGIN, raster.height)
    if right <= left or bottom <= top:
        raise ValueError(f"the window {bounds} lies outside the map {tuple(raster.bounds)}")
    return Window(left, top, right - left, bottom - top)


def _settings(url: str, waits: tuple[float, ...]) -> dict[str, object]:
    return {
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "CPL_VSIL_CURL_NON_CACHED": "/vsicurl/",
        "GDAL_HTTP_USERAGENT": user_agent(url), "GDAL_CURL_CA_BUNDLE": certificates(url),
        "CURL_CA_BUNDLE": certificates(url), "GDAL_HTTP_TIMEOUT": 120, "GDAL_HTTP_CONNECTTIMEOUT": 60,
        "GDAL_HTTP_MAX_RETRY": len(waits), "GDAL_HTTP_RETRY_DELAY": max(waits[0], 0.01) if waits else 0,
    }  # fmt: skip


def _copy(raster: rasterio.DatasetReader, window: Window, part: Path, label: str, progress: bool) -> None:
    profile = {
        "driver": "GTiff", "dtype": raster.dtypes[0], "count": 1, "width": window.width, "height": window.height,
        "crs": raster.crs, "transform": raster.window_transform(window), "nodata": raster.nodata, "compress": "lzw",
    }  # fmt: skip
    with rasterio.open(part, "w", **profile) as copy, tqdm(
        total=window.height, desc=label, unit="row", disable=not progress, mininterval=1
    ) as bar:  # fmt: skip
        for top in range(0, window.height, _ROWS):
            rows = min(_ROWS, window.height - top)
            values = raster.read(1, window=Window(window.col_off, window.row_off + top, window.width, rows))
            copy.write(values, 1, window=Window(0, top, window.width, rows))
            bar.update(rows)


def fetch_geotiff_window(
    url: str, bounds: Bounds, target: Path, progress: bool = True, waits: tuple[float, ...] = WAITS
) -> None:
    """Write the part of a GeoTIFF on a server that covers a window: first band, values and projection as they are.

    Parameters
    ----------
    url : str
        A GeoTIFF (best cloud-optimised) whose server gives ranges of bytes.
    bounds : tuple of float
        West, south, east, north, degrees. Four cells more are taken on each side, where the map has them.
    target : pathlib.Path
        File to write; it appears when it is whole.
    progress : bool
        Show a progress bar.
    waits : tuple of float
        GDAL tries as often again; the first number of seconds is its first wait.

    Raises
    ------
    NoRangesError
        If the server sends whole files only.
    ConnectionError
        If it refuses, or breaks off as often as there are waits.
    ValueError
        If the window lies outside the map.
    """
    probe(url, waits)
    part = target.with_name(f"{target.name}.part")
    try:
        with rasterio.Env(**_settings(url, waits)), rasterio.open(f"/vsicurl/{url}") as raster:
            _copy(raster, _covering(raster, bounds), part, target.name, progress)
    except RasterioError as error:
        part.unlink(missing_ok=True)
        raise ConnectionError(f"{url}: {' '.join(str(error).split())}; run again, or get the file by hand.") from None
    except ValueError as error:
        raise ValueError(f"{url}: {error}.") from None
    part.replace(target)
