"""What a person does on the page and sees there, in their words."""

import re

from playwright.sync_api import Page, expect


def choose(page: Page, field: str, option: str) -> None:
    """Pick an option of a dropdown by its words."""
    page.click(f"#{field} input")
    page.locator(f"#{field} [role=option]", has_text=option).first.click()


def set_number(page: Page, field: str, value: int) -> None:
    """Type a number."""
    page.fill(f"#{field} input", str(value))
    page.keyboard.press("Tab")


def short_race(page: Page, *, epochs: int) -> None:
    """One author to forget, so many epochs."""
    choose(page, "soul-split", "forget01")
    set_number(page, "soul-epochs", epochs)
    command = page.locator("#soul-command textarea")
    expect(command).to_have_value(re.compile(rf"forget01 .*--epochs {epochs} "))


def pick_objective(page: Page, idea: str, objective: str = "") -> None:
    """Pick an idea, then one of its objectives; without one the idea's first is taken."""
    page.locator("#soul-idea label", has_text=idea).click()
    if objective:
        page.locator("#soul-objective label").get_by_text(objective, exact=True).click()


def add_method(page: Page, name: str) -> None:
    """Type a method's name and take it."""
    page.fill("#soul-methods input", name)
    page.keyboard.press("Enter")


def open_settings(page: Page, group: str) -> None:
    """Open the advanced settings and one group among them."""
    inner = page.locator("#soul-advanced").get_by_role("button", name=group, exact=False)
    if not inner.first.is_visible():
        page.locator("#soul-advanced > button").click()
    inner.first.click()


def points(page: Page, chart: str, lane: str) -> list[float]:
    """The heights of a lane's points, as Plotly has them."""
    return page.evaluate(
        "([chart, lane]) => (document.querySelector(`#${chart} .soul-chart-place`).data || [])"
        ".filter((trace) => trace.uid === lane).flatMap((trace) => Array.from(trace.y))",
        [chart, lane],
    )


def wait_for_points(page: Page, chart: str, lane: str, count: int) -> None:
    """Until a lane has at least so many points."""
    page.wait_for_function(
        "([chart, lane, count]) => (document.querySelector(`#${chart} .soul-chart-place`)?.data || [])"
        ".some((trace) => trace.uid === lane && trace.y.length >= count)",
        arg=[chart, lane, count],
    )


def wait_for_state(page: Page, *states: str) -> None:
    """Until the job is in one of these states."""
    selector = ", ".join(f'.soul-progress[data-state="{state}"]' for state in states)
    page.wait_for_selector(f"#soul-progress :is({selector})")


def sideways(page: Page) -> int:
    """How many pixels the page is wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
