"""Land cover: legends, what boosting starts from, which cells it learns from, models, counts on three legends."""

import numpy as np
import pandas as pd
import pytest
import xgboost
from regions import without
from sklearn import metrics as sk
from vegetation_cases import CROP, FOREST, WATER, YEARS, small_cube

from ai4land.evaluate import count_maps, counts_with_keys, keep_lasting, score_counts
from ai4land.evaluate.tables import cover_table, read_counts
from ai4land.experiments import Experiment
from ai4land.grid import Grid
from ai4land.legend import class_codes, read_crosswalk, read_legend, recode
from ai4land.models import cover_start
from ai4land.models.cover_baselines import CoverPersistence, LandUseMajority, LandUseRule
from ai4land.models.cover_forest import CoverForest
from ai4land.models.cover_start import CODES, VARIANTS, Shown, count_groups, draw_cells, show, start_shares, variant
from ai4land.models.cover_trees import CoverTrees
from ai4land.plot.cover import _agreement, plot_cover_pair
from ai4land.predict.cover import count_cover, judge_cover, predict_cover
from ai4land.runs import read_run
from ai4land.samples.predictors import Given, level_1
from ai4land.windows import WHOLE

EXPERIMENT = Experiment(start=2006, train=(2000, 2004), validation=(2005, 2006), test=(2007, 2009))
SMALL = {"rows": 2000, "cases": 6, "threads": 1}


@pytest.fixture(scope="module")
def cube():
    return small_cube()


@pytest.fixture(scope="module")
def trees(cube):
    """Fitted trees by what they are given."""
    return {m: CoverTrees(g, rounds=8, depth=3, **SMALL).fit(cube, EXPERIMENT) for m, g in VARIANTS.items()}


def labels(model, cube, prior_year, year, **how):
    p = model.predict(cube, prior_year, year, **how)["land_cover"]
    return np.where(p.max(0) > 0, CODES[p.argmax(0)], 0)


def scores_of(prior, observed, simulated, legend="land_cover"):
    maps = [np.asarray(m, np.uint8) for m in (prior, observed, simulated)]
    if legend != "land_cover":
        maps = [recode(m, read_crosswalk("land_cover", legend)) for m in maps]
    grid = Grid(45.0, 0.0, 0.01, 0.01, *maps[0].shape)
    counts = count_maps(*maps, np.ones(grid.shape, bool), grid, legend=legend)
    table = score_counts(counts_with_keys(counts, target="land_cover", legend=legend, experiment="e", model="m"))
    table = table[table["weight"] == "cells"]
    return {(m, c): v for m, c, v in zip(table["metric"], table["class"], table["value"], strict=True)}


def test_level_1_is_what_the_predictors_call_it_and_has_the_names_of_the_37():
    table = read_crosswalk("land_cover", "land_cover_22")
    assert table["code"].tolist() == level_1(table["source_code"].to_numpy()).tolist()
    fine = read_legend("land_cover")
    pd.testing.assert_frame_equal(read_legend("land_cover_22"), fine[fine["code"] % 10 == 0].reset_index(drop=True))
    assert class_codes(read_legend("land_cover_22")).size == 22


@pytest.mark.parametrize(("legend", "right"), [("land_cover", 1), ("land_cover_22", 2), ("land_use", 3)])
def test_61_for_60_is_a_smaller_error_than_70_for_60_than_210_for_60(legend, right):
    # Four cells of 60, predicted 60, 61, 70 and 210: right on 37 classes, on 22, on 8, and nowhere.
    s = scores_of([[60, 60, 60, 60]], [[60, 60, 60, 60]], [[60, 61, 70, 210]], legend)
    assert s["overall_accuracy", "all"] == right / 4


def test_scores_of_land_cover_equal_scikit_learn_and_leave_cells_without_data_out():
    rng = np.random.default_rng(0)
    classes = [0, 10, 60, 61, 130, 190, 210]
    prior, observed, simulated = (rng.choice(classes, (40, 40)).astype(np.uint8) for _ in range(3))
    simulated[simulated == 190] = 10  # urban is observed and never predicted: its precision counts as 0
    simulated[0, 0], prior[0, 0], observed[0, 0] = 220, 60, 60  # ice is predicted once and never observed
    s = scores_of(prior, observed, simulated)
    land = ~np.isin(prior, (0, 210)) & ~np.isin(observed, (0, 210)) & (simulated != 0)
    y, p, every = observed[land], simulated[land], [10, 60, 61, 130, 190, 220]
    assert s["overall_accuracy", "all"] == pytest.approx(sk.accuracy_score(y, p))
    precision = sk.precision_score(y, p, labels=every, average="macro", zero_division=0)
    assert s["macro_precision", "all"] == pytest.approx(precision)
    assert s["mean_iou_land", "all"] == pytest.approx(sk.jaccard_score(y, p, labels=every, average="macro"))
    known = (prior != 0) & (observed != 0) & (simulated != 0)
    water = sk.jaccard_score(observed[known], simulated[known], labels=[210], average="macro")
    assert s["iou", "water"] == pytest.approx(water)


def test_changes_that_last_know_the_code_of_no_data():
    later = [np.array([[0, 61, 61]], np.uint8), np.array([[60, 61, 60]], np.uint8)]
    assert keep_lasting(np.array([[60, 60, 60]], np.uint8), later, 0).tolist() == [[0, 61, 60]]


def test_start_shares_by_hand():
    # Prior 60 beside forest: nine stay 60, one becomes 10. Prior 60 beside new cropland: two become 10.
    prior, use = np.full((1, 12), 60, np.uint8), np.array([[4] * 10 + [2] * 2], np.uint8)
    moved = np.array([[False] * 10 + [True] * 2])
    cover = np.array([[60] * 9 + [10] * 3], np.uint8)
    shown = Shown(prior, use, moved, np.ones((1, 12), bool))
    shares = start_shares(count_groups(shown, cover), [10, 60])
    row, columns = int(shown.group[0][0, 0]), shown.group[1][0, [0, 11]]
    whole = np.array([3.5, 9.5]) / 13  # all twelve cells and half a cell each
    of_prior = (np.array([3, 9]) + (np.array([0, 1]) + whole) / 2) / 13  # one more stayed 60
    np.testing.assert_allclose(shares[row, columns[0]], (np.array([1, 9]) + of_prior) / 11, rtol=1e-6)
    of_use = (np.array([2, 0]) + whole) / 3
    np.testing.assert_allclose(shares[row, columns[1]], (np.array([2, 0]) + of_use) / 3, rtol=1e-6)
    # Without a prior, cropland is cropland whether it is new or not.
    of_none = (np.array([3, 9]) + whole) / 13
    np.testing.assert_allclose(shares[0, 2], (np.array([2, 0]) + of_none) / 3, rtol=1e-6)
    np.testing.assert_allclose(shares.sum(-1), 1, rtol=1e-6)


def test_half_of_the_cells_drawn_changed_and_the_margin_undoes_it():
    prior = np.full((100, 100), 60, np.uint8)
    cover = prior.copy()
    cover[:3] = 10  # 300 of 10,000 cells changed
    everywhere = np.ones(prior.shape, bool)
    shown = Shown(prior, np.full(prior.shape, 255, np.uint8), ~everywhere, everywhere)
    where, odds = draw_cells(shown, cover, [10, 60], 400, np.random.default_rng(1), halved=True)
    changed = int((cover != prior)[where].sum())
    assert (where.sum(), changed) == (400, 200)
    # Log odds of staying among the drawn cells, less the margin's addition, are those of all cells.
    assert np.log(200 / 200) - odds == pytest.approx(np.log(9700 / 300))
    where, odds = draw_cells(shown, cover, [10, 60], 4000, np.random.default_rng(1), halved=True)
    assert (cover != prior)[where].sum() == 300 and where.sum() == 4000  # all that changed, where they are fewer
    where, odds = draw_cells(shown, cover, [10, 60], 400, np.random.default_rng(1), halved=False)
    assert odds == 0 and (cover != prior)[where].sum() < 40


def test_hidden_cells_are_drawn_as_they_are():
    prior = np.full((100, 100), 60, np.uint8)
    prior[50:] = 0
    cover = np.full((100, 100), 60, np.uint8)
    cover[::20] = 10
    everywhere = np.ones(prior.shape, bool)
    shown = Shown(prior, np.full(prior.shape, 255, np.uint8), ~everywhere, everywhere)
    where, _ = draw_cells(shown, cover, [10, 60], 500, np.random.default_rng(1), halved=True)
    assert (cover == 10)[where & (prior == 60)].sum() == 250
    hidden = where & (prior == 0)
    assert (cover == 10)[hidden].mean() < 0.15  # one in twenty


def test_probabilities_are_those_of_all_cells_although_changed_ones_are_drawn_more_often(cube):
    """Where nothing tells which cells change, the mean probability of change is the share of cells that do."""
    rng = np.random.default_rng(0)
    rate, maps = 0.04, {}
    for year in YEARS:
        last = maps.get(year - 1, np.full(cube.grid.shape, 60, np.uint8))
        maps[year] = np.where(rng.random(cube.grid.shape) < rate, 190 - last, last).astype(
            np.uint8
        )  # 60 and 130 change places
    noisy = cube.with_fields(land_cover=maps)
    experiment = EXPERIMENT.model_copy(update={"test": (2007, 2007)})
    model = CoverTrees(VARIANTS["prior"], rounds=5, depth=2, rows=12000, cases=4, threads=1, masked=0.0)
    p = model.fit(noisy, experiment).predict(noisy, 2006, 2007)["land_cover"]
    stays = np.take_along_axis(p, np.searchsorted(CODES, maps[2006])[None], 0)[0]
    assert 1 - stays.mean() == pytest.approx(rate, rel=0.25)


def test_variants_are_named_by_what_they_are_given():
    assert {variant(given): given for given in VARIANTS.values()} == VARIANTS
    assert variant(Given(coupled=True)) == "hilda"


@pytest.mark.parametrize("member", VARIANTS)
def test_probabilities_sum_to_one_and_the_models_know_what_they_are_told(cube, trees, member):
    p = trees[member].predict(cube, 2006, 2009)["land_cover"]
    assert p.shape == (37, *cube.grid.shape) and p.dtype == np.float32
    np.testing.assert_allclose(p.sum(0), 1, rtol=1e-5)
    right = (CODES[p.argmax(0)] == cube.field("land_cover", 2009)).mean()
    kept = (cube.field("land_cover", 2006) == cube.field("land_cover", 2009)).mean()
    # Land cover follows land use in this region; a prior alone knows what did not change.
    assert right > 0.99 if "hilda" in member else right >= kept - 0.02 if member == "prior" else right < kept


def test_land_cover_follows_land_use_that_is_changed_in_the_input(cube, trees):
    use = {year: cube.field("land_use", year).copy() for year in (2006, 2007)}
    use[2007][10:20, 50:70] = CROP
    changed = cube.with_fields(land_use=use)
    before, after = (labels(trees["hilda+prior"], c, 2006, 2007) for c in (cube, changed))
    forest = use[2006][10:20, 50:70] == FOREST
    assert (before[10:20, 50:70][forest] == 60).all() and (after[10:20, 50:70][forest] == 10).mean() > 0.95


def test_water_stays_and_no_data_stays_empty(cube, trees):
    maps = {year: cube.field("land_cover", year).copy() for year in (2006, 2009)}
    maps[2006][30, 30], maps[2006][31, 31] = 0, 210
    holed = cube.with_fields(land_cover=maps)
    p = trees["hilda+prior"].predict(holed, 2006, 2009)["land_cover"]
    assert p[:, 30, 30].sum() == 0 and p[CODES == 210, 31, 31] == 1
    # Without a prior, land use says where water is.
    use = cube.field("land_use", 2009)
    p = trees["hilda"].predict(cube, 2006, 2009)["land_cover"]
    assert (p[CODES == 210][0][use == WATER] == 1).all()


def test_hidden_priors_are_predicted_from_the_rest(cube, trees):
    hidden = np.zeros(cube.grid.shape, bool)
    hidden[8:40, 8:40] = True
    made = labels(trees["hilda+prior"], cube, 2006, 2009, hidden=hidden)
    assert (made == cube.field("land_cover", 2009))[hidden].mean() > 0.95


def test_any_window_and_any_strip_give_the_same(cube, trees, monkeypatch):
    whole = trees["hilda+prior"].predict(cube, 2006, 2009)["land_cover"]
    window = slice(7, 31), slice(12, 60)
    hidden = np.random.default_rng(0).random(cube.grid.shape) < 0.5
    part = trees["hilda+prior"].predict(cube, 2006, 2009, window=window)["land_cover"]
    np.testing.assert_array_equal(part, whole[:, *window])
    masked = trees["hilda+prior"].predict(cube, 2006, 2009, hidden)["land_cover"]
    monkeypatch.setattr(cover_start, "_CELLS_AT_ONCE", 5 * cube.grid.cols)
    np.testing.assert_array_equal(trees["hilda+prior"].predict(cube, 2006, 2009, hidden)["land_cover"], masked)
    part = trees["hilda+prior"].predict(cube, 2006, 2009, hidden[window], window)["land_cover"]
    np.testing.assert_array_equal(part, masked[:, *window])


def test_no_map_of_a_test_year_enters_training(cube, trees):
    marked = {year: cube.field("land_cover", year).copy() for year in YEARS}
    used = {year: cube.field("land_use", year).copy() for year in YEARS}
    for year in range(2007, 2010):
        marked[year][:] = 190
        used[year][:] = 1
    planted = cube.with_fields(land_cover=marked, land_use=used)
    again = CoverTrees(VARIANTS["hilda+prior"], rounds=8, depth=3, **SMALL).fit(planted, EXPERIMENT)
    first = trees["hilda+prior"]
    assert again.booster.save_raw() == first.booster.save_raw() and again.temperature == first.temperature
    assert all(np.array_equal(again.start[gap], shares) for gap, shares in first.start.items())


def test_what_trees_learn_from_does_not_depend_on_how_many_cells_are_in_memory(cube, trees, monkeypatch):
    model = trees["hilda+prior"]
    cases = model._cases(EXPERIMENT, "train")
    whole = list(model._tables(cube, cases, 1000, True))
    monkeypatch.setattr(cover_start, "_CELLS_AT_ONCE", 400)
    strips = list(model._tables(cube, cases, 1000, True))
    assert len(whole) == len(cases) < len(strips)
    for part in range(3):
        np.testing.assert_array_equal(*(np.concatenate([t[part] for t in tables]) for tables in (whole, strips)))


@pytest.mark.parametrize("make", [CoverTrees, CoverForest])
def test_saved_models_predict_the_same(cube, tmp_path, make):
    model = make(VARIANTS["hilda+prior"], **SMALL, **({"rounds": 4} if make is CoverTrees else {"trees": 2}))
    model.fit(cube, EXPERIMENT).save(tmp_path / "one")
    loaded = make.load(tmp_path / "one")
    np.testing.assert_array_equal(
        loaded.predict(cube, 2006, 2009)["land_cover"], model.predict(cube, 2006, 2009)["land_cover"]
    )
    assert loaded.given == model.given
    loaded.save(tmp_path / "two")
    assert all(f.read_bytes() == (tmp_path / "two" / f.name).read_bytes() for f in (tmp_path / "one").iterdir())
    with pytest.raises(ValueError, match="holds .* expected"):
        (CoverForest if make is CoverTrees else CoverTrees).load(tmp_path / "one")


def test_finished_boosting_is_not_grown_again(cube, trees, tmp_path, monkeypatch):
    def model(**more):
        kept = {"rounds": 8, "depth": 3, "checkpoints": tmp_path}
        return CoverTrees(VARIANTS["hilda+prior"], **{**SMALL, **kept, **more})

    model().fit(cube, EXPERIMENT)
    monkeypatch.setattr(xgboost.Booster, "update", lambda *_: pytest.fail("grown again"))
    again = model().fit(cube, EXPERIMENT)
    assert again.booster.save_raw() == trees["hilda+prior"].booster.save_raw()
    with pytest.raises(pytest.fail.Exception, match="grown again"):
        model(depth=2).fit(cube, EXPERIMENT)


def test_nothing_to_learn_from_is_said_in_one_line(cube):
    all_water = {year: np.full(cube.grid.shape, 210, np.uint8) for year in YEARS}
    with pytest.raises(ValueError, match=r"classes \[210\]; two classes are needed") as refused:
        CoverTrees(**SMALL).fit(cube.with_fields(land_cover=all_water), EXPERIMENT)
    assert "\n" not in str(refused.value)
    short = EXPERIMENT.model_copy(update={"train": (2004, 2004)})
    with pytest.raises(ValueError, match="0 training"):
        CoverTrees(**SMALL).fit(cube, short)


def test_other_predictors_than_trained_on_are_refused(cube, trees):
    fewer = without(cube, "elevation")
    with pytest.raises(ValueError, match=r"differ from those trained on: \['elevation'\]"):
        trees["hilda+prior"].predict(fewer, 2006, 2009)


def test_baselines_by_hand(cube, tmp_path):
    prior, use = cube.field("land_cover", 2006), cube.field("land_use", 2009)
    assert (labels(CoverPersistence(), cube, 2006, 2009) == prior).all()
    majority = LandUseMajority().fit(cube, EXPERIMENT)
    # In this region each land use has one land cover.
    assert (labels(majority, cube, 2006, 2009) == cube.field("land_cover", 2009)).all()
    majority.save(tmp_path)
    np.testing.assert_array_equal(LandUseMajority.load(tmp_path).shares, majority.shares)
    odd = {2006: np.where(use == FOREST, 90, prior).astype(np.uint8)}
    kept = cube.with_fields(land_cover=odd)
    made = labels(LandUseRule.load(tmp_path), kept, 2006, 2009)
    same = use == cube.field("land_use", 2006)
    assert (made[same] == odd[2006][same]).all() and (made[~same] == 10).all() and (~same).any()


def test_a_land_use_that_a_climate_group_lacked_takes_the_cover_that_it_has_elsewhere(cube):
    zones = np.full(cube.grid.shape, 8, np.float32)  # group C
    zones[:, 40:] = 1  # group A has no cropland in training
    model = LandUseMajority().fit(cube.with_fields(koppen=zones), EXPERIMENT)
    assert CODES[model.shares[CROP].argmax(-1)].tolist() == [10] * 6


def test_every_model_is_judged_on_the_same_cells_on_three_legends(cube, trees, tmp_path):
    titles = {("persistence", "all"): CoverPersistence(), ("land_use_rule", "hilda+prior"): LandUseRule()}
    titles |= {("xgboost", "none"): CoverTrees(VARIANTS["none"], rounds=2, **SMALL)}
    out = judge_cover(titles, cube, {"e": EXPERIMENT}, {("xgboost", "none"): tmp_path / "weights"})
    counts = pd.concat(out.counts)
    joint = counts[(counts["statistic"] == "joint") & (counts["weight"] == "cells")]
    assert set(joint.groupby(["legend", "lead", "model"])["value"].sum()) == {cube.grid.rows * cube.grid.cols}
    assert set(counts["legend"]) == {"land_cover", "land_cover_22", "land_use"} and set(counts["lead"]) == set("123")
    assert (tmp_path / "weights" / "model.ubj").exists() and out.maps["e"].keys() == titles.keys()
    np.testing.assert_array_equal(out.maps["e"]["persistence", "all"], cube.field("land_cover", 2006))
    scores = score_counts(counts)
    calibrated = scores[scores["metric"] == "expected_calibration_error"]
    assert set(calibrated["model"]) == {"xgboost"} and set(calibrated["legend"]) == {"land_cover"}
    table = cover_table(scores, {"e": EXPERIMENT}, "small")
    row = table.xs(("e", 3, "2000-2004", 37), level=("experiment", "lead", "trained on", "classes"))
    assert row.loc[("persistence", "all"), "figure of merit"] == 0 and row.index[0] == ("persistence", "all")
    assert "ESA CCI" in row.loc[("land_use_rule", "hilda+prior"), "note"]
    assert "told more" in row.loc[("xgboost", "none"), "note"] and row.loc[("persistence", "all"), "note"] == ""


def test_changes_that_last_are_counted_where_the_maps_that_follow_are_there(cube):
    experiment = Experiment(start=2003, train=(2000, 2001), validation=(2002, 2003), test=(2004, 2009))
    made = {("persistence", "all"): predict_cover(CoverPersistence(), cube, 2003, 2004)["most_probable"]}
    assert "joint_lasting" in set(count_cover(cube, "e", experiment, 2004, made)["statistic"])  # to 2008
    assert "joint_lasting" not in set(count_cover(cube, "e", experiment, 2006, made)["statistic"])  # to 2010


def test_counts_of_a_target_are_read_by_themselves(tmp_path):
    run = read_run("demo")
    for region in run.regions:
        (tmp_path / region).mkdir()
        (tmp_path / region / "counts-trees.csv").write_text("target,value\nland_use,1\n")
    for region in run.vegetation.regions:
        (tmp_path / region / "counts-land-cover.csv").write_text("target,value\nland_cover,2\n")
        (tmp_path / region / "counts-leaf-area.csv").write_text("target,other\nleaf_area_index,2\n")
    assert read_counts(tmp_path, run)["value"].tolist() == [1] * len(run.regions)
    assert read_counts(tmp_path, run, "land_cover")["value"].tolist() == [2] * len(run.vegetation.regions)
    (tmp_path / run.vegetation.regions[0] / "counts-land-cover.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"of land_cover in .*; run 09-land-cover"):
        read_counts(tmp_path, run, "land_cover")


def test_how_far_classes_are_apart_is_drawn_in_four_steps(cube):
    observed, predicted = np.array([60, 60, 60, 60, 0], np.uint8), np.array([60, 61, 70, 10, 60], np.uint8)
    assert _agreement(observed, predicted).tolist() == [0, 1, 2, 3, -1]


def test_the_figure_has_three_maps_and_marks_synthetic_data(cube):
    import xarray as xr

    maps = [xr.DataArray(cube.field("land_cover", y), cube.grid.coords(), ("lat", "lon")) for y in (2006, 2009)]
    figure = plot_cover_pair(*maps, ["Observed", "Predicted", "Difference"], "made up", True)
    assert [axes.get_title("left") for axes in figure.axes] == ["Observed", "Predicted", "Difference"]
    assert "SYNTHETIC" in figure.get_supxlabel()
    entries = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert "Grassland" in entries and "another land use" in entries


def test_what_is_shown_is_hidden_where_it_must_be(cube):
    hidden = np.zeros(cube.grid.shape, bool)
    hidden[20:, :] = True
    shown = show(cube, VARIANTS["hilda+prior"], 2006, 2009, WHOLE, hidden)
    assert (shown.prior[20:] == 0).all() and not shown.moved[20:].any() and shown.valid.all()
    assert (shown.moved[:20] == (cube.field("land_use", 2006) != cube.field("land_use", 2009))[:20]).all()
    assert (show(cube, VARIANTS["none"], 2006, 2009, WHOLE).land_use == 255).all()
