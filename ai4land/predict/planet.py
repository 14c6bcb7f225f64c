"""Maps that only a made-up planet has: of years before the first map and after the last."""

from pathlib import Path

import xarray as xr

from ai4land.experiments import Experiment
from ai4land.grid import grid_of, window_slices
from ai4land.samples import Region


def with_planet_maps(cube: Region, experiment: Experiment, path: Path) -> tuple[Region, Experiment]:
    """The cube of a made-up region with the planet's own maps of further years; nothing learns from them.

    Parameters
    ----------
    cube : Region
        Of a run on the twin Earth.
    experiment : Experiment
        Whose test years reach beyond the cube's maps.
    path : pathlib.Path
        ``planet-<experiment>.nc``, which 01-download leaves beside the cube: ``land_use`` (time, lat, lon), uint8.

    Returns
    -------
    cube : Region
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
        window = window_slices(grid_of(data), cube.grid.bounds, f"region {cube.name}, {path.name}")
        leads = tuple(sorted(abs(int(year) - experiment.start) for year in data["time"]))
        experiment = experiment.model_copy(update={"leads": leads})
        chosen = data["land_use"].sel(time=experiment.targets)[:, *window].to_numpy()
    return cube.with_years(land_use=dict(zip(experiment.targets, chosen, strict=True))), experiment
