"""Maps that only a made-up planet has: of years before the first map and after the last."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr

from ai4land.experiments import Experiment
from ai4land.grid import grid_of, window_slices
from ai4land.samples import RegionCube


def with_planet_maps(cube: RegionCube, experiment: Experiment, path: Path) -> tuple[RegionCube, Experiment]:
    """The cube of a made-up region with the planet's own maps of further years; nothing learns from them.

    Parameters
    ----------
    cube : RegionCube
        Of a run on the twin Earth.
    experiment : Experiment
        Whose test years reach beyond the cube's maps.
    path : pathlib.Path
        ``planet-<experiment>.nc``, which 01-download leaves beside the cube: ``land_use`` (time, lat, lon), uint8.

    Returns
    -------
    cube : RegionCube
        For judging only: coarse fractions of the further years are not there.
    experiment : Experiment
        The same with the leads of the years that have such a map.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file does not cover the region.
    """
    if not path.exists():
        msg = f"{path}: no such file, and a made-up product is judged by the planet's own maps; run 01-download again."
        raise FileNotFoundError(msg)
    with xr.open_dataset(path) as data:
        window = window_slices(grid_of(data), cube.grid.bounds, f"region {cube.region}, {path.name}")
        leads = tuple(sorted(abs(int(year) - experiment.start) for year in data["time"]))
        experiment = experiment.model_copy(update={"leads": leads})
        maps = data["land_use"].sel(time=experiment.targets)[:, *window].to_numpy()
    years = [*cube.years, *experiment.targets]
    return replace(cube, years=years, land_use=np.concatenate([cube.land_use, maps])), experiment
