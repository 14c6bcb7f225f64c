"""From a network's outputs to predictions: parts of a region, probabilities and seasons that keep water and data."""

import hashlib
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from ai4land.legend import NO_DATA
from ai4land.models.base import LATTICE
from ai4land.models.calibration import fit_temperature
from ai4land.models.green import Pair
from ai4land.models.green_inputs import COVER, COVERS, LEAVES, USE, WATER, YEARS, GreenInputs
from ai4land.models.green_start import Start
from ai4land.models.unet import keep_water
from ai4land.samples.region import Region
from ai4land.targets import read_target
from ai4land.train import Part
from ai4land.vegetation import MONTHS
from ai4land.windows import Window, part_of

ERROR = "leaf_area_index_error"  # beside the targets: standard deviation of leaf area, m2 m-2
Outputs = Callable[[torch.Tensor], torch.Tensor]
_THIN = 7  # one cell in so many of the validation windows calibrates


def window_outputs(
    outputs: Outputs, inputs: GreenInputs, cube: Region, pair: Pair, output: Window, receptive_field: int,
    hidden: np.ndarray, device: torch.device,
) -> torch.Tensor:  # fmt: skip
    """Outputs of one part of a region, (1, output, y, x), from the window around it.

    Parameters
    ----------
    outputs : callable
        Outputs of a network from windows (batch, channel, y, x), sides multiples of 16.
    inputs : GreenInputs
    cube : Region
    pair : tuple of int
    output : Window
        Cells of the region that are predicted.
    receptive_field : int
        Fine cells.
    hidden : numpy.ndarray, shape (y, x), bool
        Of the region.
    device : torch.device
    """
    part = part_of(output, receptive_field, LATTICE, cube.corner, cube.grid.shape)
    around = part.input.intersection(Window.whole(cube.grid.shape))
    assert around is not None
    x = torch.as_tensor(inputs(cube, pair, around, hidden[around]), device=device)[None]
    (top, bottom), (left, right) = part.input.padding(around)
    x = nn.functional.pad(x, (left, right, top, bottom))
    x[:, YEARS] = pair[1] - pair[0]  # of the window: its first cell tells
    return outputs(x.contiguous(memory_format=torch.channels_last))[..., *part.inside]


def finished(
    output: torch.Tensor, start: Start, inputs: GreenInputs, tuning: dict[str, float], cube: Region, pair: Pair,
    window: Window, hidden: np.ndarray,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Predictions of a window by target, as `GreenModel` has them, and ``leaf_area_index_error`` (m2 m-2).

    Visible water stays water; visible land does not become water by the land-use legend. Where the same network
    predicts water, leaf area is 0.

    Parameters
    ----------
    output : torch.Tensor, shape (1, output, y, x)
    start : Start
    inputs : GreenInputs
    tuning : dict of str to float
        Of `calibrated`.
    cube, pair, window
        Whose maps say where there is water, and data.
    hidden : numpy.ndarray, shape (y, x), bool
        Of the region.
    """
    hidden = hidden[window]
    out: dict[str, np.ndarray] = {}
    masks = inputs.known(cube, pair, window, hidden)
    for head, own in zip(start.heads, start.split(output), strict=True):
        data, water = masks[head]
        if head == LEAVES:
            dry = water if COVER not in out else water | (COVERS[out[COVER].argmax(0)] == WATER)
            mean, spread = own[0, : 2 * MONTHS].cpu().numpy().reshape(2, MONTHS, *data.shape)
            error = np.exp(0.5 * spread) * np.float32(tuning[head])
            for name, values in ((LEAVES, np.clip(mean, *read_target(LEAVES).bounds)), (ERROR, error)):
                out[name] = np.where(data, np.where(dry, np.float32(0), values), np.float32(np.nan))
            continue
        logits = own / tuning[head]
        if head == USE:
            prior = np.where(hidden, NO_DATA, cube.field("land_use", pair[0], window)).astype(np.uint8)
            logits = keep_water(logits, torch.as_tensor(prior, device=output.device)[None, None])
        shares = logits.softmax(1)[0].cpu().numpy()
        if head == COVER:
            shares = np.where(water, (COVERS == WATER)[:, None, None], shares)
        out[head] = (shares * data).astype(np.float32)
    return out


def calibrated(outputs: Outputs, start: Start, held: list[Part]) -> dict[str, float]:
    """Temperatures of the classes, and the factor of the spread of leaf area, that suit validation windows best."""
    found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {head: [] for head in start.heads}
    for inputs, labels, _ in held:
        for head, made, label in zip(start.heads, start.split(outputs(inputs)), start.labels(labels), strict=True):
            rows, right = (p.float().movedim(1, -1).flatten(0, 2)[::_THIN].cpu().numpy() for p in (made, label))
            known = np.isfinite(right).all(1)
            found[head].append((rows[known], right[known]))
    tuning = {}
    for head, parts in found.items():
        rows, right = (np.concatenate(part) for part in zip(*parts, strict=True))
        if head == LEAVES:
            off = (rows[:, :MONTHS] - right) ** 2 * np.exp(-rows[:, MONTHS : 2 * MONTHS])
            tuning[head] = float(np.sqrt(off.mean())) if off.size else 1.0
        else:
            tuning[head] = fit_temperature(rows, right[:, 0].astype(int))
    return tuning


def data_digest(cube: Region, inputs: GreenInputs, pairs: list[Pair]) -> str:
    """Hash of what is learned from: the maps, seasons and climate of the pairs' years that are used, still layers."""
    given, heads = inputs.given, inputs.heads
    layers = ["land_use"] * (USE in heads or given.land_use)
    layers += ["land_cover"] * (COVER in heads or given.prior_cover or given.land_cover or LEAVES in heads)
    layers += ["leaf_area_index"] * (LEAVES in heads or given.prior_leaves)
    co2 = {year: float(cube.field("co2", year)) for year in cube.years("co2")} if "co2" in cube else {}
    data = hashlib.sha256(repr((cube.name, cube.grid, co2)).encode())
    for year in cube.years("luh2_state") if "luh2_state" in cube else ():
        data.update(cube.field("luh2_state", year).tobytes())
    for values in map(cube.field, cube.static):
        data.update(np.ascontiguousarray(values).tobytes())
    for year in sorted({year for pair in pairs for year in pair}):
        for layer in layers:
            data.update(np.ascontiguousarray(cube.field(layer, year)).tobytes())
        if given.climate:
            data.update(np.ascontiguousarray(cube.field("climate", year - given.coupled)).tobytes())
    return data.hexdigest()
