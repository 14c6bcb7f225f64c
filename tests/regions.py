"""Regions made of arrays, for tests."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import xarray as xr

from ai4land.samples import Region
from ai4land.samples.region import Layer, layer_of
from ai4land.samples.states import whole_cell_fractions


def luh2_layers(
    years: Sequence[int], names: list[str], states: np.ndarray, fraction: np.ndarray | None = None
) -> dict[str, Layer]:
    """Fields of LUH2 from its states (year, state, Y, X); class fractions follow from them where they are not given."""
    if fraction is None:
        fields = {name: (("time", "lat", "lon"), states[:, k]) for k, name in enumerate(names)}
        fraction = whole_cell_fractions(xr.Dataset(fields, {"time": list(years)}))
    by_year = [dict(zip(years, values, strict=True)) for values in (states, fraction)]
    return {"luh2_state": layer_of(by_year[0], names), "luh2_fraction": layer_of(by_year[1])}


def all_years(region: Region, name: str) -> np.ndarray:
    """A field of all its years, (year, ...)."""
    return np.stack([region.field(name, year) for year in region.years(name)])


def without(region: Region, *names: str) -> Region:
    """A region without some fields."""
    return replace(region, layers={name: layer for name, layer in region.layers.items() if name not in names})


def some_years(region: Region, name: str, years: Sequence[int]) -> dict[str, Layer]:
    """A field without its other years."""
    return {name: replace(region.layer(name), years=tuple(years))}
