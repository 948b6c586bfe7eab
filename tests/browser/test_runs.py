"""The Runs tab as a person meets it: find, name, pin, delete and undo, compare, export and import, open."""

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from soul_core.runs.store import RunStore
from tests.browser.pageobject import points, sideways, wait_for_points, wait_for_state
from tests.browser.serving import serving
from tests.ui.runs_on_disk import SAID, a_run

pytestmark = pytest.mark.ui


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Callable[..., Path]) -> Iterator[str]:
    """A server with four finished runs of a tiny model."""
    store = RunStore(tmp_path_factory.mktemp("kept") / "runs")
    model = tiny_model_folder()
    a_run(store, name="Harbour", weights=model)
    a_run(store, name="Lighthouse", weights=model, epochs=4, said={**SAID, "so": "Elsewhere."})
    a_run(store, name="To be deleted")
    a_run(store, name="Open elsewhere", weights=model)
    with serving(store.root) as address:
        yield address


def open_runs(page: Page) -> None:
    page.get_by_role("tab", name="Runs").click()
    expect(row(page, "Harbour")).to_be_visible()


def row(page: Page, name: str):
    return page.locator(".soul-runs-table tbody tr").filter(has=page.locator("[data-show]", has_text=name))


def names(page: Page) -> list[str]:
    return page.locator(".soul-runs-table tbody tr:visible [data-show]").all_inner_texts()


def look_at(page: Page, name: str) -> None:
    row(page, name).locator("[data-show]").click()
    expect(page.locator("#soul-run-head h2")).to_have_text(name)


def bring(page: Page, archive: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.click("#soul-runs-import")
    chooser.value.set_files(archive)


def test_runs_are_found_named_and_pinned(open_page, kept):
    page = open_page(at=kept)
    open_runs(page)
    page.fill("#soul-runs-find", "harbour FINISHED graddiff")
    assert names(page) == ["Harbour"]
    expect(page.locator("#soul-runs-said")).to_contain_text("1 of ")
    page.fill("#soul-runs-find", "no such words")
    expect(page.locator("[data-soul-none]")).to_be_visible()
    page.fill("#soul-runs-find", "")
    row(page, "Harbour").locator("[data-rename]").click()
    field = page.locator(".soul-renaming input")
    expect(field).to_be_focused()
    field.press_sequentially("never mind")
    field.press("Escape")
    row(page, "Harbour").locator("[data-rename]").press("Enter")
    field.fill("Harbour, <i>second</i> try")
    field.press("Enter")
    renamed = row(page, "Harbour, <i>second</i> try")
    expect(renamed).to_be_visible()
    expect(renamed.locator("[data-rename]")).to_be_focused()
    renamed.locator("[data-pin]").click()
    expect(renamed.locator("[data-pin]")).to_have_attribute("aria-pressed", "true")
    assert names(page)[0] == "Harbour, <i>second</i> try"
    look_at(page, "Harbour, <i>second</i> try")
    page.fill("#soul-run-note textarea", "For Tuesday")
    page.keyboard.press("Tab")
    expect(page.locator("#soul-run-noted")).to_contain_text("Kept.")
    page.reload()
    open_runs(page)
    assert names(page)[0] == "Harbour, <i>second</i> try"
    look_at(page, "Harbour, <i>second</i> try")
    expect(page.locator("#soul-run-note textarea")).to_have_value("For Tuesday")
    wait_for_points(page, "soul-run-forget", "so", 3)
    assert points(page, "soul-run-forget", "so") == [0.9, 0.5, 0.2]


def test_a_deleted_run_comes_back_also_after_a_reload(open_page, kept):
    page = open_page(at=kept)
    open_runs(page)
    look_at(page, "To be deleted")
    page.click("#soul-run-delete")
    expect(page.locator(".soul-undo")).to_contain_text("“To be deleted” was deleted.")
    expect(row(page, "To be deleted")).to_have_count(0)
    expect(page.locator("#soul-run-head")).to_be_hidden()
    page.reload()
    open_runs(page)
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(row(page, "To be deleted")).to_be_visible()
    expect(page.locator("#soul-runs-notice")).to_contain_text("is back")
    expect(page.locator(".soul-undo")).to_have_count(0)


def test_two_runs_are_compared_and_taken_away_as_a_table(open_page, kept):
    page = open_page(at=kept)
    open_runs(page)
    for name in ("Lighthouse", "Open elsewhere"):
        row(page, name).locator("[data-choose]").check()
        expect(row(page, name)).to_have_attribute("data-chosen", "")
    expect(page.locator("#soul-two-head h2")).to_contain_text("Lighthouse")
    epochs = page.locator("#soul-two-settings tr", has_text="Epochs")
    assert sorted(epochs.locator("td").all_inner_texts()) == ["2", "4"]
    expect(page.locator("#soul-two-answers")).to_contain_text("Elsewhere.")
    wait_for_points(page, "soul-two-forget", "second-so", 3)
    assert points(page, "soul-two-forget", "first-so") == [0.9, 0.5, 0.2]
    with page.expect_download() as download:
        page.click("#soul-two-export")
    assert "Epochs" in Path(download.value.path()).read_text()
    row(page, "To be deleted").locator("[data-choose]").check()
    expect(page.locator("#soul-runs-said")).to_contain_text("was let go")
    expect(page.locator("[data-choose]:checked")).to_have_count(2)


def test_a_run_is_exported_and_imported_and_nothing_of_a_token_stays(open_page, kept, tmp_path):
    page = open_page(at=kept, width=390)
    open_runs(page)
    look_at(page, "Lighthouse")
    assert sideways(page) == 0
    with page.expect_download() as download:
        page.click("#soul-run-export")
    assert download.value.suggested_filename == "Lighthouse.zip"
    archive = tmp_path / "Lighthouse.zip"
    download.value.save_as(archive)
    assert any(name.endswith("model.safetensors") for name in zipfile.ZipFile(archive).namelist())
    before = page.locator(".soul-runs-table tbody tr").count()
    bring(page, archive)
    expect(page.locator("#soul-runs-notice")).to_contain_text("Imported as “Lighthouse”.")
    expect(page.locator(".soul-runs-table tbody tr")).to_have_count(before + 1)
    broken = tmp_path / "broken.zip"
    broken.write_bytes(archive.read_bytes()[:2000])
    bring(page, broken)
    expect(page.locator("#soul-runs-notice [role=alert]")).to_contain_text("zip")
    expect(page.locator(".soul-runs-table tbody tr")).to_have_count(before + 1)
    with page.expect_download() as download:
        page.click("[data-soul-picture=svg][data-chart=soul-run-forget]")
    assert download.value.suggested_filename == "soul-run-forget.svg"
    page.locator("#soul-run-push > button").click()
    page.fill("#soul-push-token input", "hf_secret")
    page.click("#soul-push-button")
    expect(page.locator("#soul-push-notice")).to_contain_text("No repository is named")
    expect(page.locator("#soul-push-token input")).to_have_value("")
    stored = page.evaluate("JSON.stringify(Object.values(localStorage)) + location.href")
    assert "hf_secret" not in json.dumps(stored)


def test_a_run_that_another_tab_deletes_says_so_and_the_page_stays_usable(open_page, kept):
    page = open_page(at=kept)
    open_runs(page)
    look_at(page, "Open elsewhere")
    page.click("#soul-run-open")
    wait_for_state(page, "finished")
    wait_for_points(page, "soul-chart-forget", "so", 3)
    expect(page.locator("#soul-verdict")).to_contain_text("SO forgot 70 of 100")
    other = page.context.new_page()
    other.goto(kept)
    open_runs(other)
    look_at(other, "Open elsewhere")
    other.click("#soul-run-delete")
    expect(other.locator(".soul-undo")).to_be_visible()
    page.fill("#soul-question textarea, #soul-question input", "Who are you?")
    page.click("#soul-ask-button")
    expect(page.locator("#soul-board [data-lane=so]")).to_contain_text("This run was deleted.")
    expect(page.locator("#soul-board [data-lane=original] .soul-said")).to_be_visible()
    page.get_by_role("tab", name="Runs").click()
    expect(page.locator("#soul-runs-notice")).to_contain_text("“Open elsewhere” is no longer here")
    other.get_by_role("tab", name="Race").click()
    expect(other.locator("#soul-race-notice")).to_contain_text("This run was deleted.")
    page.get_by_role("tab", name="Race").click()
    page.click("#soul-reset")
    wait_for_state(page, "idle")
    expect(page.locator("#soul-run")).to_be_enabled()
