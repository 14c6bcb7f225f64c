"""What land cover and leaf area are predicted from, by name: annual fields (y, x) and monthly ones (12, y, x)."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from ai4land.grid import Grid
from ai4land.legend import class_codes, read_legend
from ai4land.samples.region import Region
from ai4land.samples.tables import class_densities
from ai4land.vegetation import MONTHS
from ai4land.windows import Window

RADII = (2, 8)  # fine cells: shares of the classes in boxes of 5 and 17 cells
_GROUP = 10  # codes of land cover are level 1 in tens, level 2 in ones


@dataclass(frozen=True)
class Given:
    """Which predictors a model is given, besides relief, soil, climate zones, LUH2's states and the years between.

    Parameters
    ----------
    land_use : bool
        HILDA+, or a land use made by ai4land, of the target year (and of the prior year, with a prior).
    land_cover : bool
        Of the target year (and of the prior year, with a prior): for leaf area.
    prior_cover, prior_leaves : bool
        Land cover, and the season of leaf area, of the prior year, where they are not hidden.
    climate : bool
        Climate of the target year, and CO2.
    coupled : bool
        Climate no later than the month before (for leaf area), or than the year before (for land cover): what a model
        that runs beside an atmosphere knows.
    """

    land_use: bool = True
    land_cover: bool = False
    prior_cover: bool = False
    prior_leaves: bool = False
    climate: bool = True
    coupled: bool = False


def level_1(codes: np.ndarray) -> np.ndarray:
    """Level-1 codes of land cover, 22 of them: 61 is 60; 0 is no data."""
    return np.asarray(codes) // _GROUP * _GROUP


def between(values: np.ndarray, source: Grid, target: Grid) -> np.ndarray:
    """Bilinear between the cell centres of a coarse grid; beyond the outermost centres the outermost value holds.

    Parameters
    ----------
    values : numpy.ndarray, shape (..., Y, X), float32
        NaN is no data and takes no part.
    source, target : Grid
        Coarse and fine cells.

    Returns
    -------
    numpy.ndarray, shape (..., y, x), float32
        NaN where none of the four cells around has data.
    """
    known = np.isfinite(values)
    parts = np.where(known, values, np.float32(0)), known.astype(np.float32)
    for axis, at in (
        (-2, (source.north - target.lat) / source.dlat - 0.5),
        (-1, (target.lon - source.west) / source.dlon - 0.5),
    ):
        last = values.shape[axis] - 1
        place = np.clip(at, 0, last)
        first = np.minimum(place.astype(int), max(last - 1, 0))
        share = (place - first).astype(np.float32)
        share = share[:, None] if axis == -2 else share
        parts = tuple(
            part.take(first, axis) * (1 - share) + part.take(np.minimum(first + 1, last), axis) * share
            for part in parts
        )
    made, weight = parts
    return np.where(weight > 1e-6, made / np.maximum(weight, 1e-6), np.float32(np.nan)).astype(np.float32)


@cache
def _names(legend: str) -> dict[int, str]:
    """Names of the classes of a legend by code."""
    table = read_legend(legend).set_index("code")["name"]
    return {int(code): str(table[code]) for code in class_codes(read_legend(legend))}


def _one_hot(prefix: str, labels: np.ndarray, names: dict[int, str]) -> dict[str, np.ndarray]:
    return {f"{prefix}_{name}": (labels == code).astype(np.float32) for code, name in names.items()}


def _shares(cube: Region, year: int, cells: Window) -> dict[str, np.ndarray]:
    """One-hot land use, and the shares of its classes around every cell."""
    names = _names("land_use")
    codes = np.array(list(names))
    out = _one_hot("land_use", cube.field("land_use", year, cells), names)
    for radius in RADII:
        wide = cells.grown(radius, Window.whole(cube.grid.shape))
        shares = class_densities(cube.field("land_use", year, wide), radius, codes)[..., *cells.relative_to(wide)]
        out |= {f"land_use_{names[int(c)]}_{radius}": share for c, share in zip(codes, shares, strict=True)}
    return out


def cover_groups() -> dict[int, str]:
    """Names of the level-1 classes of land cover by code."""
    names = _names("land_cover")
    return {int(code): names[int(code)] for code in np.unique(level_1(np.array(list(names))))}


def _climate_of_year(cube: Region, year: int, target: Grid) -> dict[str, np.ndarray]:
    """Annual means of every variable, and the mean temperature of the coldest and the warmest month."""
    months = cube.field("climate", year)  # (month, variable, Y, X)
    fields = dict(zip((f"annual_{n}" for n in cube.names("climate")), months.mean(0), strict=True))
    air = months[:, cube.names("climate").index("air_temperature")]
    fields |= {"coldest_month": air.min(0), "warmest_month": air.max(0)}
    fine = between(np.stack(list(fields.values())), cube.grid_of("climate"), target)
    return dict(zip(fields, fine, strict=True))


def annual_fields(
    cube: Region, given: Given, prior_year: int, year: int, window: Window,
    hidden: np.ndarray | None = None,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Predictors that a year has once.

    Parameters
    ----------
    cube : Region
    given : Given
    prior_year, year : int
    window : tuple of slice
        Rows and columns of the region.
    hidden : numpy.ndarray, shape (y, x), bool, optional
        Cells of the window whose prior cover and season are hidden; none where absent.

    Returns
    -------
    dict of str to numpy.ndarray, shape (y, x), float32
        In an order that depends on ``given`` and the region's layers only; NaN where missing.

    Raises
    ------
    ValueError
        If a map or the climate of a year is not there.
    """
    cells = Window(*window).resolved(cube.grid.shape)
    fine = cube.grid.cut(*cells)
    shown = np.ones(fine.shape, bool) if hidden is None else ~hidden
    prior = given.prior_cover or given.prior_leaves
    out: dict[str, np.ndarray] = {}
    if given.land_use:
        out |= _shares(cube, year, cells)
        if prior:
            out |= _one_hot("prior_land_use", cube.field("land_use", prior_year, cells), _names("land_use"))
    if given.land_cover:
        out |= _one_hot("land_cover", level_1(cube.field("land_cover", year, cells)), cover_groups())
        if prior:
            out |= _one_hot("land_cover_before", level_1(cube.field("land_cover", prior_year, cells)), cover_groups())
    if given.prior_cover:
        prior_cover = np.where(shown, cube.field("land_cover", prior_year, cells), 0)
        out |= _one_hot("prior_land_cover", prior_cover, _names("land_cover"))
    if prior:
        out["hidden"] = (~shown).astype(np.float32)
        out["years"] = np.full(fine.shape, year - prior_year, np.float32)
    out |= {n: np.asarray(cube.field(n, window=cells), np.float32) for n in cube.static if n != "koppen"}
    if "koppen" in cube:
        out |= _zones(cube.field("koppen", window=cells))
    if "luh2_state" in cube:
        states = between(cube.field("luh2_state", year), cube.grid_of("luh2_state"), fine)
        out |= {f"luh2_{n}": field for n, field in zip(cube.names("luh2_state"), states, strict=True)}
    if given.climate:
        out |= _climate_of_year(cube, year - given.coupled, fine)
        out["co2"] = np.full(fine.shape, cube.field("co2", year), np.float32)
    return out


def _zones(zone: np.ndarray) -> dict[str, np.ndarray]:
    """Main climate groups A to E, one-hot."""
    names = _names("koppen_geiger")
    groups = {g: [code for code, name in names.items() if name[0] == g] for g in "abcde"}
    return {f"climate_{g}": np.isin(zone, codes).astype(np.float32) for g, codes in groups.items()}


def monthly_fields(
    cube: Region, given: Given, prior_year: int, year: int, window: Window,
    hidden: np.ndarray | None = None,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Predictors that every month of a year has: climate of the month and of the one before it, and the prior season.

    Parameters
    ----------
    cube : Region
    given : Given
        ``coupled`` leaves the climate of the month itself out.
    prior_year, year, window, hidden
        As `annual_fields`.

    Returns
    -------
    dict of str to numpy.ndarray, shape (12, y, x), float32
        ``<variable>`` and ``<variable>_before`` in the variable's unit; ``prior_leaf_area`` (m2 m-2), NaN where hidden.
        The month before January is the December before, or, where there is no such year, January itself.
    """
    cells = Window(*window).resolved(cube.grid.shape)
    fine = cube.grid.cut(*cells)
    out: dict[str, np.ndarray] = {}
    if given.climate:
        months = cube.field("climate", year)
        december = cube.field("climate", year - 1)[-1:] if year - 1 in cube.years("climate") else months[:1]
        before = between(np.concatenate([december, months[:-1]]), cube.grid_of("climate"), fine)
        now = None if given.coupled else between(months, cube.grid_of("climate"), fine)
        for number, name in enumerate(cube.names("climate")):
            out |= {} if now is None else {name: now[:, number]}
            out[f"{name}_before"] = before[:, number]
    if given.prior_leaves:
        season = cube.field("leaf_area_index", prior_year, cells).astype(np.float32)
        out["prior_leaf_area"] = season if hidden is None else np.where(hidden, np.float32(np.nan), season)
    assert all(field.shape[0] == MONTHS for field in out.values())
    return out
