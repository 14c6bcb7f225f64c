"""The interface of models of land cover and leaf area, and the cases they learn from."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Protocol, Self

import numpy as np

from ai4land.experiments import Experiment
from ai4land.samples.predictors import Given
from ai4land.samples.region import Region
from ai4land.windows import WHOLE, Window

Pair = tuple[int, int]  # prior year and year


class GreenModel(Protocol):
    """A model of land cover, leaf area, or both.

    ``name`` is its entry in ``scores.csv``; ``targets`` are among land_use, land_cover and leaf_area_index; ``given``
    are its predictors.
    """

    name: str
    targets: tuple[str, ...]
    given: Given

    def fit(self, cube: Region, experiment: Experiment) -> Self:
        """Learn from the training and validation years of an experiment, and from no other."""
        ...

    def predict(
        self, cube: Region, prior_year: int, year: int, hidden: np.ndarray | None = None,
        window: Window = WHOLE,
    ) -> dict[str, np.ndarray]:  # fmt: skip
        """What it makes of a year, by target.

        ``land_use`` and ``land_cover``: class probabilities (class, y, x) float32 in the order of `class_codes`, sum 1,
        zeros without data. ``leaf_area_index``: (12, y, x) float32, m2 m-2, within 0-7, 0 on water, NaN without data.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write what was learned to a folder."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; executes no code."""
        ...


def pairs(experiment: Experiment, part: Literal["train", "validation"]) -> Iterator[Pair]:
    """Pairs of prior year and year that may be learned from, in the direction of the experiment.

    Both years are of ``part`` ('train' or 'validation'; a prior of a validation year may be a training year), no
    further apart than the longest lead that is judged.
    """
    longest = max(abs(year - experiment.start) for year in experiment.targets)
    years = experiment.learned(part)
    known = {*years, *experiment.learned("train")}
    for year in years:
        for gap in range(1, longest + 1):
            prior = year - experiment.sign * gap
            if prior in known:
                yield prior, year
