"""Is the network kept fed? Windows delivered and trained on, and cells predicted, per second: ``make bench``.

Three loops over the same number of windows in one process, the fastest of three turns counts: training as it is
(windows drawn, encoded, turned, learned), the bare network (one encoded batch again and again), and delivery alone.
The feeding overhead is the time of the first over that of the second. Data are random classes on a grid of
500 x 500 cells with LUH2 states and static layers: their content does not matter to the time.
"""

import time
from itertools import repeat
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ai4land.devices import choose_device
from ai4land.grid import Grid
from ai4land.models import Neural
from ai4land.predict import predict_blended
from ai4land.runs import Experiment
from ai4land.samples import Luh2, RegionCube, case_batch, make_split
from ai4land.sources.luh2 import STATES
from ai4land.train import Schedule, Training

STEPS, WINDOW, BATCH = 20, 96, 8
YEARS = list(range(1990, 2001))


def made_up_cube(rng: np.random.Generator) -> RegionCube:
    """Random land use of eleven years, with all inputs of the demo."""
    grid = Grid(40.0, 20.0, 0.01, 0.01, 500, 500)
    maps = rng.integers(1, 7, (len(YEARS), 500, 500)).astype(np.uint8)
    fraction = rng.dirichlet(np.ones(8), (len(YEARS), 20, 20)).transpose(0, 3, 1, 2).astype(np.float32)
    names = [*STATES, "secma", "secmb"]
    states = rng.random((len(YEARS), len(names), 20, 20), dtype=np.float32)
    layers = ("aspect_cos", "aspect_sin", "clay_fraction", "elevation", "sand_fraction", "silt_fraction", "slope")
    static = {n: rng.random((500, 500), dtype=np.float32) for n in layers}
    static["koppen"] = rng.integers(1, 31, (500, 500)).astype(np.float32)
    area = np.ones((len(YEARS), 20, 20))
    return RegionCube("made up", grid, YEARS, maps, fraction, area, static, Luh2(YEARS, names, states, fraction))


def fastest(work, turns: int = 3) -> float:
    """Seconds of the fastest of some turns."""
    seconds = []
    for _ in range(turns):
        start = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main() -> None:
    """Measure, print and save."""
    torch.set_num_threads(1)  # as a step of a run has; windows are drawn in a thread beside
    cube = made_up_cube(np.random.default_rng(0))
    experiment = Experiment(start=1997, train=(1990, 1995), validation=(1996, 1997), test=(1998, 2000), coarse="luh2")
    split = make_split("bench", experiment, cube, None, 0)
    model = Neural(Schedule(steps=1, every=1), WINDOW, BATCH).fit(cube, split)
    assert model.network is not None and model.encoding is not None
    sampler = model.sampler(cube, split, split.train)
    trainer = Training(model.network, Schedule(steps=10**6), "bench")
    trainer.network.train()
    one = next(model.windows(sampler, range(1)))

    def train(batch=None) -> None:
        for part in repeat(batch, STEPS) if batch else model.windows(sampler, range(STEPS)):
            trainer.advance([part])

    def deliver() -> None:
        for _ in model.windows(sampler, range(STEPS)):
            pass

    train(one)
    seconds = {
        "training as it is": fastest(train),
        "bare network": fastest(lambda: train(one)),
        "delivery": fastest(deliver),
    }
    trainer.network.eval()
    batch = case_batch(cube, split, split.test[0])
    cells = cube.grid.rows * cube.grid.cols
    predicted = cells / fastest(lambda: predict_blended(model, batch, WINDOW))
    table = pd.DataFrame({"windows per second": {k: STEPS * BATCH / s for k, s in seconds.items()}})
    table["time against the bare network"] = {k: s / seconds["bare network"] for k, s in seconds.items()}
    table.loc["predicted cells per second"] = [predicted, np.nan]
    device = (
        torch.cuda.get_device_name() if choose_device().type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    )
    table.index.name = f"U-Net, {WINDOW} x {WINDOW} cells, {BATCH} a batch, {device}"
    print(table.round(2).to_string())
    out = Path(__file__).parent / "results"
    out.mkdir(exist_ok=True)
    table.round(4).to_csv(out / f"network-{choose_device().type}.csv")


if __name__ == "__main__":
    main()
