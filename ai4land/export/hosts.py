"""One year of a run's products as the files of host models: ICON, IFS, LUH2's layout, CTSM-FATES."""

from pathlib import Path

import numpy as np
import xarray as xr

from ai4land.cube import open_cube
from ai4land.export.cells import Cells, icon, octahedral
from ai4land.export.grib import read_fields
from ai4land.export.icon import write_icon, write_icon_leaf_area
from ai4land.export.ifs import write_ifs
from ai4land.export.luh import states_of, write_fates, write_luh2
from ai4land.green import WATER, open_green
from ai4land.product import open_product
from ai4land.runs import Run

_ABOUT = ("title", "source", "license", "software", "synthetic")


def _store(results: Path, kind: str, year: int) -> Path:
    """Store of a product that has a year."""
    for path in sorted(results.glob(f"{kind}*.zarr")):
        if year in open_product(path)["time"]:
            return path
    raise FileNotFoundError(f"no {kind} of {year} in {results}; make the product, or choose a year that it has.")


def write_hosts(results: Path, cube: Path, run: Run, year: int, grid_file: Path, n: int, folder: Path) -> list[Path]:
    """Write the files of one year.

    Parameters
    ----------
    results : pathlib.Path
        Of the run, with its products.
    cube : pathlib.Path
        Its cube: LUH2 of the year tells what a pool of classes is made of.
    run : Run
        With land cover and leaf area.
    year : int
    grid_file : pathlib.Path
        Of ICON.
    n : int
        Octahedral grid of the IFS.
    folder : pathlib.Path
        For ``icon-<year>.nc``, ``icon-lai-<year>.nc``, ``ifs-<year>.grib``, ``luh2-<year>.nc``, ``fates-<year>.nc``.

    Returns
    -------
    list of pathlib.Path

    Raises
    ------
    FileNotFoundError
        If a product lacks the year.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cover, leaves = (open_green(_store(results, kind, year)) for kind in ("land_cover", "leaf_area_index"))
    used = _store(results, "land_use", year)
    about = {name: leaves.attrs[name] for name in _ABOUT}
    cells, season = icon(grid_file), leaves["leaf_area_index"].sel(time=leaves["time"].dt.year == year)
    this = cover["land_cover"].sel(time=cover["time"].dt.year == year)[0].drop_vars("time").load()
    season = season.where(this != WATER)  # leaf area of ICON is that of a cell's land
    files = [
        write_icon(folder / f"icon-{year}.nc", cells, this, "land_cover", about, season),
        write_icon_leaf_area(folder / f"icon-lai-{year}.nc", cells, season, year, about),
        write_ifs(cover, leaves, year, n, folder / f"ifs-{year}.grib"),
    ]
    scenario = open_product(used).attrs["scenario"]
    group = "luh2" if scenario == "none" else f"luh2-{scenario}"
    luh2 = open_cube(cube, group)["luh2_state"].sel(time=[year]).load()
    states = states_of(open_product(used, "coarse")["land_use_fraction"].sel(time=[year]).load(), luh2)
    about |= {name: open_product(used).attrs[name] for name in ("title", "license")}
    return [*files, write_luh2(folder / f"luh2-{year}.nc", states, about),
            write_fates(folder / f"fates-{year}.nc", states, about)]  # fmt: skip


def leaf_panels(folder: Path, grid_file: Path, year: int, month: int) -> dict[str, tuple[Cells, np.ndarray]]:
    """Leaf area of a month as ICON and the IFS get it, for `ai4land.plot.plot_cells`; NaN without data.

    Of the IFS it is that of the grid cell, ``cvh lai_hv + cvl lai_lv``.
    """
    with xr.open_dataset(folder / f"icon-lai-{year}.nc") as data:
        triangles = data["LAI"][month - 1].to_numpy()
    found = read_fields(folder / f"ifs-{year}.grib")
    n = int(found.attrs["grid"][1:])
    tiles = {layer: (found[f"cv{layer[0]}"], found[f"lai_{layer}"].sel(month=month)) for layer in ("lv", "hv")}
    whole = np.sum([(part * leaf.fillna(0)).to_numpy() for part, leaf in tiles.values()], axis=0)
    return {"ICON": (icon(grid_file), triangles), f"IFS, O{n}": (octahedral(n), whole)}
