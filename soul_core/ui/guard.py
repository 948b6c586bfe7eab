"""What the page does with errors: a SoulError is shown as it is, a bug is logged under an id. It knows no panel."""

import functools
import inspect
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import gradio as gr

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


def guarded(handler: Callable[..., Any], *, notice: gr.HTML | None) -> Callable[..., Any]:
    """A handler that never raises: its error becomes a banner in ``notice``, everything else stays as it is.

    Works for functions, generators and async generators that return (or yield) what Gradio takes. A stream that yields
    nothing changes nothing: Gradio itself would empty every output.
    """

    def failed(error: Exception) -> Any:
        said = sentence(error)
        return {notice: banner(said)} if notice is not None else gr.skip()

    if inspect.isasyncgenfunction(handler):

        @functools.wraps(handler)
        async def async_stream(*values: Any) -> AsyncIterator[Any]:
            silent = True
            try:
                async for result in handler(*values):
                    silent = False
                    yield result
                if silent:
                    yield gr.skip()
            except Exception as error:  # noqa: BLE001 - the page's outermost frame
                yield failed(error)

        return async_stream
    if inspect.isgeneratorfunction(handler):

        @functools.wraps(handler)
        def stream(*values: Any) -> Iterator[Any]:
            silent = True
            try:
                for result in handler(*values):
                    silent = False
                    yield result
                if silent:
                    yield gr.skip()
            except Exception as error:  # noqa: BLE001 - the page's outermost frame
                yield failed(error)

        return stream

    @functools.wraps(handler)
    def plain(*values: Any) -> Any:
        try:
            return handler(*values)
        except Exception as error:  # noqa: BLE001 - the page's outermost frame
            return failed(error)

    return plain
