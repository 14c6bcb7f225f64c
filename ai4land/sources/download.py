"""A downloader in the form that pooch takes, which continues what a failure or a kill has left."""

import errno
import json
import os
import re
import shutil
import sys
import time
import warnings
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from tqdm import TqdmWarning, tqdm

from ai4land.sources.hosts import certificates as certificates_of
from ai4land.sources.hosts import user_agent

with warnings.catch_warnings():
    # pooch asks for notebook widgets that these progress bars do without.
    warnings.simplefilter("ignore", TqdmWarning)
    from pooch import HTTPDownloader, get_logger

PATIENCE = 600.0  # longest wait that a server may ask for, s
PASSING = {408, 429, 500, 502, 503, 504}  # HTTP answers that another try may change
VALIDATORS = ("ETag", "Last-Modified")


class _PassingError(Exception):
    """A failure that another try may mend, after ``wait`` seconds at least."""

    def __init__(self, text: object, wait: float = 0.0):
        super().__init__(" ".join(str(text).split()))
        self.wait = wait


class ResumingDownloader(HTTPDownloader):
    """Downloader that continues the bytes a file already has, in the form that pooch takes.

    Parameters
    ----------
    progress : bool
        Show bytes, rate and remaining time on stderr; a line every ten seconds where that is no terminal.
    waits : sequence of float
        Seconds before each new try after failures that brought no new byte.
    certificates : pathlib.Path, optional
        PEM file of trusted certificates; else those of `ai4land.sources.hosts.certificates`.
    **kwargs
        For `requests.get`: ``headers``, ``timeout`` (s), ``auth``.
    """

    def __init__(
        self,
        progress: bool = True,
        waits: Sequence[float] = (1, 4, 15, 60),
        certificates: Path | None = None,
        **kwargs: Any,
    ):
        plain = {"Accept-Encoding": "identity"}
        super().__init__(
            chunk_size=1 << 16, **{"timeout": 60} | kwargs | {"headers": plain | kwargs.get("headers", {})}
        )
        self.progress, self.waits, self.certificates = progress, tuple(waits), certificates

    def __call__(self, url: str, output_file: str | Path, pooch: object = None, check_only: bool = False) -> Any:
        """Bring a file to its end; what has arrived stays in ``output_file``, its ETag in ``<output_file>.json``.

        Raises
        ------
        ConnectionError
            If the server refuses, or failed as often as there are waits without a new byte.
        """
        if check_only:
            return super().__call__(url, output_file, pooch, check_only=True)
        part, failures = Path(output_file), 0
        most = _size(part) if _read_state(part, url) else 0
        while True:
            try:
                self._attempt(url, part)
                return None
            except _PassingError as error:
                failures = 0 if _size(part) > most else failures
                most = max(most, _size(part))
                if failures == len(self.waits) or error.wait > PATIENCE:
                    asked = f", asks to wait {error.wait:.0f} s" if error.wait else ""
                    raise ConnectionError(
                        f"{url}: {error}{asked}; tried {failures + 1} times, run again to go on"
                    ) from None
                wait = max(self.waits[failures], error.wait)
                failures += 1
                if self.progress:
                    get_logger().warning("%s: %s; trying again in %.0f s", url, error, wait)
                time.sleep(wait)

    def _attempt(self, url: str, part: Path) -> None:
        state = _read_state(part, url)
        start = _size(part) if state else 0
        headers = {"User-Agent": user_agent(url)} | self.kwargs["headers"]
        verify = str(self.certificates or certificates_of(url))
        if start:
            tag, date = (state.get(name) for name in VALIDATORS)
            proof = tag if tag and not tag.startswith("W/") else date  # If-Range takes no weak ETag
            headers |= {"Range": f"bytes={start}-"} | ({"If-Range": proof} if proof else {})
        try:
            with requests.get(url, stream=True, **self.kwargs | {"headers": headers, "verify": verify}) as answer:
                at = _first_byte(answer, part, start, state)
                if at is not None:
                    self._append(answer, url, part, at)
        except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as error:
            if "CERTIFICATE_VERIFY_FAILED" not in str(error):
                raise _PassingError(error) from None
            request = getattr(error, "request", None)
            host = urlsplit(request.url if request else url).hostname
            raise ConnectionError(
                f"{url}: the certificate of {host} cannot be verified (expired, or its chain is incomplete, as that of "
                f"luh.umd.edu); give the missing one in `certificates`, as data/certificates/README.md says (or all by "
                f"REQUESTS_CA_BUNDLE), or get the file by hand. {_PassingError(error)}"
            ) from None
        except requests.RequestException as error:
            raise ConnectionError(f"{url}: {_PassingError(error)}") from None

    def _append(self, answer: requests.Response, url: str, part: Path, start: int) -> None:
        length = answer.headers.get("Content-Length")
        total = start + int(length) if length else None
        if start == 0:
            part.write_bytes(b"")  # before the new state: old bytes under a new ETag would be continued
            state = {"url": url, "total": total} | {name: answer.headers.get(name) for name in VALIDATORS}
            replace_text(_state_path(part), json.dumps(state))
        if total and total - start > shutil.disk_usage(part.parent).free:
            raise OSError(errno.ENOSPC, f"{total - start} bytes are still to come")
        pace = 0.1 if sys.stderr.isatty() else 10.0
        bar = tqdm(total=total, initial=start, unit="B", unit_scale=True, mininterval=pace, disable=not self.progress,
                   desc=part.name.removesuffix(".part"))  # fmt: skip
        with bar, part.open("ab") as stream:
            for chunk in answer.raw.stream(self.chunk_size, decode_content=False):
                stream.write(chunk)
                stream.flush()
                bar.update(len(chunk))
        if total is not None and _size(part) != total:
            raise _PassingError(f"the connection closed after {_size(part)} of {total} bytes")


def _first_byte(answer: requests.Response, part: Path, start: int, state: dict) -> int | None:
    """Place of the first byte of an answer's body in the file; None where the file is whole already."""
    code, headers = answer.status_code, answer.headers
    span = headers.get("Content-Range", "")
    if code == 200:
        if "text/html" in headers.get("Content-Type", ""):
            raise ConnectionError(f"{answer.url}: a web page came in place of the file; does it ask for a login?")
        return 0
    if start and code == 206:
        total = state.get("total") or r"(\d+|\*)"
        same = all(headers.get(name) in (None, state.get(name)) for name in VALIDATORS)
        if same and re.fullmatch(rf"bytes {start}-\d+/{total}", span):
            return start
    if start and code == 416 and span == f"bytes */{start}":
        return None
    if start and code in (206, 416):
        discard(part)
        raise _PassingError(f"answered {code} {span!r} to bytes={start}- of {state.get('total')}; the file has changed")
    if code in PASSING:
        raise _PassingError(f"answered {code} {answer.reason}", _retry_after(headers.get("Retry-After", "")))
    raise ConnectionError(f"{answer.url}: answered {code} {answer.reason}")


def _retry_after(text: str) -> float:
    """Seconds that a Retry-After header asks for: a number, or a date."""
    try:
        return float(text) if text.isdigit() else max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return 0.0


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _state_path(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _read_state(part: Path, url: str) -> dict:
    """What the server said of the bytes that are in ``part``; empty where they are of another address."""
    try:
        state = json.loads(_state_path(part).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return state if state.get("url") == url and _size(part) else {}


def replace_text(path: Path, text: str) -> None:
    """Write a small file under a temporary name and rename it: a reader sees the old or the new one, whole."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    temporary.write_text(text)
    temporary.replace(path)


def discard(part: Path) -> None:
    """Delete a piece of a download and what is known of it."""
    _state_path(part).unlink(missing_ok=True)
    part.unlink(missing_ok=True)
