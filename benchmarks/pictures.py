"""``make pictures``: every tab after a real race, light and dark, on a wide screen and a phone. It knows no engine.

The server and the browser's profile are new; the race, the answers, the scores and the probes on the pictures are what
this machine measured while they were taken.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import cast

from PIL import Image
from playwright.sync_api import Page

from benchmarks.visit import HEIGHT, calm, chromium, fresh, open_tab, serving, wait_for_race, wait_until_usable
from soul_core.cli.screen import Screen

WIDTHS = (1280, 390)
MODES = ("light", "dark")
COLOURS = 40
"""The most frequent of a picture, kept as they are, and as many more between them: enough for text, lines, shades."""
LONGEST = {1280: 2400, 390: 3200}
"""Pixels of a picture's height; what is further down is left to the page itself."""
SCORED_ROWS = 50
QUESTION = 1  # which of the suggested questions is asked


def main(argv: Sequence[str] | None = None) -> int:
    """Do everything that the pictures show, then take them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pictures", description="Pictures for the README.")
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"), help="[default: %(default)s]")
    arguments = parser.parse_args(argv)
    screen = Screen()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="soul-pictures-") as place,
        chromium() as browser,
        serving(Path(place) / "runs") as (address, _),
    ):
        memory = Path(place) / "memory.json"
        context = fresh(browser, still=True)
        page = context.new_page()
        page.goto(address)
        wait_until_usable(page)
        for what, act in DONE_FIRST.items():
            screen.say(f"{what} …")
            act(page)
        context.storage_state(path=memory)
        # The address holds the experiment and the question.
        address = page.url
        context.close()
        for width in WIDTHS:
            for mode in MODES:
                context = fresh(browser, width=width, dark=mode == "dark", still=True, memory=memory)
                page = context.new_page()
                page.goto(address)
                wait_until_usable(page)
                wait_for_race(page)
                for name, prepare in TABS.items():
                    open_tab(page, name.capitalize())
                    calm(page)
                    prepare(page)
                    path = arguments.out / f"{name}-{mode}-{width}.png"
                    size = save(page, path, LONGEST[width])
                    screen.say(f"{path} ({size / 1024:.0f} KB)")
                context.close()
    return 0


def save(page: Page, path: Path, longest: int) -> int:
    """The page from its top, no longer than ``longest``, in few colours; returns the bytes of the file."""
    calm(page)
    width = page.viewport_size["width"] if page.viewport_size else WIDTHS[0]
    tall = page.evaluate("document.documentElement.scrollHeight")
    # As tall as the picture, so that what keeps to the window's edge is at the picture's.
    page.set_viewport_size({"width": width, "height": min(tall, longest)})
    page.evaluate("document.activeElement?.blur(); window.scrollTo(0, 0)")
    page.mouse.move(0, 0)
    calm(page)
    taken = Image.open(BytesIO(page.screenshot())).convert("RGB")
    in_few_colours(taken).save(path, optimize=True)
    page.set_viewport_size({"width": width, "height": HEIGHT})
    return path.stat().st_size


def in_few_colours(taken: Image.Image) -> Image.Image:
    """The picture with a palette; grounds and the lanes' lines keep their colours, the edges of letters need not."""
    counted = cast("list[tuple[int, tuple[int, int, int]]]", taken.getcolors(taken.width * taken.height))
    frequent = [value for _, colour in sorted(counted, reverse=True)[:COLOURS] for value in colour]
    between = taken.quantize(COLOURS, method=Image.Quantize.FASTOCTREE).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette(frequent + between[: 3 * COLOURS])
    return taken.quantize(palette=palette, dither=Image.Dither.NONE)


def race(page: Page) -> None:
    """The race that Run starts when everything is left as it is."""
    page.click("#soul-run")
    wait_for_race(page)


def probe(page: Page) -> None:
    """Attacks by the Race's button, then every other probe of the tab."""
    page.click("#soul-probe-start:enabled")
    _probed(page)
    for button in ("#soul-probe-relearn-start", "#soul-probe-rounding-start", "#soul-probe-where-start"):
        page.click(f"{button}:enabled")
        page.wait_for_selector("#soul-probe-stop:visible")
        _probed(page)


def _probed(page: Page) -> None:
    page.wait_for_selector("#soul-probe-notice:has-text('Done')")
    page.wait_for_selector("#soul-probe-stop", state="hidden")
    calm(page)


def score(page: Page) -> None:
    """Scorecards of the race's models on a few rows."""
    open_tab(page, "Scores")
    calm(page)
    page.locator("#soul-scores-rows label").filter(has_text=str(SCORED_ROWS)).first.click()
    page.click("#soul-scores-start:enabled")
    page.wait_for_selector("#soul-scores-notice:has-text('Scored')")


def show_race(page: Page) -> None:
    """One question about the forgotten authors, answered by every model."""
    page.locator("#soul-chips button").nth(QUESTION).click()
    page.wait_for_selector("#soul-board [data-lane=gold] .soul-badge")


def show_probe(page: Page) -> None:
    """The answers and the tokens of one question after the last epoch."""
    page.wait_for_function("document.querySelector('#soul-probe-question :is(input, textarea)').value")
    calm(page)
    page.click("#soul-probe-ask:enabled")
    page.wait_for_selector("#soul-probe-tokens .soul-token")
    page.locator("#soul-probe-tokens .soul-token").nth(2).click()


def show_data(page: Page) -> None:
    """The example's facts, and the rows of the forget set."""
    page.click("#soul-own-example")
    page.wait_for_selector("#soul-own-table:has-text('Anna')")
    page.wait_for_selector("#soul-data-rows [data-pick]")


def show_scores(page: Page) -> None:
    """The table as it opens."""
    page.wait_for_selector(".soul-scores-table tbody tr")


def show_runs(page: Page) -> None:
    """The race among the kept runs, opened."""
    page.locator("#soul-runs-list .soul-run-show").first.click()
    page.wait_for_selector("#soul-run-one")


def show_learn(page: Page) -> None:
    """The first lesson and the landscape with whole paths."""
    page.wait_for_selector("#soul-learn-chart .js-plotly-plot")


DONE_FIRST: dict[str, Callable[[Page], None]] = {
    "Racing FO against SO": race,
    "Probing": probe,
    "Scoring": score,
}
TABS: dict[str, Callable[[Page], None]] = {
    "race": show_race,
    "probe": show_probe,
    "data": show_data,
    "scores": show_scores,
    "runs": show_runs,
    "learn": show_learn,
}

if __name__ == "__main__":
    sys.exit(main())
