"""Parts of the exported graphs: refinement, LUH2's class fractions, soft area correction.

Coarse fields are refined by two matrix products (rows, then columns), and blocks are summed by the same: the result of
`ai4land.refine.refine` to the last bits, in operations that every format has. Batch 1.
"""

import numpy as np
import torch
from torch import nn

from ai4land.legend import crosswalk_weights, read_crosswalk, read_legend
from ai4land.sources.luh2 import STATES

STEPS = 8  # of the soft area correction
_LEAST = 1e-30  # factor of a pool that is not wanted at all


def hat(start: torch.Tensor, cells: torch.Tensor, count: torch.Tensor, side: int, method: str) -> torch.Tensor:
    """Shares of coarse cells in fine ones along an axis, (fine cell, coarse cell); each row sums to 1.

    Parameters
    ----------
    start : torch.Tensor, shape (1,), int64
        The axis's first fine cell, counted from the first coarse cell's edge.
    cells, count : torch.Tensor, int64
        Numbers of the fine and of the coarse cells, 0, 1, 2, ...
    side : int
        Fine cells of a coarse one.
    method : {'step', 'bilinear'}
        As in `ai4land.refine.refine`; beyond the outermost centres the outermost value holds.
    """
    if method == "step":
        place = torch.div(start + cells, side, rounding_mode="floor").clamp(min=0)
        return (torch.minimum(place, count[-1])[:, None] == count).float()
    # In half fine cells from the first coarse centre: whole numbers, so that no bit depends on the window.
    place = torch.minimum((2 * (start + cells) + 1 - side).clamp(min=0), 2 * side * count[-1])
    return (2 * side - (place[:, None] - 2 * side * count).abs()).clamp(min=0).float() / (2 * side)


def numbers(values: torch.Tensor, axis: int) -> torch.Tensor:
    """0, 1, 2, ... along an axis."""
    return torch.arange(values.shape[axis], device=values.device)


class Refined(nn.Module):
    """Coarse fields on fine cells; NaN is no data and takes no part."""

    def forward(
        self, whole: torch.Tensor, parts: list[torch.Tensor], rows: torch.Tensor, cols: torch.Tensor
    ) -> list[torch.Tensor]:
        """Fields (1, channel, y, x) of every argument, in their order; cells without data around become 0.

        Parameters
        ----------
        whole : torch.Tensor, shape (1, channel, Y, X), float32
            Without gaps.
        parts : list of torch.Tensor, shape (1, channel, Y, X), float32
            A cell of a part has data where all of its channels have.
        rows, cols : torch.Tensor
            Of `hat`, (y, Y) and (x, X).
        """
        have = [torch.isfinite(part.sum(1, keepdim=True)) for part in parts]
        known = [torch.where(there, part, 0.0) for there, part in zip(have, parts, strict=True)]
        fine = rows @ torch.cat([whole, *known, *(there.float() for there in have)], 1) @ cols.T
        whole, *values, weight = fine.split([whole.shape[1], *(part.shape[1] for part in parts), len(parts)], 1)
        # A weight of 1 but for its last bits is 1, as in `refine`.
        inverse = torch.where(weight > 1 - 1e-5, 1.0, (weight > 1e-6) / weight.clamp(min=1e-6))
        return [whole, *(one * inverse[:, i, None] for i, one in enumerate(values))]


class Luh2Fractions(nn.Module):
    """Class fractions of whole cells that LUH2's states mean; see `ai4land.samples.states.whole_cell_fractions`."""

    weights: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        table = crosswalk_weights(read_crosswalk("luh2", "land_use"), read_legend("land_use"))
        weights = table.sel(source_code=list(STATES)).to_numpy().T.astype(np.float32)  # (class, state)
        self.register_buffer("weights", torch.tensor(weights)[:, :, None, None])

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Fractions (1, class, Y, X), sum 1, from the twelve states (1, state, Y, X), NaN where there is no land."""
        land = states.sum(1, keepdim=True)
        states, land = torch.where(torch.isnan(land), 0.0, states), torch.where(torch.isnan(land), 0.0, land)
        area = (self.weights * states).sum(1)[None]
        fraction = area * (land.clamp(0, 1) / land.clamp(min=1e-30))
        return torch.cat([fraction[:, :1] + 1 - fraction.sum(1, keepdim=True), fraction[:, 1:]], 1)


class SoftAreas(nn.Module):
    """Probabilities nearer to wanted areas: `ai4land.allocate.scale_areas` with a fixed number of steps.

    Parameters
    ----------
    pools : numpy.ndarray, shape (class,), int
        Pool of each class, -1 for none.
    """

    members: torch.Tensor

    def __init__(self, pools: np.ndarray, steps: int = STEPS) -> None:
        super().__init__()
        self.steps = steps
        members = (np.arange(pools.max() + 1)[:, None] == pools).astype(np.float32)  # (pool, class)
        self.register_buffer("members", torch.tensor(members)[:, :, None, None])

    def forward(
        self, probability: torch.Tensor, free: torch.Tensor, wanted: torch.Tensor, rows: torch.Tensor,
        cols: torch.Tensor,
    ) -> torch.Tensor:  # fmt: skip
        """Probabilities (1, class, y, x); as they were where not free, and in blocks without wanted areas.

        Parameters
        ----------
        probability : torch.Tensor, shape (1, class, y, x), float32
        free : torch.Tensor, shape (1, 1, y, x), bool
        wanted : torch.Tensor, shape (1, pool, Y, X), float32
            Shares of the free cells; NaN where there is no target.
        rows, cols : torch.Tensor
            Cells of each block, of `hat` by steps, (y, Y) and (x, X).
        """
        down, across = rows.T, cols.T
        aimed = torch.isfinite(wanted.sum(1, keepdim=True))
        pooled = nn.functional.conv2d(probability * free, self.members)
        asked = torch.where(aimed, wanted, 0.0) * (down @ free.float() @ cols)
        factor = torch.ones_like(asked)
        for _ in range(self.steps):
            row = (pooled * (rows @ factor @ across)).sum(1, keepdim=True)
            column = down @ (pooled / row.clamp(min=_LEAST)) @ cols
            factor = torch.where(column > 0, asked / column.clamp(min=_LEAST), 0.0).clamp(min=_LEAST)
        fine = rows @ torch.cat([factor, aimed.float()], 1) @ across
        scaled = probability * nn.functional.conv2d(fine[:, :-1], self.members.transpose(0, 1))
        whole = scaled.sum(1, keepdim=True)
        changes = free & (fine[:, -1:] > 0.5) & (whole > 0)
        return torch.where(changes, scaled / whole.clamp(min=_LEAST), probability)
