"""Regions blended where their halos overlap, and every coarse cell that a halo touches allocated again.

Each region is made with a halo of cells of its neighbours. Weights fall from one to zero across the overlap along a
cosine and add up to one. A region's own cells are whole chunks of the product, so regions are stitched in parallel.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ai4land.allocate import Wanted, match_areas, scale_areas
from ai4land.grid import COARSE_CELLS, Grid
from ai4land.legend import class_codes, read_legend

HALO_CELLS = 50  # fine cells: two coarse cells beyond a region's edge, and two inside it


@dataclass(frozen=True)
class Tile:
    """Where a region lies in the run's grid: its own cells, and the wider window with its halo."""

    region: str
    own: tuple[slice, slice]
    wide: tuple[slice, slice]
    halo: int

    def inside(self) -> tuple[slice, slice]:
        """Rows and columns of the own cells, counted in the wide window."""
        rows, cols = (slice(o.start - w.start, o.stop - w.start) for o, w in zip(self.own, self.wide, strict=True))
        return rows, cols


def plan_tiles(regions: dict[str, tuple[slice, slice]], grid: Grid, halo: int = HALO_CELLS) -> dict[str, Tile]:
    """Tiles of all regions; halos end where the run's grid ends.

    Raises
    ------
    ValueError
        If a halo is no multiple of the coarse cells, or a region is narrower than two halos beside a neighbour.
    """
    if halo % COARSE_CELLS:
        raise ValueError(f"halo {halo} must be a multiple of {COARSE_CELLS} cells: coarse cells are allocated whole.")
    tiles = {}
    for region, own in regions.items():
        wide = tuple(
            slice(max(part.start - halo, 0), min(part.stop + halo, size))
            for part, size in zip(own, grid.shape, strict=True)
        )
        tile = Tile(region, own, (wide[0], wide[1]), halo)
        if any(o != w and o.stop - o.start < 2 * halo for o, w in zip(own, wide, strict=True)):
            raise ValueError(f"region {region}: {own} is narrower than two halos of {halo} cells; make it larger.")
        tiles[region] = tile
    return tiles


def _ramp(own: slice, wide: slice, halo: int) -> np.ndarray:
    """Weights along one axis: rising from 0 to 1 across the overlap at each end that has a halo."""
    length = wide.stop - wide.start
    rise = 0.5 - 0.5 * np.cos(np.pi * np.clip((np.arange(length) + 0.5) / (2 * halo), 0, 1))
    ends = rise if wide.start < own.start else np.ones(length)
    return ends * (rise[::-1] if wide.stop > own.stop else 1)


def tile_weights(tile: Tile) -> np.ndarray:
    """Weight of a tile in its wide window, (y, x) float32; those of all tiles add up to 1 in every cell."""
    rows, cols = (_ramp(o, w, tile.halo) for o, w in zip(tile.own, tile.wide, strict=True))
    return np.outer(rows, cols).astype(np.float32)


def tile_bands(tile: Tile) -> np.ndarray:
    """Cells of the wide window that another tile covers as well, (y, x) bool."""
    edges = []
    for own, wide in zip(tile.own, tile.wide, strict=True):
        band = np.zeros(wide.stop - wide.start, bool)
        band[: 2 * tile.halo] |= wide.start < own.start
        band[-2 * tile.halo :] |= wide.stop > own.stop
        edges.append(band)
    return edges[0][:, None] | edges[1][None, :]


def _overlap(a: tuple[slice, slice], b: tuple[slice, slice]) -> tuple[slice, slice] | None:
    rows, cols = (slice(max(i.start, j.start), min(i.stop, j.stop)) for i, j in zip(a, b, strict=True))
    return (rows, cols) if rows.start < rows.stop and cols.start < cols.stop else None


def _shift(part: tuple[slice, slice], origin: tuple[slice, slice]) -> tuple[slice, slice]:
    rows, cols = (slice(p.start - o.start, p.stop - o.start) for p, o in zip(part, origin, strict=True))
    return rows, cols


def blended_probability(tiles: dict[str, Tile], made: dict[str, xr.Dataset], region: str, year: int) -> np.ndarray:
    """Probabilities (class, y, x) float32 of a region's own cells, blended in the bands; 0 outside them.

    Parameters
    ----------
    tiles : dict of str to Tile
    made : dict of str to xarray.Dataset
        By region: ``probability`` on the wide window, of `ai4land.rollout.roll`.
    """
    own = tiles[region].own
    shape = own[0].stop - own[0].start, own[1].stop - own[1].start
    total, weight = (
        np.zeros((class_codes(read_legend("land_use")).size, *shape), np.float32),
        np.zeros(shape, np.float32),
    )
    for name, tile in sorted(tiles.items()):
        common = _overlap(own, tile.wide)
        if common is None:
            continue
        there, here = _shift(common, tile.wide), _shift(common, own)
        p = made[name]["probability"].sel(time=year)[:, there[0], there[1]].to_numpy().astype(np.float32)
        share = tile_weights(tile)[there]
        total[:, here[0], here[1]] += p * share
        weight[here] += share
    return total / np.maximum(weight * 255, 1e-6)  # where the run has no neighbour on a side, weights are below 1


def stitch_region(
    tiles: dict[str, Tile], made: dict[str, xr.Dataset], region: str, year: int, want: Callable[[np.ndarray], Wanted]
) -> tuple[np.ndarray, np.ndarray]:
    """Map and confidence of one year in a region's own cells.

    Parameters
    ----------
    tiles : dict of str to Tile
        Of all regions.
    made : dict of str to xarray.Dataset
        Rollouts of the regions, with their halos.
    region : str
    year : int
    want : callable
        Free cells (y, x) bool of the region to the class areas wanted of them, as `wanted_areas` gives them.

    Returns
    -------
    land_use : numpy.ndarray, shape (y, x), uint8
    confidence : numpy.ndarray, shape (y, x), uint8
        Per cent.
    """
    tile = tiles[region]
    inside = tile.inside()
    one = made[region].sel(time=year)
    labels = one["land_use"].to_numpy()[inside]
    confidence = one["confidence"].to_numpy()[inside]
    bands = tile_bands(tile)[inside]
    if not bands.any():
        return labels, confidence
    p = blended_probability(tiles, made, region, year)
    land = class_codes(read_legend("land_use"), land_only=True)
    free = bands & np.isin(labels, land)
    wanted = want(free)
    again = match_areas(p, free, wanted.numbers, wanted.pools, wanted.cells).labels
    p = scale_areas(p, free, wanted.numbers, wanted.pools, wanted.cells)
    own = np.take_along_axis(p, np.where(free, again, 0)[None].astype(np.intp), 0)[0]
    confidence = np.where(free, np.rint(own * 100), confidence)
    return np.where(free, again, labels).astype(np.uint8), confidence.astype(np.uint8)


def edge_contrast(labels: np.ndarray, tiles: dict[str, Tile]) -> tuple[float, float]:
    """Share of neighbouring cells of different class across the edges between regions, and everywhere else.

    Parameters
    ----------
    labels : numpy.ndarray, shape (y, x), uint8
        Stitched map of the run's grid.
    tiles : dict of str to Tile

    Returns
    -------
    tuple of float
        Shares (1); a seam shows as a first number far above the second. NaN where there is no edge.
    """
    across, elsewhere = [0.0, 0], [0.0, 0]
    for axis in (0, 1):
        differs = np.diff(labels.astype(int), axis=axis) != 0
        edges = sorted({t.own[axis].start - 1 for t in tiles.values() if t.own[axis].start > 0})
        at = np.take(differs, [e for e in edges if e < differs.shape[axis]], axis=axis)
        across = [across[0] + at.sum(), across[1] + at.size]
        elsewhere = [elsewhere[0] + differs.sum() - at.sum(), elsewhere[1] + differs.size - at.size]
    return (float(across[0]) / across[1] if across[1] else np.nan), float(elsewhere[0]) / max(elsewhere[1], 1)
