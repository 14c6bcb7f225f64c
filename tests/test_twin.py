import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai4land.grid import Grid
from ai4land.runs import read_run
from ai4land.sources import find_files, inventory, open_input
from ai4land.twin import land_use, write_twin
from ai4land.twin.files import hilda_codes
from ai4land.twin.noise import value_noise

LARGE = Grid(36.0, 29.0, 0.01, 0.01, 100, 200)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2), st.integers(0, 5), st.integers(1, 2), st.integers(1, 3), st.integers(1850, 2100))
def test_a_window_made_alone_equals_the_same_cut_of_a_larger_one(top, left, rows, cols, year):
    row, col = slice(25 * top, 25 * (top + rows)), slice(25 * left, 25 * min(left + cols, 8))
    alone = land_use(LARGE.cut(row, col), year, 1)
    assert (alone == land_use(LARGE, year, 1)[row, col]).all()


def test_it_holds_several_classes_and_changes_like_land():
    first, last = land_use(LARGE, 1990, 1), land_use(LARGE, 2000, 1)
    land = np.isin(first, range(1, 7))
    assert set(np.unique(first)) >= {1, 2, 3, 4, 5, 7}
    assert 0.002 < (first != last)[land].mean() < 0.2
    assert ((first == 7) == (last == 7)).all() and ((first == 0) == (last == 0)).all()


def test_noise_closes_at_the_date_line_and_depends_on_the_seed():
    y = np.arange(5.0)
    west, east = value_noise(y, np.array([0.0]), 60.0, 1), value_noise(y, np.array([36000.0]), 60.0, 1)
    np.testing.assert_allclose(west, east, atol=1e-12)
    assert not np.allclose(west, value_noise(y, np.array([0.0]), 60.0, 2))


def test_windows_off_the_coarse_lattice_are_refused():
    with pytest.raises(ValueError, match=r"0\.25 degree lattice"):
        land_use(Grid(36.1, 29.0, 0.01, 0.01, 100, 200), 2000, 1)


def test_its_files_are_read_like_real_ones(tmp_path):
    run = read_run("tiny")
    run = run.model_copy(update={"years": (1990, 1991), "experiments": run.experiments})
    write_twin(tmp_path, run)
    assert len(inventory(run, tmp_path)) == 4
    cover = open_input(find_files("hilda_plus_v2", tmp_path, [1990, 1991]))
    assert (cover.sel(time=1991).to_numpy() == hilda_codes(land_use(LARGE, 1991, run.seed))).all()
    elevation = open_input(find_files("gebco_2024", tmp_path))
    assert float(elevation.max()) > 0 and elevation.lat[0] > elevation.lat[-1]


def test_it_is_not_made_for_real_runs(tmp_path):
    with pytest.raises(ValueError, match="synthetic: true"):
        write_twin(tmp_path, read_run("crete"))
