"""Bytes of a file on a server, read where they are needed: the window of a region without the whole file."""

import io
import ssl
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import fsspec
import requests

from ai4land.sources.download import PASSING
from ai4land.sources.hosts import certificates, user_agent

WAITS = (1.0, 4.0, 15.0, 60.0)  # s before each new try
_BLOCK = 1 << 20  # bytes of one request
_FAULTS = (OSError, aiohttp.ClientError, TimeoutError, ValueError)


class NoRangesError(Exception):
    """The server sends whole files only."""


def probe(url: str, waits: Sequence[float] = WAITS) -> dict[str, str]:
    """Size and version of a file on a server that gives ranges of bytes.

    Parameters
    ----------
    url : str
    waits : sequence of float
        Seconds before each new try after a passing failure.

    Returns
    -------
    dict of str to str
        ``url``, ``size`` (bytes), and ``ETag`` and ``Last-Modified`` where the server gives them.

    Raises
    ------
    NoRangesError
        If the server sends whole files only.
    ConnectionError
        If it refuses, or cannot be reached.
    """
    headers = {"Range": "bytes=0-0", "User-Agent": user_agent(url), "Accept-Encoding": "identity"}
    for wait in (*waits, None):
        try:
            with requests.get(url, headers=headers, verify=certificates(url), stream=True, timeout=60) as answer:
                span = answer.headers.get("Content-Range", "")
                if answer.status_code == 206 and span.startswith("bytes 0-0/"):
                    seen = {n: answer.headers[n] for n in ("ETag", "Last-Modified") if n in answer.headers}
                    return {"url": url, "size": span.split("/")[1]} | seen
                if answer.status_code == 200:
                    raise NoRangesError(f"{url}: the server sends whole files only")
                fault = f"answered {answer.status_code} {answer.reason}"
                wait = wait if answer.status_code in PASSING else None
        except requests.RequestException as error:
            fault = " ".join(str(error).split())
            wait = None if "CERTIFICATE_VERIFY_FAILED" in fault else wait
        if wait is None:
            break
        time.sleep(wait)
    hint = f" The certificate of {urlsplit(url).hostname}: see data/certificates/README.md." * ("CERTIF" in fault)
    raise ConnectionError(f"{url}: {fault}; run again to go on, or get the file by hand.{hint}")


class RemoteFile(io.RawIOBase):
    """A file on a server, in the form of a local one; ranges that fail are asked for again.

    Parameters
    ----------
    url : str
    size : int
        Bytes of the whole file, of `probe`.
    waits : sequence of float
        Seconds before each new try of a range.

    Attributes
    ----------
    fault : Exception or None
        What ended the last read: libraries below Python hide it.
    """

    def __init__(self, url: str, size: int, waits: Sequence[float] = WAITS) -> None:
        trusted = ssl.create_default_context(cafile=certificates(url))
        options: dict[str, Any] = {"headers": {"User-Agent": user_agent(url), "Accept-Encoding": "identity"}}
        if url.startswith("https"):
            options["ssl"] = trusted
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=60, sock_read=60)
        system = fsspec.filesystem(
            "http", skip_instance_cache=True, client_kwargs={"timeout": timeout, "trust_env": True}, **options
        )
        self._file = system.open(
            url, size=size, block_size=_BLOCK, cache_type="blockcache", cache_options={"maxblocks": 64}
        )
        self.url, self.size, self.waits = url, size, tuple(waits)
        self.fault: Exception | None = None
        self.mode = "rb"

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As of any file."""
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        """As of any file."""
        return int(self._file.tell())

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer from the present place; see `io.RawIOBase`."""
        place = self.tell()
        wanted = min(len(buffer), self.size - place)
        for wait in (*self.waits, None):
            try:
                self._file.seek(place)
                data = self._file.read(wanted)
                if len(data) == wanted:
                    buffer[:wanted] = data
                    return wanted
                self.fault = OSError(f"{len(data)} of {wanted} bytes came")
            except _FAULTS as error:
                self.fault = error
                if isinstance(error, aiohttp.ClientResponseError) and error.status not in PASSING:
                    break
            if wait is not None:
                time.sleep(wait)
        raise ConnectionError(f"{self.url}: {self.fault}")
