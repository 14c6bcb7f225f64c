"""How long is a step of the exported emulator? ``python benchmarks/export.py``

One step of the land-use graph in one process, medians of turns that take the ways in turn: eager PyTorch, ONNX Runtime
and OpenVINO (as it comes, and in float32) on two threads, and eager PyTorch and ONNX Runtime on CUDA where there is
one. A window of 512 x 512 cells; and one tile of a region of 20 x 60 degrees, with the cells around it that have a say,
times the number of tiles. The network alone, as it is in the graph (logits from inputs that are there), with all but
the soft area steps, and with these too. Network and data are the demo's where it was run, else untrained and
made up; wanted are equal areas, far from what the network says, and ``same class`` is against eager PyTorch.
"""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime
import openvino
import pandas as pd
import torch
from network import made_up_cube
from torch import nn

from ai4land.export.formats import write_formats
from ai4land.export.graph import LandUseGraph
from ai4land.models.neural import Neural
from ai4land.runs import SHARED, Experiment, read_run
from ai4land.samples import Region, make_split, read_region
from ai4land.train import Schedule

ROOT = Path(__file__).resolve().parent.parent / "data"
THREADS, TURNS, WINDOW, CORE = 2, 7, 512, 1000
REGION = 2000, 6000  # cells: 20 x 60 degrees

Values = dict[str, np.ndarray]
Step = Callable[[Values], np.ndarray]


class Bare(nn.Module):
    """The network as it is in the graph, U-Net and start, from channels that are there."""

    def __init__(self, graph: LandUseGraph) -> None:
        super().__init__()
        self.network, self.priors = graph.network, graph.priors

    def forward(self, *values: torch.Tensor) -> torch.Tensor:
        """Logits (1, class, y, x)."""
        return self.network(values[0]) + self.priors(values[0], values[1])


class NoAreas(nn.Module):
    """Probabilities as they are."""

    steps = 0

    def forward(self, probability: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        """The same."""
        return probability


def subject() -> tuple[Neural, Region, str]:
    """Network and cube of the demo, or an untrained one and random maps."""
    weights, store = ROOT / "results/demo/models/unet-shared/forecast", ROOT / "processed/demo/cube.zarr"
    if weights.exists() and store.exists():
        return Neural.load(weights), read_region(store, read_run("demo"), SHARED), "the demo's network and maps"
    cube = made_up_cube(np.random.default_rng(0), 1000)
    experiment = Experiment(start=1997, priors=3, train=(1990, 1995), validation=(1996, 1997), test=(1998, 2000),
                            coarse="luh2")  # fmt: skip
    split = make_split("bench", experiment, cube, None, 0)
    model = Neural(Schedule(steps=0, every=1), 96, 2, method="bilinear").fit(cube, split)
    return model, cube, "an untrained network and random maps"


def tile(graph: LandUseGraph, cube: Region, side: int) -> Values:
    """Inputs of a window of a cube that is repeated where it is smaller."""

    def fine(field: np.ndarray) -> np.ndarray:
        return np.take(np.take(field, range(side), -2, mode="wrap"), range(side), -1, mode="wrap")

    def coarse(field: np.ndarray) -> np.ndarray:
        cells = range(side // 25 + 2)
        return np.take(np.take(field, cells, -2, mode="wrap"), cells, -1, mode="wrap")

    last = min(cube.years("land_use")[-1], cube.years("luh2_state")[-1])
    maps = [fine(cube.field("land_use", last - 1 - i)) for i in range(graph.encoding.priors)]
    states = [coarse(cube.field("luh2_state", y))[None] for y in (last - 1, last)]
    static = np.stack([fine(np.asarray(cube.field(n))) for n in graph.encoding.statistics])[None].astype(np.float32)
    shares = np.full((1, int(graph.pools.max()) + 1, *states[0].shape[2:]), 0.25, np.float32)
    values = {
        "prior": maps[0][None], "earlier": np.stack(maps)[1:][None], "valid": maps[0][None] != 255, "static": static,
        "states_before": states[0], "states": states[1], "koppen": fine(np.asarray(cube.field("koppen")))[None],
        "start": np.array([[7, 13]]), "years": np.ones(1, np.float32), "wanted": shares,
    }  # fmt: skip
    values["koppen"] = values["koppen"].astype(np.uint8)
    return {name: np.ascontiguousarray(values[name]) for name in graph.names}


def onnx_step(path: Path, provider: str) -> Step:
    """A step by ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(path, options, providers=[provider])
    return lambda values: session.run(None, values)[0]


def openvino_step(path: Path, **more: Any) -> Step:
    """A step by OpenVINO, which reads the ONNX file."""
    settings = {"INFERENCE_NUM_THREADS": THREADS, "PERFORMANCE_HINT": "LATENCY", **more}
    model = openvino.Core().compile_model(path, "CPU", settings)
    return lambda values: next(iter(model(values).values()))


def eager_step(graph: nn.Module, device: str) -> Step:
    """A step by PyTorch, the outputs back on the CPU."""
    graph = graph.to(device)

    def step(values: Values) -> np.ndarray:
        with torch.inference_mode():
            return graph(*(torch.as_tensor(v, device=device) for v in values.values())).cpu().numpy()

    return step


def seconds(ways: dict[Any, Step], values: dict[Any, Values], turns: int) -> tuple[dict, dict]:
    """Median seconds of every way, the first turn left out, and its last output."""
    took: dict[Any, list[float]] = {name: [] for name in ways}
    out = {}
    for _ in range(turns + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            out[name] = way(values[name])
            took[name].append(time.perf_counter() - start)
    return {name: median(times[1:]) for name, times in took.items()}, out


def ways_of(graph: nn.Module, about: dict, stem: Path) -> dict[str, Step]:
    """All that can run a graph here."""
    path = write_formats(graph, about, stem)[0]
    ways = {
        "eager PyTorch": eager_step(graph, "cpu"), "ONNX Runtime": onnx_step(path, "CPUExecutionProvider"),
        "OpenVINO": openvino_step(path), "OpenVINO, float32": openvino_step(path, INFERENCE_PRECISION_HINT="f32"),
    }  # fmt: skip
    if torch.cuda.is_available():
        import copy

        ways["eager PyTorch, CUDA"] = eager_step(copy.deepcopy(graph), "cuda")
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        ways["ONNX Runtime, CUDA"] = onnx_step(path, "CUDAExecutionProvider")
    return ways


def parts(model: Neural, values: Values, folder: Path) -> tuple[pd.DataFrame, dict]:
    """Seconds of one window: the network alone, with its inputs, with the area steps; and the ways of the whole."""
    whole, plain = LandUseGraph(model), LandUseGraph(model)
    plain.areas = NoAreas()
    about = whole.describe()
    given = {n: torch.as_tensor(v) for n, v in values.items()}
    with torch.inference_mode():
        known = given["prior"][:, None].int() == whole.codes[:, None, None]
        rows, cols = (whole._hats(given, axis, whole.side, "step") for axis in (0, 1))
        channels = whole.channels(given, known, rows, cols).numpy()
    years = next(one for one in about["inputs"] if one["name"] == "years")
    single = {"name": "channels", "dtype": "float32", "shape": [1, channels.shape[1], "y", "x"]}
    bare = {"channels": channels, "years": values["years"]}
    cases = {
        "network alone": (Bare(whole), {**about, "inputs": [single, years]}, bare),
        "with its inputs": (plain, about, values),
        "whole graph": (whole, about, values),
    }
    ways, given = {}, {}
    for number, (part, (graph, said, here)) in enumerate(cases.items()):
        for way, step in ways_of(graph, said, folder / str(number)).items():
            ways[part, way], given[part, way] = step, here
    took, out = seconds(ways, given, TURNS)
    classes = {key: p.argmax(1) for key, p in out.items()}
    same = {key: float((c == classes[key[0], "eager PyTorch"]).mean()) for key, c in classes.items()}
    table = pd.DataFrame({"seconds": took, "same class": same}).rename_axis(["part", "way"]).reset_index()
    return table.assign(cells=f"{WINDOW} x {WINDOW}"), {
        way: s for (part, way), s in ways.items() if part == "whole graph"
    }


def main() -> None:
    """Measure, print and save."""
    torch.set_num_threads(THREADS)
    model, cube, what = subject()
    model.network = model.network.cpu()  # type: ignore[union-attr]
    graph = LandUseGraph(model)
    with TemporaryDirectory() as folder:
        table, ways = parts(model, tile(graph, cube, WINDOW), Path(folder))
        side = -(-(CORE + 2 * graph.reach) // 16) * 16
        number = int(np.prod([-(-n // CORE) for n in REGION]))
        took, _ = seconds(ways, dict.fromkeys(ways, tile(graph, cube, side)), 1)
    region = pd.DataFrame({"seconds": pd.Series(took) * number}).rename_axis("way").reset_index()
    words = f"{REGION[0]} x {REGION[1]}, one tile of {side} x {side} times {number}"
    table = pd.concat([table, region.assign(part="whole graph", cells=words)], ignore_index=True)
    eager = table[table["way"] == "eager PyTorch"].set_index(["part", "cells"])["seconds"]
    table["over eager"] = table["seconds"] / [eager[key] for key in zip(table["part"], table["cells"], strict=True)]
    alone = table[table["part"] == "network alone"].set_index("way")["seconds"]
    table["over the network alone"] = np.where(
        table["same class"].notna(), table["seconds"] / table["way"].map(alone), np.nan
    )
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    table["device"] = f"CPU, {THREADS} threads; {device}; {what}"
    print(table.round(4).to_string(index=False))
    out = Path(__file__).parent / "results"
    out.mkdir(exist_ok=True)
    table.round(5).to_csv(out / "export.csv", index=False)


if __name__ == "__main__":
    main()
