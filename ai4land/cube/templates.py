"""What a cube holds: names, dimensions, types, missing values and attributes of every group, allocated empty."""

from collections.abc import Mapping
from dataclasses import dataclass

import dask.array
import numpy as np
import xarray as xr
from zarr.codecs import BloscCodec

from ai4land.cube.layout import Layout
from ai4land.grid import COARSE_CELLS, Grid
from ai4land.legend import NO_DATA, class_codes, flag_attributes, read_legend
from ai4land.runs import Run

FLOATS = {"compressors": BloscCodec(cname="zstd", clevel=3, shuffle="shuffle")}  # 10 to 25 % smaller than zstd alone
_LAI_SCALE = 0.01  # m2 m-2 of one step of the stored leaf area index
_LAI_MISSING = 65535
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
Field = tuple[tuple[str, ...], str, float, dict[str, object]]  # dimensions, dtype, missing value, attributes


@dataclass(frozen=True)
class Group:
    """One group of a cube: fields on a grid, with a chunk and perhaps a shard of cells, and more coordinates."""

    fields: Mapping[str, Field]
    grid: Grid
    chunk: tuple[int, int]
    shard: tuple[int, int] | None
    more: Mapping[str, xr.Variable]

    def template(self) -> xr.Dataset:
        """Empty dataset, lazy, with its chunks and shards as encoding."""
        shape = {"lat": self.grid.rows, "lon": self.grid.cols} | {d: v.size for d, v in self.more.items()}
        arrays = {}
        for name, (dims, dtype, missing, about) in self.fields.items():
            chunk = {d: 1 for d in dims} | {"lat": self.chunk[0], "lon": self.chunk[1]}
            chunk |= {"cover_class": shape.get("cover_class", 1)}
            shard = chunk | dict(zip(_CELLS, self.shard, strict=True)) if self.shard else chunk
            packed: dict[str, object] = {"chunks": tuple(chunk[d] for d in dims)}
            if "scale_factor" in about:  # xarray packs what is written
                packed |= {"dtype": dtype, "_FillValue": missing, "scale_factor": about["scale_factor"]}
                packed |= {"fill_value": missing}  # of chunks that nobody writes
                about, dtype, missing = {n: v for n, v in about.items() if n not in packed}, "float32", np.nan
            data = dask.array.full([shape[d] for d in dims], missing, dtype=dtype, chunks=[shard[d] for d in dims])
            packed |= {"shards": tuple(shard[d] for d in dims)} if self.shard else {}
            packed |= FLOATS if dtype.startswith("float") else {}
            arrays[name] = xr.Variable(dims, data, about, packed)
        return xr.Dataset(arrays, {**self.more, **self.grid.coords()})


def _static(fields: Mapping[str, tuple[str, str]]) -> dict[str, Field]:
    return {n: (_CELLS, "float32", np.nan, {"long_name": t, "units": u}) for n, (t, u) in fields.items()}


def _fine(coarse_relief: bool, soil: bool) -> dict[str, Field]:
    cover = {"long_name": "land use", "comment": "255 is no data", **flag_attributes(read_legend("land_use"))}
    zones = {"long_name": "Koeppen-Geiger climate zone", **flag_attributes(read_legend("koppen_geiger"))}
    fields: dict[str, Field] = {"land_use": (_MAPS, "uint8", NO_DATA, cover), "koppen": (_CELLS, "uint8", 0, zones)}
    return fields | _static(({} if coarse_relief else _FINE_STATIC) | (_SOIL if soil else {}))


def _coarse(luh2_static: bool) -> dict[str, Field]:
    share: dict[str, object] = {"long_name": "area fraction of the class among cells with data", "units": "1",
             "comment": "aggregated from land_use itself (perfect coarse)"}  # fmt: skip
    area: dict[str, object] = {"long_name": "area of the cells with data", "units": "m2"}
    fields: dict[str, Field] = {
        "land_use_fraction": (("time", "cover_class", "lat", "lon"), "float32", np.nan, share),
        "data_area": (_MAPS, "float64", 0.0, area),
    }
    return fields | (_static(_COARSE_STATIC) if luh2_static else {})


def in_blocks(cells: tuple[int, int]) -> tuple[int, int]:
    """Coarse cells that some rows and columns of fine cells reach."""
    return -(-cells[0] // COARSE_CELLS), -(-cells[1] // COARSE_CELLS)


def _years(years: list[int]) -> dict[str, xr.Variable]:
    return {"time": xr.Variable("time", np.array(years, np.int16), {"long_name": "calendar year"})}


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
    fine = layout.grid, layout.chunk, layout.shard
    blocks = layout.grid.blocks(COARSE_CELLS), in_blocks(layout.chunk), layout.shard and in_blocks(layout.shard)
    codes = class_codes(read_legend("land_use"))
    classes = {"cover_class": xr.Variable("cover_class", codes)}
    years = _years(run.map_years)
    groups = {
        "fine": Group(_fine(coarse_relief, run.inputs.soil is not None), *fine, years),
        "coarse": Group(_coarse(run.inputs.luh2_static is not None), *blocks, years | classes),
    }
    if "koppen" in series:
        about = {"long_name": "Koeppen-Geiger climate zone", **flag_attributes(read_legend("koppen_geiger"))}
        periods = {"period": xr.Variable("period", series["koppen"], {"long_name": "years, and scenario"})}
        groups["koppen"] = Group({"koppen": (("period", "lat", "lon"), "uint8", 0, about)}, *fine, periods)
    if "land_cover" in series:
        about = {"long_name": "land cover", "comment": "class of the largest area; 0 is no data",
                 **flag_attributes(read_legend("land_cover"))}  # fmt: skip
        when = _years([int(y) for y in series["land_cover"]])
        groups["land_cover"] = Group({"land_cover": (_MAPS, "uint8", 0, about)}, *fine, when)
    if "lai" in series:
        about = {"long_name": "leaf area index", "standard_name": "leaf_area_index", "units": "m2 m-2",
                 "scale_factor": _LAI_SCALE}  # fmt: skip
        months = {"time": xr.Variable("time", series["lai"], {"long_name": "first day of the month"})}
        groups["lai"] = Group({"leaf_area_index": (_MAPS, "uint16", _LAI_MISSING, about)}, *fine, months)
    return groups
