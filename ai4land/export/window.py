"""Where the window of an emulator lies: its fine cells, the coarse cells that cover it, and the tiles it is worked in.

A tile's core is whole coarse cells, so that areas are decided inside it; around the core lies what a graph sees from
there. Tiles begin on the lattice of the cells that a network sees together, counted from one corner of the world: a
cell has the same surroundings in whatever tile or window it is predicted.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import xarray as xr

from ai4land.grid import GLOBAL, Grid, grid_of
from ai4land.legend import class_codes, read_legend

Part = tuple[slice, slice]  # rows and columns
_OFF = 1e-2  # of a fine cell: coordinates in single precision are off by less


@dataclass(frozen=True)
class Window:
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
    start: tuple[int, int]
    corner: tuple[int, int]

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


def find_window(fine: Grid, coarse: Grid, about: dict[str, Any]) -> Window:
    """Place of a window in the coarse cells of its forcing, and the ones of them that cover it.

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
    return Window(fine, cut, cells, (int(first[0]) % cells, int(first[1]) % cells), corner)


def _shown(grid: Grid) -> tuple[float, ...]:
    return tuple(round(edge, 4) for edge in grid.bounds)


def known_window(state: xr.Dataset, about: dict[str, Any]) -> Window:
    """Window of a state, from its own coordinates."""
    fine, cells = grid_of(state["land_use"]), about["coarse_cells"]
    north, west = (float(state[f"luh2_{name}"][0]) for name in ("lat", "lon"))
    dlat, dlon = cells * fine.dlat, cells * fine.dlon
    shape = state.sizes["luh2_lat"], state.sizes["luh2_lon"]
    return find_window(fine, Grid(north + dlat / 2, west - dlon / 2, dlat, dlon, *shape), about)


@dataclass(frozen=True)
class Tile:
    """One part of a window.

    Parameters
    ----------
    core : tuple of slice
        Fine cells that are decided.
    around : tuple of slice
        Fine cells that are looked at; up to one lattice cell beyond the window's edges.
    pad : tuple of int
        Fine cells by which the core's first coarse cell begins before it.
    blocks : tuple of slice
        Coarse cells of the core.
    """

    core: Part
    around: Part
    pad: tuple[int, int]
    blocks: Part

    def coarse(self, field: np.ndarray, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Coarse cells (..., Y, X) that cover what is looked at, and where it starts in them, (1, 2) int64.

        Beyond the window's coarse cells the outermost value holds.
        """
        start = []
        for axis, part in enumerate(self.around):
            first = (window.start[axis] + part.start) // window.cells
            last = -(-(window.start[axis] + part.stop) // window.cells)
            places = np.clip(np.arange(first, last), 0, window.coarse.shape[axis] - 1)
            field = np.take(field, places, axis=field.ndim - 2 + axis)
            start.append(window.start[axis] + part.start - first * window.cells)
        return field, np.array([start], np.int64)

    def fine(self, field: Any, fill: float) -> np.ndarray:
        """Fine cells (..., y, x) that are looked at; ``fill`` beyond the window's edges."""
        size = field.shape[-2:]
        inside = [slice(max(p.start, 0), min(p.stop, n)) for p, n in zip(self.around, size, strict=True)]
        more = [(i.start - p.start, p.stop - i.stop) for p, i in zip(self.around, inside, strict=True)]
        values = np.asarray(field[(..., *inside)])
        return np.pad(values, [(0, 0)] * (values.ndim - 2) + more, constant_values=fill)


def tiles(window: Window, core: int, reach: int, multiple: int) -> Iterator[Tile]:
    """Tiles that hold every cell of a window once.

    Parameters
    ----------
    core : int
        Side of a core, coarse cells.
    reach : int
        Fine cells around a cell that have a say in it.
    multiple : int
        Side of the cells that a network sees together.
    """
    for rows, cols in product(*(_parts(window, axis, core, reach, multiple) for axis in (0, 1))):
        yield Tile((rows[0], cols[0]), (rows[1], cols[1]), (rows[2], cols[2]), (rows[3], cols[3]))


def _parts(
    window: Window, axis: int, core: int, reach: int, multiple: int
) -> list[tuple[slice, slice, int, slice]]:  # fmt: skip
    """Of each tile along an axis: its core, what is around it, its padding and its coarse cells."""
    edges, first, length = window.edges(axis), window.corner[axis], window.grid.shape[axis]
    parts = []
    for begin in range(0, window.coarse.shape[axis], core):
        blocks = slice(begin, min(begin + core, window.coarse.shape[axis]))
        part = slice(int(edges[blocks.start]), int(edges[blocks.stop]))
        start = max((first + part.start - reach) // multiple, first // multiple)
        stop = min(-(-(first + part.stop + reach) // multiple), -(-(first + length) // multiple))
        around = slice(start * multiple - first, stop * multiple - first)
        parts.append((part, around, 0 if begin else window.start[axis], blocks))
    return parts
