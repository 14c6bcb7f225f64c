"""The findings are scripts that anyone can run alone."""

import os
import re
import subprocess

import pytest
from conftest import ROOT

FINDINGS = sorted((ROOT / "findings").glob("*.sh"))
HEAD = ["Expected:", "Happens:", "Versions:", "Seen:", "Matters:"]


def head_of(text):
    return re.match(r"#![^\n]*\n((?:#[^\n]*\n)+)", text)[1]


def test_there_are_findings():
    assert len(FINDINGS) >= 10


@pytest.mark.parametrize("path", FINDINGS, ids=lambda p: p.stem)
def test_a_finding_says_what_is_expected_what_happens_and_why_it_matters(path):
    head = head_of(path.read_text())
    assert [line.split()[1] for line in head.splitlines() if line.split()[1:2] and line.split()[1] in HEAD] == HEAD
    assert re.search(r"Versions: .*\d+\.\d+", head)


@pytest.mark.parametrize("path", FINDINGS, ids=lambda p: p.stem)
def test_a_finding_stands_alone_and_leaves_nothing_behind(path):
    text = path.read_text()
    assert os.access(path, os.X_OK) and text.startswith("#!/usr/bin/env bash\n")
    assert "\nset -eu\nwork=$(mktemp -d)\ntrap 'rm -rf \"$work\"' EXIT\n" in text
    assert "ai4land" not in text
    assert "CHANGED: " in text
    subprocess.run(["bash", "-n", path], check=True)


@pytest.mark.parametrize("path", FINDINGS, ids=lambda p: p.stem)
def test_a_finding_pins_every_package(path):
    installs = re.findall(r"pip install ((?:[^\n]*\\\n)*[^\n]*)\n", path.read_text())
    packages = [word for line in installs for word in line.split() if word != "\\" and not word.startswith("-")]
    assert packages, "nothing is installed"
    assert all(re.fullmatch(r"[\w.-]+(\[\w+\])?==[\w.]+", name) for name in packages), packages


@pytest.mark.parametrize("path", FINDINGS, ids=lambda p: p.stem)
def test_the_program_of_a_finding_compiles(path):
    programs = re.findall(r"<<'EOF'\n(.*?\n)EOF\n", path.read_text(), flags=re.S)
    assert programs
    for program in programs:
        compile(program, path.name, "exec")
