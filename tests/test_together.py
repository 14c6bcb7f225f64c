"""Several processes learn what one learns; what does not fit into memory is streamed."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from ai4land.fit import notebook_knobs, processes
from ai4land.models.choose import make_networks
from ai4land.models.neural import Neural
from ai4land.models.unet import FromPrior
from ai4land.predict import predict_windows
from ai4land.runs import Experiment
from ai4land.samples import case_batch, make_split
from ai4land.samples.region import Layer
from ai4land.samples.stream import stream
from ai4land.samples.windows import WindowSampler
from ai4land.train import Schedule, Training

EXPERIMENT = Experiment(start=1995, train=(1980, 1992), validation=(1993, 1995), test=(1996, 2005))


@pytest.fixture(scope="module")
def split(changing_cube):
    return make_split("forecast", EXPERIMENT, changing_cube, None, 1)


def train_in(processes: int, folder: Path, parts: int = 2, fatal: int = 0) -> subprocess.CompletedProcess:
    """Run tests/together.py in one process, or under torchrun in several."""
    folder.mkdir(exist_ok=True)
    launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes > 1 else []
    script = Path(__file__).with_name("together.py")
    return subprocess.run(
        [sys.executable, *launch, str(script), str(folder), str(parts), str(fatal)],
        capture_output=True, text=True, timeout=300, cwd=script.parent,
    )  # fmt: skip


@pytest.mark.slow
def test_two_processes_learn_what_one_learns_and_go_on_from_a_checkpoint(tmp_path):
    one, two = train_in(1, tmp_path / "one"), train_in(2, tmp_path / "two")
    assert one.returncode == 0, one.stderr
    assert two.returncode == 0, two.stderr
    losses = [np.loadtxt(tmp_path / name / "loss.txt") for name in ("one", "two")]
    np.testing.assert_allclose(losses[1][:, 0], losses[0][:, 0], rtol=1e-4)
    # Batch statistics run over all parts in one process, and are averaged over two: alike, not equal.
    np.testing.assert_allclose(losses[1][:, 1], losses[0][:, 1], rtol=0.05)
    killed = train_in(2, tmp_path / "killed", fatal=6)
    assert killed.returncode != 0 and not (tmp_path / "killed" / "model").exists()
    assert torch.load(tmp_path / "killed" / "forecast.pt", weights_only=True)["step"] == 4
    again = train_in(2, tmp_path / "killed")
    assert again.returncode == 0, again.stderr
    ended = [load_file(tmp_path / name / "model" / "weights.safetensors") for name in ("two", "killed")]
    assert all((ended[0][k] == ended[1][k]).all() for k in ended[0])


def test_parts_that_cannot_be_dealt_to_the_processes_are_refused(tmp_path):
    done = train_in(2, tmp_path / "odd", parts=3)
    assert done.returncode != 0
    assert "3 parts of a step cannot be dealt to 2 processes; choose batch and at_once" in done.stderr


def test_the_gradient_of_a_step_does_not_depend_on_its_parts():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(4, 3, 16, 16, generator=generator)
    labels = torch.randint(0, 8, (4, 16, 16), generator=generator).to(torch.uint8)
    labels[0, :9] = 255  # parts with different numbers of labels
    ends = []
    for sizes in ([4], [1, 3]):
        torch.manual_seed(1)
        training = Training(torch.nn.Conv2d(3, 8, 3, padding=1), Schedule(precision="fp32", parts=len(sizes)), "")
        weights = (labels != 255) * (1.0 + (labels == 3))
        loss = training.advance(list(zip(*(part.split(sizes) for part in (inputs, labels, weights)), strict=True)))
        ends.append((loss, training.network.weight.detach().clone()))
    assert ends[0][0] == pytest.approx(ends[1][0], rel=1e-5)
    torch.testing.assert_close(ends[0][1], ends[1][1], atol=1e-6, rtol=1e-5)


def test_a_streamed_batch_equals_one_from_memory(changing_cube):
    split = make_split("forecast", EXPERIMENT.model_copy(update={"priors": 2}), changing_cube, None, 1)
    memory = WindowSampler(changing_cube, split, split.train, 48, (0.0, 1.0), 5)
    stored = replace(changing_cube, resident=False)
    lazy = WindowSampler(stored, split, split.train, 48, (0.0, 1.0), 5)
    read = list(stream(lazy, [4, 2, 9], 2, 2))
    for number, (batch, labels) in zip([4, 2, 9], read, strict=True):
        wanted, wanted_labels = memory.draw(number, 2)
        assert (labels == wanted_labels).all()
        for name in ("prior", "years", "valid", "start", "earlier"):
            assert (getattr(batch, name) == getattr(wanted, name)).all(), name
        assert (batch.coarse[25] == wanted.coarse[25]).all()
        assert (batch.static["elevation"] == wanted.static["elevation"]).all()


def test_a_network_trained_from_the_store_is_the_one_trained_from_memory(changing_cube, split):
    stored = replace(changing_cube, resident=False)
    schedule = Schedule(steps=4, every=2, precision="fp32")
    ends = []
    for cube in (changing_cube, stored):
        model = Neural(schedule, 48, 2, base=4, seed=3, workers=1).fit(cube, split)
        ends.append(predict_windows(model, case_batch(cube, split, split.test[0]), (0, 0)))
    np.testing.assert_array_equal(ends[0], ends[1])


def kill(year, window):
    """Instead of reading a map, end the process."""
    os._exit(9)


def test_a_lost_worker_is_said_with_what_to_do(changing_cube, split):
    deadly = Layer(kill, tuple(changing_cube.years("land_use")))
    stored = replace(changing_cube, resident=False).with_fields(land_use=deadly)
    sampler = WindowSampler(stored, split, split.train, 48, (0.0, 1.0), 5)
    with pytest.raises(
        RuntimeError, match=r"worker .* was lost .*goes on from its checkpoint.*fewer workers \(now 1\)"
    ):
        list(stream(sampler, [0], 2, 1))


def test_out_of_memory_says_what_to_lower(changing_cube, split, monkeypatch):
    def too_much(self, x):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(FromPrior, "forward", too_much)
    with pytest.raises(RuntimeError, match="out of memory with 2 windows of 48 x 48 cells at once; lower at_once, or"):
        Neural(Schedule(steps=2, every=2), 48, 2, base=4).fit(changing_cube, split)


def test_knobs_that_make_no_sense_are_refused(tmp_path):
    knobs = {"networks": "unet", "steps": 2, "every": 2, "window": 48, "batch": 8, "at_once": 3, "learning_rate": 1e-3,
             "lowest_mask": 0.0, "highest_mask": 1.0, "refine": "step", "precision": "fp32", "workers": 1,
             "change_weight": 1.0, "candidates": 1}  # fmt: skip
    with pytest.raises(ValueError, match="batch 8 is not a multiple of at_once 3"):
        make_networks(tmp_path, 1, **knobs)
    with pytest.raises(ValueError, match="networks 'unett': choose of"):
        make_networks(tmp_path, 1, **knobs | {"networks": "unett"})


def test_the_knobs_and_processes_of_fit(monkeypatch):
    knobs = notebook_knobs("tiny")
    assert (knobs["steps"], knobs["window"], knobs["batch"], knobs["networks"]) == (60, 64, 8, "unet")
    assert notebook_knobs("catalonia-twin")["steps"] == 450
    for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE", "SLURM_NTASKS", "SLURM_NTASKS_PER_NODE"):
        monkeypatch.delenv(name, raising=False)
    assert processes() == (1, 1)
    monkeypatch.setenv("SLURM_NTASKS", "8")
    monkeypatch.setenv("SLURM_NTASKS_PER_NODE", "4")
    assert processes() == (4, 2)
    monkeypatch.setenv("WORLD_SIZE", "2")  # torchrun inside a Slurm job
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert processes() == (2, 1)
