"""The house keeps its own rules."""

import ast
import csv
import json
import re
import runpy
import subprocess

import papermill
import pytest
import yaml
from conftest import ROOT

ROOMS = [
    "legend", "grid", "windows", "targets", "checks", "experiments", "vegetation", "runs", "templates", "store",
    "execute", "regrid", "sources", "cube", "evaluate", "refine", "samples", "allocate", "devices", "train",
    "models", "predict", "fit", "rollout", "stitch", "product", "green", "plan", "export", "plot",
]  # fmt: skip
MODULES = sorted((ROOT / "ai4land").rglob("*.py"))
BESIDE = [p for name in ("sphere_overlap", "twin_earth") for p in sorted((ROOT / name).glob("*.py"))]  # packages beside
BOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def tracked():
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    return [ROOT / line for line in out.stdout.splitlines() if (ROOT / line).is_file()]


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_file_imports_only_from_rooms_to_its_left(path):
    room = path.relative_to(ROOT / "ai4land").parts[0].removesuffix(".py")
    if room == "__init__":
        return
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "ai4land" and len(parts) > 1 and parts[1] in ROOMS:
            assert ROOMS.index(parts[1]) <= ROOMS.index(room), f"{room} imports {name}"


def test_the_made_up_planet_is_known_to_the_download_tests_and_benchmarks_only():
    """No reader knows of it, and what judges a model reads what the planet left, as it would read a real map."""
    importing = {
        path.relative_to(ROOT).parts[0]
        for path in tracked()
        if path.suffix == ".py" and any(name.split(".")[0] == "twin_earth" for name in imports(path))
    }
    assert importing == {"twin_earth", "tests", "benchmarks"}
    assert [book.stem for book in BOOKS if "twin_earth" in "".join(code_of(book)[1])] == ["01-download"]


@pytest.mark.parametrize("room", ["evaluate", "stitch", "plot", "regrid"])
def test_rooms_that_must_not_import_torch_do_not(room):
    for path in (p for p in MODULES if p.relative_to(ROOT / "ai4land").parts[0].removesuffix(".py") == room):
        assert not any(name.split(".")[0] == "torch" for name in imports(path)), path


@pytest.mark.parametrize("path", [*MODULES, *BESIDE], ids=lambda p: p.relative_to(ROOT).as_posix())
def test_files_and_functions_are_short_and_public_ones_documented(path):
    text = path.read_text()
    assert text.count("\n") <= 450, "two ideas in one file?"
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "no module docstring"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            doc = ast.get_docstring(node)
            body = node.end_lineno - node.lineno + 1 - (doc.count("\n") + 1 if doc else 0)
            assert body <= 40, f"{node.name}: {body} lines"
            assert doc or node.name.startswith("_") or node.col_offset > 0, f"{node.name} has no docstring"


def code_of(book):
    cells = [c for c in json.loads(book.read_text())["cells"] if c["cell_type"] == "code"]
    return cells, ["".join(c["source"]) for c in cells]


@pytest.mark.parametrize("book", BOOKS, ids=lambda p: p.stem)
def test_notebooks_are_short_stripped_explained_and_define_nothing(book):
    cells, sources = code_of(book)
    lines = [line for s in sources for line in s.split("\n") if line.strip() and not line.strip().startswith("#")]
    assert len(lines) <= 80
    assert not any(re.match(r"\s*(def|class|lambda) ", line) for line in lines)
    assert all(not c["outputs"] and c["execution_count"] is None for c in cells)
    assert sum("parameters" in c["metadata"].get("tags", []) for c in cells) == 1
    text = "".join("".join(c["source"]) for c in json.loads(book.read_text())["cells"] if c["cell_type"] == "markdown")
    assert len(text) > 400 and "Checks" in text


@pytest.mark.parametrize("book", BOOKS, ids=lambda p: p.stem)
def test_every_parameter_has_a_type_a_default_and_a_comment(book):
    for name, about in papermill.inspect_notebook(str(book)).items():
        assert about["inferred_type_name"] != "None" and about["default"] and about["help"], name


def test_knobs_of_every_run_are_parameters_of_their_notebook():
    knobs = [p for p in (ROOT / "data" / "runs").glob("*/*.yml") if p.stem != "run"]
    assert knobs
    for path in knobs:
        known = papermill.inspect_notebook(str(ROOT / "notebooks" / f"{path.stem}.ipynb"))
        assert set(yaml.safe_load(path.read_text())) <= set(known), path


def test_parameters_that_make_passes_are_known_to_their_notebooks():
    text = (ROOT / "Makefile").read_text()
    rules = re.findall(r"/(\d\d-[a-z-]+)\.ipynb: notebooks/[^\n]*\n\t\$\(call execute(,[^\n]*)?\)", text)
    assert {name for name, _ in rules} == {b.stem for b in BOOKS}
    for name, arguments in rules:
        given = {"run", *re.findall(r"-r (\w+)", arguments)}
        known = set(papermill.inspect_notebook(str(ROOT / "notebooks" / f"{name}.ipynb")))
        assert given <= known, (name, given - known)


def test_regions_that_make_reads_are_those_of_the_run():
    for path in (ROOT / "data" / "runs").glob("*/run.yml"):
        row = re.findall(r"^regions: *\[(.*)\] *$", path.read_text(), re.MULTILINE)
        assert [r.strip() for r in row[0].split(",")] == yaml.safe_load(path.read_text())["regions"]


def test_the_environment_is_one_for_pip_and_conda_and_holds_every_dependency():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert {"pip": ["-r requirements.lock"]} in environment["dependencies"]
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9_.\-]+==[^+\s]+", p) for p in pins), "a pin with a local version or none"
    pinned = {p.split("==")[0].lower().replace("_", "-") for p in pins}
    assert not {"xgboost", "xgboost-cpu"} <= pinned
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    assert {re.split(r"[<>=]", w)[0].lower() for w in wanted} <= pinned


def test_version_is_one():
    import ai4land

    version = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE).group(1)
    assert ai4land.__version__ == version
    assert f"version: {version}" in (ROOT / "CITATION.cff").read_text()
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


def test_no_path_of_one_machine_and_no_large_file_is_committed():
    for path in tracked():
        assert path.stat().st_size < 2_000_000, path
        if path.suffix in {".png", ".pdf"}:
            continue
        assert not re.search(r"(?<![\w.])/(work|root|home/\w+)/", path.read_text()), path


@pytest.mark.parametrize("run", ["demo", "uk"])
def test_the_readme_table_is_the_committed_table(run):
    """Numbers of the README come from the run that made figures/<run>-scores.csv."""
    rows = {}
    with (ROOT / "figures" / f"{run}-scores.csv").open() as stream:
        for row in csv.DictReader(stream):
            rows[row["experiment"], row["model"], row["member"]] = row
    text = (ROOT / "README.md").read_text()
    block = text.split(f"<!-- {run}-scores -->")[1]
    found = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$", block, re.MULTILINE)[1:]
    assert len(found) >= 7
    keys = json.loads(re.search(r"<!-- keys: (.*?) -->", block).group(1))
    assert len(keys) == len(found)
    for key, (_, _, *values) in zip(keys, found, strict=True):
        row = rows[tuple(key)]
        columns = ["overall accuracy", "mIoU (6 land)", "figure of merit", "area error, 50 cells"]
        for column, value in zip(columns, values, strict=True):
            digits = len(value.strip("* ").split(".")[1])
            assert value.strip("* ") == f"{float(row[column]):.{digits}f}", (key, column)


def test_the_readme_tables_of_land_cover_and_leaf_area_are_the_committed_tables():
    made = runpy.run_path(str(ROOT / "figures" / "readme_table.py"))
    text = (ROOT / "README.md").read_text()
    for mark in made["GREEN"]:
        assert text.split(f"<!-- {mark} -->")[1].strip() == made["green_table"](mark)


def test_links_and_commands_of_the_readme_exist():
    text = (ROOT / "README.md").read_text()
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (ROOT / target).exists(), target
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for command in re.findall(r"^ *make ([a-z-]+)", text, re.MULTILINE):
        assert command in known, command


@pytest.mark.parametrize(("package", "lines"), [("sphere_overlap", 700), ("twin_earth", 2000)])
def test_packages_beside_stay_small(package, lines):
    assert 0 < sum(p.read_text().count("\n") for p in BESIDE if p.relative_to(ROOT).parts[0] == package) <= lines
