"""A network as a model: windows in, class probabilities out, weights without code."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import torch

from ai4land import __version__
from ai4land.devices import arithmetic, autocast, choose_device
from ai4land.grid import COARSE_CELLS
from ai4land.legend import NO_DATA, class_codes, read_legend
from ai4land.models.calibration import fit_temperature
from ai4land.models.cnn import CNN
from ai4land.models.inputs import Encoding, change_weights, fit_encoding, padded, turn
from ai4land.models.start import LAYERS, start_layers, transition_frequencies
from ai4land.models.stored import read_about, read_encoding, read_transitions, read_weights, write_network
from ai4land.models.unet import FromPrior, UNet, keep_water
from ai4land.samples import Batch, Case, Region, Split, case_batch, data_digest, transition_counts
from ai4land.samples.stream import stream
from ai4land.samples.windows import WindowSampler
from ai4land.train import Part, Schedule, Training, ahead

NETWORKS: dict[str, type[UNet] | type[CNN]] = {"unet": UNet, "cnn": CNN}
_HELD = 8  # validation batches


class Neural:
    """The U-Net behind the interface of every model.

    Parameters
    ----------
    schedule : Schedule
    window : int
        Side of a training window, fine cells.
    batch : int
        Windows in a part of a step; ``schedule.parts`` says how many parts a step has.
    mask_ratio : tuple of float
        Lowest and highest share of the prior hidden in training.
    method : {'step', 'bilinear'}
        How coarse fields are refined.
    base : int
        Channels of the first block.
    seed : int
    checkpoints : pathlib.Path, optional
        Folder of the states of unfinished trainings.
    workers : int
        Processes that read windows of a cube that is not in memory.
    fabric : lightning_fabric.Fabric, optional
        Of `ai4land.devices.connect`, to train in several processes.
    change_weight : float
        Weight of changed cells in the loss; the probabilities are those of the cells as they are.
    candidates : int
        Windows drawn for each one that is learned from: the one with the most change.
    """

    member = "all"
    core = 1024  # with its margins 1.6 million cells: some 2 GB while it predicts

    def __init__(
        self, schedule: Schedule | None = None, window: int = 512, batch: int = 2,
        mask_ratio: tuple[float, float] = (0.0, 1.0), method: str = "step", base: int = 16, seed: int = 1,
        checkpoints: Path | None = None, name: str = "unet", workers: int = 2, fabric: Any = None,
        change_weight: float = 1.0, candidates: int = 1,
    ) -> None:  # fmt: skip
        self.name, self.schedule, self.window = name, schedule or Schedule(), window
        self.workers, self.fabric = workers, fabric
        self.settings: dict[str, Any] = {
            "window": window, "batch": batch, "mask_ratio": list(mask_ratio), "method": method, "base": base,
            "seed": seed, "change_weight": change_weight, "candidates": candidates,
        }  # fmt: skip
        self.checkpoints = checkpoints
        self.device = choose_device()
        self.encoding: Encoding | None = None
        self.network: torch.nn.Module | None = None
        self.history = pd.DataFrame()
        self.temperature = 1.0
        self.classes = class_codes(read_legend("land_use")).tolist()
        self.transitions: dict[int, np.ndarray] = {}

    def _build(self, encoding: Encoding, counts: dict[int, np.ndarray] | None = None) -> torch.nn.Module:
        with torch.random.fork_rng():
            torch.manual_seed(self.settings["seed"])
            classes = class_codes(read_legend("land_use")).size
            network = NETWORKS[self.name](encoding.channels, classes, self.settings["base"])
            weight = self.settings["change_weight"]
            whole = FromPrior(network, classes, encoding.target_fraction, encoding.start, weight)
            whole.start_from({gap: table[:classes, :classes] for gap, table in (counts or {}).items()})
            return whole

    def fit(self, cube: Region, split: Split) -> Self:
        """Learn from windows of the training cases; windows of the validation cases stop the training.

        Raises
        ------
        ValueError
            If no cell can be learned from.
        """
        self.encoding = fit_encoding(cube, split, self.settings["method"])
        file = self.checkpoints / f"{split.title}.pt" if self.checkpoints else None
        counts = transition_counts(cube, split.train)
        self.transitions = transition_frequencies(counts, self.classes) if self.encoding.start else {}
        network = self._build(self.encoding, counts)
        training = Training(network, self.schedule, self._about(cube, split), file, self.fabric)
        train, held = (
            self.sampler(cube, split, cases, more) for more, cases in enumerate((split.train, split.validation))
        )
        validation = [self._held(*held.draw(i, self.settings["batch"])) for i in range(_HELD)]
        title = f"{split.title}: train {self.name}"
        try:
            self.history = training.run(partial(self.windows, train), validation, title)
        except torch.OutOfMemoryError:
            raise RuntimeError(
                f"{self.name}: out of memory with {self.settings['batch']} windows of {self.window} x {self.window} "
                "cells at once; lower at_once, or window."
            ) from None
        self.network = training.network.eval()
        self.temperature = self._calibrated(validation)
        return self

    @torch.no_grad()
    def _calibrated(self, held: list[Part]) -> float:
        """Temperature that suits the validation windows best."""
        assert self.network is not None
        logits, right = [], []
        for inputs, labels, _ in held:
            with autocast(self.device, self.schedule.precision):
                made = self.network(inputs).float().movedim(1, -1)
            logits.append(made[labels != NO_DATA].cpu().numpy())
            right.append(labels[labels != NO_DATA].cpu().numpy())
        return fit_temperature(np.concatenate(logits), np.concatenate(right))

    def sampler(self, cube: Region, split: Split, cases: list[Case], more: int = 0) -> WindowSampler:
        """Windows of training cases; of validation cases with a ``more`` that is added to the seed."""
        low, high = self.settings["mask_ratio"]
        device = self.device if cube.resident else None
        layers = partial(self._start, cube, split) if self.transitions else None
        return WindowSampler(
            cube, split, cases, self.settings["window"], (float(low), float(high)), self.settings["seed"] + more,
            device, layers, 1 if more else self.settings["candidates"],
        )  # fmt: skip

    def _start(self, cube: Region, split: Split, case: Case) -> dict[str, np.ndarray]:
        return start_layers(case_batch(cube, split, case), self.transitions, self.classes)

    def prepare(self, batch: Batch) -> Batch:
        """See `Model`: where the start is an input, the layers that hold it."""
        if not self.transitions or LAYERS[0] in batch.static:
            return batch
        return replace(batch, static=batch.static | start_layers(batch, self.transitions, self.classes))

    def windows(self, sampler: WindowSampler, numbers: Sequence[int]) -> Iterator[Part]:
        """Inputs and labels of the parts of a training on the device, randomly turned; the same for the same number."""
        batch = self.settings["batch"]
        if sampler.cube.resident:
            return ahead(lambda number: self._turned(number, *sampler.draw(number, batch)), numbers)
        read = stream(sampler, numbers, batch, self.workers)
        return (self._turned(number, *part) for number, part in zip(numbers, read, strict=True))

    def _held(self, batch: Batch, labels: torch.Tensor) -> Part:
        inputs, target = self._tensors(batch, labels)
        return inputs, target, (target != NO_DATA).float()

    def _turned(self, number: int, batch: Batch, labels: torch.Tensor) -> Part:
        assert self.encoding is not None
        rng = np.random.default_rng([self.settings["seed"], number, 7])
        inputs, target = turn(*self._tensors(batch, labels), self.encoding, rng)
        return inputs, target, change_weights(inputs, target, self.settings["change_weight"])

    def _about(self, cube: Region, split: Split) -> str:
        """What the weights depend on: data, cases and configuration."""
        data = data_digest(cube, split.train + split.validation)
        return f"{data} {split.experiment} {split.fold} {self.name} {self.settings} {self.encoding}"

    def _tensors(self, batch: Batch, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        assert self.encoding is not None
        inputs = padded(self.encoding(batch, self.device))
        wide = (0, inputs.shape[3] - labels.shape[2], 0, inputs.shape[2] - labels.shape[1])
        target = torch.nn.functional.pad(torch.as_tensor(labels, device=self.device), wide, value=NO_DATA)
        return inputs, target

    @property
    def reach(self) -> int:
        """See `Model`: the network's, and half a coarse cell where coarse fields are interpolated."""
        return NETWORKS[self.name].reach + (COARSE_CELLS // 2 if self.settings["method"] == "bilinear" else 0)

    @torch.inference_mode()
    def predict_proba(self, batch: Batch) -> np.ndarray:
        """See `Model`. A visible prior of ocean or water stays what it is, other visible cells are land.

        Raises
        ------
        ValueError
            If the batch lacks a layer that the network was trained with.
        """
        assert self.encoding is not None and self.network is not None, "fit or load the network first"
        missing = sorted(set(self.encoding.statistics) - set(batch.static))
        missing += sorted(set(self.encoding.states) - set(batch.states))
        missing += [f"coarse cells of {c}" for c in self.encoding.coarse_cells if c not in batch.coarse]
        missing += [f"{self.encoding.priors} prior maps"] if self.encoding.priors != batch.priors else []
        if missing:
            raise ValueError(f"{self.name}: the inputs lack {missing}; use the inputs it was trained with.")
        rows, cols = batch.prior.shape[1:]
        # The network rounds its inputs to bfloat16 anyway; a start that is an input would lose what it says.
        rounded = arithmetic(self.schedule.precision) == "bf16" and not self.encoding.start
        dtype = torch.bfloat16 if rounded else torch.float32
        made = self.encoding(self.prepare(batch), self.device, dtype)
        inputs = padded(made).contiguous(memory_format=torch.channels_last)
        with autocast(self.device, self.schedule.precision):
            logits = self.network(inputs)[..., :rows, :cols].float() / self.temperature
        prior, valid = (torch.as_tensor(part, device=self.device)[:, None] for part in (batch.prior, batch.valid))
        return (keep_water(logits, prior).softmax(1) * valid).contiguous().cpu().numpy()

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(p.numel() for p in self.network.parameters()) if self.network is not None else 0

    def save(self, folder: Path) -> None:
        """Write weights, ``model.json`` (configuration, legend, statistics), transitions and ``history.csv``."""
        assert self.encoding is not None and self.network is not None, "nothing to save before fit"
        about = {
            "model": self.name, "legend": "land_use", "classes": self.classes, "encoding": asdict(self.encoding),
            "temperature": self.temperature, "settings": self.settings, "schedule": asdict(self.schedule),
            "software": f"ai4land {__version__}", "parameters": self.parameters,
        }  # fmt: skip
        write_network(folder, self.network, about, self.transitions)
        self.history.to_csv(folder / "history.csv", index=False)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; executes no code.

        Raises
        ------
        ValueError
            If the folder holds another model, another legend, or weights of another architecture.
        """
        about = read_about(folder, sorted(NETWORKS))
        model = cls(Schedule(**about["schedule"]), **about["settings"], name=about["model"])
        model.temperature, model.encoding = about["temperature"], read_encoding(about["encoding"])
        model.transitions = read_transitions(folder) if model.encoding.start else {}
        network = read_weights(folder, model._build(model.encoding), about["model"])
        model.network = network.to(model.device).to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        model.history = pd.read_csv(folder / "history.csv") if (folder / "history.csv").exists() else model.history
        return model
