"""What a run will take, before anything is fetched: ``make plan RUN=global``.

Downloads are those of `ai4land.sources.report`. Hours and bytes are the run's own numbers (maps, windows, rollouts,
land cells) times rates that were measured: ``data/rates.csv``, with the command that measured each. Nothing is guessed:
a step without a rate is said to be one, and a device that was never measured is refused. Land is the share that
``data/regions.csv`` gives, without ice sheets; a region without one counts as all land. Trainings are taken as long as
they may get. Not counted: baselines, scores and figures, which are short beside the rest.
"""

import argparse
import ast
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import papermill

from ai4land.execute import read_knobs
from ai4land.experiments import Experiment
from ai4land.grid import read_regions, region_bounds
from ai4land.legend import DATA
from ai4land.runs import SHARED, Run, read_run, run_folder
from ai4land.sources.inputs import needs
from ai4land.sources.report import data_report

AT_ONCE = 2  # jobs of one thread, as `make` has by default
_CELL = 0.01  # degree, of the global grid
_HISTORY, _SCENARIO = 166, 86  # years of LUH2, from 1850
_SERIES = {"land_cover": "land_cover", "land_cover_later": "land_cover", "leaf_area_index": "lai",
           "climate": "climate", "climate_land": "climate_land"}  # fmt: skip
_OWN = {"train", "network"}  # a device is known by its rates of these


def measured_devices() -> dict[str, dict[str, float]]:
    """Rates by step of every device that was measured at `make bench`."""
    table = pd.read_csv(DATA / "rates.csv")
    rates = {str(name): dict(zip(rows["step"], rows["rate"], strict=True)) for name, rows in table.groupby("device")}
    return {name: steps for name, steps in sorted(rates.items()) if steps.keys() >= _OWN}


def read_rates(device: str) -> dict[str, float]:
    """Measured rates by step; of steps that were not measured on the device, which a GPU does not run, the processor's.

    Raises
    ------
    ValueError
        If the device was never measured.
    """
    known = measured_devices()
    if device not in known:
        raise ValueError(
            f"no measured rates for {device!r}; known: {', '.join(known)}; run `make bench` on it, then "
            "`python benchmarks/rates.py`."
        )
    return known["cpu"] | known[device]


def region_sizes(run: Run) -> pd.DataFrame:
    """Millions of cells of 0.01 degree and of land cells: columns ``cells`` and ``land``, a row a region."""
    shares = read_regions()["land"].fillna(1.0)
    rows = {}
    for region in run.regions:
        west, south, east, north = region_bounds(region)
        cells = (east - west) * (north - south) / _CELL**2 / 1e6
        rows[region] = {"cells": cells, "land": cells * shares[region]}
    return pd.DataFrame.from_dict(rows, orient="index")


def stepped_years(experiment: Experiment) -> int:
    """Years that a stepwise experiment steps through, from its start to the farther end of its test years."""
    return max(abs(year - experiment.start) for year in experiment.test)


def knobs_of(run: Run, step: str) -> dict[str, object]:
    """Parameters of a notebook for a run: its defaults, overridden by the run's file."""
    stated = papermill.inspect_notebook(str(DATA.parent / "notebooks" / f"{step}.ipynb"))
    defaults = {name: ast.literal_eval(about["default"]) for name, about in stated.items()}
    return defaults | read_knobs(run_folder(run.name) / f"{step}.yml")


@dataclass(frozen=True)
class Plan:
    """A run, its size and the rates that it is planned with."""

    run: Run
    rates: dict[str, float]

    @property
    def stepwise(self) -> list[Experiment]:
        """Rollouts."""
        return [e for e in self.run.experiments.values() if e.stepwise]

    @property
    def trainings(self) -> int:
        """Times that a model is trained, in one region or in all together."""
        return sum(max(e.folds, 1) for e in self.run.experiments.values() if e.trained_as is None)

    @property
    def product_years(self) -> int:
        """Maps of the product, all stores: reference years, and those of its rollouts."""
        made = sum(stepped_years(e) for e in self.stepwise if e.product)
        return made + len(self.run.map_years) if made else 0

    def _rate(self, *steps: str) -> float:
        """Sum of the rates of some steps; NaN where one was not measured."""
        return sum(self.rates.get(step, float("nan")) for step in steps)

    def _series(self) -> dict[str, int]:
        """Years of the series of the cube, by group."""
        years: dict[str, int] = {}
        for need in needs(self.run):
            if group := _SERIES.get(need.role):
                some = self.run.map_years if need.years is None else need.years
                years[group] = years.get(group, 0) + len(some)
        return years

    def _luh2_years(self) -> int:
        return _HISTORY + _SCENARIO * len(self.run.inputs.scenarios) if self.run.inputs.luh2 else 0

    def hours(self) -> pd.DataFrame:
        """Hours of one thread, or of the device, by step.

        Returns
        -------
        pandas.DataFrame
            Index ``step``; ``jobs``, ``parts`` that can be worked on at a time, and ``hours`` of all of them together,
            NaN where a rate is missing.
        """
        sizes = region_sizes(self.run)
        cells, land, regions = sizes["cells"].sum(), sizes["land"].sum(), len(sizes)
        net, trees = knobs_of(self.run, "03-train-unet"), knobs_of(self.run, "04-train-trees")
        networks, rounds = len(str(net["networks"]).split(",")), float(str(trees["rounds"]))
        windows = float(str(net["steps"])) * float(str(net["batch"])) * float(str(net["window"])) ** 2 / 1e6
        train = networks * self.trainings * windows * self._rate("train")
        judged = sum(len(e.targets) for e in self.run.experiments.values() if not e.stepwise) * land
        test = networks * judged * self._rate("network", "allocate")
        grow = regions * self.trainings * float(str(trees["rows"])) / 1e6 * rounds * self._rate("grow trees")
        series = [
            n * cells * self._rate(f"regrid {g}") for g, n in self._series().items() if f"regrid {g}" in self.rates
        ]
        steps = {
            "01-download, without the transfer": (1, 1, cells * self._luh2_years() * self._rate("own grids")),
            "02-regrid": (regions, regions, cells * len(self.run.map_years) * self._rate("regrid") + sum(series)),
            "03-train-unet": (regions, regions, test + (0 if self.run.weights == SHARED else regions * train)),
            "04-train-trees": (regions, regions, grow + judged * rounds * self._rate("predict trees")),
        }
        if self.run.weights == SHARED:
            steps["03-train-unet, the shared network"] = (1, 1, train)
        if self.stepwise:
            years = sum(stepped_years(e) * e.members for e in self.stepwise)
            steps["06-reconstruct"] = (regions, regions, years * land * self._rate("network", "allocate", "write"))
        if self.product_years:
            steps["07-stitch"] = (1, regions, self.product_years * land * self._rate("stitch"))
        table = pd.DataFrame.from_dict(steps, orient="index", columns=["jobs", "parts", "hours"]).rename_axis("step")
        return table.assign(hours=table["hours"] / 3600).sort_index()

    def disk(self) -> pd.Series:
        """Gigabytes of the cube, the rollouts and the product; NaN where a rate is missing."""
        sizes = region_sizes(self.run)
        cells, land = sizes["cells"].sum(), sizes["land"].sum()
        cube = land * len(self.run.map_years) * self._rate("disk, maps")
        cube += cells * self._luh2_years() * self._rate("disk, luh2")
        cube += sum(cells * years * self._rate(f"disk, {group}") for group, years in self._series().items())
        rolled = sum(stepped_years(e) * e.members for e in self.stepwise)
        made = {"cube": cube}
        if rolled:
            made["rollouts"] = rolled * land * self._rate("disk, rollout")
        if self.product_years:
            made["product"] = self.product_years * land * self._rate("disk, product")
        return pd.Series(made)


def _said(value: float) -> str:
    return f"{value:.2f}" if value == value else "not measured"


def _downloads(report: pd.DataFrame) -> str:
    fetched = report[report["state"] == "to fetch"]
    if fetched.empty:
        return "Downloads: none" + (", the planet is made up" if (report["licence"] == "none: synthetic").any() else "")
    hosts = fetched.groupby("host").agg(sets=("dataset", "count"), files=("files", "sum"), GB=("gigabytes", "sum"))
    hosts["GB"] = hosts["GB"].map(_said)
    unknown = int(fetched["gigabytes"].isna().sum())
    more = f", and {unknown} data sets of unknown size" if unknown else ""
    by_hand = sorted(report.loc[report["state"] == "to get by hand", "dataset"])
    lines = [f"Downloads: {fetched['gigabytes'].sum():.1f} GB{more} (make data-report names every file)"]
    lines += [hosts.rename_axis(None).to_string()]
    return "\n".join(lines + [f"To get by hand: {', '.join(by_hand)}"] * bool(by_hand))


def describe(plan: Plan, report: pd.DataFrame, device: str, at_once: int) -> str:
    """Lines that a person reads before starting a run.

    Parameters
    ----------
    plan : Plan
    report : pandas.DataFrame
        Of `ai4land.sources.report.data_report`.
    device : str
        What the rates are of.
    at_once : int
        Jobs at a time.
    """
    sizes, disk, steps = region_sizes(plan.run).sum(), plan.disk(), plan.hours()
    whole = steps["hours"] / steps["parts"].clip(upper=at_once)
    each = (steps["hours"] / steps["jobs"]).where(steps["jobs"] == steps["parts"], whole)  # a job of many processes
    table = steps[["jobs"]].assign(each=each.map(_said), whole=whole.map(_said)).reset_index()
    table.columns = ["step", "jobs", "hours a job", "hours in all"]
    least = "at least " if steps["hours"].isna().any() else ""
    parts = ", ".join(f"{what} {_said(g)}" for what, g in disk.items())
    years = sum(stepped_years(e) * e.members for e in plan.stepwise)
    return "\n".join([
        f"{plan.run.title}: {len(plan.run.regions)} regions, {sizes['cells']:.1f} million cells, {sizes['land']:.1f} "
        f"of land; {len(plan.run.map_years)} maps, {years} years to step", "",
        _downloads(report), "",
        f"Disk beside them, GB: {'at least ' if disk.isna().any() else ''}{disk.sum():.2f} ({parts})", "",
        f"Jobs on {device}, {at_once} at a time; an array has as many tasks as a step has jobs",
        table.to_string(index=False), f"Total: {least}{whole.sum():.2f} hours",
    ])  # fmt: skip


def main() -> None:
    """Command line."""
    known = argparse.ArgumentParser(prog="ai4land.plan", description=(__doc__ or "").split("\n")[0])
    known.add_argument("run", help="a folder of data/runs")
    known.add_argument("raw", type=Path, help="folder with the raw files that are there")
    known.add_argument("--device", default="cpu", help="whose measured rates to take")
    known.add_argument("--jobs", type=int, default=AT_ONCE, help="jobs at a time")
    given = known.parse_args()
    run = read_run(given.run)
    plan = Plan(run, read_rates(given.device))
    print(describe(plan, data_report(run, given.raw), given.device, given.jobs))
    print(f"Rates: data/rates.csv; devices that were ever measured: {', '.join(measured_devices())}.")


if __name__ == "__main__":
    try:
        main()
    except (ValueError, FileNotFoundError) as error:
        sys.exit(str(error))
