"""The training loop: mixed precision, checkpoint and resume, early stopping, history. It knows no model.

Windows come from (seed, step), so a run that is killed and resumed sees the same ones, and ends with the same weights.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
import torch
from torch import nn
from tqdm import tqdm

Step = Callable[[int], tuple[torch.Tensor, torch.Tensor]]  # number of a step to inputs and labels


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
    precision : {'bf16', 'fp32'}
        Arithmetic of the forward pass; weights stay in float32.
    """

    steps: int = 1000
    every: int = 50
    patience: int = 8
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    precision: str = "bf16"

    def factor(self, step: int) -> float:
        """Share of the highest learning rate at a step."""
        rise = max(self.steps // 20, 1)
        return min((step + 1) / rise, 0.5 + 0.5 * math.cos(math.pi * step / self.steps))


def choose_device() -> torch.device:
    """CUDA where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Context of the forward pass: bfloat16 or float32."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def label_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross entropy (nat) over the cells with a label; 255 is none."""
    total = nn.functional.cross_entropy(logits.float(), labels.long(), ignore_index=255, reduction="sum")
    return total / (labels != 255).sum().clamp(min=1)


def ahead(draw: Step, first: int, last: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Batches of the steps from ``first`` to before ``last``, each drawn while the one before is learned."""
    with ThreadPoolExecutor(1) as thread:
        following = thread.submit(draw, first)
        for step in range(first + 1, last + 1):
            batch = following.result()
            if step < last:
                following = thread.submit(draw, step)
            yield batch


def fingerprint(*parts: object) -> str:
    """Short hash of what a checkpoint depends on."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


class Training:
    """One training, from its start or from its checkpoint.

    Parameters
    ----------
    network : torch.nn.Module
        Logits (batch, class, y, x) from inputs (batch, channel, y, x).
    schedule : Schedule
    about : str
        `fingerprint` of data, split and configuration: a checkpoint of others is refused silently and started anew.
    checkpoint : pathlib.Path, optional
        File to keep the state in, and to resume from.
    """

    def __init__(self, network: nn.Module, schedule: Schedule, about: str, checkpoint: Path | None = None) -> None:
        self.schedule, self.checkpoint, self.about = schedule, checkpoint, fingerprint(about, asdict(schedule))
        self.device = choose_device()
        self.network = network.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimiser = torch.optim.AdamW(
            network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay
        )
        self.step, self.bad, self.best_loss = 0, 0, math.inf
        self.history: list[dict[str, float]] = []
        self.best = {k: v.clone() for k, v in network.state_dict().items()}
        if checkpoint is not None and checkpoint.exists():
            self._resume(checkpoint)

    def _resume(self, checkpoint: Path) -> None:
        state = torch.load(checkpoint, map_location=self.device, weights_only=True)
        if state["about"] != self.about:
            return
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.best, self.history = state["best"], state["history"]
        self.step, self.bad, self.best_loss = state["step"], state["bad"], state["best_loss"]

    def _save(self) -> None:
        if self.checkpoint is None:
            return
        self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        part = self.checkpoint.with_suffix(".part")
        torch.save({
            "about": self.about, "network": self.network.state_dict(), "optimiser": self.optimiser.state_dict(),
            "best": self.best, "history": self.history, "step": self.step, "bad": self.bad,
            "best_loss": self.best_loss,
        }, part)  # fmt: skip
        part.replace(self.checkpoint)

    def _advance(self, inputs: torch.Tensor, labels: torch.Tensor) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = self.schedule.learning_rate * self.schedule.factor(self.step)
        with autocast(self.device, self.schedule.precision):
            logits = self.network(inputs)
        loss = label_loss(logits, labels)
        if not torch.isfinite(loss):
            raise ValueError(
                f"step {self.step}: the loss is {float(loss)}; look for NaN in the inputs, or learn slower."
            )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        return float(loss.detach())

    @torch.no_grad()
    def _validate(self, held: list[tuple[torch.Tensor, torch.Tensor]]) -> float:
        self.network.eval()
        total, cells = 0.0, 0
        for inputs, labels in held:
            with autocast(self.device, self.schedule.precision):
                logits = self.network(inputs)
            count = int((labels != 255).sum())
            total += float(label_loss(logits, labels)) * count
            cells += count
        self.network.train()
        return total / max(cells, 1)

    def run(self, draw: Step, held: list[tuple[torch.Tensor, torch.Tensor]], title: str) -> pd.DataFrame:
        """Train to the end; the network then has the weights of the lowest validation loss.

        Parameters
        ----------
        draw : callable
            Number of a step to its inputs and labels, on the device.
        held : list of tuple
            Validation batches, the same every time.
        title : str
            Of the progress bar.

        Returns
        -------
        pandas.DataFrame
            History: step, training_loss, validation_loss (nat), learning_rate.
        """
        self.network.train()
        with tqdm(total=self.schedule.steps, initial=self.step, desc=title, unit="step", mininterval=10) as bar:
            while self.step < self.schedule.steps and self.bad < self.schedule.patience:
                losses = []
                for batch in ahead(draw, self.step, min(self.step + self.schedule.every, self.schedule.steps)):
                    losses.append(self._advance(*batch))
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
