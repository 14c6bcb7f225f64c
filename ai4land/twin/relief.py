"""Relief and climate zones of the twin Earth on disk: GEBCO, and Koeppen-Geiger maps of several periods."""

from pathlib import Path

import numpy as np
import xarray as xr

from ai4land.grid import Grid
from ai4land.runs import Run
from ai4land.twin.air import warming
from ai4land.twin.demand import scenario_growth
from ai4land.twin.earth import elevation, koppen
from ai4land.twin.writers import write_geotiff, write_netcdf

_PAST = ((1901, 1930), (1931, 1960), (1961, 1990))
_WARMED = {"2041_2070": 0.6, "2071_2099": 1.0}  # share of a scenario's warming that each period has seen


def write_koppen(raw: Path, fine: Grid, run: Run) -> None:
    """Write the climate zones of the present, and of the past and the scenarios that a run names; others are kept.

    Parameters
    ----------
    raw : pathlib.Path
    fine : Grid
        Fine cells of the window.
    run : Run
    """
    west, south, east, north = fine.bounds
    # One cell of margin on each side, as a window cut from the globe has.
    zone = Grid(north + 1 / 120, west - 1 / 120, 1 / 120, 1 / 120, round((north - south) * 120) + 2,
                round((east - west) * 120) + 2)  # fmt: skip
    degrees = {"1991_2020": 0.0}
    if run.inputs.koppen_history is not None:
        degrees |= {f"{first}_{last}": float(warming((first + last) / 2)) for first, last in _PAST}
    if run.inputs.koppen_future is not None:
        for scenario in run.inputs.scenarios:
            degrees |= {f"{p}/{scenario}": share * scenario_growth(scenario)[3] for p, share in _WARMED.items()}
    for folder, warmer in degrees.items():
        path = raw / folder / "koppen_geiger_0p00833333.tif"
        if not path.exists():
            write_geotiff(path, koppen(zone.lat, zone.lon, run.seed, warmer), zone)


def write_gebco(raw: Path, fine: Grid, seed: int) -> None:
    """Write elevation as GEBCO does, int16, m, south to north; a file that exists is kept.

    Parameters
    ----------
    raw : pathlib.Path
    fine : Grid
        Fine cells of the window.
    seed : int
    """
    path = raw / "GEBCO_2024_CF.nc"
    if path.exists():
        return
    west, south, east, north = fine.bounds
    grid = Grid(north + 4 / 240, west - 4 / 240, 1 / 240, 1 / 240, round((north - south) * 240) + 8,
                round((east - west) * 240) + 8)  # fmt: skip
    height = np.rint(elevation(grid.lat, grid.lon, seed)).astype(np.int16)
    about = {"units": "m", "standard_name": "height_above_mean_sea_level"}
    # GEBCO runs south to north.
    data = xr.Dataset({"elevation": (("lat", "lon"), height[::-1], about)}, {"lat": grid.lat[::-1], "lon": grid.lon})
    write_netcdf(path, data, {"elevation": {"_FillValue": np.int16(-32768), "zlib": True}})
