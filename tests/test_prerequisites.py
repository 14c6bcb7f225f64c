"""An edit reruns the steps that it can change, and no others."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pipeline import ROOT, clone, variables

OUT = "data/results/demo/"
# Run demo: every region its own 02, 03, 04, 06; the western two 09, 10, 14; "fit" trains the network that they share.
ALL = {"01", "02", "fit", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13", "14", "15"}
# Steps after one, as the questions of the notebooks follow each other; the network, once more, before 03.
AFTER_LAND_USE = {"05", "08", "12", "13"}  # scores of 04, then what shows them; 12 puts them on a card
AFTER_STITCH = {"08", "12", "13", "14", "15"}
AFTER_VEGETATION = AFTER_LAND_USE | {"14", "15"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Path:
    """Copy of the repository in which all of run demo seems made, each step after those before it."""
    folder = clone(tmp_path_factory.mktemp("demo"))
    for path in folder.rglob("*"):
        os.utime(path, (1e9, 1e9))
    targets = re.findall(r"ai4land\.execute \S+ (\S+)|ai4land\.fit (\w+ shared)", planned(folder)[1])
    assert len(targets) > 20
    for number, (notebook, _) in enumerate(targets):
        path = folder / (notebook or f"{OUT}shared/costs-unet.csv")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (1e9 + 10 + number, 1e9 + 10 + number))
    assert planned(folder)[0] == set()
    return folder


def planned(folder: Path, *more: str) -> tuple[set[str], str]:
    """Steps that make would run now, by number, and what it says."""
    command = ["make", "-n", *(more or ("all",)), "RUN=demo"]
    done = subprocess.run(command, cwd=folder, env=variables(folder), capture_output=True, text=True)
    steps = set(re.findall(r"ai4land\.execute notebooks/(\d\d)-", done.stdout))
    return steps | ({"fit"} if "ai4land.fit" in done.stdout else set()), done.stdout + done.stderr


def edited(folder: Path, *names: str) -> set[str]:
    """Steps that make would run if files were edited now."""
    for name in names:
        assert (folder / name).is_file(), name
        os.utime(folder / name)
    try:
        return planned(folder)[0]
    finally:
        for name in names:
            os.utime(folder / name, (1e9, 1e9))


# By hand, from the imports of the notebooks and of what they import.
EDITS = {
    # 10-leaf-area alone judges leaves; land cover's trees stay
    "ai4land/predict/leaves.py": {"10"} | AFTER_VEGETATION,
    "ai4land/predict/cover.py": {"09", "11"} | AFTER_VEGETATION,
    "ai4land/models/trees.py": {"04"} | AFTER_LAND_USE,
    # training: every network, and no trees of land use
    "ai4land/train.py": ALL - {"01", "02", "04"},
    "ai4land/fit.py": {"fit", "03", "06", "05", "07"} | AFTER_STITCH,
    # figures: only the steps that draw them, and what follows
    "ai4land/plot/rollouts.py": {"13"},
    "ai4land/plot/vegetation.py": {"14", "15", "12"},
    # a reader of one data set, which the registry names
    "ai4land/sources/modis.py": ALL,
    "ai4land/cube/build.py": ALL - {"01"},
    # the made-up planet is written by 01; what it leaves to judge a product by is read by 06
    "twin_earth/leaf_area.py": ALL,
    "ai4land/predict/planet.py": {"06", "05", "07"} | AFTER_STITCH,
    "ai4land/stitch/blend.py": {"07"} | AFTER_STITCH,
    # an __init__.py that only passes names on
    "ai4land/green/__init__.py": {"12", "14", "15"},
    # imported in functions only: by make_leaf_models, and by 09 under an if
    "ai4land/models/season.py": {"10"} | AFTER_VEGETATION,
    "ai4land/models/green_net.py": {"09", "10", "11"} | AFTER_VEGETATION,
    # a package beside
    "sphere_overlap/__init__.py": {"12"},
    "sphere_overlap/edges.py": {"12"},
    "sphere_overlap/overlap.py": {"12"},
    "ai4land/execute.py": ALL,
    # tables by their names, legends and crosswalks by the arguments of their readers
    "data/twin_statistics.csv": {"08"},
    "data/claims.csv": {"09", "10"} | AFTER_VEGETATION,
    "data/legends/ifs_vegetation.csv": {"12"},
    "data/crosswalks/land_cover-to-land_cover_22.csv": {"09", "11"} | AFTER_VEGETATION,
    # what is no import
    "data/runs/demo/run.yml": ALL,
    "notebooks/04-train-trees.ipynb": {"04"} | AFTER_LAND_USE,
}
FOR_NO_STEP = [
    "ai4land/plan.py", "tests/conftest.py", "data/rates.csv", "data/README.md", "data/legends/soil_texture.csv",
    "data/crosswalks/usda_12-to-soil_texture.csv", "data/runs/tiny/run.yml", "sphere_overlap/example.py",
]  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_reruns_the_steps_that_it_can_change_and_no_others(demo, name):
    assert edited(demo, name) == EDITS[name]


def test_what_no_step_uses_reruns_none(demo):
    assert edited(demo, *FOR_NO_STEP) == set()


def test_every_notebook_has_a_rule_with_its_own_prerequisites():
    text = (ROOT / "Makefile").read_text()
    rules = re.findall(
        r"^\S+/(\d\d-[a-z-]+)\.ipynb: notebooks/(\S+)\.ipynb .*\$\(call needs,(\S+)\)", text, re.MULTILINE
    )
    assert sorted(rules) == [(book.stem,) * 3 for book in sorted((ROOT / "notebooks").glob("*.ipynb"))]


def test_the_download_is_made_of_the_whole_made_up_planet_and_no_other_step_of_any_of_it():
    roots = [f"notebooks/{book.name}" for book in sorted((ROOT / "notebooks").glob("*.ipynb"))]
    command = [sys.executable, "prerequisites.py", *roots, "ai4land.execute", "ai4land.fit"]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(lines) == len(roots) + 2
    planet = {
        name: {f for f in files.split("|") if f.startswith("twin_earth/")}
        for name, files in (x.split(":=") for x in lines)
    }
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "twin_earth").glob("*.py")}
    assert {name: files for name, files in planet.items() if files} == {"01-download": modules}


# --- notebooks that are half written ---


def rewrite(book: Path, cell: int, source: str) -> None:
    content = json.loads(book.read_text())
    [c for c in content["cells"] if c["cell_type"] == "code"][cell - 1]["source"] = source
    book.write_text(json.dumps(content))


@pytest.fixture
def broken(demo):
    """A notebook of the copy that a test may spoil."""
    book = demo / "notebooks" / "09-land-cover.ipynb"
    kept = book.read_text()
    yield book
    book.write_text(kept)
    os.utime(book, (1e9, 1e9))


def test_a_notebook_with_a_syntax_error_is_one_line_that_names_notebook_cell_and_line(demo, broken):
    rewrite(broken, 3, "x = 1\ny = = 2\n")
    steps, text = planned(demo)
    assert steps == set()
    assert "prerequisites: notebooks/09-land-cover.ipynb, code cell 3, line 2: invalid syntax; correct it.\n" in text
    assert "Traceback" not in text and len(text.splitlines()) == 2, text


def test_a_file_that_is_no_notebook_is_named(demo, broken):
    broken.write_text("<<<<<<< ours\n")
    assert "prerequisites: notebooks/09-land-cover.ipynb: no notebook (JSONDecodeError" in planned(demo)[1]


@pytest.mark.parametrize("command", ["help", "lab", "lint", "clean"])
def test_commands_that_make_no_step_work_while_a_notebook_is_half_written(demo, broken, command):
    rewrite(broken, 3, "y = = 2\n")
    assert "prerequisites" not in planned(demo, command)[1].replace("prerequisites.py", "")


def test_without_python_one_line_says_what_is_missing(demo):
    environment = variables(demo) | {"CONDA_PREFIX": str(demo / "nowhere"), "PYTHON": ""}
    done = subprocess.run(["make", "all"], cwd=demo, env=environment, capture_output=True, text=True)
    assert done.returncode and "ai4land needs Python 3.11 or newer; none found. Install it, or give" in done.stderr


# --- rules of the search, each on a repository of a few lines ---


def needed(folder: Path, files: dict[str, str], code: str) -> set[str]:
    """Files that a notebook with this code needs, in a repository of these files."""
    shutil.copy(ROOT / "prerequisites.py", folder)
    book = json.dumps({"cells": [{"cell_type": "code", "source": code.splitlines(keepends=True)}]})
    for name, text in {**files, "notebooks/01-a.ipynb": book}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    command = [sys.executable, "-I", "-S", "prerequisites.py", "notebooks/01-a.ipynb"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=10)
    assert done.returncode == 0, done.stderr
    name, found = done.stdout.strip().split(":=")
    assert name == "01-a"
    return set(filter(None, found.split("|")))


HOUSE = {
    "ai/__init__.py": "",
    "ai/top.py": "",
    "ai/room/__init__.py": "from ai.room.one import f\nfrom .two import g, h as k\nfrom ai.room import three\n"
    "__all__ = ['f', 'g', 'k']\n",
    "ai/room/one.py": "import numpy as np\nfrom ai import top\ndef f(): return top.x\n",
    "ai/room/two.py": "def g():\n    from ..deep.lazy import z\n    return z\n",
    "ai/room/three.py": "",
    "ai/room/four.py": "from __future__ import annotations\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
    "    from ai.room import three\nelse:\n    from ai import top\n",
    "ai/deep/__init__.py": "",
    "ai/deep/lazy.py": "from .circle import here\nz = 1\n",
    "ai/deep/circle.py": "from ai.deep import lazy\nhere = lazy\n",
    "ai/own/__init__.py": "from ai.room import f, g\nfrom ai import top\ndef mine(): return g()\n",
    "ai/twin/__init__.py": "from ai.twin.land import land\n",
    "ai/twin/land.py": "class Land: ...\ndef land(): ...\n",
    "ai/star/__init__.py": "from ai.star.a import *\n",
    "ai/star/a.py": "b = 1\n",
    "beside/__init__.py": "",
    "beside/x.py": "",
    "nested/nested/__init__.py": "from nested.y import v\n",
    "nested/nested/y.py": "",
    "src_made/src/src_made/__init__.py": "",
    "src_made/src/src_made/z.py": "from beside import x\n",
}
INIT = {"ai/__init__.py", "ai/room/__init__.py"}
LAZY = {"ai/deep/__init__.py", "ai/deep/lazy.py", "ai/deep/circle.py"}
ONE, TWO = {"ai/room/one.py", "ai/top.py"}, {"ai/room/two.py", *LAZY}


@pytest.mark.parametrize(("code", "files"), [
    ("from ai.room import f", INIT | ONE),
    ("from ai.room import k", INIT | TWO),
    ("from ai.room import four", INIT | {"ai/room/four.py", "ai/top.py"}),
    ("from ai.room.three import q", INIT | {"ai/room/three.py"}),
    ("import ai.room as r\nr.f()", INIT | ONE),
    ("import ai.room.one", INIT | ONE),
    ("import ai.room\nai.room.three.q", INIT | {"ai/room/three.py"}),
    ("from ai import room\nroom.g.__doc__", INIT | TWO),
    ("from ai import room\nprint(room)", INIT | ONE | TWO | {"ai/room/three.py"}),
    ("from ai.room import *", INIT | ONE | TWO | {"ai/room/three.py"}),
    ("if 1:\n    def late():\n        from ai.room import f", INIT | ONE),
    ("from ai.deep import circle", {"ai/__init__.py", *LAZY}),
    ("from ai import own\nown.top", {"ai/__init__.py", "ai/own/__init__.py", "ai/top.py"} | INIT | TWO),
    ("from ai.own import mine", {"ai/__init__.py", "ai/own/__init__.py"} | INIT | ONE | TWO),
    ("from ai.twin.land import Land", {"ai/__init__.py", "ai/twin/__init__.py", "ai/twin/land.py"}),
    ("from ai.star import b", {"ai/__init__.py", "ai/star/__init__.py", "ai/star/a.py"}),
    ("import beside.x", {"beside/__init__.py", "beside/x.py"}),
    ("from nested import v", {"nested/nested/__init__.py", "nested/nested/y.py"}),
    ("import src_made.z", {"src_made/src/src_made/__init__.py", "src_made/src/src_made/z.py", "beside/__init__.py",
                           "beside/x.py"}),
    ("%matplotlib inline\nimport numpy, os.path\nprint(1)", set()),
], ids=lambda v: v.replace("\n", "; ") if isinstance(v, str) else "")  # fmt: skip
def test_imports_are_followed_by_name_however_they_are_written(tmp_path, code, files):
    assert needed(tmp_path, HOUSE, code) == files


@pytest.mark.parametrize(("code", "tables"), [
    ("pd.read_csv(DATA / 'pools.csv')", {"pools.csv"}),
    ("claims: str = '../data/pools.csv'", {"pools.csv"}),
    ("read_legend('land_use')", {"legends/land_use.csv"}),
    ("read_legend(f'{kind}_use')", {"legends/land_use.csv"}),
    ("for name in ('land_use', 'ipcc'): read_legend(name)", {"legends/land_use.csv", "legends/ipcc.csv"}),
    ("legend.read_crosswalk(f'hilda_v{v}', 'ipcc')", {"crosswalks/hilda_v1-to-ipcc.csv", "legends/ipcc.csv"}),
    ("read_crosswalk(source, target='ipcc')", {"crosswalks/hilda_v1-to-ipcc.csv", "crosswalks/cover-to-land_use.csv",
                                               "legends/ipcc.csv"}),
    ("(out / 'README.md').write_text('pools')", set()),
])  # fmt: skip
def test_tables_count_where_the_code_names_them(tmp_path, code, tables):
    names = ["pools.csv", "README.md", "legends/land_use.csv", "legends/ipcc.csv", "crosswalks/hilda_v1-to-ipcc.csv",
             "crosswalks/cover-to-land_use.csv"]  # fmt: skip
    assert needed(tmp_path, {f"data/{name}": "" for name in names}, code) == {f"data/{name}" for name in tables}


def test_a_module_with_a_syntax_error_is_named_with_its_line(tmp_path):
    with pytest.raises(AssertionError, match=r"prerequisites: ai/top\.py, line 2: invalid syntax; correct it\."):
        needed(tmp_path, HOUSE | {"ai/top.py": "x = 1\nif if\n"}, "from ai import top")


# --- against what Python does ---


def test_what_is_read_from_text_agrees_with_what_python_imports_and_uses():
    """All that a notebook's objects lead to is found, and nothing that Python would not load."""
    books = sorted((ROOT / "notebooks").glob("*.ipynb"))
    run = {"cwd": ROOT, "capture_output": True, "text": True, "check": True}
    imported = json.loads(subprocess.run([sys.executable, "tests/loaded.py", *books], **run).stdout)
    names = [f"notebooks/{book.name}" for book in books]
    lines = subprocess.run([sys.executable, "prerequisites.py", *names], **run).stdout.splitlines()
    found = {name: {f for f in files.split("|") if f.endswith(".py")} for name, files in (x.split(":=") for x in lines)}
    assert found.keys() == imported.keys() == {book.stem for book in books}
    for name, files in found.items():
        assert len(imported[name]["used"]) > 5, name
        assert set(imported[name]["used"]) - files == set(), name
        assert files - set(imported[name]["loaded"]) == set(), name
