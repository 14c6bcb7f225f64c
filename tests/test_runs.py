import shutil

import pytest
import yaml

from ai4land import runs
from ai4land.legend import DATA
from ai4land.runs import Experiment, read_run


@pytest.fixture
def edited(tmp_path, monkeypatch):
    """Writes the tiny run with changed keys into a folder of its own."""
    monkeypatch.setattr(runs, "DATA", tmp_path / "data")
    shutil.copytree(DATA / "runs" / "tiny", tmp_path / "data" / "runs" / "tiny")
    path = tmp_path / "data" / "runs" / "tiny" / "run.yml"

    def edit(**changes):
        path.write_text(yaml.safe_dump({**yaml.safe_load((DATA / "runs" / "tiny" / "run.yml").read_text()), **changes}))

    return edit


@pytest.mark.parametrize("name", sorted(p.parent.name for p in (DATA / "runs").glob("*/run.yml")))
def test_every_run_of_the_repository_is_valid(name):
    run = read_run(name)
    assert run.shown in run.experiments and run.map_years == sorted(run.map_years)


def test_a_misspelt_key_is_named(edited):
    edited(regoins=["tiny_west"])
    with pytest.raises(ValueError, match=r"run.yml: regoins: Extra inputs are not permitted"):
        read_run("tiny")


def test_an_unknown_region_is_named(edited):
    edited(regions=["tiny_west", "atlantis"])
    with pytest.raises(ValueError, match="region 'atlantis' is not in data/regions.csv"):
        read_run("tiny")


def test_years_that_the_run_lacks_are_named(edited):
    edited(years=[1985, 1999])
    with pytest.raises(ValueError, match=r"needs years \[2000\]"):
        read_run("tiny")


def test_an_unknown_run_lists_the_known_ones():
    with pytest.raises(FileNotFoundError, match="known runs are.*'uk'"):
        read_run("ukk")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": (1980, 2001)}, "train years .* overlap the test years"),
        ({"validation": None}, "needs validation years"),
        ({"start": 2003}, "lies inside the test years"),
        ({"coarse_cells": (30,)}, "multiples of 25"),
        ({"folds": 1}, "one fold leaves nothing"),
        ({"folds": 3, "hide_prior": True}, "hide_prior is of spatial folds without train years"),
        ({"product": True}, "product, members and allocation: false are of stepwise experiments only"),
        ({"folds": 4, "fold_cells": 50, "coarse_cells": (25, 100)}, "must hold whole coarse cells"),
    ],
)
def test_experiments_that_would_leak_or_cannot_run_are_refused(changes, message):
    good = {"start": 2000, "train": (1980, 1995), "validation": (1996, 2000), "test": (2001, 2005)}
    Experiment(**good)
    with pytest.raises(ValueError, match=message):
        Experiment(**{**good, **changes})


def test_leads_and_periods():
    run = read_run("crete")
    assert list(run.lead_groups("forecast_perfect_coarse")) == ["1-12", "13-15"]
    assert run.experiments["hindcast_perfect_coarse"].targets[:3] == [1980, 1979, 1978]


@pytest.mark.parametrize("name", ["catalonia", "san-diego", "himalayas"])
def test_the_papers_cases_run_on_real_data_and_on_the_twin_earth(name):
    real, twin = read_run(name), read_run(f"{name}-twin")
    assert not real.synthetic and twin.synthetic and "synthetic" in twin.title and "synthetic" in twin.source
    assert twin.name == f"{name}-twin" and twin.experiments == real.experiments
    assert {e.mask_ratio for e in real.experiments.values()} == {0, 0.6, 0.75, 1}
    assert real.experiments["spatial"].folds == 5


def test_borrowed_models_must_know_as_many_prior_maps(edited):
    experiments = read_run("tiny").model_dump(mode="json", exclude_defaults=True)["experiments"]
    experiments["masked_60"]["priors"] = 4
    edited(experiments=experiments)
    with pytest.raises(ValueError, match="experiment masked_60: priors 4, but its models were trained as forecast"):
        read_run("tiny")


def test_borrowed_models_that_learned_from_the_years_they_are_judged_on_are_refused(edited):
    experiments = yaml.safe_load((DATA / "runs" / "tiny" / "run.yml").read_text())["experiments"]
    leaking = experiments["masked_60"] | {"start": 1991, "test": [1992, 1994]}
    edited(experiments=experiments | {"masked_60": leaking})
    with pytest.raises(ValueError, match=r"masked_60: .* learned from test years \[1992, 1993, 1994\]"):
        read_run("tiny")


def test_spatial_folds_and_a_shared_network_are_refused_together(edited):
    """Folds are dealt region by region: the network would learn from blocks that a region holds out."""
    experiments = yaml.safe_load((DATA / "runs" / "tiny" / "run.yml").read_text())["experiments"]
    spatial = {"start": 1999, "test": [2000, 2000], "folds": 4, "coarse": "luh2", "priors": 2}
    edited(experiments=experiments | {"spatial": spatial})
    with pytest.raises(ValueError, match="spatial: spatial folds are dealt region by region"):
        read_run("tiny")
    edited(experiments=experiments | {"spatial": spatial}, weights="own")
    assert read_run("tiny").experiments["spatial"].folds == 4


def test_a_product_under_a_scenario_that_the_inputs_lack_is_refused(edited):
    edited(inputs=yaml.safe_load((DATA / "runs" / "tiny" / "run.yml").read_text())["inputs"] | {"scenarios": {}})
    with pytest.raises(ValueError, match="to_2074_ssp126: scenario ssp126 is not among the inputs' "):
        read_run("tiny")
