"""Is the network kept fed? Windows trained on, and cells predicted, per second: ``make bench``.

Loops over the same number of windows in one process, the fastest of three turns counts: the bare network (one encoded
batch on the device again and again), training as it is (windows cut on the device, encoded, turned, learned), training
from a Zarr store that two workers read, and delivery alone. The feeding overhead is the time of the second over that of
the first. Predicted is a region of 2000 x 2000 land cells, with all that it takes: encoding, margins, probabilities.
Data are random classes with LUH2 states and static layers: their content does not matter to the time.
"""

import time
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from itertools import islice, repeat
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch
import xarray as xr
import zarr
from torch.utils.flop_counter import FlopCounterMode

from ai4land.devices import choose_device
from ai4land.grid import Grid
from ai4land.models.neural import Neural
from ai4land.predict import predict_windows
from ai4land.runs import Experiment
from ai4land.samples import Region, case_batch, make_split
from ai4land.samples.region import Layer, layer_of
from ai4land.sources.luh2 import STATES
from ai4land.train import Schedule, Training
from ai4land.windows import Window

STEPS = 20
WIDE = 2000  # cells: side of the region that is predicted
YEARS = list(range(1990, 2001))


def made_up_cube(rng: np.random.Generator, side: int) -> Region:
    """Random land use of eleven years on ``side`` x ``side`` cells, with all inputs of the demo."""
    grid = Grid(40.0, 20.0, 0.01, 0.01, side, side)
    maps = rng.integers(1, 7, (len(YEARS), side, side)).astype(np.uint8)
    fraction = rng.dirichlet(np.ones(8), (len(YEARS), side // 25, side // 25)).transpose(0, 3, 1, 2).astype(np.float32)
    names = [*STATES, "secma", "secmb"]
    states = rng.random((len(YEARS), len(names), side // 25, side // 25), dtype=np.float32)
    layers = ("aspect_cos", "aspect_sin", "clay_fraction", "elevation", "sand_fraction", "silt_fraction", "slope")
    static = {n: rng.random((side, side), dtype=np.float32) for n in layers}
    static["koppen"] = rng.integers(1, 31, (side, side)).astype(np.float32)
    area = dict.fromkeys(YEARS, np.ones((side // 25, side // 25)))
    use, shares, luh2 = (dict(zip(YEARS, values, strict=True)) for values in (maps, fraction, states))
    return Region("made up", grid).with_fields(
        land_use=use, land_use_fraction=shares, data_area=area, luh2_state=layer_of(luh2, names), luh2_fraction=shares,
        **static,
    )  # fmt: skip


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


def stored(cube: Region, folder: Path) -> Region:
    """The cube with its fine layers in a Zarr store, chunked as a run's cube is, to be read window by window."""
    sizes = {"year": 1, "lat": 500, "lon": 500}
    maps = np.stack([cube.field("land_use", year) for year in YEARS])
    fine = xr.Dataset({"land_use": (("year", "lat", "lon"), maps)})
    fine = fine.assign({name: (("lat", "lon"), cube.field(name)) for name in cube.static})
    chunks = {name: {"chunks": tuple(sizes[d] for d in values.dims)} for name, values in fine.data_vars.items()}
    fine.to_zarr(folder, zarr_format=3, consolidated=False, encoding=chunks)
    layers = {
        name: Layer(
            partial(_read, zarr.open_array(folder / name, mode="r")), tuple(YEARS) if name == "land_use" else None
        )
        for name in ("land_use", *cube.static)
    }
    return replace(cube, resident=False).with_fields(**layers)


def _read(array: zarr.Array, year: int | None, window: Window) -> np.ndarray:
    return np.asarray(array[window] if year is None else array[(YEARS.index(year), *window)])


def matrix_rate(device: torch.device) -> float:
    """Floating-point operations a second of a large bfloat16 matrix product: what the device can do at best."""
    size = 8192 if device.type == "cuda" else 1024
    a = torch.randn(size, size, device=device, dtype=torch.bfloat16)
    a @ a
    return 2 * size**3 * 10 / fastest(lambda: [a @ a for _ in range(10)])


def operations(model: Neural, inputs: torch.Tensor) -> float:
    """Floating-point operations of one window, forward and backward."""
    assert model.network is not None
    with FlopCounterMode(display=False) as counter:
        model.network(inputs[:1].float()).sum().backward()
    return float(counter.get_total_flops())


def main() -> None:
    """Measure, print and save."""
    device = choose_device()
    cuda = device.type == "cuda"
    torch.set_num_threads(1)  # as a step of a run has; windows are drawn in a thread beside
    window, batch = (512, 16) if cuda else (96, 8)
    cube = made_up_cube(np.random.default_rng(0), 1000 if cuda else 500)
    experiment = Experiment(start=1997, train=(1990, 1995), validation=(1996, 1997), test=(1998, 2000), coarse="luh2")
    split = make_split("bench", experiment, cube, None, 0)
    model = Neural(Schedule(steps=1, every=1), window, batch).fit(cube, split)
    assert model.network is not None
    trainer = Training(model.network, Schedule(steps=10**6), "bench")
    trainer.shared.train()
    here = model.sampler(cube, split, split.train)
    one = next(model.windows(here, range(1)))

    def learn(parts: Iterable) -> None:
        for part in parts:
            trainer.advance([part])

    learn([one])
    with TemporaryDirectory() as folder:
        there = model.sampler(stored(cube, Path(folder) / "cube.zarr"), split, split.train)
        feed = model.windows(there, range(10**6))  # one set of workers for all turns
        learn([next(feed)])
        seconds = {
            "bare network, one resident batch": fastest(lambda: learn(repeat(one, STEPS))),
            "training, cube on the device": fastest(lambda: learn(model.windows(here, range(STEPS)))),
            "training, two workers read the store": fastest(lambda: learn(islice(feed, STEPS))),
            "delivery alone, cube on the device": fastest(lambda: list(model.windows(here, range(STEPS)))),
        }
        feed.close()
    trainer.shared.eval()
    wide = made_up_cube(np.random.default_rng(0), WIDE)
    case = case_batch(wide, split, split.test[0])
    predicted = WIDE**2 / fastest(lambda: predict_windows(model, case, wide.corner))
    bare = seconds["bare network, one resident batch"]
    rate = {name: STEPS * batch / s for name, s in seconds.items()}
    table = pd.DataFrame({"windows per second": rate, "time against the bare network": pd.Series(seconds) / bare})
    flops = operations(model, one[0]) * rate["training, cube on the device"]
    table.loc["predicted cells per second"] = [predicted, np.nan]
    table.loc["share of the rate of a bfloat16 matrix product"] = [flops / matrix_rate(device), np.nan]
    hours = 800_000 * (512 / window) ** 2 / rate["training, cube on the device"] / 3600
    table.loc["hours for 800,000 windows of 512 x 512 cells" + ("" if cuda else " (by cells)")] = [hours, np.nan]
    name = torch.cuda.get_device_name() if cuda else f"CPU, {torch.get_num_threads()} thread"
    table.index.name = f"U-Net, {window} x {window} cells, {batch} a batch, {name}"
    print(table.round(2).to_string())
    out = Path(__file__).parent / "results"
    out.mkdir(exist_ok=True)
    table.round(4).to_csv(out / f"network-{device.type}.csv")


if __name__ == "__main__":
    main()
