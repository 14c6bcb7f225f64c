"""What a run lacks, brought here: windows where the server gives them, requests to the CDS, else whole files."""

from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import pandas as pd

from ai4land.checks import room_on_disk
from ai4land.grid import Bounds
from ai4land.runs import Run
from ai4land.sources.archive import matches, unpack
from ai4land.sources.cds import check_credentials, fetch_cds
from ai4land.sources.download import ResumingDownloader
from ai4land.sources.fetch import fetch, sources
from ai4land.sources.inputs import Need, missing_inputs
from ai4land.sources.pins import HASHES, alone
from ai4land.sources.registry import dataset_row, find_files, search, series_of, window_folder
from ai4land.sources.remote import WAITS, NoRangesError
from ai4land.sources.window_geotiff import fetch_geotiff_window
from ai4land.sources.window_netcdf import fetch_netcdf_window

FIRST_YEAR = 1850  # of the product: what is older is not fetched
LAST_YEAR = 2100


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
        With a window, only that window is fetched where the server allows it; it lies in ``raw/<dataset>/window_...``.
    raw, lock, progress, downloader
        As in `ai4land.sources.fetch.fetch`.

    Returns
    -------
    list of pathlib.Path
        The new files.

    Raises
    ------
    FileNotFoundError
        Before anything is downloaded, if a missing data set is not open, or the run is synthetic.
    PermissionError
        Before anything is downloaded, if a request to the CDS is needed and there is no key.
    ConnectionError, ValueError, OSError
        As `ai4land.sources.fetch.fetch`, `fetch_netcdf_window`, `fetch_geotiff_window` and `fetch_cds`.
    """
    absent = missing_inputs(run, raw)
    closed = [text for need, text in absent.items() if run.synthetic or not fetchable(need.dataset)]
    if closed:
        raise FileNotFoundError(" ".join(closed))
    for need in absent:
        if dataset_row(need.dataset).get("method") == "cds":
            check_credentials(need.dataset)
    return [path for need in absent for path in _supply(need, run, raw, lock, progress, downloader)]


def fetchable(dataset: str) -> bool:
    """Whether a program can fetch a data set: from an address, or by a request to the CDS."""
    row = dataset_row(dataset)
    return row.get("method") == "cds" or bool(sources(dataset, row, series_of(row)[0]))


def _supply(
    need: Need, run: Run, raw: Path, lock: Path, progress: bool, downloader: ResumingDownloader | None
) -> list[Path]:
    method = dataset_row(need.dataset).get("method")
    if method == "cds":
        return _request(need, run.window, raw, progress)
    if method in ("cog", "netcdf") and run.window is not None:
        try:
            return _cut(need, run.window, raw, progress)
        except NoRangesError:
            pass  # the whole file, then
    return fetch(need.dataset, raw, lock, progress, downloader, need.years)


def _request(need: Need, window: Bounds | None, raw: Path, progress: bool) -> list[Path]:
    folder = raw / need.dataset / (window_folder(window) if window else "")
    pattern = dataset_row(need.dataset)["pattern"]
    with room_on_disk(folder):
        for year in _lacking(need, raw, window):
            answer = folder / f"{need.dataset}_{year}.nc"
            fetch_cds(need.dataset, year, window, answer, progress)
            if not matches(pattern, need.dataset, answer.name):
                unpack(answer, folder, need.dataset, pattern)
    return [file.path for file in find_files(need.dataset, raw, need.years, window)]


def _lacking(need: Need, raw: Path, window: Bounds | None) -> set[int]:
    """Years that are wanted of a series and not there."""
    return set(need.years or ()) - {f.year for f in search(need.dataset, raw, window) if "year" in f.keys}


def _cut(need: Need, window: Bounds, raw: Path, progress: bool) -> list[Path]:
    """Windows of the files of one data set, each from its source or the first mirror that gives it."""
    row, folder = dataset_row(need.dataset), raw / need.dataset / window_folder(window)
    lacking = _lacking(need, raw, window)
    with room_on_disk(folder):
        for values in series_of(row):
            if "year" in values and int(values["year"]) not in lacking:
                continue
            choices = sources(need.dataset, row, values)
            target = folder / PurePosixPath(unquote(urlsplit(choices[0][0]).path)).name
            with alone(folder / f"{target.name}.lock"):
                if not target.exists():
                    _cut_one(need.dataset, row, [url for url, _ in choices], window, target, progress)
    return [file.path for file in find_files(need.dataset, raw, need.years, window)]


def _cut_one(dataset: str, row: pd.Series, urls: list[str], window: Bounds, target: Path, progress: bool) -> None:
    yearly = row["reader"] == "luh2_states_netcdf"  # 850 to 2100 in one file
    faults: list[Exception] = []
    for url in urls:
        try:
            if row["method"] == "cog":
                fetch_geotiff_window(url, window, target, progress, WAITS)
            else:
                years = (FIRST_YEAR, LAST_YEAR) if yearly else None
                fetch_netcdf_window(url, window, target, years, progress, WAITS)
            return
        except (ConnectionError, NoRangesError) as error:
            faults.append(error)
        except ValueError as error:
            raise ValueError(f"{dataset} ({row['title']}): {error}") from None
    if all(isinstance(fault, NoRangesError) for fault in faults):
        raise faults[0]
    raise ConnectionError(f"{dataset}: not fetched. " + "; ".join(map(str, faults)))
