"""Where regions lie in the run's grid: their own cells, the halo they are predicted with, and the bands they share.

A halo is context. Only cells within ``overlap`` of an edge between two regions are blended: there a cell is far enough
from the halo's outer end to be predicted as if there were no end. Where a region has no neighbour in the run, and at
the date line, it ends.
"""

from dataclasses import dataclass

import numpy as np

from ai4land.grid import COARSE_CELLS, Grid
from ai4land.windows import Window

HALO_CELLS = 150  # fine cells: the network's receptive field and the overlap, in whole coarse cells
OVERLAP_CELLS = COARSE_CELLS


@dataclass(frozen=True)
class Tile:
    """A region in the run's grid.

    Parameters
    ----------
    region : str
    own, wide : Window
        Rows and columns of its own cells, and of those with its halo.
    halo, overlap : int
        Cells beyond the own ones that are predicted, and those that are blended.
    near : tuple of Window
        Own cells of the regions whose bands can meet those of this one.
    """

    region: str
    own: Window
    wide: Window
    halo: int
    overlap: int
    near: tuple[Window, ...] = ()

    def inside(self) -> Window:
        """Rows and columns of the own cells, counted in the wide window."""
        return self.own.relative_to(self.wide)

    @property
    def covered(self) -> Window:
        """Rows and columns of the cells that this region has a say in."""
        return self.own.grown(self.overlap)


def plan_tiles(
    regions: dict[str, Window], grid: Grid, halo: int = HALO_CELLS, overlap: int = OVERLAP_CELLS
) -> dict[str, Tile]:
    """Tiles of all regions; halos end where the run's grid ends.

    Parameters
    ----------
    regions : dict of str to Window
        Rows and columns of each region's own cells.
    grid : Grid
        Of the run.
    halo, overlap : int
        Fine cells, multiples of 25.

    Raises
    ------
    ValueError
        If a halo or overlap is no multiple of the coarse cells, the overlap is wider than the halo, or a region with
        a neighbour is narrower than two overlaps.
    """
    if halo % COARSE_CELLS or overlap % COARSE_CELLS:
        raise ValueError(
            f"halo {halo} and overlap {overlap} must be multiples of {COARSE_CELLS} cells: coarse cells are allocated "
            "whole."
        )
    if not 0 < overlap <= halo:
        raise ValueError(f"overlap {overlap} must be above 0 and at most the halo {halo}: it is blended inside it.")
    tiles = {}
    for region, own in regions.items():
        wide, around = own.grown(halo, Window.whole(grid.shape)), own.grown(2 * overlap)
        near = tuple(other for name, other in regions.items() if name != region and around.intersection(other))
        if near and min(own.shape) < 2 * overlap:
            raise ValueError(
                f"region {region}: {own} is narrower than two overlaps of {overlap} cells; make it larger."
            )
        tiles[region] = Tile(region, own, wide, halo, overlap, near)
    return tiles


def _ramp(cells: slice, own: slice, overlap: int) -> np.ndarray:
    """Weight along one axis: from 0 to 1 across two overlaps at either end of the own cells."""
    centre = np.arange(cells.start, cells.stop) + 0.5
    inward = np.minimum(centre - own.start, own.stop - centre) + overlap
    return 0.5 - 0.5 * np.cos(np.pi * np.clip(inward / (2 * overlap), 0, 1))


def _raw_weights(window: Window, own: Window, overlap: int) -> np.ndarray:
    rows, cols = (_ramp(w, o, overlap) for w, o in zip(window, own, strict=True))
    return np.outer(rows, cols)


def tile_weights(tile: Tile, window: Window | None = None) -> np.ndarray:
    """Weight of a tile in some cells, a cosine across the bands; those of all tiles add up to 1 in every cell.

    Parameters
    ----------
    tile : Tile
    window : Window, optional
        Of the run's grid; the tile's wide window where absent.

    Returns
    -------
    numpy.ndarray, shape (y, x), float64
        0 beyond the bands. Where a neighbour is missing, the others share its weight.
    """
    window = window or tile.wide
    mine = _raw_weights(window, tile.own, tile.overlap)
    # In one order for all tiles: sums must be the same bits, whoever adds.
    owners = sorted([tile.own, *tile.near], key=lambda o: (o[0].start, o[1].start))
    total = np.zeros_like(mine)
    for own in owners:
        total += _raw_weights(window, own, tile.overlap)
    return np.divide(mine, total, out=np.zeros_like(mine), where=mine > 0)


def tile_bands(tile: Tile) -> np.ndarray:
    """Cells of the wide window that are blended: this region and another one have a say in them, (y, x) bool."""
    say = np.zeros(tile.wide.shape, np.uint8)
    anyone, mine = np.zeros(say.shape, bool), np.zeros(say.shape, bool)
    for own in (tile.own, *tile.near):
        if part := own.grown(tile.overlap).intersection(tile.wide):
            say[part.relative_to(tile.wide)] += 1
        if part := own.intersection(tile.wide):
            anyone[part.relative_to(tile.wide)] = True
    part = tile.covered.intersection(tile.wide)
    assert part is not None
    mine[part.relative_to(tile.wide)] = True
    return mine & anyone & (say > 1)


def band_windows(tile: Tile) -> list[Window]:
    """Rows and columns (of the run's grid) of the parts that make up a region's own cells in the bands."""
    others = [part for own in tile.near if (part := own.grown(tile.overlap).intersection(tile.own))]
    edges = [sorted({v for part in others for v in (part[axis].start, part[axis].stop)}) for axis in (0, 1)]
    parts: list[Window] = []
    for top, bottom in zip(edges[0], edges[0][1:], strict=False):
        left = None
        for start, stop in zip(edges[1], edges[1][1:], strict=False):
            cell = Window(slice(top, bottom), slice(start, stop))
            left = (start if left is None else left) if any(cell.intersection(o) for o in others) else None
            if left is not None:
                if parts and parts[-1] == (cell.rows, slice(left, start)):
                    parts.pop()
                parts.append(Window(cell.rows, slice(left, stop)))
    return parts


def edge_mask(tiles: dict[str, Tile], window: Window) -> np.ndarray:
    """Cells of a window of the run's grid within one overlap of an edge between regions, (y, x) bool."""
    mask = np.zeros(window.shape, bool)
    for tile in tiles.values():
        for band in band_windows(tile):
            if part := band.intersection(window):
                mask[part.relative_to(window)] = True
    return mask


def tile_edges(tiles: dict[str, Tile]) -> list[tuple[int, int, slice]]:
    """Edges between two regions: axis, the first row (or column) behind it, and the columns (or rows) it runs along.

    ``axis`` is 0 for an edge between rows, 1 for one between columns.
    """
    found = []
    for tile in tiles.values():
        for axis in (0, 1):
            across, along = tile.own[axis], tile.own[1 - axis]
            for other in tile.near:
                start, stop = max(along.start, other[1 - axis].start), min(along.stop, other[1 - axis].stop)
                if other[axis].start == across.stop and start < stop:
                    found.append((axis, across.stop, slice(start, stop)))
    return found
