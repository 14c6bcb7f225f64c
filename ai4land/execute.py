"""Run one notebook as one step: ``python -m ai4land.execute notebook output [-f knobs.yml] [-r name value]...``.

papermill writes its output even when a cell fails, and only warns of an unknown parameter. Here the
output appears under its name only when all cells ran, and a misspelt parameter stops the step. A step
that is started twice runs once.
"""

import argparse
import fcntl
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import papermill
import yaml
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from ai4land.runs import read_run

LOG = logging.getLogger("ai4land")


def check_parameters(notebook: Path, given: dict[str, object], source: str) -> None:
    """Raise ValueError if a parameter is not in the notebook's parameters cell."""
    known = set(papermill.inspect_notebook(str(notebook)))
    unknown = sorted(set(given) - known)
    if unknown:
        raise ValueError(f"{source}: {notebook.name} has no parameter {unknown}; it has {sorted(known)}.")


def read_knobs(path: Path | None) -> dict[str, object]:
    """Parameters of a YAML file, empty where there is none."""
    return (yaml.safe_load(path.read_text()) or {}) if path and path.exists() else {}


@contextmanager
def locked(output: Path) -> Iterator[None]:
    """Hold the lock of a step, ``<stem>.lock`` beside its output, as long as the context lasts.

    The operating system lets go of the lock (``flock``) when the process ends, however it ends: a killed job leaves
    no stale one. It holds between nodes on NFS 4 and on Lustre mounted with ``flock``; a file system without locks
    is warned of, and not waited for.

    Raises
    ------
    BlockingIOError
        If another process holds it; the message names host, process and time.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.with_suffix(".lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            msg = f"{file.read() or 'another process'} makes it; wait for that, or stop it and start again."
            raise BlockingIOError(msg) from None
        except OSError as error:
            print(f"{file.name}: no lock can be held here ({error.strerror}); start no step twice.", file=sys.stderr)
        file.truncate(0)
        file.write(f"pid {os.getpid()} on {os.uname().nodename}, since {datetime.now().isoformat(' ', 'seconds')},")
        file.flush()
        yield


def execute(notebook: Path, output: Path, parameters: dict[str, object]) -> None:
    """Execute a notebook from its own folder; the executed copy appears only when every cell ran.

    Parameters
    ----------
    notebook : pathlib.Path
    output : pathlib.Path
        The executed copy; ``<stem>.running.ipynb`` and ``<stem>.log`` stand beside it.
    parameters : dict
        Values for the cell tagged ``parameters``.
    """
    running = output.with_suffix(".running.ipynb")
    log = logging.FileHandler(output.with_suffix(".log"), mode="w")
    log.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=logging.INFO, handlers=[log], force=True)
    # Sockets in a folder of this step's own: a TCP port that looked free may be taken before the kernel binds it.
    with tempfile.TemporaryDirectory(prefix="ai4land-") as folder:
        sockets = {"transport": "ipc", "connection_file": f"{folder}/kernel.json"}
        papermill.execute_notebook(
            str(notebook), str(running), parameters, cwd=str(notebook.parent), kernel_name="python3",
            progress_bar=sys.stderr.isatty(), log_output=True,
            extra_arguments=["--IPKernelApp.log_level=50"], config=Config({"KernelManager": sockets}),
        )  # fmt: skip
    running.replace(output)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ai4land.execute", description="Run one notebook as one step.")
    parser.add_argument("notebook", type=Path)
    parser.add_argument("output", type=Path, help="the executed copy")
    parser.add_argument("-f", "--file", type=Path, help="YAML file of parameters; may be absent")
    parser.add_argument("-r", "--raw", nargs=2, action="append", default=[], metavar=("NAME", "TEXT"))
    return parser.parse_args()


def main() -> int:
    """Command line; returns the exit status."""
    arguments = _arguments()
    step = "/".join(arguments.output.with_suffix("").parts[-2:])
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")  # threads that spin for long stall a second job on the same cores
    try:
        knobs = read_knobs(arguments.file)
        given = {**knobs, **dict(arguments.raw)}
        if "run" in given:
            # A fixed number of threads a step: results do not depend on how many steps run at a time.
            os.environ.setdefault("OMP_NUM_THREADS", str(read_run(str(given["run"])).threads))
        check_parameters(arguments.notebook, knobs, str(arguments.file))
        check_parameters(arguments.notebook, dict(arguments.raw), "command line")
        with locked(arguments.output):
            print(f"{step}: started", flush=True)
            execute(arguments.notebook, arguments.output, given)
    except PapermillExecutionError as error:
        print(f"{step}: FAILED in cell {error.exec_count}: {error.ename}: {error.evalue}", file=sys.stderr)
        print(
            f"{step}: the cell's output is in {arguments.output.with_suffix('.running.ipynb')}",
            file=sys.stderr,
        )
        return 1
    except DeadKernelError:
        print(
            f"{step}: FAILED: the kernel was killed; out of memory? Run make again to continue.",
            file=sys.stderr,
        )
        return 1
    except (ValueError, FileNotFoundError, BlockingIOError, yaml.YAMLError) as error:
        print(f"{step}: FAILED: {error}", file=sys.stderr)
        return 1
    print(f"{step}: done", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
