"""Which years each store of a run's product holds, and which rollout made them."""

from dataclasses import dataclass

from ai4land.experiments import step_years
from ai4land.runs import Experiment, Run

STORE = "land_use"  # scenarios stand behind it: land_use-ssp126


@dataclass(frozen=True)
class Years:
    """Years of a store: which are copied from the reference maps, and which rollout made the others."""

    reference: list[int]
    emulated: dict[int, str]

    @property
    def all(self) -> list[int]:
        """Every year, ascending."""
        return sorted([*self.reference, *self.emulated])


def product_stores(run: Run) -> dict[str, Years]:
    """Stores of a run's product, by name.

    ``land_use`` joins the product experiments without a scenario to the reference maps between their starts;
    ``land_use-<scenario>`` goes on from there with the experiments of that scenario.

    Returns
    -------
    dict of str to Years

    Raises
    ------
    ValueError
        If no experiment is a product, two of them make the same year of a store, years lack within a store or between
        it and ``land_use``, or a scenario has no year after the reference.
    """
    product = {n: e for n, e in run.experiments.items() if e.product}
    if not product:
        raise ValueError(
            f"run {run.name}: no experiment has product: true, so there is no product; add one to run.yml."
        )
    past = {n: e for n, e in product.items() if e.scenario is None}
    emulated = _emulated(run, past, STORE)
    stores = {STORE: Years([y for y in _reference(run, product) if y not in emulated], emulated)}
    last = _check_whole(run, STORE, stores[STORE].all)
    for scenario in sorted({e.scenario for e in product.values() if e.scenario}):
        name = f"{STORE}-{scenario}"
        made = _emulated(run, {n: e for n, e in product.items() if e.scenario == scenario}, name)
        if max(made) <= last:
            raise ValueError(
                f"run {run.name}: {name} has years {min(made)}-{max(made)}, and {STORE} goes to {last}: no year is its "
                "own; give the experiment later test years, or no product."
            )
        _check_whole(run, f"{STORE} and {name}", sorted({*stores[STORE].all, *made}))
        stores[name] = Years([], made)
    return stores


def _emulated(run: Run, experiments: dict[str, Experiment], store: str) -> dict[int, str]:
    made: dict[int, str] = {}
    for name, experiment in experiments.items():
        for year in sorted(step_years(experiment)):
            if year in made:
                raise ValueError(
                    f"run {run.name}: {made[year]} and {name} both make {year} of {store}; part their test years."
                )
            made[year] = name
    return made


def _reference(run: Run, product: dict[str, Experiment]) -> list[int]:
    """Years of the maps from the first start of a hindcast to the last one of a forecast; else all on that side."""
    hindcast = [e.start for e in product.values() if e.targets[-1] < e.start]
    forecast = [e.start for e in product.values() if e.targets[-1] > e.start]
    first, last = min(hindcast, default=run.map_years[0]), max(forecast, default=run.map_years[-1])
    return [year for year in run.map_years if first <= year <= last]


def _check_whole(run: Run, name: str, years: list[int]) -> int:
    """Last year of consecutive ones."""
    if lacking := sorted(set(range(years[0], years[-1] + 1)) - set(years)):
        raise ValueError(
            f"run {run.name}: {name} would lack {lacking[0]}-{lacking[-1]} ({len(lacking)} years); let a product "
            "experiment start from the year before, or list these maps."
        )
    return years[-1]
