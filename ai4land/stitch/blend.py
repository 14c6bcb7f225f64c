"""One map of all regions: cells on which regions disagree are allocated again, on blended probabilities.

Every coarse cell of a band is allocated by each region that has a say in it, to the same wanted areas. Cells to which
all give the same class keep it; the others share out what is left of the wanted areas, so a coarse cell keeps its
areas, and where regions agree nothing changes. For one step of a model they do agree, when the halo holds its reach.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ai4land.allocate import match_areas
from ai4land.grid import COARSE_CELLS, block_index
from ai4land.legend import NO_DATA, class_codes, read_legend
from ai4land.stitch.tiles import Tile, band_windows, tile_weights
from ai4land.windows import Window

# Half of a say goes to the class that a region gave: a year is stitched without the year before, and the class knows
# the region's past. By the probabilities alone more cells would change, and change back, than any region has changed.
_GIVEN = 0.5


@dataclass(frozen=True)
class _Say:
    """What one region says of some cells."""

    weight: np.ndarray
    labels: np.ndarray
    chance: np.ndarray
    score: np.ndarray  # (class, y, x): probabilities, and the class that was given


def chance_of(labels: np.ndarray, given: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """Chance that classes are right, from a map and the chance that *its* classes are.

    Parameters
    ----------
    labels, given : numpy.ndarray, shape (y, x), uint8
        Classes that are asked about; the map's.
    chance : numpy.ndarray, shape (y, x), float32
        That ``given`` is right (1); the other land classes share the rest.
    """
    others = class_codes(read_legend("land_use"), land_only=True).size - 1
    return np.where(labels == given, chance, (1 - chance) / others).astype(np.float32)


def join_regions(tiles: Mapping[str, Tile], made: Mapping[str, xr.Dataset], year: int, window: Window) -> np.ndarray:
    """Map of one year with hard edges: the own cells of each region, (y, x) uint8 of a window of the run's grid.

    255 where no region is. For comparison; `stitch_window` makes the product's.
    """
    labels = np.full(window.shape, NO_DATA, np.uint8)
    for name, tile in tiles.items():
        if part := tile.own.intersection(window):
            rows, cols = part.relative_to(tile.wide)
            labels[part.relative_to(window)] = made[name]["land_use"].sel(time=year)[rows, cols].to_numpy()
    return labels


def stitch_window(
    tiles: Mapping[str, Tile], made: Mapping[str, xr.Dataset], region: str, year: int, window: Window,
    pools: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Map of one year in some of a region's own cells, and the chance that it is right.

    Of the neighbours only their parts of the bands are read.

    Parameters
    ----------
    tiles : dict of str to Tile
        Of all regions.
    made : dict of str to xarray.Dataset
        Rollouts of the regions on their wide windows, as `ai4land.rollout.roll` keeps them, at least of the region
        and its neighbours.
    region : str
    year : int
    window : Window
        Of the run's grid, within the region's own cells, from the corner of a coarse cell.
    pools : numpy.ndarray, shape (class,), int
        Number of the pool of classes whose area is wanted together; -1 for a class that is not allocated.

    Returns
    -------
    labels : numpy.ndarray, shape (y, x), uint8
        255 is no data.
    chance : numpy.ndarray, shape (y, x), float32
        That the class is right (1).
    """
    labels, chance = _read(tiles[region], made[region], year, window)
    for band in band_windows(tiles[region]):
        if part := band.intersection(window):
            here = part.relative_to(window)
            met = [name for name in sorted(tiles) if part.intersection(tiles[name].covered)]
            says = [_say(tiles[name], made[name], year, part) for name in met]
            labels[here] = _blend(says, labels[here], part, pools)
            chance[here] = sum(s.weight * chance_of(labels[here], s.labels, s.chance) for s in says)
    return labels, chance


def stitch_maps(
    tiles: Mapping[str, Tile], made: Mapping[str, xr.Dataset], region: str, years: Sequence[int], pools: np.ndarray
) -> xr.DataArray:
    """Stitched maps of a region's own cells in some years, (time, lat, lon) uint8; see `stitch_window`."""
    tile = tiles[region]
    maps = np.stack([stitch_window(tiles, made, region, year, tile.own, pools)[0] for year in years])
    rows, cols = tile.inside()
    own = made[region].isel(lat=rows, lon=cols)
    return xr.DataArray(maps, {"time": list(years), "lat": own["lat"], "lon": own["lon"]}, ("time", "lat", "lon"))


def _read(tile: Tile, made: xr.Dataset, year: int, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """Classes of one rollout, and the chance that they are right, in a window of the run's grid."""
    rows, cols = window.relative_to(tile.wide)
    one = made[["land_use", "confidence"]].sel(time=year).isel(lat=rows, lon=cols)
    return one["land_use"].to_numpy().copy(), one["confidence"].to_numpy().copy()


def _say(tile: Tile, made: xr.Dataset, year: int, part: Window) -> _Say:
    """What a region says of a part of the bands; it may reach into some of it only, and has no weight elsewhere."""
    window = part.intersection(tile.covered)
    assert window is not None
    labels, chance = _read(tile, made, year, window)
    rows, cols = window.relative_to(tile.wide)
    p = made["probability"].sel(time=year).isel(lat=rows, lon=cols).to_numpy() * np.float32(1 - _GIVEN)
    p[labels == np.arange(len(p))[:, None, None]] += _GIVEN
    rows, cols = window.relative_to(part)
    around = tuple((i.start, w.stop - w.start - i.stop) for i, w in zip((rows, cols), part, strict=True))
    weight = tile_weights(tile, window).astype(np.float32)
    return _Say(np.pad(weight, around), np.pad(labels, around), np.pad(chance, around), np.pad(p, ((0, 0), *around)))


def _blend(says: list[_Say], own: np.ndarray, part: Window, pools: np.ndarray) -> np.ndarray:
    """Classes of a part of the bands; ``own`` are those of the region it belongs to."""
    land = np.isin(own, class_codes(read_legend("land_use"), land_only=True))
    open_ = land & np.any([(s.weight > 0) & (s.labels != own) for s in says], axis=0)
    if not open_.any():
        return own
    p = np.add.reduce([s.weight * s.score for s in says], axis=0)
    blocks = block_index((own.shape[0], own.shape[1]), COARSE_CELLS)
    n, size = int(pools.max()) + 1, int(blocks.max()) + 1
    wanted = np.bincount(blocks[open_] * n + pools[own[open_]], minlength=size * n).reshape(size, n).T
    corner = part[0].start, part[1].start
    again = match_areas(p, open_, wanted, pools, COARSE_CELLS, corner=corner).labels
    return np.where(open_, again, own).astype(np.uint8)
