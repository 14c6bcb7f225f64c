"""A local web server with the manners and faults of the publishers' servers."""

import re
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple


@dataclass
class Page:
    """What one path answers; every field may be changed between requests."""

    body: bytes = b""
    ranges: bool = True  # False: Range is ignored and all of the body sent
    if_range: bool = True  # False: If-Range is ignored, as some servers do
    etag: str | None = '"1"'
    modified: str | None = None
    redirect: str | None = None  # 302 to this address
    statuses: list[tuple[int, dict[str, str]]] = field(default_factory=list)  # answered first, one a request
    cuts: list[int] = field(default_factory=list)  # one a request: bytes sent of those announced, then the end
    stalls: list[tuple[int, float]] = field(default_factory=list)  # one a request: silent for so many s after bytes
    pace: tuple[int, float] = (1 << 20, 0.0)  # bytes a piece, s between pieces
    agent: str | None = None  # 403 where the User-Agent does not have this
    length: bool = True  # False: no Content-Length, the end of the connection ends the body
    kind: str = "application/octet-stream"


class Request(NamedTuple):
    """One line of the log; ``range`` and ``if_range`` are None where the header was absent."""

    path: str
    range: str | None
    if_range: str | None
    agent: str
    status: int


class _Handler(BaseHTTPRequestHandler):
    server: "Publisher"

    def log_message(self, *_):
        pass

    def do_GET(self):
        page = self.server.pages.get(self.path.split("?")[0])
        status, headers, body = self._answer(page)
        seen = (self.headers.get(name) for name in ("Range", "If-Range", "User-Agent"))
        self.server.log.append(Request(self.path, *seen, status))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if page is not None:
            self._send(page, body)

    def do_HEAD(self):
        status, headers, _ = self._answer(self.server.pages.get(self.path.split("?")[0]))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _answer(self, page):
        empty = {"Content-Length": "0"}
        if page is None:
            return 404, empty, b""
        if page.statuses:
            status, headers = page.statuses.pop(0)
            return status, empty | headers, b""
        if page.agent and page.agent not in self.headers.get("User-Agent", ""):
            return 403, empty, b""
        if page.redirect:
            return 302, empty | {"Location": page.redirect}, b""
        headers = {"Content-Type": page.kind}
        headers |= {k: v for k, v in (("ETag", page.etag), ("Last-Modified", page.modified)) if v}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        proof = self.headers.get("If-Range")
        same = not page.if_range or proof in (None, page.etag, page.modified)
        body, status = page.body, 200
        if asked and page.ranges and same:
            start, total = int(asked[1]), len(page.body)
            if start >= total:
                return 416, empty | {"Content-Range": f"bytes */{total}"}, b""
            last = min(int(asked[2] or total), total - 1)
            body, status = page.body[start : last + 1], 206
            headers["Content-Range"] = f"bytes {start}-{last}/{total}"
        return status, headers | ({"Content-Length": str(len(body))} if page.length else {}), body

    def _send(self, page, body):
        if body and page.cuts:
            body = body[: page.cuts.pop(0)]
        after, seconds = page.stalls.pop(0) if body and page.stalls else (None, 0.0)
        size, pause = page.pace
        try:
            if after is not None:
                self.wfile.write(body[:after])
                self.server.closing.wait(seconds)
                body = body[after:]
            for at in range(0, len(body), size):
                self.wfile.write(body[at : at + size])
                if pause:
                    self.server.closing.wait(pause)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the reader went away


class Publisher(ThreadingHTTPServer):
    """Server of ``pages`` by path, which logs every request; a context manager.

    Parameters
    ----------
    certificate, key : pathlib.Path, optional
        PEM files; with them it speaks https.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, certificate: Path | None = None, key: Path | None = None):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages: dict[str, Page] = {}
        self.log: list[Request] = []
        self.closing = threading.Event()
        self.scheme = "http"
        if certificate is not None:
            self.scheme = "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            self.socket = context.wrap_socket(self.socket, server_side=True)

    def handle_error(self, request, client_address):
        pass  # a reader that refuses the certificate

    def __enter__(self):
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.closing.set()
        self.shutdown()
        self.server_close()

    def add(self, path: str, body: bytes = b"", **behaviour) -> Page:
        """Publish a page."""
        self.pages[path] = Page(body, **behaviour)
        return self.pages[path]

    def url(self, path: str) -> str:
        """Address of a path."""
        return f"{self.scheme}://127.0.0.1:{self.server_port}{path}"

    def requests(self, path: str) -> list[Request]:
        """Requests of one path so far."""
        return [r for r in self.log if r.path.split("?")[0] == path]
