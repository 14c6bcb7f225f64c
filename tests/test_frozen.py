"""What moved since a frozen commit is found and named; equal is equal; what is missing is said."""

import sys

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from conftest import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
import frozen

PROBE = {
    "unet|probability|land_use": np.full((2, 3, 3), 0.5, np.float32), "xgboost|names": np.array(["slope", "years"]),
    "xgboost|table": np.ones((4, 2), np.float32), "unet|value|leaf_area_index": np.full((12, 3, 3), np.nan, np.float32),
}  # fmt: skip


def scores(**values: float) -> pd.DataFrame:
    rows = [("forecast", model, "overall_accuracy", value, 9) for model, value in values.items()]
    return pd.DataFrame(rows, columns=["experiment", "model", "metric", "value", "cells"])


def write_results(root, table: pd.DataFrame) -> None:
    """What ``make all RUN=fake`` would leave."""
    results, cube = root / "data" / "results" / "fake", root / "data" / "processed" / "fake" / "cube.zarr"
    (results / "models" / "unet").mkdir(parents=True)
    (root / "data" / "runs" / "fake").mkdir(parents=True)
    (results / "models" / "unet" / "weights.safetensors").write_text("weights")
    table.to_csv(results / "scores.csv", index=False)
    (results / "costs-unet.csv").write_text("seconds\n1.5\n")
    maps = xr.DataArray(np.zeros((2, 3, 3), np.uint8), {"time": [1999, 2000]}, ("time", "lat", "lon"))
    maps.to_dataset(name="land_use").to_zarr(results / "land_use.zarr", consolidated=False)
    maps.to_dataset(name="land_use").to_zarr(cube, group="fine", consolidated=False)


@pytest.fixture
def compared(tmp_path, monkeypatch, capsys):
    """Compares equal results, or such as a function has changed; returns exit status and words."""
    base, learned = tmp_path / "frozen" / "abc" / "fake", (0.9, 0.91, 0.92)
    for seed, value in enumerate(learned, 1):
        root = tmp_path / f"parent{seed}"
        write_results(root, scores(persistence=0.8, unet=value))
        if seed > 1:
            (root / "data" / "results" / "fake").rename(root / "data" / "results" / f"fake-seed{seed}")
        frozen.keep(root, "fake", seed, base / str(seed))
    np.savez(base / "1" / "probe.npz", **PROBE)
    table = pd.DataFrame([("abc", "fake", "1", "tables", "scores.csv", "0")], columns=[*frozen.KEYS, "sha256"])
    frozen.record(table, tmp_path / "frozen-fake.csv")
    today = tmp_path / "today"
    write_results(today, scores(persistence=0.8, unet=0.9))

    def compare(change=lambda results: None, **probe):
        change(today / "data" / "results" / "fake")
        monkeypatch.setattr(frozen, "ROOT", today)
        monkeypatch.setattr(frozen, "commit_of", lambda name: name)
        monkeypatch.setattr(frozen, "run_probe", lambda *a: np.savez(a[-1], **(PROBE | probe)))
        argv = ["frozen.py", "compare", "--run", "fake", "--folder", str(base.parent.parent)]
        monkeypatch.setattr(sys, "argv", [*argv, "--manifests", str(tmp_path)])
        return frozen.main(), capsys.readouterr().out

    return compare


def test_equal_results_break_no_rule_and_nothing_is_said_to_have_moved(compared):
    status, said = compared()
    assert status == 0 and "0 rules broken or parts missing, 0 moved" in said
    assert "costs" not in said


def test_a_cell_that_moved_is_named_with_its_store_and_how_far(compared):
    def change(results):
        data = xr.open_zarr(results / "land_use.zarr", consolidated=False).load()
        data["land_use"][1, 0, 0] = 4
        data.to_zarr(results / "land_use.zarr", mode="w", consolidated=False)

    status, said = compared(change)
    assert status == 0, "a store that moved breaks no rule"
    assert "moved   land_use.zarr/land_use: 5.5556% of cells differ in 1 of 2 years, at most by 4" in said


def test_a_row_of_a_model_that_learns_nothing_must_be_equal(compared):
    status, said = compared(
        lambda results: scores(persistence=0.8001, unet=0.9).to_csv(results / "scores.csv", index=False)
    )
    assert status == 1 and "BROKEN  scores, nothing learned: 1 of 1 rows differ" in said
    assert "forecast persistence overall_accuracy: 0.8, today 0.8001" in said


@pytest.mark.parametrize(("value", "status", "mark"), [(0.925, 0, "moved "), (0.96, 1, "BROKEN")])
def test_a_learned_row_may_move_within_three_standard_deviations_of_the_seeds(compared, value, status, mark):
    found, said = compared(
        lambda results: scores(persistence=0.8, unet=value).to_csv(results / "scores.csv", index=False)
    )
    assert found == status and f"{mark}  scores, learned: 1 of 1 rows moved" in said


def test_weights_and_rows_and_stores_that_are_missing_are_said(compared):
    def change(results):
        (results / "models" / "unet" / "weights.safetensors").unlink()
        (results / "land_use.zarr" / "zarr.json").unlink()
        scores(unet=0.9).to_csv(results / "scores.csv", index=False)

    status, said = compared(change)
    assert status == 1 and "models/unet/weights.safetensors: missing today" in said
    assert "BROKEN  scores: 1 rows missing (0 precision), 0 new" in said
    assert "BROKEN  land_use.zarr/land_use: missing today" in said


def test_parent_weights_must_give_the_same_probabilities_and_trees_the_same_predictors(compared):
    other = np.stack([np.full((3, 3), 0.4), np.full((3, 3), 0.6)]).astype(np.float32)
    status, said = compared(**{"unet|probability|land_use": other})
    assert (
        status == 1 and "BROKEN  unet|probability|land_use: largest difference 1.0e-01, 0.0000% equal classes" in said
    )
    assert "equal   xgboost|table" in said
    status, said = compared(**{"xgboost|table": np.zeros((4, 2), np.float32)})
    assert status == 1 and "BROKEN  xgboost|table" in said


def test_a_folder_made_again_with_other_hashes_is_said_to_differ(tmp_path, capsys):
    table = pd.DataFrame([("abc", "fake", "1", "probe", "unet", "12")], columns=[*frozen.KEYS, "sha256"])
    path = tmp_path / "frozen-fake.csv"
    assert frozen.record(table, path) == 0 and frozen.record(table, path) == 0
    assert frozen.record(table.assign(sha256="34"), path) == 1
    assert "1 of 1 hashes differ\n  probe unet" in capsys.readouterr().out


def test_a_run_that_was_not_frozen_or_not_made_is_refused_in_one_line(compared, tmp_path):
    (tmp_path / "today" / "data" / "results" / "fake" / "scores.csv").unlink()
    with pytest.raises(SystemExit, match=r"no scores\.csv; make all RUN=fake there first"):
        compared()
    (tmp_path / "frozen-fake.csv").unlink()
    with pytest.raises(SystemExit, match=r"frozen-fake\.csv: not there; .* make PARENT --runs fake first"):
        compared()


def test_hashes_are_of_values():
    a = np.array([1.0, np.nan], np.float32)
    b = np.array([1.0, -np.nan], np.float32)
    assert frozen.digest(a) == frozen.digest(b) != frozen.digest(a.astype(float))
