import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from ai4land.evaluate import (
    KEYS,
    add_regional_means,
    count_calibration,
    count_maps,
    counts_with_keys,
    keep_lasting,
    null_resolution,
    pool_counts,
    score_counts,
    summary_table,
)
from ai4land.grid import Grid


def grid_like(a):
    return Grid(55.0, 3.0, 0.01, 0.01, *a.shape)


def scores_of(prior, observed, simulated, weight="cells", lasting=None, where=None):
    prior, observed, simulated = (np.asarray(m, np.uint8) for m in (prior, observed, simulated))
    where = np.ones(prior.shape, bool) if where is None else where
    counts = count_maps(prior, observed, simulated, where, grid_like(prior), lasting)
    table = score_counts(counts_with_keys(counts, experiment="e", model="m", region="r", lead="1"))
    table = table[table["weight"] == weight]
    return {(m, c): v for m, c, v in zip(table["metric"], table["class"], table["value"], strict=True)}


def random_maps(seed, shape=(60, 60), classes=(0, 1, 2, 3, 4, 7)):
    rng = np.random.default_rng(seed)
    prior = rng.choice(classes, shape).astype(np.uint8)
    observed = np.where(rng.random(shape) < 0.3, rng.choice(classes, shape), prior).astype(np.uint8)
    simulated = np.where(rng.random(shape) < 0.3, rng.choice(classes, shape), prior).astype(np.uint8)
    return prior, observed, simulated


def test_three_maps_of_six_cells_by_hand():
    # cell:      a  b  c  d  e  f
    # prior      2  2  2  2  4  4
    # observed   4  4  4  2  4  2
    # simulated  4  2  3  4  4  2
    # a hit, b miss, c wrong hit, d false alarm, e unchanged, f hit:
    # figure of merit 2 / (2 + 1 + 1 + 1) = 0.4; overall accuracy (a, e, f) 3 / 6.
    s = scores_of([[2, 2, 2, 2, 4, 4]], [[4, 4, 4, 2, 4, 2]], [[4, 2, 3, 4, 4, 2]])
    assert s["hits", "all"] == 2 and s["misses", "all"] == 1
    assert s["wrong_hits", "all"] == 1 and s["false_alarms", "all"] == 1
    assert s["figure_of_merit", "all"] == pytest.approx(0.4)
    assert s["overall_accuracy", "all"] == pytest.approx(0.5)
    # Forest: observed a b c e, simulated a d e: intersection 2, union 5.
    assert s["iou", "forest"] == pytest.approx(2 / 5)
    assert s["accuracy", "forest"] == pytest.approx(2 / 4) and s["precision", "forest"] == pytest.approx(2 / 3)
    # Cropland: observed d f, simulated b f: 1 / 3. Pasture: simulated only: 0. Mean over the three.
    assert s["mean_iou_land", "all"] == pytest.approx((2 / 5 + 1 / 3 + 0) / 3)
    # Observed shares: cropland 2/6, forest 4/6; simulated: cropland 2/6, pasture 1/6, forest 3/6.
    assert s["quantity_disagreement", "all"] == pytest.approx(1 / 6)
    assert s["allocation_disagreement", "all"] == pytest.approx(1 - 0.5 - 1 / 6)


def test_persistence_has_no_merit_and_a_perfect_map_has_all():
    prior, observed, _ = random_maps(0)
    assert scores_of(prior, observed, prior)["figure_of_merit", "all"] == 0
    perfect = scores_of(prior, observed, observed)
    assert perfect["figure_of_merit", "all"] == perfect["overall_accuracy", "all"] == perfect["kappa", "all"] == 1
    assert perfect["coarse_area_error_25_cells", "all"] == 0


@pytest.mark.parametrize("seed", range(3))
def test_scores_equal_scikit_learn(seed):
    prior, observed, simulated = random_maps(seed)
    s = scores_of(prior, observed, simulated)
    land = np.isin(prior, range(1, 7)) & np.isin(observed, range(1, 7))
    y, p = observed[land], simulated[land]
    labels = [1, 2, 3, 4]
    assert s["overall_accuracy", "all"] == pytest.approx(sk.accuracy_score(y, p))
    assert s["kappa", "all"] == pytest.approx(sk.cohen_kappa_score(y, p))
    assert s["macro_f1", "all"] == pytest.approx(sk.f1_score(y, p, labels=labels, average="macro"))
    assert s["weighted_f1", "all"] == pytest.approx(sk.f1_score(y, p, labels=labels, average="weighted"))
    assert s["mean_iou_land", "all"] == pytest.approx(sk.jaccard_score(y, p, labels=labels, average="macro"))
    for name, code in (("urban", 1), ("cropland", 2), ("pasture", 3), ("forest", 4)):
        assert s["precision", name] == pytest.approx(sk.precision_score(y, p, labels=[code], average="macro"))
        assert s["accuracy", name] == pytest.approx(sk.recall_score(y, p, labels=[code], average="macro"))
        assert s["f1", name] == pytest.approx(sk.f1_score(y, p, labels=[code], average="macro"))
    every = [0, 1, 2, 3, 4, 7]
    jaccard = sk.jaccard_score(observed.ravel(), simulated.ravel(), labels=every, average=None)
    assert s["iou", "ocean"] == pytest.approx(jaccard[0]) and s["iou", "water"] == pytest.approx(jaccard[-1])
    assert s["mean_iou", "all"] == pytest.approx(jaccard.mean())


def test_area_weights_equal_scikit_learn_with_sample_weights():
    prior, observed, simulated = random_maps(5, (80, 40), (2, 3, 4))
    s = scores_of(prior, observed, simulated, "km2")
    weight = np.broadcast_to(grid_like(prior).cell_area()[:, None], prior.shape).ravel()
    y, p = observed.ravel(), simulated.ravel()
    assert s["overall_accuracy", "all"] == pytest.approx(sk.accuracy_score(y, p, sample_weight=weight))
    assert s["kappa", "all"] == pytest.approx(sk.cohen_kappa_score(y, p, sample_weight=weight))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 3), st.integers(1, 3))
def test_counts_of_tiles_add_up_to_the_whole(seed, down, across):
    # Tiles of whole 50-cell blocks: every statistic adds up, also those of blocks.
    shape = (50 * down, 50 * across)
    maps = random_maps(seed, shape)
    grid = grid_like(maps[0])
    whole = count_maps(*maps, np.ones(shape, bool), grid)
    parts = []
    for r in range(down):
        for c in range(across):
            rows, cols = slice(50 * r, 50 * r + 50), slice(50 * c, 50 * c + 50)
            tile = [m[rows, cols] for m in maps]
            parts.append(count_maps(*tile, np.ones((50, 50), bool), grid.cut(rows, cols)))
    by = [c for c in whole.columns if c != "value"]
    summed = pd.concat(parts).groupby(by)["value"].sum()
    expected = whole.groupby(by)["value"].sum()
    pd.testing.assert_series_equal(summed, expected, rtol=1e-9)


def test_change_in_blocks_of_one_cell_is_the_three_map_comparison():
    s = scores_of(*random_maps(7))
    assert s["figure_of_merit_1_cells", "all"] == pytest.approx(s["figure_of_merit", "all"])
    assert s["overall_accuracy_1_cells", "all"] == pytest.approx(s["overall_accuracy", "all"])


def test_change_in_the_wrong_cell_of_the_right_block_is_a_hit_at_that_resolution():
    # Two cells change place: observed 2 -> 4 on the left, simulated on the right. Blocks of two cells agree.
    prior, observed, simulated = np.full((2, 2), 2), np.array([[4, 2], [2, 2]]), np.array([[2, 4], [2, 2]])
    s = scores_of(prior, observed, simulated)
    assert s["figure_of_merit_1_cells", "all"] == 0 and s["figure_of_merit_2_cells", "all"] == 1
    assert s["overall_accuracy_1_cells", "all"] == 0.5 and s["overall_accuracy_2_cells", "all"] == 1


def test_area_error_is_the_mean_over_blocks_and_land_classes():
    # One block of 50 x 50: a tenth of forest simulated as cropland. |0.1| + |0.1| over six classes.
    observed = np.full((50, 50), 4, np.uint8)
    simulated = observed.copy()
    simulated[:5] = 2
    s = scores_of(observed, observed, simulated)
    assert s["coarse_area_error_50_cells", "all"] == pytest.approx(0.2 / 6)


def test_blocks_with_few_land_cells_do_not_count_for_the_area_error():
    observed = np.zeros((50, 50), np.uint8)
    observed[:5] = 4  # 250 of 2500 cells: not more than a tenth
    simulated = np.where(observed == 4, 2, 0)
    assert ("coarse_area_error_50_cells", "all") not in scores_of(observed, observed, simulated)


def test_water_is_left_out_of_land_scores_but_has_its_own_iou():
    prior = np.array([[7, 7, 2, 2]])
    s = scores_of(prior, [[7, 2, 2, 4]], [[7, 7, 2, 4]])
    assert s["overall_accuracy", "all"] == 1  # two land cells; the cell that left water is not one of them
    assert s["iou", "water"] == pytest.approx(1 / 2)


def test_only_changes_that_last_count_as_lasting():
    prior = np.array([[2, 2, 2]], np.uint8)
    later = [
        np.array([[4, 4, 2]], np.uint8),
        np.array([[4, 2, 2]], np.uint8),
        np.array([[4, 4, 2]], np.uint8),
    ]
    lasting = keep_lasting(prior, later)
    assert lasting.tolist() == [[4, 2, 2]]
    s = scores_of(prior, later[0], [[4, 4, 2]], lasting=lasting)
    assert s["figure_of_merit", "all"] == 1 and s["figure_of_merit_lasting", "all"] == 0.5


def test_calibration_error_by_hand():
    # Ten cells at 0.75 of which 5 are right: gap 0.25; ten at 0.95 of which all are right: gap 0.05.
    p = np.array([[0.75] * 10 + [0.95] * 10], np.float32)
    correct = np.array([[True] * 5 + [False] * 5 + [True] * 10])
    counts = count_calibration(p, correct, np.ones(p.shape, bool), grid_like(p))
    table = score_counts(counts_with_keys(counts, experiment="e", model="m", region="r", lead="1"))
    value = table[(table["metric"] == "expected_calibration_error") & (table["weight"] == "cells")]["value"]
    assert value.item() == pytest.approx((0.25 + 0.05) / 2, abs=1e-6)


def test_maps_of_different_shape_are_refused():
    a = np.zeros((3, 3), np.uint8)
    with pytest.raises(ValueError, match="differ in shape"):
        count_maps(a, a, np.zeros((3, 4), np.uint8), np.ones((3, 3), bool), grid_like(a))


def keyed(seed, **keys):
    maps = random_maps(seed)
    counts = count_maps(*maps, np.ones(maps[0].shape, bool), grid_like(maps[0]))
    return counts_with_keys(counts, experiment="e", model="m", **keys)


def test_pooling_adds_counts_and_never_averages_scores():
    counts = pd.concat([keyed(1, region="a", lead="1", fold="0"), keyed(2, region="b", lead="2", fold="1")])
    scores = score_counts(pool_counts(counts, {"e/1-2": [1, 2]}))
    chosen = scores[(scores["metric"] == "figure_of_merit") & (scores["weight"] == "cells")]

    def parts(region, lead):
        rows = scores[(scores["region"] == region) & (scores["lead"] == lead) & (scores["weight"] == "cells")
                      & (scores["fold"] == "all")].set_index("metric")["value"]  # fmt: skip
        return rows[["hits", "misses", "false_alarms", "wrong_hits"]]

    total = parts("a", "1") + parts("b", "2")
    pooled = chosen[(chosen["region"] == "all") & (chosen["lead"] == "1-2") & (chosen["fold"] == "all")]
    assert pooled["value"].item() == pytest.approx(total["hits"] / total.sum())


def test_mean_of_regional_scores_stands_apart_from_the_pooled_one():
    counts = pool_counts(pd.concat([keyed(1, region="a", lead="1"), keyed(2, region="b", lead="1")]), {})
    scores = add_regional_means(score_counts(counts))
    rows = scores[(scores["metric"] == "mean_iou_land") & (scores["weight"] == "cells")].set_index("region")["value"]
    assert rows["mean"] == pytest.approx((rows["a"] + rows["b"]) / 2)
    assert set(rows.index) == {"a", "b", "all", "mean"}


def test_summary_puts_baselines_first_and_null_resolution_finds_the_first_gain():
    prior = np.full((4, 4), 2, np.uint8)
    observed, simulated = prior.copy(), prior.copy()
    observed[0, 0], simulated[0, 1] = 4, 4
    parts = []
    for model, made in (("xgboost", simulated), ("persistence", prior)):
        counts = count_maps(prior, observed, made, np.ones((4, 4), bool), grid_like(prior))
        parts.append(counts_with_keys(counts, experiment="e", model=model, lead="1"))
    scores = score_counts(pd.concat(parts))
    table = summary_table(scores, {"overall_accuracy": "accuracy"}, experiment="e", lead="1")
    assert [m for m, _ in table.index] == ["persistence", "xgboost"]
    # In its cell the change is a miss and a false alarm; in blocks of two cells it is right.
    assert null_resolution(scores, "xgboost", experiment="e", lead="1") == 2
    with pytest.raises(ValueError, match="no scores with"):
        summary_table(scores, {"overall_accuracy": "accuracy"}, experiment="f")


def test_scores_have_the_columns_that_every_reader_relies_on():
    scores = score_counts(keyed(1, region="a", lead="1"))
    assert list(scores.columns) == [*KEYS, "weight", "metric", "class", "value", "cells"]
