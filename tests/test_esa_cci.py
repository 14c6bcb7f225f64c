"""Land cover of ESA CCI and C3S, on tiny files in the publishers' layouts."""

import netCDF4
import numpy as np
import pytest
from conftest import write_geotiff

from ai4land.grid import grid_of
from ai4land.sources import InputFile
from ai4land.sources.esa_cci import join_land_cover, open_esa_cci_geotiff, open_esa_cci_netcdf

CELL = 1 / 360
TIF = "ESACCI-LC-L4-LCCS-Map-300m-P1Y-{}-v2.0.7.tif"
CEDA = "ESACCI-LC-L4-LCCS-Map-300m-P1Y-{}-v2.0.7b.nc"
CDS = "ESACCI-LC-L4-LCCS-Map-300m-P1Y-{}-v2.0.7cds.area-subset.46.12.45.10.nc"
C3S = "C3S-LC-L4-LCCS-Map-300m-P1Y-{}-v2.1.1.nc"
CODES = np.array([[0, 10, 61], [130, 202, 210], [220, 190, 122]], np.uint8)


def write_netcdf(path, codes=CODES, signed=False, with_time=True, name="lccs_class", west=10.0, steps=1):
    """One map with its flags, bounds and grid mapping; the older files are signed and have no time."""
    codes = np.asarray(codes)
    dims = ("time", "lat", "lon") if with_time else ("lat", "lon")
    with netCDF4.Dataset(path, "w") as data:
        for dim, size in (("time", steps), ("lat", codes.shape[0]), ("lon", codes.shape[1]), ("bounds", 2)):
            data.createDimension(dim, size)
        centres = {
            "lat": 46 - CELL * (np.arange(codes.shape[0]) + 0.5),
            "lon": west + CELL * (np.arange(codes.shape[1]) + 0.5),
        }
        for dim, values in centres.items():
            variable = data.createVariable(dim, "f8", (dim,))
            variable.setncatts(
                {"standard_name": {"lat": "latitude", "lon": "longitude"}[dim], "bounds": f"{dim}_bounds"}
            )
            variable[:] = values
            data.createVariable(f"{dim}_bounds", "f8", (dim, "bounds"))[:] = values[:, None] + [CELL / 2, -CELL / 2]
        if with_time:
            time = data.createVariable("time", "f8", ("time",))
            time.setncatts({"units": "days since 1970-01-01 00:00:00", "bounds": "time_bounds"})
            time[:] = 8035 + 365 * np.arange(steps)
            data.createVariable("time_bounds", "f8", ("time", "bounds"))[:] = 0
        data.createVariable("crs", "i4", ())
        flag = data.createVariable("processed_flag", "i1", dims, fill_value=-1)
        flag[:] = 1
        dtype = np.dtype("i1") if signed else codes.dtype
        cover = data.createVariable(name, dtype, dims, fill_value=dtype.type(0) if codes.dtype == np.uint8 else None)
        cover.set_auto_maskandscale(False)
        cover.setncatts({"standard_name": "land_cover_lccs", "valid_min": dtype.type(1), "valid_max": dtype.type(100)})
        if signed:
            cover.setncattr("_Unsigned", "true")
        cover[:] = (codes.view(np.int8) if signed else codes)[(None,) * with_time]
    return path


def files_of(folder, pattern, years, write=write_netcdf, **options):
    paths = [write(folder / pattern.format(year), **options) for year in years]
    return [InputFile("land_cover", p, {"year": str(y)}) for p, y in zip(paths, years, strict=True)]


def write_tif(path, codes=CODES, **options):
    return write_geotiff(path, codes, cell=CELL, **options)


def test_a_file_of_signed_bytes_without_time_reads_as_the_unsigned_one(tmp_path):
    signed = open_esa_cci_netcdf(files_of(tmp_path, CEDA, [1992], signed=True, with_time=False), "2.0.7b")
    with netCDF4.Dataset(tmp_path / CEDA.format(1992)) as raw:
        raw.set_auto_maskandscale(False)
        assert raw["lccs_class"][1, 0] == -126  # grassland, 130
    unsigned = open_esa_cci_netcdf(files_of(tmp_path, CDS, [1992]), "2.0.7cds")
    for data in (signed, unsigned):
        # Neither the fill value (0) nor the valid range (to 100) of the file masks anything.
        assert data["land_cover"].dims == ("time", "lat", "lon") and data["land_cover"].dtype == np.uint8
        np.testing.assert_array_equal(data["land_cover"][0], CODES)


def test_geotiff_and_netcdf_of_a_year_are_the_same_map(tmp_path):
    tif = open_esa_cci_geotiff(files_of(tmp_path, TIF, [1993], write=write_tif, nodata=255), "2.0.7")
    nc = open_esa_cci_netcdf(files_of(tmp_path, CDS, [1993]), "2.0.7cds")
    np.testing.assert_array_equal(tif["land_cover"], nc["land_cover"])
    assert grid_of(tif).same_as(grid_of(nc)) and grid_of(nc).dlat == pytest.approx(CELL)


@pytest.mark.parametrize(("reader", "pattern", "version"), [
    (open_esa_cci_geotiff, TIF, "2.0.7"), (open_esa_cci_netcdf, CDS, "2.0.7cds"), (open_esa_cci_netcdf, C3S, "2.1.1"),
])  # fmt: skip
def test_a_series_is_lazy_by_calendar_year_with_flags_of_the_legend(tmp_path, reader, pattern, version):
    write = write_tif if reader is open_esa_cci_geotiff else write_netcdf
    data = reader(files_of(tmp_path, pattern, [2001, 2002], write=write), version)
    cover = data["land_cover"]
    assert cover.shape == (2, 3, 3) and cover.chunks is not None and data.attrs == {"version": version}
    assert cover["time"].dtype == np.int16 and cover["time"].to_numpy().tolist() == [2001, 2002]
    assert set(data.variables) == {"land_cover", "time", "lat", "lon", "lat_bnds", "lon_bnds"}
    assert cover.attrs["comment"] == "0 is no data" and len(cover.attrs["flag_values"]) == 37
    np.testing.assert_allclose(data["lat_bnds"][0], [46, 46 - CELL])


@pytest.mark.parametrize(("reader", "write", "pattern"), [
    (open_esa_cci_geotiff, write_tif, TIF), (open_esa_cci_netcdf, write_netcdf, CDS),
])  # fmt: skip
def test_a_code_that_the_legend_lacks_is_refused_when_it_is_read(tmp_path, reader, write, pattern):
    codes = CODES.copy()
    codes[2, 2] = 63
    data = reader(files_of(tmp_path, pattern, [2003], write=write, codes=codes), "2.0.7")
    with pytest.raises(ValueError, match=r"P1Y-2003-v2.0.7.*codes \[63\] are not in legend land_cover"):
        data["land_cover"].load()


def test_both_versions_in_one_call_are_refused(tmp_path):
    mixed = files_of(tmp_path, CDS, [2015]) + files_of(tmp_path, C3S, [2016])
    for version in ("2.0.7cds", "2.1.1"):
        with pytest.raises(ValueError, match=r"2015 \(v2.0.x\) and 2016 \(v2.1.x\).*join_land_cover"):
            open_esa_cci_netcdf(mixed, version)


def test_files_of_one_version_under_the_name_of_another_are_refused(tmp_path):
    with pytest.raises(ValueError, match="v2.1.1: files of another version"):
        open_esa_cci_geotiff(files_of(tmp_path, TIF, [2015], write=write_tif), "2.1.1")


def test_maps_of_different_cells_are_never_stacked(tmp_path):
    shifted = files_of(tmp_path, CDS, [2000]) + files_of(tmp_path, CDS, [2001], west=10 + CELL / 2)
    with pytest.raises(ValueError, match=r"P1Y-2001.*against.*P1Y-2000.*grids differ"):
        open_esa_cci_netcdf(shifted, "2.0.7cds")


def test_files_that_are_no_maps_of_bytes_are_refused_in_one_line(tmp_path):
    for options, message in (
        ({"name": "change_count"}, r"no variable lccs_class, found \['change_count', "),
        ({"codes": CODES.astype(np.float32)}, "codes are float32, expected bytes"),
        ({"steps": 2}, "2 time steps, expected one map a file"),
    ):
        with pytest.raises(ValueError, match=message) as refused:
            open_esa_cci_netcdf(files_of(tmp_path, C3S, [2016], **options), "2.1.1")
        assert C3S.format(2016) in str(refused.value) and "\n" not in str(refused.value)


def test_a_join_keeps_the_version_of_each_year(tmp_path):
    first = open_esa_cci_geotiff(files_of(tmp_path, TIF, [2014, 2015], write=write_tif), "2.0.7")
    after = np.where(CODES == 130, 11, CODES).astype(np.uint8)
    second = open_esa_cci_netcdf(files_of(tmp_path, C3S, [2016, 2017], codes=after), "2.1.1")
    both = join_land_cover(first, second)
    assert both["time"].to_numpy().tolist() == [2014, 2015, 2016, 2017] and both["time"].dtype == np.int16
    assert both["version"].dims == ("time",)
    assert both["version"].to_numpy().tolist() == ["2.0.7", "2.0.7", "2.1.1", "2.1.1"] and "version" not in both.attrs
    assert both["land_cover"].dtype == np.uint8 and both["land_cover"].chunks is not None
    assert both["land_cover"][:, 1, 0].to_numpy().tolist() == [130, 130, 11, 11]
    assert both.sizes == {"time": 4, "lat": 3, "lon": 3, "bnds": 2}


@pytest.mark.parametrize("years", [[2015, 2016], [2017], [2013]])
def test_a_join_with_years_twice_missing_or_in_the_wrong_order_is_refused(tmp_path, years):
    first = open_esa_cci_geotiff(files_of(tmp_path, TIF, [2014, 2015], write=write_tif), "2.0.7")
    second = open_esa_cci_netcdf(files_of(tmp_path, C3S, years), "2.1.1")
    with pytest.raises(ValueError, match=r"v2.0.7 \[2014, 2015\] and v2.1.1 .*consecutive years"):
        join_land_cover(first, second)


def test_a_join_of_different_cells_is_refused(tmp_path):
    first = open_esa_cci_geotiff(files_of(tmp_path, TIF, [2015], write=write_tif), "2.0.7")
    second = open_esa_cci_netcdf(files_of(tmp_path, C3S, [2016], west=11.0), "2.1.1")
    with pytest.raises(ValueError, match="two versions: grids differ"):
        join_land_cover(first, second)
