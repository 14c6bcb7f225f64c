"""What a publisher's server needs of us: a browser-like name, or a certificate that it leaves out of its chain.

Both are rows of ``data/hosts.csv``. A certificate given there is trusted for its host only, beside those of certifi;
verification is never switched off.
"""

import os
import tempfile
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import certifi
import pandas as pd

from ai4land import __version__
from ai4land.legend import DATA


@cache
def _hosts() -> pd.DataFrame:
    return pd.read_csv(DATA / "hosts.csv", dtype=str, keep_default_na=False, index_col="host")


def user_agent(url: str) -> str:
    """Name by which a server is asked for a file: our own, or the one that ``data/hosts.csv`` gives."""
    table = _hosts()
    host = urlsplit(url).hostname or ""
    return (host in table.index and str(table.loc[host, "user_agent"])) or f"ai4land/{__version__}"


def needs_certificate(url: str) -> bool:
    """Whether a host leaves a certificate out of its chain that is not in ``data/certificates`` either."""
    table, host = _hosts(), urlsplit(url).hostname or ""
    named = str(table.loc[host, "certificates"]) if host in table.index else ""
    return bool(named) and not (DATA / "certificates" / named).is_file()


def certificates(url: str) -> str:
    """PEM file of the certificates that a host is verified with.

    Parameters
    ----------
    url : str
        An address at the host.

    Returns
    -------
    str
        Path: that of REQUESTS_CA_BUNDLE or SSL_CERT_FILE, else certifi's certificates, with those of
        ``data/certificates`` that ``data/hosts.csv`` names for the host where the file is there.
    """
    given = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
    table = _hosts()
    host = urlsplit(url).hostname or ""
    extra = DATA / "certificates" / str(table.loc[host, "certificates"]) if host in table.index else DATA
    return given or (_bundle(extra) if extra.is_file() else certifi.where())


@cache
def _bundle(extra: Path) -> str:
    """Temporary file with certifi's certificates and those of ``extra``; it lives as long as the process."""
    folder = tempfile.TemporaryDirectory(prefix="ai4land-")
    _alive.append(folder)
    path = Path(folder.name) / extra.name
    path.write_bytes(Path(certifi.where()).read_bytes() + b"\n" + extra.read_bytes())
    return str(path)


_alive: list[tempfile.TemporaryDirectory] = []  # deleted when the process ends
