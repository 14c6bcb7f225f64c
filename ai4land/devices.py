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
def connect(precision: str, processes: int = 1, nodes: int = 1) -> "Fabric":
    """The processes that train together: this one alone, or those that torchrun or Slurm has started.

    Parameters
    ----------
    precision : {'bf16', 'fp32'}
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
        precision="bf16-mixed" if precision == "bf16" else "32-true", plugins=LightningEnvironment() if alone else None,
    )  # fmt: skip
    fabric.launch()
    return fabric


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Context of the forward pass: bfloat16 or float32."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")
