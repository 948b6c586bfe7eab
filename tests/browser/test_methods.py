"""Picking what runs: ideas and objectives with their formula and settings, and any methods side by side."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.pageobject import (
    add_method,
    open_settings,
    pick_objective,
    points,
    set_number,
    short_race,
    sideways,
    wait_for_state,
)

pytestmark = pytest.mark.ui


def test_another_idea_brings_its_objectives_formula_and_settings(open_page):
    page = open_page()
    formula, command = page.locator("#soul-formula"), page.locator("#soul-command textarea")
    expect(formula.locator("annotation").first).to_contain_text(r"\gamma")
    open_settings(page, "FO: first order")
    expect(page.locator("#soul-fo-gamma")).to_be_visible()
    expect(page.locator("#soul-fo-simnpo-beta")).to_be_hidden()
    pick_objective(page, "Prefer other answers", "SimNPO")
    expect(formula).to_contain_text("Fan et al.")
    expect(formula.locator("annotation").first).to_contain_text(r"\delta")
    expect(page.locator("#soul-fo-simnpo-beta input")).to_have_value("4.5")
    expect(page.locator("#soul-fo-npo-beta")).to_be_hidden()
    set_number(page, "soul-fo-simnpo-beta", 3)
    expect(command).to_have_value(re.compile(r"--objective simnpo .*--fo\.beta 3"))
    expect(page.locator("#soul-setup .soul-notice[role=status]")).to_contain_text("Settings differ from the preset")
    pick_objective(page, "Make the answers unlikely", "GA")
    expect(command).to_have_value(re.compile(r"--objective ga$"))
    expect(formula.locator("annotation").first).not_to_contain_text(r"\gamma")
    expect(page.locator("#soul-fo-gamma")).to_be_hidden()


def test_a_formula_that_is_wider_than_the_column_scrolls_in_its_own_line(open_page):
    page = open_page(width=390)
    pick_objective(page, "Prefer other answers", "DPO")
    expect(page.locator("#soul-formula")).to_contain_text("Needs: a refusal beside each forget answer")
    assert sideways(page) == 0


def test_the_weights_bring_lora_s_settings_and_the_preset_s_rate_for_lora(open_page):
    page = open_page()
    open_settings(page, "Weights")
    expect(page.locator("#soul-weights-rank")).to_be_hidden()
    page.click("#soul-weights-kind input")
    page.locator("#soul-weights-kind [role=option]", has_text="lora").click()
    expect(page.locator("#soul-weights-rank")).to_be_visible()
    expect(page.locator("#soul-command textarea")).to_have_value(re.compile("lora"))


def test_what_has_no_fo_and_so_offers_a_race_against_them(open_page):
    page = open_page()
    pick_objective(page, "Only ask for it", "ICUL")
    expect(page.locator("#soul-no-pair")).to_contain_text("ICUL has no FO and SO: no weight changes.")
    expect(page.locator("#soul-setup-notice [role=alert]")).to_have_count(0)
    page.click("#soul-to-methods")
    expect(page.locator("#soul-objective")).to_be_hidden()
    expect(page.locator("#soul-command textarea")).to_have_value(re.compile("--methods fo-graddiff,so-graddiff,icul"))


def test_any_methods_race_side_by_side_and_come_back_after_a_reload(open_page):
    page = open_page()
    short_race(page, epochs=1)
    open_settings(page, "Shared by all")
    set_number(page, "soul-eval-rows", 8)
    page.locator("#soul-mode label", has_text="Any methods").click()
    command = page.locator("#soul-command textarea")
    expect(command).to_have_value(re.compile("--methods fo-graddiff,so-graddiff"))
    page.locator("#soul-methods .token-remove").first.click()
    add_method(page, "fo-npo-lora")
    add_method(page, "Influence")
    page.fill("#soul-changes textarea", "so-graddiff.lr = 0.0003")
    expect(command).to_have_value(
        re.compile(r"--methods so-graddiff,fo-npo-lora,influence --so-graddiff\.lr 0\.0003$")
    )
    page.locator("h1").click()
    page.click("#soul-run")
    wait_for_state(page, "finished", "failed")
    expect(page.locator("#soul-race-notice [role=alert]")).to_have_count(0)
    for chart in ("soul-chart-forget", "soul-chart-retain"):
        assert [len(points(page, chart, lane)) for lane in ("so-graddiff", "fo-npo-lora", "influence")] == [2, 2, 1]
    expect(page.locator("#soul-legend")).to_contain_text("one step")
    expect(page.locator("#soul-chart-forget .soul-chart-place")).to_have_attribute(
        "aria-label", re.compile(r"Influence \d+ % \(one step\)")
    )
    expect(page.locator("#soul-numbers tbody tr")).to_have_count(5)
    page.reload()
    wait_for_state(page, "finished")
    expect(command).to_have_value(re.compile(r"--methods so-graddiff,fo-npo-lora,influence --so-graddiff\.lr 0\.0003"))
    expect(page.locator("#soul-changes textarea")).to_have_value("so-graddiff.lr = 0.0003")
    page.locator("#soul-chips button").first.click()
    for lane in ("original", "so-graddiff", "fo-npo-lora", "influence", "gold"):
        expect(page.locator(f"#soul-board [data-lane={lane}] .soul-badge")).to_be_visible()
