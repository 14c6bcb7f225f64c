"""Vegetation fields of the IFS from land cover and leaf area index, on an octahedral reduced Gaussian grid.

What the fields are, as ecLand (HTESSEL), the land model of the IFS, reads them:

- ``cvl`` and ``cvh`` are the areas of all low and of all high vegetation types as fractions of the land, before any
  density: ecLand multiplies them by a density of the dominant type (``RVCOV``, ``surfbc_ctl_mod.F90``) and by the land
  beside lakes. So cvl + cvh + bare = 1 of the land, where bare is desert and land ice; inland water is no land.
- ``tvl`` and ``tvh`` are the types with the largest area among the low and among the high ones, never averages; the
  lowest number in a tie, 0 where there are none.
- ``lai_lv`` and ``lai_hv`` are leaf area per area of the tile, so that cvl lai_lv + cvh lai_hv is the leaf area index
  of the land. In ecLand the density then takes its share of the leaves as it does of the cover.

How leaf area is split: each cell of the maps gives its leaves to its low and high types by their shares of its class
(``data/crosswalks/land_cover-to-ifs_vegetation.csv``); leaves of cells without vegetation types (bare, ice) are spread
over both tiles of the target cell by their area. Leaf area of water cells, and of target cells without any vegetation
type, is left out; map cells without data get the mean of their tile. No value is capped: a mostly bare class gives all
of its leaves to the few types that it has.

Eight land-use classes do not tell these types: land use is refused. Whether a host interpolates monthly fields from
the 15th of each month, and rereads them every year, is its own set-up: not verified here.
"""

import json
from collections.abc import Callable, Iterator
from functools import partial
from math import ceil
from pathlib import Path

import numpy as np
import xarray as xr

from ai4land.checks import check_codes_known, check_same_grid
from ai4land.export.cells import octahedral
from ai4land.export.grib import Fields, Key, read_parameters, write_fields
from ai4land.export.ifs_types import leaf_fields, tile_leaf_area, type_fractions, vegetation_cover
from ai4land.export.remap import Weights, remap_weights
from ai4land.grid import GLOBAL, grid_of
from ai4land.legend import NO_DATA, class_codes, read_legend
from ai4land.regrid import area_mean, class_fractions
from ai4land.targets import read_target
from ai4land.vegetation import MONTHS

_UNITS = {"m2 m-2", "1"}
_ABOUT = ("title", "source", "comment", "references", "license", "scenario", "run", "software")
_FINER = 5  # cells of 0.01 degree along one of 0.05, for global maps
_ROWS = 100  # of the maps that are remapped, in work at a time
_CELLS = 500_000  # of the target, in work at a time
_HALF = 0.5  # share of a cell that must be known; the IFS takes a point of more land, lake or ice than this as such


def _of_year(data: xr.Dataset, name: str, year: int) -> xr.DataArray:
    """Maps of one year, time first."""
    if name not in data:
        msg = f"{name}: not among {sorted(map(str, data.data_vars))}; the IFS needs land cover and leaf area index"
        raise ValueError(f"{msg}, land use does not tell vegetation types. Give the vegetation product.")
    years = data["time"] if data["time"].dtype.kind in "iu" else data["time"].dt.year
    found = data[name].isel(time=np.flatnonzero(years == year))
    if not found.sizes["time"]:
        raise ValueError(f"{name}: no year {year}, there are {np.unique(years).tolist()}; choose one of these.")
    return found


def _cover_of(data: xr.Dataset, year: int) -> xr.DataArray:
    """Land cover of one year, (lat, lon) uint8; 255 is no data."""
    found = _of_year(data, "land_cover", year)
    if found.sizes["time"] != 1:
        raise ValueError(f"land_cover: {found.sizes['time']} maps of {year}, expected one; choose one.")
    codes = found[0].fillna(0).astype(np.uint8)
    codes = codes.where(codes != 0, NO_DATA).astype(np.uint8).compute()
    check_codes_known(
        codes.to_numpy(), np.append(class_codes(read_legend("land_cover")), NO_DATA), f"land_cover {year}"
    )
    return codes


def _leaves_of(data: xr.Dataset, year: int) -> xr.DataArray:
    """Leaf area index of the months of one year, (month, lat, lon), lazy."""
    found = _of_year(data, "leaf_area_index", year)
    months = found["time"].dt.month.to_numpy()
    if sorted(months.tolist()) != list(range(1, MONTHS + 1)):
        raise ValueError(f"leaf_area_index {year}: months {months.tolist()}, expected each of 1-{MONTHS} once.")
    if found.attrs.get("units") not in _UNITS:
        units = found.attrs.get("units")
        raise ValueError(f"leaf_area_index: units {units!r}, expected one of {sorted(_UNITS)}; convert it before.")
    return found.assign_coords(time=months).rename(time="month").sortby("month")


def _sums(weights: Weights, count: int, make: Callable[[slice], np.ndarray]) -> np.ndarray:
    """Sums of ``count`` fields over target cells, times area (m2), (count, cell); ``make`` gives some source rows."""
    cols, out = weights.source.cols, np.zeros((weights.area.size, count))
    for band in np.array_split(np.arange(weights.source.rows), ceil(weights.source.rows / _ROWS)):
        rows = slice(int(band[0]), int(band[-1]) + 1)
        part = weights.shared[:, rows.start * cols : rows.stop * cols]
        if part.nnz:
            touched = slice(int(part.indices.min()), int(part.indices.max()) + 1)
            out[touched] += part[touched] @ make(rows).reshape(count, -1).T
    return out.T


def _leaf_months(cover: xr.DataArray, leaf_area: xr.DataArray, weights: Weights) -> Iterator[np.ndarray]:
    """Sums of `leaf_fields` over target cells, (5, cell), month by month."""
    whole, times = slice(0, weights.source.cols), cover.sizes["lat"] // weights.source.rows

    def fields(month: xr.DataArray, rows: slice) -> np.ndarray:
        fine = {"lat": slice(rows.start * times, rows.stop * times)}
        leaves = month.isel(fine).to_numpy()
        least, largest = read_target("leaf_area_index").bounds
        if (leaves < least).any() or (leaves > largest).any():
            found = f"{np.nanmin(leaves):.4g} to {np.nanmax(leaves):.4g}"
            msg = f"leaf_area_index of month {int(month['month'])}: {found}, expected {least:g} to {largest:g} m2 m-2"
            raise ValueError(f"{msg}; is it packed, in steps of 1/30? Unpack it before.")
        made = leaf_fields(cover.isel(fine).to_numpy(), leaves)
        if times == 1:
            return made
        target, coords = weights.source.cut(rows, whole), cover.isel(fine).coords
        return np.stack([area_mean(xr.DataArray(f, coords, ("lat", "lon")), target).to_numpy() for f in made])

    for month in leaf_area:
        yield _sums(weights, 5, partial(fields, month))


def ifs_fields(land_cover: xr.DataArray, leaf_area: xr.DataArray, n: int, cache: Path | None = None) -> xr.Dataset:
    """Vegetation fields on the octahedral grid O``n``.

    Global maps of 0.01 degree go by way of 0.05 degree: the areas and leaf areas are exact, and each 0.05 degree cell
    is spread evenly over the cells it meets. Other maps are remapped from their own cells.

    Parameters
    ----------
    land_cover : xarray.DataArray, shape (lat, lon), uint8
        ESA CCI codes of one year; 255 is no data.
    leaf_area : xarray.DataArray, shape (month, lat, lon), float
        Leaf area index (m2 m-2) on the same cells; NaN is missing.
    n : int
        Latitude circles a hemisphere.
    cache : pathlib.Path, optional
        Folder of remapping weights, of `ai4land.export.remap.remap_weights`.

    Returns
    -------
    xarray.Dataset
        `vegetation_cover`'s variables and ``lai_lv``, ``lai_hv`` (month, cell), float64, and ``told`` (cell), bool:
        at least half of the cell has data, some of it is land, and no tile lacks its leaf area.

    Raises
    ------
    ValueError
        If the maps are on different grids or without data, or leaf area is out of range.
    """
    grid = grid_of(land_cover)
    check_same_grid(grid, grid_of(leaf_area), "land_cover and leaf_area_index")
    middle = grid.blocks(_FINER) if grid.same_as(GLOBAL) else grid
    weights, times = remap_weights(middle, octahedral(n), cache), grid.rows // middle.rows
    codes = np.setdiff1d(np.unique(land_cover), [NO_DATA])
    if not codes.size:
        raise ValueError("land_cover: no cell has data; choose another year or region.")

    def shares(rows: slice) -> np.ndarray:
        target, fine = middle.cut(rows, slice(0, middle.cols)), slice(rows.start * times, rows.stop * times)
        made = class_fractions(land_cover.isel(lat=fine), target, codes)
        return np.nan_to_num(made["fraction"].to_numpy()) * (made["area"].to_numpy() / target.cell_area()[:, None])

    area = _sums(weights, codes.size, shares)
    known = area.sum(0)
    fraction = xr.DataArray(area / np.where(known > 0, known, np.nan), {"cover_class": codes}, ("cover_class", "cell"))
    parts = (fraction[:, start : start + _CELLS] for start in range(0, known.size, _CELLS))
    made = xr.concat([vegetation_cover(type_fractions(part)) for part in parts], "cell")
    months = [tile_leaf_area(made, sums) for sums in _leaf_months(land_cover, leaf_area, weights)]
    for name, values in zip(("lai_lv", "lai_hv"), zip(*months, strict=True), strict=True):
        made[name] = ("month", "cell"), np.stack(values)
    lacks = (made["lai_lv"] + made["lai_hv"]).isnull().any("month")
    made["told"] = made["land"].notnull() & ~lacks & (known >= _HALF * weights.area)
    return made.assign_coords(month=leaf_area["month"])


def _host_land(host: Fields, n: int) -> np.ndarray:
    """Points of a host model that are land, neither lake nor ice, (cell) bool; its other fields must be there."""
    if host.n != n:
        raise ValueError(f"{host.path}: grid O{host.n}, expected O{n}; give the climate fields of the wanted grid.")
    for key in _keys():
        with host.message(key):
            pass
    land = (host.values("lsm") > _HALF) & ~(host.values("cl") > _HALF)
    return land & ~(host.values("glm") > _HALF) if ("glm", 0) in host.places else land


def _keys() -> list[Key]:
    """Names and months of the fields that are written."""
    made = read_parameters().query("made == 1")["monthly"]
    return [(name, month) for name, each in made.items() for month in (range(1, MONTHS + 1) if each else (0,))]


def write_ifs(
    land_cover: xr.Dataset, leaf_area: xr.Dataset, year: int, n: int, path: Path, host: Path | None = None,
    cache: Path | None = None,
) -> Path:  # fmt: skip
    """Vegetation fields of one year for the IFS, as GRIB2: cvl, cvh, tvl, tvh and twelve months of lai_lv, lai_hv.

    Parameters
    ----------
    land_cover, leaf_area : xarray.Dataset
        Products of `ai4land.green.open_green`: ``land_cover`` (time, lat, lon), ESA CCI codes, and
        ``leaf_area_index`` (time, lat, lon), m2 m-2, the means of months.
    year : int
        Fields without months are dated its 1 January, monthly means the 15th of their month.
    n : int
        Octahedral grid, 32 for O32 to 1280 for O1280.
    path : pathlib.Path
        File to write; ``<path>.json`` beside it says what it is, and whether the planet is made up.
    host : pathlib.Path, optional
        Climate fields of the host model on the same grid, GRIB1 or GRIB2: lsm, cl and all that is written, and glm
        where land ice is masked. Its messages are the templates. Its values stay where it has no land (lsm not above
        0.5), lakes or ice (cl or glm above 0.5), and where the maps tell nothing; lsm, cl and glm are never written.
        Without a host the grid's other points are missing.
    cache : pathlib.Path, optional
        Folder of remapping weights.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ValueError
        If the products are of land use, have no such year or not all of its months, are in another unit or out of
        range, or the host's file lacks a message or a key.
    """
    maps = _cover_of(land_cover, year), _leaves_of(leaf_area, year)
    given = Fields(host) if host else None
    ours = _host_land(given, n) if given else np.ones(1, bool)
    fields = ifs_fields(*maps, n, cache)
    ours = ours & fields["told"].to_numpy()

    def messages() -> Iterator[tuple[Key, np.ndarray]]:
        for name, month in _keys():
            values = (fields[name].sel(month=month) if month else fields[name]).to_numpy()
            yield (name, month), np.where(ours, values, given.values(name, month) if given else np.nan)

    write_fields(path, n, year, messages(), given)
    data = {"land_cover": land_cover, "leaf_area_index": leaf_area}
    card = {
        "grid": f"O{n}", "year": year, "cells": int(ours.sum()),
        "synthetic": any(int(d.attrs.get("synthetic", 0)) for d in data.values()),
        "fields": read_parameters().query("made == 1")["long_name"].to_dict(),
        "made_from": {name: {k: d.attrs[k] for k in _ABOUT if k in d.attrs} for name, d in data.items()},
    }  # fmt: skip
    part = path.with_name(f"{path.name}.json.partial")
    part.write_text(json.dumps(card, indent=1) + "\n")
    part.replace(part.with_suffix(""))
    return path
