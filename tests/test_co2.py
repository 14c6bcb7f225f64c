"""CO2 of NOAA and of input4MIPs, on tiny files in the publishers' layout."""

from datetime import date

import netCDF4
import numpy as np
import pytest
import xarray as xr

from ai4land.sources.co2 import open_co2_input4mips_netcdf, open_co2_noaa_csv
from ai4land.sources.registry import InputFile

COMMENT = (
    '# --------------------\n# USE OF NOAA GML DATA, see "Contact"\n#\n# Data, from March 1958, -99.99 is missing\n'
)
MONTHS_MLO = """year,month,decimal date,average,deseasonalized,ndays,sdev,unc
1958,3,1958.2027,315.71,314.44,-1,-9.99,-0.99
1958,4,1958.2877,-99.99,315.16,-1,-9.99,-0.99
1974,5,1974.3750,333.19,330.12,14,0.31,0.16
"""
MONTHS_GL = """year,month,decimal,average,average_unc,trend,trend_unc
1979,1,1979.042,336.56,0.11,335.92,0.09
1979,2,1979.125,-9.99,-9.99,336.26,0.09
1979,3,1979.208,337.88,-0.99,336.51,0.09
"""
YEARS = "year,mean,unc\n1959,315.98,0.12\n1960,316.91,0.12\n"
# One redistributor joins year and month and names six of the seven columns.
REDISTRIBUTED = """Date,Decimal Date,Average,Interpolated,Trend,Number of Days
1958-03,1958.2027,315.71,314.44,-01,-9.99,-0.99
1958-04,1958.2877,317.45,315.16,-01,-9.99,-0.99
"""


def open_csv(tmp_path, text):
    path = tmp_path / "co2.csv"
    path.write_text(text)
    return open_co2_noaa_csv([InputFile("co2", path, {})], "2026")


@pytest.mark.parametrize("comments", [0, 1, 12])
def test_months_are_read_below_any_number_of_comments_and_negative_means_are_missing(tmp_path, comments):
    co2 = open_csv(tmp_path, COMMENT * comments + MONTHS_MLO)["co2"]
    assert co2["time"].dtype == np.dtype("datetime64[ns]")
    assert co2["time"].to_numpy().astype("datetime64[D]").astype(str).tolist() == [
        "1958-03-01", "1958-04-01", "1974-05-01",
    ]  # fmt: skip
    np.testing.assert_array_equal(co2, [315.71, np.nan, 333.19])
    assert co2.attrs["units"] == "1e-6" and co2.attrs["standard_name"] == "mole_fraction_of_carbon_dioxide_in_air"


def test_global_months_have_other_columns(tmp_path):
    co2 = open_csv(tmp_path, COMMENT + MONTHS_GL)["co2"]
    np.testing.assert_array_equal(co2, [336.56, np.nan, 337.88])
    assert str(co2["time"].to_numpy()[-1])[:10] == "1979-03-01"


def test_yearly_means_are_by_calendar_year(tmp_path):
    data = open_csv(tmp_path, COMMENT + YEARS)
    assert data["time"].dtype == np.int16 and data["time"].to_numpy().tolist() == [1959, 1960]
    assert data["co2"].to_numpy().tolist() == [315.98, 316.91] and data.attrs["version"] == "2026"


def test_rows_with_more_fields_than_the_header_keep_their_columns(tmp_path):
    co2 = open_csv(tmp_path, REDISTRIBUTED)["co2"]
    assert co2.to_numpy().tolist() == [315.71, 317.45] and str(co2["time"].to_numpy()[0])[:7] == "1958-03"


@pytest.mark.parametrize(
    "text, message",
    [
        ("<!doctype html>\n<p>moved</p>\n", "co2.csv: columns are .*expected year or date"),
        (COMMENT, r"columns are \[\]"),
        ("year,month,day,decimal,average\n2000,1,2,2000.0,369.1\n2000,1,9,2000.0,369.2\n", "time does not ascend"),
        (YEARS + "1961,\n", "co2.csv: a row cannot be read .*fetch it again"),
        (YEARS + "1961", "co2.csv: a row cannot be read"),
        (YEARS.replace("mean", "ann inc"), "columns are .*expected year or date, and average or mean"),
    ],
)
def test_other_and_damaged_files_are_refused_by_name(tmp_path, text, message):
    with pytest.raises(ValueError, match=message) as error:
        open_csv(tmp_path, text)
    assert "\n" not in str(error.value)


def test_real_months_of_mauna_loa_begin_in_march_1958(real):
    def opened(name):
        return open_co2_noaa_csv([InputFile("co2", real / "co2" / name, {})], "")["co2"]

    months = opened("co2-mm-mlo.csv")
    assert float(months.sel(time="1958-03-01")) == 315.71
    # NOAA's means of the year are those of its twelve months.
    mean = months.groupby("time.year").mean().rename(year="time")
    years = opened("co2-annmean-mlo.csv")
    np.testing.assert_allclose(mean.sel(time=years["time"]), years, atol=0.006)
    assert float(opened("co2-annmean-gl.csv")[0]) == 336.85 and opened("co2-mm-gl.csv").sizes["time"] > 500


def days(year, month=7, day=1, calendar="gregorian", epoch=1850):
    """Days since 1 January of ``epoch``; year 0 has 366 of them in the Gregorian calendar."""
    if calendar == "365_day":
        return 365 * (year - epoch) + date(2001, month, day).toordinal() - date(2001, 1, 1).toordinal()
    if year == 0:
        return date(4, month, day).toordinal() - date(4, 1, 1).toordinal()  # 4 is a leap year as well
    return date(year, month, day).toordinal() - (date(epoch, 1, 1).toordinal() if epoch else 1 - 366)


def write_input4mips(path, years, values, name, epoch=1850, calendar="gregorian", units=None, sectors=0, months=None,
                     start=None):  # fmt: skip
    """A file of global means; with sectors, the two hemispheres 5 ppm above and below."""
    with netCDF4.Dataset(path, "w") as data:
        data.frequency = "mon" if months else "yr"
        data.createDimension("time", None)
        variable = data.createVariable("time", "f8", ("time",))
        variable.setncatts({"units": start or f"days since {epoch}-01-01", "calendar": calendar})
        variable[:] = [days(y, m, 15, calendar, epoch) for y in years for m in (months or [7])]
        dims = ("time",)
        if sectors:
            data.createDimension("sector", sectors)
            data.createVariable("sector", "i4", ("sector",))[:] = np.arange(sectors)
            dims = ("time", "sector")
        variable = data.createVariable(name, "f4", dims, fill_value=np.float32(1e20))
        variable.units = units or ("1.e-6" if sectors else "ppm")
        values = np.asarray(values, np.float32)
        variable[:] = values[:, None] + np.array([0, 5, -5])[:sectors] if sectors else values
    return path


CMIP6 = "mole_fraction_of_carbon_dioxide_in_air"


def open_nc(path):
    return open_co2_input4mips_netcdf([InputFile("co2", path, {})], "1")


@pytest.mark.parametrize("calendar", ["gregorian", "365_day"])
def test_the_history_of_cmip6_counts_from_a_year_0_and_starts_in_1850_here(tmp_path, calendar):
    years = np.arange(0, 2015)
    path = write_input4mips(
        tmp_path / "h.nc",
        years,
        280 + years / 8,
        CMIP6,
        epoch=0,
        calendar=calendar,
        sectors=3,
        start="days since 0-1-1",
    )
    if calendar == "gregorian":
        with pytest.raises(ValueError, match="decode"), pytest.warns(match="Ambiguous reference date"):
            xr.open_dataset(path)
    data = open_nc(path)
    assert data["time"].dtype == np.int16 and data["time"].to_numpy().tolist() == list(range(1850, 2015))
    assert float(data["co2"][0]) == 280 + 1850 / 8 and data["co2"].attrs["units"] == "1e-6"
    assert data.attrs["mip_era"] == "CMIP6"


@pytest.mark.parametrize("calendar", ["gregorian", "365_day"])
def test_scenarios_of_cmip6_count_from_1850_to_2500(tmp_path, calendar):
    years = np.arange(2015, 2501)
    path = write_input4mips(tmp_path / "s.nc", years, years / 4, CMIP6, calendar=calendar, sectors=3)
    data = open_nc(path)
    assert data["time"].to_numpy()[[0, -1]].tolist() == [2015, 2500]
    np.testing.assert_array_equal(data["co2"], years / 4)


def test_cmip7_gives_years_or_months_of_one_global_mean(tmp_path):
    years = np.arange(1848, 1853)
    yearly = open_nc(write_input4mips(tmp_path / "y.nc", years, years / 4, "co2", calendar="proleptic_gregorian"))
    assert yearly["time"].to_numpy().tolist() == [1850, 1851, 1852] and yearly.attrs["mip_era"] == "CMIP7"
    np.testing.assert_array_equal(yearly["co2"], np.array([1850, 1851, 1852]) / 4)
    # The numbers 0 to 11 have the mean 5.5.
    values = (years[:, None] / 4 + np.arange(12)).ravel()
    monthly = open_nc(write_input4mips(tmp_path / "m.nc", years, values, "co2", months=list(range(1, 13))))
    assert monthly["time"].to_numpy().tolist() == [1850, 1851, 1852]
    np.testing.assert_array_equal(monthly["co2"], yearly["co2"] + 5.5)


def test_two_scenarios_at_once_are_refused(tmp_path):
    paths = [write_input4mips(tmp_path / f"{name}.nc", [2022, 2023], [1, 2], "co2") for name in ("h", "vl")]
    with pytest.raises(ValueError, match="h.nc: one of 2 files, expected one past or one scenario"):
        open_co2_input4mips_netcdf([InputFile("co2_cmip7_scenarios", p, {"scenario": p.stem}) for p in paths], "1")


def test_months_that_do_not_fill_a_year_are_refused(tmp_path):
    for months in (list(range(1, 12)), [*range(2, 13)]):
        path = write_input4mips(tmp_path / "m.nc", [2000, 2001], np.ones(22), "co2", months=months)
        with pytest.raises(ValueError, match="m.nc: 22 months do not fill whole years"):
            open_nc(path)


def test_other_gases_units_and_grids_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"x.nc: variables are \['ch4'\]"):
        open_nc(write_input4mips(tmp_path / "x.nc", [2000], [1], "ch4"))
    with pytest.raises(ValueError, match=r"co2 is over \('time',\) in 'ppb'"):
        open_nc(write_input4mips(tmp_path / "u.nc", [2000], [1], "co2", units="ppb"))
    zonal = tmp_path / "gr1z.nc"
    field = xr.DataArray(
        np.ones((1, 2)), {"time": [0.5], "lat": [-45.0, 45.0]}, ("time", "lat"), attrs={"units": "ppm"}
    )
    field.to_dataset(name="co2").to_netcdf(zonal)
    with pytest.raises(ValueError, match=r"gr1z.nc: co2 is over \('time', 'lat'\).*take grid gm"):
        open_nc(zonal)
