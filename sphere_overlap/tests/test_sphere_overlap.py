"""Areas beside formulas that the package does not use, what must be kept, and what is refused."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sphere_overlap import Cells, RegularGrid, healpix, latlon_cells, overlap_weights, ring_areas

FOLDER = Path(__file__).resolve().parent.parent
GLOBE = RegularGrid.from_edges(np.linspace(90, -90, 91), np.linspace(-180, 180, 145))
UNEVEN = RegularGrid(np.array([90.0, 71, 33.3, 5, -1, -40, -77.7, -90]), -170.5, 7.2, 50)
REGION = RegularGrid.from_edges(np.linspace(60, 20, 21), np.linspace(170, 200, 16))


def on_sphere(points):
    """Longitude and latitude, degrees, of vectors."""
    x, y, z = np.moveaxis(points / np.linalg.norm(points, axis=-1, keepdims=True), -1, 0)
    return np.degrees(np.arctan2(y, x)), np.degrees(np.arcsin(np.clip(z, -1, 1)))


def vectors(lon, lat):
    lon, lat = np.radians(lon), np.radians(lat)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], -1)


def turned(points, seed):
    """Vectors turned at random."""
    return points @ np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]


def excess(points):
    """Area of triangles between great circles by their solid angle (Van Oosterom and Strackee 1983)."""
    a, b, c = np.moveaxis(points, 1, 0)
    volume = np.abs(np.einsum("ij,ij->i", a, np.cross(b, c)))
    dot = [np.einsum("ij,ij->i", *pair) for pair in ((a, b), (b, c), (c, a))]
    return 2 * np.arctan2(volume, 1 + sum(dot))


def octahedron(times, seed):
    """Triangles that cover the sphere: eight, each cut in four, some times over."""
    x, y, z = np.eye(3)
    faces = np.array([[i * x, j * y, k * z] for i in (1, -1) for j in (1, -1) for k in (1, -1)])
    for _ in range(times):
        a, b, c = np.moveaxis(faces, 1, 0)
        ab, bc, ca = ((p + q) / np.linalg.norm(p + q, axis=1)[:, None] for p, q in ((a, b), (b, c), (c, a)))
        faces = np.concatenate([np.stack(t, 1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))])
    return turned(faces, seed) if seed else faces


def triangles(times, seed=0):
    return Cells.from_corners(*on_sphere(octahedron(times, seed)), True)


def dense(weights):
    matrix = np.zeros(weights.shape)
    matrix[weights.row, weights.col] = weights.overlap
    return matrix


# --- areas ---


@pytest.mark.parametrize("seed", range(5))
def test_areas_of_triangles_are_their_solid_angles(seed):
    faces = octahedron(3, seed)
    cells = Cells.from_corners(*on_sphere(faces), True)
    np.testing.assert_allclose(overlap_weights(GLOBE, cells).target_area, excess(faces), rtol=1e-10)
    assert cells.area.sum() == pytest.approx(4 * np.pi, rel=1e-13)


def test_the_octants_of_the_sphere_hold_the_cells_of_their_corner_of_the_grid():
    found = dense(overlap_weights(GLOBE, triangles(0)))
    np.testing.assert_allclose(found.sum(1), np.pi / 2, rtol=1e-12)
    whole = np.repeat(GLOBE.cell_area(), GLOBE.cols)
    assert {*np.unique((found / whole).round(7))} == {0, 1}


def test_a_square_of_great_circles_around_a_pole_is_four_triangles_with_a_right_angle_there():
    for pole in (1, -1):
        cap = Cells.from_corners([[20.0, 110.0, -160.0, -70.0]], np.full((1, 4), pole * 80.0), True)
        weights = overlap_weights(GLOBE, cap)
        # tan(excess / 2) = tan^2(half of the 10 degrees to the pole)
        expected = 8 * np.arctan(np.tan(np.radians(5)) ** 2)
        assert weights.overlap.sum() == pytest.approx(expected, rel=1e-9) == weights.target_area[0]


@pytest.mark.parametrize("ends", [(10.0, 50.0), (50.0, 10.0), (40.0, 41.0), (-20.0, 35.0)])
@pytest.mark.parametrize("source", [GLOBE, UNEVEN])
def test_overlaps_under_a_great_circle_are_those_of_sums_over_meridians(ends, source):
    """A triangle with the pole: what lies north of its third edge, 40 000 meridians to a column."""
    cells = Cells.from_corners([[-3.0, 58.0, 0.0]], [[*ends, 90.0]], True)
    found = dense(overlap_weights(source, cells)).reshape(source.shape)
    a, b = vectors(np.array([-3.0, 58.0]), np.array(ends))
    normal, expected = np.cross(a, b), np.zeros(source.shape)
    levels = np.sin(np.radians(source.lat_edges))
    for col in range(source.cols):
        west = (source.west + col * source.dlon + 180) % 360 - 180
        edges = np.clip([west, west + source.dlon], -3, 58)
        lon = np.radians(edges[0] + (np.arange(40_000) + 0.5) / 40_000 * (edges[1] - edges[0]))
        tangent = -(normal[0] * np.cos(lon) + normal[1] * np.sin(lon)) / normal[2]
        sine = tangent / np.hypot(1, tangent)
        for row in range(source.rows if np.ptp(edges) else 0):
            part = levels[row] - np.clip(sine, levels[row + 1], levels[row])
            expected[row, col] = part.mean() * np.radians(np.ptp(edges))
    assert (expected > 0).sum() > 10
    np.testing.assert_allclose(found, expected, atol=1e-11)


def test_cells_between_parallels_share_products_of_overlaps_in_longitude_and_sine_of_latitude():
    count = np.array([3, 5, 4])
    step = np.repeat(360 / count, count)
    number = np.arange(12) - np.repeat([0, 3, 8], count)
    cells = latlon_cells(np.array([90.0, 20.5, -33, -90]), number * step - 7.7, (number + 1) * step - 7.7, count)
    found = dense(overlap_weights(UNEVEN, cells)).reshape(12, *UNEVEN.shape)
    for cell in range(12):
        north, south = cells.lat_corners[cell, 0], cells.lat_corners[cell, 1]
        top, bottom = np.minimum(UNEVEN.lat_edges[:-1], north), np.maximum(UNEVEN.lat_edges[1:], south)
        height = np.maximum(np.sin(np.radians(top)) - np.sin(np.radians(bottom)), 0)
        left = UNEVEN.west + np.arange(UNEVEN.cols) * UNEVEN.dlon
        width = np.zeros(UNEVEN.cols)
        for turn in (-360, 0, 360):
            east = np.minimum(left + UNEVEN.dlon, cells.lon_corners[cell, 2] + turn)
            width += np.maximum(east - np.maximum(left, cells.lon_corners[cell, 0] + turn), 0)
        np.testing.assert_allclose(found[cell], height[:, None] * np.radians(width), atol=1e-13)


def test_a_concave_cell_is_the_sum_of_its_convex_parts():
    points = vectors(np.array([-5.0, 20, 0, 20]), np.array([10.0, -20, 10, 50]))
    whole = Cells.from_corners(*on_sphere(points[None]), True)
    halves = Cells.from_corners(*on_sphere(points[[[0, 1, 2], [0, 2, 3]]]), True)
    found, parts = (dense(overlap_weights(GLOBE, cells)) for cells in (whole, halves))
    np.testing.assert_allclose(found[0], parts.sum(0), atol=1e-14)
    # An L between parallels and meridians, across the date line and the equator: three boxes of 10 degrees.
    lon, lat = [[170.0, 190, 190, 180, 180, 170]], [[-10.0, -10, 0, 0, 10, 10]]
    shape = overlap_weights(GLOBE, Cells.from_corners(lon, lat, False))
    assert shape.overlap.sum() == pytest.approx(3 * np.radians(10) * np.sin(np.radians(10)), rel=1e-12)


# --- what must be kept ---

TARGETS = {
    "octants": lambda: triangles(2), "triangles": lambda: triangles(3, 1), "healpix": lambda: healpix(8, "nested"),
    "ring": lambda: healpix(4, "ring"), "regular": UNEVEN.cells,
}  # fmt: skip


@pytest.mark.parametrize("source", [GLOBE, UNEVEN], ids=["even", "uneven"])
@pytest.mark.parametrize("kind", TARGETS)
def test_every_source_cell_is_given_away_whole_and_every_target_cell_filled(kind, source):
    found = overlap_weights(source, TARGETS[kind]())
    given = np.bincount(found.col, found.overlap, found.shape[1])
    np.testing.assert_allclose(given, np.repeat(source.cell_area(), source.cols), rtol=1e-7)
    np.testing.assert_allclose(np.bincount(found.row, found.weight), 1, rtol=1e-7)
    assert found.target_area.sum() == pytest.approx(4 * np.pi, rel=1e-12)
    assert np.unique(found.row.astype(np.int64) * found.shape[1] + found.col).size == found.row.size


@pytest.mark.parametrize("kind", TARGETS)
def test_a_region_gets_its_columns_of_the_weights_of_the_globe(kind):
    """Also across the date line, where the region lies."""
    globe = RegularGrid.from_edges(np.linspace(90, -90, 91), np.linspace(-180, 180, 181))
    cells = TARGETS[kind]()
    whole, part = dense(overlap_weights(globe, cells)), dense(overlap_weights(REGION, cells))
    cols = np.r_[175:180, 0:10]
    expected = whole.reshape(-1, 90, 180)[:, 15:35][:, :, cols].reshape(len(whole), -1)
    np.testing.assert_allclose(part, expected, atol=1e-12)
    assert (part > 0).sum() >= REGION.rows * REGION.cols


def test_weights_depend_neither_on_the_way_round_nor_on_blocks_nor_on_a_repeated_corner(monkeypatch):
    cells = triangles(3, 2)
    first = dense(overlap_weights(GLOBE, cells))
    lon, lat = cells.lon_corners[:, [2, 1, 0, 0]], cells.lat_corners[:, [2, 1, 0, 0]]
    np.testing.assert_allclose(dense(overlap_weights(GLOBE, Cells.from_corners(lon, lat, True))), first, atol=1e-14)
    monkeypatch.setattr("sphere_overlap.weights._BLOCK", 500)
    np.testing.assert_allclose(dense(overlap_weights(GLOBE, cells)), first, atol=1e-14)


def test_a_grid_on_itself_is_the_identity_and_a_radius_scales_areas():
    found = overlap_weights(UNEVEN, UNEVEN.cells(radius=10.0))
    assert np.array_equal(found.row, found.col) and found.row.size == UNEVEN.rows * UNEVEN.cols
    np.testing.assert_allclose(found.weight, 1, rtol=1e-9)
    assert found.overlap.sum() == pytest.approx(400 * np.pi, rel=1e-12)


def test_means_keep_the_integral_of_layers_each_with_its_own_gaps():
    rng = np.random.default_rng(3)
    field = rng.random((2, *GLOBE.shape))
    field[1, rng.random(GLOBE.shape) < 0.3] = np.nan
    weights = overlap_weights(GLOBE, triangles(3, 4))
    mean, share = weights.mean(field)
    assert mean.shape == share.shape == (2, 8 * 4**3)
    before = np.nansum(field * GLOBE.cell_area()[:, None], (1, 2))
    np.testing.assert_allclose((mean * share * weights.target_area).sum(1), before, rtol=1e-9)
    assert share[0].min() == pytest.approx(1, rel=1e-9) and 0 < share[1].min() < share[1].max() < 1
    none = weights.mean(np.full(GLOBE.shape, np.nan))
    assert np.isnan(none[0]).all() and (none[1] == 0).all()


def test_cells_beyond_the_source_have_empty_rows_without_an_error():
    found = overlap_weights(REGION, Cells.from_corners([[0.0, 10, 5]], [[0.0, 0, 10]], True))
    assert found.row.size == 0 and found.shape == (1, REGION.rows * REGION.cols)
    mean, share = found.mean(np.ones(REGION.shape))
    assert np.isnan(mean).all() and share[0] == 0


@pytest.mark.parametrize("order", ["nested", "ring"])
def test_cells_of_healpix_have_one_area_and_known_rows(order):
    cells = healpix(16, order)
    rings = np.abs(ring_areas(np.radians(cells.lon_corners), np.radians(cells.lat_corners), False))
    assert np.median(np.abs(rings / cells.area - 1)) < 1e-3 and cells.area[0] == 4 * np.pi / 3072
    # Rings of a cap lie where 1 - i^2 / (3 nside^2) is the sine of latitude (Gorski et al. 2005, equation 4).
    rows = np.unique(np.sin(np.radians(cells.lat)).round(12))[::-1]
    np.testing.assert_allclose(rows[:15], 1 - np.arange(1, 16) ** 2 / 768, atol=1e-11)
    assert rows.size == 63


# --- what is refused, in one line ---

EDGES = np.linspace(90, -90, 5)
BOX = {"lon_corners": [[0.0, 10, 10, 0]], "lat_corners": [[0.0, 0, 10, 10]], "great_circles": True}
REFUSED = {
    "ascending": (lambda: RegularGrid.from_edges(EDGES[::-1], [0, 1]), r"lat_edges -90 ... 90 do not fall"),
    "beyond the pole": (lambda: RegularGrid.from_edges([90.5, 0], [0, 1]), "reach 90.5 to 0 degrees; clip"),
    "NaN edge": (lambda: RegularGrid.from_edges([90, np.nan, 0], [0, 1]), "edges of the grid are not finite"),
    "centres": (lambda: RegularGrid.from_edges([90], [0, 1]), r"lat_edges have shape \(1,\)"),
    "one meridian": (lambda: RegularGrid.from_edges(EDGES, [0]), r"lon_edges have shape \(1,\)"),
    "uneven": (lambda: RegularGrid.from_edges(EDGES, [0, 1, 2.5]), "1 to 1.5 degrees apart; give even steps"),
    "date line": (lambda: RegularGrid.from_edges(EDGES, [179, 180, -179]), "-359 to 1 degrees apart"),
    "westwards": (lambda: RegularGrid.from_edges(EDGES, [2, 1, 0]), "2 columns of -1 degrees"),
    "more than a turn": (lambda: RegularGrid(EDGES, 0.0, 2.5, 145), "362.5 degrees overlaps itself"),
    "other shapes": (lambda: Cells.from_corners([[0.0, 1, 1]], [[0.0, 1]], True), r"corners: \(1, 3\) and \(1, 2\)"),
    "two corners": (lambda: Cells.from_corners([[0.0, 1]], [[0.0, 1]], True), "3 corners at least"),
    "NaN corner": (lambda: Cells.from_corners([[0.0, np.nan, 1]], [[0.0, 1, 1]], True), "cell 0: .* is not finite"),
    "latitude": (lambda: Cells.from_corners([[0.0, 1, 1]], [[0.0, 91, 1]], True), "cell 0: a corner at latitude 91"),
    "centres of others": (lambda: Cells(*np.zeros((2, 2)), *np.zeros((2, 1, 3)), np.ones(1), True), r"shape \(2,\)"),
    "rows": (lambda: latlon_cells(EDGES, EDGES, EDGES, np.array([5])), "1 rows of 5 cells with 5 lat_edges"),
    "nside": (lambda: healpix(3, "ring"), "nside 3 is no power of 2"),
    "order": (lambda: healpix(4, "rings"), "order 'rings' is unknown"),
    "no closed ring": (lambda: weigh(lon_corners=[[0.0, 10, 0, 10]], lat_corners=[[0.0, 9, 0, 9]]), "enclose no area"),
    "pole to pole": (lambda: weigh(lat_corners=[[90.0, 0, -90, 0]], lon_corners=[[0.0, 0, 5, 5]]), "enclose no area"),
    "bow tie": (lambda: weigh(lon_corners=[[0.0, 10, 0, 10]], lat_corners=[[0.0, 1, 10, 12]]), "cell 0 crosses itself"),
    "twice round": (lambda: weigh(**star()), "cell 0 crosses itself"),
    "opposite": (lambda: weigh(lon_corners=[[0.0, 180, 90]], lat_corners=[[10.0, -10, 50]]), "half the globe"),
    "wide": (lambda: weigh(lon_corners=[[0.0, 180, 180, 0]], great_circles=False), "half the globe .*; add a corner"),
    "field": (lambda: overlap_weights(GLOBE, triangles(0)).mean(np.zeros((144, 90))), r"field of shape \(144, 90\)"),
}  # fmt: skip


def weigh(**corners):
    """Weights of one cell."""
    return overlap_weights(GLOBE, Cells.from_corners(**BOX | corners))


def star():
    """Five points joined to the next but one: the middle is covered twice."""
    turn = np.radians(144) * np.arange(5)
    return {"lon_corners": 20 * np.cos(turn)[None], "lat_corners": 40 + 20 * np.sin(turn)[None]}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_right_is_refused_in_one_line(case):
    make, message = REFUSED[case]
    with pytest.raises(ValueError, match=message) as refused:
        make()
    assert "\n" not in str(refused.value)


def test_the_cell_that_is_refused_is_named_by_its_number_in_the_grid(monkeypatch):
    monkeypatch.setattr("sphere_overlap.weights._BLOCK", 100)
    lon, lat = np.tile([[0.0, 10, 10, 0]], (50, 1)), np.tile([[-20.0, -20, -10, -10]], (50, 1))
    lat[::2] *= -1
    lon[37], lat[37] = [0.0, 10, 0, 10], [-1.0, -2, -10, -12]
    with pytest.raises(ValueError, match="cell 37 crosses itself"):
        overlap_weights(GLOBE, Cells.from_corners(lon, lat, True))


# --- the package ---


def test_the_example_of_the_readme_is_the_file_and_prints_what_it_says():
    code, printed = re.findall(r"```(?:python|text)\n(.*?)```", (FOLDER / "README.md").read_text(), re.DOTALL)
    text = (FOLDER / "example.py").read_text()
    assert code == text.split('"""\n\n', 1)[1]
    done = subprocess.run([sys.executable, "-m", "sphere_overlap.example"], capture_output=True, text=True, check=True)
    assert done.stdout == printed


def test_it_needs_numpy_and_nothing_else():
    found = set()
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                found.add(node.module.split(".")[0])
            elif isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
    assert found - sys.stdlib_module_names == {"numpy", "sphere_overlap"}
