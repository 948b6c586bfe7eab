"""What is wrong with a page for those who see, hear or move otherwise: axe's rules for WCAG 2.2 AA and ours."""

from collections.abc import Sequence
from pathlib import Path

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

OWN_SCRIPT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")

EXCLUDED: dict[str, str] = {}
"""What Gradio does wrong and we cannot mend: ``rule @ selector``, and the reason."""


def load_audit(page: Page) -> None:
    """Put axe and our own checks into the page, once after each load."""
    for script in (AXE_SCRIPT, OWN_SCRIPT):
        page.add_script_tag(content=script)


def faults(page: Page, place: str) -> list[str]:
    """Everything that is wrong below ``place``, a line each."""
    found: list[str] = page.evaluate("([place, excluded]) => soulAudit(place, excluded)", [place, list(EXCLUDED)])
    return found


def told(problems: Sequence[str]) -> str:
    """All of it as one text, and what was not looked at, for the failure's message."""
    spared = [f"not looked at: {what} ({why})" for what, why in EXCLUDED.items()] or ["everything was looked at"]
    return "\n".join(["", *problems, *spared])
