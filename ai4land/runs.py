"""One validated object from ``data/runs/<run>/run.yml``; an unknown or misspelt key is an error."""

from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ai4land.experiments import Experiment
from ai4land.grid import Bounds, check_bounds, region_bounds
from ai4land.legend import DATA
from ai4land.vegetation import Vegetation

TWIN = "-twin"  # behind the name of a run: the same on the twin Earth
SHARED = "shared"  # stands for all regions of a run: the network that learns from all of them
MADE_UP = "synthetic, made by ai4land"
MADE_UP_MARK = "SYNTHETIC.txt"  # beside raw files of the twin Earth: no real run may read them
_TWIN_INPUTS = {"leaf_area_index": "lai_cgls_1km"}  # where the twin Earth has the layout of another product


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
    koppen_history: str | None = None
    koppen_future: str | None = None
    land_cover: str | None = None
    land_cover_later: str | None = None
    leaf_area_index: str | None = None
    climate: str | None = None
    climate_land: str | None = None
    climate_history: str | None = None
    climate_scenarios: dict[str, str] = {}
    co2: str | None = None
    co2_scenarios: dict[str, str] = {}
    population: str | None = None
    population_history: str | None = None
    population_scenarios: dict[str, str] = {}
    peers: str | None = None

    @property
    def by_role(self) -> dict[str, str]:
        """Data set of every role; a land-use scenario's role is its own name, others are ``climate-ssp126``."""
        named = {role: name for role, name in self if isinstance(name, str)}
        for role in ("climate", "co2", "population"):
            named |= {f"{role}-{s}": name for s, name in getattr(self, f"{role}_scenarios").items()}
        return named | self.scenarios

    @model_validator(mode="after")
    def _continue_something(self) -> "Inputs":
        for role in ("climate", "co2", "population"):
            if getattr(self, f"{role}_scenarios") and getattr(self, role) is None:
                raise ValueError(f"{role}_scenarios continue {role}, which is not among the inputs")
        for role in ("scenarios", "climate_scenarios", "co2_scenarios", "population_scenarios"):
            for scenario, name in getattr(self, role).items():
                if scenario not in name.split("_") and not name.endswith("_ssp"):
                    raise ValueError(f"{role}: {name} is not of scenario {scenario}; take the data set of that name")
        if (self.climate_scenarios or self.climate_history) and not (self.climate and self.climate_history):
            raise ValueError("a climate model continues a reanalysis: give climate and climate_history too")
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
    vegetation : Vegetation, optional
        Land cover and leaf area; needs ``land_cover``, ``leaf_area_index``, ``climate`` and ``co2`` among the inputs.
    weights : {'own', 'shared'}
        A network for every region, or one of the whole run.
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
    vegetation: Vegetation | None = None
    weights: Literal["own", "shared"] = "own"
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

    def judged(self, name: str) -> bool:
        """Whether all years of an experiment have maps to judge it by."""
        return set(self.experiments[name].targets) <= set(self.map_years)

    def model_of(self, name: str, member: int = 0) -> str:
        """Folder of the weights that an experiment borrows; of folds, members take one each, in turns."""
        borrowed = str(self.experiments[name].trained_as)
        folds = self.experiments[borrowed].folds
        return f"{borrowed}-fold{member % folds}" if folds else borrowed

    def lead_groups(self, name: str) -> dict[str, list[int]]:
        """Leads of an experiment that are scored together, by label: periods, or the longest; none if not judged."""
        experiment = self.experiments[name]
        if not self.judged(name):
            return {}
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
            trained = self.experiments[experiment.trained_as or name]
            if experiment.priors != trained.priors:
                raise ValueError(
                    f"experiment {name}: priors {experiment.priors}, but its models were trained as "
                    f"{experiment.trained_as} with priors {trained.priors}; make them equal"
                )
            if self.weights == "shared" and experiment.folds and experiment.train is None:
                raise ValueError(
                    f"experiment {name}: spatial folds are dealt region by region, so a shared network would learn "
                    "from what it is judged on; say weights: own, or give the folds train years too"
                )
            learned = {*trained.learned("train"), *trained.learned("validation")}
            if not experiment.product and learned & set(experiment.targets):
                raise ValueError(
                    f"experiment {name}: its models, trained as {experiment.trained_as}, learned from test years "
                    f"{sorted(learned & set(experiment.targets))}; choose others"
                )
            if experiment.coarse == "luh2" and self.inputs.luh2 is None:
                raise ValueError(f"experiment {name} has coarse: luh2, but inputs name no luh2")
            if experiment.scenario and experiment.scenario not in self.inputs.scenarios:
                raise ValueError(
                    f"experiment {name}: scenario {experiment.scenario} is not among the inputs' "
                    f"{sorted(self.inputs.scenarios)}; add it to inputs.scenarios"
                )
            if lacking := sorted(set(experiment.observed) - have):
                raise ValueError(f"experiment {name} needs years {lacking} that the run does not list")
        return self

    @model_validator(mode="after")
    def _vegetation_is_fed(self) -> "Run":
        if self.vegetation is None:
            return self
        need = ("land_cover", "leaf_area_index", "climate", "co2")
        if lacking := [role for role in need if getattr(self.inputs, role) is None]:
            raise ValueError(f"vegetation needs {lacking} among the inputs; name them, or leave vegetation out")
        if foreign := sorted(set(self.vegetation.regions) - set(self.regions)):
            raise ValueError(f"vegetation: regions {foreign} are not among the run's {list(self.regions)}")
        scenario = self.vegetation.scenario
        for role in ("scenarios", "climate_scenarios", "co2_scenarios"):
            if scenario and scenario not in getattr(self.inputs, role):
                raise ValueError(f"vegetation: scenario {scenario} is not among {role}; add it to the inputs")
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
        named = given.get("inputs") or {}
        given["inputs"] = named | {role: name for role, name in _TWIN_INPUTS.items() if role in named}
    try:
        run = Run(name=name, **given)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'run'}: {e['msg']}" for e in error.errors())
        raise ValueError(f"{path.relative_to(DATA.parent)}: {faults}. See ai4land.runs for the keys.") from None
    if run.window:
        check_bounds(run.window, f"run {name}")
    for region in run.regions:
        region_bounds(region)
    return run
