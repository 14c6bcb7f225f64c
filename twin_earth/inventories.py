"""What inventories would say of the twin Earth: LUH2 on 0.25 degree, and people on 0.5 degree (ISIMIP histsoc).

LUH2 differs from the truth as the real one does: forest is potential forest, some grass counts as rangeland, cropland
and pasture have smooth regional errors, local ups and downs are missing, ice and water are left out. People live in
towns and on fields.
"""

from math import ceil, floor
from pathlib import Path

import numpy as np
import xarray as xr

from ai4land.grid import COARSE_CELLS, Grid
from twin_earth.earth import OTHER, Ground, fine_position, in_blocks
from twin_earth.land_use import Demand
from twin_earth.noise import fractal_noise, value_noise
from twin_earth.writers import write_netcdf

FILL = 1e20
_CROPS = {"c3ann": 0.5, "c4ann": 0.2, "c3per": 0.12, "c4per": 0.06, "c3nfx": 0.12}  # shares where all is even
_MARGIN = 2 * COARSE_CELLS  # fine cells
_FILLED = {"_Fillvalue": np.float32(FILL), "missing_value": np.float32(FILL)}  # the publisher's spelling
_PEOPLE = "population_histsoc_30arcmin_annual_1901_2021.nc"
_PEOPLE_YEARS = np.arange(1901, 2022)
_IN_TOWN = 3000.0  # people on a km2 of town
_ON_LAND = np.array([0.0, 40.0, 4.0, 0.5, 0.5, 0.1])  # the same outside towns, by class of land use, urban first


class Inventory:
    """Still fields of LUH2 in a window, and its states in any years.

    Attributes
    ----------
    ocean, ice_water, forest, biomass : numpy.ndarray, shape (coarse rows, coarse cols)
        Cells without data (bool), fraction of ice and water (1), potential forest (0 or 1), potential biomass
        carbon (kg m-2).
    """

    def __init__(self, grid: Grid, seed: int, scenario: str = "") -> None:
        ground = Ground(grid, seed)
        self.grid, self.seed = grid.blocks(COARSE_CELLS), seed
        self.demand = Demand(ground, scenario)
        area = np.broadcast_to(grid.cell_area()[:, None], grid.shape)
        land = in_blocks(np.where(ground.kind == OTHER, area, 0.0)).sum(-1) / in_blocks(area).sum(-1)
        ice = np.clip((-6 - self.demand.t) / 4, 0, 1)
        self.ocean = land < 0.01  # what is smaller than this is off the inventory's own coast
        self.ice_water = np.where(self.ocean, 1.0, 1 - land * (1 - ice)).astype(np.float32)
        potential = self.demand.trees * (1 - self.demand.bare)
        self.forest = (potential >= 0.4).astype(np.float32)
        self.biomass = 20 * potential + 1.5 * (1 - self.demand.bare)

    def _noise(self, layer: int, scales: tuple[float, ...] = (400.0, 150.0)) -> np.ndarray:
        return fractal_noise(*fine_position(self.grid.lat, self.grid.lon), scales, self.seed, layer)

    def _land_shares(self, years: np.ndarray) -> dict[str, np.ndarray]:
        """States as shares of land (1), each (years, rows, cols); they sum to 1."""
        wanted = self.demand.managed(years, swing=False)
        wanted[1] *= np.clip(1 + 0.4 * self._noise(81), 0.3, None)
        wanted[2] *= np.clip(1 + 0.4 * self._noise(82), 0.3, None)
        urban, crop, pasture, _, grass, other = self.demand.shares(wanted)
        grazed = np.clip(0.35 + 0.5 * self._noise(83), 0, 0.9) * self.demand.progress(years)
        rangeland = grazed * (grass + 0.3 * other)
        managed = np.clip(self.demand.p / 1200 + 0.3 * self._noise(84), 0.1, 0.9)
        primary = self._primary(years)
        rest = 1 - urban - crop - pasture - rangeland
        weights = {name: w * np.exp(1.5 * self._noise(85 + i)) for i, (name, w) in enumerate(_CROPS.items())}
        total = sum(weights.values())
        return {
            "primf": rest * primary * self.forest, "primn": rest * primary * (1 - self.forest),
            "secdf": rest * (1 - primary) * self.forest, "secdn": rest * (1 - primary) * (1 - self.forest),
            "pastr": pasture * managed, "range": pasture * (1 - managed) + rangeland, "urban": urban,
            **{name: crop * weight / total for name, weight in weights.items()},
        }  # fmt: skip

    def _primary(self, years: np.ndarray) -> np.ndarray:
        """Share of natural land that was never used: it decays with all the use there has been."""
        used = 25 * np.log1p(np.exp((years - self.demand.onset) / 25))  # the time integral of settling, years
        return np.exp(-self.demand.settled * (0.2 + used / 60))

    def states(self, years: np.ndarray) -> dict[str, np.ndarray]:
        """The 12 states, secma and secmb in calendar years, each (years, rows, cols) float32; 1e20 at sea.

        States are fractions of the whole cell (1), which sum to 1 minus ice and water; ``secma`` is in years, ``secmb``
        in kg m-2.
        """
        when = np.asarray(years, float)[:, None, None]
        fields = {name: share * (1 - self.ice_water) for name, share in self._land_shares(when).items()}
        turnover = 30 + 120 * value_noise(*fine_position(self.grid.lat, self.grid.lon), 300.0, self.seed, 90)
        age = turnover * (1 - np.exp(-np.clip(when - self.demand.onset + 80, 1, None) / turnover))
        some = fields["secdf"] + fields["secdn"] > 0
        fields["secma"] = np.where(some, age, 0)
        fields["secmb"] = np.where(some, self.biomass * (1 - np.exp(-age / 40)), 0)
        return {name: np.where(self.ocean, FILL, field).astype(np.float32) for name, field in fields.items()}


def _coordinates(grid: Grid) -> dict[str, tuple[object, np.ndarray, dict[str, str]]]:
    about = {"units": "degrees_north", "standard_name": "latitude", "axis": "Y", "bounds": "lat_bounds"}
    east = {"units": "degrees_east", "standard_name": "longitude", "axis": "X", "bounds": "lon_bounds"}
    return {"lat": ("lat", grid.lat, about), "lon": ("lon", grid.lon, east)}


def _bounds(grid: Grid) -> dict[str, tuple[tuple[str, str], np.ndarray]]:
    lat, lon = grid.lat_edges.astype(np.float32), grid.lon_edges.astype(np.float32)
    return {
        "lat_bounds": (("lat", "bounds"), np.stack([lat[:-1], lat[1:]], -1)),
        "lon_bounds": (("lon", "bounds"), np.stack([lon[:-1], lon[1:]], -1)),
    }


def _widened(grid: Grid) -> Grid:
    return grid.cut(slice(-_MARGIN, grid.rows + _MARGIN), slice(-_MARGIN, grid.cols + _MARGIN))


def write_states(path: Path, grid: Grid, years: np.ndarray, origin: int, seed: int, scenario: str = "") -> None:
    """Write the states as the publisher does: time in "years since" ``origin``, which no reader decodes, and a
    mis-cased fill; two coarse cells of margin lie around the window.
    """
    inventory = Inventory(_widened(grid), seed, scenario)
    units = {"secma": ("mean age of secondary land", "years"), "secmb": ("mean biomass density", "kg m-2")}
    fields = {
        name: (("time", "lat", "lon"), field, dict(zip(("long_name", "units"), units.get(name, (name, "1")),
               strict=True)) | _FILLED)
        for name, field in inventory.states(years).items()
    }  # fmt: skip
    time = np.asarray(years, float) - origin
    about = {"units": f"years since {origin}-01-01 0:0:0", "calendar": "noleap", "axis": "T", "bounds": "time_bnds"}
    data = xr.Dataset(
        {**fields, **_bounds(inventory.grid), "time_bnds": (("time", "bounds"), np.stack([time, time + 1], -1))},
        {"time": ("time", time, {**about, "standard_name": "time"}), **_coordinates(inventory.grid)},
        {"title": "Land-use states of the twin Earth (synthetic)", "Conventions": "CF-1.6", "frequency": "yr"},
    )
    shape = (1, *inventory.grid.shape)
    write_netcdf(
        path, data, {n: {"_FillValue": None, "zlib": True, "complevel": 1, "chunksizes": shape} for n in fields}
    )


def write_static(path: Path, grid: Grid, seed: int) -> None:
    """Write the static file: ptbio (kg m-2), fstnf (1), carea (km2), icwtr (1) and ccode (one country)."""
    inventory = Inventory(_widened(grid), seed)
    cells, land = inventory.grid, ~inventory.ocean
    fields = {
        "ptbio": (np.where(land, inventory.biomass, 0), "kg m-2"),
        "fstnf": (np.where(land, inventory.forest, 0), "1"),
        "carea": (np.broadcast_to(cells.cell_area()[:, None] / 1e6, cells.shape), "km2"),
        "icwtr": (inventory.ice_water, "1"),
        "ccode": (land, "1"),
    }
    data = xr.Dataset(
        {n: (("lat", "lon"), f.astype(np.float32), {"units": u, **_FILLED}) for n, (f, u) in fields.items()}
        | _bounds(cells),
        _coordinates(cells),
        {"title": "Static land data of the twin Earth (synthetic)", "Conventions": "CF-1.6"},
    )
    write_netcdf(path, data, {})


def _halves(grid: Grid) -> Grid:
    """Fine cells of the cells of 0.5 degree that touch a window."""
    west, south, east, north = np.round(np.array(grid.bounds) * 2, 6)
    rows, cols = ceil(north) - floor(south), ceil(east) - floor(west)
    return Grid(ceil(north) / 2, floor(west) / 2, grid.dlat, grid.dlon, rows * 50, cols * 50)


def population(grid: Grid, years: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """People of every cell of 0.5 degree in some years; the window holds whole ones.

    Returns
    -------
    dict of numpy.ndarray, each (years, rows, cols) float32
        ``urban-population``, ``rural-population`` and ``total-population``; 1e20 where there is no land.
    """
    ground = Ground(grid, seed)
    area = np.broadcast_to(grid.cell_area()[:, None] / 1e6, grid.shape)
    land = in_blocks(np.where(ground.kind == OTHER, area, 0.0)).sum(-1).astype(float)  # km2
    wanted = Demand(ground)
    shares = wanted.shares(wanted.managed(np.asarray(years, float)[:, None, None], swing=False))
    crowd = {"urban-population": _IN_TOWN * shares[0], "rural-population": np.tensordot(_ON_LAND, shares, 1)}
    rows, cols = (size // 2 for size in land.shape)

    def whole(field: np.ndarray) -> np.ndarray:
        return field.reshape(*field.shape[:-2], rows, 2, cols, 2).sum((-3, -1))

    people = {name: np.rint(whole(field * land)) for name, field in crowd.items()}
    people["total-population"] = people["urban-population"] + people["rural-population"]
    return {name: np.where(whole(land) > 0, field, FILL).astype(np.float32) for name, field in people.items()}


def write_population(raw: Path, grid: Grid, seed: int) -> None:
    """Write people of 1901-2021 on the 0.5 degree cells that touch a window."""
    if (raw / _PEOPLE).exists():
        return
    fine = _halves(grid)
    cells = fine.blocks(2 * COARSE_CELLS)
    about = {"units": "1", "missing_value": np.float32(FILL)}
    fields = {
        name: (("time", "lat", "lon"), field, about | {"long_name": name.replace("-", " ")})
        for name, field in population(fine, _PEOPLE_YEARS, seed).items()
    }
    days = np.array([f"{year}-01-01" for year in _PEOPLE_YEARS], "datetime64[D]") - np.datetime64("1901-01-01")
    time = {"units": "days since 1901-01-01 00:00:00", "calendar": "proleptic_gregorian", "axis": "T",
            "standard_name": "time"}  # fmt: skip
    data = xr.Dataset(
        fields,
        {"time": ("time", days / np.timedelta64(1, "D"), time), **cells.coords()},
        {"title": "Population of the twin Earth (synthetic)"},
    )
    packed = {"_FillValue": np.float32(FILL), "zlib": True, "complevel": 1, "chunksizes": (1, *cells.shape)}
    write_netcdf(raw / _PEOPLE, data, dict.fromkeys(fields, packed))
