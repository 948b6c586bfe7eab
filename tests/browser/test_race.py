"""A race on the page: points arrive, a reload re-attaches, Stop stops, Ask asks what was trained."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.pageobject import choose, points, short_race, wait_for_points, wait_for_state

pytestmark = pytest.mark.ui
_RANGE = "document.querySelector('#soul-chart-forget .soul-chart-place').layout.xaxis.range"
ENDLESS = 60  # epochs; more than any test waits for


def test_a_short_race_draws_its_curves_says_its_verdict_and_answers_questions(open_page):
    page = open_page()
    short_race(page, epochs=1)
    place = _place(page)
    page.click("#soul-run")
    wait_for_points(page, "soul-chart-forget", "so", 1)
    assert _place(page) == place  # nothing jumped
    wait_for_state(page, "finished")
    for chart in ("soul-chart-forget", "soul-chart-retain"):
        for lane in ("fo", "so"):
            assert len(points(page, chart, lane)) == 2
    assert points(page, "soul-chart-forget", "gold")[0] < 0.5
    expect(page.locator("#soul-verdict")).to_contain_text("forgot")
    expect(page.locator("#soul-numbers tbody tr")).to_have_count(4)
    expect(page.locator("#soul-chart-forget .soul-chart-place")).to_have_attribute(
        "aria-label", re.compile("SO from .* after epoch 1")
    )
    with page.expect_download() as download:
        page.click("#soul-download-csv")
    assert download.value.suggested_filename.endswith("curves.csv")
    page.locator("#soul-chips button").first.click()
    for lane in ("original", "fo", "so", "gold"):
        expect(page.locator(f"#soul-board [data-lane={lane}] .soul-badge")).to_be_visible()
    # Another forget set in Setup: the race that is shown, and the models that answer, are still those of this one.
    others = [page.locator(place) for place in ("#soul-race-other", "#soul-ask-other")]
    for other in others:
        expect(other).to_have_text("")
    choose(page, "soul-split", "forget05")
    for other in others:
        expect(other).to_contain_text("FO-GradDiff, SO-GradDiff; Pocket model; invented-authors:forget01")
    choose(page, "soul-split", "forget01")
    for other in others:
        expect(other).to_have_text("")
    choose(page, "soul-split", "forget05")
    expect(others[0]).not_to_have_text("")
    page.click("#soul-reset")
    wait_for_state(page, "idle")
    assert points(page, "soul-chart-forget", "fo") == []
    for other in others:
        expect(other).to_have_text("")


def test_a_reload_in_the_middle_changes_nothing_and_stop_ends_it(open_page):
    page = open_page()
    short_race(page, epochs=ENDLESS)
    page.click("#soul-run")
    wait_for_points(page, "soul-chart-forget", "so", 2)
    page.reload()
    wait_for_state(page, "running")
    wait_for_points(page, "soul-chart-forget", "so", 3)
    expect(page.locator("#soul-epochs input")).to_have_value(str(ENDLESS))
    expect(page.locator("#soul-run")).to_be_disabled()
    zoomed = _zoom(page)
    known = len(points(page, "soul-chart-forget", "so"))
    wait_for_points(page, "soul-chart-forget", "so", known + 1)
    assert _range(page) == zoomed
    page.click("#soul-stop")
    wait_for_state(page, "stopped")
    expect(page.locator("#soul-run")).to_be_enabled()
    assert len(points(page, "soul-chart-forget", "so")) >= 3


def test_keys_run_pause_step_and_stop_but_not_while_typing(open_page):
    page = open_page()
    short_race(page, epochs=ENDLESS)
    page.locator("#soul-question textarea, #soul-question input").first.press_sequentially("rsp")
    wait_for_state(page, "idle")
    page.locator("h1").click()
    page.keyboard.press("r")
    wait_for_state(page, "running")
    wait_for_points(page, "soul-chart-forget", "fo", 1)
    page.keyboard.press("p")
    wait_for_state(page, "paused")
    expect(page.locator("#soul-pause")).to_have_text("Resume")
    page.keyboard.press("n")
    expect(page.locator("#soul-progress .soul-now")).to_contain_text("step")
    wait_for_state(page, "paused")
    page.keyboard.press("s")
    wait_for_state(page, "stopped")


def test_a_second_browser_waits_in_the_queue(open_page):
    first, second = open_page(), open_page()
    for page in (first, second):
        short_race(page, epochs=ENDLESS)
    first.click("#soul-run")
    wait_for_state(first, "running")
    second.click("#soul-run")
    wait_for_state(second, "queued")
    expect(second.locator("#soul-progress .soul-now")).to_have_text("In the queue, 1 ahead of you")
    second.click("#soul-stop")
    wait_for_state(second, "stopped")
    first.click("#soul-stop")
    wait_for_state(first, "stopped")


def _place(page):
    """Where the chart is on the page, however far it is scrolled."""
    return page.evaluate(
        "(({x, y, width, height}) => [x, y + window.scrollY, width, height])"
        "(document.querySelector('#soul-chart-forget').getBoundingClientRect())"
    )


def _zoom(page):
    """Drag over the left half of the chart, as a person zooms; returns the range that this gives."""
    before = _range(page)
    page.locator("#soul-chart-forget").scroll_into_view_if_needed()
    box = page.locator("#soul-chart-forget .nsewdrag").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 10, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, middle, steps=5)
    page.mouse.up()
    page.wait_for_function(f"{_RANGE}[1] < {before[1] - 1}")
    return _range(page)


def _range(page):
    return page.evaluate(_RANGE)
