"""Year by year: areas follow the model's, a killed rollout goes on, another model begins anew."""

from types import SimpleNamespace

import numpy as np
import pytest
from regions import luh2_layers
from tiny_run import tiny_land_use

from ai4land import rollout
from ai4land.allocate import expected_counts
from ai4land.experiments import step_years
from ai4land.models.base import Whole
from ai4land.models.baselines import Persistence
from ai4land.rollout import own_maps, roll
from ai4land.runs import Experiment
from ai4land.store import write

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


def start_roll(model, cube, experiment, path, weights, member=0):
    return roll(model, cube, "rollout", experiment, path, np.zeros(cube.grid.shape, bool), weights, member)


def test_years_are_stepped_away_from_the_start():
    assert step_years(FORWARD) == list(range(1996, 2006))
    assert step_years(BACKWARD) == list(range(1989, 1980, -1))
    # A gap between the start and the first judged year is stepped through as well.
    assert step_years(FORWARD.model_copy(update={"test": (2000, 2005)})) == list(range(1996, 2006))


def test_a_model_that_changes_nothing_keeps_the_map(changing_cube, tmp_path, weights):
    maps = start_roll(Persistence(), changing_cube, BACKWARD, tmp_path / "r.zarr", weights)
    assert (maps["land_use"].to_numpy() == changing_cube.field("land_use", 1990)).all()
    assert list(maps["time"].to_numpy()) == list(range(1989, 1980, -1))


def test_every_year_has_the_areas_of_the_coarse_input(changing_cube, tmp_path, weights):
    """Counted from the truth of each year, so that nothing is lost in rounding however small a year's change is."""
    maps = start_roll(Drift(), changing_cube, FORWARD, tmp_path / "r.zarr", weights)["land_use"].to_numpy()
    start, free = changing_cube.field("land_use", 1995), np.isin(changing_cube.field("land_use", 1995), range(1, 7))
    for number, year in enumerate(range(1996, 2006)):
        got, wanted = (
            expected_counts((m == np.arange(8)[:, None, None]) * 1.0, free)
            for m in (maps[number], changing_cube.field("land_use", year))
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


@pytest.mark.parametrize("member", [0, 1])
@pytest.mark.parametrize("year", [3, 4])
def test_killed_between_two_writes_of_a_year_it_has_the_same_bytes(
    changing_cube, tmp_path, weights, monkeypatch, member, year
):
    """A year that is written but for its mark is made again, from the exact chance of the year before."""
    start_roll(Drift(), changing_cube, FORWARD, tmp_path / "whole.zarr", weights, member)
    keep = rollout._keep

    def dies(path, number, fields):
        keep(path, number, fields)
        if number == year:
            write(path, {"done": np.array(0, np.uint8)}, number)
            raise KeyboardInterrupt

    monkeypatch.setattr(rollout, "_keep", dies)
    with pytest.raises(KeyboardInterrupt):
        start_roll(Drift(), changing_cube, FORWARD, tmp_path / "killed.zarr", weights, member)
    monkeypatch.setattr(rollout, "_keep", keep)
    start_roll(Drift(), changing_cube, FORWARD, tmp_path / "killed.zarr", weights, member)
    assert content(tmp_path / "killed.zarr") == content(tmp_path / "whole.zarr")


def test_a_store_of_another_model_is_made_anew(changing_cube, tmp_path, weights):
    start_roll(Drift(), changing_cube, FORWARD, tmp_path / "r.zarr", weights)
    (weights / "model").write_bytes(b"two")
    maps = start_roll(Persistence(), changing_cube, FORWARD, tmp_path / "r.zarr", weights)
    assert (maps["land_use"][-1].to_numpy() == changing_cube.field("land_use", 1995)).all()


def test_members_draw_other_cells_with_the_same_areas_and_not_more_change(changing_cube, tmp_path, weights):
    made = [
        start_roll(Drift(), changing_cube, FORWARD, tmp_path / f"{m}.zarr", weights, m)["land_use"].to_numpy()
        for m in range(3)
    ]
    start = changing_cube.field("land_use", 1995)
    assert (made[0] != made[1]).any() and (made[1] != made[2]).any()
    for number in range(10):
        areas = [expected_counts((m[number] == np.arange(8)[:, None, None]) * 1.0, start > 0) for m in made]
        np.testing.assert_array_equal(areas[0], areas[1])
        np.testing.assert_array_equal(areas[0], areas[2])
    changes = [sum((a != b).sum() for a, b in zip([start, *m[:-1]], m, strict=True)) for m in made]
    assert max(changes) <= min(changes) * 1.05, f"draws must not add swaps: {changes}"


def test_the_chance_of_being_right_is_carried_from_year_to_year(changing_cube, tmp_path, weights):
    """By hand: 0.9 a year for every cell that keeps its class, so .9, then .9 x .9 + .1 x .1, and so on."""

    class Unsure(Drift):
        def predict_proba(self, batch):
            p = np.stack([(batch.prior[0] == c).astype(np.float32) for c in range(8)]) * np.float32(0.9)
            p[6] += np.where(np.isin(batch.prior[0], range(1, 6)), np.float32(0.1), 0)
            return p[None]

    maps = start_roll(Unsure(), changing_cube, BACKWARD, tmp_path / "r.zarr", weights)
    still = (maps["land_use"].to_numpy() == 4).all(0) & (changing_cube.field("land_use", 1990) == 4)
    assert still.sum() > 1000
    got = maps["confidence"].to_numpy()[:3, still]
    np.testing.assert_allclose(got, np.array([[0.9], [0.82], [0.756]]) * np.ones((1, still.sum())), atol=2 / 65535)


def test_without_allocation_a_map_is_the_most_probable_one(changing_cube, tmp_path, weights):
    free = FORWARD.model_copy(update={"allocation": False})
    maps = start_roll(Drift(), changing_cube, free, tmp_path / "r.zarr", weights)
    assert (maps["land_use"].to_numpy() == changing_cube.field("land_use", 1995)).all(), (
        "a change of 2 per cent is never likeliest"
    )
    own = own_maps(maps, (slice(0, 50), slice(0, 100)), Drift(), free)
    assert own.attrs["model"] == "drift" and own["land_use"].shape == (10, 50, 100)


def test_members_take_turns_with_the_models_of_the_folds():
    run = tiny_land_use()
    assert [run.model_of("rollout_forward", m) for m in range(2)] == ["forecast", "forecast"]
    folded = run.experiments["forecast"].model_copy(update={"folds": 3})
    run = run.model_copy(update={"experiments": run.experiments | {"forecast": folded}})
    names = [run.model_of("rollout_forward", m) for m in range(4)]
    assert names == ["forecast-fold0", "forecast-fold1", "forecast-fold2", "forecast-fold0"]


def test_a_year_outside_luh2_is_refused_before_anything_is_made(changing_cube, tmp_path, weights):
    years = list(range(1990, 2004))
    states, fraction = (np.zeros((14, n, 4, 4), np.float32) for n in (1, 8))
    cube = changing_cube.with_fields(**luh2_layers(years, ["primf"], states, fraction))
    asked = FORWARD.model_copy(update={"coarse": "luh2"})
    with pytest.raises(ValueError, match="LUH2 has no year 2005, there are 1990-2003"):
        start_roll(Drift(), cube, asked, tmp_path / "r.zarr", weights)
    assert not (tmp_path / "r.zarr").exists()


def test_a_full_disk_is_named_with_the_bytes_needed_before_anything_is_made(
    changing_cube, tmp_path, weights, monkeypatch
):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(OSError, match=r"\d+ bytes are needed, and the disk of .* has 1000 free; make room"):
        start_roll(Drift(), changing_cube, FORWARD, tmp_path / "r.zarr", weights)
    assert not (tmp_path / "r.zarr").exists()
