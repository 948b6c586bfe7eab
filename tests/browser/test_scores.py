"""The Scores tab as a person meets it: score a run, read the table, take it away, compare, import."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from soul_core.config import LaneConfig, ObjectiveConfig, OptimizerConfig, RaceConfig
from soul_core.evaluation.card import Measured, Scorecard
from soul_core.events import RaceEnded
from soul_core.runs.folder import RunFolder
from soul_core.runs.scores import scores_of
from soul_core.runs.store import RunStore
from tests.browser.pageobject import choose, sideways
from tests.browser.serving import serving
from tests.ui.test_ui_scores import LOG

pytestmark = pytest.mark.ui
TASK = "invented-authors:forget01"


def run_on_disk(store: RunStore, model: Path) -> RunFolder:
    """A finished race of FO against SO, whose lanes are copies of the model."""
    objective = ObjectiveConfig()
    lanes = (
        LaneConfig(name="fo", label="FO", optimizer=OptimizerConfig(name="adamw"), objective=objective),
        LaneConfig(name="so", label="SO", optimizer=OptimizerConfig(name="sophia"), objective=objective),
    )
    folder = store.create(RaceConfig(model=str(model), task=TASK, lanes=lanes))
    for lane in lanes:
        shutil.copytree(model, folder.lane(lane.name))
    folder.append(RaceEnded(status="finished", seconds=1.0))
    folder.finish()
    return folder


def card(model: str, forget: float, retain: float) -> Scorecard:
    rows = 20
    right = round(forget * rows)
    return Scorecard(
        model=model,
        fingerprint=model,
        task=TASK,
        measured={
            "forget.acc": Measured(value=forget, low=max(0.0, forget - 0.1), high=min(1.0, forget + 0.1), rows=rows),
            "retain.acc": Measured(value=retain, rows=rows),
            "model_utility": Measured(value=retain / 2),
            "mia_loss": Measured(value=forget),
        },
        per_row={"forget.acc": (1.0,) * right + (0.0,) * (rows - right)},
        settings={"rows": rows},
    )


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder) -> Iterator[str]:
    """A server with one run that is scored already; the same server has a second one that is not."""
    store = RunStore(tmp_path_factory.mktemp("scored") / "runs")
    model = tiny_model_folder()
    run_on_disk(store, model)
    folder = run_on_disk(store, model)
    for name, forget, retain in (
        ("original", 0.95, 0.9),
        ("gold", 0.1, 0.95),
        ("fo", 0.6, 0.9),
        ("so", 0.2, 0.8),
    ):
        scores_of(folder.path).write(card(name, forget, retain))
    with serving(store.root) as address:
        yield address


def open_scores(page: Page) -> None:
    page.get_by_role("tab", name="Scores").click()
    expect(page.locator(".soul-scores-table tbody tr").first).to_be_visible()
    # The load of the page and the opening of the tab both draw; a click in between would be lost.
    expect(page.locator("#soul-scores-difference")).to_contain_text("SO-GradDiff")
    page.wait_for_timeout(500)


def names(page: Page) -> list[str]:
    """What the visible rows are called, from top to bottom."""
    return page.locator(".soul-scores-table tbody tr:visible .soul-row-name").all_inner_texts()


def saved(page: Page, kind: str) -> str:
    with page.expect_download() as download:
        page.click(f"[data-soul-download={kind}]")
    assert download.value.suggested_filename == f"soul-scores-soul.{kind}"
    return Path(download.value.path()).read_text()


def test_a_scored_run_stands_there_and_the_best_is_bold(open_page, scored):
    page = open_page(at=scored)
    open_scores(page)
    assert names(page) == ["Original", "Gold", "FO-GradDiff", "SO-GradDiff"]
    best = page.locator(".soul-scores-table tr", has_text="SO-GradDiff").locator(".soul-best")
    expect(best.first).to_have_text("0.200")
    expect(page.locator("#soul-scores-chart .soul-chart-place")).to_have_attribute(
        "aria-label", re.compile(r"SO-GradDiff \(0\.200, 0\.400\)")
    )
    expect(page.locator("#soul-scores-front")).to_contain_text("FO-GradDiff (0.600, 0.450)")


def test_a_header_sorts_and_its_question_mark_explains_by_click_and_by_key(open_page, scored):
    page = open_page(at=scored)
    open_scores(page)
    header = page.locator(".soul-scores-table th[scope=col]").nth(1)
    header.locator(".soul-sort").click()
    assert names(page) == ["Gold", "SO-GradDiff", "FO-GradDiff", "Original"]
    expect(header).to_have_attribute("aria-sort", "ascending")
    header.locator(".soul-sort").press("Enter")
    assert names(page)[0] == "Original"
    header.locator(".soul-sort").click()
    assert names(page) == ["Original", "Gold", "FO-GradDiff", "SO-GradDiff"]
    about = page.locator("#soul-about-0")
    header.locator(".soul-why").click()
    for word in ("Meaning", "Direction", "Lower is better.", "Convention", "Formula", "Source", "arXiv"):
        expect(about).to_contain_text(word)
    page.keyboard.press("Escape")
    expect(about).to_be_hidden()
    header.locator(".soul-why").press("Enter")
    expect(about).to_be_visible()


def test_rows_are_filtered_copied_and_saved_and_the_filter_outlives_another_view(open_page, scored):
    page = open_page(at=scored)
    open_scores(page)
    assert saved(page, "csv").startswith("row,kind,from,task,forget.acc,")
    assert "**0.200**" in saved(page, "md")
    assert r"\textbf{0.200}" in saved(page, "tex")
    page.fill("#soul-scores-filter", "grad")
    assert names(page) == ["FO-GradDiff", "SO-GradDiff"]
    expect(page.locator("#soul-scores-said")).to_have_text("2 of 4 rows are shown.")
    page.locator("#soul-scores-view label", has_text="TOFU").click()
    expect(page.locator(".soul-scores-table caption")).to_contain_text("TOFU")
    assert names(page) == ["FO-GradDiff", "SO-GradDiff"]
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.click("[data-soul-copy]")
    expect(page.locator("#soul-scores-said")).to_have_text("Copied: 2 rows.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert [line.split("\t")[0].split(" ")[0] for line in copied.split("\n")] == [
        "Method",
        "FO-GradDiff",
        "SO-GradDiff",
    ]


def test_published_rows_come_beside_ours_and_are_called_another_model(open_page, scored):
    page = open_page(at=scored)
    open_scores(page)
    page.locator("#soul-scores-published input").check()
    rows = page.locator(".soul-scores-table tr[data-kind=published]")
    expect(rows).to_have_count(9)
    expect(rows.first).to_contain_text("another model: LLaMA2-7B-chat")
    expect(rows.locator(".soul-best")).to_have_count(0)
    page.locator("#soul-scores-published input").uncheck()
    expect(rows).to_have_count(0)


def test_two_rows_are_compared_on_the_same_rows(open_page, scored):
    page = open_page(at=scored)
    open_scores(page)
    said = page.locator("#soul-scores-difference")
    # SO has 4 of 20 right and FO 12: 8 rows apart.
    expect(said).to_contain_text("SO-GradDiff minus FO-GradDiff is −0.400")
    expect(said).to_contain_text("SO-GradDiff is lower, which is better.")
    choose(page, "soul-scores-first", "Original")
    expect(said).to_contain_text("Original minus FO-GradDiff is +0.350")
    choose(page, "soul-scores-second", "Original")
    expect(said).to_contain_text("one and the same row")


def test_a_log_is_imported_as_a_row_removed_and_put_back(open_page, scored, tmp_path):
    log = tmp_path / "theirs.json"
    log.write_text(json.dumps(LOG))
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    page = open_page(at=scored)
    open_scores(page)
    page.locator("#soul-scores-import > button").click()
    page.click("#soul-scores-import-button")
    expect(page.locator("#soul-scores-import-notice")).to_contain_text("No log is chosen")
    page.set_input_files("#soul-scores-log input[type=file]", broken)
    expect(page.locator("#soul-scores-log")).to_contain_text("broken")
    page.click("#soul-scores-import-button")
    expect(page.locator("#soul-scores-import-notice")).to_contain_text("is not JSON")
    page.reload()
    page.wait_for_selector("#soul-run")
    open_scores(page)
    page.locator("#soul-scores-import > button").click()
    page.set_input_files("#soul-scores-log input[type=file]", log)
    expect(page.locator("#soul-scores-log")).to_contain_text("theirs")
    page.fill("#soul-scores-name input, #soul-scores-name textarea", "<i>Theirs</i>")
    page.click("#soul-scores-import-button")
    row = page.locator(".soul-scores-table tr[data-kind=imported]")
    expect(row).to_contain_text("<i>Theirs</i>")
    page.click("#soul-scores-remove")
    expect(row).to_have_count(0)
    page.click("#soul-scores-undo")
    expect(row).to_have_count(1)
    page.click("#soul-scores-remove")
    expect(row).to_have_count(0)


def test_the_race_is_not_started_by_its_key_from_another_tab(open_page, scored):
    page = open_page(at=scored)
    open_scores(page)
    page.keyboard.press("r")
    page.get_by_role("tab", name="Race").click()
    expect(page.locator("#soul-progress .soul-progress")).to_have_attribute("data-state", "idle")


@pytest.mark.parametrize("dark", [False, True])
def test_on_a_phone_the_table_scrolls_in_its_own_box(open_page, scored, dark):
    page = open_page(at=scored, width=390, dark=dark)
    open_scores(page)
    page.locator("#soul-scores-view label", has_text="Everything").click()
    expect(page.locator(".soul-scores-table caption")).to_contain_text("Everything")
    page.locator("#soul-scores-import > button").click()
    assert sideways(page) == 0
    box = page.locator(".soul-scores-wrap")
    assert box.evaluate("(box) => box.scrollWidth > box.clientWidth")
    box.evaluate("(box) => box.scrollTo(200, 0)")
    assert page.locator(".soul-scores-table tbody th").first.bounding_box()["x"] >= 0  # the names stay in sight
    page.locator(".soul-why").first.click()
    about = page.locator("#soul-about-0").bounding_box()
    assert about["x"] >= 0
    assert about["x"] + about["width"] <= 390


def test_a_run_is_scored_with_progress_outlives_a_reload_and_stops(open_page, scored):
    page = open_page(at=scored)
    open_scores(page)
    page.locator("#soul-scores-runs .token-remove").first.click()
    expect(page.locator("#soul-scores-table")).to_contain_text("press Score")
    page.click("#soul-scores-start")
    expect(page.locator("#soul-scores-notice")).to_contain_text("No run is chosen")
    page.click("#soul-scores-runs input")
    page.locator("#soul-scores-runs [role=option]", has_text="not scored yet").click()
    page.keyboard.press("Escape")
    page.locator("#soul-scores-rows label", has_text="At most 200").click()
    page.click("#soul-scores-start")
    expect(page.locator("#soul-scores-progress progress")).to_be_visible()
    expect(page.locator("#soul-scores-stop")).to_be_visible()
    page.reload()
    page.wait_for_selector("#soul-run")
    page.get_by_role("tab", name="Scores").click()
    expect(page.locator("#soul-scores-stop")).to_be_visible()
    expect(page.locator(".soul-scores-table tbody tr")).to_have_count(7)  # four of before, original, FO and SO
    expect(page.locator("#soul-scores-notice")).to_contain_text("Scored.")
    expect(page.locator("#soul-scores-stop")).to_be_hidden()
    expect(page.locator("#soul-scores-runs")).not_to_contain_text("not scored yet")
    # What is there is not scored again, so this ends at once; all rows are another matter, and are stopped.
    page.locator("#soul-scores-rows").get_by_text("All", exact=True).click()
    page.click("#soul-scores-start")
    expect(page.locator("#soul-scores-stop")).to_be_visible()
    page.click("#soul-scores-stop")
    expect(page.locator("#soul-scores-notice")).to_contain_text("Stopped.")
