"""What does each ingredient give? Variants on validation years of the demo: ``python benchmarks/ablation.py``.

One region of the demo's cube (``make all`` makes it). Models learn from 1985-1997 as in the demo; they are judged on
steps of five years into 1998 and 2000, in blocks that may be trained on: never on a test year or a held-out block.
Mean over both steps of the log loss, of the area under the ROC curve of change, and of the figure of merit of three
maps: the most probable one, one with as much change as is expected, and one with the areas that LUH2 wants. Synthetic.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import roc_auc_score

from ai4land.allocate import expected_change, match_areas
from ai4land.allocate.wanted import wanted_areas
from ai4land.legend import class_codes, read_legend
from ai4land.models.base import Model, most_probable
from ai4land.models.neural import Neural
from ai4land.models.trees import Trees
from ai4land.predict import predict_windows
from ai4land.runs import Experiment, read_run
from ai4land.samples import Region, held_out, make_batch, make_split, read_region
from ai4land.samples.cases import earlier_years
from ai4land.train import Schedule

ROOT = Path(__file__).resolve().parent.parent
REGION, STEPS = "demo_nw", ((1993, 1998), (1995, 2000))


def network(weight: float, candidates: int, most: float = 1.0) -> Callable[[], Model]:
    """Maker of a U-Net with the demo's settings but these."""
    schedule = Schedule(steps=180, every=60, learning_rate=3e-3)
    return lambda: Neural(schedule, 96, 8, (0.0, most), seed=1, change_weight=weight, candidates=candidates)


def trees() -> Model:
    """Boosted trees with the demo's settings."""
    return Trees(rounds=80, rows=60000, cases=12, seed=1, threads=1, masked=0.5)


VARIANTS: dict[str, tuple[Callable[[], Model], int]] = {
    "U-Net, all cells weigh the same": (network(1, 1), 1),
    "U-Net, changed cells weigh 10": (network(10, 1), 1),
    "U-Net, changed cells weigh 20": (network(20, 1), 1),
    "U-Net, changed cells weigh 20, windows with change": (network(20, 4), 1),
    "the same, at most half of the prior hidden": (network(20, 4, 0.5), 1),
    "the same, three prior maps": (network(20, 4), 3),
    "XGBoost": (trees, 1),
    "XGBoost, three prior maps": (trees, 3),
}


def judge(model: Model, cube: Region, experiment: Experiment, prior_year: int, year: int) -> list[float]:
    """Log loss, area under the curve, and three figures of merit of one step."""
    known = range(cube.years("land_use")[0], prior_year + 1)
    earlier = [cube.field("land_use", y) for y in earlier_years(prior_year, year, experiment.priors, known)]
    batch = make_batch(cube, prior_year, year, experiment.coarse_cells, None, True, "luh2", None, earlier)
    p = predict_windows(model, batch, cube.corner)[0]
    prior, observed = cube.field("land_use", prior_year), cube.field("land_use", year)
    land = class_codes(read_legend("land_use"), land_only=True)
    free = np.isin(prior, land)
    where = free & np.isin(observed, land) & ~held_out(cube, experiment, 1)
    wanted = wanted_areas(cube, experiment.model_copy(update={"start": prior_year}), year, prior, free)
    matched = match_areas(p, free, wanted.numbers, wanted.pools, wanted.cells).labels
    maps = most_probable(p, batch.valid[0]), expected_change(p, prior, free), np.where(free, matched, prior)
    changed = (prior != observed)[where]
    merits = [((m == observed) & (prior != observed))[where].sum() / ((prior != observed) | (m != prior))[where].sum()
              for m in maps]  # fmt: skip
    of = np.take_along_axis(p, observed.clip(0, 7)[None].astype(int), 0)[0][where]
    stays = np.take_along_axis(p, prior.clip(0, 7)[None].astype(int), 0)[0][where]
    return [-float(np.log(np.maximum(of, 1e-6)).mean()), float(roc_auc_score(changed, 1 - stays)), *merits]


def main() -> None:
    """Train, judge, print and save."""
    torch.set_num_threads(1)
    run = read_run("demo")
    cube = read_region(ROOT / "data" / "processed" / "demo" / "cube.zarr", run, REGION)
    rows = {}
    for name, (make, priors) in VARIANTS.items():
        experiment = run.experiments["forecast"].model_copy(update={"priors": priors})
        model = make().fit(cube, make_split("forecast", experiment, cube, None, run.seed))
        rows[name] = np.mean([judge(model, cube, experiment, *step) for step in STEPS], axis=0)
    columns = ["log loss (nat)", "area under the curve of change", "figure of merit, most probable",
               "figure of merit, as much change as expected", "figure of merit, areas matched"]  # fmt: skip
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("variant (synthetic data)")
    print(table.round(4).to_string())
    table.round(5).to_csv(Path(__file__).parent / "results" / "ablation.csv")


if __name__ == "__main__":
    main()
