"""ISIMIP population becomes a density, whatever its variable and its calendar are called."""

import netCDF4
import numpy as np
import pytest
import xarray as xr

from ai4land.sources.population import open_population_netcdf
from ai4land.sources.registry import InputFile

LAT, LON = np.array([60.25, 59.75, 0.25, -0.25]), np.array([0.25, 0.75])


def write_population(path, time, units, names=("rural-population", "urban-population", "total-population"), lat=LAT,
                     fill=1e20, people=1000.0):  # fmt: skip
    """A file in ISIMIP's layout: every variable ``people`` times its place in the list, sea in the first cell."""
    with netCDF4.Dataset(path, "w") as data:
        for dim, values in (("time", time), ("lat", lat), ("lon", LON)):
            data.createDimension(dim, None if dim == "time" else len(values))
            variable = data.createVariable(dim, "f8", (dim,))
            variable[:] = values
        data["time"].setncatts({"units": units, "calendar": "proleptic_gregorian"})
        for number, name in enumerate(names, 1):
            variable = data.createVariable(name, "f4", ("time", "lat", "lon"), fill_value=np.float32(fill))
            variable.setncatts({"units": "1", "missing_value": np.float32(fill)})
            values = np.full((len(time), len(lat), 2), people * number, np.float32)
            values[:, 0, 0] = fill
            variable[:] = values
    return path


def open_people(path):
    return open_population_netcdf([InputFile("population", path, {})], "1.1")


@pytest.mark.parametrize("rows", [LAT[:2], LAT[2:]])
def test_people_of_a_cell_become_people_per_km2_of_the_sphere(tmp_path, rows):
    # Half a degree of a sphere of 6371.007 km is 55.598 km: a cell has 3091.1 km2 times the cosine of its latitude.
    path = write_population(tmp_path / "p.nc", [0.0], "days since 1901-1-1", lat=rows, people=3091.1 / 3)
    density = open_people(path)["population_density"]
    np.testing.assert_allclose(density[0, :, 1], 1 / np.cos(np.radians(rows)), rtol=1e-4)


def test_the_total_is_taken_and_the_sea_is_missing(tmp_path):
    path = write_population(tmp_path / "p.nc", [0.0, 365.0], "days since 1901-1-1", lat=LAT[2:])
    data = open_people(path)
    density = data["population_density"]
    assert density.dims == ("time", "lat", "lon") and density.dtype == np.float32 and density.chunks[0] == (1, 1)
    assert density.attrs["units"] == "km-2" and data.attrs["version"] == "1.1"
    assert set(data.variables) == {"population_density", "time", "lat", "lon", "lat_bnds", "lon_bnds"}
    assert np.isnan(density[:, 0, 0]).all() and int(np.isnan(density).sum()) == 2
    np.testing.assert_allclose(density[0, 1, 1], 3000 / 3091.1, rtol=1e-4)


@pytest.mark.parametrize(
    "time, units, years",
    [
        ([0.0, 365.0, 730.0], "days since 1901-1-1 00:00:00", [1901, 1902, 1903]),
        ([84.0, 85.0], "years since 2015-01-01", [2099, 2100]),
        ([189.0, 190.0], "years since 1661-1-1 00:00:00", [1850, 1851]),
    ],
)
def test_years_come_from_days_or_years_since_any_epoch(tmp_path, time, units, years):
    data = open_people(write_population(tmp_path / "p.nc", time, units, lat=LAT[2:]))
    assert data["time"].dtype == np.int16 and data["time"].to_numpy().tolist() == years


@pytest.mark.parametrize("fill", [1e20, -9999.0, 9.969209968386869e36])
def test_rows_from_the_south_are_turned_and_every_fill_value_is_missing(tmp_path, fill):
    path = write_population(tmp_path / "p.nc", [0.0], "days since 1850-1-1", lat=LAT[:1:-1], fill=fill)
    density = open_people(path)["population_density"]
    assert density["lat"].to_numpy().tolist() == [0.25, -0.25] and density["lat"].attrs["units"] == "degrees_north"
    assert np.isnan(density.to_numpy()).tolist() == [[[False, False], [True, False]]]


def test_isimip2b_calls_it_number_of_people_and_other_names_are_refused(tmp_path):
    path = write_population(tmp_path / "b.nc", [200.0], "years since 1661-1-1", ("number_of_people",), LAT[2:])
    assert float(open_people(path)["population_density"][0, 0, 1]) == pytest.approx(1000 / 3091.1, rel=1e-4)
    path = write_population(tmp_path / "c.nc", [0.0], "days since 1901-1-1", ("rural-population", "popc"), LAT[2:])
    with pytest.raises(ValueError, match=r"c.nc: variables are \['popc', 'rural-population'\], expected one of"):
        open_people(path)


def test_xarray_cannot_decode_the_scenarios_that_the_reader_can(tmp_path):
    path = write_population(tmp_path / "p.nc", [0.0, 1.0], "years since 2015-01-01", lat=LAT[2:])
    with pytest.raises(ValueError, match="years since"):
        xr.open_dataset(path)
    assert open_people(path)["time"].to_numpy().tolist() == [2015, 2016]


def test_two_files_of_the_past_are_one_series_without_gap_or_repetition(tmp_path):
    def write(name, first, years, people):
        time = [365.0 * n + 1 for n in range(years)]
        path = write_population(tmp_path / name, time, f"days since {first}-1-1", lat=LAT[2:], people=people)
        return InputFile("population", path, {"first": str(first)})

    old, new = write("old.nc", 1899, 2, 1.0), write("new.nc", 1901, 3, 10.0)
    data = open_population_netcdf([new, old], "1.1")
    assert data["time"].dtype == np.int16 and data["time"].to_numpy().tolist() == [1899, 1900, 1901, 1902, 1903]
    people = data["population_density"][:, 0, 1] * 3091.1
    np.testing.assert_allclose(people, [3, 3, 30, 30, 30], rtol=1e-4)
    for other in (write("twice.nc", 1900, 2, 1.0), write("gap.nc", 1905, 2, 1.0)):
        with pytest.raises(ValueError, match=r"the files hold \['1899-1900', '190.-190.'\], expected every year once"):
            open_population_netcdf([old, other], "1.1")
