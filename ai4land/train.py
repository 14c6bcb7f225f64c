"""The training loop: mixed precision, several processes, checkpoint and resume, early stopping. It knows no model.

Windows come from (seed, number), so a run that is killed and resumed sees the same ones, and ends with the same
weights. A step learns from several parts, one after the other or in as many processes: the gradient is the same.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import torch
from torch import nn
from tqdm import tqdm

from ai4land.devices import autocast, connect

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Part = tuple[torch.Tensor, torch.Tensor, torch.Tensor]  # inputs, labels and their weights
Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]  # output, labels, weights: weighted sum
Feed = Callable[[Sequence[int]], Iterator[Part]]  # numbers of parts to the parts


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a network learns.

    Parameters
    ----------
    steps : int
        Steps at most.
    every : int
        Steps between two validations, each followed by a checkpoint.
    patience : int
        Validations without a better loss before it stops.
    learning_rate : float
        The highest: it rises over the first twentieth and falls along a cosine.
    weight_decay : float
        Of AdamW.
    precision : {'auto', 'bf16', 'fp32'}
        Arithmetic of the forward pass; weights stay in float32.
    parts : int
        Parts of a step, each with batch statistics of its own; a multiple of the number of processes.
    """

    steps: int = 1000
    every: int = 50
    patience: int = 8
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    precision: str = "auto"
    parts: int = 1

    def factor(self, step: int) -> float:
        """Share of the highest learning rate at a step."""
        rise = max(self.steps // 20, 1)
        return min((step + 1) / rise, 0.5 + 0.5 * math.cos(math.pi * step / self.steps))


def label_loss(logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Weighted sum of the cross entropy (nat) over the cells with a label; 255 is none."""
    losses = nn.functional.cross_entropy(logits.float(), labels.long(), ignore_index=255, reduction="none")
    return (losses * weights).sum()


def ahead(draw: Callable[[int], Part], numbers: Sequence[int]) -> Iterator[Part]:
    """Parts in the order of their numbers, each drawn while the one before is learned."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(draw, numbers[0])
        for number in numbers[1:]:
            part, coming = coming.result(), thread.submit(draw, number)
            yield part
        yield coming.result()


def fingerprint(*parts: object) -> str:
    """Short hash of what a checkpoint depends on."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


class Training:
    """One training, from its start or from its checkpoint.

    Parameters
    ----------
    network : torch.nn.Module
        Such as logits (batch, class, y, x) from inputs (batch, channel, y, x).
    schedule : Schedule
    about : str
        `fingerprint` of data, split and configuration: a checkpoint of others is refused silently and started anew.
    checkpoint : pathlib.Path, optional
        File to keep the state in, and to resume from.
    fabric : lightning_fabric.Fabric, optional
        Of `connect`; this process alone where absent.
    loss : callable
        Of the network's output, the labels and their weights: the weighted sum.

    Raises
    ------
    ValueError
        If the parts of a step cannot be dealt evenly to the processes.
    """

    def __init__(
        self, network: nn.Module, schedule: Schedule, about: str, checkpoint: Path | None = None,
        fabric: "Fabric | None" = None, loss: Loss = label_loss,
    ) -> None:  # fmt: skip
        self.loss = loss
        self.schedule, self.checkpoint, self.about = schedule, checkpoint, fingerprint(about, asdict(schedule))
        self.fabric = fabric or connect(schedule.precision)
        if schedule.parts % self.fabric.world_size:
            raise ValueError(
                f"{schedule.parts} parts of a step cannot be dealt to {self.fabric.world_size} processes; "
                "choose batch and at_once so that batch / at_once is a multiple of the processes."
            )
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.shared = self.fabric.setup_module(self.network)
        self.optimiser = torch.optim.AdamW(
            network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay
        )
        self.step, self.bad, self.best_loss = 0, 0, math.inf
        self.history: list[dict[str, float]] = []
        self.best = {k: v.clone() for k, v in network.state_dict().items()}
        if checkpoint is not None and checkpoint.exists():
            self._resume(checkpoint)

    def _resume(self, checkpoint: Path) -> None:
        state = torch.load(checkpoint, map_location=self.fabric.device, weights_only=True)
        if state["about"] != self.about:
            return
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.best, self.history = state["best"], state["history"]
        self.step, self.bad, self.best_loss = state["step"], state["bad"], state["best_loss"]

    def _save(self) -> None:
        if self.checkpoint is not None and self.fabric.is_global_zero:
            self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
            part = self.checkpoint.with_suffix(".part")
            torch.save({
                "about": self.about, "network": self.network.state_dict(), "optimiser": self.optimiser.state_dict(),
                "best": self.best, "history": self.history, "step": self.step, "bad": self.bad,
                "best_loss": self.best_loss,
            }, part)  # fmt: skip
            part.replace(self.checkpoint)
        self.fabric.barrier()

    def advance(self, parts: list[Part]) -> float:
        """One step from the parts of this process; the weighted mean loss (nat) over the labels of all processes."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.schedule.learning_rate * self.schedule.factor(self.step)
        cells = self._sum(torch.stack([weights.sum() for *_, weights in parts]).sum().double()).clamp(min=1)
        self.optimiser.zero_grad(set_to_none=True)
        total = torch.zeros((), device=cells.device)
        for number, (inputs, labels, weights) in enumerate(parts):
            last = number == len(parts) - 1
            with self.fabric.no_backward_sync(self.shared, enabled=not last and self.fabric.world_size > 1):
                loss = self.loss(self.shared(inputs), labels, weights)
                # Gradients are averaged over the processes, so each counts for as many.
                self.fabric.backward(loss * (self.fabric.world_size / cells.float()))
            total += loss.detach()
        mean = float(self._sum(total) / cells)
        if not math.isfinite(mean):
            raise ValueError(f"step {self.step}: the loss is {mean}; look for NaN in the inputs, or learn slower.")
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        return mean

    def _sum(self, value: torch.Tensor) -> torch.Tensor:
        return self.fabric.all_reduce(value, reduce_op="sum")  # type: ignore[return-value]

    @torch.no_grad()
    def _validate(self, held: list[Part]) -> float:
        if self.fabric.world_size > 1:
            for buffer in self.network.buffers():
                if buffer.is_floating_point():
                    buffer.copy_(self.fabric.all_reduce(buffer, reduce_op="mean"))
        self.shared.eval()
        total = torch.zeros(2, dtype=torch.float64, device=self.fabric.device)
        for inputs, labels, weights in held[self.fabric.global_rank :: self.fabric.world_size]:
            with autocast(self.fabric.device, self.schedule.precision):
                logits = self.network(inputs)
            total += torch.stack([self.loss(logits, labels, weights), weights.sum()]).double()
        self.shared.train()
        loss, cells = self._sum(total).tolist()
        return loss / max(cells, 1)

    def run(self, feed: Feed, held: list[Part], title: str) -> pd.DataFrame:
        """Train to the end; the network then has the weights of the lowest validation loss.

        Parameters
        ----------
        feed : callable
            Numbers of parts to the parts, in their order; part ``k`` of step ``s`` is number ``s * parts + k``.
        held : list of tuple
            Validation parts, the same every time and in every process.
        title : str
            Of the progress bar.

        Returns
        -------
        pandas.DataFrame
            History: step, training_loss, validation_loss (nat), learning_rate.
        """
        self.shared.train()
        parts, rank, processes = self.schedule.parts, self.fabric.global_rank, self.fabric.world_size
        mine = range(self.step * parts + rank, self.schedule.steps * parts, processes)
        source = feed(mine) if len(mine) and self.bad < self.schedule.patience else iter(())
        with tqdm(total=self.schedule.steps, initial=self.step, desc=title, unit="step", mininterval=10,
                  disable=rank > 0) as bar:  # fmt: skip
            while self.step < self.schedule.steps and self.bad < self.schedule.patience:
                losses = []
                for _ in range(min(self.schedule.every, self.schedule.steps - self.step)):
                    losses.append(self.advance([next(source) for _ in range(parts // processes)]))
                    bar.update()
                self._record(sum(losses) / len(losses), self._validate(held))
                bar.set_postfix(loss=f"{self.history[-1]['validation_loss']:.4f}")
                self._save()
        self.network.load_state_dict(self.best)
        return pd.DataFrame(self.history)

    def _record(self, training: float, validation: float) -> None:
        rate = self.optimiser.param_groups[0]["lr"]
        self.history.append({
            "step": self.step, "training_loss": training, "validation_loss": validation, "learning_rate": rate,
        })  # fmt: skip
        if validation < self.best_loss:
            self.best_loss, self.bad = validation, 0
            self.best = {k: v.clone() for k, v in self.network.state_dict().items()}
        else:
            self.bad += 1
