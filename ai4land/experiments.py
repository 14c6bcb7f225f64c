"""One experiment of a run: what models may learn from, and what they are judged on."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ai4land.grid import COARSE_CELLS

Years = tuple[int, int]


class Experiment(BaseModel):
    """One question asked of the models: what they may learn from, and what they are judged on.

    Parameters
    ----------
    start : int
        Year of the prior map that every test year is predicted from.
    priors : int
        Maps that are known before a step: the prior one, and those of the years before it (after it, in a hindcast).
    test : tuple of int
        First and last test year; before ``start`` is a hindcast, after it a forecast.
    train, validation : tuple of int, optional
        First and last year of the maps that may be learned from; validation stops the training.
    folds : int
        Spatial folds; with ``train`` years, the split is by years and in space: a model a fold, each for an ensemble.
    fold_cells : int
        Side of the square blocks that are dealt to the folds, fine cells.
    hide_prior : bool
        Hide the prior map inside the held-out blocks and their buffer.
    held_blocks : int
        In a split by years: one spatial block in so many is held out of training, in every year (0: none).
    trained_as : str, optional
        Judge the models of that experiment; none is trained for this one.
    mask_ratio : float
        Share of the prior map that is hidden in random patches when test years are predicted.
    leads : tuple of int
        Years from ``start`` that are predicted and judged; every test year where absent.
    stepwise : bool
        Step year by year from ``start``, each year's prior being the map made for the year before; needs
        ``trained_as``.
    product : bool
        The years of a stepwise experiment go into the product; they need no reference maps.
    scenario : str, optional
        LUH2's scenario after the last year of its history.
    members : int
        Rollouts of a stepwise experiment: the first takes the most probable changes, the others draw them.
    allocation : bool
        Step to the wanted class areas; False steps to the most probable class.
    coarse : {'perfect', 'luh2'}
        Coarse input: class fractions aggregated from the target itself, or LUH2's.
    coarse_cells : tuple of int
        Side of the coarse cells whose class fractions are an input, fine cells.
    statics : bool
        Give the models relief, climate zone and LUH2's static fields too.
    periods : tuple of tuple of int
        Groups of test years scored together, besides each lead alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: int
    priors: int = Field(1, ge=1)
    test: Years
    train: Years | None = None
    validation: Years | None = None
    folds: int = Field(0, ge=0)
    fold_cells: int = Field(50, gt=0)
    hide_prior: bool = False
    held_blocks: int = Field(0, ge=0)
    trained_as: str | None = None
    mask_ratio: float = Field(0.0, ge=0, le=1)
    leads: tuple[int, ...] = ()
    stepwise: bool = False
    product: bool = False
    scenario: str | None = None
    members: int = Field(1, ge=1)
    allocation: bool = True
    coarse: Literal["perfect", "luh2"] = "perfect"
    coarse_cells: tuple[int, ...] = (COARSE_CELLS,)
    statics: bool = True
    periods: tuple[Years, ...] = ()

    @property
    def targets(self) -> list[int]:
        """Test years in the order of their lead."""
        years = [
            y for y in range(self.test[0], self.test[1] + 1) if not self.leads or abs(y - self.start) in self.leads
        ]
        return years if self.sign > 0 else years[::-1]

    @property
    def sign(self) -> int:
        """1 in a forecast, -1 in a hindcast."""
        return 1 if self.start < self.test[0] else -1

    @property
    def observed(self) -> list[int]:
        """Every year whose map it needs, ascending: of a product only those that it learns from and starts with."""
        years = {self.start, *(() if self.product else self.targets)}
        return sorted(years.union(self.learned("train"), self.learned("validation")))

    @property
    def trained_on(self) -> str:
        """First and last year of training, for tables: ``1985-1997``; empty where the split is spatial alone."""
        return "{}-{}".format(*self.train) if self.train else ""

    def learned(self, part: Literal["train", "validation"]) -> range:
        """Years that models are trained on, or that stop their training; none where the split is spatial alone."""
        first, last = getattr(self, part) or (0, -1)
        return range(first, last + 1)

    @model_validator(mode="after")
    def _consistent(self) -> "Experiment":
        if self.test[0] <= self.start <= self.test[1]:
            raise ValueError(f"start {self.start} lies inside the test years {self.test}")
        if self.folds == 0 and self.train is None and self.trained_as is None:
            raise ValueError("give train years, or folds for a spatial split")
        if (self.train or not self.folds) and self.validation is None and self.trained_as is None:
            raise ValueError("a split by years needs validation years: they stop the training")
        if self.stepwise and self.trained_as is None:
            raise ValueError("stepwise needs trained_as: the experiment whose models step")
        if not self.stepwise and (self.product or self.members > 1 or not self.allocation):
            raise ValueError("product, members and allocation: false are of stepwise experiments only")
        if self.product and not self.allocation:
            raise ValueError("a product has allocated areas; leave allocation out")
        if self.product and self.coarse == "perfect" and min(self.coarse_cells) != COARSE_CELLS:
            raise ValueError(
                f"product: coarse_cells {self.coarse_cells} must begin at {COARSE_CELLS}, its areas' cells"
            )
        if self.scenario and self.coarse != "luh2":
            raise ValueError(f"scenario {self.scenario} is LUH2's; say coarse: luh2")
        if not self.targets:
            raise ValueError(f"no test year of {self.test} is {self.leads} years from start {self.start}")
        if self.coarse == "luh2" and self.coarse_cells != (COARSE_CELLS,):
            raise ValueError(f"LUH2 has cells of {COARSE_CELLS}; coarse_cells {self.coarse_cells} need coarse: perfect")
        if self.hide_prior and self.train:
            raise ValueError("hide_prior is of spatial folds without train years; leave one of them out")
        if self.folds == 1:
            raise ValueError("one fold leaves nothing to train on; give two at least")
        if any(cells % COARSE_CELLS for cells in self.coarse_cells):
            raise ValueError(f"coarse_cells {self.coarse_cells} must be multiples of {COARSE_CELLS}")
        if self.folds and any(self.fold_cells % cells for cells in self.coarse_cells):
            raise ValueError(f"fold_cells {self.fold_cells} must hold whole coarse cells of {self.coarse_cells}")
        return self

    @model_validator(mode="after")
    def _learns_from_other_years(self) -> "Experiment":
        test = set(range(self.test[0], self.test[1] + 1))
        for name, given in (("train", self.train), ("validation", self.validation)):
            if given and given[0] > given[1]:
                raise ValueError(f"{name} years {given} are none; give the first year first")
            if given and test & set(range(given[0], given[1] + 1)):
                raise ValueError(f"{name} years {given} overlap the test years {self.test}")
        if set(self.learned("train")) & set(self.learned("validation")):
            raise ValueError(f"train years {self.train} overlap the validation years {self.validation}")
        return self


def step_years(experiment: Experiment) -> list[int]:
    """Every year of a rollout in the order of its steps."""
    first, last = experiment.test
    years = range(min(first, experiment.start + 1), max(last, experiment.start - 1) + 1)
    forward = [y for y in years if y > experiment.start]
    return forward or [y for y in years if y < experiment.start][::-1]
