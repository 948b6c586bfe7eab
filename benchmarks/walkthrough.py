"""``make walkthrough``: clicks and seconds from opening the page to a finished race and a first attack.

The server is cold and the browser's profile is new. The visitor is a script that presses a button as soon as it can;
a person reads in between. It knows no engine, only the page.
"""

import argparse
import datetime
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from playwright.sync_api import Page

from benchmarks.visit import ROOT, chromium, fresh, serving, wait_for_race, wait_until_usable
from soul_core.cli.record import commit_here
from soul_core.cli.screen import Screen
from soul_core.errors import ConfigError

_POINT = """() => (document.querySelector('#soul-chart-forget .soul-chart-place')?.data || [])
  .some((trace) => ['fo', 'so'].includes(trace.uid) && trace.y.length >= 1)"""
_TRAINED = _POINT.replace(">= 1", ">= 2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What has been reached, after how many clicks and how many seconds since the page was opened, and the aim."""

    what: str
    clicks: int
    seconds: float
    aim: str = "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """A whole visit; ``cold_start`` is from starting the server to its first page, and no part of the steps."""

    steps: tuple[Step, ...]
    cold_start: float
    machine: str
    date: str
    commit: str


def main(argv: Sequence[str] | None = None) -> int:
    """Walk through once, print the table, write it as Markdown and JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.walkthrough", description="From opening the page to the first attack."
    )
    parser.add_argument("--out", type=Path, default=Path("docs/walkthrough.md"), help="[default: %(default)s]")
    arguments = parser.parse_args(argv)
    screen = Screen()
    screen.say("Starting the server, then walking through its page …")
    walk = walked()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(markdown(walk), encoding="utf-8")
    as_json = arguments.out.with_suffix(".json")
    as_json.write_text(json.dumps(asdict(walk), indent=1) + "\n", encoding="utf-8")
    screen.table("", ["Step", "Clicks", "Seconds", "Aim"], rows_of(walk))
    screen.say(f"Written: {arguments.out} and {as_json}")
    return 0


def walked() -> Walk:
    """One visit, on a server and in a profile that nobody has used."""
    with (
        tempfile.TemporaryDirectory(prefix="soul-walk-") as place,
        chromium() as browser,
        serving(Path(place) / "runs") as (address, cold),
    ):
        context = fresh(browser)
        page = context.new_page()
        steps = visit(page, address)
        context.close()
    return Walk(
        steps=steps,
        cold_start=round(cold, 2),
        machine=machine(),
        date=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        commit=commit(),
    )


def visit(page: Page, address: str) -> tuple[Step, ...]:
    """Open the page, press Run, then press the one button that attacks; a step for each thing that is reached."""
    steps: list[Step] = []
    start = time.perf_counter()

    def reached(what: str, clicks: int, aim: str = "–") -> None:
        steps.append(Step(what=what, clicks=clicks, seconds=round(time.perf_counter() - start, 1), aim=aim))

    page.goto(address)
    wait_until_usable(page)
    reached("The page can be used", 0)
    page.click("#soul-run")
    page.wait_for_function(_POINT)
    reached("First point on the chart", 1)
    page.wait_for_function(_TRAINED)
    reached("First point after training", 1)
    wait_for_race(page)
    reached("First finished race", 1, "1 click, 60 s")
    page.click("#soul-probe-start:enabled")
    page.wait_for_selector("#soul-probe-table .soul-cell")
    reached("First attack result", 2, "2 clicks, 75 s")
    page.wait_for_selector("#soul-probe-notice:has-text('Done')")
    reached("Every attack on every model", 2)
    return tuple(steps)


def machine() -> str:
    """What the seconds hold for."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return f"{os.cpu_count()} cores, {model}, Python {platform.python_version()}"


def commit() -> str:
    """The checkout's commit; empty outside one."""
    try:
        return commit_here(ROOT)
    except ConfigError:
        return ""


def rows_of(walk: Walk) -> list[list[str]]:
    """The table: what, clicks, seconds, aim."""
    cold = ["Server started to first page (before the clock)", "–", f"{walk.cold_start:.1f}", "–"]
    return [cold, *([step.what, str(step.clicks), f"{step.seconds:.1f}", step.aim] for step in walk.steps)]


def markdown(walk: Walk) -> str:
    """The table with how it was made."""
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows_of(walk))
    return (
        "# From opening the page to the first attack\n\n"
        "A cold server, a new browser profile, everything left as it is: *Run*, then *Try to bring it back*. The "
        "clock starts when the page is opened. The visitor is a script that presses a button as soon as it can; a "
        "person reads in between.\n\n"
        "| Step | Clicks | Seconds | Aim |\n| --- | ---: | ---: | --- |\n"
        f"{table}\n\n"
        f"{walk.machine}; {walk.date}; commit {walk.commit or 'unknown'}. Made by `make walkthrough`.\n"
    )


if __name__ == "__main__":
    sys.exit(main())
