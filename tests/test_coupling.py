"""Host models step the emulator: a Fortran program in its own memory, and a process in lockstep with another."""

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from conftest import ROOT
from emulator_bundle import small_bundle
from regions import all_years, luh2_layers

from ai4land.export.bundle import write_bundle
from ai4land.export.emulator import Emulator
from ai4land.export.formats import example_inputs
from ai4land.models.neural import Neural
from ai4land.runs import Experiment, read_run
from ai4land.samples import make_split
from ai4land.sources.luh2 import STATES
from ai4land.train import Schedule

COUPLING = ROOT / "examples" / "coupling"
FIRST, LAST = 1995, 2005
YEARS = list(range(FIRST, LAST + 1))
WINDOW = slice(2, 66), slice(9, 73)  # 64 x 64 cells that begin inside LUH2's cells
# Between two circles of latitude, r^2 (sin north - sin south) times the width in radians, km2.
AREA = 6371.007181**2 * -np.diff(np.sin(np.radians([46 - 0.02, 46 - 0.66])))[0] * np.radians(0.64)
SCORES = [
    "experiment", "target", "legend", "model", "split", "fold", "region", "lead", "month", "member", "weight", "metric",
    "class", "value", "cells",
]  # fmt: skip
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
PATIENCE = 120.0  # seconds: processes start slowly where much else runs


def example(name):
    """A module of examples/coupling."""
    spec = importlib.util.spec_from_file_location(f"coupling_{name}", COUPLING / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def luh2_of(cube):
    """LUH2 that agrees with the maps: cropland is c3ann, forest secdf, towns urban."""
    fraction = np.nan_to_num(all_years(cube, "land_use_fraction"))
    states = {name: np.zeros_like(fraction[:, 0]) for name in STATES}
    states |= {"urban": fraction[:, 1], "c3ann": fraction[:, 2], "secdf": fraction[:, 4]}
    states |= {"secma": np.full_like(fraction[:, 0], 60), "secmb": np.full_like(fraction[:, 0], 10)}
    stack = np.stack(list(states.values()), 1).astype(np.float32)
    return luh2_layers(cube.years("land_use"), list(states), stack)


@pytest.fixture(scope="module")
def cube(changing_cube):
    """Maps, relief and climate zones of 100 x 100 cells, and LUH2 that moves with the maps."""
    zones = (np.arange(100)[:, None] // 40 + np.zeros((1, 100))).astype(np.uint8)
    return changing_cube.with_fields(koppen=zones, **luh2_of(changing_cube))


def prepared(folder, cube, graph, years):
    """What prepare.py cuts, of 64 x 64 cells, beside the bundle in a folder."""
    maps = {year: cube.field("land_use", year, WINDOW) for year in cube.years("land_use")}
    layers = {name: cube.field(name, window=WINDOW) for name in cube.static}
    window = replace(cube, grid=cube.grid.cut(*WINDOW)).with_fields(land_use=maps, **layers)
    prepare = example("prepare")
    start, forcing = prepare.start_of(window, graph, years, 2), prepare.forcing_of(cube, years)
    prepare.write(folder, start, forcing, cube.names("luh2_state"))
    return folder


@pytest.fixture(scope="module")
def inputs(cube, tmp_path_factory):
    """A bundle of a few operations, and what it starts from."""
    folder = tmp_path_factory.mktemp("inputs")
    small_bundle(folder / "bundle")
    return prepared(folder, cube, "land_use-both", YEARS)


@pytest.fixture(scope="module")
def network(cube, tmp_path_factory):
    """The same for a network that hardly learned."""
    folder = tmp_path_factory.mktemp("network")
    experiment = Experiment(start=1995, priors=2, train=(1980, 1992), validation=(1993, 1995), test=(1996, 2005),
                            coarse="luh2")  # fmt: skip
    model = Neural(Schedule(steps=4, every=2, precision="fp32"), 48, 1, base=4, seed=3)
    trained = folder / "unet-demo_ne" / "forecast"
    model.fit(cube, make_split("forecast", experiment, cube, None, 1)).save(trained)
    file = {"role": "land_use", "dataset": "hilda_plus_v2", "file": "none", "licence": "none: synthetic", "doi": ""}
    scores = pd.DataFrame(columns=SCORES)
    write_bundle(folder / "bundle", {"land_use-forward": trained}, read_run("demo"), cube.grid, [file], scores)
    return prepared(folder, cube, "land_use-forward", YEARS)


def run(*command, **more):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=PATIENCE, **more)


def python(script, *arguments, **more):
    return run(sys.executable, COUPLING / script, *arguments, env=ENVIRONMENT, **more)


# --- a Fortran program ------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """step.f90, linked with the library."""
    pytest.importorskip("cffi")
    build = example("build")
    if lack := build.missing():
        pytest.skip(lack)
    folder = tmp_path_factory.mktemp("built")
    build.build(folder)
    return folder / "step"


def fortran(program, inputs, state, bundle="bundle", luh2="luh2.raw"):
    bare = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    return run(program, inputs / bundle, inputs / "start.nc", inputs / luh2, state, env=bare)


def check_areas(program, folder, state, years):
    """The program prints Python's lines; areas by year and code, km2."""
    made = fortran(program, folder, state)
    assert made.returncode == 0, made.stderr
    assert made.stdout == python("step.py", *(folder / name for name in ("bundle", "start.nc", "luh2.nc"))).stdout
    header, *rows = made.stdout.split()
    assert header == "year,code,km2"
    area = {(int(y), int(c)): float(a) for y, c, a in (row.split(",") for row in rows)}
    assert set(area) == {(year, code) for year in years for code in range(8)}
    for year in years:
        assert sum(area[year, code] for code in range(8)) == pytest.approx(AREA, abs=0.01)
    return area


def test_a_fortran_program_steps_a_network_ten_years_in_memory_and_prints_pythons_areas(program, network, tmp_path):
    area = check_areas(program, network, tmp_path / "state.nc", YEARS)
    # LUH2's cropland grows as the maps' does, by 2.5 columns a year, and the emulator's follows it.
    assert area[LAST, 2] - area[FIRST, 2] > 0.05 * AREA


def test_a_fortran_program_steps_backward_as_well(program, cube, inputs, tmp_path):
    back = YEARS[::-1]
    shutil.copytree(inputs / "bundle", tmp_path / "bundle")
    area = check_areas(program, prepared(tmp_path, cube, "land_use-both", back), tmp_path / "state.nc", back)
    assert area[LAST, 2] - area[FIRST, 2] > 0.05 * AREA


def test_the_state_a_fortran_program_leaves_is_one_that_python_goes_on_from(program, inputs, tmp_path):
    assert fortran(program, inputs, tmp_path / "state.nc").returncode == 0
    forcing = xr.load_dataset(inputs / "luh2.nc")
    more = forcing.isel(time=-1).assign_coords(time=LAST + 1)
    state = xr.load_dataset(tmp_path / "state.nc")
    after = Emulator.load(inputs / "bundle").step(state, more, LAST + 1)
    assert after.attrs["year"] == LAST + 1 and (after["land_use"] == state["land_use"]).mean() > 0.99


def test_torchscript_takes_codes_as_the_signed_integers_that_fortran_has(network):
    about = json.loads((network / "bundle" / "model.json").read_text())["graphs"]["land_use-forward"]
    script = torch.jit.load(network / "bundle" / "land_use-forward.torchscript.pt")
    codes = torch.as_tensor(np.random.default_rng(0).choice([0, 1, 2, 4, 255], (64, 96)).astype(np.uint8))
    given = [codes.expand_as(v) if v.dtype == torch.uint8 else torch.ones_like(v) for v in example_inputs(about)]
    signed = [values.int() if values.dtype in (torch.uint8, torch.bool) else values for values in given]
    assert sum(a.dtype != b.dtype for a, b in zip(given, signed, strict=True)) == 4, (
        "three maps and where there is data"
    )
    assert torch.equal(script(*signed), script(*given))


@pytest.mark.parametrize("fault", ["a changed bundle", "forcing cut off", "a step of two years"])
def test_a_fortran_host_is_told_in_one_line_what_is_wrong(program, inputs, tmp_path, fault):
    for name in ("start.nc", "luh2.raw"):
        shutil.copy(inputs / name, tmp_path / name)
    shutil.copytree(inputs / "bundle", tmp_path / "bundle")
    raw = bytearray((tmp_path / "luh2.raw").read_bytes())
    if fault == "a changed bundle":
        with (tmp_path / "bundle" / "land_use-both.onnx").open("ab") as stream:
            stream.write(b"0")
    elif fault == "forcing cut off":
        del raw[-4:]
    else:
        raw[20:24] = np.int32(FIRST + 2).tobytes()  # the second of the years, after four sizes and the first
    (tmp_path / "luh2.raw").write_bytes(raw)
    made = fortran(program, tmp_path, tmp_path / "state.nc")
    assert made.returncode == 1 and made.stderr.count("\n") == 1, made.stderr
    said = {"a changed bundle": "ai4land_init: .*onnx", "forcing cut off": "luh2.raw is too short",
            "a step of two years": f"ai4land_step: .*{FIRST + 2}"}  # fmt: skip
    assert re.search(said[fault], made.stderr), made.stderr


# --- two processes in lockstep ----------------------------------------------------------------------------------------
# A script that kills itself for good when it saves one file: before the file is there, or after.
DIES = """
import os, runpy, signal, sys
from dataclasses import replace
from pathlib import Path
name, moment, *sys.argv = sys.argv[1:]
sys.path.insert(0, str(Path(sys.argv[0]).parent))
replace = Path.replace
def dies(self, target):
    if Path(target).name != name:
        return replace(self, target)
    if moment == "after":
        replace(self, target)
    os.kill(os.getpid(), signal.SIGKILL)
Path.replace = dies
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def begin(folder, script, *arguments, dies=()):
    """Start a script in a folder; ``dies`` names the file at which it is killed, and the moment."""
    started = [sys.executable, *(("-c", DIES, *dies) if dies else ()), COUPLING / script, *arguments]
    return subprocess.Popen(
        list(map(str, started)), cwd=folder, env=ENVIRONMENT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def lockstep(inputs, folder, luh2="luh2.nc", land=(), toy=()):
    """Run both to their ends in one folder: exit status and standard error of the land and of the atmosphere."""
    folder.mkdir(exist_ok=True)
    address = "ipc://coupling"  # a file of the folder
    files = [inputs / name for name in ("bundle", "start.nc", luh2)]
    both = [
        begin(folder, "land.py", *files, folder, address, PATIENCE, dies=land),
        begin(folder, "toy.py", FIRST, LAST, folder, address, PATIENCE, dies=toy),
    ]
    try:
        said = [process.communicate(timeout=PATIENCE)[1] for process in both]
    finally:
        for process in both:
            process.kill()
    return [(process.returncode, text) for process, text in zip(both, said, strict=True)]


def series(folder):
    return {path.name: xr.load_dataset(path) for path in sorted(folder.glob("*.nc"))}


@pytest.fixture(scope="module")
def whole_series(inputs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    assert lockstep(inputs, folder) == [(0, ""), (0, "")]
    return series(folder)


def test_the_atmosphere_follows_the_land_and_the_land_the_atmosphere(inputs, whole_series):
    assert set(whole_series) == {f"{who}-{year}.nc" for who in ("land", "toy") for year in YEARS}
    land, toy = ([whole_series[f"{who}-{year}.nc"] for year in YEARS] for who in ("land", "toy"))
    forcing = xr.load_dataset(inputs / "luh2.nc")
    # Forest is darker than the cropland that takes its place: the less there is, the cooler.
    forest = np.array([state["land_use_fraction"].sel(land_use_class=4).mean() for state in land])
    warmth = np.array([state["temperature"].mean() for state in toy])
    assert forest[-1] < forest[0] - 0.05 and (np.diff(warmth) <= 0).all() and warmth[-1] < warmth[0]
    for number, year in enumerate(YEARS):
        np.testing.assert_array_equal(land[number]["land_use_fraction"], toy[number]["land_use_fraction"])
        warming = (toy[number]["temperature"] - toy[number]["first_temperature"]).to_numpy()
        given = forcing["secmb"].sel(time=year)[:3, :3].to_numpy()  # the LUH2 cells that cover the window
        np.testing.assert_allclose(land[number]["secmb"], given * 2 ** (-warming / 10), rtol=1e-6)
    assert np.abs(land[-1]["secmb"] - given).max() > 1e-3, "the warming must be felt"


@pytest.mark.parametrize("who, moment", [("land", "after"), ("toy", "before")])
def test_killed_and_started_again_both_make_the_uninterrupted_series(inputs, whole_series, tmp_path, who, moment):
    """The land is a year ahead of the atmosphere in both cases, and goes back to the year both have."""
    folder = tmp_path / "s"
    outcome = lockstep(inputs, folder, **{who: (f"{who}-2000.nc", moment)})
    dead, left = outcome if who == "land" else outcome[::-1]
    assert dead[0] == -signal.SIGKILL and left[0] == 1
    assert left[1].count("\n") == 1 and "died; start both again" in left[1], left[1]
    assert (folder / "land-2000.nc").exists() and not (folder / "toy-2000.nc").exists()
    assert lockstep(inputs, folder) == [(0, ""), (0, "")]
    again = series(folder)
    assert set(again) == set(whole_series)
    for name, state in whole_series.items():
        xr.testing.assert_identical(again[name], state)


@pytest.mark.parametrize("script", ["land.py", "toy.py"])
def test_a_partner_that_never_comes_is_given_up_in_one_line(inputs, tmp_path, script):
    files = [inputs / name for name in ("bundle", "start.nc", "luh2.nc")]
    given = files if script == "land.py" else [FIRST, LAST]
    alone = begin(tmp_path, script, *given, tmp_path, "ipc://coupling", 0.2)
    said = alone.communicate(timeout=PATIENCE)[1]
    assert alone.returncode == 1 and said.count("\n") == 1 and "was silent for 0.2 s" in said, said


def test_what_the_land_refuses_ends_both_in_one_line(inputs, tmp_path):
    short = xr.load_dataset(inputs / "luh2.nc").isel(time=slice(4))
    short.to_netcdf(tmp_path / "short.nc")
    for status, said in lockstep(inputs, tmp_path / "s", tmp_path / "short.nc"):
        assert status == 1 and said.count("\n") == 1 and f"no year {FIRST + 4}" in said, said
