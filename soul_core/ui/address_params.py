"""The parameters of the address that a browser is at. It knows no component and no setting."""

from collections.abc import Mapping
from typing import Any

import gradio as gr

from soul_core.session.address import HIDE, LESSON, PAGE_OWN, QUESTION
from soul_core.ui import text, text_runs

KEPT = (LESSON, HIDE, *PAGE_OWN)
"""Parameters that stay in the address as they are; so does whatever begins with two underscores."""


def params_of(request: gr.Request | None) -> dict[str, str]:
    """The parameters of the address that a request came from; none where there is no browser."""
    query = getattr(request, "query_params", None) if request is not None else None
    return {str(key): str(value) for key, value in dict(query).items()} if query else {}


def names_setup(params: Mapping[str, str]) -> bool:
    """Whether an address says anything about Setup, so that it goes before the form that a browser remembers."""
    return any(key not in (QUESTION, *KEPT) and not key.startswith("__") for key in params)


def words() -> dict[str, Any]:
    """What the address's script has to say and to know."""
    return {
        "kept": list(KEPT),
        "longest": text.QUESTION_LIMIT,
        "refused": text_runs.NOT_COPIED,
        "nothing": text_runs.NOTHING_TO_COPY,
    }
