"""Coarse fields refined to the cells of a window, on the device: shared by training, prediction and export.

Area-true step (every fine cell takes the value of its coarse cell) or bilinear between coarse centres; never on disk.
Places are counted in whole numbers, so that a cell gets the same bits in whatever window it lies.
"""

import torch

METHODS = ("step", "bilinear")


def _between(start: torch.Tensor, length: int, cells: int, size: int) -> tuple[torch.Tensor, ...]:
    """Coarse cells before and after each fine cell's centre, and the share of the latter, each (batch, length)."""
    # In half fine cells from the first coarse centre; beyond the outermost centres the outermost value holds.
    place = 2 * (start[:, None] + torch.arange(length, device=start.device)) + 1 - cells
    place = place.clamp(0, 2 * cells * (size - 1))
    before = torch.div(place, 2 * cells, rounding_mode="floor")
    return before, (before + 1).clamp(max=size - 1), (place % (2 * cells)).float() / (2 * cells)


def _at(values: torch.Tensor, rows: torch.Tensor, cols: torch.Tensor) -> torch.Tensor:
    """Values (batch, Y, X, channel) at rows (batch, y) and columns (batch, x): (batch, y, x, channel)."""
    size, height, width, channels = values.shape
    first = torch.arange(size, device=values.device)[:, None, None] * height
    index = (first + rows[:, :, None]) * width + cols[:, None, :]
    return torch.nn.functional.embedding(index, values.reshape(-1, channels))


def refine(
    coarse: torch.Tensor, start: torch.Tensor, shape: tuple[int, int], cells: int, method: str = "step"
) -> torch.Tensor:
    """Coarse values on the fine cells of a window.

    Parameters
    ----------
    coarse : torch.Tensor, shape (batch, channel, Y, X), float32
        NaN is no data: it takes no part, and fine cells without any data around become 0.
    start : torch.Tensor, shape (batch, 2), integer
        Row and column of the window's first fine cell, counted from the north-west corner of ``coarse``.
    shape : tuple of int = (rows, cols)
        Size of the window, fine cells.
    cells : int
        Fine cells along one side of a coarse cell.
    method : {'step', 'bilinear'}

    Returns
    -------
    torch.Tensor, shape (batch, channel, rows, cols), float32
        Channels last in memory.

    Raises
    ------
    ValueError
        If the method is unknown.
    """
    if method not in METHODS:
        raise ValueError(f"refine: method {method!r} is not known; choose one of {METHODS}.")
    have = torch.isfinite(coarse)
    values = torch.where(have, coarse, 0.0).movedim(1, -1)
    sizes = coarse.shape[2], coarse.shape[3]
    if method == "step":
        places = [
            torch.div(start[:, i, None] + torch.arange(shape[i], device=start.device), cells, rounding_mode="floor")
            for i in range(2)
        ]
        return _at(values, *(p.clamp(0, n - 1) for p, n in zip(places, sizes, strict=True))).movedim(-1, 1)
    rows, cols = (_between(start[:, i], shape[i], cells, sizes[i]) for i in range(2))
    if bool(have.all()):
        return _mixed(values, rows, cols).movedim(-1, 1)
    weight = have.movedim(1, -1).to(values.dtype)
    weight = weight[..., :1] if bool((have == have[:, :1]).all()) else weight
    fine = _mixed(torch.cat([values, weight], -1), rows, cols)
    fine, weight = fine[..., : values.shape[-1]], fine[..., values.shape[-1] :]
    # A weight of 1 but for its last bits is 1: a cell without gaps around is the same beside them and far from them.
    weight = torch.where(weight > 1 - 1e-5, 1.0, weight)
    return torch.where(weight > 1e-6, fine / weight.clamp(min=1e-6), 0.0).movedim(-1, 1)


def _mixed(values: torch.Tensor, rows: tuple[torch.Tensor, ...], cols: tuple[torch.Tensor, ...]) -> torch.Tensor:
    """Values (batch, Y, X, channel) between their rows, then between their columns: (batch, y, x, channel)."""
    for axis, (before, after, share) in ((1, rows), (2, cols)):
        share = share.reshape(share.shape[0], *((-1, 1, 1) if axis == 1 else (1, -1, 1)))
        first, second = (_taken(values, places, axis) for places in (before, after))
        values = torch.lerp(first, second, share)
    return values


def _taken(values: torch.Tensor, places: torch.Tensor, axis: int) -> torch.Tensor:
    """Rows (axis 1) or columns (axis 2) of every field of a batch at places of its own (batch, length)."""
    if len(values) == 1:  # stacking would copy it
        return values.index_select(axis, places[0])
    return torch.stack([one.index_select(axis - 1, k) for one, k in zip(values, places, strict=True)])
