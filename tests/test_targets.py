"""Areas that LUH2 and perfect coarse inputs want of a map."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai4land.allocate import fraction_numbers, luh2_targets, read_pools
from ai4land.allocate.wanted import wanted_areas
from ai4land.legend import class_codes, read_legend
from ai4land.runs import Experiment

URBAN, CROPLAND, PASTURE, NATURAL = range(4)


def one_block(**shares):
    """LUH2 fractions or cells of one block by name of the class."""
    names = dict(zip(read_legend("land_use")["name"], read_legend("land_use")["code"], strict=True))
    out = np.zeros((8, 1))
    for name, value in shares.items():
        out[names[name]] = value
    return out


def test_pools_cover_the_land_classes_and_natural_ones_are_one_pool():
    pools = read_pools()
    assert sorted(pools["code"]) == sorted(class_codes(read_legend("land_use"), land_only=True))
    assert pools.groupby("pool")["managed"].nunique().eq(1).all() and (~pools["managed"]).sum() == 3


def test_what_falls_is_scaled_and_what_rises_grows_by_the_increase():
    base = one_block(cropland=100, pasture=200, forest=200, grass_shrubland=100, ocean=25)
    then = one_block(cropland=0.4, pasture=0.2, forest=0.3, ocean=0.1)
    now = one_block(cropland=0.3, pasture=0.25, forest=0.35, ocean=0.1)
    # LUH2's land, 0.9 of 625 cells, is what both masks share: 562.5 of the map's 600 land cells.
    targets = luh2_targets(base, then, now, np.array([625]))
    got = targets.cells[:, 0]
    assert got[CROPLAND] == pytest.approx(100 * 0.3 / 0.4)
    assert got[PASTURE] == pytest.approx(200 + 0.05 * 625)
    assert got[URBAN] == 0 and got[NATURAL] == pytest.approx(600 - 75 - 231.25)
    assert targets.clipped[0] == 0


def test_growth_beyond_the_land_there_is_is_clipped_and_reported():
    base = one_block(cropland=500, forest=100, ocean=25)
    then, now = one_block(cropland=0.2, forest=0.8), one_block(cropland=0.6, urban=0.1, forest=0.3)
    targets = luh2_targets(base, then, now, np.array([625]))
    assert targets.cells[NATURAL, 0] == pytest.approx(0)
    assert targets.cells[:, 0].sum() == pytest.approx(600)
    assert targets.clipped[0] == pytest.approx((0.4 + 0.1) * 600 - 100)


def test_in_the_base_year_and_without_luh2_land_the_map_is_its_own_target():
    base = one_block(cropland=100, forest=300)
    for luh2 in (one_block(cropland=0.9, forest=0.1), np.zeros((8, 1))):
        np.testing.assert_allclose(luh2_targets(base, luh2, luh2, np.array([625])).cells[:, 0], [0, 100, 0, 300])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_targets_are_never_negative_and_fill_the_land(seed):
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 100, (8, 30)).astype(float)
    then, now = (rng.dirichlet(np.full(8, 0.4), 30).T for _ in range(2))
    targets = luh2_targets(base, then, now, np.full(30, 800))
    assert (targets.cells >= -1e-9).all() and (targets.clipped >= -1e-9).all()
    np.testing.assert_allclose(targets.cells.sum(0), base[1:7].sum(0), atol=1e-6)


def test_perfect_areas_are_the_truth_and_blocks_without_coarse_data_stay(changing_cube):
    experiment = Experiment(start=1995, test=(2005, 2005), train=(1980, 1990), validation=(1991, 1994))
    prior, land = changing_cube.field("land_use", 1995), np.arange(1, 7)
    free = np.isin(prior, land)
    wanted = wanted_areas(changing_cube, experiment, 2005, prior, free)
    truth = changing_cube.field("land_use", 2005)
    for code in land:
        blocks = (free & (truth == code)).reshape(4, 25, 4, 25).sum((1, 3)).ravel()
        assert np.abs(wanted.numbers[code] - blocks).max() <= 1
    fraction = np.full((8, 4, 4), np.nan)
    numbers = fraction_numbers(fraction, prior, free, 25)
    for code in land:
        blocks = (free & (prior == code)).reshape(4, 25, 4, 25).sum((1, 3)).ravel()
        np.testing.assert_allclose(numbers[code], blocks, atol=1e-5)
