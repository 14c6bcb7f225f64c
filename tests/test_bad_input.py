"""Bad input ends early, in one line that says what to do, and loses nothing that was made before."""

import errno

import numpy as np
import pytest
import torch
import xarray as xr
from conftest import make_cube
from regions import all_years, luh2_layers

from ai4land.cube import luh2_groups
from ai4land.models.baselines import Persistence
from ai4land.models.inputs import fit_encoding
from ai4land.models.neural import Neural
from ai4land.models.trees import Trees
from ai4land.runs import Experiment, read_run
from ai4land.samples import case_batch, make_split
from ai4land.sources.luh2 import STATES
from ai4land.train import Schedule

FORECAST = Experiment(start=1995, train=(1980, 1992), validation=(1993, 1995), test=(1996, 2005), coarse="luh2")
NAMES = [*STATES, "secma", "secmb"]


@pytest.fixture(scope="module")
def cube(changing_cube):
    """The changing cube with LUH2 states in which one coarse cell is ocean (NaN)."""
    rng = np.random.default_rng(0)
    states = rng.dirichlet(np.ones(12), (30, 4, 4)).transpose(0, 3, 1, 2)
    states = np.concatenate([states, rng.random((30, 2, 4, 4)) * 80], 1).astype(np.float32)
    states[:, :, 1, 2] = np.nan
    return changing_cube.with_fields(**luh2_layers(changing_cube.years("land_use"), NAMES, states))


@pytest.fixture(scope="module")
def split(cube):
    return make_split("forecast", FORECAST, cube, None, 1)


def short(**more):
    return Neural(Schedule(steps=4, every=2, precision="fp32"), 48, 2, base=4, **more)


def test_nan_in_a_coarse_cell_takes_no_part(cube, split):
    fraction = all_years(cube, "luh2_fraction")
    np.testing.assert_allclose(fraction.sum(1), 1, atol=1e-5)
    assert (fraction[:, 0, 1, 2] == 1).all(), "a cell without states stands as ocean"
    mean, deviation = fit_encoding(cube, split, "step").states["secma"]
    assert 0 < mean < 80 and deviation > 0
    for model in (short(), Trees(rounds=3, rows=2000, cases=3)):
        p = model.fit(cube, split).predict_proba(case_batch(cube, split, split.test[0]))
        assert np.isfinite(p).all()
        np.testing.assert_allclose(p.sum(1), 1, atol=1e-4)


def test_a_prior_hidden_whole_still_gives_probabilities(cube, split):
    hidden = Experiment(start=1995, test=(1996, 1996), trained_as="forecast", mask_ratio=1.0, coarse="luh2")
    whole = make_split("masked", hidden, cube, None, 1)
    batch = case_batch(cube, whole, whole.test[0])
    assert (batch.prior == 255).all()
    for model in (
        short().fit(cube, split),
        Trees(rounds=3, rows=2000, cases=3, masked=0.5).fit(cube, split),
        Persistence(),
    ):
        p = model.predict_proba(batch)
        assert np.isfinite(p).all()
        np.testing.assert_allclose(p.sum(1), 1, atol=1e-4)


def test_a_region_of_pure_ocean_is_refused():
    sea = make_cube({y: np.zeros((50, 50), np.uint8) for y in range(1980, 2010)})
    split = make_split("forecast", FORECAST.model_copy(update={"coarse": "perfect"}), sea, None, 1)
    with pytest.raises(ValueError, match="is the region all ocean"):
        short().fit(sea, split)
    with pytest.raises(ValueError, match="is the region all ocean"):
        Trees(rounds=3).fit(sea, split)


def test_a_scenario_to_which_no_year_leads_is_refused_and_one_that_follows_is_not(monkeypatch):
    run = read_run("demo")

    def states(files):
        first = {"luh2": 850, "ssp126": 2016, "ssp370": 2017}[files]
        last = 2015 if files == "luh2" else 2100
        return xr.Dataset({"primf": ("time", np.zeros(last - first + 1))}, {"time": np.arange(first, last + 1)})

    monkeypatch.setattr("ai4land.cube.layers.open_input", states)
    roles = {role: role for role in ("luh2", "ssp126", "ssp370")}
    with pytest.raises(ValueError, match="scenario ssp370 starts in 2017, LUH2's history ends in 2015"):
        luh2_groups(run, roles)
    one = run.inputs.model_copy(update={"scenarios": {"ssp126": "luh2_v2f_ssp126_states"}})
    assert set(luh2_groups(run.model_copy(update={"inputs": one}), roles)) == {"luh2", "luh2-ssp126"}
    late = run.model_copy(update={"years": (1985, 2020), "inputs": run.inputs.model_copy(update={"scenarios": {}})})
    with pytest.raises(ValueError, match="LUH2 history has years 850-2015, the maps 1985-2020"):
        luh2_groups(late, roles)


def test_a_year_that_luh2_lacks_is_named(cube):
    with pytest.raises(ValueError, match="LUH2 has no year 2050, there are 1980-2009; change the years in run.yml"):
        cube.field("luh2_state", 2050)


def test_a_full_disk_ends_the_training_and_keeps_the_last_checkpoint(cube, split, tmp_path, monkeypatch):
    save = torch.save
    calls = {"n": 0}

    def fills_up(state, path):
        calls["n"] += 1
        if calls["n"] == 2:
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        save(state, path)

    monkeypatch.setattr(torch, "save", fills_up)
    with pytest.raises(OSError, match="No space left on device"):
        short(checkpoints=tmp_path).fit(cube, split)
    assert torch.load(tmp_path / "forecast.pt", weights_only=True)["step"] == 2
    resumed = short(checkpoints=tmp_path).fit(cube, split)
    whole = short().fit(cube, split)
    for name, values in whole.network.state_dict().items():
        assert (resumed.network.state_dict()[name] == values).all(), name
