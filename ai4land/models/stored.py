"""A trained network on disk: weights in safetensors, all else in JSON and plain arrays; reading executes no code."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from ai4land.legend import class_codes, read_legend
from ai4land.models.inputs import Encoding


def write_network(
    folder: Path, network: torch.nn.Module, about: dict[str, Any], transitions: dict[int, np.ndarray]
) -> None:
    """Write ``weights.safetensors``, ``model.json`` and, where there are some, ``transitions.npz``."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({k: v.cpu().contiguous() for k, v in network.state_dict().items()}, folder / "weights.safetensors")
    (folder / "model.json").write_text(json.dumps(about, indent=1) + "\n")
    if transitions:
        stored: dict[str, Any] = {str(gap): table for gap, table in transitions.items()}
        np.savez_compressed(folder / "transitions.npz", allow_pickle=False, **stored)


def read_about(folder: Path, known: list[str]) -> dict[str, Any]:
    """What ``model.json`` says of a network.

    Raises
    ------
    ValueError
        If it is none of the known ones, or of another legend.
    """
    about = json.loads((folder / "model.json").read_text())
    codes = class_codes(read_legend("land_use")).tolist()
    if about["model"] not in known:
        raise ValueError(f"{folder}: holds {about['model']}, expected one of {known}.")
    if about["legend"] != "land_use" or about["classes"] != codes:
        raise ValueError(
            f"{folder}: legend {about['legend']} with classes {about['classes']}, expected land_use with {codes}; "
            "train again with this legend."
        )
    return about


def read_encoding(stored: dict[str, Any]) -> Encoding:
    """Channels of the inputs as ``model.json`` has them."""
    statistics, states = (
        {n: (float(m), float(s)) for n, (m, s) in stored[part].items()} for part in ("statistics", "states")
    )
    return Encoding(
        tuple(stored["coarse_cells"]),
        statistics,
        stored["zones"],
        stored["method"],
        states,
        stored["start"],
        stored["priors"],
    )


def read_transitions(folder: Path) -> dict[int, np.ndarray]:
    """Transition shares that `write_network` wrote."""
    with np.load(folder / "transitions.npz", allow_pickle=False) as tables:
        return {int(gap): tables[gap] for gap in tables.files}


def read_weights(folder: Path, network: torch.nn.Module, name: str) -> torch.nn.Module:
    """The network with the weights of a folder.

    Raises
    ------
    ValueError
        If they are of another architecture.
    """
    try:
        network.load_state_dict(load_file(folder / "weights.safetensors"))
    except RuntimeError as error:
        fault = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise ValueError(f"{folder}: weights do not fit {name} of model.json: {fault}") from None
    return network
