"""The products of land cover and leaf area: their arrays, CF attributes and provenance."""

from pathlib import Path

import numpy as np
import xarray as xr

from ai4land.cube import Layout
from ai4land.green.pieces import leaf_variant, vegetation_of
from ai4land.product.store import FORMAT_VERSION, packed_bytes
from ai4land.product.templates import EMULATED, MAPS, ON_EARTH, ORIGINS, REFERENCE, confidence_field
from ai4land.runs import Run
from ai4land.store import Format, open_store, provenance
from ai4land.targets import read_target
from ai4land.templates import Field, Group, Template, flag_variable, grid_with_bounds, target_field, time_with_bounds

_FORMAT = Format("product", FORMAT_VERSION, "15-stitch-vegetation")


def _cover_fields() -> dict[str, Field]:
    carried = "the model's, given land use and carried from step to step; 100 in the reference year"
    return {
        "land_cover": target_field("land_cover", MAPS, ancillary_variables="confidence source", **ON_EARTH),
        "confidence": confidence_field(carried, "source"),
    }


def _leaf_fields() -> dict[str, Field]:
    more = {"cell_methods": "time: mean", **ON_EARTH}
    leaves = target_field(
        "leaf_area_index", MAPS, long_name="leaf area index (m2 m-2)",
        ancillary_variables="leaf_area_index_standard_error source", **more,
    )  # fmt: skip
    error = {
        "long_name": "standard error of leaf area index (m2 m-2)", "standard_name": "leaf_area_index standard_error",
        "units": leaves.attributes["units"], **more, "comment": "root mean square error in validation years near the "
        "reference, by month and level-1 class of land cover: holds no errors of land use, climate or land cover, nor "
        "growth with the years from the reference; none in the reference year",
    }  # fmt: skip
    spread = Field(MAPS, leaves.dtype, leaves.missing, error, leaves.scale_factor)
    return {"leaf_area_index": leaves, "leaf_area_index_standard_error": spread}


_FIELDS = {"land_cover": _cover_fields, "leaf_area_index": _leaf_fields}


def green_template(path: Path, run: Run, layout: Layout, years: list[int], inputs: list[dict]) -> Template:
    """One empty store of land cover or of leaf area, all years.

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
    Template
        Of `ai4land.store.filling`.
    """
    name, _, scenario = path.stem.partition("-")
    target, vegetation = read_target(name), vegetation_of(run)
    source = np.repeat([REFERENCE if year == vegetation.reference else EMULATED for year in years], target.steps)
    coordinates = {
        **grid_with_bounds(layout.grid), **time_with_bounds(years, target.steps),
        "source": flag_variable(source.tolist(), "where the map is from", ORIGINS),
    }  # fmt: skip
    title = f"{target.long_name.capitalize()}, {run.title}, {years[0]}-{years[-1]}"
    about = {
        **provenance(run, title + (f", {scenario}" if scenario else ""), FORMAT_VERSION, inputs),
        "comment": f"stepped from {vegetation.reference} by {vegetation.every} years; predictors of leaf area besides "
        f"land use, climate and CO2: {leaf_variant(vegetation).replace('+', ' and ')}",
        "scenario": scenario or "none",
    }
    groups = {"": Group(_FIELDS[name](), coordinates, layout.chunk, layout.shard)}
    return Template(groups, about, packed_bytes(groups, layout), f"product {path.name}", consolidated=True)


def open_green(path: Path) -> xr.Dataset:
    """A product of land cover, codes as they are stored, or of leaf area, in m2 m-2 with NaN without data; lazy.

    Raises
    ------
    FileNotFoundError
        If there is no such store.
    ValueError
        If it was written in a newer format.
    """
    return xr.decode_cf(open_store(path, _FORMAT), mask_and_scale=False, decode_coords=False)
