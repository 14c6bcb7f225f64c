"""The emulator that steps: areas, tiles, restarts, both directions, no PyTorch, and what it refuses."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from conftest import ROOT
from emulator_bundle import REACH, STATES, seal, small_bundle, world

from ai4land.allocate import luh2_targets
from ai4land.export.emulator import Emulator
from ai4land.export.forcing import class_fractions
from ai4land.export.state import save_state
from ai4land.export.window import find_domain, tiles
from ai4land.grid import grid_of
from ai4land.samples.states import whole_cell_fractions

LAND = np.arange(1, 7)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small_bundle(tmp_path_factory.mktemp("bundle") / "emulator")


@pytest.fixture(scope="module")
def emulator(folder):
    return Emulator.load(folder)


def rolled(emulator, years=(2001, 2002, 2003), **cut):
    maps, static, forcing = world(**cut)
    state = emulator.start(maps, static, forcing, 2000)
    states = [state]
    for year in years:
        states.append(emulator.step(states[-1], forcing, year))
    return states


def test_every_luh2_cell_has_the_areas_that_luh2_wants_since_the_start(emulator):
    maps, _, forcing = world()
    first, *_, last = rolled(emulator)
    start, made = first["land_use"].to_numpy(), last["land_use"].to_numpy()
    fraction = whole_cell_fractions(forcing.transpose("time", "lat", "lon"))
    for row in range(4):
        for col in range(5):
            # The window begins 3 rows and 7 columns into its first LUH2 cell.
            cells = slice(max(25 * row - 3, 0), 25 * row + 22), slice(max(25 * col - 7, 0), 25 * col + 18)
            before, after = (np.array([(m[cells] == c).sum() for c in range(8)]) for m in (start, made))
            free = before[LAND].sum()
            base = before * np.isin(np.arange(8), LAND)
            wanted = luh2_targets(
                base[:, None], fraction[0, :, row, col, None], fraction[3, :, row, col, None],
                np.array([start[cells].size]),
            ).cells[:, 0]  # fmt: skip
            got = np.array([after[1], after[2], after[3], after[4:7].sum()])
            assert np.abs(got - wanted).max() < 1 + 1e-6 and got.sum() == free
    assert (made != start).sum() > 100 and ((made == start) | np.isin(start, LAND)).all(), "ocean and water stay"
    assert last.attrs["year"] == 2003 and last.attrs["direction"] == "forward"
    assert (maps[0] == first["land_use"]).all() and (first["earlier_land_use"][0] == maps[1].drop_vars("time")).all()


def test_fractions_of_a_state_are_areas_on_the_sphere_and_sum_to_1(emulator):
    state = rolled(emulator, (2001,))[-1]
    fraction = state["land_use_fraction"]
    total = fraction.sum("land_use_class").to_numpy()
    np.testing.assert_allclose(total, 1, atol=1e-6)
    cells, lat = state["land_use"].to_numpy()[22:47, 18:43], state["lat"].to_numpy()[22:47]
    band = np.sin(np.radians(lat + 0.005)) - np.sin(np.radians(lat - 0.005))
    for code in range(8):
        share = ((cells == code) * band[:, None]).sum() / ((cells != 255) * band[:, None]).sum()
        assert fraction[code, 1, 1] == pytest.approx(share, abs=1e-6)
    assert ((state["confidence"] > 0) == (state["land_use"] != 255)).all() and state["confidence"].max() <= 1


def test_tiles_change_nothing(emulator, folder):
    whole = rolled(emulator)
    parts = rolled(Emulator(emulator.about, emulator.sessions, core=1))
    for one, other in zip(whole, parts, strict=True):
        assert (one["land_use"] == other["land_use"]).all()
        np.testing.assert_allclose(one["confidence"], other["confidence"], atol=1e-6)
    short = json.loads(json.dumps(emulator.about))
    short["graphs"]["land_use-both"]["reach"] = 1
    off = rolled(Emulator(short, emulator.sessions, core=1), (2001,))[-1]
    assert np.abs(off["confidence"] - whole[1]["confidence"]).max() > 1e-6, "what is around a tile must have a say"


def test_windows_agree_where_they_overlap_but_for_what_lies_beyond_them(emulator):
    """The lattice of a network is counted from one corner of the world, not from the window's."""
    one, other = (
        rolled(emulator, (2001,), top=top, left=left, rows=147, cols=147)[-1] for top, left in ((3, 8), (28, 33))
    )
    # LUH2 cells 2 to 4 of the world: whole in both windows, and beyond the reach of their edges.
    inner = {"lat": one["lat"][47:122], "lon": one["lon"][42:117]}
    inside = [part.sel(inner, method="nearest")["confidence"].to_numpy() for part in (one, other)]
    np.testing.assert_allclose(*inside, atol=1e-6)


def test_every_cell_is_in_one_core_and_tiles_lie_on_the_lattice(emulator):
    maps, _, forcing = world()
    domain = find_domain(grid_of(maps), grid_of(forcing), emulator.about | {"coarse_cells": 25})
    seen = np.zeros(domain.grid.shape, int)
    for tile in tiles(domain, 2, REACH, 16):
        seen[tile.part.output] += 1
        for axis in (0, 1):
            around, core = tile.part.input[axis], tile.part.output[axis]
            assert (domain.corner[axis] + around.start) % 16 == (around.stop - around.start) % 16 == 0
            assert around.start <= max(core.start - REACH, 0)
            assert around.stop >= min(core.stop + REACH, domain.grid.shape[axis])
    assert (seen == 1).all() and domain.start == (3, 7) and domain.coarse.shape == (4, 5)


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_saved_and_restored_it_goes_on_to_the_same_bytes(emulator, tmp_path, suffix):
    _, _, forcing = world()
    *_, second, third = rolled(emulator)
    save_state(second, tmp_path / f"state{suffix}")
    save_state(second, tmp_path / f"state{suffix}")  # over an older one
    engine = {} if suffix == ".nc" else {"engine": "zarr", "consolidated": False}
    with xr.open_dataset(tmp_path / f"state{suffix}", **engine) as restored:
        again = emulator.step(restored, forcing, 2003).load()
    assert [p.name for p in tmp_path.iterdir()] == [f"state{suffix}"]
    for name in third.variables:
        assert (
            again[name].dtype == third[name].dtype
            and again[name].to_numpy().tobytes() == third[name].to_numpy().tobytes()
        )
    assert again.attrs == third.attrs


def test_backward_it_goes_the_other_way_and_never_turns(emulator):
    maps, static, forcing = world()
    state = emulator.start(maps.assign_coords(time=[2004, 2004]), static, forcing, 2004)
    assert state.attrs["direction"] == "either"
    state = emulator.step(state, forcing, 2003)
    assert state.attrs["direction"] == "backward" and (state["land_use"] != maps[0]).sum() > 20
    with pytest.raises(ValueError, match="goes backward; start another"):
        emulator.step(state, forcing, 2004)
    with pytest.raises(ValueError, match="goes forward; start another"):
        emulator.step(emulator.start(maps, static, forcing, 2000), forcing.assign_coords(time=range(1999, 2004)), 1999)


def test_luh2_is_taken_as_its_files_hold_it(emulator):
    """Undecoded "years since 850", fill values of 1e20, south to north."""
    maps, static, forcing = world()
    raw = forcing.fillna(np.float32(1e20)).isel(lat=slice(None, None, -1))
    raw = raw.assign_coords(time=("time", np.arange(1150.0, 1155.0), {"units": "years since 850-01-01 0:0:0"}))
    dates = forcing.assign_coords(time=np.array([f"{y}-01-01" for y in range(2000, 2005)], "datetime64[ns]"))
    plain = forcing.sel(time=2000)
    for given in (raw, dates, plain):
        xr.testing.assert_identical(
            emulator.start(maps, static, given, 2000), emulator.start(maps, static, forcing, 2000)
        )


def test_class_fractions_are_those_of_the_training():
    forcing = world()[2].transpose("time", "lat", "lon")
    states = np.stack([forcing[name].to_numpy()[2] for name in STATES])
    assert (class_fractions(states, STATES) == whole_cell_fractions(forcing)[2]).all()


def test_one_year_at_a_time_and_only_years_of_the_forcing(emulator):
    state = rolled(emulator, (2001,))[-1]
    for year in (2003, 1999, 2001):
        with pytest.raises(ValueError, match="a step is one year"):
            emulator.step(state, world()[2], year)
    with pytest.raises(ValueError, match="no year 2002, found 2003-2004"):
        emulator.step(state, world()[2].sel(time=[2003, 2004]), 2002)


def test_forcing_in_other_units_or_on_another_grid_is_refused(emulator):
    maps, static, forcing = world()
    state = emulator.start(maps, static, forcing, 2000)
    percent = forcing * 100
    over = forcing.assign(primf=forcing["primf"] + 0.4)
    lonely = forcing.drop_vars("urban")
    fine = forcing.interp(lat=np.arange(45.95, 44.1, -0.1), lon=np.arange(10.05, 12.2, 0.1))
    shifted = forcing.assign_coords(lon=forcing["lon"] + 0.1)
    east = forcing.isel(lon=slice(2, None))
    ocean = forcing.where(False)
    for bad, said in (
        (percent, r"sum to .*give fractions"), (over, r"sum to 1\.\d+; give fractions"),
        (lonely, r"no variables \['urban'\]"), (fine, "give it on its own grid"), (shifted, "off the lattice"),
        (east, "give forcing that covers it"), (ocean, "no land in the window"),
        (forcing.isel(lat=[0, 1, 4, 5]), "not evenly spaced"), (forcing.rename(lat="y"), "no coordinates"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=said) as error:
            emulator.step(state, bad, 2001)
        assert "\n" not in str(error.value)


def test_maps_statics_and_states_of_another_kind_are_refused(emulator):
    maps, static, forcing = world()
    state = emulator.start(maps, static, forcing, 2000)
    shifted = {"lon": maps["lon"] + 0.004}
    for arguments, said in (
        ((maps.astype(float), static, forcing), "expected uint8 codes"),
        ((maps + np.uint8(90), static, forcing), "not in legend land_use"),
        ((maps.assign_attrs(flag_meanings="ocean urban trees"), static, forcing), "classes are 'ocean urban trees'"),
        ((maps.assign_coords(shifted), static.assign_coords(shifted), forcing), "0.01 degree grid counted from"),
        ((maps, static.drop_vars("elevation"), forcing), r"no layers \['elevation'\]"),
        ((maps, static.isel(lat=slice(1, None)), forcing), "static: cells are"),
        ((maps.assign_coords(time=[1999, 1998]), static, forcing), "expected 2000"),
    ):
        with pytest.raises(ValueError, match=said):
            emulator.start(*arguments, 2000)
    for bad, said in (
        (state.assign_attrs(legend="land_cover"), "legend is 'land_cover'"),
        (state.assign_attrs(state_version=2), "state_version is 2"),
        (state.drop_vars("elevation"), r"no \['elevation'\]"),
        (state.assign(land_use=state["land_use"] + np.uint8(60)), "not in legend"),
    ):
        with pytest.raises(ValueError, match=said):
            emulator.step(bad, forcing, 2001)


def test_a_changed_missing_or_newer_bundle_is_refused(tmp_path):
    folder = small_bundle(tmp_path / "emulator")
    graph = folder / "land_use-both.onnx"
    kept = graph.read_bytes()
    graph.write_bytes(kept[:-1] + b"?")
    with pytest.raises(ValueError, match="SHA-256 is .* get the bundle again"):
        Emulator.load(folder)
    graph.unlink()
    with pytest.raises(ValueError, match="not there"):
        Emulator.load(folder)
    graph.write_bytes(kept)
    about = (folder / "model.json").read_text()
    (folder / "model.json").write_text(about.replace('"format_version": 1', '"format_version": 2'))
    with pytest.raises(ValueError, match="model.json: SHA-256"):
        Emulator.load(folder)
    with pytest.raises(ValueError, match="format_version is 2"):
        Emulator.load(seal(folder))
    (folder / "model.json").write_text(about.replace("land_use-both.onnx", "../elsewhere.onnx"))
    with pytest.raises(ValueError, match=r"elsewhere.onnx'\] are not in SHA256SUMS"):
        Emulator.load(seal(folder))
    with pytest.raises(ValueError, match="is this the folder of an emulator"):
        Emulator.load(tmp_path)


def test_inputs_of_any_graph_are_checked_by_name_type_and_unit(tmp_path, emulator):
    inputs = {one["name"]: np.zeros([1 if isinstance(n, str) else n for n in one["shape"]], one["dtype"])
              for one in emulator.about["graphs"]["land_use-both"]["inputs"]}  # fmt: skip
    for bad, said in (
        ({k: v for k, v in inputs.items() if k != "koppen"}, r"inputs \['koppen'\] are missing"),
        (inputs | {"years": np.zeros(1)}, "years is float64"),
        (inputs | {"prior": inputs["prior"][0]}, "prior is uint8 .* expected uint8"),
    ):
        with pytest.raises(ValueError, match=said):
            emulator.run("land_use-both", bad)
    with pytest.raises(ValueError, match="no graph 'leaf_area_index'"):
        emulator.run("leaf_area_index", {})
    about = json.loads(json.dumps(emulator.about))
    for one in about["graphs"]["land_use-both"]["inputs"]:
        one["name"] = one["name"].replace("static", "leaf_area_index")
    inputs["leaf_area_index"] = np.full_like(inputs.pop("static"), 60)  # 2 m2 m-2 in 1/30
    with pytest.raises(ValueError, match="leaf_area_index reaches 60; give m2 m-2"):
        Emulator(about, emulator.sessions).run("land_use-both", inputs)


def test_it_steps_in_an_environment_without_torch(folder, tmp_path):
    packages = tmp_path / "site"
    packages.mkdir()
    for path in Path(np.__file__).parent.parent.iterdir():
        if not path.name.startswith(("torch", "__editable__", "ai4land")):
            (packages / path.name).symlink_to(path)
    maps, static, forcing = world()
    for name, field in (("maps", maps.to_dataset(name="land_use")), ("static", static), ("forcing", forcing)):
        field.to_netcdf(tmp_path / f"{name}.nc")
    script = f"""
import sys
sys.path[:0] = [{str(packages)!r}, {str(ROOT)!r}]
import xarray as xr
from ai4land.export.emulator import Emulator
maps, static, forcing = (xr.load_dataset({str(tmp_path)!r} + "/" + n + ".nc") for n in ("maps", "static", "forcing"))
emulator = Emulator.load({str(folder)!r})
state = emulator.step(emulator.start(maps["land_use"], static, forcing, 2000), forcing, 2001)
state.to_netcdf({str(tmp_path / "made.nc")!r})
assert not {{"torch", "matplotlib"}} & set(sys.modules)
try:
    import torch
except ModuleNotFoundError:
    print("no torch")
"""
    done = subprocess.run([sys.executable, "-S", "-I", "-c", script], capture_output=True, text=True, timeout=120)
    assert done.stdout == "no torch\n", done.stderr[-2000:]
    with xr.open_dataset(tmp_path / "made.nc") as made:
        assert (made["land_use"] == rolled(Emulator.load(folder), (2001,))[-1]["land_use"]).all()
