"""Whatever a publisher calls, orders and counts its axes: one form leaves the reader."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from ai4land.sources.canonical import canonical

HERE = Path("file.nc")


def test_names_directions_and_longitudes_become_one_form_and_values_stay_with_their_place():
    lat, lon = np.array([-10.0, 0.0, 10.0], np.float32), np.array([0.0, 90.0, 180.0, 270.0])
    values = lat[:, None] * 1000 + np.where(lon >= 180, lon - 360, lon)
    data = xr.Dataset(
        {"t": (("latitude", "longitude"), values), "latitude_bnds": (("latitude", "bnds"), np.zeros((3, 2)))},
        {"latitude": lat, "longitude": lon, "expver": "0001"},
    )
    one = canonical(data, HERE)
    assert one["lat"].to_numpy().tolist() == [10, 0, -10] and one["lon"].to_numpy().tolist() == [-180, -90, 0, 90]
    np.testing.assert_allclose(one["t"], one["lat"] * 1000 + one["lon"])
    assert set(one.variables) == {"t", "lat", "lon", "lat_bnds", "lon_bnds"}
    assert one["lat_bnds"].to_numpy().tolist() == [[15, 5], [5, -5], [-5, -15]]
    assert one["lon_bnds"].to_numpy()[0].tolist() == [-225, -135]
    assert one["lon"].attrs["units"] == "degrees_east" and one["lon"].attrs["bounds"] == "lon_bnds"


def test_a_window_on_the_greenwich_meridian_of_a_0_to_360_file_is_in_one_piece():
    lon = np.array([359.0, 359.5, 0.0, 0.5])
    data = xr.Dataset({"t": (("lat", "lon"), np.arange(8.0).reshape(2, 4))}, {"lat": [1.0, 0.5], "lon": lon})
    one = canonical(data, HERE)
    assert one["lon"].to_numpy().tolist() == [-1, -0.5, 0, 0.5] and one["t"][0].to_numpy().tolist() == [0, 1, 2, 3]


def test_uneven_steps_and_other_grids_are_refused_by_name():
    uneven = xr.Dataset({"t": (("lat", "lon"), np.zeros((3, 2)))}, {"lat": [3.0, 2.0, 0.5], "lon": [0.0, 1.0]})
    with pytest.raises(ValueError, match="file.nc: lat is not evenly spaced"):
        canonical(uneven, HERE)
    with pytest.raises(ValueError, match=r"file.nc: dimensions are \['cell'\]"):
        canonical(xr.Dataset({"t": ("cell", np.zeros(3))}), HERE)
