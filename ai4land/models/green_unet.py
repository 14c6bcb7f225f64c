"""The U-Net of land use, land cover and leaf area: what its heads share, and what the months of leaf area share."""

import torch
from torch import nn

from ai4land.models.green_inputs import LEAVES, ORIGIN
from ai4land.models.green_start import OUTPUTS, Start
from ai4land.models.unet import UNet
from ai4land.vegetation import MONTHS


class GreenUNet(nn.Module):
    """`UNet` behind a 1 x 1 convolution that narrows the fields to twice the ``base``, and its start.

    Leaf area of a month comes from what the U-Net makes of a place, and from the month's own fields: all months share
    the weights of that.

    Parameters
    ----------
    channels : list of int
        Of every field; those of twelve come last.
    start : Start
    base : int
        Channels of the first block.
    """

    def __init__(self, channels: list[int], start: Start, base: int) -> None:
        super().__init__()
        self.start, self.monthly = start, sum(number for number in channels if number == MONTHS)
        self.classes = sum(OUTPUTS[head] for head in start.heads if head != LEAVES)
        leaves = LEAVES in start.heads
        self.narrow = nn.Conv2d(sum(channels), 2 * base, 1)
        self.body = UNet(2 * base, self.classes + base * leaves, base)
        nn.init.zeros_(self.body.head.weight[: self.classes].data)
        nn.init.zeros_(self.body.head.bias.data)  # type: ignore[union-attr]
        if leaves:
            self.of_place, self.of_month = nn.Conv2d(base, 2 * base, 1), nn.Conv2d(self.monthly // MONTHS, 2 * base, 1)
            self.place = nn.Parameter(0.02 * torch.randn(MONTHS, 2 * base, 1, 1))
            self.leaves = nn.Conv2d(2 * base, 2, 1)  # mean and log variance
            nn.init.zeros_(self.leaves.weight)
            nn.init.zeros_(self.leaves.bias)  # type: ignore[arg-type]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs of `Start` from windows of `GreenInputs`, (batch, channel, y, x)."""
        made = self.body(self.narrow(x[:, ORIGIN:]))
        if LEAVES in self.start.heads:
            here = self.of_place(made[:, self.classes :].relu())
            months = x[:, x.shape[1] - self.monthly :].unflatten(1, (-1, MONTHS))  # (batch, field, 12, y, x)
            every = [self.leaves((here + self.of_month(months[:, :, m]) + self.place[m]).relu()) for m in range(MONTHS)]
            made = torch.cat([made[:, : self.classes], torch.stack(every, 2).flatten(1, 2)], 1)
        return self.start(x[:, :ORIGIN], made)
