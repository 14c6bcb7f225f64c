"""The arrays of one case that a model predicts."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ai4land.grid import COARSE_CELLS
from ai4land.legend import NO_DATA
from ai4land.regrid import coarsen_fractions
from ai4land.samples.region import Region

Array = Any  # numpy.ndarray, or torch.Tensor of the same shape and type


@dataclass(frozen=True)
class Batch:
    """What a model is given to predict from; a sampler's are tensors on its device.

    Parameters
    ----------
    prior : numpy.ndarray, shape (batch, y, x), uint8
        Land use of the prior year; 255 where hidden or without data.
    years : numpy.ndarray, shape (batch,), float32
        Target year minus prior year, negative in a hindcast.
    coarse : dict of int to numpy.ndarray, shape (batch, 2, class, Y, X), float32
        By side of the coarse cells in fine cells: class fractions (1) of the prior and the target year.
    valid : numpy.ndarray, shape (batch, y, x), bool
        Cells with data in the prior year, hidden or not.
    static : dict of str to numpy.ndarray, shape (y, x) or (batch, y, x), float32
    start : numpy.ndarray, shape (batch, 2) or (2,), int
        Row and column of the first cell, counted from the north-west corner of the coarse fields.
    states : dict of str to numpy.ndarray, shape (batch, Y, X), float32
        LUH2's states of the target year, by name, on 25-cell blocks; empty where the coarse input is perfect.
    earlier : numpy.ndarray, shape (batch, map, y, x), uint8, optional
        Maps of the years before the prior one, the nearest first; 255 where hidden or without data. None without any.
    """

    prior: Array
    years: Array
    coarse: dict[int, Array]
    valid: Array
    static: dict[str, Array] = field(default_factory=dict)
    start: Array = field(default_factory=lambda: np.zeros(2, int))
    states: dict[str, Array] = field(default_factory=dict)
    earlier: Array | None = None

    @property
    def priors(self) -> int:
        """Maps that are known: the prior one and those before it."""
        return 1 if self.earlier is None else 1 + self.earlier.shape[1]


def refine_step(coarse: np.ndarray, cells: int, shape: tuple[int, int]) -> np.ndarray:
    """Coarse values repeated over their fine cells: (..., Y, X) to (..., y, x), area-true."""
    fine = np.repeat(np.repeat(coarse, cells, axis=-2), cells, axis=-1)
    return fine[..., : shape[0], : shape[1]]


def coarse_field(cube: Region, year: int, cells: int, source: str) -> np.ndarray:
    """Class fractions of one year on blocks of ``cells``, (class, Y, X) float32.

    Parameters
    ----------
    source : {'perfect', 'luh2'}
        Aggregated from the maps themselves, or LUH2's.
    """
    if source == "luh2":
        return cube.field("luh2_fraction", year)
    fraction, area = cube.field("land_use_fraction", year), cube.field("data_area", year)
    return coarsen_fractions(fraction, area, cells // COARSE_CELLS)[0]


def coarse_pair(cube: Region, prior_year: int, year: int, cells: int, source: str) -> np.ndarray:
    """Class fractions of the prior and the target year, (2, class, Y, X) float32; see `coarse_field`."""
    return np.stack([coarse_field(cube, y, cells, source) for y in (prior_year, year)])


def luh2_states(cube: Region, year: int, source: str) -> dict[str, np.ndarray]:
    """LUH2's states of one year by name, each (Y, X); empty where the coarse input is perfect."""
    if source != "luh2":
        return {}
    return dict(zip(cube.names("luh2_state"), cube.field("luh2_state", year), strict=True))


def make_batch(
    cube: Region, prior_year: int, year: int, coarse_cells: tuple[int, ...], hidden: np.ndarray | None = None,
    statics: bool = True, source: str = "perfect", prior: np.ndarray | None = None,
    earlier: Sequence[np.ndarray] = (),
) -> Batch:  # fmt: skip
    """Inputs of one case: its prior (hidden where it must be), coarse fields of both years, statics.

    Parameters
    ----------
    prior : numpy.ndarray, shape (y, x), uint8, optional
        Map to start from instead of the observed one of ``prior_year``.
    earlier : sequence of numpy.ndarray, shape (y, x), uint8
        Maps of the years before it, the nearest first; hidden where the prior is.
    """
    prior = cube.field("land_use", prior_year) if prior is None else prior
    valid = prior != NO_DATA
    if hidden is not None:
        prior, *earlier = (np.where(hidden, NO_DATA, one).astype(np.uint8) for one in (prior, *earlier))
    coarse = {cells: coarse_pair(cube, prior_year, year, cells, source)[None] for cells in coarse_cells}
    states = {n: v[None] for n, v in luh2_states(cube, year, source).items()}
    years = np.array([year - prior_year], np.float32)
    static = {name: cube.field(name) for name in cube.static} if statics else {}
    return Batch(prior[None], years, coarse, valid[None], static, states=states,
                 earlier=np.stack(earlier)[None] if earlier else None)  # fmt: skip


def cut_batch(batch: Batch, top: int, left: int, size: tuple[int, int]) -> Batch:
    """A window of a batch; coarse fields stay whole, ``start`` says where the window lies in them."""
    rows, cols = slice(top, top + size[0]), slice(left, left + size[1])
    earlier = None if batch.earlier is None else batch.earlier[..., rows, cols]
    return replace(
        batch, prior=batch.prior[:, rows, cols], valid=batch.valid[:, rows, cols], earlier=earlier,
        start=batch.start + np.array([top, left]), static={n: v[..., rows, cols] for n, v in batch.static.items()},
    )  # fmt: skip
