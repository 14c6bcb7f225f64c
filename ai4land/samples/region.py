"""One region of a run: every field that a model predicts or may predict from, by name, year and window.

Fields are read where they are asked for; `ai4land.samples.region_store` reads them out of a run's cube.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr

from ai4land.grid import COARSE_CELLS, Grid
from ai4land.windows import WHOLE, Window

Read = Callable[[Any, Window], np.ndarray]  # year (None of a field that stands still), rows and columns


@dataclass(frozen=True)
class Kind:
    """What fields of a name have in common: their name in messages, cells, and what to do for a year that is missing.

    ``cells`` is the side of a cell in fine cells; 0 is a grid that no window of the region cuts, or no grid.
    """

    label: str
    cells: int = 1
    advice: str = "change the years in run.yml"


_CLIMATE_MODEL = (
    "before and after a reanalysis it comes from a climate model: name climate_history and climate_scenarios in run.yml"
)
KINDS = {
    "land_use": Kind("land use"),
    "land_cover": Kind("land cover"),
    "leaf_area_index": Kind("leaf area index"),
    "land_use_fraction": Kind("land-use fraction", COARSE_CELLS),
    "data_area": Kind("area with data", COARSE_CELLS),
    "luh2_state": Kind("LUH2", COARSE_CELLS),
    "luh2_fraction": Kind("LUH2", COARSE_CELLS),
    "climate": Kind("climate", 0, _CLIMATE_MODEL),
    "co2": Kind("CO2", 0, "name co2 (and co2_scenarios, after 2014) in the run's inputs"),
}


@dataclass(frozen=True)
class Layer:
    """Where the values of one field come from.

    Parameters
    ----------
    read : callable
        Year and window to an array (..., y, x).
    years : tuple of int, optional
        None stands still.
    names : tuple of str
        Along the axis before rows and columns, where that has names: LUH2's states, the climate's variables.
    grid : Grid, optional
        Of a field on a grid of its own.
    """

    read: Read
    years: tuple[int, ...] | None = None
    names: tuple[str, ...] = ()
    grid: Grid | None = None


def layer_of(values: np.ndarray | Mapping[int, Any], names: Sequence[str] = (), grid: Grid | None = None) -> Layer:
    """Arrays in memory as a layer: one that stands still, or by year."""
    years = tuple(sorted(values)) if isinstance(values, Mapping) else None
    return Layer(_InMemory(values), years, tuple(names), grid)


@dataclass(frozen=True, eq=False)
class Region:
    """One region: what is predicted, and what it may be predicted from.

    Parameters
    ----------
    name : str
    grid : Grid
        Fine cells.
    corner : tuple of int = (row, col)
        Place of the first fine cell in the run's grid.
    layers : mapping of str to Layer
        By name: those of `KINDS`, and layers that stand still (y, x) under names of their own.
    resident : bool
        Fine fields are in memory, or stay there once they were read: a sampler copies whole ones to its device.
    """

    name: str
    grid: Grid
    corner: tuple[int, int] = (0, 0)
    layers: Mapping[str, Layer] = field(default_factory=dict)
    resident: bool = True

    def __contains__(self, name: str) -> bool:
        return name in self.layers

    def layer(self, name: str) -> Layer:
        """Where a field comes from.

        Raises
        ------
        ValueError
            If the region has no field of that name.
        """
        if name not in self.layers:
            raise ValueError(f"region {self.name}: no field {name!r}; it has {', '.join(sorted(self.layers))}.")
        return self.layers[name]

    def field(self, name: str, year: int | None = None, window: Window = WHOLE) -> np.ndarray:
        """One field of one year, or a window of it.

        Parameters
        ----------
        name : str
            ``land_use`` (y, x) uint8, 255 is no data; ``land_cover`` (y, x) uint8, 0 is no data; ``leaf_area_index``
            (12, y, x) float32, m2 m-2, NaN where missing.
            On blocks of 25 x 25 cells: ``land_use_fraction`` (class, Y, X) float32, of the cells with data, NaN without
            any; ``data_area`` (Y, X) float64, m2; ``luh2_state`` (state, Y, X) float32, fractions of the whole cell
            (1), years and kg m-2, NaN is ocean; ``luh2_fraction`` (class, Y, X) float32, of the whole cell: what is
            neither land nor ice-free stands as ocean.
            ``climate`` (month, variable, Y, X) float32 on the grid of ``grid_of("climate")``, NaN where missing, as
            over the sea; ``co2`` (), 1e-6. Every layer that stands still under its name, (y, x) float32, climate zones
            uint8.
        year : int, optional
            None for what stands still.
        window : tuple of slice
            Rows and columns in the field's own cells.

        Returns
        -------
        numpy.ndarray
            Of a resident region perhaps a view of what is kept: it must not be written into.

        Raises
        ------
        ValueError
            If there is no such field, or none of that year.
        """
        layer = self.layer(name)
        if layer.years is None:
            if year is not None:
                raise ValueError(
                    f"region {self.name}: {name} stands still, and {year} is asked for; leave the year out."
                )
            return layer.read(None, window)
        if year not in layer.years:
            years, kind = sorted(layer.years), KINDS[name]
            have = f"{years[0]}-{years[-1]}" if years else "none"
            raise ValueError(f"region {self.name}: {kind.label} has no year {year}, there are {have}; {kind.advice}.")
        return layer.read(year, window)

    def years(self, name: str) -> list[int]:
        """Years of a field; none where it stands still."""
        return list(self.layer(name).years or ())

    def names(self, name: str) -> list[str]:
        """Names along the axis before rows and columns: LUH2's states, the climate's variables."""
        return list(self.layer(name).names)

    def grid_of(self, name: str) -> Grid:
        """Cells of a field."""
        own, cells = self.layer(name).grid, KINDS[name].cells if name in KINDS else 1
        return own or (self.grid if cells == 1 else self.grid.blocks(cells))

    @property
    def static(self) -> list[str]:
        """Names of the layers that stand still, in alphabetical order."""
        return sorted(name for name, layer in self.layers.items() if layer.years is None)

    def data_array(self, name: str, year: int) -> xr.DataArray:
        """Map of one year with its coordinates."""
        return xr.DataArray(self.field(name, year), self.grid.coords(), ("lat", "lon"), name)

    def with_fields(self, **fields: Layer | np.ndarray | Mapping[int, Any]) -> "Region":
        """The same region with other values of some fields: a layer, or arrays in memory, by year where they have any.

        A field has no other years than those given; its names and its grid stay.
        """
        layers = dict(self.layers)
        for name, values in fields.items():
            own = layers.get(name, Layer(_InMemory({})))
            layers[name] = values if isinstance(values, Layer) else layer_of(values, own.names, own.grid)
        return replace(self, layers=layers)

    def with_years(self, **fields: Mapping[int, np.ndarray]) -> "Region":
        """The same region with other maps of some years, or with more years, and all other years as they are."""
        changed = {}
        for name, values in fields.items():
            own = self.layer(name)
            years = *(own.years or ()), *(year for year in values if year not in (own.years or ()))
            changed[name] = replace(own, read=_Over(own.read, values), years=years)
        return self.with_fields(**changed)

    def cut(self, window: Window) -> "Region":
        """A part of the region, with the coarse cells under it; the climate keeps its cells.

        Raises
        ------
        ValueError
            If it does not begin at a coarse cell.
        """
        cells = Window(*window).resolved(self.grid.shape)
        if cells.cut_units((COARSE_CELLS, COARSE_CELLS)):
            raise ValueError(
                f"region {self.name}: a part from cell {cells.rows.start}, {cells.cols.start} would cut coarse cells; "
                f"begin it at multiples of {COARSE_CELLS}."
            )
        layers = dict(self.layers)
        for name, layer in layers.items():
            side = KINDS[name].cells if name in KINDS else 1
            if side:
                layers[name] = replace(layer, read=_Part(layer.read, cells.coarse(side)))
        return replace(self, grid=self.grid.cut(*cells), corner=cells.moved(*self.corner).corner, layers=layers)


def within(window: Window, cells: Window) -> Window:
    """A window of some cells, perhaps with steps, counted where these are counted."""
    rows, cols = (
        slice(cell.start + first, cell.start + last, step)
        for cell, (first, last, step) in zip(
            cells, (part.indices(n) for part, n in zip(window, cells.shape, strict=True)), strict=True
        )
    )
    return Window(rows, cols)


@dataclass(frozen=True)
class _InMemory:
    values: Any

    def __call__(self, year: Any, window: Window) -> np.ndarray:
        values = np.asarray(self.values if year is None else self.values[year])
        return values[(..., *window)] if values.ndim else values


@dataclass(frozen=True)
class _Over:
    """Values of some years over those of a layer."""

    read: Read
    values: Mapping[int, np.ndarray]

    def __call__(self, year: Any, window: Window) -> np.ndarray:
        return self.values[year][(..., *window)] if year in self.values else self.read(year, window)


@dataclass(frozen=True)
class _Part:
    """Some cells of a layer."""

    read: Read
    cells: Window

    def __call__(self, year: Any, window: Window) -> np.ndarray:
        return self.read(year, within(window, self.cells))
