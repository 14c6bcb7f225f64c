"""What a product holds: names, dimensions, types, missing values and CF attributes of every array.

Traps: readers of NetCDF hide what lies outside ``valid_range``, so fractions, which may round to just above 1, have
none. Fractions have no standard name: ``area_fraction`` wants names of CF's area types, and classes are not among them.
"""

from typing import Any

import numpy as np
import pyproj

from ai4land.grid import EARTH_RADIUS, Grid
from ai4land.legend import NO_DATA, class_codes, flag_attributes, read_legend
from ai4land.product.years import Years
from ai4land.runs import Run

REFERENCE, EMULATED = 0, 1
ERAS = {0: "reference", 1: "hindcast", 2: "forecast"}
CLASS_DIMS = ("land_use_class", "from_class", "to_class")
Field = tuple[tuple[str, ...], str, float, dict[str, Any]]  # dimensions, dtype, missing value, attributes
_MAPS = ("time", "lat", "lon")
_BY_CLASS = ("time", "land_use_class", "lat", "lon")
_ON_EARTH = {"grid_mapping": "crs"}


def fine_fields() -> dict[str, Field]:
    """Arrays on the fine cells, at the root of the store."""
    codes = class_codes(read_legend("land_use"))
    cover = {
        "long_name": "land use", **flag_attributes(read_legend("land_use")),
        "valid_range": [int(codes.min()), int(codes.max())], "_FillValue": NO_DATA,
        "ancillary_variables": "confidence source era", **_ON_EARTH,
    }  # fmt: skip
    sure = {
        "long_name": "probability that the class is right", "units": "percent", "valid_range": [0, 100],
        "_FillValue": NO_DATA, "ancillary_variables": "source era",
        "comment": "the model's, carried from year to year, mean over the members of the ensemble; 100 in reference "
        "years", **_ON_EARTH,
    }  # fmt: skip
    return {"land_use": (_MAPS, "uint8", NO_DATA, cover), "confidence": (_MAPS, "uint8", NO_DATA, sure)}


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
        name: (dims, "float32", np.nan, {"units": "1", **attrs, **_ON_EARTH}) for name, (dims, attrs) in about.items()
    }


def grid_arrays(grid: Grid) -> dict[str, tuple]:
    """Values of cell centres, cell edges and the coordinate system: dimensions, values, attributes by name."""
    arrays: dict[str, tuple] = {
        name: ((name,), values.values, {**values.attrs, "long_name": values.attrs["standard_name"],
                                        "bounds": f"{name}_bnds"})
        for name, values in grid.coords().items()
    }  # fmt: skip
    for name, edges in (("lat", grid.lat_edges), ("lon", grid.lon_edges)):
        arrays[f"{name}_bnds"] = ((name, "bnds"), np.stack([edges[:-1], edges[1:]], 1), {})
    earth = pyproj.CRS.from_epsg(4326).to_cf() | {
        "long_name": "WGS 84",
        "comment": f"areas of cells are those on the sphere of equal area, radius {EARTH_RADIUS} m",
    }
    return arrays | {"crs": ((), np.int32(0), earth)}


def _days(years: list[int]) -> np.ndarray:
    """1 January, days since 1850-01-01."""
    return (np.array([f"{y}-01-01" for y in years], "datetime64[D]") - np.datetime64("1850-01-01")).astype(np.int32)


def time_arrays(years: Years) -> dict[str, tuple]:
    """Values of the time axis: dimensions, values, attributes by name."""
    about = {
        "standard_name": "time", "long_name": "year that the map stands for, from its 1 January", "axis": "T",
        "units": "days since 1850-01-01", "calendar": "standard", "units_metadata": "leap_seconds: none",
        "bounds": "time_bnds",
    }  # fmt: skip
    bounds = np.stack([_days(years.all), _days([y + 1 for y in years.all])], 1)
    return {"time": (("time",), _days(years.all), about), "time_bnds": (("time", "bnds"), bounds, {})}


def origin_arrays(run: Run, years: Years) -> dict[str, tuple]:
    """Where every year's map is from: dimensions, values, attributes by name."""
    source = [REFERENCE if year in years.reference else EMULATED for year in years.all]
    made = {year: run.experiments[name].start for year, name in years.emulated.items()}
    era = [0 if year not in made else 1 if year < made[year] else 2 for year in years.all]
    flags = {
        "source": ("where the map is from", source, {REFERENCE: "reference", EMULATED: "emulated"}),
        "era": ("reference maps, years stepped back from them, or on from them", era, ERAS),
    }
    return {
        name: (("time",), np.array(values, np.uint8), {
            "long_name": title, "flag_values": list(meanings), "flag_meanings": " ".join(meanings.values())})
        for name, (title, values, meanings) in flags.items()
    }  # fmt: skip


def class_arrays() -> dict[str, tuple]:
    """Class codes along the class dimensions: dimensions, values, attributes by name."""
    legend = read_legend("land_use")
    titles = dict(zip(CLASS_DIMS, ("land use", "land use of the year before", "land use"), strict=True))
    return {
        name: ((name,), class_codes(legend).astype(np.uint8), {"long_name": title, **flag_attributes(legend)})
        for name, title in titles.items()
    }
