"""A random forest on the same cells and features as the boosted trees."""

from pathlib import Path
from typing import Any

import numpy as np

from ai4land.models.trees import Trees
from ai4land.samples import Batch


class RandomForest(Trees):
    """Random forest of XGBoost: all trees are grown at once, each on a sample of the cells, and averaged.

    All classes start equal: a single step from the certain start of the boosting would overshoot.

    Parameters
    ----------
    trees : int
        Trees a class.
    rows, cases, depth, seed, threads, masked, device, checkpoints
        As of `Trees`.

    References
    ----------
    Breiman (2001), doi:10.1023/A:1010933404324; XGBoost documentation, "Random Forests in XGBoost"
    """

    name = "random_forest"

    def __init__(
        self, trees: int = 32, rows: int = 200_000, cases: int = 60, depth: int = 10, seed: int = 0, threads: int = 2,
        masked: float = 0.0, device: str = "cpu", checkpoints: Path | None = None,
    ) -> None:  # fmt: skip
        super().__init__(1, rows, cases, depth, 1.0, seed, threads, masked, device, checkpoints)
        kept = ("rows", "cases", "depth", "seed", "threads", "masked", "device")
        self.settings = {"trees": trees} | {k: self.settings[k] for k in kept}

    def _rounds(self) -> int:
        return 1

    def _margin(self, batch: Batch, where: np.ndarray) -> np.ndarray:
        return np.zeros((int(where.sum()), len(self.classes)), np.float32)

    def _parameters(self) -> dict[str, Any]:
        sampled = {"eta": 1.0, "num_parallel_tree": self.settings["trees"], "subsample": 0.63, "colsample_bynode": 0.3,
                   "colsample_bytree": 1.0, "min_child_weight": 2}  # fmt: skip
        return super()._parameters() | sampled
