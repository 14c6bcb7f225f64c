"""A product is filled whole or not at all, and its bytes do not depend on who fills it, or in how many attempts."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from tiny_run import tiny_land_use

from ai4land import cube, product, stitch
from ai4land.allocate.wanted import Wanted
from ai4land.cube import layout as layout_room
from ai4land.experiments import Experiment
from ai4land.grid import GLOBAL
from ai4land.legend import class_codes, read_legend
from ai4land.product import fill
from ai4land.product.exports import is_current
from ai4land.rollout import open_rollout
from ai4land.sources.luh2 import STATES
from ai4land.store import resume, write
from ai4land.templates import Template, rollout_group

FILES = pd.DataFrame(
    [{"role": "land_use", "dataset": "d", "file": "f", "bytes": 1, "sha256": "0", "licence": "l", "doi": ""}]
)
LAND = class_codes(read_legend("land_use"), land_only=True)
HALO, SCENARIO = 25, "ssp126"


def settings():
    """The tiny run with two members back to 1983 and two years on from 1987."""
    run = tiny_land_use()
    step = {"trained_as": "forecast", "coarse": "luh2", "stepwise": True, "product": True}
    experiments = {
        "forecast": run.experiments["forecast"],
        "to_1983": Experiment(start=1985, priors=1, test=(1983, 1984), members=2, **step),
        "to_1989": Experiment(start=1987, priors=1, test=(1988, 1989), scenario=SCENARIO, **step),
    }
    return run.model_copy(update={"experiments": experiments, "years": (1985, 1987)})


def maps(layout, years, seed):
    """Land use of every year: patches with a strip of ocean, a few cells changing each year."""
    rng = np.random.default_rng(seed)
    rows, cols = layout.grid.shape
    one = np.kron(rng.integers(1, 7, (rows // 5, cols // 5)), np.ones((5, 5), int)).astype(np.uint8)
    one[:10] = 0
    out = []
    for _ in years:
        some = (one > 0) & (np.random.default_rng(len(out) + 7).random(one.shape) < 0.02)
        one = np.where(some, 1 + one % 6, one).astype(np.uint8)
        out.append(one)
    return np.stack(out)


def write_luh2(path, layout, group, years):
    """LUH2 that turns 0.04 of every coarse cell from primary forest to annual crops in 1985, and stands still else."""
    grid = layout.grid.blocks(25)
    names = np.array([*STATES, "secma", "secmb"], object)
    share = 0.05 + (1 - 0.05 * len(STATES)) * np.random.default_rng(0).dirichlet(np.ones(len(STATES)), grid.shape)
    share = np.stack([share.transpose(2, 0, 1)] * len(years))
    early = np.array(years) < 1985
    share[early, STATES.index("primf")] += 0.04
    share[early, STATES.index("c3ann")] -= 0.04
    states = np.concatenate([share, np.ones((len(years), 2, *grid.shape))], 1).astype(np.float32)
    data = xr.DataArray(states, {"time": years, "state": names, **grid.coords()}, ("time", "state", "lat", "lon"))
    data.to_dataset(name="luh2_state").to_zarr(path, group=group, mode="w", zarr_format=3, consolidated=False)


def write_rollout(path, tile, layout, labels, years, about, member):
    """A rollout as `ai4land.rollout.roll` keeps it."""
    rows, cols = tile.wide
    grid = layout.grid.cut(rows, cols)
    labels = labels[:, rows, cols]
    rng = np.random.default_rng(len(about))
    p = rng.dirichlet(np.ones(8), labels.shape).transpose(0, 3, 1, 2)
    bands = stitch.tile_bands(tile) & (member == 0)
    template = Template({"": rollout_group(["land_use"], years, grid)}, {"format_version": 1})
    resume(path, about, template)
    chance = rng.integers(150, 256, labels.shape).astype(np.float32) / 255
    write(path, {"land_use": labels, "confidence": chance, "probability": np.where(bands, p, 0).astype(np.float32)})
    write(path, {"done": np.ones(len(years), np.uint8)})


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A cube of three years, and rollouts of two regions that differ a little from each other."""
    folder, run = tmp_path_factory.mktemp("fill"), settings()
    window = xr.Dataset(coords=GLOBAL.cut(slice(5300, 5600), slice(20800, 21300)).coords())
    layout = cube.plan_layout(run, window)
    path = folder / "cube.zarr"
    cube.create_cube(path, run, layout, FILES, False)
    observed = maps(layout, run.map_years, 0)
    fine = xr.DataArray(
        observed,
        {"time": np.array(run.map_years, np.int16), **layout.grid.coords()},
        ("time", "lat", "lon"),
        "land_use",
    )
    whole = slice(0, layout.grid.rows), slice(0, layout.grid.cols)
    cube.write_region(path, "fine", fine.to_dataset(), whole)
    cube.write_region(path, "coarse", cube.coarse_fractions(fine), tuple(slice(0, w.stop // 25) for w in whole))
    write_luh2(path, layout, "luh2", range(1980, 1988))
    write_luh2(path, layout, f"luh2-{SCENARIO}", range(1988, 1995))
    for region, tile in stitch.plan_tiles(layout.regions, layout.grid, HALO).items():
        for name, members, years, start in (("to_1983", 2, (1984, 1983), 0), ("to_1989", 1, (1988, 1989), 2)):
            for member in range(members):
                rolled = np.stack([observed[start]] * 2)
                moved = np.random.default_rng([len(region), member]).random(rolled.shape) < 0.03
                rolled = np.where(moved & (rolled > 0), 1 + rolled % 6, rolled).astype(np.uint8)
                target = folder / "results" / region / "rollout.zarr" / name / str(member)
                write_rollout(target, tile, layout, rolled, years, f"{region} {name} {member}", member)
    return run, path, folder / "results", layout


def filled(made, results=None, name="land_use", workers=1):
    run, path, folder, _ = made
    results = results or folder
    store = results / f"{name}.zarr"
    product.fill_product(store, run, path, results, product.product_stores(run)[name], HALO, workers)
    return store


def tree_bytes(path):
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


@pytest.fixture(scope="session")
def store(made):
    return filled(made)


@pytest.fixture
def results(made, tmp_path):
    """A copy of the rollouts."""
    shutil.copytree(made[2], tmp_path / "results", ignore=shutil.ignore_patterns("land_use.zarr*", "land_use-*"))
    return tmp_path / "results"


def test_one_process_or_four_write_the_same_bytes_and_leave_nothing_beside_the_store(made, store, results):
    # The path is part of what is gone on with, not of what is written.
    again = filled(made, results, workers=4)
    assert tree_bytes(again) == tree_bytes(store)
    assert sorted(p.name for p in results.glob("land_use*")) == ["land_use.zarr", "land_use.zarr.about"]


def test_a_whole_store_is_kept_until_what_it_is_made_from_changes(made, store, results, monkeypatch):
    kept = filled(made, results)
    files = {p: p.stat().st_mtime_ns for p in kept.rglob("*") if p.is_file()}
    done = []
    for name in ("_fill_maps", "_fill_coarse"):
        monkeypatch.setattr(fill, name, _noting(getattr(fill, name), done))
    filled(made, results)
    assert not done and files == {p: p.stat().st_mtime_ns for p in kept.rglob("*") if p.is_file()}
    zarr.open_group(results / "tiny_east" / "rollout.zarr" / "to_1983" / "1").update_attributes({"about": "other"})
    filled(made, results)
    assert len(done) == 20 and tree_bytes(kept) == tree_bytes(store)


def test_an_older_store_keeps_its_name_until_the_new_one_is_whole_and_exports_are_older_than_it(
    made, results, monkeypatch
):
    kept = filled(made, results)
    (results / "land_use.zarr.about").write_text("something else")
    netcdf = product.write_netcdf(kept, 1985, results / "exports")
    rename, seen = Path.rename, []

    def watched(path, target):
        names = {"land_use.zarr", "land_use.zarr.old", "land_use.zarr.partial"}
        seen.append((path.name, sorted(n for n in names if (results / n / "coarse").exists())))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", watched)
    filled(made, results)
    assert seen == [
        ("land_use.zarr", ["land_use.zarr", "land_use.zarr.partial"]),
        ("land_use.zarr.partial", ["land_use.zarr.old", "land_use.zarr.partial"]),
    ]
    assert not (results / "land_use.zarr.old").exists() and not is_current(netcdf, kept)
    assert is_current(product.write_netcdf(kept, 1985, results / "exports"), kept)


def test_an_export_of_the_old_store_made_while_the_new_one_is_filled_is_not_current(made, results, monkeypatch):
    kept = filled(made, results)
    (results / "land_use.zarr.about").write_text("something else")
    exports, do = [], fill._fill_coarse

    def exporting(*job):
        exports.append(product.write_netcdf(kept, 1985, results / "exports"))
        do(*job)

    exporting.__name__ = do.__name__
    monkeypatch.setattr(fill, "_fill_coarse", exporting)
    filled(made, results)
    assert exports and not is_current(exports[-1], kept)


def test_with_shards_every_array_has_the_same_values(made, store, results, monkeypatch):
    monkeypatch.setattr(layout_room, "SHARD_CELLS", 50)
    monkeypatch.setattr(layout_room, "CHUNK_CELLS", 25)
    sharded = filled(made, results)
    assert zarr.open_array(sharded / "land_use").shards == (1, 50, 50)
    assert zarr.open_array(sharded / "coarse" / "gross_transition").shards == (1, 8, 8, 2, 2)
    for group in (None, "coarse"):
        xr.testing.assert_identical(product.open_product(sharded, group), product.open_product(store, group))


@pytest.mark.parametrize("after", [0, 3, 11])
def test_a_call_that_was_killed_is_gone_on_with_and_gives_the_same_bytes(made, store, results, monkeypatch, after):
    calls = []

    def counted(do):
        def call(*job):
            if len(calls) == after:
                raise KeyboardInterrupt
            calls.append(job)
            do(*job)

        call.__name__ = do.__name__
        return call

    with monkeypatch.context() as patch:
        patch.setattr(fill, "_fill_maps", counted(fill._fill_maps))
        patch.setattr(fill, "_fill_coarse", counted(fill._fill_coarse))
        with pytest.raises(KeyboardInterrupt):
            filled(made, results)
    assert not (results / "land_use.zarr").exists(), "a product is whole or not there"
    partial = results / "land_use.zarr.partial"
    (partial / "land_use" / "c.1234.partial").write_bytes(b"half")  # of a chunk whose writer was killed
    with (results / "land_use.zarr.done").open("a") as log:
        log.write("_fill_maps 19")  # a line that was not finished
    done = []
    for name in ("_fill_maps", "_fill_coarse"):
        whole = getattr(fill, name)
        monkeypatch.setattr(fill, name, _noting(whole, done))
    again = filled(made, results)
    assert tree_bytes(again) == tree_bytes(store)
    assert len(done) == 2 * 2 * 5 - after, "two passes over two regions and five years, less what was done"


def _noting(do, done):
    def call(*job):
        done.append(job)
        do(*job)

    call.__name__ = do.__name__
    return call


def test_a_missing_rollout_and_one_that_ends_early_are_named_and_nothing_is_written(made, results):
    shutil.rmtree(results / "tiny_west" / "rollout.zarr" / "to_1983" / "1")
    zarr.open_group(results / "tiny_east" / "rollout.zarr" / "to_1983" / "0")["done"][1] = 0
    with pytest.raises(ValueError) as error:
        filled(made, results)
    assert str(error.value) == (
        "stitch: rollouts lack tiny_west: to_1983 (member 1) is not there; tiny_east: to_1983 (member 0) ends at 1984 "
        "of 1983; run 06-reconstruct for them."
    )
    assert not list(results.glob("land_use*"))
    filled(made, results, f"land_use-{SCENARIO}")  # needs neither


def test_rollouts_with_another_halo_are_refused(made, results):
    run, path, _, _ = made
    years = product.product_stores(run)["land_use"]
    with pytest.raises(ValueError, match="tiny_west: to_1983 .* has 100 x 125 cells, not the 100 x 150 of halo 50"):
        product.fill_product(results / "land_use.zarr", run, path, results, years, 50)


def test_reference_years_are_copied_and_emulated_ones_are_their_regions_own_away_from_the_edge(made, store):
    run, path, results, _ = made
    data = product.open_product(store)
    assert data["time"].to_numpy().tolist() == [1983, 1984, 1985, 1986, 1987]
    reference = cube.open_cube(path, "fine")["land_use"]
    for year in run.map_years:
        np.testing.assert_array_equal(data["land_use"].sel(time=year), reference.sel(time=year))
        assert (data["confidence"].sel(time=year) == 100).all()
    east = xr.open_zarr(results / "tiny_east" / "rollout.zarr" / "to_1983" / "0", consolidated=False)
    away = data["land_use"].sel(time=1984).to_numpy()[:, 125:]
    np.testing.assert_array_equal(away, east["land_use"].sel(time=1984).to_numpy()[:, 50:])


def test_confidence_is_the_members_mean_chance_of_the_product_s_class(made, store):
    _, _, results, _ = made
    folder = results / "tiny_west" / "rollout.zarr" / "to_1983"
    chances = []
    labels = product.open_product(store)["land_use"].sel(time=1983).to_numpy()[:, :75]
    for member in "01":
        one = open_rollout(folder / member).sel(time=1983)[["land_use", "confidence"]].isel(lon=slice(0, 75)).load()
        chances.append(np.where(one["land_use"] == labels, one["confidence"], (1 - one["confidence"]) / 5))
    got = product.open_product(store)["confidence"].sel(time=1983).to_numpy()[:, :75]
    assert np.abs(got - 100 * np.mean(chances, axis=0)).max() <= 0.501


def test_confidence_has_no_line_at_an_edge_where_two_regions_members_differ(made, results):
    """The second member is sure in the west and knows nothing in the east, the first is sure everywhere."""
    for region in ("tiny_west", "tiny_east"):
        for member in "01":
            one = results / region / "rollout.zarr" / "to_1983" / member
            sure = np.full(
                zarr.open_array(one / "confidence").shape, (region, member) != ("tiny_east", "1"), np.float32
            )
            write(one, {"land_use": np.full(sure.shape, 4, np.uint8), "confidence": sure})
    got = product.open_product(filled(made, results))["confidence"].sel(time=1984).to_numpy().astype(float)
    # The second member gives 1 in the west and 0 in the east, and between columns 75 and 125 a cosine from 1 to 0.
    across = np.clip((np.arange(200) + 0.5 - 75) / 50, 0, 1)
    np.testing.assert_array_equal(got, np.broadcast_to(np.rint(50 + 25 * (1 + np.cos(np.pi * across))), got.shape))
    assert np.abs(np.diff(got)).max() <= 2


def test_coarse_fields_by_hand_for_one_coarse_cell(made, store):
    _, _, results, layout = made
    fine, coarse = product.open_product(store), product.open_product(store, "coarse")
    cell, at = (slice(25, 50), slice(150, 175)), (1, 6)
    area = np.broadcast_to(layout.grid.cut(*cell).cell_area()[:, None], (25, 25))
    now, before = (fine["land_use"].sel(time=y).to_numpy()[cell] for y in (1984, 1983))
    field = {name: coarse[name].sel(time=1984)[..., *at].to_numpy() for name in coarse if "time" in coarse[name].dims
             and name != "time_bnds"}  # fmt: skip
    share = np.array([area[now == c].sum() for c in range(8)]) / area.sum()
    np.testing.assert_allclose(field["land_use_fraction"], share, rtol=1e-5)
    moved = np.array([[area[(before == a) & (now == b)].sum() for b in range(8)] for a in range(8)]) / area.sum()
    np.testing.assert_allclose(field["gross_transition"], moved, rtol=1e-5, atol=1e-9)
    members = []
    for member in "01":
        one = zarr.open_group(results / "tiny_east" / "rollout.zarr" / "to_1983" / member)
        labels = one["land_use"][0][25:50, 75:100]  # its window begins 75 cells east of the run's edge
        members.append([area[labels == c].sum() / area.sum() for c in range(8)])
    np.testing.assert_allclose(field["land_use_fraction_spread"], np.std(members, axis=0), rtol=1e-4, atol=1e-7)
    # LUH2's own: crops and pasture are several of its states each, all others but natural land are one.
    states = dict(zip(STATES, xr.open_zarr(made[1], group="luh2", consolidated=False)["luh2_state"].sel(time=1984)
                      .to_numpy()[:, *at], strict=False))  # fmt: skip
    luh2 = {1: ["urban"], 2: ["c3ann", "c3nfx", "c3per", "c4ann", "c4per"], 3: ["pastr", "range"],
            4: ["primf", "secdf"], 5: ["primn", "secdn"]}  # fmt: skip
    theirs = [sum(states[s] for s in luh2.get(code, [])) for code in range(8)]
    np.testing.assert_allclose(field["luh2_difference"], share - theirs, atol=1e-5)
    later = coarse.sel(time=1985)[["land_use_fraction", "luh2_difference"]].isel(lat=at[0], lon=at[1], land_use_class=2)
    np.testing.assert_allclose(later["luh2_difference"], later["land_use_fraction"] - (theirs[2] + 0.04), atol=1e-5)
    # All of the cell is land. Wanted are the cells of 1985's map, less 0.04 x 625 crops, which LUH2 gained from forest
    # in 1985: as it is a fall, it is by LUH2's ratio. Natural classes stand under the first, forest.
    start = cube.open_cube(made[1], "fine")["land_use"].sel(time=1985).to_numpy()[cell]
    base = np.bincount(start.ravel(), minlength=8)
    crops = sum(states[s] for s in luh2[2])
    wanted = {1: base[1], 2: base[2] * crops / (crops + 0.04), 3: base[3]}
    wanted[4] = 625 - sum(wanted.values())
    have = np.bincount(now.ravel(), minlength=8)
    have[4] += have[5] + have[6]
    got = field["area_residual"]
    assert np.isnan(got[[0, 5, 6, 7]]).all() and abs(wanted[2] - base[2]) > 2
    for code, cells in wanted.items():
        assert abs(got[code] - (have[code] - cells) / 625) < 1 / 625, "whole cells are wanted"
    assert np.isnan(coarse["gross_transition"].sel(time=1983)).all(), "no map of 1982"
    assert (coarse["land_use_fraction_spread"].sel(time=1986) == 0).all()
    assert np.isnan(coarse["area_residual"].sel(time=1986)).all()


def test_residuals_by_hand_where_a_block_has_ocean_and_classes_share_a_pool():
    labels = np.full((25, 50), 2, np.uint8)
    labels[:5, :25], labels[5:10, :25] = 4, 5  # 125 forest, 125 grass, 375 crops
    labels[:, 25:] = 0
    labels[:2, 25:] = 1  # 50 urban cells are all the land
    wanted = Wanted(25, np.array([[0, 40], [400, 10], [225, 0]]), np.array([-1, 0, 1, -1, 2, 2, -1, -1]), np.zeros(2))
    got = product.area_residual(labels, wanted)
    assert got.shape == (8, 1, 2) and np.isnan(got[[0, 3, 5, 6, 7]]).all()
    np.testing.assert_allclose(got[[1, 2, 4], 0], [[0, 0.2], [-0.04, -0.2], [0.04, 0]], atol=1e-7)


def test_fractions_are_of_all_cells_with_data_and_transitions_of_those_with_both():
    labels, before = np.full((25, 25), 4, np.uint8), np.full((25, 25), 2, np.uint8)
    labels[:, :5], labels[:, 20:], before[:, :10] = 3, 255, 255
    fraction, moved = product.coarse_shares(labels, before, GLOBAL.cut(slice(0, 25), slice(0, 25)))
    np.testing.assert_allclose(fraction[:, 0, 0], [0, 0, 0, 0.25, 0.75, 0, 0, 0], rtol=1e-6)
    assert moved[2, 4, 0, 0] == 1 and moved.sum() == 1


def test_a_scenario_goes_on_from_the_last_reference_map(made):
    path = made[1]
    coarse = product.open_product(filled(made, name=f"land_use-{SCENARIO}"), "coarse")
    first = coarse["gross_transition"].sel(time=1988)
    old = cube.open_cube(path, "coarse")["land_use_fraction"].sel(time=1987)
    np.testing.assert_allclose(first.sum("to_class"), old, atol=1e-5)
    assert np.isfinite(coarse["luh2_difference"]).all()
