"""A climate model continues a reanalysis: same mean climate, its own changes, and no scenario in place of another."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from ai4land.grid import Grid
from ai4land.legend import DATA
from ai4land.sources.climate import (
    ORIGINS,
    adjust_model,
    check_climate_scenario,
    join_climate,
    read_climate_variables,
)

FINE, COARSE = Grid(41.0, 10.0, 0.25, 0.25, 4, 4), Grid(41.5, 9.5, 0.5, 0.5, 4, 4)
TAS, PR, RSDS = "air_temperature", "precipitation_flux", "surface_downwelling_shortwave_flux"
DAY = 1 / 86400  # 1 mm day-1 in kg m-2 s-1
COMMON = (1981, 1984)
SOIL = [f"soil_moisture_{i}" for i in (1, 2, 3, 4)]


def series(grid, first, last, make, names, slope=0.1, **attrs):
    """Monthly fields over years, ``make(name, year, month)`` times a pattern that rises from cell to cell."""
    time = pd.date_range(f"{first}-01", f"{last}-12", freq="MS").as_unit("ns")
    values = {n: np.array([make(n, t.year, t.month) for t in time])[:, None, None] for n in names}
    pattern = 1 + slope * np.linspace(0, 1, grid.rows * grid.cols).reshape(grid.shape)
    edges = {"lat": grid.lat_edges, "lon": grid.lon_edges}
    bounds = {f"{d}_bnds": ((d, "bnds"), np.stack([e[:-1], e[1:]], -1)) for d, e in edges.items()}
    fields = {n: (("time", "lat", "lon"), (v * pattern).astype(np.float32)) for n, v in values.items()}
    return xr.Dataset(fields, {"time": time, **grid.coords(), **bounds}, attrs).chunk({"time": 12})


def observed(name, year, month):
    base = {TAS: 280 + month, PR: DAY * (1 + month % 3), RSDS: 20.0 * month}
    return base.get(name, 0.2 + 0.01 * month) * (1 + 0.001 * (year - 1980))


def modelled(name, year, month):
    base = {TAS: 290 - month, PR: DAY * (2 + month % 5), RSDS: 15.0 * month}
    return base[name] * (1 + 0.002 * (year - 1980) + 0.001 * ((year * 7 + month) % 3))


@pytest.fixture
def reanalysis():
    return series(FINE, 1980, 1985, observed, read_climate_variables().index, version="ERA5")


def model(first, last, make=modelled, scenario="historical", grid=COARSE, name="gfdl-esm4", slope=0.1):
    about = {"model": name, "member": "r1i1p1f1", "scenario": scenario}
    return series(grid, first, last, make, (TAS, PR, RSDS), slope, **about)


def steady(name, year, month):
    return {TAS: 300.0, PR: DAY, RSDS: 50.0}[name]


def monthly_mean(field):
    years = field["time"].dt.year
    return field.isel(time=(years >= COMMON[0]) & (years <= COMMON[1])).astype(float).groupby("time.month").mean()


def test_over_the_common_period_the_mean_of_the_model_is_that_of_the_reanalysis(reanalysis):
    history = model(1978, 1986)
    adjusted = adjust_model(history, history, reanalysis, COMMON)
    for name in (TAS, PR, RSDS):
        got, wanted = monthly_mean(adjusted[name]), monthly_mean(reanalysis[name])
        np.testing.assert_allclose(got, wanted, rtol=3e-7)
        # The model itself is far off, and its years do differ: the equality above is not trivial.
        assert abs(history[name].mean() / reanalysis[name].mean() - 1) > 0.005
        assert float(adjusted[name].isel(time=slice(0, None, 12)).std("time").min()) > 0


def test_a_warmer_month_adds_its_kelvins_and_a_wetter_one_multiplies():
    def change(name, year, month):
        usual = {TAS: 290.0, PR: 4 * DAY, RSDS: 200.0}[name]
        return usual if year < 2015 else {TAS: usual + 2, PR: usual * 1.5, RSDS: usual * 0.9}[name]

    def flat(name, year, month):
        return {TAS: 280.0, PR: 2 * DAY, RSDS: 100.0}.get(name, 0.2)

    seen = series(FINE, 1980, 1985, flat, read_climate_variables().index, slope=0)
    run = model(1978, 2015, change, slope=0)
    got = adjust_model(run.sel(time="2015"), run, seen, COMMON)
    np.testing.assert_allclose(got[TAS], 282, rtol=1e-6)
    np.testing.assert_allclose(got[PR], 3 * DAY, rtol=1e-5)
    np.testing.assert_allclose(got[RSDS], 90, rtol=1e-5)


def test_where_the_models_month_is_dry_the_ratio_is_one_and_else_it_is_bounded(reanalysis):
    def desert(name, year, month):
        if name != PR:
            return modelled(name, year, month)
        wet = year == 1979
        # January: 0.05 mm day-1, below the limit of 0.1; July: 0.2, above it, and 100 times as much in 1979.
        return DAY * {1: 5.0 if wet else 0.05, 7: 20.0 if wet else 0.2}.get(month, 1.0)

    history = model(1979, 1986, desert)
    got = adjust_model(history.sel(time="1979"), history, reanalysis, COMMON)[PR]
    mean = monthly_mean(reanalysis[PR])
    np.testing.assert_allclose(got[0], mean.sel(month=1), rtol=1e-6)
    np.testing.assert_allclose(got[6], 4 * mean.sel(month=7), rtol=1e-5)  # four common years: at most 4 times
    np.testing.assert_allclose(got[3], mean.sel(month=4), rtol=1e-5)


def test_a_missing_value_of_the_model_is_no_dry_month(reanalysis):
    history = model(1978, 1986)
    history[PR] = history[PR].where(history["lat"] < 41)
    got = adjust_model(history.sel(time="1979"), history, reanalysis, COMMON)
    assert np.isnan(got[PR].sel(lat=40.875)).all() and np.isfinite(got[TAS]).all()


def test_changes_are_interpolated_between_the_models_cell_centres_by_hand(reanalysis):
    history = model(1978, 1986, steady, slope=0)
    # Warmer in 1979 by 10 K per degree of longitude east of 10 E: linear, so bilinear interpolation is exact.
    history[TAS] = history[TAS] + (history["time"].dt.year == 1979) * 10 * (history["lon"] - 10)
    got = adjust_model(history.sel(time="1979"), history, reanalysis, COMMON)[TAS]
    change = (got[4] - monthly_mean(reanalysis[TAS]).sel(month=5)).to_numpy()
    np.testing.assert_allclose(change, np.tile([1.25, 3.75, 6.25, 8.75], (4, 1)), atol=1e-3)


def test_up_to_its_edges_the_model_is_constant_beyond_the_outermost_centres(reanalysis):
    tight = Grid(41.0, 10.0, 0.5, 0.5, 2, 2)  # the very window of the reanalysis: centres at 10.25 and 10.75 E
    history = model(1978, 1986, steady, grid=tight, slope=0)
    history[TAS] = history[TAS] + (history["time"].dt.year == 1979) * 10 * (history["lon"] - 10.25)
    got = adjust_model(history.sel(time="1979"), history, reanalysis, COMMON)[TAS]
    change = (got[4] - monthly_mean(reanalysis[TAS]).sel(month=5)).to_numpy()
    # Centres of the reanalysis at 10.125, 10.375, 10.625 and 10.875 E.
    np.testing.assert_allclose(change, np.tile([0, 1.25, 3.75, 5], (4, 1)), atol=1e-3)


def test_the_series_says_where_each_month_is_from_and_the_reanalysis_is_untouched(reanalysis):
    joined = join_climate(reanalysis, model(1978, 1986), model(1987, 1988, scenario="ssp370"), COMMON)
    assert joined.sizes["time"] == 11 * 12
    year, origin = joined["time"].dt.year.to_numpy(), [ORIGINS[k] for k in joined["origin"].to_numpy()]
    wanted = {**dict.fromkeys(range(1980, 1986), "reanalysis"), 1987: "model_scenario", 1988: "model_scenario"}
    assert origin == [wanted.get(y, "model_history") for y in year]
    assert joined["origin"].attrs["flag_meanings"].split() == list(ORIGINS)
    for name in reanalysis:
        np.testing.assert_array_equal(joined[name].sel(time=slice("1980", "1985")), reanalysis[name])
    assert joined["lat"].equals(reanalysis["lat"]) and "lat_bnds" in joined.coords
    assert all(field.chunks and field.dtype == np.float32 and field.attrs["units"] for field in joined.values())


def test_there_is_no_step_at_the_seams_where_nothing_changes():
    def unchanging(scale):
        return lambda name, year, month: scale * {TAS: 280 + month, PR: DAY * month, RSDS: 10.0 * month}.get(name, 0.1)

    seen = series(FINE, 1980, 1985, unchanging(1.0), read_climate_variables().index, version="ERA5")
    past, future = model(1978, 1986, unchanging(1.2)), model(1987, 1987, unchanging(1.2), "ssp126")
    joined = join_climate(seen, past, future, COMMON)
    for name in joined:
        by_year = joined[name].to_numpy().reshape(10, 12, 4, 4)
        np.testing.assert_allclose(by_year, np.broadcast_to(by_year[2], by_year.shape), rtol=1e-5, err_msg=name)


def test_soil_moisture_outside_the_reanalysis_is_its_climatology_and_says_so(reanalysis):
    joined = join_climate(reanalysis, model(1978, 1986), None, COMMON)
    mean = monthly_mean(reanalysis["soil_moisture_2"])
    for year in ("1978", "1979", "1986"):
        np.testing.assert_allclose(joined["soil_moisture_2"].sel(time=year), mean, rtol=1e-6)
    origin = joined["soil_moisture_origin"]
    assert {ORIGINS[k] for k in origin.sel(time=slice("1980", "1985")).to_numpy()} == {"reanalysis"}
    assert {ORIGINS[k] for k in origin.sel(time="1979").to_numpy()} == {"climatology"}


def test_across_the_date_line_a_global_model_has_no_edge():
    earth = Grid(41.0, -180.0, 30.0, 30.0, 2, 12)
    east = model(1978, 1986, steady, grid=earth, slope=0)
    warm = xr.where(east["lon"] == 165.0, 6.0, xr.where(east["lon"] == -165.0, 12.0, 0.0))
    east[TAS] = east[TAS] + (east["time"].dt.year == 1979) * warm
    window = Grid(41.0, -180.5, 1.0, 1.0, 2, 2)  # ERA5 has a cell centred on 180 W
    seen = series(window, 1980, 1985, observed, read_climate_variables().index, version="ERA5")
    seen = seen.assign_coords(lon=[-180.0, -179.0])
    got = adjust_model(east.sel(time="1979"), east, seen, COMMON)[TAS]
    change = (got[0] - monthly_mean(seen[TAS]).sel(month=1)).to_numpy()
    np.testing.assert_allclose(change, np.tile([9.0, 9.2], (2, 1)), atol=1e-3)


def test_what_does_not_fit_is_refused_in_one_line(reanalysis):
    history = model(1978, 1986)
    future = model(1987, 1988, scenario="ssp370")
    other, late = (model(y, y, scenario="ssp370", name=n) for y, n in ((1987, "mri-esm2-0"), (1988, "gfdl-esm4")))
    for message, arguments in {
        "expected the historical experiment": (reanalysis, future, None, COMMON),
        "mri-esm2-0.* give two of one model run": (reanalysis, history, other, COMMON),
        "12 months are missing between 1978-01 and 1988-12": (reanalysis, history, late, COMMON),
        "'ssp245' has no climate here": (reanalysis, history, model(1987, 1987, scenario="ssp245"), COMMON),
        "reanalysis: 60 of the 360 months of 1981-2010": (reanalysis, history, None, (1981, 2010)),
        "climate model: 0 of the 48 months": (reanalysis, model(1970, 1979), None, COMMON),
        "no variable precipitation_flux": (reanalysis, history.drop_vars(PR), None, COMMON),
    }.items():  # fmt: skip
        with pytest.raises(ValueError, match=message) as error:
            join_climate(*arguments)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(("north", "west"), [(40.75, 9.5), (42.5, 9.5), (41.5, 10.25), (41.5, 8.75)])
def test_a_model_that_ends_inside_the_reanalysis_on_any_side_is_refused(reanalysis, north, west):
    history = model(1978, 1986, grid=Grid(north, west, 0.5, 0.5, 4, 4))
    with pytest.raises(ValueError, match="the model covers .* and not all of the reanalysis"):
        join_climate(reanalysis, history, None, COMMON)


def test_scenarios_without_a_climate_are_refused_with_those_that_have_one():
    for scenario in ("ssp126", "ssp370", "ssp585"):
        check_climate_scenario(scenario)
    for scenario in ("ssp119", "ssp245", "ssp434", "ssp460", "ssp534", "ssp12", "historical"):
        with pytest.raises(ValueError, match=rf"'{scenario}' has no climate.*\['ssp126', 'ssp370', 'ssp585'\]"):
            check_climate_scenario(scenario)


def test_every_scenario_of_the_land_use_has_its_row_and_every_row_its_reason():
    table = pd.read_csv(DATA / "climate_scenarios.csv", keep_default_na=False)
    registry = pd.read_csv(DATA / "registry.csv", dtype=str)["dataset"]
    land_use = set(registry.str.extract(r"^luh2_v2f_(ssp\d+)_states$")[0].dropna())
    assert land_use == set(table["scenario"]) and table["scenario"].is_unique and table["reason"].all()
    assert not table["accepted"][table["isimip"] == ""].any()


def test_the_data_dictionary_is_whole():
    table = read_climate_variables()
    assert table.index.is_unique and table["era5"].is_unique and table["cds"].is_unique and table["reason"].all()
    assert set(table["join"]) == {"additive", "multiplicative", "climatology"}
    assert ((table["isimip"] == "") == (table["join"] == "climatology")).all()
    assert (table["least"].notna() == (table["join"] == "multiplicative")).all()
    np.testing.assert_allclose(table.loc[PR, "least"], 0.1 / 86400)
    # 0-7, 7-28, 28-100 and 100-289 cm, without a gap.
    assert table.loc[SOIL, "layer_bottom"].tolist() == [0.07, 0.28, 1, 2.89]
    assert table.loc[SOIL, "layer_top"].tolist() == [0, 0.07, 0.28, 1]
