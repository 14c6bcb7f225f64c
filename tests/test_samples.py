from dataclasses import replace

import numpy as np
import pytest
from conftest import make_cube

from ai4land.models.baselines import KernelDensity
from ai4land.models.neural import Neural
from ai4land.models.trees import Trees
from ai4land.runs import Experiment
from ai4land.samples import (
    RADII,
    case_batch,
    class_densities,
    deal_folds,
    feature_table,
    held_out,
    learnable,
    make_split,
    refine_step,
    spatial_folds,
)
from ai4land.train import Schedule

FORECAST = Experiment(start=1995, train=(1980, 1992), validation=(1993, 1995), test=(1996, 2005))
HINDCAST = Experiment(start=1995, train=(1998, 2009), validation=(1995, 1997), test=(1985, 1994))
SHARED = Experiment(start=1995, test=(2000, 2000), folds=4, fold_cells=25)
HIDDEN = Experiment(start=1995, test=(2000, 2000), folds=4, fold_cells=25, hide_prior=True)


def small_trees():
    return Trees(rounds=8, rows=4000, cases=6, seed=3)


def test_folds_are_whole_blocks_dealt_evenly_and_repeatably():
    valid = np.ones((100, 130), bool)
    valid[:25, :25] = False
    folds = deal_folds(valid, 25, 5, seed=7)
    blocks = {(r // 25, c // 25): set() for r in range(100) for c in range(130)}
    for (r, c), fold in np.ndenumerate(folds):
        blocks[r // 25, c // 25].add(int(fold))
    assert all(len(v) == 1 for v in blocks.values())
    assert blocks[0, 0] == {-1}
    dealt = [v.pop() for v in blocks.values()]
    sizes = [dealt.count(k) for k in range(5)]
    assert max(sizes) - min(sizes) <= 1
    assert (folds == deal_folds(valid, 25, 5, seed=7)).all()


def test_more_folds_than_blocks_are_refused():
    with pytest.raises(ValueError, match="1 blocks of 50 x 50 cells.*5 folds"):
        deal_folds(np.ones((40, 40), bool), 50, 5, 0)


@pytest.mark.parametrize("experiment", [FORECAST, HINDCAST])
def test_year_splits_never_touch_a_test_year(changing_cube, experiment):
    split = make_split("e", experiment, changing_cube, None, 1)
    learned = {y for c in split.train for y in (c.prior_year, c.year)}
    stopped = {y for c in split.validation for y in (c.prior_year, c.year)}
    first, last = experiment.test
    assert not (learned | stopped) & set(range(first, last + 1))
    assert learned <= set(range(experiment.train[0], experiment.train[1] + 1))
    assert not learned & set(range(experiment.validation[0], experiment.validation[1] + 1))
    assert all(c.prior_year == experiment.start for c in split.test)
    # Both directions are trained; validation asks the test's direction only.
    assert {np.sign(c.year - c.prior_year) for c in split.train} == {-1, 1}
    sign = 1 if experiment is FORECAST else -1
    assert {np.sign(c.year - c.prior_year) for c in split.validation} == {sign}


@pytest.mark.parametrize("experiment", [SHARED, HIDDEN])
def test_every_cell_is_tested_once_and_never_by_a_model_that_learned_from_it(changing_cube, experiment):
    tested = np.zeros((100, 100), int)
    for fold in range(4):
        split = make_split("e", experiment, changing_cube, fold, 1)
        here = split.test[0].where
        tested += here
        for case in split.train + split.validation:
            assert not (learnable(changing_cube, case) & here).any()
    assert (tested == 1).all()


def test_hidden_prior_covers_the_held_out_blocks_and_the_receptive_field(changing_cube):
    split = make_split("e", HIDDEN, changing_cube, 0, 1)
    case = split.test[0]
    batch = case_batch(changing_cube, split, case)
    rows, cols = np.nonzero(case.where)
    reach = max(RADII)
    for r, c in list(zip(rows, cols, strict=True))[::97]:
        around = batch.prior[0, max(r - reach, 0) : r + reach + 1, max(c - reach, 0) : c + reach + 1]
        assert (around == 255).all()
    # Training cells see nothing of the held-out blocks either.
    for train in split.train:
        assert (case_batch(changing_cube, split, train).prior[0][case.where] == 255).all()
        assert train.hidden[learnable(changing_cube, train)].all()


def with_marker(cube, change):
    """The cube with its maps changed by ``change(year, map)``, and its coarse fractions made anew."""
    return make_cube({y: change(y, cube.field("land_use", y).copy()) for y in cube.years("land_use")})


def fitted(cube, experiment, fold=None):
    model = small_trees().fit(cube, make_split("e", experiment, cube, fold, 1))
    return bytes(model.booster.save_raw()), {gap: t.tobytes() for gap, t in model.transitions.items()}


def test_a_marker_in_the_test_years_changes_nothing_that_is_trained(changing_cube):
    def mark(year, cover):
        if 1996 <= year <= 2005:
            cover[10:60, 10:60] = 6
        return cover

    marked = with_marker(changing_cube, mark)
    assert fitted(marked, FORECAST) == fitted(changing_cube, FORECAST)
    # The same marker in the training years does: the test can fail.
    early = with_marker(changing_cube, lambda y, c: mark(y + 10, c))
    assert fitted(early, FORECAST) != fitted(changing_cube, FORECAST)


@pytest.mark.parametrize("experiment", [SHARED, HIDDEN])
def test_a_marker_in_the_test_blocks_changes_nothing_that_is_trained(changing_cube, experiment):
    here = make_split("e", experiment, changing_cube, 0, 1).test[0].where

    def mark(year, cover):
        # Where the prior is shared on purpose, only the label of the test year is secret.
        if experiment.hide_prior or year == 2000:
            cover[here & (cover != 0)] = 6
        return cover

    marked = with_marker(changing_cube, mark)
    assert fitted(marked, experiment, 0) == fitted(changing_cube, experiment, 0)
    elsewhere = with_marker(changing_cube, lambda y, c: np.where(~here & (y == 2000) & (c == 2), 6, c).astype(np.uint8))
    assert fitted(elsewhere, experiment, 0) != fitted(changing_cube, experiment, 0)


def test_densities_by_hand_ignore_hidden_cells():
    prior = np.array([[2, 2, 255], [4, 2, 255], [4, 4, 4]], np.uint8)
    density = class_densities(prior, 1, np.array([2, 4]))
    # Around the centre 7 visible cells: 3 of class 2, 4 of class 4.
    assert density[:, 1, 1].tolist() == pytest.approx([3 / 7, 4 / 7])
    # North-east corner: its box holds 2 (top middle) and 2 (centre).
    assert density[:, 0, 2].tolist() == pytest.approx([1, 0])


def test_coarse_values_are_repeated_over_their_cells_and_cut_to_the_map():
    fine = refine_step(np.array([[1, 2], [3, 4]]), 2, (3, 4))
    assert fine.tolist() == [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4]]


def test_features_know_direction_statics_and_coarse_change(changing_cube):
    split = make_split("e", HINDCAST, changing_cube, None, 1)
    case = split.test[4]
    table = feature_table(case_batch(changing_cube, split, case), learnable(changing_cube, case))
    assert set(table["years"].tolist()) == {-5.0}
    assert "elevation" in table and all(v.dtype == np.float32 for v in table.values())
    change = np.subtract(*(changing_cube.field("land_use_fraction", y) for y in (case.year, case.prior_year)))
    assert table["coarse_change_25_forest"].max() == pytest.approx(float(np.nanmax(change[4])))
    bare = make_split("e", HINDCAST.model_copy(update={"statics": False}), changing_cube, None, 1)
    assert "elevation" not in feature_table(case_batch(changing_cube, bare, case), learnable(changing_cube, case))


def test_a_year_that_the_cube_lacks_is_named(changing_cube):
    with pytest.raises(ValueError, match="region here: land use has no year 1950, there are 1980-2009; change"):
        changing_cube.field("land_use", 1950)


def test_one_interface_for_every_model(changing_cube):
    split = make_split("e", FORECAST, changing_cube, None, 1)
    batch = case_batch(changing_cube, split, split.test[0])
    for model in (KernelDensity(), small_trees()):
        assert model.fit(changing_cube, split).predict_proba(batch).shape == (1, 8, 100, 100)


def test_earlier_maps_are_known_ones_and_never_of_a_test_year(changing_cube):
    for experiment in (FORECAST, HINDCAST):
        experiment = experiment.model_copy(update={"priors": 3})
        split = make_split("e", experiment, changing_cube, None, 1)
        first, last = experiment.test
        for case in split.train + split.validation + split.test:
            step = 1 if case.year > case.prior_year else -1
            assert len(case.earlier) == 2
            for nearer, further in zip((case.prior_year, *case.earlier), case.earlier, strict=False):
                assert further in (nearer - step, nearer)
            assert not set(case.earlier) & set(range(first, last + 1))
        assert split.test[0].earlier == ((1994, 1993) if experiment.start < first else (1996, 1997))
        assert any(case.earlier[1] == case.prior_year for case in split.train), "at the edge the prior stands for it"


def test_trees_and_network_see_the_earlier_maps_hidden_as_the_prior_is(changing_cube):
    experiment = FORECAST.model_copy(update={"priors": 2, "test": (1996, 1997)})
    split = make_split("e", experiment, changing_cube, None, 1)
    hidden = np.zeros((100, 100), bool)
    hidden[20:40, 20:40] = True
    case = replace(split.test[0], hidden=hidden)
    batch = case_batch(changing_cube, split, case)
    assert batch.priors == 2 and (batch.earlier[0, 0][hidden] == 255).all()
    np.testing.assert_array_equal(batch.earlier[0, 0][~hidden], changing_cube.field("land_use", 1994)[~hidden])
    table = feature_table(batch, np.ones((100, 100), bool))
    np.testing.assert_array_equal(table["earlier_1_forest"].reshape(100, 100)[~hidden] == 1,
                                  changing_cube.field("land_use", 1994)[~hidden] == 4)  # fmt: skip
    network = Neural(Schedule(steps=2, every=2, precision="fp32"), 48, 2, base=4).fit(changing_cube, split)
    for model in (network, small_trees().fit(changing_cube, split)):
        p = model.predict_proba(batch)
        np.testing.assert_allclose(p[0][:, batch.valid[0]].sum(0), 1, atol=1e-4)
        with pytest.raises(ValueError, match="lack|differ"):
            model.predict_proba(replace(batch, earlier=None))


def test_a_class_that_only_the_held_out_fold_has_is_never_predicted_and_does_not_stop_the_training(changing_cube):
    maps = {y: changing_cube.field("land_use", y).copy() for y in (1995, 2000)}
    folds = deal_folds(maps[1995] != 255, 25, 4, 1)
    only = (folds == 0) & (maps[1995] == 4) & (np.arange(100)[:, None] % 3 == 0)
    for labels in maps.values():
        labels[only] = 6
    cube = make_cube(maps)
    split = make_split("e", SHARED, cube, 0, 1)
    batch = case_batch(cube, split, split.test[0])
    network = Neural(Schedule(steps=2, every=2, precision="fp32"), 48, 2, base=4).fit(cube, split)
    for model in (network, small_trees().fit(cube, split)):
        p = model.predict_proba(batch)[0]
        assert np.isfinite(p).all()
        np.testing.assert_allclose(p[:, batch.valid[0]].sum(0), 1, atol=1e-4)
    assert (p[6] == 0).all(), "trees have not seen the class"


def test_a_region_and_the_whole_run_hold_out_the_same_blocks():
    """Else a network that learns from all regions would learn from what a region is judged on."""
    year = Experiment(start=1995, test=(2000, 2000), train=(1980, 1990), validation=(1991, 1995), held_blocks=4,
                      fold_cells=25)  # fmt: skip
    whole = make_cube({1995: np.full((200, 300), 4, np.uint8)})
    rows, cols = slice(75, 200), slice(110, 240)
    part = replace(whole, grid=whole.grid.cut(rows, cols))
    held = held_out(whole, year, 3)
    np.testing.assert_array_equal(held_out(part, year, 3), held[rows, cols])
    assert 0.15 < held.mean() < 0.35 and (held_out(whole, year, 4) != held).any()


def test_folds_of_a_split_by_years_learn_from_no_label_of_their_blocks_in_any_year(changing_cube):
    both = Experiment(
        start=1995, test=(1996, 2000), train=(1980, 1990), validation=(1991, 1995), folds=3, fold_cells=25
    )
    folds = spatial_folds(changing_cube, both, 1)
    seen = np.zeros(folds.shape, int)
    for fold in range(3):
        split = make_split("e", both, changing_cube, fold, 1)
        assert split.title == f"e-fold{fold}" and {c.year for c in split.train} == set(range(1980, 1991))
        for case in (*split.train, *split.validation):
            assert not (learnable(changing_cube, case) & (folds == fold)).any()
        assert all((c.where == (folds == fold)).all() for c in split.test)
        seen += split.test[0].where
    assert (seen == 1).all(), "every cell is judged once"
