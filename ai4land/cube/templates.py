"""What a cube holds: names, dimensions, types, missing values and attributes of every group, allocated empty."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from ai4land.cube.layout import Layout
from ai4land.grid import COARSE_CELLS
from ai4land.legend import flag_attributes, read_legend
from ai4land.runs import Run
from ai4land.templates import Field, Group, class_coordinate, target_field, year_coordinate

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
_MAPS, _CELLS = ("time", "lat", "lon"), ("lat", "lon")


def _static(fields: Mapping[str, tuple[str, str]]) -> dict[str, Field]:
    return {n: Field(_CELLS, "float32", np.nan, {"long_name": t, "units": u}) for n, (t, u) in fields.items()}


def _zones(*dims: str) -> Field:
    about = {"long_name": "Koeppen-Geiger climate zone", **flag_attributes(read_legend("koppen_geiger"))}
    return Field((*dims, *_CELLS), "uint8", 0, about)


def _fine(coarse_relief: bool, soil: bool) -> dict[str, Field]:
    fields = {"land_use": target_field("land_use", _MAPS), "koppen": _zones()}
    return fields | _static(({} if coarse_relief else _FINE_STATIC) | (_SOIL if soil else {}))


def _coarse(luh2_static: bool) -> dict[str, Field]:
    fraction: dict[str, object] = {
        "long_name": "area fraction of the class among cells with data", "units": "1",
        "comment": "aggregated from land_use itself (perfect coarse)",
    }  # fmt: skip
    area: dict[str, object] = {"long_name": "area of the cells with data", "units": "m2"}
    fields = {
        "land_use_fraction": Field(("time", "cover_class", *_CELLS), "float32", np.nan, fraction),
        "data_area": Field(_MAPS, "float64", None, area),
    }
    return fields | (_static(_COARSE_STATIC) if luh2_static else {})


def in_blocks(cells: tuple[int, int]) -> tuple[int, int]:
    """Coarse cells that some rows and columns of fine cells reach."""
    return -(-cells[0] // COARSE_CELLS), -(-cells[1] // COARSE_CELLS)


def cube_groups(run: Run, layout: Layout, coarse_relief: bool, series: Mapping[str, np.ndarray]) -> dict[str, Group]:
    """Groups that the regions of a run fill, by name.

    Parameters
    ----------
    run : Run
    layout : Layout
    coarse_relief : bool
        Whether elevation stays on its own coarse grid instead of the fine one.
    series : dict of str to numpy.ndarray
        Time steps of the groups that the inputs decide: ``land_cover`` (calendar years), ``lai`` (months, datetime64),
        ``koppen`` (periods, text).

    Returns
    -------
    dict of str to Group
        ``fine`` and ``coarse``, and ``koppen``, ``land_cover`` and ``lai`` where ``series`` has them.
    """
    about = {"source": run.source, "synthetic": int(run.synthetic)}

    def fine(fields: Mapping[str, Field], steps: Mapping[str, xr.Variable]) -> Group:
        return Group(fields, {**steps, **layout.grid.coords()}, layout.chunk, layout.shard, attributes=about)

    years, blocks = year_coordinate(run.map_years), layout.grid.blocks(COARSE_CELLS)
    coordinates = {**years, **class_coordinate("land_use"), **blocks.coords()}
    shard = in_blocks(layout.shard) if layout.shard else None
    groups = {
        "fine": fine(_fine(coarse_relief, run.inputs.soil is not None), years),
        "coarse": Group(
            _coarse(run.inputs.luh2_static is not None), coordinates, in_blocks(layout.chunk), shard, attributes=about
        ),
    }
    if "koppen" in series:
        periods = {"period": xr.Variable("period", series["koppen"], {"long_name": "years, and scenario"})}
        groups["koppen"] = fine({"koppen": _zones("period")}, periods)
    if "land_cover" in series:
        cover = target_field("land_cover", _MAPS, comment="class of the largest area")
        groups["land_cover"] = fine({"land_cover": cover}, year_coordinate([int(y) for y in series["land_cover"]]))
    if "lai" in series:
        months = {"time": xr.Variable("time", series["lai"], {"long_name": "first day of the month"})}
        groups["lai"] = fine({"leaf_area_index": target_field("leaf_area_index", _MAPS)}, months)
    return groups
