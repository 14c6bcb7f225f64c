"""Areas that cells share with the cells of a regular grid, exactly.

A cell is what lies between its edges and the pole, edge by edge: where an edge crosses the lines of the regular grid
it is cut, every piece gives its share of the source cell it lies in, and all source cells between it and the pole get
the full height over its width; what lies outside the cell cancels. It is the way filled outlines are drawn with smooth
borders, here with the true areas of the sphere.
"""

from math import pi

import numpy as np

from sphere_overlap.edges import Edges, cell_edges, edge_value, ring_areas, sine_of, under_arc
from sphere_overlap.grid import RegularGrid

_SLIVER = 1e-9  # of a source cell: a smaller share is rounding


class _Lines:
    """Meridians and parallels of a grid, numbered; the part of the globe that it leaves open is one row or column."""

    def __init__(self, grid: RegularGrid, mirror: bool) -> None:
        levels = np.sin(np.radians(grid.lat_edges))
        levels = -levels if mirror else levels[::-1]
        self.levels = np.concatenate([[-1.0], levels, [1.0]])  # from south to north
        self.west, self.step = np.radians(grid.west), np.radians(grid.dlon)
        self.cols = grid.cols + (2 * pi - grid.cols * self.step > 1e-9)

    def column(self, lon: np.ndarray) -> np.ndarray:
        """Number of the column that holds a longitude (radians), whole turns of the globe added."""
        turn, within = np.divmod(lon - self.west, 2 * pi)
        return (turn * self.cols + np.minimum(within // self.step, self.cols - 1)).astype(np.int64)

    def meridian(self, column: np.ndarray) -> np.ndarray:
        """Longitude of the western end of a column, radians."""
        turn, within = np.divmod(column, self.cols)
        return self.west + turn * 2 * pi + within * self.step

    def row(self, sine: np.ndarray) -> np.ndarray:
        """Number of the row, from south, that holds a sine of latitude."""
        return np.clip(np.searchsorted(self.levels, sine, side="right") - 1, 0, self.levels.size - 2)


def _spread(first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers from ``first`` to before ``last``, one range after the other, and the number of their range."""
    count = np.maximum(last - first, 0)
    which = np.repeat(np.arange(count.size), count)
    return which, np.arange(count.sum()) - np.repeat(np.cumsum(count) - count - first, count)


def _cuts(edges: Edges, lines: _Lines, great: bool) -> tuple[np.ndarray, np.ndarray]:
    """Number of the edge, and place along it (radians east of its western end), of both ends and every line crossed."""
    zero = np.zeros_like(edges.width)
    ends = np.stack([sine_of(edge_value(edges, u, great), great) for u in (zero, edges.width)])
    low, high = ends.min(0), ends.max(0)
    by_lon, column = _spread(lines.column(edges.lon) + 1, lines.column(edges.lon + edges.width) + 1)
    at_lon = lines.meridian(column) - edges.lon[by_lon]
    by_lat, row = _spread(np.searchsorted(lines.levels, low, "right"), np.searchsorted(lines.levels, high, "left"))
    level, cut = lines.levels[row], edges.take(by_lat)
    if great:
        top = np.hypot(cut.first, cut.slope)
        # Between extremes latitude rises, or falls, like a cosine of the distance from the northernmost point.
        away = np.arccos(np.clip(level / np.sqrt(1 - level**2) / top, -1, 1)) * np.sign(ends[0] - ends[1])[by_lat]
        at_lat = (np.arctan2(cut.slope, cut.first) + away + pi) % (2 * pi) - pi
    else:
        at_lat = (level - cut.first) / cut.slope
    number = np.arange(edges.width.size)
    which = np.concatenate([number, number, by_lon, by_lat])
    at = np.concatenate([zero, edges.width, at_lon, at_lat])
    at = np.clip(at, 0, edges.width[which])
    order = np.lexsort((at, which))
    return which[order], at[order]


def _pieces(lon: np.ndarray, lat: np.ndarray, great: bool, lines: _Lines) -> tuple[np.ndarray, ...]:
    """Of every piece of an edge: cell, column, row, area within its row towards north, and width, both signed."""
    edges = cell_edges(lon, lat, great)
    which, at = _cuts(edges, lines, great)
    same = which[1:] == which[:-1]
    piece, start, end = edges.take(which[:-1][same]), at[:-1][same], at[1:][same]
    a, b = (edge_value(piece, u, great) for u in (start, end))
    row = lines.row((sine_of(a, great) + sine_of(b, great)) / 2)
    width = end - start
    within = lines.levels[row + 1] * width - under_arc(a, b, width, great)
    column = lines.column(piece.lon + (start + end) / 2) % lines.cols
    return piece.cell, column, row, piece.sign * within, piece.sign * width


def _areas(lon: np.ndarray, lat: np.ndarray, great: bool, lines: _Lines) -> tuple[np.ndarray, ...]:
    """Cells, columns, rows from south, and the areas on the unit sphere that they share."""
    cell, column, row, within, width = _pieces(lon, lat, great, lines)
    rows = lines.levels.size - 1
    key = (cell * lines.cols + column) * rows + row
    order = np.argsort(key, kind="stable")
    key, first = np.unique(key[order], return_index=True)
    if not key.size:
        return (np.empty(0, np.int64),) * 3 + (np.empty(0),)
    within, width = (np.add.reduceat(v[order], first) for v in (within, width))
    stack, row = np.divmod(key, rows)
    new = np.append(True, np.diff(stack) != 0)
    cover = np.cumsum(width)
    base = (cover - width)[new]
    cover -= base[np.cumsum(new) - 1]  # width of the cell's part south of here, in this column
    height = np.diff(lines.levels)
    area = within + (cover - width) * height[row]
    # Rows between this piece and the next one in the column, or the pole, are covered alike.
    above = np.where(np.append(new[1:], True), rows, np.append(row[1:], rows))
    above[np.abs(cover) < 1e-12] = 0
    which, filled = _spread(row + 1, above)
    stack, row = np.append(stack, stack[which]), np.append(row, filled)
    area = np.append(area, cover[which] * height[filled])
    return stack // lines.cols, stack % lines.cols, row, area


def shared_areas(
    lon: np.ndarray, lat: np.ndarray, great_circles: bool, source: RegularGrid
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Areas that cells share with the cells of a regular grid.

    Parameters
    ----------
    lon, lat : numpy.ndarray, shape (cell, corner), float64
        Corners in order along the edge, either way, radians. All cells lie mostly on one side of the equator.
    great_circles : bool
        As of `sphere_overlap.Cells`.
    source : RegularGrid
        Global or a region.

    Returns
    -------
    cell, index : numpy.ndarray, shape (pair,), int64
        Of the cell, and of the source cell, row by row from the north-west corner; every pair that shares more than
        rounding, once.
    area : numpy.ndarray, shape (pair,), float64
        On the unit sphere; where a cell crosses itself, loops that run the other way round count negative.

    Raises
    ------
    ValueError
        As of `cell_edges`.
    """
    mirror = bool(lat.size and lat.mean() < 0)
    lat = -lat if mirror else lat
    cell, column, row, area = _areas(lon, lat, great_circles, _Lines(source, mirror))
    area *= np.sign(ring_areas(lon, lat, great_circles))[cell]
    north = row - 1 if mirror else source.rows - row  # row 0 is what the grid leaves open
    keep = (north >= 0) & (north < source.rows) & (column < source.cols)
    keep &= np.abs(area) > _SLIVER * source.cell_area()[np.where(keep, north, 0)]
    return cell[keep], (north * source.cols + column)[keep], area[keep]
