"""One Zarr v3 store a run: fine maps, coarse fractions, CF attributes and provenance.

Layout: ``fine/`` on the run's cells, ``coarse/`` on blocks of 25 x 25 of them, ``koppen/``, ``land_cover/`` and
``lai/`` where the run names them; on their own grids ``relief/`` (where it is coarser than the cells), ``luh2/`` and
``luh2-<scenario>/``, ``climate/``, ``climate_land/``, ``population/``, ``co2/``. All years are allocated at creation; a
region writes its own shards (chunks, where there are none) and no others. Time stamps and host names stay out, so equal
content has equal bytes.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
import zarr

from ai4land import __version__
from ai4land.cube.layout import Layout
from ai4land.cube.templates import cube_groups
from ai4land.runs import Run
from ai4land.windows import Window

FORMAT_VERSION = 1
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
    partial = path.with_name(path.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    for name, group in cube_groups(run, layout, coarse_relief, series or {}).items():
        labelled = group.template().assign_attrs(source=run.source, synthetic=int(run.synthetic))
        labelled.to_zarr(partial, group=name, mode="a", compute=False, zarr_format=3, consolidated=False)
    inputs = files[["role", "dataset", "file", "bytes", "sha256", "licence", "doi"]].to_dict("records")
    zarr.open_group(partial, mode="a").update_attributes({
        "Conventions": "CF-1.11", "title": run.title, "source": run.source, "synthetic": int(run.synthetic),
        "software": f"ai4land {__version__}", "format_version": FORMAT_VERSION,
        "run": run.model_dump(mode="json"), "inputs": inputs,
    })  # fmt: skip
    for old in (path, path.with_name(DONE)):
        shutil.rmtree(old, ignore_errors=True)
    partial.rename(path)


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


def _sweep(array: Path, window: Window) -> None:
    """Delete what a killed writer left half-written among the window's own chunks; zarr renames whole ones."""
    opened = zarr.open_array(array, mode="r")
    size = (opened.shards or opened.chunks)[-2:]
    for left in (array / "c").rglob("*.partial"):
        chunk = [int(p.split(".")[0]) for p in left.relative_to(array).parts[-2:]]
        if all(w.start <= k * n < w.stop for k, n, w in zip(chunk, size, window, strict=True)):
            left.unlink()


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
    region = {"lat": window[0], "lon": window[1]}
    if "time" in fields.dims:
        have, times = open_cube(path, group)["time"].to_numpy(), fields["time"].to_numpy()
        first = int(np.argmax(have == times[0]))
        region["time"] = slice(first, first + times.size)
        if not np.array_equal(have[region["time"]], times):
            raise ValueError(f"{path}/{group}: time steps {times} are not consecutive ones of {have}.")
    bare = fields.drop_vars(list(fields.coords)).load()  # whole chunks in one write: nothing to race
    for name in bare.variables:
        bare[name].encoding = {}
        bare[name].attrs = {}
        _sweep(path / group / str(name), window)
    region |= {str(d): slice(None) for d in bare.dims if d not in region}
    bare.to_zarr(path, group=group, region=region, consolidated=False)


def open_cube(path: Path, group: str) -> xr.Dataset:
    """One group of a cube, lazy, codes as they are stored.

    Raises
    ------
    FileNotFoundError
        If there is no cube.
    ValueError
        If it was written in a newer format.
    """
    if not path.exists():
        raise FileNotFoundError(f"no cube at {path}; run 01-download and 02-regrid of this run first.")
    version = zarr.open_group(path, mode="r").attrs.get("format_version", 0)
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise ValueError(f"{path}: format_version {version}, this software reads up to {FORMAT_VERSION}; update it.")
    return xr.open_zarr(path, group=group, consolidated=False, mask_and_scale=False, chunks={})


def read_inputs(path: Path) -> list[dict]:
    """Every input file of a cube, with its data set, hash, licence, citation and DOI."""
    return list(zarr.open_group(path, mode="r").attrs["inputs"])  # type: ignore[arg-type]


def has_relief(path: Path) -> bool:
    """Whether the cube keeps elevation on its own coarse grid."""
    return (path / "relief").exists()


def luh2_years(path: Path) -> dict[str, list[int]]:
    """Years of every group of LUH2's states in a cube, by group; empty where there is none."""
    groups = sorted(p.name for p in path.iterdir() if p.name.startswith("luh2"))
    return {g: [int(y) for y in open_cube(path, g)["time"]] for g in groups}
