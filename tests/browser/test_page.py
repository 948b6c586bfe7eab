"""The page as a person meets it: loaded, dark, on a phone, by keyboard, asked before any race."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.pageobject import choose, set_number, sideways

pytestmark = pytest.mark.ui


def test_it_loads_without_a_complaint_and_from_this_machine_alone(browser, address):
    context = browser.new_context()
    page = context.new_page()
    hosts, complaints = set(), []
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]) if "//" in request.url else None)
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("response", lambda response: complaints.append(response.url) if response.status >= 400 else None)
    page.goto(address)
    page.wait_for_selector("#soul-chart-retain .js-plotly-plot")
    expect(page.locator("h1")).to_contain_text("Watch a language model forget.")
    expect(page.locator("#soul-formula .katex").first).to_be_visible()
    assert hosts == {address.split("/")[2]}
    assert complaints == []
    context.close()


def test_the_command_line_follows_the_setup(open_page):
    page = open_page()
    set_number(page, "soul-epochs", 3)
    choose(page, "soul-split", "forget05")
    expect(page.locator("#soul-command textarea")).to_have_value(re.compile("forget05 .*--epochs 3"))
    set_number(page, "soul-epochs", 0)
    expect(page.locator("#soul-setup-notice")).to_contain_text("Epochs is 0")


def test_a_hand_picked_set_without_gold_offers_to_train_one(open_page):
    page = open_page()
    expect(page.locator("#soul-train-gold")).to_be_hidden()
    choose(page, "soul-split", "Authors by name")
    page.click("#soul-authors input")
    page.locator("#soul-authors [role=option]").first.click()
    expect(page.locator("#soul-train-gold")).to_be_visible()


def test_original_and_gold_answer_before_any_race(open_page):
    page = open_page()
    page.locator("#soul-chips button").first.click()
    board = page.locator("#soul-board")
    expect(board.locator("[data-lane=original] .soul-badge")).to_contain_text("knows")
    expect(board.locator("[data-lane=gold] .soul-badge")).to_be_visible()
    expect(board.locator("[data-lane=gold] .soul-badge")).not_to_contain_text("knows")
    expect(board.locator("[data-lane=so]")).to_contain_text("Press Run first.")
    expect(board.locator("[data-lane=original] .soul-hit").first).to_be_visible()
    assert board.locator(".soul-truth").inner_text().startswith("True answer")


def test_a_question_picked_from_another_set_is_asked(open_page):
    page = open_page()
    page.locator("#soul-source label", has_text="World facts").click()
    choose(page, "soul-pick", "capital of")
    expect(page.locator("#soul-question textarea, #soul-question input").first).to_have_value(re.compile("capital of"))
    expect(page.locator("#soul-board [data-lane=original] .soul-badge")).to_be_visible()


def test_markup_in_a_question_is_shown_literally_and_an_empty_one_is_one_sentence(open_page):
    page = open_page()
    box = page.locator("#soul-question textarea, #soul-question input").first
    box.fill("<img src=x onerror=\"document.title='gone'\"> 🦉?")
    page.click("#soul-ask-button")
    expect(page.locator("#soul-board .soul-asked")).to_contain_text("<img src=x onerror=")
    expect(page.locator("#soul-board")).to_contain_text("No known answer")
    assert page.locator("#soul-board img").count() == 0
    assert page.title() != "gone"
    box.fill("")
    page.click("#soul-ask-button")
    expect(page.locator("#soul-ask-notice [role=alert]")).to_contain_text("The question is empty.")


def test_dark_is_dark_is_remembered_and_reaches_the_charts(open_page):
    page = open_page()
    ink = "getComputedStyle(document.querySelector('#soul-chart-forget .xtick text')).fill"
    paper = "getComputedStyle(document.querySelector('.gradio-container')).backgroundColor"
    light = page.evaluate(ink), page.evaluate(paper)
    page.click("#soul-theme")
    page.wait_for_function(f"({ink}) !== {light[0]!r}")
    dark = page.evaluate(ink), page.evaluate(paper)
    assert dark[1] != light[1]
    page.reload()
    page.wait_for_selector("#soul-chart-forget .xtick text")
    page.wait_for_function(f"({ink}) === {dark[0]!r}")
    assert page.evaluate(paper) == dark[1]


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_shows_everything_in_one_column_without_sideways_scrolling(open_page, dark):
    page = open_page(width=390, dark=dark)
    tops = [page.locator(place).bounding_box()["y"] for place in ("#soul-setup", "#soul-race", "#soul-ask")]
    assert tops == sorted(tops)
    assert sideways(page) == 0
    page.locator("#soul-advanced > button").click()
    for group in page.locator("#soul-advanced button").all()[1:4]:
        group.click()
    assert sideways(page) == 0
    run = page.locator("#soul-run").bounding_box()
    assert run["y"] + run["height"] <= 900  # within reach without scrolling
    columns = [box.bounding_box()["x"] for box in page.locator("#soul-board .soul-answer").all()]
    assert len(columns) == 4
    assert len(set(columns)) == 1


def test_tab_reaches_what_matters_and_the_chart_speaks(open_page):
    page = open_page()
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.closest('[id^=soul-]')?.id"))
    assert {"soul-theme", "soul-model", "soul-objective", "soul-epochs", "soul-run", "soul-question"} <= reached
    chart = page.locator("#soul-chart-forget .soul-chart-place")
    expect(chart).to_have_attribute("role", "figure")
    expect(chart).to_have_attribute("aria-label", re.compile("^Forget accuracy"))
    expect(page.locator("#soul-stop")).to_have_attribute("aria-keyshortcuts", "s")
