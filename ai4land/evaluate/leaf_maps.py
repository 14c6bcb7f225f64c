"""Leaf area by cell: skill in time, and the difference between neighbours of two kinds."""

import numpy as np
from scipy import ndimage

MONTHS = 12
_LEAST = 1e-8  # m4 m-4: a variance below this is a rounding error


def anomaly_skill(
    observed: list[np.ndarray], simulated: list[np.ndarray], climatology: np.ndarray, least: int = MONTHS
) -> np.ndarray:
    """Correlation in time, in every cell, of predicted and observed anomalies from the monthly climatology.

    Parameters
    ----------
    observed, simulated : list of numpy.ndarray, shape (12, y, x)
        Seasons of the same years.
    climatology : numpy.ndarray, shape (12, y, x)
    least : int
        Months that a cell must have.

    Returns
    -------
    numpy.ndarray, shape (y, x), float64
        NaN where there are too few months, or no anomalies.
    """
    o, s = (np.concatenate([season - climatology for season in seasons]) for seasons in (observed, simulated))
    known = np.isfinite(o) & np.isfinite(s)
    n = np.maximum(known.sum(0), 1)
    o, s = (np.where(known, a, 0).astype(float) for a in (o, s))
    o, s = (np.where(known, a - a.sum(0) / n, 0) for a in (o, s))
    spread = np.sqrt((o**2).sum(0) * (s**2).sum(0)) / n
    defined = (known.sum(0) >= least) & (spread > _LEAST)
    return np.where(defined, (o * s).sum(0) / n / np.where(defined, spread, 1), np.nan)


def neighbour_difference(leaves: np.ndarray, here: np.ndarray, others: np.ndarray, radius: int = 12) -> np.ndarray:
    """Difference of leaf area between cells of one kind and those of another around them.

    Parameters
    ----------
    leaves : numpy.ndarray, shape (12, y, x)
    here, others : numpy.ndarray, shape (y, x), bool
        Cells of either kind.
    radius : int
        Half side of the box that is looked at around each cell of ``here``, cells.

    Returns
    -------
    numpy.ndarray, shape (12, y, x), float64
        Mean of ``others`` minus mean of ``here`` in the box, at cells of ``here``; NaN elsewhere, and where there are
        no others.
    """
    size, out = 2 * radius + 1, []
    for month in leaves:
        means = []
        for kind in (others, here):
            known = kind & np.isfinite(month)
            total = ndimage.uniform_filter(np.where(known, month, 0).astype(float), size, mode="constant")
            share = ndimage.uniform_filter(known.astype(float), size, mode="constant")
            means.append(np.where(share > 0.5 / size**2, total / np.maximum(share, 0.5 / size**2), np.nan))
        out.append(np.where(here, means[0] - means[1], np.nan))
    return np.stack(out)
