"""Land use for models that read LUH2: its twelve states, in its own layout and in that of CTSM-FATES.

A map of eight classes tells the four pools of ``data/luh2_pools.csv`` apart: urban, cropland, pasture and natural
land. Within a pool the states share its area as LUH2's own do in the cell (crop types, pasture and rangeland, primary
and secondary, forested and not: LUH2's forest is potential forest, which no map of land use shows). States only: no
transitions, no wood harvest, no age (``secma``) or biomass (``secmb``) of secondary land, no management.
"""

from pathlib import Path

import numpy as np
import xarray as xr

from ai4land.allocate.targets import read_pools
from ai4land.checks import check_area_conserved, check_same_grid
from ai4land.export.cells import Cells
from ai4land.export.remap import apply, remap_weights
from ai4land.grid import Grid, grid_of
from ai4land.legend import class_codes, read_crosswalk, read_legend
from ai4land.product.exports import new_file
from ai4land.sources.luh2 import STATES

_FILL = np.float32(1e20)  # of LUH2
_MISSING = {"_FillValue": _FILL, "missing_value": _FILL}


def states_of(fraction: xr.DataArray, luh2: xr.DataArray) -> xr.Dataset:
    """LUH2's states with the areas of a map of land use.

    Parameters
    ----------
    fraction : xarray.DataArray, shape (time, land_use_class, lat, lon), float
        Area fractions of the cell with data (1), such as ``land_use_fraction`` of a product; NaN without data.
    luh2 : xarray.DataArray, shape (time, state, lat, lon), float
        LUH2 on the same cells and years, as ``luh2_state`` of a cube: the twelve states are read; NaN is ocean.
        A pool that LUH2 does not have in a cell is shared as in the year's whole window, by area; one that it does
        not have at all, evenly.

    Returns
    -------
    xarray.Dataset, shape (time, lat, lon), float64
        Twelve states (1, of the whole cell); they sum to the cell's land in the map (ice is land there, which LUH2
        leaves out). NaN where the cell has no data.

    Raises
    ------
    ValueError
        If the grids or the years differ, fractions do not sum to 1, or an area is lost.
    """
    check_same_grid(grid_of(fraction), grid_of(luh2), "land use and LUH2")
    if fraction["time"].to_numpy().tolist() != luh2["time"].to_numpy().tolist():
        raise ValueError(f"land use is of {_span(fraction)}, LUH2 of {_span(luh2)}; select the same years.")
    codes = class_codes(read_legend("land_use"))
    if fraction.sizes[fraction.dims[1]] != codes.size:
        raise ValueError(f"{fraction.name}: {fraction.shape[1]} classes, legend land_use has {codes.size}; give these.")
    have, own = fraction.to_numpy().astype(float), luh2.sel(state=list(STATES)).fillna(0).to_numpy().astype(float)
    total = have.sum(1)
    if np.nanmax(np.abs(total - 1)) > 1e-3:
        raise ValueError(f"{fraction.name}: sums to {np.nanmin(total):.3f} to {np.nanmax(total):.3f}, expected 1.")
    pools, cell = read_pools(), grid_of(fraction).cell_area()[:, None]
    crosswalk = read_crosswalk("luh2", "land_use").set_index("source_code")["code"]
    pool_of = crosswalk.loc[list(STATES)].map(pools.set_index("code")["pool"]).to_numpy()
    out = np.empty_like(own)
    for pool, rows in pools.groupby("pool"):
        wanted = have[:, rows["code"]].sum(1)
        members = np.flatnonzero(pool_of == pool)
        share = own[:, members]
        window = (share * cell).sum((-2, -1), keepdims=True)
        window = np.where(window.sum(1, keepdims=True) > 0, window, 1.0)
        share = np.where(share.sum(1, keepdims=True) > 0, share, window)
        out[:, members] = wanted[:, None] * share / share.sum(1, keepdims=True)
    land = have[:, pools["code"]].sum(1)
    check_area_conserved(float(np.nansum(land * cell)), float(np.nansum(out * cell[None])), "states of LUH2")
    names = crosswalk_names()
    dims = ("time", "lat", "lon")
    coords = {name: fraction[name] for name in dims}
    return xr.Dataset(
        {s: (dims, out[:, i], {"long_name": names[s], "units": "1"}) for i, s in enumerate(STATES)}, coords
    )


def crosswalk_names() -> dict[str, str]:
    """What LUH2 calls its states, by short name."""
    table = read_crosswalk("luh2", "land_use")
    return dict(zip(table["source_code"], table["source_name"], strict=True))


def _span(field: xr.DataArray) -> str:
    return f"{int(field['time'][0])}-{int(field['time'][-1])}"


def write_luh2(path: Path, states: xr.Dataset, about: dict[str, object], origin: int = 850) -> Path:
    """States in the layout of LUH2's own files: time in "years since", north to south, 1e20 without data.

    Parameters
    ----------
    path : pathlib.Path
        Appears when it is whole.
    states : xarray.Dataset, shape (time, lat, lon)
        Of `states_of`; ``time`` is the calendar year.
    about : dict
        Global attributes, such as title, source, licence; ``synthetic`` among them.
    origin : int
        Year that time is counted from: 850 in LUH2's history, 2015 in its scenarios.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ValueError
        If area is lost in single precision.
    """
    grid, time = grid_of(states), states["time"].to_numpy().astype(float) - origin
    data = _single(states, path.name).assign_coords(time=time)
    data["time"].attrs = {"units": f"years since {origin}-01-01 0:0:0", "calendar": "noleap", "axis": "T",
                          "standard_name": "time", "long_name": "time", "bounds": "time_bnds"}  # fmt: skip
    data = data.assign_coords(grid.coords())
    for name, edges in (("lat", grid.lat_edges), ("lon", grid.lon_edges)):
        data[name].attrs["bounds"] = f"{name}_bounds"
        data[f"{name}_bounds"] = ((name, "bounds"), np.stack([edges[:-1], edges[1:]], 1))
    data["time_bnds"] = (("time", "bounds"), np.stack([time, time + 1], 1))
    data.attrs = {"Conventions": "CF-1.6", "frequency": "yr", "comment": " ".join(__doc__.split()), **about}
    return _save(path, data)


def write_fates(path: Path, states: xr.Dataset, about: dict[str, object], target: Cells | None = None) -> Path:
    """States in the layout that CTSM-FATES reads land use from (``fluh_timeseries``).

    Dimensions ``time``, ``lsmlat`` (south to north), ``lsmlon`` (0 to 360); ``YEAR``, ``LONGXY``, ``LATIXY``; states as
    fractions of land that sum to 1, as FATES's tool ``landusedata`` leaves them; ``LANDFRAC`` (1, of the cell);
    ``PCT_URBAN``, ``PCT_CROP`` and ``PCT_NATVEG`` (per cent of land; pasture and rangeland are vegetation in CTSM), not
    divided further: neither plant functional types nor densities of towns are known. CTSM-FATES also reads 108
    transitions, which a map of states does not hold: merge this file with those, or use it where states suffice.
    It was not read by CTSM.

    Parameters
    ----------
    path, about
        As of `write_luh2`.
    states : xarray.Dataset, shape (time, lat, lon)
        Of `states_of`.
    target : Cells, optional
        Of `ai4land.export.cells.regular`, the model's grid; the states' own without.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ValueError
        If the target is no regular grid, or area is lost.
    """
    fields, grid = (states, grid_of(states)) if target is None else _moved(states, target)
    land = fields[list(STATES)].to_dataarray("state").sum("state", skipna=False)
    share = fields / land.where(land > 0)
    share["LANDFRAC"] = land
    back = (share[list(STATES)] * land).to_dataarray("state").sum("state")
    cell = xr.DataArray(grid.cell_area(), dims="lat")
    check_area_conserved(float((land * cell).sum()), float((back * cell).sum()), f"{path.name}: land")
    groups = {"PCT_URBAN": ["urban"], "PCT_CROP": ["c3ann", "c4ann", "c3per", "c4per", "c3nfx"]}
    groups["PCT_NATVEG"] = [s for s in STATES if s not in groups["PCT_URBAN"] + groups["PCT_CROP"]]
    for name, members in groups.items():
        share[name] = 100 * share[members].to_dataarray("state").sum("state", skipna=False)
    data = share.assign_coords(lat=grid.lat, lon=grid.lon % 360).sortby("lat").sortby("lon")
    lat, lon = np.meshgrid(data["lat"], data["lon"], indexing="ij")
    years = states["time"].to_numpy().astype(np.int32)
    data = data.drop_vars(["lat", "lon", "time"]).rename(lat="lsmlat", lon="lsmlon")
    units = {**dict.fromkeys(STATES, "1"), "LANDFRAC": "1", **dict.fromkeys(groups, "percent")}
    names = {**crosswalk_names(), "LANDFRAC": "land fraction of the cell in the map", "PCT_URBAN": "urban, of land",
             "PCT_CROP": "crops, of land", "PCT_NATVEG": "vegetation with pasture and rangeland, of land"}  # fmt: skip
    for name, unit in units.items():
        data[name] = data[name].fillna(_FILL).assign_attrs(units=unit, long_name=names[name])
        data[name].encoding = dict(_MISSING)
    data["YEAR"] = ("time", years, {"long_name": "Year", "units": "unitless"})
    data["LONGXY"] = (("lsmlat", "lsmlon"), lon, {"long_name": "longitude", "units": "degrees east"})
    data["LATIXY"] = (("lsmlat", "lsmlon"), lat, {"long_name": "latitude", "units": "degrees north"})
    data.attrs = {"comment": " ".join(__doc__.split()), **about}
    return _save(path, data)


def _moved(states: xr.Dataset, target: Cells) -> tuple[xr.Dataset, Grid]:
    """States as fractions of the cells of another regular grid; what reaches beyond the data is no land."""
    if len(target.shape) != 2:
        raise ValueError(f"{target.name}: CTSM's own grid is wanted, a regular one; make it with cells.regular.")
    weights = remap_weights(grid_of(states), target)
    lat, lon = target.lat.reshape(target.shape)[:, 0], target.lon.reshape(target.shape)[0]
    grid = grid_of(xr.Dataset(coords={"lat": lat, "lon": lon}))
    dims = ("time", "lat", "lon")
    moved = {}
    for name in STATES:
        mean, share = apply(weights, states[name])
        values = (mean.fillna(0) * share).where(share > 0).to_numpy().reshape(-1, *target.shape)
        moved[name] = (dims, values)
    return xr.Dataset(moved, {"time": states["time"], "lat": lat, "lon": lon}), grid


def _single(states: xr.Dataset, name: str) -> xr.Dataset:
    """States in single precision, with LUH2's fill value, of the same area."""
    cell = xr.DataArray(grid_of(states).cell_area(), dims="lat")
    single = states.astype(np.float32)
    before, after = (float((d.to_dataarray("state").astype(float) * cell).sum()) for d in (states, single))
    check_area_conserved(before, after, f"{name}: states")
    for state in STATES:
        single[state] = single[state].fillna(_FILL).assign_attrs(states[state].attrs)
        single[state].encoding = dict(_MISSING)
    return single


def _save(path: Path, data: xr.Dataset) -> Path:
    encoding: dict[str, dict[str, object]] = {str(n): {"_FillValue": None} for n in data.variables}
    encoding |= {str(n): {**v.encoding, "zlib": True, "complevel": 1} for n, v in data.variables.items() if v.ndim == 3}
    with new_file(path, data.nbytes) as part:
        data.to_netcdf(part, encoding=encoding, engine="h5netcdf")
    return path
