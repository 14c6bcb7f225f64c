"""What a network sees of a batch: channels, standardised with the training split's statistics only."""

from dataclasses import dataclass, field

import numpy as np
import torch

from ai4land.grid import COARSE_CELLS
from ai4land.legend import NO_DATA, class_codes, read_legend
from ai4land.models.base import LATTICE
from ai4land.models.start import LAYERS
from ai4land.refine import refine
from ai4land.samples import Batch, Region, Split, learnable, thinned
from ai4land.sources.luh2 import STATES

_ZONES = "koppen"
_DECADE = 10.0  # years: scale of the lead


@dataclass(frozen=True)
class Encoding:
    """Channels of the inputs, and the statistics that standardise them.

    Parameters
    ----------
    coarse_cells : tuple of int
        Sides of the coarse cells whose class fractions are an input, fine cells.
    statistics : dict of str to tuple of float
        Mean and standard deviation of every static layer but the climate zone.
    zones : bool
        Whether the climate zone is an input.
    method : {'step', 'bilinear'}
        How coarse fields are refined.
    states : dict of str to tuple of float
        Mean and standard deviation of LUH2's states; 0 and 1 for those that are fractions.
    priors : int
        Maps that are known: the prior one and those before it.
    start : bool
        Whether the layers of `ai4land.models.start` are an input: where the coarse input is perfect.
    """

    coarse_cells: tuple[int, ...]
    statistics: dict[str, tuple[float, float]]
    zones: bool
    method: str = "step"
    states: dict[str, tuple[float, float]] = field(default_factory=dict)
    start: bool = False
    priors: int = 1

    @property
    def channels(self) -> int:
        """Number of channels."""
        classes = class_codes(read_legend("land_use")).size
        coarse = 2 * classes * len(self.coarse_cells) + len(self.states)
        return classes * (self.priors + self.start) + 1 + coarse + len(self.statistics) + 5 * self.zones + 2

    @property
    def target_fraction(self) -> int:
        """First channel of the class fractions of the target year, finest coarse cells."""
        classes = class_codes(read_legend("land_use")).size
        order = self.coarse_cells.index(min(self.coarse_cells))
        return classes * (self.priors + self.start) + 1 + 2 * classes * order + classes

    def __call__(self, batch: Batch, device: torch.device, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """Channels of a batch on the device, (batch, channel, y, x), channels last in memory.

        One-hot prior and a flag of hidden cells; the start where visible (log shares); one-hot maps before the
        prior; class fractions of the prior and the target year for every coarse size; LUH2's states; standardised
        statics; main climate groups A to E, one-hot; years in decades and their sign.
        """
        prior = torch.as_tensor(batch.prior, device=device)
        size, shape = prior.shape[0], (prior.shape[1], prior.shape[2])
        classes = _one_hot(class_codes(read_legend("land_use"))).to(device, dtype)
        hidden = ((prior == NO_DATA) & torch.as_tensor(batch.valid, device=device))[..., None]
        parts = [_looked_up(classes, prior), hidden]
        if self.start:
            shares = [torch.as_tensor(batch.static[name], device=device).expand(size, *shape) for name in LAYERS]
            parts.append(torch.stack(shares, -1).float().nan_to_num() * ~hidden)
        if self.priors > 1:
            earlier = torch.as_tensor(batch.earlier, device=device)
            parts += [_looked_up(classes, earlier[:, number]) for number in range(self.priors - 1)]
        start = torch.as_tensor(batch.start, device=device).expand(size, 2)
        for cells in self.coarse_cells:
            coarse = torch.as_tensor(batch.coarse[cells], device=device).flatten(1, 2)
            parts.append(refine(coarse, start, shape, cells, self.method).movedim(1, -1))
        if self.states:
            fields = [(torch.as_tensor(batch.states[n], device=device) - mean) / scale
                      for n, (mean, scale) in self.states.items()]  # fmt: skip
            parts.append(refine(torch.stack(fields, 1), start, shape, COARSE_CELLS, self.method).movedim(1, -1))
        parts += [self._static(batch, name, size, shape, device) for name in self.statistics]
        if self.zones:
            zone = torch.as_tensor(batch.static[_ZONES], device=device).nan_to_num()
            parts.append(_looked_up(_groups().to(device, dtype), zone).expand(size, *shape, 5))
        years = torch.as_tensor(batch.years, device=device)[:, None, None, None].expand(size, *shape, 1)
        return torch.cat([part.to(dtype) for part in (*parts, years / _DECADE, years.sign())], -1).movedim(-1, 1)

    def _static(self, batch: Batch, name: str, size: int, shape: tuple[int, int], device: torch.device) -> torch.Tensor:
        mean, deviation = self.statistics[name]
        values = torch.as_tensor(batch.static[name], device=device).expand(size, *shape)[..., None]
        return torch.nan_to_num((values - mean) / deviation)


def _one_hot(codes: np.ndarray) -> torch.Tensor:
    """Rows (256, class) by code: 1 at the code's place, all 0 for a code that is none of them."""
    return torch.as_tensor((np.arange(256)[:, None] == codes).astype(np.float32))


def _groups() -> torch.Tensor:
    """Main climate groups A to E by code of the climate zone, (256, 5); all 0 without data."""
    legend = read_legend(_ZONES + "_geiger")
    rows = np.zeros((256, 5), np.float32)
    for code, name in zip(legend["code"], legend["name"], strict=True):
        rows[code, [i for i, group in enumerate("abcde") if name[0] == group]] = 1
    return torch.as_tensor(rows)


def _looked_up(rows: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """Rows of a table at codes (batch, y, x): (batch, y, x, column)."""
    return torch.nn.functional.embedding(codes.to(torch.int32), rows)


def fit_encoding(cube: Region, split: Split, method: str) -> Encoding:
    """Encoding with the statistics of the cells that a split trains on, and of no other; see `thinned`.

    Parameters
    ----------
    cube : Region
    split : Split
    method : {'step', 'bilinear'}

    Raises
    ------
    ValueError
        If no cell can be learned from.
    """
    window = thinned(cube)
    seen = np.zeros(cube.field("land_use", cube.years("land_use")[0], window).shape, bool)
    for case in split.train:
        seen |= learnable(cube, case, window)
    if not seen.any():
        raise ValueError(
            f"{split.experiment}, region {cube.name}, fold {split.fold}: no land cell with data in the training "
            "maps; is the region all ocean? Leave it out of the run."
        )
    statistics = {}
    for name in cube.static if split.statics else ():
        if name != _ZONES:
            values = cube.field(name, window=window)[seen].astype(float)
            finite = values[np.isfinite(values)]
            deviation = float(finite.std()) if finite.size else 0.0
            statistics[name] = (float(finite.mean()) if finite.size else 0.0, deviation if deviation > 0 else 1.0)
    zones = split.statics and _ZONES in cube.static
    states = _fit_states(cube, split, seen, window[0].step)
    return Encoding(
        split.coarse_cells,
        statistics,
        zones,
        method,
        states,
        split.coarse == "perfect",
        1 + len(split.train[0].earlier),
    )


def _fit_states(cube: Region, split: Split, seen: np.ndarray, step: int) -> dict[str, tuple[float, float]]:
    """Statistics of LUH2's ages and biomasses over the coarse cells and years that a split trains on."""
    if split.coarse != "luh2":
        return {}
    where = np.zeros(cube.grid_of("luh2_state").shape, bool)
    where[tuple(i * step // COARSE_CELLS for i in np.nonzero(seen))] = True
    years = sorted({c.year for c in split.train})
    used = np.stack([cube.field("luh2_state", y) for y in years])[..., where]
    out = {}
    for number, name in enumerate(cube.names("luh2_state")):
        values = used[:, number].astype(float)
        known = np.isfinite(values).any() and name not in STATES
        out[name] = (float(np.nanmean(values)), float(np.nanstd(values)) or 1.0) if known else (0.0, 1.0)
    return out


def padded(inputs: torch.Tensor) -> torch.Tensor:
    """Inputs with zeros below and to the right, to a whole number of the lattice's groups of cells."""
    more = (0, -inputs.shape[3] % LATTICE, 0, -inputs.shape[2] % LATTICE)
    return torch.nn.functional.pad(inputs, more) if any(more) else inputs


def change_weights(inputs: torch.Tensor, labels: torch.Tensor, weight: float) -> torch.Tensor:
    """Weights of the cells in the loss: ``weight`` where a visible prior class is not the label, else 1.

    Parameters
    ----------
    inputs : torch.Tensor, shape (batch, channel, y, x)
        Of `Encoding`: the one-hot prior comes first, then the flag of hidden cells.
    labels : torch.Tensor, shape (batch, y, x), uint8
        255 is none: weight 0.
    weight : float
    """
    classes = class_codes(read_legend("land_use")).size
    same = inputs[:, :classes].gather(1, labels.clamp(max=classes - 1).long()[:, None])[:, 0] > 0
    hidden = inputs[:, classes] > 0
    weights = torch.where(same | hidden, 1.0, float(weight))
    return torch.where(labels == NO_DATA, 0.0, weights)


def turn(inputs: torch.Tensor, labels: torch.Tensor, encoding: Encoding, rng: np.random.Generator) -> tuple:
    """A random flip, and on square windows a random quarter turn, of a whole batch; aspect turns with the map.

    Parameters
    ----------
    inputs : torch.Tensor, shape (batch, channel, y, x)
        Of ``encoding``.
    labels : torch.Tensor, shape (batch, y, x)
    encoding : Encoding
    rng : numpy.random.Generator

    Returns
    -------
    tuple of torch.Tensor
        Inputs and labels, turned alike.
    """
    quarters = int(rng.integers(4)) if inputs.shape[2] == inputs.shape[3] else 2 * int(rng.integers(2))
    mirrored = bool(rng.integers(2))
    inputs, labels = torch.rot90(inputs, quarters, (2, 3)), torch.rot90(labels, quarters, (1, 2))
    if mirrored:
        inputs, labels = inputs.flip(3), labels.flip(2)
    names = list(encoding.statistics)
    if {"aspect_sin", "aspect_cos"} <= set(names) and (quarters or mirrored):
        first = inputs.shape[1] - 2 - 5 * encoding.zones - len(names)
        inputs = _turn_aspect(inputs, encoding, first, quarters, mirrored)
    return inputs.contiguous(memory_format=torch.channels_last), labels.contiguous()


def _turn_aspect(inputs: torch.Tensor, encoding: Encoding, first: int, quarters: int, mirrored: bool) -> torch.Tensor:
    """Turn the direction that the aspect channels hold: east is the sine, north the cosine."""
    names = list(encoding.statistics)
    place = [first + names.index(name) for name in ("aspect_sin", "aspect_cos")]
    scale = [encoding.statistics[name] for name in ("aspect_sin", "aspect_cos")]
    east, north = (inputs[:, i] * s + m for i, (m, s) in zip(place, scale, strict=True))
    for _ in range(quarters):
        east, north = -north, east  # a quarter turn to the left: what faced east faces north
    east = -east if mirrored else east
    inputs = inputs.clone()
    for i, values, (mean, deviation) in zip(place, (east, north), scale, strict=True):
        inputs[:, i] = (values - mean) / deviation
    return inputs
