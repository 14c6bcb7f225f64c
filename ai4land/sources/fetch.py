"""Downloads of the open inputs: each file once, verified by hash, from its source or a mirror, and unpacked."""

import csv
import errno
import fcntl
import io
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import pandas as pd

from ai4land.legend import DATA
from ai4land.runs import Run
from ai4land.sources.archive import check_archive, matches, unpack
from ai4land.sources.download import ResumingDownloader, discard, replace_text
from ai4land.sources.registry import dataset_row, file_hash, find_files

HASHES = DATA / "hashes.lock"
FULL = {errno.ENOSPC, errno.EDQUOT}


def fetch(
    dataset: str,
    raw: Path,
    lock: Path = HASHES,
    progress: bool = True,
    downloader: ResumingDownloader | None = None,
) -> list[Path]:
    """Download the file of one data set to ``raw/<dataset>`` and unpack it there, where it is a zip archive.

    Parameters
    ----------
    dataset : str
        A data set of the registry with open access.
    raw : pathlib.Path
        Folder of raw files.
    lock : pathlib.Path
        Table (dataset, file, sha256, bytes) of the files whose publisher gives no hash: the first
        download writes a row, later ones must match it.
    progress : bool
        Show a progress bar.
    downloader : ResumingDownloader, optional
        One with other waits, headers or certificates.

    Returns
    -------
    list of pathlib.Path
        The files that the registry's pattern names, in the order of `find_files`.

    Raises
    ------
    FileNotFoundError
        If the data set must be got by hand, or the archive holds none of its files.
    ConnectionError
        If neither the source nor a mirror gives the file; what has arrived is kept and continued.
    ValueError
        If the content is not what the publisher or the lock file says, or an archive is damaged or unsafe.
    OSError
        If the disk is full.
    """
    row = dataset_row(dataset)
    sources = _sources(dataset, row)
    folder = raw / dataset
    if not sources:
        raise FileNotFoundError(
            f"{dataset} ({row['title']}): no program can fetch it (access: {row['access']}). Source: {row['url']} "
            f"({row['licence']}). Get the files named {row['pattern']} there and put them into {folder}."
        )
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with _alone(folder / f"{sources[0][1]}.lock"):
            there = [name for _, name in sources if _is_whole(folder / name, dataset, row, lock)]
            downloader = downloader or ResumingDownloader(progress)
            name = there[0] if there else _download(dataset, row, sources, folder, lock, downloader)
            if not matches(row["pattern"], dataset, name):
                unpack(folder / name, folder, dataset, row["pattern"])
    except OSError as error:
        if error.errno in FULL:
            free = shutil.disk_usage(folder).free
            msg = f"{folder}: the disk is full, {free} bytes are free ({error.strerror}); make room and run again."
            raise OSError(error.errno, msg) from None
        raise
    return [file.path for file in find_files(dataset, folder)]


def missing_inputs(run: Run, raw: Path) -> list[str]:
    """Data sets of a run's inputs that `find_files` does not find, or not for every year, under ``raw``."""
    return list(_absent(run, raw))


def fetch_missing(
    run: Run,
    raw: Path,
    lock: Path = HASHES,
    progress: bool = True,
    downloader: ResumingDownloader | None = None,
) -> list[Path]:
    """Fetch what a run reads and ``raw`` lacks; nothing is asked of the network where all is there.

    Parameters
    ----------
    run : Run
    raw, lock, progress, downloader
        As in `fetch`.

    Returns
    -------
    list of pathlib.Path
        The new files.

    Raises
    ------
    FileNotFoundError
        Before anything is downloaded, if a missing data set is not open, or the run is synthetic.
    """
    absent = _absent(run, raw)
    closed = [text for name, text in absent.items() if run.synthetic or not _sources(name, dataset_row(name))]
    if closed:
        raise FileNotFoundError(" ".join(closed))
    return [path for name in absent for path in fetch(name, raw, lock, progress, downloader)]


def _absent(run: Run, raw: Path) -> dict[str, str]:
    """What `find_files` says of every data set that it does not find."""
    absent: dict[str, str] = {}
    for role, value in run.inputs:
        for dataset in value.values() if isinstance(value, dict) else [value]:
            try:
                if dataset is not None:
                    find_files(dataset, raw, run.map_years if role == "land_use" else None)
            except FileNotFoundError as error:
                absent.setdefault(dataset, str(error))
    return absent


def _sources(dataset: str, row: pd.Series) -> list[tuple[str, str]]:
    """Address and file name at the source and its mirrors; none where a person must get the files.

    A mirror's own file name is kept where the pattern knows it: its bytes may differ, so its hash is its own.
    """
    urls = [url for url in (row["url"], *re.split(r"[\s;]+", row["mirrors"])) if url]
    names = [PurePosixPath(unquote(urlsplit(url).path)).name for url in urls]
    if row["access"] != "open" or urlsplit(row["url"]).path.endswith("/"):
        return []
    if not matches(row["pattern"], dataset, names[0]) and PurePosixPath(names[0]).suffix not in (".zip", ""):
        raise ValueError(f"{dataset}: {row['url']} is no zip archive and not named {row['pattern']}; correct its row.")
    return [(u, n if matches(row["pattern"], dataset, n) else names[0]) for u, n in zip(urls, names, strict=True)]


def _download(
    dataset: str, row: pd.Series, sources: list[tuple[str, str]], folder: Path, lock: Path, get: ResumingDownloader
) -> str:
    """Name of the file that the first source which has it gave, verified and in its place."""
    faults: list[Exception] = []
    for url, name in sources:
        target, part = folder / name, folder / f"{name}.part"
        again = True
        while again:
            continued = part.exists()
            again = False
            try:
                get(url, part)
                _check_content(part, url, dataset, name, row, lock)
                if not row["hash"] and not matches(row["pattern"], dataset, name):
                    check_archive(part)
            except ConnectionError as error:
                faults.append(error)
            except ValueError as error:
                discard(part)
                faults.append(error)
                again = continued  # the pieces may be of two versions
            else:
                if not row["hash"]:
                    _pin(lock, dataset, name, part)
                part.replace(target)
                discard(part)
                return name
    kind = ValueError if any(isinstance(fault, ValueError) for fault in faults) else ConnectionError
    raise kind(f"{dataset}: not downloaded. " + "; ".join(map(str, faults)))


def _is_whole(path: Path, dataset: str, row: pd.Series, lock: Path) -> bool:
    try:
        if path.is_file():
            _check_content(path, str(path), dataset, path.name, row, lock)
        return path.is_file()
    except ValueError:
        return False


def _check_content(path: Path, source: str, dataset: str, name: str, row: pd.Series, lock: Path) -> None:
    """Raise ValueError if a file has not the published hash and size, or those of the lock file."""
    digest, size, who = row["hash"], row["bytes"], "the publisher's"
    if not digest and (dataset, name) in (pinned := _read_lock(lock)):
        sha256, size = pinned[dataset, name]
        digest, who = f"sha256:{sha256}", f"that of {lock}"
    if size and path.stat().st_size != int(size):
        raise ValueError(f"{source}: {path.stat().st_size} bytes, {who} size is {size}")
    if digest:
        algorithm, expected = digest.split(":")
        found = file_hash(path, algorithm)
        if found != expected:
            raise ValueError(f"{source}: {algorithm} is {found}, {who} is {expected}; another version, or damaged")


def _read_lock(lock: Path) -> dict[tuple[str, str], tuple[str, str]]:
    if not lock.exists():
        return {}
    with lock.open(newline="") as stream:
        return {(r["dataset"], r["file"]): (r["sha256"], r["bytes"]) for r in csv.DictReader(stream)}


def _pin(lock: Path, dataset: str, name: str, path: Path) -> None:
    """Add a file to the lock file, which stays sorted and is never seen half written."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with _alone(lock.with_name(f"{lock.name}.busy")):
        rows = _read_lock(lock)
        rows[dataset, name] = (file_hash(path), str(path.stat().st_size))
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(("dataset", "file", "sha256", "bytes"))
        writer.writerows((*key, *rows[key]) for key in sorted(rows))
        replace_text(lock, table.getvalue())


@contextmanager
def _alone(path: Path) -> Iterator[None]:
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
