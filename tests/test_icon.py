"""External parameters for ICON."""

import shutil
import subprocess
from dataclasses import replace

import netCDF4
import numpy as np
import pytest
import xarray as xr

from ai4land.export.cells import icon
from ai4land.export.icon import class_fractions_on, write_icon, write_icon_leaf_area
from ai4land.grid import EARTH_RADIUS, Grid
from ai4land.legend import class_codes, flag_attributes, read_legend
from twin_earth.icon_grid import RADIUS, write_icon_grid

GLOBE = Grid(90.0, -180.0, 2.0, 2.0, 90, 180)
# The classes of EXTPAR's table for ESA CCI (C2SM/extpar, src/mo_ecci_lookup_tables.f90), no data first.
EXTPAR = [0, 10, 11, 12, 20, 30, 40, 50, 60, 61, 62, 70, 71, 72, 80, 81, 82, 90, 100, 110, 120, 121, 122, 130, 140, 150,
          151, 152, 153, 160, 170, 180, 190, 200, 201, 202, 210, 220]  # fmt: skip
ABOUT = {"title": "Land cover (synthetic)", "synthetic": 1, "year": 2000}


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    return icon(write_icon_grid(tmp_path_factory.mktemp("grid") / "icon_grid_0999_R01B02_G.nc", 2))


def a_map(legend: str, grid: Grid = GLOBE, missing: int | None = None) -> xr.DataArray:
    rows = read_legend(legend)
    rng = np.random.default_rng(1)
    codes = rng.choice(class_codes(rows), grid.shape).astype(np.uint8)
    if missing is not None:
        codes[rng.random(grid.shape) < 0.2] = missing
    return xr.DataArray(codes, grid.coords(), ("lat", "lon"), legend, flag_attributes(rows))


def leaves(grid: Grid = GLOBE) -> xr.DataArray:
    """Leaf area that peaks in July in the north and in January in the south; none in the sea east of 100 degrees."""
    month = np.arange(12)[:, None, None]
    season = np.cos(2 * np.pi * (month - 6) / 12) * np.sign(grid.lat)[:, None]
    values = np.broadcast_to(2 + season, (12, *grid.shape)).copy()
    values[..., grid.lon > 100] = np.nan
    return xr.DataArray(
        values, {"month": np.arange(1, 13), **grid.coords()}, ("month", "lat", "lon"), "leaf_area_index"
    )


def test_land_cover_has_the_38_classes_of_extpar_in_its_order_and_they_fill_every_cell(cells, tmp_path):
    cover = a_map("land_cover", missing=0)
    path = write_icon(tmp_path / "external_parameter.nc", cells, cover, "land_cover", ABOUT)
    with xr.open_dataset(path) as data:
        fraction = data["LU_CLASS_FRACTION"]
        assert fraction.dims == ("nclass_lu", "cell") and fraction.dtype == np.float32
        assert fraction.attrs["class_codes"].tolist() == EXTPAR
        np.testing.assert_allclose(fraction.sum("nclass_lu"), 1, atol=1e-6)
        area = np.repeat(GLOBE.cell_area()[:, None], GLOBE.cols, 1)
        for number, code in enumerate(EXTPAR):
            expected = area[cover.to_numpy() == code].sum()
            assert float((fraction[number] * cells.area).sum()) == pytest.approx(expected, rel=1e-6)
        water = EXTPAR.index(210)
        land = 1 - fraction[0] - fraction[water]
        np.testing.assert_allclose(data["FR_LAND"], land, atol=1e-6)


def test_land_use_has_eight_classes_that_sum_to_the_share_with_data(cells, tmp_path):
    region = Grid(60.0, 0.0, 0.5, 0.5, 60, 80)
    cover = a_map("land_use", region, missing=255)
    path = write_icon(tmp_path / "land_use.nc", cells, cover, "land_use", ABOUT)
    area = np.where(cover != 255, region.cell_area()[:, None], 0)
    with xr.open_dataset(path) as data:
        assert data["LU_CLASS_FRACTION"].attrs["class_codes"].tolist() == list(range(8))
        assert float((data["LU_CLASS_FRACTION"].sum("nclass_lu") * cells.area).sum()) == pytest.approx(
            area.sum(), rel=1e-6
        )
        land = area[np.isin(cover, range(1, 7))].sum()
        assert float((data["FR_LAND"] * cells.area).sum()) == pytest.approx(land, rel=1e-6)


def test_the_layout_is_that_of_icon_and_the_grid_is_named(cells, tmp_path):
    path = write_icon(tmp_path / "external_parameter.nc", cells, a_map("land_cover"), "land_cover", ABOUT, leaves())
    with netCDF4.Dataset(path) as data:
        assert data.uuidOfHGrid == cells.attrs["uuidOfHGrid"] and data.number_of_grid_used == 999
        assert "ECCI" in data.rawdata and data.synthetic == 1
        assert data["clon"].units == "radian" and data["clon"].bounds == "clon_vertices"
        np.testing.assert_allclose(np.degrees(data["clat_vertices"][:]), cells.lat_corners, atol=1e-12)
        for name in ("LU_CLASS_FRACTION", "FR_LAND", "LAI_MX"):
            assert data[name].CDI_grid_type == "unstructured" and data[name].coordinates == "clon clat"
            assert data[name]._FillValue == np.float32(-1e20)


def test_leaf_area_is_the_largest_month_of_the_cell_and_the_months_are_a_file_of_their_own(cells, tmp_path):
    cover = a_map("land_cover")
    yearly = write_icon(tmp_path / "external_parameter.nc", cells, cover, "land_cover", ABOUT, leaves())
    monthly = write_icon_leaf_area(tmp_path / "lai.nc", cells, leaves(), 2000, ABOUT)
    with xr.open_dataset(yearly) as once, xr.open_dataset(monthly) as months:
        assert "LAI" not in once and months["LAI"].dims == ("time", "cell")
        assert months["time"].dt.month.to_numpy().tolist() == list(range(1, 13))
        assert (months["time"].dt.year == 2000).all()
        np.testing.assert_allclose(once["LAI_MX"], months["LAI"].max("time"), rtol=1e-6)
        # Away from the equator all of a cell has one season: the largest month is 2 + 1.
        north = (cells.lat_corners > 0.1).all(1) & (cells.lon_corners < 90).all(1) & (cells.lon_corners > -170).all(1)
        np.testing.assert_allclose(once["LAI_MX"][north], 3, rtol=1e-6)
        assert (months["LAI"][:, north].argmax("time") == 6).all() and north.sum() > 20
        sea = (cells.lon_corners > 104).all(1) & (cells.lon_corners < 175).all(1)
        assert once["LAI_MX"][sea].isnull().all() and sea.any()


def test_equal_content_has_equal_bytes(cells, tmp_path):
    paths = [
        write_icon(tmp_path / str(n) / "parameters.nc", cells, a_map("land_cover"), "land_cover", ABOUT, cache=tmp_path)
        for n in (1, 2)
    ]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert not list(tmp_path.rglob("*partial*"))


def test_areas_of_the_grid_file_are_those_of_its_triangles_on_icons_own_sphere(cells):
    assert cells.area.sum() == pytest.approx(4 * np.pi * EARTH_RADIUS**2, rel=1e-12)
    assert EARTH_RADIUS != RADIUS


def test_cdo_reads_the_file_and_finds_its_grid(cells, tmp_path):
    if shutil.which("cdo") is None:
        pytest.skip("no cdo: the file is read by xarray only")
    path = write_icon(tmp_path / "external_parameter.nc", cells, a_map("land_cover"), "land_cover", ABOUT)
    described = subprocess.run(["cdo", "-s", "griddes", str(path)], capture_output=True, text=True, check=True).stdout
    assert "gridtype  = unstructured" in described and f"gridsize  = {cells.area.size}" in described
    assert "nvertex   = 3" in described and cells.attrs["uuidOfHGrid"] in described
    mean = ["cdo", "-s", "outputf,%.9g,1", "-fldmean", "-selname,FR_LAND", str(path)]
    found = float(subprocess.run(mean, capture_output=True, text=True, check=True).stdout)
    with xr.open_dataset(path) as data:
        expected = float((data["FR_LAND"] * cells.area).sum() / cells.area.sum())
    assert found == pytest.approx(expected, rel=1e-6)


def test_bad_input_is_refused(cells, tmp_path):
    path, cover = tmp_path / "parameters.nc", a_map("land_cover")
    with pytest.raises(ValueError, match="not those of legend land_use"):
        write_icon(path, cells, cover, "land_use", ABOUT)
    bare = cover.drop_attrs()
    with pytest.raises(ValueError, match="codes .* are not in the legend"):
        write_icon(path, cells, bare, "land_use", ABOUT)
    with pytest.raises(ValueError, match="has no place in an ICON file"):
        class_fractions_on(cells, a_map("ipcc"), "ipcc")
    with pytest.raises(ValueError, match="no uuidOfHGrid"):
        write_icon(path, replace(cells, attrs={}), cover, "land_cover", ABOUT)
    with pytest.raises(ValueError, match="11 months"):
        write_icon_leaf_area(path, cells, leaves()[:11], 2000, ABOUT)
    with pytest.raises(ValueError, match=r"values up to 90, expected m2 m-2"):
        write_icon_leaf_area(path, cells, leaves() * 30, 2000, ABOUT)
    assert not list(tmp_path.iterdir())
