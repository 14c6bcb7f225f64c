"""Whole numbers of cells that a map of a cube should have: those of the coarse input of an experiment."""

from dataclasses import dataclass

import numpy as np

from ai4land.allocate.counts import round_counts
from ai4land.allocate.targets import count_classes, fraction_numbers, luh2_pools, luh2_targets
from ai4land.experiments import Experiment
from ai4land.grid import COARSE_CELLS, block_index
from ai4land.legend import class_codes, read_legend
from ai4land.samples import Region, coarse_pair


@dataclass(frozen=True)
class Wanted:
    """Whole numbers of cells that a map should have, as `match_areas` takes them.

    Parameters
    ----------
    cells : int
        Side of a block, fine cells.
    numbers : numpy.ndarray, shape (pool, block), int64
        Cells of each pool; they add up to the free cells of the block.
    pools : numpy.ndarray, shape (class,), int64
        Row of ``numbers`` that each class belongs to; -1 for none.
    clipped : numpy.ndarray, shape (block,), float64
        Cells of managed growth for which there was no land.
    """

    cells: int
    numbers: np.ndarray
    pools: np.ndarray
    clipped: np.ndarray


def wanted_areas(cube: Region, experiment: Experiment, year: int, prior: np.ndarray, free: np.ndarray) -> Wanted:
    """Areas that the map of a year should have, from the coarse input of an experiment.

    Parameters
    ----------
    cube : Region
    experiment : Experiment
        Perfect coarse: all classes have the areas of the year's coarse cells, whatever is fixed taken off. LUH2:
        `luh2_targets` from the map of ``experiment.start``.
    year : int
    prior : numpy.ndarray, shape (y, x), uint8
        Map that is gone on from; 255 where hidden or without data.
    free : numpy.ndarray, shape (y, x), bool
        Cells to be given a class.

    Returns
    -------
    Wanted
    """
    codes = class_codes(read_legend("land_use"))
    perfect = experiment.coarse == "perfect"
    cells = min(experiment.coarse_cells) if perfect else COARSE_CELLS
    blocks = block_index((free.shape[0], free.shape[1]), cells)
    total = np.bincount(blocks[free], minlength=blocks.max() + 1)
    if perfect:
        numbers = fraction_numbers(coarse_pair(cube, year, year, cells, "perfect")[1], prior, free, cells)
        clipped = np.zeros(total.size)
    else:
        then, now = (cube.field("luh2_fraction", y).reshape(codes.size, -1) for y in (experiment.start, year))
        base = count_classes(cube.field("land_use", experiment.start), free, cells)
        targets = luh2_targets(base, then, now, np.bincount(blocks.ravel(), minlength=total.size))
        numbers, clipped = targets.cells, targets.clipped
    return Wanted(cells, round_counts(numbers, total), class_pools(experiment), clipped)


def class_pools(experiment: Experiment) -> np.ndarray:
    """Number of the pool of classes whose area is wanted together, by class code, int64; -1 for none."""
    perfect = experiment.coarse == "perfect"
    return np.arange(class_codes(read_legend("land_use")).size) if perfect else luh2_pools()
