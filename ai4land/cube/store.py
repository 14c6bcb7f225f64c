"""One Zarr v3 store a run: fine maps, coarse fractions, CF attributes and provenance.

Layout: ``fine/`` on the run's cells, ``coarse/`` on blocks of 25 x 25 of them, ``relief/`` where the
elevation is coarser than the cells, ``luh2/`` and ``luh2-<scenario>/`` for LUH2's states. All years are
allocated at creation; a region writes its own chunks and no others. Time stamps and host names stay out,
so equal content has equal bytes.
"""

import shutil
from pathlib import Path

import dask.array
import numpy as np
import pandas as pd
import xarray as xr
import zarr

from ai4land import __version__
from ai4land.cube.layout import Layout
from ai4land.grid import COARSE_CELLS
from ai4land.legend import NO_DATA, class_codes, flag_attributes, read_legend
from ai4land.runs import Run

FORMAT_VERSION = 1
_FINE_STATIC = {
    "elevation": ("elevation", "m"),
    "slope": ("slope", "degree"),
    "aspect_sin": ("sine of aspect", "1"),
    "aspect_cos": ("cosine of aspect", "1"),
}
_SOIL = {f"{n}_fraction": (f"mass fraction of {n} in fine earth", "1") for n in ("sand", "silt", "clay")}
_COARSE_STATIC = {
    "potential_biomass": ("potential biomass carbon density of natural vegetation", "kg m-2"),
    "potential_forest": ("1 where natural vegetation is forest", "1"),
    "ice_water_fraction": ("fraction of the cell that is ice or water", "1"),
}


def _allocate(dims: dict[str, int], chunks: dict[str, int], dtype: str, fill: float) -> dask.array.Array:
    return dask.array.full(tuple(dims.values()), fill, dtype=dtype, chunks=tuple(chunks[d] for d in dims))


def _template(shape: dict[str, int], chunk: tuple[int, int], fields: dict) -> xr.Dataset:
    """Empty dataset: ``fields`` gives per name (dims, dtype, fill, attrs)."""
    sizes = {"lat": chunk[0], "lon": chunk[1], "time": 1, "cover_class": shape.get("cover_class", 1)}
    arrays = {}
    for name, (dims, dtype, fill, attrs) in fields.items():
        data = _allocate({d: shape[d] for d in dims}, sizes, dtype, fill)
        arrays[name] = xr.Variable(dims, data, attrs, {"chunks": tuple(sizes[d] for d in dims)})
    return xr.Dataset(arrays)


def _fine_fields(coarse_relief: bool, soil: bool) -> dict:
    maps, cells = ("time", "lat", "lon"), ("lat", "lon")
    cover = {"long_name": "land use", "comment": "255 is no data", **flag_attributes(read_legend("land_use"))}
    zones = {"long_name": "Koeppen-Geiger climate zone", **flag_attributes(read_legend("koppen_geiger"))}
    fields = {"land_use": (maps, "uint8", NO_DATA, cover), "koppen": (cells, "uint8", 0, zones)}
    layers = ({} if coarse_relief else _FINE_STATIC) | (_SOIL if soil else {})
    return fields | {n: (cells, "float32", np.nan, {"long_name": t, "units": u}) for n, (t, u) in layers.items()}


def _coarse_fields(luh2_static: bool) -> dict:
    share = {"long_name": "area fraction of the class among cells with data", "units": "1",
             "comment": "aggregated from land_use itself (perfect coarse)"}  # fmt: skip
    area = {"long_name": "area of the cells with data", "units": "m2"}
    fields = {
        "land_use_fraction": (("time", "cover_class", "lat", "lon"), "float32", np.nan, share),
        "data_area": (("time", "lat", "lon"), "float64", 0.0, area),
    }
    if not luh2_static:
        return fields
    static = {
        n: (("lat", "lon"), "float32", np.nan, {"long_name": t, "units": u}) for n, (t, u) in _COARSE_STATIC.items()
    }
    return fields | static


def _luh2_template(layout: Layout, years: list[int], states: list[str]) -> xr.Dataset:
    """Empty states of LUH2 on the coarse cells: one chunk a region holds all years."""
    about = {"long_name": "LUH2 state", "units": "1", "comment": "fraction of the whole cell; secma in years, secmb in "
             "kg m-2; NaN is ocean"}  # fmt: skip
    grid = layout.grid.blocks(COARSE_CELLS)
    shape = {"time": len(years), "state": len(states), "lat": grid.rows, "lon": grid.cols}
    chunks = (len(years), len(states), *(-(-n // COARSE_CELLS) for n in layout.chunk))
    data = _allocate(shape, dict(zip(shape, chunks, strict=True)), "float32", np.nan)
    field = xr.Variable(tuple(shape), data, about, {"chunks": chunks})
    time = xr.Variable("time", np.array(years, np.int16), {"long_name": "calendar year"})
    return xr.Dataset({"luh2_state": field}, {"time": time, "state": states, **grid.coords()})


def create_cube(
    path: Path, run: Run, layout: Layout, files: pd.DataFrame, coarse_relief: bool,
    luh2: dict[str, tuple[list[int], list[str]]] | None = None,
) -> None:  # fmt: skip
    """Allocate the empty cube of a run, all years; an older one is replaced.

    Parameters
    ----------
    path : pathlib.Path
        Store to make.
    run : Run
    layout : Layout
    files : pandas.DataFrame
        Inventory of the inputs: columns dataset, file, bytes, sha256, licence, doi.
    coarse_relief : bool
        Whether elevation stays on its own coarse grid (`write_relief`) instead of the fine one.
    luh2 : dict of str to tuple of list, optional
        Years and names of LUH2's states, by group (`luh2_groups`).
    """
    codes = class_codes(read_legend("land_use"))
    years = np.array(run.map_years, np.int16)
    time = xr.Variable("time", years, {"long_name": "calendar year"})
    chunk = layout.chunk
    coarse_chunk = -(-chunk[0] // COARSE_CELLS), -(-chunk[1] // COARSE_CELLS)
    partial = path.with_name(path.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    for group, fields, grid, size, more in (
        ("fine", _fine_fields(coarse_relief, run.inputs.soil is not None), layout.grid, chunk, {}),
        ("coarse", _coarse_fields(run.inputs.luh2_static is not None), layout.grid.blocks(COARSE_CELLS), coarse_chunk,
         {"cover_class": codes}),
    ):  # fmt: skip
        dims = {"time": years.size, "lat": grid.rows, "lon": grid.cols, "cover_class": codes.size}
        template = _template(dims, size, fields).assign_coords({"time": time, **grid.coords(), **more})
        template.to_zarr(partial, group=group, mode="a", compute=False, zarr_format=3, consolidated=False)
    for group, (known, states) in (luh2 or {}).items():
        template = _luh2_template(layout, known, states)
        template.to_zarr(partial, group=group, mode="a", compute=False, zarr_format=3, consolidated=False)
    inputs = files[["role", "dataset", "file", "bytes", "sha256", "licence", "doi"]].to_dict("records")
    zarr.open_group(partial, mode="a").update_attributes({
        "Conventions": "CF-1.11", "title": run.title, "source": run.source, "synthetic": run.synthetic,
        "software": f"ai4land {__version__}", "format_version": FORMAT_VERSION,
        "run": run.model_dump(mode="json"), "inputs": inputs,
    })  # fmt: skip
    shutil.rmtree(path, ignore_errors=True)
    partial.rename(path)


def _sweep(array: Path, window: tuple[slice, slice]) -> None:
    """Delete what a killed writer left half-written among the window's own chunks; zarr renames whole ones."""
    size = zarr.open_array(array, mode="r").chunks[-2:]
    for left in (array / "c").rglob("*.partial"):
        chunk = [int(p.split(".")[0]) for p in left.relative_to(array).parts[-2:]]
        if all(w.start <= k * n < w.stop for k, n, w in zip(chunk, size, window, strict=True)):
            left.unlink()


def write_region(path: Path, group: str, fields: xr.Dataset, window: tuple[slice, slice]) -> None:
    """Write one region's fields into its own cells of a group; coordinates are there already.

    Parameters
    ----------
    path : pathlib.Path
    group : {'fine', 'coarse'}
    fields : xarray.Dataset, (..., lat, lon)
    window : tuple of slice
        Rows and columns of the region in that group.
    """
    region = {"lat": window[0], "lon": window[1]}
    if "time" in fields.dims:
        have = open_cube(path, group)["time"].to_numpy()
        first = int(np.flatnonzero(have == int(fields["time"][0]))[0])
        region["time"] = slice(first, first + fields.sizes["time"])
        if not np.array_equal(have[region["time"]], fields["time"].to_numpy()):
            raise ValueError(f"{path}/{group}: years {fields['time'].to_numpy()} are not consecutive ones of {have}.")
    bare = fields.drop_vars(list(fields.coords)).load()  # whole chunks in one write: nothing to race
    for name in bare.variables:
        bare[name].encoding = {}
        bare[name].attrs = {}
        _sweep(path / group / str(name), window)
    region |= {str(d): slice(None) for d in bare.dims if d not in region}
    bare.to_zarr(path, group=group, region=region, consolidated=False)


def write_relief(path: Path, elevation: xr.DataArray) -> None:
    """Keep a coarse elevation on its own grid, in group ``relief``; never upsampled to disk."""
    elevation.to_dataset(name="elevation").to_zarr(path, group="relief", mode="w", zarr_format=3, consolidated=False)


def open_cube(path: Path, group: str) -> xr.Dataset:
    """One group of a cube, lazy, codes as they are stored.

    Raises
    ------
    FileNotFoundError
        If there is no cube.
    ValueError
        If it was written in a newer format.
    """
    if not path.exists():
        raise FileNotFoundError(f"no cube at {path}; run 01-download and 02-regrid of this run first.")
    version = zarr.open_group(path, mode="r").attrs.get("format_version", 0)
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise ValueError(f"{path}: format_version {version}, this software reads up to {FORMAT_VERSION}; update it.")
    return xr.open_zarr(path, group=group, consolidated=False, mask_and_scale=False, chunks={})


def has_relief(path: Path) -> bool:
    """Whether the cube keeps elevation on its own coarse grid."""
    return (path / "relief").exists()


def luh2_years(path: Path) -> dict[str, list[int]]:
    """Years of every group of LUH2's states in a cube, by group; empty where there is none."""
    groups = sorted(p.name for p in path.iterdir() if p.name.startswith("luh2"))
    return {g: [int(y) for y in open_cube(path, g)["time"]] for g in groups}
