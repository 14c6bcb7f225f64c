"""Rows and columns: every algebraic claim holds for any window, size and corner."""

from itertools import pairwise

import numpy as np
import pytest
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import convolve

from ai4land.windows import WHOLE, Window, bounding, cut_padded, lattice_edges, part_of

quick = settings(max_examples=25, deadline=None)


@st.composite
def windows(draw, low=-40, high=40, longest=40):
    corner = draw(st.tuples(st.integers(low, high), st.integers(low, high)))
    return Window.at(corner, draw(st.tuples(st.integers(1, longest), st.integers(1, longest))))


inside = windows(0, 25, 25)
GRID = Window.whole((50, 50))


def cells(window, of=GRID):
    """Cells of a window as a set of (row, column); by looking at each of a grid that holds it."""
    rows, cols = range(of.rows.start, of.rows.stop), range(of.cols.start, of.cols.stop)
    return {(r, c) for r in rows for c in cols if r in range(window.rows.start, window.rows.stop)
            and c in range(window.cols.start, window.cols.stop)}  # fmt: skip


def test_a_window_is_an_index_of_every_kind_of_field():
    field, window = np.arange(24).reshape(2, 3, 4), Window.at((1, 2), (2, 2))
    np.testing.assert_array_equal(field[0][window], [[6, 7], [10, 11]])
    np.testing.assert_array_equal(field[..., *window], field[:, 1:3, 2:4])
    np.testing.assert_array_equal(field[1][WHOLE], field[1])
    assert window.shape == (2, 2) and window.corner == (1, 2) and window == (slice(1, 3), slice(2, 4))
    assert Window(slice(None), slice(-2, None)).resolved((3, 4)) == (slice(0, 3), slice(2, 4))


@quick
@given(windows(), windows())
def test_a_window_counted_from_another_comes_back_and_indexes_the_same_cells(window, origin):
    assert window.relative_to(origin).placed_in(origin) == window
    assert window.relative_to(window) == Window.whole(window.shape)
    if part := window.intersection(origin):
        field = np.random.default_rng(0).random(origin.shape)
        wide = np.zeros((200, 200))
        wide[origin.moved(100, 100)] = field
        np.testing.assert_array_equal(field[part.relative_to(origin)], wide[part.moved(100, 100)])


@quick
@given(inside, inside)
def test_the_intersection_holds_the_cells_of_both_and_no_other(a, b):
    part = a.intersection(b)
    assert (cells(part) if part else set()) == cells(a) & cells(b)
    assert part == b.intersection(a)


@quick
@given(st.lists(inside, min_size=1, max_size=4))
def test_the_window_around_some_is_the_smallest_that_holds_them(some):
    around = bounding(some)
    assert all(one.intersection(around) == one for one in some)
    for smaller in (
        Window(slice(around.rows.start + 1, around.rows.stop), around.cols),
        Window(slice(around.rows.start, around.rows.stop - 1), around.cols),
        Window(around.rows, slice(around.cols.start + 1, around.cols.stop)),
        Window(around.rows, slice(around.cols.start, around.cols.stop - 1)),
    ):
        assert any(one.intersection(smaller) != one for one in some)


@quick
@given(inside, st.integers(0, 30))
def test_a_halo_holds_the_cells_within_its_width_and_ends_where_the_limits_do(window, halo):
    wide = window.grown(halo, GRID)
    near = {
        (r, c) for r, c in cells(GRID)
        if window.rows.start - halo <= r < window.rows.stop + halo
        and window.cols.start - halo <= c < window.cols.stop + halo
    }  # fmt: skip
    assert cells(wide) == near
    assert window.grown(halo).grown(-halo) == window


@quick
@given(windows(), st.integers(1, 30))
def test_coarse_cells_cover_the_fine_ones_and_none_is_superfluous(window, side):
    coarse = window.coarse(side)
    assert window.intersection(coarse.fine(side)) == window
    assert coarse.fine(side).coarse(side) == coarse
    for row in range(coarse.rows.start, coarse.rows.stop):
        for col in range(coarse.cols.start, coarse.cols.stop):
            assert Window.at((row, col), (1, 1)).fine(side).intersection(window)


@quick
@given(windows(), st.tuples(st.integers(1, 25), st.integers(1, 25)))
def test_tiles_hold_every_cell_once_and_are_no_larger_than_asked(window, size):
    seen = np.zeros(window.shape, int)
    for tile in window.tiles(size):
        seen[tile.relative_to(window)] += 1
        assert tile.shape[0] <= size[0] and tile.shape[1] <= size[1]
    assert (seen == 1).all()


@quick
@given(inside, st.tuples(st.integers(1, 12), st.integers(1, 12)))
def test_a_window_is_of_whole_units_where_no_unit_is_cut_except_at_the_end_of_the_grid(window, size):
    units = [unit for unit in GRID.tiles(size) if unit.intersection(window)]
    whole = all(unit.intersection(window) == unit for unit in units)
    assert whole == (not window.cut_units(size, GRID.shape))
    begins = [axis for axis in (0, 1) if window[axis].start % size[axis]]
    assert window.cut_units(size) == begins


@quick
@given(windows(), st.tuples(st.integers(1, 60), st.integers(1, 60)))
def test_a_window_moved_inside_keeps_its_size_and_moves_no_further_than_it_must(window, shape):
    moved = window.moved_inside(shape)
    assert moved.shape == window.shape
    for part, before, length in zip(moved, window, shape, strict=True):
        size = before.stop - before.start
        wanted = [start for start in range(length - size + 1)] or [0]
        assert part.start == min(wanted, key=lambda start: abs(start - before.start))


@quick
@given(inside, st.integers(0, 2**32 - 1), st.floats(0, 0.02))
def test_the_part_with_all_wanted_cells_is_the_smallest(window, seed, share):
    wanted = np.random.default_rng(seed).random(GRID.shape) < share
    part, found = window.shrunk_to(wanted), {tuple(at) for at in np.argwhere(wanted).tolist()} & cells(window)
    if part is None:
        assert not found
        return
    rows, cols = (sorted({at[axis] for at in found}) for axis in (0, 1))
    assert part == Window(slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1))


@quick
@given(windows(-20, 20, 30), st.tuples(st.integers(1, 20), st.integers(1, 20)))
def test_a_window_beyond_the_ends_is_filled_or_repeats_the_outermost_values(window, shape):
    field = np.random.default_rng(1).random((2, *shape))
    if window.intersection(Window.whole(shape)) is None:
        with pytest.raises(AssertionError, match="beyond the field"):
            cut_padded(field, window, 0)
        return
    rows, cols = (np.arange(part.start, part.stop) for part in window)
    near = field[:, rows.clip(0, shape[0] - 1)[:, None], cols.clip(0, shape[1] - 1)]
    np.testing.assert_array_equal(cut_padded(field, window, None), near)
    there = ((rows >= 0) & (rows < shape[0]))[:, None] & ((cols >= 0) & (cols < shape[1]))
    np.testing.assert_array_equal(cut_padded(field, window, -1.0), np.where(there, near, -1))


def grouped(field, lattice, kernel):
    """What a network with a lattice does: sums of groups of cells, mixed with the groups around, and with the cells."""
    rows, cols = field.shape
    sums = field.reshape(rows // lattice, lattice, cols // lattice, lattice).sum((1, 3))
    around = convolve(sums, kernel, mode="constant")
    return np.repeat(np.repeat(around, lattice, 0), lattice, 1) * 1000 + convolve(field, kernel, mode="constant")


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(st.integers(0, 40), st.integers(0, 40)), st.tuples(st.integers(1, 70), st.integers(1, 70)),
    st.sampled_from([1, 4, 8]), st.tuples(st.integers(5, 30), st.integers(5, 30)), st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_parts_predicted_alone_give_what_the_whole_gives_where_they_hold_the_receptive_field(
    corner, shape, lattice, size, seed
):
    rng = np.random.default_rng(seed)
    kernel, field = rng.integers(1, 9, (3, 3)), rng.integers(0, 50, shape)
    whole = Window.whole(shape)
    at_once = part_of(whole, 0, lattice, corner, shape)
    expected = grouped(cut_padded(field, at_once.input, 0), lattice, kernel)[at_once.inside]
    sees, out = 2 * lattice - 1, np.full(shape, -1)  # from the last cell of a group to the first of the one before
    for output in whole.tiles(size):
        part = part_of(output, sees, lattice, corner, shape)
        assert all((first + edge) % lattice == 0 for first, cut in zip(corner, part.input, strict=True)
                   for edge in (cut.start, cut.stop))  # fmt: skip
        assert cells(output, whole) <= cells(part.input, whole)
        out[part.output] = grouped(cut_padded(field, part.input, 0), lattice, kernel)[part.inside]
    np.testing.assert_array_equal(out, expected)


def test_parts_that_hold_less_than_the_receptive_field_do_not():
    field, kernel = np.arange(64 * 64).reshape(64, 64) % 7, np.ones((3, 3), int)
    expected = grouped(field, 8, kernel)
    part = part_of(Window.at((16, 16), (16, 16)), 0, 8, (0, 0), (64, 64))
    assert (grouped(cut_padded(field, part.input, 0), 8, kernel)[part.inside] != expected[part.output]).any()


@quick
@given(st.integers(0, 5000), st.integers(1, 3000), st.sampled_from([64, 512]))
def test_parts_of_an_axis_cover_it_and_meet_on_the_lattice_of_the_run(first, length, size):
    edges = lattice_edges(first, length, size, 16)
    assert edges[0] == 0 and edges[-1] == length
    assert all((first + edge) % 16 == 0 for edge in edges[1:-1])
    assert all(0 < b - a <= size + 16 for a, b in pairwise(edges))


def test_windows_are_defined_in_one_place():
    room = ROOT / "ai4land"
    texts = {path.relative_to(room).as_posix(): path.read_text() for path in room.rglob("*.py")}
    for definition in (
        "class Window(",
        "class Window:",
        "Window = tuple",
        "Part = tuple[slice",
        "def common_part",
        "def shift(",
    ):
        assert {path for path, text in texts.items() if f"\n{definition}" in text} <= {"windows.py"}, definition
