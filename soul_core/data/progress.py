"""Telling whoever listens how far a task's data have come. It knows no data.

A loader tells with ``tell``. Whoever wants to know runs it within ``listening``, or in ``followed``, which turns what
is told into a stream.
"""

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

from soul_core.events import Progress

Result = TypeVar("Result")

_LISTENER: ContextVar[Callable[[Progress], None] | None] = ContextVar("listener", default=None)


def tell(progress: Progress) -> None:
    """Pass it to whoever listens; nobody has to."""
    listener = _LISTENER.get()
    if listener is not None:
        listener(progress)


def heard() -> bool:
    """Whether anybody listens."""
    return _LISTENER.get() is not None


@contextmanager
def listening(listener: Callable[[Progress], None]) -> Iterator[None]:
    """Within this block ``listener`` is told of every split that is about to be read, in this thread."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def followed(work: Callable[[], Result]) -> Generator[Progress, None, Result]:
    """Do ``work`` in a thread of its own and yield what it tells meanwhile; its result or error comes at the end.

    Whoever closes the generator early leaves the thread to finish alone: a download cannot be cut off halfway.
    """
    told: SimpleQueue[Progress | None] = SimpleQueue()
    result: Future[Result] = Future()

    def run() -> None:
        try:
            with listening(told.put):
                result.set_result(work())
        except BaseException as error:  # noqa: BLE001 (raised again below, in the thread that asked)
            result.set_exception(error)
        finally:
            told.put(None)

    Thread(target=run, daemon=True).start()
    while (progress := told.get()) is not None:
        yield progress
    return result.result()
