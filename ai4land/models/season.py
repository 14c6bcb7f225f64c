"""Leaf area as a sequence: attention between the twelve months of a cell."""

from pathlib import Path
from typing import Any, Self

import torch
from torch import nn

from ai4land.models.green_inputs import LEAVES, ORIGIN
from ai4land.models.green_net import GreenNet
from ai4land.models.green_start import Start
from ai4land.samples.predictors import Given
from ai4land.vegetation import MONTHS

_HEADS, _LAYERS = 4, 2  # of the attention
_AT_ONCE = 16384  # cells, while it predicts


class SeasonNetwork(nn.Module):
    """Transformer encoder over the months of every cell, by itself.

    A month is what the year's fields, its own fields and its place in the year say; every month attends to every other.

    Parameters
    ----------
    annual, monthly : int
        Fields that a year has once, and twelve times.
    start : Start
    width : int
        Numbers that stand for a month, a multiple of 4.

    References
    ----------
    Vaswani et al. (2017), arXiv:1706.03762
    """

    def __init__(self, annual: int, monthly: int, start: Start, width: int) -> None:
        super().__init__()
        self.start, self.annual = start, annual
        self.of_year, self.of_month = nn.Linear(annual, width), nn.Linear(monthly, width)
        self.place = nn.Parameter(0.02 * torch.randn(MONTHS, width))
        layer = nn.TransformerEncoderLayer(width, _HEADS, 2 * width, 0.0, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, _LAYERS, enable_nested_tensor=False)
        self.head = nn.Linear(width, 2)  # mean and log variance
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def _cells(self, fields: torch.Tensor) -> torch.Tensor:
        months = fields[:, self.annual :].unflatten(1, (-1, MONTHS)).transpose(1, 2)  # (cell, 12, monthly)
        tokens = self.of_year(fields[:, : self.annual])[:, None] + self.of_month(months) + self.place
        return self.head(self.layers(tokens)).transpose(1, 2).flatten(1)  # (cell, 24)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs of `Start` from windows of `GreenInputs`, (batch, channel, y, x)."""
        batch, _, rows, cols = x.shape
        fields = x[:, ORIGIN:].movedim(1, -1).flatten(0, 2)
        parts = (fields,) if self.training else fields.split(_AT_ONCE)
        made = torch.cat([self._cells(part) for part in parts])
        return self.start(x[:, :ORIGIN], made.unflatten(0, (batch, rows, cols)).movedim(-1, 1))


class SeasonNet(GreenNet):
    """Temporal attention over the season, cell by cell, behind the interface of `GreenModel`.

    It learns from all cells of random windows. ``base`` is the width of a month; all else is as in `GreenNet`.
    """

    core, reach = 512, 0

    def __init__(
        self, given: Given | None = None, steps: int = 1000, window: int = 32, batch: int = 8, base: int = 32,
        learning_rate: float = 2e-3, precision: str = "auto", seed: int = 0, checkpoints: Path | None = None,
    ) -> None:  # fmt: skip
        super().__init__((LEAVES,), given, steps, window, batch, base, learning_rate, precision, seed, checkpoints)
        self.name = "sequence"

    @classmethod
    def _like(cls, about: dict[str, Any]) -> Self:
        return cls(Given(**about["given"]), **about["settings"])

    def _make(self, start: Start) -> nn.Module:
        annual = sum(number == 1 for number in self.channels)
        return SeasonNetwork(annual, len(self.channels) - annual, start, self.settings["base"])
