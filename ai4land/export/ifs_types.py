"""Vegetation tiles of the IFS from ESA CCI land cover classes and leaf area index: the arithmetic."""

from functools import cache

import numpy as np
import xarray as xr

from ai4land.legend import class_codes, crosswalk_weights, read_crosswalk, read_legend


@cache
def _weights() -> xr.DataArray:
    """Share of each ESA CCI class (source_code) in each IFS type (vegetation_type)."""
    made = crosswalk_weights(read_crosswalk("land_cover", "ifs_vegetation"), read_legend("ifs_vegetation"))
    return made.rename(cover_class="vegetation_type")


def _layer(types: xr.DataArray, layer: str) -> xr.DataArray:
    """Those vegetation types that are of one layer (low, high), or of land."""
    legend = read_legend("ifs_vegetation").set_index("code").loc[types["vegetation_type"].to_numpy()]
    return types[{"vegetation_type": (legend["land"] if layer == "land" else legend["vegetation"] == layer).to_numpy()}]


def type_fractions(fraction: xr.DataArray) -> xr.DataArray:
    """Area fractions of the IFS vegetation types from those of ESA CCI land cover classes.

    Parameters
    ----------
    fraction : xarray.DataArray, shape (cover_class, ...), float
        Fractions (1) that sum to 1 over ``cover_class``, which holds codes of legend ``land_cover``; NaN where there
        is no data.

    Returns
    -------
    xarray.DataArray, shape (vegetation_type, ...), float64
        Fractions (1) of types 1-20; NaN where there is no data.

    Raises
    ------
    ValueError
        If a class is none of land cover, a fraction is negative, or a sum is not 1.

    References
    ----------
    Poulter et al. (2015), doi:10.5194/gmd-8-2315-2015, table 2; reasons are in the crosswalk's rows.
    """
    codes, known = fraction["cover_class"].to_numpy(), _weights()["source_code"].to_numpy()
    if not np.isin(codes, known).all():
        eight = np.isin(codes, class_codes(read_legend("land_use"))).all()
        found = "the eight classes of land use, which do not tell vegetation types" if eight else "no land cover"
        raise ValueError(f"classes {codes.tolist()} are {found}; give fractions of the ESA CCI land cover classes.")
    total, least = fraction.sum("cover_class", skipna=False), float(fraction.min())
    wrong = float(abs(total - 1).max())
    if wrong > 1e-4 or least < 0:
        raise ValueError(f"class fractions sum to 1 within {wrong:.3g}, the least is {least:.3g}; give area shares.")
    shares = _weights().sel(source_code=codes)
    return xr.dot(fraction.astype(float).rename(cover_class="source_code"), shares, dim="source_code")


def vegetation_cover(types: xr.DataArray) -> xr.Dataset:
    """Cover and dominant type of low and of high vegetation.

    Parameters
    ----------
    types : xarray.DataArray, shape (vegetation_type, cell), float
        Of `type_fractions`.

    Returns
    -------
    xarray.Dataset
        ``land`` (cell), fraction of land (1); ``cvl``, ``cvh``, ``bare`` (cell), fractions of that land with sum 1;
        ``tvl``, ``tvh`` (cell), whole numbers of legend ``ifs_vegetation``. All float64, NaN where there is no land.
    """
    land = _layer(types, "land").sum("vegetation_type", skipna=False)
    land = land.where(land > 0)
    made = xr.Dataset({"land": land})
    for name, layer in (("l", "low"), ("h", "high")):
        area = _layer(types, layer).transpose("vegetation_type", ...)
        made[f"cv{name}"] = area.sum("vegetation_type") / land
        # Rounding makes equal areas equal: the first, lowest number is taken.
        number = area.fillna(0).round(6).argmax("vegetation_type").to_numpy()
        dominant = area["vegetation_type"].to_numpy()[number]
        made[f"tv{name}"] = (land.dims, np.where(made[f"cv{name}"] > 0, dominant, 0.0))
        made[f"tv{name}"] = made[f"tv{name}"].where(land.notnull())
    made["bare"] = _layer(_layer(types, "land"), "none").sum("vegetation_type") / land
    return made


def leaf_fields(cover: np.ndarray, leaf_area: np.ndarray) -> np.ndarray:
    """What each map cell gives to the two vegetation tiles of a target cell.

    Parameters
    ----------
    cover : numpy.ndarray, shape (y, x), uint8
        ESA CCI codes; 0 is no data.
    leaf_area : numpy.ndarray, shape (y, x), float
        Leaf area index (m2 m-2); NaN is missing.

    Returns
    -------
    numpy.ndarray, shape (5, y, x), float32
        Leaf area (m2 m-2) of low types, of high types, and of land without vegetation types; then area (1) of low and
        of high types. 0 where leaf area is missing or there is no land.
    """
    table = np.zeros((3, 256), np.float32)
    for row, layer in zip(table, ("low", "high", "land"), strict=True):
        row[_weights()["source_code"]] = _layer(_weights(), layer).sum("vegetation_type")
    low, high, land = table[:, cover]
    seen = np.isfinite(leaf_area) & (land > 0)
    leaves, plants = np.where(seen, leaf_area, 0).astype(np.float32), low + high
    of_low, of_high = (np.divide(p, plants, out=np.zeros_like(plants), where=plants > 0) for p in (low, high))
    return np.stack([leaves * of_low, leaves * of_high, leaves * (plants == 0), low * seen, high * seen])


def tile_leaf_area(cover: xr.Dataset, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Leaf area index of the low and of the high vegetation tile.

    Parameters
    ----------
    cover : xarray.Dataset
        Of `vegetation_cover`.
    sums : numpy.ndarray, shape (5, cell), float
        Means of `leaf_fields` over target cells.

    Returns
    -------
    tuple of numpy.ndarray, shape (cell,), float64
        ``lai_lv`` and ``lai_hv`` (m2 m-2): 0 where the tile has no area, NaN where its leaf area is missing.
    """
    low, high, bare, area_low, area_high = np.asarray(sums, float)
    plants = area_low + area_high
    with np.errstate(invalid="ignore", divide="ignore"):
        lv, hv = low / area_low + bare / plants, high / area_high + bare / plants
    lv, hv = (np.where(cover[c].to_numpy() == 0, 0.0, v) for c, v in (("cvl", lv), ("cvh", hv)))
    return lv, hv
