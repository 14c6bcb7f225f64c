"""Tiles blend into one map without a seam, whatever their number, shape and order."""

from functools import partial

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from ai4land.allocate import Wanted, expected_counts
from ai4land.grid import Grid
from ai4land.stitch import blended_probability, edge_contrast, plan_tiles, stitch_region, tile_bands, tile_weights


def as_they_are(labels, free):
    """Areas of a map's own classes."""
    counts = expected_counts((labels == np.arange(8)[:, None, None]) * 1.0, free)
    return Wanted(25, np.rint(counts).astype(int), np.arange(8), np.zeros(counts.shape[1]))


def layout(rows, cols, edge_y, edge_x):
    """Regions of a grid that is cut at one row and one column."""
    parts = {"n": slice(0, edge_y), "s": slice(edge_y, rows)}, {"w": slice(0, edge_x), "e": slice(edge_x, cols)}
    regions = {a + b: (y, x) for a, y in parts[0].items() for b, x in parts[1].items()}
    return regions, Grid(40, 20, 0.01, 0.01, rows, cols)


def rolled(tile, labels, probability):
    """What a rollout of one tile would hold, cut from a map of the whole grid."""
    bands = tile_bands(tile)
    p = np.where(bands, np.rint(probability[:, tile.wide[0], tile.wide[1]] * 255), 0).astype(np.uint8)
    own = labels[tile.wide]
    data = {"land_use": own, "confidence": np.full(own.shape, 77, np.uint8)}
    fields = {n: (("time", "lat", "lon"), v[None]) for n, v in data.items()}
    fields["probability"] = (("time", "cover_class", "lat", "lon"), p[None])
    return xr.Dataset(fields, {"time": [2000]})


sizes = st.integers(4, 8).map(lambda n: 25 * n)


@settings(max_examples=25, deadline=None)
@given(sizes, sizes, sizes, sizes, st.sampled_from([25, 50]))
def test_weights_add_up_to_one_everywhere(top, bottom, left, right, halo):
    regions, grid = layout(top + bottom, left + right, top, left)
    total = np.zeros(grid.shape)
    for tile in plan_tiles(regions, grid, halo).values():
        total[tile.wide] += tile_weights(tile)
    np.testing.assert_allclose(total, 1, atol=1e-5)


@settings(max_examples=10, deadline=None)
@given(sizes, sizes, st.integers(0, 2**32 - 1))
def test_stitching_what_was_cut_gives_the_map_back(top, left, seed):
    """stitch(tile(x)) == x: where all regions agree, nothing changes, in the halos neither."""
    regions, grid = layout(top + 100, left + 100, top, left)
    labels = np.random.default_rng(seed).integers(0, 8, grid.shape).astype(np.uint8)
    p = (labels == np.arange(8)[:, None, None]).astype(np.float32)
    tiles = plan_tiles(regions, grid)
    made = {r: rolled(t, labels, p) for r, t in tiles.items()}
    for region, tile in tiles.items():
        stitched, confidence = stitch_region(tiles, made, region, 2000, partial(as_they_are, labels[tile.own]))
        np.testing.assert_array_equal(stitched, labels[tile.own])
        inner = ~tile_bands(tile)[tile.inside()]
        assert (confidence[inner] == 77).all()


def test_across_an_edge_probabilities_go_smoothly_from_one_region_to_the_other():
    regions, grid = layout(200, 200, 100, 100)
    tiles = plan_tiles(regions, grid)
    shape = (8, *grid.shape)
    west, east = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    west[2], east[4] = 1, 1  # the west says cropland everywhere, the east forest
    made = {r: rolled(t, np.full(grid.shape, 2, np.uint8), west if "w" in r else east) for r, t in tiles.items()}
    p = np.concatenate(
        [blended_probability(tiles, made, "nw", 2000)[2], blended_probability(tiles, made, "ne", 2000)[2]], 1
    )
    row = p[10]
    assert row[50] > 0.99 and row[149] < 0.01 and (np.diff(row[50:150]) < 0).all()
    assert np.abs(np.diff(row[50:150])).max() < 0.02, "no jump anywhere, at the edge neither"
    np.testing.assert_allclose(row[99] + row[100], 1, atol=0.01)


def test_a_narrow_region_and_a_halo_that_cuts_coarse_cells_are_refused():
    regions, grid = layout(200, 150, 100, 75)
    with pytest.raises(ValueError, match="narrower than two halos of 50"):
        plan_tiles(regions, grid, 50)
    with pytest.raises(ValueError, match="multiple of 25"):
        plan_tiles(regions, grid, 30)


def test_a_seam_shows_in_the_contrast_of_the_edges():
    regions, grid = layout(200, 200, 100, 100)
    tiles = plan_tiles(regions, grid)
    rng = np.random.default_rng(1)
    even = (rng.random(grid.shape) < 0.1).astype(np.uint8)
    across, elsewhere = edge_contrast(even, tiles)
    assert across == pytest.approx(elsewhere, rel=0.3)
    torn = even.copy()
    torn[:, 100:] += 2
    across, elsewhere = edge_contrast(torn, tiles)
    assert across > 2 * elsewhere
