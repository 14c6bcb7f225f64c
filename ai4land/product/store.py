"""The empty product: fine maps at the root of a Zarr v3 store, 0.25 degree fields in group ``coarse``.

A store is filled under ``<name>.partial`` and renamed when it is whole. All years are allocated at creation; chunks
without data are not written. Time stamps and host names stay out, so that equal content has equal bytes.
"""

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.errors import ZarrUserWarning

from ai4land import __version__
from ai4land.checks import check_room
from ai4land.cube import Layout
from ai4land.cube.templates import FLOATS, in_blocks
from ai4land.grid import COARSE_CELLS
from ai4land.product.licence import licence_of
from ai4land.product.templates import (
    Field,
    class_arrays,
    coarse_fields,
    fine_fields,
    grid_arrays,
    origin_arrays,
    time_arrays,
)
from ai4land.product.years import Years
from ai4land.runs import Run

FORMAT_VERSION = 1
PACKED = 0.3  # compressed bytes of one raw byte, with room to spare: the demo's maps take 0.2


def partial_path(path: Path) -> Path:
    """Where a store lies until it is whole."""
    return path.with_name(path.name + ".partial")


def product_bytes(layout: Layout, years: Years) -> int:
    """Bytes that a store will take on disk, about: cells of no region take none."""
    cells = sum(rows * cols for rows, cols in (window.shape for window in layout.regions.values()))
    fine = sum(np.dtype(dtype).itemsize for _, dtype, _, _ in fine_fields().values())
    classes = {name: values.size for name, (_, values, _) in class_arrays().items()}
    coarse = sum(
        np.dtype(dtype).itemsize * int(np.prod([classes.get(d, 1) for d in dims]))
        for dims, dtype, _, _ in coarse_fields().values()
    )
    return int(PACKED * len(years.all) * cells * (fine + coarse / COARSE_CELLS**2))


def create_product(path: Path, run: Run, layout: Layout, years: Years, inputs: list[dict]) -> Path:
    """Allocate one empty store of a run's product, all years; a half-made older one is replaced.

    Parameters
    ----------
    path : pathlib.Path
        Of the whole store, such as ``land_use-ssp126.zarr``.
    run : Run
    layout : Layout
    years : Years
    inputs : list of dict
        Provenance: every input file with its data set, hash, licence and DOI, from the cube.

    Returns
    -------
    pathlib.Path
        ``<path>.partial``: fill it, then rename it to ``path``.

    Raises
    ------
    OSError
        If the disk has less room than the store will take.
    """
    partial = partial_path(path)
    check_room(path.parent, product_bytes(layout, years), f"product {path.name}")
    shutil.rmtree(partial, ignore_errors=True)
    root = zarr.open_group(partial, mode="w", zarr_format=3)
    coarse = root.create_group("coarse")
    chunk, shard, blocks = layout.chunk, layout.shard, layout.grid.blocks(COARSE_CELLS)
    _allocate(root, fine_fields(), (len(years.all), *layout.grid.shape), chunk, shard)
    _allocate(
        coarse, coarse_fields(), (len(years.all), *blocks.shape), in_blocks(chunk), in_blocks(shard) if shard else None
    )
    _write(root, grid_arrays(layout.grid) | time_arrays(years) | origin_arrays(run, years))
    _write(coarse, grid_arrays(blocks) | time_arrays(years) | class_arrays())
    about = _about(path, run, years, inputs)
    root.update_attributes(about)
    coarse.update_attributes(about | {"title": f"{about['title']}, {blocks.dlat:g} degree"})
    with warnings.catch_warnings():  # xarray and GDAL read it; the specification of Zarr 3 does not name it yet
        warnings.filterwarnings("ignore", "Consolidated metadata", ZarrUserWarning)
        zarr.consolidate_metadata(partial)
    return partial


def _allocate(
    group: zarr.Group, fields: dict[str, Field], size: tuple[int, int, int], chunk: tuple[int, int],
    shard: tuple[int, int] | None,
) -> None:  # fmt: skip
    """Empty arrays; ``size`` is years, rows, columns."""
    classes = {name: values.size for name, (_, values, _) in class_arrays().items()}
    lengths = classes | dict(zip(("time", "lat", "lon"), size, strict=True))
    for name, (dims, dtype, missing, about) in fields.items():
        inner = tuple(classes.get(d, 1) for d in dims[:-2])
        group.create_array(
            name, shape=tuple(lengths[d] for d in dims), chunks=(*inner, *chunk), shards=shard and (*inner, *shard),
            dtype=dtype, fill_value=missing, dimension_names=dims, attributes=about,
            compressors=FLOATS["compressors"] if dtype == "float32" else "auto",
        )  # fmt: skip


def _write(group: zarr.Group, arrays: dict[str, tuple]) -> None:
    for name, (dims, values, about) in arrays.items():
        group.create_array(name, data=np.asarray(values), dimension_names=dims, attributes=about)


def _about(path: Path, run: Run, years: Years, inputs: list[dict]) -> dict[str, Any]:
    scenario = path.stem.partition("-")[2]
    dois = sorted({row["doi"] for row in inputs if row["doi"]})
    return {
        "Conventions": "CF-1.11",
        "title": f"Land use, {run.title}, {years.all[0]}-{years.all[-1]}" + (f", {scenario}" if scenario else ""),
        "institution": "The ai4land developers",
        "source": run.source,
        "history": f"made by ai4land {__version__}",
        "references": " ".join(f"https://doi.org/{doi}" for doi in dois) or "none: made-up inputs",
        "license": licence_of(inputs),
        "scenario": scenario or "none",
        "synthetic": int(run.synthetic),
        "run": run.name,
        "software": f"ai4land {__version__}",
        "format_version": FORMAT_VERSION,
        "experiments": " ".join(sorted(set(years.emulated.values()))),
        "run_parameters": run.model_dump_json(),  # text: attributes of NetCDF hold no tables
        "inputs": json.dumps(inputs, sort_keys=True),
    }


def open_product(path: Path, group: str | None = None) -> xr.Dataset:
    """Maps of a product, lazy, codes as they are stored; ``time`` is the calendar year.

    Parameters
    ----------
    path : pathlib.Path
    group : {'coarse'}, optional
        The 0.25 degree fields instead.

    Raises
    ------
    FileNotFoundError
        If there is no such store.
    ValueError
        If it was written in a newer format.
    """
    if not path.exists():
        raise FileNotFoundError(f"no product at {path}; run 07-stitch of this run first.")
    version = zarr.open_group(path, mode="r").attrs.get("format_version", 0)
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise ValueError(f"{path}: format_version {version}, this software reads up to {FORMAT_VERSION}; update it.")
    data = xr.open_zarr(path, group=group, mask_and_scale=False, chunks={})
    return data.assign_coords(time=data["time"].dt.year)
