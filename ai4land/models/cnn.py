"""The CNN without the U: double convolutions at full resolution, 1 x 1 head."""

from itertools import pairwise

import torch
from torch import nn

from ai4land.models.unet import double_convolution

_BLOCKS = 4


class CNN(nn.Module):
    """Plain convolutional network; a cell sees 17 x 17 cells.

    Parameters
    ----------
    inputs : int
        Input channels.
    classes : int
        Classes of the legend.
    base : int
        Channels of every block.
    """

    reach = 2 * _BLOCKS

    def __init__(self, inputs: int, classes: int, base: int = 16) -> None:
        super().__init__()
        widths = [inputs] + [base] * _BLOCKS
        self.body = nn.Sequential(*(double_convolution(a, b) for a, b in pairwise(widths)))
        self.head = nn.Conv2d(widths[-1], classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (batch, class, y, x) from inputs (batch, channel, y, x)."""
        return self.head(self.body(x))
