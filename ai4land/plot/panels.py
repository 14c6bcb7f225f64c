"""What each figure of the paper shows, gathered from a run's settings, cube and saved maps."""

import numpy as np
import pandas as pd
import xarray as xr

from ai4land.grid import COARSE_CELLS
from ai4land.plot.inputs import HIDDEN
from ai4land.runs import Run
from ai4land.samples import Region, masked

_KINDS = {"train": "training", "validation": "validation", "test": "test"}
_SUMS = {"LUH2 forest": ("primf", "secdf"), "LUH2 cropland": ("c3ann", "c4ann", "c3per", "c4per", "c3nfx"),
         "LUH2 pasture": ("pastr", "range"), "LUH2 urban": ("urban",)}  # fmt: skip
_AGES = {"LUH2 secondary age": ("secma", "years"), "LUH2 secondary biomass": ("secmb", "kg C m-2")}
_STATICS = {
    "elevation": ("Elevation", "m"), "slope": ("Slope", "degrees"), "sand_fraction": ("Sand", "mass fraction"),
    "clay_fraction": ("Clay", "mass fraction"), "koppen": ("Koeppen-Geiger zone", "code of the legend"),
}  # fmt: skip


def timeline_spans(run: Run, luh2: dict[str, list[int]], products: dict[str, xr.Dataset]) -> pd.DataFrame:
    """Years of a run's inputs, splits and product, as `plot_timeline` draws them.

    Parameters
    ----------
    run : Run
    luh2 : dict of str to list of int
        Years of LUH2 by name of the history or scenario.
    products : dict of str to xarray.Dataset
        Stores of `ai4land.product.open_product`, by name.
    """
    rows = [(f"LUH2, {name}", years[0], years[-1], "input" if name == "history" else "scenario")
            for name, years in luh2.items()]  # fmt: skip
    if run.every_year:
        rows.append(("HILDA+ maps", run.map_years[0], run.map_years[-1], "input"))
    else:
        rows += [("HILDA+ maps", year, year, "input") for year in run.map_years]
    for name, experiment in run.experiments.items():
        if experiment.trained_as is None:
            for key, kind in _KINDS.items():
                if years := getattr(experiment, key):
                    rows.append((name.replace("_", " "), years[0], years[1], kind))
    for name, product in products.items():
        row = "Product" + name.replace("land_use", "").replace("-", ", ")
        years, source = product["time"].to_numpy(), product["source"].to_numpy()
        for value, kind in ((0, "reference"), (1, "emulated")):
            runs = np.split(years[source == value], np.flatnonzero(np.diff(years[source == value]) > 1) + 1)
            rows += [(row, int(part[0]), int(part[-1]), kind) for part in runs if part.size]
    return pd.DataFrame(rows, columns=["row", "first", "last", "kind"])


def masked_prior(cube: Region, run: Run, name: str) -> xr.DataArray:
    """Prior map of an experiment with the cells that it hides at code 254."""
    experiment = run.experiments[name]
    prior = cube.data_array("land_use", experiment.start)
    hidden = masked(cube, experiment, run.seed) & (prior.to_numpy() != 255)
    return prior.copy(data=np.where(hidden, HIDDEN, prior.to_numpy()).astype(np.uint8))


def stack_fields(cube: Region, run: Run, name: str, predicted: xr.DataArray, model: str) -> dict[str, xr.DataArray]:
    """The input stack of one experiment: masked prior, LUH2, statics, then predicted and observed maps.

    Parameters
    ----------
    cube : Region
    run : Run
    name : str
        Of the experiment.
    predicted : xarray.DataArray, shape (time, lat, lon), uint8
    model : str
        Who predicted it.
    """
    experiment = run.experiments[name]
    years = experiment.targets[:2]
    fields = {f"Prior {experiment.start}, {experiment.mask_ratio:.0%} hidden": masked_prior(cube, run, name)}
    if "luh2_state" in cube:
        coords = cube.grid.blocks(COARSE_CELLS).coords()
        now = dict(zip(cube.names("luh2_state"), cube.field("luh2_state", years[0]), strict=True))
        for title, states in _SUMS.items():
            total = np.sum([now[s] for s in states], axis=0)
            fields[f"{title}, {years[0]}"] = xr.DataArray(total, coords, ("lat", "lon"), attrs={"units": "fraction"})
        for title, (state, units) in _AGES.items():
            fields[title] = xr.DataArray(now[state], coords, ("lat", "lon"), attrs={"units": units})
    for layer, (title, units) in _STATICS.items():
        if layer in cube.static:
            values = cube.field(layer).astype(float)
            fields[title] = xr.DataArray(values, cube.grid.coords(), ("lat", "lon"), attrs={"units": units})
    for step, year in enumerate(years):
        fields[f"{model}, t={step} ({year})"] = predicted.sel(time=year)
        fields[f"Observed, {year}"] = cube.data_array("land_use", year)
    return fields
