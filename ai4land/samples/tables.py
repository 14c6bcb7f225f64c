"""Tables of cells and features for trees: what is at a cell, around it, and in its coarse cell."""

import numpy as np
from scipy import ndimage

from ai4land.grid import COARSE_CELLS
from ai4land.legend import NO_DATA, class_codes, read_legend
from ai4land.samples.arrays import Batch, refine_step
from ai4land.samples.cases import Case, learnable, thinned
from ai4land.samples.region import Region
from ai4land.samples.splits import RADII


def class_densities(prior: np.ndarray, radius: int, codes: np.ndarray) -> np.ndarray:
    """Share of each class among the visible cells of a box around each cell, itself included.

    Parameters
    ----------
    prior : numpy.ndarray, shape (y, x), uint8
        255 is hidden or no data.
    radius : int
        Half side of the box, cells: the box is ``2 * radius + 1`` wide.
    codes : numpy.ndarray, shape (class,)

    Returns
    -------
    numpy.ndarray, shape (class, y, x), float32
        Shares (1); 0 where the box holds no visible cell.
    """
    size = 2 * radius + 1

    def box(mask: np.ndarray) -> np.ndarray:
        # Sums of ones in float64 are exact; running sums in float32 are not.
        return ndimage.uniform_filter(mask.astype(float), size, mode="constant") * size**2

    visible = np.maximum(np.rint(box(prior != NO_DATA)), 1)
    return np.stack([np.rint(box(prior == code)) / visible for code in codes]).astype(np.float32)


def kernel_density(labels: np.ndarray, code: int, radius: int) -> np.ndarray:
    """Kernel density of one class: the mean over the neighbours of presence / squared distance.

    Parameters
    ----------
    labels : numpy.ndarray, shape (y, x), uint8
    code : int
    radius : int
        Half side of the square neighbourhood, cells; the cell itself is left out.

    Returns
    -------
    numpy.ndarray, shape (y, x), float64
        Densities (cells-2).

    References
    ----------
    Le Page et al. (2016), doi:10.5194/gmd-9-3055-2016; LandScaleR's ``kernelDensities``.
    """
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    square = (y**2 + x**2).astype(float)
    square[radius, radius] = np.inf
    return ndimage.correlate((labels == code).astype(float), 1 / square / (square.size - 1), mode="constant")


def relative_change(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of each class that a coarse cell loses on balance, and each class's share of what is lost there.

    Parameters
    ----------
    before, after : numpy.ndarray, shape (class, Y, X)
        Class fractions (1); NaN without data.

    Returns
    -------
    tuple of numpy.ndarray, shape (class, Y, X), float32
        Loss / fraction before (1, negative where the class grows) and gain / total loss (1).
    """
    before, after = np.nan_to_num(before), np.nan_to_num(after)
    change = after - before
    loss = np.where(before > 0, -change / np.maximum(before, 1e-6), 0)
    lost = np.maximum(-change, 0).sum(0)
    gain = np.where(lost > 0, np.maximum(change, 0) / np.maximum(lost, 1e-6), 0)
    return loss.astype(np.float32), gain.astype(np.float32)


def feature_table(batch: Batch, where: np.ndarray) -> dict[str, np.ndarray]:
    """Features of the wanted cells of a batch of one.

    Parameters
    ----------
    batch : Batch
    where : numpy.ndarray, shape (y, x), bool

    Returns
    -------
    dict of str to numpy.ndarray, shape (cells,), float32
        ``prior_<class>``, ``earlier_<map>_<class>`` and ``hidden`` (0 or 1); ``density_<radius>_<class>`` (1);
        ``kernel_density_<class>`` (cells-2); ``coarse_<cells>_<class>``, ``coarse_change_<cells>_<class>``,
        ``coarse_gain_<cells>_<class>`` and ``own_loss_<cells>`` (1, the last of the cell's prior class);
        every static under its name; ``years``.
    """
    legend = read_legend("land_use")
    codes, shape = class_codes(legend), (where.shape[0], where.shape[1])
    names = dict(zip(legend["code"], legend["name"], strict=True))
    prior = batch.prior[0]
    table = {f"prior_{names[c]}": (prior == c)[where].astype(np.float32) for c in codes}
    table["hidden"] = (prior == NO_DATA)[where].astype(np.float32)
    for number, before in enumerate(() if batch.earlier is None else batch.earlier[0], 1):
        table |= {f"earlier_{number}_{names[c]}": (before == c)[where].astype(np.float32) for c in codes}
    for radius in RADII:
        density = class_densities(prior, radius, codes)
        table |= {f"density_{radius}_{names[c]}": d[where] for c, d in zip(codes, density, strict=True)}
    table |= {f"kernel_density_{names[c]}": kernel_density(prior, c, 2)[where].astype(np.float32) for c in codes}
    own = np.where(prior == NO_DATA, 0, np.searchsorted(codes, prior))[where]
    for cells, pair in batch.coarse.items():
        before, after = refine_step(pair[0], cells, shape)[..., where]
        loss, gain = (refine_step(part, cells, shape)[:, where] for part in relative_change(*pair[0]))
        table[f"own_loss_{cells}"] = loss[own, np.arange(own.size)]
        for number, code in enumerate(codes):
            table[f"coarse_{cells}_{names[code]}"] = after[number]
            table[f"coarse_change_{cells}_{names[code]}"] = after[number] - before[number]
            table[f"coarse_gain_{cells}_{names[code]}"] = gain[number]
    for name, values in batch.states.items():
        table[f"luh2_{name}"] = refine_step(values[0], COARSE_CELLS, shape)[where]
    table |= {name: values[where].astype(np.float32) for name, values in batch.static.items()}
    table["years"] = np.full(int(where.sum()), batch.years[0], np.float32)
    return table


def feature_matrix(table: dict[str, np.ndarray]) -> np.ndarray:
    """Columns of a feature table side by side, shape (cells, features), float32."""
    return np.stack(list(table.values()), axis=1)


def transition_counts(cube: Region, cases: list[Case]) -> dict[int, np.ndarray]:
    """How often each class became each other one in the cells that cases learn from, by years between the maps.

    Of a cube too large for that, some of its cells are counted: those of `thinned`.

    Parameters
    ----------
    cube : Region
    cases : list of Case
        Training cases; a hidden prior counts as 255.

    Returns
    -------
    dict of int to numpy.ndarray, shape (256, 256), int64
        Negative years are backward; rows are the prior class.
    """
    count: dict[int, np.ndarray] = {}
    window = thinned(cube)
    for case in cases:
        where = learnable(cube, case, window)
        hidden = False if case.hidden is None else case.hidden[window]
        prior = np.where(hidden, NO_DATA, cube.field("land_use", case.prior_year, window))
        pairs = prior[where].astype(int) * 256 + cube.field("land_use", case.year, window)[where]
        gap = case.year - case.prior_year
        count[gap] = count.get(gap, 0) + np.bincount(pairs, minlength=65536).reshape(256, 256)
    return dict(sorted(count.items()))
