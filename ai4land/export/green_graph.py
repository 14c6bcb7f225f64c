"""Land cover and leaf area of a year as one graph each: from raw physical inputs to probabilities, and to seasons."""

from typing import Any

import pandas as pd
import torch
from torch import nn

from ai4land.export.green_fields import GreenFields
from ai4land.export.green_names import FieldNames
from ai4land.legend import DATA
from ai4land.models.base import LATTICE
from ai4land.models.green_inputs import CLASSES, COVER, COVERS, LEAVES, WATER
from ai4land.models.green_net import GreenNet
from ai4land.models.green_predict import ERROR
from ai4land.models.green_unet import GreenUNet
from ai4land.samples.predictors import RADII
from ai4land.sources.climate import read_climate_variables
from ai4land.targets import read_target
from ai4land.vegetation import MONTHS

OUTPUTS = {COVER: ["probability"], LEAVES: [LEAVES, ERROR]}


class GreenGraph(nn.Module):
    """What `GreenNet.predict` makes of a window, from raw inputs; `describe` says what they are. Arithmetic is float32.

    Parameters
    ----------
    model : GreenNet
        Trained, of one head: land cover or leaf area.

    Attributes
    ----------
    inputs, outputs : list of str
        Names, in order.

    Raises
    ------
    ValueError
        If the model is not a trained U-Net with one head, of land cover or leaf area.
    """

    def __init__(self, model: GreenNet) -> None:
        super().__init__()
        if not isinstance(model.network, GreenUNet):
            raise ValueError(f"{model.name}: not a trained U-Net of land cover or leaf area; fit or load one first.")
        self.fields = GreenFields(model.inputs)
        self.inputs, self.head = self.fields.names.inputs, model.targets[0]
        self.drowned = nn.Buffer(torch.as_tensor(COVERS == WATER).float())
        self.outputs, self.tuning = OUTPUTS[self.head], model.tuning[self.head]
        self.network = model.network.to(memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]

    def forward(self, *values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Outputs from inputs, both in the order of their names; batch 1, sides multiples of 16.

        ``probability`` (1, class, y, x); or leaf area index and its standard error, each (1, 12, y, x), m2 m-2.
        """
        raw = dict(zip(self.inputs, values, strict=True))
        # A host without logicals gives 0 and 1.
        raw |= {name: raw[name] != 0 for name in ("valid", "hidden") if name in raw}
        place = self.fields.located(raw)
        made = self.network(self.fields(raw, place))
        data, water = (mask[:, None] for mask in self.fields.water(raw, place))
        if self.head == LEAVES:
            mean, spread, _ = made.split([MONTHS, MONTHS, 1], 1)
            parts = mean.clamp(*read_target(LEAVES).bounds), (0.5 * spread).exp() * self.tuning
            return tuple(torch.where(data, torch.where(water, 0.0, part), torch.nan) for part in parts)
        # A softmax along an axis that is not the last is slow in ONNX Runtime.
        odds = ((made - made.amax(1, keepdim=True)) / self.tuning).exp()
        shares = odds / odds.sum(1, keepdim=True)
        return (torch.where(water, self.drowned[:, None, None], shares) * data,)


def describe(model: GreenNet) -> dict[str, Any]:
    """What a host has to know of the graph of a model, for ``model.json``.

    Parameters
    ----------
    model : GreenNet
        As of `GreenGraph`.

    Returns
    -------
    dict
        ``target``; ``inputs`` and ``outputs`` in order, each with name, dtype, shape (numbers, or names of dimensions),
        units and long_name, of several layers ``names`` and a list of units; ``legend`` and ``classes`` (codes);
        ``multiple`` of the sides of a window; ``reach``, cells around a window that have a say; ``given``, ``gaps`` and
        ``statistics`` of training.

    Raises
    ------
    ValueError
        If a layer that the model was trained with has no unit in ``data/green_inputs.csv``.
    """
    names, head = FieldNames(model.inputs), model.targets[0]
    months = [f"{month:02d}" for month in range(1, MONTHS + 1)]
    kept = [f"{m} before" for m in months] + months[:-1] if model.given.coupled else ["12 before", *months]
    layers = {"static": names.static, "states": names.states, "climate": names.climate}
    about: dict[str, Any] = {
        "target": head,
        "inputs": [_described(name, layers.get(name)) for name in names.inputs],
        "outputs": [_described(name) for name in OUTPUTS[head]],
        "legend": COVER if head == COVER else None,
        "classes": CLASSES[COVER] if head == COVER else [],
        "multiple": LATTICE,
        "reach": model.reach + max(RADII) * model.given.land_use,
        "given": {**vars(model.given)},
        "gaps": model.gaps,
        "statistics": {name: list(values) for name, values in model.inputs.statistics.items()},
    }
    for one in about["inputs"]:
        if one["name"] == "climate":
            one["months"] = kept
            one["shape"][2] = len(kept)
    return about


def _described(name: str, layers: list[str] | None = None) -> dict[str, Any]:
    """An input or output by ``data/green_inputs.csv``; dimensions of ``layers`` have their number."""
    table = pd.read_csv(DATA / "green_inputs.csv", dtype=str, keep_default_na=False, index_col="name")
    row = table.loc[name]
    shape = [int(part) if part.isdigit() else part for part in row["shape"].split()]
    if name == "probability":
        shape[1] = COVERS.size
    out = {"name": name, "dtype": row["dtype"], "shape": shape, "units": row["units"], "long_name": row["long_name"]}
    if layers is None:
        return out
    units = table["units"].to_dict() | read_climate_variables()["units"].to_dict()
    units = {n: "1" for n in layers if name == "states"} | units
    if lacking := [n for n in layers if n not in units]:
        raise ValueError(f"{lacking}: layers without a unit; add them to data/green_inputs.csv.")
    shape[1] = len(layers)
    return out | {"names": layers, "units": [units[n] for n in layers]}
