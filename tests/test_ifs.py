"""Vegetation fields of the IFS: what they hold, and GRIB2 that eccodes reads back."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from ai4land.grid import EARTH_RADIUS, Grid
from ai4land.legend import DATA, class_codes, read_legend

eccodes = pytest.importorskip("eccodes", reason="eccodes is not installed")

from ai4land.export import grib, ifs  # noqa: E402
from ai4land.export.cells import octahedral  # noqa: E402
from ai4land.export.ifs_types import leaf_fields, tile_leaf_area, type_fractions, vegetation_cover  # noqa: E402

YEAR, N = 2000, 4
CODES = class_codes(read_legend("land_cover"))
LOW, HIGH, BARE, WATER = 130, 70, 200, 210  # all tall grass, evergreen needleleaf trees, desert, inland water
WORLD = Grid(90.0, -180.0, 10.0, 10.0, 18, 36)


def fractions(**shares):
    """Class fractions of one target cell."""
    return xr.DataArray(
        np.array([list(shares.values())]).T, {"cover_class": [int(c[1:]) for c in shares]}, ("cover_class", "cell")
    )


def products(grid=WORLD, seed=0, codes=CODES):
    """Land cover and leaf area index of one made-up year, as the stores of a run have them."""
    rng = np.random.default_rng(seed)
    cover = rng.choice(codes, grid.shape).astype(np.uint8)
    leaves = rng.uniform(0, 6, (12, *grid.shape)).astype(np.float32)
    dims, about = ("time", "lat", "lon"), {"title": "made-up planet", "synthetic": 1}
    months = pd.date_range(f"{YEAR}-01-01", periods=12, freq="MS")
    field = xr.DataArray(leaves, {"time": months, **grid.coords()}, dims, attrs={"units": "m2 m-2"})
    codes = xr.DataArray(cover[None], {"time": months[:1], **grid.coords()}, dims)
    return xr.Dataset({"land_cover": codes}, attrs=about), xr.Dataset({"leaf_area_index": field}, attrs=about)


def shared_areas(grid, n):
    """Area on the unit sphere that each target cell shares with each map cell, by going through all pairs."""
    cells, lat, lon = octahedral(n), np.sin(np.radians(grid.lat_edges)), grid.lon_edges
    south, north = (np.sin(np.radians(f(cells.lat_corners, 1))) for f in (np.min, np.max))
    west, east = cells.lon_corners.min(1), cells.lon_corners.max(1)
    high = np.clip(np.minimum(north[:, None], lat[None, :-1]) - np.maximum(south[:, None], lat[None, 1:]), 0, None)
    turns = [
        np.clip(np.minimum(east[:, None] + t, lon[None, 1:]) - np.maximum(west[:, None] + t, lon[None, :-1]), 0, None)
        for t in (-360, 0, 360)
    ]
    return high[:, :, None] * np.radians(sum(turns))[:, None, :]


def messages(path):
    """Keys and values of every message, by eccodes alone."""
    found = []
    with path.open("rb") as stream:
        while (handle := eccodes.codes_grib_new_from_file(stream)) is not None:
            keys = ("shortName", "paramId", "edition", "dataDate", "validityDate", "gridName", "isOctahedral", "centre",
                    "typeOfLevel", "bitsPerValue", "numberOfMissing", "stepRange")  # fmt: skip
            row = {k: eccodes.codes_get(handle, k) for k in keys}
            eccodes.codes_set(handle, "missingValue", -1)
            row["pl"], row["values"] = eccodes.codes_get_array(handle, "pl"), eccodes.codes_get_values(handle)
            found.append(row)
            eccodes.codes_release(handle)
    return found


def host_value(name, month):
    """What a host has everywhere: another number in every field."""
    return {"tvl": 9, "tvh": 19}.get(name, len(name) / 10 + ord(name[-2]) / 1000 + month / 100)


def host_file(path, n=N, points=None, sample="GRIB2", skip=(), **values):
    """Climate fields of a host, but for what is given those of `host_value`; made by eccodes alone."""
    points = grib.circles(n) if points is None else points
    names = {
        "lsm": 172,
        "cl": 26,
        "glm": 260294,
        "cvl": 27,
        "cvh": 28,
        "tvl": 29,
        "tvh": 30,
        "lai_lv": 66,
        "lai_hv": 67,
    }
    with path.open("wb") as stream:
        for name, number in names.items():
            for month in range(1, 13) if name.startswith("lai") else (0,):
                if name in skip or (name, month) in skip:
                    continue
                handle = eccodes.codes_grib_new_from_samples(sample)
                for key, value in {"gridType": "reduced_gg", "N": n, "Nj": 2 * n, "PLPresent": 1}.items():
                    eccodes.codes_set(handle, key, value)
                eccodes.codes_set_missing(handle, "Ni")
                eccodes.codes_set_array(handle, "pl", points.tolist())
                eccodes.codes_set(handle, "centre", 98)
                eccodes.codes_set(handle, "paramId", number)
                eccodes.codes_set(handle, "dataDate", 20190101 + 100 * max(month - 1, 0))
                eccodes.codes_set(handle, "bitsPerValue", 16)
                eccodes.codes_set_values(
                    handle, np.broadcast_to(values.get(name, host_value(name, month)), points.sum()).astype(float)
                )
                stream.write(eccodes.codes_get_message(handle))
                eccodes.codes_release(handle)
    return path


def test_parameters_have_the_numbers_that_eccodes_gives_their_names():
    for name, row in grib.read_parameters().iterrows():
        handle = eccodes.codes_grib_new_from_samples("GRIB2")
        eccodes.codes_set(handle, "paramId", int(row["param_id"]))
        assert eccodes.codes_get(handle, "shortName") == name
        eccodes.codes_release(handle)


@pytest.mark.parametrize("n", [1, 32, 1280])
def test_an_octahedral_grid_has_twenty_points_next_to_the_pole_and_four_more_on_each_circle(n):
    points = grib.circles(n)
    assert points[:2].tolist() == ([20, 24] if n > 1 else [20, 20]) and (points == points[::-1]).all()
    assert points.sum() == 4 * n * (n + 9)  # 2 (20 n + 4 n (n - 1) / 2)
    assert n > 100 or octahedral(n).lon.size == points.sum()


def test_types_take_the_shares_of_the_crosswalk():
    types = type_fractions(fractions(c130=0.25, c60=0.25, c30=0.5)).sel(cell=0)
    # Class 30: 0.6 crops (1), 0.15 tall grass (7), 0.1 and 0.05 shrubs (16, 17), 0.05 broadleaf trees each (5, 6).
    expected = {1: 0.3, 7: 0.25 + 0.075, 16: 0.05, 17: 0.025, 5: 0.25 + 0.025, 6: 0.025}
    for number in types["vegetation_type"].to_numpy():
        assert float(types.sel(vegetation_type=number)) == pytest.approx(expected.get(number, 0))


def test_cover_is_of_the_land_and_adds_up_to_it_with_the_bare_part():
    cover = vegetation_cover(type_fractions(fractions(c130=0.2, c70=0.1, c200=0.1, c210=0.6))).isel(cell=0)
    assert float(cover["land"]) == pytest.approx(0.4)  # lakes are the host's
    assert [float(cover[v]) for v in ("cvl", "cvh", "bare")] == pytest.approx([0.5, 0.25, 0.25])
    shares = np.random.default_rng(1).dirichlet(np.full(CODES.size, 0.1), 500).T
    cover = vegetation_cover(type_fractions(xr.DataArray(shares, {"cover_class": CODES}, ("cover_class", "cell"))))
    np.testing.assert_allclose(cover["cvl"] + cover["cvh"] + cover["bare"], 1, rtol=0, atol=1e-12)
    assert float(cover[["cvl", "cvh", "bare"]].to_array().min()) >= 0


def test_a_cell_without_land_has_no_cover_and_one_without_vegetation_has_type_0():
    water, ice = (vegetation_cover(type_fractions(f)).isel(cell=0) for f in (fractions(c210=1.0), fractions(c220=1.0)))
    assert all(np.isnan(float(water[v])) for v in ("cvl", "cvh", "bare", "tvl", "tvh"))
    assert [float(ice[v]) for v in ("cvl", "cvh", "bare", "tvl", "tvh")] == [0, 0, 1, 0, 0]


def test_the_type_is_the_one_with_the_largest_area_and_no_average():
    # Low: 0.3 crops (1), 0.25 + 0.1 tall grass (7); high: 0.2 needleleaf (3), 0.15 evergreen broadleaf (6).
    cover = vegetation_cover(type_fractions(fractions(c10=0.3, c130=0.35, c70=0.2, c50=0.15))).isel(cell=0)
    assert (float(cover["tvl"]), float(cover["tvh"])) == (7, 3)
    tie = vegetation_cover(type_fractions(fractions(c130=0.25, c10=0.25, c50=0.25, c70=0.25))).isel(cell=0)
    assert (float(tie["tvl"]), float(tie["tvh"])) == (1, 3)  # the lowest number
    rounded = vegetation_cover(type_fractions(fractions(c60=0.1, c61=0.2, c70=0.3, c210=0.4))).isel(cell=0)
    assert 0.1 + 0.2 > 0.3 and float(rounded["tvh"]) == 3  # type 5 is larger by rounding only


@pytest.mark.parametrize(
    "given, message",
    [(fractions(c1=0.5, c4=0.5), "eight classes of land use"), (fractions(c130=1.2, c70=-0.2), "least is -0.2"),
     (fractions(c130=1.0, c70=0.3), "within 0.3"), (fractions(c99=1.0), "no land cover")],
)  # fmt: skip
def test_fractions_that_are_none_are_refused(given, message):
    with pytest.raises(ValueError, match=message) as refused:
        type_fractions(given)
    assert "\n" not in str(refused.value)


def test_leaves_go_to_the_tiles_of_their_own_cells_and_mixed_ones_by_shares():
    # Grass with 2, trees with 5, bare with 0.4, urban (0.15 grass, 0.05 trees, 0.75 bare, 0.05 water) with 1.
    cover, leaves = np.array([[LOW, HIGH, BARE, 190]], np.uint8), np.array([[2.0, 5.0, 0.4, 1.0]])
    found = leaf_fields(cover, leaves)[:, 0]
    np.testing.assert_allclose(found[0], [2, 0, 0, 0.75], rtol=1e-6)
    np.testing.assert_allclose(found[1], [0, 5, 0, 0.25], rtol=1e-6)
    np.testing.assert_allclose(found[2], [0, 0, 0.4, 0], rtol=1e-6)
    np.testing.assert_allclose(found[3:], [[1, 0, 0, 0.15], [0, 1, 0, 0.05]], rtol=1e-6)
    area = type_fractions(fractions(c130=0.25, c70=0.25, c200=0.25, c190=0.25))
    lv, hv = tile_leaf_area(vegetation_cover(area), found.mean(1, keepdims=True))
    # Leaves of bare ground: 0.4 over 1.15 + 1.05 of vegetation.
    assert lv[0] == pytest.approx(2.75 / 1.15 + 0.4 / 2.2, rel=1e-6)
    assert hv[0] == pytest.approx(5.25 / 1.05 + 0.4 / 2.2, rel=1e-6)


def test_water_has_no_leaves_and_missing_ones_count_for_nothing():
    found = leaf_fields(np.array([[WATER, 0, HIGH]], np.uint8), np.array([[3.0, 3.0, np.nan]]))
    assert (found == 0).all()


@pytest.fixture(scope="module")
def world():
    """Fields of a made-up planet, and the areas that target and map cells share."""
    cover, leaves = products()
    maps = cover["land_cover"][0], leaves["leaf_area_index"].rename(time="month").assign_coords(month=range(1, 13))
    return *maps, ifs.ifs_fields(*maps, N), shared_areas(WORLD, N)


def test_tiles_together_hold_the_leaf_area_of_the_land_of_their_cell(world):
    cover, leaves, fields, shared = world
    water = {160: 0.2, 170: 0.2, 190: 0.05, 210: 1.0}  # of the crosswalk
    land = 1 - np.vectorize(lambda c: water.get(c, 0.0))(cover.to_numpy())
    area = (shared * land).sum((1, 2))
    np.testing.assert_allclose(fields["land"], area / shared.sum((1, 2)), rtol=1e-5)
    tiles = (fields["cvl"] * fields["lai_lv"] + fields["cvh"] * fields["lai_hv"]).transpose("month", "cell")
    on_land = np.where(land > 0, leaves.to_numpy(), 0)
    expected = (shared[None] * on_land[:, None]).sum((2, 3)) / area
    plants = (fields["cvl"] + fields["cvh"]).to_numpy() > 0
    assert plants.mean() > 0.9
    np.testing.assert_allclose(tiles.to_numpy()[:, plants], expected[:, plants], rtol=1e-5)


def test_cover_on_the_grid_is_the_share_of_the_maps_cells(world):
    cover, _, fields, shared = world
    table = pd.read_csv(DATA / "crosswalks" / "land_cover-to-ifs_vegetation.csv")
    trees = table[table["code"].isin([3, 4, 5, 6, 18, 19])].groupby("source_code")["weight"].sum()
    high = trees.reindex(cover.to_numpy().ravel()).fillna(0).to_numpy().reshape(cover.shape)
    expected = (shared * high).sum((1, 2)) / shared.sum((1, 2)) / fields["land"].to_numpy()
    np.testing.assert_allclose(fields["cvh"], expected, rtol=1e-5, atol=1e-9)
    assert fields["told"].all()


def test_the_global_map_goes_by_way_of_coarser_cells_and_keeps_leaves_and_areas(monkeypatch):
    fine = Grid(90.0, -180.0, 9.0, 9.0, 20, 40)
    monkeypatch.setattr(ifs, "GLOBAL", fine)
    cover, leaves = products(fine, seed=2)
    maps = cover["land_cover"][0], leaves["leaf_area_index"].rename(time="month").assign_coords(month=range(1, 13))
    fields, cells = ifs.ifs_fields(*maps, N), octahedral(N)
    land = cells.area * fields["land"]
    tiles = ((fields["cvl"] * fields["lai_lv"] + fields["cvh"] * fields["lai_hv"]) * land).sum("cell")
    water = np.vectorize(lambda c: {160: 0.2, 170: 0.2, 190: 0.05, 210: 1.0}.get(c, 0.0))(maps[0].to_numpy())
    area = fine.cell_area()[:, None]
    assert float(land.sum()) == pytest.approx(((1 - water) * area).sum(), rel=1e-6)
    expected = (maps[1].to_numpy() * (water < 1) * area).sum((1, 2))
    np.testing.assert_allclose(tiles, expected, rtol=1e-6)


def test_a_point_of_which_a_tile_lacks_its_leaves_is_not_told(world):
    cover, leaves, _, shared = world
    trees = np.isin(cover.to_numpy(), [50, 60, 61, 70, 71, 80, 81, 90])
    without = leaves.where(~((leaves["month"] == 5) & xr.DataArray(trees, cover.coords, cover.dims)))
    found = ifs.ifs_fields(cover.where(trees | (cover == LOW), BARE).astype(np.uint8), without, N)
    assert found["told"].to_numpy().tolist() == ((shared * trees).sum((1, 2)) == 0).tolist()
    assert 0 < found["told"].sum() < found["told"].size


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """File of a region, and what eccodes finds in it."""
    region = Grid(60.0, -20.0, 5.0, 5.0, 12, 12)
    path = tmp_path_factory.mktemp("ifs") / "vegetation.grib2"
    path = ifs.write_ifs(*products(region), YEAR, N, path)
    return path, messages(path)


def test_eccodes_reads_names_numbers_grid_and_dates_back(written):
    _, found = written
    expected = [("cvl", 27, 101), ("cvh", 28, 101), ("tvl", 29, 101), ("tvh", 30, 101)]
    expected += [(n, p, m * 100 + 15) for n, p in (("lai_lv", 66), ("lai_hv", 67)) for m in range(1, 13)]
    assert [(m["shortName"], m["paramId"], m["validityDate"]) for m in found] == [
        (name, number, YEAR * 10000 + day) for name, number, day in expected
    ]
    for message in found:
        assert (message["gridName"], message["isOctahedral"], message["edition"]) == (f"O{N}", 1, 2)
        assert message["pl"].tolist() == [20, 24, 28, 32, 32, 28, 24, 20] and message["typeOfLevel"] == "surface"
        assert message["centre"] == "255"  # missing: no centre's product
        assert 0 < message["numberOfMissing"] < 208 and message["stepRange"] == "0"


def test_values_in_the_file_are_those_of_the_fields_to_their_packing(written):
    path, found = written
    region = Grid(60.0, -20.0, 5.0, 5.0, 12, 12)
    maps = products(region)
    leaves = maps[1]["leaf_area_index"].rename(time="month").assign_coords(month=range(1, 13))
    fields, back = ifs.ifs_fields(maps[0]["land_cover"][0], leaves, N), grib.read_fields(path)
    told = fields["told"].to_numpy()
    covered = shared_areas(region, N).sum((1, 2)) * EARTH_RADIUS**2 / octahedral(N).area
    assert told.tolist() == (covered >= 0.5).tolist() and 0 < told.sum() < (covered > 0).sum()
    for message in found[:4]:
        assert (message["values"][~told] == -1).all()
        range_ = np.ptp(fields[message["shortName"]].to_numpy()[told])
        np.testing.assert_allclose(
            message["values"][told], fields[message["shortName"]][told], rtol=0, atol=range_ * 2**-23
        )
    assert set(found[2]["values"][told]) <= {0, 1, 2, 7, 9, 10, 11, 13, 16, 17, 20}  # whole numbers, low types
    for name in ("cvh", "lai_hv"):
        assert back[name].dims == fields[name].dims and np.isnan(back[name].to_numpy()[..., ~told]).all()
        np.testing.assert_allclose(back[name][..., told], fields[name][..., told], rtol=0, atol=1e-5)
    np.testing.assert_allclose(back["lat"], octahedral(N).lat, atol=1e-6)
    np.testing.assert_allclose(back["lon"], octahedral(N).lon, atol=1e-6)


def test_equal_maps_make_equal_bytes_whatever_the_order_of_months_and_the_card_says_synthetic(written, tmp_path):
    path, _ = written
    cover, leaves = products(Grid(60.0, -20.0, 5.0, 5.0, 12, 12))
    again = ifs.write_ifs(cover, leaves.isel(time=slice(None, None, -1)), YEAR, N, tmp_path / path.name)
    assert again.read_bytes() == path.read_bytes()
    card = json.loads(path.with_name(path.name + ".json").read_text())
    assert (
        card["synthetic"] is True
        and card["grid"] == f"O{N}"
        and card["made_from"]["land_cover"]["title"] == "made-up planet"
    )


@pytest.mark.parametrize("sample", ["GRIB1", "GRIB2"])
def test_a_host_keeps_its_sea_lakes_and_ice(tmp_path, sample):
    size = int(grib.circles(N).sum())
    kind = np.arange(size) % 4  # land, sea, lake, ice
    given = {"lsm": (kind != 1) * 1.0, "cl": (kind == 2) * 1.0, "glm": (kind == 3) * 1.0}
    skip = ("glm",) if sample == "GRIB1" else ()
    host = host_file(tmp_path / "host.grib", sample=sample, skip=skip, **given)
    found = messages(ifs.write_ifs(*products(), YEAR, N, tmp_path / "out.grib2", host))
    ours = np.isin(kind, [0, 3]) if skip else kind == 0
    assert [m["shortName"] for m in found].count("lai_lv") == 12 and len(found) == 28
    for message in found:
        assert (message["edition"], message["centre"], message["numberOfMissing"]) == (2, "ecmf", 0)
        month = message["validityDate"] // 100 % 100 if message["shortName"].startswith("lai") else 0
        np.testing.assert_allclose(message["values"][~ours], host_value(message["shortName"], month), atol=1e-4)
        assert np.ptp(message["values"][ours]) > 0.1


def test_a_host_without_a_message_or_on_another_grid_is_refused_in_one_line(tmp_path):
    made = products(codes=np.array([LOW]))
    for skip, message in ((("lsm",), "no message lsm"), ((("lai_hv", 7),), "no message lai_hv of month 7")):
        host = host_file(tmp_path / "host.grib", skip=skip)
        with pytest.raises(ValueError, match=message) as refused:
            ifs.write_ifs(*made, YEAR, N, tmp_path / "out.grib2", host)
        assert "\n" not in str(refused.value)
    with pytest.raises(ValueError, match="grid O2, expected O4"):
        ifs.write_ifs(*made, YEAR, N, tmp_path / "out.grib2", host_file(tmp_path / "host.grib", n=2))
    with pytest.raises(ValueError, match="lsm is on N4, expected one octahedral grid"):
        grib.Fields(host_file(tmp_path / "host.grib", points=np.full(2 * N, 20)))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["host.grib"]


def test_a_template_without_the_key_is_refused_in_one_line(tmp_path):
    path, handle = tmp_path / "regular.grib", eccodes.codes_grib_new_from_samples("GRIB2")
    eccodes.codes_set(handle, "paramId", 27)
    path.write_bytes(eccodes.codes_get_message(handle))
    eccodes.codes_release(handle)
    with pytest.raises(ValueError, match="message cvl has no key N, pl, isOctahedral; give a GRIB template") as refused:
        grib.Fields(path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda c, v: (c, v.assign(leaf_area_index=v["leaf_area_index"] * 30)), "expected 0 to 10 m2 m-2"),
        (lambda c, v: (c, v.assign(leaf_area_index=v["leaf_area_index"] - 1)), "expected 0 to 10 m2 m-2"),
        (lambda c, v: (c, v.assign(leaf_area_index=v["leaf_area_index"].assign_attrs(units="1/30"))), "units '1/30'"),
        (lambda c, v: (c, v.isel(time=slice(11))), "expected each of 1-12 once"),
        (lambda c, v: (c, v.assign_coords(time=v["time"] + np.timedelta64(400, "D"))), "no year 2000"),
        (lambda c, v: (c.rename(land_cover="land_use"), v), "land use does not tell vegetation types"),
        (lambda c, v: (c.assign(land_cover=c["land_cover"] * 0 + 3), v), r"codes \[3\] are not in the legend"),
        (lambda c, v: (c, v.isel(lon=slice(30))), "grids differ"),
    ],
)  # fmt: skip
def test_bad_maps_are_refused_in_one_line_and_leave_no_file(tmp_path, change, message):
    with pytest.raises(ValueError, match=message) as refused:
        ifs.write_ifs(*change(*products()), YEAR, N, tmp_path / "out.grib2")
    assert "\n" not in str(refused.value) and not list(tmp_path.iterdir())


def test_a_file_that_fails_half_way_is_gone(tmp_path):
    def fields():
        yield ("cvl", 0), np.zeros(grib.circles(N).sum())
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        grib.write_fields(tmp_path / "out.grib2", N, YEAR, fields(), None)
    assert not list(tmp_path.iterdir())
