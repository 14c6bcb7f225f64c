"""A product is filled whole or not at all, and its bytes do not depend on who fills it, or in how many attempts."""

import shutil

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr

from ai4land import cube, product, stitch
from ai4land.experiments import Experiment
from ai4land.grid import GLOBAL
from ai4land.legend import class_codes, read_legend
from ai4land.product import fill
from ai4land.runs import read_run
from ai4land.sources.luh2 import STATES

FILES = pd.DataFrame(
    [{"role": "land_use", "dataset": "d", "file": "f", "bytes": 1, "sha256": "0", "licence": "l", "doi": ""}]
)
LAND = class_codes(read_legend("land_use"), land_only=True)
HALO, SCENARIO = 25, "ssp126"


def settings():
    """The tiny run with two members back to 1983 and two years on from 1987."""
    run = read_run("tiny")
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
    grid = layout.grid.blocks(25)
    rng = np.random.default_rng(len(years))
    names = np.array([*STATES, "secma", "secmb"], object)
    share = rng.dirichlet(np.ones(len(STATES)), (len(years), *grid.shape)).transpose(0, 3, 1, 2)
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
    root = zarr.open_group(path, mode="w", zarr_format=3)
    bands = stitch.tile_bands(tile) & (member == 0)
    fields = {
        "land_use": (("time", "lat", "lon"), labels),
        "confidence": (("time", "lat", "lon"), rng.integers(150, 256, labels.shape).astype(np.uint8)),
        "probability": (("time", "cover_class", "lat", "lon"), np.where(bands, np.rint(p * 255), 0).astype(np.uint8)),
        "done": (("time",), np.ones(len(years), np.uint8)),
        "time": (("time",), np.array(years, np.int16)),
        "lat": (("lat",), grid.lat),
        "lon": (("lon",), grid.lon),
    }
    for name, (dims, values) in fields.items():
        root.create_array(name, data=values, dimension_names=dims)
    root.update_attributes({"about": about})


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
    assert [p.name for p in results.glob("land_use*")] == ["land_use.zarr"]


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
        one = zarr.open_group(folder / member)
        chance = one["confidence"][1][:, :75] / 255
        chances.append(np.where(one["land_use"][1][:, :75] == labels, chance, (1 - chance) / 5))
    got = product.open_product(store)["confidence"].sel(time=1983).to_numpy()[:, :75]
    assert np.abs(got - 100 * np.mean(chances, axis=0)).max() <= 0.501


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
    assert np.isnan(coarse["gross_transition"].sel(time=1983)).all(), "no map of 1982"
    assert (coarse["land_use_fraction_spread"].sel(time=1986) == 0).all()
    assert np.isnan(coarse["area_residual"].sel(time=1986)).all()


def test_a_scenario_goes_on_from_the_last_reference_map(made):
    path = made[1]
    coarse = product.open_product(filled(made, name=f"land_use-{SCENARIO}"), "coarse")
    first = coarse["gross_transition"].sel(time=1988)
    old = cube.open_cube(path, "coarse")["land_use_fraction"].sel(time=1987)
    np.testing.assert_allclose(first.sum("to_class"), old, atol=1e-5)
    assert np.isfinite(coarse["luh2_difference"]).all()
