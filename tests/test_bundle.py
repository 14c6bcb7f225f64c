"""A bundle is whole or not there, says what it is, and its three formats agree."""

import hashlib
import json

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch
from test_export_graph import luh2_case as luh2_case
from test_export_graph import raw, same

from ai4land.export import bundle
from ai4land.export.bundle import trained_on, write_bundle
from ai4land.export.card import score_table
from ai4land.export.checksums import check_sums
from ai4land.export.formats import SUFFIXES
from ai4land.export.graph import LandUseGraph
from ai4land.grid import GLOBAL
from ai4land.runs import read_run
from ai4land.samples import cut_batch

pytestmark = pytest.mark.xdist_group("bundle")  # PyTorch takes a minute to export what all of them read
GRID = GLOBAL.cut(slice(5000, 6000), slice(20000, 21000))
NAME = "land_use-forward"


def inputs(licence="none: synthetic"):
    return [{"role": "land_use", "dataset": "hilda_plus_v2", "file": "a.tif", "licence": licence, "doi": "10.1594/P"}]


def scores(**more):
    """Two models of one experiment of the run `demo`, at two leads."""
    pooled = dict.fromkeys(("fold", "region", "month", "member", "class"), "all")
    keys = {"experiment": "forecast", "target": "land_use", "legend": "land_use", "split": "test", "weight": "cells"}
    keys |= {**pooled, "cells": 9.0}
    values = {"unet": 0.98764, "persistence": 0.91234}
    rows = [{**keys, "model": model, "lead": lead, "metric": "overall_accuracy", "value": value, **more}
            for lead in ("1", "10", "1-10") for model, value in values.items()]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def made(luh2_case, tmp_path_factory):
    """The bundle of an untrained network."""
    folder = tmp_path_factory.mktemp("made")
    path = folder / "unet-shared" / "forecast"
    luh2_case[0].save(path)
    return write_bundle(folder / "emulator", {NAME: path}, read_run("demo"), GRID, inputs(), scores())


@pytest.fixture(scope="module")
def formats(made):
    """Every format as a function of the inputs in their order."""
    files = {kind: made / f"{NAME}{suffix}" for kind, suffix in SUFFIXES.items()}
    session = onnxruntime.InferenceSession(files["onnx"], providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]

    def by_onnx(*values):
        return torch.as_tensor(session.run(None, dict(zip(names, (v.numpy() for v in values), strict=True)))[0])

    program, script = torch.export.load(files["torch.export"]).module(), torch.jit.load(files["torchscript"])
    return {"onnx": by_onnx, "torch.export": program, "torchscript": script}


@pytest.mark.parametrize("kind", SUFFIXES)
@pytest.mark.parametrize(("top", "left", "rows", "cols"), [(0, 0, 96, 96), (3, 20, 32, 80), (27, 49, 64, 48)])
def test_the_formats_agree_in_windows_of_any_size(formats, luh2_case, kind, top, left, rows, cols):
    model, cube, batch = luh2_case
    graph, window = LandUseGraph(model), cut_batch(batch, top, left, (rows, cols))
    wanted = np.random.default_rng(0).dirichlet(np.ones(4), (4, 4)).transpose(2, 0, 1)[None].astype(np.float32)
    wanted[..., 0, 1] = np.nan
    for shares in (None, wanted):
        values = raw(graph, cube, window, shares)
        with torch.inference_mode():
            same(formats[kind](*values).numpy(), graph(*values).numpy())


def test_the_smallest_window_and_fewer_coarse_cells(formats, luh2_case):
    model, cube, batch = luh2_case
    graph, window = LandUseGraph(model), cut_batch(batch, 2, 3, (16, 16))
    values = [v[:, :, :1, :1] if v.ndim == 4 and v.shape[2:] == (4, 4) else v for v in raw(graph, cube, window)]
    with torch.inference_mode():
        expected = graph(*values).numpy()
        for kind in ("onnx", "torchscript"):
            same(formats[kind](*values).numpy(), expected)


def test_it_says_what_it_is_and_its_sums_hold(made):
    about = json.loads((made / "model.json").read_text())
    graph = about["graphs"][NAME]
    assert about["format_version"] == 1 and about["synthetic"] and about["licence"] == "none: synthetic"
    assert about["corner"] == [5000, 20000] and about["cell_degrees"] == 0.01
    assert (graph["target"], graph["direction"], graph["legend"]) == ("land_use", "forward", "land_use")
    assert graph["trained_on"] == {
        "experiment": "forecast", "years": [1985, 1997], "validation": [1998, 2000],
        "regions": ["demo_nw", "demo_ne", "demo_sw", "demo_se"],
    }  # fmt: skip
    listed = check_sums(made)
    assert listed == {p.name for p in made.iterdir()} - {"SHA256SUMS"} and len(listed) == 5
    for name, digest in about["files"].items():
        assert hashlib.sha256((made / name).read_bytes()).hexdigest() == digest
    session = onnxruntime.InferenceSession(made / graph["file"], providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_inputs()] == [one["name"] for one in graph["inputs"]]
    assert [one.name for one in session.get_outputs()] == ["probability"]


def test_the_card_says_synthetic_first_and_shows_persistence_and_the_terms(made):
    text = (made / "README.md").read_text()
    assert text.split("\n\n")[1].startswith("> **SYNTHETIC DATA.**")
    assert "0.9876" in text and "0.9123" in text and "executes no code" in text and "$" not in text
    assert "Winkler et al. (2021)" in text, "whom to cite"


def test_scores_are_those_of_the_networks(luh2_case):
    graphs = {NAME: {"target": "land_use", "trained_on": {"experiment": "forecast"}}}
    table = score_table(read_run("demo"), graphs, scores())
    assert [line.split(" | ")[3] for line in table.splitlines()[2:]] == ["1", "1", "1-10", "1-10", "10", "10"]
    for other in ({"experiment": "elsewhere"}, {"split": "validation"}, {"model": "xgboost"}, {"weight": "km2"}):
        assert "Not measured" in score_table(read_run("demo"), graphs, scores(**other)), other


def test_the_licence_is_what_the_inputs_demand(luh2_case, tmp_path, monkeypatch):
    monkeypatch.setattr(bundle, "write_formats", lambda graph, about, stem: [_touched(stem)])
    luh2_case[0].save(tmp_path / "unet-shared" / "forecast")
    models = {"land_use": tmp_path / "unet-shared" / "forecast"}
    run = replace_run(synthetic=False)
    out = write_bundle(tmp_path / "e", models, run, GRID, inputs("CC-BY-SA-4.0"), scores())
    about = json.loads((out / "model.json").read_text())
    assert about["licence"] == "CC-BY-SA-4.0" and about["graphs"]["land_use"]["direction"] == "both"
    assert "SYNTHETIC" not in (out / "README.md").read_text()


def test_a_killed_writing_leaves_the_former_bundle(luh2_case, tmp_path, monkeypatch):
    def dies(graph, about, stem):
        _touched(stem)
        raise KeyboardInterrupt

    luh2_case[0].save(tmp_path / "unet-shared" / "forecast")
    (tmp_path / "emulator").mkdir()
    (tmp_path / "emulator" / "model.json").write_text("former")
    models = {NAME: tmp_path / "unet-shared" / "forecast"}
    monkeypatch.setattr(bundle, "write_formats", dies)
    with pytest.raises(KeyboardInterrupt):
        write_bundle(tmp_path / "emulator", models, read_run("demo"), GRID, inputs(), scores())
    assert (tmp_path / "emulator" / "model.json").read_text() == "former"
    monkeypatch.setattr(bundle, "write_formats", lambda graph, about, stem: [_touched(stem)])
    write_bundle(tmp_path / "emulator", models, read_run("demo"), GRID, inputs(), scores())
    assert {p.name for p in tmp_path.iterdir()} == {"emulator", "unet-shared"} and check_sums(tmp_path / "emulator")


def test_unknown_graphs_and_networks_are_refused_in_one_line(tmp_path):
    for models in ({"crops-forward": tmp_path}, {"land_use-forwards": tmp_path}):
        with pytest.raises(ValueError, match="names begin with") as error:
            write_bundle(tmp_path / "e", models, read_run("demo"), GRID, inputs(), scores())
        assert "\n" not in str(error.value) and not (tmp_path / "e").exists()
    with pytest.raises(ValueError, match="no experiment nowhere"):
        trained_on(read_run("demo"), tmp_path / "unet-shared" / "nowhere")
    spatial = trained_on(read_run("uk"), tmp_path / "unet-uk_north" / "perfect_coarse_0.5_degree-fold3")
    assert spatial["years"] == [2009, 2012] and spatial["regions"] == ["uk_north"]


def replace_run(**more):
    return read_run("demo").model_copy(update=more)


def _touched(stem):
    path = stem.with_name(f"{stem.name}.onnx")
    path.write_text("")
    return path
