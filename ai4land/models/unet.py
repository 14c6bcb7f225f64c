"""The paper's U-Net: four down and four up blocks of double convolution, skip connections, 1 x 1 head."""

import math
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from ai4land.legend import NO_DATA, class_codes, read_legend
from ai4land.models.start import LEAST, transition_frequencies

_HALVINGS = 4


def double_convolution(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3 x 3 convolutions, each with batch normalisation and ReLU."""
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(True)]
    return nn.Sequential(*layers)


class _Up(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.grow = nn.ConvTranspose2d(inputs, outputs, 2, stride=2)
        self.blend = double_convolution(2 * outputs, outputs)

    def forward(self, deep: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        return self.blend(torch.cat([skip, self.grow(deep)], 1))


def _reach(halvings: int) -> int:
    """Fine cells between a cell and the furthest input that has a say, wherever the cell lies on the lattice."""
    furthest = 0
    for cell in range(2**halvings):
        first = cell  # of the cells that have a say, to the north or west; the other side mirrors it
        for _ in range(halvings):
            first = (first - 2) // 2  # a double convolution, then the coarser cell that the finer one grew from
        first -= 2
        for _ in range(halvings):
            first = 2 * first - 2  # the first of the finer cells pooled, then a double convolution
        furthest = max(furthest, cell - first)
    return furthest


class UNet(nn.Module):
    """U-Net for windows of any size that is a multiple of 16; a cell sees at most 107 cells far.

    Parameters
    ----------
    inputs : int
        Input channels.
    classes : int
        Classes of the legend.
    base : int
        Channels of the first block; each block down doubles them.

    References
    ----------
    Ronneberger et al. (2015), doi:10.1007/978-3-319-24574-4_28
    """

    reach = _reach(_HALVINGS)

    def __init__(self, inputs: int, classes: int, base: int = 16) -> None:
        super().__init__()
        widths = [base * 2**i for i in range(_HALVINGS + 1)]
        self.first = double_convolution(inputs, widths[0])
        self.down = nn.ModuleList(nn.Sequential(nn.MaxPool2d(2), double_convolution(a, b)) for a, b in pairwise(widths))
        self.up = nn.ModuleList(_Up(b, a) for a, b in zip(widths[-2::-1], widths[:0:-1], strict=True))
        self.head = nn.Conv2d(widths[0], classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (batch, class, y, x) from inputs (batch, channel, y, x)."""
        skips = [self.first(x)]  # (batch, 16, y, x)
        for down in self.down:
            skips.append(down(skips[-1]))  # at last (batch, 256, y / 16, x / 16)
        deep = skips.pop()
        for up in self.up:
            deep = up(deep, skips.pop())
        return self.head(deep)


def keep_water(logits: torch.Tensor, prior: torch.Tensor) -> torch.Tensor:
    """Logits with which visible ocean and water stay what they are, and other visible cells are land.

    Parameters
    ----------
    logits : torch.Tensor, shape (batch, class, y, x)
        Of the land-use legend.
    prior : torch.Tensor, shape (batch, 1, y, x), uint8
        255 is hidden or no data.
    """
    legend = read_legend("land_use")
    codes = torch.tensor(class_codes(legend).tolist(), device=prior.device)[:, None, None]
    land = torch.tensor(class_codes(legend, land_only=True).tolist(), device=prior.device)
    to_water, from_water = ~torch.isin(codes, land), ~torch.isin(prior, land)
    never = (prior != NO_DATA) & (prior != codes) & (to_water | from_water)
    return logits.masked_fill(never, -torch.inf)


class FromPrior(nn.Module):
    """A network that says how a cell differs from where it starts.

    A visible cell starts from the transition matrices of the training cells: the log shares of the classes that
    its prior class became after so many years; or, where the coarse input is perfect, from these shares scaled to
    its areas, which are an input. A hidden one starts from the class fractions of its coarse cell.
    The head of the network starts at zero, so that training begins there and never has to learn to copy.

    Parameters
    ----------
    network : torch.nn.Module
        Logits (batch, class, y, x) from all inputs; its ``head`` is set to zero.
    classes : int
        The first channels: the one-hot prior; the next one flags hidden cells. The last two are the years
        between the maps in decades, and their sign.
    fraction : int
        First channel of the class fractions of the target year.
    given : bool
        Whether the start is an input: the channels behind the flag of hidden cells.
    change_weight : float
        By which changed cells are weighted in the loss. Weighted so, odds of change are learned that are as many times
        too large; in training mode they are multiplied here, in evaluation mode they are what they are.
    """

    def __init__(
        self, network: nn.Module, classes: int, fraction: int, given: bool = False, change_weight: float = 1.0
    ) -> None:
        super().__init__()
        self.more = math.log(change_weight)
        self.network, self.classes, self.fraction, self.given = network, classes, fraction, given
        nn.init.zeros_(network.head.weight)  # type: ignore[union-attr, arg-type]
        nn.init.zeros_(network.head.bias)  # type: ignore[union-attr, arg-type]
        # (backward or forward, constant and factor of log years, prior class, class)
        self.transitions = nn.Parameter(torch.zeros(2, 2, classes, classes), requires_grad=not given)
        self.trust = nn.Parameter(torch.ones(1))

    def start_from(self, counts: dict[int, np.ndarray]) -> None:
        """Fit the start to transition counts (class, class) by years; directions without any stay at zero."""
        for number, sign in enumerate((-1, 1)):
            gaps = [g for g in counts if g * sign > 0]
            if not gaps:
                continue
            frequencies = transition_frequencies({g: counts[g] for g in gaps}, list(range(self.classes)))
            logs = np.log(np.maximum(np.stack(list(frequencies.values())), LEAST)).reshape(len(gaps), -1)
            terms = np.stack([np.ones(len(gaps)), np.log(np.abs(gaps))], 1)
            fit = np.linalg.lstsq(terms, logs, rcond=None)[0].reshape(2, self.classes, self.classes)
            self.transitions.data[number] = torch.as_tensor(fit, dtype=torch.float32)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (batch, class, y, x)."""
        prior, hidden = x[:, : self.classes], x[:, self.classes, None]
        fractions = x[:, self.fraction : self.fraction + self.classes]
        if self.given:
            start = x[:, self.classes + 1 : 2 * self.classes + 1].float()
        else:
            years = (x[:, -2, 0, 0].float() * 10).round()  # (batch,)
            table = self.transitions[(years > 0).long()]  # (batch, 2, prior class, class)
            table = table[:, 0] + table[:, 1] * years.abs().clamp(min=1).log()[:, None, None]
            # Log shares of rare changes lose three per cent of the share in bfloat16.
            with torch.autocast(x.device.type, enabled=False):
                start = torch.einsum("bcyx,bck->bkyx", prior.float(), table)
        if self.training:
            start = start + self.more * (1 - prior) * (1 - hidden)
        return self.network(x).float() + start + self.trust * hidden * (fractions + 1e-3).log()
