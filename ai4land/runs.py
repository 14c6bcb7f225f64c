"""One validated object from ``data/runs/<run>/run.yml``; an unknown or misspelt key is an error."""

from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ai4land.grid import COARSE_CELLS, region_bounds
from ai4land.legend import DATA

TWIN = "-twin"  # behind the name of a run: the same on the twin Earth
MADE_UP = "synthetic, made by ai4land"
Years = tuple[int, int]
Bounds = tuple[float, float, float, float]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Inputs(_Strict):
    """Data sets of ``data/registry.csv`` that a run reads, by role."""

    land_use: str
    elevation: str
    koppen: str
    luh2_static: str | None = None
    luh2: str | None = None
    scenarios: dict[str, str] = {}
    soil: str | None = None
    koppen_future: str | None = None
    peers: str | None = None

    @property
    def by_role(self) -> dict[str, str]:
        """Data set of every role that the run names; a scenario's role is its own name."""
        named = {role: name for role, name in self if isinstance(name, str)}
        return named | self.scenarios


class Experiment(_Strict):
    """One question asked of the models: what they may learn from, and what they are judged on.

    Parameters
    ----------
    start : int
        Year of the prior map that every test year is predicted from.
    test : tuple of int
        First and last test year; before ``start`` is a hindcast, after it a forecast.
    train, validation : tuple of int, optional
        First and last year of the maps that may be learned from; validation stops the training.
    folds : int
        Spatial folds (0: the split is by years).
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
        ``trained_as``. The product joins the stepwise experiments to the maps between their starts.
    coarse : {'perfect', 'luh2'}
        Coarse input: class fractions aggregated from the target itself, or LUH2's.
    coarse_cells : tuple of int
        Side of the coarse cells whose class fractions are an input, fine cells.
    statics : bool
        Give the models relief, climate zone and LUH2's static fields too.
    periods : tuple of tuple of int
        Groups of test years scored together, besides each lead alone.
    """

    start: int
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
        return years if self.start < self.test[0] else years[::-1]

    @model_validator(mode="after")
    def _consistent(self) -> "Experiment":
        if self.test[0] <= self.start <= self.test[1]:
            raise ValueError(f"start {self.start} lies inside the test years {self.test}")
        if self.folds == 0 and self.train is None and self.trained_as is None:
            raise ValueError("give train years, or folds for a spatial split")
        if self.folds == 0 and self.validation is None and self.trained_as is None:
            raise ValueError("a split by years needs validation years: they stop the training")
        if self.stepwise and self.trained_as is None:
            raise ValueError("stepwise needs trained_as: the experiment whose models step")
        if not self.targets:
            raise ValueError(f"no test year of {self.test} is {self.leads} years from start {self.start}")
        if self.coarse == "luh2" and self.coarse_cells != (COARSE_CELLS,):
            raise ValueError(f"LUH2 has cells of {COARSE_CELLS}; coarse_cells {self.coarse_cells} need coarse: perfect")
        if self.folds == 1:
            raise ValueError("one fold leaves nothing to train on; give two at least")
        if any(cells % COARSE_CELLS for cells in self.coarse_cells):
            raise ValueError(f"coarse_cells {self.coarse_cells} must be multiples of {COARSE_CELLS}")
        if self.folds and any(self.fold_cells % cells for cells in self.coarse_cells):
            raise ValueError(f"fold_cells {self.fold_cells} must hold whole coarse cells of {self.coarse_cells}")
        held = set(range(self.test[0], self.test[1] + 1))
        for name in ("train", "validation"):
            years = getattr(self, name)
            if self.folds == 0 and years and held & set(range(years[0], years[1] + 1)):
                raise ValueError(f"{name} years {years} overlap the test years {self.test}")
        return self


class Run(_Strict):
    """What several steps of one run need to know.

    Parameters
    ----------
    title, source : str
        Printed on figures: what is shown, and whose data it is.
    synthetic : bool
        True where the inputs are made up.
    grid : {'native', 'global'}
        The land-use data's own cells, or the global 0.01 degree grid.
    window : tuple of float, optional
        West, south, east, north, degrees; the whole extent of the land-use data where absent.
    regions : tuple of str
        Rows of ``data/regions.csv``; they must tile chunks of the cube.
    years : tuple of int
        Years of the land-use maps that go into the cube: first and last, or the years themselves
        where ``every_year`` is False.
    mapped : str, optional
        Experiment that the maps show; the first where absent.
    """

    name: str
    title: str
    source: str
    synthetic: bool = False
    grid: Literal["native", "global"] = "native"
    window: Bounds | None = None
    regions: tuple[str, ...] = Field(min_length=1)
    years: tuple[int, ...] = Field(min_length=1)
    every_year: bool = True
    inputs: Inputs
    experiments: dict[str, Experiment] = Field(min_length=1)
    mapped: str | None = None
    seed: int = 1
    threads: int = Field(1, ge=1)

    @property
    def map_years(self) -> list[int]:
        """Every year of the cube, ascending."""
        if self.every_year:
            return list(range(min(self.years), max(self.years) + 1))
        return sorted(self.years)

    @property
    def shown(self) -> str:
        """Name of the experiment that the maps show."""
        return self.mapped or next(iter(self.experiments))

    def lead_groups(self, name: str) -> dict[str, list[int]]:
        """Leads of an experiment that are scored together, by label: its periods, or its longest lead."""
        experiment = self.experiments[name]
        groups = {}
        for first, last in experiment.periods:
            leads = sorted(abs(year - experiment.start) for year in range(first, last + 1))
            groups[f"{leads[0]}-{leads[-1]}"] = leads
        if experiment.leads:
            return {str(lead): [lead] for lead in experiment.leads}
        longest = abs(experiment.targets[-1] - experiment.start)
        return groups or {str(longest): [longest]}

    @model_validator(mode="after")
    def _years_exist(self) -> "Run":
        have = set(self.map_years)
        if self.mapped is not None and self.mapped not in self.experiments:
            raise ValueError(f"mapped {self.mapped} is not one of the experiments {list(self.experiments)}")
        for name, experiment in self.experiments.items():
            if experiment.trained_as is not None and experiment.trained_as not in self.experiments:
                raise ValueError(f"experiment {name}: trained_as {experiment.trained_as} is not an experiment")
            if experiment.coarse == "luh2" and self.inputs.luh2 is None:
                raise ValueError(f"experiment {name} has coarse: luh2, but inputs name no luh2")
            need = {experiment.start, *experiment.targets}
            for years in (experiment.train, experiment.validation):
                need |= set(range(years[0], years[1] + 1)) if years else set()
            if need - have:
                raise ValueError(f"experiment {name} needs years {sorted(need - have)} that the run does not list")
        return self


def run_folder(name: str) -> Path:
    """Folder of ``data/runs`` that holds the settings of a run, and of its twin."""
    return DATA / "runs" / name.removesuffix(TWIN)


def read_run(name: str) -> Run:
    """Settings of one run.

    Parameters
    ----------
    name : str
        A folder of ``data/runs``; with ``-twin`` behind it, the same run on the twin Earth.

    Returns
    -------
    Run

    Raises
    ------
    FileNotFoundError
        If there is no such run.
    ValueError
        If a key is unknown, missing, or has a value that makes no sense; one line per fault.
    """
    path = run_folder(name) / "run.yml"
    if not path.exists():
        known = sorted(p.parent.name for p in path.parent.parent.glob("*/run.yml"))
        raise FileNotFoundError(f"run {name!r}: no file {path}; known runs are {known}.")
    given = yaml.safe_load(path.read_text())
    if name.endswith(TWIN):
        given |= {"title": f"{given['title']}, twin Earth (synthetic)", "source": MADE_UP, "synthetic": True}
    try:
        run = Run(name=name, **given)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'run'}: {e['msg']}" for e in error.errors())
        raise ValueError(f"{path.relative_to(DATA.parent)}: {faults}. See ai4land.runs for the keys.") from None
    for region in run.regions:
        region_bounds(region)
    return run
