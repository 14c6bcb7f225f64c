"""Fields of host models on their own cells, whatever their shape."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from ai4land.export.cells import Cells
from ai4land.grid import Bounds
from ai4land.plot.style import WIDTH, add_source, new_figure

_BLANK = "#d8e6ee"
_WIDEST = 90.0  # degrees: a cell that is wider lies across the date line, or around a pole


def plot_cells(
    fields: dict[str, tuple[Cells, np.ndarray]], bounds: Bounds, label: str, source: str, synthetic: bool,
    limits: tuple[float, float] | None = None,
) -> Figure:  # fmt: skip
    """Fields on cells of one or several grids, panel by panel in one colour scale.

    Parameters
    ----------
    fields : dict of str to tuple
        Panel title to cells and values (cell,); NaN is left blank.
    bounds : tuple of float
        West, south, east, north, degrees: the part that is shown.
    label : str
        Name and unit of the values.
    source : str
        Whose data, printed under the figure.
    synthetic : bool
    limits : tuple of float, optional
        Of the colours; those of the values shown where absent.

    Returns
    -------
    matplotlib.figure.Figure
    """
    west, south, east, north = bounds
    stretch = 1 / np.cos(np.radians((north + south) / 2))
    height = WIDTH / len(fields) * 0.75 * (north - south) / (east - west) * stretch + 2.5
    figure = new_figure(height)
    panels = figure.subplots(1, len(fields), squeeze=False, sharex=True, sharey=True)[0]
    parts = {title: _shown(cells, values, bounds) for title, (cells, values) in fields.items()}
    every = np.concatenate([values for _, values in parts.values()])
    low, high = limits or (float(every.min()), float(every.max()))
    for axes, (title, (corners, values)) in zip(panels, parts.items(), strict=True):
        drawn = _draw(axes, corners, values, low, high)
        axes.set(title=f"{title}, {values.size} cells", xlim=(west, east), ylim=(south, north), xlabel="longitude (°)")
        axes.set_aspect(stretch)
        axes.locator_params(nbins=5)
    panels[0].set_ylabel("latitude (°)")
    figure.colorbar(drawn, ax=list(panels), label=label, shrink=0.8)
    add_source(figure, source, synthetic)
    return figure


def _shown(cells: Cells, values: np.ndarray, bounds: Bounds) -> tuple[np.ndarray, np.ndarray]:
    """Corners (cell, corner, 2) and values of the cells with data that a window shows."""
    west, south, east, north = bounds
    lon = cells.lon_corners - 360 * np.round((cells.lon[:, None] - (west + east) / 2) / 360)
    inside = (lon.max(1) > west) & (lon.min(1) < east) & (np.ptp(lon, axis=1) < _WIDEST) & np.isfinite(values)
    inside &= (cells.lat_corners.max(1) > south) & (cells.lat_corners.min(1) < north)
    return np.stack([lon, cells.lat_corners], -1)[inside], values[inside]


def _draw(axes: Axes, corners: np.ndarray, values: np.ndarray, low: float, high: float) -> PolyCollection:
    axes.set_facecolor(_BLANK)
    drawn = PolyCollection(list(corners), array=values, cmap="viridis", clim=(low, high), edgecolors="face")
    drawn.set_linewidth(0.1)
    axes.add_collection(drawn)
    return drawn
