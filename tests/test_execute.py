import errno
import os
import re
import subprocess
import sys
import time

import nbformat
import pytest

from ai4land.execute import check_parameters, locked, read_knobs


@pytest.fixture
def notebook(tmp_path):
    """Notebook with one parameter that fails when it is negative."""
    cells = [
        nbformat.v4.new_code_cell("number: int = 1  # anything", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("if number < 0:\n    raise ValueError(f'number is {number}; give a positive one.')"),
    ]
    path = tmp_path / "books" / "01-try-it.ipynb"
    path.parent.mkdir()
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)
    return path


def command(notebook, output, *arguments):
    return [sys.executable, "-m", "ai4land.execute", str(notebook), str(output), *map(str, arguments)]


def run(notebook, output, *arguments):
    return subprocess.run(command(notebook, output, *arguments), capture_output=True, text=True, timeout=120)


@pytest.fixture
def ticking(notebook, tmp_path):
    """Notebook that writes its process number to a file, ten times a second, until the file `stop` exists."""
    book = nbformat.read(notebook, 4)
    book.cells[1].source = (
        "import os, pathlib, time\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "while not (folder / 'stop').exists():\n"
        "    (folder / 'ticks').open('a').write(f'{os.getpid()}\\n')\n"
        "    time.sleep(0.1)"
    )
    nbformat.write(book, notebook)
    return notebook


def wait_for_ticks(folder, kernels=1):
    deadline = time.monotonic() + 60
    while len(set(ticks(folder))) < kernels:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def ticks(folder):
    path = folder / "ticks"
    return path.read_text().split() if path.exists() else []


def test_of_two_started_for_one_output_one_works_and_the_other_names_it_and_stops(ticking, tmp_path):
    output = tmp_path / "out" / "01-try-it.ipynb"
    first = subprocess.Popen(command(ticking, output))
    wait_for_ticks(tmp_path)
    log = output.with_suffix(".log").read_bytes()
    second = run(ticking, output)
    assert second.returncode == 1 and second.stdout == ""
    holder = rf"pid {first.pid} on {re.escape(os.uname().nodename)}, since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d,"
    assert re.fullmatch(rf"out/01-try-it: FAILED: {holder} makes it; wait for that, .*\n", second.stderr)
    assert output.with_suffix(".log").read_bytes().startswith(log), "the first's log is left alone"
    (tmp_path / "stop").touch()
    assert first.wait(60) == 0 and output.exists()
    assert len(set(ticks(tmp_path))) == 1


def test_a_killed_step_leaves_no_lock_and_its_orphaned_kernel_writes_nothing_beside_the_next(ticking, tmp_path):
    output = tmp_path / "out" / "01-try-it.ipynb"
    first = subprocess.Popen(command(ticking, output))
    wait_for_ticks(tmp_path)
    first.kill()  # the kernel is a process of its own
    first.wait()
    second = subprocess.Popen(command(ticking, output))
    wait_for_ticks(tmp_path, kernels=2)
    (tmp_path / "stop").touch()
    assert second.wait(60) == 0 and output.exists()
    written = ticks(tmp_path)
    old, new = written[0], written[-1]
    assert old != new and written == [old] * written.count(old) + [new] * written.count(new)


def test_a_misspelt_parameter_names_the_known_ones(notebook):
    with pytest.raises(
        ValueError, match=r"knobs.yml: 01-try-it.ipynb has no parameter \['nubmer'\]; it has \['number'\]"
    ):
        check_parameters(notebook, {"nubmer": 3}, "knobs.yml")
    assert read_knobs(notebook.with_name("absent.yml")) == {}


def test_a_failed_step_leaves_no_target_says_why_in_one_line_and_runs_again(notebook, tmp_path):
    knobs, output = tmp_path / "knobs.yml", tmp_path / "out" / "01-try-it.ipynb"
    knobs.write_text("number: -1\n")
    failed = run(notebook, output, "-f", knobs)
    assert failed.returncode == 1
    # Cell 2 is the one that papermill adds with the parameters given.
    assert "FAILED in cell 3: ValueError: number is -1; give a positive one." in failed.stderr
    assert "Traceback" not in failed.stderr
    assert not output.exists() and output.with_suffix(".running.ipynb").exists()
    knobs.write_text("number: 2\n")
    done = run(notebook, output, "-f", knobs)
    assert done.returncode == 0, done.stderr
    assert output.exists() and not output.with_suffix(".running.ipynb").exists()
    knobs.write_text("nubmer: 2\n")
    misspelt = run(notebook, output, "-f", knobs)
    assert misspelt.returncode == 1 and "no parameter ['nubmer']" in misspelt.stderr


def test_kernels_use_sockets_of_their_own_not_tcp_ports_that_others_may_take(notebook, tmp_path):
    book = nbformat.read(notebook, 4)
    book.cells[1].source = "import json\nfrom ipykernel.connect import get_connection_info\n"
    book.cells[1].source += "found = json.loads(get_connection_info())['transport']\n"
    book.cells[1].source += "if found != 'ipc':\n    raise ValueError(found)"
    nbformat.write(book, notebook)
    done = run(notebook, tmp_path / "out" / "01-try-it.ipynb")
    assert done.returncode == 0, done.stderr


def test_a_file_system_without_locks_is_warned_of_and_the_step_runs(tmp_path, monkeypatch, capsys):
    def flock(file, operation):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", flock)
    with locked(tmp_path / "out" / "01-try-it.ipynb"):
        assert re.fullmatch(r"\S+/01-try-it.lock: no lock .* \(No locks available\); .*\n", capsys.readouterr().err)
