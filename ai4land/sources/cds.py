"""Requests to the Copernicus Climate Data Store (CDS), through the field's own client: one a year, checked.

Traps: a licence that is not accepted and a request that is too large are refused with the same code, 403; a failed
job says why at its results, with code 400; in place of NetCDF a zip archive may come, or a web page; the client's
debug lines hold the key, and it waits 500 times two minutes for a server that is down.
"""

import json
import logging
import shutil
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from math import ceil, floor
from pathlib import Path
from typing import Any

import cdsapi
import requests
import yaml
from cdsapi.api import get_url_key_verify
from ecmwf.datastores.processing import DownloadError, LinkError, ProcessingFailedError
from urllib3.util.retry import Retry

from ai4land.checks import room_on_disk
from ai4land.grid import Bounds
from ai4land.legend import DATA
from ai4land.sources.archive import check_archive
from ai4land.sources.download import PASSING, PATIENCE, get_logger

REQUESTS = DATA / "cds_requests.yml"
_NETCDF = (b"\x89HDF", b"CDF")
_TOKEN = (
    "copy your personal access token from https://cds.climate.copernicus.eu/profile and write two lines into "
    "~/.cdsapirc, 'url: https://cds.climate.copernicus.eu/api' and 'key: <token>', or set CDSAPI_URL and CDSAPI_KEY"
)


@dataclass(frozen=True)
class CdsRequest:
    """One entry of ``data/cds_requests.yml``, which says what the fields are."""

    id: str
    page: str
    years: tuple[int, int | None]
    request: dict[str, Any]
    cell: float | str | None = None


def read_cds_requests() -> dict[str, CdsRequest]:
    """Table ``data/cds_requests.yml``: what `fetch_cds` can ask for, by the names of the registry."""
    return {name: CdsRequest(**entry) for name, entry in yaml.safe_load(REQUESTS.read_text()).items()}


def fetch_cds(
    dataset: str, year: int, window: Bounds | None, target: Path, progress: bool = True, tries: int = 6,
    longest_wait: float = 60.0,
) -> Path:  # fmt: skip
    """Ask the CDS for one year of a data set, unless the answer is there.

    Parameters
    ----------
    dataset : str
        A data set of ``data/cds_requests.yml``.
    year : int
    window : tuple of float or None
        West, south, east, north, degrees, -180 to 180; widened to whole cells and one more. None: the globe.
    target : pathlib.Path
        Appears when it is whole. One that is there is the answer, whatever its window.
    progress : bool
        Say on stderr how the request stands; a bar with rate and remaining time where that is a terminal.
    tries : int
        How often each step is tried while the server fails or cannot be reached.
    longest_wait : float
        Between tries and between looks at the queue, s; the server's own Retry-After is kept besides.

    Returns
    -------
    pathlib.Path
        ``target``: NetCDF, unpacked where it came alone in a zip archive. An archive of several NetCDF files
        stays as it came (ERA5: one a kind of variable; leaf area index: one a map).

    Raises
    ------
    PermissionError
        If there is no key, the CDS does not know it, or a licence is not accepted.
    ValueError
        If the request cannot be asked, is refused or fails, or what came is no NetCDF: kept as ``<target>.bad``.
    ConnectionError
        If the CDS cannot be reached, its certificate not be verified, or the download breaks off.
    OSError
        If the disk is full.
    """
    if target.exists():
        return target
    name, entry = f"{dataset} {year}", _entry(dataset, year)
    body = _body(entry, year, window, name)
    url, key = check_credentials(name)
    part, fresh, bad = (target.with_name(f"{target.name}.{kind}") for kind in ("part", "new", "bad"))

    def say(text: object) -> None:
        if progress:
            get_logger().info("%s: %s", name, _line(text, key))

    try:
        with room_on_disk(target.parent, name):
            with _relayed(say):
                _client(url, key, say, progress, tries, longest_wait).retrieve(entry.id, body, str(part))
            whole = _unpack(part, fresh)
            if whole is None:
                raise _set_aside(part, bad, name, key)
            whole.replace(target)
    except (requests.RequestException, RuntimeError, AssertionError, LookupError, LinkError) as error:
        if isinstance(error, DownloadError) and not _start(part).startswith((b"PK", *_NETCDF)) and _start(part):
            raise _set_aside(part, bad, name, key) from None
        raise _explained(error, name, entry, url, key) from None
    finally:
        part.unlink(missing_ok=True)
        fresh.unlink(missing_ok=True)
    return target


def _entry(dataset: str, year: int) -> CdsRequest:
    known = read_cds_requests()
    if dataset not in known:
        raise ValueError(f"{dataset}: no request in {REQUESTS}, which has {sorted(known)}; add one.")
    first, last = known[dataset].years
    last = last or date.today().year - 1  # a year that still grows would be kept as it is now
    if not first <= year <= last:
        raise ValueError(f"{dataset} {year}: the whole years of the CDS are {first} to {last}; choose one of these.")
    return known[dataset]


def _body(entry: CdsRequest, year: int, window: Bounds | None, name: str) -> dict[str, Any]:
    """The request as it is sent; ``area`` is north, west, south, east."""
    body: dict[str, Any] = json.loads(json.dumps(entry.request).replace("{year}", str(year)))
    if window is None:
        return body
    if not (-180 <= window[0] < window[2] <= 180 and -90 <= window[1] < window[3] <= 90):
        raise ValueError(f"{name}: window {window} is no west, south, east, north within -180 to 180 and -90 to 90.")
    if entry.cell is not None:
        cell = Fraction(str(entry.cell))  # exact: 1/360 is no float
        west, south, east, north = (Fraction(str(edge)) / cell for edge in window)
        edges = zip((ceil(north) + 1, floor(west) - 1, floor(south) - 1, ceil(east) + 1), (90, 180) * 2, strict=True)
        body["area"] = [round(max(-most, min(float(edge * cell), most)), 6) for edge, most in edges]
    return body


def check_credentials(name: str) -> tuple[str, str]:
    """Address and key, from where cdsapi takes them; PermissionError where they lack or are of the old store."""
    url = key = ""
    with suppress(Exception):  # cdsapi raises nothing narrower
        url, key, _ = get_url_key_verify(None, None, True)
    if not url or not key:
        raise PermissionError(f"{name}: no address and key of the Copernicus Climate Data Store; {_TOKEN}.")
    if ":" in key or url.rstrip("/").endswith("/v2"):
        raise PermissionError(f"{name}: address or key are of the old store (/v2, UID:key); {_TOKEN}.")
    return url.rstrip("/"), key


def _client(url: str, key: str, say: Callable, progress: bool, tries: int, longest_wait: float) -> cdsapi.Client:
    """Client that verifies certificates whatever ~/.cdsapirc says, keeps Retry-After and never shows the key."""
    session = requests.Session()
    retry = Retry(1, connect=0, read=False, allowed_methods=None, raise_on_status=False, retry_after_max=int(PATIENCE))
    for scheme in ("https://", "http://"):
        session.mount(scheme, requests.adapters.HTTPAdapter(max_retries=retry))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the news of the CDS could not be read
        return cdsapi.Client(
            url, key, verify=True, progress=progress and sys.stderr.isatty(), retry_max=tries,
            sleep_max=longest_wait, session=session, warning_callback=say, error_callback=say,
            info_callback=lambda text: say(text) if text.startswith("status") else None,
            debug_callback=lambda *_: None,
        )  # fmt: skip


@contextmanager
def _relayed(say: Callable[[object], None]) -> Iterator[None]:
    """Let ``say`` tell of the new tries, which multiurl logs."""
    logger, handler = logging.getLogger("multiurl"), logging.Handler(logging.WARNING)
    handler.emit = lambda record: say(record.getMessage())  # type: ignore[method-assign]
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def _line(text: object, key: str) -> str:
    return " ".join(str(text).replace(key, "<key>").split())[:400]


def _explained(error: Exception, name: str, entry: CdsRequest, url: str, key: str) -> Exception:
    """What happened, in one line with what to do."""
    answer, said = getattr(error, "response", None), _line(error, key)
    if isinstance(error, requests.exceptions.SSLError):
        trust = "name a PEM file of the certificates to trust by REQUESTS_CA_BUNDLE"
        return ConnectionError(f"{name}: the certificate cannot be verified; {trust}. {said}")
    if isinstance(error, ProcessingFailedError):
        return ValueError(f"{name}: the job failed at the CDS ({said}); run again later.")
    if answer is None:
        return ConnectionError(f"{name}: the CDS at {url} did not give the file ({said}); run again later.")
    code = answer.status_code
    if code in PASSING:
        return ConnectionError(f"{name}: the CDS still fails ({said}); run again later.")
    if code == 401:
        return PermissionError(f"{name}: the CDS does not know the key ({said}); {_TOKEN}.")
    if code == 403 and "licence" in said:
        return PermissionError(f"{name}: licences are not accepted; sign in, accept them at {entry.page}, run again.")
    what = "the job failed at the CDS" if "/jobs/" in answer.url else "the CDS refuses the request"
    return ValueError(f"{name}: {what} ({said}); compare {REQUESTS} with the form at {entry.page}.")


def _start(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(60)


def _set_aside(part: Path, bad: Path, name: str, key: str) -> ValueError:
    found = _line(f"{part.stat().st_size} bytes that start with {_start(part)!r}", key)
    part.replace(bad)
    return ValueError(f"{name}: the CDS sent {found}, no NetCDF; kept as {bad}. Look at it, and run again.")


def _unpack(part: Path, fresh: Path) -> Path | None:
    """The file to keep: NetCDF, or an archive of it, unpacked to ``fresh`` where it holds one; None for all else."""
    if _start(part).startswith(_NETCDF):
        return part
    try:
        check_archive(part)
    except ValueError:
        return None
    with zipfile.ZipFile(part) as bundle:
        members = [m for m in bundle.namelist() if bundle.open(m).read(4).startswith(_NETCDF)]
        if len(members) != 1:
            return part if members else None
        with bundle.open(members[0]) as source, fresh.open("wb") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
        return fresh
