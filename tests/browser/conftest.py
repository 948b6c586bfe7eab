"""The real page in Debian's Chromium: one server for all tests, one fresh browser profile for each."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 180_000  # milliseconds; the machine may be busy


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    program = next((path for name in NAMES if (path := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium here: sudo apt-get install chromium")
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where ``app.py`` serves, on a free port with an empty runs folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    runs = tmp_path_factory.mktemp("runs")
    log = (runs.parent / "server.log").open("w+")
    command = [sys.executable, "app.py", "--port", str(port), "--runs", str(runs)]
    server = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)  # noqa: S603
    try:
        _wait_for_line("SOUL is on", Path(log.name), server)
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait(20)
        log.close()


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """Call it for a page in its own profile; ``width`` and ``dark`` as a person's screen would have them."""
    contexts = []

    def opened(*, width: int = 1280, dark: bool = False) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.goto(address)
        page.wait_for_selector("#soul-run")
        page.wait_for_selector("#soul-chart-retain .xtick text")
        page.wait_for_function("document.querySelector('#soul-command textarea')?.value.includes('soul_core')")
        return page

    yield opened
    for context in contexts:
        # A job that outlives its test would keep the next test's job waiting.
        for page in context.pages:
            if page.locator("#soul-stop:enabled").count():
                page.click("#soul-stop")
                page.wait_for_selector("#soul-stop:disabled")
        context.close()


def _wait_for_line(words: str, log: Path, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 300
    while words not in log.read_text():
        if server.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"the page did not come up:\n{log.read_text()}")
        time.sleep(0.1)
