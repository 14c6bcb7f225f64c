"""The script that proves a clean clone: its stages, and the crops of the real runs that it takes."""

import re
import shutil
import subprocess

import pytest
from conftest import ROOT

from ai4land.runs import read_run


@pytest.fixture
def checkout(tmp_path):
    """A folder with the script and a make that notes what it was asked for, and fails where `broken` says so."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    for name in ("make", "slurmctld"):
        stub = tmp_path / "bin" / name
        stub.parent.mkdir(exist_ok=True)
        stub.write_text('#!/bin/sh\necho "$* KILLS=$KILLS" >> calls\n[ "$1" != "$BROKEN" ] || exit 7\n')
        stub.chmod(0o755)
    return tmp_path


def run_script(folder, broken, raw):
    path = f"{folder / 'bin'}:/usr/bin:/bin"
    done = subprocess.run(
        [folder / ".ci" / "run"], env={"PATH": path, "BROKEN": broken, "RAW": raw}, capture_output=True, text=True
    )
    return done, done.stdout.split("--- stages of .ci/run\n")[1].splitlines()


def test_every_stage_and_its_seconds_are_printed_and_real_runs_are_crops(checkout):
    done, table = run_script(checkout, "", "/maps")
    assert done.returncode == 0, done.stderr
    names = ["Slurm", "environment", "lint", "tests", "demo", "crete-crop", "uk-crop", "in all"]
    assert [re.fullmatch(r" *\d+ s  (.*)", line).group(1) for line in table] == names
    assert all(re.search(rf"^--- {name}: \d+ s$", done.stdout, re.MULTILINE) for name in names[:-1])
    asked = (checkout / "calls").read_text().splitlines()
    assert asked[-2:] == [f"all RUN={name} RAW=/maps KILLS=3" for name in ("crete-crop", "uk-crop")]


def test_a_stage_that_fails_is_named_in_the_table_and_its_exit_status_is_kept(checkout):
    done, table = run_script(checkout, "test", "")
    assert done.returncode == 7
    assert [line.split(" s  ")[1] for line in table] == [
        "Slurm", "environment", "lint", "tests: FAILED with exit status 7", "in all",
    ]  # fmt: skip
    assert "all KILLS=3" not in (checkout / "calls").read_text(), "nothing runs after it"


@pytest.mark.parametrize("name", ["crete", "uk"])
def test_the_crop_of_a_real_run_takes_every_path_of_the_whole_one(name):
    crop, whole = read_run(f"{name}-crop"), read_run(name)
    assert (crop.inputs, crop.grid, crop.mapped) == (whole.inputs, whole.grid, whole.mapped)
    assert list(crop.experiments) == list(whole.experiments) and "scores mean nothing" in crop.title
    years = {"start", "test", "train", "validation", "periods", "leads"}
    for key, experiment in crop.experiments.items():
        assert experiment.model_dump(exclude=years) == whole.experiments[key].model_dump(exclude=years)
        assert {k for k in years if getattr(experiment, k)} == {k for k in years if getattr(whole.experiments[key], k)}


@pytest.mark.xdist_group("one")
def test_tests_of_a_group_go_to_one_worker(request):
    """pytest-xdist 3.8.0 names the group behind the test; pytest 9.2.0 drops it, and every worker made run tiny."""
    if not request.config.getoption("loadgroup", False):
        pytest.skip("only with --dist loadgroup, as `make test` has it")
    assert request.node.nodeid.endswith("@one"), "take a pytest with which pytest-xdist groups tests (pyproject.toml)"
