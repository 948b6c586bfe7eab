"""The page for those who see, hear or move otherwise: axe's rules on every tab, the keyboard, what is read aloud."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.audit import faults, load_audit, told
from tests.browser.conftest import PATIENCE
from tests.browser.findings import fill_scores_and_probes
from tests.browser.pageobject import short_race, sideways, wait_for_state
from tests.browser.serving import serving

pytestmark = pytest.mark.ui
SCREENS = {"laptop": 1280, "phone": 390}
OPEN_PANEL = "#soul-tabs [role=tabpanel]:not([style*='display: none'])"
# In this order, whatever else lies between them.
TAB_ORDER = (
    "soul-theme",
    "soul-tabs",
    "soul-model",
    "soul-task",
    "soul-split",
    "soul-mode",
    "soul-idea",
    "soul-objective",
    "soul-preset",
    "soul-epochs",
    "soul-seed",
    "soul-advanced",
    "soul-command",
    "soul-run",
    "soul-legend",
    "soul-chart-forget",
    "soul-chart-retain",
    "soul-numbers",
    "soul-question",
    "soul-ask-button",
    "soul-chips",
    "soul-source",
    "soul-pick",
)
_FOCUS = """() => {
  const at = document.activeElement;
  const ring = at.closest('.soul-compact label') || at;
  const style = getComputedStyle(ring);
  return {
    place: at.closest('[id^=soul-]:not([id^=soul-named])')?.id || at.tagName,
    ring: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 && style.outlineColor,
  };
}"""
_MOVING = """() => [
  ...document.getAnimations()
    .filter((one) => one.effect.getTiming().duration > 1).map((one) => one.effect.target.outerHTML),
  ...[...document.querySelectorAll('*')].filter((one) => {
    const style = getComputedStyle(one);
    const longest = (times) => Math.max(...times.split(',').map(parseFloat));
    return longest(style.transitionDuration) > 0.01
      || (style.animationName !== 'none' && longest(style.animationDuration) > 0.01);
  }).map((one) => one.outerHTML.slice(0, 120)),
]"""
_HEAR = """() => {
  window.heard = [];
  const voice = document.getElementById('soul-voice');
  const note = () => window.heard.push([performance.now() / 1000, voice.textContent]);
  new MutationObserver(note).observe(voice, {childList: true, characterData: true, subtree: true});
}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visited:
    """A server on which one browser has raced, what that browser remembers, and what was wrong before the race."""

    address: str
    memory: Any
    faults_before: list[str]


@pytest.fixture(scope="module")
def visited(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visited]:
    """One short race through the page; its run then has scores and findings of every kind of probe."""
    runs = tmp_path_factory.mktemp("reach") / "runs"
    runs.mkdir()
    with serving(runs) as address:
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        context.set_default_timeout(PATIENCE)
        page = arrive(context.new_page(), address)
        before = faults(page, "body")
        short_race(page, epochs=1)
        page.click("#soul-run")
        wait_for_state(page, "finished")
        fill_scores_and_probes(runs)
        yield Visited(address=address, memory=context.storage_state(), faults_before=before)
        context.close()


@pytest.fixture(scope="module")
def pages(browser: Browser, visited: Visited) -> Iterator[dict[str, Page]]:
    """The page after the race on each screen, loaded once; what one test opens stays open."""
    contexts = []

    def opened(width: int) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, storage_state=visited.memory, reduced_motion="reduce"
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        page = arrive(context.new_page(), visited.address)
        wait_for_state(page, "finished")
        page.locator("#soul-chips button").first.click()
        expect(page.locator("#soul-board [data-lane=gold] .soul-badge")).to_be_visible()
        page.get_by_role("tab", name="Probe", exact=True).click()
        calm(page)
        page.click("#soul-probe-ask:enabled")
        page.locator("#soul-probe-tokens .soul-token").nth(1).click()
        page.get_by_role("tab", name="Runs", exact=True).click()
        page.locator("#soul-runs-list tbody button").first.click()
        page.wait_for_selector("#soul-run-one")
        return page

    yield {screen: opened(width) for screen, width in SCREENS.items()}
    for context in contexts:
        context.close()


def arrive(page: Page, address: str) -> Page:
    """Open the page and wait until everything on it can be used."""
    page.goto(address)
    page.wait_for_selector("#soul-chart-retain .xtick text")
    page.wait_for_function("document.querySelector('#soul-command textarea')?.value.includes('soul_core')")
    page.wait_for_selector("#soul-voice", state="attached")
    load_audit(page)
    return page


def turn(page: Page, mode: str) -> None:
    """Have the page in light or in dark."""
    if page.locator("#soul-theme").get_attribute("aria-pressed") != str(mode == "dark").lower():
        page.click("#soul-theme")


def open_tab(page: Page, name: str) -> None:
    """Go to a tab, wait until it has drawn itself, and open whatever in it can be opened."""
    page.get_by_role("tab", name=name, exact=True).click()
    calm(page)
    opened = page.evaluate(
        "(place) => [...document.querySelector(place).querySelectorAll('.label-wrap:not(.open)')]"
        ".filter((button) => button.getClientRects().length).map((button) => button.click()).length",
        OPEN_PANEL,
    )
    if opened:
        calm(page)


def calm(page: Page) -> None:
    """Until nothing on the page has changed for a moment."""
    page.evaluate(
        "() => new Promise((done) => { let timer = setTimeout(done, 350); "
        "new MutationObserver(() => { clearTimeout(timer); timer = setTimeout(done, 350); })"
        ".observe(document.body, {childList: true, subtree: true, characterData: true}); setTimeout(done, 8000); })"
    )


def tabs(page: Page) -> list[str]:
    return page.get_by_role("tab").all_inner_texts()


def test_the_page_before_any_race_breaks_no_rule(visited):
    assert not visited.faults_before, told(visited.faults_before)


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
def test_no_tab_breaks_a_rule_of_wcag_2_2_aa(pages, screen, mode):
    page = pages[screen]
    turn(page, mode)
    found = []
    for name in tabs(page):
        open_tab(page, name)
        place = "body" if name == "Race" else OPEN_PANEL
        moving = [f"moves for those who want no motion: {one}" for one in page.evaluate(_MOVING)]
        found += [f"{name}: {fault}" for fault in (*faults(page, place), *moving)]
    assert not found, told(found)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_what_opens_over_the_page_breaks_no_rule_and_closes_by_escape(pages, mode):
    page = pages["laptop"]
    turn(page, mode)
    page.get_by_role("tab", name="Probe", exact=True).click()
    opened = (
        (page.locator("#soul-probe-table .soul-cell").first, "dialog.soul-transcripts"),
        (page.locator("#soul-probe-table .soul-why").first, "#soul-probe-table .soul-about:popover-open"),
    )
    for button, place in opened:
        button.click()
        expect(page.locator(place)).to_be_visible()
        found = faults(page, place)
        assert not found, told(found)
        page.keyboard.press("Escape")
        expect(page.locator(place)).to_have_count(0) if "open" in place else expect(page.locator(place)).to_be_hidden()


def test_the_tab_key_goes_through_setup_toolbar_charts_and_questions_in_order_and_is_seen(pages):
    page = pages["laptop"]
    page.reload()
    arrive(page, page.url)
    wait_for_state(page, "finished")
    stops, unseen = [], []
    for _ in range(80):
        page.keyboard.press("Tab")
        focus = page.evaluate(_FOCUS)
        stops.append(focus["place"])
        if not focus["ring"]:
            unseen.append(focus["place"])
        if focus["place"] == "soul-pick":
            break
    assert "BODY" not in stops  # the focus is never lost
    assert unseen == []
    first = [stops.index(place) for place in TAB_ORDER]
    assert first == sorted(first)
    # One stop for a group of radio buttons, however many there are.
    assert stops.count("soul-idea") == stops.count("soul-objective") == 1


def test_arrows_choose_among_radio_buttons_and_move_between_tabs(pages):
    page = pages["laptop"]
    page.get_by_role("tab", name="Race", exact=True).click()
    page.locator("#soul-mode input:checked").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#soul-methods")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#soul-methods")).to_be_hidden()
    page.get_by_role("tab", name="Race", exact=True).focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.textContent.trim()") == tabs(page)[1]
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.textContent.trim()") == tabs(page)[-1]
    expect(page.get_by_role("tab", name="Race", exact=True)).to_have_attribute("aria-selected", "true")


def test_groups_have_their_names_and_accordions_say_whether_they_are_open(pages):
    page = pages["phone"]
    page.get_by_role("tab", name="Race", exact=True).click()
    expect(page.get_by_role("radiogroup", name="Race preset")).to_have_count(1)
    expect(page.get_by_role("radiogroup", name="Idea")).to_have_count(1)
    button = page.locator("#soul-advanced > button")
    was = button.get_attribute("aria-expanded")
    button.click()
    expect(button).to_have_attribute("aria-expanded", {"true": "false", "false": "true"}[was or ""])


def test_motion_stops_for_whoever_asks_for_that_and_for_nobody_else(pages, browser, visited):
    assert pages["phone"].evaluate(_MOVING) == []  # and in each tab of the laptop, above
    context = browser.new_context(storage_state=visited.memory)
    usual = context.new_page()
    usual.goto(visited.address)
    usual.wait_for_selector("#soul-run")
    assert usual.evaluate(_MOVING) != []
    context.close()


def test_enlarged_four_times_the_page_is_one_column_and_every_tab_is_in_reach(pages):
    page = pages["phone"]
    wide = []
    for name in tabs(page):
        open_tab(page, name)
        for width in (640, 320):  # what 200 % and 400 % leave of 1280
            page.set_viewport_size({"width": width, "height": 700})
            page.wait_for_timeout(250)
            wide += [(name, width, sideways(page))] if sideways(page) > 0 else []
    assert wide == []
    assert page.locator("#soul-tabs > .tab-wrapper [role=tab]:visible").count() == len(tabs(page)) >= 3


def test_a_race_is_chosen_run_heard_and_stopped_by_keyboard_alone(browser, visited):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE)
    page = arrive(context.new_page(), visited.address)
    page.evaluate(_HEAR)
    tab_to(page, "soul-split")
    page.wait_for_selector("#soul-split [role=option]")
    active = page.locator("#soul-split [role=option].active")
    for split in ("forget05", "forget01"):
        page.keyboard.press("ArrowUp")
        expect(active).to_contain_text(split)
    page.keyboard.press("Enter")
    # A key in the same frame as Enter is quicker than Gradio's dropdown, and than anybody's hand.
    expect(page.locator("#soul-split input")).to_have_value(re.compile("forget01"))
    tab_to(page, "soul-epochs")
    page.keyboard.press("Control+A")
    page.keyboard.type("60")
    expect(page.locator("#soul-command textarea")).to_have_value(_contains("forget01", "--epochs 60"))
    tab_to(page, "soul-run")
    page.keyboard.press("Enter")
    wait_for_state(page, "running")
    page.wait_for_function("window.heard.length >= 1")
    tab_to(page, "soul-stop")
    # Long enough for more steps than anyone wants to hear of.
    began = time.monotonic()
    page.wait_for_function("document.querySelector('#soul-progress .soul-now').textContent.includes('epoch 2')")
    page.wait_for_timeout(max(0, 6 - (time.monotonic() - began)) * 1000)
    page.keyboard.press("Enter")
    wait_for_state(page, "stopped")
    page.wait_for_function("window.heard.at(-1)[1].startsWith('Stopped')")
    times = [moment for moment, _ in page.evaluate("window.heard")]
    assert all(later - earlier > 4.5 for earlier, later in pairwise(times))
    assert page.locator("#soul-voice[role=status][aria-live=polite]").count() == 1
    assert page.locator("#soul-progress [aria-live]").count() == 0  # a second voice would say it twice
    context.close()


def tab_to(page: Page, place: str) -> None:
    """Press Tab until the focus is there."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate(_FOCUS)["place"] == place:
            return
    raise AssertionError(f"Tab does not reach {place}")


def _contains(*words: str) -> Any:
    return re.compile(".*".join(words))
