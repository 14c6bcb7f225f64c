"""Every trap of LUH2's states, on tiny files in the publisher's layout."""

import re

import netCDF4
import numpy as np
import pytest
import xarray as xr

from ai4land.grid import grid_of
from ai4land.legend import read_crosswalk
from ai4land.sources import InputFile, find_files, open_input
from ai4land.sources.luh2 import STATES, open_luh2_states, state_class_fractions
from ai4land.sources.registry import read_registry

LAT, LON = 50.125 - 0.25 * np.arange(4), 5.125 + 0.25 * np.arange(5)
SEA = (0, 0)  # row and column that hold the fill value
V2F = "multiple-states_input4MIPs_landState_ScenarioMIP_UofMD-{}-2-1-f_gn_2015-2100.nc"
V2H = "multiple-states_input4MIPs_landState_CMIP_UofMD-landState-2-1-h_gn_0850-2015.nc"


def shares(steps, ice_water=0.2):
    """States (time, state, lat, lon) of the whole cell: positive, different, their sum 1 - ice and water."""
    rng = np.random.default_rng(0)
    values = rng.dirichlet(np.ones(len(STATES)), (steps, LAT.size, LON.size)).transpose(0, 3, 1, 2)
    return (values * (1 - ice_water)).astype(np.float32)


def write_states(path, steps=3, start=0.0, units="years since 850-01-01 0:0:0", fill="_Fillvalue", ascending=False,
                 values=None, without=(), extra=None, time=None):  # fmt: skip
    """A states file with bounds variables, calendar noleap and the fill value that its attribute misspells."""
    values, extra = shares(steps) if values is None else values, extra or {}
    order = slice(None, None, -1) if ascending else slice(None)
    with netCDF4.Dataset(path, "w") as data:
        for dim, size in (("time", None), ("lat", LAT.size), ("lon", LON.size), ("bounds", 2)):
            data.createDimension(dim, size)
        for name, centres in (("lat", LAT[order]), ("lon", LON)):
            variable = data.createVariable(name, "f8", (name,))
            variable.bounds = f"{name}_bounds"
            variable[:] = centres
            data.createVariable(f"{name}_bounds", "f8", (name, "bounds"))[:] = centres[:, None] + [-0.125, 0.125]
        variable = data.createVariable("time", "f8", ("time",))
        variable.setncatts({"units": units, "calendar": "noleap", "bounds": "time_bnds", "axis": "T"})
        variable[:] = start + np.arange(steps) if time is None else time
        data.createVariable("time_bnds", "f8", ("time", "bounds"))[:] = variable[:][:, None] + [0, 1]
        fields = dict(zip(STATES, values.transpose(1, 0, 2, 3), strict=True))
        fields |= {
            "secma": values[:, 0] * 100,
            "secmb": values[:, 1] * 10,
            **{n: values[:, 0] * 0 + np.float32(v) for n, v in extra.items()},
        }
        for name in set(fields) - set(without):
            variable = data.createVariable(name, "f4", ("time", "lat", "lon"), fill_value=False)
            variable.setncatts({"units": "1", fill: np.float32(1e20), "missing_value": np.float32(1e20)})
            field = fields[name].copy()
            field[:, *SEA] = 1e20
            variable[:] = field[:, order]
    return path


def open_states(path, version="2h"):
    return open_luh2_states([InputFile("luh2_v2h_states", path, {})], version)


def test_xarray_cannot_decode_years_since_and_the_reader_can(tmp_path):
    path = write_states(tmp_path / "states.nc", start=1000)
    with pytest.raises(ValueError, match="years since"):
        xr.open_dataset(path)
    # 850 + 1000: a file cut in time, whose first row is not the year 850.
    states = open_input(find_files("luh2_v2h_states", tmp_path))
    assert states["time"].dtype == np.int16 and states["time"].to_numpy().tolist() == [1850, 1851, 1852]


def test_the_future_counts_from_2015(tmp_path):
    write_states(tmp_path / V2F.format("IMAGE-ssp126"), start=0, units="years since 2015-01-01 0:0:0")
    states = open_input(find_files("luh2_v2f_ssp126_states", tmp_path))
    assert states["time"].to_numpy().tolist() == [2015, 2016, 2017] and states.attrs["version"] == "2f"


def test_luh3_counts_days_of_years_of_365_and_has_plantations(tmp_path):
    # 365 days a year from 0850: 1000 years are 365000 days; 1 July is day 181 of the year.
    days = 365.0 * (1000 + np.arange(3)) + 181
    files = [
        write_states(tmp_path / f"{share}.nc", units="days since 0850-01-01", extra={"pltns": share}, time=days)
        for share in (0, 0.01)
    ]
    without, planted = (open_states(path, "3-1-1") for path in files)
    assert without["time"].to_numpy().tolist() == [1850, 1851, 1852] and "pltns" not in without
    expected = shares(3)[:, STATES.index("secdf")]
    expected[:, *SEA] = np.nan
    np.testing.assert_array_equal(without["secdf"], expected)
    np.testing.assert_allclose(planted["secdf"], expected + 0.01, rtol=1e-5)


@pytest.mark.parametrize("fill", ["_Fillvalue", "_fillvalue", "_FillValue_"])
@pytest.mark.parametrize("ascending", [False, True])
def test_states_are_turned_north_to_south_and_the_misspelt_fill_is_missing(tmp_path, fill, ascending):
    states = open_states(write_states(tmp_path / "states.nc", fill=fill, ascending=ascending))
    expected = shares(3)
    expected[:, :, *SEA] = np.nan
    assert states["secdf"].dims == ("time", "lat", "lon") and grid_of(states).north == pytest.approx(50.25)
    for number, name in enumerate(STATES):
        np.testing.assert_array_equal(states[name].to_numpy(), expected[:, number])
        assert states[name].dtype == np.float32 and states[name].attrs["units"] == "1"
    np.testing.assert_allclose(states["secma"].to_numpy(), expected[:, 0] * 100, rtol=1e-6)
    assert (states["secma"].attrs["units"], states["secmb"].attrs["units"]) == ("years", "kg m-2")


def test_states_are_lazy_one_year_a_chunk_and_without_bounds(tmp_path):
    states = open_states(write_states(tmp_path / "states.nc"))
    assert set(states.data_vars) == {*STATES, "secma", "secmb"} and set(states.coords) == {"time", "lat", "lon"}
    assert all(field.chunks[0] == (1, 1, 1) for field in states.data_vars.values())
    assert "bounds" not in states["lat"].attrs and "units" not in states["time"].attrs


def test_a_file_cut_in_space_and_time_reads_as_the_same_part_of_the_whole(tmp_path):
    whole = write_states(tmp_path / "states.nc", steps=4, start=1000)
    cut = tmp_path / "cut.nc"
    with xr.open_dataset(whole, decode_times=False, mask_and_scale=False) as data:
        data.isel(time=slice(1, 3), lat=slice(1, 3), lon=slice(2, 5)).to_netcdf(cut)
    xr.testing.assert_equal(open_states(cut), open_states(whole).isel(time=[1, 2], lat=[1, 2], lon=[2, 3, 4]))


def test_a_century_without_a_file_value_is_not_counted_through(tmp_path):
    path = write_states(tmp_path / "states.nc", time=[1000.0, 1010.0, 1165.0])
    assert open_states(path)["time"].to_numpy().tolist() == [1850, 1860, 2015]


@pytest.mark.parametrize("units", ["months since 850-01-01", ""])
def test_other_units_of_time_are_refused_in_one_line(tmp_path, units):
    with pytest.raises(ValueError, match=re.escape(f"units of time are {units!r}")) as error:
        open_states(write_states(tmp_path / "states.nc", units=units))
    assert "\n" not in str(error.value)


def test_repeated_years_are_refused(tmp_path):
    with pytest.raises(ValueError, match="ascending"):
        open_states(write_states(tmp_path / "states.nc", time=[1000.0, 1000.5, 1001.0]))


def test_missing_variables_are_named(tmp_path):
    path = write_states(tmp_path / "states.nc", without=("range", "secmb"))
    with pytest.raises(ValueError, match=r"no variables \['range', 'secmb'\], found .*is this a LUH2 states file"):
        open_states(path)


def test_states_sum_to_one_less_ice_and_water(tmp_path):
    states = open_states(write_states(tmp_path / "states.nc"))
    total = states[list(STATES)].to_dataarray("state").sum("state", skipna=False).to_numpy()
    assert np.isnan(total[:, *SEA]).all()
    np.testing.assert_allclose(total.reshape(3, -1)[:, 1:], 0.8, rtol=1e-5)


@pytest.mark.parametrize("lazy", [True, False])
def test_classes_are_shares_of_the_land_of_the_cell(tmp_path, lazy):
    # Of a cell that is half water: forest 0.1 + 0.05, grass 0.08 + 0.02, pasture 0.1 + 0.05, urban 0.02,
    # crops 0.01 + 0.02 + 0.015 + 0.025 + 0.01 = 0.08; doubled, they are shares of its land.
    cell = dict(primf=0.1, secdf=0.05, primn=0.08, secdn=0.02, pastr=0.1, range=0.05, urban=0.02, c3ann=0.01,
                c4ann=0.02, c3per=0.015, c4per=0.025, c3nfx=0.01)  # fmt: skip
    values = np.broadcast_to(np.array([cell[s] for s in STATES])[:, None, None], (2, 12, 4, 5)).astype(np.float32)
    values = values.copy()
    values[:, :, 1, 1] = 0  # all ice
    states = open_states(write_states(tmp_path / "states.nc", steps=2, values=values))
    fraction = state_class_fractions(states if lazy else states.load())
    assert fraction.dims == ("time", "cover_class", "lat", "lon") and fraction.dtype == np.float32
    assert fraction["cover_class"].to_numpy().tolist() == list(range(8)) and (fraction.chunks is not None) == lazy
    expected = [0, 0.04, 0.16, 0.3, 0.3, 0.2, 0, 0]
    np.testing.assert_allclose(fraction[1, :, 2, 3], expected, rtol=1e-5)
    assert np.isnan(fraction[:, :, 1, 1]).all() and np.isnan(fraction[:, :, *SEA]).all()


def test_every_state_belongs_to_one_land_class():
    table = read_crosswalk("luh2", "land_use").set_index("source_code")
    assert set(table.index) == {*STATES, "pltns", "icwtr"} and (table["reason"] != "").all()
    assert set(table.loc[list(STATES), "code"]) == {1, 2, 3, 4, 5}


NAMES = {
    "hilda_plus_v1": "hilda_plus_2000_states_GLOB-v1-0_wgs84-nn.tif",
    "hilda_plus_v1f": "hildaplus_vGLOB-1.0-f_states.nc",
    "hilda_plus_v2": "hilda_plus_states_2000_GLOB-v2_wgs84.tif",
    "hilda_plus_v2_netcdf": "hildaplus_GLOB-2-0_states.nc",
    "gebco_2024": "GEBCO_2024_CF.nc",
    "gebco_2025": "GEBCO_2025.nc",
    "koppen_beck_2023": "koppen/1991_2020/koppen_geiger_0p00833333.tif",
    "koppen_beck_2023_future": "koppen/2041_2070/ssp245/koppen_geiger_0p00833333.tif",
    "luh2_static": "staticData_quarterdeg.nc",
    "luh2_v2h_states": "LUH2_v2h/states.nc",
    "luh2_v2f_ssp119_states": V2F.format("IMAGE-ssp119"),
    "luh2_v2f_ssp126_states": V2F.format("IMAGE-ssp126"),
    "luh2_v2f_ssp245_states": V2F.format("MESSAGE-ssp245"),
    "luh2_v2f_ssp370_states": V2F.format("AIM-ssp370"),
    "luh2_v2f_ssp434_states": V2F.format("GCAM-ssp434"),
    "luh2_v2f_ssp460_states": V2F.format("GCAM-ssp460"),
    "luh2_v2f_ssp534_states": V2F.format("MAGPIE-ssp534"),
    "luh2_v2f_ssp585_states": V2F.format("MAGPIE-ssp585"),
    "soilgrids": "sand_0-5cm_mean_1000.tif",
}


def datasets_of(name):
    """Data sets whose pattern takes a path, by its last part or whole, as `find_files` does."""
    patterns = read_registry()["pattern"]
    return {d for d, p in patterns.items() if re.fullmatch(p, name) or re.fullmatch(p, name.split("/")[-1])}


@pytest.mark.parametrize("dataset", NAMES)
def test_each_publishers_name_belongs_to_one_data_set(dataset):
    assert datasets_of(NAMES[dataset]) == {dataset}


def test_names_of_other_products_belong_to_none():
    assert datasets_of(V2H) == {"luh2_v2h_states"}
    others = [
        V2H.replace("landState-2-1-h", "landState-high-2-1-h"), V2H.replace("landState-2-1-h", "landState-low-2-1-h"),
        "transitions.nc", V2F.format("AIM-ssp370").replace("states", "transitions"), "soc_0-5cm_mean_1000.tif",
        "sand_0-5cm_Q0.5.vrt", "koppen/2041_2070/ssp245/koppen_geiger_0p1.tif", "koppen_geiger_0p00833333.tif",
    ]  # fmt: skip
    assert {name: datasets_of(name) for name in others} == {name: set() for name in others}


def test_scenarios_have_their_own_row_folder_and_name():
    table = read_registry()
    rows = table[table["version"] == "2f"]
    assert len(rows) == rows["url"].nunique() == 8
    for dataset, row in rows.iterrows():
        assert re.fullmatch(row["pattern"], row["url"].split("/")[-1]) and dataset.split("_")[2] in row["url"]
        assert row["title"].count(f"SSP{dataset[12]}-{dataset[13]}.{dataset[14]}") == 1


def test_two_periods_of_koppen_are_two_files(tmp_path):
    for period in ("2041_2070", "2071_2099"):
        path = tmp_path / period / "ssp245" / "koppen_geiger_0p00833333.tif"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
    files = find_files("koppen_beck_2023_future", tmp_path)
    assert [f.keys for f in files] == [{"period": p, "scenario": "ssp245"} for p in ("2041_2070", "2071_2099")]
