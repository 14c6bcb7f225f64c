"""Leaf area index: every publisher's packing, flags, labels and definition, and the weights of monthly means."""

import netCDF4
import numpy as np
import pytest
import rasterio
import xarray as xr
from conftest import write_geotiff

from ai4land.grid import grid_of
from ai4land.sources.leaf_area_index import (
    open_lai_c3s_netcdf,
    open_lai_cgls_netcdf,
    open_lai_confess,
    open_lai_glass,
)
from ai4land.sources.leaf_area_series import join_leaf_area_index, monthly_mean
from ai4land.sources.registry import InputFile

LAT, LON = 42 - np.arange(2) / 112, 10 + np.arange(4) / 112
CGLS = "c_gls_LAI_{}0000_GLOBE_{}_V2.0.2.nc"
C3S = "c3s_LAI_{}000000_GLOBE_{}_V{}.nc"
DN = [[0, 30, 210, 211], [251, 254, 255, 105]]  # 0, 1 and 7 m2 m-2, above the maximum; flags, 3.5 m2 m-2
NAN = np.nan


def packed(path, raw, dtype, fill, scale, date, lat=LAT, lon=LON, dims=("time", "lat", "lon"), **more):
    """A dated file in the publisher's layout: raw integers, attributes, a grid mapping."""
    limits = {"valid_range": np.array([0, 210 if dtype == "u1" else 65000], dtype)}
    attrs = {"scale_factor": np.float32(scale), "add_offset": np.float32(0), **limits}
    with netCDF4.Dataset(path, "w") as data:
        for name, size in (("time", 1), ("lat", len(lat)), ("lon", len(lon))):
            data.createDimension(name, size)
        for name, centres, units in (("lat", lat, "degrees_north"), ("lon", lon, "degrees_east")):
            variable = data.createVariable(name, "f8", (name,))
            variable.setncatts({"units": units, "axis": name[1].upper()})
            variable[:] = centres
        time = data.createVariable("time", "f8", ("time",))
        time.units = "days since 1970-01-01"
        time[:] = 0  # a date that is not the nominal one
        data.createVariable("crs", "S1").long_name = "coordinate reference system"
        variables = {
            "LAI": (raw, dtype, fill, attrs),
            **more,
        }
        for name, (values, kind, missing, own) in variables.items():
            variable = data.createVariable(name, kind, dims, fill_value=missing)
            variable.set_auto_maskandscale(False)
            variable.setncatts({"grid_mapping": "crs", "units": "1", **own})
            variable[:] = np.asarray(values, kind).reshape(variable.shape)
    return InputFile("lai", path, {"date": date})


def cgls(tmp_path, date="20130110", sensor="VGT", raw=DN, rmse=None, name=CGLS, dtype="u1", **more):
    if rmse is not None:
        more["RMSE"] = (rmse, "u1", 255, {"scale_factor": np.float32(1 / 30)})
    attrs = {"QFLAG": (np.zeros((2, 4)), "u2", None, {})}
    return packed(tmp_path / name.format(date, sensor), raw, dtype, 255, 1 / 30, date, **more, **attrs)


def c3s(tmp_path, version="4.0.1", date="20210720", flags=None, **more):
    raw = [[0, 10000, 65535, 20000], [1, 2, 3, 65534]]
    if flags is not None:
        more["retrieval_flag"] = (flags, "u4", None, {"scale_factor": np.float32(1), "add_offset": np.float32(0)})
    return packed(tmp_path / C3S.format(date, "SENTINEL3", version), raw, "u2", 65535, 2e-4, date, **more)


def plain(dates, values, definition="true", product="CGLS", lat=(2.0, 1.0), uncertain=False):
    """A series of one cell's values (and a second cell that is missing on the second date)."""
    field = np.array(values, np.float32)[:, None, None].repeat(2, 1).repeat(2, 2)
    if len(field) > 1:
        field[1, 0, 0] = np.nan
    lai = xr.Dataset(
        {"leaf_area_index": (("time", "lat", "lon"), field, {"units": "m2 m-2"})},
        {"time": np.array(dates, "datetime64[ns]"), "lat": list(lat), "lon": [1.0, 2.0]},
        {"definition": definition, "product": product, "version": "2"},
    ).assign_coords(sensor=("time", ["VGT"] * len(dates)))
    lai = lai.assign_coords(lat_bnds=(("lat", "bnds"), np.zeros((2, 2))), lon_bnds=(("lon", "bnds"), np.zeros((2, 2))))
    return lai.assign(leaf_area_index_uncertainty=lai["leaf_area_index"]) if uncertain else lai


# --- CGLS


@pytest.mark.parametrize("dims", [("time", "lat", "lon"), ("lat", "lon")])
def test_cgls_numbers_are_thirtieths_and_flags_and_values_above_seven_are_missing(tmp_path, dims):
    lai = open_lai_cgls_netcdf([cgls(tmp_path, dims=dims)], "2")
    field = lai["leaf_area_index"]
    assert field.dims == ("time", "lat", "lon") and field.dtype == np.float32 and field.chunks is not None
    np.testing.assert_allclose(field[0], [[0, 1, 7, NAN], [NAN, NAN, NAN, 3.5]], rtol=1e-6)
    assert field.attrs["units"] == "m2 m-2" and field.attrs["standard_name"] == "leaf_area_index"
    assert set(lai.data_vars) == {"leaf_area_index"}
    assert lai.attrs == {"product": "CGLS", "version": "2", "definition": "true"}


def test_cgls_labels_are_cell_centres_and_the_date_is_the_one_in_the_name(tmp_path):
    lai = open_lai_cgls_netcdf([cgls(tmp_path)], "2")
    assert lai["time"].dtype == "datetime64[ns]" and str(lai["time"].values[0])[:10] == "2013-01-10"
    np.testing.assert_allclose(lai["lat"], LAT)
    assert grid_of(lai).north == pytest.approx(42 + 1 / 224) and grid_of(lai).west == pytest.approx(10 - 1 / 224)
    np.testing.assert_allclose(lai["lat_bnds"][0], [42 + 1 / 224, 42 - 1 / 224])


def test_cgls_error_is_the_uncertainty_and_its_flags_are_missing(tmp_path):
    with_rmse = cgls(tmp_path, rmse=[[0, 15, 250, 251], [252, 253, 254, 255]])
    lai = open_lai_cgls_netcdf([with_rmse, cgls(tmp_path, date="20130120")], "2")
    error = lai["leaf_area_index_uncertainty"]
    np.testing.assert_allclose(error[0], [[0, 0.5, 250 / 30, NAN], [NAN] * 4], rtol=1e-6)
    assert np.isnan(error[1]).all() and error.attrs["units"] == "m2 m-2" and error.dtype == np.float32


def test_sensors_stay_a_coordinate_and_files_come_in_the_order_of_their_dates(tmp_path):
    files = [cgls(tmp_path, "20140110", "PROBAV", np.full((2, 4), 60)), cgls(tmp_path, "20131231", "VGT")]
    lai = open_lai_cgls_netcdf(files, "V2.0.2")
    assert lai["sensor"].to_numpy().tolist() == ["VGT", "PROBAV"]
    assert lai["leaf_area_index"][:, 0, 1].to_numpy().tolist() == pytest.approx([1, 2])
    name = "c_gls_LAI300-RT0_{}0000_GLOBE_{}_V1.1.2.nc"
    near_real_time = open_lai_cgls_netcdf([cgls(tmp_path, "20210131", "OLCI", name=name)], "1")
    assert near_real_time["sensor"].to_numpy().tolist() == ["OLCI"]


def test_cgls_files_of_another_version_grid_date_or_packing_are_refused(tmp_path):
    good = cgls(tmp_path)
    with pytest.raises(ValueError, match=r"V2.0.2.nc: no sensor and version 1 in the name"):
        open_lai_cgls_netcdf([good], "1")
    with pytest.raises(ValueError, match="grids differ"):
        open_lai_cgls_netcdf([good, cgls(tmp_path, "20130120", lat=LAT + 1)], "2")
    with pytest.raises(ValueError, match="keep one of each date"):
        open_lai_cgls_netcdf([good, cgls(tmp_path, "20130110", "PROBAV")], "2")
    with pytest.raises(ValueError, match="'20130231' in the name is no date"):
        open_lai_cgls_netcdf([cgls(tmp_path, "20130231")], "2")
    with pytest.raises(ValueError, match="LAI is float32 .*packed integers"):
        open_lai_cgls_netcdf([cgls(tmp_path, "20130131", dtype="f4")], "2")
    other = tmp_path / CGLS.format("20130210", "VGT")
    xr.Dataset({"FAPAR": ("x", [1.0])}).to_netcdf(other)
    with pytest.raises(ValueError, match=r"expected one date of \('LAI',\) on lat and lon, found \['FAPAR'\]"):
        open_lai_cgls_netcdf([InputFile("lai", other, {"date": "20130210"})], "2")


# --- C3S


def test_c3s_300_m_is_unpacked_screened_by_three_bits_and_moved_half_a_cell(tmp_path):
    # Kept: no bit, high uncertainty (0x200), all other bits. As a float32, 0x20000001 would lose its last bit.
    flags = [[0, 0x200, 0, 0x80], [0x40, 0x20000001, 0x3FFFFF00, 0]]
    lat, lon = 42 - np.arange(2) / 336, 10 + np.arange(4) / 336
    lai = open_lai_c3s_netcdf([c3s(tmp_path, flags=flags, lat=lat, lon=lon)], "4")
    expected = [[0, 10000 * 2e-4, NAN, NAN], [NAN, NAN, 3 * 2e-4, NAN]]
    np.testing.assert_allclose(lai["leaf_area_index"][0], expected, rtol=1e-6)
    np.testing.assert_allclose(lai["lat"], lat + 1 / 672, rtol=0, atol=1e-9)
    np.testing.assert_allclose(lai["lon"], lon + 1 / 672, rtol=0, atol=1e-9)
    # The label is the south-west corner: the first row spans 42 to 42 + 1/336, the first column 10 to 10 + 1/336.
    assert grid_of(lai).north == pytest.approx(42 + 1 / 336) and grid_of(lai).west == pytest.approx(10)
    assert lai.attrs["definition"] == "effective" and lai["sensor"].item() == "SENTINEL3"


@pytest.mark.parametrize(("version", "definition"), [("1.0.1", "true"), ("2.0.1", "effective"), ("3.0.1", "effective")])
def test_the_definition_follows_the_version_and_1_km_labels_stay(tmp_path, version, definition):
    lai = open_lai_c3s_netcdf([c3s(tmp_path, version)], version[0])
    assert lai.attrs["definition"] == definition and lai.attrs["product"] == "C3S"
    np.testing.assert_allclose(lai["lat"], LAT)
    # The fill value (65535) and what lies outside the file's valid range (65534 above 65000) are missing.
    expected = [[0, 2, NAN, 4], [2e-4, 4e-4, 6e-4, NAN]]
    np.testing.assert_allclose(lai["leaf_area_index"][0], expected, rtol=1e-6)


def test_c3s_refuses_true_and_effective_in_one_call_in_one_line(tmp_path):
    files = [c3s(tmp_path, "1.0.1", "20130110"), c3s(tmp_path, "2.0.1", "20130120")]
    for version in ("1", "2"):
        with pytest.raises(ValueError, match="true leaf area index to V1, effective from V2") as error:
            open_lai_c3s_netcdf(files, version)
        assert "\n" not in str(error.value)


def test_c3s_300_m_without_its_flag_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"expected one date of \('LAI', 'retrieval_flag'\)"):
        open_lai_c3s_netcdf([c3s(tmp_path)], "4")


# --- GLASS


def glass(tmp_path, values, name="GLASS01B01.V60.A2020057.2022138.tif", **how):
    return InputFile(
        "lai", write_geotiff(tmp_path / name, np.asarray(values), **how), {"date": name.split(".A")[1][:7]}
    )


def test_glass_numbers_are_tenths_water_is_missing_and_the_day_of_the_year_is_a_date(tmp_path):
    lai = open_lai_glass([glass(tmp_path, np.uint8([[0, 57, 100], [101, 254, 255]]))], "60")
    np.testing.assert_allclose(lai["leaf_area_index"][0], [[0, 5.7, 10], [NAN] * 3], rtol=1e-6)
    # Day 57 of 2020 is 31 + 26.
    assert str(lai["time"].values[0])[:10] == "2020-02-26" and lai["sensor"].item() == "GLASS01B01"
    assert lai["leaf_area_index"].chunks is not None and lai.attrs["definition"] == "true"


def test_glass_as_hdf4_or_sinusoidal_says_how_to_convert_it(tmp_path):
    with rasterio.Env() as env:
        assert not {"HDF4", "HDF4Image"} & set(env.drivers()), "GDAL reads HDF4 now: read it here"
    hdf = InputFile("lai", tmp_path / "GLASS01E01.V60.A2020057.h18v04.2022138.hdf", {"date": "2020057"})
    sinusoidal = "+proj=sinu +lon_0=0 +x_0=0 +y_0=0 +R=6371007.181 +units=m"
    for file in (hdf, glass(tmp_path, np.uint8([[1, 2], [3, 4]]), cell=500, crs=sinusoidal)):
        with pytest.raises(ValueError, match=r"gdal_translate X.hdf X.tif .*gdalwarp -t_srs EPSG:4326"):
            open_lai_glass([file], "60")


def test_glass_in_hundredths_is_refused(tmp_path):
    old = glass(tmp_path, np.int16([[0, 570], [1, 2]]), "GLASS01B02.V04.A1982001.tif")
    with pytest.raises(ValueError, match="int16, expected uint8 in steps of 0.1"):
        open_lai_glass([old], "04")


# --- CONFESS


def confess(
    tmp_path, fields, name="lai_1993.nc", units="days since 1993-01-01", dims=("time", "latitude", "longitude")
):
    with netCDF4.Dataset(tmp_path / name, "w") as data:
        for dim, values in zip(dims, ([0, 5], [1.0, 2.0], [0.0, 1.0]), strict=True):
            data.createDimension(dim, 2)
            data.createVariable(dim, "f8", (dim,))[:] = values
        data[dims[0]].units = units
        for variable, (values, attrs) in fields.items():
            made = data.createVariable(variable, "f4", dims[-np.ndim(values) :], fill_value=-9999)
            made.setncatts(attrs)
            made[:] = values
    return InputFile("lai", tmp_path / name, {})


def test_confess_by_its_standard_name_is_turned_and_dated(tmp_path):
    values = np.arange(8.0).reshape(2, 2, 2)
    values[0, 0, 0] = -9999
    fields = {"x1": (values, {"standard_name": "leaf_area_index", "units": "1"}), "x2": (values, {"units": "K"})}
    lai = open_lai_confess([confess(tmp_path, fields)], "1")
    # The file runs south to north.
    np.testing.assert_array_equal(lai["leaf_area_index"], [[[2, 3], [NAN, 1]], [[6, 7], [4, 5]]])
    assert [str(t)[:10] for t in lai["time"].values] == ["1993-01-01", "1993-01-06"]
    assert lai.attrs == {"product": "CONFESS", "version": "1", "definition": "unknown"}
    assert lai["leaf_area_index"].dtype == np.float32 and lai["leaf_area_index"].chunks is not None


def test_confess_of_low_and_high_vegetation_is_weighted_by_their_covers(tmp_path):
    shape = (2, 2, 2)
    fields = {"lai_lv": (np.full(shape, 2.0), {}), "lai_hv": (np.full(shape, 5.0), {}),
              "cvl": (np.full((2, 2), 0.25), {}), "cvh": (np.full((2, 2), 0.5), {})}  # fmt: skip
    lai = open_lai_confess([confess(tmp_path, fields)], "1")
    assert lai["leaf_area_index"].shape == shape and lai["leaf_area_index"].dims == ("time", "lat", "lon")
    np.testing.assert_allclose(lai["leaf_area_index"], 0.25 * 2 + 0.5 * 5)
    del fields["cvl"]
    with pytest.raises(ValueError, match=r"no \['cvl'\].*cvl x lai_lv \+ cvh x lai_hv"):
        open_lai_confess([confess(tmp_path, fields, "without.nc")], "1")


def test_confess_without_a_known_leaf_area_index_grid_or_time_is_refused_with_what_was_found(tmp_path):
    values, about = np.ones((2, 2, 2)), {"standard_name": "leaf_area_index", "units": "m2 m-2"}
    with pytest.raises(ValueError, match=r"0 variables are leaf area index .* found \{'fapar': '1', 'z': 'K'\}"):
        open_lai_confess([confess(tmp_path, {"fapar": (values, {"units": "1"}), "z": (values, {"units": "K"})})], "1")
    with pytest.raises(ValueError, match="2 variables are leaf area index"):
        open_lai_confess([confess(tmp_path, {"a": (values, about), "b": (values, about)})], "1")
    with pytest.raises(ValueError, match="cannot be decoded") as error:
        open_lai_confess([confess(tmp_path, {"a": (values, about)}, units="months past a date since x")], "1")
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="expected ascending CF dates"):
        open_lai_confess([confess(tmp_path, {"a": (values, about)}, units="1")], "1")
    with pytest.raises(ValueError, match="expected latitude and longitude"):
        open_lai_confess([confess(tmp_path, {"a": (values, about)}, dims=("time", "values", "number"))], "1")


# --- joined


def test_two_series_are_joined_in_order_with_their_sensors():
    early, late = (
        plain(["2013-12-31"], [1], uncertain=True),
        plain(["2014-01-10", "2014-01-20"], [2, 3], product="GLASS"),
    )
    joined = join_leaf_area_index(late.assign_coords(sensor=("time", ["PROBAV"] * 2)), early)
    assert joined["leaf_area_index"][:, 1, 1].to_numpy().tolist() == [1, 2, 3]
    assert joined["sensor"].to_numpy().tolist() == ["VGT", "PROBAV", "PROBAV"]
    assert np.isnan(joined["leaf_area_index_uncertainty"][1:]).all()
    assert joined.attrs == {"definition": "true", "product": "GLASS + CGLS", "version": "2"}


def test_series_of_other_definition_cells_or_dates_are_never_joined():
    one = plain(["2014-01-10", "2014-01-20"], [1, 2])
    with pytest.raises(ValueError, match=r"\(true leaf area index\) and C3S V2 \(effective leaf area index\)"):
        join_leaf_area_index(one, plain(["2015-01-10"], [1], "effective", "C3S"))
    with pytest.raises(ValueError, match="not known to be the same quantity"):
        join_leaf_area_index(*(plain([f"{year}-01-10"], [1], "unknown", "CONFESS") for year in (2014, 2015)))
    with pytest.raises(ValueError, match="grids differ"):
        join_leaf_area_index(one, plain(["2015-01-10"], [1], lat=(3.0, 2.0)))
    for date in ("2014-01-20", "2014-01-15"):
        with pytest.raises(ValueError, match="keep one of each date"):
            join_leaf_area_index(one, plain([date], [1]))


# --- monthly means


@pytest.mark.parametrize("lazy", [True, False])
def test_dekads_of_a_leap_february_weigh_ten_ten_and_nine_days(lazy):
    lai = plain(["2020-02-10", "2020-02-20", "2020-02-29"], [1, 2, 3])
    means = monthly_mean(lai.chunk(time=1) if lazy else lai)
    field = means["leaf_area_index"]
    assert field.dtype == np.float32 and (field.chunks is not None) == lazy and field.dims == ("time", "lat", "lon")
    assert means["time"].dtype == "datetime64[ns]" and str(means["time"].values[0])[:10] == "2020-02-01"
    # (10 x 1 + 10 x 2 + 9 x 3) / 29, and without the second dekad (10 x 1 + 9 x 3) / 19.
    np.testing.assert_allclose(field[0], [[37 / 19, 57 / 29], [57 / 29, 57 / 29]], rtol=1e-6)
    assert means["count"].to_numpy().tolist() == [[[2, 3], [3, 3]]] and means["count"].dtype == np.int16
    assert means.attrs == lai.attrs and field.attrs["cell_methods"] == "time: mean" and means["sensor"].item() == "VGT"


def test_eight_days_are_shared_between_the_months_they_span():
    # Days 25, 33, 41, 49, 57, 65 and 73 of 2020. February has 1 day of the first, 8 of the next three, 4 of the fifth.
    days = np.datetime64("2020-01-01") + 8 * np.arange(3, 10)
    means = monthly_mean(plain(days, [1, 9, 3, 4, 5, 6, 7]))
    assert [str(t)[:7] for t in means["time"].values] == ["2020-01", "2020-02", "2020-03"]
    here, gap = means["leaf_area_index"][:, 1, 1].to_numpy(), means["leaf_area_index"][:, 0, 0].to_numpy()
    # March: 4 days of the fifth (1 to 4), 8 of the sixth (5 to 12), 8 of the last.
    assert here == pytest.approx([1, (1 + 72 + 24 + 32 + 20) / 29, (20 + 48 + 56) / 20])
    assert gap[1] == pytest.approx((1 + 24 + 32 + 20) / 21)
    assert means["count"][:, 1, 1].to_numpy().tolist() == [1, 5, 3]
    ordinary = monthly_mean(plain(np.datetime64("2019-01-01") + 8 * np.arange(3, 10), [1, 9, 3, 4, 5, 6, 7]))
    assert ordinary["leaf_area_index"][1, 1, 1] == pytest.approx((1 + 72 + 24 + 32 + 3 * 5) / 28)


def test_a_gap_is_not_filled_by_the_date_before_it_nor_a_month_without_a_date():
    # Every five days, the 16th and 21st of January missing, then from 1 March.
    days = [f"2019-01-{d:02d}" for d in (1, 6, 11, 26, 31)] + ["2019-03-01", "2019-03-06"]
    means = monthly_mean(plain(days, [1, 2, 3, 4, 8, 4, 6]))
    assert [str(t)[:7] for t in means["time"].values] == ["2019-01", "2019-03"]
    # January: 5 days of each and 1 of the 31st, as the 11th does not stand for the 16th to 25th; March: 5 of each.
    assert means["leaf_area_index"][:, 1, 1].to_numpy() == pytest.approx([(5 + 10 + 15 + 20 + 8) / 21, 5])


def test_a_month_of_two_sensors_says_so_and_a_cell_without_observation_is_missing():
    lai = plain(["2020-06-10", "2020-06-20"], [1, 2]).assign_coords(sensor=("time", ["PROBAV", "OLCI"]))
    lai["leaf_area_index"][0, 0, 0] = np.nan
    means = monthly_mean(lai)
    assert means["sensor"].item() == "PROBAV+OLCI"
    assert np.isnan(means["leaf_area_index"][0, 0, 0]) and means["count"][0, 0, 0] == 0


def test_one_date_that_ends_no_dekad_has_no_length():
    with pytest.raises(ValueError, match="2020-06-09, does not say how many days"):
        monthly_mean(plain(["2020-06-09"], [1]))
    assert monthly_mean(plain(["2020-06-10"], [1]))["leaf_area_index"][0, 0, 0] == 1
