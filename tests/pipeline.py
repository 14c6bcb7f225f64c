"""The path of make as tests run it: on a copy of the tracked files, in the environment that runs the tests."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KEPT = ("*.csv", "*.zarr/**/*", "models/**/*")  # what must come out equal; notebooks and logs carry times


def clone(folder: Path) -> Path:
    """Copy of the tracked files, as a clean clone has them."""
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    for name in names.stdout.splitlines():
        if (ROOT / name).is_file() and not name.startswith("figures/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def variables(folder: Path) -> dict[str, str]:
    """What make needs to work in a copy, in the environment that runs these tests, which it must not change."""
    ready = folder / ".ready"
    ready.touch()
    kept = {k: v for k, v in os.environ.items() if k not in ("RAW", "MAKELEVEL")}
    ours = {"CONDA_PREFIX": sys.prefix, "CONDA_DEFAULT_ENV": "ai4land", "PYTHONPATH": str(folder)}
    return kept | ours | {"MAKEFLAGS": f"READY={ready}"}


def make(folder: Path, *arguments: str) -> subprocess.Popen:
    """Start make in a session of its own."""
    return subprocess.Popen(
        ["make", *arguments], cwd=folder, env=variables(folder), start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def finish(process: subprocess.Popen) -> str:
    output, _ = process.communicate(timeout=1800)
    assert process.returncode == 0, output
    return output


def kill_everything(process: subprocess.Popen) -> None:
    """kill -9 of make, the step and its kernel, which is in a session of its own."""
    children = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True).stdout.splitlines()[1:]
    pairs = [tuple(map(int, line.split())) for line in children]
    doomed = {process.pid}
    while more := {pid for pid, parent in pairs if parent in doomed} - doomed:
        doomed |= more
    for pid in doomed:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.communicate()


def results(folder: Path) -> dict[str, bytes]:
    kept = {}
    for base in (folder / "data" / "results" / "tiny", folder / "data" / "processed" / "tiny"):
        for pattern in KEPT:
            # What a step cost is a time, not a result.
            files = (p for p in base.rglob(pattern) if p.is_file() and "costs" not in p.name)
            kept |= {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}
    return kept
