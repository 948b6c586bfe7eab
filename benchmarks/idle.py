"""``python -m benchmarks.idle``: what an open page costs while nobody touches it. It knows no tab's content.

Processor time as the system counts it, in per cent of one core: of the server, and of the whole of Chromium.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
from playwright.sync_api import Page

from benchmarks.here import machine
from benchmarks.visit import calm, chromium, fresh, open_tab, serving, wait_for_race, wait_until_usable
from soul_core.cli.screen import Screen

SETTLING = 8
"""Seconds between the last change of the page and the measurement."""
LATER = 30
"""Seconds after the first measurement; a browser goes on compiling and collecting long after a page has loaded."""
TABS = ("Probe", "Data", "Scores", "Runs", "Learn")
AIM = 1.0
"""Per cent of one core, of the server and of the browser alike."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.idle", description="What an idle page costs.")
    parser.add_argument("--seconds", type=float, default=20.0, help="Of each measurement. [default: %(default)s]")
    parser.add_argument("--tabs", action="store_true", help="Every tab too, each opened after the race.")
    parser.add_argument("--no-race", action="store_true", help="Only the page as it is after loading.")
    parser.add_argument("--out", type=Path, default=Path("docs/results/idle.json"), help="[default: %(default)s]")
    arguments = parser.parse_args(argv)
    screen = Screen()
    found = {
        "machine": machine(),
        "load_before": os.getloadavg()[0],
        "seconds_each": arguments.seconds,
        "idle": measured(arguments.seconds, race=not arguments.no_race, tabs=arguments.tabs, screen=screen),
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    screen.table("", ["Idle page", "Server", "Browser", "Page's process", "Aim"], rows_of(found))
    screen.say(f"Written: {arguments.out}")
    return 0


def measured(seconds: float, *, race: bool, tabs: bool, screen: Screen) -> dict[str, dict[str, float]]:
    """Per cent of a core after loading, then after a finished race, then with each tab open."""
    found: dict[str, dict[str, float]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="soul-idle-") as place,
        chromium() as browser,
        serving(Path(place) / "runs") as (address, _),
    ):
        context = fresh(browser)
        page = context.new_page()
        page.goto(address)
        wait_until_usable(page)

        def look(name: str) -> None:
            screen.say(f"Measuring for {seconds:.0f} s: {name} …")
            found[name] = idle(page, seconds)

        look("after loading")
        page.wait_for_timeout(1000 * LATER)
        look("half a minute later")
        if race:
            page.click("#soul-run")
            wait_for_race(page)
            look("after a race")
        for tab in TABS if tabs else ():
            open_tab(page, tab)
            look(f"tab {tab}")
        context.close()
    return found


def idle(page: Page, seconds: float) -> dict[str, float]:
    """Per cent of a core that server and browser used in so many seconds in which nothing was asked of them."""
    calm(page, quiet=2.0)
    # What was drawn last is compiled and its garbage collected for some seconds more.
    page.wait_for_timeout(1000 * SETTLING)
    before, began = _used(), time.perf_counter()
    # Not Playwright's own wait, which talks to the browser.
    time.sleep(seconds)
    after, took = _used(), time.perf_counter() - began
    return percent(before, after, took)


def percent(before: Counter[str], after: Counter[str], seconds: float) -> dict[str, float]:
    """Processor seconds by who used them, at two moments, as per cent of one core over the time between."""
    share = {who: round(100 * (after[who] - before[who]) / seconds, 2) for who in sorted(after)}
    chrome = [value for who, value in share.items() if who != "server"]
    return share | {"browser": round(sum(chrome), 2)}


def _used() -> Counter[str]:
    """Processor seconds so far of the server and of each kind of Chromium's processes."""
    used: Counter[str] = Counter()
    for process in psutil.Process().children(recursive=True):
        try:
            words, times = process.cmdline(), process.cpu_times()
        except psutil.Error:  # it has ended meanwhile
            continue
        who = _who(words)
        if who:
            used[who] += times.user + times.system
    return used


def _who(words: Sequence[str]) -> str:
    """Server, one of Chromium's kinds, or nothing for what only drives them."""
    if any(word.endswith("app.py") for word in words):
        return "server"
    if not words or "chrom" not in words[0]:
        return ""
    kinds = [word.partition("=")[2] for word in words if word.startswith("--type=")]
    return kinds[0] if kinds else "browser process"


def rows_of(found: dict[str, Any]) -> list[list[str]]:
    """The table's lines."""
    return [
        [name, *(f"{share.get(who, 0.0):.2f} %" for who in ("server", "browser", "renderer")), f"{AIM:.0f} %"]
        for name, share in found["idle"].items()
    ]


if __name__ == "__main__":
    sys.exit(main())
