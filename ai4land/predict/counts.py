"""The counts that judge test maps, all models on the same cells; and the areas of their classes."""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ai4land.evaluate import count_calibration, count_maps, counts_with_keys, keep_lasting
from ai4land.legend import NO_DATA, class_codes, read_legend
from ai4land.predict.maps import Predictions, read_predictions
from ai4land.runs import Experiment, Run
from ai4land.samples import RegionCube, deal_folds

LASTING_YEARS = 5  # a change lasts that is still there in each of so many maps
_CERTAIN = {"persistence", "kernel_density", "landscaler"}  # models that give no probabilities


def common_cells(cube: RegionCube, experiment: Experiment, predictions: list[xr.Dataset]) -> np.ndarray:
    """Cells that have data in the prior map, the observed map and every model's map, (time, y, x) bool."""
    prior = cube.map(experiment.start) != NO_DATA
    have = [prior & (cube.map(y) != NO_DATA) for y in experiment.targets]
    return np.stack(have) & np.all([p["land_use"].to_numpy() != NO_DATA for p in predictions], axis=0)


def _lasting(cube: RegionCube, experiment: Experiment, year: int) -> np.ndarray | None:
    """Observed map without changes that do not last, None where the maps to tell are not there."""
    step = 1 if year > experiment.start else -1
    later = [year + step * i for i in range(LASTING_YEARS)]
    if not set(later) <= set(cube.years):
        return None
    return keep_lasting(cube.map(experiment.start), [cube.map(y) for y in later])


def count_predictions(
    cube: RegionCube, name: str, experiment: Experiment, predictions: list[xr.Dataset], seed: int
) -> pd.DataFrame:
    """Counts of every model's test maps, all on the same cells, by lead and fold.

    Parameters
    ----------
    cube : RegionCube
    name : str
        Name of the experiment.
    experiment : Experiment
    predictions : list of xarray.Dataset
        Of `predict_experiment` and `adopt_maps`.
    seed : int
        That dealt the folds.

    Returns
    -------
    pandas.DataFrame
        Columns of ``evaluate.KEYS`` and of `ai4land.evaluate.count_maps`.
    """
    cells = common_cells(cube, experiment, predictions)
    prior = cube.map(experiment.start)
    land = class_codes(read_legend("land_use"), land_only=True)
    folds: dict[str, np.ndarray] = {"all": np.ones(prior.shape, bool)}
    if experiment.folds:
        dealt = deal_folds(prior != NO_DATA, experiment.fold_cells, experiment.folds, seed)
        folds = {str(k): dealt == k for k in range(experiment.folds)}
    tables = []
    for number, year in enumerate(experiment.targets):
        observed, lasting = cube.map(year), _lasting(cube, experiment, year)
        for one in predictions:
            simulated = one["land_use"][number].to_numpy()
            for fold, part in folds.items():
                where = cells[number] & part
                counts = [count_maps(prior, observed, simulated, where, cube.grid, lasting)]
                if "confidence" in one and one.attrs["model"] not in _CERTAIN:
                    judged = where & np.isin(prior, land) & np.isin(observed, land)
                    p = one["confidence"][number].to_numpy()
                    counts.append(count_calibration(p, simulated == observed, judged, cube.grid))
                keys = {"experiment": name, "model": one.attrs["model"], "member": one.attrs["member"], "fold": fold,
                        "region": cube.region, "lead": str(abs(year - experiment.start))}  # fmt: skip
                tables.append(counts_with_keys(pd.concat(counts), **keys))
    return pd.concat(tables, ignore_index=True)


def count_run(cube: RegionCube, run: Run, *made: dict[str, Predictions]) -> pd.DataFrame:
    """Counts of every experiment; several sets of predictions are judged together.

    Parameters
    ----------
    cube : RegionCube
    run : Run
    *made : dict
        Of `predict_all` and `read_peers`: by experiment, then by (model, member).
    """
    tables = []
    for name, experiment in run.experiments.items():
        predictions = [maps for part in made for maps in part.get(name, {}).values()]
        tables.append(count_predictions(cube, name, experiment, predictions, run.seed))
    return pd.concat(tables, ignore_index=True)


def class_areas(cube: RegionCube, run: Run, store: Path) -> pd.DataFrame:
    """Area of every land class by year, observed and predicted.

    Parameters
    ----------
    cube : RegionCube
    run : Run
    store : pathlib.Path
        Zarr store of the region's predictions.

    Returns
    -------
    pandas.DataFrame
        Columns experiment, model, member, year, class, km2; observed rows have experiment 'all'.
    """
    legend = read_legend("land_use")
    land = legend[legend["land"]]
    area = np.broadcast_to(cube.grid.cell_area()[:, None] * 1e-6, cube.grid.shape)
    sources = [("all", "observed", "all", y, cube.map(y)) for y in cube.years]
    for name in run.experiments:
        for (model, member), maps in read_predictions(store, name).items():
            sources += [(name, model, member, int(m["time"]), m.to_numpy()) for m in maps["land_use"]]
    rows = []
    for name, model, member, year, labels in sources:
        total = np.bincount(labels.ravel(), weights=area.ravel(), minlength=256)
        rows += [
            (name, model, member, year, str(c), total[code]) for code, c in zip(land["code"], land["name"], strict=True)
        ]
    return pd.DataFrame(rows, columns=["experiment", "model", "member", "year", "class", "km2"])
