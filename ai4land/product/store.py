"""The empty product: fine maps at the root of the store, 0.25 degree fields in group ``coarse``."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import dask.array
import numpy as np
import xarray as xr

from ai4land import __version__
from ai4land.cube import Layout
from ai4land.grid import COARSE_CELLS
from ai4land.legend import NO_DATA, class_codes, flag_attributes, read_legend
from ai4land.rollout import step_years
from ai4land.runs import Run

REFERENCE, EMULATED = 0, 1


@dataclass(frozen=True)
class Years:
    """Years of a product: which are copied from the reference maps, and which rollout made the others."""

    reference: list[int]
    emulated: dict[int, str]

    @property
    def all(self) -> list[int]:
        """Every year, ascending."""
        return sorted([*self.reference, *self.emulated])


def product_years(run: Run) -> Years:
    """Years of a run's product: its stepwise experiments, joined by the maps between their starts.

    Raises
    ------
    ValueError
        If no experiment is stepwise, or two of them make the same year.
    """
    stepwise = {n: e for n, e in run.experiments.items() if e.stepwise}
    if not stepwise:
        raise ValueError(f"run {run.name}: no experiment is stepwise, so there is no product; add one to run.yml.")
    starts = [e.start for e in stepwise.values()]
    emulated: dict[int, str] = {}
    for name, experiment in stepwise.items():
        for year in sorted(step_years(experiment)):
            if year in emulated:
                raise ValueError(
                    f"run {run.name}: {emulated[year]} and {name} both make {year}; part their test years."
                )
            emulated[year] = name
    return Years([y for y in range(min(starts), max(starts) + 1) if y not in emulated], emulated)


def _time(years: Years) -> xr.Variable:
    """1 January of every year, days since 1850."""
    days = np.array([f"{y}-01-01" for y in years.all], "datetime64[ns]")
    about = {"standard_name": "time", "long_name": "start of the year that the map stands for", "axis": "T"}
    return xr.Variable(
        "time", days, about, {"units": "days since 1850-01-01", "dtype": "int32", "calendar": "standard"}
    )


def _fine_template(layout: Layout, years: Years) -> xr.Dataset:
    shape, chunk = (len(years.all), *layout.grid.shape), (1, *layout.chunk)
    legend = flag_attributes(read_legend("land_use"))
    cover = {"long_name": "land use", "comment": "255 is no data", "ancillary_variables": "confidence source", **legend}
    sure = {
        "long_name": "probability of the class", "units": "percent",
        "comment": "not calibrated; 100 in reference years",
    }  # fmt: skip
    origin = {
        "long_name": "where the map is from", "flag_values": np.array([REFERENCE, EMULATED], np.uint8),
        "flag_meanings": "reference emulated",
    }  # fmt: skip
    source = np.array([REFERENCE if y in years.reference else EMULATED for y in years.all], np.uint8)
    fields = {
        "land_use": (("time", "lat", "lon"), dask.array.full(shape, NO_DATA, dtype="uint8", chunks=chunk), cover),
        "confidence": (("time", "lat", "lon"), dask.array.zeros(shape, dtype="uint8", chunks=chunk), sure),
        "source": (("time",), source, origin),
    }
    data = xr.Dataset(fields, {"time": _time(years), **layout.grid.coords()})
    for name in ("land_use", "confidence"):
        data[name].encoding = {"chunks": chunk}
    return data


def _coarse_template(layout: Layout, years: Years) -> xr.Dataset:
    blocks = layout.grid.blocks(COARSE_CELLS)
    codes = class_codes(read_legend("land_use"))
    chunk = tuple(-(-n // COARSE_CELLS) for n in layout.chunk)

    def empty(*more: int) -> dask.array.Array:
        shape = (len(years.all), *more, *blocks.shape)
        return dask.array.full(shape, np.nan, dtype="float32", chunks=(1, *more, *chunk))

    by_class, share = ("time", "cover_class", "lat", "lon"), {"units": "1"}
    moves = ("time", "from_class", "to_class", "lat", "lon")
    n = codes.size
    fields = {
        "land_use_fraction": (by_class, empty(n), {"long_name": "area fraction of the class", **share}),
        "area_residual": (by_class, empty(n), {
            "long_name": "given minus wanted share of the allocated cells; pooled classes under the first", **share}),
        "luh2_difference": (by_class, empty(n), {"long_name": "land_use_fraction minus LUH2's fraction", **share}),
        "gross_transition": (moves, empty(n, n), {
            "long_name": "area fraction that went from one class to another since the year before", **share}),
    }  # fmt: skip
    flags = flag_attributes(read_legend("land_use"))
    classes = {d: (d, codes, flags) for d in ("cover_class", "from_class", "to_class")}
    data = xr.Dataset(fields, {"time": _time(years), **classes, **blocks.coords()})
    for name in fields:
        data[name].encoding = {"chunks": data[name].data.chunksize}
    return data


def create_product(path: Path, run: Run, layout: Layout, years: Years, inputs: list[dict]) -> None:
    """Allocate the empty product of a run, all years; an older one is replaced.

    Parameters
    ----------
    path : pathlib.Path
        Store to make, ``land_use.zarr``: fine maps at its root, 0.25 degree fields in group ``coarse``.
    run : Run
    layout : Layout
    years : Years
    inputs : list of dict
        Provenance: every input file with its hash and licence, from the cube.
    """
    shutil.rmtree(path, ignore_errors=True)
    about = {
        "Conventions": "CF-1.11", "title": f"Land use, {run.title}", "source": run.source,
        "synthetic": int(run.synthetic), "history": f"made by ai4land {__version__}", "run": run.name,
        "licence": "; ".join(sorted({i["licence"] for i in inputs})), "inputs": inputs,
        "references": "https://luh.umd.edu, doi:10.1038/s41467-021-22702-2",
    }  # fmt: skip
    fine = _fine_template(layout, years).assign_attrs(about)
    fine.to_zarr(path, mode="w", compute=False, zarr_format=3, consolidated=False)
    _coarse_template(layout, years).to_zarr(
        path, group="coarse", mode="a", compute=False, zarr_format=3, consolidated=False
    )


def open_product(path: Path) -> xr.Dataset:
    """Fine maps of a product, lazy, codes as they are stored; ``time`` is the calendar year."""
    data = xr.open_zarr(path, consolidated=False, mask_and_scale=False, chunks={})
    return data.assign_coords(time=data["time"].dt.year)
