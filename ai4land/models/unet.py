"""The paper's U-Net: four down and four up blocks of double convolution, skip connections, 1 x 1 head."""

from itertools import pairwise

import torch
from torch import nn


def _double(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(True)]
    return nn.Sequential(*layers)


class _Up(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.grow = nn.ConvTranspose2d(inputs, outputs, 2, stride=2)
        self.blend = _double(2 * outputs, outputs)

    def forward(self, deep: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        return self.blend(torch.cat([skip, self.grow(deep)], 1))


class UNet(nn.Module):
    """U-Net for windows of any size that is a multiple of 16.

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

    def __init__(self, inputs: int, classes: int, base: int = 16) -> None:
        super().__init__()
        widths = [base * 2**i for i in range(5)]
        self.first = _double(inputs, widths[0])
        self.down = nn.ModuleList(nn.Sequential(nn.MaxPool2d(2), _double(a, b)) for a, b in pairwise(widths))
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


class FromPrior(nn.Module):
    """A network that says how a cell differs from where it starts: its visible prior, or its coarse fractions.

    Learning to copy costs most of a short training; two learned factors on the start do away with it.

    Parameters
    ----------
    network : torch.nn.Module
        Logits (batch, class, y, x) from all inputs.
    classes : int
        The first channels: the one-hot prior; the next one flags hidden cells.
    fraction : int
        First channel of the class fractions of the target year.
    """

    def __init__(self, network: nn.Module, classes: int, fraction: int) -> None:
        super().__init__()
        self.network, self.classes, self.fraction = network, classes, fraction
        self.trust = nn.Parameter(torch.tensor([3.0, 1.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (batch, class, y, x)."""
        prior, hidden = x[:, : self.classes], x[:, self.classes, None]
        fractions = x[:, self.fraction : self.fraction + self.classes]
        start = self.trust[0] * prior + self.trust[1] * hidden * (fractions + 1e-3).log()
        return self.network(x) + start
