"""Land cover, leaf area and climate of a region are read as they were written; what cannot be used is refused."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from conftest import write_geotiff
from tiny_run import tiny_land_use

from ai4land import cube
from ai4land.cube import blocks
from ai4land.grid import Grid
from ai4land.runs import read_run
from ai4land.samples import VEGETATION, Given, annual_fields, monthly_fields, read_region, region_store
from ai4land.samples.region_store import annual_co2
from ai4land.sources import find_files
from ai4land.sources.climate import read_climate_variables
from ai4land.sources.inputs import check_cover_versions, needs, wanted_years
from ai4land.sources.luh2 import STATES
from ai4land.targets import read_target
from ai4land.vegetation import Vegetation
from twin_earth.leaf_area import dekads, write_leaf_area

GRID = Grid(36.0, 29.0, 0.01, 0.01, 100, 200)  # tiny_west and tiny_east, 100 x 100 cells each
WHOLE = slice(0, 100), slice(0, 200)
MAPS, COVERS = [2000, 2001, 2002, 2003], [2000, 2001, 2003]
MONTHS = np.concatenate([np.arange(f"{y}-01", f"{y + 1}-01", dtype="datetime64[M]") for y in COVERS])
NAMES = list(read_climate_variables().index)
INPUTS = {
    "land_cover": "esa_cci_land_cover", "leaf_area_index": "lai_cgls_1km", "climate": "era5_monthly",
    "climate_history": "isimip3b_historical", "climate_scenarios": {"ssp126": "isimip3b_ssp126"},
    "co2": "co2_cmip6_history", "co2_scenarios": {"ssp126": "co2_cmip6_ssp126"},
}  # fmt: skip
COLUMNS = ["role", "dataset", "file", "bytes", "sha256", "licence", "doi"]


def settings(inputs=INPUTS, **changes):
    back = {"start": 2001, "train": (2003, 2003), "validation": (2001, 2001), "test": (2000, 2000)}
    on = {"start": 2001, "train": (2000, 2000), "validation": (2001, 2001), "test": (2003, 2003)}
    about = {"reference": 2000, "every": 4, "scenario": "ssp126", "land_cover": {"back": back}, "leaf_area": {"on": on}}
    run = tiny_land_use()
    named = run.inputs.model_copy(update={"soil": None, **inputs})
    return run.model_copy(
        update={"years": (2000, 2003), "inputs": named, "vegetation": Vegetation(**{**about, **changes})}
    )


def numbered(name, years, dtype, value):
    """A field that says where it is: ``value`` of year, row and column."""
    year, row, col = np.ix_(years, range(100), range(200))
    values = np.broadcast_to(value(year, row, col), (len(years), 100, 200)).astype(dtype)
    return xr.Dataset({name: (("time", "lat", "lon"), values)}, {"time": np.array(years, np.int16), **GRID.coords()})


def read(path, run, region, scenario=None, halo=0):
    return read_region(path, run, region, scenario, halo, fields=VEGETATION)


def use_of(year, row, col):
    return (year + row // 7 + col // 5) % 8


def cover_of(year, row, col):
    return np.array([10, 60, 61, 130, 210])[(year + row + col) % 5]


def leaves_of(month, row, col):
    """m2 m-2 in steps of 0.01, by number of the month in the store."""
    return month / 10 + (row % 20) / 100 + 0 * col


def climate(first, last):
    """Months whose values are their number since January 1999, plus 512 for each variable before."""
    time = np.arange(first, last, dtype="datetime64[M]")
    number = (time - np.datetime64("1999-01")).astype(int)
    lat, lon = 36.25 - 0.25 * np.arange(7), 28.75 + 0.25 * np.arange(11)
    fields = {
        n: (("time", "lat", "lon"), np.broadcast_to((number + 512 * k)[:, None, None], (time.size, 7, 11)))
        for k, n in enumerate(NAMES)
    }
    made = xr.Dataset(fields, {"time": time.astype("datetime64[ns]"), "lat": lat, "lon": lon})
    return made.astype(np.float32)


def states(first, last):
    years, cells = np.arange(first, last + 1), Grid(36.25, 28.75, 0.25, 0.25, 6, 10)
    value = np.broadcast_to(((years - 1990) / 100)[:, None, None], (years.size, *cells.shape)).astype(np.float32)
    fields = {n: (("time", "lat", "lon"), value) for n in (*STATES, "secma", "secmb")}
    return xr.Dataset(fields, {"time": years, **cells.coords()})


def planned(run):
    maps = xr.DataArray(np.zeros((4, 100, 200), np.uint8), {"time": MAPS, **GRID.coords()}, ("time", "lat", "lon"))
    return cube.plan_layout(run, maps)


def create(store, run, covers=COVERS, months=MONTHS):
    series = {"land_cover": np.array(covers), "lai": months.astype("datetime64[ns]")}
    cube.create_cube(store, run, planned(run), pd.DataFrame(columns=COLUMNS), False, series)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path, run = tmp_path_factory.mktemp("cube") / "cube.zarr", settings()
    create(path, run)
    cube.write_region(path, "fine", numbered("land_use", MAPS, np.uint8, use_of), WHOLE)
    height = numbered("elevation", [0], np.float32, lambda year, row, col: 200 * row + col).isel(time=0)
    cube.write_region(path, "fine", height, WHOLE)
    for year in COVERS:
        cube.write_region(path, "land_cover", numbered("land_cover", [year], np.uint8, cover_of), WHOLE)
    leaves = numbered("leaf_area_index", range(36), np.float32, leaves_of)
    leaves["leaf_area_index"][:, 90:, :10] = np.nan
    for start in range(0, 36, 12):
        part = leaves.isel(time=slice(start, start + 12)).assign_coords(
            time=MONTHS[start : start + 12].astype("datetime64[ns]")
        )
        cube.write_region(path, "lai", part, WHOLE)
    layout = planned(run)
    cube.write_series(path, layout, "climate", climate("1999-01", "2004-07").chunk())
    cube.write_series(path, layout, "climate-ssp126", climate("2004-07", "2009-01").chunk())
    for group, years in (("co2", range(1990, 2004)), ("co2-ssp126", range(2004, 2011))):
        values = {"co2": ("time", np.array(years, float) - 1630)}
        cube.write_series(path, layout, group, xr.Dataset(values, {"time": np.array(years, np.int16)}))
    cube.write_luh2(path, layout, "luh2", states(1990, 2003))
    cube.write_luh2(path, layout, "luh2-ssp126", states(2003, 2010))
    return path


@pytest.mark.parametrize("kept", [1 << 28, 0], ids=["kept", "read where cut"])
def test_maps_and_seasons_are_those_that_were_written_in_any_window(store, monkeypatch, kept):
    monkeypatch.setattr(region_store, "_KEPT", kept)
    east = read(store, settings(), "tiny_east")
    assert east.corner == (0, 100) and east.grid.same_as(GRID.cut(slice(0, 100), slice(100, 200)))
    assert (east.years("land_use"), east.years("land_cover"), east.years("leaf_area_index")) == (MAPS, COVERS, COVERS)
    row, col = np.ix_(range(30, 40), range(160, 170))
    window = slice(30, 40), slice(60, 70)
    for _ in range(2):  # the second time from memory
        np.testing.assert_array_equal(east.field("land_use", 2002, window), use_of(2002, row, col))
        np.testing.assert_array_equal(east.field("land_cover", 2003, window), cover_of(2003, row, col))
        season = east.field("leaf_area_index", 2003, window)
        assert season.dtype == np.float32 and season.shape == (12, 10, 10)
        np.testing.assert_allclose(season[3], leaves_of(27, row, col), atol=1e-6)  # April of the third year
        season[:] = 0  # what is handed out may be changed
    assert np.isfinite(east.field("leaf_area_index", 2000)).all()


def test_leaf_area_that_is_missing_is_nan(store):
    west = read(store, settings(), "tiny_west")
    missing = np.isnan(west.field("leaf_area_index", 2001)[5])
    assert missing[90:, :10].all() and missing.sum() == 100


def test_the_halo_ends_where_the_regions_with_vegetation_end(store):
    east = read(store, settings(), "tiny_east", halo=25)
    assert east.grid.shape == (100, 125) and east.corner == (0, 75)
    row, col = np.ix_(range(100), range(75, 200))
    np.testing.assert_array_equal(east.field("land_cover", 2000), cover_of(2000, row, col))
    np.testing.assert_array_equal(east.field("elevation"), 200 * row + col)
    assert list(east.static) == sorted(east.static) and "koppen" in east
    alone = read(store, settings(regions=("tiny_east",)), "tiny_east", halo=25)
    assert alone.grid.shape == (100, 100)


def test_climate_crosses_the_seam_in_whole_years_only(store):
    west = read(store, settings(), "tiny_west")
    # Of the experiments 2000, 2001, 2003; of the product every fourth year; each with the year before: 1999 to 2004 and
    # 2007, 2008. Of 2004 the first half is history, the second the scenario's.
    assert west.years("climate") == [1999, 2000, 2001, 2002, 2003, 2004, 2007, 2008]
    months = west.field("climate", 2004)
    assert west.names("climate") == NAMES and months.shape[:2] == (12, len(NAMES))
    for k in range(len(NAMES)):
        np.testing.assert_array_equal(months[:, k, 0, 0], 12 * 5 + np.arange(12) + 512 * k)
    left, bottom, right, top = west.grid_of("climate").bounds
    assert left <= 29 and bottom <= 35 and right >= 30 and top >= 36


def test_carbon_dioxide_and_land_use_states_go_on_with_the_scenario(store):
    made = read(store, settings(), "tiny_west")
    co2 = {year: float(made.field("co2", year)) for year in made.years("co2")}
    assert co2 == {year: year - 1630 for year in range(1990, 2011)}
    assert made.years("luh2_state") == [1991, 1992, 1995, 1996, 1999, 2000, 2001, 2002, 2003, 2004, 2007, 2008]
    assert made.field("luh2_state", 1999).shape[1:] == (4, 4)
    for year in (1999, 2008):
        np.testing.assert_allclose(made.field("luh2_state", year), (year - 1990) / 100, rtol=1e-6)


def test_predictors_come_out_of_a_stored_region(store):
    made = read(store, settings(), "tiny_west")
    window = slice(0, 20), slice(0, 30)
    given = Given(land_cover=True, prior_cover=True, prior_leaves=True)
    annual, monthly = annual_fields(made, given, 2001, 2003, window), monthly_fields(made, given, 2001, 2003, window)
    assert all(field.shape == (20, 30) for field in annual.values())
    assert annual["co2"][0, 0] == 373 and annual["luh2_urban"][0, 0] == pytest.approx(0.13)
    np.testing.assert_allclose(monthly["air_temperature"][:, 0, 0], 48 + np.arange(12), rtol=1e-6)
    np.testing.assert_allclose(monthly["air_temperature_before"][:, 0, 0], 47 + np.arange(12), rtol=1e-6)
    np.testing.assert_allclose(monthly["prior_leaf_area"][:, 0, 0], np.arange(12, 24) / 10, atol=1e-6)


def test_months_of_carbon_dioxide_are_averaged_over_whole_years():
    time = np.arange("1958-03", "1961-02", dtype="datetime64[M]").astype("datetime64[ns]")
    values = np.arange(35.0)
    values[20] = np.nan  # November 1959
    # 1960 is months 22 to 33 after March 1958: their mean is 27.5.
    assert annual_co2(xr.DataArray(values, {"time": time}, ("time",))) == {1960: 27.5}


def test_what_is_not_there_is_refused_in_one_line(store, tmp_path):
    made = read(store, settings(), "tiny_west")
    with pytest.raises(ValueError, match=r"climate has no year 1890, there are 1999-2008; .*climate_history"):
        made.field("climate", 1890)
    with pytest.raises(ValueError, match=r"CO2 has no year 2012, there are 1990-2010; name co2"):
        annual_fields(with_year(made, 2012), Given(land_use=False), 2001, 2012, (slice(0, 9), slice(0, 9)))
    with pytest.raises(
        ValueError,
        match="region tiny_west: land cover has no year 2002, there are 2000-2003; change the years in run.yml",
    ):
        made.field("land_cover", 2002)
    with pytest.raises(ValueError, match="region 'tiny_west' has no vegetation in run tiny; .*tiny_east"):
        read(store, settings(regions=("tiny_east",)), "tiny_west")
    with pytest.raises(ValueError, match="run tiny has no vegetation"):
        read(store, settings().model_copy(update={"vegetation": None}), "tiny_west")
    with pytest.raises(ValueError, match=r"scenario ssp370 is not among \['climate_scenarios', 'co2_scenarios', "):
        read(store, settings(), "tiny_west", "ssp370")
    with pytest.raises(ValueError, match="halo 30 is no multiple of 25"):
        read(store, settings(), "tiny_west", halo=30)
    (tmp_path / "cube.zarr" / "land_cover").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="has no lai, climate, co2; run 01-download and 02-regrid"):
        read(tmp_path / "cube.zarr", settings(), "tiny_west")


def with_year(made, year):
    """A region whose climate and LUH2 have one year more."""
    return made.with_years(**{name: {year: made.field(name, 2008)} for name in ("climate", "luh2_state")})


def experiment(first, last):
    return {"back": {"start": first + 1, "train": (first + 2, last), "validation": (first + 1, first + 1),
                     "test": (first, first)}}  # fmt: skip


def test_land_cover_of_two_versions_is_no_target_of_one_experiment_but_may_be_a_predictor():
    both = {**INPUTS, "land_cover_later": "c3s_land_cover"}
    mixed = settings(both, land_cover=experiment(2012, 2018))
    message = r"experiment back takes its maps from esa_cci_land_cover v2.0.7 \(2012-2015\) and c3s_land_cover v2.1.1 "
    for refuse in (check_cover_versions, needs):
        with pytest.raises(ValueError, match=message + r"\(2016-2018\); .* Choose years of one"):
            refuse(mixed)
    assert check_cover_versions(settings(both, land_cover=experiment(2012, 2015))) == ""
    note = check_cover_versions(settings(both, leaf_area=experiment(2013, 2017)))
    assert note.startswith("Note: leaf area is predicted from land cover of esa_cci") and "(2016-2017)" in note


def test_files_are_wanted_of_the_years_that_vegetation_uses():
    run = read_run("demo")
    years = {need.role: need.years for need in needs(run)}
    assert years["land_cover"] + years["land_cover_later"] == tuple(run.vegetation.years)
    assert years["leaf_area_index"] == tuple(run.vegetation.leaf_years)
    assert years["climate"] == tuple(range(1981, 2021))  # with the common period of reanalysis and model
    assert wanted_years(run, "land_use") == run.map_years
    without = run.model_copy(update={"vegetation": None})
    years = {need.role: need.years for need in needs(without)}
    assert years["land_cover"] == tuple(range(1992, 2016)) and years["land_cover_later"] == tuple(range(2016, 2021))
    assert years["leaf_area_index"] is None


def test_a_cube_is_not_made_without_every_year_and_month_that_vegetation_needs(tmp_path):
    store = tmp_path / "cube.zarr"
    with pytest.raises(ValueError, match=r"vegetation needs land cover of \[2003\], which no input has"):
        create(store, settings(), covers=[2000, 2001])
    with pytest.raises(ValueError, match="leaf area of every month, 2 are missing, 2001-02, 2003-12 first; add"):
        create(store, settings(), months=MONTHS[~np.isin(MONTHS, np.array(["2001-02", "2003-12"], "M8[M]"))])
    assert not store.exists()


@pytest.fixture
def raw(tmp_path, monkeypatch):
    """One year of leaf area of 25 x 25 cells, one date a month, and a map of their land cover."""
    monkeypatch.setattr("twin_earth.leaf_area.dekads", lambda year: list(dekads(year))[2::3])
    write_leaf_area(tmp_path, GRID.cut(slice(0, 25), slice(0, 25)), [2000], 1)
    cover = np.full((90, 90), 60, np.uint8)
    write_geotiff(tmp_path / "ESACCI-LC-L4-LCCS-Map-300m-P1Y-2000-v2.0.7.tif", cover, 29.0, 36.0, 1 / 360)
    return tmp_path


def green_inputs(raw):
    named = {"land_cover": "esa_cci_land_cover", "leaf_area_index": "lai_cgls_1km"}
    return {role: find_files(dataset, raw) for role, dataset in named.items()}


def test_regions_without_vegetation_stay_empty_and_years_need_not_follow_each_other(raw, store, tmp_path):
    assert blocks._has_vegetation(settings(regions=("tiny_east",)), GRID.cut(slice(0, 100), slice(100, 200)))
    assert not blocks._has_vegetation(settings(regions=("tiny_east",)), GRID.cut(slice(0, 100), slice(0, 100)))
    write_leaf_area(raw, GRID.cut(slice(0, 25), slice(0, 25)), [2003], 1)
    path = tmp_path / "other" / "cube.zarr"
    path.parent.mkdir()
    create(path, settings())
    corner = slice(0, 100), slice(0, 100)
    blocks._write_leaf_area(path, green_inputs(raw), GRID.cut(*corner), corner)
    far = WHOLE[0], slice(100, 200)
    blocks._write_leaf_area(path, green_inputs(raw), GRID.cut(*far), far)
    lai = xr.open_zarr(path, group="lai", consolidated=False)["leaf_area_index"]
    there = np.isfinite(lai).any(("lat", "lon")).to_numpy()
    assert there.tolist() == [True] * 12 + [False] * 12 + [True] * 12
    inside = lai.sel(time="2000-07").isel(time=0).to_numpy()
    assert np.isfinite(inside[:24, :24]).mean() > 0.9 and np.isnan(inside[30:]).all() and np.isnan(inside[:, 30:]).all()


def test_a_code_that_is_no_class_of_land_cover_is_refused(raw, store):
    cover = np.full((90, 90), 60, np.uint8)
    cover[3, 3] = 99
    write_geotiff(raw / "ESACCI-LC-L4-LCCS-Map-300m-P1Y-2000-v2.0.7.tif", cover, 29.0, 36.0, 1 / 360)
    window = slice(0, 25), slice(0, 25)
    with pytest.raises(ValueError, match=r"ESACCI-LC.*2000-v2.0.7.tif: codes \[99\] are not in legend land_cover"):
        blocks._write_land_cover(store, green_inputs(raw), GRID.cut(*window), window)


def test_leaf_area_of_another_scale_or_version_is_refused(raw, store, tmp_path):
    window, files = (slice(0, 25), slice(0, 25)), green_inputs(raw)
    path = files["leaf_area_index"][4].path
    data = xr.open_dataset(path, mask_and_scale=False).load()
    data.close()
    data["LAI"].attrs["scale_factor"] = np.float32(0.1)
    data.to_netcdf(path)
    with pytest.raises(ValueError, match=r"LAI is uint8 with .*expected packed integers in steps of 1/30"):
        blocks._write_leaf_area(store, files, GRID.cut(*window), window)
    for file in files["leaf_area_index"]:
        file.path.rename(file.path.with_name(file.path.name.replace("V2.0.2", "V1.0.2")))
    with pytest.raises(FileNotFoundError, match=r"lai_cgls_1km .*: no file named c_gls_LAI.*_V2"):
        green_inputs(raw)


def test_leaf_area_that_no_leaf_has_is_refused(raw, store, monkeypatch):
    leaves = read_target("leaf_area_index").model_copy(update={"range": (0.0, 0.5)})
    monkeypatch.setattr(blocks, "read_target", lambda name: leaves)
    window = slice(0, 25), slice(0, 25)
    with pytest.raises(ValueError, match=r"leaf area index of 2000 reaches .* m2 m-2, more than 0.5: the files hold"):
        blocks._write_leaf_area(store, green_inputs(raw), GRID.cut(*window), window)
