"""The markup of copying and of what an address said wrongly. It knows no component and no browser."""

from collections.abc import Iterable
from html import escape

from soul_core.ui import text_runs
from soul_core.ui.html import notice


def copy_html() -> str:
    """Copy link, command and Python; what was copied is said beside them."""
    buttons = "".join(
        f'<button type="button" class="soul-tool" data-soul-copies="{kind}" data-said="{escape(said)}" '
        f'title="{escape(tip)}">{escape(label)}</button>'
        for kind, (label, said, tip) in text_runs.COPIES.items()
    )
    return (
        f'<div class="soul-copies" role="group" aria-label="{escape(text_runs.COPY_GROUP)}">{buttons}'
        '<span role="status" aria-live="polite"></span></div>'
    )


def held_html(python: str) -> str:
    """What a button copies and nobody sees."""
    return f'<textarea hidden readonly data-soul-held="python">\n{escape(python)}</textarea>'


def troubles_html(troubles: Iterable[str]) -> str:
    """What of an address could not be used, a sentence each; nothing where all could."""
    said = list(troubles)
    if not said:
        return ""
    return "".join(notice(sentence) for sentence in said) + notice(text_runs.REST_IS_USED, kind="info")
