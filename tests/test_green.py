"""Land cover and leaf area through the years: each from the step before, resumable, stitched without a seam."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from regions import some_years
from test_exports import complaints
from tiny_run import tiny_land_use
from vegetation_cases import COVER, small_cube

from ai4land import cube, green, product
from ai4land.green import fill, pieces
from ai4land.green.rolled import error_table
from ai4land.grid import GLOBAL, Grid
from ai4land.legend import class_codes, read_legend
from ai4land.samples.predictors import Given, annual_fields, cover_groups
from ai4land.samples.region import layer_of
from ai4land.stitch import plan_tiles, tile_bands
from ai4land.vegetation import Vegetation
from ai4land.windows import WHOLE

CODES = class_codes(read_legend("land_cover"))
MONTHS = np.arange(12, dtype=np.float32)[:, None, None]
HALO = 50
YEARS = [1855, 1930, 2005, 2080]
SPANS = {"start": 2004, "train": (2000, 2002), "validation": (2003, 2004), "test": (2005, 2009)}
VEGETATION = Vegetation(land_cover={"a": SPANS}, leaf_area={"a": SPANS}, reference=2005, every=75, scenario="ssp126")
ERROR = pd.DataFrame(
    [(month, code, code / 100 + month / 10) for month in range(1, 13) for code in (10, 60, 130)],
    columns=["month", "cover", "rmse"],
)
FILES = pd.DataFrame([
    {"role": "land_cover", "dataset": "esa_cci_land_cover", "file": "f", "bytes": 1, "sha256": "0",
     "licence": "CC-BY-4.0", "doi": "10.24381/cds.006f2c9a"},
    {"role": "luh2", "dataset": "luh2_v2h_states", "file": "g", "bytes": 1, "sha256": "1",
     "licence": "CC-BY-SA-4.0", "doi": "10.5194/gmd-13-5425-2020"},
])  # fmt: skip


OF_USE = np.zeros(256, np.uint8)
OF_USE[list(COVER)] = list(COVER.values())


class Mortal:
    """Is killed at a prediction."""

    def live(self):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


class FakeCover(Mortal):
    """The class of the land use, the less sure the more crops are around; some of it stays with the prior class."""

    name, targets, given = "fake", ("land_cover",), Given(prior_cover=True, climate=False)

    def __init__(self, other: int = 60, dies: int = 99, kept: float = 0.2) -> None:
        self.other, self.left, self.kept, self.seen = other, dies, kept, []

    def predict(self, cube, prior_year, year, hidden=None, window=WHOLE):
        self.seen.append((prior_year, year))
        self.live()
        prior = cube.field("land_cover", prior_year, window)
        made = OF_USE[cube.field("land_use", year, window)]
        made = np.where(made == 60, self.other, made)
        crops = annual_fields(cube, self.given, prior_year, year, window)["land_use_cropland_8"]
        p = np.zeros((CODES.size, *made.shape), np.float32)
        open_ = np.full_like(made, 61)
        for code, share in (
            (made, 1 - self.kept - 0.3 * crops),
            (prior, self.kept + 0.2 * crops),
            (open_, 0.1 * crops),
        ):
            np.put_along_axis(p, np.searchsorted(CODES, code)[None], _at(p, code) + share[None], 0)
        return {"land_cover": np.where(prior == 210, (CODES == 210)[:, None, None], p).astype(np.float32)}


def _at(p, code):
    return np.take_along_axis(p, np.searchsorted(CODES, code)[None], 0)


class FakeLeaves(Mortal):
    """A hundredth of the class's code, a month's number in hundredths, and a tenth of the season before."""

    name, targets, given = "fake", ("leaf_area_index",), Given(land_cover=True, prior_leaves=True)

    def __init__(self, more: float = 0.0, dies: int = 99) -> None:
        self.more, self.left = more, dies

    def predict(self, cube, prior_year, year, hidden=None, window=WHOLE):
        self.live()
        cover = cube.field("land_cover", year, window)
        leaves = (
            0.1 * cube.field("leaf_area_index", prior_year, window) + cover / 100 + MONTHS / 100 + np.float32(self.more)
        )
        return {"leaf_area_index": np.where(cover == 210, 0, leaves).astype(np.float32)}


@pytest.fixture(scope="session")
def setting(tmp_path_factory):
    """The tiny run with vegetation, its empty cube, and a region of all its cells in memory."""
    run = tiny_land_use().model_copy(update={"years": (1985, 1986)})
    window = GLOBAL.cut(slice(5400, 5500), slice(20900, 21100))
    layout = cube.plan_layout(run, xr.Dataset(coords=window.coords()))
    path = tmp_path_factory.mktemp("green") / "cube.zarr"
    cube.create_cube(path, run, layout, FILES, False)
    run = run.model_copy(update={"vegetation": VEGETATION})
    small = small_cube(*layout.grid.shape)
    use, cover, leaves = ({y: small.field(name, 2000 + 2 * i) for i, y in enumerate(YEARS)}
                          for name in ("land_use", "land_cover", "leaf_area_index"))  # fmt: skip
    months = {y: small.field("climate", 2000 + i) for i, y in enumerate(YEARS)}
    climate = layer_of(months, small.names("climate"), Grid(36.25, 28.75, 0.25, 0.25, 6, 10))
    data = replace(small, name="all", grid=layout.grid)
    data = data.with_fields(land_use=use, land_cover=cover, leaf_area_index=leaves, climate=climate,
                            co2=dict.fromkeys(YEARS, 400.0))  # fmt: skip
    return run, path, layout, data


def cut(data, tile):
    """A region with its halo."""
    return replace(data.cut(tile.wide), name=tile.region)


def roll(data, path, cover=None, leaves=None, bands=None, weights=()):
    bands = np.zeros(data.grid.shape, bool) if bands is None else bands
    cover, leaves = cover or FakeCover(), leaves or FakeLeaves()
    return green.roll_green(cover, leaves, ERROR, data, VEGETATION, path, bands, weights)


def roll_regions(setting, results, models):
    """Rollouts of both regions, each with its own models."""
    _, _, layout, data = setting
    tiles = plan_tiles(layout.regions, layout.grid, HALO)
    for (region, tile), (cover, leaves) in zip(tiles.items(), models, strict=True):
        roll(cut(data, tile), green.rolled_path(results, region), cover, leaves, tile_bands(tile))
    return tiles


@pytest.fixture(scope="session")
def whole(setting, tmp_path_factory):
    return roll(setting[3], tmp_path_factory.mktemp("whole") / "vegetation.zarr")


@pytest.fixture(scope="session")
def rolled(setting, tmp_path_factory):
    """Folder with rollouts of two regions that have the same models."""
    results = tmp_path_factory.mktemp("results")
    roll_regions(setting, results, [(FakeCover(), FakeLeaves())] * 2)
    return results


@pytest.fixture(scope="session")
def stitched(setting, rolled):
    return {path.stem: path for path in green.stitch_green(rolled, *setting[:2], HALO, workers=1)}


@pytest.fixture
def results(rolled, tmp_path):
    """A copy of the rollouts alone."""
    for region in ("tiny_west", "tiny_east"):
        shutil.copytree(green.rolled_path(rolled, region), green.rolled_path(tmp_path, region))
    return tmp_path


def content(path):
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


# ---- rollouts


def test_the_product_is_stepped_back_from_the_reference_and_then_on_from_it():
    assert VEGETATION.product_years == YEARS
    assert green.steps_of(VEGETATION) == [(2005, 1930), (1930, 1855), (2005, 2080)]


def test_each_step_starts_from_the_map_and_the_season_of_the_step_before(setting, whole):
    data = setting[3]
    np.testing.assert_array_equal(whole["land_cover"].sel(time=2005), data.field("land_cover", 2005))
    np.testing.assert_allclose(whole["leaf_area_index"].sel(time=2005).to_numpy(),
                               data.field("leaf_area_index", 2005), atol=0.0051)  # fmt: skip
    for prior, year in green.steps_of(VEGETATION):
        before, made = (whole["leaf_area_index"].sel(time=y).to_numpy() for y in (prior, year))
        labels = whole["land_cover"].sel(time=year).to_numpy()
        expected = np.where(labels == 210, 0, 0.1 * before + labels / 100 + MONTHS / 100)
        np.testing.assert_allclose(made, expected, atol=0.0051)
    assert (whole["land_cover"].sel(time=1855) != whole["land_cover"].sel(time=2005)).any()


def test_the_chance_of_a_class_is_carried_from_step_to_step(setting, whole):
    """Forest far from crops: 0.8 + 0.2 a step, so 1; with a share c of crops around, 1 - 0.1 c, then carried on."""
    first, second = (whole["confidence"].sel(time=y).to_numpy() for y in (1930, 1855))
    data = setting[3]
    still = np.logical_and.reduce([whole["land_cover"].sel(time=y).to_numpy() == 130 for y in (2005, 1930, 1855)])
    c, d = (annual_fields(data, FakeCover.given, 2005, y, WHOLE)["land_use_cropland_8"] for y in (1930, 1855))
    assert still.sum() > 1000 and c[still].max() > 0.2
    np.testing.assert_allclose(first[still], 1 - 0.1 * c[still], atol=2e-5)
    one, two = 1 - 0.1 * c[still], 1 - 0.1 * d[still]
    np.testing.assert_allclose(second[still], one * two + (1 - one) * (1 - two), atol=4e-5)


@pytest.mark.parametrize(("cover", "leaves"), [(0, 99), (2, 99), (99, 1), (99, 2)])
def test_killed_and_resumed_a_rollout_has_the_same_bytes(setting, whole, tmp_path, cover, leaves):
    path = tmp_path / "killed.zarr"
    with pytest.raises(KeyboardInterrupt):
        roll(setting[3], path, FakeCover(dies=cover), FakeLeaves(dies=leaves))
    (path / "land_cover" / "c.1234.partial").write_bytes(b"half a chunk")
    again = FakeCover()
    roll(setting[3], path, again)
    assert again.seen == green.steps_of(VEGETATION)[min(cover, leaves) :], "whole years are kept"
    assert content(path) == content(Path(whole.encoding["source"]))


def test_a_rollout_of_other_weights_or_another_land_use_is_made_anew(setting, tmp_path):
    (tmp_path / "weights" / "deep").mkdir(parents=True)
    path, data = tmp_path / "r.zarr", setting[3]
    turned = {y: data.field("land_use", y)[::-1] for y in YEARS}
    calls = []
    for other, text in ((data, b"1"), (data, b"1"), (data, b"2"), (data.with_fields(land_use=turned), b"2")):
        (tmp_path / "weights" / "deep" / "model").write_bytes(text)
        cover = FakeCover()
        roll(other, path, cover, weights=[tmp_path / "weights"])
        calls.append(len(cover.seen))
    assert calls == [3, 0, 3, 3]


@pytest.mark.parametrize("layer", ["land_use", "climate", "co2", "land_cover"])
def test_a_year_that_lacks_is_named_before_anything_is_written(setting, tmp_path, layer):
    data = setting[3]
    year = 2005 if layer == "land_cover" else 1855
    left = [y for y in YEARS if y != year]
    short = data.with_fields(**some_years(data, layer, left))
    with pytest.raises(ValueError, match=f"no year {year}"):
        roll(short, tmp_path / "r.zarr")
    assert not (tmp_path / "r.zarr").exists()


def test_a_class_without_an_error_has_the_largest_of_the_month_and_water_none():
    table = error_table(ERROR)
    column = list(cover_groups()).index
    np.testing.assert_allclose(table[:, column(60)], 0.6 + np.arange(1, 13) / 10, rtol=1e-6)
    np.testing.assert_allclose(table[:, column(120)], 1.3 + np.arange(1, 13) / 10, rtol=1e-6)
    assert (table[:, column(210)] == 0).all() and table.shape == (12, len(cover_groups()))


# ---- what is needed


def test_leaf_area_is_given_the_season_before_over_steps_that_were_learned_only():
    assert green.leaf_variant(VEGETATION) == "cover"  # 75 years, and pairs are at most 5 years apart
    assert green.leaf_variant(VEGETATION.model_copy(update={"every": 5})) == "cover+prior"


def test_all_that_a_rollout_lacks_is_named_in_one_line(setting, tmp_path):
    run = setting[0]
    with pytest.raises(ValueError) as error:
        green.find_pieces(tmp_path, run, "tiny_west")
    assert str(error.value) == (
        f"tiny_west: {tmp_path} lacks xgboost-land_cover-tiny_west-hilda+prior (run 09-land-cover), "
        "xgboost-leaf_area_index-tiny_west-cover (run 10-leaf-area), land_use.zarr (run 07-stitch), "
        "land_use-ssp126.zarr (run 07-stitch); nothing was written."
    )
    with pytest.raises(ValueError, match=r"region 'crete' is not one of the vegetation regions \['tiny_west'"):
        green.find_pieces(tmp_path, run, "crete")
    with pytest.raises(ValueError, match="run tiny: no vegetation"):
        green.find_pieces(tmp_path, run.model_copy(update={"vegetation": None}), "tiny_west")


def test_land_use_of_a_year_is_cut_from_the_store_that_has_it(setting, tmp_path, monkeypatch):
    run, _, layout, data = setting
    maps = np.random.default_rng(0).integers(0, 8, (4, *layout.grid.shape), np.uint8)
    field = xr.DataArray(maps, {"time": YEARS}, ("time", "lat", "lon"), "land_use").to_dataset()
    stores = {"land_use": field[{"time": slice(0, 3)}], "land_use-ssp126": field[{"time": slice(3, 4)}]}
    monkeypatch.setattr(pieces, "open_product", lambda path: stores[path.stem])
    for name in ("models/xgboost-land_cover-tiny_east-hilda+prior", "models/xgboost-leaf_area_index-tiny_east-cover",
                 "land_use.zarr", "land_use-ssp126.zarr"):  # fmt: skip
        (tmp_path / name).mkdir(parents=True)
    found = green.find_pieces(tmp_path, run, "tiny_east")
    use = green.product_land_use(found, cut(data, plan_tiles(layout.regions, layout.grid, HALO)["tiny_east"]))
    np.testing.assert_array_equal(use.read(2080, WHOLE), maps[3][:, 50:])
    np.testing.assert_array_equal(use.read(1930, (slice(5, 9), slice(20, None))), maps[1][5:9, 70:])
    stores["land_use"] = field[{"time": slice(1, 3)}]
    with pytest.raises(ValueError, match="lacks land use of 1855 .let a product"):
        green.find_pieces(tmp_path, run, "tiny_east")


# ---- stores


def both(paths, kind):
    """Past and scenario of a product, one after the other."""
    return xr.concat([green.open_green(paths[f"{kind}{end}"]) for end in ("", "-ssp126")], "time",
                     data_vars="minimal", coords="minimal", compat="override", join="override")  # fmt: skip


def test_two_regions_with_one_model_make_the_maps_that_one_region_makes(whole, stitched):
    cover, leaves = both(stitched, "land_cover"), both(stitched, "leaf_area_index")
    assert cover["time"].dt.year.to_numpy().tolist() == YEARS
    np.testing.assert_array_equal(cover["land_cover"], whole["land_cover"])
    np.testing.assert_array_equal(cover["confidence"], np.rint(whole["confidence"] * 100))
    expected = whole["leaf_area_index"].to_numpy().reshape(-1, *cover["land_cover"].shape[1:])
    np.testing.assert_allclose(leaves["leaf_area_index"], expected, atol=1e-5)


def test_the_standard_error_is_that_of_the_class_and_month_and_lacks_in_the_reference_year(stitched):
    leaves, cover = both(stitched, "leaf_area_index"), both(stitched, "land_cover")
    error = leaves["leaf_area_index_standard_error"]
    assert np.isnan(error.sel(time="2005")).all() and np.isfinite(error.sel(time="1855")).all()
    labels = cover["land_cover"].sel(time="1855")[0].to_numpy()
    july = error.sel(time="1855-07")[0].to_numpy()
    for code, expected in ((10, 0.1), (60, 0.6), (130, 1.3)):
        np.testing.assert_allclose(july[labels == code], expected + 0.7, atol=1e-5)
    assert (july[labels == 210] == 0).all() and (labels == 210).any()


def test_where_regions_disagree_classes_change_at_the_edge_and_leaf_area_goes_along_a_cosine(setting, tmp_path):
    """In the east all becomes 61, in the west all becomes 60, both surely; leaf area is 1 more in the east."""
    run, path, layout, data = setting
    forest = {y: np.full(layout.grid.shape, 4, np.uint8) for y in YEARS}
    start = {y: np.full(layout.grid.shape, 130, np.uint8) for y in YEARS}
    data = data.with_fields(land_use=forest, land_cover=start)
    models = [(FakeCover(60, kept=0), FakeLeaves()), (FakeCover(61, kept=0), FakeLeaves(1.0))]
    roll_regions((run, path, layout, data), tmp_path, models)
    paths = {p.stem: p for p in green.stitch_green(tmp_path, run, path, HALO, workers=1)}
    labels = both(paths, "land_cover")["land_cover"].sel(time="1930")[0].to_numpy()
    assert (labels[:, :100] == 60).all() and (labels[:, 100:] == 61).all()
    sure = both(paths, "land_cover")["confidence"].sel(time="1930")[0].to_numpy()
    east = 0.5 - 0.5 * np.cos(np.pi * np.clip((np.arange(200) + 0.5 - 75) / 50, 0, 1))
    # All of a region that gives the class, none of the other.
    np.testing.assert_allclose(sure[50], 100 * np.where(labels[50] == 60, 1 - east, east), atol=0.51)
    leaves = both(paths, "leaf_area_index")["leaf_area_index"].sel(time="1930-01")[0].to_numpy()
    january = 0.1 * np.rint(data.field("leaf_area_index", 2005)[0] * 100) / 100
    np.testing.assert_allclose(leaves, january + 0.60 + east * 1.01, atol=0.0101)
    across, elsewhere = green.seam_contrast(leaves, plan_tiles(layout.regions, layout.grid, HALO))
    assert across < elsewhere + 1.01 * 0.04, "a cosine over 50 cells has no step above 1 / 25"


def test_the_number_of_workers_does_not_change_a_byte(setting, stitched, results):
    again = green.stitch_green(results, *setting[:2], HALO, workers=2)
    assert [p.name for p in again] == [p.name for p in stitched.values()]
    for path in again:
        assert content(path) == content(stitched[path.stem])
    names = {p.name for p in results.iterdir()} - {"tiny_west", "tiny_east"}
    assert names == {f"{p.name}{end}" for p in again for end in ("", ".about")}


@pytest.mark.parametrize("after", [3, 9])
def test_a_stitch_that_was_killed_is_gone_on_with_and_gives_the_same_bytes(
    setting, stitched, results, monkeypatch, after
):
    calls = []

    def counted(do):
        def call(*job):
            if len(calls) == after:
                raise KeyboardInterrupt
            calls.append(job)
            do(*job)

        return call

    with monkeypatch.context() as patch:
        for name in ("_fill_cover", "_fill_leaves"):
            patch.setattr(fill, name, counted(getattr(fill, name)))
        with pytest.raises(KeyboardInterrupt):
            green.stitch_green(results, *setting[:2], HALO, workers=1)
    first = len(calls)
    assert not (results / "leaf_area_index-ssp126.zarr").exists()
    after = 99
    for name in ("_fill_cover", "_fill_leaves"):
        monkeypatch.setattr(fill, name, counted(getattr(fill, name)))
    for path in green.stitch_green(results, *setting[:2], HALO, workers=1):
        assert content(path) == content(stitched[path.stem])
    assert len(calls) == 2 * 2 * len(YEARS), f"two kinds, two regions, four years; {first} before the kill"
    green.stitch_green(results, *setting[:2], HALO, workers=1)
    assert len(calls) == 2 * 2 * len(YEARS), "whole stores are kept"


def test_rollouts_that_lack_or_have_another_halo_are_named_and_nothing_is_written(setting, results):
    run, path = setting[:2]
    shutil.rmtree(green.rolled_path(results, "tiny_west"))
    zarr.open_group(green.rolled_path(results, "tiny_east"))["done"][1] = 0
    with pytest.raises(ValueError) as error:
        green.stitch_green(results, run, path, HALO)
    assert str(error.value) == (
        "stitch vegetation: rollouts lack tiny_west: not there; tiny_east: no 1930; run 14-roll-vegetation for them."
    )
    zarr.open_group(green.rolled_path(results, "tiny_east"))["done"][1] = 1
    with pytest.raises(ValueError, match="tiny_east: 100 x 150 cells, not the 100 x 125 of halo 25"):
        green.stitch_green(results, run, path, 25)
    assert not list(results.glob("l*.zarr*"))


def test_stores_pass_the_cf_checker_and_say_what_they_hold(stitched, tmp_path):
    for name in ("land_cover", "leaf_area_index", "leaf_area_index-ssp126"):
        year = 2080 if name.endswith("ssp126") else 1855
        file = product.write_netcdf(stitched[name], year, tmp_path)
        assert complaints(file) == {}
        with xr.open_dataset(file, mask_and_scale=False) as written:
            kept = xr.open_zarr(stitched[name], mask_and_scale=False).sel(time=written["time"])
            assert set(written["time"].dt.year.to_numpy()) == {year}
            assert written.sizes["time"] == (12 if name.startswith("leaf") else 1)
            np.testing.assert_array_equal(written[name.partition("-")[0]], kept[name.partition("-")[0]])
        item = json.loads(product.write_stac(stitched[name], [file]).read_text())
        assert len(item["assets"]) == 2 and item["assets"]["zarr"]["bands"][0]["name"] == name.partition("-")[0]
    leaves = xr.open_zarr(stitched["leaf_area_index"])
    assert leaves["time"].dt.strftime("%Y-%m").to_numpy().tolist() == [
        f"{y}-{m:02d}" for y in YEARS[:-1] for m in range(1, 13)
    ]
    np.testing.assert_array_equal(leaves["time_bnds"][:, 0], leaves["time"])
    np.testing.assert_array_equal(leaves["time_bnds"][:11, 1], leaves["time"][1:12])
    assert leaves["source"].to_numpy().tolist() == [1] * 24 + [0] * 12
    assert leaves["leaf_area_index"].attrs["standard_name"] == "leaf_area_index"
    cover = xr.open_zarr(stitched["land_cover"])
    assert cover["land_cover"].attrs["flag_values"] == CODES.tolist()
    assert cover.attrs["license"] == "CC-BY-SA-4.0" and cover.attrs["scenario"] == "none"
    assert "10.24381/cds.006f2c9a" in cover.attrs["references"] and cover["source"].to_numpy().tolist() == [1, 1, 0]


def test_a_store_that_is_not_there_and_one_of_a_newer_format_are_refused(stitched, tmp_path):
    with pytest.raises(FileNotFoundError, match="run 15-stitch-vegetation"):
        green.open_green(tmp_path / "land_cover.zarr")
    shutil.copytree(stitched["land_cover"], tmp_path / "land_cover.zarr")
    zarr.open_group(tmp_path / "land_cover.zarr").update_attributes({"format_version": 99})
    with pytest.raises(ValueError, match="format_version 99"):
        green.open_green(tmp_path / "land_cover.zarr")


# ---- tables


def test_areas_and_mean_seasons_by_hand():
    grid = Grid(60.0, 0.0, 0.25, 0.25, 2, 2)
    time = {"time": np.array(["1855-01-01", "2005-01-01"], "datetime64[ns]")}
    maps = xr.DataArray(np.array([[[60, 61], [10, 0]], [[60, 60], [60, 0]]], np.uint8), time | grid.coords(),
                        ("time", "lat", "lon"))  # fmt: skip
    north, south = grid.cell_area() * 1e-6
    table = green.cover_areas(maps).set_index(["year", "code"])["km2"]
    expected = {(1855, 10): south, (1855, 60): 2 * north, (2005, 10): 0, (2005, 60): 2 * north + south}
    assert table.to_dict() == pytest.approx(expected)
    leaves = xr.where(maps > 0, maps / 10, np.nan).astype(np.float32).assign_coords(maps.coords)
    means = green.mean_seasons(leaves, maps[0].to_numpy() != 10)
    assert means[["year", "month"]].to_numpy().tolist() == [[1855, 1], [2005, 1]]
    assert means["leaf_area_index"].tolist() == pytest.approx([6.05, 6.0])


def test_unlike_neighbours_are_counted_across_the_edge_and_elsewhere(setting):
    layout = setting[2]
    tiles = plan_tiles(layout.regions, layout.grid, HALO)
    field = np.full(layout.grid.shape, 60, np.float32)
    field[:, 100:], field[:25, 99] = 10, np.nan
    assert green.seam_contrast(field, tiles, unlike=True) == (1, 0)
    assert green.seam_contrast(field, tiles) == (50, 0)


def test_a_rollout_is_summed_up_year_by_year(whole):
    table = green.annual_summary(whole, VEGETATION)
    assert table.index.tolist() == [1855, 1930, 2080] and table["prior"].tolist() == [1930, 2005, 2005]
    land = whole["land_cover"].sel(time=2005) != 210
    maps = [whole["land_cover"].sel(time=y).where(land) for y in (1930, 1855)]
    changed = ((maps[0] != maps[1]) & land).sum() / land.sum()
    assert table["changed"][1855] == pytest.approx(float(changed)) and table["changed"][1855] > 0
    july = whole["leaf_area_index"].sel(time=1855)[6].where(land).mean()
    assert table["july"][1855] == pytest.approx(float(july), rel=1e-5)
    assert (table[["drained", "leafy_water", "least"]] == 0).all(axis=None) and table["chance"][1855] < 1
