"""Past and scenario meet by a stated rule; what does not belong together is refused."""

import re

import numpy as np
import pytest
import rasterio
import xarray as xr
from conftest import write_geotiff

from ai4land.legend import DATA
from ai4land.sources.joins import join_co2, join_luh2, join_population
from ai4land.sources.koppen import koppen_period, open_koppen_geotiff
from ai4land.sources.luh2 import STATES
from ai4land.sources.registry import InputFile


def co2(first, values, era="CMIP6", version="1-2-0"):
    years = np.arange(first, first + len(values), dtype=np.int16)
    attrs = {"mip_era": era, "version": version}
    return xr.Dataset({"co2": ("time", np.array(values, float), {"units": "1e-6"})}, {"time": years}, attrs)


def test_co2_of_the_past_is_kept_to_its_last_year_and_the_scenario_follows():
    joined = join_co2(co2(2013, [395.0, 397.0]), co2(2014, [398.0, 400.0, 403.0], version="1-2-1"))
    assert joined["time"].to_numpy().tolist() == [2013, 2014, 2015, 2016] and joined["time"].dtype == np.int16
    assert joined["co2"].to_numpy().tolist() == [395, 397, 400, 403]
    assert joined["co2"].attrs == {"units": "1e-6", "seam_difference": 3.0}
    assert joined.attrs["version"] == "1-2-0 to 2014, then 1-2-1"


def test_co2_of_two_cmip_phases_is_not_mixed():
    with pytest.raises(ValueError, match="history is of CMIP6 and scenario of CMIP7"):
        join_co2(co2(2013, [395.0, 397.0]), co2(2015, [400.0], "CMIP7"))
    with pytest.raises(ValueError, match="history is of None"):
        measured = xr.Dataset({"co2": ("time", [395.0])}, {"time": [2014]})
        join_co2(measured, measured)


@pytest.mark.parametrize("value", [402.1, 391.9, np.nan])
def test_co2_that_jumps_at_the_seam_is_refused(value):
    # More than 5 ppm up or down from 397.
    with pytest.raises(ValueError, match="from 2014 to 2015, more than 5.0"):
        join_co2(co2(2013, [395.0, 397.0]), co2(2015, [value, 403.0]))


def test_a_year_without_data_between_past_and_scenario_is_named():
    for first in (2016, 2012):  # after a gap; ends before the past does
        with pytest.raises(ValueError, match="history is 2013-2014 and scenario 201.-201.; no scenario for 2015"):
            join_co2(co2(2013, [395.0, 397.0]), co2(first, [396.0, 397.0]))


LAT, LON = np.array([10.25, 9.75]), np.array([5.25, 5.75, 6.25])


def density(values, first):
    """Density from values by year, each a list of the six cells."""
    values = np.array(values, np.float32).reshape(-1, 2, 3)
    years = np.arange(first, first + len(values), dtype=np.int16)
    coords = {"time": years, "lat": LAT, "lon": LON}
    field = xr.DataArray(values, coords, ("time", "lat", "lon"), attrs={"units": "km-2"})
    return xr.Dataset({"population_density": field}, attrs={"version": "1"}).chunk(time=1)


def test_population_fades_from_the_past_to_the_scenario_between_2015_and_2050():
    nan = np.nan
    history = density([[9, 9, 9, 9, 9, 9], [10, 2, 7, 0, nan, 5], [50] * 6], 2014)
    steps = [[4, 4, 0, 10, 3, nan]] + [[5, 4, 0, 1, 3, nan]] * 34 + [[40, 4, 0, 1, 3, 6]] * 2
    scenario = density(steps, 2015)
    joined = join_population(history, scenario)
    found = joined["population_density"]
    assert found.chunks is not None and found.dtype == np.float32 and found.attrs["units"] == "km-2"
    assert found["time"].to_numpy().tolist() == list(range(2014, 2052))
    xr.testing.assert_equal(found.sel(time=[2014, 2015]), history["population_density"].sel(time=[2014, 2015]))
    # Differences of 2015: 6, -2, 7, -10, none, none. In 2016 34/35 of them are left, in 2022 28/35 = 0.8.
    expected = [5 + 6 * 34 / 35, 4 - 2 * 34 / 35, 7 * 34 / 35, 0, 3, nan]
    np.testing.assert_allclose(found.sel(time=2016).to_numpy().ravel(), expected, rtol=1e-6)
    np.testing.assert_allclose(found.sel(time=2022).to_numpy().ravel(), [9.8, 2.4, 5.6, 0, 3, nan], rtol=1e-6)
    later = scenario["population_density"].sel(time=[2050, 2051])
    np.testing.assert_array_equal(found.sel(time=[2050, 2051]), later)


def test_population_does_not_jump_where_a_steady_scenario_differs_from_the_past():
    # A step a year is a 35th of the difference, at the seam and everywhere.
    history, scenario = density([[100, 0, 1, 1, 1, 1]], 2015), density([[30, 70, 1, 1, 1, 1]] * 40, 2015)
    found = join_population(history, scenario)["population_density"].to_numpy()
    np.testing.assert_allclose(np.diff(found[:36, 0, 0]), -70 / 35, rtol=1e-4)
    np.testing.assert_allclose(np.diff(found[:36, 0, 1]), 70 / 35, rtol=1e-4)
    assert (np.diff(found[35:], axis=0) == 0).all()


def test_population_without_the_year_of_the_seam_or_on_other_cells_is_refused():
    six = [1] * 6
    with pytest.raises(ValueError, match="the history is 2013-2014, it must hold 2015"):
        join_population(density([six] * 2, 2013), density([six] * 3, 2015))
    with pytest.raises(ValueError, match="the scenario is 2016-2017"):
        join_population(density([six], 2015), density([six] * 2, 2016))
    moved = density([six] * 3, 2015).assign_coords(lon=LON + 0.5)
    with pytest.raises(ValueError, match="population, scenario against history: grids differ"):
        join_population(density([six], 2015), moved)


def states(years, version, value=0.05, shift=0.0):
    """All states ``value`` in the first year and 0.001 more each year, sea in one cell; secma in years."""
    steps = value + 0.001 * np.arange(len(years))
    field = np.broadcast_to(steps[:, None, None], (len(years), 2, 3)).astype(np.float32).copy()
    field[:, 0, 0] = np.nan
    coords = {"time": np.array(years, np.int16), "lat": LAT + shift, "lon": LON}
    fields = {name: (("time", "lat", "lon"), field, {"units": "1"}) for name in STATES}
    fields |= {name: (("time", "lat", "lon"), field * 1000, {"units": "years"}) for name in ("secma", "secmb")}
    return xr.Dataset(fields, coords, {"version": version}).chunk(time=1)


def test_luh2_is_the_past_to_2015_and_the_scenario_from_2016():
    history, scenario = states([2013, 2014, 2015], "2h", 0.05), states([2015, 2016], "2f", 0.0525, shift=1e-6)
    scenario["secma"] = scenario["secma"] + 30
    joined = join_luh2(history, scenario)
    assert joined["time"].to_numpy().tolist() == [2013, 2014, 2015, 2016] and joined["primf"].chunks is not None
    np.testing.assert_allclose(joined["primf"][:, 1, 1], [0.05, 0.051, 0.052, 0.0535], rtol=1e-6)
    assert np.isnan(joined["primf"][:, 0, 0]).all() and joined["lat"].to_numpy().tolist() == LAT.tolist()
    # 2015: 0.0525 - 0.052, and 52.5 + 30 - 52 years.
    assert joined["urban"].attrs["seam_difference"] == pytest.approx(0.0005, rel=1e-3)
    assert joined["secma"].attrs == {"units": "years", "seam_difference": pytest.approx(30.5)}
    assert joined.attrs["version"] == "2h to 2015, then 2f"


def test_luh2_states_that_disagree_in_2015_are_named_with_their_size():
    history, scenario = states([2014, 2015], "2h", 0.05), states([2015, 2016], "2f", 0.051)
    scenario["range"] = scenario["range"] - 0.004 * (scenario["lat"] < 10)
    with pytest.raises(ValueError, match=re.escape("range of history and scenario differs by 0.004 of a cell in 2015")):
        join_luh2(history, scenario)
    # Land in one and sea in the other is a difference as well.
    scenario = states([2015, 2016], "2f", 0.051)
    scenario["urban"] = scenario["urban"].where(scenario["lon"] < 6)
    with pytest.raises(ValueError, match=re.escape("urban of history and scenario differs by 0.051")):
        join_luh2(history, scenario)


def test_luh3_keeps_its_past_where_the_scenario_overlaps_it():
    history = states(range(2020, 2025), "3-1-1", 0.05)
    scenario = states(range(2022, 2027), "3-1-1", 0.052)
    scenario = scenario + 0.002 * (scenario["time"] - 2022)  # as the past in 2022, off by 0.004 in 2024
    joined = join_luh2(history, scenario.assign_attrs(version="3-1-1"))
    assert joined["time"].to_numpy().tolist() == list(range(2020, 2027))
    np.testing.assert_allclose(joined["c3ann"][:, 1, 1], [0.05, 0.051, 0.052, 0.053, 0.054, 0.061, 0.064], rtol=1e-5)
    assert joined["c3ann"].attrs["seam_difference"] == pytest.approx(0.004, rel=1e-3)


def test_luh2_and_luh3_and_scenarios_without_a_common_year_are_refused():
    with pytest.raises(ValueError, match="history is version 2h and scenario 3-1-1; never mix"):
        join_luh2(states([2014, 2015], "2h"), states([2015, 2016], "3-1-1"))
    with pytest.raises(ValueError, match="no year in common"):
        join_luh2(states([2014, 2015], "2h"), states([2016, 2017], "2f"))
    with pytest.raises(ValueError, match="no scenario for 2016"):
        join_luh2(states([2014, 2015], "2h"), states([2014, 2015], "2f"))


def test_every_year_from_1850_to_2100_has_one_koppen_map():
    with (DATA / "koppen_periods.csv").open() as stream:
        rows = [line.split(",", 4) for line in stream.read().splitlines()[1:]]
    spans = [(int(first), int(last)) for first, last, *_ in rows]
    assert spans[0][0] == 1850 and spans[-1][1] == 2100 and all(reason for *_, reason in rows)
    assert all(first <= last for first, last in spans)
    assert [first for first, _ in spans[1:]] == [last + 1 for _, last in spans[:-1]]
    published = {"1901_1930", "1931_1960", "1961_1990", "1991_2020", "2041_2070", "2071_2099"}
    assert {koppen_period(year)[0] for year in range(1850, 2101)} == published
    # A map that names a year serves it, and only maps after 2020 have scenarios.
    for year in range(1850, 2101):
        period, scenario = koppen_period(year)
        first, last = map(int, period.split("_"))
        assert scenario == (first > 2020)
        assert first <= year <= last or year < 1901 or 2021 <= year <= 2040 or year == 2100, year
    assert koppen_period(1850) == ("1901_1930", False)
    # The centres of 1991-2020 and 2041-2070 are 2005.5 and 2055.5: 2030 is 24.5 and 25.5 years away, 2031 the reverse.
    assert (koppen_period(2030), koppen_period(2031)) == (("1991_2020", False), ("2041_2070", True))


@pytest.mark.parametrize("year", [1849, 2101])
def test_a_year_that_no_koppen_map_serves_is_refused(year):
    with pytest.raises(ValueError, match=f"year {year}: 0 rows of data/koppen_periods.csv.*covers 1850-2100"):
        koppen_period(year)


def koppen_file(root, zone, scenario=None, west=10.0, **keys):
    """One of the publisher's members, all of one name in folders of their own."""
    folder = root / keys.get("period", "none") / (scenario or "")
    path = write_geotiff(folder / "koppen_geiger_0p00833333.tif", np.full((2, 2), zone, np.uint8), west=west)
    return InputFile("koppen_beck_2023_future", path, keys | ({"scenario": scenario} if scenario else {}))


def test_koppen_maps_of_several_periods_stay_apart_and_in_order_of_time(tmp_path):
    files = [koppen_file(tmp_path, z, period=p) for z, p in ((3, "1961_1990"), (1, "1901_1930"), (2, "1931_1960"))]
    zones = open_koppen_geotiff(files, "koppen_beck_2023")
    assert zones.dims == ("period", "lat", "lon") and zones.dtype == np.uint8 and zones.chunks is not None
    assert zones["period"].to_numpy().tolist() == ["1901_1930", "1931_1960", "1961_1990"]
    assert zones[:, 0, 0].to_numpy().tolist() == [1, 2, 3]
    assert zones.sel(period=koppen_period(1850)[0]).to_numpy().tolist() == [[1, 1], [1, 1]]
    with rasterio.open(files[0].path) as raster:
        assert raster.read(1)[0, 0] == zones.sel(period="1961_1990")[0, 0]


def test_koppen_maps_of_two_scenarios_or_other_cells_are_refused(tmp_path):
    one = koppen_file(tmp_path, 1, "ssp126", period="2041_2070")
    for other in (
        koppen_file(tmp_path, 1, "ssp245", period="2071_2099"), koppen_file(tmp_path, 1, "ssp245", period="2041_2070"),
        koppen_file(tmp_path, 1),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="expected one map a period and one scenario"):
            open_koppen_geotiff([one, other], "koppen_beck_2023")
    moved = koppen_file(tmp_path, 1, "ssp126", west=11.0, period="2071_2099")
    with pytest.raises(ValueError, match="grids differ"):
        open_koppen_geotiff([one, moved], "koppen_beck_2023")


def test_a_koppen_code_that_is_not_in_the_legend_is_named_with_its_file(tmp_path):
    files = [koppen_file(tmp_path, z, period=p) for z, p in ((1, "1901_1930"), (31, "1931_1960"))]
    with pytest.raises(ValueError, match=r"1931_1960/koppen_geiger_0p00833333.tif.*codes \[31\]"):
        open_koppen_geotiff(files, "koppen_beck_2023").load()
