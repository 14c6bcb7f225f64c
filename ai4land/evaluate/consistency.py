"""Do leaf area and class maps of one prediction fit together, and does the error that it states hold?"""

import numpy as np
import pandas as pd

SHARES = 10  # groups of equal size, by stated error


def class_misfit(leaves: np.ndarray, group: np.ndarray, seasons: np.ndarray, where: np.ndarray) -> float:
    """Distance of leaf area from the mean season of its class of land cover.

    Part of it is no fault: cells of a class differ. So it is compared with that of the observed maps.

    Parameters
    ----------
    leaves : numpy.ndarray, shape (12, y, x)
        Leaf area index, m2 m-2; NaN is left out.
    group : numpy.ndarray, shape (y, x), int
        Row of ``seasons`` that the cell's class has.
    seasons : numpy.ndarray, shape (class, 12)
        Mean leaf area of the classes in the training years, m2 m-2.
    where : numpy.ndarray, shape (y, x), bool
        Cells to judge.

    Returns
    -------
    float
        Root mean square difference over months and cells, m2 m-2; NaN without any.
    """
    off = leaves[:, where] - seasons[group[where]].T
    known = np.isfinite(off)
    return float(np.sqrt(np.mean(off[known].astype(float) ** 2))) if known.any() else float("nan")


def spread_table(observed: np.ndarray, simulated: np.ndarray, error: np.ndarray, where: np.ndarray) -> pd.DataFrame:
    """Stated against found error of leaf area, in ten groups of as many months of cells, by stated error.

    Parameters
    ----------
    observed, simulated : numpy.ndarray, shape (12, y, x)
        m2 m-2; NaN is left out.
    error : numpy.ndarray, shape (12, y, x)
        Standard deviation that the model states, m2 m-2.
    where : numpy.ndarray, shape (y, x), bool
        Cells to judge.

    Returns
    -------
    pandas.DataFrame
        Columns stated and rmse (m2 m-2), within (share of months of cells whose error is below the stated one; 0.68 of
        a normal distribution), cells.
    """
    off = np.abs(simulated - observed)
    known = where & np.isfinite(off) & np.isfinite(error)
    stated, off = (part[known].astype(float) for part in (error, off))
    order = np.argsort(stated, kind="stable")
    rows = []
    for part in np.array_split(order, SHARES):
        rms = [np.mean(values[part] ** 2) ** 0.5 if part.size else np.nan for values in (stated, off)]
        rows.append((*rms, (off[part] < stated[part]).mean() if part.size else np.nan, part.size))
    return pd.DataFrame(rows, columns=["stated", "rmse", "within", "cells"])
