"""Where a model starts before it has learned of places: what each class became, scaled to the coarse cell's areas."""

import numpy as np

from ai4land.allocate import fraction_numbers, scale_areas
from ai4land.legend import NO_DATA, class_codes, read_legend
from ai4land.models.transitions import all_cells, by_prior_class, drawn_towards
from ai4land.samples import Batch, refine_step

LEAST = 1e-4  # probability that a start gives at least
LAYERS = [f"start_{code}" for code in class_codes(read_legend("land_use"))]  # names as layers of a batch


def transition_frequencies(counts: dict[int, np.ndarray], classes: list[int]) -> dict[int, np.ndarray]:
    """Frequencies of the classes that each prior class became, by years between the maps.

    Parameters
    ----------
    counts : dict of int to numpy.ndarray, shape (256, 256) or (class, class)
        Cells, of `ai4land.samples.transition_counts`; rows are the prior class.
    classes : list of int
        Codes that may follow.

    Returns
    -------
    dict of int to numpy.ndarray, shape (256, class), or (class, class)
        See `ai4land.models.transitions`; years of one direction are those that rows of few cells are drawn towards.
    """
    out: dict[int, np.ndarray] = {}
    for gaps in ([gap for gap in counts if gap < 0], [gap for gap in counts if gap >= 0]):
        if not gaps:
            continue
        tables = {gap: counts[gap][:, classes] for gap in gaps}
        every = np.sum(list(tables.values()), axis=0)
        stays = (np.arange(len(every))[:, None] == np.array(classes)).astype(float)
        prior = by_prior_class(every, stays, all_cells(every.sum(0)))
        out |= {gap: drawn_towards(table, prior) for gap, table in tables.items()}
    return out


def start_shares(batch: Batch, transitions: dict[int, np.ndarray], classes: list[int]) -> np.ndarray:
    """Shares of the classes in each cell of a whole region before a model has learned of places.

    Those of its prior class after about as many years; of the coarse cell where the prior is hidden. Where the coarse
    input is perfect, they are scaled until they add up to its areas (iterative proportional fitting).

    Parameters
    ----------
    batch : Batch
        Of one; its coarse fields begin with its cells.
    transitions : dict
        Of `transition_frequencies`.
    classes : list of int

    Returns
    -------
    numpy.ndarray, shape (class of the legend, y, x), float32
    """
    nearest = min(transitions, key=lambda gap: (abs(gap - float(batch.years[0])), gap))
    codes, land = class_codes(read_legend("land_use")), class_codes(read_legend("land_use"), land_only=True)
    prior, cells = batch.prior[0], min(batch.coarse)
    chosen = np.searchsorted(codes, classes)
    fraction = batch.coarse[cells][0, 1]
    fine = refine_step(np.nan_to_num(fraction[chosen]), cells, (prior.shape[0], prior.shape[1])) + 1e-3
    hidden = prior == NO_DATA
    free = batch.valid[0] & (np.isin(prior, land) | hidden)
    shares = np.zeros((codes.size, *prior.shape), np.float32)
    shares[chosen] = np.where(hidden, fine / fine.sum(0), transitions[nearest][prior].transpose(2, 0, 1))
    if not batch.states:  # the coarse input is perfect
        shares = scale_areas(shares, free, fraction_numbers(fraction, prior, free, cells), cells=cells)
    return shares


def start_layers(batch: Batch, transitions: dict[int, np.ndarray], classes: list[int]) -> dict[str, np.ndarray]:
    """Log of `start_shares` as layers of a batch, each (y, x) float32."""
    shares = np.log(np.maximum(start_shares(batch, transitions, classes), LEAST))
    return dict(zip(LAYERS, shares, strict=True))
