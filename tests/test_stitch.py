"""Tiles blend into one map without a seam, whatever their number, shape and order."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import convolve1d, distance_transform_cdt

from ai4land import stitch
from ai4land.allocate import match_areas
from ai4land.grid import Grid, block_index
from ai4land.legend import class_codes, read_legend
from ai4land.plot.seams import plot_seams
from ai4land.stitch.tiles import band_windows
from ai4land.targets import read_target
from ai4land.windows import Window

USE, COVER = read_target("land_use"), read_target("land_cover")
LAND = class_codes(USE.classes, land_only=True)
POOLS = np.array([-1, 0, 1, 2, 3, 3, 3, -1])  # natural classes are allocated as one
CELLS = 25


def lattice(heights, widths, absent=()):
    """Regions of a grid cut along rows and columns, without the absent ones; sizes in coarse cells."""
    rows, cols = (np.cumsum([0, *sizes]) * CELLS for sizes in (heights, widths))
    regions = {
        f"r{i}c{j}": Window(slice(rows[i], rows[i + 1]), slice(cols[j], cols[j + 1]))
        for i in range(len(heights)) for j in range(len(widths)) if (i, j) not in absent
    }  # fmt: skip
    return regions, Grid(40, 20, 0.01, 0.01, int(rows[-1]), int(cols[-1]))


def whole(grid):
    return Window.whole(grid.shape)


def rolled(tile, labels, probability, chance=0.5):
    """What a rollout of one tile would hold, cut from fields of the whole grid."""
    p = np.where(stitch.tile_bands(tile), np.rint(probability[:, *tile.wide] * 255) / 255, 0).astype(np.float32)
    own = labels[tile.wide]
    fields = {
        "land_use": (("time", "lat", "lon"), own[None]),
        "confidence": (("time", "lat", "lon"), np.full((1, *own.shape), chance, np.float32)),
        "probability": (("time", "cover_class", "lat", "lon"), p[None]),
    }
    return xr.Dataset(fields, {"time": [2000]})


def stitched(tiles, made, grid):
    out = np.full(grid.shape, 255, np.uint8)
    for region, tile in tiles.items():
        out[tile.own] = stitch.stitch_window(USE, tiles, made, region, 2000, tile.own, POOLS)[0]
    return out


def counts(labels, grid):
    """Cells of each pool in each coarse cell, land only."""
    pool, blocks = np.append(POOLS, np.full(248, -1))[labels], block_index(grid.shape, CELLS)
    return np.stack([np.bincount(blocks[pool == n], minlength=blocks.max() + 1) for n in range(4)])


sizes = st.lists(st.integers(2, 5), min_size=1, max_size=3)
missing = st.sets(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=4)


@settings(max_examples=25, deadline=None)
@given(sizes, sizes, missing, st.sampled_from([25, 50]))
def test_weights_add_up_to_one_everywhere_with_neighbours_missing_on_any_side_or_corner(
    heights, widths, absent, overlap
):
    regions, grid = lattice([2 * h for h in heights], [2 * w for w in widths], absent)
    total = np.zeros(grid.shape)
    for tile in stitch.plan_tiles(regions, grid, 75, overlap).values():
        total[tile.wide] += stitch.tile_weights(tile)
    for own in regions.values():
        np.testing.assert_allclose(total[own], 1, atol=1e-12)


def near(mask, cells):
    """Cells within a distance of those of a mask, rows and columns counted alike; by SciPy."""
    return distance_transform_cdt(~mask, "chessboard") <= cells if mask.any() else mask


@settings(max_examples=25, deadline=None)
@given(sizes, sizes, missing)
def test_bands_are_the_cells_within_the_overlap_of_another_region_s_cells(heights, widths, absent):
    regions, grid = lattice(heights, widths, absent)
    tiles = stitch.plan_tiles(regions, grid, 50)
    for region, tile in tiles.items():
        own, others = np.zeros(grid.shape, bool), np.zeros(grid.shape, bool)
        own[tile.own] = True
        others[tuple(np.concatenate([np.mgrid[w].reshape(2, -1) for n, w in regions.items() if n != region] or
                                    [np.zeros((2, 0), int)], 1))] = True  # fmt: skip
        inner = own & near(others, 25)
        # Outside, a cell of a neighbour is in a band where this region is within the overlap.
        expected = inner | (others & near(own, 25))
        np.testing.assert_array_equal(stitch.tile_bands(tile), expected[tile.wide])
        covered = np.zeros(grid.shape, int)
        for band in band_windows(tile):
            covered[band] += 1
        np.testing.assert_array_equal(covered, inner)
        np.testing.assert_array_equal(stitch.edge_mask(tiles, tile.own), inner[tile.own])


def test_across_an_edge_the_weight_goes_along_a_cosine_and_beyond_the_overlap_stays():
    regions, grid = lattice([4], [4, 4])
    west, _ = stitch.plan_tiles(regions, grid, 75).values()
    row = stitch.tile_weights(west, whole(grid))[50]
    assert (row[:75] == 1).all() and (row[125:] == 0).all()
    angle = (np.arange(75, 125) + 0.5 - 75) / 50 * np.pi
    np.testing.assert_allclose(row[75:125], (1 + np.cos(angle)) / 2, atol=1e-12)


def test_regions_of_different_size_meet_in_a_corner_and_their_weights_add_up():
    regions = {
        "tall": Window(slice(0, 200), slice(0, 100)),
        "north": Window(slice(0, 75), slice(100, 200)),
        "south": Window(slice(75, 200), slice(100, 200)),
    }
    tiles = stitch.plan_tiles(regions, Grid(40, 20, 0.01, 0.01, 200, 200), 50)
    total = sum(stitch.tile_weights(tile, Window.whole((200, 200))) for tile in tiles.values())
    np.testing.assert_allclose(total, 1, atol=1e-12)
    assert sorted((axis, at, (along.start, along.stop)) for axis, at, along in stitch.tile_edges(tiles)) == [
        (0, 75, (100, 200)), (1, 100, (0, 75)), (1, 100, (75, 200)),
    ]  # fmt: skip


@settings(max_examples=10, deadline=None)
@given(sizes, sizes, missing, st.integers(0, 2**32 - 1))
def test_stitching_what_was_cut_gives_the_map_back(heights, widths, absent, seed):
    """stitch(tile(x)) == x: where all regions agree, nothing changes, whatever the probabilities."""
    regions, grid = lattice(heights, widths, absent)
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 8, grid.shape).astype(np.uint8)
    tiles = stitch.plan_tiles(regions, grid, 50)
    made = {r: rolled(t, labels, rng.dirichlet(np.ones(8), grid.shape).transpose(2, 0, 1)) for r, t in tiles.items()}
    got = stitched(tiles, made, grid)
    for own in regions.values():
        np.testing.assert_array_equal(got[own], labels[own])


def local_step(prior, suitability, reach, wanted, corner):
    """One step of a model that sees ``reach`` cells around each: probabilities, and the map with wanted areas."""
    line = np.ones(2 * reach + 1, np.int64)
    here = (prior == np.arange(8)[:, None, None]).astype(np.int64)
    around = convolve1d(convolve1d(here, line, 1, mode="constant"), line, 2, mode="constant")  # cells of each class
    score = 1.0 + around + suitability + 400 * here
    p = np.where(np.isin(np.arange(8), LAND)[:, None, None], score, 0)
    p = (p / p.sum(0)).astype(np.float32)
    free = np.isin(prior, LAND)
    labels = match_areas(p, free, wanted, POOLS, corner=corner).labels
    return np.where(free, labels, prior).astype(np.uint8), p


def one_and_many(heights, widths, halo, reach, seed):
    """Map of one step made in one piece, and stitched from tiles."""
    regions, grid = lattice(heights, widths)
    rng = np.random.default_rng(seed)
    prior = np.kron(rng.integers(0, 8, (grid.rows // 5, grid.cols // 5)), np.ones((5, 5), int)).astype(np.uint8)
    later = np.where(np.isin(prior, LAND) & (rng.random(grid.shape) < 0.1), 2, prior)
    wanted, suitability = counts(later, grid), rng.integers(0, 40, (8, *grid.shape))
    one, _ = local_step(prior, suitability, reach, wanted, (0, 0))
    made, tiles = {}, stitch.plan_tiles(regions, grid, halo)
    for region, tile in tiles.items():
        blocks = block_index(grid.shape, CELLS)[tile.wide][::CELLS, ::CELLS].ravel()
        corner = tile.wide[0].start, tile.wide[1].start
        labels, p = local_step(prior[tile.wide], suitability[:, *tile.wide], reach, wanted[:, blocks], corner)
        everywhere = np.zeros((8, *grid.shape), np.float32)
        everywhere[:, *tile.wide] = p
        full = np.full(grid.shape, 255, np.uint8)
        full[tile.wide] = labels
        made[region] = rolled(tile, full, everywhere)
    many = stitched(tiles, made, grid)
    return one, many, counts(one, grid), counts(many, grid)


@settings(max_examples=5, deadline=None)
@given(
    st.lists(st.integers(2, 4), min_size=1, max_size=2), st.lists(st.integers(2, 4), min_size=2, max_size=2),
    st.integers(1, 25), st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_for_one_step_many_tiles_are_one_tile_where_the_halo_holds_reach_and_overlap(heights, widths, reach, seed):
    one, many, _, _ = one_and_many(heights, widths, 50, reach, seed)
    np.testing.assert_array_equal(many, one)


def test_a_halo_narrower_than_the_reach_shows_but_keeps_the_areas_of_every_coarse_cell():
    one, many, wanted, got = one_and_many([3], [4, 4], 25, 40, 0)
    assert (one != many).any()
    np.testing.assert_array_equal(got, wanted)


@settings(max_examples=6, deadline=None)
@given(sizes, sizes, missing, st.integers(0, 2**32 - 1))
def test_cells_that_all_agree_on_stay_and_coarse_cells_keep_the_areas_of_their_own_region(
    heights, widths, absent, seed
):
    regions, grid = lattice(heights, widths, absent)
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 8, grid.shape).astype(np.uint8)
    tiles, maps, made = stitch.plan_tiles(regions, grid, 50), {}, {}
    for region, tile in tiles.items():
        # The same areas in every coarse cell, elsewhere in it: cells of a block swapped about, land with land.
        turned = base.copy()
        for block in rng.permutation(grid.rows // CELLS * (grid.cols // CELLS))[:40]:
            top, left = (v * CELLS for v in divmod(block, grid.cols // CELLS))
            part = turned[top : top + CELLS, left : left + CELLS]
            some = np.isin(part, LAND) & (rng.random(part.shape) < 0.5)
            part[some] = rng.permutation(part[some])
        maps[region] = turned
        p = rng.dirichlet(np.ones(8), grid.shape).transpose(2, 0, 1)
        made[region] = rolled(tile, turned, p)
    got = stitched(tiles, made, grid)
    inside = got != 255
    agreed = np.all([m == base for m in maps.values()], axis=0) if maps else inside
    np.testing.assert_array_equal(got[agreed & inside], base[agreed & inside])
    np.testing.assert_array_equal(counts(got, grid), counts(np.where(inside, base, 255), grid))


def test_a_window_at_a_time_gives_the_same_map_as_the_region_at_once_and_the_chance_of_its_classes():
    regions, grid = lattice([4], [4, 4])
    tiles = stitch.plan_tiles(regions, grid, 50)
    ones, twos = np.full(grid.shape, 2, np.uint8), np.full(grid.shape, 4, np.uint8)
    ones[::2], twos[::2] = 4, 2  # the same areas, the other way round
    p = np.full((8, *grid.shape), 0.125)
    made = {"r0c0": rolled(tiles["r0c0"], ones, p, 0.8), "r0c1": rolled(tiles["r0c1"], twos, p, 0.6)}
    labels, chance = stitch.stitch_window(USE, tiles, made, "r0c0", 2000, tiles["r0c0"].own, POOLS)
    for corner, shape in (((0, 0), (50, 50)), ((50, 50), (50, 50)), ((0, 75), (50, 25))):
        part = Window.at(corner, shape)
        again = stitch.stitch_window(USE, tiles, made, "r0c0", 2000, part, POOLS)
        np.testing.assert_array_equal(again[0], labels[part])
        np.testing.assert_array_equal(again[1], chance[part])
    # A neighbour that gives another class leaves its doubt to the seven others, as even probabilities share it.
    np.testing.assert_array_equal(labels, ones[:, :100])
    np.testing.assert_allclose(chance[:, :75], 0.8, atol=1e-4)
    west = stitch.tile_weights(tiles["r0c0"], tiles["r0c0"].own)[:, 99]
    np.testing.assert_allclose(chance[:, 99], west * 0.8 + (1 - west) * 0.4 / 7, atol=1e-4)
    joined = stitch.join_regions(tiles, made, 2000, whole(grid))
    np.testing.assert_array_equal(joined, np.concatenate([ones[:, :100], twos[:, 100:]], 1))


@pytest.mark.parametrize("target", [USE, COVER], ids=lambda target: target.name)
def test_a_class_that_was_given_outweighs_probabilities_that_would_flicker(target):
    """The own region keeps a class against its probabilities, as its past demands; the other gives another."""
    one, two = target.codes[[2, 4]]
    p = np.zeros((2, target.codes.size, 1, 1), np.float32)
    p[0, [2, 4], 0, 0], p[1, [2, 4], 0, 0] = (0.4, 0.6), (0.5, 0.5)
    own, other = np.full((1, 1), one, np.uint8), np.full((1, 1), two, np.uint8)
    chance = np.full((1, 1), 0.9, np.float32)

    def blend(weight):
        ours = stitch.Vote(np.full((1, 1), weight, np.float32), own, chance, p[0])
        theirs = stitch.Vote(np.full((1, 1), 1 - weight, np.float32), other, chance, p[1])
        return stitch.blend_classes(target, [ours, theirs], own, (0, 0))

    # 0.6 of 0.7 and 0.4 of 0.25 for the own class; without the guard 0.6 of 0.4 and 0.4 of 0.5 would lose.
    assert blend(0.6)[0] == one and blend(0.4)[0] == two
    np.testing.assert_allclose(blend(0.6)[1], 0.6 * 0.9 + 0.4 * 0.1, atol=1e-6)  # two classes: the other has the rest


@pytest.mark.parametrize("target", [USE, COVER], ids=lambda target: target.name)
def test_what_a_chance_leaves_is_shared_by_the_probabilities_and_alike_where_there_are_none(target):
    given, some, never = target.codes[[2, 4, 5]]
    p = np.zeros((target.codes.size, 1, 3), np.float32)
    p[[1, 2, 4], :, :2] = np.array([0.1, 0.5, 0.3])[:, None, None]  # kept in steps: they add up to 0.9; none at the end
    labels = np.full((1, 3), given, np.uint8)
    vote = stitch.Vote(np.ones((1, 3), np.float32), labels, np.full((1, 3), 0.6, np.float32), p)
    asked = np.array([[some, never, some]], np.uint8)
    others = class_codes(target.classes, land_only=True).size - 1
    np.testing.assert_allclose(stitch.chance_of(target, asked, vote), [[0.4 * 0.3 / 0.4, 0, 0.4 / others]], atol=1e-6)
    np.testing.assert_allclose(stitch.chance_of(target, labels, vote), 0.6, atol=1e-6)
    without = stitch.Vote(vote.weight, labels, vote.chance)
    np.testing.assert_allclose(stitch.chance_of(target, asked, without), 0.4 / others, atol=1e-6)


def test_a_narrow_region_and_a_halo_that_cuts_coarse_cells_are_refused():
    regions, grid = lattice([4], [4, 1])
    with pytest.raises(ValueError, match="r0c1: .* narrower than two overlaps of 25"):
        stitch.plan_tiles(regions, grid, 50)
    with pytest.raises(ValueError, match="multiples of 25"):
        stitch.plan_tiles(regions, grid, 30)
    with pytest.raises(ValueError, match="overlap 50 must be above 0 and at most the halo 25"):
        stitch.plan_tiles(regions, grid, 25, 50)


def test_a_seam_shows_in_the_contrast_of_the_edges():
    regions, grid = lattice([4, 4], [4, 4])
    tiles = stitch.plan_tiles(regions, grid)
    # Columns of cropland and forest in turn: every pair of columns differs, no pair of rows. Each of the two edges is
    # one of seven edges of coarse cells, 200 cells long.
    striped = np.tile(2 + np.arange(200) % 2 * 2, (200, 1)).astype(np.uint8)
    assert stitch.edge_contrast(striped, tiles) == (200 / 400, 1200 / 2400)
    torn = np.full(grid.shape, 2, np.uint8)
    torn[:, 100:] = 4
    assert stitch.edge_contrast(torn, tiles) == (200 / 400, 0.0)
    torn[:50] = 0  # pairs with the sea are left out: 150 along the torn edge
    assert stitch.edge_contrast(torn, tiles)[0] == 150 / 350
    alone = stitch.plan_tiles(dict([next(iter(regions.items()))]), grid)
    assert np.isnan(stitch.edge_contrast(torn, alone)[0]), "no edge towards nobody"


def years_of(*maps, first=2000):
    return xr.DataArray(np.stack(maps), {"time": np.arange(first, first + len(maps))}, ("time", "lat", "lon"))


def test_counts_at_the_edge_and_inside_by_hand():
    # Columns 0-1 are the edge, 2-3 the interior; 0 is ocean and never counted.
    prior = np.array([[2, 2, 2, 4], [2, 4, 4, 0]], np.uint8)
    observed = np.array([[4, 2, 2, 4], [2, 2, 2, 0]], np.uint8)
    simulated = np.array([[4, 4, 2, 4], [2, 5, 4, 0]], np.uint8)
    edge = np.array([[1, 1, 0, 0], [1, 1, 0, 0]], bool)
    table = stitch.count_seam(prior, years_of(observed), years_of(simulated), edge)
    expected = pd.DataFrame(
        [[2000, "edge", 4, 2, 1, 0, 1, 1], [2000, "interior", 3, 2, 0, 1, 0, 0]], columns=table.columns
    )
    pd.testing.assert_frame_equal(table, expected)
    scores = stitch.score_seam(pd.concat([table, table]))
    assert scores.loc[(2000, "edge")].tolist() == pytest.approx([2 / 4, 1 / 2, 1 / 3])
    assert scores.loc[(2000, "interior")].tolist() == pytest.approx([2 / 3, 0, 0])


def test_changes_and_changes_back_are_counted_by_hand():
    first = np.array([[2, 2, 0]], np.uint8)
    maps = years_of(first, np.array([[4, 4, 0]], np.uint8), np.array([[2, 5, 0]], np.uint8))
    table = stitch.count_flicker(maps, np.array([[True, False, False]]))
    assert table.to_numpy().tolist() == [
        [2001, "edge", 1, 1, 0], [2001, "interior", 1, 1, 0], [2002, "edge", 1, 1, 1], [2002, "interior", 1, 1, 0],
    ]  # fmt: skip
    apart = stitch.count_disagreement(maps[:2], years_of(first, first), np.array([[True, False, False]]))
    assert apart.to_numpy().tolist() == [
        [2000, "edge", 1, 0], [2000, "interior", 1, 0], [2001, "edge", 1, 1], [2001, "interior", 1, 1],
    ]  # fmt: skip


def test_the_figure_of_seams_shows_where_most_cells_differ_and_marks_the_edge_at_the_margins_only():
    regions, grid = lattice([8, 8], [8, 8])
    edges = stitch.tile_edges(stitch.plan_tiles(regions, grid, 50))
    joined = xr.DataArray(np.full(grid.shape, 2, np.uint8), {"time": 2015, **grid.coords()}, ("lat", "lon"))
    blended = joined.copy()
    blended[195:205, 330:340] = 4  # on the edge between the eastern regions
    blended[40, 60] = 4  # away from every edge
    figure = plot_seams(joined, blended, edges, read_legend("land_use"), "made up", True)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["Hard joins, 2015", "Blended, 2015", "100 of 14400 cells differ"]
    west, east = figure.axes[0].get_xlim()
    assert west < 20 + 3.3 and east > 20 + 3.4
    for axes in figure.axes:
        marks = [line for line in axes.lines if not line.get_clip_on()]
        assert [tuple(m.get_xdata()) for m in marks] == [(-0.05, 0.0), (1.0, 1.05)]  # of the panel's width
        np.testing.assert_allclose([m.get_ydata() for m in marks], 38.0)  # row 200 of cells of 0.01 degree from 40 N
    with pytest.raises(ValueError, match="one region has no edge"):
        plot_seams(joined, blended, [], read_legend("land_use"), "made up", True)
