"""What networks of land cover and leaf area see: windows of fields as channels, after the codes that they start from.

A window is an array (channel, y, x). Its first channels are the origin: what a prediction starts from, in places and
units of its own. The others are the fields of `ai4land.samples.predictors`, standardised; a month is a channel.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ai4land.grid import COARSE_CELLS
from ai4land.legend import NO_DATA, class_codes, read_legend
from ai4land.models.green import Pair
from ai4land.models.leaf_rows import land_and_water
from ai4land.samples.patches import hide_patches
from ai4land.samples.predictors import Given, annual_fields, between, cover_groups, level_1, monthly_fields
from ai4land.samples.region import Region
from ai4land.vegetation import MONTHS
from ai4land.windows import Window

USE, COVER, LEAVES = HEADS = ("land_use", "land_cover", "leaf_area_index")
WATER = 210  # of land cover
WATERS = [0, 7]  # of land use
USES, COVERS = (class_codes(read_legend(name)) for name in (USE, COVER))
CLASSES = {USE: USES.tolist(), COVER: COVERS.tolist()}
GROUPS = np.array(list(cover_groups()))
# Channels of the origin: places in a legend, one past its end where hidden, not given or without data.
YEARS, PRIOR_USE, USE_NOW, PRIOR_COVER, GROUP_NOW, GROUP_BEFORE, SEASON = range(7)
FRACTIONS = SEASON + MONTHS  # log class fractions of LUH2
ORIGIN = FRACTIONS + USES.size
Sample = tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]  # fields by name, origin, labels
_TRIES = 20  # windows drawn before one without a label is accepted
_FARTHEST = 3.0  # standard deviations: no field is further from its training mean, as in years to come


def places(codes: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Places of codes (uint8) among the known ones, ascending; their number for any other."""
    table = np.full(256, known.size)
    table[known] = np.arange(known.size)
    return table[codes]


def default_given(heads: Sequence[str]) -> Given:
    """What a network of these heads is given: the maps that a chain has made before; several heads have their priors.

    Raises
    ------
    ValueError
        If a head is not known.
    """
    if not heads or not set(heads) <= set(HEADS):
        raise ValueError(f"heads {tuple(heads)}: choose one or more of {HEADS}.")
    if len(heads) > 1:
        return Given(land_use=False, prior_cover=COVER in heads, prior_leaves=LEAVES in heads)
    return {
        USE: Given(land_use=False),
        COVER: Given(prior_cover=True),
        LEAVES: Given(land_cover=True, prior_leaves=True),
    }[heads[0]]


@dataclass(frozen=True)
class GreenInputs:
    """Channels of a network.

    Parameters
    ----------
    heads : tuple of str
        What is predicted: of land_use, land_cover, leaf_area_index.
    given : Given
    each_month : bool
        Whether the climate of the month before is given for every month; else for January, as the other months have it.
    statistics : dict of str to tuple of float
        Mean and scale of every field; 0 and 1 of one that is 0 or 1 everywhere.
    """

    heads: tuple[str, ...]
    given: Given
    each_month: bool = False
    statistics: dict[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        told = [h for h in (USE, COVER) if h in self.heads and getattr(self.given, h)]
        if told:
            raise ValueError(f"{told[0]} of the target year is predicted and given; leave it out of one of the two.")

    def fields(
        self, cube: Region, pair: Pair, window: Window, hidden: np.ndarray
    ) -> dict[str, np.ndarray]:  # fmt: skip
        """Fields by name, (channel, y, x) float32, NaN where missing."""
        out = {n: f[None] for n, f in annual_fields(cube, self.given, *pair, window, hidden).items()}
        if USE in self.heads:
            prior = np.where(hidden, USES.size, places(cube.field("land_use", pair[0], window), USES))
            out["prior_land_use"] = (prior == np.arange(USES.size)[:, None, None]).astype(np.float32)
            out["hidden"] = hidden[None].astype(np.float32)
            out["years"] = np.full((1, *hidden.shape), pair[1] - pair[0], np.float32)
        for name, months in monthly_fields(cube, self.given, *pair, window, hidden).items():
            repeated = name.endswith("_before") and not self.given.coupled and not self.each_month
            out[name] = months[:1] if repeated else months
        return out

    def __call__(
        self, cube: Region, pair: Pair, window: Window, hidden: np.ndarray
    ) -> np.ndarray:  # fmt: skip
        """A window, (channel, y, x) float32: the origin, then the standardised fields, 0 where missing.

        Raises
        ------
        ValueError
            If the region has other fields than the network was trained with.
        """
        found = self.fields(cube, pair, window, hidden)
        if list(found) != list(self.statistics):
            odd = sorted(set(found) ^ set(self.statistics))
            raise ValueError(f"the fields {odd} are there or were trained with, not both; use the inputs of training.")
        made = np.concatenate([self.origin(cube, pair, window, hidden), *found.values()], dtype=np.float32)
        sizes = [len(values) for values in found.values()]
        mean, scale = np.repeat(np.array(list(self.statistics.values()), np.float32), sizes, 0).T[..., None, None]
        fields = made[ORIGIN:]
        np.clip(np.divide(np.subtract(fields, mean, fields), scale, fields), -_FARTHEST, _FARTHEST, fields)
        np.nan_to_num(fields, copy=False)
        return made

    def origin(self, cube: Region, pair: Pair, window: Window, hidden: np.ndarray) -> np.ndarray:
        """What a prediction starts from, (channel, y, x) float32."""
        out = np.empty((ORIGIN, *hidden.shape), np.float32)
        out[YEARS] = pair[1] - pair[0]
        out[[PRIOR_USE, USE_NOW]], out[PRIOR_COVER] = USES.size, COVERS.size
        out[[GROUP_NOW, GROUP_BEFORE]] = GROUPS.size
        out[SEASON:FRACTIONS], out[FRACTIONS:] = np.nan, 0
        if USE in self.heads:
            out[PRIOR_USE] = np.where(hidden, USES.size, places(cube.field("land_use", pair[0], window), USES))
            if "luh2_state" in cube:
                shares = cube.field("luh2_fraction", pair[1])
                cells = Window(*window).resolved(cube.grid.shape)
                fine = between(shares, cube.grid.blocks(COARSE_CELLS), cube.grid.cut(*cells))
                out[FRACTIONS:] = np.log(fine + 1e-3)
        if self.given.land_use:
            out[USE_NOW] = places(cube.field("land_use", pair[1], window), USES)
        if self.given.land_cover or self.given.prior_cover:
            prior = cube.field("land_cover", pair[0], window)
            out[GROUP_BEFORE] = np.where(hidden, GROUPS.size, places(level_1(prior), GROUPS))
            if self.given.prior_cover:
                out[PRIOR_COVER] = np.where(hidden, COVERS.size, places(prior, COVERS))
        if self.given.land_cover:
            out[GROUP_NOW] = places(level_1(cube.field("land_cover", pair[1], window)), GROUPS)
        if self.given.prior_leaves:
            out[SEASON:FRACTIONS] = np.where(hidden, np.nan, cube.field("leaf_area_index", pair[0], window))
        return out

    def known(
        self, cube: Region, pair: Pair, window: Window, hidden: np.ndarray
    ) -> dict[str, tuple[np.ndarray, np.ndarray]]:  # fmt: skip
        """By head, cells with data, and those that are water because the prior, or a map that is given, says so.

        Each (y, x) bool. For leaf area any map of the target year that is given tells.
        """
        use, cover = cube.field("land_use", pair[0], window), cube.field("land_cover", pair[0], window)
        out = {USE: (use != NO_DATA, np.isin(use, WATERS) & ~hidden), COVER: (cover != 0, (cover == WATER) & ~hidden)}
        if self.given.land_use or self.given.land_cover:
            land, water = land_and_water(cube, self.given, pair[1], window)
            out[LEAVES] = land | water, water
            out[COVER] = out[COVER] if self.given.prior_cover else out[LEAVES]
        else:
            out[LEAVES] = out[COVER]
        return {head: out[head] for head in self.heads}

    def labels(self, cube: Region, pair: Pair, window: Window, hidden: np.ndarray) -> np.ndarray:
        """Places of the classes and months of leaf area, head after head, (label, y, x) float32; NaN is none."""
        parts = []
        for head, (_, water) in self.known(cube, pair, window, hidden).items():
            if head == LEAVES:
                label = cube.field("leaf_area_index", pair[1], window).astype(np.float32)
            else:
                known = USES if head == USE else COVERS
                place = places(cube.field("land_use" if head == USE else "land_cover", pair[1], window), known)
                label = np.where(place == known.size, np.nan, place)[None].astype(np.float32)
            parts.append(np.where(water, np.float32(np.nan), label))
        return np.concatenate(parts)


@dataclass(frozen=True)
class GreenWindows:
    """Random windows of training pairs, the same for the same (seed, number).

    Parameters
    ----------
    cube : Region
    inputs : GreenInputs
    pairs : list of tuple of int
        Prior year and year.
    size : int
        Side of a window, fine cells; a region smaller than that is taken whole along that side.
    seed : int
    """

    cube: Region
    inputs: GreenInputs
    pairs: list[Pair]
    size: int
    seed: int

    def place(self, rng: np.random.Generator) -> tuple[Pair, Window, np.ndarray, np.ndarray]:
        """Years, window, hidden cells and labels of a window that holds something to learn."""
        shape = self.cube.grid.shape
        size = min(self.size, shape[0]), min(self.size, shape[1])
        for _ in range(_TRIES):
            pair = self.pairs[rng.integers(len(self.pairs))]
            top, left = (int(rng.integers(n - s + 1)) for n, s in zip(shape, size, strict=True))
            window = Window.at((top, left), size)
            # Half of the windows keep the whole prior: change is learned where the prior is visible.
            hidden = hide_patches(size, max(0.0, 2 * rng.random() - 1), rng)
            labels = self.inputs.labels(self.cube, pair, window, hidden)
            if np.isfinite(labels).any():
                break
        return pair, window, hidden, labels

    def draw(self, number: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Inputs (window, channel, y, x) and labels (window, label, y, x) of a batch, float32."""
        rng = np.random.default_rng([self.seed, number])
        made = [(self.inputs(self.cube, *place[:3]), place[3]) for place in (self.place(rng) for _ in range(count))]
        inputs, labels = (np.stack(part) for part in zip(*made, strict=True))
        return inputs, labels

    def samples(self, count: int) -> list[Sample]:
        """Fields, origin and labels of so many windows, to begin from."""
        rng = np.random.default_rng([self.seed, 0, 1])
        drawn = [self.place(rng) for _ in range(count)]
        return [(self.inputs.fields(self.cube, *p[:3]), self.inputs.origin(self.cube, *p[:3]), p[3]) for p in drawn]


def fit_statistics(samples: list[Sample]) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation of every field over sampled windows; 0 and 1 of one that is 0 or 1 everywhere."""
    sums: dict[str, np.ndarray] = {}
    for fields, *_ in samples:
        for name, values in fields.items():
            v = values[np.isfinite(values)].astype(float)
            part = np.array([v.size, v.sum(), (v**2).sum(), ((v != 0) & (v != 1)).sum()])
            sums[name] = sums.get(name, 0) + part
    out = {}
    for name, (number, total, squares, other) in sums.items():
        mean = total / max(number, 1)
        deviation = max(squares / max(number, 1) - mean**2, 0.0) ** 0.5
        out[name] = (float(mean), float(deviation) if deviation > 1e-6 * abs(mean) else 1.0) if other else (0.0, 1.0)
    return out
