"""The empty product: fine maps at the root of a Zarr v3 store, 0.25 degree fields in group ``coarse``.

A store is filled under ``<name>.partial`` and renamed when it is whole. All years are allocated at creation; chunks
without data are not written. Time stamps and host names stay out, so that equal content has equal bytes.
"""

from pathlib import Path
from typing import Any

import xarray as xr

from ai4land.cube import Layout
from ai4land.cube.templates import in_blocks
from ai4land.grid import COARSE_CELLS
from ai4land.product.templates import class_coordinates, coarse_fields, fine_fields, origin_flags
from ai4land.product.years import Years
from ai4land.runs import Run
from ai4land.store import Format, open_store, provenance
from ai4land.templates import Group, Template, grid_with_bounds, time_with_bounds

FORMAT_VERSION = 1
_FORMAT = Format("product", FORMAT_VERSION, "07-stitch")
PACKED = 0.3  # compressed bytes of one raw byte, with room to spare: the demo's maps take 0.2


def packed_bytes(groups: dict[str, Group], layout: Layout) -> int:
    """Bytes that a store will take on disk, about: cells of no region take none."""
    cells = sum(rows * cols for rows, cols in (window.shape for window in layout.regions.values()))
    raw = sum(group.nbytes for group in groups.values())
    return int(PACKED * raw * cells / (layout.grid.rows * layout.grid.cols))


def product_template(path: Path, run: Run, layout: Layout, years: Years, inputs: list[dict]) -> Template:
    """One empty store of a run's product, all years.

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
    Template
        Of `ai4land.store.create` and `ai4land.store.filling`.
    """
    time, blocks = time_with_bounds(years.all), layout.grid.blocks(COARSE_CELLS)
    about = _about(path, run, years, inputs)
    groups = {
        "": Group(
            fine_fields(), {**grid_with_bounds(layout.grid), **time, **origin_flags(run, years)}, layout.chunk,
            layout.shard,
        ),
        "coarse": Group(
            coarse_fields(), {**grid_with_bounds(blocks), **time, **class_coordinates()}, in_blocks(layout.chunk),
            in_blocks(layout.shard) if layout.shard else None,
            attributes=about | {"title": f"{about['title']}, {blocks.dlat:g} degree"},
        ),
    }  # fmt: skip
    return Template(groups, about, packed_bytes(groups, layout), f"product {path.name}", consolidated=True)


def _about(path: Path, run: Run, years: Years, inputs: list[dict]) -> dict[str, Any]:
    scenario = path.stem.partition("-")[2]
    title = f"Land use, {run.title}, {years.all[0]}-{years.all[-1]}" + (f", {scenario}" if scenario else "")
    return {
        **provenance(run, title, FORMAT_VERSION, inputs), "scenario": scenario or "none",
        "experiments": " ".join(sorted(set(years.emulated.values()))),
    }  # fmt: skip


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
    data = open_store(path, _FORMAT, group)
    return data.assign_coords(time=data["time"].dt.year)
