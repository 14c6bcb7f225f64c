"""Conservative remapping to the cells of host models, beside CDO."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely
import xarray as xr
from conftest import ROOT

from ai4land.export.cells import healpix, icon, octahedral, regular
from ai4land.export.remap import apply, remap_classes, remap_weights
from ai4land.grid import EARTH_RADIUS, Grid
from ai4land.regrid import class_fractions
from sphere_overlap import ring_areas
from twin_earth import write_icon_grid

GOLDEN = ROOT / "tests" / "golden" / "remap"
sys.path.insert(0, str(GOLDEN))
import make as golden  # noqa: E402

SPHERE = 4 * np.pi * EARTH_RADIUS**2
GLOBE = Grid(90.0, -180.0, 2.0, 2.5, 90, 144)


@pytest.fixture(scope="module")
def targets(tmp_path_factory):
    return golden.targets(tmp_path_factory.mktemp("grid"))


@pytest.mark.parametrize("kind", ["regular", "octahedral", "icon", "healpix"])
@pytest.mark.parametrize("which", ["", "-region"])
def test_means_are_those_of_cdo(targets, kind, which):
    """Means do not depend on the radius. CDO takes edges of HEALPix for great circles: so does this comparison."""
    cells = targets[kind]
    if kind == "healpix":
        corners = cells.lon_corners[:, ::4], cells.lat_corners[:, ::4]
        cells = replace(cells, lon_corners=corners[0], lat_corners=corners[1], great_circles=True)
    field = golden.field(golden.REGION if which else golden.SOURCE)
    mean, share = apply(remap_weights(golden.REGION if which else golden.SOURCE, cells), field)
    expected = np.loadtxt(GOLDEN / f"{kind}{which}.csv")
    np.testing.assert_allclose(mean, expected, rtol=0, atol=1e-12)
    assert np.isfinite(expected).sum() > 5 and np.array_equal(share > 0, np.isfinite(expected))


def test_true_edges_of_healpix_give_means_close_to_those_of_great_circles(targets):
    """They differ where cells are large (7 degrees at 4 to a side) and edges most curved."""
    mean, _ = apply(remap_weights(golden.SOURCE, targets["healpix"]), golden.field(golden.SOURCE))
    difference = np.abs(mean - np.loadtxt(GOLDEN / "healpix.csv"))
    assert 1e-4 < difference.max() < 0.02


def test_rows_of_gaussian_grids_meet_half_way_between_latitudes_as_in_cdo():
    expected = np.loadtxt(GOLDEN / "gaussian-edges.csv")  # single precision
    cells = octahedral(32)
    found = np.unique(cells.lat_corners)[::-1]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_cells_of_healpix_are_numbered_as_in_cdo():
    cells, expected = healpix(4, "ring"), np.loadtxt(GOLDEN / "healpix-centres.csv", delimiter=",")
    np.testing.assert_allclose(cells.lat, expected[:, 1], atol=1e-9)
    np.testing.assert_allclose((cells.lon - expected[:, 0] + 180) % 360, 180, atol=1e-9)


def test_octahedral_rows_have_16_and_4_more_cells_each_and_cover_the_sphere():
    cells = octahedral(160)
    # 2 * (20 + 24 + ... + (16 + 4 * 160)) = 2 * (16 * 160 + 4 * 160 * 161 / 2)
    assert cells.lon.size == 2 * (16 * 160 + 2 * 160 * 161)
    assert cells.area.sum() == pytest.approx(SPHERE, rel=1e-12)
    assert list(cells.lon[:3]) == [0, 18, 36] and cells.lat[0] > 89


@pytest.mark.parametrize("order", ["nested", "ring"])
def test_cells_of_healpix_have_one_area_and_both_orders_hold_the_same_cells(order):
    cells = healpix(8, order)
    rings = np.abs(ring_areas(np.radians(cells.lon_corners), np.radians(cells.lat_corners), False)) * EARTH_RADIUS**2
    # Chords cut at the poles: the two times four cells there are off by 1/64, the rest by less.
    assert np.abs(rings / cells.area - 1).max() < 1 / 60 and np.median(np.abs(rings / cells.area - 1)) < 1e-3
    assert rings.sum() == pytest.approx(SPHERE, rel=1e-12)
    other = healpix(8, "nested" if order == "ring" else "ring")
    assert {*zip(cells.lon.round(9), cells.lat.round(9), strict=True)} == {
        *zip(other.lon.round(9), other.lat.round(9), strict=True)
    }
    assert (np.diff(cells.lat) <= 1e-9).all() == (order == "ring")


@pytest.mark.parametrize("source", [GLOBE, Grid(90.0, 0.0, 2.0, 2.5, 90, 144), Grid(90.0, -179.0, 3.6, 3.6, 50, 100)])
@pytest.mark.parametrize("kind", ["regular", "octahedral", "healpix", "icon"])
def test_every_source_cell_is_given_away_whole_and_every_target_cell_filled(targets, kind, source):
    """Over the date line and the poles too: the icosahedron has a vertex at each pole."""
    weights = remap_weights(source, targets[kind])
    given, filled = (np.asarray(weights.shared.sum(axis)).ravel() for axis in (0, 1))
    whole = np.repeat(source.cell_area(), source.cols)
    np.testing.assert_allclose(given, whole, rtol=1e-7)
    np.testing.assert_allclose(filled, weights.area, rtol=1e-7)


def test_a_cell_around_a_pole_and_one_across_the_date_line_are_whole():
    """A square of great circles around the south pole, and one of parallels from 170 to -170."""
    cap = replace(
        regular(90.0), lon=np.zeros(1), lat=np.full(1, -90.0), great_circles=True, area=np.ones(1), shape=(1,),
        lon_corners=np.array([[20.0, 110.0, -160.0, -70.0]]), lat_corners=np.full((1, 4), -80.0),
    )  # fmt: skip
    weights = remap_weights(GLOBE, cap)
    # Four isosceles triangles with the right angle at the pole: tan(excess / 2) = tan^2(half of 10 degrees).
    expected = 4 * 2 * np.arctan(np.tan(np.radians(5)) ** 2) * EARTH_RADIUS**2
    assert weights.shared.sum() == pytest.approx(expected, rel=1e-9) == weights.area[0]
    box = replace(cap, great_circles=False, lon_corners=np.array([[170.0, -170.0, -170.0, 170.0]]), lat=np.zeros(1),
                  lat_corners=np.array([[-10.0, -10, 10, 10]]))  # fmt: skip
    part = remap_weights(Grid(90.0, -180.0, 2.0, 2.0, 90, 10), box).shared
    assert part.sum() == pytest.approx(EARTH_RADIUS**2 * np.radians(10) * 2 * np.sin(np.radians(10)), rel=1e-9)


def test_shared_areas_are_those_of_polygons_in_the_equal_area_plane(targets):
    """Shapely clips in longitude and sine of latitude, with great circles of 400 chords."""
    cells, source = targets["icon"], Grid(60.0, 0.0, 5.0, 6.0, 10, 10)
    number = int(np.argmin(np.hypot(cells.lon - 30, cells.lat - 35)))
    lon, lat = np.radians(cells.lon_corners[number]), np.radians(cells.lat_corners[number])
    points = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], 1)
    t = np.linspace(0, 1, 400)[:, None]
    ring = np.concatenate([a * (1 - t) + b * t for a, b in zip(points, np.roll(points, -1, 0), strict=True)])
    ring /= np.linalg.norm(ring, axis=1, keepdims=True)
    triangle = shapely.Polygon(np.stack([np.arctan2(ring[:, 1], ring[:, 0]), ring[:, 2]], 1)).buffer(0)
    south, west = np.meshgrid(np.radians(source.lat - 2.5), np.radians(source.lon - 3), indexing="ij")
    boxes = shapely.box(west, np.sin(south), west + np.radians(6), np.sin(south + np.radians(5)))
    expected = shapely.area(shapely.intersection(boxes, triangle)).ravel() * EARTH_RADIUS**2
    found = remap_weights(source, cells).shared[number].toarray().ravel()
    np.testing.assert_allclose(found, expected, atol=1e-5 * source.cell_area().min())
    assert (expected > 0).sum() > 3


@pytest.mark.parametrize("kind", ["regular", "octahedral", "healpix", "icon"])
def test_the_integral_of_a_field_with_gaps_is_kept(targets, kind):
    field, source = golden.field(golden.SOURCE), golden.SOURCE
    weights = remap_weights(source, targets[kind])
    mean, share = apply(weights, field)
    before = (field.fillna(0).to_numpy() * source.cell_area()[:, None]).sum()
    assert float((mean.fillna(0) * share * weights.area).sum()) == pytest.approx(before, rel=1e-9)
    assert mean.min() >= field.min() and mean.max() <= field.max()


def test_several_layers_are_remapped_at_once_each_with_its_own_gaps(targets):
    one = golden.field(golden.SOURCE)
    both = xr.concat([one, one.where(one > 0.5)], xr.IndexVariable("month", [1, 2]))
    weights = remap_weights(golden.SOURCE, targets["icon"])
    mean, share = apply(weights, both)
    assert mean.dims == ("month", "cell") and list(mean["month"]) == [1, 2]
    for number in (0, 1):
        alone, part = apply(weights, both[number])
        xr.testing.assert_identical(alone.drop_vars("month"), mean[number].drop_vars("month"))
        xr.testing.assert_identical(part.drop_vars("month"), share[number].drop_vars("month"))


def checkered(grid: Grid) -> xr.DataArray:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, grid.shape).astype(np.uint8)
    codes[rng.random(grid.shape) < 0.1] = 255
    return xr.DataArray(codes, grid.coords(), ("lat", "lon"), "cover")


def test_class_fractions_on_a_regular_target_are_those_of_the_blocks():
    grid = Grid(44.0, 20.0, 0.01, 0.01, 100, 100)
    cover, codes = checkered(grid), np.arange(3)
    fraction, area = remap_classes(cover, regular(0.25, (20.0, 43.0, 21.0, 44.0)), codes)
    expected = class_fractions(cover, grid.blocks(25), codes)
    np.testing.assert_allclose(fraction, expected["fraction"].to_numpy().reshape(3, -1), atol=1e-6)
    np.testing.assert_allclose(area, expected["area"].to_numpy().ravel(), rtol=1e-6)


@pytest.mark.parametrize("largest", [10**9, 10])
def test_class_areas_are_kept_also_where_the_map_is_averaged_first(targets, monkeypatch, largest):
    monkeypatch.setattr("ai4land.export.remap._LARGEST", largest)
    monkeypatch.setattr("ai4land.export.remap._BAND", 500)
    grid = Grid(90.0, -180.0, 2.0, 2.4, 90, 150)
    cover, codes = checkered(grid), np.arange(3)
    fraction, area = remap_classes(cover, targets["octahedral"], codes)
    whole = np.repeat(grid.cell_area()[:, None], grid.cols, 1)
    for code in codes:
        kept = float((fraction.sel(cover_class=code).fillna(0) * area).sum())
        assert kept == pytest.approx(whole[cover.to_numpy() == code].sum(), rel=1e-6)
    np.testing.assert_allclose(fraction.sum("cover_class").where(area > 0).dropna("cell"), 1, atol=1e-6)


def test_weights_are_made_once_and_others_for_another_grid(tmp_path, targets, monkeypatch):
    first = remap_weights(GLOBE, targets["octahedral"], tmp_path)
    remap_weights(GLOBE, targets["icon"], tmp_path)
    remap_weights(Grid(90.0, 0.0, 2.0, 2.5, 90, 144), targets["icon"], tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
    monkeypatch.setattr("ai4land.export.remap.overlap_weights", None)  # made again, they would fail
    again = remap_weights(GLOBE, targets["octahedral"], tmp_path)
    assert (first.shared != again.shared).nnz == 0


def test_bad_grids_and_fields_are_refused(tmp_path, targets):
    with pytest.raises(ValueError, match="no cell meets"):
        remap_weights(Grid(10.0, 0.0, 0.1, 0.1, 10, 10), regular(1.0, (40.0, 40.0, 42.0, 42.0)))
    with pytest.raises(ValueError, match="Never stack maps by index"):
        apply(remap_weights(GLOBE, targets["icon"]), golden.field(golden.SOURCE))
    with pytest.raises(ValueError, match="overlaps itself"):
        remap_weights(Grid(90.0, -180.0, 2.0, 2.5, 90, 145), targets["icon"])
    with pytest.raises(ValueError, match="no power of 2"):
        healpix(12, "ring")
    with pytest.raises(ValueError, match="order 'peano'"):
        healpix(4, "peano")
    with pytest.raises(ValueError, match="whole"):
        regular(7.0)
    with pytest.raises(FileNotFoundError, match=r"absent\.nc: no such ICON grid file; 01-download makes one up"):
        icon(tmp_path / "absent.nc")
    with pytest.raises(ValueError, match="no uuidOfHGrid"):
        icon(write_icon_grid(tmp_path / "nameless.nc", 0, uuid=None))
    other = golden.field(GLOBE).to_netcdf(tmp_path / "field.nc") or tmp_path / "field.nc"
    with pytest.raises(ValueError, match=r"not an ICON grid file, it has no \['cell_area', 'clat'"):
        icon(other)


def test_vertices_of_cells_stand_in_for_their_corners(tmp_path):
    whole = icon(write_icon_grid(tmp_path / "whole.nc", 1))
    part = icon(write_icon_grid(tmp_path / "part.nc", 1, clon_vertices=None, clat_vertices=None))
    np.testing.assert_array_equal(whole.lon_corners, part.lon_corners)
    assert part.attrs["uuidOfHGrid"] == whole.attrs["uuidOfHGrid"] and Path(tmp_path / "part.nc").exists()
