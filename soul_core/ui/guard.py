"""What the page does with errors: a SoulError is shown as it is, a bug is logged under an id. It knows no panel."""

import functools
import inspect
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import gradio as gr
from gradio.blocks import Block
from plotly.io.json import to_json_plotly  # type: ignore[import-untyped]

from soul_core.errors import SoulError
from soul_core.ui import text
from soul_core.ui.html import notice as banner

log = logging.getLogger(__name__)

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
"""How an event is told that answers at once and belongs to the page alone."""
AS_TYPED: dict[str, Any] = {"preprocess": False}
"""For events that read Setup: its choices follow each other, and Gradio would refuse a value that was sent while its
list of choices changed; ``Form`` checks every value anyway."""


def sentence(error: Exception) -> str:
    """What to tell the person; a bug's traceback goes to the log, with the id that the sentence names."""
    if isinstance(error, SoulError):
        return str(error)
    bug = secrets.token_hex(2)
    log.error("bug %s", bug, exc_info=error)
    return text.BUG.format(id=bug)


class Said:
    """What a stream has said of its components' settings, which goes along with everything that it says later.

    Gradio sends how a message differs from the one before, and a browser that is still drawing an earlier one applies
    the difference to messages that wait to be drawn: a setting that only the first of two names is then never drawn.
    For the same reason a chart's figure goes as text, which no difference reaches into.
    """

    def __init__(self) -> None:
        self._settings: dict[Any, dict[str, Any]] = {}

    def with_earlier(self, result: Any) -> Any:
        """``result`` and every setting that was said before; nothing of before once a stream skips.

        A value that a person can change is said once only.
        """
        if not isinstance(result, dict) or _settings_of(result) is not None:
            self._settings.clear()
            return result
        told = dict(result)
        for component, value in result.items():
            settings = _settings_of(value)
            if settings is None:
                self._settings.pop(component, None)
                if isinstance(component, gr.HTML) and isinstance(value, dict):
                    told[component] = to_json_plotly(value)
                continue
            told[component] = {**self._settings.get(component, {}), **settings}
            filled_in = isinstance(component, gr.components.FormComponent)
            self._settings[component] = {
                name: what for name, what in told[component].items() if not (filled_in and name == "value")
            }
        # Copies: Gradio takes the value out of what it is given.
        return {**{component: dict(settings) for component, settings in self._settings.items()}, **told}


def _settings_of(value: Any) -> dict[str, Any] | None:
    """The settings in a value that is an update of a component; None for any other value."""
    if isinstance(value, Block):
        return {**value.constructor_args, "__type__": "update"}
    return value if isinstance(value, dict) and value.get("__type__") == "update" else None


def guarded(handler: Callable[..., Any], *, notice: gr.HTML | None) -> Callable[..., Any]:
    """A handler that never raises: its error becomes a banner in ``notice``, everything else stays as it is.

    Works for functions, generators and async generators that return (or yield) what Gradio takes. A stream that yields
    nothing changes nothing: Gradio itself would empty every output. What a stream says once stays said
    (:class:`Said`). Gradio draws the last message of a stream again when that ends, so one that another has followed
    ends with ``gr.skip()``.
    """

    def failed(error: Exception) -> Any:
        said = sentence(error)
        return {notice: banner(said)} if notice is not None else gr.skip()

    if inspect.isasyncgenfunction(handler):

        @functools.wraps(handler)
        async def async_stream(*values: Any) -> AsyncIterator[Any]:
            silent, said = True, Said()
            try:
                async for result in handler(*values):
                    silent = False
                    yield said.with_earlier(result)
                if silent:
                    yield gr.skip()
            except Exception as error:  # noqa: BLE001 - the page's outermost frame
                yield said.with_earlier(failed(error))

        return async_stream
    if inspect.isgeneratorfunction(handler):

        @functools.wraps(handler)
        def stream(*values: Any) -> Iterator[Any]:
            silent, said = True, Said()
            try:
                for result in handler(*values):
                    silent = False
                    yield said.with_earlier(result)
                if silent:
                    yield gr.skip()
            except Exception as error:  # noqa: BLE001 - the page's outermost frame
                yield said.with_earlier(failed(error))

        return stream

    @functools.wraps(handler)
    def plain(*values: Any) -> Any:
        try:
            return handler(*values)
        except Exception as error:  # noqa: BLE001 - the page's outermost frame
            return failed(error)

    return plain
