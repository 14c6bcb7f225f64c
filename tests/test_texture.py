import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import ndimage

from ai4land.evaluate import annual_table, calendar_maps, luh2_areas
from ai4land.grid import Grid


def grid_like(a):
    return Grid(60.0, 3.0, 0.01, 0.01, *a.shape)


def table_of(maps, patch_every=10, land=None):
    maps = {year: np.asarray(m, np.uint8) for year, m in maps.items()}
    first = next(iter(maps.values()))
    land = np.ones(first.shape, bool) if land is None else land
    return annual_table(maps.items(), grid_like(first), land, patch_every)


def value(table, statistic, year, weight="cells", **keys):
    rows = table[(table["statistic"] == statistic) & (table["year"] == year) & (table["weight"] == weight)]
    for column, wanted in keys.items():
        rows = rows[rows[column.rstrip("_")] == wanted]
    return rows["value"].sum()


def years_of(table, statistic):
    return sorted(set(table.loc[table["statistic"] == statistic, "year"]))


def one_cell(classes, start=2000):
    """A cell with one class a year, beside one that never changes."""
    return {start + i: [[c, 4]] for i, c in enumerate(classes)}


def random_maps(seed, years, shape=(30, 40)):
    rng = np.random.default_rng(seed)
    maps = {2000: rng.choice([0, 1, 2, 4, 7, 255], shape).astype(np.uint8)}
    for year in range(2001, 2000 + years):
        change = rng.random(shape) < 0.1
        maps[year] = np.where(change, rng.choice([1, 2, 4, 7], shape), maps[year - 1]).astype(np.uint8)
    return maps


def test_areas_and_changes_of_one_row_by_hand():
    # Cropland, forest, forest, urban, ocean, no data -> cropland, cropland, forest, forest, ocean, no data.
    table = table_of({2000: [[2, 4, 4, 1, 0, 255]], 2001: [[2, 2, 4, 4, 0, 255]]})
    assert value(table, "area", 2000, class_="forest") == 2 and value(table, "area", 2001, class_="urban") == 0
    assert value(table, "area", 2001) == 4  # ocean and no data are not land
    changed = table[(table["statistic"] == "changed") & (table["weight"] == "cells")]
    assert changed[["class", "to_class", "value"]].to_numpy().tolist() == [["urban", "forest", 1.0],
                                                                           ["forest", "cropland", 1.0]]  # fmt: skip


def test_square_kilometres_are_those_of_the_rows():
    # At 60 N a cell of 0.01 degree is about 1.112 km high and half as wide.
    table = table_of({2000: [[2], [4]], 2001: [[2], [1]]})
    upper, lower = grid_like(np.zeros((2, 1))).cell_area() * 1e-6
    assert upper < lower and lower == pytest.approx(1.112**2 / 2, rel=1e-3)
    assert value(table, "area", 2000, "km2", class_="cropland") == pytest.approx(upper)
    assert value(table, "changed", 2001, "km2") == pytest.approx(lower)


@pytest.mark.parametrize(
    ("classes", "undone", "lasting"),
    [
        ([4, 4, 4, 4, 4, 4, 4, 2, 2, 2, 2, 2, 2], {2007: 0}, {2007: 1}),  # there to stay
        ([4, 4, 4, 4, 4, 4, 4, 2, 2, 2, 2, 2, 4], {2007: 1}, {2007: 0}),  # back in the fifth map that follows
        ([4, 4, 4, 4, 4, 4, 4, 2, 1, 1, 1, 1, 1], {2007: 0}, {2007: 1}),  # goes on to a third class
        # 2002 is undone by 2007, which lasts itself but is no change of its own.
        ([4, 4, 2, 2, 2, 2, 2, 4, 4, 4, 4, 4, 4], {2002: 1, 2007: 0}, {2007: 0}),
        # To and fro each year: every change is undone, and none lasts.
        ([4, 2] * 6 + [4], {y: 1 for y in range(2001, 2008)}, {2006: 0, 2007: 0}),
    ],
)
def test_a_change_is_undone_by_a_return_within_five_years_and_lasts_if_it_undoes_none(classes, undone, lasting):
    table = table_of(one_cell(classes))
    assert {y: value(table, "undone", y) for y in undone} == undone
    assert {y: value(table, "lasting", y) for y in lasting} == lasting
    # Thirteen maps: the last change that five maps follow is that of 2007; six maps come before it from 2006 on.
    assert years_of(table, "undone") == list(range(2001, 2008)) and years_of(table, "lasting") == [2006, 2007]


def test_no_change_is_counted_across_missing_years():
    table = table_of({2000: [[4, 4]], 2001: [[2, 4]], 2005: [[1, 4]], 2006: [[1, 2]]})
    assert years_of(table, "changed") == [2001, 2006] and years_of(table, "undone") == []


def test_a_year_without_change_is_there_with_zero():
    assert years_of(table_of({2000: [[4, 4]], 2001: [[4, 4]]}), "changed") == [2001]


def test_edges_and_pairs_by_hand():
    # 2 2 0
    # 4 2 1   pairs of land: (2,2) (4,2) (2,1) along rows, (2,4) (2,2) along columns; ocean has none.
    table = table_of({2000: [[2, 2, 0], [4, 2, 1]]})
    assert value(table, "pairs", 2000) == 5
    assert {c: value(table, "edges", 2000, class_=c) for c in ("cropland", "forest", "urban")} == {
        "cropland": 3, "forest": 2, "urban": 1,
    }  # fmt: skip


def test_patches_by_hand():
    # Cropland: a patch of 3 and, over a corner, one of 1; forest: 2 and 1. Sizes 1, 2-3 by the power of two below.
    table = table_of({2000: [[2, 2, 4], [2, 4, 4], [4, 2, 7]]})
    assert value(table, "patches", 2000, class_="cropland", size=2) == 1
    assert value(table, "patches", 2000, class_="cropland", size=1) == 1
    assert value(table, "patch_cells_squared", 2000, class_="cropland") == 3**2 + 1
    assert value(table, "patch_cells_squared", 2000, class_="forest") == 3**2 + 1


@pytest.mark.parametrize("seed", range(3))
def test_counts_equal_plain_loops_and_scipy(seed):
    maps = random_maps(seed, 4)
    rng = np.random.default_rng(seed)
    land = rng.random((30, 40)) < 0.9
    table = table_of(maps, land=land)
    names = {1: "urban", 2: "cropland", 4: "forest"}
    for year, m in maps.items():
        now = np.where(land & np.isin(m, list(names)), m, 0)
        pairs = [(now[i, j], now[i + di, j + dj]) for i in range(30) for j in range(40) for di, dj in ((0, 1), (1, 0))
                 if i + di < 30 and j + dj < 40 and now[i, j] and now[i + di, j + dj]]  # fmt: skip
        assert value(table, "pairs", year) == len(pairs)
        for code, name in names.items():
            assert value(table, "area", year, class_=name) == (now == code).sum()
            assert value(table, "edges", year, class_=name) == sum((a == code) != (b == code) for a, b in pairs)
    for year in (2000, 2003):
        now = np.where(land, maps[year], 0)
        for code, name in names.items():
            labels, number = ndimage.label(now == code)
            size = ndimage.sum_labels(now == code, labels, range(1, number + 1))
            assert value(table, "patches", year, class_=name) == number
            assert value(table, "patches", year, class_=name, size=2) == np.isin(size, (2, 3)).sum()
            assert value(table, "patch_cells_squared", year, class_=name) == (size**2).sum()


def test_patches_are_counted_in_the_first_the_last_and_every_so_many_years():
    maps = {year: [[4, 2]] for year in range(1987, 2013)}
    assert years_of(table_of(maps), "patches") == [1987, 1990, 2000, 2010, 2012]


def test_tables_of_two_regions_add_up_to_that_of_both_but_for_their_common_edge():
    maps = random_maps(5, 14)
    keys = ["year", "statistic", "weight", "class", "to_class", "size"]
    halves = []
    for part in (slice(0, 15), slice(15, 30)):
        grid = Grid(60.0 - 0.01 * part.start, 3.0, 0.01, 0.01, 15, 40)
        halves.append(annual_table(((y, m[part]) for y, m in maps.items()), grid, np.ones((15, 40), bool)))
    whole = table_of(maps).groupby(keys)["value"].sum()
    both = pd.concat(halves).groupby(keys)["value"].sum()
    inside = ["area", "changed", "undone", "lasting"]
    pd.testing.assert_series_equal(
        both[both.index.get_level_values("statistic").isin(inside) & (both > 0)],
        whole[whole.index.get_level_values("statistic").isin(inside) & (whole > 0)],
    )
    # 40 columns cross the common edge; pairs with a cell that is no land are none.
    across = sum(np.isin(m[14], (1, 2, 4)) & np.isin(m[15], (1, 2, 4)) for m in [maps[2000]]).sum()
    at = (2000, "pairs", "cells", "all", "all", -1)
    assert whole[at] - both[at] == across


def test_maps_out_of_order_or_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="calendar order"):
        table_of({2001: [[4, 4]], 2000: [[4, 4]]})
    with pytest.raises(ValueError, match="shape"):
        annual_table([(2000, np.zeros((2, 2), np.uint8))], grid_like(np.zeros((2, 3))), np.ones((2, 3), bool))


def test_a_rollout_backward_is_read_in_calendar_order_after_its_start():
    made = xr.DataArray(np.array([[[2]], [[3]]], np.uint8), {"time": [1999, 1998]}, ("time", "lat", "lon"))
    given = [(year, int(m[0, 0])) for year, m in calendar_maps(made, 2000, np.array([[4]], np.uint8))]
    assert given == [(1998, 3), (1999, 2), (2000, 4)]


def test_luh2_areas_are_fractions_of_the_part_of_coarse_cells_inside():
    # 30 x 25 fine cells: the second coarse cell has 5 rows inside. Forest fills half of the first, all of the second.
    grid = Grid(60.0, 3.0, 0.01, 0.01, 30, 25)
    fraction = np.zeros((1, 8, 2, 1), np.float32)
    fraction[0, 4, :, 0] = 0.5, 1
    table = luh2_areas(fraction, [1850], grid)
    area = grid.cell_area() * 1e-6 * 25
    expected = 0.5 * area[:25].sum() + area[25:].sum()
    assert value(table, "area", 1850, "km2", class_="forest") == pytest.approx(expected)
    assert value(table, "area", 1850, "km2") == pytest.approx(expected)
