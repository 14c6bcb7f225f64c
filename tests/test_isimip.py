"""ISIMIP3b's daily files by variable and decade, on tiny files in their layout."""

import re

import netCDF4
import numpy as np
import pytest

from ai4land.sources.isimip import open_isimip_netcdf
from ai4land.sources.registry import InputFile

PATTERN = (
    r"(?P<model>[a-z0-9-]+)_(?P<member>r\d+i\d+p\d+f\d+)_w5e5_(?P<scenario>historical|ssp\d{3})_(?P<variable>tas|pr|rsds)"
    r"_(global|[a-z0-9.-]+)_(?P<frequency>daily|monthly)_(?P<first>\d{4})_(?P<last>\d{4})\.nc"
)
UNITS = {"tas": "K", "pr": "kg m-2 s-1", "rsds": "W m-2"}
LAT, LON = np.array([50.75, 50.25, 49.75]), np.array([-0.75, -0.25, 0.25])


def write(folder, variable, first, last, values=None, scenario="historical", model="gfdl-esm4", member="r1i1p1f1",
          frequency="daily", units=None, lat=LAT, drop=None, epoch="1601-1-1"):  # fmt: skip
    """One file: float32, fill 1e20, latitude descending, noon of each day in days since 1601-1-1."""
    name = f"{model}_{member}_w5e5_{scenario}_{variable}_global_{frequency}_{first}_{last}.nc"
    step = {"daily": "D", "monthly": "M"}[frequency]
    days = np.arange(f"{first}-01", f"{last + 1}-01", dtype=f"datetime64[{step}]").astype("datetime64[D]")
    start = np.datetime64("1601-01-01") if epoch == "1601-1-1" else np.datetime64(epoch)
    time = (days - start).astype(float) + 0.5
    field = np.full((days.size, lat.size, LON.size), 280.0) if values is None else values(days, lat)
    if drop is not None:
        time, field = np.delete(time, drop), np.delete(field, drop, 0)
    with netCDF4.Dataset(folder / name, "w", format="NETCDF4_CLASSIC") as data:
        for dim, axis in (("time", time), ("lat", lat), ("lon", LON)):
            data.createDimension(dim, None if dim == "time" else axis.size)
            data.createVariable(dim, "f8", (dim,))[:] = axis
        data["time"].setncatts({"units": f"days since {epoch} 00:00:00", "calendar": "proleptic_gregorian"})
        out = data.createVariable(variable, "f4", ("time", "lat", "lon"), fill_value=1e20)
        out.setncatts({"units": units or UNITS[variable], "missing_value": np.float32(1e20)})
        out[:] = field
    return InputFile("isimip3b", folder / name, re.fullmatch(PATTERN, name).groupdict())


def day_of_month(days, lat):
    number = (days - days.astype("datetime64[M]")).astype(int) + 1
    return np.broadcast_to(number[:, None, None], (days.size, lat.size, LON.size))


def write_all(folder, first, last, **options):
    return [write(folder, variable, first, last, **options) for variable in UNITS]


def test_days_become_means_of_their_calendar_month_under_the_names_of_era5(tmp_path):
    # Days 1..n of a month have the mean (n + 1) / 2: 16 in January, 15 in February 2000, 14.5 in 1999 and 1900.
    files = write_all(tmp_path, 1991, 2000, values=day_of_month)
    data = open_isimip_netcdf(files, "ISIMIP3b")
    assert list(data) == ["air_temperature", "precipitation_flux", "surface_downwelling_shortwave_flux"]
    assert [field.attrs["units"] for field in data.values()] == ["K", "kg m-2 s-1", "W m-2"]
    assert all(field.chunks[0] == (1,) * 120 and field.dtype == np.float32 for field in data.values())
    mean = data["air_temperature"][:, 1, 1].compute()
    assert mean.sel(time="2000-01-01").item() == 16 and mean.sel(time="2000-02-01").item() == 15
    assert mean.sel(time="1999-02-01").item() == 14.5 and mean.sel(time="1999-04-01").item() == 15.5
    assert data["time"].dtype == "datetime64[ns]"
    assert data.attrs == {"version": "ISIMIP3b", "model": "gfdl-esm4", "member": "r1i1p1f1", "scenario": "historical"}


@pytest.mark.parametrize("epoch", ["1601-1-1", "1850-01-01"])
def test_the_ends_of_the_series_are_dated_right_whatever_the_epoch(tmp_path, epoch):
    data = open_isimip_netcdf(write_all(tmp_path, 1850, 1850, epoch=epoch), "ISIMIP3b")
    assert [str(t)[:10] for t in data["time"].to_numpy()[[0, -1]]] == ["1850-01-01", "1850-12-01"]
    late = open_isimip_netcdf(write_all(tmp_path, 2100, 2100, scenario="ssp585", epoch=epoch), "ISIMIP3b")
    assert str(late["time"].to_numpy()[-1])[:10] == "2100-12-01" and late.attrs["scenario"] == "ssp585"


def test_decades_are_joined_in_time_whatever_the_order_of_the_files(tmp_path):
    files = write_all(tmp_path, 2001, 2001, values=lambda d, lat: np.full((d.size, 3, 3), 2.0))
    files += write_all(tmp_path, 2000, 2000, values=lambda d, lat: np.full((d.size, 3, 3), 1.0))
    data = open_isimip_netcdf(files, "ISIMIP3b")
    assert data["precipitation_flux"][:, 0, 0].to_numpy().tolist() == [1] * 12 + [2] * 12


def test_monthly_files_are_taken_as_they_are(tmp_path):
    def months(days, lat):
        return np.broadcast_to(np.arange(12.0)[:, None, None] + 1, (12, lat.size, LON.size))

    data = open_isimip_netcdf(write_all(tmp_path, 1990, 1990, values=months, frequency="monthly"), "ISIMIP3b")
    assert data["air_temperature"][:, 2, 2].to_numpy().tolist() == list(range(1, 13))


def test_a_day_with_the_fill_value_makes_its_month_missing_and_no_other(tmp_path):
    def hole(days, lat):
        values = np.full((days.size, lat.size, LON.size), 5.0)
        values[40, 0, 0] = 1e20  # 10 February
        return values

    data = open_isimip_netcdf(write_all(tmp_path, 1990, 1990, values=hole), "ISIMIP3b")["precipitation_flux"]
    assert np.isnan(data[1, 0, 0]) and int(data.isnull().sum()) == 1 and data[1, 0, 1] == 5


def test_mixed_models_members_and_scenarios_are_refused(tmp_path):
    one = write_all(tmp_path, 2014, 2014)
    for key, value in (("scenario", "ssp126"), ("model", "mri-esm2-0"), ("member", "r1i1p1f2")):
        other = write(tmp_path, "tas", 2015, 2015, **{key: value})
        with pytest.raises(ValueError, match=rf"{key} is \[.*'{value}'.*\]; open one at a time"):
            open_isimip_netcdf([*one, other], "ISIMIP3b")


def test_files_that_do_not_hold_the_days_of_their_name_are_refused(tmp_path):
    files = write_all(tmp_path, 1990, 1990)
    write(tmp_path, "tas", 1990, 1990, drop=[100])
    with pytest.raises(ValueError, match=r"tas_global_daily_1990_1990.nc: time holds 364 steps .* the name says 365"):
        open_isimip_netcdf(files, "ISIMIP3b")


def test_missing_variables_decades_and_other_units_or_years_are_refused(tmp_path):
    tas, pr, rsds = write_all(tmp_path, 1990, 1990)
    with pytest.raises(ValueError, match=r"gfdl-esm4 historical rsds: no file among \['pr', 'tas'\]"):
        open_isimip_netcdf([tas, pr], "ISIMIP3b")
    with pytest.raises(ValueError, match=r"tas: 12 months are missing between 1990-01 and 1992-12"):
        open_isimip_netcdf([tas, pr, rsds, write(tmp_path, "tas", 1992, 1992)], "ISIMIP3b")
    with pytest.raises(ValueError, match=r"pr: 1990-01 to 1990-12, other variables 1990-01 to 1991-12"):
        open_isimip_netcdf([tas, pr, rsds, write(tmp_path, "tas", 1991, 1991)], "ISIMIP3b")
    with pytest.raises(ValueError, match=r"expected pr in kg m-2 s-1"):
        open_isimip_netcdf([tas, write(tmp_path, "pr", 1990, 1990, units="mm day-1"), rsds], "ISIMIP3b")
    with pytest.raises(ValueError, match="grids differ"):
        open_isimip_netcdf([tas, write(tmp_path, "pr", 1990, 1990, lat=LAT - 0.5), rsds], "ISIMIP3b")
