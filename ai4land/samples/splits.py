"""What a model may see: splits by year and by spatial block.

No test label enters a split's training or validation cases. In a spatial split with a hidden prior,
the maps inside held-out blocks are hidden as input too, with a buffer of the receptive field.
"""

import hashlib

import numpy as np
from scipy import ndimage

from ai4land.grid import block_index, hash_unit
from ai4land.legend import NO_DATA
from ai4land.runs import Experiment
from ai4land.samples.arrays import Batch, make_batch
from ai4land.samples.cases import Case, Split, earlier_years
from ai4land.samples.patches import hide_patches
from ai4land.samples.region import Region

RADII = (1, 2, 4, 8, 16)  # fine cells: densities of a class in boxes of 3 to 33 cells
BUFFER = max(RADII)  # fine cells: the receptive field of the neighbourhood features


def _known(cube: Region, experiment: Experiment) -> list[int]:
    """Years whose maps may be known when test years are predicted: the start and those on its other side."""
    step = 1 if experiment.targets[0] > experiment.start else -1
    return [year for year in cube.years("land_use") if (year - experiment.start) * step <= 0]


def deal_folds(valid: np.ndarray, cells: int, folds: int, seed: int) -> np.ndarray:
    """Spatial fold of each cell: square blocks dealt at random, in equal numbers, to the folds.

    Parameters
    ----------
    valid : numpy.ndarray, shape (y, x), bool
        Cells that count; blocks without any are not dealt.
    cells : int
        Side of a block, fine cells, from the north-west corner.
    folds : int
    seed : int

    Returns
    -------
    numpy.ndarray, shape (y, x), int8
        0 to ``folds - 1``; -1 in blocks without valid cells.

    Raises
    ------
    ValueError
        If there are fewer blocks than folds.
    """
    shape = (valid.shape[0], valid.shape[1])
    blocks = block_index(shape, cells)
    used = np.unique(blocks[valid])
    if used.size < folds:
        raise ValueError(
            f"{used.size} blocks of {cells} x {cells} cells with data cannot fill {folds} folds; "
            "use fewer folds or smaller blocks (fold_cells)."
        )
    fold = np.full(blocks.max() + 1, -1, np.int8)
    fold[np.random.default_rng(seed).permutation(used)] = np.arange(used.size) % folds
    return fold[blocks]


def _dilated(mask: np.ndarray, cells: int) -> np.ndarray:
    return ndimage.maximum_filter(mask, 2 * cells + 1, mode="constant", cval=0)


def _spatial_split(name: str, experiment: Experiment, cube: Region, fold: int, seed: int) -> Split:
    folds = spatial_folds(cube, experiment, seed)
    here = folds == fold
    test_hidden = _dilated(here, BUFFER)

    known = _known(cube, experiment)

    def case(year: int, where: np.ndarray, hidden: np.ndarray | None = None) -> Case:
        earlier = earlier_years(experiment.start, year, experiment.priors, known)
        return Case(experiment.start, year, where, hidden, earlier)

    def cases(*of: int) -> list[Case]:
        """Cases that learn from some folds; where priors are hidden, each in its turn is hidden like the test fold."""
        if not experiment.hide_prior:
            return [case(year, np.isin(folds, of)) for year in experiment.targets]
        masks = [(folds == k, _dilated(here | (folds == k), BUFFER)) for k in of]
        seen = [(where if fold in of else where & ~test_hidden, hidden) for where, hidden in masks]
        return [case(year, where, hidden) for year in experiment.targets for where, hidden in seen]

    stopping = (fold + 1) % experiment.folds
    train = cases(*(k for k in range(experiment.folds) if k not in (fold, stopping)))
    return Split(name, experiment.coarse_cells, fold, train, cases(stopping), cases(fold), True, experiment.statics,
                 experiment.coarse)  # fmt: skip


def _year_cases(
    prior_years: range, years: range, longest: int, where: np.ndarray | None, priors: int
) -> list[Case]:  # fmt: skip
    return [
        Case(y + sign * gap, y, where, None, earlier_years(y + sign * gap, y, priors, prior_years))
        for y in years for gap in range(1, longest + 1) for sign in (-1, 1)
        if y + sign * gap in prior_years
    ]  # fmt: skip


def _test_cases(
    cube: Region, experiment: Experiment, hidden: np.ndarray | None = None, where: np.ndarray | None = None
) -> list[Case]:
    start, known = experiment.start, _known(cube, experiment)
    return [
        Case(start, y, where, hidden, earlier_years(start, y, experiment.priors, known)) for y in experiment.targets
    ]


def first_case(cube: Region, experiment: Experiment) -> Case:
    """Case of the first test year: what is known when a rollout starts."""
    return _test_cases(cube, experiment)[0]


def _drawn_blocks(cube: Region, cells: int, seed: int) -> np.ndarray:
    """A number in [0, 1) of each block of cells, counted from 90 N and 180 W: a region and the whole run agree."""
    grid = cube.grid
    row, col = (
        (round(first / size) + np.arange(n)) // cells
        for first, size, n in ((90 - grid.north, grid.dlat, grid.rows), (grid.west + 180, grid.dlon, grid.cols))
    )
    return hash_unit(seed, row[:, None], col[None, :])


def held_out(cube: Region, experiment: Experiment, seed: int) -> np.ndarray:
    """Cells of the spatial blocks that a split by years holds out in every year, (y, x) bool."""
    if not experiment.held_blocks:
        return np.zeros(cube.grid.shape, bool)
    return _drawn_blocks(cube, experiment.fold_cells, seed) < 1 / experiment.held_blocks


def spatial_folds(cube: Region, experiment: Experiment, seed: int) -> np.ndarray:
    """Spatial fold of each cell, (y, x) int; -1 where there is none. In a split by years too, drawn block by block."""
    valid = cube.field("land_use", experiment.start) != NO_DATA
    if experiment.train is None:
        return deal_folds(valid, experiment.fold_cells, experiment.folds, seed)
    drawn = _drawn_blocks(cube, experiment.fold_cells, seed + 1)
    return np.where(valid, (drawn * experiment.folds).astype(int), -1)


def _year_split(name: str, experiment: Experiment, cube: Region, fold: int | None, seed: int) -> Split:
    where = ~held_out(cube, experiment, seed) if experiment.held_blocks else None
    here = None if fold is None else spatial_folds(cube, experiment, seed) == fold
    if here is not None:
        where = ~here if where is None else where & ~here
    train, held = experiment.learned("train"), experiment.learned("validation")
    both = range(min(train[0], held[0]), max(train[-1], held[-1]) + 1)
    longest = max(abs(year - experiment.start) for year in experiment.targets)
    forward = experiment.targets[0] > experiment.start
    # Validation asks the test's question: steps in the test's direction, into years not trained on.
    priors = experiment.priors
    asked = [c for c in _year_cases(both, held, longest, where, priors) if (c.year > c.prior_year) == forward]
    learned = _year_cases(train, train, longest, where, priors)
    return Split(name, experiment.coarse_cells, fold, learned, asked, _test_cases(cube, experiment, where=here),
                 statics=experiment.statics, coarse=experiment.coarse)  # fmt: skip


def masked(cube: Region, experiment: Experiment, seed: int) -> np.ndarray:
    """Cells whose prior an experiment hides in random patches, the same in all its test years, (y, x) bool."""
    return hide_patches(cube.grid.shape, experiment.mask_ratio, np.random.default_rng([seed, experiment.start]))


def _borrowed_split(name: str, experiment: Experiment, cube: Region, seed: int) -> Split:
    """Test cases only: the models are another experiment's."""
    hidden = masked(cube, experiment, seed) if experiment.mask_ratio else None
    test = _test_cases(cube, experiment, hidden)
    return Split(
        name, experiment.coarse_cells, None, [], [], test, statics=experiment.statics, coarse=experiment.coarse
    )


def make_split(name: str, experiment: Experiment, cube: Region, fold: int | None, seed: int) -> Split:
    """Cases that an experiment trains on, stops by, and is judged on.

    Parameters
    ----------
    name : str
        Name of the experiment.
    experiment : Experiment
    cube : Region
    fold : int, optional
        Which spatial fold is held out; None where there are none.
    seed : int

    Returns
    -------
    Split
    """
    if experiment.trained_as is not None:
        return _borrowed_split(name, experiment, cube, seed)
    if fold is None or experiment.train is not None:
        return _year_split(name, experiment, cube, fold, seed)
    return _spatial_split(name, experiment, cube, fold, seed)


def case_batch(cube: Region, split: Split, case: Case) -> Batch:
    """Inputs of one case as its split allows them."""
    earlier = [cube.field("land_use", year) for year in case.earlier]
    return make_batch(
        cube, case.prior_year, case.year, split.coarse_cells, case.hidden, split.statics, split.coarse, None, earlier
    )


def data_digest(cube: Region, cases: list[Case]) -> str:
    """Hash of what is learned from: the region's maps, layers and LUH2, and the cases."""
    data = hashlib.sha256()
    for name in ("luh2_state", "land_use", *cube.static):
        for year in cube.layer(name).years or (None,) if name in cube else ():
            data.update(np.ascontiguousarray(cube.field(name, year)).tobytes())
    for case in cases:
        data.update(f"{case.prior_year} {case.year} {case.earlier}".encode())
        for mask in (case.where, case.hidden):
            data.update(b"" if mask is None else mask.tobytes())
    return data.hexdigest()
