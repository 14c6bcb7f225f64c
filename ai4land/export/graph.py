"""Land use of the next year as one graph: from raw physical inputs to probabilities drawn to wanted areas."""

import copy
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from ai4land.allocate import luh2_pools
from ai4land.export.layers import Luh2Fractions, Refined, SoftAreas, hat, numbers
from ai4land.export.start import FromPriors, StartShares, widened
from ai4land.grid import COARSE_CELLS
from ai4land.legend import DATA, NO_DATA, class_codes, read_legend
from ai4land.models.base import LATTICE
from ai4land.models.neural import Neural
from ai4land.sources.luh2 import STATES

_ZONES = "koppen"
_DECADE = 10.0  # years: scale of the lead


def variable(name: str, dtype: str, shape: list[str | int], names: list[str] | None = None) -> dict[str, Any]:
    """What ``model.json`` says of an input or output; words and units from ``data/emulator_variables.csv``.

    Parameters
    ----------
    name : str
        A row of the table, such as ``states``; ``fraction_50`` has the words of ``fraction``.
    dtype : str
    shape : list of str or int
        ``y``, ``x``: fine cells, a multiple of 16; ``Y``, ``X``: coarse cells, any number.
    names : list of str, optional
        Of the fields along the second axis; rows of the table where their units differ.

    Raises
    ------
    ValueError
        If the table has no row of a field.
    """
    table = pd.read_csv(DATA / "emulator_variables.csv", index_col="name", keep_default_na=False)
    row = table.loc[name.rstrip("_0123456789")]
    said = {"name": name, "dtype": dtype, "shape": shape, "units": row["units"], "long_name": row["long_name"]}
    if names is None:
        return said
    if row["units"] != "mixed":
        return said | {"names": names}
    if unknown := sorted(set(names) - set(table.index)):
        raise ValueError(f"{name}: data/emulator_variables.csv has no rows {unknown}; add them with unit and words.")
    return said | {"names": names, "units": [str(table["units"][one]) for one in names]}


class LandUseGraph(nn.Module):
    """A trained network with all that comes before and after it, batch 1.

    Inputs are those of `describe`, in its order; the output is the probability (1, class, y, x), float32, zeros without
    data. Where the coarse input is LUH2's, they are its states; where it is perfect, class fractions of coarse cells.

    Parameters
    ----------
    model : Neural
        Trained; its weights are copied.

    Raises
    ------
    ValueError
        If the model was trained with LUH2 on other coarse cells than its own.
    """

    codes: torch.Tensor
    free: torch.Tensor
    groups: torch.Tensor
    statistics: torch.Tensor
    scales: torch.Tensor

    def __init__(self, model: Neural) -> None:
        super().__init__()
        assert model.encoding is not None and model.network is not None, "fit or load the network first"
        made, legend = model.encoding, read_legend("land_use")
        if made.states and (made.coarse_cells != (COARSE_CELLS,) or tuple(made.states)[: len(STATES)] != STATES):
            raise ValueError(
                f"{model.name}: LUH2's {list(made.states)} on coarse cells of {made.coarse_cells}, expected "
                f"{list(STATES)} first and ({COARSE_CELLS},); train it on a cube that ai4land made."
            )
        self.encoding, self.temperature, self.side = made, model.temperature, min(made.coarse_cells)
        # A start that is scaled within blocks sees all of every block it reaches.
        self.reach = model.reach + (self.side - 1) * made.start
        learned: Any = copy.deepcopy(model.network).cpu().float().eval().requires_grad_(False)
        self.network, self.spare = widened(learned.network, self.temperature)
        self.priors = FromPriors(learned, self.temperature)
        codes = class_codes(legend)
        self.pools = luh2_pools() if made.states else np.arange(codes.size)
        free = np.isin(np.arange(256), [*class_codes(legend, land_only=True), NO_DATA]).astype(np.float32)
        tables = {
            "codes": codes, "free": free, "groups": _group_of_zone(), "statistics": _rows(made.statistics),
            "scales": _rows(made.states),
        }  # fmt: skip
        for name, values in tables.items():
            self.register_buffer(name, torch.tensor(values))
        self.refined, self.areas = Refined(), SoftAreas(self.pools)
        self.fractions = Luh2Fractions() if made.states else None
        self.start = StartShares(model.transitions) if made.start else None
        self.names = [one["name"] for one in self.describe()["inputs"]]

    def describe(self) -> dict[str, Any]:
        """What ``model.json`` says of the graph: inputs, outputs, legend, classes, pools, sizes."""
        made = self.encoding
        fine: list[str | int] = [1, "y", "x"]
        classes = [str(name) for name in read_legend("land_use").set_index("code")["name"][self.codes.tolist()]]
        inputs = [variable("prior", "uint8", fine)]
        if made.priors > 1:
            inputs.append(variable("earlier", "uint8", [1, made.priors - 1, "y", "x"]))
        inputs.append(variable("valid", "bool", fine))
        if made.states:
            names = list(made.states)
            inputs += [variable(n, "float32", [1, len(names), "Y", "X"], names) for n in ("states_before", "states")]
        else:
            for cells in made.coarse_cells:
                more = "" if cells == self.side else f"_{cells}"
                shape: list[str | int] = [1, len(classes), f"Y{more}", f"X{more}"]
                inputs += [variable(n + more, "float32", shape, classes) for n in ("fraction_before", "fraction")]
        if made.statistics:
            names = list(made.statistics)
            inputs.append(variable("static", "float32", [1, len(names), "y", "x"], names))
        inputs += [variable(_ZONES, "uint8", fine)] if made.zones else []
        pools = [" ".join(classes[k] for k in np.flatnonzero(self.pools == p)) for p in range(self.pools.max() + 1)]
        inputs += [
            variable("start", "int64", [1, 2]), variable("years", "float32", [1]),
            variable("wanted", "float32", [1, len(pools), "Y", "X"], pools),
        ]  # fmt: skip
        return {
            "inputs": inputs, "outputs": [variable("probability", "float32", [1, len(classes), "y", "x"], classes)],
            "legend": "land_use", "classes": self.codes.tolist(), "pools": self.pools.tolist(), "multiple": LATTICE,
            "reach": self.reach, "priors": made.priors, "coarse_cells": self.side, "coarse": "luh2" if made.states else
            "perfect", "area_steps": self.areas.steps,
        }  # fmt: skip

    def forward(self, *values: torch.Tensor) -> torch.Tensor:
        """Probability (1, class, y, x), float32."""
        given = dict(zip(self.names, values, strict=True))
        given["valid"] = given["valid"] != 0  # a host without logicals gives 0 and 1
        rows, cols = (self._hats(given, axis, self.side, "step") for axis in (0, 1))
        prior, valid = given["prior"][:, None].int(), given["valid"][:, None]
        known = prior == self.codes[:, None, None]  # (1, class, y, x)
        channels = self.channels(given, known, rows, cols)
        logits = self.network(channels) + self.priors(channels, given["years"])
        # A softmax along an axis that is not the last is slow in ONNX Runtime.
        odds = (logits - logits.amax(1, keepdim=True)).exp()
        probability = odds * (valid / odds.sum(1, keepdim=True))
        free = nn.functional.embedding(prior, self.free[:, None])[..., 0] > 0
        return self.areas(probability, valid & free, given["wanted"], rows, cols)

    def channels(
        self, given: dict[str, torch.Tensor], known: torch.Tensor, rows: torch.Tensor, cols: torch.Tensor
    ) -> torch.Tensor:
        """Inputs of the network, (1, channel, y, x), in the order of `Encoding`; then spare ones."""
        zeros = known[:, :1] * 0.0
        hidden = (given["prior"][:, None] == NO_DATA) & given["valid"][:, None]
        parts = [known.float(), hidden.float()]
        if self.start is not None:
            none = (~known.any(1, keepdim=True) & ~hidden).float()
            groups = torch.cat([parts[0], none, parts[1]], 1)
            parts.append(self.start(groups, given["years"], given["fraction"], rows, cols) * ~hidden)
        if "earlier" in given:
            codes = self.codes[None, None, :, None, None]
            parts.append((given["earlier"][:, :, None].int() == codes).float().flatten(1, 2))
        parts += self._coarse(given)
        if "static" in given:
            mean, deviation = self.statistics[:, :, None, None]
            static = (given["static"] - mean) / deviation
            parts.append(torch.where(torch.isnan(static), 0.0, static))
        if _ZONES in given:
            group = nn.functional.embedding(given[_ZONES].int(), self.groups[:, None])[None, ..., 0]  # (1, 1, y, x)
            parts.append((group == torch.arange(5, device=group.device)[:, None, None]).float())
        years = given["years"][:, None, None, None]
        spare = zeros.expand(-1, self.spare, -1, -1)
        return torch.cat([*parts, zeros + years / _DECADE, zeros + years.sign(), spare], 1)

    def _coarse(self, given: dict[str, torch.Tensor]) -> list[torch.Tensor]:
        """Refined class fractions of both years, by size of the coarse cells, and refined states."""
        made, out, land = self.encoding, [], len(STATES)
        if self.fractions is not None:
            rows, cols = (self._hats(given, axis, COARSE_CELLS, made.method) for axis in (0, 1))
            both = torch.cat([self.fractions(given[name][:, :land]) for name in ("states_before", "states")], 1)
            mean, scale = self.scales[:, :, None, None]
            states = (given["states"] - mean) / scale
            # Ages and biomasses may have gaps of their own.
            return self.refined(both, list(states.split([land, *[1] * (len(made.states) - land)], 1)), rows, cols)
        for cells in made.coarse_cells:
            more = "" if cells == self.side else f"_{cells}"
            rows, cols = (self._hats(given, axis, cells, made.method, more) for axis in (0, 1))
            both, now = given[f"fraction_before{more}"], given[f"fraction{more}"]
            out += self.refined(both[:, :0], [both, now], rows, cols)
        return out

    def _hats(self, given: dict[str, torch.Tensor], axis: int, side: int, method: str, more: str = "") -> torch.Tensor:
        coarse = given["states" if "states" in given else f"fraction{more}"]
        fine = numbers(given["prior"], 1 + axis)
        return hat(given["start"][:, axis], fine, numbers(coarse, 2 + axis), side, method)


def _rows(statistics: dict[str, tuple[float, float]]) -> np.ndarray:
    """Means and deviations, (2, field) float32."""
    return np.array(list(statistics.values()), np.float32).reshape(-1, 2).T


def _group_of_zone() -> np.ndarray:
    """Number of the main climate group, A 0 to E 4, by code of the climate zone, (256,) int64; -1 without data."""
    legend, groups = read_legend(f"{_ZONES}_geiger"), np.full(256, -1)
    groups[legend["code"]] = ["abcde".find(name[0]) for name in legend["name"]]
    return groups
