"""On real maps; skipped where they are absent."""

import numpy as np
import pandas as pd
import pytest

from ai4land import cube, predict
from ai4land.evaluate import beside_claims, check_reproduced, pool_counts, score_counts
from ai4land.grid import grid_of
from ai4land.legend import DATA, read_crosswalk, recode
from ai4land.models.baselines import Persistence
from ai4land.runs import read_run
from ai4land.samples import Region
from ai4land.sources import find_inputs, inventory, open_input
from ai4land.sources.registry import check_hash, find_files


@pytest.fixture(scope="module")
def uk(real):
    run = read_run("uk")
    layout = cube.plan_layout(run, open_input(find_inputs(run, real)["land_use"]))
    grid = layout.region_grid("uk_north")
    maps = cube.regrid_land_use(open_input(find_inputs(run, real)["land_use"]), grid)
    coarse = cube.coarse_fractions(maps)
    fields = {"land_use": maps, "land_use_fraction": coarse["land_use_fraction"], "data_area": coarse["data_area"]}
    by_year = {name: dict(zip((2009, 2012), field.to_numpy(), strict=True)) for name, field in fields.items()}
    return run, Region("uk_north", grid).with_fields(**by_year)


def test_published_scores_of_persistence_and_landscaler_are_met_to_the_last_digit(uk, real):
    run, data = uk
    name = "perfect_coarse_0.5_degree"
    experiment = run.experiments[name]
    made = [predict.predict_experiment(Persistence, data, name, experiment, run.seed)]
    made += list(predict.read_peers(data, run, real)[name].values())
    counts = predict.count_predictions(data, name, experiment, made, run.seed)
    scores = score_counts(pool_counts(counts, {}))
    pooled = scores[(scores["fold"] == "all") & (scores["region"] == "all") & (scores["weight"] == "cells")]
    assert set(pooled["cells"]) == {197362}
    claims = pd.read_csv(DATA / "claims.csv", keep_default_na=False)
    claims = claims[(claims["run"] == "uk") & (claims["kind"] == "reproduced")]
    table = beside_claims(scores, claims)
    assert len(table) == 12 and table["ours"].notna().all()
    check_reproduced(table)


def test_uk_cells_are_the_files_own_and_not_0_01_degree(uk):
    _, data = uk
    assert data.grid.dlon == pytest.approx(0.009988624, abs=1e-9)
    assert data.grid.dlat == pytest.approx(0.009988347, abs=1e-9)
    assert data.grid.shape == (785, 1037)


def test_crete_has_60_whole_maps_whose_ocean_never_changes(real):
    files = find_files("hilda_plus_v1", real / "hilda_plus_v1", list(range(1960, 2020)))
    cover = open_input(files)
    assert cover.shape == (60, 90, 288) and grid_of(cover).dlat == pytest.approx(0.01)
    classes = recode(cover.to_numpy(), read_crosswalk("hilda_plus_v1.0", "land_use"))
    assert (classes[0] != 0).sum() == 8289
    for code in (0, 7):
        assert ((classes == code) == (classes[0] == code)).all()
    land = (classes[0] > 0) & (classes[0] < 7)
    changed = [(classes[2000 - 1960] != classes[y - 1960])[land].mean() for y in (2001, 2005, 2015)]
    np.testing.assert_allclose(changed, [0.002, 0.022, 0.127], atol=0.001)


def test_luh2_static_is_the_publishers_file(real):
    file = find_files("luh2_static", real)[0]
    check_hash(file, "md5:110211fdfd0f85044d203e9c71114165")
    static = open_input([file])
    area = float(static["cell_area"].sum())
    assert area == pytest.approx(5.1e8, rel=0.01)  # km2, the Earth's surface
    # Lake Victoria and the Sahara, by coordinate.
    assert float(static["ice_water_fraction"].sel(lat=-1.1, lon=33.1, method="nearest")) > 0.9
    assert float(static["potential_forest"].sel(lat=23.1, lon=10.1, method="nearest")) == 0


def test_every_input_of_the_real_runs_is_found_and_whole(real):
    for name in ("uk", "crete"):
        files = inventory(read_run(name), real)
        assert files["sha256"].str.len().eq(64).all() and (files["licence"] != "").all()
