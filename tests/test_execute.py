import subprocess
import sys

import nbformat
import pytest

from ai4land.execute import check_parameters, read_knobs


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


def run(notebook, output, *arguments):
    command = [sys.executable, "-m", "ai4land.execute", str(notebook), str(output), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


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
