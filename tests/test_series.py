"""Series that stay on their own grids: what continues them in each scenario, and what is refused."""

import numpy as np
import pytest
import xarray as xr
import zarr
from tiny_run import tiny_land_use

from ai4land.cube import Layout, layers, open_series, write_series
from ai4land.grid import Grid
from ai4land.runs import Inputs
from ai4land.sources.inputs import find_inputs, missing_inputs, needs
from ai4land.sources.registry import InputFile
from ai4land.windows import Window


def yearly(name, first, last, start, **attrs):
    years = np.arange(first, last + 1, dtype=np.int16)
    return xr.Dataset({name: ("time", start + np.arange(years.size, dtype=float))}, {"time": years}, attrs)


def monthly(first, last):
    months = np.arange(first, str(int(last) + 1), dtype="datetime64[M]").astype("datetime64[ns]")
    return xr.Dataset({"air_temperature": ("time", np.zeros(months.size))}, {"time": months})


@pytest.fixture
def run():
    tiny = tiny_land_use()

    def make(**inputs):
        return tiny.model_copy(update={"inputs": Inputs(**tiny.inputs.model_dump() | inputs)})

    return make


def test_each_scenario_of_co2_is_kept_apart_from_the_past_it_continues(run, monkeypatch):
    tables = {
        "past": yearly("co2", 1850, 2014, 285.0, mip_era="CMIP6"),
        "ssp126": yearly("co2", 2015, 2100, 450.0, mip_era="CMIP6"),
    }
    monkeypatch.setattr(layers, "open_input", lambda files: tables[files[0]])
    chosen = run(co2="co2_cmip6_history", co2_scenarios={"ssp126": "co2_cmip6_ssp126"})
    groups = open_series(chosen, {"co2": ["past"], "co2-ssp126": ["ssp126"]})
    assert list(groups) == ["co2", "co2-ssp126"]
    assert [int(groups[g]["time"][i]) for g in groups for i in (0, -1)] == [1850, 2014, 2015, 2100]
    assert float(groups["co2-ssp126"]["co2"][0]) == 450.0


def test_a_climate_model_goes_before_the_reanalysis_and_each_scenario_after_it(run, monkeypatch):
    era5, past, future = monthly("1940", "2020"), monthly("1850", "2014"), monthly("2015", "2100")
    tables = {"era5": era5, "past": past, "ssp126": future}
    monkeypatch.setattr(layers, "open_input", lambda files: tables[files[0]])
    asked = []

    def join(reanalysis, history, scenario=None):
        asked.append(scenario is future)
        return monthly("1850", "2020") if scenario is None else monthly("1850", "2100")

    monkeypatch.setattr(layers, "join_climate", join)
    chosen = run(
        climate="era5_monthly", climate_history="isimip3b_historical", climate_scenarios={"ssp126": "isimip3b_ssp126"}
    )
    groups = open_series(chosen, {"climate": ["era5"], "climate_history": ["past"], "climate-ssp126": ["ssp126"]})
    assert asked == [False, True]
    assert str(groups["climate"]["time"].to_numpy()[0])[:7] == "1850-01"
    assert str(groups["climate-ssp126"]["time"].to_numpy()[0])[:7] == "2021-01"


def test_a_scenario_without_a_climate_is_refused_where_climate_is_an_input_and_none_stands_in(run):
    chosen = run(
        climate="era5_monthly", climate_history="isimip3b_historical", climate_scenarios={"ssp434": "isimip3b_ssp434"}
    )
    with pytest.raises(ValueError, match=r"scenario 'ssp434' has no climate.*ssp126.*ssp370.*ssp585"):
        needs(chosen)


@pytest.mark.parametrize(
    "inputs",
    [
        {"co2_scenarios": {"ssp126": "co2_cmip6_ssp126"}},
        {"climate": "era5_monthly", "climate_scenarios": {"ssp126": "isimip3b_ssp126"}},
        {"climate_history": "isimip3b_historical"},
    ],
)
def test_what_continues_nothing_is_refused_when_the_run_is_read(run, inputs):
    with pytest.raises(ValueError, match="continue"):
        run(**inputs)


@pytest.mark.parametrize("role", ["scenarios", "co2_scenarios", "population_scenarios"])
def test_a_data_set_of_another_scenario_is_refused(run, role):
    both = {"co2": "co2_cmip6_history", "population": "population_histsoc"}
    with pytest.raises(ValueError, match="luh2_v2f_ssp126_states is not of scenario ssp585"):
        run(**both, **{role: {"ssp585": "luh2_v2f_ssp126_states"}})


def test_a_data_set_serves_only_in_its_role(run):
    with pytest.raises(ValueError, match=r"era5_monthly \(.*\) cannot serve as population"):
        needs(run(population="era5_monthly"))


def test_a_real_run_does_not_read_made_up_files(run, tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "SYNTHETIC.txt").touch()
    real = run().model_copy(update={"synthetic": False})
    with pytest.raises(ValueError, match=r"is real, the files in .*deep are made up"):
        missing_inputs(real, tmp_path)
    assert missing_inputs(run(), tmp_path)  # synthetic: only what is missing


def test_of_files_of_many_scenarios_a_role_gets_its_own(run, monkeypatch):
    chosen = run(population="population_histsoc", population_scenarios={"ssp126": "population_ssp"})

    def files(dataset, raw, years=None, bounds=None):
        keys = [{"scenario": "ssp1"}, {"scenario": "ssp5"}] if dataset == "population_ssp" else [{}]
        return [InputFile(dataset, raw, k) for k in keys]

    monkeypatch.setattr("ai4land.sources.inputs.find_files", files)
    found = find_inputs(chosen, None)
    assert [f.keys["scenario"] for f in found["population-ssp126"]] == ["ssp1"]
    assert len(found["population"]) == 1


def test_numbers_of_a_series_keep_four_digits_and_missing_stays_missing(tmp_path):
    grid = Grid(46.0, 10.0, 0.25, 0.25, 4, 4)
    values = np.random.default_rng(0).lognormal(0, 3, (24, 8, 8)).astype(np.float32)
    values[0, 0, 0] = np.nan
    wide = Grid(46.5, 9.5, 0.25, 0.25, 8, 8)
    months = np.arange("2000-01", "2002-01", dtype="datetime64[M]").astype("datetime64[ns]")
    data = xr.Dataset({"rain": (("time", "lat", "lon"), values)}, {"time": months, **wide.coords()}).chunk(time=5)
    layout = Layout(grid, {"here": Window.whole((4, 4))})
    zarr.open_group(tmp_path / "cube.zarr", mode="w").update_attributes({"source": "here", "synthetic": 1})
    write_series(tmp_path / "cube.zarr", layout, "climate", data)
    stored = xr.open_zarr(tmp_path / "cube.zarr", group="climate", consolidated=False)
    assert stored.attrs["synthetic"] == 1 and stored["lat_bnds"].shape == (8, 2)
    kept = stored["rain"].to_numpy()
    assert np.array_equal(np.isnan(kept), np.isnan(values)) and kept.dtype == np.float32
    assert 1e-5 < np.nanmax(abs(kept / values - 1)) < 2.0**-13 * 1.001
