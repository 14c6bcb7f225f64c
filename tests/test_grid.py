import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai4land.grid import EARTH_RADIUS, GLOBAL, Grid, block_index, grid_of, region_bounds, window_slices


def test_cell_area_sums_to_the_sphere():
    # 4 pi R^2 = 510.07e12 m2 with the authalic radius.
    assert GLOBAL.cell_area().sum() * GLOBAL.cols == pytest.approx(4 * np.pi * EARTH_RADIUS**2, rel=1e-12)
    assert 4 * np.pi * EARTH_RADIUS**2 == pytest.approx(5.1007e14, rel=1e-4)


def test_global_grid_is_hilda_plus_v2s():
    assert GLOBAL.shape == (18000, 36000)
    assert GLOBAL.lat[0] == pytest.approx(89.995) and GLOBAL.lat[-1] == pytest.approx(-89.995)
    assert GLOBAL.lon[0] == pytest.approx(-179.995) and GLOBAL.lon[-1] == pytest.approx(179.995)
    assert GLOBAL.blocks(25).shape == (720, 1440)


@given(st.integers(0, 17000), st.integers(0, 35000), st.integers(2, 900), st.integers(2, 900))
def test_a_window_made_from_its_own_bounds_is_itself(row, col, rows, cols):
    part = GLOBAL.cut(slice(row, row + rows), slice(col, col + cols))
    assert window_slices(GLOBAL, part.bounds, "x") == (slice(row, row + rows), slice(col, col + cols))


def test_blocks_count_from_the_north_west_corner_and_the_last_is_partial():
    # Rows 0-1, 2-3, 4; columns 0-1, 2: six blocks numbered row by row.
    expected = [[0, 0, 1], [0, 0, 1], [2, 2, 3], [2, 2, 3], [4, 4, 5]]
    assert block_index((5, 3), 2).tolist() == expected
    assert Grid(10, 0, 1, 1, 5, 3).blocks(2).shape == (3, 2)


def test_region_outside_the_data_is_named_with_both_extents():
    with pytest.raises(ValueError, match=r"region far.*east.*the data cover \(0"):
        window_slices(Grid(10, 0, 1, 1, 10, 10), (5, 5, 30, 8), "region far")


def test_empty_and_too_small_windows_are_refused():
    with pytest.raises(ValueError, match="empty"):
        window_slices(Grid(10, 0, 1, 1, 10, 10), (5, 5, 4, 8), "x")
    with pytest.raises(ValueError, match="holds no cell"):
        window_slices(Grid(10, 0, 1, 1, 10, 10), (5.6, 5.6, 6.2, 6.2), "x")


def test_unknown_region_lists_the_known_ones():
    with pytest.raises(ValueError, match="crete"):
        region_bounds("kreta")


def test_grid_is_read_from_coordinates_and_uneven_ones_are_refused():
    grid = Grid(35.7, 23.47, 0.01, 0.01, 90, 288)
    import xarray as xr

    field = xr.Dataset(coords=grid.coords())
    assert grid_of(field).same_as(grid)
    with pytest.raises(ValueError, match="north to south"):
        grid_of(field.isel(lat=slice(None, None, -1)))
    with pytest.raises(ValueError, match="not evenly spaced"):
        grid_of(field.isel(lat=[0, 1, 2, 5]))


def test_v1_and_v2_cells_are_not_the_same_grid():
    v1, v2 = Grid(90, -180, 0.00998837, 0.00998837, 900, 900), Grid(90, -180, 0.01, 0.01, 900, 900)
    assert not v1.same_as(v2)
