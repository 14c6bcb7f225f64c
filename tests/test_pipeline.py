"""The whole path, as a user runs it: make, again, and after kills."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pipeline")]
FIGURES = (
    "areas", "change", "lead", "maps", "masked", "product", "resolution", "scores", "scores-masked", "stack",
    "timeline", "training", "twin",
)  # fmt: skip
KEPT = ("*.csv", "*.zarr/**/*", "models/**/*")  # what must come out equal; notebooks and logs carry times


def clone(folder: Path) -> Path:
    """Copy of the tracked files, as a clean clone has them."""
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    for name in names.stdout.splitlines():
        if (ROOT / name).is_file() and not name.startswith("figures/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def make(folder: Path, *arguments: str) -> subprocess.Popen:
    """Start make in a session of its own, in the environment that runs these tests, which it must not change."""
    ready = folder / ".ready"
    ready.touch()
    environment = {k: v for k, v in os.environ.items() if k not in ("RAW", "MAKEFLAGS", "MAKELEVEL")}
    environment |= {"CONDA_PREFIX": sys.prefix, "CONDA_DEFAULT_ENV": "ai4land", "PYTHONPATH": str(folder)}
    return subprocess.Popen(
        ["make", f"READY={ready}", *arguments], cwd=folder, env=environment, start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def finish(process: subprocess.Popen) -> str:
    output, _ = process.communicate(timeout=400)
    assert process.returncode == 0, output
    return output


def kill_everything(process: subprocess.Popen) -> None:
    """kill -9 of make, the step and its kernel, which is in a session of its own."""
    children = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True).stdout.splitlines()[1:]
    pairs = [tuple(map(int, line.split())) for line in children]
    doomed = {process.pid}
    while more := {pid for pid, parent in pairs if parent in doomed} - doomed:
        doomed |= more
    for pid in doomed:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.communicate()


def results(folder: Path) -> dict[str, bytes]:
    kept = {}
    for base in (folder / "data" / "results" / "tiny", folder / "data" / "processed" / "tiny"):
        for pattern in KEPT:
            # What a step cost is a time, not a result.
            files = (p for p in base.rglob(pattern) if p.is_file() and "costs" not in p.name)
            kept |= {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}
    return kept


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = clone(tmp_path_factory.mktemp("whole"))
    finish(make(folder, "all", "RUN=tiny"))
    return folder


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
    executed = [out / "01-download.ipynb", out / "tiny_east" / "04-train-trees.ipynb", out / "08-figures.ipynb"]
    assert all(p.exists() for p in executed) and not list(out.rglob("*.running.ipynb"))


def test_the_product_is_whole_and_says_what_it_is(whole):
    path = whole / "data" / "results" / "tiny" / "land_use.zarr"
    maps = xr.open_zarr(path, consolidated=False, mask_and_scale=False)
    assert list(maps["time"].dt.year.to_numpy()) == list(range(1995, 2001))
    assert list(maps["source"].to_numpy()) == [0, 1, 1, 1, 1, 1]
    assert maps.attrs["Conventions"] == "CF-1.11" and maps.attrs["synthetic"] == 1 and maps.attrs["licence"]
    assert maps["land_use"].shape == (6, 100, 200) and not (maps["land_use"] == 255).any()
    coarse = xr.open_zarr(path, group="coarse", consolidated=False)
    np.testing.assert_allclose(coarse["land_use_fraction"].sum("cover_class"), 1, atol=1e-5)
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


def test_killed_at_random_moments_it_ends_with_the_same_bytes(whole, tmp_path):
    folder = clone(tmp_path)
    moments = random.Random(os.environ.get("KILL_SEED", "1"))
    for _ in range(int(os.environ.get("KILLS", "10"))):
        process = make(folder, "all", "RUN=tiny")
        time.sleep(moments.uniform(2, 20))
        kill_everything(process)
    finish(make(folder, "all", "RUN=tiny"))
    expected, found = results(whole), results(folder)
    assert set(found) == set(expected)
    assert [name for name in expected if found[name] != expected[name]] == []


def test_an_unknown_run_and_missing_data_are_refused_in_one_line(whole):
    process = make(whole, "all", "RUN=atlantis")
    output, _ = process.communicate(timeout=60)
    assert process.returncode and "no data/runs/atlantis/run.yml; runs are: catalonia crete demo" in output
    process = make(whole, "all", "RUN=crete", "RAW=/nowhere")
    output, _ = process.communicate(timeout=120)
    assert process.returncode and "Source: https://" in output
    assert "etopo_20min (" in output and "koppen_rubel_2017 (" in output, (
        "what must be put there by hand, before any download"
    )
    assert "Traceback" not in output
