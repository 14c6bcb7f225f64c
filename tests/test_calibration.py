import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from ai4land.evaluate import count_calibration, counts_with_keys, reliability_table
from ai4land.grid import Grid
from ai4land.models.calibration import fit_temperature, temper


@pytest.mark.parametrize("true", [0.5, 1.0, 2.5])
def test_the_temperature_that_made_the_labels_is_found(true):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(40_000, 5)) * 2
    labels = (softmax(logits / true, axis=1).cumsum(1) < rng.random((40_000, 1))).sum(1)
    assert fit_temperature(logits, labels) == pytest.approx(true, rel=0.05)
    assert fit_temperature(logits[:0], labels[:0]) == 1.0


def test_tempered_probabilities_add_up_keep_zeros_and_their_order():
    p = np.array([[0.7, 0.3, 0.0], [0.2, 0.2, 0.6]], np.float32)
    soft = temper(p, 2.0, 1)
    np.testing.assert_allclose(soft.sum(1), 1, atol=1e-6)
    assert (soft[0] == 0).tolist() == [False, False, True]
    assert soft[0, 0] < 0.7 and (soft.argmax(1) == p.argmax(1)).all()
    np.testing.assert_allclose(temper(p, 1.0, 1), p, atol=1e-6)


def test_reliability_is_the_share_that_is_right_in_each_bin():
    grid = Grid(1.0, 0.0, 0.01, 0.01, 10, 20)
    p = np.repeat([0.5, 0.9], 100).reshape(10, 20).astype(np.float32)
    right = np.concatenate([np.arange(100) < 40, np.arange(100) < 95]).reshape(10, 20)
    counts = count_calibration(p, right, np.ones((10, 20), bool), grid)
    keys = {"experiment": "e", "model": "m", "member": "all", "fold": "all", "region": "r", "lead": "1"}
    parts = [counts_with_keys(counts, **keys), counts_with_keys(counts, **keys | {"region": "s"})]
    table = reliability_table(pd.concat(parts))
    assert table["cells"].tolist() == [200, 200]
    np.testing.assert_allclose(table["confidence"], [0.5, 0.9], atol=1e-6)
    np.testing.assert_allclose(table["accuracy"], [0.4, 0.95])
