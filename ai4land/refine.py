"""Coarse fields refined to the cells of a window, on the device: shared by training, prediction and export.

Area-true step (every fine cell takes the value of its coarse cell) or bilinear between coarse centres; never on disk.
"""

import torch

METHODS = ("step", "bilinear")


def _positions(start: torch.Tensor, length: int, cells: int) -> torch.Tensor:
    """Centre of each fine cell, in coarse cells from the first coarse centre, shape (batch, length)."""
    steps = torch.arange(length, device=start.device, dtype=torch.float64)
    return ((start[:, None].double() + steps + 0.5) / cells - 0.5).float()


def _weights(start: torch.Tensor, length: int, cells: int, size: int, method: str) -> torch.Tensor:
    """Weights of the coarse cells along one axis, shape (batch, length, size); rows sum to 1."""
    # Beyond the outermost centres the outermost value holds: edge padding.
    position = _positions(start, length, cells).clamp(0, size - 1)
    if method == "step":
        position = position.round()
    centres = torch.arange(size, device=start.device, dtype=torch.float32)
    return (1 - (position[..., None] - centres).abs()).clamp(min=0)  # (batch, length, size)


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

    Raises
    ------
    ValueError
        If the method is unknown.
    """
    if method not in METHODS:
        raise ValueError(f"refine: method {method!r} is not known; choose one of {METHODS}.")
    down = _weights(start[:, 0], shape[0], cells, coarse.shape[2], method)  # (batch, rows, Y)
    right = _weights(start[:, 1], shape[1], cells, coarse.shape[3], method)  # (batch, cols, X)
    have = torch.isfinite(coarse)
    both = torch.cat([torch.where(have, coarse, 0.0), have.to(coarse.dtype)], 1)
    fine = torch.einsum("byi,bcij,bxj->bcyx", down, both, right)
    values, weight = fine.chunk(2, 1)
    return torch.where(weight > 1e-6, values / weight.clamp(min=1e-6), 0.0)
