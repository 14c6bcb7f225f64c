"""The lock file: hashes of the files whose publisher gives none, written by the first download of each."""

import csv
import fcntl
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ai4land.legend import DATA
from ai4land.sources.download import replace_text
from ai4land.sources.registry import file_hash

HASHES = DATA / "hashes.lock"


def read_lock(lock: Path) -> dict[tuple[str, str], tuple[str, str]]:
    """SHA-256 and size (bytes), as text, by data set and file name."""
    if not lock.exists():
        return {}
    with lock.open(newline="") as stream:
        return {(r["dataset"], r["file"]): (r["sha256"], r["bytes"]) for r in csv.DictReader(stream)}


def pin(lock: Path, dataset: str, name: str, path: Path) -> None:
    """Add a file to the lock file, which stays sorted and is never seen half written."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with alone(lock.with_name(f"{lock.name}.busy")):
        rows = read_lock(lock)
        rows[dataset, name] = (file_hash(path), str(path.stat().st_size))
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(("dataset", "file", "sha256", "bytes"))
        writer.writerows((*key, *rows[key]) for key in sorted(rows))
        replace_text(lock, table.getvalue())


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Wait until no other process is here; the kernel lets the next one in when a process dies."""
    while True:
        stream = path.open("a")
        fcntl.flock(stream, fcntl.LOCK_EX)
        # The one before deletes the file when it is done: a lock on a deleted file keeps nobody out.
        if os.fstat(stream.fileno()).st_nlink:
            break
        stream.close()
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        stream.close()
