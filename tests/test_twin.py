import hashlib
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import xarray as xr
from conftest import make_cube
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_run import tiny_land_use

from ai4land.grid import COARSE_CELLS, Grid
from ai4land.legend import class_codes, read_legend
from ai4land.predict import with_planet_maps
from ai4land.runs import read_run
from ai4land.sources import find_files, find_inputs, open_input
from twin_earth import Land, write_planet_maps, write_twin
from twin_earth.earth import Ground, elevation, koppen
from twin_earth.files import V1_CELL, hilda_codes
from twin_earth.inventories import Inventory
from twin_earth.land_use import SCENARIOS, Demand
from twin_earth.noise import gradient_noise, value_noise
from twin_earth.still_layers import texture

LARGE = Grid(36.0, 29.0, 0.01, 0.01, 100, 200)
WINDOW = Grid(36.0, 29.0, 0.01, 0.01, 50, 50)
CODES = class_codes(read_legend("land_use"))
LAND = range(1, 7)
STATES = ["primf", "primn", "secdf", "secdn", "urban", "c3ann", "c4ann", "c3per", "c4per", "c3nfx", "pastr", "range"]
SCENARIO_STATES = {"ssp126": "luh2_v2f_ssp126_states", "ssp370": "luh2_v2f_ssp370_states"}

cuts = st.tuples(st.integers(0, 2), st.integers(0, 5), st.integers(1, 2), st.integers(1, 3))
years = st.integers(1850, 2100)
scenarios = st.sampled_from(sorted(SCENARIOS))


def land_use(grid, year, seed, scenario=""):
    return Land(grid, seed, scenario).land_use(year)


def cells(cut, size=COARSE_CELLS):
    top, left, rows, cols = cut
    return slice(size * top, size * min(top + rows, 4)), slice(size * left, size * min(left + cols, 8))


@settings(max_examples=20, deadline=None)
@given(cuts, years, scenarios)
def test_a_window_made_alone_equals_the_same_cut_of_a_larger_one(cut, year, scenario):
    alone = land_use(LARGE.cut(*cells(cut)), year, 1, scenario)
    assert (alone == land_use(LARGE, year, 1, scenario)[cells(cut)]).all()


@settings(max_examples=10, deadline=None)
@given(cuts, st.lists(years, min_size=2, max_size=4))
def test_a_year_made_alone_equals_the_same_year_of_a_walk(cut, walk):
    land = Land(LARGE.cut(*cells(cut)), 1)
    for year in walk:
        assert (land.land_use(year) == land_use(LARGE.cut(*cells(cut)), year, 1)).all()


@settings(max_examples=10, deadline=None)
@given(cuts)
def test_relief_zones_and_soil_of_a_window_made_alone_agree(cut):
    alone = LARGE.cut(*cells(cut))
    for made in (elevation, koppen, texture):
        np.testing.assert_array_equal(made(alone.lat, alone.lon, 1), made(LARGE.lat, LARGE.lon, 1)[..., *cells(cut)])


@settings(max_examples=5, deadline=None)
@given(cuts, years, scenarios)
def test_luh2_of_a_window_made_alone_agrees(cut, year, scenario):
    alone = Inventory(LARGE.cut(*cells(cut)), 1, scenario).states(np.array([year]))
    whole = Inventory(LARGE, 1, scenario).states(np.arange(year - 1, year + 2))
    for name, field in alone.items():
        np.testing.assert_allclose(field[0], whole[name][1][cells(cut, 1)], rtol=1e-5, atol=1e-6, err_msg=name)


def test_soil_point_by_point_is_soil_on_a_grid_and_its_parts_sum_to_1000():
    lat, lon = np.meshgrid(LARGE.lat[:9], LARGE.lon[:7], indexing="ij")
    on_grid = texture(LARGE.lat[:9], LARGE.lon[:7], 1, 0.3)
    np.testing.assert_array_equal(texture(lat, lon, 1, 0.3), on_grid)
    assert (on_grid.sum(0) == 1000).all() and (on_grid >= 0).all()


@pytest.mark.parametrize("scenario", ["", "ssp126", "ssp370"])
@pytest.mark.parametrize("year", [1850, 1990, 2080])
def test_areas_follow_demand_within_rounding(year, scenario):
    made = land_use(LARGE, year, 1, scenario).reshape(4, 25, 8, 25)
    count = np.stack([(made == c).sum((1, 3)) for c in LAND])
    land = count.sum(0)
    # Five counts are rounded to a cell each; the sixth class, other land, takes what they leave.
    wanted = Demand(Ground(LARGE, 1), scenario)
    off = np.abs(count - wanted.shares(wanted.managed(year)) * land)
    assert off[:4].max() <= 0.5 + 1e-6 and off[4].max() <= 3 and off[5].max() <= 2.5 + 1e-6


def test_scenarios_agree_up_to_2015_and_part_afterwards():
    for year in (1950, 2015):
        assert (land_use(LARGE, year, 1, "ssp126") == land_use(LARGE, year, 1, "ssp370")).all()
    green, busy = (land_use(LARGE, 2100, 1, s) for s in ("ssp126", "ssp370"))
    assert (green == 4).sum() > (busy == 4).sum() and (green == 2).sum() < (busy == 2).sum()
    with pytest.raises(ValueError, match="ssp999"):
        land_use(LARGE, 2000, 1, "ssp999")


def test_it_holds_all_classes_and_changes_like_land():
    land = Land(LARGE, 1)
    maps = {year: land.land_use(year) for year in range(1990, 2002)}
    first = maps[1990]
    assert set(np.unique(first)) == set(CODES)
    assert ((first == 7) == (maps[2001] == 7)).all() and ((first == 0) == (maps[2001] == 0)).all()
    dry = np.isin(first, LAND)
    yearly = [(maps[y] != maps[y + 1])[dry].mean() for y in range(1990, 2001)]
    assert min(yearly) > 0.002 and max(yearly) < 0.03
    changed = {y: (maps[y] != maps[y + 1]) & dry for y in range(1990, 1996)}
    undone = [c & np.any([maps[y + k] == maps[y] for k in range(2, 7)], 0) for y, c in changed.items()]
    assert 0.2 < np.sum(undone) / np.sum(list(changed.values())) < 0.6  # 0.39 on Crete


@pytest.mark.parametrize("noise", [value_noise, gradient_noise])
def test_noise_closes_at_the_date_line_and_depends_on_the_seed(noise):
    y = np.arange(5.0)
    west, east = noise(y, np.array([0.0]), 60.0, 1), noise(y, np.array([36000.0]), 60.0, 1)
    np.testing.assert_allclose(west, east, atol=1e-9)
    assert not np.allclose(west, noise(y, np.array([0.0]), 60.0, 2))


def test_windows_off_the_coarse_lattice_are_refused():
    with pytest.raises(ValueError, match=r"0\.25 degree lattice"):
        land_use(Grid(36.1, 29.0, 0.01, 0.01, 100, 200), 2000, 1)


def small_run(**inputs):
    run = tiny_land_use()
    named = {"land_use": "hilda_plus_v2", "elevation": "gebco_2024", "koppen": "koppen_beck_2023", **inputs}
    named = {
        role: named.get(role, {} if role.endswith("scenarios") else None) for role in type(run.inputs).model_fields
    }
    update = {"years": (1990, 1991), "window": (29.0, 35.5, 29.5, 36.0)}
    return run.model_copy(update={**update, "inputs": run.inputs.model_copy(update=named)})


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    run = small_run(luh2="luh2_v2h_states", luh2_static="luh2_static", scenarios=SCENARIO_STATES, soil="soilgrids",
                    koppen_future="koppen_beck_2023_future")  # fmt: skip
    raw = tmp_path_factory.mktemp("twin")
    write_twin(raw, run)
    return run, raw


def digests(raw):
    return {p.relative_to(raw): hashlib.sha256(p.read_bytes()).hexdigest() for p in raw.rglob("*") if p.is_file()}


def test_every_input_is_found_and_read_like_a_real_one(everything):
    run, raw = everything
    found = find_inputs(run, raw)
    assert {role: len(files) for role, files in found.items()} == {
        "land_use": 2, "elevation": 1, "koppen": 1, "luh2_static": 1, "luh2": 1, "soil": 9, "koppen_future": 4,
        "ssp126": 1, "ssp370": 1,
    }  # fmt: skip
    cover = open_input(found["land_use"])
    assert (cover.sel(time=1991).to_numpy() == hilda_codes(land_use(WINDOW, 1991, run.seed))).all()
    relief = open_input(found["elevation"])
    assert float(relief.max()) > 0 and relief.lat[0] > relief.lat[-1]
    soil = open_input(found["soil"])
    total = sum(soil[f"{name}_fraction"] for name in ("sand", "silt", "clay")).to_numpy()
    np.testing.assert_allclose(total[np.isfinite(total)], 1, atol=1e-5)
    present, warm = (rasterio.open(raw / p / "koppen_geiger_0p00833333.tif").read(1) for p in
                     ("1991_2020", "2071_2099/ssp370"))  # fmt: skip
    assert ((present == 0) == (warm == 0)).all() and (present != warm).any()


def test_files_written_twice_are_equal_and_those_that_exist_are_kept(everything, tmp_path):
    write_twin(tmp_path, everything[0])
    assert digests(tmp_path) == digests(everything[1])
    path = next(tmp_path.glob("*states_1990*"))
    path.write_bytes(b"mine")
    write_twin(tmp_path, everything[0])
    assert path.read_bytes() == b"mine"


def test_only_inputs_of_the_run_are_written(tmp_path):
    write_twin(tmp_path, small_run())
    assert len(digests(tmp_path)) == 5  # two maps, relief, climate zones, and the mark that all are made up


def test_made_up_files_are_never_put_among_others(tmp_path):
    (tmp_path / "real.nc").touch()
    with pytest.raises(ValueError, match="files that the twin Earth did not make"):
        write_twin(tmp_path, small_run())


def test_luh2_has_the_traps_of_the_publisher(everything):
    _, raw = everything
    path = find_files("luh2_v2h_states", raw)[0].path
    with pytest.raises(ValueError, match="[Uu]nable to decode time"):
        xr.open_dataset(path, decode_times=True)
    data = xr.open_dataset(path, decode_times=False, mask_and_scale=False)
    assert data["time"].attrs["units"] == "years since 850-01-01 0:0:0" and data["time"].attrs["calendar"] == "noleap"
    assert data["time"].to_numpy().tolist() == list(range(1000, 1166))
    assert data["lat"][0] > data["lat"][-1] and {"lat_bounds", "lon_bounds", "time_bnds"} <= set(data)
    for name in [*STATES, "secma", "secmb"]:
        field = data[name]
        assert field.dtype == np.float32 and field.attrs["_Fillvalue"] == field.attrs["missing_value"] == np.float32(
            1e20
        )
        assert "_FillValue" not in field.attrs and (field.to_numpy() <= 1e20).all()


def test_luh2_states_sum_to_what_is_neither_ice_nor_water(everything):
    _, raw = everything
    static = xr.open_dataset(find_files("luh2_static", raw)[0].path, mask_and_scale=False)
    expected = 1 - static["icwtr"].to_numpy()
    for dataset in ("luh2_v2h_states", *SCENARIO_STATES.values()):
        states = xr.open_dataset(find_files(dataset, raw)[0].path, decode_times=False)
        total = states[STATES].to_dataarray().sum("variable", skipna=False).to_numpy()
        np.testing.assert_allclose(total, np.broadcast_to(expected, total.shape), atol=1e-5)


def test_luh2_is_fill_at_sea_and_counts_the_whole_cell_at_the_coast():
    coast = Grid(38.5, 20.0, 0.01, 0.01, 100, 200)
    inventory = Inventory(coast, 1)
    states = inventory.states(np.array([2000]))
    total = sum(states[name][0].astype(float) for name in STATES)
    assert inventory.ocean.any() and (states["secma"][0][inventory.ocean] == np.float32(1e20)).all()
    made = np.isin(land_use(coast, 2000, 1), LAND).reshape(4, 25, 8, 25).mean((1, 3))
    wet = (made > 0.05) & (made < 0.95)
    assert wet.any()
    np.testing.assert_allclose(total[wet], made[wet], atol=0.002)  # cells shrink to the north by 0.3 % at most


def test_history_and_scenarios_of_luh2_meet_in_2015(everything):
    _, raw = everything
    history = open_input(find_files("luh2_v2h_states", raw)).sel(time=2015)
    futures = [open_input(find_files(name, raw)) for name in SCENARIO_STATES.values()]
    for future in futures:
        xr.testing.assert_equal(history, future.sel(time=2015))
    assert not futures[0].sel(time=2100).equals(futures[1].sel(time=2100))


def test_hilda_plus_netcdf_holds_the_maps_of_the_geotiff_series(tmp_path):
    write_twin(tmp_path, small_run(land_use="hilda_plus_v2_netcdf"))
    cover = open_input(find_files("hilda_plus_v2_netcdf", tmp_path))
    assert cover["time"].to_numpy().tolist() == [1990, 1991]
    assert (cover.sel(time=1990).to_numpy() == hilda_codes(land_use(WINDOW, 1990, 1))).all()


def test_hilda_plus_v1_has_its_own_cells_and_one_code_for_forest(tmp_path):
    write_twin(tmp_path, small_run(land_use="hilda_plus_v1"))
    cover = open_input(find_files("hilda_plus_v1", tmp_path)).sel(time=1990)
    assert float(cover.lon[1] - cover.lon[0]) == pytest.approx(V1_CELL)
    assert cover.lon[0] < 29 and cover.lon[-1] > 29.5 and cover.lat[0] > 36 and cover.lat[-1] < 35.5
    truth = hilda_codes(land_use(WINDOW, 1990, 1), "1.0")
    assert 40 not in cover.to_numpy() and 44 in cover.to_numpy()
    near = cover.sel(lat=35.8, lon=29.3, method="nearest")  # its class is that of the cell its centre lies in
    at = int((36 - float(near.lat)) * 100), int((float(near.lon) - 29) * 100)
    assert int(near) == truth[at]


def planet_run():
    """Two products without maps to judge them by: to 1924 from 1985, and to 2074 from 2004 along ssp126."""
    return read_run("tiny").model_copy(update={"window": (29.0, 35.5, 30.0, 36.0)})


def region_of(grid):
    """A region of two maps, 1990 and 1991."""
    return replace(make_cube(dict.fromkeys((1990, 1991), np.zeros(grid.shape, np.uint8))), grid=grid)


def test_a_product_is_judged_by_maps_as_the_planet_makes_them_alone(tmp_path):
    run, east = planet_run(), Grid(35.75, 29.5, 0.01, 0.01, 25, 50)
    write_planet_maps(tmp_path, run, [1, 10, 40])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["planet-to_1924.nc", "planet-to_2074_ssp126.nc"]
    for name, years in {"to_1924": [1984, 1975, 1945], "to_2074_ssp126": [2005, 2014, 2044]}.items():
        experiment = run.experiments[name]
        cube, judged = with_planet_maps(region_of(east), experiment, tmp_path / f"planet-{name}.nc")
        assert judged.targets == years and cube.years("land_use") == [1990, 1991, *years]
        for year in years:
            found, expected = cube.field("land_use", year), land_use(east, year, run.seed, experiment.scenario or "")
            assert found.dtype == np.uint8 and (found == expected).all()


def test_a_product_shorter_than_every_lead_is_judged_in_its_last_year(tmp_path):
    run = planet_run()
    write_planet_maps(tmp_path, run, [80])
    experiment = with_planet_maps(region_of(WINDOW), run.experiments["to_1924"], tmp_path / "planet-to_1924.nc")[1]
    assert experiment.targets == [1924] and experiment.leads == (61,)


def test_maps_of_the_planet_that_are_not_there_or_elsewhere_are_one_clear_line(tmp_path):
    experiment = planet_run().experiments["to_1924"]
    with pytest.raises(FileNotFoundError, match=r"planet-to_1924\.nc: no such file.* run 01-download again"):
        with_planet_maps(region_of(WINDOW), experiment, tmp_path / "planet-to_1924.nc")
    write_planet_maps(tmp_path, planet_run(), [1])
    with pytest.raises(ValueError, match=r"planet-to_1924\.nc.*east"):
        with_planet_maps(region_of(Grid(36.0, 30.0, 0.01, 0.01, 50, 50)), experiment, tmp_path / "planet-to_1924.nc")


def test_it_is_not_made_for_real_runs_nor_for_unknown_inputs(tmp_path):
    with pytest.raises(ValueError, match="synthetic: true"):
        write_twin(tmp_path, read_run("crete"))
    with pytest.raises(ValueError, match="gebco_2025"):
        write_twin(tmp_path, small_run(elevation="gebco_2025"))
