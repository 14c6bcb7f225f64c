"""Where a network learns: the device, the arithmetic, and the processes that learn together."""

import logging
import os
from functools import cache
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def choose_device() -> torch.device:
    """CUDA where there is one, else the CPU; of several, the one of this process."""
    local = int(os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", 0)))
    return torch.device("cuda", local % torch.cuda.device_count()) if torch.cuda.is_available() else torch.device("cpu")


@cache
def arithmetic(precision: str = "auto") -> str:
    """Arithmetic of the forward pass: what was asked for, or what this device is fast in.

    A processor without bfloat16 instructions (AVX-512 BF16 or AMX) emulates it: one core of AMD EPYC 7003, a 3 x 3
    convolution of 32 channels on 8 x 64 x 64 cells and its gradient, PyTorch 2.13: 3.7 times as long as in float32 with
    channels last, 28 times as long with channels first.

    Parameters
    ----------
    precision : {'auto', 'bf16', 'fp32'}

    Returns
    -------
    {'bf16', 'fp32'}

    Raises
    ------
    ValueError
        If the name is another.
    """
    if precision not in (names := ("auto", "bf16", "fp32")):
        raise ValueError(f"precision {precision!r}: it is one of {', '.join(names)}.")
    if precision != "auto":
        return precision
    if choose_device().type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bf16" if fast else "fp32"


@cache
def connect(precision: str, processes: int = 1, nodes: int = 1) -> "Fabric":
    """The processes that train together: this one alone, or those that torchrun or Slurm has started.

    Parameters
    ----------
    precision : {'auto', 'bf16', 'fp32'}
        As `arithmetic` reads it.
    processes : int
        On every node.
    nodes : int
    """
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments import LightningEnvironment

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    alone, device = processes * nodes == 1, choose_device()
    devices = [device.index] if alone and device.type == "cuda" else processes
    fabric = Fabric(
        accelerator=device.type, devices=devices, num_nodes=nodes, strategy="auto" if alone else "ddp",
        precision="bf16-mixed" if arithmetic(precision) == "bf16" else "32-true",
        plugins=LightningEnvironment() if alone else None,
    )  # fmt: skip
    fabric.launch()
    return fabric


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Context of the forward pass: bfloat16 or float32."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=arithmetic(precision) == "bf16")
