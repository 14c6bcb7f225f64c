"""Cut what the examples start from: ``python prepare.py <run> <region> <first year> <last year> <folder>``.

Writes ``start.nc`` (known maps, the newest first, and the static layers), ``luh2.nc`` (LUH2's states of all years) and
``luh2.raw`` (the same for a host without NetCDF; step.f90 says how it is laid out). The years may run backward.
"""

import json
import sys
from pathlib import Path

import numpy as np
import xarray as xr

from ai4land.grid import COARSE_CELLS
from ai4land.runs import read_run
from ai4land.samples import Region, read_region

ROOT = Path(__file__).parents[2]


def graph_towards(about: dict, years: int) -> tuple[str, dict]:
    """Graph of land use that steps forward (``years`` above 0) or backward, by name."""
    fits = "both", "forward" if years > 0 else "backward"
    return next((n, g) for n, g in about["graphs"].items() if g["target"] == "land_use" and g["direction"] in fits)


def start_of(cube: Region, graph: str, years: list[int], priors: int) -> xr.Dataset:
    """Maps of the first year and of those on its other side, the nearest first, and static layers."""
    known = [years[0] - (years[1] - years[0]) * number for number in range(priors)]
    layers = {name: (("lat", "lon"), cube.field(name)) for name in cube.static}
    maps = {"land_use": (("time", "lat", "lon"), np.stack([cube.field("land_use", year) for year in known]))}
    return xr.Dataset(maps | layers, {"time": known, **cube.grid.coords()}, {"graph": graph, "legend": "land_use"})


def forcing_of(cube: Region, years: list[int]) -> xr.Dataset:
    """LUH2's states of some years on its own cells, in LUH2's units."""
    values, names = np.stack([cube.field("luh2_state", year) for year in years]), cube.names("luh2_state")
    fields = {name: (("time", "lat", "lon"), values[:, number]) for number, name in enumerate(names)}
    return xr.Dataset(fields, {"time": years, **cube.grid.blocks(COARSE_CELLS).coords()})


def write(folder: Path, start: xr.Dataset, forcing: xr.Dataset, names: list[str]) -> None:
    """The three files; the states in luh2.raw stand in the order of ``names``."""
    folder.mkdir(parents=True, exist_ok=True)
    start.to_netcdf(folder / "start.nc")
    forcing.to_netcdf(folder / "luh2.nc")
    states = forcing[names].to_dataarray("state").transpose("time", "state", "lat", "lon").to_numpy()
    sizes = np.array([len(names), *states.shape[2:], len(states)], np.int32)
    parts = sizes, forcing["time"].to_numpy().astype(np.int32), forcing["lat"].to_numpy(), forcing["lon"].to_numpy()
    (folder / "luh2.raw").write_bytes(b"".join(part.tobytes() for part in (*parts, states.astype(np.float32))))


def main(name: str, region: str, first: int, last: int, folder: Path) -> None:
    """Cut one region of a run for the graph that steps from the first year towards the last."""
    bundle = ROOT / "data/results" / name / "emulator" / "model.json"
    if not bundle.exists():
        sys.exit(f"prepare.py: no {bundle}; notebooks/12-export.ipynb makes it: make all RUN={name}.")
    graph, about = graph_towards(json.loads(bundle.read_text()), last - first)
    names = next(given["names"] for given in about["inputs"] if given["name"] == "states")
    cube = read_region(ROOT / "data/processed" / name / "cube.zarr", read_run(name), region)
    years = list(range(first, last + 1) if last > first else range(first, last - 1, -1))
    write(folder, start_of(cube, graph, years, about["priors"]), forcing_of(cube, years), names)


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit("usage: python prepare.py <run> <region> <first year> <last year> <folder>")
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5]))
