"""One year of a product as NetCDF or Cloud Optimized GeoTIFF, written some rows at a time.

A file that is as new as its product, whose ``zarr.json`` is touched when it is whole, is kept. It appears under its
name when it is whole.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import rasterio
import rasterio.shutil
import xarray as xr
import zarr
from rasterio.transform import Affine, from_origin
from rasterio.windows import Window

from ai4land.checks import check_room
from ai4land.grid import Grid, grid_of
from ai4land.legend import NO_DATA, read_legend
from ai4land.product.store import PACKED, open_product

_LIKE_DATA = ("flag_values", "valid_range")  # attributes of the type of their variable
_COG = {
    "driver": "COG", "compress": "DEFLATE", "blocksize": 512, "overview_resampling": "MODE", "bigtiff": "IF_SAFER",
}  # fmt: skip


@contextmanager
def new_file(target: Path, needed: float) -> Iterator[Path]:
    """Path to write to; it becomes ``target`` when all went well, and is gone otherwise.

    The libraries of NetCDF and GeoTIFF do not say that a disk is full: room for ``needed`` bytes is asked for before.
    """
    check_room(target.parent, int(needed), target.name)
    part = target.with_name(f"{target.stem}.partial{target.suffix}")
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def is_current(target: Path, product: Path) -> bool:
    """Whether a file made from a product is there, and not older than the product."""
    return target.exists() and target.stat().st_mtime >= (product / "zarr.json").stat().st_mtime


def _check_year(product: Path, year: int) -> None:
    years = open_product(product)["time"].to_numpy()
    if year not in years:
        raise ValueError(f"{product}: no year {year}, the product has {years[0]}-{years[-1]}; choose one of these.")


def write_netcdf(product: Path, year: int, folder: Path, group: str | None = None) -> Path:
    """One year of a product, its months where it has them, as NetCDF4 of the CF conventions.

    Parameters
    ----------
    product : pathlib.Path
        A whole store.
    year : int
    folder : pathlib.Path
        Where ``<store>-<year>.nc`` goes, or ``<store>-<group>-<year>.nc``.
    group : {'coarse'}, optional
        The 0.25 degree fields instead of the maps: CDO and others read no groups, so each is a file.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ValueError
        If the product has no such year, or a newer format.
    OSError
        If the disk is full.
    """
    _check_year(product, year)
    target = folder / f"{'-'.join(filter(None, (product.stem, group, str(year))))}.nc"
    if is_current(target, product):
        return target
    steps = np.flatnonzero(open_product(product)["time"].to_numpy() == year)
    chosen = slice(int(steps[0]), int(steps[-1]) + 1)
    arrays = dict(sorted(zarr.open_group(product, path=group, mode="r").arrays()))
    size = sum(a.nbytes * (steps.size / a.shape[0] if _dims(a)[:1] == ("time",) else 1) for a in arrays.values())
    with new_file(target, PACKED * size) as part, netCDF4.Dataset(part, "w") as data:
        data.setncatts(dict(zarr.open_group(product, path=group, mode="r").attrs))
        for name, array in arrays.items():
            _copy(name, array, data, chosen)
    return target


def _dims(array: zarr.Array) -> tuple[str, ...]:
    return tuple(map(str, array.metadata.dimension_names or ()))  # type: ignore[union-attr]


def _copy(name: str, array: zarr.Array, data: netCDF4.Dataset, chosen: slice) -> None:
    """One array of a store, of its times some, a few rows at once; equal content has equal bytes."""
    dims, about, field = _dims(array), dict(array.attrs), array.ndim > 2
    first = chosen if dims[:1] == ("time",) else slice(None)
    times = chosen.stop - chosen.start
    shape = (times if dims[:1] == ("time",) else array.shape[0], *array.shape[1:]) if dims else ()
    for dim, length in zip(dims, shape, strict=True):
        if dim not in data.dimensions:
            data.createDimension(dim, length)
    missing: Any = about.pop("_FillValue", np.nan if field else None)
    packed: dict[str, Any] = {"zlib": True, "complevel": 4, "shuffle": array.dtype.kind == "f"} if field else {}
    chunks = tuple(min(c, n) for c, n in zip(array.chunks, shape, strict=True)) if field else None
    made = data.createVariable(name, array.dtype.name, dims, fill_value=missing, chunksizes=chunks, **packed)
    made.set_auto_maskandscale(False)
    made.setncatts({n: np.array(v, array.dtype) if n in _LIKE_DATA else v for n, v in about.items()})
    if not field:
        made[...] = array[first] if dims else array[()]
        return
    step = array.chunks[-2]
    for top in range(0, shape[-2], step):
        made[..., top : top + step, :] = array[(first, *(slice(None) for _ in dims[1:-2]), slice(top, top + step))]


def write_cog(product: Path, year: int, folder: Path) -> Path:
    """Land use of one year as Cloud Optimized GeoTIFF, with the legend's colours; overviews show the commonest class.

    Parameters
    ----------
    product : pathlib.Path
        A whole store.
    year : int
    folder : pathlib.Path
        Where ``<store>-<year>.tif`` goes.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ValueError
        If the product has no such year, or a newer format.
    OSError
        If the disk is full.
    """
    _check_year(product, year)
    target = folder / f"{product.stem}-{year}.tif"
    if is_current(target, product):
        return target
    field = open_product(product)["land_use"].sel(time=year)
    with new_file(target, 2 * PACKED * field.nbytes) as part:
        blocks = part.with_suffix(".blocks.tif")
        try:
            _write_blocks(blocks, field, {**_tags(product), "year": str(year)})
            rasterio.shutil.copy(blocks, part, **_COG)
        finally:
            blocks.unlink(missing_ok=True)
    return target


def _tags(product: Path) -> dict[str, str]:
    names = ("title", "source", "license", "references", "history", "synthetic", "scenario")
    about = open_product(product).attrs
    return {name: str(about[name]) for name in names}


def _write_blocks(path: Path, field: xr.DataArray, tags: dict[str, str]) -> None:
    """Tiled GeoTIFF of a map, some rows at a time: its driver for Cloud Optimized files copies whole ones only."""
    grid, legend, rows = grid_of(field), read_legend("land_use"), field.encoding["chunks"][-2]
    profile = {
        "driver": "GTiff", "dtype": "uint8", "count": 1, "height": grid.rows, "width": grid.cols, "nodata": NO_DATA,
        "crs": "EPSG:4326", "transform": cell_transform(grid), "tiled": True, "blockxsize": 512, "blockysize": 512,
        "compress": "DEFLATE", "bigtiff": "IF_SAFER",
    }  # fmt: skip
    colors = {int(c): (*bytes.fromhex(h[1:]), 255) for c, h in zip(legend["code"], legend["color"], strict=True)}
    with rasterio.open(path, "w", **profile) as raster:
        raster.write_colormap(1, colors)
        raster.set_band_description(1, f"land use {tags['year']}")
        raster.update_tags(**tags)
        raster.update_tags(1, **{f"class_{c}": n for c, n in zip(legend["code"], legend["label"], strict=True)})
        for top in range(0, grid.rows, rows):
            block = field[top : top + rows].to_numpy()
            raster.write(block, 1, window=Window(0, top, grid.cols, block.shape[0]))


def cell_transform(grid: Grid) -> Affine:
    """Affine transform of a grid's cells, free of rounding errors of its coordinates."""
    west, north, dlon, dlat = (round(float(v), 10) for v in (grid.west, grid.north, grid.dlon, grid.dlat))
    return from_origin(west, north, dlon, dlat)
