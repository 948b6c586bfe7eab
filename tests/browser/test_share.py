"""The address bar holds the experiment: another browser opens the same one, and nonsense in it is said."""

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.pageobject import choose, pick_objective, set_number

pytestmark = pytest.mark.ui
QUESTION = "Where was “Mara & co” born? 100 %"


def command(page: Page) -> str:
    return page.locator("#soul-command textarea").input_value()


def in_address(page: Page, words: str) -> None:
    page.wait_for_function("(words) => decodeURIComponent(location.search).includes(words)", arg=words)


def test_a_copied_link_opens_the_same_setup_and_question_in_another_browser(open_page, address):
    page = open_page(at=f"{address}?__theme=dark&hide=advanced")
    in_address(page, "epochs=5")
    pick_objective(page, "Prefer other answers", "NPO")
    choose(page, "soul-split", "forget01")
    set_number(page, "soul-epochs", 3)
    set_number(page, "soul-seed", 7)
    page.locator("#soul-question textarea, #soul-question input").first.fill(QUESTION)
    in_address(page, "seed=7")
    in_address(page, QUESTION)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    said = page.locator("#soul-copies [role=status]")
    copied = {}
    for kind in ("link", "command", "python"):
        page.click(f"[data-soul-copies={kind}]")
        expect(said).to_have_text(f"{kind.capitalize()} copied.")
        copied[kind] = page.evaluate("navigator.clipboard.readText()")
    assert copied["command"] == command(page)
    assert "epochs=3" in copied["python"]
    assert copied["link"] == page.url
    query = parse_qs(urlsplit(page.url).query)
    assert (query["__theme"], query["hide"]) == (["dark"], ["advanced"])
    other = open_page(at=copied["link"])
    expect(other.locator("#soul-command textarea")).to_have_value(copied["command"])
    expect(other.locator("#soul-question textarea, #soul-question input").first).to_have_value(QUESTION)
    expect(other.locator("#soul-seed input")).to_have_value("7")
    expect(other.locator("#soul-address-notice")).not_to_contain_text("address")


def test_nonsense_in_an_address_is_said_and_the_rest_is_used(open_page, address):
    page = open_page(at=f"{address}?epochs=banana&colour=%3Cb%3Ered&objective=kindness&seed=7")
    said = page.locator("#soul-address-notice")
    expect(said).to_contain_text("epochs=banana")
    expect(said).to_contain_text("colour")
    expect(said).to_contain_text("kindness")
    expect(page.locator("#soul-seed input")).to_have_value("7")
    in_address(page, "epochs=5")
    assert "banana" not in page.url
    assert page.locator("#soul-address-notice b").count() == 0


def test_a_copy_works_without_a_clipboard(open_page):
    page = open_page()
    page.evaluate("() => Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.evaluate(
        "() => document.addEventListener('copy', () => (window.copied = document.activeElement.value), true)"
    )
    page.click("[data-soul-copies=command]")
    expect(page.locator("#soul-copies [role=status]")).to_have_text("Command copied.")
    assert page.evaluate("window.copied") == command(page)
    assert page.evaluate("document.activeElement.dataset.soulCopies") == "command"
