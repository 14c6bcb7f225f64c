"""The empty products of land cover and leaf area: their arrays, CF attributes and provenance.

A store is filled under ``<name>.partial`` and renamed when it is whole. Time stamps and host names stay out.
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
from ai4land.green.pieces import leaf_variant, vegetation_of
from ai4land.green.rolled import LEAF_MISSING, LEAF_SCALE
from ai4land.legend import NO_DATA, flag_attributes, read_legend
from ai4land.product import Years, partial_path
from ai4land.product.licence import licence_of
from ai4land.product.store import FORMAT_VERSION, PACKED
from ai4land.product.templates import EMULATED, REFERENCE, Field, grid_arrays, time_arrays
from ai4land.runs import Run
from ai4land.vegetation import MONTHS

_MAPS, _ON_EARTH = ("time", "lat", "lon"), {"grid_mapping": "crs"}
_TITLES = {"land_cover": "Land cover", "leaf_area_index": "Leaf area index"}


def _cover_fields() -> dict[str, Field]:
    cover = {
        "long_name": "land cover", "standard_name": "land_cover_lccs", **flag_attributes(read_legend("land_cover")),
        "_FillValue": 0, "ancillary_variables": "confidence source", **_ON_EARTH,
    }  # fmt: skip
    sure = {
        "long_name": "probability that the class is right", "units": "percent", "valid_range": [0, 100],
        "_FillValue": NO_DATA, "ancillary_variables": "source", **_ON_EARTH,
        "comment": "the model's, given land use and carried from step to step; 100 in the reference year",
    }  # fmt: skip
    return {"land_cover": (_MAPS, "uint8", 0, cover), "confidence": (_MAPS, "uint8", NO_DATA, sure)}


def _leaf_fields() -> dict[str, Field]:
    packed = {
        "units": "m2 m-2", "scale_factor": LEAF_SCALE, "_FillValue": LEAF_MISSING, "cell_methods": "time: mean",
        **_ON_EARTH,
    }  # fmt: skip
    leaves = {
        "long_name": "leaf area index (m2 m-2)", "standard_name": "leaf_area_index", **packed,
        "ancillary_variables": "leaf_area_index_standard_error source",
    }  # fmt: skip
    error = {
        "long_name": "standard error of leaf area index (m2 m-2)", "standard_name": "leaf_area_index standard_error",
        **packed, "comment": "root mean square error in validation years near the reference, by month and level-1 "
        "class of land cover: holds no errors of land use, climate or land cover, nor growth with the years from the "
        "reference; none in the reference year",
    }  # fmt: skip
    return {
        "leaf_area_index": (_MAPS, "int16", LEAF_MISSING, leaves),
        "leaf_area_index_standard_error": (_MAPS, "int16", LEAF_MISSING, error),
    }


_FIELDS = {"land_cover": _cover_fields, "leaf_area_index": _leaf_fields}


def _days(months: np.ndarray) -> np.ndarray:
    """First days of months, days since 1850-01-01."""
    return (months.astype("datetime64[D]") - np.datetime64("1850-01-01")).astype(np.int32)


def _month_arrays(years: list[int]) -> dict[str, tuple]:
    """The time axis of months: dimensions, values, attributes by name."""
    months = np.concatenate([np.arange(f"{year}-01", f"{year + 1}-01", dtype="datetime64[M]") for year in years])
    (_, _, about), bounds = time_arrays(Years(years, {}))["time"], np.stack([_days(months), _days(months + 1)], 1)
    about = about | {"long_name": "month that the map stands for, from its first day"}
    return {"time": (("time",), _days(months), about), "time_bnds": (("time", "bnds"), bounds, {})}


def _origin(years: list[int], reference: int, each: int) -> dict[str, tuple]:
    """Where every map is from, as `_month_arrays`."""
    source = np.repeat([REFERENCE if year == reference else EMULATED for year in years], each).astype(np.uint8)
    about = {"long_name": "where the map is from", "flag_values": [REFERENCE, EMULATED],
             "flag_meanings": "reference emulated"}  # fmt: skip
    return {"source": (("time",), source, about)}


def create_green(path: Path, run: Run, layout: Layout, years: list[int], inputs: list[dict]) -> Path:
    """Allocate one empty store of land cover or of leaf area, all years; a half-made older one is replaced.

    Parameters
    ----------
    path : pathlib.Path
        Of the whole store: ``land_cover``, ``leaf_area_index``, or one of these and ``-<scenario>``; ``.zarr``.
    run : Run
    layout : Layout
        Of the vegetation regions alone.
    years : list of int
        Of the store, ascending.
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
    kind, _, scenario = path.stem.partition("-")
    each = MONTHS if kind == "leaf_area_index" else 1
    fields, partial = _FIELDS[kind](), partial_path(path)
    cells = sum(rows * cols for rows, cols in (window.shape for window in layout.regions.values()))
    raw = len(years) * each * cells * sum(np.dtype(dtype).itemsize for _, dtype, _, _ in fields.values())
    check_room(path.parent, int(PACKED * raw), f"product {path.name}")
    shutil.rmtree(partial, ignore_errors=True)
    root = zarr.open_group(partial, mode="w", zarr_format=3)
    for name, (dims, dtype, missing, about) in fields.items():
        root.create_array(
            name, shape=(len(years) * each, *layout.grid.shape), chunks=(1, *layout.chunk),
            shards=layout.shard and (1, *layout.shard), dtype=dtype, fill_value=missing, dimension_names=dims,
            attributes=about,
        )  # fmt: skip
    time = _month_arrays(years) if each > 1 else time_arrays(Years(years, {}))
    arrays = grid_arrays(layout.grid) | time | _origin(years, vegetation_of(run).reference, each)
    for name, (dims, values, about) in arrays.items():
        root.create_array(name, data=np.asarray(values), dimension_names=dims, attributes=about)
    root.update_attributes(_about(_TITLES[kind], run, scenario, years, inputs))
    with warnings.catch_warnings():  # xarray and GDAL read it; the specification of Zarr 3 does not name it yet
        warnings.filterwarnings("ignore", "Consolidated metadata", ZarrUserWarning)
        zarr.consolidate_metadata(partial)
    return partial


def _about(title: str, run: Run, scenario: str, years: list[int], inputs: list[dict]) -> dict[str, Any]:
    vegetation = vegetation_of(run)
    dois = sorted({row["doi"] for row in inputs if row["doi"]})
    return {
        "Conventions": "CF-1.11",
        "title": f"{title}, {run.title}, {years[0]}-{years[-1]}" + (f", {scenario}" if scenario else ""),
        "institution": "The ai4land developers",
        "source": run.source,
        "comment": f"stepped from {vegetation.reference} by {vegetation.every} years; predictors of leaf area besides "
        f"land use, climate and CO2: {leaf_variant(vegetation).replace('+', ' and ')}",
        "history": f"made by ai4land {__version__}",
        "references": " ".join(f"https://doi.org/{doi}" for doi in dois) or "none: made-up inputs",
        "license": licence_of(inputs),
        "scenario": scenario or "none",
        "synthetic": int(run.synthetic),
        "run": run.name,
        "software": f"ai4land {__version__}",
        "format_version": FORMAT_VERSION,
        "run_parameters": run.model_dump_json(),
        "inputs": json.dumps(inputs, sort_keys=True),
    }


def open_green(path: Path) -> xr.Dataset:
    """A product of land cover, codes as they are stored, or of leaf area, in m2 m-2 with NaN without data; lazy.

    Raises
    ------
    FileNotFoundError
        If there is no such store.
    ValueError
        If it was written in a newer format.
    """
    if not path.exists():
        raise FileNotFoundError(f"no product at {path}; run 15-stitch-vegetation of this run first.")
    version = zarr.open_group(path, mode="r").attrs.get("format_version", 0)
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise ValueError(f"{path}: format_version {version}, this software reads up to {FORMAT_VERSION}; update it.")
    return xr.open_zarr(path, mask_and_scale=path.stem.startswith("leaf_area_index"), chunks={})
