"""The graph of land use says from raw inputs what the trained network says, wherever its window lies."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import changing_maps, make_cube
from regions import luh2_layers

from ai4land.allocate.transport import scale
from ai4land.export.formats import example_inputs
from ai4land.export.graph import LandUseGraph, variable
from ai4land.export.layers import SoftAreas, hat
from ai4land.grid import block_index
from ai4land.models.neural import Neural
from ai4land.refine import refine
from ai4land.runs import Experiment
from ai4land.samples import cut_batch, make_batch, make_split
from ai4land.sources.luh2 import STATES
from ai4land.train import Schedule

YEARS = {"start": 1995, "train": (1980, 1992), "validation": (1993, 1995), "test": (1996, 2005)}
NAMES = [*STATES, "secma", "secmb"]


def luh2(years, shape):
    """Random states with an ocean cell, and cells without age or biomass."""
    rng = np.random.default_rng(1)
    states = rng.dirichlet(np.ones(13), (len(years), *shape)).transpose(0, 3, 1, 2)[:, :12]
    ages = rng.random((len(years), 2, *shape)) * [[[[80]], [[12]]]]
    states = np.concatenate([states, ages], 1).astype(np.float32)
    states[:, :, 1, 2], states[:, 12, 2, 1], states[:, 13, 0, 0] = np.nan, np.nan, np.nan
    return luh2_layers(years, NAMES, states)


def small_case(coarse="luh2", rows=100, cols=100, **more):
    """An untrained network whose every weight has a say, its cube, and a batch with hidden and empty cells."""
    maps = {y: m[:rows, :cols] for y, m in changing_maps().items()}
    for one in maps.values():
        one[30:40, 60:70], one[90:, 90:] = 7, 255
    cube = make_cube(maps)
    rng = np.random.default_rng(2)
    relief = np.where(rng.random((rows, cols)) < 0.05, np.nan, cube.field("elevation"))
    zones = rng.integers(0, 31, (rows, cols)).astype(np.uint8)
    states = luh2(cube.years("land_use"), cube.grid.blocks(25).shape)
    cube = cube.with_fields(elevation=relief, koppen=zones, **states)
    experiment = Experiment(coarse=coarse, priors=3, **YEARS, **more)
    split = make_split("forecast", experiment, cube, None, 1)
    model = Neural(Schedule(steps=0, every=1, precision="fp32"), 48, 2, method="bilinear", base=2, seed=3)
    model.device = torch.device("cpu")
    model.fit(cube, split)
    torch.manual_seed(4)
    with torch.no_grad():
        for weights in model.network.parameters():
            weights += 0.2 * torch.randn_like(weights)
    model.temperature, model.history = 1.3, pd.DataFrame({"step": [0]})
    hidden = np.zeros((rows, cols), bool)
    hidden[40:72, 32:64] = True
    batch = make_batch(cube, 1995, 1997, experiment.coarse_cells, hidden, True, coarse, None,
                       [cube.field("land_use", 1994), cube.field("land_use", 1993)])  # fmt: skip
    return model, cube, batch


def raw(graph, cube, batch, wanted=None):
    """What a host hands over, in the order of the graph."""
    shape, cells = cube.grid_of("luh2_state").shape, min(batch.coarse)
    given = {
        "prior": batch.prior, "earlier": batch.earlier, "valid": batch.valid, "koppen": batch.static["koppen"][None],
        "states_before": cube.field("luh2_state", 1995)[None],
        "states": cube.field("luh2_state", 1997)[None],
        "static": np.stack([batch.static[n] for n in graph.encoding.statistics])[None].astype(np.float32),
        "start": np.asarray(batch.start, np.int64).reshape(1, 2), "years": batch.years,
    }  # fmt: skip
    for side, both in batch.coarse.items():
        more = "" if side == cells else f"_{side}"
        given |= {f"fraction_before{more}": both[:, 0], f"fraction{more}": both[:, 1]}
    shape = given["fraction"].shape[2:]
    given["wanted"] = np.full((1, graph.pools.max() + 1, *shape), np.nan, np.float32) if wanted is None else wanted
    return [torch.as_tensor(given[name]) for name in graph.names]


def same(found, expected):
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)
    assert (found.argmax(1) == expected.argmax(1)).mean() >= 0.9999


@pytest.fixture(scope="module")
def luh2_case():
    return small_case()


@pytest.mark.parametrize("method", ["bilinear", "step"])
@pytest.mark.parametrize(("top", "left", "rows", "cols"), [(0, 0, 96, 96), (3, 20, 64, 80), (27, 49, 16, 48),
                                                           (50, 68, 48, 32)])  # fmt: skip
def test_it_says_what_the_network_says_in_any_window(luh2_case, method, top, left, rows, cols):
    model, cube, batch = luh2_case
    model.encoding = replace(model.encoding, method=method)
    graph, window = LandUseGraph(model), cut_batch(batch, top, left, (rows, cols))
    with torch.inference_mode():
        found = graph(*raw(graph, cube, window)).numpy()
    expected = model.predict_proba(window)
    same(found, expected)
    assert expected.max(1).std() > 1e-3, "a network that says the same everywhere proves nothing"


@pytest.mark.parametrize("sides", [(25,), (50, 25)])
def test_where_the_coarse_input_is_perfect_the_start_is_made_inside(sides):
    """Windows are the whole of a region, whose last blocks are cut, as its model sees them."""
    model, cube, batch = small_case("perfect", 96, 80, coarse_cells=sides)
    graph = LandUseGraph(model)
    assert graph.describe()["coarse_cells"] == 25 and len(graph.describe()["pools"]) == 8
    with torch.inference_mode():
        found = graph(*raw(graph, cube, batch)).numpy()
    same(found, model.predict_proba(batch))


def test_coarse_cells_further_out_change_nothing(luh2_case):
    """The window's first cell is counted from the first coarse cell that is given, whichever that is."""
    model, cube, batch = luh2_case
    graph, window = LandUseGraph(model), cut_batch(batch, 55, 30, (32, 32))
    values = dict(zip(graph.names, raw(graph, cube, window), strict=True))
    less = values | {n: v[:, :, 1:, :3] for n, v in values.items() if n in ("states", "states_before", "wanted")}
    less["start"] = values["start"] - torch.tensor([[25, 0]])
    with torch.inference_mode():
        torch.testing.assert_close(graph(*less.values()), graph(*values.values()), rtol=0, atol=1e-6)


def test_soft_areas_are_steps_of_the_allocation():
    """Blocks of 25 cells cut by a window: eight alternations of `ai4land.allocate.transport.scale`, block by block."""
    rng = np.random.default_rng(0)
    rows, cols, start = 32, 48, np.array([[9, 14]])
    pools = np.array([-1, 0, 0, 1])
    p = rng.dirichlet([1.0, 1, 1, 1], (rows, cols)).transpose(2, 0, 1)[None].astype(np.float32)
    free = rng.random((1, 1, rows, cols)) < 0.8
    wanted = rng.dirichlet([1.0, 1], (2, 3)).transpose(2, 0, 1)[None].astype(np.float32)
    wanted[..., 0, 1] = np.nan
    hats = [hat(torch.tensor(start[:, i]), torch.arange(n), torch.arange(c), 25, "step")
            for i, (n, c) in enumerate(((rows, 2), (cols, 3)))]  # fmt: skip
    made = SoftAreas(pools, 8)(*(torch.as_tensor(a) for a in (p, free, wanted)), *hats)[0].numpy()
    whole = block_index((rows + 9, cols + 14), 25)[9:, 14:]
    for number in range(6):
        here = (whole == number) & free[0, 0]
        target = wanted[0].reshape(2, -1)[:, number]
        if np.isnan(target).any():
            np.testing.assert_array_equal(made[:, here], p[0][:, here])
            continue
        pooled = np.stack([p[0, 1:3, here].sum(1), p[0, 3, here]])[None].astype(float)
        expected = scale(pooled, target[None] * here.sum(), 8)[0]
        np.testing.assert_allclose(np.stack([made[1:3, here].sum(0), made[3, here]]), expected, atol=1e-5)
        np.testing.assert_allclose(made[1, here] * p[0, 2, here], made[2, here] * p[0, 1, here], atol=1e-6)
        assert (made[0, here] == 0).all()
    np.testing.assert_array_equal(made[:, ~free[0, 0]], p[0][:, ~free[0, 0]])


def test_wanted_areas_pull_and_water_stays(luh2_case):
    """Equal shares, far from what an untrained network says: what is missing falls to a tenth in eight steps."""
    model, cube, batch = luh2_case
    graph, window = LandUseGraph(model), cut_batch(batch, 0, 0, (96, 96))
    prior, valid = window.prior[0], window.valid[0]
    inside = valid & ~np.isin(prior, (0, 7)) & (block_index((100, 100), 25)[:96, :96] == 5)
    missing = []
    for wanted in (None, np.full((1, 4, 4, 4), 0.25, np.float32)):
        with torch.inference_mode():
            p = graph(*raw(graph, cube, window, wanted)).numpy()[0]
        areas = [p[1, inside].sum(), p[2, inside].sum(), p[3, inside].sum(), p[4:7, inside].sum()]
        missing.append(np.abs(np.array(areas) - inside.sum() / 4).sum())
    assert missing[1] < 0.1 * missing[0], missing
    for water in (0, 7):
        assert (p[water][prior == water] == 1).all()
    np.testing.assert_allclose(p.sum(0), valid, atol=1e-5)


def test_the_hat_is_the_refinement_of_training():
    coarse, cells = torch.rand(1, 3, 4, 5), 25
    for start, length in ((0, 96), (7, 64), (40, 48)):
        for method in ("step", "bilinear"):
            place = torch.tensor([start])
            rows, cols = (hat(place, torch.arange(length), torch.arange(n), cells, method) for n in (4, 5))
            expected = refine(coarse, torch.tensor([[start, start]]), (length, length), cells, method)
            torch.testing.assert_close(rows @ coarse @ cols.T, expected, rtol=0, atol=1e-6)


def test_the_description_names_every_field_with_its_unit(luh2_case):
    about = LandUseGraph(luh2_case[0]).describe()
    states = next(one for one in about["inputs"] if one["name"] == "states")
    assert states["names"] == NAMES and states["units"] == ["1"] * 12 + ["years", "kg m-2"]
    assert about["pools"] == [-1, 0, 1, 2, 3, 3, 3, -1], "as luh2_pools.csv has them"
    for one, example in zip(about["inputs"], example_inputs(about), strict=True):
        assert str(example.dtype) == f"torch.{one['dtype']}" and example.ndim == len(one["shape"]), one
    with pytest.raises(ValueError, match="add them with unit"):
        variable("static", "float32", [1, 1, "y", "x"], ["height_of_trees"])


def test_a_network_of_other_states_is_refused(luh2_case):
    model = small_case()[0]
    model.encoding = replace(model.encoding, states={"forest": (0.0, 1.0)})
    with pytest.raises(ValueError, match="primf"):
        LandUseGraph(model)
