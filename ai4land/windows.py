"""Rows and columns of a grid, and their algebra: frames, halos, tiles, coarse cells, receptive fields on a lattice.

A network sees a cell and what is around it, no further than its receptive field, in groups of cells (its lattice) that
are counted from one corner for all windows. What is predicted in parts is the same as predicted at once if every part
is read with its receptive field, from one line of the lattice to another.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple, Self

import numpy as np

from ai4land.grid import COARSE_CELLS

Shape = tuple[int, int]  # rows and columns


class Window(NamedTuple):
    """Rows and columns of a grid, which index its fields: ``field[window]``, ``field[..., *window]``.

    Parameters
    ----------
    rows, cols : slice
        First cell, and the first one behind the last, with numbers for both except in `resolved`. They may lie beyond
        the ends of the grid.
    """

    rows: slice
    cols: slice

    @classmethod
    def whole(cls, shape: Shape) -> Self:
        """All cells of a grid."""
        return cls.at((0, 0), shape)

    @classmethod
    def at(cls, corner: Shape, shape: Shape) -> Self:
        """So many rows and columns from a first cell on."""
        return cls(*(slice(first, first + length) for first, length in zip(corner, shape, strict=True)))

    @property
    def shape(self) -> Shape:
        """Number of rows and columns."""
        return self.rows.stop - self.rows.start, self.cols.stop - self.cols.start

    @property
    def corner(self) -> Shape:
        """Row and column of the first cell."""
        return self.rows.start, self.cols.start

    def resolved(self, shape: Shape) -> Self:
        """The window of a grid with numbers for edges that are open, or counted from the end, and cut at its ends."""
        return type(self)(*(slice(*part.indices(length)[:2]) for part, length in zip(self, shape, strict=True)))

    def relative_to(self, origin: "Window") -> Self:
        """The same cells, counted from the first cell of another window."""
        return self.moved(-origin.rows.start, -origin.cols.start)

    def placed_in(self, origin: "Window") -> Self:
        """Undo `relative_to`: cells that are counted from the first cell of another window, in its grid."""
        return self.moved(*origin.corner)

    def moved(self, rows: int, cols: int) -> Self:
        """The window so many rows further south and columns further east."""
        return type(self)(
            slice(self.rows.start + rows, self.rows.stop + rows), slice(self.cols.start + cols, self.cols.stop + cols)
        )

    def moved_inside(self, shape: Shape) -> Self:
        """The window moved as little as brings it into a grid; one that is larger begins with the grid."""
        corner = [
            max(min(part.start, length - size), 0) for part, length, size in zip(self, shape, self.shape, strict=True)
        ]
        return self.at((corner[0], corner[1]), self.shape)

    def intersection(self, other: "Window") -> Self | None:
        """Cells that two windows share; None without any."""
        rows, cols = (slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(self, other, strict=True))
        return type(self)(rows, cols) if rows.start < rows.stop and cols.start < cols.stop else None

    def grown(self, cells: int, limits: "Window | None" = None) -> Self:
        """The window with a halo of so many cells on every side, which ends where the limits do."""
        wide = type(self)(*(slice(part.start - cells, part.stop + cells) for part in self))
        if limits is None:
            return wide
        return type(self)(
            *(slice(max(w.start, m.start), min(w.stop, m.stop)) for w, m in zip(wide, limits, strict=True))
        )

    def padding(self, inside: "Window") -> list[tuple[int, int]]:
        """Cells of the window before and after a part of it, rows and columns: what `numpy.pad` adds to the part."""
        return [(part.start - wide.start, wide.stop - part.stop) for part, wide in zip(inside, self, strict=True)]

    def coarse(self, cells: int = COARSE_CELLS) -> Self:
        """Coarse cells under the fine ones, the fewest that hold all; ``cells`` is their side in fine cells."""
        return type(self)(*(slice(part.start // cells, -(-part.stop // cells)) for part in self))

    def fine(self, cells: int = COARSE_CELLS) -> Self:
        """Fine cells of some coarse ones, whose side is ``cells`` fine cells."""
        return type(self)(*(slice(part.start * cells, part.stop * cells) for part in self))

    def thinned(self, step: int) -> Self:
        """One row and one column in so many: an index, with no algebra of its own."""
        return type(self)(*(slice(part.start, part.stop, step) for part in self))

    def tiles(self, size: Shape) -> list[Self]:
        """Parts of the window, row by row, that hold each cell once; the last ones go as far as the window does."""
        rows, cols = (
            [slice(first, min(first + step, part.stop)) for first in range(part.start, part.stop, step)]
            for part, step in zip(self, size, strict=True)
        )
        return [type(self)(row, col) for row in rows for col in cols]

    def cut_units(self, size: Shape, shape: Shape | None = None) -> list[int]:
        """Axes (0 rows, 1 columns) along which the window does not begin with whole units, such as chunks.

        With the shape of a grid also those along which it ends with part of one, unless it ends where the grid does.
        """
        return [
            axis for axis, (part, unit) in enumerate(zip(self, size, strict=True))
            if part.start % unit or (shape is not None and part.stop % unit and part.stop != shape[axis])
        ]  # fmt: skip

    def shrunk_to(self, wanted: np.ndarray) -> Self | None:
        """Smallest part of the window that holds all of its wanted cells, (y, x) bool of the grid; None without any."""
        sides = []
        for axis, part in enumerate(self):
            found = np.flatnonzero(wanted[self].any(1 - axis))
            if not found.size:
                return None
            sides.append(slice(part.start + int(found[0]), part.start + int(found[-1]) + 1))
        return type(self)(*sides)


WHOLE = Window(slice(None), slice(None))  # an index: all of any grid


def bounding(windows: Iterable[Window]) -> Window:
    """Smallest window that holds all of some windows."""
    every = list(windows)
    rows, cols = (slice(min(w[i].start for w in every), max(w[i].stop for w in every)) for i in (0, 1))
    return Window(rows, cols)


def cut_padded(field: Any, window: Window, fill: float | None) -> np.ndarray:
    """A window of a field that may reach beyond the field's ends, but not lie beyond them.

    Parameters
    ----------
    field : array, shape (..., y, x)
        Of NumPy, or one that is indexed alike.
    window : Window
    fill : float or None
        What stands beyond the ends; None repeats the outermost value.

    Returns
    -------
    numpy.ndarray, shape (..., rows, cols) of the window
    """
    inside = window.intersection(Window.whole(field.shape[-2:]))
    assert inside is not None, "a window beyond the field"
    values = np.asarray(field[(..., *inside)])
    if inside == window:
        return values
    around = [(0, 0)] * (values.ndim - 2) + window.padding(inside)
    return np.pad(values, around, "edge") if fill is None else np.pad(values, around, constant_values=fill)


class Part(NamedTuple):
    """Cells that are predicted together.

    Parameters
    ----------
    output, input : Window
        Cells that are predicted, and those that are read for it; up to one cell of the lattice beyond the grid's ends.
    """

    output: Window
    input: Window

    @property
    def inside(self) -> Window:
        """The predicted cells, counted from the first one that is read."""
        return self.output.relative_to(self.input)


def part_of(output: Window, receptive_field: int, lattice: int, corner: Shape, shape: Shape) -> Part:
    """Some cells of a grid with the receptive field around them, from lattice line to lattice line.

    Parameters
    ----------
    output : Window
        Cells that are predicted, within the grid.
    receptive_field : int
        How far from a cell an input can have a say in it, cells.
    lattice : int
        Side of the groups of cells that a network sees together.
    corner : tuple of int = (row, col)
        Of the grid's first cell, counted from a corner of the lattice.
    shape : tuple of int
        Of the grid. Where it ends off the lattice, the part that is read goes on to the next line.
    """
    sides = []
    for part, first, length in zip(output, corner, shape, strict=True):
        start = max((first + part.start - receptive_field) // lattice, first // lattice)
        stop = min(-(-(first + part.stop + receptive_field) // lattice), -(-(first + length) // lattice))
        sides.append(slice(start * lattice - first, stop * lattice - first))
    return Part(output, Window(*sides))


def lattice_edges(first: int, length: int, size: int, lattice: int) -> list[int]:
    """Edges of the fewest parts of an axis no longer than about ``size``, all inner ones on the lattice.

    Parameters
    ----------
    first : int
        The axis's first cell, counted from a corner of the lattice.
    length : int
        Cells of the axis.
    size, lattice : int
        Cells.

    Returns
    -------
    list of int
        Counted from the axis's first cell; the first is 0, the last is ``length``.
    """
    number = -(-length // size)
    inner = [round((first + length * i / number) / lattice) * lattice - first for i in range(1, number)]
    return [0, *inner, length]
