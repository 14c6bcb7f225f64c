import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from tiny_run import tiny_land_use

from ai4land import cube
from ai4land.grid import GLOBAL, Grid
from ai4land.runs import Run

FILES = pd.DataFrame(
    [{"role": "land_use", "dataset": "d", "file": "f", "bytes": 1, "sha256": "0", "licence": "l", "doi": ""}]
)


@pytest.fixture
def tiny():
    run = tiny_land_use()
    land_use = xr.Dataset(coords=GLOBAL.cut(slice(5300, 5600), slice(20800, 21300)).coords())
    return run, cube.plan_layout(run, land_use)


def tree_bytes(path):
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def region_maps(layout, region, years, seed):
    grid = layout.region_grid(region)
    codes = np.random.default_rng(seed).integers(0, 8, (len(years), *grid.shape)).astype(np.uint8)
    return xr.DataArray(codes, {"time": np.array(years, np.int16), **grid.coords()}, ("time", "lat", "lon"), "land_use")


def test_regions_tile_the_chunks_of_both_groups(tiny):
    _, layout = tiny
    assert layout.chunk == (100, 100) and layout.grid.shape == (100, 200)
    assert layout.regions == {
        "tiny_west": (slice(0, 100), slice(0, 100)),
        "tiny_east": (slice(0, 100), slice(100, 200)),
    }
    assert layout.coarse_slices("tiny_east") == (slice(0, 4), slice(4, 8))


def test_two_regions_written_in_any_order_give_the_same_bytes_and_lose_nothing(tiny, tmp_path):
    run, layout = tiny
    maps = {r: region_maps(layout, r, run.map_years, i) for i, r in enumerate(run.regions)}
    for name, order in (("a", run.regions), ("b", run.regions[::-1])):
        path = tmp_path / name / "cube.zarr"
        path.parent.mkdir()
        cube.create_cube(path, run, layout, FILES, False)
        for region in order:
            coarse = cube.coarse_fractions(maps[region])
            cube.write_region(path, "fine", maps[region].to_dataset(), layout.regions[region])
            cube.write_region(path, "coarse", coarse, layout.coarse_slices(region))
    assert tree_bytes(tmp_path / "a") == tree_bytes(tmp_path / "b")
    stored = cube.open_cube(tmp_path / "a" / "cube.zarr", "fine")["land_use"]
    assert (stored.to_numpy() == np.concatenate([maps[r].to_numpy() for r in run.regions], axis=2)).all()
    assert stored.dtype == np.uint8
    area = cube.open_cube(tmp_path / "a" / "cube.zarr", "coarse")["data_area"]
    assert float(area[0].sum()) == pytest.approx(layout.grid.cell_area().sum() * 200, rel=1e-5)


def test_provenance_and_flags_are_in_the_store_and_no_time_or_host_is(tiny, tmp_path):
    run, layout = tiny
    cube.create_cube(tmp_path / "cube.zarr", run, layout, FILES, False)
    about = json.loads((tmp_path / "cube.zarr" / "zarr.json").read_text())["attributes"]
    assert about["format_version"] == 2 and about["synthetic"] == 1 and about["license"] == FILES["licence"][0]
    assert json.loads(about["inputs"])[0]["sha256"] == "0" and Run(**json.loads(about["run_parameters"])) == run
    fine = cube.open_cube(tmp_path / "cube.zarr", "fine")
    assert fine["land_use"].attrs["flag_meanings"].split()[4] == "forest"
    assert fine["elevation"].attrs["units"] == "m" and fine.sizes["time"] == 20
    assert fine["lat"].attrs["standard_name"] == "latitude"


@pytest.mark.parametrize(
    ("version", "words"), [(3, "reads up to 2; update it"), (1, "reads 2; run 01-download and 02-regrid again")]
)
def test_a_newer_format_and_an_older_one_are_refused(tiny, tmp_path, version, words):
    run, layout = tiny
    path = tmp_path / "cube.zarr"
    cube.create_cube(path, run, layout, FILES, False)
    text = (path / "zarr.json").read_text()
    (path / "zarr.json").write_text(text.replace('"format_version": 2', f'"format_version": {version}'))
    with pytest.raises(ValueError, match=f"format_version {version}, this software {words}"):
        cube.open_cube(path, "fine")


def test_a_missing_cube_says_what_to_run(tmp_path):
    with pytest.raises(FileNotFoundError, match="run 01-download"):
        cube.open_cube(tmp_path / "none.zarr", "fine")


def test_regions_that_would_share_a_chunk_are_refused(tiny, monkeypatch):
    run, _ = tiny
    bounds = {"tiny_west": (29.0, 35.0, 30.2, 36.0), "tiny_east": (30.2, 35.0, 31.0, 36.0)}
    monkeypatch.setattr(cube.layout, "region_bounds", bounds.__getitem__)
    with pytest.raises(ValueError, match="two regions would write one chunk and lose data"):
        cube.plan_layout(run, xr.Dataset(coords=GLOBAL.cut(slice(5300, 5600), slice(20800, 21300)).coords()))


@pytest.fixture
def three(tiny, monkeypatch):
    """The run with a region of 50 columns, one of 150 and one of 100, and the land use of its cells."""
    bounds = {"small": (29.0, 35.0, 29.5, 36.0), "tiny_west": (29.5, 35.0, 31.0, 36.0), "end": (31.0, 35.0, 32.0, 36.0)}
    monkeypatch.setattr(cube.layout, "region_bounds", bounds.__getitem__)
    run = tiny[0].model_copy(update={"regions": tuple(bounds), "window": (29.0, 35.0, 32.0, 36.0)})
    return run, xr.Dataset(coords=GLOBAL.cut(slice(5300, 5600), slice(20800, 21300)).coords())


def test_a_layout_of_some_regions_is_the_rectangle_around_them(three):
    whole, some = cube.plan_layout(*three), cube.plan_layout(*three, ("small", "tiny_west"))
    assert some.regions == {"small": (slice(0, 100), slice(0, 50)), "tiny_west": (slice(0, 100), slice(50, 200))}
    assert some.grid.same_as(whole.grid.cut(slice(0, 100), slice(0, 200))) and some.unit == (100, 50) == whole.unit
    east = cube.plan_layout(*three, ("end",))
    assert east.regions == {"end": (slice(0, 100), slice(0, 100))} and east.unit == (100, 100)
    assert east.region_grid("end").same_as(whole.region_grid("end"))


def test_some_regions_that_would_share_a_chunk_of_their_own_are_refused(three):
    with pytest.raises(
        ValueError, match=r"\['tiny_west', 'end'\], end does not begin at a chunk of \(100, 100\) cells"
    ):
        cube.plan_layout(*three, ("tiny_west", "end"))


def test_a_year_without_a_map_is_refused_before_the_cube_is_made(tiny):
    run, _ = tiny
    grid = GLOBAL.cut(slice(5300, 5600), slice(20800, 21300))
    short = xr.Dataset(coords={"time": np.arange(1985, 2000, dtype=np.int16), **grid.coords()})
    with pytest.raises(ValueError, match=r"no land-use map of \[2000, 2001.*the data have 1985-1999; change years"):
        cube.plan_layout(run, short)


def test_a_window_outside_the_data_is_refused(tiny):
    run, _ = tiny
    with pytest.raises(ValueError, match="run tiny: window .* reaches beyond the data"):
        cube.plan_layout(run, xr.Dataset(coords=Grid(50, 0, 0.01, 0.01, 200, 200).coords()))


def test_a_killed_writers_leftovers_go_and_a_neighbours_running_write_stays(tiny, tmp_path):
    run, layout = tiny
    path = tmp_path / "cube.zarr"
    cube.create_cube(path, run, layout, FILES, False)
    chunks = path / "fine" / "land_use" / "c" / "0" / "0"
    chunks.mkdir(parents=True)
    for name in ("0.dead.partial", "1.alive.partial"):  # west, east
        (chunks / name).write_bytes(b"half")
    maps = region_maps(layout, "tiny_west", run.map_years, 0)
    cube.write_region(path, "fine", maps.to_dataset(), layout.regions["tiny_west"])
    assert [p.name for p in path.rglob("*.partial")] == ["1.alive.partial"]


def test_years_out_of_order_are_not_written(tiny, tmp_path):
    run, layout = tiny
    cube.create_cube(tmp_path / "cube.zarr", run, layout, FILES, False)
    maps = region_maps(layout, "tiny_west", [1990, 1992], 0)
    with pytest.raises(ValueError, match="not consecutive"):
        cube.write_region(tmp_path / "cube.zarr", "fine", maps.to_dataset(), layout.regions["tiny_west"])


def test_coarse_elevation_keeps_its_own_grid():
    fine = Grid(36, 23, 0.01, 0.01, 100, 100)
    coarse = xr.DataArray(np.zeros((6, 6)), Grid(37, 22, 1 / 3, 1 / 3, 6, 6).coords(), ("lat", "lon"))
    near = xr.DataArray(np.zeros((60, 60)), Grid(37, 22, 1 / 60, 1 / 60, 60, 60).coords(), ("lat", "lon"))
    assert cube.relief_is_coarse(coarse, fine) and not cube.relief_is_coarse(near, fine)
