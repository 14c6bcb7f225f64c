"""Hard joins of regions beside the blended map, where they differ most."""

import numpy as np
import pandas as pd
import xarray as xr
from cartopy.mpl.geoaxes import GeoAxes
from cartopy.mpl.gridliner import Gridliner
from matplotlib.figure import Figure

from ai4land.grid import grid_of
from ai4land.legend import NO_DATA
from ai4land.plot.maps import plot_map_row

_SIDE = 120  # cells: side of the part that is drawn
_SAME, _OTHER = 252, 253  # codes of the third panel
_PANEL = [
    {"code": _SAME, "name": "same", "label": "Same class", "color": "#efefef", "land": False},
    {"code": _OTHER, "name": "other", "label": "Other class", "color": "#000000", "land": False},
]


def plot_seams(
    joined: xr.DataArray, blended: xr.DataArray, edges: list[tuple[int, int, slice]], legend: pd.DataFrame,
    source: str, synthetic: bool,
) -> Figure:  # fmt: skip
    """Maps of 120 x 120 cells around the piece of an edge where most cells differ, and which do.

    The edges are marked at the margins only, so that the eye can look for a seam without being told where.

    Parameters
    ----------
    joined, blended : xarray.DataArray, shape (lat, lon), uint8
        Own cells of each region side by side, and the stitched map, both of the run's grid and of one calendar year,
        the scalar coordinate ``time``.
    edges : list of tuple
        Axis, first row or column behind the edge, columns or rows it runs along; see `ai4land.stitch.tile_edges`.
    legend : pandas.DataFrame
        Rows of `ai4land.legend.read_legend`.
    source : str
        Whose data, printed under the figure.
    synthetic : bool

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is no edge.
    """
    if not edges:
        raise ValueError("plot_seams: one region has no edge to show; leave the figure out.")
    differs = (joined != blended).to_numpy()
    part = _most_differing(differs, edges)
    water = np.isin(blended[part], (0, NO_DATA))
    codes = np.where(differs[part], _OTHER, np.where(water, blended[part], _SAME)).astype(np.uint8)
    where = xr.DataArray(codes, blended[part].coords, ("lat", "lon"))
    year = int(blended["time"])
    panels = {f"Hard joins, {year}": joined[part], f"Blended, {year}": blended[part],
              f"{int(differs[part].sum())} of {differs[part].size} cells differ": where}  # fmt: skip
    figure = plot_map_row(panels, pd.concat([legend, pd.DataFrame(_PANEL)], ignore_index=True), source, synthetic)
    grid = grid_of(blended)
    for axes in (a for a in figure.axes if isinstance(a, GeoAxes)):
        for lines in (a for a in axes.get_children() if isinstance(a, Gridliner)):
            lines.xlines = lines.ylines = False  # edges lie on whole degrees, as the graticule does
        for axis, at, along in edges:
            across, other = part[axis], part[1 - axis]
            if across.start < at < across.stop and along.start < other.stop and along.stop > other.start:
                _mark(axes, axis, float((grid.lat_edges, grid.lon_edges)[axis][at]))
    return figure


def _most_differing(differs: np.ndarray, edges: list[tuple[int, int, slice]]) -> tuple[slice, slice]:
    """Rows and columns of the part, centred across an edge, with the most differing cells."""
    best, most = (slice(0, 0), slice(0, 0)), -1
    for axis, at, along in edges:
        for start in range(along.start, max(along.stop - _SIDE // 2, along.start + 1), _SIDE // 2):
            corner = (at - _SIDE // 2, start) if axis == 0 else (start, at - _SIDE // 2)
            rows, cols = (slice(low := min(max(c, 0), max(n - _SIDE, 0)), min(low + _SIDE, n))
                          for c, n in zip(corner, differs.shape, strict=True))  # fmt: skip
            number = int(differs[rows, cols].sum())
            if number > most:
                best, most = (rows, cols), number
    return best


def _mark(axes: GeoAxes, axis: int, at: float) -> None:
    """Two short lines outside the map, at the ends of an edge."""
    style = {"color": "#D55E00", "linewidth": 1.5, "clip_on": False}
    for low, high in ((-0.05, 0.0), (1.0, 1.05)):
        if axis == 0:
            axes.plot([low, high], [at, at], transform=axes.get_yaxis_transform(), **style)
        else:
            axes.plot([at, at], [low, high], transform=axes.get_xaxis_transform(), **style)
