"""A local server with the manners and faults of the Copernicus Climate Data Store.

Paths, codes and bodies are those of the OGC API - Processes as the store speaks it (ecmwf-projects on GitHub:
cads-processing-api-service, ecmwf-datastores-client).
"""

import json
from urllib.parse import urlsplit

from publisher import Page, Publisher, Request, _Handler

TOKEN = "11111111-2222-3333-4444-555555555555"
VERSIONS = {"v2_0_7cds", "v2_1_1"}  # of satellite-land-cover
FILE = "/cache/answer"


def problem(status, title, **more):
    """An answer for `CdsServer.faults`: a refusal as the store words it."""
    return status, {}, {"type": title, "title": title, "status": status, "trace_id": "t"} | more


class _CdsHandler(_Handler):
    server: "CdsServer"

    def do_GET(self):
        if self.path.startswith("/api/"):
            self._reply(*self._api("GET"))
        else:
            super().do_GET()

    def do_POST(self):
        self._reply(*self._api("POST", json.loads(self.rfile.read(int(self.headers["Content-Length"])))))

    def do_HEAD(self):
        page = self.server.pages[self.path]
        self.send_response(200)
        self.send_header("Content-Length", str(len(page.body)))
        if page.ranges:
            self.send_header("Accept-Ranges", "bytes")
        self.end_headers()

    def _reply(self, status, headers, content):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.server.log.append(Request(self.path, None, None, self.headers["User-Agent"], status))
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _api(self, method, sent=None):
        """Status, headers and content; ``faults`` of a step come first, one a request."""
        server, path = self.server, urlsplit(self.path).path
        step = {"messages": "news", "execution": "execution", "results": "results"}.get(path.rsplit("/", 1)[1])
        step = step or ("job" if "/jobs/" in path else "process")
        if server.faults.get(step):
            return server.faults[step].pop(0)
        if step == "news":
            return 200, {}, {"messages": [{"content": "Watch the forum", "severity": "info", "date": "2026-01-01"}]}
        if self.headers.get("PRIVATE-TOKEN") != TOKEN:
            return problem(401, "Authentication failed", detail="operation not allowed")
        return getattr(self, f"_{step}")(path.split("/")[-1 if step in ("process", "job") else -2], sent)

    def _process(self, process, _):
        known = process in self.server.processes
        return (200, {}, {"id": process}) if known else problem(404, "process not found", detail=f"{process} not found")

    def _execution(self, process, sent):
        page = f"https://cds.climate.copernicus.eu/datasets/{process}?tab=download#manage-licences"
        if not self.server.accepted:
            text = f"Not all the required licences have been accepted; please visit {page} to accept them."
            return problem(403, "required licences not accepted", detail=text)
        if not set(sent["inputs"].get("version", VERSIONS)) <= VERSIONS:
            text = "Request has not produced a valid combination of values, please check your selection."
            return problem(400, "invalid request", detail=text)
        self.server.asked.append((process, sent))
        monitor = self.server.url(f"/api/retrieve/v1/jobs/job-{len(self.server.asked)}")
        return 201, {}, {"status": "accepted", "links": [{"rel": "monitor", "href": monitor}]}

    def _job(self, job, _):
        states = self.server.states
        return 200, {}, {"jobID": job, "status": states.pop(0) if len(states) > 1 else states[0], "links": []}

    def _results(self, job, _):
        if self.server.states[-1] in ("failed", "rejected"):
            return problem(400, "The job has failed", traceback=self.server.traceback)
        size = self.server.size or len(self.server.pages[FILE].body)
        return 200, {}, {"asset": {"value": {"href": self.server.url(FILE), "file:size": size, "type": "x"}}}


class CdsServer(Publisher):
    """The store, with one file to give, ``pages[FILE]``, whose faults are those of `publisher.Page`."""

    def __init__(self, certificate=None, key=None):
        super().__init__(certificate, key)
        self.RequestHandlerClass = _CdsHandler
        self.pages[FILE] = Page(b"\x89HDF\r\n\x1a\n" + bytes(range(256)) * 400)
        self.processes = {
            "reanalysis-era5-single-levels-monthly-means", "reanalysis-era5-land-monthly-means",
            "satellite-land-cover", "satellite-lai-fapar",
        }  # fmt: skip
        self.asked = []  # (process, body) of every request that was taken
        self.states = ["successful"]  # of the job, one a look; the last stays
        self.traceback = "The job failed with: MarsNoDataError\nMARS returned no data, please check your selection."
        self.accepted = True  # the licences
        self.size = None  # announced for the file, if not its own
        self.faults = {}  # by step: news, process, execution, job, results
