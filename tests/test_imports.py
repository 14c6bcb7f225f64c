"""Rooms load no heavy package that they do not need: a notebook that trains nothing starts without PyTorch."""

import json
import subprocess
import sys

import pytest
from conftest import ROOT

HEAVY = {"torch", "xgboost", "sklearn", "papermill", "cartopy", "onnxruntime"}
# What a room needs of them, by room; others that are not named here train, predict, draw maps or export graphs.
NEEDS = {"plot": {"cartopy"}, "execute": {"papermill"}, "plan": {"papermill"}}
ROOMS = [
    "legend", "grid", "windows", "targets", "checks", "experiments", "vegetation", "runs", "regrid", "sources", "cube",
    "evaluate", "allocate", "stitch", "product", "green", "rollout", *NEEDS,
]  # fmt: skip
WITHOUT = ["ai4land", "ai4land.samples", "ai4land.models", "ai4land.models.base", "ai4land.models.baselines"]
PROBE = "import json, sys; from importlib import import_module; [import_module(name) for name in sys.argv[1:]]"


def loaded(*names: str) -> set[str]:
    """Heavy packages that a new process has loaded after it imported some modules."""
    command = [sys.executable, "-c", PROBE + "; print(json.dumps(list(sys.modules)))", *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return HEAVY & set(json.loads(done.stdout.splitlines()[-1]))


def modules(room: str) -> list[str]:
    files = [path for path in sorted((ROOT / "ai4land").rglob("*.py"))
             if path.relative_to(ROOT / "ai4land").parts[0].removesuffix(".py") == room]  # fmt: skip
    return [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in files]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_loads_only_the_heavy_packages_that_it_needs(room):
    assert modules(room), "no such room"
    assert loaded(*modules(room)) <= NEEDS.get(room, set())


def test_data_of_a_region_and_the_baselines_need_no_heavy_package():
    assert loaded(*WITHOUT) == set()


def test_the_probe_sees_a_heavy_package():
    assert loaded("ai4land.models.trees") >= {"xgboost"} and loaded("ai4land.models.unet") >= {"torch"}


@pytest.mark.parametrize("folder", [".", "notebooks", "sphere_overlap", "sphere_overlap/tests"])
def test_a_package_beside_is_the_one_of_the_repository_wherever_python_runs(folder):
    """A folder of its name must not hide it: the folder where Python runs is searched first."""
    code = "import sphere_overlap; print(sphere_overlap.overlap_weights.__module__, sphere_overlap.__file__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT / folder, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["sphere_overlap.weights", str(ROOT / "sphere_overlap" / "__init__.py")]
