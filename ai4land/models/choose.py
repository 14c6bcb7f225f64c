"""From the knobs of a notebook to makers of models."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ai4land.models.neural import NETWORKS, Neural
from ai4land.train import Schedule


def make_networks(
    checkpoints: Path, seed: int, networks: str, steps: int, every: int, window: int, batch: int, at_once: int,
    learning_rate: float, lowest_mask: float, highest_mask: float, refine: str, precision: str, workers: int,
    change_weight: float, candidates: int, fabric: Any = None,
) -> dict[str, Callable[[], Neural]]:  # fmt: skip
    """Makers of the networks that the knobs of ``03-train-unet`` ask for, by name.

    Parameters
    ----------
    checkpoints : pathlib.Path
        Folder of the states of unfinished trainings, one folder a network.
    seed : int
    networks, steps, every, window, batch, at_once, learning_rate, lowest_mask, highest_mask, refine, precision
        Parameters of the notebook, which explains them.
    workers, change_weight, candidates
        The same.
    fabric : lightning_fabric.Fabric, optional
        Of `ai4land.devices.connect`, to train in several processes.

    Raises
    ------
    ValueError
        If a network is not known, or a batch is not a whole number of parts.
    """
    names = networks.split(",")
    if not set(names) <= set(NETWORKS):
        raise ValueError(f"networks {networks!r}: choose of {sorted(NETWORKS)}, with a comma between.")
    if batch % at_once:
        raise ValueError(f"batch {batch} is not a multiple of at_once {at_once}; change one of them.")
    schedule = Schedule(
        steps=steps, every=every, learning_rate=learning_rate, precision=precision, parts=batch // at_once
    )
    return {
        name: partial(
            Neural, schedule, window, at_once, (lowest_mask, highest_mask), refine, seed=seed,
            checkpoints=checkpoints / name, name=name, workers=workers, fabric=fabric,
            change_weight=change_weight, candidates=candidates,
        ) for name in names
    }  # fmt: skip
