"""Downloads of the open inputs: each file once, verified by hash, from its source or a mirror, and unpacked."""

import re
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import pandas as pd

from ai4land.checks import room_on_disk
from ai4land.sources.archive import check_archive, matches, unpack
from ai4land.sources.download import ResumingDownloader, discard
from ai4land.sources.pins import HASHES, alone, pin, read_lock
from ai4land.sources.registry import dataset_row, file_hash, find_files, of_same_file, series_of


def fetch(
    dataset: str,
    raw: Path,
    lock: Path = HASHES,
    progress: bool = True,
    downloader: ResumingDownloader | None = None,
    years: Collection[int] | None = None,
) -> list[Path]:
    """Download the files of one data set to ``raw/<dataset>`` and unpack them there, where they are zip archives.

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
    years : collection of int, optional
        Of a series with one file a year, those to fetch; all where absent.

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
    folder = raw / dataset
    wanted = [v for v in series_of(row) if years is None or "year" not in v or int(v["year"]) in years]
    choices = [sources(dataset, row, values) for values in wanted]
    if not all(choices):
        raise FileNotFoundError(
            f"{dataset} ({row['title']}): no program can fetch it (access: {row['access']}). Source: "
            f"{row.get('landing') or row['url']} ({row['licence']}). Get the files named {row['pattern']} there and "
            f"put them into {folder}."
        )
    with room_on_disk(folder):
        for one in choices:
            _fetch_one(dataset, row, one, folder, lock, downloader or ResumingDownloader(progress))
    return [file.path for file in find_files(dataset, folder)]


def _fetch_one(
    dataset: str, row: pd.Series, choices: list[tuple[str, str]], folder: Path, lock: Path, get: ResumingDownloader
) -> None:
    with alone(folder / f"{choices[0][1]}.lock"):
        places = [(d, folder.parent / d / name) for d in of_same_file(dataset) for _, name in choices]
        there = [path for d, path in places if _is_whole(path, d, row, lock)]
        path = there[0] if there else folder / _download(dataset, row, choices, folder, lock, get)
        if not matches(row["pattern"], dataset, path.name):
            unpack(path, folder, dataset, row["pattern"])


def sources(dataset: str, row: pd.Series, values: dict[str, str]) -> list[tuple[str, str]]:
    """Address and file name of one file at the source and its mirrors; none where a person must get the files.

    A mirror's own file name is kept where the pattern knows it: its bytes may differ, so its hash is its own.

    Parameters
    ----------
    dataset : str
    row : pandas.Series
        Its row in the registry.
    values : dict of str to str
        What fills the ``{...}`` of the addresses, of `ai4land.sources.registry.series_of`.

    Raises
    ------
    ValueError
        If the row's own pattern would not find the file.
    """
    urls = [url.format(**values) for url in (row["url"], *re.split(r"[\s;]+", row["mirrors"])) if url]
    names = [PurePosixPath(unquote(urlsplit(url).path)).name for url in urls]
    if row["access"] != "open" or urlsplit(row["url"]).path.endswith("/"):
        return []
    if not matches(row["pattern"], dataset, names[0]) and PurePosixPath(names[0]).suffix not in (".zip", ""):
        raise ValueError(f"{dataset}: {row['url']} is no zip archive and not named {row['pattern']}; correct its row.")
    return [(u, n if matches(row["pattern"], dataset, n) else names[0]) for u, n in zip(urls, names, strict=True)]


def _download(
    dataset: str, row: pd.Series, choices: list[tuple[str, str]], folder: Path, lock: Path, get: ResumingDownloader
) -> str:
    """Name of the file that the first source which has it gave, verified and in its place."""
    faults: list[Exception] = []
    for url, name in choices:
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
                again = continued  # the pieces may be of two versions
                bad = folder / f"{name}.bad"
                if not again and part.exists():
                    part.replace(bad)
                discard(part)
                faults.append(error if again else ValueError(f"{error}; set aside as {bad}"))
            else:
                if not row["hash"]:
                    pin(lock, dataset, name, part)
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
    if not digest and (dataset, name) in (pinned := read_lock(lock)):
        sha256, size = pinned[dataset, name]
        digest, who = f"sha256:{sha256}", f"that of {lock}"
    if size and path.stat().st_size != int(size):
        raise ValueError(f"{source}: {path.stat().st_size} bytes, {who} size is {size}")
    if digest:
        algorithm, expected = digest.split(":")
        found = file_hash(path, algorithm)
        if found != expected:
            raise ValueError(f"{source}: {algorithm} is {found}, {who} is {expected}; another version, or damaged")
