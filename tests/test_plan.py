import socket
import subprocess
import sys

import pandas as pd
import pytest
from conftest import ROOT
from tiny_run import tiny_land_use

from ai4land import plan
from ai4land.experiments import Experiment
from ai4land.grid import read_regions
from ai4land.plan import Plan, describe, read_rates, region_sizes, stepped_years
from ai4land.runs import read_run
from ai4land.sources.report import data_report

sys.path.append(str(ROOT / "benchmarks"))
import rates

RATES = {  # powers of two, so that every sum shows its parts
    "own grids": 1.0, "regrid": 2.0, "train": 4.0, "network": 8.0, "allocate": 16.0, "write": 32.0, "stitch": 64.0,
    "grow trees": 128.0, "predict trees": 256.0, "disk, maps": 1.0, "disk, luh2": 2.0, "disk, rollout": 4.0,
    "disk, product": 8.0,
}  # fmt: skip


def tiny(**changes):
    """The tiny run: two regions of 100 x 100 cells, 20 maps, a rollout of five years."""
    run = tiny_land_use()
    experiments = {n: e for n, e in run.experiments.items() if n in ("forecast", "rollout_forward")}
    inputs = run.inputs.model_copy(update={"scenarios": {}})
    return run.model_copy(update={"experiments": experiments, "inputs": inputs, **changes})


def test_hours_are_the_runs_numbers_times_the_rates():
    run = tiny(weights="own")
    assert (len(run.regions), len(run.map_years)) == (2, 20)
    hours = (Plan(run, RATES).hours()["hours"] * 3600).round(6)
    cells = 0.02  # million, all of them land
    # 166 years of LUH2; 20 maps; data/runs/tiny: 60 steps of 8 windows of 64 x 64 cells in each of two regions, and
    # five test years predicted and allocated; 20000 rows and 30 rounds in each region; a rollout of five years.
    assert hours["01-download, without the transfer"] == pytest.approx(cells * 166 * 1)
    assert hours["02-regrid"] == pytest.approx(cells * 20 * 2)
    assert hours["03-train-unet"] == pytest.approx(2 * 60 * 8 * 64**2 / 1e6 * 4 + 5 * cells * (8 + 16))
    assert hours["04-train-trees"] == pytest.approx(2 * 0.02 * 30 * 128 + 5 * cells * 30 * 256)
    members = run.experiments["rollout_forward"].members
    assert hours["06-reconstruct"] == pytest.approx(members * 5 * cells * (8 + 16 + 32))


def test_a_shared_network_is_trained_once_for_all_regions():
    own, shared = (Plan(tiny(weights=w), RATES).hours()["hours"] for w in ("own", "shared"))
    once = 60 * 8 * 64**2 / 1e6 * 4 / 3600
    assert shared["03-train-unet, the shared network"] == pytest.approx(once)
    assert own["03-train-unet"] - shared["03-train-unet"] == pytest.approx(2 * once)


def test_disk_counts_maps_forcing_every_member_and_the_product():
    rollout = Experiment(
        start=2004, test=(2005, 2007), priors=2, trained_as="forecast", stepwise=True, product=True, members=3,
        coarse="luh2",
    )  # fmt: skip
    forecast = tiny_land_use().experiments["forecast"]
    disk = Plan(tiny(experiments={"forecast": forecast, "on": rollout}), RATES).disk()
    # 20 maps and 166 years of LUH2; three members of three years; 20 reference years and three more.
    expected = {"cube": 0.02 * (20 * 1 + 166 * 2), "rollouts": 0.02 * 9 * 4, "product": 0.02 * 23 * 8}
    assert disk.round(9).to_dict() == pytest.approx(expected)


def test_a_rollout_backward_steps_from_its_start_to_its_first_test_year():
    common = {"trained_as": "x", "stepwise": True}
    assert stepped_years(Experiment(start=1960, test=(1850, 1959), **common)) == 110
    assert stepped_years(Experiment(start=2015, test=(2020, 2100), **common)) == 85


def test_a_step_without_a_measured_rate_says_so_and_the_total_is_a_least_one(tmp_path):
    run = tiny(weights="own")
    known = {step: rate for step, rate in RATES.items() if step not in ("write", "disk, rollout")}
    text = describe(Plan(run, known), data_report(run, tmp_path), "cpu", 2)
    row = next(line for line in text.splitlines() if "06-reconstruct" in line)
    assert row.split()[1:] == ["2", "not", "measured", "not", "measured"]
    assert "Total: at least" in text and "rollouts not measured" in text


def test_jobs_at_once_shorten_steps_of_many_jobs_only():
    run = tiny(weights="shared", experiments=tiny_land_use().experiments)
    report = pd.DataFrame({"state": [], "licence": [], "dataset": [], "host": [], "files": [], "gigabytes": []})
    # a tenth of a million times the rates, so that two decimals are enough
    slow = {step: 1e5 * rate for step, rate in RATES.items()}
    one, two = (describe(Plan(run, slow), report, "cpu", n).splitlines() for n in (1, 2))
    for step, factor in (("02-regrid", 2), ("03-train-unet, the shared network", 1), ("07-stitch", 2)):
        long, short = (float(next(line for line in lines if step in line).split()[-1]) for lines in (one, two))
        assert long == pytest.approx(factor * short, abs=0.02)


def test_a_device_that_was_never_measured_is_refused_in_one_line_that_names_the_known_ones(tmp_path, monkeypatch):
    rows = [("cpu", "train", 4.0), ("cpu", "network", 8.0), ("cpu", "regrid", 2.0), ("h200", "train", 0.5),
            ("h200", "network", 0.25), ("a100", "allocate", 1.0)]  # fmt: skip
    pd.DataFrame(rows, columns=["device", "step", "rate"]).to_csv(tmp_path / "rates.csv", index=False)
    monkeypatch.setattr(plan, "DATA", tmp_path)
    # One that was measured at allocation alone does not count.
    for device in ("h100", "a100"):
        with pytest.raises(ValueError, match=f"'{device}'; known: cpu, h200; run `make bench`") as refused:
            read_rates(device)
        assert "\n" not in str(refused.value)
    assert read_rates("h200") == {"train": 0.5, "network": 0.25, "regrid": 2.0}


def test_every_rate_of_the_table_is_positive_and_says_what_measured_it_and_when():
    table = pd.read_csv(ROOT / "data" / "rates.csv", dtype={"date": str})
    assert list(table.columns) == ["device", "step", "unit", "rate", "command", "date"]
    assert (table["rate"] > 0).all() and table.notna().all().all()
    assert not table.duplicated(["device", "step"]).any()
    assert table["date"].str.fullmatch(r"\d{4}-\d\d-\d\d").all()
    for command in table["command"].unique():
        assert (ROOT / command.split()[1]).exists(), command


def test_the_rates_are_those_that_the_benchmarks_measured():
    table = pd.read_csv(ROOT / "data" / "rates.csv").drop(columns="date")
    pd.testing.assert_frame_equal(table, rates.gather())  # else: python benchmarks/rates.py


def test_a_region_of_60_maps_costs_what_the_benchmark_of_that_region_says():
    measured = pd.read_csv(ROOT / "benchmarks" / "results" / "region.csv").set_index("what")["value"]
    seconds = pd.read_csv(ROOT / "data" / "rates.csv").set_index("step").loc["regrid", "rate"]
    # 2000 x 6000 cells.
    assert seconds * 12 * 60 / 60 == pytest.approx(
        measured["region, 60 years of land use and statics, one worker"], rel=1e-3
    )


@pytest.mark.parametrize(
    ("name", "key"),
    [("NVIDIA H100 80GB HBM3", "h100"), ("NVIDIA A100-SXM4-40GB", "a100"), ("AMD EPYC, 1 thread", "cpu"),
     ("CPU, 1 thread", "cpu")],
)  # fmt: skip
def test_a_device_is_known_by_a_short_name(name, key):
    assert rates.short(name) == key


def test_land_of_the_globe_is_that_of_its_regions_and_of_others_all_cells():
    sizes = region_sizes(read_run("global"))
    assert (sizes["cells"].round(9) == 12).all()  # 2000 x 6000 cells
    assert sizes["land"].tolist() == pytest.approx((12 * read_regions().loc[sizes.index, "land"]).tolist())
    assert region_sizes(tiny_land_use())["land"].tolist() == pytest.approx([0.01, 0.01])


def test_the_globe_is_planned_offline_before_anything_is_there(tmp_path, monkeypatch, capsys):
    def refuse(*args, **more):
        raise OSError("asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(sys, "argv", ["plan", "global", str(tmp_path / "none")])
    plan.main()
    text = capsys.readouterr().out
    assert "39 regions, 468.0 million cells" in text and "luh.umd.edu" in text
    assert "Downloads: none" not in text and not (tmp_path / "none").exists()


def test_an_unknown_run_ends_with_one_line():
    command = [sys.executable, "-m", "ai4land.plan", "globe", "x"]
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert refused.returncode == 1 and refused.stderr.count("\n") == 1 and "run 'globe'" in refused.stderr
