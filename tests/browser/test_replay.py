"""Recorded runs on the page: labelled, playable, stoppable, and offered to whoever would wait."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.pageobject import points, short_race, sideways, wait_for_state

pytestmark = pytest.mark.ui
ENDLESS = 60  # epochs; more than any test waits for


def test_a_recorded_run_plays_stops_goes_on_and_answers_what_was_recorded(open_page):
    page = open_page()
    expect(page.locator("#soul-replay")).to_be_hidden()
    page.click("#soul-replay-open")
    banner = page.locator("#soul-replay-banner")
    expect(banner).to_contain_text("RECORDED")
    expect(banner).to_contain_text(re.compile(r"Recorded on \d{4}-\d\d-\d\d, seed 0, commit [0-9a-f]{7}"))
    expect(banner).to_contain_text("Nothing is running now")
    expect(page.locator("#soul-replay-progress .soul-recorded-mark")).to_have_text("RECORDED")
    expect(page.locator("#soul-replay-progress .soul-now")).to_contain_text("epoch 1")
    page.click("#soul-replay-halt")
    expect(page.locator("#soul-replay-progress .soul-now")).to_have_text(
        "The replay stands still. Play goes on from here."
    )
    page.wait_for_timeout(1000)  # a stream that has ended must not draw its last picture once more
    expect(page.locator("#soul-replay-progress .soul-now")).to_contain_text("stands still")
    page.locator("#soul-replay-speed").get_by_text("at once").click()
    expect(page.locator("#soul-replay-progress .soul-share")).to_have_text("100 %")
    page.wait_for_timeout(1000)
    expect(page.locator("#soul-replay-progress .soul-share")).to_have_text("100 %")
    assert len(points(page, "soul-replay-forget", "so")) == 6  # epochs 0 to 5
    expect(page.locator("#soul-replay-verdict")).to_contain_text("forgot")
    page.click("#soul-replay-pick input")
    page.locator("#soul-replay-pick [role=option]", has_text="Retain:").first.click()
    for lane in ("original", "fo", "so", "gold"):
        expect(page.locator(f"#soul-replay-board [data-lane={lane}] .soul-badge")).to_be_visible()
    # Nothing of it is a race of one's own.
    wait_for_state(page, "idle")
    assert points(page, "soul-chart-forget", "so") == []
    page.click("#soul-replay-close")
    expect(page.locator("#soul-replay")).to_be_hidden()


def test_every_recording_can_be_chosen_and_fits_a_phone(open_page):
    page = open_page(width=390)
    page.click("#soul-replay-open")
    page.click("#soul-replay-which input")
    options = page.locator("#soul-replay-which [role=option]")
    expect(options.nth(1)).to_be_visible()
    options.nth(1).click()
    expect(page.locator("#soul-replay-banner")).to_contain_text("NPO")
    page.click("#soul-replay-skip")
    expect(page.locator("#soul-replay-numbers tbody tr")).to_have_count(5)  # with the control
    assert sideways(page) <= 0


def test_while_another_race_runs_a_recording_plays_by_itself_and_ones_own_race_takes_its_place(open_page):
    first = open_page()
    short_race(first, epochs=ENDLESS)
    first.click("#soul-run")
    wait_for_state(first, "running")
    expect(first.locator("#soul-replay")).to_be_hidden()
    second = open_page()
    expect(second.locator("#soul-replay-why")).to_contain_text("Another race has this machine now")
    expect(second.locator("#soul-replay-progress .soul-now")).to_contain_text("epoch")
    short_race(second, epochs=1)
    second.click("#soul-run")
    wait_for_state(second, "queued")
    expect(second.locator("#soul-replay-why")).to_contain_text("One race goes before yours")
    first.click("#soul-stop")
    wait_for_state(second, "running", "finished")
    expect(second.locator("#soul-replay")).to_be_hidden()
    wait_for_state(second, "finished")
    second.reload()
    wait_for_state(second, "finished")
    expect(second.locator("#soul-replay")).to_be_hidden()  # never over a race of one's own
