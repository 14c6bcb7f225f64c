"""Koeppen-Geiger zones of Beck et al. (2023) and Rubel et al. (2017), on the legend of Beck et al."""

import xarray as xr

from ai4land.legend import read_crosswalk, recode
from ai4land.sources.rasters import open_geotiff
from ai4land.sources.registry import InputFile


def open_koppen_geotiff(files: list[InputFile], version: str) -> xr.DataArray:
    """Koeppen-Geiger zones; ocean and no data are 0, whatever the file calls them.

    Parameters
    ----------
    files : list of InputFile
        The one map. The files of Beck et al. carry no nodata tag: 0 is water or no data.
    version : str
        Name of the crosswalk to legend ``koppen_geiger``; publications number the zones differently.

    Returns
    -------
    xarray.DataArray, shape (lat, lon), uint8
        Codes of legend ``koppen_geiger``, lazy.

    Raises
    ------
    ValueError
        On reading, if the map holds a code that the crosswalk does not list.

    References
    ----------
    Beck et al. (2023), doi:10.1038/s41597-023-02549-6
    """
    crosswalk = read_crosswalk(version, "koppen_geiger")
    field = open_geotiff(files[0].path)
    codes = field.data.map_blocks(recode, crosswalk=crosswalk, name=files[0].path.name, dtype="uint8")
    zones = field.copy(data=codes)
    zones.attrs = {"long_name": "Koeppen-Geiger climate zone"}
    return zones.rename("koppen")
