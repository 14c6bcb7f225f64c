"""Stores: allocated, written, read and finished; what packing cannot hold is refused."""

import warnings

import numpy as np
import pytest
import xarray as xr

from ai4land.grid import Grid
from ai4land.store import (
    allocate,
    create,
    filling,
    finish,
    is_whole,
    open_group,
    partial_path,
    read,
    resume,
    save,
    write,
)
from ai4land.templates import Field, Group, Template, target_field, year_coordinate
from ai4land.windows import Window

GRID = Grid(40, 20, 0.01, 0.01, 6, 8)
FIELDS = {
    "season": target_field("leaf_area_index", ("time", "lat", "lon")),
    "chance": Field(("time", "lat", "lon"), "uint8", None, {}, 1 / 255),
    "plain": Field(("time", "lat", "lon"), "float32", np.nan),
}
GROUP = Group(FIELDS, {**year_coordinate([2000, 2001]), **GRID.coords()}, (4, 4))


@pytest.fixture
def store(tmp_path):
    allocate(tmp_path / "store.zarr", "one", GROUP)
    return tmp_path / "store.zarr"


def test_packed_fields_come_back_in_their_units_and_cells_that_nobody_wrote_are_missing(store):
    values = np.linspace(0, 10, 12, dtype=np.float32).reshape(3, 4)
    values[0, 0] = np.nan
    window = Window.at((1, 2), (3, 4))
    write(store / "one", {"season": values, "plain": values}, 1, window)
    got = read(store / "one", "season", 1)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got[window], values, atol=0.005)
    np.testing.assert_array_equal(read(store / "one", "plain", 1, window), values)
    outside = np.ones(GRID.shape, bool)
    outside[window] = False
    assert np.isnan(got[outside]).all() and np.isnan(read(store / "one", "season", 0)).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened = open_group(store, "one")
    np.testing.assert_array_equal(opened["season"].sel(time=2001), got)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("season", 400, "season: values from 0 to 400, but int16 holds -327.68 to 327.67 here; check the units"),
        ("season", -400, "season: values from -400 to 0, but int16 holds"),
        ("season", np.inf, "season: values from 0 to inf, but int16 holds"),
        ("chance", 1.1, "chance: values from 0 to 1.1, but uint8 holds 0 to 1 here"),
        ("chance", np.nan, "chance: NaN in a field without a missing value; give numbers for all cells"),
    ],
)
def test_what_a_packed_field_cannot_hold_is_refused_and_nothing_is_written(store, name, value, message):
    values = np.zeros(GRID.shape, np.float32)
    values[2, 3] = value
    with pytest.raises(ValueError, match=message):
        write(store / "one", {name: values}, 0)
    kept = read(store / "one", name, 0)
    assert np.isnan(kept).all() if name == "season" else (kept == 0).all()


def test_a_map_without_any_data_is_packed(store):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write(store / "one", {"season": np.full(GRID.shape, np.nan, np.float32)}, 0)
    assert np.isnan(read(store / "one", "season", 0)).all()


def test_a_finished_store_replaces_the_old_one_and_until_then_the_old_one_stays(tmp_path):
    path, template = tmp_path / "a.zarr", Template({"": GROUP}, {"format_version": 1})
    for number in (1, 2):
        partial = create(path, template)
        write(partial, {"chance": np.full(GRID.shape, number / 255, np.float32)}, 0)
        if number == 2:
            assert read(path, "chance", 0).max() == pytest.approx(1 / 255), "the old one"
        finish(path, f"about {number}")
    assert is_whole(path, "about 2") and not is_whole(path, "about 1") and not partial_path(path).exists()
    assert read(path, "chance", 0).max() == pytest.approx(2 / 255)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zarr", "a.zarr.about"]


def test_filling_goes_on_where_it_was_stopped_unless_it_is_about_something_else(tmp_path):
    path, template = tmp_path / "a.zarr", Template({"": GROUP}, {"format_version": 1})
    with pytest.raises(KeyboardInterrupt), filling(path, "this", template) as (done, log):
        assert done == set()
        write(partial_path(path), {"chance": np.ones(GRID.shape, np.float32)}, 0)
        log.write("first\n")
        log.flush()
        raise KeyboardInterrupt
    assert not path.exists()
    with filling(path, "this", template) as (done, _):
        assert done == {"first"} and (read(partial_path(path), "chance", 0) == 1).all()
    assert is_whole(path, "this")
    with filling(path, "that", template) as (done, _):
        assert done == set() and (read(partial_path(path), "chance", 0) == 0).all()


def test_a_store_filled_in_its_place_is_gone_on_with_or_replaced(tmp_path):
    path, template = tmp_path / "a.zarr", Template({"": GROUP}, {"format_version": 1})
    resume(path, "this", template)
    write(path, {"chance": np.ones(GRID.shape, np.float32)}, 0)
    resume(path, "this", template)
    assert (read(path, "chance", 0) == 1).all()
    resume(path, "that", template)
    assert (read(path, "chance", 0) == 0).all()


def test_a_whole_data_set_is_saved_in_chunks_and_replaced(tmp_path):
    maps = xr.Dataset({"land_use": (("time", "lat", "lon"), np.arange(96, dtype=np.uint8).reshape(2, 6, 8))})
    for add in (0, 1):
        save(tmp_path / "b.zarr", maps + np.uint8(add), "group/one", {"time": 1})
    got = open_group(tmp_path / "b.zarr", "group/one")
    np.testing.assert_array_equal(got["land_use"], maps["land_use"] + 1)
    assert got["land_use"].chunks == ((1, 1), (6,), (8,)) and got["land_use"].dtype == np.uint8
