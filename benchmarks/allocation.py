"""How many cells a second get a map whose areas match, and is it the most probable one? ``make bench``.

Made-up patches some cells wide, 250 x 6000 cells. A rollout year: each cell stays with its class at 0.95 or more, and
the areas are those of patches that moved a little, for LUH2's pools and for all classes. A hard case: wanted areas of
each class in each coarse cell changed by up to a fifth. SciPy's assignment solver works on a sample of coarse cells:
its optimum and ours must agree. One thread (its own seconds, so that other work does not count), or a GPU where there
is one.
"""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import ndimage
from scipy.optimize import linear_sum_assignment

from ai4land.allocate import expected_counts, match_areas, read_pools, round_counts
from ai4land.grid import COARSE_CELLS, block_index

ROWS, COLS, CLASSES, SAMPLE = 250, 6000, 6, 12
FREE = np.ones((ROWS, COLS), bool)
TOTAL = np.full(ROWS * COLS // COARSE_CELLS**2, COARSE_CELLS**2)


def counts(labels: np.ndarray, classes: int) -> np.ndarray:
    """Cells of each class in each block, (class, block)."""
    return np.rint(expected_counts(labels == np.arange(classes)[:, None, None], FREE)).astype(int)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities along the first dimension."""
    p = np.exp(logits - logits.max(0))
    return p / p.sum(0)


def cases() -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Probabilities of pools, wanted numbers and prior map of each case."""
    rng = np.random.default_rng(0)
    fields = rng.standard_normal((2, CLASSES, ROWS, COLS), np.float32)
    patches, drift = 60 * np.stack([[ndimage.gaussian_filter(f, 4) for f in part] for part in fields])
    p, prior, later = softmax(patches), patches.argmax(0).astype(np.uint8), (patches + 0.02 * drift).argmax(0)
    year = (0.05 * p + 0.95 * (prior == np.arange(CLASSES)[:, None, None])).astype(np.float32)
    pool = np.unique(read_pools()["pool"], return_inverse=True)[1]  # of each of the six land classes
    pooled = np.stack([year[pool == k].sum(0) for k in range(pool.max() + 1)])
    expected = expected_counts(p, FREE)
    return {
        "rollout year, LUH2's pools": (pooled, counts(pool[later], len(pooled)), pool[prior].astype(np.uint8)),
        "rollout year, all classes": (year, counts(later, CLASSES), prior),
        "areas changed by a fifth": (p, round_counts(expected * rng.uniform(0.8, 1.2, expected.shape), TOTAL), prior),
    }


def timed(work: Callable[[], Any], cells: int = ROWS * COLS) -> tuple[Any, float]:
    """What work gives, and million cells a second: the faster of two times."""
    seconds, clock = [], time.perf_counter if torch.cuda.is_available() else time.process_time
    for _ in range(2):
        start = clock()
        made = work()
        seconds.append(clock() - start)
    return made, cells / min(seconds) / 1e6


def by_scipy(p: np.ndarray, wanted: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Million cells a second of SciPy's solver, and the most that its log probability of a block is above ours."""
    blocks, above, speed = block_index((ROWS, COLS), COARSE_CELLS), [], []
    for block in np.linspace(0, TOTAL.size - 1, SAMPLE).astype(int):
        score = np.log(p[:, blocks == block].T.astype(float))
        cost = -score[:, np.repeat(np.arange(len(p)), wanted[:, block])]
        (cells, chosen), fast = timed(partial(linear_sum_assignment, cost), len(cost))
        ours = np.take_along_axis(score, labels[blocks == block][:, None].astype(int), 1).sum()
        above.append(-cost[cells, chosen].sum() - ours)
        speed.append(fast)
    return 1 / np.mean(1 / np.array(speed)), max(above)


def main() -> None:
    """Measure, print and save."""
    device = "cuda" if torch.cuda.is_available() else ""
    where, table = torch.cuda.get_device_name() if device else "CPU, 1 thread", []
    for name, (p, wanted, prior) in cases().items():
        ask = partial(match_areas, p, FREE, wanted, device=device)
        made, speed = timed(ask)
        _, drawn = timed(partial(ask, prior=prior, draw=1))
        scipy, above = by_scipy(p, wanted, made.labels)
        moved = np.maximum(wanted - counts(p.argmax(0), len(p)), 0).sum(0).mean()
        table.append((name, where, moved, speed, drawn, scipy, above))
    columns = ["case", "machine", "cells to move a block", "most probable, 1e6 cells/s", "draw, 1e6 cells/s",
               "SciPy, 1e6 cells/s", "SciPy's log probability above ours"]  # fmt: skip
    frame = pd.DataFrame(table, columns=columns)
    print(frame.T.to_string(header=False))
    frame.to_csv(Path(__file__).parent / "results" / "allocation.csv", index=False, float_format="%.3g")


if __name__ == "__main__":
    main()
