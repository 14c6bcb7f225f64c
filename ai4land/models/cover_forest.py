"""A random forest of land cover, on the same cells and predictors as the boosted trees."""

from pathlib import Path
from typing import Any

import numpy as np

from ai4land.models.cover_start import Shown
from ai4land.models.cover_trees import GIVEN, CoverTrees
from ai4land.samples.predictors import Given


class CoverForest(CoverTrees):
    """Random forest of XGBoost: all trees are grown at once, each on a sample of the cells, and averaged.

    All classes start equal, and cells are drawn evenly: a single step from a certain start would overshoot.

    Parameters
    ----------
    given, rows, cases, depth, masked, seed, threads, device, checkpoints
        As of `CoverTrees`.
    trees : int
        Trees a class.

    References
    ----------
    Breiman (2001), doi:10.1023/A:1010933404324; XGBoost documentation, "Random Forests in XGBoost"
    """

    name = "random_forest"
    halved = False

    def __init__(
        self, given: Given = GIVEN, trees: int = 32, rows: int = 400_000, cases: int = 60, depth: int = 14,
        masked: float = 0.5, seed: int = 0, threads: int = 2, device: str = "cpu", checkpoints: Path | None = None,
    ) -> None:  # fmt: skip
        super().__init__(given, 1, rows, cases, depth, 1.0, masked, seed, threads, device, checkpoints)
        kept = ("rows", "cases", "depth", "masked", "seed", "threads", "device")
        self.settings = {"trees": trees} | {k: self.settings[k] for k in kept}

    def _margin(self, shown: Shown, where: np.ndarray, years: int) -> np.ndarray:
        return np.zeros((int(where.sum()), len(self.classes)), np.float32)

    def _parameters(self) -> dict[str, Any]:
        # The Hessian of a cell is 2 p (1 - p): below 0.1 where 20 classes start equal.
        sampled = {"eta": 1.0, "num_parallel_tree": self.settings["trees"], "subsample": 0.63, "colsample_bynode": 0.5,
                   "colsample_bytree": 1.0, "min_child_weight": 0.1, "lambda": 0.1}  # fmt: skip
        return super()._parameters() | sampled
