"""Transitions and the number of changes of HILDA+, on tiny files in the publisher's layout."""

import numpy as np
import pytest
import xarray as xr
from conftest import write_geotiff

from ai4land.sources.hilda_plus import open_hilda_plus_change_frequency, open_hilda_plus_transitions
from ai4land.sources.registry import InputFile

V1 = "hildaplus_{}-{}_transitions_GLOB-v20-11-29_wgs84-nn.tif"
FREQUENCY = "HILDAplus_vGLOB-1.0_luc_change-freq_1960-2019_wgs84.tif"


def input_file(path, **keys):
    return InputFile("hilda_plus", path, keys)


def write_netcdf(path, name="LULC_transitions", dtype="i2", fill=None):
    values = np.array([[[4422, 1111], [0, 5599]], [[2244, 1111], [0, 9999]]], dtype)
    attrs = {} if fill is None else {"_FillValue": np.array(fill, dtype)[()]}
    if fill is not None:
        values[1, 0, 0] = fill
    data = xr.Dataset(
        {name: (("time", "latitude", "longitude"), values, attrs)},
        {
            "time": ("time", np.array([1961, 1962], np.uint16)),
            "latitude": np.array([45.995, 45.985], np.float32),
            "longitude": np.array([10.005, 10.015], np.float32),
        },
    )
    data.to_netcdf(path, encoding={} if fill is not None else {name: {"_FillValue": None}})
    return path


def test_a_transition_is_the_class_before_and_the_class_after(tmp_path):
    path = write_netcdf(tmp_path / "hildaplus_GLOB-2-1-crop_transitions.nc")
    made = open_hilda_plus_transitions([input_file(path)], "2.1-crop")
    assert made["land_use"].dtype == np.uint8 and made["land_use"].chunks is not None
    assert made["time"].to_numpy().tolist() == [1961, 1962]
    # Forest to cropland and back; stable urban; ocean, whose code is 0; grass to no data, and no data.
    assert made["land_use_before"].to_numpy().tolist() == [[[44, 11], [0, 55]], [[22, 11], [0, 99]]]
    assert made["land_use"].to_numpy().tolist() == [[[22, 11], [0, 99]], [[44, 11], [0, 99]]]


@pytest.mark.parametrize(("dtype", "fill"), [("i2", -1), ("u2", 65535), ("i4", -2147483647)])
def test_fill_values_are_no_data_and_not_a_class(tmp_path, dtype, fill):
    path = write_netcdf(tmp_path / "a.nc", dtype=dtype, fill=fill)
    made = open_hilda_plus_transitions([input_file(path)], "2.0")
    assert made.sel(time=1962).isel(lat=0, lon=0).compute().to_array().to_numpy().tolist() == [99, 99]


def test_a_file_without_transitions_is_refused_by_what_it_holds(tmp_path):
    path = write_netcdf(tmp_path / "hildaplus_GLOB-2-0_states.nc", name="LULC_states")
    with pytest.raises(ValueError, match=r"no variable LULC_transitions, found \['LULC_states'\]"):
        open_hilda_plus_transitions([input_file(path)], "2.0")


def test_the_date_in_the_names_of_v1_transitions_is_not_a_version(tmp_path):
    files = []
    for year, code in ((1961, 4422), (1962, np.nan)):
        values = np.array([[code, 3333], [7777, 0]], np.float32)
        path = write_geotiff(tmp_path / V1.format(year, year - 1), values, nodata=np.nan)
        files.append(input_file(path, year=str(year)))
    made = open_hilda_plus_transitions(files, "1.0")
    assert made["land_use_before"].to_numpy().tolist() == [[[44, 33], [77, 0]], [[99, 33], [77, 0]]]
    assert made["land_use"].to_numpy()[0].tolist() == [[22, 33], [77, 0]]
    v2 = input_file(write_geotiff(tmp_path / "x_1963_GLOB-v2_wgs84.tif", values), year="1963")
    with pytest.raises(ValueError, match="another version"):
        open_hilda_plus_transitions([*files, v2], "1.0")


def test_number_of_changes_keeps_no_data_apart(tmp_path):
    path = write_geotiff(tmp_path / FREQUENCY, np.array([[0, 3], [59, 255]], np.uint8), nodata=255)
    made = open_hilda_plus_change_frequency([input_file(path)], "1.0")
    assert made.attrs["years"] == "1960-2019" and made["number_of_changes"].chunks is not None
    np.testing.assert_array_equal(made["number_of_changes"], [[0, 3], [59, np.nan]])


def test_more_changes_than_pairs_of_years_are_refused(tmp_path):
    # 255 without its tag: 1960 to 2019 has 59 pairs of years.
    path = write_geotiff(tmp_path / FREQUENCY, np.array([[0, 3], [59, 255]], np.uint8))
    with pytest.raises(ValueError, match=r"0.0 to 255.0 changes, expected 0 to 59"):
        open_hilda_plus_change_frequency([input_file(path)], "1.0").compute()


def test_other_change_layers_are_refused_by_name(tmp_path):
    path = write_geotiff(tmp_path / FREQUENCY.replace("change-freq", "forest_change"), np.zeros((2, 2), np.uint8))
    with pytest.raises(ValueError, match=r"luc_forest_change.*expected the one luc_change-freq"):
        open_hilda_plus_change_frequency([input_file(path)], "1.0")
