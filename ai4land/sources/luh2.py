"""LUH2: the static file. Latitude is read from the file: some copies are flipped, some are not."""

import xarray as xr

from ai4land.sources.registry import InputFile

_STATIC = {
    "ptbio": ("potential_biomass", "potential biomass carbon density of natural vegetation", "kg m-2"),
    "fstnf": ("potential_forest", "1 where natural vegetation is forest", "1"),
    "icwtr": ("ice_water_fraction", "fraction of the cell that is ice or water", "1"),
    "carea": ("cell_area", "cell area", "km2"),
}


def open_luh2_static(files: list[InputFile], version: str) -> xr.Dataset:
    """Static fields of LUH2 on 0.25 degree, by coordinate and never by row order.

    Parameters
    ----------
    files : list of InputFile
        ``staticData_quarterdeg.nc``.
    version : str
        LUH2 release.

    Returns
    -------
    xarray.Dataset, (lat, lon) float32, lazy, north to south
        ``potential_biomass`` (kg m-2), ``potential_forest`` (1), ``ice_water_fraction`` (1, of the whole
        cell), ``cell_area`` (km2); NaN where the file holds its fill value.

    Raises
    ------
    ValueError
        If a variable is missing.

    References
    ----------
    Hurtt et al. (2020), doi:10.5194/gmd-13-5425-2020
    """
    path = files[0].path
    data = xr.open_dataset(path, decode_times=False, mask_and_scale=False, chunks={})
    missing = sorted(set(_STATIC) - set(data.data_vars))
    if missing:
        raise ValueError(
            f"{path}: no variables {missing}, found {sorted(map(str, data.data_vars))}; is this LUH2 static data?"
        )
    fields = {}
    for source, (name, long_name, units) in _STATIC.items():
        # The fill value's attribute is mis-cased in LUH2, so 1e20 arrives as a number.
        field = data[source].where(abs(data[source]) < 1e15)
        fields[name] = field.assign_attrs(long_name=long_name, units=units)
        fields[name].encoding = {}
    return xr.Dataset(fields).sortby("lat", ascending=False).sortby("lon")
