"""Where the domain of an emulator lies: its fine cells, the coarse cells that cover it, and the tiles it is worked in.

A tile decides whole coarse cells, so that areas are decided inside it; around them lies what a graph sees from there.
Tiles are read on the lattice of the cells that a network sees together, counted from one corner of the world
(`ai4land.windows`): a cell has the same surroundings in whatever tile or domain it is predicted.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from ai4land.grid import GLOBAL, Grid, grid_of
from ai4land.legend import class_codes, read_legend
from ai4land.windows import Part, Shape, Window, cut_padded, part_of

_OFF = 1e-2  # of a fine cell: coordinates in single precision are off by less


@dataclass(frozen=True)
class Domain:
    """Fine cells, and the coarse cells that cover them.

    Parameters
    ----------
    grid, coarse : Grid
        Of the fine and of the coarse cells.
    cells : int
        Side of a coarse cell, fine cells.
    start : tuple of int = (row, col)
        Place of the first fine cell, counted from the north-west corner of the coarse cells.
    corner : tuple of int = (row, col)
        Place of the first fine cell in the grid that the lattice of the network is counted in.
    """

    grid: Grid
    coarse: Grid
    cells: int
    start: Shape
    corner: Shape

    def edges(self, axis: int) -> np.ndarray:
        """Edges of the coarse cells in fine cells of the window, from 0 to its length; int64."""
        inner = np.arange(self.coarse.shape[axis] + 1) * self.cells - self.start[axis]
        return np.clip(inner, 0, self.grid.shape[axis])

    def whole(self) -> np.ndarray:
        """Fine cells of the window in each coarse cell, shape (Y, X), int64."""
        return np.outer(np.diff(self.edges(0)), np.diff(self.edges(1)))

    def class_sums(self, labels: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Weight of the cells of every land-use class in every coarse cell.

        Parameters
        ----------
        labels : numpy.ndarray, shape (y, x), uint8
            Codes; 255 is no data.
        weight : numpy.ndarray, shape (y,)
            Of a cell of each row: 1 to count cells, their area to measure them.

        Returns
        -------
        numpy.ndarray, shape (class, Y, X), dtype of ``weight``
        """
        rows, cols = self.edges(0)[:-1], self.edges(1)[:-1]
        sums = []
        for code in class_codes(read_legend("land_use")):
            along = np.add.reduceat(labels == code, cols, axis=1, dtype=np.int32)
            sums.append(np.add.reduceat(along * weight[:, None], rows, axis=0))
        return np.stack(sums)


def find_domain(fine: Grid, coarse: Grid, about: dict[str, Any]) -> Domain:
    """Place of a domain in the coarse cells of its forcing, and the ones of them that cover it.

    Parameters
    ----------
    fine, coarse : Grid
    about : dict
        Of the bundle: ``grid``, ``cell_degrees``, ``coarse_cells`` and, where the lattice of the network is not counted
        from 90 N, 180 W, its ``corner`` (row, col) there.

    Raises
    ------
    ValueError
        If the cells are of another size, off the lattice of the bundle, or not covered.
    """
    size, cells = about["cell_degrees"], about["coarse_cells"]
    corner = (0, 0)
    if about["grid"] == "global":
        if not fine.same_cells(GLOBAL, _OFF):
            raise ValueError(
                f"the window's first cell has its corner at {fine.north:.5f} N, {fine.west:.5f} E and cells of "
                f"{fine.dlat:.5g} x {fine.dlon:.5g} degrees; give cells of the {size} degree grid counted from 90 N, "
                "180 W."
            )
        origin = about.get("corner", (0, 0))
        corner = round((90 - fine.north) / size) - origin[0], round((fine.west + 180) / size) - origin[1]
    if not np.allclose((coarse.dlat, coarse.dlon), (cells * fine.dlat, cells * fine.dlon), rtol=1e-4):
        raise ValueError(
            f"forcing has cells of {coarse.dlat:.5g} x {coarse.dlon:.5g} degrees, expected {cells * fine.dlat:.5g} x "
            f"{cells * fine.dlon:.5g}; give it on its own grid, not regridded."
        )
    off = np.array([(coarse.north - fine.north) / fine.dlat, (fine.west - coarse.west) / fine.dlon])
    first = np.rint(off).astype(int)
    shifted = about["grid"] == "global" and not coarse.same_cells(GLOBAL.blocks(cells), _OFF)
    if shifted or np.abs(off - first).max() > _OFF:
        raise ValueError(
            f"forcing begins at {coarse.north:.5f} N, {coarse.west:.5f} E, which is off the lattice of its cells of "
            f"{coarse.dlat:.5g} degrees; give it on its own grid."
        )
    last = -(-(first + fine.shape) // cells)
    if (first < 0).any() or (last > coarse.shape).any():
        raise ValueError(
            f"forcing covers {_shown(coarse)}, the window is {_shown(fine)} (west, south, east, north); give forcing "
            "that covers it."
        )
    cut = coarse.cut(*(slice(int(f) // cells, int(t)) for f, t in zip(first, last, strict=True)))
    return Domain(fine, cut, cells, (int(first[0]) % cells, int(first[1]) % cells), corner)


def _shown(grid: Grid) -> tuple[float, ...]:
    return tuple(round(edge, 4) for edge in grid.bounds)


def known_domain(state: xr.Dataset, about: dict[str, Any]) -> Domain:
    """Domain of a state, from its own coordinates."""
    fine, cells = grid_of(state["land_use"]), about["coarse_cells"]
    north, west = (float(state[f"luh2_{name}"][0]) for name in ("lat", "lon"))
    dlat, dlon = cells * fine.dlat, cells * fine.dlon
    shape = state.sizes["luh2_lat"], state.sizes["luh2_lon"]
    return find_domain(fine, Grid(north + dlat / 2, west - dlon / 2, dlat, dlon, *shape), about)


@dataclass(frozen=True)
class Tile:
    """One part of a domain.

    Parameters
    ----------
    part : Part
        Fine cells that are decided, and those that are looked at.
    blocks : Window
        Coarse cells of those that are decided.
    pad : tuple of int = (rows, cols)
        Fine cells by which the first of these coarse cells begins before the first fine one.
    """

    part: Part
    blocks: Window
    pad: Shape

    def coarse(self, field: np.ndarray, domain: Domain) -> tuple[np.ndarray, np.ndarray]:
        """Coarse cells (..., Y, X) that cover what is looked at, and where it starts in them, (1, 2) int64.

        Beyond the domain's coarse cells the outermost value holds.
        """
        seen = self.part.input.moved(*domain.start)
        under = seen.coarse(domain.cells)
        start = seen.relative_to(under.fine(domain.cells)).corner
        return cut_padded(field, under, None), np.array([start], np.int64)

    def fine(self, field: Any, fill: float) -> np.ndarray:
        """Fine cells (..., y, x) that are looked at; ``fill`` beyond the domain's edges."""
        return cut_padded(field, self.part.input, fill)


def tiles(domain: Domain, size: int, receptive_field: int, multiple: int) -> Iterator[Tile]:
    """Tiles that decide every cell of a domain once.

    Parameters
    ----------
    domain : Domain
    size : int
        Side of what a tile decides, coarse cells.
    receptive_field : int
        Fine cells around a cell that have a say in it.
    multiple : int
        Side of the cells that a network sees together.
    """
    whole = Window.whole(domain.grid.shape)
    for blocks in Window.whole(domain.coarse.shape).tiles((size, size)):
        cells = blocks.fine(domain.cells).moved(-domain.start[0], -domain.start[1])
        output = cells.intersection(whole)
        assert output is not None
        (top, _), (left, _) = cells.padding(output)
        yield Tile(part_of(output, receptive_field, multiple, domain.corner, domain.grid.shape), blocks, (top, left))
