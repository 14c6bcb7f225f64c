"""ERA5 and ERA5-Land monthly means in the layouts of the Climate Data Store, on tiny files."""

import zipfile
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from ai4land.sources.era5 import open_era5_netcdf
from ai4land.sources.registry import InputFile

LAT, LON = np.array([40.25, 40.0, 39.75]), np.array([1.0, 1.25, 1.5, 1.75])
INSTANT = {"t2m": ("K", 280.0), **{f"swvl{i}": ("m**3 m**-3", 0.1 * i) for i in (1, 2, 3, 4)}}
ACCUMULATED = {"tp": ("m", 0.002), "ssrd": ("J m**-2", 8_640_000.0)}
ALL = INSTANT | ACCUMULATED


def stamps(year, months, hour=0):
    return np.array([f"{year}-{m:02d}-01T{hour:02d}" for m in months], "datetime64[s]").astype(np.int64)


def write_new(path, year, variables=ALL, months=range(1, 13), hour=0, lat=LAT, lon=LON, change=None):
    """A file of the new CDS: valid_time, number and expver as auxiliary coordinates, float32, NaN fill."""
    with netCDF4.Dataset(path, "w") as data:
        time = stamps(year, months, hour)
        for name, values in (("valid_time", time), ("latitude", lat), ("longitude", lon)):
            data.createDimension(name, len(values))
            data.createVariable(name, values.dtype, (name,))[:] = values
        data["valid_time"].setncatts({"units": "seconds since 1970-01-01", "calendar": "proleptic_gregorian"})
        data.createVariable("number", "i8", ())[...] = 0
        data.createVariable("expver", str, ("valid_time",))[:] = np.array(["0001"] * len(time), object)
        for name, (units, value) in variables.items():
            field = data.createVariable(name, "f4", ("valid_time", "latitude", "longitude"), fill_value=np.nan)
            field.setncatts({"units": units, "coordinates": "number expver", "GRIB_stepType": "avgua"})
            field[:] = value + np.zeros((len(time), len(lat), len(lon)))
            if change:
                change(name, field)
    return as_input(path, year)


def write_old(path, year, packing, value=280.0, expver=None, tp=20):
    """A file of the old CDS: int16 packed, hours since 1900, float32 coordinates, perhaps a dimension expver."""
    with netCDF4.Dataset(path, "w", format="NETCDF3_64BIT_OFFSET") as data:
        dims = ("time", "latitude", "longitude") if expver is None else ("time", "expver", "latitude", "longitude")
        hours = (stamps(year, range(1, 13)) - stamps(1900, [1])) // 3600
        axes = {"time": hours.astype("i4"), "latitude": LAT.astype("f4"), "longitude": LON.astype("f4")}
        for name, values in (axes | ({} if expver is None else {"expver": np.array([1, 5], "i4")})).items():
            data.createDimension(name, len(values))
            data.createVariable(name, values.dtype, (name,))[:] = values
        data["time"].setncatts({"units": "hours since 1900-01-01 00:00:00.0", "calendar": "gregorian"})
        for name, (units, _) in ALL.items():
            field = data.createVariable(name, "i2", dims, fill_value=-32767)
            field.setncatts({"units": units, "missing_value": np.int16(-32767)})
            field.set_auto_maskandscale(False)
            scale, offset = packing if name == "t2m" else (1e-4, 0.0)
            field.setncatts({"scale_factor": scale, "add_offset": offset})
            field[:] = round((value - offset) / scale) if name == "t2m" else tp
            if expver is not None:
                field[:expver, 1], field[expver:, 0] = -32767, -32767
    return as_input(path, year)


def write_zip(path, year, **options):
    """What a request of both kinds of variables returns: an archive named .nc, its members at 00 and 06 UTC."""
    members = (
        ("data_stream-moda_stepType-avgua.nc", INSTANT, 0),
        ("data_stream-moda_stepType-avgad.nc", ACCUMULATED, 6),
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, variables, hour in members:
            write_new(path.parent / name, year, variables, hour=hour, **options)
            bundle.write(path.parent / name, name)
            (path.parent / name).unlink()
    return as_input(path, year)


def as_input(path, year):
    return InputFile("era5_monthly", Path(path), {"year": str(year)})


def test_accumulations_are_per_day_and_become_fluxes(tmp_path):
    data = open_era5_netcdf([write_new(tmp_path / "era5_monthly_1981.nc", 1981)], "ERA5")
    # 0.002 m a day is 2 kg m-2 in 86400 s; 8.64 MJ m-2 a day is 100 W m-2; days of the month do not enter.
    np.testing.assert_allclose(data["precipitation_flux"], 2 / 86400, rtol=1e-6)
    np.testing.assert_allclose(data["surface_downwelling_shortwave_flux"], 100, rtol=1e-6)
    np.testing.assert_allclose(data["air_temperature"], 280)
    np.testing.assert_allclose(data["soil_moisture_3"], 0.3, rtol=1e-6)
    units = {name: field.attrs["units"] for name, field in data.items() if "soil" not in name}
    assert list(units.values()) == ["K", "kg m-2 s-1", "W m-2"]
    assert {field.dtype for field in data.values()} == {np.dtype("float32")}
    assert all(field.chunks[0] == (12,) for field in data.values())
    assert data["soil_moisture_4"].attrs["layer_top"] == 1 and data["soil_moisture_4"].attrs["layer_bottom"] == 2.89


def test_both_spellings_of_the_unit_mean_the_same_and_others_are_refused(tmp_path):
    spelled = ALL | {"tp": ("m day-1", 0.002), "ssrd": ("J m-2 day-1", 8_640_000.0)}
    data = open_era5_netcdf([write_new(tmp_path / "a.nc", 1981, spelled)], "ERA5")
    np.testing.assert_allclose(data["precipitation_flux"], 2 / 86400, rtol=1e-6)
    with pytest.raises(ValueError, match=r"b.nc: units of t2m are 'degC', expected 'K'"):
        open_era5_netcdf([write_new(tmp_path / "b.nc", 1981, ALL | {"t2m": ("degC", 7)})], "ERA5")


def test_an_archive_named_nc_is_read_like_the_file_and_its_two_hours_are_one_month(tmp_path):
    plain = open_era5_netcdf([write_new(tmp_path / "plain.nc", 1981)], "ERA5")
    file = write_zip(tmp_path / "era5_monthly_1981.nc", 1981)
    assert file.path.read_bytes()[:2] == b"PK"
    packed = open_era5_netcdf([file], "ERA5")
    assert packed.identical(plain) and packed.sizes["time"] == 12
    assert {p.name for p in tmp_path.glob("era5_monthly_1981.nc-*/*")} == {
        "data_stream-moda_stepType-avgua.nc", "data_stream-moda_stepType-avgad.nc",
    }  # fmt: skip


def test_a_new_archive_under_an_old_name_is_not_read_from_the_old_folder(tmp_path):
    path = tmp_path / "era5_monthly_1981.nc"
    open_era5_netcdf([write_zip(path, 1981)], "ERA5")

    def warmer(name, field):
        if name == "t2m":
            field[:] = 290

    data = open_era5_netcdf([write_zip(path, 1981, change=warmer)], "ERA5")
    np.testing.assert_allclose(data["air_temperature"], 290)


def test_an_archive_that_leads_out_or_is_cut_off_is_refused(tmp_path):
    file = write_zip(tmp_path / "cut.nc", 1981)
    file.path.write_bytes(file.path.read_bytes()[:-30])
    with pytest.raises(ValueError, match="cut.nc: damaged zip archive"):
        open_era5_netcdf([file], "ERA5")
    with zipfile.ZipFile(tmp_path / "out.nc", "w") as bundle:
        bundle.writestr("../outside.nc", b"x")
    with pytest.raises(ValueError, match="leads out of"):
        open_era5_netcdf([as_input(tmp_path / "out.nc", 1981)], "ERA5")
    assert not list(tmp_path.rglob("outside.nc")) and not [p for p in tmp_path.iterdir() if p.is_dir()]


def test_packing_that_differs_from_file_to_file_is_undone_by_each_files_own(tmp_path):
    # 280 K is code 1000 of the first file and code -2000 of the second: joined raw, one would be wrong by 30 K.
    files = [
        write_old(tmp_path / "b.nc", 1982, (0.005, 290.0)), write_old(tmp_path / "a.nc", 1981, (0.01, 270.0)),
    ]  # fmt: skip
    data = open_era5_netcdf(files, "ERA5")
    np.testing.assert_allclose(data["air_temperature"], 280, atol=1e-3)
    assert str(data["time"].to_numpy()[0])[:10] == "1981-01-01" and data.sizes["time"] == 24
    assert "scale_factor" not in data["air_temperature"].encoding


def test_preliminary_months_on_the_second_place_of_expver_are_taken(tmp_path):
    data = open_era5_netcdf([write_old(tmp_path / "a.nc", 2024, (0.01, 270.0), expver=9)], "ERA5")
    assert data["air_temperature"].dims == ("time", "lat", "lon")
    np.testing.assert_allclose(data["air_temperature"], 280, atol=1e-3)


def test_negative_precipitation_of_the_packing_is_zero_and_sea_of_era5_land_stays_missing(tmp_path):
    def edit(name, field):
        field[:, 0, 0] = np.nan
        if name == "tp":
            field[:, 1, 1] = -1e-9

    data = open_era5_netcdf([write_new(tmp_path / "a.nc", 1981, change=edit)], "ERA5-Land")
    assert data.isel(lat=0, lon=0).isnull().all().to_dataarray().all()
    assert (data["precipitation_flux"][:, 1, 1] == 0).all()


def test_longitudes_of_0_to_360_become_minus_180_to_180_with_their_values(tmp_path):
    def by_place(name, field):
        if name == "t2m":
            field[:] = np.broadcast_to([359.5, 359.75, 0, 0.25], (12, 3, 4))

    lon = np.array([359.5, 359.75, 0.0, 0.25])
    data = open_era5_netcdf([write_new(tmp_path / "a.nc", 1981, lon=lon, change=by_place)], "ERA5")
    assert data["lon"].to_numpy().tolist() == [-0.5, -0.25, 0, 0.25]
    np.testing.assert_allclose(data["air_temperature"][0, 0], [359.5, 359.75, 0, 0.25])
    assert data["lat"].to_numpy().tolist() == LAT.tolist()


def test_missing_and_double_months_missing_variables_and_other_cells_are_refused_in_one_line(tmp_path):
    one = write_new(tmp_path / "a.nc", 1981)
    with pytest.raises(
        ValueError, match=r"^ERA5: .* 12 months are missing between 1981-01 and 1983-12.*1982-01"
    ) as error:
        open_era5_netcdf([one, write_new(tmp_path / "c.nc", 1983)], "ERA5")
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match=r"months \['1981-06'\] occur twice"):
        open_era5_netcdf([one, write_new(tmp_path / "d.nc", 1981, months=[6])], "ERA5")
    few = {name: ALL[name] for name in ("t2m", "tp")}
    with pytest.raises(
        ValueError, match=r"e.nc: variables are \['t2m', 'tp'\], expected each of \['t2m', 'tp', 'ssrd'"
    ):
        open_era5_netcdf([write_new(tmp_path / "e.nc", 1982, few)], "ERA5")
    with pytest.raises(ValueError, match="grids differ"):
        open_era5_netcdf([one, write_new(tmp_path / "f.nc", 1982, lat=LAT - 0.25)], "ERA5")
