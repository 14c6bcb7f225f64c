"""What networks of land cover and leaf area see, made inside a graph: `GreenInputs` from raw physical inputs.

Coarse fields are standardised where they are coarse, then refined by two matrix products, rows and columns: bilinear
refinement commutes with that, and few numbers are touched. Batch 1.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn

from ai4land.export.graph import hat, numbers
from ai4land.export.green_names import AIR, ZONES, FieldNames
from ai4land.grid import COARSE_CELLS
from ai4land.legend import NO_DATA, class_codes, read_legend
from ai4land.models.green_inputs import COVER, COVERS, GROUPS, USES, WATER, WATERS, GreenInputs, places
from ai4land.samples.predictors import RADII, level_1
from ai4land.vegetation import MONTHS

Raw = Mapping[str, torch.Tensor]
_FARTHEST = 3.0  # standard deviations, as in `GreenInputs`


def one_hot(place: torch.Tensor, size: int) -> torch.Tensor:
    """Places (1, y, x) among so many as channels (1, size, y, x) float32, all 0 for any other."""
    return (place[:, None] == torch.arange(size, device=place.device)[:, None, None]).float()


def box_counts(masks: torch.Tensor, radius: int) -> torch.Tensor:
    """How many cells of the box around every cell masks (1, mask, y, x) hold; see `class_densities`."""
    size = 2 * radius + 1
    rows = nn.functional.avg_pool2d(masks, (size, 1), 1, (radius, 0))
    return (nn.functional.avg_pool2d(rows, (1, size), 1, (0, radius)) * size**2).round()


def tent(start: torch.Tensor, step: torch.Tensor, cells: torch.Tensor, count: torch.Tensor) -> torch.Tensor:
    """Bilinear shares of coarse cells in fine ones along an axis, (fine cell, coarse cell), as `hat`, of any two grids.

    Parameters
    ----------
    start : torch.Tensor, shape (1,), float32
        First fine centre, in coarse cells from the first coarse centre.
    step : torch.Tensor, shape (1,), float32
        A fine cell, in coarse cells.
    cells, count : torch.Tensor, int64
        Numbers of the fine and of the coarse cells, 0, 1, 2, ...
    """
    place = torch.minimum((start + step * cells).clamp(min=0), count[-1].float())
    return (1 - (place[:, None] - count).abs()).clamp(min=0)


def refined(
    values: torch.Tensor, known: torch.Tensor, rows: torch.Tensor, cols: torch.Tensor, valid: torch.Tensor
) -> torch.Tensor:
    """Standardised fields (1, field, channel, y, x) on fine cells, 0 where none of the four around has data.

    Parameters
    ----------
    values : torch.Tensor, shape (1, field, channel, Y, X), float32
    known : torch.Tensor, shape (1, field, Y, X), bool
        Where all channels of a field have data.
    rows, cols : torch.Tensor
        Of `tent` or `hat`, (y, Y) and (x, X).
    valid : torch.Tensor, shape (1, y, x), bool
        0 elsewhere.
    """
    fine = rows @ torch.where(known[:, :, None], values, 0.0) @ cols.T
    weight = rows @ known.float() @ cols.T
    inverse = torch.where((weight > 1e-6) & valid[:, None], 1 / weight.clamp(min=1e-6), 0.0)
    return (fine * inverse[:, :, None]).clamp(-_FARTHEST, _FARTHEST)


class Standard(nn.Module):
    """Standardises channels (..., channel, Y, X) by the statistics of training.

    Parameters
    ----------
    statistics : dict of str to tuple of float
        Mean and scale by field.
    names : list of str
        Of the channels.
    """

    def __init__(self, statistics: Mapping[str, tuple[float, float]], names: Sequence[str]) -> None:
        super().__init__()
        rows = np.array([statistics[name] for name in names], np.float32)
        self.mean, self.scale = (nn.Buffer(torch.as_tensor(part)[:, None, None]) for part in rows.T)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Standardised values."""
        return (values - self.mean) / self.scale


class GreenFields(nn.Module):
    """Origin and standardised fields of `GreenInputs` from raw inputs.

    Outside ``valid`` fields are 0, as they are around a region. A climate cell that lacks a month of a variable is
    without data for it.

    Parameters
    ----------
    inputs : GreenInputs
        With the statistics of training.
    """

    def __init__(self, inputs: GreenInputs) -> None:
        super().__init__()
        self.names, codes = FieldNames(inputs), np.arange(256)
        self.given, self.head = inputs.given, inputs.heads[0]
        parts = {f"shares_{radius}": self.names.shares(radius) for radius in RADII}
        parts |= {n: [n] for n in ("years", "co2")} | {"static": self.names.static}
        parts |= {"states": [f"luh2_{n}" for n in self.names.states], "climate": self.names.of_climate()}
        parts |= {"ends": ["coldest_month", "warmest_month"], "season": ["prior_leaf_area"]}
        known = inputs.statistics
        self.standard = nn.ModuleDict({n: Standard(known, of) for n, of in parts.items() if of and of[0] in known})
        legend = read_legend("koppen_geiger")
        zone = np.full(256, len(ZONES))
        for code, name in legend.set_index("code")["name"][list(class_codes(legend))].items():
            zone[code] = ZONES.index(name[0]) if name[0] in ZONES else len(ZONES)
        tables = places(codes, USES), places(codes, COVERS), places(level_1(codes), GROUPS), zone
        self.of_use, self.of_cover, self.of_group, self.of_zone = (
            nn.Buffer(torch.as_tensor(table)) for table in tables
        )

    def located(self, raw: Raw) -> dict[str, torch.Tensor]:
        """Places of the maps' classes, and of their level-1 classes, (1, y, x) int64; one past the last where none."""
        out = {}
        for name in ("land_use", "land_use_before", "land_cover", "land_cover_before"):
            if name in raw:
                use = name.startswith("land_use")
                codes = torch.where(raw["valid"], raw[name].long(), NO_DATA if use else 0)
                out[name] = (self.of_use if use else self.of_cover)[codes]
                out[f"{name}_group"] = self.of_group[codes]
        return out

    def water(self, raw: Raw, place: Raw) -> tuple[torch.Tensor, torch.Tensor]:
        """Cells with data, and those that are water because a map says so, (1, y, x) bool; as `GreenInputs.known`."""
        if (self.given.prior_cover and self.head == COVER) or not self.names.maps:
            before = raw["land_cover_before"]
            return raw["valid"] & (before != 0), raw["valid"] & (before == WATER) & ~raw["hidden"]
        known, water = raw["valid"], torch.zeros_like(raw["valid"])
        for name, classes, waters in (("land_use", USES, WATERS), ("land_cover", COVERS, [WATER])):
            if name in place:
                known = known & (place[name] < classes.size)
                for code in waters:
                    water = water | (raw["valid"] & (raw[name] == code))
        return known | water, water

    def origin(self, raw: Raw, place: Raw) -> list[torch.Tensor]:
        """As `GreenInputs.origin`, parts (1, channel, y, x) float32."""
        zero = raw["valid"][:, None] * 0.0  # (1, 1, y, x)
        hidden = raw["hidden"][:, None] if "hidden" in raw else zero > 0

        def channel(name: str, size: int, there: bool, shown: bool = True) -> torch.Tensor:
            """Places of a map, their number where it is not given, or hidden."""
            if not there:
                return zero + size
            return place[name][:, None].float() if shown else torch.where(hidden, size, place[name][:, None]).float()

        given = self.given
        before = given.prior_cover or (given.land_cover and "land_cover_before" in place)
        season = zero + torch.nan
        if given.prior_leaves:
            season = torch.where(hidden | ~raw["valid"][:, None], season, raw["leaf_area_index_before"])
        return [
            zero + raw["years"][:, None, None, None] if "years" in raw else zero,
            zero + USES.size,
            channel("land_use", USES.size, given.land_use),
            channel("land_cover_before", COVERS.size, given.prior_cover, shown=False),
            channel("land_cover_group", GROUPS.size, given.land_cover),
            channel("land_cover_before_group", GROUPS.size, before, shown=False),
            season.expand(-1, MONTHS, -1, -1),
            zero.expand(-1, USES.size, -1, -1),
        ]

    def _maps(self, raw: Raw, place: Raw) -> list[torch.Tensor]:
        """Fields that maps say."""
        given, prior, out = self.given, self.names.prior, []
        if given.land_use:
            out.append(one_hot(place["land_use"], USES.size))
            seen = torch.cat([out[0], (place["land_use"] < USES.size)[:, None].float()], 1)
            for radius in RADII:
                counts = box_counts(seen, radius)
                shares = counts[:, :-1] / counts[:, -1:].clamp(min=1)
                out.append(self._inside(self.standard[f"shares_{radius}"](shares), raw))
            out += [one_hot(place["land_use_before"], USES.size)] if prior else []
        if given.land_cover:
            out += [one_hot(place[f"{n}_group"], GROUPS.size) for n in ("land_cover", "land_cover_before")[: 1 + prior]]
        if given.prior_cover:
            out.append(one_hot(torch.where(raw["hidden"], COVERS.size, place["land_cover_before"]), COVERS.size))
        if prior:
            out += [(raw["hidden"] & raw["valid"])[:, None].float(), self._everywhere("years", raw)]
        return out

    def _inside(self, values: torch.Tensor, raw: Raw) -> torch.Tensor:
        """Standardised values within their bounds, 0 where missing and outside."""
        there = raw["valid"][:, None] & ~torch.isnan(values)
        return torch.where(there, values.clamp(-_FARTHEST, _FARTHEST), 0.0)

    def _everywhere(self, name: str, raw: Raw) -> torch.Tensor:
        return self._inside(self.standard[name](raw[name][:, None, None, None]) + 0 * raw["valid"][:, None], raw)

    def _climate(self, raw: Raw) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Annual fields, and those of months, variable by variable."""
        months, coupled = raw["climate"], self.given.coupled  # (1, variable, month, Y, X)
        known, air = torch.isfinite(months).all(2), self.names.climate.index(AIR)
        rows, cols = (
            tent(raw["climate_start"][:, a], raw["climate_step"][:, a], numbers(raw["valid"], a + 1),
                 numbers(months, a + 3)) for a in (0, 1)
        )  # fmt: skip
        year = months[:, :, :MONTHS] if coupled else months[:, :, 1:]
        before = months[:, :, MONTHS - 1 :] if coupled else months[:, :, : self.names.before]
        parts = [year.mean(2, keepdim=True), *([before] if coupled else [year, before])]
        values = self.standard["climate"](torch.cat(parts, 2).flatten(1, 2)).unflatten(1, (len(self.names.climate), -1))
        fine = refined(values, known, rows, cols, raw["valid"])
        ends = self.standard["ends"](torch.stack([year[:, air].amin(1), year[:, air].amax(1)], 1))[:, None]
        ends = refined(ends, known[:, air : air + 1], rows, cols, raw["valid"])[:, 0]
        return [fine[:, :, 0], ends], [fine[:, :, 1:].flatten(1, 2)]

    def forward(self, raw: Raw, place: Raw) -> torch.Tensor:
        """A window of `GreenInputs`, (1, channel, y, x) float32, of named raw inputs; places of `located`."""
        names = self.names
        annual, monthly = self._maps(raw, place), list[torch.Tensor]()
        if names.static:
            annual.append(self._inside(self.standard["static"](raw["static"]), raw))
        if names.zones:
            zone = self.of_zone[raw["koppen"].long()]
            annual.append(one_hot(torch.where(raw["valid"], zone, len(ZONES)), len(ZONES)))
        if names.states:
            rows, cols = (
                hat(raw["start"][:, a], numbers(raw["valid"], a + 1), numbers(raw["states"], a + 2), COARSE_CELLS,
                    "bilinear") for a in (0, 1)
            )  # fmt: skip
            values = self.standard["states"](raw["states"])
            annual.append(refined(values[:, :, None], ~torch.isnan(values), rows, cols, raw["valid"])[:, :, 0])
        if self.given.climate:
            more, monthly = self._climate(raw)
            annual += [*more, self._everywhere("co2", raw)]
        if self.given.prior_leaves:
            season = torch.where(raw["hidden"][:, None], torch.nan, raw["leaf_area_index_before"])
            monthly.append(self._inside(self.standard["season"](season), raw))
        return torch.cat([*self.origin(raw, place), *annual, *monthly], 1)
