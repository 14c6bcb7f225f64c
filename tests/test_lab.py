"""The notebooks in JupyterLab, as a user has them: `make lab`, a browser, the Run menu, a figure on the screen."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import matplotlib.image
import numpy as np
import papermill
import pytest
from browser import BROWSER, NAMES, Page, start_browser, wait_for
from matplotlib.colors import to_rgb
from pipeline import clone, finish, kill_everything, make

from ai4land.execute import check_parameters
from ai4land.legend import read_legend

BOOK = "02-regrid-tiny.ipynb"
TOKEN = "not-a-secret"
PANEL = ".jp-NotebookPanel:not(.lm-mod-hidden)"
# An empty notebook panel says "idle" before it has a kernel; "Run All Cells" then asks which kernel to take.
READY = f"""(document.querySelector('{PANEL} .jp-KernelName')?.textContent ?? 'No Kernel') !== 'No Kernel'
    && document.querySelector('{PANEL} .jp-Notebook-ExecutionIndicator')?.dataset.status === 'idle'"""
PROMPTS = f"[...document.querySelectorAll('{PANEL} .jp-CodeCell .jp-InputPrompt')].map(e => e.textContent)"
# JupyterLab shows tracebacks and mere warnings alike, as stderr.
ERRORS = f"""[...document.querySelectorAll('{PANEL} [data-mime-type="application/vnd.jupyter.stderr"]')]
    .map(e => e.textContent).filter(text => /^\\w*(Error|Exception|Interrupt)\\b/m.test(text))"""
# The figure, once it is in the middle of the window with nothing over it; JupyterLab scrolls by itself after a run.
FIGURE = f"""(() => {{
    const figure = document.querySelector('{PANEL} .jp-OutputArea-output img');
    if (!figure?.complete) return null;
    figure.scrollIntoView({{block: 'center', behavior: 'instant'}});
    const box = figure.getBoundingClientRect();
    const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    return top === figure ? {{width: figure.naturalWidth, box: [box.x, box.y, box.right, box.bottom]}} : null;
}})()"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason=f"no browser on the PATH: install one of {', '.join(NAMES)}"),
]


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A user's clone where step 01 of run tiny has run, and step 02 stands as make would run it, not run yet."""
    folder = clone(tmp_path / "checkout")
    process = make(folder, "RUN=tiny", "RAW=data/raw/tiny", "data/results/tiny/01-download.ipynb")
    try:
        finish(process)
    finally:
        if process.poll() is None:
            kill_everything(process)
    book = folder / "notebooks" / "02-regrid.ipynb"
    given = {"run": "tiny", "region": "tiny_west", "raw": str(folder / "data" / "raw" / "tiny")}
    check_parameters(book, given, "test_lab.py")
    papermill.execute_notebook(str(book), str(book.with_name(BOOK)), given, prepare_only=True, progress_bar=False)
    return folder


def write_settings(config: Path) -> None:
    """Settings without which no test can run: a free port, a known token, no browser, no question about news."""
    server = {"port": 0, "open_browser": False, "allow_root": True, "log_level": "WARN"}
    news = config / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    news.parent.mkdir(parents=True)
    news.write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False}))
    settings = {"ServerApp": server, "IdentityProvider": {"token": TOKEN}}
    (config / "jupyter_server_config.json").write_text(json.dumps(settings))


def address(process: subprocess.Popen, runtime: Path) -> str | None:
    """Address that the server wrote down once it listens; an error with its output if it has ended."""
    assert process.poll() is None, process.communicate(timeout=20)[0]
    found = [path.read_text() for path in runtime.glob("jpserver-*.json")]
    return json.loads(found[0])["url"] if found and found[0].endswith("}") else None


@pytest.fixture
def lab(checkout, tmp_path, monkeypatch) -> Iterator[str]:
    """Address of JupyterLab, started by `make lab`, blind to the settings and kernels of whoever runs the tests."""
    for name in ("config", "data", "runtime"):
        monkeypatch.setenv(f"JUPYTER_{name.upper()}_DIR", str(tmp_path / "jupyter" / name))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    write_settings(tmp_path / "jupyter" / "config")
    process = make(checkout, "lab")
    try:
        yield wait_for("JupyterLab", lambda: address(process, tmp_path / "jupyter" / "runtime"))
    finally:
        kill_everything(process)


@pytest.fixture
def page(tmp_path) -> Iterator[Page]:
    """An empty page; what it shows at the end, pass or fail, is kept in lab.png and in $LAB_SCREENSHOT."""
    process = start_browser(tmp_path / "profile", 1400, 1000)
    try:
        page = Page(tmp_path / "profile")
        yield page
        page.screenshot(tmp_path / "lab.png")
        if wanted := os.environ.get("LAB_SCREENSHOT"):
            shutil.copy(tmp_path / "lab.png", wanted)
    finally:
        kill_everything(process)


def classes_on_screen(screenshot: Path, box: list[float]) -> dict[str, float]:
    """Share of the box that has the exact colour of each land-use class, no data (white) left out."""
    left, top, right, bottom = (round(edge) for edge in box)
    pixels = np.rint(matplotlib.image.imread(screenshot)[top:bottom, left:right, :3] * 255)
    legend = read_legend("land_use").query("name != 'no_data'")
    colours = {
        name: np.rint(np.array(to_rgb(c)) * 255) for name, c in zip(legend["name"], legend["color"], strict=True)
    }
    return {name: float((pixels == colour).all(axis=-1).mean()) for name, colour in colours.items()}


def test_a_notebook_opens_in_jupyterlab_runs_to_its_end_and_shows_its_figure(checkout, lab, page, tmp_path):
    page.call("Page.navigate", url=f"{lab}lab/tree/notebooks/{BOOK}?token={TOKEN}")
    wait_for("kernel", lambda: page.evaluate(READY))
    cells = json.loads((checkout / "notebooks" / BOOK).read_text())["cells"]
    code_cells = sum(cell["cell_type"] == "code" for cell in cells)
    assert page.evaluate(PROMPTS) == ["[ ]:"] * code_cells
    expected = [f"[{n}]:" for n in range(1, code_cells + 1)]

    page.click(".lm-MenuBar-item", "Run")
    page.click(".lm-Menu-itemLabel", "Run All Cells")
    wait_for("end of the last cell", lambda: page.evaluate(ERRORS) or page.evaluate(PROMPTS) == expected)
    assert page.evaluate(ERRORS) == []

    figure = wait_for("figure on the screen", lambda: page.evaluate(FIGURE), 20)
    assert figure["width"] > 300
    page.screenshot(tmp_path / "figure.png")
    shares = classes_on_screen(tmp_path / "figure.png", figure["box"])
    # Two maps fill more than half of the figure, without their lines and labels; no region is of one class.
    assert sum(shares.values()) > 0.3 and sum(share > 0.01 for share in shares.values()) >= 3, shares
