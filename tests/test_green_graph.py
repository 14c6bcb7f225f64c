"""Graphs of land cover and leaf area say what their networks say, from raw inputs, in every format."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from regions import luh2_layers
from vegetation_cases import small_cube

from ai4land.experiments import Experiment
from ai4land.export.formats import write_formats
from ai4land.export.green_fields import box_counts, refined, tent
from ai4land.export.green_graph import GreenGraph, describe
from ai4land.grid import COARSE_CELLS
from ai4land.models.green_inputs import COVER, HEADS, LEAVES, USE, default_given
from ai4land.models.green_net import GreenNet
from ai4land.samples.predictors import Given, between
from ai4land.samples.tables import class_densities
from ai4land.sources.luh2 import STATES

EXPERIMENT = Experiment(start=2007, train=(2001, 2005), validation=(2006, 2007), test=(2008, 2009))
PAIR = 2006, 2009


def with_gaps(rows, cols, corner=(0, 0)):
    """A small region with LUH2; cells without land use, land cover, season, relief, climate, states."""
    cube, rng = small_cube(rows, cols), np.random.default_rng(4)
    names = [*STATES, "secma", "secmb"]
    states = rng.random((len(cube.years("climate")), len(names), *cube.grid.blocks(COARSE_CELLS).shape), np.float32)
    states[:, -2] *= 80
    states[:, :, 0, -1] = np.nan
    maps = {}
    for name, missing in (("land_use", 255), ("land_cover", 0), ("leaf_area_index", np.nan)):
        where = rng.random((rows, cols)) < 0.05
        fields = {y: cube.field(name, y) for y in cube.years(name)}
        maps[name] = {y: np.where(where, missing, field).astype(field.dtype) for y, field in fields.items()}
    climate = {y: cube.field("climate", y).copy() for y in cube.years("climate")}
    for months in climate.values():
        months[:, 3, 1, 1], months[:, :, -1, -1] = np.nan, np.nan
    relief = np.where(rng.random((rows, cols)) < 0.05, np.nan, 300 * cube.field("elevation")).astype(np.float32)
    states = luh2_layers(cube.years("climate"), names, states, states)
    return replace(cube, corner=corner).with_fields(elevation=relief, climate=climate, **maps, **states)


def network(cube, head, given=None):
    """One with weights at random, so that every field has a say."""
    model = GreenNet((head,), given, steps=0, window=32, batch=2, base=4, precision="fp32", seed=3)
    model.device = torch.device("cpu")
    model.fit(cube, EXPERIMENT)
    torch.manual_seed(7)
    with torch.no_grad():
        for weights in model.network.parameters():
            weights += 0.1 * torch.randn_like(weights)
    model.tuning = {head: 1.3}
    return model


def cut(field, window, missing):
    """A window (..., y, x) of a field; what is outside is missing."""
    size = [part.stop - part.start for part in window]
    out = np.full((*field.shape[:-2], *size), missing, field.dtype)
    inside = [slice(max(p.start, 0), min(p.stop, n)) for p, n in zip(window, field.shape[-2:], strict=True)]
    here = tuple(slice(i.start - p.start, i.stop - p.start) for i, p in zip(inside, window, strict=True))
    out[(..., *here)] = field[(..., *inside)]
    return out[None]


def raw_inputs(graph, cube, window, hidden, pair=PAIR):
    """What a host hands over, by name: fields as they are, in physical units."""
    prior, year = pair
    first, air, coupled = [part.start for part in window], cube.grid_of("climate"), graph.fields.given.coupled
    last, now = (cube.field("climate", y) for y in (year - 1, year))
    months = [last[0 if coupled else -1 :], now[: 11 if coupled else 12]]
    lat, lon = cube.grid.lat[0] - 0.01 * first[0], cube.grid.lon[0] + 0.01 * first[1]
    place = (air.lat[0] - lat) / air.dlat, (lon - air.lon[0]) / air.dlon
    out = {
        "leaf_area_index_before": cut(cube.field("leaf_area_index", prior), window, np.nan),
        "hidden": cut(hidden, window, False), "valid": cut(np.ones(cube.grid.shape, bool), window, False),
        "static": cut(np.stack([cube.field(n) for n in graph.fields.names.static]), window, np.nan),
        "koppen": cut(cube.field("koppen").astype(np.uint8), window, 0),
        "states": cube.field("luh2_state", year)[None], "start": np.array([first]),
        "climate": np.concatenate(months).swapaxes(0, 1)[None], "climate_start": np.array([place], np.float32),
        "climate_step": np.array([[0.01 / air.dlat, 0.01 / air.dlon]], np.float32),
        "co2": np.array([float(cube.field("co2", year))], np.float32), "years": np.array([year - prior], np.float32),
    }  # fmt: skip
    for name, missing in (("land_use", 255), ("land_cover", 0)):
        for key, when in ((name, year), (f"{name}_before", prior)):
            out[key] = cut(cube.field(name, when), window, missing)
    return {name: np.ascontiguousarray(out[name]) for name in graph.inputs}


def run(graph, raw):
    with torch.inference_mode():
        return dict(zip(graph.outputs, graph(*map(torch.as_tensor, raw.values())), strict=True))


def check_equal(made, wanted, window, inner=(slice(None), slice(None))):
    """Within 1e-4, missing in the same cells, and of the same class on 99.99 % of them."""
    for name, values in made.items():
        whole = wanted[COVER if name == "probability" else name]
        expected = cut(whole, window, 0 if name == "probability" else np.nan)[(0, slice(None), *inner)]
        values = np.asarray(values)[(0, slice(None), *inner)]
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-4, err_msg=name)
        if name == "probability":
            assert (values.argmax(0) == expected.argmax(0)).mean() >= 0.9999


def some_hidden(cube, share=0.2):
    return np.random.default_rng(1).random(cube.grid.shape) < share


@pytest.fixture(scope="module")
def cube():
    return with_gaps(50, 75)


@pytest.fixture(scope="module")
def networks(cube):
    return {head: network(cube, head) for head in (COVER, LEAVES)}


@pytest.mark.parametrize("head", [COVER, LEAVES])
@pytest.mark.parametrize(
    ("corner", "size", "pair"),
    [((0, 0), (50, 75), PAIR), ((0, 0), (16, 48), (2009, 2003)), ((21, 37), (43, 30), (2008, 2009))],
)
def test_a_graph_says_what_its_network_says(networks, head, corner, size, pair):
    region = with_gaps(*size, corner)
    graph, hidden = GreenGraph(networks[head]), some_hidden(region)
    # Windows begin on the lattice of 16 cells of the run, which may lie outside of the region.
    window = tuple(slice(-(c % 16), -(c % 16) + -(-(c % 16 + n) // 16) * 16) for c, n in zip(corner, size, strict=True))
    wanted = networks[head].predict(region, *pair, hidden)
    made = run(graph, raw_inputs(graph, region, window, hidden, pair))
    check_equal(made, wanted, window)
    values = wanted[head]
    assert np.nanstd(values, axis=(1, 2)).max() > 0.05, "the network says the same everywhere"


@pytest.mark.parametrize("head", [COVER, LEAVES])
def test_a_window_says_what_the_region_says_but_for_what_is_near_its_edge(networks, head):
    region = with_gaps(32, 304)
    graph, reach = GreenGraph(networks[head]), describe(networks[head])["reach"]
    assert reach == networks[head].reach + 8  # shares of land use look eight cells around
    window = slice(0, 32), slice(32, 304)
    made = run(graph, raw_inputs(graph, region, window, some_hidden(region)))
    wanted = networks[head].predict(region, *PAIR, some_hidden(region))
    check_equal(made, wanted, window, (slice(None), slice(reach, None)))


@pytest.mark.parametrize(
    ("head", "given"),
    [
        (COVER, Given(land_use=True, coupled=True)),
        (COVER, Given(land_use=False, prior_cover=True, climate=False)),
        (LEAVES, Given(land_use=False, prior_leaves=True)),
        (LEAVES, Given(land_cover=True, coupled=True)),
        (LEAVES, Given(land_use=True, prior_cover=True, prior_leaves=True)),
    ],
)
def test_a_graph_asks_for_what_its_network_was_given_and_no_more(cube, head, given):
    model, hidden = network(cube, head, given), some_hidden(cube)
    graph, window = GreenGraph(model), (slice(0, 64), slice(0, 80))
    raw = raw_inputs(graph, cube, window, hidden)
    check_equal(run(graph, raw), model.predict(cube, *PAIR, hidden), window)
    assert ("climate" in raw) == given.climate and ("land_use" in raw) == given.land_use
    assert ("land_cover" in raw) == given.land_cover and ("leaf_area_index_before" in raw) == given.prior_leaves
    for name, values in raw.items():
        if name in ("hidden", "start", "climate_start", "climate_step", "years", "valid"):
            continue
        other = raw | {name: np.roll(values / np.float32(2) if values.dtype == np.float32 else values, 3, -1)}
        made = [torch.cat(list(run(graph, r).values()), 1).nan_to_num() for r in (raw, other)]
        assert not torch.equal(*made), f"{name} has no say"


@pytest.mark.parametrize("head", [COVER, LEAVES])
def test_the_formats_agree_for_windows_of_any_size(cube, networks, head, tmp_path):
    runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    pytest.importorskip("onnxscript", reason="the exporter of ONNX is not installed")
    graph = GreenGraph(networks[head])
    files = write_formats(graph, describe(networks[head]), tmp_path / head)
    session = runtime.InferenceSession(files[0], providers=["CPUExecutionProvider"])
    program, script = torch.export.load(files[1]).module(), torch.jit.load(files[2])
    for region, window in ((cube, (slice(0, 64), slice(0, 80))), (with_gaps(30, 110), (slice(0, 32), slice(0, 112)))):
        hidden = some_hidden(region)
        raw, wanted = raw_inputs(graph, region, window, hidden), networks[head].predict(region, *PAIR, hidden)
        values = [torch.as_tensor(v) for v in raw.values()]
        for made in (session.run(graph.outputs, raw), program(*values), script(*values)):
            check_equal(
                {n: torch.as_tensor(v).detach() for n, v in zip(graph.outputs, made, strict=True)}, wanted, window
            )


@pytest.mark.parametrize("head", [COVER, LEAVES])
def test_the_description_holds_for_what_goes_in_and_comes_out(cube, networks, head):
    about, graph = json.loads(json.dumps(describe(networks[head]))), GreenGraph(networks[head])
    raw = raw_inputs(graph, cube, (slice(0, 64), slice(0, 80)), some_hidden(cube))
    sizes = {}
    found = raw | {name: values.numpy() for name, values in run(graph, raw).items()}
    assert [one["name"] for one in about["inputs"] + about["outputs"]] == [*graph.inputs, *graph.outputs] == list(found)
    for one in about["inputs"] + about["outputs"]:
        values, layers = found[one["name"]], one.get("names")
        assert str(values.dtype) == one["dtype"] and len(one["shape"]) == values.ndim, one["name"]
        for axis, size in enumerate(one["shape"]):
            assert values.shape[axis] == (sizes.setdefault(size, values.shape[axis]) if isinstance(size, str) else size)
        assert all(one["units"]) if layers is None else len(one["units"]) == len(layers) == values.shape[1]
    climate = next(one for one in about["inputs"] if one["name"] == "climate")
    assert dict(zip(climate["names"], climate["units"], strict=True))["air_temperature"] == "K"
    assert climate["months"][0] == "12 before" and len(climate["months"]) == 13
    assert set(about["statistics"]) == set(networks[head].inputs.statistics) and about["multiple"] == 16


def test_what_cannot_be_exported_is_refused(cube, networks):
    with pytest.raises(ValueError, match="not a trained U-Net"):
        GreenGraph(GreenNet((COVER,)))
    for heads in (HEADS, (USE,)):
        model = GreenNet(heads)
        model.network = networks[COVER].network
        with pytest.raises(ValueError, match="a graph has one"):
            GreenGraph(model)
    model = GreenNet((COVER,), default_given((COVER,)))
    statistics = networks[COVER].inputs.statistics
    renamed = {n.replace("elevation", "wetness"): v for n, v in statistics.items()}
    model.network, model.inputs = networks[COVER].network, replace(model.inputs, statistics=renamed)
    with pytest.raises(ValueError, match=r"\['wetness'\]: layers without a unit"):
        describe(model)
    turned = dict(reversed(statistics.items()))
    model.inputs = replace(model.inputs, statistics=turned)
    with pytest.raises(ValueError, match="not in the order"):
        GreenGraph(model)


def test_refinement_and_box_counts_are_those_of_training(cube):
    target = cube.grid.cut(slice(7, 40), slice(11, 60))
    values, source = cube.field("climate", 2003)[:, 3], cube.grid_of("climate")  # one cell is missing
    start = np.array([source.lat[0] - target.lat[0], target.lon[0] - source.lon[0]], np.float32) / np.float32(0.25)
    rows, cols = (
        tent(torch.tensor([s]), torch.tensor([0.04]), torch.arange(n), torch.arange(m))
        for s, n, m in zip(start, target.shape, source.shape, strict=True)
    )
    fine, known = torch.as_tensor(values)[None, None], torch.as_tensor(np.isfinite(values[None, :1]))
    made = refined(fine, known, rows, cols, torch.ones(1, *target.shape, dtype=torch.bool))[0, 0]
    expected = between(values, source, target)
    assert np.isnan(expected).any() and np.isfinite(expected).any()
    np.testing.assert_allclose(made, np.nan_to_num(expected), atol=1e-5)
    labels = cube.field("land_use", 2003)
    seen = torch.as_tensor(np.stack([labels == 4, labels != 255])[None]).float()
    for radius in (2, 8):
        counts = box_counts(seen, radius)[0]
        shares = (counts[0] / counts[1].clamp(min=1)).numpy()
        np.testing.assert_array_equal(shares, class_densities(labels, radius, np.array([4]))[0])
