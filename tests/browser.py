"""A small DevTools client: one page of a headless browser, its script results, real clicks, screenshots."""

import base64
import http.client
import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import websocket

NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)


def wait_for(what: str, look: Callable[[], Any], seconds: float = 60) -> Any:
    """First true value of ``look()``; TimeoutError says what was waited for and what was found last."""
    end = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > end:
            msg = f"{what}: not after {seconds} s; the last look found {found!r}."
            raise TimeoutError(msg)
        time.sleep(0.1)
    return found


def start_browser(profile: Path, width: int, height: int) -> subprocess.Popen:
    """Start a headless browser in a session of its own, with an empty profile and a free port."""
    options = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run"]
    options += ["--remote-debugging-port=0", f"--user-data-dir={profile}", f"--window-size={width},{height}"]
    return subprocess.Popen(
        [BROWSER, *options, "about:blank"], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    )


def first_tab(port: int) -> str | None:
    """Address of the DevTools socket of the first tab."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/json/list")
    tabs = json.loads(connection.getresponse().read())
    return next((tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"), None)


class Page:
    """The first tab of the browser whose profile is in ``profile``."""

    def __init__(self, profile: Path) -> None:
        ready = profile / "DevToolsActivePort"
        port = wait_for("port of the browser", lambda: ready.exists() and ready.read_text().split("\n")[0])
        address = wait_for("first tab", lambda: first_tab(int(port)))
        # Chromium refuses an Origin that it was not told of; a client without one is let in.
        self.socket = websocket.create_connection(
            address, timeout=60, suppress_origin=True, http_no_proxy=["127.0.0.1"]
        )
        self.sent = 0

    def call(self, method: str, **parameters: Any) -> dict:
        """Result of one DevTools command; events that arrive before it are dropped."""
        self.sent += 1
        self.socket.send(json.dumps({"id": self.sent, "method": method, "params": parameters}))
        while (answer := json.loads(self.socket.recv())).get("id") != self.sent:
            pass
        if "error" in answer:
            msg = f"{method}: {answer['error']}"
            raise RuntimeError(msg)
        return answer["result"]

    def evaluate(self, script: str) -> Any:
        """Value of a JavaScript expression in the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in answer:
            msg = f"{script}: {answer['exceptionDetails']}"
            raise RuntimeError(msg)
        return answer["result"].get("value")

    def click(self, selector: str, text: str) -> None:
        """Click, with the mouse, the first visible element of ``selector`` that shows ``text``."""
        script = f"""(() => {{
            const shown = [...document.querySelectorAll({json.dumps(selector)})].filter(
                e => e.textContent.trim() === {json.dumps(text)} && e.getClientRects().length);
            if (!shown.length) return null;
            const box = shown[0].getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2];
        }})()"""
        x, y = wait_for(f"{selector} with the text {text!r}", lambda: self.evaluate(script), 20)
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def screenshot(self, path: Path) -> None:
        """Save what the window shows as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))
