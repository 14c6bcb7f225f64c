"""The U-Net as a model: what it sees, that it learns, stops, resumes and comes back from disk the same."""

import json

import numpy as np
import pytest
import torch
from conftest import make_cube

from ai4land.allocate import expected_counts
from ai4land.devices import choose_device
from ai4land.models.inputs import Encoding, change_weights, fit_encoding, turn
from ai4land.models.neural import Neural
from ai4land.models.unet import UNet
from ai4land.predict import predict_windows
from ai4land.runs import Experiment
from ai4land.samples import (
    case_batch,
    cut_batch,
    held_out,
    hide_patches,
    learnable,
    make_batch,
    make_split,
    transition_counts,
)  # fmt: skip
from ai4land.samples.windows import WindowSampler
from ai4land.train import Schedule

EXPERIMENT = Experiment(start=1995, train=(1980, 1992), validation=(1993, 1995), test=(1996, 2005))
SHORT = Schedule(steps=12, every=4, precision="fp32")


def small(**more):
    return Neural(**({"schedule": SHORT, "window": 48, "batch": 2, "base": 4, "seed": 3} | more))


@pytest.fixture(scope="module")
def split(changing_cube):
    return make_split("forecast", EXPERIMENT, changing_cube, None, 1)


def weights(model):
    return {k: v.numpy().copy() for k, v in model.network.state_dict().items()}


def test_the_network_is_the_papers():
    # 27 inputs, 8 classes, 16 base channels: 1,946,152 parameters with batch norm, counted independently.
    network = UNet(27, 8)
    assert sum(p.numel() for p in network.parameters()) == 1_946_152
    assert network(torch.zeros(1, 27, 32, 64)).shape == (1, 8, 32, 64)


def test_hidden_patches_are_squares_and_hide_the_wanted_share():
    rng = np.random.default_rng(0)
    assert not hide_patches((96, 96), 0.0, rng).any() and hide_patches((96, 90), 1.0, rng).all()
    shares = [hide_patches((320, 320), 0.6, np.random.default_rng(i)).mean() for i in range(40)]
    assert np.mean(shares) == pytest.approx(0.6, abs=0.02)
    mask = hide_patches((320, 320), 0.5, rng)
    top = int(np.flatnonzero((mask[1:] != mask[:-1]).any(1))[0]) + 1
    assert set(np.flatnonzero((mask[1:] != mask[:-1]).any(1)) + 1) <= {top + 32 * i for i in range(-1, 11)}


def test_windows_depend_on_the_number_of_the_step_alone(changing_cube, split):
    sampler = WindowSampler(changing_cube, split, split.train, 48, (0.0, 1.0), 5)
    first, labels = sampler.draw(7, 3)
    sampler.draw(8, 3)
    again, labels_again = sampler.draw(7, 3)
    assert (first.prior == again.prior).all() and (labels == labels_again).all() and (first.start == again.start).all()


def test_no_label_lies_outside_its_case(changing_cube):
    spatial = Experiment(start=1995, test=(2005, 2005), folds=4, fold_cells=25, hide_prior=True)
    split = make_split("spatial", spatial, changing_cube, 0, 1)
    allowed = np.any([c.where for c in split.train], axis=0)
    sampler = WindowSampler(changing_cube, split, split.train, 40, (0.0, 1.0), 5)
    for step in range(20):
        batch, labels = sampler.draw(step, 2)
        for (top, left), label in zip(batch.start, labels, strict=True):
            assert not (label != 255)[~allowed[top : top + 40, left : left + 40]].any()


def test_held_out_blocks_give_no_label_in_any_year(changing_cube):
    forecast = EXPERIMENT.model_copy(update={"held_blocks": 4, "fold_cells": 25})
    split = make_split("forecast", forecast, changing_cube, None, 1)
    held = held_out(changing_cube, forecast, 1)
    assert 0.1 < held.mean() < 0.5, "a quarter of 16 blocks, drawn one by one"
    for cases in (split.train, split.validation):
        sampler = WindowSampler(changing_cube, split, cases, 40, (0.0, 1.0), 5)
        for step in range(15):
            batch, labels = sampler.draw(step, 2)
            for (top, left), label in zip(batch.start, labels, strict=True):
                assert not (label != 255)[held[top : top + 40, left : left + 40]].any()


def test_the_start_is_the_transition_matrix_of_the_training_cells(changing_cube, split):
    """With its head at zero the network gives a visible forest cell the shares that forest became."""
    counts = transition_counts(changing_cube, split.train)
    encoding = Encoding((25,), {}, zones=False)
    network = small()._build(encoding, counts).eval()
    inputs = encoding(make_batch(changing_cube, 1995, 2000, (25,), statics=False), torch.device("cpu"))
    inputs = torch.nn.functional.pad(inputs, (0, 12, 0, 12), mode="replicate")
    p = network(inputs).softmax(1)[0, :, :100, :100].detach().numpy()
    forest = changing_cube.field("land_use", 1995) == 4
    expected = counts[5][4, :8] + 0.5
    expected = expected / expected.sum()
    # Log shares are fitted by a straight line in the log of the years: near, not equal.
    assert p[2][forest].std() < 1e-4 and p[2][forest].mean() == pytest.approx(expected[2], rel=0.5)
    assert p[4][forest].mean() == pytest.approx(expected[4], rel=0.2)


def test_where_the_coarse_input_is_perfect_the_start_adds_up_to_it(changing_cube, split):
    model = small(schedule=Schedule(steps=0, every=1, precision="fp32")).fit(changing_cube, split)
    model.temperature = 1.0
    batch = make_batch(changing_cube, 1995, 2000, (25,))
    p = model.predict_proba(batch)[0]
    given = np.isin(changing_cube.field("land_use", 1995), (2, 4))
    got = expected_counts(p, given, 25)
    wanted = expected_counts((changing_cube.field("land_use", 2000) == np.arange(8)[:, None, None]), given, 25)
    assert np.abs(got - wanted).max() < 0.02 * 625
    model.core = 48
    windows = predict_windows(model, batch, (0, 0))[0]
    np.testing.assert_allclose(windows, p, atol=1e-6, err_msg="windows must know the start of the whole region")


def test_changed_cells_are_weighted_and_the_odds_of_change_corrected_for_it(changing_cube, split):
    encoding = Encoding((25,), {}, zones=False)
    batch = make_batch(changing_cube, 1995, 2000, (25,), np.arange(10000).reshape(100, 100) < 1000, statics=False)
    inputs = encoding(batch, torch.device("cpu"))
    labels = torch.as_tensor(changing_cube.field("land_use", 2000))[None].clone()
    labels[0, 20, :50] = 255
    weights = change_weights(inputs, labels, 10)[0].numpy()
    changed = changing_cube.field("land_use", 1995) != changing_cube.field("land_use", 2000)
    hidden = np.arange(10000).reshape(100, 100) < 1000
    expected = np.where(changed & ~hidden, 10, 1) * (labels[0].numpy() != 255)
    np.testing.assert_array_equal(weights, expected)
    network = small(change_weight=10.0)._build(encoding, transition_counts(changing_cube, split.train))
    padded = torch.nn.functional.pad(inputs, (0, 12, 0, 12), mode="replicate")
    learned, said = (network.train(mode)(padded).softmax(1)[0, :, :100, :100] for mode in (True, False))
    forest = torch.as_tensor((changing_cube.field("land_use", 1995) == 4) & ~hidden)
    odds = [(p[2] / p[4])[forest] for p in (learned, said)]
    torch.testing.assert_close(odds[0], 10 * odds[1], rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(learned[:, hidden], said[:, hidden])


def test_the_cnn_stands_behind_the_same_interface(changing_cube, split, tmp_path):
    model = small(name="cnn").fit(changing_cube, split)
    batch = make_batch(changing_cube, 1995, 2000, (25,))
    p = model.predict_proba(batch)
    np.testing.assert_allclose(p[0][:, 10:].sum(0), 1, atol=1e-4)
    model.save(tmp_path / "m")
    again = Neural.load(tmp_path / "m")
    assert again.name == "cnn"
    np.testing.assert_array_equal(again.predict_proba(batch), p)


def test_statistics_come_from_the_training_split_only(changing_cube):
    spatial = Experiment(start=1995, test=(2005, 2005), folds=4, fold_cells=25)
    split = make_split("spatial", spatial, changing_cube, 0, 1)
    seen = np.any([learnable(changing_cube, c) for c in split.train], axis=0)
    mean, deviation = fit_encoding(changing_cube, split, "step").statistics["elevation"]
    values = changing_cube.field("elevation")[seen].astype(float)
    assert (mean, deviation) == pytest.approx((values.mean(), values.std()))
    assert mean != pytest.approx(changing_cube.field("elevation").mean(), abs=1e-3)


def test_the_channels_say_what_the_batch_holds(changing_cube):
    hidden = np.zeros((100, 100), bool)
    hidden[50:60, 50:60] = True
    batch = make_batch(changing_cube, 1990, 1985, (25,), hidden)
    encoding = Encoding((25,), {"elevation": (500.0, 250.0)}, zones=False)
    inputs = encoding(batch, torch.device("cpu"))[0].numpy()
    assert inputs.shape[0] == encoding.channels
    prior = changing_cube.field("land_use", 1990)
    np.testing.assert_array_equal(inputs[:8].argmax(0)[~hidden], prior[~hidden])
    assert (inputs[:8, hidden] == 0).all() and (inputs[8] == hidden).all()
    np.testing.assert_allclose(inputs[9:17, 0, 0], changing_cube.field("land_use_fraction", 1990)[:, 0, 0], atol=1e-6)
    np.testing.assert_allclose(
        inputs[17:25, 99, 99], changing_cube.field("land_use_fraction", 1985)[:, 3, 3], atol=1e-6
    )
    np.testing.assert_allclose(inputs[25], (changing_cube.field("elevation") - 500) / 250, atol=1e-5)
    assert (inputs[26] == -0.5).all() and (inputs[27] == -1).all()


def test_aspect_turns_with_the_map():
    """Relief that rises to the west faces east; every turned map must give the aspect of the turned relief."""
    encoding = Encoding((), {"aspect_sin": (0.1, 0.5), "aspect_cos": (-0.2, 0.7), "height": (0.0, 1.0)}, zones=False)
    y, x = np.mgrid[0:16, 0:16].astype(float)
    height = np.sin(y / 3) + 0.3 * x + np.cos(x * y / 20)

    def channels(relief):
        north, east = -np.gradient(relief, axis=0), np.gradient(relief, axis=1)
        steep = np.hypot(north, east)
        stack = [(-east / steep - 0.1) / 0.5, (-north / steep + 0.2) / 0.7, relief]
        return torch.as_tensor(
            np.stack([np.zeros_like(relief)] * 9 + stack + [np.zeros_like(relief)] * 2)[None]
        ).float()

    turns = set()
    for seed in range(40):
        turned, _labels = turn(channels(height), torch.zeros(1, 16, 16), encoding, np.random.default_rng(seed))
        torch.testing.assert_close(turned, channels(turned[0, 11].double().numpy()), atol=1e-4, rtol=0)
        turns.add(round(float(turned[0, 11, 0, 1]), 3))
    assert len(turns) == 8


def test_it_learns_where_the_front_advances(changing_cube, split):
    schedule = Schedule(steps=480, every=80, learning_rate=1e-3, precision="fp32")
    model = small(schedule=schedule, base=8, mask_ratio=(0.0, 0.5)).fit(changing_cube, split)
    losses = model.history["validation_loss"]
    assert losses.min() < 0.98 * losses.iloc[0]
    case = split.test[-1]
    p = model.predict_proba(case_batch(changing_cube, split, case))[0]
    np.testing.assert_allclose(p.sum(0), 1, atol=1e-5)
    prior, observed = changing_cube.field("land_use", case.prior_year), changing_cube.field("land_use", case.year)
    becomes_cropland, stays_forest = (prior == 4) & (observed == 2), (prior == 4) & (observed == 4)
    assert p[2][becomes_cropland].mean() > p[2][stays_forest].mean()
    assert (p.argmax(0)[:5] == 0).all(), "ocean must stay ocean"


def test_killed_and_resumed_it_ends_with_the_same_weights(changing_cube, split, tmp_path, monkeypatch):
    whole = weights(small().fit(changing_cube, split))
    calls = {"n": 0}
    draw = WindowSampler.draw

    def dies(self, number, count):
        calls["n"] += 1
        if calls["n"] == 8 + 7:  # eight validation batches, then the seventh step: after the first checkpoint
            raise KeyboardInterrupt
        return draw(self, number, count)

    monkeypatch.setattr(WindowSampler, "draw", dies)
    with pytest.raises(KeyboardInterrupt):
        small(checkpoints=tmp_path).fit(changing_cube, split)
    assert torch.load(tmp_path / "forecast.pt", weights_only=True)["step"] == 4
    resumed = weights(small(checkpoints=tmp_path).fit(changing_cube, split))
    assert calls["n"] == 8 + 7 + 8 + 8, "it must go on from step 4, not begin again"
    assert all((resumed[k] == whole[k]).all() for k in whole)


def test_a_checkpoint_of_other_data_is_not_resumed(changing_cube, split, tmp_path):
    small(checkpoints=tmp_path).fit(changing_cube, split)
    other = make_cube({y: np.roll(changing_cube.field("land_use", y), 3, 1) for y in changing_cube.years("land_use")})
    fresh, kept = small().fit(other, split), small(checkpoints=tmp_path).fit(other, split)
    assert all((a == b).all() for a, b in zip(weights(fresh).values(), weights(kept).values(), strict=True))


def test_saved_and_loaded_it_predicts_the_same(changing_cube, split, tmp_path):
    model = small().fit(changing_cube, split)
    model.save(tmp_path / "m")
    batch = case_batch(changing_cube, split, split.test[0])
    loaded = Neural.load(tmp_path / "m")
    np.testing.assert_array_equal(loaded.predict_proba(batch), model.predict_proba(batch))
    assert loaded.history.shape == model.history.shape


@pytest.mark.parametrize(
    ("key", "value", "match"),
    [
        ("legend", "land_cover", "train again"),
        ("classes", [0, 1, 2], "train again"),
        ("model", "gnn", "expected one of"),
    ],
)
def test_a_checkpoint_of_another_legend_or_model_is_refused(changing_cube, split, tmp_path, key, value, match):
    small().fit(changing_cube, split).save(tmp_path / "m")
    about = json.loads((tmp_path / "m" / "model.json").read_text())
    (tmp_path / "m" / "model.json").write_text(json.dumps(about | {key: value}))
    with pytest.raises(ValueError, match=match):
        Neural.load(tmp_path / "m")


def test_weights_of_another_architecture_are_refused_in_one_line(changing_cube, split, tmp_path):
    small().fit(changing_cube, split).save(tmp_path / "m")
    about = json.loads((tmp_path / "m" / "model.json").read_text())
    about["settings"]["base"] = 8
    (tmp_path / "m" / "model.json").write_text(json.dumps(about))
    with pytest.raises(ValueError, match="weights do not fit") as error:
        Neural.load(tmp_path / "m")
    assert "\n" not in str(error.value)


def test_a_region_of_pure_ocean_is_refused(split):
    ocean = make_cube({y: np.zeros((50, 50), np.uint8) for y in range(1980, 2010)})
    with pytest.raises(ValueError, match="all ocean"):
        small().fit(ocean, split)


def test_a_prior_hidden_whole_and_a_coarse_cell_without_data_still_give_probabilities(changing_cube, split):
    model = small().fit(changing_cube, split)
    batch = make_batch(changing_cube, 1995, 2000, (25,), np.ones((100, 100), bool))
    batch.coarse[25][0, :, :, 0, 0] = np.nan
    p = model.predict_proba(batch)
    assert np.isfinite(p).all()
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-5)


def test_a_cut_batch_is_what_its_window_shows(changing_cube):
    batch = make_batch(changing_cube, 1995, 2000, (25,))
    cut = cut_batch(batch, 30, 20, (40, 50))
    encoding = Encoding((25,), {"elevation": (0.0, 1.0)}, zones=False)
    whole = encoding(batch, torch.device("cpu"))[:, :, 30:70, 20:70]
    torch.testing.assert_close(encoding(cut, torch.device("cpu")), whole)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_it_trains_on_cuda_as_on_the_cpu(changing_cube, split):
    model = small().fit(changing_cube, split)
    assert choose_device().type == "cuda" and np.isfinite(model.history["validation_loss"]).all()
