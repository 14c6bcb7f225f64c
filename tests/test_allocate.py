"""Areas that are wanted are met, at the least cost in probability."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from ai4land.allocate import expected_change, expected_counts, match_areas, round_counts, scale_areas


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(2, 8))
def test_rounded_counts_add_up_and_stay_within_one_cell(seed, blocks, classes):
    rng = np.random.default_rng(seed)
    total = rng.integers(0, 625, blocks)
    shares = rng.dirichlet(np.ones(classes), blocks).T * total
    counts = round_counts(shares, total)
    np.testing.assert_array_equal(counts.sum(0), total)
    assert (np.abs(counts - shares) < 1 + 1e-6).all()


def block_counts(labels, free, rows):
    blocks = expected_counts((labels == np.arange(rows)[:, None, None]).astype(float), free)
    return np.rint(blocks).astype(int)


def some_wanted(rng, p, free):
    """Whole numbers near to the expected ones, moved at random, that add up."""
    expected = expected_counts(p, free)
    moved = expected * rng.uniform(0.2, 3, expected.shape)
    return round_counts(moved, np.rint(expected.sum(0)).astype(int))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_every_block_gets_the_wanted_areas_whatever_the_probabilities(seed):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(8, 0.3), (60, 70)).transpose(2, 0, 1).astype(np.float32) + 1e-6
    free = rng.random((60, 70)) < 0.8
    p /= p.sum(0)
    wanted = some_wanted(rng, p, free)
    matched = match_areas(p, free, wanted)
    assert (matched.labels[~free] == 255).all() and (matched.residual == 0).all()
    np.testing.assert_array_equal(block_counts(matched.labels, free, 8), wanted)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_map_with_these_areas_is_more_probable(seed):
    # Independent tool: the assignment problem of SciPy, a column for every cell that a class may have.
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(5, 0.5), (10, 10)).transpose(2, 0, 1).astype(np.float32) + 1e-6
    free = np.ones((10, 10), bool)
    wanted = some_wanted(rng, p, free)
    labels = match_areas(p, free, wanted).labels
    score = np.log(p.reshape(5, -1).T.astype(float))
    columns = np.repeat(np.arange(5), wanted[:, 0])
    rows, chosen = linear_sum_assignment(-score[:, columns])
    best = score[rows, columns[chosen]].sum()
    assert np.take_along_axis(score, labels.reshape(-1, 1).astype(int), 1).sum() == pytest.approx(best, abs=1e-5)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_class_of_zero_probability_is_never_given_and_the_residual_says_so(seed):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(4, 0.5), (30, 25)).transpose(2, 0, 1).astype(np.float32)
    p[1] = 0
    p[2, :, :20] = 0  # class 2 in the last five columns only
    p[[0, 3]] += 1e-3
    free = np.ones((30, 25), bool)
    wanted = np.array([[300, 100], [10, 0], [200, 10], [115, 15]])
    matched = match_areas(p, free, wanted)
    got = block_counts(matched.labels, free, 4)
    assert (np.take_along_axis(p, matched.labels[None].astype(int), 0) > 0).all()
    np.testing.assert_array_equal(matched.residual, wanted - got)
    assert got[1].sum() == 0 and got[2, 0] == 125, "all that is possible is given"
    assert (matched.residual[:, 1] == 0).all()


def test_where_only_a_chain_of_moves_helps_it_is_taken():
    # All three cells are most probably 0. Class 2 is wanted once and only the first cell may have it; the others
    # trade places through class 1.
    p = np.zeros((3, 1, 3), np.float32)
    p[:, 0, 0] = [0, 0.9, 0.1]
    p[:, 0, 1] = [0.9, 0.1, 0]
    p[:, 0, 2] = [1, 0, 0]
    matched = match_areas(p, np.ones((1, 3), bool), np.array([[1], [1], [1]]))
    np.testing.assert_array_equal(matched.labels, [[2, 1, 0]])


def test_where_the_most_probable_classes_fit_nothing_is_moved():
    rng = np.random.default_rng(3)
    p = rng.dirichlet(np.ones(4), (25, 50)).transpose(2, 0, 1)
    best, free = p.argmax(0), np.ones((25, 50), bool)
    np.testing.assert_array_equal(match_areas(p, free, block_counts(best, free, 4)).labels, best)


def test_the_order_of_cells_does_not_matter_and_ties_break_by_a_seeded_hash():
    rng = np.random.default_rng(5)
    p = rng.dirichlet(np.full(6, 0.5), (50, 75)).transpose(2, 0, 1)
    free = rng.random((50, 75)) < 0.9
    wanted = some_wanted(rng, p, free)
    turned = [a.reshape(*a.shape[:-2], 2, 25, 3, 25)[..., ::-1, :, ::-1].reshape(a.shape) for a in (p, free)]
    straight, back = match_areas(p, free, wanted).labels, match_areas(*turned, wanted).labels
    np.testing.assert_array_equal(straight, back.reshape(2, 25, 3, 25)[:, ::-1, :, ::-1].reshape(50, 75))
    equal, everywhere = np.full((2, 25, 25), 0.5), np.ones((25, 25), bool)
    maps = [match_areas(equal, everywhere, np.array([[600], [25]]), seed=s).labels for s in (1, 1, 2)]
    np.testing.assert_array_equal(maps[0], maps[1])
    assert (maps[0] != maps[2]).any()
    rows = np.nonzero(maps[0])[0]
    assert len(set(rows)) > 8, "spread over the block, not its first row"


def test_pooled_classes_share_an_area_and_their_probabilities_divide_it():
    p = np.zeros((4, 1, 4), np.float32)
    p[:, 0] = [[0.6, 0.2, 0.5, 0.9], [0.1, 0.5, 0.1, 0.0], [0.3, 0.3, 0.4, 0.1], [0, 0, 0, 0]]
    matched = match_areas(p, np.ones((1, 4), bool), np.array([[2], [2]]), np.array([0, 1, 1, -1]))
    np.testing.assert_array_equal(matched.labels, [[0, 1, 2, 0]])  # pool 1: 0.8 and 0.5 against 0.4 and 0.1


def test_torch_gives_the_same_map_and_probabilities():
    rng = np.random.default_rng(8)
    p = rng.dirichlet(np.full(6, 0.5), (75, 50)).transpose(2, 0, 1).astype(np.float32)
    free = rng.random((75, 50)) < 0.9
    wanted = some_wanted(rng, p, free)
    on_torch = match_areas(p, free, wanted, device="cpu")
    np.testing.assert_array_equal(match_areas(p, free, wanted).labels, on_torch.labels)
    np.testing.assert_allclose(scale_areas(p, free, wanted), scale_areas(p, free, wanted, device="cpu"), atol=1e-6)


def test_scaled_probabilities_add_up_to_the_wanted_areas_and_zeros_stay():
    rng = np.random.default_rng(9)
    p = rng.dirichlet(np.full(6, 1.0), (50, 50)).transpose(2, 0, 1).astype(np.float32)
    p[5, :, :10] = 0
    p /= p.sum(0)
    free = rng.random((50, 50)) < 0.9
    wanted = expected_counts(p, free) * rng.uniform(0.8, 1.25, (6, 1))
    wanted *= expected_counts(p, free).sum(0) / wanted.sum(0)
    wanted = round_counts(wanted, np.rint(wanted.sum(0)).astype(int))
    q = scale_areas(p, free, wanted)
    np.testing.assert_allclose(expected_counts(q, free), wanted, atol=0.05)
    np.testing.assert_allclose(q[:, free].sum(0), 1, atol=1e-5)
    assert (q[5, :, :10] == 0)[free[:, :10]].all()
    np.testing.assert_array_equal(q[:, ~free], p[:, ~free])


def test_areas_that_do_not_add_up_and_probabilities_that_are_no_numbers_are_refused():
    p, free = np.full((2, 2, 2), 0.5), np.ones((2, 2), bool)
    with pytest.raises(ValueError, match="block 0 has 4 free cells, 5 are wanted"):
        match_areas(p, free, np.array([[3], [2]]))
    p[0, 1, 1] = np.nan
    with pytest.raises(ValueError, match="is not finite"):
        match_areas(p, free, np.array([[3], [1]]))


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
