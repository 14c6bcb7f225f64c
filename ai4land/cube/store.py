"""One Zarr v3 store a run: fine maps, coarse fractions, CF attributes and provenance.

Layout: ``fine/`` on the run's cells, ``coarse/`` on blocks of 25 x 25 of them, ``koppen/``, ``land_cover/`` and
``lai/`` where the run names them; on their own grids ``relief/`` (where it is coarser than the cells), ``luh2/`` and
``luh2-<scenario>/``, ``climate/``, ``climate_land/``, ``population/``, ``co2/``. All years are allocated at creation; a
region writes its own shards (chunks, where there are none) and no others. Time stamps and host names stay out, so equal
content has equal bytes.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
import zarr

from ai4land.cube.layout import Layout
from ai4land.cube.templates import cube_groups
from ai4land.runs import Run
from ai4land.store import Format, create, finish, open_store, provenance, sweep_window, write
from ai4land.templates import Template
from ai4land.windows import Window

_FORMAT = Format("cube", 2, "01-download and 02-regrid")
DONE = "shards-done"  # folder beside the store, while a region is written


def create_cube(
    path: Path, run: Run, layout: Layout, files: pd.DataFrame, coarse_relief: bool,
    series: Mapping[str, np.ndarray] | None = None,
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
        Whether elevation stays on its own coarse grid (`ai4land.cube.write_relief`) instead of the fine one.
    series : dict of str to numpy.ndarray, optional
        Time steps of further groups, see `ai4land.cube.templates.cube_groups`.

    Raises
    ------
    ValueError
        If the run's vegetation needs a year that has no land cover, or not every month of leaf area.
    """
    _check_vegetation(run, series or {})
    inputs = files[["role", "dataset", "file", "bytes", "sha256", "licence", "doi"]].to_dict("records")
    about = provenance(run, run.title, _FORMAT.version, inputs)
    create(path, Template(cube_groups(run, layout, coarse_relief, series or {}), about))
    shutil.rmtree(path.with_name(DONE), ignore_errors=True)
    finish(path)


def _check_vegetation(run: Run, series: Mapping[str, np.ndarray]) -> None:
    if run.vegetation is None:
        return
    what = f"run {run.name}: its vegetation needs"
    if lacking := sorted(set(run.vegetation.years) - set(map(int, series["land_cover"]))):
        raise ValueError(f"{what} land cover of {lacking}, which no input has; change the years in run.yml.")
    wanted = [np.datetime64(f"{year}-01") + np.arange(12) for year in run.vegetation.leaf_years]
    if (months := np.setdiff1d(wanted, series["lai"].astype("datetime64[M]"))).size:
        raise ValueError(
            f"{what} leaf area of every month, {months.size} are missing, {', '.join(map(str, months[:3]))} first; add "
            "their files, or change the years in run.yml."
        )


def source_and_kind(path: Path) -> dict[str, object]:
    """Attributes ``source`` and ``synthetic`` of a cube, for groups that are opened alone."""
    about = zarr.open_group(path, mode="r").attrs
    return {name: about[name] for name in ("source", "synthetic") if name in about}


def write_region(path: Path, group: str, fields: xr.Dataset, window: Window) -> None:
    """Write one region's fields into its own cells of a group; coordinates are there already.

    Parameters
    ----------
    path : pathlib.Path
    group : {'fine', 'coarse'}
    fields : xarray.Dataset, (..., lat, lon)
    window : Window
        Of the region in that group.
    """
    steps = None
    if "time" in fields.dims:
        have, times = open_cube(path, group)["time"].to_numpy(), fields["time"].to_numpy()
        first = int(np.argmax(have == times[0]))
        steps = slice(first, first + times.size)
        if not np.array_equal(have[steps], times):
            raise ValueError(f"{path}/{group}: time steps {times} are not consecutive ones of {have}.")
    for name in fields.data_vars:
        sweep_window(path / group / str(name), window)
    write(path, {f"{group}/{name}": field.to_numpy() for name, field in fields.data_vars.items()}, steps, window)


def open_cube(path: Path, group: str) -> xr.Dataset:
    """One group of a cube, lazy; codes as they are stored, leaf area index in m2 m-2 (float32).

    Raises
    ------
    FileNotFoundError
        If there is no cube.
    ValueError
        If it was written in a newer or an older format.
    """
    return open_store(path, _FORMAT, group)


def read_inputs(path: Path) -> list[dict]:
    """Every input file of a cube, with its data set, hash, licence, citation and DOI."""
    return json.loads(str(zarr.open_group(path, mode="r").attrs["inputs"]))


def has_relief(path: Path) -> bool:
    """Whether the cube keeps elevation on its own coarse grid."""
    return (path / "relief").exists()


def luh2_years(path: Path) -> dict[str, list[int]]:
    """Years of every group of LUH2's states in a cube, by group; empty where there is none."""
    groups = sorted(p.name for p in path.iterdir() if p.name.startswith("luh2"))
    return {g: [int(y) for y in open_cube(path, g)["time"]] for g in groups}
