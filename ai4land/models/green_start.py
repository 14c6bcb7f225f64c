"""Where networks of land cover and leaf area start before they have learned of places, and what they learn by.

Classes start from the shares that each prior class became; a season from the prior one, moved by the difference between
the mean seasons of the classes of land cover. So a network never has to learn to copy.
"""

import numpy as np
import torch
from torch import nn

from ai4land.models import green_inputs as at
from ai4land.models.green import Pair
from ai4land.models.green_inputs import COVER, COVERS, GROUPS, LEAVES, USE, USES, GreenInputs, Sample
from ai4land.models.green_tables import count_changes, log_frequencies, mean_seasons
from ai4land.samples.predictors import level_1
from ai4land.samples.region import Region
from ai4land.vegetation import MONTHS

OUTPUTS = {USE: USES.size, COVER: COVERS.size, LEAVES: 2 * MONTHS}  # of leaf area: mean and log variance
_LEAST = 1e-3  # of a loss's variance: no loss weighs more than a thousand times
_WIDEST = 5.0  # a predicted log variance is no further from that of the start


class Start(nn.Module):
    """What is predicted of a window: the start of every head, and the network's difference from it.

    Classes: log shares by prior class, land use now and years between (the nearest that there are); of a hidden prior
    LUH2's class fractions, for land use where there are some. Leaf area: prior season + mean season of the land cover
    now - that of the prior one; the mean season alone where the prior is hidden, that of all cells where no land cover
    is known. A network that predicts land cover too takes its own shares of the classes; leaf area does not teach them.

    Parameters
    ----------
    inputs : GreenInputs
    gaps : list of int
        Years between the maps of training.
    """

    gaps: torch.Tensor
    seasons: torch.Tensor
    error: torch.Tensor
    grouped: torch.Tensor

    def __init__(self, inputs: GreenInputs, gaps: list[int]) -> None:
        super().__init__()
        self.heads, self.given = inputs.heads, inputs.given
        self.register_buffer("gaps", torch.tensor(gaps, dtype=torch.float32))
        for head, size in OUTPUTS.items():
            if head in self.heads and head != LEAVES:
                self.register_buffer(head, torch.zeros(len(gaps), size + 1, USES.size + 1, size))
        self.register_buffer("seasons", torch.zeros(GROUPS.size + 1, MONTHS))
        self.register_buffer("error", torch.ones(2, MONTHS))  # of the start, m2 m-2: prior season hidden, and shown
        group = torch.as_tensor(at.places(level_1(COVERS), GROUPS))
        self.register_buffer("grouped", nn.functional.one_hot(group, GROUPS.size + 1).float(), persistent=False)
        self.scales = nn.Parameter(torch.zeros(len(self.heads)))  # log variances that weigh the losses

    def fit(self, cube: Region, inputs: GreenInputs, pairs: list[Pair]) -> None:
        """Take shares and mean seasons from the maps of training pairs, and from no other."""
        for head in self.heads:
            if head == LEAVES:
                made = mean_seasons(cube, sorted({y for pair in pairs for y in pair}))
                self.seasons.copy_(torch.as_tensor(made))
            else:
                counts = count_changes(cube, inputs, head, pairs)
                self.get_buffer(head).copy_(torch.as_tensor(log_frequencies(np.stack(list(counts.values())))))

    @torch.no_grad()
    def measure(self, samples: list[Sample]) -> None:
        """Take the error of the start, and the scales of the losses, from sampled windows.

        Raises
        ------
        ValueError
            If a head has no label in any of them.
        """
        parts = [tuple(torch.as_tensor(part)[None] for part in sample[1:]) for sample in samples]
        blank = torch.zeros(1, sum(OUTPUTS[h] for h in self.heads), *parts[0][0].shape[2:])
        if LEAVES in self.heads:
            off = torch.cat([self.labels(y)[-1] - self.split(self(x, blank))[-1][:, :MONTHS] for x, y in parts])
            shown = torch.cat([x[:, at.SEASON : at.FRACTIONS].isfinite() for x, _ in parts])
            for kind in (0, 1):
                used = off.isfinite() & (shown == bool(kind))
                squares = torch.where(used, off, 0.0).square().sum((0, 2, 3)) / used.sum((0, 2, 3)).clamp(min=1)
                self.error[kind] = torch.where(used.any(0).any(1).any(1), squares.sqrt().clamp(min=_LEAST), 1.0)
        sums = torch.zeros(len(self.heads), 2, dtype=torch.float64)
        for x, y in parts:
            sums += torch.stack([torch.stack(one[:2]).sum((1, 2, 3)) for one in self.losses(self(x, blank), y)])
        lacking = [head for head, known in zip(self.heads, sums[:, 1], strict=True) if not known]
        if lacking:
            msg = f"no {', '.join(lacking)} on land in the training years; is the region all sea? Leave it out."
            raise ValueError(msg)
        self.scales.copy_((2 * sums[:, 0] / sums[:, 1]).clamp(min=_LEAST).log())

    def _classes(self, head: str, origin: torch.Tensor) -> torch.Tensor:
        gap = (self.gaps[None] - origin[:, at.YEARS, :1, 0]).abs().argmin(1)[:, None, None]
        prior = origin[:, at.PRIOR_USE if head == USE else at.PRIOR_COVER].long()
        start = self.get_buffer(head)[gap, prior, origin[:, at.USE_NOW].long()].movedim(-1, 1)  # (batch, class, y, x)
        fractions = origin[:, at.FRACTIONS :]
        instead = (prior == USES.size)[:, None] & (fractions != 0).any(1, keepdim=True)
        return torch.where(instead, fractions, start) if head == USE else start

    def _leaves(self, origin: torch.Tensor, cover: torch.Tensor | None) -> torch.Tensor:
        before = self.seasons[origin[:, at.GROUP_BEFORE].long()].movedim(-1, 1)  # (batch, 12, y, x)
        if self.given.land_cover:
            now = self.seasons[origin[:, at.GROUP_NOW].long()].movedim(-1, 1)
        elif cover is not None and self.given.prior_cover:
            now = torch.einsum("bkyx,km->bmyx", cover.detach().softmax(1), self.grouped @ self.seasons)
        else:
            now = before = self.seasons[-1, :, None, None]
        prior = origin[:, at.SEASON : at.FRACTIONS]
        return torch.where(prior.isfinite(), now + prior.nan_to_num() - before, now)

    def forward(self, origin: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
        """Outputs of the heads, (batch, output, y, x) float32.

        Logits of the classes; mean (m2 m-2) and log variance of leaf area by month, and the log mean square error that
        its start has there.

        Parameters
        ----------
        origin : torch.Tensor, shape (batch, channel, y, x)
            Of `GreenInputs.origin`.
        made : torch.Tensor, shape (batch, output, y, x)
            What a network makes of the fields.
        """
        parts: list[torch.Tensor] = []
        cover = None
        # Log shares of rare changes, and seasons, lose three per cent in bfloat16.
        with torch.autocast(origin.device.type, enabled=False):
            for head, own in zip(self.heads, made.float().split([OUTPUTS[h] for h in self.heads], 1), strict=True):
                if head != LEAVES:
                    parts.append(own + self._classes(head, origin))
                    cover = parts[-1] if head == COVER else cover
                    continue
                mean, spread = own.chunk(2, 1)
                shown = origin[:, at.SEASON : at.FRACTIONS].isfinite()
                error = torch.where(shown, self.error[1, :, None, None], self.error[0, :, None, None])
                parts += [self._leaves(origin, cover) + error * mean, spread.clamp(-_WIDEST, _WIDEST) + 2 * error.log()]
                parts.append(error.square().mean(1, keepdim=True).log())
        return torch.cat(parts, 1)

    def split(self, output: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Outputs of the heads, one after the other."""
        return output.split([OUTPUTS[h] + (h == LEAVES) for h in self.heads], 1)

    def labels(self, labels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Labels of the heads, one after the other."""
        return labels.split([MONTHS if h == LEAVES else 1 for h in self.heads], 1)

    def losses(self, output: torch.Tensor, labels: torch.Tensor) -> list[tuple[torch.Tensor, ...]]:
        """By head, see `loss`: loss of the cells, share of their labels that is known, loss of the spread."""
        out: list[tuple[torch.Tensor, ...]] = []
        for head, part, label in zip(self.heads, self.split(output), self.labels(labels), strict=True):
            known = label.isfinite()
            if head != LEAVES:
                target = torch.where(known, label, -1.0)[:, 0].long()
                loss = nn.functional.cross_entropy(part, target, ignore_index=-1, reduction="none")
                out.append((loss, known[:, 0].float(), torch.zeros_like(loss)))
                continue
            mean, spread, usual = part.split([MONTHS, MONTHS, 1], 1)
            square = torch.where(known, mean - label, 0.0) ** 2
            spread = 0.5 * (square.detach() * (-spread).exp() + spread) * known
            out.append((0.5 * (square / usual.exp()).mean(1), known.float().mean(1), spread.mean(1)))
        return out

    def loss(self, output: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Weighted sum of the heads' losses over the cells (nat).

        Cross entropy of the classes; half the squared error of leaf area over the mean square error of its start there,
        so that hidden seasons do not drown the others. Each is divided by a variance that is learned with the weights
        (Kendall et al. 2018, doi:10.1109/CVPR.2018.00781), and begins where the start has it. The spread of leaf area
        is learned from the errors of the mean (Gaussian log likelihood), and has no say in the mean.

        Parameters
        ----------
        output : torch.Tensor, shape (batch, output, y, x)
        labels : torch.Tensor, shape (batch, label, y, x)
            Of `GreenInputs.labels`.
        weights : torch.Tensor, shape (batch, y, x)
        """
        total = torch.zeros_like(weights)
        for scale, (loss, known, spread) in zip(self.scales, self.losses(output, labels), strict=True):
            total = total + loss * (-scale).exp() + 0.5 * scale * known + spread
        return (total * weights).sum()
