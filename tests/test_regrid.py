import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.transform import from_origin
from rasterio.warp import Resampling, reproject

from ai4land import regrid
from ai4land.grid import Grid
from ai4land.regrid import (
    area_mean,
    class_fractions,
    coarsen_fractions,
    cut_around,
    majority_of,
    nearest,
    overlap_weights,
)


def field(values, grid, name="cover"):
    return xr.DataArray(np.asarray(values), grid.coords(), ("lat", "lon"), name)


def test_fractions_of_a_hand_drawn_map():
    # At the equator cells are equal to 1e-4: the left target cell holds three 1 and one 2, the right four 2.
    source = Grid(0.02, 0, 0.01, 0.01, 2, 4)
    made = class_fractions(
        field(np.array([[1, 1, 2, 2], [1, 2, 2, 2]], np.uint8), source), source.blocks(2), np.arange(8)
    )
    np.testing.assert_allclose(made["fraction"].sel(cover_class=1)[0], [0.75, 0], atol=1e-4)
    np.testing.assert_allclose(made["fraction"].sel(cover_class=2)[0], [0.25, 1], atol=1e-4)


def test_fractions_for_a_ratio_of_3_6_equal_a_brute_force_overlay():
    # 300 m cells, 18 of them to 5 target cells; the overlay is counted on a grid of 1/1800 degree, which
    # both divide: 5 x 5 to a source cell, 18 x 18 to a target cell.
    rng = np.random.default_rng(1)
    source, target = Grid(50, 7, 1 / 360, 1 / 360, 36, 36), Grid(50, 7, 0.01, 0.01, 10, 10)
    cover = rng.integers(0, 8, (36, 36)).astype(np.uint8)
    fine = np.repeat(np.repeat(cover, 5, 0), 5, 1)
    tiny = Grid(50, 7, 1 / 1800, 1 / 1800, 180, 180)
    weight = np.broadcast_to(tiny.cell_area()[:, None], tiny.shape)
    made = class_fractions(field(cover, source), target, np.arange(8))
    for code in range(8):
        total = ((fine == code) * weight).reshape(10, 18, 10, 18).sum((1, 3))
        expected = total / weight.reshape(10, 18, 10, 18).sum((1, 3))
        np.testing.assert_allclose(made["fraction"].sel(cover_class=code), expected, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 40), st.integers(2, 40), st.floats(0.3, 7.3), st.integers(0, 2**31))
def test_fractions_sum_to_one_and_conserve_area_for_any_ratio(rows, cols, ratio, seed):
    source = Grid(60, 5, 0.01, 0.01, rows, cols)
    # Target edges on the source's outer edges; its cells are any size.
    target = Grid(60, 5, 0.01 * ratio, 0.01 * ratio, int(np.ceil(rows / ratio)), int(np.ceil(cols / ratio)))
    cover = np.random.default_rng(seed).choice([1, 4, 7, 255], (rows, cols)).astype(np.uint8)
    made = class_fractions(field(cover, source), target, np.arange(8))
    total = made["fraction"].sum("cover_class", skipna=False).to_numpy()
    assert np.nanmax(np.abs(total - 1), initial=0) < 1e-5
    area = (source.cell_area()[:, None] * (cover != 255)).sum()
    assert float(made["area"].sum()) == pytest.approx(area, rel=1e-5)


def test_no_data_is_left_out_of_the_fractions():
    source = Grid(0.02, 0, 0.01, 0.01, 2, 4)
    made = class_fractions(
        field(np.array([[1, 255, 255, 255], [255] * 4], np.uint8), source), source.blocks(2), np.arange(8)
    )
    assert made["fraction"].sel(cover_class=1)[0, 0] == 1
    assert np.isnan(made["fraction"][:, 0, 1]).all()


def test_unknown_code_is_refused():
    source = Grid(0.02, 0, 0.01, 0.01, 2, 4)
    with pytest.raises(ValueError, match=r"codes \[9\]"):
        class_fractions(field(np.full((2, 4), 9, np.uint8), source), source.blocks(2), np.arange(8))


def test_a_code_unknown_in_the_last_row_is_refused_too(monkeypatch):
    source = Grid(0.08, 0, 0.01, 0.01, 8, 4)
    cover = np.zeros((8, 4), np.uint8)
    cover[7, 3] = 38
    monkeypatch.setattr(regrid, "_WORK", 1)
    with pytest.raises(ValueError, match=r"codes \[38\]"):
        majority_of(field(cover, source), source.blocks(2), np.arange(38))


@pytest.mark.parametrize("work", [1, 3000, 2**30])
def test_fractions_and_means_do_not_depend_on_how_many_rows_are_in_work(monkeypatch, work):
    # 38 codes with gaps between them, as land cover has, and no data; 3.6 cells to one.
    rng, codes = np.random.default_rng(5), np.arange(38) * 5 + 10
    source, target = Grid(50, 7, 1 / 360, 1 / 360, 90, 72), Grid(50, 7, 0.01, 0.01, 25, 20)
    cover = field(rng.choice([*codes, 255], source.shape).astype(np.uint8), source)
    height = field(np.where(rng.random(source.shape) < 0.1, np.nan, 500).astype(np.float32), source)
    height[:40] = rng.random((40, 72))
    made = class_fractions(cover, target, codes), majority_of(cover, target, codes), area_mean(height, target)
    monkeypatch.setattr(regrid, "_WORK", work)
    again = class_fractions(cover, target, codes), majority_of(cover, target, codes), area_mean(height, target)
    assert all(one.identical(two) for one, two in zip(made, again, strict=True))
    # The majority by numpy's own argmax: the first of equal shares.
    largest = codes[made[0]["fraction"].to_numpy().round(5).argmax(0)]
    assert (made[1] == largest).all()


def test_majority_takes_the_lowest_code_in_a_tie_and_255_without_data():
    # Two rows on either side of the equator, equal in area: 4 and 2 share the first cell, 6 wins against one 2 in
    # the second although a quarter of that cell has no data.
    source = Grid(0.01, 0, 0.01, 0.01, 2, 6)
    cover = np.array([[4, 2, 6, 2, 255, 255], [2, 4, 255, 6, 255, 255]], np.uint8)
    made = majority_of(field(cover, source), source.blocks(2), np.array([2, 4, 6]))
    assert made.to_numpy().tolist() == [[2, 6, 255]] and made.dtype == np.uint8


def test_a_tie_stays_a_tie_when_areas_carry_rounding():
    # Two classes share each target cell in equal columns: code 3 wins everywhere, at any latitude.
    source = Grid(67.3, 11.1, 1 / 240, 1 / 240, 24, 24)
    cover = np.tile(np.array([5, 3], np.uint8), (24, 12))
    assert (majority_of(field(cover, source), Grid(67.3, 11.1, 1 / 40, 1 / 40, 4, 4), np.arange(8)) == 3).all()


def test_cells_outside_the_source_have_no_data():
    source, target = Grid(0.02, 0, 0.01, 0.01, 2, 2), Grid(0.04, 0, 0.01, 0.01, 4, 4)
    made = class_fractions(field(np.ones((2, 2), np.uint8), source), target, np.arange(2))
    inside = np.zeros((4, 4), bool)
    inside[2:, :2] = True
    assert (np.isfinite(made["fraction"].to_numpy()) == inside).all() and ((made["area"] > 0) == inside).all()
    mean = area_mean(field(np.ones((2, 2), np.float32), source), target)
    assert (np.isfinite(mean.to_numpy()) == inside).all()
    assert (majority_of(field(np.ones((2, 2), np.uint8), source), target, np.arange(2)) == 1)[2:, :2].all()


def test_area_mean_equals_gdal_average():
    # GEBCO to the fine grid, 2.4 cells to one. GDAL weighs by cell area in degrees: equal within 1e-4 here.
    rng = np.random.default_rng(2)
    source, target = Grid(50, 7, 1 / 240, 1 / 240, 120, 120), Grid(50, 7, 0.01, 0.01, 50, 50)
    height = rng.normal(500, 200, source.shape).astype(np.float32)
    expected = np.zeros(target.shape, np.float32)
    grids = {"src_transform": from_origin(7, 50, 1 / 240, 1 / 240), "dst_transform": from_origin(7, 50, 0.01, 0.01)}
    reproject(height, expected, **grids, src_crs="EPSG:4326", dst_crs="EPSG:4326", resampling=Resampling.average)
    np.testing.assert_allclose(area_mean(field(height, source), target), expected, atol=0.05)


def test_area_mean_leaves_missing_values_out():
    source = Grid(0.02, 0, 0.01, 0.01, 2, 4)
    values = np.array([[1, np.nan, np.nan, np.nan], [3, np.nan, np.nan, np.nan]], np.float32)
    made = area_mean(field(values, source), source.blocks(2)).to_numpy()
    assert made[0, 0] == pytest.approx(2, rel=1e-4) and np.isnan(made[0, 1])


def test_area_mean_of_a_constant_is_the_constant_at_any_ratio():
    source, target = Grid(80, 0, 0.25, 0.25, 40, 40), Grid(80, 0, 0.333, 0.333, 30, 30)
    made = area_mean(field(np.full((40, 40), 7.0, np.float32), source), target)
    np.testing.assert_allclose(made, 7.0, rtol=1e-6)


def test_overlap_weights_are_the_shared_areas():
    source, target = Grid(10, 0, 1, 1, 4, 4), Grid(9.5, 0.5, 1, 1, 2, 2)
    rows, cols = overlap_weights(source, target)
    # A target row shares half a degree with two source rows.
    assert np.diff(rows.indptr).tolist() == [2, 2]
    assert cols.toarray()[0, :2] == pytest.approx(np.radians([0.5, 0.5]))


def test_v1_cells_go_to_the_global_grid_by_nearest_centre():
    v1 = Grid(46, 10, 0.00998837, 0.00998837, 600, 600)
    target = Grid(46, 10, 0.01, 0.01, 590, 590)
    codes = np.arange(600 * 600).reshape(600, 600)
    made = nearest(field(codes, v1), target).to_numpy()
    rows = [int(np.abs(v1.lat - lat).argmin()) for lat in target.lat]
    cols = [int(np.abs(v1.lon - lon).argmin()) for lon in target.lon]
    assert (made == codes[np.ix_(rows, cols)]).all()
    # After 430 cells the two grids have drifted by half a cell: stacking by index would be wrong.
    assert rows[450] != 450


def test_nearest_outside_the_data_is_refused():
    with pytest.raises(ValueError, match="outside"):
        nearest(field(np.zeros((5, 5)), Grid(10, 0, 1, 1, 5, 5)), Grid(12, 0, 1, 1, 5, 5))


def test_coarse_cells_of_50_from_25_equal_those_made_directly():
    rng = np.random.default_rng(3)
    source = Grid(55, 0, 0.01, 0.01, 110, 130)  # partial blocks on two sides
    cover = field(rng.choice([1, 2, 4, 255], source.shape).astype(np.uint8), source)
    small, direct = (class_fractions(cover, source.blocks(n), np.arange(8)) for n in (25, 50))
    fraction, area = coarsen_fractions(small["fraction"].to_numpy(), small["area"].to_numpy(), 2)
    np.testing.assert_allclose(fraction, direct["fraction"], atol=1e-5)
    np.testing.assert_allclose(area, direct["area"], rtol=1e-5)


def test_cut_around_keeps_a_margin_and_refuses_what_does_not_touch():
    grid = Grid(50, 0, 0.1, 0.1, 100, 100)
    cut = cut_around(field(np.zeros(grid.shape), grid), Grid(45, 5, 0.01, 0.01, 100, 100))
    # 10 cells of 0.1 degree, two more on each side; rounding may add one.
    assert all(14 <= n <= 15 for n in cut.shape)
    assert float(cut.lat.max()) > 45.1 and float(cut.lon.min()) < 4.9
    with pytest.raises(ValueError, match="outside the data"):
        cut_around(field(np.zeros(grid.shape), grid), Grid(10, 5, 0.01, 0.01, 100, 100))
