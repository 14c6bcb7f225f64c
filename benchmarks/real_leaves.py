"""Do the rooms of leaf area work on real numbers? MODIS around Arcachon, 2004: a smoke run, not a result of the paper.

``python benchmarks/real_leaves.py RAW``, with the file of data set `lai_modis_arcachon` anywhere under RAW.

One year of 81 x 81 cells of 463 m, half of them water: some 800 cells of 0.01 degree, no climate, no quality flags, so
that cloudy dates stay in. Each month is left out in turn, with every eight-day date that has a day in it; the month
half a year away is held out too and stops the boosting. Places are known, only the month is not. Predictors: shares of
the land-cover types in the cell and around it, and the yearly harmonic of the month at six phases; with "cell mean",
also the mean of the cell, and of those around it, over the months that are left. At the phases of sine and cosine alone
a tree that is shown one of the two cannot tell January from June, or from December: a row of its own says what that
costs. Persistence is the month before, the year taken as a circle; "months beside" the mean of it and the next.
One year gives no climatology and no anomalies.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from scipy.ndimage import uniform_filter

from ai4land.grid import Grid, grid_of
from ai4land.models.boosting import boost, quantile_matrix
from ai4land.models.leaf_trees import LeafTrees
from ai4land.regrid import area_mean
from ai4land.samples.predictors import RADII
from ai4land.sources import InputFile, find_files, open_input
from ai4land.sources.leaf_area_series import monthly_mean
from ai4land.sources.modis import open_modis_land_cover
from ai4land.targets import read_target
from ai4land.vegetation import MONTHS

DATASET, CELL, DAYS = "lai_modis_arcachon", 0.01, 8
TREES = LeafTrees()
ANGLE = 2 * np.pi * (np.arange(MONTHS) + 0.5) / MONTHS
PHASES = ANGLE[: MONTHS // 2]  # of the others the harmonic is the negative of one of these
REFERENCES = ("global_mean", "cell_mean", "persistence")


def monthly(lai: xr.Dataset) -> xr.DataArray:
    """Means of the months, (month, lat, lon)."""
    return monthly_mean(lai)["leaf_area_index"]


def on_cells(field: xr.DataArray, grid: Grid) -> np.ndarray:
    """Means by area in the run's cells, (n, y, x)."""
    return np.stack([area_mean(one, grid).to_numpy() for one in field])


def cells_inside(grid: Grid) -> Grid:
    """Cells of the global 0.01 degree grid inside another."""
    west, south, east, north = (edge / CELL for edge in grid.bounds)
    rows, cols = int(np.floor(north) - np.ceil(south)), int(np.floor(east) - np.ceil(west))
    return Grid(float(np.floor(north) * CELL), float(np.ceil(west) * CELL), CELL, CELL, rows, cols)


def without(lai: xr.Dataset, *months: int) -> xr.Dataset:
    """The series without the dates whose eight days touch a month (0 to 11)."""
    first = lai["time"].to_numpy().astype("datetime64[D]")
    ends = np.stack([day.astype("datetime64[M]").astype(int) % MONTHS for day in (first, first + DAYS - 1)])
    kept = xr.DataArray(~np.isin(ends, months).any(0), dims="time")
    return lai.assign(leaf_area_index=lai["leaf_area_index"].where(kept))


def around(field: np.ndarray, radius: int) -> np.ndarray:
    """Mean of the boxes around every cell over their part that has a value, (n, y, x)."""
    known, size = np.isfinite(field), (1, 2 * radius + 1, 2 * radius + 1)
    total, share = (uniform_filter(a.astype(float), size, mode="constant") for a in (np.nan_to_num(field), known))
    return total / np.where(share > 1e-9, share, np.nan)


def read(file: InputFile) -> tuple[xr.Dataset, Grid, np.ndarray, np.ndarray]:
    """The series, the cells, which of them count (y, x), and what does not move, (feature, y, x).

    A cell counts where the file covers all of it and at least half of it has leaf area.
    """
    lai = open_input([file])
    types = open_modis_land_cover(file, lai.attrs["version"])
    grid = cells_inside(grid_of(lai))
    covered = np.isfinite(types[0]).astype(float)
    seen = np.isfinite(lai["leaf_area_index"]).all("time").astype(float)
    covered, seen = on_cells(xr.concat([covered, seen], "of"), grid)
    shares = on_cells(types, grid)
    still = np.concatenate([shares, *(around(shares, radius) for radius in RADII)])
    return lai, grid, (covered > 0.999) & (seen >= 0.5), still


def rows(still: np.ndarray, months: list[int], phases: np.ndarray) -> np.ndarray:
    """Features of the cells (cell, feature) in each of some months, (month x cell, feature) float32."""
    turn = [np.broadcast_to(np.cos(ANGLE[m] - phases), (len(still), len(phases))) for m in months]
    return np.concatenate([np.concatenate([still, one], 1) for one in turn]).astype(np.float32)


def grown(still: np.ndarray, leaves: np.ndarray, month: int, stop: int, phases: np.ndarray = PHASES) -> np.ndarray:
    """What trees make of a month (cell,), from the leaf area of all months but this one (month, cell)."""
    learn = [m for m in range(MONTHS) if m not in (month, stop)]
    mean = leaves[learn].mean(dtype=float)
    tables = [
        (rows(still, part, phases), leaves[part].ravel(), np.full(leaves[part].size, mean)) for part in (learn, [stop])
    ]
    train, _ = quantile_matrix(tables[:1], 1)
    held, _ = quantile_matrix(tables[1:], 1, train)
    booster = boost(TREES._parameters(), train, int(TREES.settings["rounds"]), "", held)
    made = booster.inplace_predict(rows(still, [month], phases), base_margin=np.full(len(still), mean))
    return np.clip(made, *read_target("leaf_area_index").bounds)


def predictions(lai: xr.Dataset, grid: Grid, use: np.ndarray, still: np.ndarray, month: int) -> dict[str, np.ndarray]:
    """Every method's leaf area of a month that is left out, (cell,)."""
    stop = (month + MONTHS // 2) % MONTHS
    left = on_cells(monthly(without(lai, month)), grid)
    learnt = on_cells(monthly(without(lai, month, stop)), grid)
    known = np.where(np.arange(MONTHS)[:, None] == stop, left[:, use], learnt[:, use])
    mean = np.full((1, *use.shape), np.nan)
    mean[0, use] = np.nanmean(learnt[:, use], 0)
    places = np.concatenate([still, mean, around(mean, RADII[0])])
    return {
        "global_mean": np.full(use.sum(), np.nanmean(left[:, use])),
        "cell_mean": np.nanmean(left[:, use], 0),
        "persistence": left[month - 1][use],
        "months beside": (left[month - 1][use] + left[(month + 1) % MONTHS][use]) / 2,
        "xgboost": grown(still[:, use].T, known, month, stop),
        "xgboost, cell mean": grown(places[:, use].T, known, month, stop),
        "xgboost, sine and cosine alone": grown(still[:, use].T, known, month, stop, np.array([np.pi / 2, 0])),
    }


def score(truth: np.ndarray, made: np.ndarray, references: list[np.ndarray]) -> list[float]:
    """R2, RMSE, bias (m2 m-2), and misfit reductions, 1 - MSE / MSE of the reference."""
    error = ((made - truth) ** 2).mean()
    against = [1 - error / ((one - truth) ** 2).mean() for one in references]
    return [1 - error / truth.var(), np.sqrt(error), (made - truth).mean(), *against]


def score_all(truth: np.ndarray, made: dict[int, dict[str, np.ndarray]]) -> pd.DataFrame:
    """Scores of every method in each month that was left out, and in all of them; a row a method and month.

    ``truth`` is (month, cell); ``made`` has the predictions of months by their number, 0 to 11.
    """
    table, months = [], list(made)
    for name in made[months[0]]:
        for label, part in [("all", months), *((m + 1, [m]) for m in months)]:
            fields = {n: np.concatenate([made[m][n] for m in part]) for n in (name, *REFERENCES)}
            values = score(truth[part].ravel(), fields[name], [fields[n] for n in REFERENCES])
            table.append((name, label, truth[part].size, *values))
    columns = ["method", "month left out", "cells x months", "R2", "RMSE (m2 m-2)", "bias (m2 m-2)"]
    return pd.DataFrame(table, columns=[*columns, *(f"misfit reduction, {name}" for name in REFERENCES)])


def main() -> None:
    """Score, print and save."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("raw", type=Path, help="folder with the file, at any depth")
    lai, grid, use, still = read(find_files(DATASET, parser.parse_args().raw)[0])
    made = {month: predictions(lai, grid, use, still, month) for month in range(MONTHS)}
    table = score_all(on_cells(monthly(lai), grid)[:, use].astype(float), made)
    print(table[table["month left out"] == "all"].drop(columns="month left out").round(3).T.to_string(header=False))
    table.to_csv(Path(__file__).parent / "results" / "real-leaves.csv", index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
