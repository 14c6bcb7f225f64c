"""Leaf area: trees, baselines, and scores."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import r2_score, root_mean_squared_error
from vegetation_cases import COVER, CROP, FOREST, WATER, YEARS, small_cube

from ai4land.evaluate.leaf_area import (
    REFERENCES,
    count_leaves,
    harmonic_phase,
    leaf_table,
    phase_error,
    pick,
    score_leaves,
    seasonal_cycles,
)
from ai4land.evaluate.leaf_maps import anomaly_skill, neighbour_difference
from ai4land.experiments import Experiment
from ai4land.grid import Grid
from ai4land.models import leaf_trees
from ai4land.models.green import pairs
from ai4land.models.leaf_baselines import CellMean, Climatology, GlobalMean, LeafPersistence
from ai4land.models.leaf_choose import VARIANTS, make_leaf_models
from ai4land.models.leaf_rows import blocks_of, draw_blocks, draw_rows
from ai4land.models.leaf_trees import GIVEN, LeafTrees
from ai4land.predict import leaves as judging
from ai4land.samples.predictors import Given

EXPERIMENT = Experiment(start=2007, train=(2000, 2005), validation=(2006, 2007), test=(2008, 2009))
SETTINGS = {"rounds": 20, "rows": 15_000, "depth": 6, "learning_rate": 0.3, "seed": 1}
FEW = SETTINGS | {"rounds": 12, "rows": 4_800}
GRID = Grid(60.0, 0.0, 0.5, 0.5, 4, 5)
MONTH = np.arange(12)[:, None, None]


@pytest.fixture(scope="module")
def cube():
    return small_cube()


@pytest.fixture(scope="module")
def trees(cube):
    return LeafTrees(**SETTINGS).fit(cube, EXPERIMENT)


def leaves(model, cube, year=2008, **given):
    return model.predict(cube, 2007, year, **given)["leaf_area_index"]


def changed(cube, name, year, change):
    """The cube with ``change`` made to one year's map or season."""
    fields = {y: cube.field(name, y).copy() for y in YEARS}
    change(fields[year])
    return cube.with_fields(**{name: fields})


def case(seed=0):
    """Random seasons on a grid whose rows differ in area; two classes and water."""
    rng = np.random.default_rng(seed)
    observed = 3 - 2 * np.cos(2 * np.pi * MONTH / 12) + rng.normal(0, 0.5, (12, 4, 5))
    cover = np.array([[61, 61, 10, 10, 210]] * 4, np.uint8)
    references = {name: observed + rng.normal(0, 1, observed.shape) for name in REFERENCES}
    return observed, observed + rng.normal(0.2, 0.3, observed.shape), references, cover


def counted(observed, simulated, references, cover, grid=GRID, where=None, **keys):
    where = np.ones(grid.shape, bool) if where is None else where
    return count_leaves(observed, simulated, references, cover, where, grid, model="m", region="r", **keys)


def value(scores, metric, **keys):
    chosen = {"region": "all", "month": "all", "class": "all", "weight": "cells"} | keys
    for column, wanted in chosen.items():
        scores = scores[scores[column] == wanted]
    return scores.loc[scores["metric"] == metric, "value"].item()


# --- scores -----------------------------------------------------------------------------------------------------------


def test_scores_of_all_cells_are_those_of_scikit_learn_and_numpy():
    observed, simulated, references, cover = case()
    scores = score_leaves(counted(observed, simulated, references, cover))
    o, s, c = (a[:, :, :4].ravel() for a in (observed, simulated, references["climatology"]))  # without water
    assert value(scores, "r2") == pytest.approx(r2_score(o, s))
    assert value(scores, "rmse") == pytest.approx(root_mean_squared_error(o, s))
    assert value(scores, "bias") == pytest.approx((s - o).mean())
    assert value(scores, "anomaly_correlation") == pytest.approx(np.corrcoef(o - c, s - c)[0, 1])
    for name in REFERENCES:
        r = references[name][:, :, :4].ravel()
        expected = 1 - ((s - o) ** 2).mean() / ((r - o) ** 2).mean()
        assert value(scores, f"misfit_reduction_{name}") == pytest.approx(expected)


def test_scores_by_area_weight_every_row_by_its_cells():
    observed, simulated, references, cover = case()
    scores = score_leaves(counted(observed, simulated, references, cover))
    area = np.broadcast_to(GRID.cell_area()[:, None], (12, 4, 4)).ravel()
    o, s = observed[:, :, :4].ravel(), simulated[:, :, :4].ravel()
    assert value(scores, "r2", weight="km2") == pytest.approx(r2_score(o, s, sample_weight=area))
    assert value(scores, "rmse", weight="km2") == pytest.approx(root_mean_squared_error(o, s, sample_weight=area))


def test_scores_of_a_month_and_of_a_class_are_those_of_its_cells():
    observed, simulated, references, cover = case()
    scores = score_leaves(counted(observed, simulated, references, cover))
    forest = "tree_broadleaved_deciduous_closed_to_open"  # 61 is 60
    expected = root_mean_squared_error(observed[2, :, :2].ravel(), simulated[2, :, :2].ravel())
    assert value(scores, "rmse", month="3", **{"class": forest}) == pytest.approx(expected)
    assert set(scores["class"]) == {"all", forest, "cropland_rainfed"}  # no water
    assert scores.loc[scores["class"] == forest, "cells"].max() == 12 * 4 * 2


def test_counts_of_two_halves_add_up_to_those_of_the_whole():
    observed, simulated, references, cover = case()
    whole = score_leaves(counted(observed, simulated, references, cover))
    parts = []
    for cols in (slice(0, 2), slice(2, 5)):
        grid, cut = GRID.cut(slice(0, 4), cols), (slice(None), slice(None), cols)
        refs = {name: field[cut] for name, field in references.items()}
        parts.append(counted(observed[cut], simulated[cut], refs, cover[:, cols], grid))
    pd.testing.assert_frame_equal(whole, score_leaves(pd.concat(parts)))


def test_two_regions_are_scored_apart_and_together():
    first, second = (counted(*case(seed)).assign(region=f"r{seed}") for seed in (0, 1))
    scores = score_leaves(pd.concat([first, second]))
    assert set(scores["region"]) == {"r0", "r1", "all"}
    mse = [value(scores, "rmse", region=r) ** 2 for r in ("r0", "r1")]
    assert value(scores, "rmse") ** 2 == pytest.approx(np.mean(mse))  # as many cells in both


def test_months_without_a_value_in_any_reference_are_judged_by_nobody():
    observed, simulated, references, cover = case()
    references["persistence"][0, 0, 0] = np.nan
    scores = score_leaves(counted(observed, simulated, references, cover))
    assert scores["cells"].max() == 12 * 16 - 1
    with pytest.raises(ValueError, match=r"references \['climatology'\]: expected"):
        counted(observed, simulated, {"climatology": references["climatology"]}, cover)
    with pytest.raises(ValueError, match="differ in shape"):
        counted(observed, simulated, references, cover[:2])


def test_places_that_always_differ_reduce_the_misfit_by_themselves():
    # Cells of 1 to 20 m2 m-2: variance (20^2 - 1) / 12 = 33.25; weather of variance 0.25 that no model knows.
    rng, place = np.random.default_rng(0), np.arange(1.0, 21).reshape(4, 5)
    observed = place + rng.choice([-0.5, 0.5], (12, 4, 5))
    cell = np.broadcast_to(place, observed.shape)
    references = dict.fromkeys(REFERENCES, cell) | {"global_mean": np.full(observed.shape, 10.5)}
    scores = score_leaves(counted(observed, cell, references, np.full((4, 5), 10, np.uint8)))
    assert value(scores, "misfit_reduction_global_mean") == pytest.approx(1 - 0.25 / 33.5, abs=0.01)
    assert value(scores, "misfit_reduction_cell_mean") == 0
    assert "anomaly_correlation" not in set(scores["metric"])  # of the climatology itself there is none


@pytest.mark.parametrize(("late", "days"), [(1, 30.4375), (-2, -60.875), (11, -30.4375), (0, 0)])
def test_a_season_shifted_by_months_is_late_by_their_days(late, days):
    season = 3 + np.cos(2 * np.pi * (np.arange(12) - 6) / 12)
    assert phase_error(season, 2 * np.roll(season, late)) == pytest.approx(days)


def test_the_phase_is_the_middle_of_the_highest_month_and_none_without_a_cycle():
    season = np.cos(2 * np.pi * (np.arange(12) - 6) / 12)  # highest in July, whose middle is 6.5
    assert harmonic_phase(season) == pytest.approx(6.5)
    assert np.isnan(harmonic_phase(np.ones(12))) and np.isnan(harmonic_phase(np.full(12, np.nan)))


def test_seasonal_cycles_are_means_by_month_and_class_and_give_the_phase_error():
    observed, _, references, cover = case()
    counts = counted(observed, np.roll(observed, 1, 0), references, cover)
    cycles = seasonal_cycles(counts)
    crop = cycles[(cycles["class"] == "cropland_rainfed") & (cycles["weight"] == "cells") & (cycles["region"] == "r")]
    assert crop["month"].tolist() == list(range(1, 13))
    assert crop["observed"].to_numpy() == pytest.approx(observed[:, :, 2:4].mean((1, 2)))
    assert value(score_leaves(counts), "phase_error") == pytest.approx(365.25 / 12)


def test_skill_in_time_is_the_correlation_of_each_cells_anomalies():
    observed, simulated, references, _ = case()
    climatology = references["climatology"]
    skill = anomaly_skill([observed, 2 * observed], [simulated, simulated], climatology)
    o = np.concatenate([observed - climatology, 2 * observed - climatology])[:, 1, 2]
    s = np.concatenate([simulated - climatology] * 2)[:, 1, 2]
    assert skill[1, 2] == pytest.approx(np.corrcoef(o, s)[0, 1])
    assert np.isnan(anomaly_skill([observed], [climatology], climatology)).all()


def test_the_difference_of_neighbours_is_that_of_means_in_a_box():
    season = np.array([[[5.0, 5, 2, 9, 1]]])
    here, others = np.array([[1, 1, 0, 0, 0]], bool), np.array([[0, 0, 1, 0, 1]], bool)
    made = neighbour_difference(season, here, others, radius=1)
    assert np.isnan(made[0, 0, [0, 2, 3, 4]]).all()  # no other beside the first
    assert made[0, 0, 1] == pytest.approx(2 - 5)


# --- trees ------------------------------------------------------------------------------------------------------------


def test_leaf_area_is_within_its_range_zero_on_water_and_missing_without_data(cube, trees):
    made = leaves(trees, cube)
    water = cube.field("land_cover", 2008) == COVER[WATER]
    assert water.any() and (made[:, water] == 0).all()
    assert np.isfinite(made).all() and made.min() >= 0 and made.max() <= 7
    bare = changed(cube, "land_cover", 2008, lambda m: m.__setitem__((slice(40, 45), slice(None)), 0))
    made = leaves(trees, bare)
    assert np.isnan(made[:, 40:45]).all() and np.isfinite(made[:, :40]).all()


def test_leaf_area_follows_land_cover_month_by_month_in_sign_and_size(cube, trees):
    """Where forest is turned into crop in the input, prior kept, it moves by the difference of neighbours."""
    forest, crop = (cube.field("land_use", 2008) == code for code in (FOREST, CROP))
    turned = forest.copy()
    turned[:, :50], turned[:10], turned[20:] = False, False, False
    other = cube
    for name, code in (("land_use", CROP), ("land_cover", COVER[CROP])):
        other = changed(other, name, 2008, lambda field, code=code: field.__setitem__(turned, code))
    moved = (leaves(trees, other) - leaves(trees, cube))[:, turned].mean(1)
    expected = np.nanmean(neighbour_difference(cube.field("leaf_area_index", 2008), forest, crop, 30), (1, 2))
    assert (np.abs(expected) > 0.4).all() and np.ptp(
        expected
    ) > 1  # both in sign and by month there is something to see
    assert np.corrcoef(moved, expected)[0, 1] > 0.95
    assert moved == pytest.approx(expected, rel=0.3)


def test_it_beats_persistence_where_the_cover_changed(cube, trees):
    where = cube.field("land_cover", 2009) != cube.field("land_cover", 2007)
    observed, made, prior = (
        cube.field("leaf_area_index", 2009),
        leaves(trees, cube, 2009),
        cube.field("leaf_area_index", 2007),
    )
    error = [np.sqrt(np.mean((a - observed)[:, where] ** 2)) for a in (made, prior)]
    assert error[0] < 0.5 * error[1]


def test_no_test_label_enters_training(cube, trees):
    planted = cube
    for year in (2008, 2009):
        planted = changed(planted, "leaf_area_index", year, lambda season: season.fill(6.66))
        for name in ("land_use", "land_cover"):
            planted = changed(planted, name, year, lambda field: field.fill(10))
    other = LeafTrees(**SETTINGS).fit(planted, EXPERIMENT)
    assert other.booster.save_raw() == trees.booster.save_raw()
    assert (other.seasons == trees.seasons).all()
    means = [Climatology().fit(one, EXPERIMENT).season for one in (cube, planted)]
    assert np.array_equal(*means, equal_nan=True)


def test_trees_are_the_same_again_after_a_kill_and_after_saving(cube, trees, tmp_path, monkeypatch):
    few = LeafTrees(**FEW, checkpoints=tmp_path / "checkpoints")
    monkeypatch.setattr("ai4land.models.boosting.ROUNDS_AT_ONCE", 5)
    straight = LeafTrees(**FEW).fit(cube, EXPERIMENT)
    monkeypatch.setattr("ai4land.models.boosting.xgboost.Booster.save_model", _killed_at_the_second(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        few.fit(cube, EXPERIMENT)
    monkeypatch.undo()
    monkeypatch.setattr("ai4land.models.boosting.ROUNDS_AT_ONCE", 5)
    again = LeafTrees(**FEW, checkpoints=tmp_path / "checkpoints").fit(cube, EXPERIMENT)
    assert again.booster.save_raw() == straight.booster.save_raw()
    trees.save(tmp_path / "model")
    read = LeafTrees.load(tmp_path / "model")
    assert (leaves(read, cube) == leaves(trees, cube)).all()
    pd.testing.assert_frame_equal(read.error, trees.error, check_dtype=False)


def _killed_at_the_second(folder):
    import xgboost

    save, calls = xgboost.Booster.save_model, []

    def save_model(self, path):
        calls.append(path)
        if len(calls) > 1:
            raise KeyboardInterrupt
        save(self, path)

    return save_model


def test_a_window_and_any_size_of_blocks_give_what_the_whole_gives(cube, trees, monkeypatch):
    whole = leaves(trees, cube)
    assert (leaves(trees, cube, window=(slice(7, 30), slice(20, 61))) == whole[:, 7:30, 20:61]).all()
    monkeypatch.setattr(leaf_trees, "blocks_of", lambda grid, window: blocks_of(grid, window, 16))
    assert (leaves(trees, cube) == whole).all()


def test_a_hidden_season_has_no_say(cube, trees):
    hidden = np.zeros(cube.grid.shape, bool)
    hidden[10:30, 10:60] = True
    other = changed(cube, "leaf_area_index", 2007, lambda season: season.__setitem__((slice(None), hidden), 0.1))
    assert (leaves(trees, cube, hidden=hidden) == leaves(trees, other, hidden=hidden)).all()
    assert (leaves(trees, cube) != leaves(trees, other)).any()


def test_a_coupled_model_sees_no_weather_of_its_month(cube):
    coupled = LeafTrees(**FEW, given=replace(GIVEN, coupled=True)).fit(cube, EXPERIMENT)
    values = cube.field("climate", 2008).copy()
    values[6:] += 5  # from July on
    other = cube.with_years(climate={2008: values})
    before, after = leaves(coupled, cube), leaves(coupled, other)
    assert (before[:7] == after[:7]).all() and (before[7:] != after[7:]).any()


def test_errors_are_those_of_validation_years_by_month_and_class(cube, trees):
    assert set(trees.error["month"]) == set(range(1, 13)) and set(trees.error["cover"]) == {10, 60, 130}
    assert trees.error["rmse"].between(0, 2).all() and trees.error["cells"].sum() > 1000


def test_rows_are_as_many_of_every_month_half_of_them_from_changed_cells():
    known, moved = np.ones((12, 40, 40), bool), np.zeros((40, 40), bool)
    moved[:2] = True  # 80 cells
    months, cells = draw_rows(known, moved, np.random.default_rng(0), 1200)
    assert np.bincount(months).tolist() == [100] * 12
    assert all(moved.ravel()[cells[months == m]].sum() == 50 for m in range(12))
    assert all(np.unique(cells[months == m]).size == 100 for m in range(12))
    moved[0, 5:], moved[1:] = False, False
    months, cells = draw_rows(known, moved, np.random.default_rng(0), 1200)
    assert moved.ravel()[cells].sum() == 12 * 5  # all there are
    known[3] = False
    assert np.bincount(draw_rows(known, moved, np.random.default_rng(0), 1200)[0])[3] == 0


def test_pairs_of_years_come_in_turn(cube):
    every = list(pairs(EXPERIMENT, "train"))
    draws = draw_blocks(cube, GIVEN, every, 600 * 3 * len(every), [1])
    assert sorted(pair for pair, _ in draws) == sorted(every * 3)


def test_a_region_of_water_is_refused(cube):
    sea = cube
    for year in YEARS:
        sea = changed(sea, "land_cover", year, lambda field: field.fill(210))
    with pytest.raises(ValueError, match="small: no land in 2001"):
        LeafTrees(**SETTINGS).fit(sea, EXPERIMENT)


def test_other_predictors_or_another_model_are_refused(cube, trees, tmp_path):
    with pytest.raises(ValueError, match=r"features differ from those trained on: \['slope'\]"):
        leaves(trees, cube.with_fields(slope=cube.field("elevation")))
    trees.save(tmp_path)
    file = tmp_path / "model.json"
    file.write_text(file.read_text().replace('"leaf_area_index"', '"land_cover"'))
    with pytest.raises(ValueError, match="of land_cover, expected xgboost of leaf area"):
        LeafTrees.load(tmp_path)


# --- baselines --------------------------------------------------------------------------------------------------------


def test_baselines_are_means_of_the_training_years_and_the_prior_season(cube, tmp_path):
    forest = (30, 70)
    assert cube.field("land_cover", 2000)[forest] == cube.field("land_cover", 2009)[forest]
    seen = np.stack([cube.field("leaf_area_index", y) for y in range(2000, 2006)])
    cell = (slice(None), *forest)
    climatology = Climatology().fit(cube, EXPERIMENT)
    assert leaves(climatology, cube)[cell] == pytest.approx(seen.mean(0)[cell], rel=1e-6)
    assert leaves(CellMean().fit(cube, EXPERIMENT), cube)[cell] == pytest.approx(seen.mean((0, 1))[forest], rel=1e-6)
    land = cube.field("land_cover", 2008) != 210
    mean = leaves(GlobalMean().fit(cube, EXPERIMENT), cube)
    assert mean[cell] == pytest.approx(seen.mean((0, 1))[land].mean(), rel=1e-5) and (mean[:, ~land] == 0).all()
    climatology.save(tmp_path)
    assert (leaves(Climatology.load(tmp_path), cube) == leaves(climatology, cube)).all()


def test_persistence_is_the_prior_season_and_nothing_where_it_is_hidden(cube):
    hidden = np.zeros(cube.grid.shape, bool)
    hidden[20:30, 20:30] = True
    made = leaves(LeafPersistence().fit(cube, EXPERIMENT), cube, hidden=hidden)
    land = (cube.field("land_cover", 2008) != 210) & ~hidden
    assert (made[:, land] == cube.field("leaf_area_index", 2007)[:, land]).all() and np.isnan(made[:, hidden]).all()


def test_climatology_leaves_missing_months_out():
    cube = small_cube()
    gone = changed(cube, "leaf_area_index", 2003, lambda season: season.__setitem__((4, 30, 70), np.nan))
    made = leaves(Climatology().fit(gone, EXPERIMENT), gone)[4, 30, 70]
    assert made == pytest.approx(
        np.mean([cube.field("leaf_area_index", y)[4, 30, 70] for y in range(2000, 2006) if y != 2003])
    )


@pytest.mark.parametrize("given", [Given(land_use=True), Given(land_use=False, land_cover=True), GIVEN])
def test_trees_learn_from_any_set_of_maps(cube, given):
    model = LeafTrees(**FEW | {"rounds": 3}, given=given).fit(cube, EXPERIMENT)
    assert np.isfinite(leaves(model, cube)).all()


# --- test seasons -----------------------------------------------------------------------------------------------------


def test_test_seasons_are_judged_strip_by_strip_on_the_same_cells(cube, tmp_path, monkeypatch):
    made = {}
    for side in (125, 16):
        monkeypatch.setattr(judging, "BLOCK", side)
        store = tmp_path / f"{side}.zarr"
        made[side] = judging.judge_leaves({("again", "all"): LeafPersistence()}, cube, {"e": EXPERIMENT}, {}, store)
        saved = judging.read_season(store, "e/again-all", 2009)
        assert saved == pytest.approx(leaves(LeafPersistence(), cube, 2009), abs=0.005)  # steps of 0.01
    scores = [score_leaves(one.counts) for one in made.values()]
    pd.testing.assert_frame_equal(*scores)
    table = leaf_table(scores[0], {"e": EXPERIMENT}, "small").xs(2, level="lead (years)")
    assert (table.xs("again", level="model") == table.xs("persistence", level="model")).to_numpy().all()
    number = pick(made[16].counts, statistic="number", weight="cells", lead="1").groupby("model")["value"].sum()
    assert number.min() == number.max() > 0 and number.index.tolist() == sorted([*REFERENCES, "again"])
    assert np.array_equal(*(one.skill["e"]["again", "all"] for one in made.values()), equal_nan=True)
    assert made[16].costs["training_seconds"].notna().tolist() == [False] * 4 + [True]


def test_cells_turned_in_the_input_move_as_their_neighbours_differ(cube, trees, monkeypatch):
    moved, around = judging.cover_response(trees, cube, 2007, 2008)
    assert np.corrcoef(moved, around)[0, 1] > 0.95 and moved == pytest.approx(around, rel=0.3)
    with pytest.raises(ValueError, match="small: no block of 2008 has land use 4 and 3"):
        judging.cover_response(trees, cube, 2007, 2008, after=3)


def test_models_to_compare_are_made_by_name(tmp_path):
    models = make_leaf_models(dict(SETTINGS, seed=2), "none", 10, tmp_path)
    assert [title for title in models] == [("xgboost", member) for member in VARIANTS]
    with pytest.raises(ValueError, match=r"networks \['unett'\]: expected none"):
        make_leaf_models(SETTINGS, "unett", 10, tmp_path)
