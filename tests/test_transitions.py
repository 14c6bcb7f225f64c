import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ai4land.models.cover_start import CODES, start_shares
from ai4land.models.green_tables import log_frequencies
from ai4land.models.start import transition_frequencies

CELLS = st.integers(0, 5000)


def of_land_use(counts: np.ndarray) -> np.ndarray:
    """Frequencies of forest and cropland (4, 2) by the rule of land use, of cells that were forest."""
    table = np.zeros((256, 256), np.int64)
    table[4, [2, 4]] = counts
    return transition_frequencies({1: table}, [2, 4])[1][4]


def of_land_cover(counts: np.ndarray) -> np.ndarray:
    """The same cells as classes 10 and 60 of land cover, on one land use that stayed, by the rule of its trees."""
    table = np.zeros((38, 18, 256), np.int64)
    table[np.searchsorted(CODES, 60) + 1, 3, [10, 60]] = counts
    return start_shares(table, [10, 60])[np.searchsorted(CODES, 60) + 1, 3]


def of_networks(counts: np.ndarray) -> np.ndarray:
    """The same cells by the rule of the networks of land cover."""
    table = np.zeros((1, 3, 2, 2))
    table[0, 1, 0] = counts
    return np.exp(log_frequencies(table)[0, 1, 0])


@given(arrays(np.int64, 2, elements=CELLS))
def test_all_models_smooth_transitions_alike(counts):
    # 0.5 cells of each class among all; half a cell more that stayed, half a cell of all; a cell of all years.
    every = (counts + 0.5) / (counts.sum() + 1)
    prior = (counts + (np.array([0, 1]) + every) / 2) / (counts.sum() + 1)
    np.testing.assert_allclose(of_land_use(counts), (counts + prior) / (counts.sum() + 1), rtol=1e-6)
    # Land cover has a group more between them, and one cell is drawn from: never further than a cell apart.
    for other in (of_land_cover(counts), of_networks(counts)):
        assert np.abs(other - of_land_use(counts)).max() <= 1 / (counts.sum() + 1)
        assert (other > 0).all() and np.isclose(other.sum(), 1)


def test_a_class_that_was_never_seen_is_more_likely_to_stay():
    table = np.zeros((256, 256), np.int64)
    table[4, 2], table[4, 4], table[2, 2] = 10, 900, 300
    frequencies = transition_frequencies({5: table, -5: table.T}, [1, 2, 4])
    assert frequencies[5][1].argmax() == 0 and frequencies[5][1, 0] > 0.5
    assert all((one > 0).all() and np.allclose(one.sum(1), 1) for one in frequencies.values())


def test_years_of_few_cells_are_drawn_towards_those_of_their_own_direction():
    forward, backward, few = (np.zeros((256, 256), np.int64) for _ in range(3))
    forward[4, [2, 4]] = 300, 700
    backward[4, [2, 4]] = 0, 1000
    frequencies = transition_frequencies({1: forward, 9: few, -1: backward}, [2, 4])
    assert abs(frequencies[9][4, 0] - 0.3) < 0.01 and frequencies[-1][4, 0] < 0.001
