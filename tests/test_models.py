import numpy as np
import pytest
import xgboost
from conftest import make_cube

from ai4land.allocate import expected_counts
from ai4land.models import boosting
from ai4land.models.base import most_probable
from ai4land.models.baselines import CoarseMajority, KernelDensity, Persistence
from ai4land.models.forest import RandomForest
from ai4land.models.trees import Trees
from ai4land.runs import Experiment
from ai4land.samples import Batch, case_batch, kernel_density, make_split

EXPERIMENT = Experiment(start=1995, train=(1980, 1992), validation=(1993, 1995), test=(1996, 2005))


def batch_of(prior, before, after, cells=2, valid=None):
    prior = np.asarray(prior, np.uint8)
    coarse = np.stack([np.asarray(before, np.float32), np.asarray(after, np.float32)])[None]
    valid = prior != 255 if valid is None else valid
    return Batch(prior[None], np.array([1.0], np.float32), {cells: coarse}, valid[None])


def shares(**classes):
    """Class fractions of one coarse cell, (class, 1, 1)."""
    out = np.zeros((8, 1, 1), np.float32)
    for name, share in classes.items():
        out[{"urban": 1, "cropland": 2, "pasture": 3, "forest": 4, "other": 6}[name]] = share
    return out


def labels(model, batch):
    return most_probable(model.predict_proba(batch)[0], batch.valid[0])


def test_persistence_repeats_the_prior_and_fills_hidden_cells_with_the_coarse_majority():
    prior = np.array([[2, 255], [4, 7]])
    batch = batch_of(prior, shares(cropland=1), shares(forest=0.6, cropland=0.4), valid=np.ones((2, 2), bool))
    assert labels(Persistence(), batch).tolist() == [[2, 4], [4, 7]]


def test_no_data_stays_no_data():
    batch = batch_of([[2, 255], [4, 7]], shares(cropland=1), shares(forest=1))
    for model in (Persistence(), CoarseMajority(), KernelDensity()):
        assert labels(model, batch)[0, 1] == 255


def test_coarse_majority_gives_the_fractions_as_probabilities():
    batch = batch_of([[2, 2], [2, 2]], shares(cropland=1), shares(forest=0.75, cropland=0.25))
    p = CoarseMajority().predict_proba(batch)
    assert p[0, 4].tolist() == [[0.75, 0.75], [0.75, 0.75]] and labels(CoarseMajority(), batch).tolist() == [
        [4, 4],
        [4, 4],
    ]


def test_kernel_density_by_hand():
    # Class 2 beside (distance 1) and diagonal (distance sqrt 2): (1 + 1/2) / 8 neighbours.
    prior = np.array([[2, 2, 0], [0, 0, 0], [0, 0, 0]], np.uint8)
    assert kernel_density(prior, 2, 1)[1, 1] == pytest.approx(1.5 / 8)


def test_allocation_takes_the_cell_with_the_highest_kernel_density():
    # One of twelve forest cells must become cropland: the one with most cropland around it (row 1, col 1).
    prior = np.array([[2, 2, 4, 4], [2, 4, 4, 4], [4, 4, 4, 4], [4, 4, 4, 4]])
    before, after = shares(cropland=3 / 16, forest=13 / 16), shares(cropland=4 / 16, forest=12 / 16)
    made = labels(KernelDensity(), batch_of(prior, before, after, 4))
    expected = prior.copy()
    expected[1, 1] = 2
    assert made.tolist() == expected.tolist()


@pytest.mark.parametrize("fuzzy", [0.0, 1.5])
def test_allocation_meets_the_coarse_areas_and_leaves_water_alone(changing_cube, fuzzy):
    split = make_split("e", EXPERIMENT, changing_cube, None, 1)
    case = split.test[-1]
    made = labels(KernelDensity(fuzzy=fuzzy, seed=4), case_batch(changing_cube, split, case))
    observed = changing_cube.field("land_use", case.year)
    for code in range(8):
        counts = [(m == code).reshape(4, 25, 4, 25).sum((1, 3)) for m in (made, observed)]
        assert np.abs(counts[0] - counts[1]).max() <= 1
    assert ((made == 0) == (changing_cube.field("land_use", 1995) == 0)).all()


def test_allocation_of_no_change_is_the_prior_map_and_fuzzy_draws_repeat():
    rng = np.random.default_rng(0)
    prior = rng.choice([1, 2, 4], (50, 50)).astype(np.uint8)
    cube = make_cube({1995: prior, 1996: prior})
    before, after = (cube.field("land_use_fraction", y) for y in (1995, 1996))
    batch = batch_of(prior, before, after, 25)
    assert (labels(KernelDensity(), batch) == prior).all()
    after = after.copy()
    after[2] -= 0.1
    after[4] += 0.1
    batch = batch_of(prior, before, after, 25)
    assert (labels(KernelDensity(1.5, seed=1), batch) == labels(KernelDensity(1.5, seed=1), batch)).all()
    assert (labels(KernelDensity(1.5, seed=1), batch) != labels(KernelDensity(1.5, seed=2), batch)).any()


def grown(kind):
    more = {"rounds": 30} if kind is Trees else {"trees": 8}
    return kind(rows=20000, cases=10, seed=2, **more)


@pytest.fixture(scope="module", params=[Trees, RandomForest])
def trained(changing_cube, request):
    split = make_split("e", EXPERIMENT, changing_cube, None, 1)
    return grown(request.param).fit(changing_cube, split), split


def test_trees_beat_persistence_where_change_has_a_rule(changing_cube, trained):
    model, split = trained
    case = split.test[4]
    made = labels(model, case_batch(changing_cube, split, case))
    observed, prior = changing_cube.field("land_use", case.year), changing_cube.field("land_use", case.prior_year)
    assert (made == observed).mean() > (prior == observed).mean() + 0.02


def test_without_trees_a_perfect_coarse_input_is_met(changing_cube, trained):
    """Where boosting starts, the transition shares are scaled to the areas of the coarse cells."""
    model, split = trained
    if not isinstance(model, RandomForest):
        return starts_from_areas(model, split, changing_cube)
    start = model._margin(case_batch(changing_cube, split, split.test[0]), np.ones((100, 100), bool))
    assert (start == 0).all(), "a forest takes one step: all classes start equal"


def starts_from_areas(model, split, changing_cube):
    case = split.test[4]
    batch = case_batch(changing_cube, split, case)
    free = np.isin(changing_cube.field("land_use", case.prior_year), range(1, 7))
    start = np.zeros((8, *free.shape))
    start[np.ix_(model.classes, range(100), range(100))] = np.exp(
        model._margin(batch, np.ones_like(free)).T.reshape(-1, 100, 100)
    )
    observed = (changing_cube.field("land_use", case.year) == np.arange(8)[:, None, None]) * 1.0
    np.testing.assert_allclose(expected_counts(start, free), expected_counts(observed, free), atol=2)


def test_trees_give_probabilities_and_take_ocean_over(changing_cube, trained):
    model, split = trained
    batch = case_batch(changing_cube, split, split.test[0])
    p = model.predict_proba(batch)[0]
    np.testing.assert_allclose(p.sum(0), 1, atol=1e-5)
    assert (p[0][changing_cube.field("land_use", 1995) == 0] == 1).all()


def test_trees_are_the_same_after_saving_and_on_every_run(changing_cube, trained, tmp_path):
    model, split = trained
    batch = case_batch(changing_cube, split, split.test[0])
    model.save(tmp_path / "m")
    again = type(model).load(tmp_path / "m")
    np.testing.assert_array_equal(again.predict_proba(batch), model.predict_proba(batch))
    twin = grown(type(model)).fit(changing_cube, split)
    np.testing.assert_array_equal(twin.predict_proba(batch), model.predict_proba(batch))


def test_the_nodes_of_all_trees_are_counted_as_in_the_table_of_nodes(trained):
    model, _ = trained
    assert model.parameters == len(model.booster.trees_to_dataframe()) > 100


def test_another_model_or_other_features_are_refused(changing_cube, trained, tmp_path):
    model, split = trained
    model.save(tmp_path / "m")
    text = (tmp_path / "m" / "model.json").read_text()
    (tmp_path / "m" / "model.json").write_text(text.replace('"land_use"', '"land_cover"'))
    with pytest.raises(ValueError, match="legend land_cover"):
        type(model).load(tmp_path / "m")
    batch = case_batch(changing_cube, split, split.test[0])
    bare = Batch(batch.prior, batch.years, batch.coarse, batch.valid, {})
    with pytest.raises(ValueError, match=r"features differ.*elevation"):
        model.predict_proba(bare)


def test_a_region_of_pure_ocean_is_refused_in_one_line():
    cube = make_cube({y: np.zeros((50, 50), np.uint8) for y in range(1980, 2010)})
    with pytest.raises(ValueError, match="two are needed; is the region all ocean"):
        Trees(rounds=2).fit(cube, make_split("e", EXPERIMENT, cube, None, 1))


def test_boosting_that_is_killed_ends_with_the_same_trees(changing_cube, tmp_path, monkeypatch):
    split = make_split("e", EXPERIMENT, changing_cube, None, 1)
    monkeypatch.setattr(boosting, "ROUNDS_AT_ONCE", 4)

    def trees(folder):
        return Trees(rounds=12, rows=4000, cases=6, seed=3, checkpoints=folder)

    whole = trees(None).fit(changing_cube, split)
    calls, update = {"n": 0}, xgboost.Booster.update

    def dies(self, *given, **more):
        calls["n"] += 1
        if calls["n"] == 6:
            raise KeyboardInterrupt
        return update(self, *given, **more)

    monkeypatch.setattr(xgboost.Booster, "update", dies)
    with pytest.raises(KeyboardInterrupt):
        trees(tmp_path).fit(changing_cube, split)
    resumed = trees(tmp_path).fit(changing_cube, split)
    assert calls["n"] == 6 + 8, "it must go on from round 4, not begin again"
    assert resumed.booster.save_raw() == whole.booster.save_raw()


def test_tables_are_quantised_one_at_a_time_into_what_one_table_gives():
    rng = np.random.default_rng(0)
    x, label, margin = rng.random((3000, 5), np.float32), rng.integers(0, 3, 3000), np.zeros((3000, 3), np.float32)
    parts = [(x[some], label[some], margin[some]) for some in (slice(0, 1000), slice(0, 0), slice(1000, None))]
    whole, _ = boosting.quantile_matrix([(x, label, margin)], 1)
    batched, _ = boosting.quantile_matrix(iter(parts), 1)
    assert batched.num_row() == 3000 and batched.get_label().tolist() == whole.get_label().tolist()
    parameters = {"objective": "multi:softprob", "num_class": 3, "seed": 1, "nthread": 1}
    one, other = (boosting.boost(parameters, m, 3, "").inplace_predict(x) for m in (whole, batched))
    np.testing.assert_allclose(one, other, atol=0.05)  # quantiles of merged sketches differ a little
