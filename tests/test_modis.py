"""MODIS leaf area index: from sinusoidal cells to latitude and longitude, on tiny files in the layout of the site."""

import numpy as np
import pyproj
import pytest
import xarray as xr

from ai4land.grid import EARTH_RADIUS, Grid, grid_of
from ai4land.regrid import area_mean
from ai4land.sources.leaf_area_series import monthly_mean
from ai4land.sources.modis import IGBP, open_lai_modis_netcdf, open_modis_land_cover, shared_areas
from ai4land.sources.registry import InputFile

CELL = 463.312716528  # m, as the files give it
LEFT, BOTTOM = -241, 10677  # cells from the central meridian and the equator: Arcachon
TO_MAP = pyproj.Proj(f"+proj=sinu +R={EARTH_RADIUS} +units=m")
VERSION = "MOD15A2H"


def write_site(path, lai, cover=None, left=LEFT, bottom=BOTTOM, days=None, **attrs):
    """A file as the site's: dates from 2004-01-01 every eight days, rows from the north, metres rounded to 0.01."""
    lai = np.asarray(lai, np.float32)
    cover = np.full(lai.shape[1:], 8, np.uint8) if cover is None else cover
    days = 8 * np.arange(len(lai)) if days is None else days
    about = {
        "product": "MOD15A2H Lai_500m, scale 0.1 (values>100 -> NaN)", "crs": "MODIS sinusoidal", "cellsize_m": CELL,
        "xllcorner": round(left * CELL, 2), "yllcorner": round(bottom * CELL, 2),
    } | attrs  # fmt: skip
    fields = {"lai": (("time", "y", "x"), lai), "mcd12q1_lc_type1": (("y", "x"), cover)}
    time = ("time", days, {"units": "days since 2004-01-01"})
    xr.Dataset(fields, {"time": time}, {k: v for k, v in about.items() if v is not None}).to_netcdf(path)
    return InputFile("lai_modis_arcachon", path, {"year": "2004"})


@pytest.mark.parametrize("left, bottom", [(LEFT, BOTTOM), (-3, 10677), (12000, 14400), (-9000, -12001), (20, 0)])
def test_shared_areas_are_those_of_a_lattice_of_points_projected_by_proj(left, bottom):
    edges = (left + np.arange(9)) * CELL
    south, north = bottom / 240, (bottom + 1) / 240
    reach = np.degrees(edges[[0, -1]] / EARTH_RADIUS / np.cos(np.radians([[south], [north]])))
    lon = np.linspace(reach.min() - 0.001, reach.max() + 0.001, 8)
    area = shared_areas(south, north, edges, lon)
    # Points of equal area: even in longitude, and in the sine of latitude.
    side = 400
    at = (np.arange(side) + 0.5) / side
    lat = np.degrees(np.arcsin(np.sin(np.radians(south)) + at * np.diff(np.sin(np.radians([south, north])))))
    points = np.meshgrid(
        lon[0] + np.repeat(np.arange(7), side) * (lon[1] - lon[0]) + np.tile(at, 7) * (lon[1] - lon[0]), lat
    )
    x, _ = TO_MAP(*points)
    found = [np.histogram(part, edges)[0] for part in np.split(x, 7, axis=1)]
    whole = EARTH_RADIUS**2 * np.radians(lon[1] - lon[0]) * np.diff(np.sin(np.radians([south, north])))[0]
    np.testing.assert_allclose(area, np.array(found) / side**2 * whole, atol=0.003 * CELL**2)


def test_a_sinusoidal_cell_keeps_its_area_and_a_column_in_its_middle_is_filled():
    edges = (LEFT + np.arange(6)) * CELL
    lon = np.degrees(edges[[0, -1]] / EARTH_RADIUS / np.cos(np.radians(44.5)))
    lon = np.linspace(lon[0] - 0.01, lon[1] + 0.01, 30)
    area = shared_areas(10677 / 240, 10678 / 240, edges, lon)
    np.testing.assert_allclose(area.sum(0), CELL**2, rtol=1e-6)  # the projection keeps areas
    band = EARTH_RADIUS**2 * np.diff(np.sin(np.radians([10677 / 240, 10678 / 240])))[0] * np.radians(lon[1] - lon[0])
    np.testing.assert_allclose(area.sum(1)[12:18], band, rtol=1e-9)
    assert (area >= 0).all() and (area == 0).mean() > 0.5


def test_the_series_is_canonical_with_modis_own_rows_and_dates_that_begin_their_days(tmp_path):
    lai = open_lai_modis_netcdf([write_site(tmp_path / "a.nc", np.full((46, 4, 6), 2.5))], VERSION)
    field, grid = lai["leaf_area_index"], grid_of(lai)
    assert field.dims == ("time", "lat", "lon") and field.dtype == np.float32
    assert field.attrs["units"] == "m2 m-2" and field.attrs["standard_name"] == "leaf_area_index"
    assert lai.attrs == {"product": "MODIS", "version": VERSION, "definition": "true"}
    assert set(lai["sensor"].to_numpy()) == {"Terra"} and str(lai["time"].to_numpy()[-1])[:10] == "2004-12-26"
    assert (grid.dlat, grid.dlon) == pytest.approx((1 / 240, 1 / 1000)) and grid.north == pytest.approx(
        (BOTTOM + 4) / 240
    )
    # The corner of the cut in degrees, by the inverse of the projection.
    west, _ = TO_MAP(LEFT * CELL, (BOTTOM + 4) * CELL, inverse=True)
    assert grid.west <= west < grid.west + 1 / 1000
    assert np.unique(field.to_numpy()[np.isfinite(field)]).tolist() == [2.5]
    assert set(lai.coords) >= {"lat_bnds", "lon_bnds"}


def test_a_month_weighs_its_dates_by_their_days(tmp_path):
    values = np.arange(46, dtype=float)[:, None, None] / 10 * np.ones((1, 4, 6))
    months = monthly_mean(open_lai_modis_netcdf([write_site(tmp_path / "a.nc", values)], VERSION))
    column = months["leaf_area_index"].isel(lat=1, lon=15)
    # January: the 1st, 9th and 17th with 8 days, the 25th with 7; February: one of its days, then the 2nd to the 26th.
    assert float(column[0]) == pytest.approx((8 * 0 + 8 * 0.1 + 8 * 0.2 + 7 * 0.3) / 31)
    assert float(column[1]) == pytest.approx((0.3 + 8 * (0.4 + 0.5 + 0.6) + 4 * 0.7) / 29)
    assert months.sizes["time"] == 12


def test_an_edge_between_two_values_lies_where_the_projection_puts_it(tmp_path):
    lai = np.zeros((1, 5, 8))
    lai[:, :, :4] = 1
    lai = np.concatenate([lai, lai])
    made = open_lai_modis_netcdf([write_site(tmp_path / "a.nc", lai)], VERSION)["leaf_area_index"][0]
    for row, lat in enumerate(made["lat"].to_numpy()):
        edge, _ = TO_MAP((LEFT + 4) * CELL, np.radians(lat) * EARTH_RADIUS, inverse=True)
        expected = np.clip((edge - (made["lon"].to_numpy() - 1 / 2000)) * 1000, 0, 1)
        known = np.isfinite(made[row].to_numpy())
        np.testing.assert_allclose(made[row].to_numpy()[known], expected[known], atol=0.002)


def test_missing_cells_take_no_part_and_rows_run_from_the_north(tmp_path):
    lai = np.tile(np.array([4, 3, 2, 1.0])[:, None], (2, 1, 6))
    lai[:, :, 3:] = np.nan
    made = open_lai_modis_netcdf([write_site(tmp_path / "a.nc", lai)], VERSION)["leaf_area_index"][0]
    for row, value in enumerate([4, 3, 2, 1]):
        known = made[row].to_numpy()[np.isfinite(made[row])]
        assert known.size >= 3 and set(known) == {np.float32(value)}
    assert np.isnan(made[:, -12:]).all()


def test_two_stretches_of_a_site_are_one_series_and_two_sites_are_refused(tmp_path):
    later = write_site(tmp_path / "b.nc", np.full((3, 4, 6), 2.0), days=[368, 376, 384])
    first = write_site(tmp_path / "a.nc", np.full((46, 4, 6), 1.0))
    lai = open_lai_modis_netcdf([later, first], VERSION)
    assert lai.sizes["time"] == 49 and float(lai["leaf_area_index"][0].max()) == 1
    moved = write_site(tmp_path / "c.nc", np.full((3, 4, 6), 2.0), days=[368, 376, 384], left=LEFT + 40)
    with pytest.raises(ValueError, match=r"c.nc against a.nc: grids differ"):
        open_lai_modis_netcdf([first, moved], VERSION)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"product": "MYD15A2H Lai_500m"}, "expected lai and mcd12q1_lc_type1 of MOD15A2H"),
        ({"product": None}, "'product': None"),
        ({"crs": "EPSG:4326"}, "on the 500 m cells of MODIS' sinusoidal grid, found"),
        ({"cellsize_m": 926.625}, "give a cut of that product at its own cells"),
        ({"xllcorner": LEFT * CELL + 100}, "500 m cells"),
        ({"yllcorner": None}, "'yllcorner': None"),
        ({"lai": np.full((2, 4, 6), 25.0)}, "lai reaches 25 m2 m-2, above 10: packed values"),
        ({"lai": np.full((2, 4, 6), -0.1)}, "one below 0"),
        ({"lai": np.full((2, 4, 6), np.nan)}, "no value"),
    ],
)
def test_other_products_grids_and_scales_are_refused_in_one_line(tmp_path, change, message):
    lai = change.pop("lai", np.full((2, 4, 6), 1.0))
    with pytest.raises(ValueError, match=message) as error:
        open_lai_modis_netcdf([write_site(tmp_path / "a.nc", lai, **change)], VERSION)
    assert "\n" not in str(error.value) and "a.nc" in str(error.value)


def test_land_cover_comes_as_shares_that_sum_to_one_on_the_same_cells(tmp_path):
    cover = np.array([[1] * 3 + [8] * 3] * 4, np.uint8)
    file = write_site(tmp_path / "a.nc", np.full((2, 4, 6), 1.0), cover)
    shares, lai = open_modis_land_cover(file, VERSION), open_lai_modis_netcdf([file], VERSION)
    assert shares.shape == (len(IGBP), *lai["leaf_area_index"].shape[1:])
    total = shares.sum("igbp_type", skipna=False).to_numpy()
    np.testing.assert_allclose(total[np.isfinite(total)], 1, atol=1e-6)
    np.testing.assert_array_equal(np.isfinite(total), np.isfinite(lai["leaf_area_index"][0]))
    assert float(shares.sel(igbp_type=[1, 8]).isel(lat=2).sum("igbp_type").max()) == pytest.approx(1)
    cover[0, 0] = 0
    with pytest.raises(ValueError, match=r"codes \[0\] are not in types 1 to 17 of MCD12Q1"):
        open_modis_land_cover(write_site(tmp_path / "b.nc", np.full((2, 4, 6), 1.0), cover), VERSION)


def test_the_way_over_the_rows_to_a_wider_grid_keeps_totals(tmp_path):
    lai = np.random.default_rng(0).random((1, 24, 40)).astype(np.float32)
    made = open_lai_modis_netcdf([write_site(tmp_path / "a.nc", np.concatenate([lai, lai]))], VERSION)
    fine = made["leaf_area_index"][0]
    # A window of all rows, inside the cut, holds the same leaves on both grids.
    inner = fine.isel(lon=slice(30, 200))
    bounds = grid_of(inner).bounds
    coarse = area_mean(inner, Grid(bounds[3], bounds[0], 24 / 240, 170 / 1000, 1, 1))
    edges, total = (LEFT + np.arange(41)) * CELL, np.zeros(2)
    lon = np.array([bounds[0], bounds[2]])
    for row in range(24):
        south = (BOTTOM + 23 - row) / 240
        area = shared_areas(south, south + 1 / 240, edges, lon)[0]
        total += (area @ lai[0, row], area.sum())
    assert float(coarse[0, 0]) == pytest.approx(total[0] / total[1], rel=1e-5)
