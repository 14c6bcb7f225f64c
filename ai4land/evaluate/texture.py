"""How much a sequence of maps changes, and how its classes lie: annual counts that add up over regions.

The maps come in calendar order, also those of a rollout that stepped backward: a change to year ``t`` is between the
maps of ``t - 1`` and ``t`` whoever made them. Neighbours and patches end at the region's edge, in observed and in
simulated maps alike.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy import ndimage

from ai4land.grid import COARSE_CELLS, Grid, block_index
from ai4land.legend import class_codes, read_legend

UNDONE_YEARS = 5  # a change is undone where a cell is back at the class it left in one of so many maps that follow
ANNUAL_COLUMNS = ["year", "statistic", "weight", "class", "to_class", "size", "value"]
_Row = tuple[int, str, str, str, str, int, float]


def _land_names() -> list[str]:
    legend = read_legend("land_use")
    return [str(n) for n in legend.loc[legend["land"], "name"]]


@dataclass
class _Changes:
    """Cells that changed to a year: which have been back at the class they left, and which undo an earlier change."""

    year: int
    cells: np.ndarray
    before: np.ndarray
    undone: np.ndarray
    undoing: np.ndarray


class _Counter:
    """Rows of one sequence of maps; land classes are numbered from 0, all else is ``outside``."""

    def __init__(self, grid: Grid, land: np.ndarray) -> None:
        codes = class_codes(read_legend("land_use"), land_only=True)
        self.names, self.outside, self.land = _land_names(), codes.size, land
        self.number = np.full(256, codes.size, np.uint8)
        self.number[codes] = np.arange(codes.size)
        self.area, self.columns = grid.cell_area() * 1e-6, grid.cols
        self.offset = np.arange(grid.rows, dtype=np.int32)[:, None] * (codes.size + 1)
        self.rows: list[_Row] = []
        self.open: list[_Changes] = []
        self.first = 0  # year of the first map since the last gap

    def classes(self, labels: np.ndarray) -> np.ndarray:
        return np.where(self.land, self.number[labels], np.uint8(self.outside))

    def both(self, year: int, statistic: str, cells: np.ndarray, key: np.ndarray, names: list[tuple[str, str]]) -> None:
        """Number and km2 of flat cells by key."""
        by_row = self.area[cells // self.columns]
        for weight, value in (("cells", np.ones(cells.size)), ("km2", by_row)):
            total = np.bincount(key, weights=value, minlength=len(names))
            used = range(1) if len(names) == 1 else np.flatnonzero(total)
            self.rows += [(year, statistic, weight, *names[k], -1, float(total[k])) for k in used]

    def areas(self, year: int, now: np.ndarray) -> None:
        wide = self.outside + 1
        total = np.bincount((self.offset + now).ravel(), minlength=wide * self.area.size).reshape(-1, wide)
        for weight, values in (("cells", total.sum(0)), ("km2", self.area @ total)):
            self.rows += [(year, "area", weight, n, "all", -1, float(values[k])) for k, n in enumerate(self.names)]

    def undo(self, now: np.ndarray) -> np.ndarray:
        """Cells that are now back at the class that an open change left."""
        back = np.zeros(now.size, bool)
        for change in self.open:
            returned = (now.ravel()[change.cells] == change.before) & ~change.undone
            change.undone |= returned
            back[change.cells[returned]] = True
        return back

    def close(self, year: int) -> None:
        """Write the changes that have all their maps."""
        for change in [c for c in self.open if c.year + UNDONE_YEARS == year]:
            parts = {"undone": change.undone}
            if change.year - 1 - UNDONE_YEARS >= self.first:
                parts["lasting"] = ~change.undone & ~change.undoing
            for statistic, part in parts.items():
                cells = change.cells[part]
                self.both(change.year, statistic, cells, np.zeros(cells.size, int), [("all", "all")])
            self.open.remove(change)

    def changes(self, year: int, before: np.ndarray, now: np.ndarray) -> None:
        a, b = before.ravel(), now.ravel()
        cells = np.flatnonzero((a != b) & (a != self.outside) & (b != self.outside))
        pairs = [(i, j) for i in self.names for j in self.names]
        pairs = pairs if cells.size else [("all", "all")]  # a year without a change has a row
        self.both(year, "changed", cells, a[cells].astype(int) * self.outside + b[cells], pairs)
        undoing = self.undo(now)[cells]
        self.close(year)
        self.open.append(_Changes(year, cells, a[cells], np.zeros(cells.size, bool), undoing))

    def edges(self, year: int, now: np.ndarray) -> None:
        wide = self.outside + 1
        total = np.zeros((wide, wide))
        for first, second in ((now[:, :-1], now[:, 1:]), (now[:-1], now[1:])):
            key = (first * np.uint8(wide) + second).ravel()
            total += np.bincount(key, minlength=wide**2).reshape(wide, wide)
        total = total[:-1, :-1]
        pairs, own = total.sum(), np.diag(total)
        unlike = total.sum(0) + total.sum(1) - 2 * own
        self.rows.append((year, "pairs", "cells", "all", "all", -1, float(pairs)))
        self.rows += [(year, "edges", "cells", n, "all", -1, float(unlike[k])) for k, n in enumerate(self.names)]

    def patches(self, year: int, now: np.ndarray) -> None:
        for k, name in enumerate(self.names):
            labels, number = ndimage.label(now == k)
            if not number:
                continue
            size = np.bincount(labels.ravel())[1:]
            bins, many = np.unique(2 ** np.floor(np.log2(size)).astype(int), return_counts=True)
            squares = float((size.astype(float) ** 2).sum())
            self.rows.append((year, "patch_cells_squared", "cells", name, "all", -1, squares))
            self.rows += [(year, "patches", "cells", name, "all", int(b), float(m))
                          for b, m in zip(bins, many, strict=True)]  # fmt: skip


def annual_table(
    maps: Iterable[tuple[int, np.ndarray]], grid: Grid, land: np.ndarray, patch_every: int = 10
) -> pd.DataFrame:
    """Areas, changes, edges and patches of a sequence of maps, year by year; rows with equal keys add up.

    Parameters
    ----------
    maps : iterable of (int, numpy.ndarray of shape (y, x), uint8)
        Year and land-use map, in calendar order; read one at a time.
    grid : Grid
    land : numpy.ndarray, shape (y, x), bool
        Cells to count; of these, in each map, the ones with a land class.
    patch_every : int
        Patches are counted in the first and the last year, and in years that this divides.

    Returns
    -------
    pandas.DataFrame
        Columns year, statistic, weight ('cells' or 'km2'), class, to_class ('all' where not told apart), size
        (-1 where not used), value. Statistics: ``area`` of each class; ``changed`` since the year before, by the class
        left and the class reached; ``undone``, those of them that are back at the class left in one of the five maps
        that follow; ``lasting``, those that are not, and do not themselves undo a change of the five years before
        (both only where the maps to tell are there); ``pairs`` of land cells that share a side, and
        ``edges``, by class those with another land class on the other side (each unlike pair counts for two
        classes); ``patches`` (cells that hang together by their sides), by class and ``size``, which is the largest
        power of two that is not above the number of cells; ``patch_cells_squared``, the sum of squares of that number.
        No change is counted across missing years.

    Raises
    ------
    ValueError
        If years do not ascend, or a map does not fit the grid.
    """
    counter, last, before, patched = _Counter(grid, land), None, None, None
    for year, labels in maps:
        if labels.shape != grid.shape or land.shape != grid.shape:
            raise ValueError(f"map of {year} has shape {labels.shape}, land {land.shape}, the grid {grid.shape}.")
        if last is not None and year <= last:
            raise ValueError(f"maps of {last} and then {year}: give them in calendar order.")
        now = counter.classes(labels)
        counter.areas(year, now)
        counter.edges(year, now)
        if last is None or year != last + 1:
            counter.first = year
            counter.open.clear()
        elif before is not None:
            counter.changes(year, before, now)
        if last is None or year % patch_every == 0:
            counter.patches(year, now)
            patched = year
        last, before = year, now
    if before is not None and last is not None and patched != last:
        counter.patches(last, before)
    return pd.DataFrame(counter.rows, columns=ANNUAL_COLUMNS)


def calendar_maps(maps: xr.DataArray, start: int, first: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Maps of a rollout and the map it starts from, in calendar order, for `annual_table`.

    Parameters
    ----------
    maps : xarray.DataArray, shape (time, lat, lon), uint8
        ``time`` is the calendar year, in the order of the steps; lazy.
    start : int
        Year of the map that the rollout starts from.
    first : numpy.ndarray, shape (lat, lon), uint8
        That map.
    """
    for year in sorted([start, *(int(y) for y in maps["time"])]):
        yield year, first if year == start else maps.sel(time=year).to_numpy()


def luh2_areas(fraction: np.ndarray, years: list[int], grid: Grid) -> pd.DataFrame:
    """Class areas that LUH2 means by its crosswalk, as rows of `annual_table`.

    Its forest is land that could bear forest, its grass/shrubland all natural land that could not, other land
    included: compare changes, not areas.

    Parameters
    ----------
    fraction : numpy.ndarray, shape (year, class, Y, X), float32
        Class fractions of whole 0.25 degree cells (1), rows by class code.
    years : list of int
    grid : Grid
        Fine cells of the region; a coarse cell that reaches beyond it has the area of its part inside.
    """
    names, codes = _land_names(), class_codes(read_legend("land_use"), land_only=True)
    area = np.broadcast_to(grid.cell_area()[:, None] * 1e-6, grid.shape)
    blocks = np.bincount(block_index(grid.shape, COARSE_CELLS).ravel(), weights=area.ravel())
    km2 = fraction[:, codes].reshape(len(years), codes.size, -1).astype(float) @ blocks
    rows = [(y, "area", "km2", n, "all", -1, float(km2[i, k])) for i, y in enumerate(years)
            for k, n in enumerate(names)]  # fmt: skip
    return pd.DataFrame(rows, columns=ANNUAL_COLUMNS)
