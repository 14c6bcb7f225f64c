"""Where an exported network starts: the shares of the prior class, see `ai4land.models.unet.FromPrior`."""

from typing import Any

import numpy as np
import torch
from torch import nn

from ai4land.legend import class_codes, read_legend
from ai4land.models.start import LEAST

_ROUNDS = 80  # as `ai4land.allocate.scale_areas`
_LEAST = 1e-30  # factor of a class that is not wanted at all
_NEVER = -1e4  # logit of what cannot be: its probability is 0 in every precision
_BLOCK = 16  # channels that ONNX Runtime takes at once on CPUs; other numbers go a slow way


def widened(network: Any, temperature: float) -> tuple[nn.Module, int]:
    """A network whose first convolution takes a multiple of 16 channels, and how many of them it ignores.

    Its logits are divided by the temperature in its head.
    """
    for part in (network.head.weight, network.head.bias):
        part /= temperature
    first = next(one for one in network.modules() if isinstance(one, nn.Conv2d))
    spare = -first.in_channels % _BLOCK
    first.weight = nn.Parameter(nn.functional.pad(first.weight, (0, 0, 0, 0, 0, spare)), requires_grad=False)
    first.in_channels += spare
    return network, spare


class FromPriors(nn.Module):
    """Logits that a network's are added to; they hold what `ai4land.models.unet.keep_water` says too.

    Parameters
    ----------
    learned : ai4land.models.unet.FromPrior
    temperature : float
        By which the logits are divided.
    """

    transitions: torch.Tensor
    trust: torch.Tensor
    never: torch.Tensor

    def __init__(self, learned: Any, temperature: float) -> None:
        super().__init__()
        self.classes, self.fraction, self.given = learned.classes, learned.fraction, learned.given
        legend = read_legend("land_use")
        water = ~np.isin(class_codes(legend), class_codes(legend, land_only=True))
        never = (water[:, None] | water) & ~np.eye(self.classes, dtype=bool)
        self.temperature = temperature
        self.register_buffer("transitions", learned.transitions.data / temperature)
        self.register_buffer("trust", learned.trust.data / temperature)
        self.register_buffer("never", torch.tensor(never * _NEVER, dtype=torch.float32))  # (prior class, class)

    def forward(self, channels: torch.Tensor, years: torch.Tensor) -> torch.Tensor:
        """Logits (1, class, y, x) from the inputs of the network and the years between the maps, (1,)."""
        prior, hidden = channels[:, : self.classes], channels[:, self.classes, None]
        fraction = channels[:, self.fraction : self.fraction + self.classes]
        table = self.never
        if not self.given:
            fit = torch.where(years > 0, self.transitions[1], self.transitions[0])
            table = table + fit[0] + fit[1] * years.round().abs().clamp(min=1).log()
        start = (table.T @ prior.flatten(2)).reshape(prior.shape)
        if self.given:
            start = start + channels[:, self.classes + 1 : 2 * self.classes + 1] / self.temperature
        return start + hidden * self.trust * (fraction + 1e-3).log()


class StartShares(nn.Module):
    """Where a model starts whose coarse input is perfect: see `ai4land.models.start.start_shares`.

    All cells of a block with the same prior class have the same shares, so that they are scaled once for the group.

    Parameters
    ----------
    transitions : dict of int to numpy.ndarray, shape (256, class)
        Of `ai4land.models.start.transition_frequencies`.
    """

    gaps: torch.Tensor
    tables: torch.Tensor
    land: torch.Tensor

    def __init__(self, transitions: dict[int, np.ndarray]) -> None:
        super().__init__()
        legend, gaps = read_legend("land_use"), sorted(transitions)
        codes = class_codes(legend)
        tables = np.stack([transitions[gap][[*codes, 255]] for gap in gaps]).astype(np.float32)
        land = [*np.isin(codes, class_codes(legend, land_only=True)), False, True]
        self.register_buffer("gaps", torch.tensor(gaps, dtype=torch.float32))
        self.register_buffer("tables", torch.as_tensor(tables))  # (gap, prior class or none, class)
        self.register_buffer("land", torch.tensor(land)[None, :, None, None])

    def forward(
        self, groups: torch.Tensor, years: torch.Tensor, fraction: torch.Tensor, rows: torch.Tensor, cols: torch.Tensor
    ) -> torch.Tensor:
        """Log shares (1, class, y, x).

        Parameters
        ----------
        groups : torch.Tensor, shape (1, class + 2, y, x), float32
            One-hot: prior class, no data, hidden.
        years : torch.Tensor, shape (1,), float32
        fraction : torch.Tensor, shape (1, class, Y, X), float32
            Of the blocks in the target year; NaN without data.
        rows, cols : torch.Tensor
            Cells of each block, of `hat` by steps.
        """
        nearest = ((self.gaps - years).abs() + 1e-3 * torch.arange(len(self.gaps), device=years.device)).argmin()
        filled = torch.where(torch.isnan(fraction), 0.0, fraction)
        coarse = filled + 1e-3
        table = self.tables.index_select(0, nearest[None])[0][None, :, :, None, None]  # (1, group, class, 1, 1)
        hidden = (coarse / coarse.sum(1, keepdim=True))[:, None]
        shares = torch.cat([table.expand(-1, -1, -1, *coarse.shape[2:]), hidden], 1)  # (1, group, class, Y, X)
        count = rows.T @ groups @ cols  # (1, group, Y, X)
        numbers = self._wanted(filled, count)
        factor = torch.ones_like(numbers)
        cells = (count * self.land)[:, :, None]
        for _ in range(_ROUNDS):
            column = (shares * cells / (shares * factor[:, None]).sum(2, keepdim=True).clamp(min=_LEAST)).sum(1)
            factor = torch.where(column > 0, numbers / torch.where(column > 0, column, 1.0), 0.0)
            most = factor.amax(1, keepdim=True)
            factor = (factor / torch.where(most > 0, most, 1.0)).clamp(min=_LEAST)
        scaled = shares * factor[:, None]
        scaled = scaled / scaled.sum(2, keepdim=True).clamp(min=_LEAST)
        logs = torch.where(self.land[:, :, None], scaled, shares).clamp(min=LEAST).log()
        return self._on_cells(logs, groups, rows, cols)

    def _wanted(self, fraction: torch.Tensor, count: torch.Tensor) -> torch.Tensor:
        """Free cells of each class in each block; see `ai4land.allocate.fraction_numbers`."""
        classes = fraction.shape[1]
        free, known = count * self.land, count[:, :classes]
        total = free.sum(1, keepdim=True)
        fixed = torch.where(self.land[:, :classes], 0.0, known)
        numbers = (fraction * (total + fixed.sum(1, keepdim=True)) - fixed).clamp(min=0)
        numbers = torch.where(numbers.sum(1, keepdim=True) > 0, numbers, free[:, :classes] + 1e-9)
        return numbers * (total / numbers.sum(1, keepdim=True))

    def _on_cells(
        self, values: torch.Tensor, groups: torch.Tensor, rows: torch.Tensor, cols: torch.Tensor
    ) -> torch.Tensor:
        """Values (1, group, class, Y, X) of each cell's block and group, (1, class, y, x)."""
        _, number, classes, height, width = values.shape
        place = groups.argmax(1)[0] * height + rows.argmax(1)[:, None]
        place = place * width + cols.argmax(1)[None, :]  # (y, x)
        table = values[0].permute(0, 2, 3, 1).reshape(number * height * width, classes)
        return nn.functional.embedding(place, table).permute(2, 0, 1)[None]
