"""One map of all regions: cells on which regions disagree are decided again, on blended probabilities.

Cells to which all regions give the same class keep it. Where areas of pools of classes are matched, the others share
out the areas that their own region counted in their coarse cell, so that it keeps its areas; of other targets each
takes the class of the largest blended probability. Where regions agree nothing changes; for one step of a model they
do agree, when the halo holds its receptive field.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ai4land.allocate import match_areas, probability_of
from ai4land.grid import COARSE_CELLS, block_index
from ai4land.legend import NO_DATA, class_codes
from ai4land.stitch.tiles import Tile, band_windows, tile_weights
from ai4land.targets import Target, read_target
from ai4land.windows import Window

# Half of a vote goes to the class that a region gave: a year is stitched without the year before, and the class knows
# the region's past. By the probabilities alone more cells would change, and change back, than any region has changed.
_GIVEN = 0.5
_LEAST = 0.5 / 255  # probabilities are kept in steps of 1/255: a smaller sum is rounding


@dataclass(frozen=True)
class Vote:
    """What one region says of some cells.

    Attributes
    ----------
    weight : numpy.ndarray, shape (y, x), float32
        Of the region; the weights of all regions add up to 1, and 0 is where it has none.
    labels : numpy.ndarray, shape (y, x), uint8
        Its classes.
    chance : numpy.ndarray, shape (y, x), float32
        That they are right (1).
    probability : numpy.ndarray, shape (class, y, x), float32, optional
        Of all classes, in the order of the target's codes; absent where none were kept.
    """

    weight: np.ndarray
    labels: np.ndarray
    chance: np.ndarray
    probability: np.ndarray | None = None


def chance_of(target: Target, labels: np.ndarray, vote: Vote) -> np.ndarray:
    """Chance that classes are right by one region's vote.

    What its chance leaves to other classes than its own they share as they do in its probabilities; where it has none
    for them, the land classes share alike.

    Parameters
    ----------
    target : Target
        Of classes.
    labels : numpy.ndarray, shape (y, x), uint8
        Classes that are asked about.
    vote : Vote

    Returns
    -------
    numpy.ndarray, shape (y, x), float32
    """
    others = class_codes(target.classes, land_only=True).size - 1
    share = np.full(labels.shape, 1 / others, np.float32)
    if (p := vote.probability) is not None:
        left = p.sum(0) - probability_of(target, p, vote.labels)
        share = np.divide(probability_of(target, p, labels), left, out=share, where=left > _LEAST)
    return np.where(labels == vote.labels, vote.chance, (1 - vote.chance) * share).astype(np.float32)


def blend_classes(
    target: Target, votes: Sequence[Vote], own: np.ndarray, corner: tuple[int, int], pools: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """One map of the votes of several regions, and the chance that it is right.

    Parameters
    ----------
    target : Target
        Of classes.
    votes : sequence of Vote
        All with probabilities.
    own : numpy.ndarray, shape (y, x), uint8
        Classes of the region that the cells belong to.
    corner : tuple of int
        Row and column of the first cell in the run's grid.
    pools : numpy.ndarray, shape (class,), int, optional
        Number of the pool of classes whose area is wanted together; -1 for a class that is not allocated. Without them
        a cell takes the class of the largest sum.

    Returns
    -------
    labels : numpy.ndarray, shape (y, x), uint8
    chance : numpy.ndarray, shape (y, x), float32
    """
    decided = target.codes if pools is None else np.flatnonzero(pools >= 0)
    differ = np.any([(vote.weight > 0) & (vote.labels != own) for vote in votes], axis=0)
    open_, labels = np.isin(own, decided) & differ, own
    if open_.any():
        p = np.add.reduce([vote.weight * _guarded(target, vote) for vote in votes], axis=0)
        again = target.codes[p.argmax(0)] if pools is None else _match(p, open_, own, pools, corner)
        labels = np.where(open_, again, own).astype(np.uint8)
    chance = sum(vote.weight * chance_of(target, labels, vote) for vote in votes)
    return labels, np.asarray(chance, np.float32)


def _guarded(target: Target, vote: Vote) -> np.ndarray:
    """Probabilities of a vote, half of them given to its class."""
    assert vote.probability is not None
    given = vote.labels == target.codes[:, None, None]
    return vote.probability * np.float32(1 - _GIVEN) + given * np.float32(_GIVEN)


def _match(p: np.ndarray, open_: np.ndarray, own: np.ndarray, pools: np.ndarray, corner: tuple[int, int]) -> np.ndarray:
    """Classes of the open cells, with the areas of pools that their own classes have in every coarse cell."""
    blocks = block_index((own.shape[0], own.shape[1]), COARSE_CELLS)
    n, size = int(pools.max()) + 1, int(blocks.max()) + 1
    wanted = np.bincount(blocks[open_] * n + pools[own[open_]], minlength=size * n).reshape(size, n).T
    return match_areas(p, open_, wanted, pools, COARSE_CELLS, corner=corner).labels


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
    target: Target, tiles: Mapping[str, Tile], made: Mapping[str, xr.Dataset], region: str, year: int, window: Window,
    pools: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Map of one year in some of a region's own cells, and the chance that it is right.

    Of the neighbours only their parts of the bands are read.

    Parameters
    ----------
    target : Target
        Of classes.
    tiles : dict of str to Tile
        Of all regions.
    made : dict of str to xarray.Dataset
        Rollouts of the regions on their wide windows, at least of the region and its neighbours: the target's classes,
        ``confidence`` and ``probability``, by year.
    region : str
    year : int
    window : Window
        Of the run's grid, within the region's own cells, from the corner of a coarse cell.
    pools : numpy.ndarray, shape (class,), int, optional
        As in `blend_classes`.

    Returns
    -------
    labels : numpy.ndarray, shape (y, x), uint8
    chance : numpy.ndarray, shape (y, x), float32
        That the class is right (1).
    """
    labels, chance = (
        values.copy() for values in _read(tiles[region], made[region], year, window, target.name, "confidence")
    )
    for band in band_windows(tiles[region]):
        if part := band.intersection(window):
            here, corner = part.relative_to(window), (part[0].start, part[1].start)
            met = [name for name in sorted(tiles) if part.intersection(tiles[name].covered)]
            votes = [_vote(target, tiles[name], made[name], year, part) for name in met]
            labels[here], chance[here] = blend_classes(target, votes, labels[here], corner, pools)
    return labels, chance


def stitch_maps(
    tiles: Mapping[str, Tile], made: Mapping[str, xr.Dataset], region: str, years: Sequence[int], pools: np.ndarray
) -> xr.DataArray:
    """Stitched land use of a region's own cells in some years, (time, lat, lon) uint8; see `stitch_window`."""
    tile, target = tiles[region], read_target("land_use")
    maps = np.stack([stitch_window(target, tiles, made, region, year, tile.own, pools)[0] for year in years])
    rows, cols = tile.inside()
    own = made[region].isel(lat=rows, lon=cols)
    return xr.DataArray(maps, {"time": list(years), "lat": own["lat"], "lon": own["lon"]}, ("time", "lat", "lon"))


def _read(tile: Tile, made: xr.Dataset, year: int, window: Window, *names: str) -> list[np.ndarray]:
    """Variables of one rollout in a window of the run's grid."""
    rows, cols = window.relative_to(tile.wide)
    return [made[name].sel(time=year).isel(lat=rows, lon=cols).to_numpy() for name in names]


def _vote(target: Target, tile: Tile, made: xr.Dataset, year: int, part: Window) -> Vote:
    """Vote of a region on a part of the bands; it may reach into some of it only, and has no weight elsewhere."""
    window = part.intersection(tile.covered)
    assert window is not None
    labels, chance, probability = _read(tile, made, year, window, target.name, "confidence", "probability")
    rows, cols = window.relative_to(part)
    around = tuple((i.start, w.stop - w.start - i.stop) for i, w in zip((rows, cols), part, strict=True))
    weight = np.pad(tile_weights(tile, window).astype(np.float32), around)
    return Vote(weight, np.pad(labels, around), np.pad(chance, around), np.pad(probability, ((0, 0), *around)))
