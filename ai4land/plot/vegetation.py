"""Figures of the products of land cover and leaf area: maps of a few years, areas and mean seasons over time."""

from calendar import month_abbr
from textwrap import fill

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from ai4land.grid import grid_of
from ai4land.legend import read_legend
from ai4land.plot.maps import plot_map_row
from ai4land.plot.style import WIDTH, add_source, largest_shown, new_figure, page_shape
from ai4land.samples.predictors import cover_groups, level_1

_UNIT = "leaf area index (m² m⁻²)"
_WATER = "#d8e6ee"
_LEGEND = 0.6  # inches, more than a legend of land use takes
_MOST = 1500  # cells along a side of a panel


def _label(text: str, width: int) -> str:
    """Short label of a class of level 1, in lines."""
    return fill(text.split(" (")[0].split(", closed")[0].split(", fresh")[0], width)


def plot_cover_row(maps: dict[str, xr.DataArray], source: str, synthetic: bool) -> Figure:
    """Land-cover maps side by side in level-1 classes, under one legend.

    Parameters
    ----------
    maps : dict of str to xarray.DataArray, shape (lat, lon), uint8
        Panel title to codes of land cover; 0 is no data.
    source : str
        Whose data, printed under the figure.
    synthetic : bool

    Returns
    -------
    matplotlib.figure.Figure
    """
    legend = read_legend("land_cover")
    legend = legend[legend["code"].isin(list(cover_groups()))]
    legend = legend.assign(label=[_label(text, 25) for text in legend["label"]])
    shown = {title: one.copy(data=level_1(one.to_numpy()).astype(np.uint8)) for title, one in maps.items()}
    figure = plot_map_row(shown, legend, source, synthetic)
    figure.set_figheight(figure.get_figheight() + _LEGEND)
    return figure


def plot_leaf_row(maps: dict[str, xr.DataArray], source: str, synthetic: bool) -> Figure:
    """Leaf-area maps side by side, in one colour scale.

    Parameters
    ----------
    maps : dict of str to xarray.DataArray, shape (lat, lon), float32
        Panel title to leaf area, m2 m-2; NaN is no data.
    source : str
    synthetic : bool

    Returns
    -------
    matplotlib.figure.Figure
    """
    first = grid_of(next(iter(maps.values())))
    west, south, east, north = first.bounds
    columns = min(len(maps), 1 if page_shape(first.bounds) < 0.4 else 3)
    rows = -(-len(maps) // columns)
    figure = new_figure(rows * (WIDTH / columns * 0.8 * page_shape(first.bounds) + 0.8) + 1.8)
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    step = -(-max(first.shape) // _MOST)
    fields = [np.ma.masked_invalid(one[step // 2 :: step, step // 2 :: step].to_numpy()) for one in maps.values()]
    largest = largest_shown(fields)
    for axes, title, field in zip(panels, maps, fields, strict=False):
        axes.set_facecolor(_WATER)
        image = axes.imshow(field, "viridis", vmin=0, vmax=largest, extent=(west, east, south, north), origin="upper",
                            interpolation="nearest")  # fmt: skip
        axes.set_aspect(1 / np.cos(np.radians((north + south) / 2)))
        axes.set_title(title, loc="left")
        axes.locator_params(nbins=4)
    for axes in panels[-columns:]:
        axes.set_xlabel("longitude (°)")
    for axes in panels[::columns]:
        axes.set_ylabel("latitude (°)")
    for axes in panels[len(maps) :]:
        axes.set_visible(False)
    figure.colorbar(image, ax=list(panels), label=_UNIT, shrink=0.85, aspect=18, pad=0.01)
    add_source(figure, source, synthetic)
    return figure


def plot_cover_areas(areas: pd.DataFrame, reference: int, source: str, synthetic: bool) -> Figure:
    """Area of every level-1 class of land cover by year; the reference year is marked.

    Parameters
    ----------
    areas : pandas.DataFrame
        Of `ai4land.green.cover_areas`: columns year, code, class, km2.
    reference : int
        Year of the observed map.
    source : str
    synthetic : bool

    Returns
    -------
    matplotlib.figure.Figure
    """
    legend = read_legend("land_cover").set_index("code")
    codes = areas.groupby("code")["km2"].max().sort_values(ascending=False).index
    columns = 4
    rows = -(-len(codes) // columns)
    figure = new_figure(3.6 * rows + 1.4)
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel()
    for axes, code in zip(panels, codes, strict=False):
        one = areas[areas["code"] == code].sort_values("year")
        axes.fill_between(one["year"], one["km2"] / 1e3, color=legend["color"][code], alpha=0.5, linewidth=0)
        axes.plot(one["year"], one["km2"] / 1e3, color="black", linewidth=0.8, marker="o", markersize=1.8)
        seen = one[one["year"] == reference]
        axes.plot(seen["year"], seen["km2"] / 1e3, "D", color="#D55E00", markersize=3.5)
        axes.set_title(_label(legend["label"][code], 26), loc="left", fontsize=6.5)
        axes.set_ylim(0, None)
    for axes in panels[len(codes) :]:
        axes.set_visible(False)
    for number in range(len(codes) - columns, len(codes)):  # the lowest of each column
        panels[max(number, 0)].tick_params(labelbottom=True)
        panels[max(number, 0)].set_xlabel("year")
    for axes in panels[::columns]:
        axes.set_ylabel("area (10³ km²)")
    marks = [panels[0].lines[0], panels[0].lines[1]]
    figure.legend(marks, ["product", f"observed ({reference})"], loc="outside upper center", ncols=2)
    add_source(figure, source, synthetic)
    return figure


def plot_season_years(seasons: pd.DataFrame, reference: int, source: str, synthetic: bool) -> Figure:
    """Mean leaf area of all cells: the season of each year, and four months of it over the years.

    Parameters
    ----------
    seasons : pandas.DataFrame
        Of `ai4land.green.mean_seasons`: columns year, month, leaf_area_index (m2 m-2).
    reference : int
        Year of the observed seasons.
    source : str
    synthetic : bool

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = new_figure(7.0)
    left, right = figure.subplots(1, 2)
    norm, colors = Normalize(seasons["year"].min(), seasons["year"].max()), colormaps["cividis"]
    for year, one in seasons.groupby("year"):
        seen = year == reference
        left.plot(one["month"], one["leaf_area_index"], color="black" if seen else colors(norm(float(str(year)))),
                  linestyle="--" if seen else "-", linewidth=1.4 if seen else 0.9,
                  label=f"observed ({reference})" if seen else f"_{year}")  # fmt: skip
    left.set_xticks(range(1, 13), [month_abbr[m][0] for m in range(1, 13)])
    left.set(xlabel="month", ylabel=f"mean {_UNIT}", ylim=(0, None))
    left.legend(loc="lower center")
    figure.colorbar(ScalarMappable(norm, colors), ax=left, label="year", aspect=25, pad=0.02)
    for month, color in zip((1, 4, 7, 10), ("#0072B2", "#009E73", "#D55E00", "#CC79A7"), strict=True):
        one = seasons[seasons["month"] == month].sort_values("year")
        right.plot(one["year"], one["leaf_area_index"], color=color, linewidth=1, marker="o", markersize=2.2,
                   label=month_abbr[month])  # fmt: skip
    right.axvline(reference, color="#999999", linewidth=0.6, linestyle=":")
    right.set(xlabel="year (dotted: observed)", ylim=(0, None))
    right.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4)
    add_source(figure, source, synthetic)
    return figure
