"""Small pieces of markup; everything that comes from outside is escaped here. It knows no race."""

from html import escape
from typing import Any

import gradio as gr

from soul_core.runs.svg import marker_svg
from soul_core.ui.glossary import TERMS
from soul_core.ui.ids import look_of


def term(word: str, shown: str = "") -> str:
    """A word with its one-sentence explanation, reachable by mouse, keyboard and screen reader."""
    tip = TERMS.get(word, "")
    if not tip:
        return escape(shown or word)
    return (
        f'<span class="soul-term" tabindex="0" data-tip="{escape(tip)}" aria-description="{escape(tip)}">'
        f"{escape(shown or word)}</span>"
    )


def swatch(lane: str, position: int = 0, *, line: bool = True) -> str:
    """The lane's line and marker as a small picture, the same as in the charts; a lane that acts once has no line."""
    look = look_of(lane, position)
    dash = f' stroke-dasharray="{look.svg_dash}"' if look.svg_dash else ""
    drawn = f'<line x1="1" x2="29" y1="7" y2="7" stroke="currentColor" stroke-width="2.4"{dash}/>' if line else ""
    return (
        f'<svg class="soul-swatch" viewBox="0 0 30 14" width="30" height="14" aria-hidden="true" '
        f'style="color:{look.colour}">{drawn}{marker_svg(15, 7, look.svg_marker, "currentColor", size=0.9)}</svg>'
    )


def notice(message: str, *, kind: str = "warning") -> str:
    """A banner under the place that a message is about; nothing for an empty message."""
    if not message:
        return ""
    role = "alert" if kind == "warning" else "status"
    return f'<div class="soul-notice soul-notice-{kind}" role="{role}">{escape(message)}</div>'


def heading(title: str, lead: str, *, level: int = 2) -> str:
    """A section's heading with one line under it."""
    return f'<div class="soul-heading"><h{level}>{escape(title)}</h{level}><p>{escape(lead)}</p></div>'


def block(markup: str, **place: Any) -> gr.HTML:
    """A place for markup, without Gradio's own prose style."""
    return gr.HTML(markup, apply_default_css=False, js_on_load=None, **place)
