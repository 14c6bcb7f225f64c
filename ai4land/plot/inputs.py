"""What goes into a prediction: the years of the data, and the stack of layers that a model sees."""

import cartopy.crs as ccrs
import numpy as np
import pandas as pd
import xarray as xr
from cartopy.mpl.geoaxes import GeoAxes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ai4land.grid import grid_of
from ai4land.plot.style import WIDTH, add_source, new_figure, page_shape

HIDDEN = 254  # code of a hidden cell on a map
_KINDS = {
    "input": "#9ecae1", "scenario": "#c6dbef", "training": "#0072B2", "validation": "#56B4E9", "test": "#D55E00",
    "reference": "#555555", "emulated": "#E69F00",
}  # fmt: skip


def with_hidden(legend: pd.DataFrame) -> pd.DataFrame:
    """A legend with one entry more, code 254: the prior is hidden here."""
    row = {"code": HIDDEN, "name": "hidden", "label": "Hidden prior", "color": "#cfcfcf", "land": False}
    return pd.concat([legend, pd.DataFrame([row])], ignore_index=True)


def plot_timeline(spans: pd.DataFrame, source: str, synthetic: bool) -> Figure:
    """Years of the inputs, of what is learned from and judged on, and of the product.

    Parameters
    ----------
    spans : pandas.DataFrame
        Columns row (text), first, last (calendar years), kind (input, scenario, training, validation, test,
        reference or emulated); rows from top to bottom in their order.
    source : str
    synthetic : bool

    Returns
    -------
    matplotlib.figure.Figure
    """
    rows = list(dict.fromkeys(spans["row"]))
    figure = new_figure(0.62 * len(rows) + 2.6)
    axes = figure.add_subplot()
    for span in spans.itertuples():
        axes.barh(rows.index(span.row), span.last - span.first + 1, left=span.first, height=0.6,
                  color=_KINDS[span.kind], edgecolor="white", linewidth=0.5)  # fmt: skip
    axes.set(ylim=(len(rows) - 0.4, -0.6), xlabel="year", xlim=(spans["first"].min() - 2, spans["last"].max() + 3))
    axes.set_yticks(range(len(rows)), rows)
    axes.grid(axis="x", linewidth=0.3, color="#dddddd")
    axes.set_axisbelow(True)
    used = [k for k in _KINDS if k in set(spans["kind"])]
    handles = [Patch(facecolor=_KINDS[k], label=k) for k in used]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    add_source(figure, source, synthetic)
    return figure


def _draw_classes(axes: GeoAxes, field: xr.DataArray, legend: pd.DataFrame, extent: tuple) -> None:
    table = np.full(256, -1)
    table[legend["code"].to_numpy()] = np.arange(len(legend))
    shown = np.ma.masked_equal(table[field.to_numpy()], -1)
    norm = BoundaryNorm(np.arange(len(legend) + 1) - 0.5, len(legend))
    axes.imshow(shown, ListedColormap(list(legend["color"])), norm, extent=extent, origin="upper",
                interpolation="nearest", transform=ccrs.PlateCarree())  # fmt: skip


def plot_input_stack(
    fields: dict[str, xr.DataArray], legend: pd.DataFrame, source: str, synthetic: bool, columns: int = 4
) -> Figure:
    """The layers of one window side by side: classes in the legend's colours, quantities with a colour bar.

    Parameters
    ----------
    fields : dict of str to xarray.DataArray, shape (lat, lon)
        Panel title to layer, each on its own grid; uint8 are classes of ``legend``, others quantities whose
        unit is ``attrs["units"]``.
    legend : pandas.DataFrame
    source : str
    synthetic : bool
    columns : int
        Panels in a row.

    Returns
    -------
    matplotlib.figure.Figure
    """
    rows = -(-len(fields) // columns)
    tall = page_shape(grid_of(next(iter(fields.values()))).bounds)
    figure = new_figure(rows * (WIDTH / columns * 0.7 * tall + 1.4) + 1.8)
    present: set[int] = set()
    for number, (title, field) in enumerate(fields.items()):
        axes = figure.add_subplot(rows, columns, number + 1, projection=ccrs.PlateCarree())
        assert isinstance(axes, GeoAxes)
        west, south, east, north = grid_of(field).bounds
        if field.dtype == np.uint8:
            _draw_classes(axes, field, legend, (west, east, south, north))
            present |= set(np.unique(field.to_numpy()).tolist())
        else:
            image = axes.imshow(field.to_numpy(), "cividis", extent=(west, east, south, north), origin="upper",
                                interpolation="nearest", transform=ccrs.PlateCarree())  # fmt: skip
            bar = figure.colorbar(image, ax=axes, orientation="horizontal", shrink=0.75, aspect=18, pad=0.03)
            bar.set_label(field.attrs.get("units", "1"), size=6)
            bar.ax.tick_params(labelsize=6)
        axes.set_aspect(1 / np.cos(np.radians((north + south) / 2)), anchor="N")
        axes.set_title(title, loc="left", size=7.5)
    shown = legend[legend["code"].isin(present)]
    handles = [Patch(facecolor=c, edgecolor="#555555", linewidth=0.3, label=n)
               for c, n in zip(shown["color"], shown["label"], strict=True)]  # fmt: skip
    figure.legend(handles=handles, loc="outside upper center", ncols=5)
    add_source(figure, source, synthetic)
    return figure
