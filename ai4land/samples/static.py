"""Layers of a cube that stand still: relief, soil, climate zones, LUH2's static fields."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ai4land.cube import has_relief
from ai4land.grid import COARSE_CELLS


@dataclass(frozen=True)
class _Stepped:
    """Coarse values that are repeated over their fine cells where they are cut."""

    coarse: np.ndarray

    def __getitem__(self, window: tuple) -> np.ndarray:
        window = tuple(part for part in window if part is not Ellipsis)
        fine = [np.arange(*part.indices(n * COARSE_CELLS)) // COARSE_CELLS
                for part, n in zip(window, self.coarse.shape, strict=True)]  # fmt: skip
        return self.coarse[np.ix_(*fine)]


def read_static(path: Path, fine: xr.Dataset, coarse: xr.Dataset, resident: bool = True) -> dict[str, Any]:
    """Layers that stand still, of some cells of a cube.

    Parameters
    ----------
    path : pathlib.Path
        The store.
    fine, coarse : xarray.Dataset
        Its groups of these names, cut to the cells; ``coarse`` in memory.
    resident : bool
        False leaves the fine layers in the store.

    Returns
    -------
    dict of str to array, shape (y, x), float32, of climate zones uint8
        By name, in alphabetical order: a store lists its arrays in any, and features must come in one.
    """
    shape = fine.sizes["lat"], fine.sizes["lon"]
    static: dict[str, Any] = {
        str(n): v.to_numpy() if resident else v.variable for n, v in fine.data_vars.items() if v.dims == ("lat", "lon")
    }
    for name, values in coarse.data_vars.items():
        if values.dims == ("lat", "lon"):
            stepped = _Stepped(values.to_numpy())
            static[str(name)] = stepped[: shape[0], : shape[1]] if resident else stepped
    if has_relief(path):
        relief = xr.open_zarr(path, group="relief", consolidated=False).load()["elevation"]
        static["elevation"] = relief.interp(lat=fine["lat"], lon=fine["lon"]).to_numpy().astype(np.float32)
    return {name: static[name] for name in sorted(static)}
