"""The real page in Debian's Chromium: one server for all tests, one fresh browser profile for each."""

import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.serving import serving

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
    with serving(tmp_path_factory.mktemp("runs")) as found:
        yield found


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """Call it for a page in its own profile; ``width`` and ``dark`` as a person's screen would have them.

    ``at`` is the address of another server than the one that all tests share.
    """
    contexts = []

    def opened(*, width: int = 1280, dark: bool = False, at: str = address) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.goto(at)
        page.wait_for_selector("#soul-run")
        page.wait_for_selector("#soul-chart-retain .xtick text", state="attached")
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
