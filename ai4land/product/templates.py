"""What a product holds: names, dimensions, types, missing values and CF attributes of every array.

Traps: readers of NetCDF hide what lies outside ``valid_range``, so fractions, which may round to just above 1, have
none. Fractions have no standard name: ``area_fraction`` wants names of CF's area types, and classes are not among them.
"""

from typing import Any

import numpy as np
import xarray as xr

from ai4land.legend import NO_DATA
from ai4land.product.years import Years
from ai4land.runs import Run
from ai4land.targets import read_target
from ai4land.templates import Field, class_coordinate, flag_variable, target_field

REFERENCE, EMULATED = 0, 1
ORIGINS = {REFERENCE: "reference", EMULATED: "emulated"}
ERAS = {0: "reference", 1: "hindcast", 2: "forecast"}
CLASS_DIMS = {"land_use_class": "land use", "from_class": "land use of the year before", "to_class": "land use"}
MAPS, ON_EARTH = ("time", "lat", "lon"), {"grid_mapping": "crs"}
_BY_CLASS = ("time", "land_use_class", "lat", "lon")


def confidence_field(comment: str, ancillary: str) -> Field:
    """Chance that a map's classes are right, in whole per cent; 255 is no data."""
    about = {
        "long_name": "probability that the class is right", "units": "percent", "valid_range": [0, 100],
        "ancillary_variables": ancillary, "comment": comment, **ON_EARTH,
    }  # fmt: skip
    return Field(MAPS, "uint8", NO_DATA, about)


def fine_fields() -> dict[str, Field]:
    """Arrays on the fine cells, at the root of the store."""
    codes = read_target("land_use").codes
    carried = "the model's, carried from year to year, mean over the members of the ensemble; 100 in reference years"
    return {
        "land_use": target_field(
            "land_use", MAPS, valid_range=[int(codes.min()), int(codes.max())],
            ancillary_variables="confidence source era", **ON_EARTH,
        ),
        "confidence": confidence_field(carried, "source era"),
    }  # fmt: skip


def coarse_fields() -> dict[str, Field]:
    """Arrays on the coarse cells of 25 x 25 fine ones, in group ``coarse``; NaN is no data."""
    about: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
        "land_use_fraction": (_BY_CLASS, {
            "long_name": "area fraction of the class",
            "ancillary_variables": "land_use_fraction_spread area_residual luh2_difference"}),
        "land_use_fraction_spread": (_BY_CLASS, {
            "long_name": "standard deviation of the area fraction over the members of the ensemble",
            "comment": "0 with one member, and in reference years"}),
        "area_residual": (_BY_CLASS, {
            "long_name": "share of cells of the class minus the wanted one, among the cells that were allocated",
            "comment": "cells are counted, not their areas; classes that were allocated as one stand under the first; "
            "none in reference years"}),
        "luh2_difference": (_BY_CLASS, {
            "long_name": "area fraction of the class minus that of LUH2",
            "comment": "mostly a matter of definition: LUH2's forest is potential forest, it has no other land, and "
            "ocean, ice and water stand as ocean; none in reference years that LUH2's history does not have"}),
        "gross_transition": (("time", "from_class", "to_class", "lat", "lon"), {
            "long_name": "area fraction that went from one class to another since the year before"}),
    }  # fmt: skip
    return {
        name: Field(dims, "float32", np.nan, {"units": "1", **attrs, **ON_EARTH})
        for name, (dims, attrs) in about.items()
    }


def origin_flags(run: Run, years: Years) -> dict[str, xr.Variable]:
    """Where every year's map is from."""
    source = [REFERENCE if year in years.reference else EMULATED for year in years.all]
    made = {year: run.experiments[name].start for year, name in years.emulated.items()}
    era = [0 if year not in made else 1 if year < made[year] else 2 for year in years.all]
    return {
        "source": flag_variable(source, "where the map is from", ORIGINS),
        "era": flag_variable(era, "reference maps, years stepped back from them, or on from them", ERAS),
    }


def class_coordinates() -> dict[str, xr.Variable]:
    """Class codes along the class dimensions."""
    return {
        name: one
        for dim, title in CLASS_DIMS.items()
        for name, one in class_coordinate("land_use", dim, long_name=title).items()
    }
