"""The reader of each data set, by the name that the registry gives it."""

from collections.abc import Callable
from typing import Any

import xarray as xr

from ai4land.sources.co2 import open_co2_input4mips_netcdf, open_co2_noaa_csv
from ai4land.sources.elevation import open_elevation_geotiff, open_gebco_netcdf
from ai4land.sources.era5 import open_era5_netcdf
from ai4land.sources.esa_cci import open_esa_cci_geotiff, open_esa_cci_netcdf
from ai4land.sources.hilda_plus import (
    open_hilda_plus_change_frequency,
    open_hilda_plus_geotiff,
    open_hilda_plus_netcdf,
    open_hilda_plus_transitions,
)
from ai4land.sources.hwsd import open_hwsd_bil
from ai4land.sources.isimip import open_isimip_netcdf
from ai4land.sources.koppen import open_koppen_geotiff
from ai4land.sources.leaf_area_index import (
    open_lai_c3s_netcdf,
    open_lai_cgls_netcdf,
    open_lai_confess,
    open_lai_glass,
)
from ai4land.sources.luh2 import open_luh2_states, open_luh2_static
from ai4land.sources.modis import open_lai_modis_netcdf
from ai4land.sources.population import open_population_netcdf
from ai4land.sources.registry import InputFile, dataset_row
from ai4land.sources.soilgrids import open_soilgrids_geotiff

READERS: dict[str, Callable[[list[InputFile], str], xr.DataArray | xr.Dataset]] = {
    "hilda_plus_geotiff": open_hilda_plus_geotiff,
    "hilda_plus_netcdf": open_hilda_plus_netcdf,
    "hilda_plus_transitions": open_hilda_plus_transitions,
    "hilda_plus_change_frequency": open_hilda_plus_change_frequency,
    "gebco_netcdf": open_gebco_netcdf,
    "elevation_geotiff": open_elevation_geotiff,
    "koppen_geotiff": open_koppen_geotiff,
    "luh2_states_netcdf": open_luh2_states,
    "luh2_static_netcdf": open_luh2_static,
    "soilgrids_geotiff": open_soilgrids_geotiff,
    "hwsd_bil": open_hwsd_bil,
    "esa_cci_geotiff": open_esa_cci_geotiff,
    "esa_cci_netcdf": open_esa_cci_netcdf,
    "lai_cgls_netcdf": open_lai_cgls_netcdf,
    "lai_c3s_netcdf": open_lai_c3s_netcdf,
    "lai_glass": open_lai_glass,
    "lai_confess": open_lai_confess,
    "lai_modis_netcdf": open_lai_modis_netcdf,
    "era5_netcdf": open_era5_netcdf,
    "isimip_netcdf": open_isimip_netcdf,
    "co2_noaa_csv": open_co2_noaa_csv,
    "co2_input4mips_netcdf": open_co2_input4mips_netcdf,
    "population_netcdf": open_population_netcdf,
}


def open_input(files: list[InputFile]) -> Any:
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
