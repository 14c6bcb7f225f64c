"""Land cover observed, predicted, and where they differ."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure, FigureBase
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from ai4land.grid import grid_of
from ai4land.legend import read_crosswalk, read_legend, recode
from ai4land.plot.maps import _add_scale, _busiest, _draw, _map_axes, _thinned
from ai4land.plot.style import WIDTH, add_source, new_figure, page_shape

# Colours after Okabe and Ito, each darker than the one before.
_AGREEMENT = [
    ("same class", "#eeeeee"), ("same level-1 class", "#E69F00"), ("same land use", "#009E73"),
    ("another land use", "#5a1e5a"),
]  # fmt: skip
_PANELS = 3


def _as_legend(cover: np.ndarray, legend: str) -> np.ndarray:
    return recode(cover, read_crosswalk("land_cover", legend), "land cover")


def _agreement(observed: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Index into ``_AGREEMENT`` of every cell; -1 without data."""
    codes = np.where(observed == predicted, 0, 3)
    for number, legend in ((2, "land_use"), (1, "land_cover_22")):
        same = _as_legend(observed, legend) == _as_legend(predicted, legend)
        codes = np.where((codes > 0) & same, number, codes)
    return np.where((observed == 0) | (predicted == 0), -1, codes)


def _row(figure: FigureBase, observed: xr.DataArray, predicted: xr.DataArray, titles: list[str]) -> set[int]:
    """Three maps side by side; the codes of level 1 that they show."""
    legend = read_legend("land_cover_22")
    place = np.full(256, -1)
    place[legend["code"][1:]] = np.arange(len(legend) - 1)
    level = [_as_legend(m.to_numpy(), "land_cover_22") for m in (observed, predicted)]
    sea = np.isin(level[0], (0, 210))
    panels = [(place[m], list(legend["color"][1:])) for m in level]
    panels.append((_agreement(observed.to_numpy(), predicted.to_numpy()), [c for _, c in _AGREEMENT]))
    for number, (codes, colors) in enumerate(panels):
        axes = _map_axes(figure, 1, _PANELS, number)
        _draw(axes, codes, observed, colors, sea)
        if titles:
            axes.set_title(titles[number], loc="left")
        if number == 0:
            _add_scale(axes, observed)
            for artist in (*axes.texts, *axes.lines):
                artist.set_path_effects([withStroke(linewidth=2.5, foreground="white")])
    return {int(c) for m in level for c in np.unique(m)}


def _patches(entries: list[tuple[str, str]]) -> list[Patch]:
    return [Patch(facecolor=color, edgecolor="#555555", linewidth=0.3, label=name) for name, color in entries]


def plot_cover_pair(
    observed: xr.DataArray, predicted: xr.DataArray, titles: list[str], source: str, synthetic: bool
) -> Figure:
    """Observed and predicted land cover at level 1, and how far the 37 classes differ; below, where they differ most.

    Parameters
    ----------
    observed, predicted : xarray.DataArray, shape (lat, lon), uint8
        Codes of legend ``land_cover``; 0 is no data.
    titles : list of str
        Of the three panels.
    source : str
        Whose data, printed under the figure.
    synthetic : bool

    Returns
    -------
    matplotlib.figure.Figure
        Colours of the classes are ESA's own; those of the third panel differ in lightness.
    """
    observed, predicted = _thinned(observed), _thinned(predicted)
    box = _busiest(observed.to_numpy() != predicted.to_numpy())
    high = [WIDTH / _PANELS * 0.85 * page_shape(grid_of(part).bounds) + 0.8
            for part in (observed, observed[box] if box else None) if part is not None]  # fmt: skip
    figure = new_figure(sum(high) + 4.2)
    parts = list(np.atleast_1d(np.array(figure.subfigures(len(high), 1, height_ratios=high), object)))
    shown = _row(parts[0], observed, predicted, titles)
    if box:
        _row(parts[1], observed[box], predicted[box], [])
        west, south, east, north = grid_of(observed[box]).bounds
        for axes in parts[0].axes:
            axes.plot([west, east, east, west, west], [south, south, north, north, south], color="black", linewidth=0.7)
    legend = read_legend("land_cover_22").set_index("code")
    classes = [(str(legend["label"][c]), str(legend["color"][c])) for c in sorted(shown - {0})]
    figure.legend(handles=_patches(classes), loc="outside upper left", ncols=2, fontsize=6.5)
    figure.legend(handles=_patches(_AGREEMENT), loc="outside lower right", ncols=4, fontsize=6.5)
    add_source(figure, source, synthetic)
    return figure
