"""Areas that are wanted are met, at the least cost in probability."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai4land.allocate import allocate, expected_change, expected_counts, round_counts


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(2, 8))
def test_rounded_counts_add_up_and_stay_within_one_cell(seed, blocks, classes):
    rng = np.random.default_rng(seed)
    total = rng.integers(0, 625, blocks)
    shares = rng.dirichlet(np.ones(classes), blocks).T * total
    counts = round_counts(shares, total)
    np.testing.assert_array_equal(counts.sum(0), total)
    assert (np.abs(counts - shares) < 1 + 1e-6).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_every_block_gets_the_wanted_areas_whatever_the_probabilities(seed):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(8, 0.3), (60, 70)).transpose(2, 0, 1).astype(np.float32)
    free = rng.random((60, 70)) < 0.8
    wanted = round_counts(expected_counts(p, free), np.rint(expected_counts(p, free).sum(0)).astype(int))
    labels = allocate(p, free, wanted)
    assert (labels[~free] == 255).all()
    made = expected_counts((labels == np.arange(8)[:, None, None]).astype(float), free)
    np.testing.assert_array_equal(made, wanted)


def test_the_cells_that_cost_least_are_taken():
    # One block of 2 x 2 cells, two classes. Most probable: class 0 everywhere; one cell must become class 1.
    # log(p1 / p0) is highest where p1 = 0.4.
    second = np.array([[0.1, 0.4], [0.2, 0.3]], np.float32)
    p = np.stack([1 - second, second])
    labels = allocate(p, np.ones((2, 2), bool), np.array([[3], [1]]))
    np.testing.assert_array_equal(labels, [[0, 1], [0, 0]])


def test_where_the_most_probable_classes_fit_nothing_is_moved():
    rng = np.random.default_rng(3)
    p = rng.dirichlet(np.ones(4), (25, 50)).transpose(2, 0, 1)
    best, free = p.argmax(0), np.ones((25, 50), bool)
    wanted = expected_counts((best == np.arange(4)[:, None, None]).astype(float), free).astype(int)
    np.testing.assert_array_equal(allocate(p, free, wanted), best)


def test_areas_that_do_not_add_up_are_refused():
    p = np.full((2, 2, 2), 0.5)
    with pytest.raises(ValueError, match="block 0 has 4 free cells, 5 are wanted"):
        allocate(p, np.ones((2, 2), bool), np.array([[3], [2]]))


def test_as_many_cells_change_as_is_expected_and_the_most_probable_ones():
    # Forest (4) in a row of ten; cropland (2) has probabilities 0.0, 0.1 ... 0.9, in sum 4.5: four cells go over
    # (Python rounds half to even), those of highest probability. Ocean stays.
    prior = np.array([[4] * 10 + [0]], np.uint8)
    p = np.zeros((8, 1, 11), np.float32)
    p[2, 0, :10] = np.arange(10) / 10
    p[4, 0, :10] = 1 - p[2, 0, :10]
    p[0, 0, 10] = 1
    made = expected_change(p, prior, prior != 0)
    np.testing.assert_array_equal(made, [[4] * 6 + [2] * 4 + [0]])
