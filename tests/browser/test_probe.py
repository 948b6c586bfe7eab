"""The Probe tab as a person meets it: bring it back after a race, read what was said, scrub, look into tokens."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from soul_core.runs.folder import RunFolder
from soul_core.runs.marks import Marks, write_marks
from tests.browser.conftest import PATIENCE
from tests.browser.pageobject import choose, points, short_race, sideways, wait_for_state
from tests.browser.serving import serving

pytestmark = pytest.mark.ui


@dataclass(frozen=True)
class Raced:
    """A page whose browser has just raced for two epochs, where it is served, and where its runs are."""

    page: Page
    address: str
    runs: Path


@pytest.fixture(scope="module")
def raced(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Raced]:
    """One short race for all tests of this file."""
    runs = tmp_path_factory.mktemp("probed") / "runs"
    with serving(runs) as address:
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.goto(address)
        page.wait_for_selector("#soul-chart-retain .xtick text")
        page.wait_for_function("document.querySelector('#soul-command textarea')?.value.includes('soul_core')")
        expect(page.locator("#soul-probe-start")).to_be_disabled()
        short_race(page, epochs=2)
        page.click("#soul-run")
        page.set_default_timeout(3 * PATIENCE)
        wait_for_state(page, "finished")
        page.set_default_timeout(PATIENCE)
        yield Raced(page, address, runs)
        context.close()


def probe_tab(page: Page) -> None:
    page.get_by_role("tab", name="Probe").click()
    expect(page.locator("#soul-probe-run input")).to_have_value(re.compile("forget01"))


def first_press(raced: Raced) -> Page:
    """The page with a bench that has at least its first cell; the first test to come here presses the button."""
    page = raced.page
    if not page.locator(".soul-cell").count():
        page.get_by_role("tab", name="Race").click()
        page.click("#soul-probe-start")
        page.wait_for_selector(".soul-cell")
    return page


def asked(page: Page) -> None:
    if not page.locator(".soul-token").count():
        page.click("#soul-probe-ask")
        page.wait_for_selector(".soul-token")


def test_one_press_after_a_race_fills_the_bench_and_a_reload_does_not_lose_it(raced):
    page = first_press(raced)
    expect(page.get_by_role("tab", name="Probe")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#soul-probe-progress progress")).to_be_visible()
    page.reload()
    page.wait_for_selector("#soul-run")
    probe_tab(page)
    expect(page.locator("#soul-probe-stop")).to_be_visible()
    expect(page.locator(".soul-bench-table")).to_have_attribute("aria-busy", "true")
    expect(page.locator("#soul-probe-notice")).to_contain_text("Done.")
    rows = page.locator(".soul-bench-table tbody tr")
    # Twelve attacks on original, FO, SO and gold.
    expect(rows).to_have_count(12)
    expect(page.locator(".soul-bench-table thead th")).to_have_count(5)
    expect(page.locator(".soul-bench-table")).to_have_attribute("aria-busy", "false")
    expect(rows.first.locator(".soul-cell").first).to_have_attribute("data-model", "original")
    expect(page.locator("#soul-probe-verdicts .soul-probe-card")).to_have_count(2)
    with page.expect_download() as download:
        page.click("#soul-probe-csv")
    assert Path(download.value.path()).read_text().startswith("attack,title,model,share")


def test_a_cell_opens_what_was_said_and_escape_closes_it(raced):
    page = first_press(raced)
    cell = page.locator(".soul-cell[data-model=original]").first
    cell.click()
    dialog = page.locator(".soul-transcripts")
    expect(dialog).to_be_visible()
    expect(dialog.locator("h3")).to_contain_text("Plain question: Original")
    shown = dialog.locator(".soul-tries > li:visible")
    every = shown.count()
    assert every > 1
    page.fill("[data-soul-find]", "nothing has these words")
    expect(shown).to_have_count(0)
    expect(dialog.locator("[data-said]")).to_have_text(f"0 of {every} rows are shown.")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(cell).to_be_focused()
    cell.press("Enter")
    expect(dialog).to_be_visible()
    page.click("[data-soul-close]")
    expect(dialog).to_be_hidden()


def test_the_slider_moves_answers_and_map_together(raced):
    page = raced.page
    probe_tab(page)
    asked(page)
    said = page.locator("#soul-probe-answers .soul-remarks")
    expect(said).to_contain_text("After epoch 2")
    last = points(page, "soul-probe-map", "so-path")
    assert len(last) == 3  # before, and after each of two epochs
    slider = page.get_by_role("slider", name="Epoch")
    slider.focus()
    page.keyboard.press("Home")
    expect(said).to_contain_text("Before forgetting")
    answers = page.locator("#soul-probe-answers .soul-answer")
    original, fo = (answers.nth(at).locator(".soul-said p").inner_text() for at in (0, 1))
    assert original == fo
    page.wait_for_function(
        "() => { const at = (name) => document.querySelector('#soul-probe-map .soul-chart-place').data"
        ".find((trace) => trace.uid === name); return at('so').x[0] === at('so-path').x[0]; }"
    )
    page.click("#soul-probe-when")
    when = page.locator("#soul-probe-when-said li")
    expect(when).to_have_count(2)
    expect(when.first).to_contain_text("FO-GradDiff")


def test_a_token_shows_what_every_model_held_likely_there(raced):
    page = raced.page
    probe_tab(page)
    asked(page)
    row = page.locator(".soul-tokens").nth(1)
    tokens = row.locator(".soul-token")
    tokens.nth(1).click()
    table = page.locator(".soul-alternatives [data-place]:visible")
    expect(table).to_have_count(1)
    expect(table.locator("thead th")).to_have_count(5)
    expect(table.locator("tbody tr")).to_have_count(11)
    expect(tokens.nth(1)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("ArrowRight")
    expect(tokens.nth(2)).to_be_focused()
    page.keyboard.press("Enter")
    expect(tokens.nth(2)).to_have_attribute("aria-pressed", "true")
    expect(table).to_have_count(1)


def test_an_own_attack_without_a_question_is_refused_where_it_was_typed(raced):
    page = raced.page
    probe_tab(page)
    expect(page.locator("#soul-probe-bench-start")).to_be_enabled()
    page.locator("#soul-probe-bench-more > button").click()
    page.fill("#soul-probe-own textarea", "Tell me everything you know.")
    page.click("#soul-probe-bench-start")
    expect(page.locator("#soul-probe-bench-notice")).to_contain_text("has no {question} in it")
    expect(page.locator("#soul-probe-stop")).to_be_hidden()
    page.fill("#soul-probe-own textarea", "")


def test_relearning_draws_a_growing_curve_for_each_model_and_gold(raced):
    page = raced.page
    probe_tab(page)
    page.locator("#soul-probe-relearn").get_by_role("button", name="Rows, steps").click()
    for name, value in (("steps", 4), ("every", 2), ("rows", 4), ("asked", 6)):
        page.fill(f"#soul-probe-relearn-{name} input", str(value))
        page.keyboard.press("Tab")
    expect(page.locator("#soul-probe-relearn-start")).to_be_enabled()
    page.click("#soul-probe-relearn-start")
    for lane in ("fo", "so", "gold"):
        page.wait_for_function(
            "(lane) => (document.querySelector('#soul-probe-relearn-chart .soul-chart-place')?.data || [])"
            ".some((trace) => trace.uid === lane && trace.x.length === 3)",
            arg=lane,
        )
    expect(page.locator("#soul-probe-relearn-said")).to_contain_text("Trained on 4 forget rows")


def test_on_a_phone_nothing_scrolls_sideways(raced):
    page = raced.page
    probe_tab(page)
    asked(page)
    page.set_viewport_size({"width": 390, "height": 900})
    page.locator(".soul-token").first.click()
    for _ in ("light", "dark"):
        assert sideways(page) == 0
        page.click("#soul-theme")
    page.set_viewport_size({"width": 1280, "height": 900})


def test_a_run_that_is_deleted_meanwhile_is_one_sentence(raced):
    page = raced.page
    (run,) = (path for path in raced.runs.iterdir() if (path / "manifest.json").is_file())
    newer = raced.runs / "20990101-000000-graddiff-0123abcd"
    shutil.copytree(run, newer)
    write_marks(RunFolder(newer), Marks(name="Doomed"))
    page.get_by_role("tab", name="Race").click()
    probe_tab(page)
    choose(page, "soul-probe-run", "Doomed")
    expect(page.locator("#soul-probe-answers")).to_contain_text("the answers appear here")
    shutil.rmtree(newer)
    page.click("#soul-probe-ask")
    expect(page.locator("#soul-probe-scrub-notice")).to_contain_text("It may have been deleted")
    page.click("#soul-probe-where-start")
    expect(page.locator("#soul-probe-notice")).to_contain_text("It may have been deleted")
    page.get_by_role("tab", name="Race").click()
    probe_tab(page)
    expect(page.locator("#soul-probe-run input")).not_to_have_value(re.compile("Doomed"))
    asked(page)
