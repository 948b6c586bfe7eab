"""How a function becomes a named endpoint whose errors are one sentence. It knows no endpoint."""

import functools
from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.events import api

from soul_core.ui.guard import sentence


def endpoint(function: Callable[..., Any], **how: Any) -> None:
    """Add a function to the page that is being built, under its own name; its docstring is the endpoint's.

    Args:
        function: Every argument and what it returns have types, which the endpoint's documentation shows.
        how: Gradio's settings of the event, such as ``concurrency_id``; without any it answers at once.
    """
    api(with_sentences(function), api_name=function.__name__, **(how or {"concurrency_limit": None}))


def with_sentences(function: Callable[..., Any]) -> Callable[..., Any]:
    """Errors leave as one sentence, without a traceback."""

    @functools.wraps(function)
    def safe(*values: Any) -> Any:
        try:
            return function(*values)
        except Exception as error:  # noqa: BLE001 - the endpoint's outermost frame
            raise gr.Error(sentence(error), print_exception=False) from None

    return safe
