"""Class fractions and leaf area on the cells of an ICON grid, in the names and the layout of EXTPAR.

Who reads them. ICON-NWP (TERRA) reads one EXTPAR file at its start: a new year needs a restart. Its sources take the
meaning of ``LU_CLASS_FRACTION`` from the attribute ``rawdata``; those looked at know ``GLC2000`` and ``GLOBCOVER2009``
(23 classes) and stop at others: that a later version takes the 38 classes that EXTPAR makes with ``i_landuse = 5`` is
unverified. ICON-Land (JSBACH) rereads land cover every year where its process ``alcc`` is on, from
``bc_land_frac_11pfts_<year>.nc`` (``jsb_alcc_nml``, scheme ``maps``): plant functional types and not classes, which its
users make from fractions such as these. No ICON was run with these files.
"""

from pathlib import Path

import netCDF4
import numpy as np
import xarray as xr

from ai4land.checks import check_area_conserved
from ai4land.export.cells import Cells
from ai4land.export.remap import apply, remap_classes, remap_weights
from ai4land.grid import grid_of
from ai4land.legend import NO_DATA, class_codes, read_legend
from ai4land.product.exports import new_file
from ai4land.targets import read_target

Field = tuple[tuple[str, ...], np.ndarray, dict[str, object]]  # dimensions, values, attributes
UNDEFINED = np.float32(-1e20)  # of EXTPAR
_DATASET = {"land_cover": "ECCI", "land_use": "ai4land"}
_CELL = {"CDI_grid_type": "unstructured", "coordinates": "clon clat", "number_of_grid_in_reference": np.int32(1)}


def class_fractions_on(
    cells: Cells, cover: xr.DataArray, legend: str, cache: Path | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Fractions of every class of a legend in every cell.

    Parameters
    ----------
    cells : Cells
        Of `ai4land.export.cells.icon`.
    cover : xarray.DataArray, shape (lat, lon), uint8
        Class codes; 255, and the code of no data where the legend has one, is no data.
    legend : {'land_cover', 'land_use'}
    cache : pathlib.Path, optional
        Folder of weights.

    Returns
    -------
    fraction : numpy.ndarray, shape (class, cell), float32
        Of the whole cell (1), in the legend's order, 255 left out. The 38 classes of ``land_cover`` are those of
        EXTPAR's table for ESA CCI in its order: no data comes first and takes what the map leaves of a cell, so that
        they sum to 1. Those of ``land_use`` sum to the share of the cell that has data.
    area : numpy.ndarray, shape (cell,), float64
        With data, m2.

    Raises
    ------
    ValueError
        If the map holds a code of another legend, or says that it is of one.
    """
    rows = read_legend(legend)
    codes, stated = class_codes(rows), cover.attrs.get("flag_values")
    if stated is not None and not set(np.atleast_1d(stated).tolist()) <= set(codes.tolist()):
        raise ValueError(f"{cover.name}: its codes are {list(stated)[:6]} ..., not those of legend {legend}; name its.")
    if legend not in _DATASET:
        raise ValueError(f"legend {legend!r} has no place in an ICON file; give one of {sorted(_DATASET)}.")
    listed = rows[rows["code"] != NO_DATA]
    share, area = remap_classes(cover, cells, listed["code"].to_numpy(), cache)
    fraction = np.nan_to_num(share.to_numpy()) * (area.to_numpy() / cells.area)
    data = listed["name"].to_numpy() != "no_data"
    fraction[~data] = np.maximum(1 - fraction[data].sum(0), 0)
    return fraction.astype(np.float32), fraction[data].sum(0) * cells.area


def write_icon(
    path: Path, cells: Cells, cover: xr.DataArray, legend: str, about: dict[str, object],
    leaf_area: xr.DataArray | None = None, cache: Path | None = None,
) -> Path:  # fmt: skip
    """One year's external parameters: class fractions, land fraction and the year's largest leaf area.

    ``LU_CLASS_FRACTION`` (nclass_lu, cell), ``FR_LAND`` (cell, the land classes of the legend, ice with them) and, with
    leaf area, ``LAI_MX`` (cell): of the monthly means of the part of the cell that has leaf area, the largest. EXTPAR
    looks up its own by class and sets it for vegetation; ours is that of the map.

    Parameters
    ----------
    path : pathlib.Path
        Appears when it is whole.
    cells : Cells
        Of `ai4land.export.cells.icon`.
    cover, legend, cache
        As of `class_fractions_on`.
    about : dict
        Global attributes, such as title, source, licence, year; ``synthetic`` among them.
    leaf_area : xarray.DataArray, shape (12, lat, lon), float, optional
        m2 m-2, of the months of the year; NaN is missing.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ValueError
        If the grid has no uuid, the map is of another legend, leaf area is not of 12 months or not in m2 m-2, or area
        is lost in writing.
    """
    fraction, area = class_fractions_on(cells, cover, legend, cache)
    rows = read_legend(legend)
    table = rows[rows["code"] != NO_DATA]
    data = table["name"].to_numpy() != "no_data"
    kept = (fraction[data].astype(float).sum(0) * cells.area).sum()
    check_area_conserved(float(area.sum()), float(kept), f"{path.name}: classes")
    name = _DATASET[legend]
    fields: dict[str, Field] = {
        "LU_CLASS_FRACTION": (("nclass_lu", "cell"), fraction, {
            "long_name": f"Fraction of {name} land use classes in target grid element", "units": "1",
            "lctype": name, "class_codes": table["code"].to_numpy(np.int32), "class_names": " ".join(table["name"])}),
        "FR_LAND": (("cell",), fraction[table["land"].to_numpy() & data].sum(0), {
            "standard_name": "land_area_fraction", "long_name": "Fraction land", "units": "1"}),
    }  # fmt: skip
    if leaf_area is not None:
        monthly = _monthly(cells, leaf_area, cache)
        largest = np.where(np.isfinite(monthly).any(0), np.nan_to_num(monthly, nan=-np.inf).max(0), np.nan)
        fields["LAI_MX"] = (("cell",), largest, {
            "standard_name": "leaf_area_index", "long_name": "Leaf Area Index Maximum", "units": "m2 m-2"})  # fmt: skip
    return _write(path, cells, fields, {"rawdata": f"{name} classes, by ai4land", **about})


def write_icon_leaf_area(
    path: Path, cells: Cells, leaf_area: xr.DataArray, year: int, about: dict[str, object], cache: Path | None = None
) -> Path:
    """Monthly leaf area of one year, ``LAI`` (time, cell): EXTPAR has no such field, so it is a file of its own.

    Parameters
    ----------
    path, cells, about, cache
        As of `write_icon`.
    leaf_area : xarray.DataArray, shape (12, lat, lon), float
        m2 m-2, January to December; NaN is missing.
    year : int
        Of the months.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ValueError
        As of `write_icon`.
    """
    field: dict[str, Field] = {"LAI": (("time", "cell"), _monthly(cells, leaf_area, cache), {
        "standard_name": "leaf_area_index", "long_name": "Leaf Area Index", "units": "m2 m-2",
        "cell_methods": "time: mean area: mean"})}  # fmt: skip
    return _write(path, cells, field, about, year)


def _monthly(cells: Cells, leaf_area: xr.DataArray, cache: Path | None) -> np.ndarray:
    """Means of 12 months over the part of every cell that has values, (12, cell); NaN without."""
    if leaf_area.shape[0] != 12:
        raise ValueError(f"{leaf_area.name}: {leaf_area.shape[0]} months; give the 12 of one year.")
    found, largest = float(leaf_area.max()), read_target("leaf_area_index").bounds[1]
    if found > largest:
        msg = f"{leaf_area.name}: values up to {found:g}, expected m2 m-2 of at most {largest:g}; scale it first."
        raise ValueError(msg)
    return apply(remap_weights(grid_of(leaf_area), cells, cache), leaf_area)[0].to_numpy()


def _write(
    path: Path, cells: Cells, fields: dict[str, Field],
    about: dict[str, object], year: int | None = None,
) -> Path:  # fmt: skip
    """NetCDF as ICON has it, NaN as EXTPAR's undefined value; equal content has equal bytes."""
    if "uuidOfHGrid" not in cells.attrs:
        raise ValueError(f"{cells.name}: no uuidOfHGrid; these are not the cells of an ICON grid file.")
    size = sum(values.nbytes for _, values, _ in fields.values()) + 8 * (2 + 2 * 3) * cells.area.size
    with new_file(path, size) as part, netCDF4.Dataset(part, "w") as data:
        data.setncatts({"Conventions": "CF-1.11", **about, **cells.attrs})
        for name, length in {"cell": cells.area.size, "nv": cells.lon_corners.shape[1]}.items():
            data.createDimension(name, length)
        for axis, word in (("lon", "longitude"), ("lat", "latitude")):
            _add(data, f"c{axis}", ("cell",), np.radians(getattr(cells, axis)), {
                "standard_name": word, "units": "radian", "bounds": f"c{axis}_vertices"})  # fmt: skip
            _add(data, f"c{axis}_vertices", ("cell", "nv"), np.radians(getattr(cells, f"{axis}_corners")), {})
        if year is not None:
            edges = np.arange(f"{year}-01", f"{year + 1}-02", dtype="datetime64[M]").astype("datetime64[D]")
            days = (edges - np.datetime64("1850-01-01")).astype(float)
            for name, length in {"time": 12, "bnds": 2}.items():
                data.createDimension(name, length)
            _add(data, "time", ("time",), days[:-1], {
                "standard_name": "time", "units": "days since 1850-01-01", "calendar": "proleptic_gregorian",
                "bounds": "time_bnds"})  # fmt: skip
            _add(data, "time_bnds", ("time", "bnds"), np.stack([days[:-1], days[1:]], 1), {})
        for name, (dims, values, attributes) in fields.items():
            for dim, length in zip(dims, values.shape, strict=True):
                if dim not in data.dimensions:
                    data.createDimension(dim, length)
            _add(data, name, dims, np.where(np.isfinite(values), values, UNDEFINED).astype("f4"), attributes | _CELL)
    return path


def _add(data: netCDF4.Dataset, name: str, dims: tuple, values: np.ndarray, attributes: dict[str, object]) -> None:
    missing = UNDEFINED if values.dtype == np.float32 else None
    made = data.createVariable(name, values.dtype, dims, zlib=True, complevel=1, fill_value=missing)
    made.setncatts(attributes)
    made[:] = values
