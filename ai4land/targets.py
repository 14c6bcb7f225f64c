"""What is predicted: the blocks of ``data/targets.yml``, each a target of one machine."""

from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ai4land.legend import DATA, class_codes, flag_attributes, read_legend

TARGETS = DATA / "targets.yml"
FieldName = Literal["luh2_fraction", "luh2_state", "land_use", "land_cover", "climate", "co2", "static", "prior"]


class Packing(BaseModel):
    """How values of a target are stored.

    Parameters
    ----------
    dtype : {'uint8', 'int16', 'uint16', 'float32'}
    missing : float
        Stored number that stands for no data.
    scale_factor : float, optional
        Of a quantity: what one step of the stored number is, in the target's units.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dtype: Literal["uint8", "int16", "uint16", "float32"]
    missing: float
    scale_factor: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _holds_missing(self) -> "Packing":
        if np.dtype(self.dtype).kind in "iu":
            low, high = np.iinfo(self.dtype).min, np.iinfo(self.dtype).max
            if not (low <= self.missing <= high and self.missing == int(self.missing)):
                raise ValueError(f"missing {self.missing:g} is no {self.dtype}; give one from {low} to {high}")
        return self


class Target(BaseModel):
    """One thing that is predicted.

    Parameters
    ----------
    name : str
    long_name, standard_name : str
        Of CF; the second where CF has one.
    kind : {'classes', 'quantity'}
    legend : str, optional
        Of classes: a table of ``data/legends``. Which classes are water and which are land it says.
    units : str, optional
        Of a quantity.
    range : tuple of float, optional
        Of a quantity: smallest and largest value, in its units; predictions are held inside.
    steps : int
        Values a year: 1, or 12 months.
    follows : tuple of str
        Targets of the same year that it is predicted from.
    predictors : tuple of str
        What it may be predicted from, by name; ``prior`` is its own map or season of a neighbouring year.
    start : {'transitions', 'mean_season'}
        What a model starts from: frequencies of the classes that a prior class became, or mean seasons of classes.
    decide : {'matched_areas', 'expected_change', 'most_probable', 'value'}
        How predictions become a map: areas of the coarse input, as much change as the probabilities add up to, the most
        probable class, or, of a quantity, its value.
    pools : str, optional
        Where areas are matched: table of classes whose areas are matched together, ``data/<pools>.csv``.
    blend : {'vote', 'mean'}
        How regions are joined: by weighted votes for classes, or by the weighted mean.
    packing : Packing
    judged_in : tuple of str
        Of classes: legends in which maps are scored, its own first.
    needs : tuple of str
        Roles among a run's inputs (`ai4land.runs.Inputs`) without which it cannot be predicted.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    long_name: str
    standard_name: str | None = None
    kind: Literal["classes", "quantity"]
    legend: str | None = None
    units: str | None = None
    range: tuple[float, float] | None = None
    steps: Literal[1, 12]
    follows: tuple[str, ...]
    predictors: tuple[FieldName, ...]
    start: Literal["transitions", "mean_season"]
    decide: Literal["matched_areas", "expected_change", "most_probable", "value"]
    pools: str | None = None
    blend: Literal["vote", "mean"]
    packing: Packing
    judged_in: tuple[str, ...] = ()
    needs: tuple[str, ...]

    @property
    def classes(self) -> pd.DataFrame:
        """Legend of a target of classes, see `ai4land.legend.read_legend`."""
        assert self.legend is not None, f"{self.name} is a quantity"
        return read_legend(self.legend)

    @property
    def codes(self) -> np.ndarray:
        """Codes of the classes, ascending, int64."""
        return class_codes(self.classes)

    @property
    def water(self) -> np.ndarray:
        """Codes of the classes that are no land, ascending, int64."""
        return np.setdiff1d(self.codes, class_codes(self.classes, land_only=True))

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest value of a quantity, in its units."""
        assert self.range is not None, f"{self.name} has no range"
        return self.range

    @property
    def attributes(self) -> dict[str, object]:
        """CF attributes of its values: names, and units and range or flags."""
        names = {"long_name": self.long_name} | ({"standard_name": self.standard_name} if self.standard_name else {})
        return names | (flag_attributes(self.classes) if self.legend else {"units": self.units})

    @model_validator(mode="after")
    def _kind_is_whole(self) -> "Target":
        if self.kind == "classes":
            self._check_classes()
        else:
            self._check_quantity()
        if (self.pools is None) != (self.decide != "matched_areas"):
            raise ValueError(f"pools {self.pools} with decide {self.decide}: matched_areas needs pools, others none")
        if self.pools and not (DATA / f"{self.pools}.csv").exists():
            raise ValueError(f"pools: no table data/{self.pools}.csv; name one that is there")
        return self

    def _check_classes(self) -> None:
        if self.legend is None:
            raise ValueError("kind is classes, but no legend is named; add legend")
        if self.units or self.range or self.packing.scale_factor:
            raise ValueError("units, range and scale_factor are of a quantity; leave them out of classes")
        for legend in (self.legend, *self.judged_in):
            if not (DATA / "legends" / f"{legend}.csv").exists():
                known = sorted(path.stem for path in (DATA / "legends").glob("*.csv"))
                raise ValueError(f"legend {legend} does not exist; those of data/legends are {known}")
        if self.judged_in[:1] != (self.legend,):
            raise ValueError(f"judged_in {list(self.judged_in)} must begin with its own legend, {self.legend}")
        if self.decide == "value" or self.blend == "mean":
            raise ValueError(f"decide {self.decide} and blend {self.blend} do not fit classes; a map of them is voted")

    def _check_quantity(self) -> None:
        if self.units is None:
            given = f"range {list(self.range)}" if self.range else "a quantity"
            raise ValueError(f"{given} without units; add units, such as m2 m-2")
        if self.range is None or self.range[0] >= self.range[1]:
            raise ValueError(f"range {self.range and list(self.range)}: give the smallest and the largest value")
        if self.legend or self.judged_in:
            raise ValueError("legend and judged_in are of classes; leave them out of a quantity")
        if self.decide != "value" or self.blend != "mean":
            raise ValueError(f"decide {self.decide} and blend {self.blend} do not fit a quantity; say value and mean")
        step = self.packing.scale_factor or 1.0
        if np.dtype(self.packing.dtype).kind in "iu" and self.range[1] / step > np.iinfo(self.packing.dtype).max:
            raise ValueError(f"{self.packing.dtype} in steps of {step:g} does not reach {self.range[1]:g}")


def parse_targets(text: str, name: str = "data/targets.yml") -> dict[str, Target]:
    """Targets of a table, each after those that it follows.

    Parameters
    ----------
    text : str
        YAML, one block a target.
    name : str
        Of the table, for error messages.

    Returns
    -------
    dict of str to Target

    Raises
    ------
    ValueError
        If a key is unknown, missing or makes no sense, a legend does not exist, a range has no units, or targets follow
        each other in a circle; one line that names the block.
    """
    blocks = yaml.safe_load(text)
    if not isinstance(blocks, dict) or not all(isinstance(block, dict) for block in blocks.values()):
        raise ValueError(f"{name}: expected one block of keys a target, found {type(blocks).__name__} of other things.")
    targets = {}
    for target, block in blocks.items():
        try:
            targets[target] = Target(name=target, **block)
        except ValidationError as error:
            faults = [": ".join([*map(str, e["loc"]), e["msg"].removeprefix("Value error, ")]) for e in error.errors()]
            raise ValueError(f"{name}, {target}: {'; '.join(faults)}. See ai4land.targets for the keys.") from None
    for target, one in targets.items():
        if unknown := sorted(set(one.follows) - set(targets)):
            raise ValueError(f"{name}, {target}: follows {unknown}, which are no targets; those are {list(targets)}.")
    try:
        order = TopologicalSorter({target: one.follows for target, one in targets.items()}).static_order()
        return {target: targets[target] for target in order}
    except CycleError as error:
        circle = " -> ".join(error.args[1][::-1])
        raise ValueError(f"{name}, {error.args[1][0]}: follows itself, {circle}; leave one of them out.") from None


@cache
def read_targets(path: Path = TARGETS) -> dict[str, Target]:
    """Targets of ``data/targets.yml``, each after those that it follows; see `parse_targets`."""
    return parse_targets(path.read_text(), f"{path.parent.name}/{path.name}")


def read_target(name: str) -> Target:
    """One target of ``data/targets.yml``.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    targets = read_targets()
    if name not in targets:
        raise ValueError(f"target {name!r}: data/targets.yml has {list(targets)}; name one of them, or add a block.")
    return targets[name]
