"""Maps: land use, and where change was hit, missed or made up; the coast comes from the map itself."""

import cartopy.crs as ccrs
import numpy as np
import pandas as pd
import xarray as xr
from cartopy.mpl.geoaxes import GeoAxes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure, FigureBase
from matplotlib.patches import Patch

from ai4land.grid import EARTH_RADIUS, grid_of
from ai4land.legend import NO_DATA
from ai4land.plot.style import WIDTH, add_source, new_figure, page_shape

# Colours after Okabe and Ito; hits, misses and false alarms differ in lightness too.
_CHANGE = [
    ("no change", "#e4e4e4"), ("hit", "#009E73"), ("miss", "#0072B2"), ("false alarm", "#E69F00"),
    ("wrong hit", "#CC79A7"), ("water", "#d8e6ee"),
]  # fmt: skip


def _draw(axes: GeoAxes, codes: np.ndarray, cover: xr.DataArray, colors: list[str], sea: np.ndarray) -> None:
    """Codes 0..n-1 as colours; -1 is transparent; the coast follows the cells without land."""
    west, south, east, north = grid_of(cover).bounds
    shown = np.ma.masked_equal(codes, -1)
    norm = BoundaryNorm(np.arange(len(colors) + 1) - 0.5, len(colors))
    axes.imshow(shown, ListedColormap(colors), norm, extent=(west, east, south, north), origin="upper",
                interpolation="nearest", transform=ccrs.PlateCarree())  # fmt: skip
    # One degree of longitude is shorter than one of latitude.
    axes.set_aspect(1 / np.cos(np.radians((north + south) / 2)))
    if sea.any() and not sea.all():
        axes.contour(cover.lon, cover.lat, sea.astype(float), [0.5], colors="#333333", linewidths=0.25,
                     transform=ccrs.PlateCarree())  # fmt: skip
    axes.set_extent((west, east, south, north), ccrs.PlateCarree())
    _add_graticule(axes, east - west)


def _add_graticule(axes: GeoAxes, width: float) -> None:
    step = next(s for s in (0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 60) if width / s <= 6)
    lines = axes.gridlines(draw_labels=True, linewidth=0.3, color="#aaaaaa", xlocs=np.arange(-180, 181, step),
                           ylocs=np.arange(-90, 91, step))  # fmt: skip
    lines.top_labels = lines.right_labels = False
    lines.xlabel_style = lines.ylabel_style = {"size": 6}


def _add_scale(axes: GeoAxes, cover: xr.DataArray) -> None:
    """Scale bar, exact at the latitude that it is drawn at."""
    west, south, east, north = grid_of(cover).bounds
    lat = south + 0.05 * (north - south)
    degree = np.radians(1) * EARTH_RADIUS * 1e-3 * np.cos(np.radians(lat))
    length = next(k for k in (2000, 1000, 500, 200, 100, 50, 20, 10, 5, 2, 1) if k / degree <= (east - west) / 3)
    left = west + 0.03 * (east - west)
    axes.plot([left, left + length / degree], [lat, lat], color="black", linewidth=1.5, transform=ccrs.PlateCarree())
    axes.text(left, lat + 0.015 * (north - south), f"{length} km", size=6, transform=ccrs.PlateCarree())


def _panel_shape(cover: xr.DataArray, panels: int) -> tuple[int, int, float]:
    """Rows and columns of panels, and the height (cm) that keeps their shape."""
    tall = page_shape(grid_of(cover).bounds)
    widest = 1 if tall < 0.4 else 4 if tall > 0.8 else 2
    rows = -(-panels // widest)
    columns = -(-panels // rows)  # as many in every row
    return rows, columns, rows * (WIDTH / columns * 0.8 * tall + 0.9) + 1.5


def plot_map_row(maps: dict[str, xr.DataArray], legend: pd.DataFrame, source: str, synthetic: bool) -> Figure:
    """Land-use maps side by side under one legend.

    Parameters
    ----------
    maps : dict of str to xarray.DataArray, shape (lat, lon), uint8
        Panel title to classes; 255 is no data.
    legend : pandas.DataFrame
        Rows of `ai4land.legend.read_legend`.
    source : str
        Whose data, printed under the figure.
    synthetic : bool

    Returns
    -------
    matplotlib.figure.Figure
    """
    maps = {title: _thinned(cover) for title, cover in maps.items()}
    first = next(iter(maps.values()))
    rows, columns, height = _panel_shape(first, len(maps))
    figure = new_figure(height)
    known = legend[legend["code"] != NO_DATA]
    place = {int(c): i for i, c in enumerate(known["code"])}
    table = np.full(256, -1)
    table[list(place)] = list(place.values())
    present: set[int] = set()
    for number, (title, cover) in enumerate(maps.items()):
        axes = _map_axes(figure, rows, columns, number)
        codes = cover.to_numpy()
        present |= set(np.unique(codes).tolist())
        _draw(axes, table[codes], cover, list(known["color"]), (codes == 0) | (codes == NO_DATA))
        axes.set_title(title, loc="left")
        if number == 0:
            _add_scale(axes, cover)
    shown = known[known["code"].isin(present)]
    handles = [Patch(facecolor=c, edgecolor="#555555", linewidth=0.3, label=n)
               for c, n in zip(shown["color"], shown["label"], strict=True)]  # fmt: skip
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles) if len(handles) <= 7 else 4)
    add_source(figure, source, synthetic)
    return figure


def _thinned(cover: xr.DataArray) -> xr.DataArray:
    """Every second cell, or third.. of a map that has more cells than a page can show."""
    step = -(-max(cover.shape) // _MOST)
    return cover[step // 2 :: step, step // 2 :: step]


def _map_axes(figure: FigureBase, rows: int, columns: int, number: int) -> GeoAxes:
    axes = figure.add_subplot(rows, columns, number + 1, projection=ccrs.PlateCarree())
    assert isinstance(axes, GeoAxes)
    return axes


def plot_map(cover: xr.DataArray, legend: pd.DataFrame, title: str, source: str, synthetic: bool) -> Figure:
    """One land-use map; see `plot_map_row`."""
    return plot_map_row({title: cover}, legend, source, synthetic)


def plot_change(
    prior: xr.DataArray, observed: xr.DataArray, simulated: dict[str, xr.DataArray], land: list[int], source: str,
    synthetic: bool,
) -> Figure:  # fmt: skip
    """Where simulated change hits, misses, is a false alarm, or reaches the wrong class.

    Parameters
    ----------
    prior, observed : xarray.DataArray, shape (lat, lon), uint8
    simulated : dict of str to xarray.DataArray, shape (lat, lon), uint8
        Panel title to map.
    land : list of int
        Codes of land classes; other cells are shown as water.
    source : str
    synthetic : bool

    Returns
    -------
    matplotlib.figure.Figure
    """
    box = _busiest(observed.to_numpy() != prior.to_numpy())
    rows, columns, height = _panel_shape(prior, len(simulated))
    zoomed = prior[box] if box else prior
    zoom_rows, zoom_columns, zoom_height = _panel_shape(zoomed, len(simulated)) if box else (0, 1, 1.5)
    figure = new_figure(height + zoom_height - 1.5)
    parts: list[FigureBase] = [figure]
    if box:
        parts = list(figure.subfigures(2, 1, height_ratios=[height, zoom_height - 1.5]))  # type: ignore[arg-type]
    for number, (title, cover) in enumerate(simulated.items()):
        codes, sea = _change_codes(prior.to_numpy(), observed.to_numpy(), cover.to_numpy(), land)
        axes = _map_axes(parts[0], rows, columns, number)
        _draw(axes, codes, cover, [c for _, c in _CHANGE], sea)
        axes.set_title(title.replace(" (", "\n(") if columns > 3 else title, loc="left")
        if number == 0:
            _add_scale(axes, cover)
        if box:
            west, south, east, north = grid_of(zoomed).bounds
            axes.plot(
                [west, east, east, west, west],
                [south, south, north, north, south],
                color="black",
                linewidth=0.7,
            )
            inset = _map_axes(parts[1], zoom_rows, zoom_columns, number)
            _draw(inset, codes[box], cover[box], [c for _, c in _CHANGE], sea[box])
            if number == 0:
                _add_scale(inset, zoomed)
    handles = [Patch(facecolor=c, edgecolor="#555555", linewidth=0.3, label=n) for n, c in _CHANGE]
    figure.legend(handles=handles, loc="outside upper center", ncols=6)
    add_source(figure, source, synthetic)
    return figure


_MOST = 2500  # cells along a side of a map that is drawn
_ZOOM = 160  # cells: side of the part that is drawn large


def _busiest(changed: np.ndarray) -> tuple[slice, slice] | None:
    """Window of 160 x 160 cells with the most observed change; None where the map is not much larger."""
    if min(changed.shape) < 2 * _ZOOM:
        return None
    step = _ZOOM // 2
    starts = [(r, c) for r in range(0, changed.shape[0] - _ZOOM + 1, step)
              for c in range(0, changed.shape[1] - _ZOOM + 1, step)]  # fmt: skip
    row, col = max(starts, key=lambda s: int(changed[s[0] : s[0] + _ZOOM, s[1] : s[1] + _ZOOM].sum()))
    return slice(row, row + _ZOOM), slice(col, col + _ZOOM)


def _change_codes(
    prior: np.ndarray, observed: np.ndarray, simulated: np.ndarray, land: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Index into ``_CHANGE`` of every cell, -1 without data; and where there is no land to draw a coast around."""
    seen, made = observed != prior, simulated != prior
    kinds = [seen & made & (observed == simulated), seen & ~made, ~seen & made, seen & made]
    codes = np.select(kinds, [1, 2, 3, 4], 0)
    codes = np.where(np.isin(prior, land) & np.isin(observed, land), codes, 5)
    missing = (prior == NO_DATA) | (observed == NO_DATA) | (simulated == NO_DATA)
    return np.where(missing, -1, codes), missing | (prior == 0)
