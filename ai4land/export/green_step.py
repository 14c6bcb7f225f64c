"""Land cover and leaf area of a year, which follow its land use and climate, from the graphs of a bundle."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from ai4land.export.window import Domain, Tile, tiles
from ai4land.grid import Grid, grid_of
from ai4land.legend import NO_DATA, check_codes, class_codes, read_legend
from ai4land.targets import read_target

COVER, LEAVES, MONTHS = "land_cover", "leaf_area_index", 12


def check_leaf_area(values: np.ndarray, name: str) -> None:
    """Refuse leaf area (float) that is not in m2 m-2."""
    largest = read_target(LEAVES).bounds[1]  # beyond it values are in other units, such as 1/30
    if (most := np.nanmax(values, initial=0)) > largest:
        raise ValueError(f"{name} reaches {most:.4g}; give m2 m-2, at most {largest:g}, not 1/30 of it.")


def with_green(state: xr.Dataset, cover: xr.DataArray | None, leaves: xr.DataArray | None) -> xr.Dataset:
    """State with the start year's land cover and season.

    Parameters
    ----------
    state : xarray.Dataset
    cover : xarray.DataArray, shape (lat, lon), uint8, optional
        Codes of legend ``land_cover``; 0 is no data.
    leaves : xarray.DataArray, shape (month, lat, lon), float32, optional
        m2 m-2; NaN is no data.

    Raises
    ------
    ValueError
        If they are of other cells, codes, months or units.
    """
    for name, field in ((COVER, cover), (LEAVES, leaves)):
        if field is not None and not grid_of(field).same_as(grid_of(state)):
            raise ValueError(f"{name}: cells are {grid_of(field)}, those of the maps {grid_of(state)}; give the same.")
    if cover is not None:
        if cover.dtype != np.uint8:
            raise ValueError(f"land_cover is {cover.dtype}, expected uint8 codes; open it with mask_and_scale=False.")
        check_codes(cover.to_numpy(), np.append(class_codes(read_legend(COVER)), 0), COVER, "legend land_cover")
        state = state.assign({COVER: (("lat", "lon"), cover.to_numpy(), {"long_name": "land cover"})})
    if leaves is not None:
        if leaves.shape[0] != MONTHS:
            raise ValueError(f"leaf_area_index: {leaves.shape[0]} months, expected {MONTHS}; give a whole year.")
        check_leaf_area(leaves.to_numpy(), LEAVES)
        about = {"standard_name": LEAVES, "units": "m2 m-2"}
        state = state.assign({LEAVES: (("month", "lat", "lon"), leaves.to_numpy().astype(np.float32), about)})
    return state


def cut_climate(climate: xr.Dataset, one: dict[str, Any], fine: Grid, year: int) -> tuple[np.ndarray, Grid]:
    """Climate around a window: the months that a graph takes.

    Parameters
    ----------
    climate : xarray.Dataset, (time, lat, lon) float
        Monthly means on their own grid, ``time`` decoded; each variable with its unit.
    one : dict
        The graph's input ``climate``: ``names``, ``units`` and ``months``, such as '12 before' and '01'.
    fine : Grid
        Of the window.
    year : int

    Returns
    -------
    numpy.ndarray, shape (1, variable, month, Y, X), float32
        NaN is no data.
    Grid
        Its cells.

    Raises
    ------
    ValueError
        If a variable or month is missing, a unit is another one, or the window is not covered.
    """
    if missing := [name for name in one["names"] if name not in climate]:
        raise ValueError(f"climate: no variables {missing}, found {sorted(map(str, climate.data_vars))}; give those.")
    for name, unit in zip(one["names"], one["units"], strict=True):
        if climate[name].attrs.get("units") != unit:
            raise ValueError(f"climate: {name} is in {climate[name].attrs.get('units')!r}, expected {unit!r}.")
    ascending = bool(climate["lat"][0] < climate["lat"][-1])
    climate = climate.isel(lat=slice(None, None, -1)) if ascending else climate
    whole = grid_of(climate)
    (west, south, east, north), (w, s, e, n) = fine.bounds, whole.bounds
    if west < w - whole.dlon or east > e + whole.dlon or south < s - whole.dlat or north > n + whole.dlat:
        raise ValueError(f"climate covers {whole.bounds}, the window is {fine.bounds}; give climate that covers it.")
    near = [np.flatnonzero((whole.lat < north + 2 * whole.dlat) & (whole.lat > south - 2 * whole.dlat)),
            np.flatnonzero((whole.lon > west - 2 * whole.dlon) & (whole.lon < east + 2 * whole.dlon))]  # fmt: skip
    rows, cols = (slice(int(part[0]), int(part[-1]) + 1) for part in near)
    wanted = [(year - ("before" in label), int(label[:2])) for label in one["months"]]
    have = list(zip(climate["time"].dt.year.to_numpy(), climate["time"].dt.month.to_numpy(), strict=True))
    if absent := [month for month in wanted if month not in have]:
        raise ValueError(f"climate: no months {absent[:3]} (year, month); give those of {year} and of the year before.")
    part = climate[one["names"]].isel(time=[have.index(m) for m in wanted], lat=rows, lon=cols)
    values = [part[name].transpose("time", "lat", "lon").to_numpy() for name in one["names"]]
    return np.stack(values)[None].astype(np.float32), whole.cut(rows, cols)


@dataclass(frozen=True)
class GreenStep:
    """All that decides land cover and leaf area of a year.

    Parameters
    ----------
    run : callable
        From the name of a graph and its named inputs to its named outputs.
    before, after : xarray.Dataset
        States of the year before, and of the year with its land use.
    domain : Domain
    climate : xarray.Dataset
        See `cut_climate`, and ``co2`` (1e-6), a number or monthly.
    core : int
        Side of the part that is worked at once, LUH2 cells.
    """

    run: Callable[[str, dict[str, np.ndarray]], dict[str, np.ndarray]]
    before: xr.Dataset
    after: xr.Dataset
    domain: Domain
    climate: xr.Dataset
    core: int

    def make(self, graph: dict[str, Any], now: dict[str, np.ndarray]) -> np.ndarray:
        """First output of a graph on the whole domain, (channel, y, x) float32."""
        shared, out = self._shared(graph), np.empty((0,), np.float32)
        field = graph["reach"] + self.domain.cells // 2  # coarse fields are interpolated
        for tile in tiles(self.domain, self.core, field, graph["multiple"]):
            made = self.run(graph["name"], self._inputs(graph, tile, shared, now))[graph["outputs"][0]["name"]][0]
            out = out if out.size else np.empty((len(made), *self.domain.grid.shape), np.float32)
            out[:, *tile.part.output] = made[:, *tile.part.inside]
        return out

    def _shared(self, graph: dict[str, Any]) -> dict[str, Any]:
        """Inputs that are the same in all tiles, and the grid of the climate."""
        wanted, year = {one["name"]: one for one in graph["inputs"]}, self.after.attrs["year"]
        made: dict[str, Any] = {"years": np.array([year - self.before.attrs["year"]], np.float32)}
        if "climate" in wanted:
            made["climate"], made["grid"] = cut_climate(self.climate, wanted["climate"], self.domain.grid, year)
            if "co2" not in self.climate:
                raise ValueError("climate: no co2 (1e-6); add it as a number, or as a monthly series.")
            co2 = self.climate["co2"]
            co2 = co2.sel(time=co2["time"].dt.year == year).mean() if "time" in co2.dims else co2
            made["co2"] = np.array([co2], np.float32)
        if "states" in wanted:
            made["states"] = np.stack([self.after[name].to_numpy() for name in wanted["states"]["names"]])
        return made

    def _inputs(
        self, graph: dict[str, Any], tile: Tile, shared: dict[str, Any], now: dict[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        wanted, fine = {one["name"]: one for one in graph["inputs"]}, self.domain.grid
        there = tile.fine(np.ones(fine.shape, bool), False)[None]
        maps: dict[str, tuple[Any, float]] = {
            "land_use": (self.after["land_use"], NO_DATA), "land_use_before": (self.before["land_use"], NO_DATA),
        }  # fmt: skip
        maps |= {"koppen": (self.before["koppen"], 0)} if "koppen" in wanted else {}
        maps |= {f"{n}_before": (self.before[n], f) for n, f in ((COVER, 0), (LEAVES, np.nan)) if n in self.before}
        maps |= {name: (values, 0) for name, values in now.items()}
        made = {name: tile.fine(field, fill)[None] for name, (field, fill) in maps.items() if name in wanted}
        made |= {"valid": there, "hidden": np.zeros_like(there), **shared}
        if "static" in wanted:
            layers = [tile.fine(self.before[name], np.nan) for name in wanted["static"]["names"]]
            made["static"] = np.stack(layers)[None].astype(np.float32)
        if "states" in wanted:
            cut, made["start"] = tile.coarse(shared["states"], self.domain)
            made["states"] = cut[None]
        if "climate" in wanted:
            air, (rows, cols) = shared["grid"], tile.part.input
            north, west = fine.lat[0] - rows.start * fine.dlat, fine.lon[0] + cols.start * fine.dlon
            place = [[(air.lat[0] - north) / air.dlat, (west - air.lon[0]) / air.dlon]]
            made["climate_start"] = np.array(place, np.float32)
            made["climate_step"] = np.array([[fine.dlat / air.dlat, fine.dlon / air.dlon]], np.float32)
        return {name: made[name] for name in wanted if name in made}
