"""Windows give each cell what the whole gives it: how far models see, and regions that agree."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from conftest import make_cube
from scipy import ndimage

from ai4land.models.base import Whole
from ai4land.models.baselines import CoarseMajority, KernelDensity, Persistence
from ai4land.models.cnn import CNN
from ai4land.models.neural import Neural
from ai4land.models.trees import Trees
from ai4land.models.unet import UNet
from ai4land.predict import predict_windows
from ai4land.runs import Experiment
from ai4land.samples import Region, feature_table, make_batch, make_split
from ai4land.train import Schedule

HALO = 125  # the next multiple of 25 above the reach
QUARTERS = {(rows, cols) for rows in ((0, 150), (150, 300)) for cols in ((0, 200), (200, 400))}


@pytest.fixture(scope="module")
def wide_cube() -> Region:
    """300 x 400 cells with forest, cropland, grass, a sea in the north-east, a lake and cells without data."""
    rng = np.random.default_rng(4)
    maps = {}
    for year in range(1990, 1996):
        cover = rng.choice([2, 3, 4], (300, 400)).astype(np.uint8)
        cover[:180, 260:] = 0
        cover[200:230, 100:150] = 7
        cover[280:, :60] = 255
        maps[year] = cover
    return make_cube(maps)


def untrained(cube: Region, precision: str, method: str) -> Neural:
    """A U-Net whose weights are random, its head's too, that predicts cores of 128 cells."""
    experiment = Experiment(start=1993, train=(1990, 1991), validation=(1992, 1993), test=(1994, 1995))
    schedule = Schedule(steps=0, every=1, precision=precision)
    model = Neural(schedule, 48, 1, base=4, method=method).fit(cube, make_split("f", experiment, cube, None, 1))
    model.core, model.temperature = 128, 1.0
    torch.nn.init.normal_(model.network.network.head.weight, generator=torch.Generator().manual_seed(0))
    return model


def cut(cube: Region, rows: slice, cols: slice) -> Region:
    """A region of a cube, as `read_region` gives it."""
    return cube.cut((rows, cols))


@pytest.mark.parametrize(("network", "reach"), [(UNet, 107), (CNN, 8)])
def test_a_network_sees_exactly_as_far_as_it_says(network, reach):
    """Rows of outputs that change with one row of inputs, wherever this row lies on the lattice of 16."""
    torch.manual_seed(0)
    one = network(2, 3, 4).double().eval()
    inputs = torch.randn(1, 2, 272, 16, dtype=torch.float64)
    furthest = set()
    with torch.inference_mode():
        whole = one(inputs)
        for row in range(128, 144):
            other = inputs.clone()
            other[:, :, row] += 1e3
            changed = np.flatnonzero((one(other) != whole).any(3).any(1)[0].numpy())
            furthest |= {row - changed.min(), changed.max() - row}
    assert network.reach == max(furthest) == reach


def test_trees_see_exactly_as_far_as_they_say(wide_cube):
    batch = make_batch(wide_cube, 1993, 1994, (25,))
    other = replace(batch, prior=batch.prior.copy())
    other.prior[0, 150, 200] = 5
    everywhere = np.ones(batch.prior.shape[1:], bool)
    before, after = (feature_table(b, everywhere) for b in (batch, other))
    changed = np.any([before[name] != after[name] for name in before], axis=0).reshape(everywhere.shape)
    rows, cols = np.nonzero(changed)
    assert max(np.abs(rows - 150).max(), np.abs(cols - 200).max()) == Trees.reach == 16


def test_baselines_say_whether_the_whole_region_has_a_say():
    assert CoarseMajority.reach == Persistence.reach == 0
    assert KernelDensity.reach is None  # classes come in the order of their areas in the region


class Groups(Whole):
    """Counts the forest in the 3 x 3 groups of 16 cells around a cell's own, as sharply as no network sees."""

    core, reach = 48, 31  # from the last cell of a group to the first of the group before

    def predict_proba(self, batch):
        rows, cols = batch.prior.shape[1:]
        forest = np.pad(batch.prior[0] == 4, ((0, -rows % 16), (0, -cols % 16)))
        counts = forest.reshape(forest.shape[0] // 16, 16, -1, 16).sum((1, 3)).astype(float)
        seen = ndimage.correlate(counts, np.arange(1.0, 10).reshape(3, 3), mode="constant")
        return np.repeat(np.repeat(seen, 16, 0), 16, 1)[None, None, :rows, :cols].repeat(8, 1).astype(np.float32)


def seams(cube: Region, model: Groups, halo: int) -> int:
    """Cells of four regions, predicted in windows, that differ from the whole predicted at once."""
    whole, free = (
        model.predict_proba(make_batch(cube, 1993, 1995, (25,))),
        np.isin(cube.field("land_use", 1993), range(1, 7)),
    )
    off = 0
    for (top, bottom), (left, right) in QUARTERS:
        rows = slice(max(top - halo, 0), min(bottom + halo, 300))
        cols = slice(max(left - halo, 0), min(right + halo, 400))
        region = cut(cube, rows, cols)
        p = predict_windows(model, make_batch(region, 1993, 1995, (25,)), region.corner)
        own = p[..., top - rows.start : bottom - rows.start, left - cols.start : right - cols.start]
        off += int(((own != whole[..., top:bottom, left:right]).any((0, 1)) & free[top:bottom, left:right]).sum())
    return off


def test_windows_and_halos_as_wide_as_the_reach_leave_no_seam_and_narrower_ones_do(wide_cube):
    assert seams(wide_cube, Groups(), 50) == 0
    assert seams(wide_cube, Groups(), 25) > 0
    short = Groups()
    short.reach = 0  # windows end where their cores do
    assert seams(wide_cube, short, 50) > 0


@pytest.mark.parametrize(("precision", "method"), [("fp32", "step"), ("bf16", "step"), ("fp32", "bilinear")])
def test_four_regions_with_a_halo_give_what_one_region_gives(wide_cube, precision, method):
    """In bfloat16 the same bits; in float32 the last bit of a sum may depend on the shape of the window."""
    same = np.testing.assert_array_equal if precision == "bf16" else partial(np.testing.assert_allclose, atol=1e-6)
    model = untrained(wide_cube, precision, method)
    assert model.reach <= HALO
    whole = predict_windows(model, make_batch(wide_cube, 1993, 1995, (25,)), (0, 0))
    # At the southern end, which is off the lattice, a window holds cells without data, the network alone zeros.
    north = slice(0, 300 - model.reach)
    same(whole[..., north, :], model.predict_proba(make_batch(wide_cube, 1993, 1995, (25,)))[..., north, :])
    assert whole[0, 2][wide_cube.field("land_use", 1993) == 4].std() > 0.01, "the head must have a say"
    for (top, bottom), (left, right) in QUARTERS:
        rows = slice(max(top - HALO, 0), min(bottom + HALO, 300))
        cols = slice(max(left - HALO, 0), min(right + HALO, 400))
        region = cut(wide_cube, rows, cols)
        p = predict_windows(model, make_batch(region, 1993, 1995, (25,)), region.corner)
        own = p[..., top - rows.start : bottom - rows.start, left - cols.start : right - cols.start]
        same(own, whole[..., top:bottom, left:right])
        np.testing.assert_array_equal(own.argmax(1), whole[..., top:bottom, left:right].argmax(1))


def test_a_halo_narrower_than_the_reach_does_not_do(wide_cube):
    model = untrained(wide_cube, "fp32", "step")
    whole = predict_windows(model, make_batch(wide_cube, 1993, 1995, (25,)), (0, 0))
    region = cut(wide_cube, slice(0, 300), slice(0, 225))
    p = predict_windows(model, make_batch(region, 1993, 1995, (25,)), region.corner)
    off = np.abs(p - whole[..., :225]).max((0, 1, 2))  # by column
    assert off[: 225 - model.reach].max() < 1e-6 < 1e-4 < off[200:].max()


def test_windows_without_a_cell_to_decide_cost_nothing(wide_cube, monkeypatch):
    model, seen = untrained(wide_cube, "fp32", "step"), []
    predict = Neural.predict_proba
    monkeypatch.setattr(Neural, "predict_proba", lambda self, batch: seen.append(batch) or predict(self, batch))
    p = predict_windows(model, make_batch(wide_cube, 1993, 1995, (25,)), (0, 0))[0]
    prior = wide_cube.field("land_use", 1993)
    assert 0 < len(seen) < 3 * 4, "the core in the north-east is all sea"
    assert (p[0][prior == 0] == 1).all() and (p[7][prior == 7] == 1).all() and (p[:, prior == 255] == 0).all()
    np.testing.assert_allclose(p.sum(0)[prior != 255], 1, atol=1e-6)
    seen.clear()
    sea = cut(wide_cube, slice(0, 175), slice(275, 400))
    p = predict_windows(model, make_batch(sea, 1993, 1995, (25,)), sea.corner)[0]
    assert not seen and (p[0] == 1).all() and (p[1:] == 0).all()


def test_a_model_that_takes_regions_whole_is_given_them_whole(wide_cube):
    batch = make_batch(wide_cube, 1993, 1995, (25,))
    np.testing.assert_array_equal(predict_windows(Persistence(), batch, (25, 50)), Persistence().predict_proba(batch))
