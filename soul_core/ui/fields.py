"""Form fields made from the settings: title, help and bounds come from pydantic, nothing is typed twice."""

import math
from typing import Any, Literal, get_args, get_origin

import gradio as gr
from pydantic.fields import FieldInfo

from soul_core.config import Settings


def bounds_of(settings: type[Settings], name: str) -> str:
    """The allowed range as words, such as ``1 to 100``; empty where there is none."""
    limits: dict[str, float] = {}
    for rule in _field(settings, name).metadata:
        for key in ("gt", "ge", "lt", "le"):
            value = getattr(rule, key, None)
            if value is not None:
                limits[key] = value
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
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "source" in extra:
        parts.append(f"Default: {extra['source']}.")
    return " ".join(part for part in parts if part)


def title_of(settings: type[Settings], name: str) -> str:
    """The setting's name on the page."""
    return _field(settings, name).title or name


def choices_of(settings: type[Settings], name: str) -> tuple[str, ...]:
    """The values of a setting that is one of a few words; empty for any other."""
    kind = _field(settings, name).annotation
    return tuple(str(value) for value in get_args(kind)) if get_origin(kind) is Literal else ()


def field_for(settings: type[Settings], name: str, *, value: Any = None, elem_id: str = "") -> gr.Number | gr.Dropdown:
    """A dropdown for a choice, a number box for anything else.

    The box does not check bounds itself: ``Settings`` does, with a sentence that names the field.
    """
    field = _field(settings, name)
    value = field.default if value is None else value
    choices = choices_of(settings, name)
    common: dict[str, Any] = {
        "label": title_of(settings, name),
        "info": help_of(settings, name),
        "elem_id": elem_id or f"soul-{name.replace('_', '-')}",
        "min_width": 130,
        "interactive": True,
    }
    if choices:
        return gr.Dropdown(list(choices), value=value, filterable=False, **common)
    return gr.Number(value, step=1 if field.annotation is int else _step(value), **common)


def _step(value: float) -> float:
    """A step of the spinner that suits the size of the value."""
    return float(10.0 ** math.floor(math.log10(abs(value)))) if value else 0.01


def _field(settings: type[Settings], name: str) -> FieldInfo:
    return settings.model_fields[name]
