"""LUH2 of the twin Earth: what an inventory of the made-up planet would say, on 0.25 degree.

It differs from the truth as the real one does: forest is potential forest, some grass counts as rangeland,
cropland and pasture have smooth regional errors, local ups and downs are missing, ice and water are left out.
"""

from pathlib import Path

import numpy as np
import xarray as xr

from ai4land.grid import COARSE_CELLS, Grid
from ai4land.twin.demand import Demand
from ai4land.twin.earth import fine_position
from ai4land.twin.ground import OTHER, Ground, in_blocks
from ai4land.twin.noise import fractal_noise, value_noise
from ai4land.twin.writers import write_netcdf

FILL = 1e20
_CROPS = {"c3ann": 0.5, "c4ann": 0.2, "c3per": 0.12, "c4per": 0.06, "c3nfx": 0.12}  # shares where all is even
_MARGIN = 2  # coarse cells
_FILLED = {"_Fillvalue": np.float32(FILL), "missing_value": np.float32(FILL)}  # the publisher's spelling


class Inventory:
    """Still fields of LUH2 in a window, and its states in any years.

    Parameters
    ----------
    grid : Grid
        Fine cells of 0.01 degree; edges on the 0.25 degree lattice of the globe.
    seed : int
    scenario : str
        A key of ``SCENARIOS``.

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
        """The 12 states, secma and secmb.

        Parameters
        ----------
        years : numpy.ndarray, shape (years,)
            Calendar years.

        Returns
        -------
        dict of numpy.ndarray, each (years, rows, cols) float32
            States as fractions of the whole cell (1), which sum to 1 minus ice and water; ``secma`` (years);
            ``secmb`` (kg m-2); 1e20 at sea.
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
    n = _MARGIN * COARSE_CELLS
    return grid.cut(slice(-n, grid.rows + n), slice(-n, grid.cols + n))


def write_states(path: Path, grid: Grid, years: np.ndarray, origin: int, seed: int, scenario: str = "") -> None:
    """Write the states as the publisher does: time in "years since", which no reader decodes, and a mis-cased fill.

    Parameters
    ----------
    path : pathlib.Path
    grid : Grid
        Fine cells of the window; the file has two coarse cells of margin around it.
    years : numpy.ndarray
        Calendar years.
    origin : int
        Year that time is counted from.
    seed : int
    scenario : str
        A key of ``SCENARIOS``.
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
    packed: dict[str, dict[str, object]] = {str(n): {"_FillValue": None} for n in data.variables}
    packed |= {n: {"_FillValue": None, "zlib": True, "complevel": 1, "chunksizes": shape} for n in fields}
    write_netcdf(path, data, packed)


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
    write_netcdf(path, data, {str(n): {"_FillValue": None} for n in data.variables})
