"""How fast do trees grow, from batches, on the CPU and, where there is one, on a GPU? ``make bench``.

A million cells with as many features and classes as the demo's tables; content does not matter to the time. The peak of
the memory that quantising needs beyond what was there before shows that batches keep it bounded.
"""

import resource
import time
from pathlib import Path

import numpy as np
import pandas as pd
import xgboost

from ai4land.models.boosting import boost, quantile_matrix

CELLS, FEATURES, CLASSES, ROUNDS, BATCHES = 1_000_000, 120, 6, 20, 20


def table(cells: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random features, labels that depend on some of them, zero margins."""
    rng = np.random.default_rng(seed)
    x = rng.random((cells, FEATURES), np.float32)
    label = np.minimum((x[:, 0] * CLASSES * (0.7 + 0.3 * x[:, 1])).astype(int), CLASSES - 1)
    return x, label, np.zeros((cells, CLASSES), np.float32)


def peak() -> float:
    """Highest memory of this process so far, GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    """Measure, print and save."""
    devices = ["cpu"] + ["cuda"] * bool(xgboost.build_info().get("USE_CUDA"))
    rows = {}
    before = peak()
    start = time.perf_counter()
    matrix, _ = quantile_matrix((table(CELLS // BATCHES, i) for i in range(BATCHES)), 1)
    rows[f"quantising {BATCHES} batches, one thread"] = [CELLS / (time.perf_counter() - start) / 1e6, peak() - before]
    whole = table(CELLS, 0)
    for device in devices:
        parameters = {"objective": "multi:softprob", "num_class": CLASSES, "max_depth": 6, "tree_method": "hist",
                      "seed": 1, "nthread": 1, "device": device, "subsample": 0.8, "colsample_bytree": 0.5}  # fmt: skip
        start = time.perf_counter()
        booster = boost(parameters, matrix, ROUNDS, "")
        rows[f"growing, {device}"] = [CELLS * ROUNDS / (time.perf_counter() - start) / 1e6, np.nan]
        booster.set_param({"device": device, "nthread": 1})
        start = time.perf_counter()
        booster.inplace_predict(whole[0], base_margin=whole[2])
        rows[f"predicting, {device}"] = [CELLS * ROUNDS / (time.perf_counter() - start) / 1e6, np.nan]
    columns = ["million cells (times rounds) per second", "memory added at most (GB)"]
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    frame.index.name = f"XGBoost, {FEATURES} features, {CLASSES} classes, {ROUNDS} rounds"
    print(frame.round(3).to_string())
    print(f"one table of all cells would hold {whole[0].nbytes / 1e9:.2f} GB")
    out = Path(__file__).parent / "results"
    out.mkdir(exist_ok=True)
    frame.round(4).to_csv(out / f"trees-{devices[-1]}.csv")


if __name__ == "__main__":
    main()
