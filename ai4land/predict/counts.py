"""The counts that judge test maps, all models on the same cells; and the areas of their classes."""

import numpy as np
import pandas as pd
import xarray as xr

from ai4land.evaluate import count_calibration, count_maps, counts_with_keys, keep_lasting
from ai4land.legend import NO_DATA, class_codes, read_legend
from ai4land.predict.rules import Predictions
from ai4land.runs import Experiment, Run
from ai4land.samples import Region, held_out, masked, spatial_folds

LASTING_YEARS = 5  # a change lasts that is still there in each of so many maps
_CERTAIN = {"persistence", "kernel_density", "landscaler"}  # models that give no probabilities


def common_cells(cube: Region, experiment: Experiment, predictions: list[xr.Dataset]) -> np.ndarray:
    """Cells that have data in the prior map, the observed map and every model's map, (time, y, x) bool."""
    prior = cube.field("land_use", experiment.start) != NO_DATA
    have = [prior & (cube.field("land_use", y) != NO_DATA) for y in experiment.targets]
    return np.stack(have) & np.all([p["land_use"].to_numpy() != NO_DATA for p in predictions], axis=0)


def _lasting(cube: Region, experiment: Experiment, year: int) -> np.ndarray | None:
    """Observed map without changes that do not last, None where the maps to tell are not there."""
    step = 1 if year > experiment.start else -1
    later = [year + step * i for i in range(LASTING_YEARS)]
    if not set(later) <= set(cube.years("land_use")):
        return None
    return keep_lasting(cube.field("land_use", experiment.start), [cube.field("land_use", y) for y in later])


def judged_parts(cube: Region, experiment: Experiment, seed: int) -> dict[str, np.ndarray]:
    """Parts of a region that are counted apart, by name in column ``fold``; they add up to all cells.

    Spatial folds by number; cells with a ``hidden`` and a ``visible`` prior; ``held_out`` and ``trained`` blocks.
    """
    everywhere = np.ones(cube.grid.shape, bool)
    if experiment.folds:
        dealt = spatial_folds(cube, experiment, seed)
        return {str(k): dealt == k for k in range(experiment.folds)}
    if experiment.mask_ratio:
        hidden = masked(cube, experiment, seed)
        parts = {"hidden": hidden, "visible": ~hidden}
    elif experiment.held_blocks:
        held = held_out(cube, experiment, seed)
        parts = {"held_out": held, "trained": ~held}
    else:
        parts = {"all": everywhere}
    return {name: part for name, part in parts.items() if part.any()}


def count_predictions(
    cube: Region, name: str, experiment: Experiment, predictions: list[xr.Dataset], seed: int
) -> pd.DataFrame:
    """Counts of every model's test maps, all on the same cells, by lead and fold.

    Parameters
    ----------
    cube : Region
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
    prior = cube.field("land_use", experiment.start)
    land = class_codes(read_legend("land_use"), land_only=True)
    folds = judged_parts(cube, experiment, seed)
    tables = []
    for number, year in enumerate(experiment.targets):
        observed, lasting = cube.field("land_use", year), _lasting(cube, experiment, year)
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
                        "region": cube.name, "lead": str(abs(year - experiment.start))}  # fmt: skip
                tables.append(counts_with_keys(pd.concat(counts), **keys))
    return pd.concat(tables, ignore_index=True)


def count_run(cube: Region, run: Run, *made: dict[str, Predictions]) -> pd.DataFrame:
    """Counts of every experiment; several sets of predictions are judged together.

    Parameters
    ----------
    cube : Region
    run : Run
    *made : dict
        Of `predict_all` and `read_peers`: by experiment, then by (model, member).
    """
    tables = []
    for name, experiment in run.experiments.items():
        predictions = [maps for part in made for maps in part.get(name, {}).values()]
        if not predictions:
            continue
        tables.append(count_predictions(cube, name, experiment, predictions, run.seed))
    return pd.concat(tables, ignore_index=True)
