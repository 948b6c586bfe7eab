"""Form fields made from the settings: title, help and bounds come from pydantic, nothing is typed twice."""

import math
from collections.abc import Sequence
from typing import Any

import gradio as gr
from pydantic.fields import FieldInfo

from soul_core.config import Settings
from soul_core.session.catalogue import choices_of as words_of
from soul_core.session.catalogue import limits_of, source_of

Field = gr.Number | gr.Dropdown | gr.Textbox | gr.Checkbox


def bounds_of(settings: type[Settings], name: str) -> str:
    """The allowed range as words, such as ``1 to 100``; empty where there is none."""
    limits = limits_of(_field(settings, name))
    words = {key: f"{int(limit):,}" if limit == int(limit) else f"{limit:g}" for key, limit in limits.items()}
    low = f"above {words['gt']}" if "gt" in words else words.get("ge", "")
    high = f"below {words['lt']}" if "lt" in words else words.get("le", "")
    if low and high:
        return f"{low} to {high}" if "lt" not in limits else f"{low} and {high}"
    return low or (f"up to {high}" if high else "")


def help_of(settings: type[Settings], name: str) -> str:
    """What the setting does, its bounds and where its default comes from."""
    field = _field(settings, name)
    parts = [field.description or ""]
    bounds = bounds_of(settings, name)
    if bounds:
        parts.append(f"{bounds[0].upper()}{bounds[1:]}.")
    source = source_of(field)
    if source:
        parts.append(f"Default: {source}.")
    return " ".join(part for part in parts if part)


def title_of(settings: type[Settings], name: str) -> str:
    """The setting's name on the page."""
    return _field(settings, name).title or name


def choices_of(settings: type[Settings], name: str) -> tuple[str, ...]:
    """The values of a setting that is one of a few words; empty for any other."""
    return words_of(_field(settings, name))


def field_for(
    settings: type[Settings],
    name: str,
    *,
    value: Any = None,
    choices: Sequence[tuple[str, str]] = (),
    info: str = "",
    elem_id: str = "",
    visible: bool = True,
) -> Field:
    """A dropdown for a choice, a checkbox for yes or no, a text box for words, a number box for anything else.

    The box does not check bounds itself: ``Settings`` does, with a sentence that names the field.

    Args:
        settings: Whose setting it is.
        name: Its name there.
        value: What it shows at first; its default if None.
        choices: Label and value of each choice, if the setting's own words are not what the page shows.
        info: What it does, if the setting's own words do not suit the page.
        elem_id: Its id on the page.
        visible: Whether it shows at first.
    """
    field = _field(settings, name)
    value = field.default if value is None else value
    common: dict[str, Any] = {
        "label": title_of(settings, name),
        "info": info or help_of(settings, name),
        "elem_id": elem_id or f"soul-{name.replace('_', '-')}",
        "min_width": 130,
        "interactive": True,
        "visible": visible,
    }
    offered: list[Any] = [*choices] or [*choices_of(settings, name)]
    if offered:
        return gr.Dropdown(offered, value=value, filterable=False, **common)
    if field.annotation is bool:
        return gr.Checkbox(value, **common)
    if field.annotation is str:
        return gr.Textbox(value, lines=1, **common)
    return gr.Number(value, step=1 if field.annotation is int else _step(value), **common)


def _step(value: float) -> float:
    """A step of the spinner that suits the size of the value."""
    return float(10.0 ** math.floor(math.log10(abs(value)))) if value else 0.01


def _field(settings: type[Settings], name: str) -> FieldInfo:
    return settings.model_fields[name]
