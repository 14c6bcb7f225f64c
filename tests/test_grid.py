import sys

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from ai4land import grid as grid_room
from ai4land.cube import plan_layout
from ai4land.grid import (
    EARTH_RADIUS,
    GLOBAL,
    SHARD_CELLS,
    Grid,
    block_index,
    check_bounds,
    grid_of,
    read_regions,
    region_bounds,
    window_slices,
)  # fmt: skip
from ai4land.runs import Run, read_run
from ai4land.sources import find_files, open_input
from ai4land.stitch import plan_tiles

sys.path.append(str(ROOT / "benchmarks"))
import regions_table


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


@pytest.mark.parametrize("bounds", [(170, -20, -170, -10), (170, -20, 190, -10), (-190, -20, -170, -10)])
def test_a_window_across_the_date_line_is_refused_in_one_line_that_says_to_split_it(bounds):
    with pytest.raises(ValueError, match=r"region fiji: .* crosses the date line.*split it.* 180") as refused:
        check_bounds(bounds, "region fiji")
    assert "\n" not in str(refused.value)


def test_a_region_of_the_table_across_the_date_line_or_upside_down_is_refused_by_name(tmp_path, monkeypatch):
    (tmp_path / "regions.csv").write_text(
        "region,west,south,east,north,land,description\nfiji,177,-20,-178,-15,,islands\nturned,0,45,5,40,,upside down\n"
    )
    monkeypatch.setattr(grid_room, "DATA", tmp_path)
    with pytest.raises(ValueError, match="region fiji: .*date line"):
        region_bounds("fiji")
    with pytest.raises(ValueError, match="region turned: .*is empty.*south < north"):
        region_bounds("turned")


def global_layout():
    run = read_run("global")
    # Of the data, only years and grid are asked.
    return run, plan_layout(run, xr.Dataset(coords={**GLOBAL.coords(), "time": run.map_years}))


def test_a_region_at_the_pole_has_the_area_of_its_cap_and_a_halo_that_ends_there():
    _, layout = global_layout()
    grid = layout.region_grid("n90_e060")
    # A cap north of 70 N, 60 degrees wide: R^2 (1 - sin 70) pi / 3; its first cells lie at 89.995 N.
    cap = EARTH_RADIUS**2 * (1 - np.sin(np.radians(70))) * np.pi / 3
    assert grid.cell_area().sum() * grid.cols == pytest.approx(cap, rel=1e-9) and grid.cell_area().min() > 0
    tile = plan_tiles(layout.regions, layout.grid)["n90_e060"]
    assert tile.wide[0].start == tile.own[0].start == 0 and tile.wide[0].stop > tile.own[0].stop == 2000
    assert tile.wide[1].start < tile.own[1].start == 24000  # 60 E: 240 degrees from 180 W


def test_the_globe_is_39_regions_of_whole_shards_between_90_north_and_60_south_none_twice():
    run, layout = global_layout()
    assert len(layout.regions) == 39 and layout.shard == (SHARD_CELLS, SHARD_CELLS)
    seen = [(rows.start, cols.start) for region in run.regions for rows, cols in layout.blocks(region)]
    assert len(seen) == len(set(seen)) == 39 * 3
    table = read_regions().loc[list(run.regions)]
    assert (table["land"] > 0.01).all() and (table["south"] + 10 >= -60).all()


def test_the_regions_of_the_globe_are_the_tiles_with_land_in_luh2(real):
    tiles = regions_table.land_tiles(open_input(find_files("luh2_static", real))["ice_water_fraction"].load())
    table = read_regions()
    assert list(tiles.index) == list(read_run("global").regions) == list(table.index[table["land"].notna()])
    pd.testing.assert_frame_equal(
        tiles, table.loc[tiles.index].drop(columns="description"), atol=5e-5, check_names=False
    )


def test_land_counts_by_area_north_of_60_south_only():
    # 10 degree cells. Land: two cells of one tile at 50-60 N, one at 60-70 N, and Antarctica from 60 S on.
    grid = Grid(90.0, -180.0, 10.0, 10.0, 18, 36)
    water = np.ones(grid.shape)
    water[3, 18:20], water[2, 18], water[15:] = 0, 0, 0
    tiles = regions_table.land_tiles(xr.DataArray(water, grid.coords(), ("lat", "lon")))
    upper, lower = np.sin(np.radians([70, 60])) - np.sin(np.radians([60, 50]))
    assert list(tiles.index) == ["n70_e000"]
    assert tiles["land"].item() == pytest.approx((2 * lower + upper) / (6 * (lower + upper)), rel=1e-9)


def test_a_run_may_name_the_cmip7_scenarios_of_luh3():
    run = read_run("global")
    inputs = {**run.inputs.model_dump(), "luh2": "luh3_states", "scenarios": {"vl": "luh3_scenario_vl_states"}}
    forward = run.experiments["to_2100_ssp119"].model_copy(update={"scenario": "vl"})
    experiments = {"forecast": run.experiments["forecast"], "to_2100_vl": forward}
    made = Run(**{**run.model_dump(), "inputs": inputs, "experiments": experiments})
    assert made.experiments["to_2100_vl"].scenario == "vl"
    assert made.inputs.by_role["vl"] == "luh3_scenario_vl_states"


def test_empty_and_too_small_windows_are_refused():
    with pytest.raises(ValueError, match="empty"):
        window_slices(Grid(10, 0, 1, 1, 10, 10), (5, 9, 6, 8), "x")
    with pytest.raises(ValueError, match="holds no cell"):
        window_slices(Grid(10, 0, 1, 1, 10, 10), (5.6, 5.6, 6.2, 6.2), "x")


def test_unknown_region_lists_the_known_ones():
    with pytest.raises(ValueError, match="crete"):
        region_bounds("kreta")


def test_grid_is_read_from_coordinates_and_uneven_ones_are_refused():
    grid = Grid(35.7, 23.47, 0.01, 0.01, 90, 288)
    field = xr.Dataset(coords=grid.coords())
    assert grid_of(field).same_as(grid)
    with pytest.raises(ValueError, match="north to south"):
        grid_of(field.isel(lat=slice(None, None, -1)))
    with pytest.raises(ValueError, match="not evenly spaced"):
        grid_of(field.isel(lat=[0, 1, 2, 5]))


def test_v1_and_v2_cells_are_not_the_same_grid():
    v1, v2 = Grid(90, -180, 0.00998837, 0.00998837, 900, 900), Grid(90, -180, 0.01, 0.01, 900, 900)
    assert not v1.same_as(v2)
