"""The reader of each data set, by the name that the registry gives it."""

from collections.abc import Callable

import xarray as xr

from ai4land.sources.elevation import open_elevation_geotiff, open_gebco_netcdf
from ai4land.sources.hilda_plus import open_hilda_plus_geotiff, open_hilda_plus_netcdf
from ai4land.sources.koppen import open_koppen_geotiff
from ai4land.sources.luh2 import open_luh2_states, open_luh2_static
from ai4land.sources.registry import InputFile, dataset_row
from ai4land.sources.soilgrids import open_soilgrids_geotiff

READERS: dict[str, Callable[[list[InputFile], str], xr.DataArray | xr.Dataset]] = {
    "hilda_plus_geotiff": open_hilda_plus_geotiff,
    "hilda_plus_netcdf": open_hilda_plus_netcdf,
    "gebco_netcdf": open_gebco_netcdf,
    "elevation_geotiff": open_elevation_geotiff,
    "koppen_geotiff": open_koppen_geotiff,
    "luh2_states_netcdf": open_luh2_states,
    "luh2_static_netcdf": open_luh2_static,
    "soilgrids_geotiff": open_soilgrids_geotiff,
}


def open_input(files: list[InputFile]) -> xr.DataArray | xr.Dataset:
    """Open the files of one data set with its reader; lazy, on the data's own grid, north to south.

    Parameters
    ----------
    files : list of InputFile
        Of `find_files`, all of one data set.

    Returns
    -------
    xarray.DataArray or xarray.Dataset
        What the reader of the data set returns.
    """
    row = dataset_row(files[0].dataset)
    return READERS[row["reader"]](files, row["version"])
