"""A region's cube is built shard by shard: same bytes in one go, after a kill, and by several workers."""

import numpy as np
import pytest
import zarr
from tiny_run import tiny_land_use

from ai4land import cube
from ai4land.cube import blocks, build
from ai4land.cube import layout as layout_room
from ai4land.grid import GLOBAL
from ai4land.runs import read_run
from ai4land.sources import find_inputs, inventory, open_input
from twin_earth import write_twin


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Raw files of two years of the tiny run, with every input that the twin Earth makes."""
    raw = tmp_path_factory.mktemp("raw")
    run = tiny_land_use()
    every = run.inputs.model_copy(
        update=read_run("global-twin").inputs.model_dump() | {"scenarios": {}, "koppen_future": None}
    )
    run = run.model_copy(update={"years": (2003, 2004), "inputs": every})
    write_twin(raw, run)
    return raw, run, inventory(run, raw)


@pytest.fixture
def empty(world, tmp_path, monkeypatch):
    """An empty cube whose shards are 50 x 50 cells of chunks of 25 x 25: four shards a region."""
    monkeypatch.setattr(layout_room, "SHARD_CELLS", 50)
    monkeypatch.setattr(layout_room, "CHUNK_CELLS", 25)
    raw, run, files = world
    # A shard opens every file: the 72 of leaf area index are left to the last tests.
    run = run.model_copy(update={"inputs": run.inputs.model_copy(update={"leaf_area_index": None})})

    def make(name):
        inputs = find_inputs(run, raw)
        plan = cube.plan_layout(run, open_input(inputs["land_use"]))
        store = tmp_path / name / "cube.zarr"
        store.parent.mkdir()
        cube.create_cube(store, run, plan, files, False, cube.time_steps(inputs))
        return store, run, raw, plan

    return make


def tree_bytes(path):
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def test_shards_tile_a_region_and_hold_whole_chunks_and_coarse_cells(empty):
    store, _, _, plan = empty("a")
    assert plan.shard == plan.unit == (50, 50) and plan.chunk == (25, 25)
    assert plan.blocks("tiny_east") == [
        (slice(r, r + 50), slice(c, c + 50)) for r in (0, 50) for c in (100, 150)
    ]  # fmt: skip
    land_use, fraction = (zarr.open_array(store / name) for name in ("fine/land_use", "coarse/land_use_fraction"))
    assert (land_use.chunks, land_use.shards) == ((1, 25, 25), (1, 50, 50))
    assert (fraction.chunks, fraction.shards) == ((1, 8, 1, 1), (1, 8, 2, 2))


def test_a_killed_build_goes_on_at_the_shard_it_was_at_and_ends_in_the_same_bytes(empty, monkeypatch):
    whole, run, raw, plan = empty("whole")
    for region in run.regions:
        cube.build_region(whole, run, raw, plan, region)
    store = empty("killed")[0]
    made = []

    def dies_at_the_third(raw, store, run, cells, window):
        made.append(window)
        if len(made) == 3:
            raise KeyboardInterrupt
        build_block(raw, store, run, cells, window)

    build_block = build.regrid_block
    monkeypatch.setattr(build, "regrid_block", dies_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        cube.build_region(store, run, raw, plan, "tiny_west")
    cube.build_region(store, run, raw, plan, "tiny_west")
    assert made[3:] == plan.blocks("tiny_west")[2:]  # two shards were done
    cube.build_region(store, run, raw, plan, "tiny_east")
    assert tree_bytes(store) == tree_bytes(whole)
    assert not any(store.with_name("shards-done").rglob("*-*"))


def test_the_states_of_luh2_are_in_one_shard_for_ten_years_and_as_they_were(empty):
    store, run, raw, plan = empty("a")
    states = cube.luh2_groups(run, find_inputs(run, raw))["luh2"]
    cube.write_luh2(store, plan, "luh2", states)
    stored = zarr.open_array(store / "luh2" / "luh2_state")
    assert stored.chunks == (10, 14, 1, 1) and stored.shards == (10, 14, 4, 8)
    there = cube.open_cube(store, "luh2")["luh2_state"].sel(state="pastr", time=2003)
    np.testing.assert_array_equal(there, states["pastr"].sel(time=2003, lat=there["lat"], lon=there["lon"]))


def test_shards_of_other_software_or_tables_are_made_again(empty, monkeypatch):
    store, run, raw, plan = empty("a")
    made = []
    monkeypatch.setattr(build, "regrid_block", lambda *args: made.append(args[-1]))
    folder = store.with_name("shards-done") / "tiny_west"
    folder.mkdir(parents=True)
    rows, cols = plan.blocks("tiny_west")[0]
    (folder / f"other-{rows.start}-{cols.start}").touch()
    (folder / f"{build._state()}-{rows.start}-{cols.stop}").touch()
    cube.build_region(store, run, raw, plan, "tiny_west")
    assert made == [b for b in plan.blocks("tiny_west") if (b[0].start, b[1].start) != (rows.start, cols.stop)]


def test_several_workers_write_the_same_bytes_as_one(empty):
    one, run, raw, plan = empty("one")
    two = empty("two")[0]
    cube.build_region(one, run, raw, plan, "tiny_west")
    cube.build_region(two, run, raw, plan, "tiny_west", workers=2)
    assert tree_bytes(one) == tree_bytes(two)


def test_every_input_of_a_run_has_its_place_in_the_cube(world, tmp_path):
    raw, run, files = world
    inputs = find_inputs(run, raw)
    plan = cube.plan_layout(run, open_input(inputs["land_use"]))
    store = tmp_path / "cube.zarr"
    cube.create_cube(store, run, plan, files, False, cube.time_steps(inputs))
    for group, states in cube.luh2_groups(run, inputs).items():
        cube.write_luh2(store, plan, group, states)
    for group, series in cube.open_series(run, inputs).items():
        cube.write_series(store, plan, group, series)
    for region in run.regions:
        cube.build_region(store, run, raw, plan, region)
    groups = {p.name: cube.open_cube(store, p.name) for p in store.iterdir() if p.is_dir()}
    assert set(groups) == {
        "fine", "coarse", "koppen", "land_cover", "lai", "luh2", "climate", "climate_land",
        "population", "co2",
    }  # fmt: skip
    assert groups["koppen"]["period"].to_numpy().tolist() == [
        "1901_1930", "1931_1960", "1961_1990", "1991_2020",
    ]  # fmt: skip
    assert groups["luh2"].sizes["time"] == 166 and groups["luh2"]["luh2_state"].notnull().any()
    months = np.arange("2003-01", "2005-01", dtype="datetime64[M]").astype("datetime64[ns]")
    for name in ("lai", "climate", "climate_land"):
        np.testing.assert_array_equal(groups[name]["time"].to_numpy().astype("datetime64[ns]"), months)
    # Every cell of the window has a class, and land cover sees land where land use does.
    land_cover, land_use = groups["land_cover"]["land_cover"], groups["fine"]["land_use"]
    assert land_cover.dtype == np.uint8 and (land_cover > 0).all()
    wet = (land_cover.sel(time=2004) == 210).to_numpy()
    assert (wet == land_use.sel(time=2004).isin([0, 7]).to_numpy()).mean() > 0.97
    leaves = groups["lai"]["leaf_area_index"]
    stored = zarr.open_array(store / "lai" / "leaf_area_index")
    assert stored.dtype == np.int16 and stored.attrs["scale_factor"] == 0.01 and stored.attrs["_FillValue"] == -1
    assert stored.attrs["valid_range"] == [0, 1000] and leaves.dtype == np.float32
    np.testing.assert_allclose(leaves[0, :3, :3], np.where(stored[0, :3, :3] < 0, np.nan, stored[0, :3, :3] / 100))
    green = leaves.where(land_use.sel(time=2004).isin([4]).to_numpy()).mean(("lat", "lon"))
    assert float(leaves.max()) < 7.1 and float(green[18]) > float(green[12])  # July and January 2004, 35 N


def test_land_cover_of_a_cell_is_the_class_of_the_largest_area_in_the_files(world, empty):
    """One cell by hand: 3.6 x 3.6 cells of 300 m."""
    store, run, raw, plan = empty("a")
    inputs = find_inputs(run, raw)
    cube.build_region(store, run, raw, plan, "tiny_west")
    lat, lon = 35.505, 29.505
    cover = open_input([f for f in inputs["land_cover"] if f.year == 2003])["land_cover"].isel(time=0)
    shares = {}
    for i, y in enumerate(cover["lat"].to_numpy()):
        for j, x in enumerate(cover["lon"].to_numpy()):
            high = min(y + 1 / 720, lat + 0.005) - max(y - 1 / 720, lat - 0.005)
            wide = min(x + 1 / 720, lon + 0.005) - max(x - 1 / 720, lon - 0.005)
            if high > 1e-9 and wide > 1e-9:
                code = int(cover[i, j])
                shares[code] = shares.get(code, 0) + high * wide
    found = cube.open_cube(store, "land_cover")["land_cover"].sel(lat=lat, lon=lon, method="nearest")
    assert int(found.sel(time=2003)) == max(shares, key=shares.get)


def test_where_a_product_ends_its_layer_is_missing_and_the_shard_is_made_all_the_same(world, empty, monkeypatch):
    store, run, raw, plan = empty("a")
    monkeypatch.setattr(blocks, "_ANTARCTICA", 90.0)  # as if nobody mapped the soil here
    cube.build_region(store, run, raw, plan, "tiny_west")
    assert cube.open_cube(store, "fine")["sand_fraction"].isnull().all()
    here, south = plan.grid, GLOBAL.cut(slice(17000, 17050), slice(0, 50))
    assert here.meets(here) and not here.meets(south)
    assert not here.meets(here.cut(slice(0, 10), slice(here.cols, here.cols + 10)))  # an edge is no overlap
