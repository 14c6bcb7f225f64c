"""How long does a map whose areas match take, for a region of 20 x 60 degrees? ``make bench``.

Probabilities are those of a smooth random map: most cells are nearly certain of the class of their patch, as a trained
model's are; the wanted areas are the expected ones, each class of each coarse cell changed by up to a fifth. A stripe
of the region is measured on one thread, the whole region on a GPU where there is one; the time of the whole region
follows from the blocks, which are independent.
"""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy import ndimage

from ai4land.allocate import expected_counts, match_areas, round_counts, scale_areas
from ai4land.grid import COARSE_CELLS

ROWS, COLS, STRIPE, CLASSES = 2000, 6000, 250, 6


def made_up(rows: int, cols: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (class, y, x) of patches some cells wide, and wanted numbers (class, block)."""
    rng = np.random.default_rng(0)
    fields = [ndimage.gaussian_filter(rng.standard_normal((rows, cols), np.float32), 4) for _ in range(CLASSES)]
    logits = 60 * np.stack(fields)
    p = np.exp(logits - logits.max(0))
    p /= p.sum(0)
    expected = expected_counts(p, np.ones((rows, cols), bool))
    moved = expected * rng.uniform(0.8, 1.2, expected.shape)
    return p, round_counts(moved, np.rint(expected.sum(0)).astype(int))


def main() -> None:
    """Measure, print and save."""
    cuda = torch.cuda.is_available()
    rows, device = (ROWS, "cuda") if cuda else (STRIPE, "")
    p, wanted = made_up(rows, COLS)
    free = np.ones((rows, COLS), bool)
    moved, table = float("nan"), {}
    for name, work in (("match_areas", match_areas), ("scale_areas", scale_areas)):
        start = time.perf_counter()
        made = work(p, free, wanted, device=device)
        table[name] = (time.perf_counter() - start) * ROWS / rows
        if name == "match_areas":
            moved = float((made.labels != p.argmax(0)).mean())
    name = torch.cuda.get_device_name() if cuda else "CPU, 1 thread"
    frame = pd.DataFrame({"seconds for 2000 x 6000 cells": table}).rename_axis(f"{CLASSES} classes, {name}")
    print(f"{wanted.shape[1]} coarse cells of {COARSE_CELLS} x {COARSE_CELLS}, {moved:.1%} of cells moved")
    print(frame.round(2).to_string())
    out = Path(__file__).parent / "results"
    frame.round(3).to_csv(out / f"allocation-{'cuda' if cuda else 'cpu'}.csv")


if __name__ == "__main__":
    main()
