"""Sizes, fonts and colours of every figure, and how one is saved."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

WIDTH = 18.0  # cm, two columns of a journal page
_CM = 1 / 2.54
_LARGE = 1_500_000  # bytes
# Okabe and Ito (2008): told apart by colour-blind readers.
MODEL_COLORS = {
    "persistence": "#000000", "coarse_majority": "#999999", "kernel_density": "#E69F00", "landscaler": "#CC79A7",
    "xgboost": "#0072B2", "random_forest": "#56B4E9", "cnn": "#009E73", "unet": "#D55E00",
}  # fmt: skip
MODEL_NAMES = {
    "persistence": "Persistence", "coarse_majority": "Coarse majority", "kernel_density": "Kernel density",
    "landscaler": "LandScaleR", "xgboost": "XGBoost", "random_forest": "Random forest", "cnn": "CNN", "unet": "U-Net",
}  # fmt: skip
MEMBER_LINES = {"all": "-", "deterministic": "-", "fuzzy": "--", "expected_change": ":"}

mpl.rcParams.update({
    "font.family": "sans-serif", "font.size": 8, "axes.titlesize": 8.5, "axes.labelsize": 8, "legend.fontsize": 7.5,
    "xtick.labelsize": 7, "ytick.labelsize": 7, "axes.linewidth": 0.6, "axes.spines.top": False,
    "axes.spines.right": False, "legend.frameon": False, "savefig.dpi": 300, "pdf.fonttype": 42,
    "svg.hashsalt": "ai4land", "figure.constrained_layout.use": True,
})  # fmt: skip


class NotebookFigure(Figure):
    """Figure that a notebook shows as an image, whatever backend is set."""

    def _repr_png_(self) -> bytes:
        image = BytesIO()
        self.savefig(image, format="png", dpi=110)
        return image.getvalue()


def new_figure(height: float, width: float = WIDTH) -> NotebookFigure:
    """Empty figure of a size in cm."""
    return NotebookFigure(figsize=(width * _CM, height * _CM))


def page_shape(bounds: tuple[float, float, float, float]) -> float:
    """Height over width of a window (west, south, east, north, degrees), as true at its middle latitude."""
    west, south, east, north = bounds
    return (north - south) / ((east - west) * np.cos(np.radians((north + south) / 2)))


def model_label(model: str, member: str) -> str:
    """Name of a model and its member, as a legend shows it."""
    name = MODEL_NAMES.get(model.removesuffix("+allocation"), model)
    name += ", areas matched" if model.endswith("+allocation") else ""
    return name if member == "all" else f"{name} ({member.replace('_', ' ')})"


def model_line(model: str, member: str) -> dict[str, Any]:
    """Colour and line style of a model and its member."""
    name = model.removesuffix("+allocation")
    style = MEMBER_LINES.get(member, "-") if name == model else "-."
    return {"color": MODEL_COLORS.get(name, "#777777"), "linestyle": style}


def add_source(figure: Figure, source: str, synthetic: bool) -> None:
    """Note under a figure whose data it shows; synthetic data are always called so."""
    text = ("SYNTHETIC DATA. " if synthetic else "") + f"Source: {source}"
    figure.supxlabel(text, fontsize=6, color="#a50f15" if synthetic else "#555555", x=0.01, ha="left", wrap=True)


def save_figure(figure: Figure, path: Path) -> list[Path]:
    """Save as PNG (300 dpi, fewer where that would be taller than 6000 pixels) and PDF, without time stamps.

    A PNG that would have more than 1.5 megabytes has 200 dpi.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    path : pathlib.Path
        Without suffix.

    Returns
    -------
    list of pathlib.Path
        The files written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    png, pdf = path.with_suffix(".png"), path.with_suffix(".pdf")
    figure.savefig(png, dpi=min(300, 6000 / figure.get_figheight()), metadata={"Software": None})
    if png.stat().st_size > _LARGE:
        figure.savefig(png, dpi=min(200, 6000 / figure.get_figheight()), metadata={"Software": None})
    figure.savefig(pdf, metadata={"CreationDate": None, "Producer": None, "Creator": None})
    return [png, pdf]


class Album:
    """Figures of one run, saved as they are made.

    Parameters
    ----------
    folder : pathlib.Path
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.files = folder, list[Path]()

    def keep(self, figure: Figure, name: str) -> Figure:
        """Save a figure under a name, see `save_figure`, and give it back to be shown."""
        self.files += save_figure(figure, self.folder / name)
        return figure


def largest_shown(fields: Sequence[np.ndarray]) -> float:
    """Upper end of the scale of maps that stand side by side, in their units: the largest value, rounded up to 0.5."""
    found = max((float(np.nanmax(np.ma.filled(field, np.nan), initial=0)) for field in fields), default=0.0)
    return max(np.ceil(2 * found) / 2, 0.5)
