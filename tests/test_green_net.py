"""Networks with heads: where they start, what they may see, that they learn, resume, and come back from disk."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from regions import without
from vegetation_cases import COVER, CROP, FOREST, LEAVES, WATER, small_cube

from ai4land.allocate import expected_map, most_probable_class
from ai4land.devices import choose_device
from ai4land.evaluate.consistency import SHARES, class_misfit, spread_table
from ai4land.experiments import Experiment
from ai4land.models import green_inputs as at
from ai4land.models.green import pairs
from ai4land.models.green_chain import predict_chain
from ai4land.models.green_inputs import HEADS, GreenInputs, GreenWindows, default_given
from ai4land.models.green_net import GreenNet
from ai4land.models.green_start import Start
from ai4land.models.green_tables import log_frequencies, mean_seasons
from ai4land.models.season import SeasonNet
from ai4land.samples.predictors import Given
from ai4land.targets import read_target

EXPERIMENT = Experiment(start=2007, train=(2000, 2005), validation=(2006, 2007), test=(2008, 2009))
USE, LAND_COVER, LEAF = HEADS
WHOLE = (slice(None), slice(None))


def small(heads, **more):
    settings = {"steps": 0, "window": 32, "batch": 2, "base": 4, "precision": "fp32", "seed": 3}
    return GreenNet(heads, **(settings | more))


def likeliest(head, probability):
    return most_probable_class(read_target(head), probability)


def weights(model):
    return {k: v.numpy().copy() for k, v in model.network.state_dict().items()}


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(weights(first).values(), weights(second).values(), strict=True))


@pytest.fixture(scope="module")
def cube():
    return small_cube()


@pytest.fixture(scope="module")
def untrained(cube):
    """Every kind of network before its first step."""
    made = {heads: small(heads).fit(cube, EXPERIMENT) for heads in ((USE,), (LAND_COVER,), (LEAF,), HEADS)}
    season = SeasonNet(steps=0, window=16, batch=2, base=8, precision="fp32").fit(cube, EXPERIMENT)
    return {**made, "sequence": season}


def test_names_and_predictors_follow_the_heads():
    assert [small(h).name for h in ((USE,), HEADS)] == ["unet", "joint"] and SeasonNet().name == "sequence"
    assert default_given((LEAF,)) == Given(land_use=True, land_cover=True, prior_leaves=True)
    assert small((LEAF, USE, LAND_COVER)).targets == HEADS
    joint = default_given(HEADS)
    assert not joint.land_use and not joint.land_cover and joint.prior_cover and joint.prior_leaves
    with pytest.raises(ValueError, match="choose one or more of"):
        small(("biomass",))
    with pytest.raises(ValueError, match="land_use of the target year is predicted and given"):
        small((USE,), given=Given(land_use=True))


def test_shares_are_those_of_the_counts_and_rare_rows_are_filled_up():
    # Of 98 cells of class 0, 8 became class 1; one more as if half of it stayed; class 1 was never seen.
    counts = np.zeros((1, 3, 2, 2))
    counts[0, 0, 1] = 90, 8
    overall = np.array([90.5, 8.5]) / 99
    hidden = (np.array([90, 8]) + overall) / 99
    every = (np.array([90, 8]) + (np.array([1, 0]) + hidden) / 2) / 99
    shares = np.exp(log_frequencies(counts)[0])
    np.testing.assert_allclose(shares[0, 1], (np.array([90, 8]) + every) / 99, rtol=1e-5)
    np.testing.assert_allclose(shares.sum(-1), 1, rtol=1e-5)
    assert shares[1, 1, 1] > 0.5, "a class that training never saw stays what it is"
    np.testing.assert_allclose(shares[2, 1], overall, atol=0.01)


def test_land_cover_starts_from_what_became_of_its_class_on_the_land_use_of_the_year(cube, untrained):
    p = untrained[(LAND_COVER,)].predict(cube, 2007, 2009)[LAND_COVER]
    now, prior = cube.field("land_use", 2009), cube.field("land_cover", 2007)
    cropped = (now == CROP) & (prior == COVER[FOREST])
    assert cropped.any() and (at.COVERS[p.argmax(0)][cropped] == COVER[CROP]).all()
    np.testing.assert_allclose(p.sum(0), 1, atol=1e-5)
    hidden = untrained[(LAND_COVER,)].predict(cube, 2007, 2009, np.ones(cube.grid.shape, bool))[LAND_COVER]
    land = now != WATER
    expected = np.vectorize(COVER.get)(now)
    assert (at.COVERS[hidden.argmax(0)] == expected)[land].mean() > 0.99


@pytest.mark.parametrize("kind", [(LEAF,), "sequence"])
def test_leaf_area_starts_from_the_prior_season_moved_by_the_classes(cube, untrained, kind):
    model = untrained[kind]
    made = model.predict(cube, 2007, 2008)[LEAF]
    prior, stays = cube.field("leaf_area_index", 2007), cube.field("land_cover", 2007) == cube.field("land_cover", 2008)
    land = cube.field("land_use", 2008) != WATER
    np.testing.assert_allclose(made[:, stays & land], prior[:, stays & land], atol=1e-5)
    seasons = mean_seasons(cube, list(range(2000, 2006)))
    forest, crop = (seasons[np.searchsorted(at.GROUPS, COVER[use])] for use in (FOREST, CROP))
    turned = (cube.field("land_cover", 2007) == COVER[FOREST]) & (cube.field("land_cover", 2008) == COVER[CROP])
    wanted = np.clip(prior[:, turned] + (crop - forest)[:, None], 0, 7)
    np.testing.assert_allclose(made[:, turned], wanted, atol=1e-5)
    hidden = model.predict(cube, 2007, 2008, np.ones(cube.grid.shape, bool))[LEAF]
    np.testing.assert_allclose(hidden[:, turned], np.broadcast_to(crop[:, None], wanted.shape), atol=1e-5)


def test_mean_seasons_are_the_means_of_the_training_years(cube):
    seasons = mean_seasons(cube, [2000, 2003])
    cells = [cube.field("leaf_area_index", y)[:, cube.field("land_cover", y) == COVER[FOREST]] for y in (2000, 2003)]
    expected = np.concatenate(cells, 1).astype(float).mean(1)
    np.testing.assert_allclose(seasons[np.searchsorted(at.GROUPS, COVER[FOREST])], expected, rtol=1e-5)
    assert LEAVES[COVER[FOREST]][1] < expected.min() and expected.max() < 1.1 * LEAVES[COVER[FOREST]][0]


def test_a_hidden_prior_is_hidden_in_every_field_and_in_the_start(cube):
    inputs = GreenInputs(HEADS, default_given(HEADS))
    hidden = np.zeros((20, 20), bool)
    hidden[:, 10:] = True
    window = slice(10, 30), slice(15, 35)
    shown = inputs.fields(cube, (2003, 2005), window, hidden)
    other = cube.with_fields(
        land_use={2003: np.full(cube.grid.shape, 5, np.uint8)},
        land_cover={2003: np.full(cube.grid.shape, 130, np.uint8)},
        leaf_area_index={2003: np.zeros((12, *cube.grid.shape), np.float32)},
    )
    changed = inputs.fields(other, (2003, 2005), window, hidden)
    for name, values in shown.items():
        np.testing.assert_array_equal(values[:, :, 10:], changed[name][:, :, 10:], err_msg=name)
    first, second = (inputs.origin(c, (2003, 2005), window, hidden) for c in (cube, other))
    np.testing.assert_array_equal(first[:, :, 10:], second[:, :, 10:])
    assert (first[:, :, :10] != second[:, :, :10]).any()
    assert set(shown) >= {"prior_land_use", "hidden", "years"} and not any(n.startswith("land_use") for n in shown)


def test_windows_depend_on_seed_and_number_alone_and_labels_lie_where_something_is_to_learn(cube):
    inputs = GreenInputs((LAND_COVER,), default_given((LAND_COVER,)))
    windows = GreenWindows(cube, inputs, list(pairs(EXPERIMENT, "train")), 32, 5)
    inputs = GreenInputs(inputs.heads, inputs.given, statistics={n: (0.0, 1.0) for n in windows.samples(1)[0][0]})
    windows = GreenWindows(cube, inputs, windows.pairs, 32, 5)
    first = windows.draw(7, 2)
    windows.draw(8, 1)
    for a, b in zip(first, windows.draw(7, 2), strict=True):
        np.testing.assert_array_equal(a, b)
    labels = inputs.labels(cube, (2003, 2005), WHOLE, np.zeros(cube.grid.shape, bool))[0]
    water = cube.field("land_cover", 2003) == at.WATER
    assert np.isnan(labels[water]).all()
    np.testing.assert_array_equal(at.COVERS[labels[~water].astype(int)], cube.field("land_cover", 2005)[~water])


def test_no_test_year_enters_training_and_the_joint_model_is_told_none_of_its_targets(cube, untrained):
    late = ("land_use", "land_cover", "leaf_area_index")
    marked = {name: {year: cube.field(name, year) for year in range(2000, 2008)} for name in late}
    trained = small(HEADS, steps=2).fit(cube, EXPERIMENT)
    without = small(HEADS, steps=2).fit(cube.with_fields(**marked), EXPERIMENT)
    assert same(trained, without)
    made, blind = (trained.predict(c, 2007, 2009) for c in (cube, cube.with_fields(**marked)))
    for target in HEADS:
        np.testing.assert_array_equal(made[target], blind[target])


def test_each_loss_begins_with_the_same_weight_and_the_spread_has_no_say_in_the_mean(cube, untrained):
    start, inputs = untrained[HEADS].network.start, untrained[HEADS].inputs
    windows = GreenWindows(cube, inputs, list(pairs(EXPERIMENT, "train")), 32, 3)
    samples, found = windows.samples(16), torch.zeros(3, 2)
    for _, origin, labels in samples:
        output = start(torch.as_tensor(origin)[None], torch.zeros(1, 69, 32, 32))
        found += torch.stack(
            [torch.stack([p.sum() for p in one[:2]]) for one in start.losses(output, torch.as_tensor(labels)[None])]
        )
    weighted = found[:, 0] / found[:, 1] * (-start.scales.detach()).exp()
    torch.testing.assert_close(weighted, torch.full((3,), 0.5), rtol=1e-3, atol=0)
    made = torch.zeros(1, 69, 32, 32, requires_grad=True)
    labels = torch.as_tensor(samples[0][2])[None]
    output = start(torch.as_tensor(samples[0][1])[None], made)
    start.losses(output, labels)[2][2].sum().backward()
    grad = made.grad.abs().sum((0, 2, 3))
    assert (grad[:57] == 0).all() and (grad[57:] > 0).all(), "classes and mean come first, then the spread"


def test_leaf_area_of_the_joint_model_follows_its_own_cover_and_does_not_teach_it(cube, untrained):
    start, inputs = untrained[HEADS].network.start, untrained[HEADS].inputs
    cells = np.zeros((16, 16), bool)
    origin = torch.as_tensor(inputs.origin(cube, (2004, 2005), (slice(8, 24), slice(50, 66)), cells))[None]
    made = torch.zeros(1, 69, 16, 16, requires_grad=True)
    sure = made.detach().clone()
    crop = 8 + int(np.searchsorted(at.COVERS, COVER[CROP]))
    sure[:, crop] = 50.0
    before, after = (start.split(start(origin, m))[2][:, :12] for m in (made, sure))
    forest = torch.as_tensor(cube.field("land_cover", 2004)[8:24, 50:66] == COVER[FOREST])
    seasons = start.seasons.numpy()
    moved = (after - before)[0][:, forest].detach().numpy()
    expected = seasons[np.searchsorted(at.GROUPS, COVER[CROP])] - seasons[np.searchsorted(at.GROUPS, COVER[FOREST])]
    np.testing.assert_allclose(moved, np.broadcast_to(expected[:, None], moved.shape), atol=0.3)
    before.sum().backward()
    assert made.grad[:, 8:45].abs().sum() == 0


def test_water_stays_water_and_cells_without_data_have_none(cube, untrained):
    use, cover = cube.field("land_use", 2007).copy(), cube.field("land_cover", 2007).copy()
    use[40:, 70:], cover[40:, 70:] = 255, 0
    gap = cube.with_fields(land_use={2007: use}, land_cover={2007: cover})
    made = untrained[HEADS].predict(gap, 2007, 2009)
    assert (likeliest(USE, made[USE])[40:, 70:] == 255).all() and (made[LAND_COVER][:, 40:, 70:] == 0).all()
    assert np.isnan(made[LEAF][:, 40:, 70:]).all() and np.isfinite(made[LEAF][:, :40]).all()
    water = use == WATER
    np.testing.assert_array_equal(likeliest(USE, made[USE])[water], WATER)
    np.testing.assert_array_equal(likeliest(LAND_COVER, made[LAND_COVER])[water], at.WATER)
    assert (made[LEAF][:, water] == 0).all() and (made["leaf_area_index_error"][:, ~water & (use != 255)] > 0).all()
    assert made[USE][7][~water].max() == 0, "land does not become water"


def test_parts_of_a_region_predict_what_the_whole_does():
    wide = small_cube(40, 330)
    model = small((LAND_COVER,), steps=2, base=2).fit(wide, EXPERIMENT)
    whole = model.predict(wide, 2007, 2008)[LAND_COVER]
    part = model.predict(wide, 2007, 2008, window=(slice(7, 33), slice(100, 190)))[LAND_COVER]
    np.testing.assert_allclose(part, whole[:, 7:33, 100:190], atol=1e-5)
    model.core = 112
    np.testing.assert_allclose(model.predict(wide, 2007, 2008)[LAND_COVER], whole, atol=1e-5)


def test_it_learns_where_leaf_area_grows(cube):
    """Leaves grow year by year where it is high; the start has them as they were."""
    high = cube.field("elevation") > 0.5
    grown = {y: np.broadcast_to(np.where(high, 1 + 0.2 * (y - 2000), 1), (12, 50, 75)) for y in range(2000, 2010)}
    other = cube.with_fields(leaf_area_index={y: v.astype(np.float32) for y, v in grown.items()})
    model = small((LEAF,), steps=50, base=8, learning_rate=1e-2).fit(other, EXPERIMENT)
    losses = model.history["validation_loss"]
    assert losses.min() < losses.iloc[0] - 0.2


def test_the_sequence_learns_what_the_weather_does(cube):
    model = SeasonNet(steps=30, window=16, batch=3, base=16, precision="fp32", learning_rate=1e-2).fit(cube, EXPERIMENT)
    losses = model.history["validation_loss"]
    assert losses.min() < losses.iloc[0] - 0.05


def test_killed_and_resumed_it_ends_with_the_same_weights(cube, tmp_path, monkeypatch):
    whole = small((LAND_COVER,), steps=20).fit(cube, EXPERIMENT)
    calls = {"n": 0}
    draw = GreenWindows.draw

    def dies(self, number, count):
        calls["n"] += 1
        if calls["n"] == 4 + 7:  # four validation batches, then the seventh step: after the third checkpoint
            raise KeyboardInterrupt
        return draw(self, number, count)

    monkeypatch.setattr(GreenWindows, "draw", dies)
    with pytest.raises(KeyboardInterrupt):
        small((LAND_COVER,), steps=20, checkpoints=tmp_path).fit(cube, EXPERIMENT)
    (file,) = tmp_path.glob("unet-*.pt")
    kept = torch.load(file, weights_only=True)["step"]
    assert 0 < kept < 7
    resumed = small((LAND_COVER,), steps=20, checkpoints=tmp_path).fit(cube, EXPERIMENT)
    assert calls["n"] == 4 + 7 + 4 + 20 - kept, "it must go on from its checkpoint, not begin again"
    assert same(resumed, whole)


def test_a_checkpoint_of_other_data_or_predictors_is_not_resumed(cube, tmp_path):
    small((LAND_COVER,), steps=2, checkpoints=tmp_path).fit(cube, EXPERIMENT)
    rolled = {y: np.roll(cube.field("land_cover", y), 3, 1) for y in cube.years("land_cover")}
    other = cube.with_fields(land_cover=rolled)
    fresh, kept = (small((LAND_COVER,), steps=2, checkpoints=f).fit(other, EXPERIMENT) for f in (None, tmp_path))
    assert same(fresh, kept) and len(list(tmp_path.glob("*.pt"))) == 2


@pytest.mark.parametrize("kind", [HEADS, "sequence"])
def test_saved_and_loaded_it_predicts_the_same(cube, untrained, tmp_path, kind):
    model = untrained[kind]
    model.save(tmp_path / "m")
    again = type(model).load(tmp_path / "m")
    assert again.given == model.given and again.name == model.name and again.parameters == model.parameters
    first, second = (m.predict(cube, 2007, 2009) for m in (model, again))
    for target in first:
        np.testing.assert_array_equal(first[target], second[target])


@pytest.mark.parametrize(("key", "value"), [("classes", {}), ("model", "cnn")])
def test_weights_of_another_legend_or_model_are_refused_in_one_line(untrained, tmp_path, key, value):
    untrained[(USE,)].save(tmp_path / "m")
    about = json.loads((tmp_path / "m" / "model.json").read_text())
    (tmp_path / "m" / "model.json").write_text(json.dumps(about | {key: value}))
    with pytest.raises(ValueError, match="expected unet") as error:
        GreenNet.load(tmp_path / "m")
    assert "\n" not in str(error.value)


def test_a_region_of_pure_sea_and_fields_of_another_kind_are_refused(cube, untrained):
    sea = {y: np.full(cube.grid.shape, at.WATER, np.uint8) for y in cube.years("land_cover")}
    with pytest.raises(ValueError, match="all sea"):
        small((LEAF,)).fit(cube.with_fields(land_cover=sea), EXPERIMENT)
    lacking = without(cube, "elevation")
    with pytest.raises(ValueError, match="elevation"):
        untrained[(LEAF,)].predict(lacking, 2007, 2009)


def test_in_a_chain_each_model_sees_what_those_before_it_made(cube, untrained):
    crops = np.zeros((8, *cube.grid.shape), np.float32)
    crops[CROP] = 1

    class AllCrops:
        def predict(self, cube, prior_year, year):
            return {USE: crops}

    made = predict_chain([AllCrops(), untrained[(LAND_COVER,)], untrained[(LEAF,)]], cube, 2007, 2009)
    land = cube.field("land_use", 2007) != WATER
    seasons = mean_seasons(cube, list(range(2000, 2006)))
    forest, crop = (seasons[np.searchsorted(at.GROUPS, COVER[use])] for use in (FOREST, CROP))
    turned = land & (cube.field("land_cover", 2007) == COVER[FOREST])
    assert (likeliest(LAND_COVER, made[LAND_COVER])[turned] == COVER[CROP]).all()
    wanted = np.clip(cube.field("leaf_area_index", 2007)[:, turned] + (crop - forest)[:, None], 0, 7)
    np.testing.assert_allclose(made[LEAF][:, turned], wanted, atol=1e-5)


def test_a_map_changes_as_much_as_its_probabilities_expect():
    # Ten cells of forest, each cropland with probability 0.3, one with 0.4: three change, that one first. Water stays.
    shares = np.zeros((8, 1, 12), np.float32)
    shares[2], shares[4] = 0.29, 0.71
    shares[2, 0, 5], shares[4, 0, 5] = 0.4, 0.6
    shares[:, 0, 10], shares[:, 0, 11] = 0, 0
    shares[7, 0, 10] = 1
    prior = np.array([[4] * 10 + [7, 255]], np.uint8)
    made = expected_map(read_target(USE), shares, prior)
    assert (made == 2).sum() == 3 and made[0, 5] == 2 and made[0, 10] == 7 and made[0, 11] == 255
    assert (likeliest(USE, shares)[0, :10] == 4).all()


def test_consistency_and_spread_are_what_they_say():
    rng = np.random.default_rng(1)
    seasons = rng.random((3, 12))
    group = rng.integers(0, 3, (50, 60))
    where = rng.random((50, 60)) < 0.8
    leaves = seasons[group].transpose(2, 0, 1)
    assert class_misfit(leaves, group, seasons, where) == pytest.approx(0)
    assert class_misfit(leaves + 0.5, group, seasons, where) == pytest.approx(0.5)
    stated = 0.1 + rng.random((12, 50, 60))
    table = spread_table(leaves, leaves + stated * rng.standard_normal(stated.shape), stated, where)
    assert len(table) == SHARES and table["cells"].sum() == 12 * where.sum()
    np.testing.assert_allclose(table["rmse"], table["stated"], rtol=0.06)
    assert np.average(table["within"], weights=table["cells"]) == pytest.approx(0.683, abs=0.01)


def test_the_start_takes_the_table_of_the_nearest_gap():
    start = Start(GreenInputs((USE,), default_given((USE,))), [-3, -1])
    start.land_use[0, 4, 8, 2], start.land_use[1, 4, 8, 2] = 3.0, 1.0
    origin = torch.zeros(2, at.ORIGIN, 1, 1)
    origin[:, at.PRIOR_USE], origin[:, at.USE_NOW], origin[:, at.PRIOR_COVER] = 4, 8, 37
    origin[:, at.YEARS] = torch.tensor([-25.0, -1.0])[:, None, None]
    assert start(origin, torch.zeros(2, 8, 1, 1))[:, 2].flatten().tolist() == [3.0, 1.0]


def test_a_corner_off_the_lattice_does_not_change_how_many_years_lie_between(cube, untrained):
    pair = 2007, 2009
    for heads in ((USE,), (LAND_COVER,)):
        made = [untrained[heads].predict(replace(cube, corner=corner), *pair)[heads[0]] for corner in ((0, 0), (3, 5))]
        np.testing.assert_allclose(*made, atol=1e-6)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_it_trains_on_cuda_as_on_the_cpu(cube):
    model = small(HEADS, steps=4, precision="bf16").fit(cube, EXPERIMENT)
    assert choose_device().type == "cuda" and np.isfinite(model.history["validation_loss"]).all()
    assert all(np.isfinite(p).any() for p in model.predict(cube, 2007, 2009).values())
