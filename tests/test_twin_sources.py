"""The twin Earth's land cover, leaf area, weather, carbon dioxide and people, read with plain libraries."""

import hashlib
import io
import zipfile
from datetime import date
from functools import cache

import numpy as np
import pytest
import rasterio
import xarray as xr
from tiny_run import tiny_land_use

from ai4land.grid import Grid
from ai4land.legend import read_legend
from ai4land.sources import find_files
from ai4land.sources.climate import join_climate
from ai4land.sources.readers import open_input
from twin_earth import Land, write_twin
from twin_earth.climate_files import (
    ClimateModel,
    Reanalysis,
    write_carbon_dioxide,
    write_climate_model,
    write_era5,
    write_era5_land,
)
from twin_earth.earth import climate, elevation, koppen
from twin_earth.inventories import population, write_population
from twin_earth.land_cover import LandCover
from twin_earth.land_use import SCENARIOS
from twin_earth.leaf_area import LeafArea, dekads, write_leaf_area
from twin_earth.weather import Weather, carbon_dioxide, warming

LARGE = Grid(36.0, 29.0, 0.01, 0.01, 100, 200)
ALONE = LARGE.cut(slice(25, 75), slice(50, 125))  # 35.75 to 35.25 N, 29.5 to 30.25 E
NORTH, SOUTH = Grid(48.25, -110.25, 0.01, 0.01, 50, 50), Grid(-44.75, -168.25, 0.01, 0.01, 50, 50)
COAST = Grid(39.0, 17.0, 0.01, 0.01, 50, 250)
SMALL = Grid(36.0, 29.0, 0.01, 0.01, 50, 50)
# Codes that a land-use class may be seen as; neither pasture and grass nor lakes and sea can be told apart.
GROUPS = {1: {190}, 2: {10, 11, 12, 20, 30}, 4: {50, 60, 61, 62, 70, 71, 72, 80, 81, 82, 90, 100, 160, 170},
          5: {40, 110, 120, 121, 122, 130, 180}, 6: {140, 150, 151, 152, 153, 200, 201, 202, 220},
          7: {210}}  # fmt: skip
SEEN = np.array([7, 1, 2, 5, 4, 5, 6, 7])  # group of each land-use class
ROLES = {
    "koppen_history": "koppen_beck_2023_history", "land_cover": "esa_cci_land_cover",
    "land_cover_later": "c3s_land_cover", "leaf_area_index": "lai_cgls_1km", "climate": "era5_monthly",
    "climate_land": "era5_land_monthly", "co2": "co2_cmip6_history", "population": "population_histsoc",
}  # fmt: skip
STATES = {name: f"luh2_v2f_{name}_states" for name in SCENARIOS if name}


@cache
def cover_of(grid, year, later=False):
    cells = grid.rows * 36 // 10, grid.cols * 36 // 10  # 3.6 cells of 1/360 degree in 0.01 degree
    lat, lon = grid.north - (np.arange(cells[0]) + 0.5) / 360, grid.west + (np.arange(cells[1]) + 0.5) / 360
    return LandCover(grid, lat, lon, 1).at(year, later)


def group_of(cover):
    table = np.full(256, 99)
    for code, codes in GROUPS.items():
        table[list(codes)] = code
    return table[cover]


def small_run(years, **inputs):
    run = tiny_land_use()
    named = {"land_use": "hilda_plus_v2", "elevation": "gebco_2024", "koppen": "koppen_beck_2023", **inputs}
    named = {
        role: named.get(role, {} if role.endswith("scenarios") else None) for role in type(run.inputs).model_fields
    }
    update = {"years": years, "window": (29.0, 35.5, 29.5, 36.0)}
    return run.model_copy(update={**update, "inputs": run.inputs.model_copy(update=named)})


def write(raw, run):
    """A run, and one month of leaf area."""
    write_twin(raw, run)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("twin_earth.leaf_area.dekads", lambda year: [date(year, 2, day) for day in (10, 20, 29)])
        write_leaf_area(raw, SMALL, [2020], run.seed)


def digests(raw):
    return {p.relative_to(raw): hashlib.sha256(p.read_bytes()).hexdigest() for p in raw.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    run, raw = small_run((2015, 2016), **ROLES | {"leaf_area_index": None}), tmp_path_factory.mktemp("sources")
    write(raw, run)
    return run, raw


@pytest.mark.parametrize(("year", "later"), [(1993, False), (2018, True)])
def test_land_cover_of_a_window_made_alone_equals_the_same_cut_of_a_larger_one(year, later):
    # 25 rows and 50 columns of 0.01 degree are 90 rows and 180 columns of 1/360 degree; 50 and 75 are 180 and 270.
    np.testing.assert_array_equal(cover_of(ALONE, year, later), cover_of(LARGE, year, later)[90:270, 180:450])


def test_leaf_area_of_a_window_made_alone_equals_the_same_cells_of_a_larger_one():
    alone, large = LeafArea(ALONE, 1), LeafArea(LARGE, 1)
    row, col = (np.searchsorted(getattr(large, a), getattr(alone, a)) for a in ("rows", "cols"))
    np.testing.assert_array_equal(large.lat[row], alone.lat)
    for when in (date(2003, 5, 20), date(2004, 1, 31)):
        both = alone.packed(when), large.packed(when)
        for name in ("LAI", "RMSE", "QFLAG"):
            np.testing.assert_array_equal(both[0][name], both[1][name][np.ix_(row, col)])


@pytest.mark.parametrize("cells", [4, 10])
def test_weather_of_a_window_made_alone_equals_the_same_cells_of_a_larger_one(cells):
    alone, large = Reanalysis(ALONE, cells, 1), Reanalysis(LARGE, cells, 1)
    row, col = np.searchsorted(-large.lat, -alone.lat), np.searchsorted(large.lon, alone.lon)
    np.testing.assert_array_equal(large.lat[row], alone.lat)
    for name, field in alone.month(1987, 3).items():
        np.testing.assert_allclose(field, large.month(1987, 3)[name][np.ix_(row, col)], rtol=1e-6, err_msg=name)


def test_people_of_a_window_made_alone_are_those_of_a_larger_one():
    years = np.array([1930, 2010])
    alone = population(LARGE.cut(slice(50, 100), slice(50, 150)), years, 1)
    for name, field in population(LARGE, years, 1).items():
        np.testing.assert_allclose(alone[name], field[:, 1:, 1:3], rtol=1e-6, atol=1)


@pytest.mark.parametrize("grid", [LARGE, NORTH, SOUTH], ids=["middle", "north", "south"])
def test_the_majority_of_land_cover_in_a_cell_is_its_land_use(grid):
    made, used = group_of(cover_of(grid, 2000)), Land(grid, 1).land_use(2000)
    assert 99 not in made
    wanted = SEEN[used]
    # A 300 m cell belongs to the 1 km cell that holds its centre.
    row, col = (((np.arange(n) + 0.5) / 3.6).astype(int) for n in made.shape)
    count = np.zeros((8, *grid.shape), int)
    np.add.at(count, (made, row[:, None], col[None, :]), 1)
    assert (count.argmax(0) == wanted).mean() >= 0.9
    assert (made != wanted[np.ix_(row, col)]).any()  # borders are not those of the 1 km cells


def test_within_a_land_use_class_a_place_keeps_its_land_cover():
    cells = [cover_of(LARGE, year) for year in (1995, 2010)]
    kept = group_of(cells[0]) == group_of(cells[1])
    assert 0 < (~kept).mean() < 0.2
    assert (cells[0] == cells[1])[kept].mean() > 0.97  # a mosaic may stand for cropland and for pasture


def test_the_later_series_breaks_with_the_earlier_one_in_some_mosaics_only():
    before, after = cover_of(LARGE, 2015), cover_of(LARGE, 2015, later=True)
    changed = before != after
    assert 0.002 < changed.mean() < 0.05 and set(np.unique(before[changed])) <= {30, 40, 100, 110}
    assert 0.2 < changed[np.isin(before, [30, 40, 100, 110])].mean() < 0.4  # three in ten


def test_sub_classes_follow_the_climate():
    tropics = Grid(2.25, -166.25, 0.01, 0.01, 50, 50)
    names = read_legend("land_cover").set_index("code")["name"]
    found = {key: {names[c] for c in np.unique(cover_of(g, 2000))} for key, g in (("hot", tropics), ("cold", NORTH))}
    assert "tree_broadleaved_evergreen_closed_to_open" in found["hot"] - found["cold"]
    assert any(n.startswith("tree_needleleaved") for n in found["cold"])
    assert not any(n.startswith("tree_needleleaved") for n in found["hot"])


def test_esa_cci_is_a_byte_geotiff_on_the_global_lattice_of_300_m(everything):
    _, raw = everything
    assert sorted(p.name for p in raw.glob("ESACCI*")) == ["ESACCI-LC-L4-LCCS-Map-300m-P1Y-2015-v2.0.7.tif"]
    with rasterio.open(next(raw.glob("ESACCI*"))) as raster:
        assert (raster.dtypes, raster.crs.to_epsg(), raster.nodata) == (("uint8",), 4326, None)
        assert raster.compression.name == "lzw" and raster.shape == (180, 180)
        assert raster.transform.a == pytest.approx(1 / 360) and raster.transform.e == pytest.approx(-1 / 360)
        assert (raster.transform.c, raster.transform.f) == (29.0, 36.0)
        np.testing.assert_array_equal(raster.read(1), cover_of(SMALL, 2015))


def test_c3s_land_cover_has_the_publishers_layout(everything):
    _, raw = everything
    assert sorted(p.name for p in raw.glob("C3S*")) == ["C3S-LC-L4-LCCS-Map-300m-P1Y-2016-v2.1.1.nc"]
    data = xr.open_dataset(next(raw.glob("C3S*")))
    cover = data["lccs_class"]
    assert cover.dims == ("time", "lat", "lon") and cover.shape == (1, 180, 180) and cover.dtype == np.uint8
    assert data["time"].to_numpy().tolist() == [np.datetime64("2016-01-01", "ns").astype(int)]
    assert float(data.lat[0]) == pytest.approx(36 - 1 / 720) and data.lat[0] > data.lat[-1]
    np.testing.assert_allclose(data["lon_bounds"].mean("bounds"), data.lon, rtol=0, atol=1e-9)
    assert {"lat_bounds", "time_bounds", "crs"} <= set(data.variables)
    meanings = dict(zip(cover.attrs["flag_values"], cover.attrs["flag_meanings"].split(), strict=True))
    assert (
        len(meanings) == 38 and meanings[0] == "no_data" and meanings[210] == "water" and meanings[130] == "grassland"
    )
    np.testing.assert_array_equal(cover[0], cover_of(SMALL, 2016, later=True))


def test_leaf_area_has_the_publishers_layout(everything):
    _, raw = everything
    names = sorted(p.name for p in raw.glob("c_gls_LAI*"))
    assert names[-1] == "c_gls_LAI-RT6_202002290000_GLOBE_PROBAV_V2.0.2.nc"
    data = xr.open_dataset(raw / names[-1], mask_and_scale=False)
    assert data["time"].to_numpy()[0] == np.datetime64("2020-02-29")
    for name, dtype in (("LAI", np.uint8), ("RMSE", np.uint8), ("QFLAG", np.uint16)):
        assert data[name].dims == ("time", "lat", "lon") and data[name].dtype == dtype
    assert data["LAI"].attrs["scale_factor"] == pytest.approx(1 / 30) and data["LAI"].attrs["_FillValue"] == 255
    for axis in (data["lat"], data["lon"]):
        np.testing.assert_allclose(axis * 112, np.rint(axis * 112), rtol=0, atol=1e-6)
    half = 1 / 224
    assert data.lat[0] + half >= 36 > data.lat[1] + half and data.lat[-1] - half <= 35.5 and data.lat[0] > data.lat[-1]
    assert data.lon[0] - half <= 29 < data.lon[1] - half and data.lon[-1] + half >= 29.5
    value = data["LAI"].to_numpy()
    assert set(np.unique(value[value > 210])) <= {254, 255} and 0 < (value == 255).mean() < 0.01


def test_dekads_end_on_the_last_day_of_each_month_of_the_products_years(tmp_path):
    assert [d.day for d in dekads(2000)][:6] == [10, 20, 31, 10, 20, 29] and len(list(dekads(2019))) == 36
    assert list(dekads(2020))[-1] == date(2020, 6, 30) and len(list(dekads(2020))) == 18
    write_leaf_area(tmp_path, SMALL, [1998, 2021], 1)
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="60 S"):
        write_leaf_area(tmp_path, Grid(-70.0, 0.0, 0.01, 0.01, 50, 50), [2000], 1)


def test_names_of_leaf_area_know_the_sensor(tmp_path, monkeypatch):
    monkeypatch.setattr("twin_earth.leaf_area.dekads", lambda year: [date(year, 1, 10)])
    write_leaf_area(tmp_path, SMALL, [2013, 2014], 1)
    names = ["c_gls_LAI-RT6_201401100000_GLOBE_PROBAV_V2.0.2.nc", "c_gls_LAI_201301100000_GLOBE_VGT_V2.0.2.nc"]
    assert sorted(p.name for p in tmp_path.iterdir()) == names


def test_leaves_grow_in_the_summer_of_their_hemisphere():
    for grid, summer, winter in ((NORTH, 7, 1), (SOUTH, 1, 7)):
        made = LeafArea(grid, 1)
        (warm, water), (cold, _) = (made.at(date(2005, month, 31)) for month in (summer, winter))
        assert (~water).any() and warm[~water].mean() > 1.5 * cold[~water].mean()


def test_forest_has_more_leaves_than_bare_land_and_water_has_none():
    made = LeafArea(LARGE, 1)
    group = group_of(made.cover.at(2005)).reshape(made.rows.size, 3, made.cols.size, 3)
    lai, water = made.at(date(2005, 5, 31))
    pure = {code: (group == code).all((1, 3)) for code in (2, 4, 6, 7)}
    mean = {code: lai[where].mean() for code, where in pure.items()}
    assert mean[4] > mean[2] > 2 * mean[6] > 0 and mean[7] == 0 and water[pure[7]].all() and not water[pure[4]].any()


def test_more_carbon_dioxide_feeds_leaves_a_little():
    made = LeafArea(SMALL, 1)
    before, after = made._growth(1999)[0].max(), made._growth(2020)[0].max()
    assert 1.005 < after / before < 1.05


@pytest.mark.parametrize(("name", "cells"), [("era5_monthly", 4), ("era5_land_monthly", 10)])
def test_a_year_of_era5_is_a_zip_of_two_netcdf_files(everything, name, cells):
    _, raw = everything
    assert sorted(p.name for p in raw.glob(f"{name}_*")) == [f"{name}_2015.nc", f"{name}_2016.nc"]
    with zipfile.ZipFile(raw / f"{name}_2015.nc") as archive:
        assert archive.namelist() == [f"data_stream-moda_stepType-{step}.nc" for step in ("avgua", "avgad")]
        state, sums = (xr.open_dataset(io.BytesIO(archive.read(n)), decode_times=False) for n in archive.namelist())
    assert set(state.data_vars) == {"t2m", "swvl1", "swvl2", "swvl3", "swvl4"} and set(sums.data_vars) == {"tp", "ssrd"}
    units = {n: v.attrs["units"] for n, v in {**state.data_vars, **sums.data_vars}.items()}
    soil = {f"swvl{k}": "m**3 m**-3" for k in (1, 2, 3, 4)}
    assert units == {"t2m": "K", "tp": "m", "ssrd": "J m**-2", **soil}
    for data in (state, sums):
        assert data["valid_time"].dtype == np.int64 and data["valid_time"].attrs["units"] == "seconds since 1970-01-01"
        months = data["valid_time"].to_numpy().astype("datetime64[s]").astype("datetime64[M]")
        assert months.tolist() == np.arange("2015-01", "2016-01", dtype="datetime64[M]").tolist()
        assert data["expver"].to_numpy().tolist() == ["0001"] * 12 and int(data["number"]) == 0
        for first, last, axis in ((36, 35.5, data.latitude), (29, 29.5, data.longitude)):
            assert axis[0] == pytest.approx(first) and axis[-1] == pytest.approx(last)
            np.testing.assert_allclose(axis * cells, np.rint(axis * cells), rtol=0, atol=1e-6)
        assert all(v.dims == ("valid_time", "latitude", "longitude") for v in data.data_vars.values())


def test_weather_has_the_units_it_says(everything):
    _, raw = everything
    with zipfile.ZipFile(raw / "era5_monthly_2015.nc") as archive:
        state, sums = (xr.open_dataset(io.BytesIO(archive.read(n))) for n in archive.namelist())
    lat, lon = state.latitude.to_numpy(), state.longitude.to_numpy()
    kelvin, rain = climate(lat, lon, np.clip(elevation(lat, lon, 1), 0, None), 1)
    assert state["t2m"].mean() - 273.15 == pytest.approx(kelvin.mean(), abs=2.5)
    # Mean of a day: 365 of them make the year's rain, within what one year may be off.
    assert 365.25 * 1000 * sums["tp"].mean() == pytest.approx(rain.mean(), rel=0.4)
    assert 100 < sums["ssrd"].mean() / 86400 < 300  # W m-2
    assert state["swvl1"].min() >= 0 and state["swvl1"].max() < 0.5
    swing = {n: float((state[n].max("valid_time") - state[n].min("valid_time")).mean()) for n in ("swvl1", "swvl4")}
    assert swing["swvl4"] < swing["swvl1"]


def test_summer_is_opposite_in_the_hemispheres_and_years_differ():
    july_less_january = {}
    for name, grid in (("north", NORTH), ("south", SOUTH)):
        made = Reanalysis(grid, 4, 1)
        january, july = (made.month(2000, month) for month in (1, 7))
        july_less_january[name] = {v: (july[v] - january[v]).mean() for v in ("t2m", "ssrd")}
        assert np.abs(made.month(2001, 7)["tp"] / july["tp"] - 1).mean() > 0.02
    assert july_less_january["north"]["t2m"] > 10 and july_less_january["south"]["t2m"] < -10
    assert july_less_january["north"]["ssrd"] > 0 > july_less_january["south"]["ssrd"]


def test_era5_land_is_missing_at_sea_and_era5_is_not(tmp_path):
    write_era5(tmp_path, COAST, [1939, 1949], 1)
    write_era5_land(tmp_path, COAST, [1949, 1950], 1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["era5_land_monthly_1950.nc", "era5_monthly_1949.nc"]
    for path in tmp_path.iterdir():
        with zipfile.ZipFile(path) as archive:
            data = xr.open_dataset(io.BytesIO(archive.read(archive.namelist()[0])))["t2m"]
        missing = data.isnull().to_numpy()
        if "land" not in path.name:
            assert not missing.any()
            continue
        lat, lon = data.latitude.to_numpy(), data.longitude.to_numpy()
        off = np.linspace(-0.04, 0.04, 5)  # points well inside each cell
        height = elevation((lat[:, None] + off).ravel(), (lon[:, None] + off).ravel(), 1)
        dry = (height > 0).reshape(lat.size, 5, lon.size, 5)
        sea, land = ~dry.any((1, 3)), dry.all((1, 3))
        assert sea.any() and land.any() and missing[:, sea].all() and not missing[:, land].any()


@pytest.fixture(scope="module")
def decade(tmp_path_factory):
    """One decade of the climate model's past, two years of ERA5 in it, and the last decade of a scenario."""
    raw = tmp_path_factory.mktemp("decade")
    with pytest.MonkeyPatch.context() as patch:
        for dataset, scenario, years in (("historical", "", "2001_2010"), ("ssp370", "ssp370", "2091_2100")):
            patch.setattr("twin_earth.climate_files.series_of", lambda row, years=years: [{"decade": years}])
            write_climate_model(raw, SMALL, f"isimip3b_{dataset}", 1, scenario)
    write_era5(raw, SMALL, [2003, 2004], 1)
    return raw


def test_a_climate_model_has_isimips_names_units_and_cells(decade):
    files = find_files("isimip3b_historical", decade)
    stem = "gfdl-esm4_r1i1p1f1_w5e5_historical_{}_global_monthly_2001_2010.nc"
    assert [f.path.name for f in files] == [stem.format(v) for v in ("pr", "rsds", "tas")]
    units = {}
    for file in files:
        data = xr.open_dataset(file.path)
        variable = file.keys["variable"]
        units[variable] = data[variable].attrs["units"]
        assert data[variable].dtype == np.float32 and data[variable].dims == ("time", "lat", "lon")
        months = np.arange("2001-01", "2011-01", dtype="datetime64[M]")
        assert data["time"].to_numpy().astype("datetime64[M]").tolist() == months.tolist()
        # Cells of half a degree that cover 29 to 29.5 E and 35.5 to 36 N, and one more on each side.
        assert data.lat.to_numpy().tolist() == [36.25, 35.75, 35.25]
        assert data.lon.to_numpy().tolist() == [28.75, 29.25, 29.75]
    assert units == {"tas": "K", "pr": "kg m-2 s-1", "rsds": "W m-2"}


def test_a_climate_model_has_other_weather_in_a_biased_climate(decade):
    model = ClimateModel(LARGE, 1)
    own = Weather(model.cells.lat, model.cells.lon, model.smooth, 1)
    times = [2001 + (k + 0.5) / 12 for k in range(240)]
    planet = np.stack([own.temperature(t) + 273.15 for t in times])
    made = np.stack([model.month(2001 + k // 12, k % 12 + 1)["tas"] for k in range(240)])
    assert made.mean() - planet.mean() == pytest.approx(1.2, abs=0.6)  # spells of 3 degrees, about forty of them
    yearly = [a.mean((1, 2)).reshape(20, 12) for a in (made, planet)]
    anomaly = [(a - a.mean(0)).ravel() for a in yearly]
    assert abs(np.corrcoef(*anomaly)[0, 1]) < 0.4
    alone = ClimateModel(ALONE, 1)
    row, col = np.searchsorted(-model.cells.lat, -alone.cells.lat), np.searchsorted(model.cells.lon, alone.cells.lon)
    for name, field in alone.month(1987, 3).items():
        np.testing.assert_allclose(field, model.month(1987, 3)[name][np.ix_(row, col)], rtol=1e-6, err_msg=name)


def test_a_climate_model_continues_the_reanalysis_and_warms_with_its_scenario(decade):
    era5, past, future = (
        open_input(find_files(name, decade)) for name in ("era5_monthly", "isimip3b_historical", "isimip3b_ssp370")
    )
    joined = join_climate(era5, past, None, (2003, 2004))
    assert joined.sizes["time"] == 120 and joined["origin"].to_numpy().tolist() == [1] * 24 + [0] * 24 + [1] * 72
    for name in ("air_temperature", "precipitation_flux", "surface_downwelling_shortwave_flux", "soil_moisture_3"):
        both = joined[name].sel(time=slice("2003", "2004")), era5[name]
        np.testing.assert_array_equal(*both)
        assert np.isfinite(joined[name]).all()
    warmer = future["air_temperature"].mean() - past["air_temperature"].mean()
    assert float(warmer) == pytest.approx(float(warming(2096.0, "ssp370") - warming(2006.0)), abs=1)


def test_warming_is_none_today_and_that_of_the_zones_by_2100():
    assert warming(2005.0) == pytest.approx(0, abs=1e-9)
    assert warming(1900.0) < warming(1960.0) < 0 < warming(2040.0)
    for scenario, (*_, degrees) in SCENARIOS.items():
        assert warming(2100.0, scenario) == pytest.approx(degrees)
        assert (np.diff(carbon_dioxide(np.arange(1850, 2101), scenario)) > 0).all()
    lat, lon = LARGE.lat[::20], LARGE.lon[::20]
    still = Weather(lat, lon, np.zeros((lat.size, lon.size)), 1)
    # The same month 30 whole years apart: the anomalies average out over many.
    early, late = (np.mean([still.temperature(y + m / 12) for y in range(s, s + 30) for m in range(12)])
                   for s in (1900, 1990))  # fmt: skip
    assert late - early == pytest.approx(warming(2005.0) - warming(1915.0), abs=0.35)


@pytest.mark.filterwarnings("ignore:Ambiguous reference date")
def test_carbon_dioxide_counts_from_a_year_that_is_not_and_scenarios_go_on_from_it(tmp_path):
    write_carbon_dioxide(tmp_path, ["ssp126", "ssp585", "ssp434"])
    stem = "mole-fraction-of-carbon-dioxide-in-air_input4MIPs_GHGConcentrations_"
    names = ["CMIP_UoM-CMIP-1-2-0_gr1-GMNHSH_0000-2014", "ScenarioMIP_UoM-IMAGE-ssp126-1-2-1_gr1-GMNHSH_2015-2500",
             "ScenarioMIP_UoM-REMIND-MAGPIE-ssp585-1-2-1_gr1-GMNHSH_2015-2500"]  # fmt: skip
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"{stem}{n}.nc" for n in names]
    history, green, busy = (xr.open_dataset(tmp_path / f"{stem}{n}.nc", decode_times=False) for n in names)
    with pytest.raises(ValueError, match="decode_times=False"):
        xr.open_dataset(tmp_path / f"{stem}{names[0]}.nc", decode_times=True)
    assert history["time"].attrs["units"] == "days since 0-1-1" and history.sizes == {"time": 2015, "sector": 3}
    # The middle of year y, y years of 365.2425 days and half a year after the start.
    np.testing.assert_allclose(history["time"], (np.arange(2015) + 0.5) * 365.2425, rtol=0, atol=2)
    values = {
        key: d["mole_fraction_of_carbon_dioxide_in_air"] for key, d in zip("hgb", (history, green, busy), strict=True)
    }
    assert all(v.attrs["units"] == "1.e-6" and v.dtype == np.float32 for v in values.values())
    mean, north, south = values["h"].to_numpy().T
    assert (
        (mean[1850:] > 250).all()
        and (mean[1850:] < 450).all()
        and (south < mean)[1850:].all()
        and (mean < north)[1850:].all()
    )
    rate = mean[-1] - mean[-2]
    for scenario in "gb":
        assert 0 < values[scenario][0, 0] - mean[-1] < 1.5 * rate
    assert values["g"][85, 0] < values["b"][85, 0]  # 2100
    assert green["time"].attrs["units"] == "days since 1850-1-1"
    assert (green["time"] / 365.2425 + 1850).astype(int).to_numpy().tolist() == list(range(2015, 2501))


def test_people_live_in_cells_of_half_a_degree_and_mostly_in_towns(tmp_path):
    write_population(tmp_path, SMALL.cut(slice(25, 50), slice(25, 50)), 1)  # touches one cell
    write_population(tmp_path / "coast", Grid(38.5, 20.0, 0.01, 0.01, 100, 200), 1)
    name = "population_histsoc_30arcmin_annual_1901_2021.nc"
    data = xr.open_dataset(tmp_path / name)
    assert data["time"].dt.year.to_numpy().tolist() == list(range(1901, 2022))
    assert data.lat.to_numpy().tolist() == [35.75] and data.lon.to_numpy().tolist() == [29.25]
    total, urban, rural = (data[f"{kind}-population"] for kind in ("total", "urban", "rural"))
    assert total.dims == ("time", "lat", "lon")
    np.testing.assert_allclose(total, urban + rural, rtol=1e-6)
    assert (urban.diff("time") >= 0).all() and urban[-1] > rural[-1]
    # 3000 people a km2 of town: the towns they need are those on the map, give or take the inventory.
    towns = (Land(SMALL, 1).land_use(2020) == 1) * SMALL.cell_area()[:, None] / 1e6
    assert float(urban.sel(time="2020").item()) / 3000 == pytest.approx(towns.sum(), rel=0.3)
    coast = xr.open_dataset(tmp_path / "coast" / name, mask_and_scale=False)["total-population"]
    assert coast.attrs["_FillValue"] == np.float32(1e20) and (coast == np.float32(1e20)).any() and (coast < 1e9).any()


def test_zones_of_the_past_are_those_of_a_cooler_earth(everything):
    _, raw = everything
    maps = {}
    for period, middle in (("1901_1930", 1915.5), ("1961_1990", 1975.5)):
        with rasterio.open(raw / period / "koppen_geiger_0p00833333.tif") as raster:
            maps[period] = raster.read(1)
            lat, lon = (36 + 1 / 120 - (np.arange(62) + 0.5) / 120, 29 - 1 / 120 + (np.arange(62) + 0.5) / 120)
            np.testing.assert_array_equal(maps[period], koppen(lat, lon, 1, float(warming(middle))))
    assert (raw / "1931_1960").is_dir() and not (raw / "2041_2070").exists()


def test_all_inputs_that_a_run_names_are_found(everything):
    _, raw = everything
    counts = {"koppen_history": 3, "land_cover": 1, "land_cover_later": 1, "leaf_area_index": 3, "climate": 2,
              "climate_land": 2, "co2": 1, "population": 1}  # fmt: skip
    assert {role: len(find_files(dataset, raw)) for role, dataset in ROLES.items()} == counts


def test_files_written_twice_are_equal_and_those_that_exist_are_kept(everything, tmp_path):
    run, raw = everything
    write(tmp_path, run)
    assert digests(tmp_path) == digests(raw) and not list(tmp_path.rglob("*.part"))
    kept = [
        next(tmp_path.glob(f"{start}*")) for start in ("ESACCI", "C3S", "c_gls", "era5_m", "era5_l", "mole", "popu")
    ]
    for path in kept:
        path.write_bytes(b"mine")
    write(tmp_path, run)
    assert all(path.read_bytes() == b"mine" for path in kept)


def test_a_run_writes_leaf_area_for_its_years_and_refuses_sources_that_are_not_made(tmp_path):
    run = small_run((2021, 2021), leaf_area_index="lai_cgls_1km", climate="era5_monthly")
    write_twin(tmp_path, run)  # leaf area ended in 2020
    assert {p.name for p in tmp_path.glob("*2021*")} == {
        "era5_monthly_2021.nc",
        "hilda_plus_states_2021_GLOB-v2_wgs84.tif",
    }
    with pytest.raises(ValueError, match="lai_glass"):
        write_twin(tmp_path, small_run((2000, 2000), leaf_area_index="lai_glass"))


def test_a_run_that_names_all_eight_scenarios_gets_eight_files_that_part_after_2015(tmp_path):
    assert len(STATES) == 8
    write_twin(tmp_path, small_run((2015, 2015), scenarios=STATES))
    ends = {}
    for scenario, dataset in STATES.items():
        (file,) = find_files(dataset, tmp_path)
        data = xr.open_dataset(file.path, decode_times=False)
        assert data.sizes["time"] == 86 and data["time"].attrs["units"] == "years since 2015-01-01 0:0:0"
        ends[scenario] = data["primf"].to_numpy()[[0, -1]], data["urban"].to_numpy()[[0, -1]]
    first = ends["ssp119"][1][0]
    assert all(np.array_equal(urban[0], first) for _, urban in ends.values())
    assert len({np.stack([f[-1], u[-1]]).tobytes() for f, u in ends.values()}) == 8
