"""A visitor for the page: a server of its own on a free port and a fresh Chromium. It knows no tab."""

import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 600.0  # seconds for anything on the page, on however busy a machine
UP = 300.0  # seconds for the server
HEIGHT = 900


@contextmanager
def serving(runs: Path) -> Iterator[tuple[str, float]]:
    """The address of a page that keeps its runs there, and the seconds from starting the server to its first page.

    Raises:
        RuntimeError: The server ended, or served nothing for minutes.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}/"
    port = address.rstrip("/").rpartition(":")[2]
    # Named as a person would name it: the page shows the name.
    words = [sys.executable, str(ROOT / "app.py"), "--port", port, "--runs", runs.name]
    start = time.perf_counter()
    app = subprocess.Popen(  # noqa: S603 - our own app
        words, cwd=runs.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(address, app)
        yield address, time.perf_counter() - start
    finally:
        app.terminate()
        app.wait(30)


def _wait_for(address: str, app: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + UP
    while app.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:  # noqa: S310 - our own address
                answer.read()
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("the app did not serve its page")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Chromium without a window.

    Raises:
        RuntimeError: There is none on this machine.
    """
    program = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    if program is None:
        raise RuntimeError("There is no Chromium here. Install it: sudo apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


def fresh(
    browser: Browser, *, width: int = 1280, dark: bool = False, still: bool = False, memory: Path | None = None
) -> BrowserContext:
    """A profile of its own; ``still`` wants no motion, ``memory`` is a file with what another one remembered."""
    context = browser.new_context(
        viewport={"width": width, "height": HEIGHT},
        color_scheme="dark" if dark else "light",
        storage_state=memory,
        reduced_motion="reduce" if still else "no-preference",
    )
    context.set_default_timeout(PATIENCE * 1000)
    return context


def wait_until_usable(page: Page) -> None:
    """Until Run can be pressed and the charts are drawn: what a person sees as loaded."""
    page.wait_for_selector("#soul-run:enabled")
    page.wait_for_selector("#soul-chart-retain .xtick text")


def wait_for_race(page: Page, state: str = "finished") -> None:
    """Until the race of this browser is in that state."""
    page.wait_for_selector(f'#soul-progress .soul-progress[data-state="{state}"]')


def open_tab(page: Page, name: str) -> None:
    """Press a tab."""
    page.get_by_role("tab", name=name, exact=True).click()


def calm(page: Page, *, quiet: float = 0.8, most: float = 20.0) -> None:
    """Until nothing on the page has changed for ``quiet`` seconds, or ``most`` seconds are over."""
    page.evaluate(
        "([quiet, most]) => new Promise((done) => { let timer = setTimeout(done, quiet); "
        "new MutationObserver(() => { clearTimeout(timer); timer = setTimeout(done, quiet); })"
        ".observe(document.body, {childList: true, subtree: true, characterData: true}); setTimeout(done, most); })",
        [quiet * 1000, most * 1000],
    )
