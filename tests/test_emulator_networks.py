"""What an emulator steps is what the networks make that its graphs were exported from."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from emulator_bundle import STATES, small_bundle
from regions import all_years, luh2_layers
from test_bundle import inputs, scores
from vegetation_cases import small_cube

from ai4land.allocate import expected_map
from ai4land.experiments import Experiment
from ai4land.export.bundle import write_bundle
from ai4land.export.emulator import Emulator
from ai4land.export.graph import LandUseGraph
from ai4land.export.green_graph import GreenGraph, describe
from ai4land.grid import COARSE_CELLS
from ai4land.models.green_chain import predict_chain
from ai4land.models.green_inputs import COVER, LEAVES
from ai4land.models.green_net import GreenNet
from ai4land.models.neural import Neural
from ai4land.rollout import roll
from ai4land.runs import read_run
from ai4land.samples import make_split
from ai4land.sources.climate import read_climate_variables
from ai4land.targets import read_target
from ai4land.train import Schedule

EXPERIMENT = Experiment(start=2007, train=(2000, 2005), validation=(2006, 2007), test=(2008, 2009))


class Session:
    """A graph in PyTorch that answers as ONNX Runtime does: exporting it takes minutes."""

    def __init__(self, graph, about):
        self.graph = graph
        self.inputs, self.outputs = ([one["name"] for one in about[part]] for part in ("inputs", "outputs"))

    def get_outputs(self):
        return [SimpleNamespace(name=name) for name in self.outputs]

    def run(self, names, inputs):
        with torch.inference_mode():
            made = self.graph(*(torch.as_tensor(inputs[name]) for name in self.inputs))
        return [part.numpy() for part in (made if isinstance(made, tuple) else (made,))]


def shaken(model, by):
    """A network whose weights are at random, so that all it sees has a say."""
    torch.manual_seed(7)
    with torch.no_grad():
        for weights in model.network.parameters():
            weights += by * torch.randn_like(weights)
    return model


def corner_of(grid):
    """Where the lattice of a run on these cells is counted from."""
    return [round((90 - grid.north) / 0.01), round((grid.west + 180) / 0.01)]


def forcing_of(cube):
    """LUH2 of a region as a dataset on its own cells."""
    states = all_years(cube, "luh2_state")
    fields = {n: (("time", "lat", "lon"), states[:, k]) for k, n in enumerate(cube.names("luh2_state"))}
    return xr.Dataset(fields, {"time": cube.years("luh2_state"), **cube.grid_of("luh2_state").coords()})


def made_up_luh2(years, grid, seed):
    """States that drift apart over the years."""
    rng, coarse = np.random.default_rng(seed), grid.blocks(COARSE_CELLS)
    first, last = (rng.dirichlet(np.ones(12), coarse.shape) for _ in range(2))
    share = np.linspace(0, 1, len(years))[:, None, None, None]
    states = 0.9 * np.moveaxis(first + share * (last - first), -1, 1)
    states = np.concatenate([states, 40 * rng.random((len(years), 2, *coarse.shape))], 1).astype(np.float32)
    return luh2_layers(years, STATES, states)


@pytest.fixture(scope="module")
def driven(changing_cube):
    """A region with LUH2, and a network of land use whose weights are at random."""
    cube = changing_cube.with_fields(**made_up_luh2(changing_cube.years("land_use"), changing_cube.grid, 2))
    learned = {"train": (1980, 1992), "validation": (1993, 1995), "test": (1996, 2005), "priors": 2, "coarse": "luh2"}
    model = Neural(Schedule(steps=0, every=1, precision="fp32"), window=48, batch=2, base=4, seed=3, method="bilinear")
    model.device = torch.device("cpu")
    model.fit(cube, make_split("forecast", Experiment(start=1995, **learned), cube, None, 1))
    model.history = pd.DataFrame({"step": [0]})
    return cube, shaken(model, 0.1)


def check_rolled(emulator, cube, model, sign, folder):
    """Three steps from 1995 are those of a rollout."""
    test = (1996, 1998) if sign > 0 else (1992, 1994)
    stepwise = Experiment(start=1995, test=test, trained_as="forecast", stepwise=True, priors=2, coarse="luh2")
    nowhere = np.zeros(cube.grid.shape, bool)
    wanted = roll(model, cube, "rollout", stepwise, folder / "rolled.zarr", nowhere, folder)
    maps = xr.concat([cube.data_array("land_use", y).assign_coords(time=y) for y in (1995, 1995 - sign)], "time")
    forcing = forcing_of(cube)
    static = xr.Dataset({"elevation": (("lat", "lon"), cube.field("elevation"))}, cube.grid.coords())
    state = emulator.start(maps, static, forcing, 1995)
    for number, year in enumerate(range(1995 + sign, 1995 + 4 * sign, sign)):
        state = emulator.step(state, forcing, year)
        made, rolled = state["land_use"].to_numpy(), wanted["land_use"][number].to_numpy()
        assert (made == rolled).mean() >= 0.999, year
    assert (rolled != cube.field("land_use", 1995)).sum() > 200


@pytest.mark.parametrize("sign", [1, -1])
def test_land_use_is_that_of_a_rollout_of_the_same_network(driven, tmp_path, sign):
    cube, model = driven
    graph = LandUseGraph(model)
    about = graph.describe() | {"target": "land_use", "direction": "both"}
    bundle = {"grid": "global", "cell_degrees": 0.01, "corner": corner_of(cube.grid), "graphs": {"land_use": about}}
    check_rolled(Emulator(bundle, {"land_use": Session(graph, about)}), cube, model, sign, tmp_path)


@pytest.mark.slow
def test_land_use_of_a_written_bundle_is_that_of_a_rollout(driven, tmp_path):
    cube, model = driven
    model.save(tmp_path / "unet-shared" / "forecast")
    folder = tmp_path / "emulator"
    paths = {"land_use-forward": tmp_path / "unet-shared" / "forecast"}
    write_bundle(folder, paths, read_run("demo"), cube.grid, inputs(), scores())
    check_rolled(Emulator.load(folder), cube, model, 1, paths["land_use-forward"])
    graph = folder / "land_use-forward.onnx"
    graph.write_bytes(graph.read_bytes() + b" ")
    with pytest.raises(ValueError, match="SHA-256"):
        Emulator.load(folder)


@pytest.fixture(scope="module")
def cube():
    """A region 16 cells wider than a whole number of tiles of one LUH2 cell, with LUH2."""
    cube = small_cube(60, 66)
    states = made_up_luh2(cube.years("climate"), cube.grid, 4)
    return cube.with_fields(elevation=300 * cube.field("elevation"), **states)


@pytest.fixture(scope="module")
def chain(cube):
    models = []
    for head in (COVER, LEAVES):
        model = GreenNet((head,), None, steps=0, window=32, batch=2, base=4, precision="fp32", seed=3)
        model.device = torch.device("cpu")
        model.fit(cube, EXPERIMENT)
        models.append(shaken(model, 0.02))
    return models


@pytest.fixture(scope="module")
def emulator(cube, chain, tmp_path_factory):
    read = Emulator.load(small_bundle(tmp_path_factory.mktemp("bundle") / "emulator"))
    graphs = {model.targets[0]: describe(model) for model in chain}
    sessions = {model.targets[0]: Session(GreenGraph(model), graphs[model.targets[0]]) for model in chain}
    about = read.about | {"graphs": read.about["graphs"] | graphs, "corner": corner_of(cube.grid)}
    return Emulator(about, read.sessions | sessions)


def given(cube):
    """Start of 2006 and forcing, as a host has them."""
    fine, years = cube.grid.coords(), cube.years("climate")
    use = np.stack([cube.field("land_use", y) for y in (2006, 2005)])
    maps = xr.DataArray(use, {"time": [2006, 2005], **fine}, ("time", "lat", "lon"))
    static = xr.Dataset({"elevation": (("lat", "lon"), cube.field("elevation"))}, fine)
    static["koppen"] = ("lat", "lon"), cube.field("koppen").astype(np.uint8)
    forcing = forcing_of(cube)
    units, time = (
        read_climate_variables()["units"],
        pd.date_range(f"{years[0]}-01-01", periods=12 * len(years), freq="MS"),
    )
    monthly, names = np.concatenate([cube.field("climate", y) for y in years]), cube.names("climate")
    fields = {n: (("time", "lat", "lon"), monthly[:, k], {"units": units[n]}) for k, n in enumerate(names)}
    co2 = ("time", np.repeat([float(cube.field("co2", y)) for y in years], 12), {"units": "1e-6"})
    climate = xr.Dataset(fields | {"co2": co2}, {"time": time, **cube.grid_of("climate").coords()})
    cover = xr.DataArray(cube.field("land_cover", 2006), fine, ("lat", "lon"))
    leaves = xr.DataArray(cube.field("leaf_area_index", 2006), fine, ("month", "lat", "lon"))
    return (maps, static, forcing, 2006, cover, leaves), forcing, climate


def test_a_step_is_the_chain_of_the_networks_on_the_land_use_made(cube, chain, emulator):
    start, forcing, climate = given(cube)
    state = emulator.start(*start)
    made = emulator.step(state, forcing, 2007, climate)
    use = {2006: state["land_use"].to_numpy(), 2007: made["land_use"].to_numpy()}
    wanted = predict_chain(chain, cube.with_fields(land_use=use), 2006, 2007)
    cover = expected_map(read_target(COVER), wanted[COVER], cube.field("land_cover", 2006), cube.corner)
    assert (made[COVER].to_numpy() == cover).mean() > 0.9999
    assert (cover != cube.field("land_cover", 2006)).sum() > 10
    np.testing.assert_allclose(made[LEAVES].to_numpy(), wanted[LEAVES], atol=1e-4)
    assert made[LEAVES].dims == ("month", "lat", "lon") and float(made[LEAVES].std()) > 0.05


def test_tiles_and_a_restart_change_nothing(cube, emulator, tmp_path):
    start, forcing, climate = given(cube)
    tiled = Emulator(emulator.about, emulator.sessions, core=1)
    one, other = (e.step(e.start(*start), forcing, 2007, climate) for e in (emulator, tiled))
    assert (one[COVER] == other[COVER]).all()
    np.testing.assert_allclose(one[LEAVES], other[LEAVES], atol=1e-4)
    one.to_netcdf(tmp_path / "state.nc")
    with xr.open_dataset(tmp_path / "state.nc") as restored:
        again = emulator.step(restored, forcing, 2008, climate)
    further = emulator.step(one, forcing, 2008, climate)
    assert all(again[name].to_numpy().tobytes() == further[name].to_numpy().tobytes() for name in further.variables)


def test_climate_and_seasons_in_other_units_are_refused(cube, emulator):
    start, forcing, climate = given(cube)
    *first, cover, leaves = start
    for more, said in (
        ((cover, leaves * 30), "leaf_area_index reaches .* not 1/30"),
        ((cover, leaves[:11]), "11 months, expected 12"),
        ((cover + np.uint8(3), leaves), "not in legend land_cover"),
        ((cover.astype(float), leaves), "land_cover is float64"),
        ((cover[1:], leaves), "land_cover: cells are"),
    ):
        with pytest.raises(ValueError, match=said):
            emulator.start(*first, *more)
    state = emulator.start(*start)
    celsius = climate.assign(air_temperature=(climate["air_temperature"] - 273.15).assign_attrs(units="degC"))
    for bad, said in (
        (None, "give step climate too"), (celsius, "air_temperature is in 'degC', expected 'K'"),
        (climate.drop_vars("co2"), "no co2"),
        (climate.drop_vars("soil_moisture_1"), r"no variables"),
        (climate.sel(time="2007"), r"no months .*2006, 12"), (climate.isel(lon=[0, 1]), "give climate that covers it"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=said):
            emulator.step(state, forcing, 2007, bad)
