"""Every trap of the publishers' files, on tiny files in their layout."""

import netCDF4
import numpy as np
import pytest
import xarray as xr
from conftest import write_geotiff

from ai4land.grid import grid_of
from ai4land.sources import InputFile, find_files, open_input
from ai4land.sources.elevation import derive_terrain
from ai4land.sources.hilda_plus import open_hilda_plus_geotiff, open_hilda_plus_netcdf
from ai4land.sources.koppen import open_koppen_geotiff
from ai4land.sources.luh2 import open_luh2_static
from ai4land.sources.registry import check_hash, check_whole

V1, V2 = "hilda_plus_{}_states_GLOB-v1-0_wgs84-nn.tif", "hilda_plus_states_{}_GLOB-v2_wgs84.tif"


def files_of(paths, dataset="hilda_plus_v2"):
    return [InputFile(dataset, p, {"year": str(1990 + i)}) for i, p in enumerate(paths)]


def test_hilda_plus_series_is_found_by_name_in_any_folder_and_read_in_order(tmp_path):
    for i, year in enumerate((1991, 1990)):
        write_geotiff(tmp_path / "deep" / str(i) / V2.format(year), np.full((4, 5), 11 * (i + 1), np.uint8))
    cover = open_input(find_files("hilda_plus_v2", tmp_path, [1990, 1991]))
    assert cover["time"].to_numpy().tolist() == [1990, 1991]
    assert cover.dtype == np.uint8 and cover.chunks is not None
    assert cover[:, 0, 0].to_numpy().tolist() == [22, 11]


def test_base_map_year_and_cropped_names_of_v1_are_found(tmp_path):
    write_geotiff(tmp_path / "crete_hilda_plus_2014_states_GLOB-v1-0_wgs84-nn.tif", np.ones((3, 3), np.float32))
    write_geotiff(
        tmp_path / "crete_hilda_plus_2015_states_GLOB-v1-0_base-map_wgs84-nn.tif", np.ones((3, 3), np.float32)
    )
    assert [f.year for f in find_files("hilda_plus_v1", tmp_path)] == [2014, 2015]


def test_float_maps_with_nan_for_sea_become_codes_with_99(tmp_path):
    values = np.array([[11, np.nan], [44, 77]], np.float32)
    cover = open_hilda_plus_geotiff(files_of([write_geotiff(tmp_path / "a.tif", values, nodata=np.nan)]), "1.0-f")
    assert cover[0].to_numpy().tolist() == [[11, 99], [44, 77]]


def test_v1_and_v2_mixed_are_refused(tmp_path):
    one = write_geotiff(tmp_path / V1.format(1990), np.ones((3, 3), np.uint8))
    two = write_geotiff(tmp_path / V2.format(1991), np.ones((3, 3), np.uint8))
    with pytest.raises(ValueError, match="another version"):
        open_hilda_plus_geotiff(files_of([one, two]), "2.0")


def test_maps_of_different_cells_are_never_stacked(tmp_path):
    one = write_geotiff(tmp_path / "a.tif", np.ones((40, 40), np.uint8))
    two = write_geotiff(tmp_path / "b.tif", np.ones((40, 40), np.uint8), cell=0.00998837)
    with pytest.raises(ValueError, match="grids differ"):
        open_hilda_plus_geotiff(files_of([one, two]), "2.0")


def test_a_map_in_another_projection_is_refused(tmp_path):
    path = write_geotiff(tmp_path / "a.tif", np.ones((3, 3), np.uint8), 0, 0, 1000, crs="EPSG:3857")
    with pytest.raises(ValueError, match="expected longitude and latitude"):
        open_hilda_plus_geotiff(files_of([path]), "2.0")


def write_hilda_netcdf(path, first_year, ascending=False, name="LULC_states", dtype="i1"):
    with netCDF4.Dataset(path, "w") as data:
        for dim, size in (("time", 3), ("latitude", 4), ("longitude", 5)):
            data.createDimension(dim, size)
        time = data.createVariable("time", "u2", ("time",))
        time[:] = first_year + np.arange(3)
        lat = data.createVariable("latitude", "f4", ("latitude",))
        lat[:] = 45.995 - 0.01 * np.arange(4)[:: -1 if ascending else 1]
        lon = data.createVariable("longitude", "f4", ("longitude",))
        lon[:] = 10.005 + 0.01 * np.arange(5)
        cover = data.createVariable(name, dtype, ("time", "latitude", "longitude"))
        cover[:] = np.array([11, 22, 33])[:, None, None]
    return path


@pytest.mark.parametrize("first_year", [1899, 1900])
def test_netcdf_years_are_read_not_counted(tmp_path, first_year):
    path = write_hilda_netcdf(tmp_path / "hildaplus_GLOB-2-0_states.nc", first_year)
    cover = open_hilda_plus_netcdf(files_of([path]), "2.0")
    assert cover["time"].to_numpy().tolist() == [first_year, first_year + 1, first_year + 2]
    assert cover.dtype == np.uint8 and int(cover.sel(time=first_year + 1)[0, 0]) == 22
    assert grid_of(cover).north == pytest.approx(46.0, abs=1e-5)


def test_netcdf_is_turned_north_to_south_and_other_variables_are_refused(tmp_path):
    cover = open_hilda_plus_netcdf(files_of([write_hilda_netcdf(tmp_path / "a.nc", 1899, ascending=True)]), "2.0")
    assert float(cover.lat[0]) > float(cover.lat[-1])
    path = write_hilda_netcdf(tmp_path / "b.nc", 1899, name="LULC_transitions")
    with pytest.raises(ValueError, match=r"no variable LULC_states, found \['LULC_transitions'\]"):
        open_hilda_plus_netcdf(files_of([path]), "2.0")
    path = write_hilda_netcdf(tmp_path / "c.nc", 0)
    with pytest.raises(ValueError, match="calendar years"):
        open_hilda_plus_netcdf(files_of([path]), "2.0")


def test_gebco_is_turned_north_to_south_and_its_fill_is_missing(tmp_path):
    lat = 45 + (np.arange(4) + 0.5) / 240
    height = np.array([[1, 2], [3, 4], [5, -32768], [-7, 8]], np.int16)  # south to north
    data = xr.Dataset({"elevation": (("lat", "lon"), height)}, {"lat": lat, "lon": 10 + np.arange(2) / 240})
    path = tmp_path / "GEBCO_2024_CF.nc"
    data.to_netcdf(path, encoding={"elevation": {"_FillValue": np.int16(-32768)}}, engine="netcdf4")
    field = open_input(find_files("gebco_2024", tmp_path))
    assert float(field.lat[0]) > float(field.lat[-1]) and field.dtype == np.float32
    np.testing.assert_array_equal(field.to_numpy(), [[-7, 8], [5, np.nan], [3, 4], [1, 2]])


def test_gebco_2024_is_found_under_its_name_on_ceda_and_under_the_plain_one(tmp_path):
    for name in ("GEBCO_2024_CF.nc", "GEBCO_2024.nc"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
        assert find_files("gebco_2024", tmp_path)[0].path.name == name
        (tmp_path / name).unlink()


def test_elevation_geotiff_keeps_the_sea_floor_and_masks_its_nodata(tmp_path):
    path = write_geotiff(
        tmp_path / "etopo_20min_global.tif", np.array([[-100, 5], [7, -32768]], np.int16), nodata=-32768
    )
    field = open_input(find_files("etopo_20min", path.parent))
    np.testing.assert_array_equal(field.to_numpy(), [[-100, 5], [7, np.nan]])


def test_slope_and_aspect_of_a_plane_at_60_degrees_north():
    # Rises 1 m per 100 m to the north: slope atan(0.01), facing south. To the east a degree is half as long
    # at 60 N: 1 m per 0.001 degree is 1 m in 55.6 m.
    lat, lon = 60 - 0.001 * np.arange(9), 0.001 * np.arange(9)
    north = (lat[:, None] - 60) * 111195.0 * 0.01 + 0 * lon
    terrain = derive_terrain(xr.DataArray(north.astype(np.float32), {"lat": lat, "lon": lon}, ("lat", "lon")))
    assert float(terrain["slope"][4, 4]) == pytest.approx(np.degrees(np.arctan(0.01)), rel=1e-3)
    assert float(terrain["aspect_cos"][4, 4]) == pytest.approx(-1, abs=1e-4)
    east = 1000 * lon + 0 * lat[:, None]
    terrain = derive_terrain(xr.DataArray(east.astype(np.float32), {"lat": lat, "lon": lon}, ("lat", "lon")))
    assert np.tan(np.radians(float(terrain["slope"][4, 4]))) == pytest.approx(1 / 55.6, rel=2e-3)
    assert float(terrain["aspect_sin"][4, 4]) == pytest.approx(-1, abs=1e-4)  # rises to the east: faces west


def test_flat_ground_has_no_aspect():
    flat = xr.DataArray(np.zeros((3, 3), np.float32), {"lat": [2.0, 1, 0], "lon": [0.0, 1, 2]}, ("lat", "lon"))
    terrain = derive_terrain(flat)
    assert float(abs(terrain["aspect_sin"]).max()) == float(abs(terrain["aspect_cos"]).max()) == 0


def test_koppen_without_a_nodata_tag_has_0_for_water(tmp_path):
    path = write_geotiff(tmp_path / "1991_2020" / "koppen_geiger_0p00833333.tif", np.array([[0, 1], [30, 8]], np.uint8))
    zones = open_input(find_files("koppen_beck_2023", tmp_path))
    assert zones.to_numpy().tolist() == [[0, 1], [30, 8]] and path.exists()


def test_koppen_of_rubel_is_renumbered_and_its_ocean_is_0(tmp_path):
    path = write_geotiff(tmp_path / "k.tif", np.array([[32, 12], [30, 31]], np.uint8), nodata=0)
    # Rubel: 12 Csa, 30 EF, 31 ET, 32 ocean; Beck: Csa 8, ET 29, EF 30.
    zones = open_koppen_geotiff([InputFile("koppen_rubel_2017", path, {})], "koppen_rubel_2017")
    assert zones.to_numpy().tolist() == [[0, 8], [30, 29]]


def test_koppen_with_31_for_no_data_is_refused(tmp_path):
    path = write_geotiff(tmp_path / "k.tif", np.array([[31, 1]], np.uint8))
    with pytest.raises(ValueError, match=r"codes \[31\]"):
        open_koppen_geotiff([InputFile("koppen_beck_2023", path, {})], "koppen_beck_2023").load()


@pytest.mark.parametrize("flipped", [False, True])
def test_luh2_static_is_aligned_by_coordinate_and_its_misnamed_fill_is_missing(tmp_path, flipped):
    path = tmp_path / "staticData_quarterdeg.nc"
    order = slice(None, None, -1) if flipped else slice(None)
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    values[0, 0] = 1e20
    with netCDF4.Dataset(path, "w") as data:
        data.createDimension("lat", 3)
        data.createDimension("lon", 4)
        data.createVariable("lat", "f8", ("lat",))[:] = np.array([10.125, 9.875, 9.625])[order]
        data.createVariable("lon", "f8", ("lon",))[:] = 5.125 + 0.25 * np.arange(4)
        for name in ("ptbio", "fstnf", "carea", "icwtr", "ccode"):
            variable = data.createVariable(name, "f4", ("lat", "lon"))
            variable.setncattr("_Fillvalue", np.float32(1e20))
            variable[:] = values[order]
    static = open_luh2_static([InputFile("luh2_static", path, {})], "2h")
    assert static["ice_water_fraction"].attrs["units"] == "1"
    expected = values.copy()
    expected[0, 0] = np.nan
    np.testing.assert_array_equal(static["potential_biomass"].sortby("lat", ascending=False).to_numpy(), expected)


def test_missing_files_are_named_with_source_and_place(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"hilda_plus.*no file named.*Source: https://doi.org/10.1594/PANGAEA.974335.*RAW="
    ):
        find_files("hilda_plus_v2", tmp_path)
    with pytest.raises(FileNotFoundError, match="no file named"):
        find_files("hilda_plus_v2", tmp_path / "not-there")


def test_a_year_that_no_file_has_is_named(tmp_path):
    write_geotiff(tmp_path / V2.format(1990), np.ones((3, 3), np.uint8))
    with pytest.raises(FileNotFoundError, match=r"no file for years \[1991, 1992\]"):
        find_files("hilda_plus_v2", tmp_path, [1990, 1991, 1992])


def test_two_files_of_one_year_are_refused(tmp_path):
    for folder in ("a", "b"):
        write_geotiff(tmp_path / folder / V2.format(1990), np.ones((3, 3), np.uint8))
    with pytest.raises(ValueError, match="several files for the same content"):
        find_files("hilda_plus_v2", tmp_path)


def test_a_wrong_hash_says_what_was_found(tmp_path):
    path = tmp_path / "staticData_quarterdeg.nc"
    path.write_bytes(b"abc")
    # md5 of "abc", RFC 1321.
    with pytest.raises(ValueError, match="900150983cd24fb0d6963f7d28e17f72.*publisher's"):
        check_hash(InputFile("luh2_static", path, {}), "md5:" + "0" * 32)
    check_hash(InputFile("luh2_static", path, {}), "md5:900150983cd24fb0d6963f7d28e17f72")


@pytest.mark.parametrize("kind", ["tif", "nc"])
def test_a_truncated_file_is_refused(tmp_path, kind):
    rng = np.random.default_rng(0)
    if kind == "tif":
        path = write_geotiff(tmp_path / "a.tif", rng.integers(0, 255, (300, 300)).astype(np.uint8))
    else:
        path = tmp_path / "a.nc"
        xr.Dataset({"v": (("y", "x"), rng.random((300, 300)))}).to_netcdf(path, engine="netcdf4")
    check_whole(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(ValueError, match=r"truncated or damaged.*fetch it again"):
        check_whole(path)
