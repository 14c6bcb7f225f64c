"""A U-Net of land use, land cover and leaf area: one head, or several that share all but the last layer."""

import json
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from torch import nn

from ai4land import __version__
from ai4land.devices import autocast, choose_device
from ai4land.experiments import Experiment
from ai4land.models.green import pairs
from ai4land.models.green_inputs import (
    CLASSES,
    COVER,
    HEADS,
    LEAVES,
    GreenInputs,
    GreenWindows,
    default_given,
    fit_statistics,
)
from ai4land.models.green_predict import calibrated, data_digest, finished, window_outputs
from ai4land.models.green_start import Start
from ai4land.models.green_unet import GreenUNet
from ai4land.models.inputs import padded
from ai4land.models.stored import read_weights, write_network
from ai4land.models.unet import UNet
from ai4land.samples.predictors import Given
from ai4land.samples.region import Region
from ai4land.train import Part, Schedule, Training, ahead, fingerprint
from ai4land.windows import WHOLE, Window

_SAMPLES = 16  # windows that statistics are taken from
_HELD = 4  # validation batches


class GreenNet:
    """The U-Net with one or more heads, behind the interface of `GreenModel`.

    Named unet with one head, joint with several. `ai4land.models.green_start` has where it starts and its loss.

    Parameters
    ----------
    heads : tuple of str
        Of land_use, land_cover, leaf_area_index, in any order.
    given : Given, optional
        Predictors; `default_given` of the heads where absent. For a land-use head the prior land use is one more.
    steps : int
        Training steps at most; after every tenth of them it is validated and kept.
    window : int
        Side of a training window, fine cells.
    batch : int
        Windows in a step.
    base : int
        Channels of the first block.
    learning_rate : float
    precision : {'auto', 'bf16', 'fp32'}
    seed : int
    checkpoints : pathlib.Path, optional
        Folder of the states of unfinished trainings.

    Attributes
    ----------
    history : pandas.DataFrame
        Of the training: step, training_loss, validation_loss (nat), learning_rate.
    tuning : dict of str to float
        Temperature of each class head, factor of the spread of leaf area: from the validation windows.
    """

    core = 640  # side of the parts that are predicted one after the other: with what is around, 0.7 GB of fields
    reach = UNet.reach

    def __init__(
        self, heads: tuple[str, ...] = (COVER,), given: Given | None = None, steps: int = 1000, window: int = 128,
        batch: int = 4, base: int = 16, learning_rate: float = 2e-3, precision: str = "auto", seed: int = 0,
        checkpoints: Path | None = None,
    ) -> None:  # fmt: skip
        self.given = given or default_given(heads)
        self.targets = tuple(head for head in HEADS if head in heads)
        self.name = "unet" if len(self.targets) == 1 else "joint"
        self.settings: dict[str, Any] = {
            "steps": steps, "window": window, "batch": batch, "base": base, "learning_rate": learning_rate,
            "precision": precision, "seed": seed,
        }  # fmt: skip
        self.checkpoints, self.device = checkpoints, choose_device()
        self.inputs = GreenInputs(self.targets, self.given, LEAVES in self.targets)
        self.gaps: list[int] = []  # years between the maps of training
        self.channels: list[int] = []  # of every field
        self.network: Any = None
        self.tuning: dict[str, float] = {}
        self.history = pd.DataFrame()

    def _make(self, start: Start) -> nn.Module:
        return GreenUNet(self.channels, start, self.settings["base"])

    def _build(self) -> Any:
        with torch.random.fork_rng():
            torch.manual_seed(self.settings["seed"])
            return self._make(Start(self.inputs, self.gaps))

    def fit(self, cube: Region, experiment: Experiment) -> Self:
        """See `GreenModel`.

        Raises
        ------
        ValueError
            If there is no pair of years, or no land, to learn from.
        RuntimeError
            If a batch does not fit into the device's memory.
        """
        train, held = (list(pairs(experiment, part)) for part in ("train", "validation"))
        if not train or not held:
            raise ValueError(f"{len(train)} training and {len(held)} validation pairs of years; give more years.")
        seed, size = int(self.settings["seed"]), int(self.settings["window"])
        samples = GreenWindows(cube, self.inputs, train, size, seed).samples(_SAMPLES)
        self.inputs = replace(self.inputs, statistics=fit_statistics(samples))
        self.gaps = sorted({year - prior for prior, year in train})
        self.channels = [len(values) for values in samples[0][0].values()]
        network = self._build()
        network.start.fit(cube, self.inputs, train)
        network.start.measure(samples)
        training = self._training(network, f"{data_digest(cube, self.inputs, train + held)} {train} {held}")
        learned, judged = (GreenWindows(cube, self.inputs, p, size, seed + i) for i, p in enumerate((train, held)))
        validation = [self._part(judged, number) for number in range(_HELD)]
        title = f"{cube.name}: train {self.name} of {', '.join(self.targets).replace('_', ' ')}"
        try:
            feed = partial(ahead, partial(self._part, learned))
            self.history = training.run(feed, validation, title)
        except torch.OutOfMemoryError:
            msg = f"{self.name}: out of memory with {self.settings['batch']} windows of {size} x {size} cells at once"
            raise RuntimeError(f"{msg}; lower batch, or window.") from None
        self.network = training.network.eval()
        with torch.inference_mode():
            self.tuning = calibrated(self._outputs, self.network.start, validation)
        return self

    def _training(self, network: Any, data: str) -> Training:
        steps, same = self.settings["steps"], {name: self.settings[name] for name in ("learning_rate", "precision")}
        schedule = Schedule(steps, max(steps // 10, 1), **same)
        about = fingerprint(data, self.targets, asdict(self.given), self.settings)
        file = self.checkpoints / f"{self.name}-{about}.pt" if self.checkpoints else None
        return Training(network, schedule, about, file, loss=network.start.loss)

    def _part(self, windows: GreenWindows, number: int) -> Part:
        x, y = (torch.as_tensor(a, device=self.device) for a in windows.draw(number, self.settings["batch"]))
        inputs = padded(x).contiguous(memory_format=torch.channels_last)
        more = (0, inputs.shape[3] - y.shape[3], 0, inputs.shape[2] - y.shape[2])
        labels = nn.functional.pad(y, more, value=float("nan"))
        return inputs, labels, labels.isfinite().any(1).float()

    def _outputs(self, inputs: torch.Tensor) -> torch.Tensor:
        with autocast(self.device, self.settings["precision"]):
            return self.network(inputs)

    @torch.inference_mode()
    def predict(
        self, cube: Region, prior_year: int, year: int, hidden: np.ndarray | None = None,
        window: Window = WHOLE,
    ) -> dict[str, np.ndarray]:  # fmt: skip
        """See `GreenModel`; beside leaf area ``leaf_area_index_error``, its standard deviation (12, y, x), m2 m-2.

        ``hidden`` is of the window. What is around the window is read as far as it has a say, and is visible.
        """
        assert self.network is not None, "fit or load the network first"
        wanted, pair = Window(*window).resolved(cube.grid.shape), (prior_year, year)
        masked = np.zeros(cube.grid.shape, bool)
        masked[wanted] = False if hidden is None else hidden
        out: dict[str, np.ndarray] = {}
        for part in wanted.tiles((self.core, self.core)):
            made = window_outputs(self._outputs, self.inputs, cube, pair, part, self.reach, masked, self.device)
            found = finished(made, self.network.start, self.inputs, self.tuning, cube, pair, part, masked)
            for name, values in found.items():
                whole = out.setdefault(name, np.empty((len(values), *wanted.shape), np.float32))
                whole[:, *part.relative_to(wanted)] = values
        return out

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(p.numel() for p in self.network.parameters()) if self.network is not None else 0

    def save(self, folder: Path) -> None:
        """Write weights, ``model.json`` (configuration, legends, statistics) and ``history.csv``."""
        assert self.network is not None, "nothing to save before fit"
        about = {
            "model": self.name, "targets": self.targets, "given": asdict(self.given), "settings": self.settings,
            "statistics": self.inputs.statistics, "channels": self.channels, "gaps": self.gaps, "tuning": self.tuning,
            "classes": CLASSES, "software": f"ai4land {__version__}", "parameters": self.parameters,
        }  # fmt: skip
        write_network(folder, self.network, about, {})
        if len(self.history):
            self.history.to_csv(folder / "history.csv", index=False)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; executes no code.

        Raises
        ------
        ValueError
            If the folder holds another model, other legends, or weights of another architecture.
        """
        about = json.loads((folder / "model.json").read_text())
        model = cls._like(about)
        if about["model"] != model.name or about.get("classes") != CLASSES:
            raise ValueError(f"{folder}: holds {about['model']} of other classes or kind, expected {model.name}.")
        statistics = {name: (float(mean), float(scale)) for name, (mean, scale) in about["statistics"].items()}
        model.inputs = replace(model.inputs, statistics=statistics)
        model.channels, model.gaps, model.tuning = about["channels"], about["gaps"], about["tuning"]
        network = read_weights(folder, model._build(), model.name)
        model.network = network.to(model.device).to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        model.history = pd.read_csv(folder / "history.csv") if (folder / "history.csv").exists() else model.history
        return model

    @classmethod
    def _like(cls, about: dict[str, Any]) -> Self:
        return cls(tuple(about.get("targets", HEADS)), Given(**about["given"]), **about["settings"])
