"""Lessons that notice what was done, a landscape that plays, links for teachers, the glossary."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PATIENCE
from tests.browser.pageobject import short_race, sideways, wait_for_state

pytestmark = pytest.mark.ui


@pytest.fixture
def open_link(browser: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """Call it with what stands behind the address, for a page in its own profile."""
    contexts = []

    def opened(behind: str, **how: object) -> Page:
        context = browser.new_context(viewport={"width": 1280, "height": 900}, **how)  # type: ignore[arg-type]
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.goto(f"{address}{behind}")
        page.wait_for_selector("#soul-learn-chart .xtick text")
        return page

    yield opened
    for context in contexts:
        context.close()


def open_learn(page: Page) -> None:
    page.get_by_role("tab", name="Learn").click()
    expect(page.locator("#soul-learn-lead h3")).to_be_visible()


def test_a_lesson_asks_first_sets_up_and_notices_what_was_done(open_page):
    page = open_page()
    open_learn(page)
    expect(page.locator("#soul-learn-lead h3")).to_have_text("What unlearning is")
    expect(page.locator("#soul-learn-set-up")).to_be_disabled()
    expect(page.locator("#soul-learn-action")).to_contain_text("Choose an answer above first")
    page.locator("#soul-learn-predict label", has_text="Few").click()
    expect(page.locator("#soul-learn-action ol")).to_contain_text("Press Run")
    page.click("#soul-learn-check")
    expect(page.locator("#soul-learn-found")).to_contain_text("Not done yet")
    page.click("#soul-learn-set-up")
    expect(page.locator("#soul-learn-strip")).to_contain_text("Lesson 1 of 7")
    short_race(page, epochs=1)
    page.click("#soul-run")
    wait_for_state(page, "finished")
    expect(page.locator("#soul-learn-strip")).to_contain_text("Your result is there.")
    page.click("#soul-learn-back")
    found = page.locator("#soul-learn-found")
    expect(found).to_contain_text("You predicted: few: less than one third.")
    expect(found).to_contain_text("Measured:")
    expect(found).to_contain_text(re.compile(r"SO answers \d+ % of the forget questions rightly"))
    expect(page.locator("#soul-learn-progress")).to_contain_text("1 of 7 lessons done")
    expect(page.locator("#soul-learn-strip")).to_be_hidden()
    said = found.inner_text()
    page.reload()
    open_learn(page)
    expect(found).to_have_text(re.compile(re.escape(said.splitlines()[-1])))
    page.click("#soul-learn-reset")
    expect(page.locator("#soul-learn-progress")).to_contain_text("0 of 7 lessons done")


def test_the_landscape_plays_steps_and_says_when_clipping_hides_the_curvature(open_page):
    page = open_page()
    open_learn(page)
    now = page.locator(".soul-land-now")
    expect(now).to_contain_text("Step 80 of 80")
    page.get_by_role("button", name="Reset", exact=True).locator("visible=true").click()
    expect(now).to_contain_text("Step 0 of 80")
    assert _shown(page, "sophia") == 1
    page.locator("#soul-learn-player").get_by_role("button", name="Step").click()
    expect(now).to_contain_text(re.compile(r"Step 1 of 80: Sophia cut \d of 2 weights"))
    assert _shown(page, "sophia") == 2
    page.locator("#soul-learn-player").get_by_role("button", name="Play").click()
    expect(now).to_contain_text(re.compile(r"Step \d\d of 80"))
    page.locator("#soul-learn-player").get_by_role("button", name="Pause").click()
    seen = page.locator("#soul-learn-seen")
    expect(seen).not_to_contain_text("point by point")
    page.locator("#soul-land-rho").focus()
    page.keyboard.press("Home")  # the smallest threshold
    expect(page.locator(".soul-land-slider", has_text="Clip threshold").locator("output")).to_have_text("1 × 10⁻⁶")
    expect(seen).to_contain_text("point by point")
    expect(page.locator("#soul-learn-paths tbody tr", has_text="Sophia")).to_contain_text("100 %")
    page.get_by_role("button", name="Round bowl").click()
    expect(seen).not_to_contain_text("point by point")


def test_less_motion_means_that_nothing_plays_but_steps(open_link):
    page = open_link("?lesson=second-order", reduced_motion="reduce")
    expect(page.locator(".soul-land-now")).to_contain_text("Step 80 of 80")
    expect(page.locator("[data-soul-play]")).to_be_hidden()
    expect(page.locator(".soul-land-still")).to_be_visible()
    page.locator("#soul-learn-player").get_by_role("button", name="Step").click()
    expect(page.locator(".soul-land-now")).to_contain_text("Step 1 of 80")


def test_a_teachers_link_opens_its_lesson_without_the_advanced_settings(open_link):
    page = open_link("?lesson=gold&hide=advanced")
    expect(page.locator("#soul-learn-lead h3")).to_have_text("Gold")
    tabs = page.locator("#soul-tabs button[role=tab]:visible")
    expect(tabs).to_have_text(["Race", "Scores", "Learn"])
    page.get_by_role("tab", name="Race").click()
    expect(page.locator("#soul-run")).to_be_visible()
    expect(page.locator("#soul-advanced")).to_be_hidden()
    page.get_by_role("button", name="Show everything").click()
    expect(page.locator("#soul-advanced")).to_be_visible()
    expect(page.get_by_role("tab", name="Data")).to_be_visible()
    page.wait_for_function("!location.search.includes('hide=') && location.search.includes('lesson=gold')")


def test_a_lessons_link_is_copied_and_one_to_no_lesson_is_a_sentence(open_link):
    page = open_link("?lesson=nonsense<b>", permissions=["clipboard-read", "clipboard-write"])
    expect(page.locator("#soul-learn-notice")).to_contain_text("There is no lesson “nonsense<b>”.")
    page.locator("#soul-learn-lesson label", has_text="Attacks").click()
    expect(page.locator("#soul-learn-lead h3")).to_have_text("Attacks")
    expect(page.locator("#soul-learn-notice [role=status]")).to_have_count(0)
    page.get_by_role("button", name="Copy link to this lesson").click()
    expect(page.locator(".soul-lesson-link [role=status]")).to_have_text("The link is copied.")
    assert page.evaluate("navigator.clipboard.readText()").endswith("/?lesson=attacks&hide=advanced")


def test_the_glossary_is_searched_linked_to_and_its_words_open_at_a_tap(open_link):
    page = open_link("#soul-term-clip-share", has_touch=True)
    entry = page.locator("#soul-term-clip-share")
    expect(entry).to_be_in_viewport()
    expect(entry).to_have_class(re.compile("soul-glossary-here"))
    page.fill("#soul-learn-find", "sign mom")
    status = page.locator("#soul-learn-glossary [role=status]")
    expect(status).to_have_text(re.compile(r"^\d of \d+ entries$"))
    expect(entry).to_be_visible()
    expect(page.locator("#soul-term-token")).to_be_hidden()
    page.fill("#soul-learn-find", "zzz")
    expect(status).to_have_text("No entry has these words.")
    tip = page.locator(".soul-tip")
    page.locator("#soul-learn-lead .soul-term").first.tap()
    expect(tip).to_contain_text("small model that ships with SOUL")
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()


@pytest.mark.parametrize("dark", [False, True])
def test_the_tab_fits_a_phone(open_link, dark):
    page = open_link("?lesson=ga", color_scheme="dark" if dark else "light")
    page.set_viewport_size({"width": 390, "height": 844})
    assert sideways(page) == 0


def _shown(page: Page, name: str) -> int:
    """How many points of a path are drawn."""
    return page.evaluate(
        "(name) => document.querySelector('#soul-learn-chart .soul-chart-place').data"
        ".find((trace) => trace.uid === name).x.length",
        name,
    )
