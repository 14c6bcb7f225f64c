"""The whole path, as a user runs it: make, and again; after kills in test_cluster.py."""

import time

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from pipeline import finish, make, results

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pipeline")]
FIGURES = (
    "areas", "change", "lead", "maps", "masked", "product", "resolution", "scores", "scores-masked", "stack",
    "timeline", "training", "twin",
)  # fmt: skip


def test_make_all_makes_scores_beside_persistence_and_labelled_figures(whole):
    out = whole / "data" / "results" / "tiny"
    scores = pd.read_csv(out / "scores.csv", keep_default_na=False)
    assert {"persistence", "coarse_majority", "kernel_density", "xgboost", "unet"} <= set(scores["model"])
    assert set(scores["region"]) == {"tiny_west", "tiny_east", "all", "mean"}
    names = {p.name for p in (out / "figures").iterdir()}
    assert {
        f"{n}.{s}"
        for n in ("maps", "change", "scores", "lead", "resolution", "areas", "training")
        for s in ("png", "pdf")
    } <= names
    assert set(scores["target"]) == {"land_use", "land_cover", "leaf_area_index"}
    executed = [out / "01-download.ipynb", out / "tiny_east" / "04-train-trees.ipynb", out / "08-figures.ipynb"]
    executed += [out / "11-joint-model.ipynb", out / "15-stitch-vegetation.ipynb", out / "12-export.ipynb"]
    assert all(p.exists() for p in executed) and not list(out.rglob("*.running.ipynb"))


def test_the_product_is_whole_and_says_what_it_is(whole):
    path = whole / "data" / "results" / "tiny" / "land_use.zarr"
    maps = xr.open_zarr(path, consolidated=False, mask_and_scale=False)
    assert list(maps["time"].dt.year.to_numpy()) == list(range(1924, 2005))
    assert list(maps["source"].to_numpy()) == [1] * 61 + [0] * 20
    assert maps.attrs["Conventions"] == "CF-1.11" and maps.attrs["synthetic"] == 1 and maps.attrs["license"]
    assert maps["land_use"].shape == (81, 100, 200) and not (maps["land_use"] == 255).any()
    later = xr.open_zarr(path.with_name("land_use-ssp126.zarr"))
    assert list(later["time"].dt.year.to_numpy()) == list(range(2005, 2075)) and (later["source"] == 1).all()
    coarse = xr.open_zarr(path, group="coarse", consolidated=False)
    np.testing.assert_allclose(coarse["land_use_fraction"].sum("land_use_class"), 1, atol=1e-5)
    # What left a class and what came to it is the change of its area.
    moved = coarse["gross_transition"].isel(time=3).transpose("from_class", "to_class", ...).to_numpy()
    change = coarse["land_use_fraction"].diff("time").isel(time=2).to_numpy()
    np.testing.assert_allclose(moved.sum(0) - moved.sum(1), change, atol=1e-5)


def test_make_again_runs_nothing_in_under_five_seconds(whole):
    before = results(whole)
    start = time.monotonic()
    output = finish(make(whole, "all", "RUN=tiny"))
    assert time.monotonic() - start < 5
    assert "started" not in output and results(whole) == before


def test_an_unknown_run_and_missing_data_are_refused_in_one_line(whole):
    process = make(whole, "all", "RUN=atlantis")
    output, _ = process.communicate(timeout=60)
    assert process.returncode and "no data/runs/atlantis/run.yml; runs are: catalonia" in output
    process = make(whole, "all", "RUN=crete", "RAW=/nowhere")
    output, _ = process.communicate(timeout=120)
    assert process.returncode and "Source: https://" in output
    assert "etopo_20min (" in output and "koppen_rubel_2017 (" in output, (
        "what must be put there by hand, before any download"
    )
    assert "Traceback" not in output
