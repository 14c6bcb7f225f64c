"""Year by year: areas follow the model's, a killed rollout goes on, another model begins anew."""

import numpy as np
import pytest

from ai4land.allocate import expected_counts
from ai4land.models import Persistence
from ai4land.models.base import Whole
from ai4land.rollout import roll, step_years
from ai4land.runs import Experiment

FORWARD = Experiment(start=1995, test=(1996, 2005), trained_as="forecast", stepwise=True)
BACKWARD = Experiment(start=1990, test=(1981, 1989), trained_as="hindcast", stepwise=True)


class Drift(Whole):
    """Turns 1 per cent of forest into cropland every year, the more likely the farther west."""

    name, member, window = "drift", "all", 0

    def predict_proba(self, batch):
        prior = batch.prior[0]
        p = np.stack([(prior == c).astype(np.float32) for c in range(8)])
        share = np.linspace(0.02, 0, prior.shape[1], dtype=np.float32)[None, :] * (prior == 4)
        p[2] += share
        p[4] -= share
        return p[None]


class Dies(Drift):
    """Is killed at its fourth step."""

    def __init__(self):
        self.calls = 0

    def predict_proba(self, batch):
        self.calls += 1
        if self.calls == 4:
            raise KeyboardInterrupt
        return super().predict_proba(batch)


@pytest.fixture
def weights(tmp_path):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "model").write_bytes(b"one")
    return tmp_path / "weights"


def content(path):
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def start_roll(model, cube, experiment, path, weights):
    return roll(model, cube, "rollout", experiment, path, np.zeros(cube.grid.shape, bool), weights)


def test_years_are_stepped_away_from_the_start():
    assert step_years(FORWARD) == list(range(1996, 2006))
    assert step_years(BACKWARD) == list(range(1989, 1980, -1))
    # A gap between the start and the first judged year is stepped through as well.
    assert step_years(FORWARD.model_copy(update={"test": (2000, 2005)})) == list(range(1996, 2006))


def test_a_model_that_changes_nothing_keeps_the_map(changing_cube, tmp_path, weights):
    maps = start_roll(Persistence(), changing_cube, BACKWARD, tmp_path / "r.zarr", weights)
    assert (maps["land_use"].to_numpy() == changing_cube.map(1990)).all()
    assert list(maps["time"].to_numpy()) == list(range(1989, 1980, -1))


def test_every_year_has_the_areas_of_the_coarse_input(changing_cube, tmp_path, weights):
    """Counted from the truth of each year, so that nothing is lost in rounding however small a year's change is."""
    maps = start_roll(Drift(), changing_cube, FORWARD, tmp_path / "r.zarr", weights)["land_use"].to_numpy()
    start, free = changing_cube.map(1995), np.isin(changing_cube.map(1995), range(1, 7))
    for number, year in enumerate(range(1996, 2006)):
        got, wanted = (
            expected_counts((m == np.arange(8)[:, None, None]) * 1.0, free)
            for m in (maps[number], changing_cube.map(year))
        )
        off = np.abs(got - wanted)
        assert off[[2, 4]].max() <= 1 + 1e-3, f"{year}: the classes that the model thinks possible must fit"
        assert ((maps[number] == 0) == (start == 0)).all(), "ocean must stay"
    assert (maps[-1] != start).sum() > 50


def test_killed_and_resumed_it_has_the_same_bytes(changing_cube, tmp_path, weights):
    start_roll(Drift(), changing_cube, FORWARD, tmp_path / "whole.zarr", weights)
    path = tmp_path / "killed.zarr"
    with pytest.raises(KeyboardInterrupt):
        start_roll(Dies(), changing_cube, FORWARD, path, weights)
    (path / "land_use" / "c" / "3").mkdir(parents=True, exist_ok=True)
    (path / "land_use" / "c" / "3" / "0.abc.partial").write_bytes(b"half a chunk")
    again = Dies()
    again.calls = 4
    start_roll(again, changing_cube, FORWARD, path, weights)
    assert again.calls == 4 + 7, "three whole years must be kept, seven made"
    assert content(path) == content(tmp_path / "whole.zarr")


def test_a_store_of_another_model_is_made_anew(changing_cube, tmp_path, weights):
    start_roll(Drift(), changing_cube, FORWARD, tmp_path / "r.zarr", weights)
    (weights / "model").write_bytes(b"two")
    maps = start_roll(Persistence(), changing_cube, FORWARD, tmp_path / "r.zarr", weights)
    assert (maps["land_use"][-1].to_numpy() == changing_cube.map(1995)).all()
