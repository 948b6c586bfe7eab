"""What an engine does about memory that runs out: notice, let go, tell the other processes. It knows no batch."""

import gc
from collections.abc import Callable
from typing import TypeVar

import torch

from soul_core.engine.peers import Peers

T = TypeVar("T")


class NoRoom(Exception):
    """A process ran out of memory; all of them have let go of what they were doing.

    Attributes:
        error: What it was, without the frames that hold on to tensors.
        rows: How many rows were forwarded at a time.
    """

    def __init__(self, error: Exception, rows: int) -> None:
        super().__init__(str(error))
        self.error = error
        self.rows = rows


def out_of_memory(error: Exception) -> bool:
    """Whether this is the machine saying that it has no memory left."""
    # The CPU's allocator has no exception of its own.
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def in_room(work: Callable[[], T], peers: Peers, *, rows: int) -> T:
    """Do the work, in which no process waits for another; then hear whether all of them could.

    Of weights that are spread over processes every forward waits for the others: there a lack of memory in one of
    them, unless it is one in all, ends the run.

    Raises:
        NoRoom: One of them ran out of memory, and so in all of them.
    """
    failed: Exception | None = None
    done: list[T] = []
    try:
        done.append(work())
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        failed = error.with_traceback(None)
    if peers.any(failed is not None):
        raise NoRoom(failed or MemoryError("Another process of this run has no memory left."), rows)
    return done[0]


def let_go() -> None:
    """Give back what is cached and what only a cycle of references keeps."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
