"""The interface that every model keeps."""

from pathlib import Path
from typing import Protocol, Self

import numpy as np

from ai4land.legend import class_codes, read_legend
from ai4land.samples import Batch, Region, Split

LATTICE = 16  # fine cells: a network that halves a window four times sees them in groups, counted from a run's corner


class Model(Protocol):
    """A model of land use: what every room after this one may ask of it.

    ``name`` is its entry in ``scores.csv``; ``member`` tells apart its variants, "all" where it has none;
    ``core`` is the side of the parts of a region that it predicts one after the other, fine cells, 0 where it takes a
    region whole; ``reach`` is how far from a cell an input can have a say in its probabilities, fine cells, None where
    the whole region has; ``parameters`` is the number of values learned: weights, or nodes of trees.
    """

    name: str
    member: str
    core: int

    @property
    def reach(self) -> int | None:
        """Fine cells beyond which nothing has a say, in a region of whole coarse cells."""
        ...

    @property
    def parameters(self) -> int:
        """Number of values learned."""
        ...

    def fit(self, cube: Region, split: Split) -> Self:
        """Learn from the training and validation cases of a split, and from nothing else."""
        ...

    def prepare(self, batch: Batch) -> Batch:
        """A whole region's batch with what must be known of the whole before it is cut into windows."""
        ...

    def predict_proba(self, batch: Batch) -> np.ndarray:
        """Class probabilities, shape (batch, class, y, x), float32; zeros where there is no data."""
        ...

    def save(self, folder: Path) -> None:
        """Write what was learned to a folder."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; executes no code."""
        ...


class Whole:
    """A model that takes a region whole, and looks at all of it unless it says how far it reaches."""

    member = "all"
    core = 0
    reach: int | None = None

    def prepare(self, batch: Batch) -> Batch:
        """See `Model`: nothing."""
        return batch


def one_hot(labels: np.ndarray) -> np.ndarray:
    """Labels as probabilities: (batch, y, x) uint8 to (batch, class, y, x) float32, zeros where 255."""
    codes = class_codes(read_legend("land_use"))
    return (labels[:, None] == codes[:, None, None]).astype(np.float32)


def most_probable(probabilities: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Most probable class, lowest code on a tie.

    Parameters
    ----------
    probabilities : numpy.ndarray, shape (class, y, x), float32
    valid : numpy.ndarray, shape (y, x), bool

    Returns
    -------
    numpy.ndarray, shape (y, x), uint8
        255 where not ``valid``, or where all probabilities are zero.
    """
    codes = class_codes(read_legend("land_use"))
    labels = codes[probabilities.argmax(0)].astype(np.uint8)
    return np.where(valid & (probabilities.max(0) > 0), labels, 255).astype(np.uint8)


def free_cells(batch: Batch) -> np.ndarray:
    """Cells whose class a model decides, (batch, y, x) bool: land, and hidden ones with data."""
    legend = read_legend("land_use")
    water = np.setdiff1d(class_codes(legend), class_codes(legend, land_only=True))
    return np.asarray(batch.valid) & ~np.isin(batch.prior, water)
