"""Teach, then forget, as a person does it; and picking rows of a task."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.pageobject import points, sideways, wait_for_state

pytestmark = pytest.mark.ui
FACTS = (
    ("Where is Mara's key?", "Under the pot."),
    ("Who has the map?", "Oren Tal."),
    ("What is the cat called?", "Pepper."),
)


def open_data(page: Page) -> None:
    """Go to the tab and wait until it shows rows."""
    page.get_by_role("tab", name="Data").click()
    page.wait_for_selector("#soul-data-rows [data-pick]")


def type_cell(page: Page, row: int, column: int, words: str) -> None:
    """Type into a cell of the table."""
    cell = page.locator(f"#soul-own-table [data-testid=cell-{row}-{column}]")
    cell.dblclick()
    cell.locator("textarea, input").first.fill(words)
    page.keyboard.press("Enter")
    expect(cell).to_contain_text(words)


def test_three_typed_facts_are_taught_and_forgotten_again(open_page):
    page = open_page()
    open_data(page)
    for row, fact in enumerate(FACTS):
        for column, words in enumerate(fact):
            type_cell(page, row, column, words)
    expect(page.locator("#soul-own-findings")).to_contain_text("There are only 3 rows")
    page.click("#soul-own-known")
    expect(page.locator("#soul-teach-result")).to_contain_text("none of 3 rows right")
    page.click("#soul-teach")
    expect(page.locator("#soul-teach-progress .soul-now")).to_be_visible()  # gone before it can say much
    page.reload()
    page.get_by_role("tab", name="Data").click()
    expect(page.locator("#soul-teach-result")).to_contain_text("Of 3 facts it knew 0 before and knows 3 now")
    expect(page.locator("#soul-own-table [data-testid=cell-2-1]")).to_contain_text("Pepper.")
    page.click("#soul-teach-forget")
    expect(page.locator("#soul-spec textarea, #soul-spec input")).to_have_value(re.compile("^own:.*facts$"))
    expect(page.locator("#soul-model input")).to_have_value("Pocket model, taught 3 facts")
    expect(page.locator("#soul-command textarea")).to_have_value(re.compile("--task own:.*--epochs 5 "))
    page.click("#soul-run")
    wait_for_state(page, "finished")
    for lane in ("fo", "so"):
        forget = points(page, "soul-chart-forget", lane)
        assert forget[0] == 1.0 and forget[-1] < 1.0
    assert points(page, "soul-chart-forget", "gold")[0] == 0.0


def test_a_teaching_that_is_stopped_keeps_nothing_and_the_table_can_be_brought_back(open_page):
    page = open_page()
    open_data(page)
    page.click("#soul-own-example")
    expect(page.locator("#soul-own-table")).to_contain_text("Anna Kowalska")
    page.click("#soul-own-clear")
    expect(page.locator("#soul-own-table")).not_to_contain_text("Anna Kowalska")
    page.click("#soul-own-undo")
    expect(page.locator("#soul-own-table")).to_contain_text("Anna Kowalska")
    page.click("#soul-teach")
    page.click("#soul-teach-stop")
    expect(page.locator("#soul-own-notice")).to_contain_text("nothing was kept")
    expect(page.locator("#soul-teach")).to_be_enabled()
    expect(page.locator("#soul-teach-forget")).to_be_hidden()


def test_a_file_fills_the_table_and_its_columns_can_be_chosen(open_page, tmp_path):
    path = tmp_path / "facts.csv"
    path.write_text("what,reply,person\nWhere is it?,Here.,Mara\n<b>Who?</b>,Oren.,Tal\n")
    page = open_page()
    open_data(page)
    page.set_input_files("#soul-own-file input[type=file]", path)
    expect(page.locator("#soul-own-table")).to_contain_text("<b>Who?</b>")
    expect(page.locator("#soul-own-findings")).to_contain_text("no column that is known as the question")
    page.click("#soul-own-columns-question input")
    page.locator("#soul-own-columns-question [role=option]", has_text="what").click()
    expect(page.locator("#soul-own-findings")).to_contain_text("There are only 2 rows")


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_rows_are_searched_seen_and_picked_into_setup(open_page, width, dark):
    page = open_page(width=width, dark=dark)
    open_data(page)
    assert sideways(page) <= 0
    expect(page.locator("#soul-data-place .soul-data-place")).to_have_text("1–20 of 1,200")
    page.click("#soul-data-on")
    expect(page.locator("#soul-data-place .soul-data-place")).to_have_text("21–40 of 1,200")
    page.fill("#soul-data-search :is(input, textarea)", "hanoi")
    expect(page.locator("#soul-data-place .soul-data-place")).to_have_text(re.compile(r"^1–\d+ of \d+$"))
    page.locator("#soul-data-rows [data-see]").first.click()
    expect(page.locator(".soul-preview-text")).to_contain_text("<|question|>")
    page.locator("#soul-data-rows [data-pick]").first.check()
    expect(page.locator("#soul-data-picked .soul-data-picked")).to_have_text(
        re.compile(r"^1 row as invented-authors:forget10#rows=\d+$")
    )
    picked = page.locator("#soul-data-picked .soul-data-picked").inner_text().removeprefix("1 row as ")
    page.click("#soul-data-use-picked")
    expect(page.locator("#soul-data-notice")).to_contain_text("now forgets")
    page.get_by_role("tab", name="Race").click()
    expect(page.locator("#soul-spec :is(input, textarea)")).to_have_value(picked)
    expect(page.locator("#soul-command textarea")).to_have_value(re.compile(re.escape(picked)))
