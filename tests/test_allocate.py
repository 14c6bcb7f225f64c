"""Areas that are wanted are met, at the least cost in probability."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.stats import chisquare, nchypergeom_wallenius

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


def best_value(score, wanted):
    """Independent tool: the assignment problem of SciPy, a column for every cell that a class may have."""
    columns = np.repeat(np.arange(len(wanted)), wanted)
    rows, chosen = linear_sum_assignment(-score[:, columns])
    return score[rows, columns[chosen]].sum()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_map_with_these_areas_is_more_probable(seed):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(5, 0.5), (10, 10)).transpose(2, 0, 1).astype(np.float32) + 1e-6
    free = np.ones((10, 10), bool)
    wanted = some_wanted(rng, p, free)
    labels = match_areas(p, free, wanted).labels
    score = np.log(p.reshape(5, -1).T.astype(float))
    best = best_value(score, wanted[:, 0])
    assert np.take_along_axis(score, labels.reshape(-1, 1).astype(int), 1).sum() == pytest.approx(best, abs=1e-5)


def a_year(rng, rows, cols, moves, steps=0):
    """Prior map of patches, probabilities that mostly stay with it, and wanted numbers some moves away from it.

    ``steps`` makes probabilities multiples of 1 / steps, so that many cells tie.
    """
    prior = rng.integers(1, 7, (rows // 5, cols // 5)).repeat(5, 0).repeat(5, 1).astype(np.uint8)
    logits = rng.normal(-5, 1.5, (8, rows, cols))
    np.put_along_axis(logits, prior[None].astype(int), 0, 0)
    p = np.exp(logits) / np.exp(logits).sum(0)
    p = (np.maximum(np.rint(p * steps), 1) / steps if steps else p).astype(np.float32)
    free = np.ones((rows, cols), bool)
    number = block_counts(prior, free, 8)
    blocks = np.arange(number.shape[1])
    for _ in range(moves):
        number[number.argmax(0), blocks] -= 1
        number[rng.integers(1, 7, blocks.size), blocks] += 1
    return prior, p, free, number


@pytest.mark.parametrize("sweeps", [0, 4])
@pytest.mark.parametrize("steps", [0, 20])
@pytest.mark.parametrize("moves", [1, 5, 200])
def test_no_map_is_more_probable_where_few_cells_change_with_or_without_first_prices(moves, steps, sweeps, monkeypatch):
    monkeypatch.setattr("ai4land.allocate.transport._SWEEPS", sweeps)
    _, p, free, wanted = a_year(np.random.default_rng(moves), 25, 50, moves, steps)
    labels = match_areas(p, free, wanted).labels
    for block, part in enumerate((np.s_[:, :25], np.s_[:, 25:])):
        score = np.log(p[:, *part].reshape(8, -1).T.astype(float))
        value = np.take_along_axis(score, labels[part].reshape(-1, 1).astype(int), 1).sum()
        assert value == pytest.approx(best_value(score, wanted[:, block]), abs=1e-6)


@pytest.mark.parametrize("draw", [None, 4])
def test_a_tile_gets_the_cells_that_the_whole_field_gives_it_even_where_cells_tie(draw, monkeypatch):
    prior, p, free, wanted = a_year(np.random.default_rng(6), 100, 75, 8, steps=20)
    whole = match_areas(p, free, wanted, prior=prior, draw=draw).labels
    for row, col, rows, cols in [(50, 25, 50, 50), (0, 50, 25, 25), (25, 0, 75, 25)]:
        part = np.s_[row : row + rows, col : col + cols]
        blocks = np.arange(12).reshape(4, 3)[row // 25 : (row + rows) // 25, col // 25 : (col + cols) // 25].ravel()
        tile = match_areas(p[:, *part], free[part], wanted[:, blocks], prior=prior[part], draw=draw, corner=(row, col))
        np.testing.assert_array_equal(tile.labels, whole[part])
    monkeypatch.setattr("ai4land.allocate.strips._CELLS_AT_ONCE", 2 * 25 * 75)
    monkeypatch.setattr("ai4land.allocate.strips._BLOCKS_AT_ONCE", 2)
    np.testing.assert_array_equal(match_areas(p, free, wanted, prior=prior, draw=draw).labels, whole)


def test_memory_beyond_the_map_does_not_grow_with_the_field():
    # Two million cells more: a byte each for their map; their probabilities hold eight.
    peaks = []
    for rows in (2000, 4000):
        p, free = np.full((2, rows, 1000), 0.25, np.float32), np.ones((rows, 1000), bool)
        p[0] += 0.5
        wanted = np.repeat([[600], [25]], rows // 25 * 40, 1)
        wanted[:, 100:] = [[625], [0]]
        tracemalloc.start()
        match_areas(p, free, wanted)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 1.5 * 2e6


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


def test_a_draw_is_a_sample_without_replacement_weighted_by_the_odds():
    # Blocks of 25 cells of class 0; ten have odds 0.1 / 0.9 of class 1, the others 0.02 / 0.98; six are to change. The
    # number among the ten follows Wallenius' distribution, that of drawing one after the other without putting back.
    favoured = np.tile(np.arange(25).reshape(5, 5) < 10, (100, 100))
    p = np.where(favoured, 0.1, 0.02)
    p = np.stack([1 - p, p]).astype(np.float32)
    free, prior = np.ones((500, 500), bool), np.zeros((500, 500), np.uint8)
    wanted = np.repeat([[19], [6]], 10000, 1)
    drawn = match_areas(p, free, wanted, cells=5, prior=prior, draw=1).labels
    among = (drawn * favoured).reshape(100, 5, 100, 5).sum((1, 3)).ravel()
    odds = (0.1 / 0.9) / (0.02 / 0.98)
    expected = nchypergeom_wallenius.pmf(np.arange(7), 25, 10, 6, odds) * 10000
    seen = np.bincount(among, minlength=7)
    assert chisquare([seen[:3].sum(), *seen[3:]], [expected[:3].sum(), *expected[3:]]).pvalue > 0.01
    often = drawn.reshape(100, 5, 100, 5).sum((0, 2))[:2]
    assert chisquare(often.ravel()).pvalue > 0.01, "cells of equal odds are drawn equally often"


def test_a_draw_changes_other_cells_but_as_many_from_each_class_to_each():
    rng = np.random.default_rng(12)
    prior, p, free, wanted = a_year(rng, 75, 100, 12)
    p[:, :5, :5] = p[[0, 3, 2, 1, 4, 5, 6, 7], :5, :5]  # some change that no area asks for
    prior[rng.random(prior.shape) < 0.05] = 255
    control = match_areas(p, free, wanted).labels
    drawn = [match_areas(p, free, wanted, prior=prior, draw=seed).labels for seed in (1, 1, 2)]
    for labels in drawn:
        for a in np.unique(prior):
            np.testing.assert_array_equal(
                block_counts(labels, prior == a, 8), block_counts(control, prior == a, 8), err_msg=f"from {a}"
            )
    np.testing.assert_array_equal(drawn[0], drawn[1])
    moved = [(labels != prior) & (prior != 255) for labels in (control, *drawn[1:])]
    assert all(0 < (m & n).sum() < 0.5 * m.sum() for m, n in [moved[:2], moved[1:], moved[::2]])


def test_no_cell_of_a_drawn_rollout_changes_twice_while_one_class_only_grows():
    # A change costs 4 to 7 of log odds, so that two in place of one never pay: the control changes as asked.
    prior, _, free, wanted = a_year(np.random.default_rng(13), 25, 50, 0)
    first, changes = prior, np.zeros(prior.shape, int)
    logits = np.random.default_rng(14).uniform(-7, -4, (8, 25, 50)).astype(np.float32)
    for _ in range(40):
        donor = np.where(np.arange(8)[:, None] == 2, -1, wanted).argmax(0)
        wanted[donor, [0, 1]] -= 3
        wanted[2] += 3
        staying = logits.copy()
        np.put_along_axis(staying, prior[None].astype(int), 0, 0)
        drawn = match_areas(np.exp(staying), free, wanted, prior=prior, draw=7).labels
        changes += drawn != prior
        prior = drawn
    assert changes.max() == 1 and changes.sum() == (prior != first).sum() == 40 * 3 * 2


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
    with pytest.raises(ValueError, match="give the prior map"):
        match_areas(p, free, np.array([[3], [1]]), draw=1)
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
