"""Counts and sums of one predicted map that add up over tiles, years, folds and regions.

Land cells are those that carry a land class in the prior and in the observed map: all scores but the
IoU of ocean and water are taken over them.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from ai4land.grid import Grid, block_index
from ai4land.legend import NO_DATA, class_codes, read_legend

KEYS = ["experiment", "target", "legend", "model", "split", "fold", "region", "lead", "month", "member"]
RESOLUTIONS = (1, 2, 5, 10, 25, 50)  # side of the blocks that change is compared in, fine cells
BINS = 15  # of confidence, for the calibration error
LEAST_SHARE = 0.1  # a block counts for the area error where more of its cells than this are land


def _weights(shape: tuple[int, int], grid: Grid) -> Iterator[tuple[str, np.ndarray]]:
    yield "cells", np.ones(shape)
    yield "km2", np.broadcast_to(grid.cell_area()[:, None] * 1e-6, shape)


def _rows(statistic: str | list[str], weight: str, **columns: object) -> pd.DataFrame:
    empty = {"resolution": 1, "prior": -1, "observed": -1, "simulated": -1}
    return pd.DataFrame({"statistic": statistic, "weight": weight, **empty, **columns})


def no_data_code(legend: str) -> int:
    """Code that means no data in a legend: 255 in ``land_use``, 0 in ``land_cover``."""
    table = read_legend(legend)
    return int(table.loc[table["name"] == "no_data", "code"].item())


def _three_map(statistic: str, maps: tuple, where: np.ndarray, weight: str, value: np.ndarray,
               codes: np.ndarray) -> pd.DataFrame:  # fmt: skip
    """Cells (or km2) of every combination of prior, observed and simulated class."""
    n, place = codes.size, _places(codes)
    p, o, s = (place[m[where]] for m in maps)
    total = np.bincount((p * n + o) * n + s, weights=value[where], minlength=n**3)
    used = np.flatnonzero(total)
    return _rows(
        statistic, weight, prior=codes[used // n**2], observed=codes[used // n % n], simulated=codes[used % n],
        value=total[used],
    )  # fmt: skip


def _places(codes: np.ndarray) -> np.ndarray:
    """Place among the classes by code, (256,) int64; that of the last for codes that are none."""
    return np.minimum(np.searchsorted(codes, np.arange(256)), codes.size - 1)


def _sums(keys: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct keys, and the sum of the values of each."""
    distinct, inverse = np.unique(keys, return_inverse=True)
    return distinct, np.bincount(inverse, weights=value, minlength=distinct.size)


def _change_in_blocks(prior: np.ndarray, observed: np.ndarray, simulated: np.ndarray, block: np.ndarray,
                      value: np.ndarray) -> dict[str, float]:  # fmt: skip
    """Hits, misses, wrong hits and false alarms of the gross transitions in blocks, of flat land cells.

    In each block and for each class that cells leave, observed and simulated change are paired: first
    where they reach the same class (hits), then where they do not (wrong hits); what is left over is
    missed, or a false alarm. In blocks of one cell this is the three-map comparison itself.
    """
    n = 256

    def transitions(to: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        moved = to != prior
        return _sums((block[moved] * n + prior[moved]) * n + to[moved], value[moved])

    (seen_at, seen), (made_at, made) = transitions(observed), transitions(simulated)
    _, i, j = np.intersect1d(seen_at, made_at, assume_unique=True, return_indices=True)
    hit = np.minimum(seen[i], made[j])
    # By class left: what remains once the hits are taken off.
    leaves, where = np.unique(np.concatenate([seen_at, made_at]) // n, return_inverse=True)
    seen_in, made_in = where[: seen_at.size], where[seen_at.size :]
    hits = np.bincount(seen_in[i], weights=hit, minlength=leaves.size)
    seen_left = np.bincount(seen_in, weights=seen, minlength=leaves.size) - hits
    made_left = np.bincount(made_in, weights=made, minlength=leaves.size) - hits
    wrong = np.minimum(seen_left, made_left)
    parts = {
        "hits": hits,
        "wrong_hits": wrong,
        "misses": seen_left - wrong,
        "false_alarms": made_left - wrong,
    }
    return {name: float(part.sum()) for name, part in parts.items()}


def _areas_in_blocks(observed: np.ndarray, simulated: np.ndarray, block: np.ndarray, value: np.ndarray,
                     cells: int, land: np.ndarray) -> dict[str, float]:  # fmt: skip
    """Agreement of class areas in blocks, and the sum and number of their absolute area errors.

    ``observed`` and ``simulated`` are places among the classes, of flat cells; ``land`` says which classes are land.
    """
    size, n = int(block.max()) + 1, land.size

    def areas(place: np.ndarray) -> np.ndarray:
        return np.bincount(block * n + place, weights=value, minlength=size * n).reshape(size, n)

    seen, made = areas(observed), areas(simulated)
    enough = np.bincount(block, minlength=size) > LEAST_SHARE * cells**2
    error = np.abs(made - seen)[enough][:, land] / seen[enough].sum(1)[:, None]
    return {
        "agreement": float(np.minimum(seen, made).sum()), "total": float(seen.sum()),
        "area_error_sum": float(error.sum()), "area_error_number": float(error.size),
    }  # fmt: skip


def count_maps(
    prior: np.ndarray, observed: np.ndarray, simulated: np.ndarray, where: np.ndarray, grid: Grid,
    lasting: np.ndarray | None = None, legend: str = "land_use", resolutions: Sequence[int] = RESOLUTIONS,
) -> pd.DataFrame:  # fmt: skip
    """Counts of one predicted map, from which `score_counts` makes every score.

    Parameters
    ----------
    prior, observed, simulated : numpy.ndarray, shape (y, x), uint8
        Classes of a legend. Change is measured against ``prior``, the true prior map.
    where : numpy.ndarray, shape (y, x), bool
        Cells to judge; those without data in any of the three maps are left out.
    grid : Grid
        The cells, for their area and their blocks.
    lasting : numpy.ndarray, shape (y, x), uint8, optional
        The observed map without changes that do not last (`keep_lasting`).
    legend : str
        Stem of a file in ``data/legends``.
    resolutions : sequence of int
        Side of the blocks that change is compared in, fine cells.

    Returns
    -------
    pandas.DataFrame
        Columns statistic, weight ('cells' or 'km2'), resolution (fine cells), prior, observed,
        simulated (class codes, -1 where not used), value. Rows with equal keys add up.

    Raises
    ------
    ValueError
        If the three maps differ in shape.

    References
    ----------
    Pontius et al. (2008, 2011): three-map comparison and figure of merit,
    doi:10.1007/s00168-007-0138-2, doi:10.1080/01431161.2011.552923
    """
    maps = prior, observed, simulated
    if len({m.shape for m in (*maps, where)}) != 1 or prior.shape != grid.shape:
        raise ValueError(f"maps differ in shape: {[m.shape for m in (*maps, where)]}, grid {grid.shape}.")
    codes, land_codes = class_codes(read_legend(legend)), class_codes(read_legend(legend), land_only=True)
    missing = no_data_code(legend)
    judged = where & (prior != missing) & (observed != missing) & (simulated != missing)
    land = judged & np.isin(prior, land_codes) & np.isin(observed, land_codes)
    p, o, s = (m[land].astype(np.int64) for m in maps)
    blocks = {cells: block_index(grid.shape, cells)[land] for cells in (resolutions if land.any() else ())}
    is_land, observed_at, simulated_at = np.isin(codes, land_codes), *(_places(codes)[m] for m in (o, s))
    tables = []
    for weight, value in _weights(grid.shape, grid):
        sums: dict[tuple[str, int], float] = {}
        tables.append(_three_map("joint", maps, judged, weight, value, codes))
        if lasting is not None:
            kept = prior, lasting, simulated
            tables.append(_three_map("joint_lasting", kept, land & (lasting != missing), weight, value, codes))
        for cells, block in blocks.items():
            found = _change_in_blocks(p, o, s, block, value[land])
            found |= _areas_in_blocks(observed_at, simulated_at, block, value[land], cells, is_land)
            sums |= {(name, cells): total for name, total in found.items()}
        if sums:
            names, sides = zip(*sums, strict=True)
            tables.append(_rows(list(names), weight, resolution=sides, value=list(sums.values())))
    return pd.concat(tables, ignore_index=True)


def count_calibration(probability: np.ndarray, correct: np.ndarray, land: np.ndarray, grid: Grid) -> pd.DataFrame:
    """Counts by bin of confidence: number, sum of confidence, number correct.

    Parameters
    ----------
    probability : numpy.ndarray, shape (y, x), float32
        Probability of the predicted class (1).
    correct, land : numpy.ndarray, shape (y, x), bool
        Whether it was observed; cells to count.
    grid : Grid

    Returns
    -------
    pandas.DataFrame
        As `count_maps`; the bin stands in column ``resolution``.
    """
    p = probability[land].astype(float)
    which = np.minimum((p * BINS).astype(int), BINS - 1)
    tables = []
    for weight, value in _weights(grid.shape, grid):
        v = value[land]
        for name, amount in (("bin_total", v), ("bin_confidence", v * p), ("bin_correct", v * correct[land])):
            total = np.bincount(which, weights=amount, minlength=BINS)
            tables.append(_rows(name, weight, resolution=np.arange(BINS), value=total))
    return pd.concat(tables, ignore_index=True)


def keep_lasting(prior: np.ndarray, later: list[np.ndarray], no_data: int = NO_DATA) -> np.ndarray:
    """Observed map in which only changes that last are kept; the other cells keep their prior class.

    Parameters
    ----------
    prior : numpy.ndarray, shape (y, x), uint8
    later : list of numpy.ndarray
        Observed maps of the target year and of the years that follow in the direction of the steps:
        a change lasts where all of them agree.
    no_data : int
        Code that means no data.

    Returns
    -------
    numpy.ndarray, shape (y, x), uint8
        ``no_data`` where the target year has no data.
    """
    stable = np.all([m == later[0] for m in later[1:]], axis=0)
    return np.where(stable | (later[0] == no_data), later[0], prior).astype(np.uint8)


def counts_with_keys(counts: pd.DataFrame, **keys: str) -> pd.DataFrame:
    """Counts with the key columns of a case added; missing keys are 'all'."""
    fixed = {"target": "land_use", "legend": "land_use", "split": "test"}
    return counts.assign(**{k: keys.get(k, fixed.get(k, "all")) for k in KEYS})
