"""A stand-in for the package ``spaces`` that does what it does to a race: another process, and only pickles come back.

Written after reading spaces 0.51.3: generators alone, forked, arguments and yields through queues, the generator
closed after its next yield when the caller closes his, an error told by its class's name.
"""

import multiprocessing
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any


class LentGpu:
    """``spaces.GPU`` with a record of what was asked for."""

    def __init__(self) -> None:
        self.booked: list[float] = []
        self.processes: list[int] = []

    def __call__(self, *, duration: Callable[..., float]) -> Callable[[Callable[..., Iterator[Any]]], Any]:
        """Decorate a generator function."""
        fork = multiprocessing.get_context("fork")

        def decorate(task: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
            def lent(*values: Any, **named: Any) -> Iterator[Any]:
                self.booked.append(duration(*values, **named))
                results, stop = fork.SimpleQueue(), fork.Event()
                arguments = pickle.dumps((values, named))
                process = fork.Process(target=_work, args=(task, arguments, results, stop), daemon=True)
                process.start()
                self.processes.append(process.pid or 0)
                try:
                    while True:
                        kind, value = results.get()
                        if kind == "end":
                            return
                        if kind == "error":
                            raise RuntimeError(f"ZeroGPU worker error: {value}")
                        yield pickle.loads(value)  # noqa: S301 - from the child that was just forked
                finally:
                    stop.set()
                    process.join(60)

            return lent

        return decorate


def _work(task: Callable[..., Iterator[Any]], arguments: bytes, results: Any, stop: Any) -> None:
    values, named = pickle.loads(arguments)  # noqa: S301

    def iterate() -> None:
        steps = task(*values, **named)
        try:
            for value in steps:
                if stop.is_set():
                    steps.close()  # type: ignore[attr-defined]
                    break
                results.put(("value", pickle.dumps(value)))
        except Exception as error:  # noqa: BLE001 - as the package does
            results.put(("error", type(error).__name__))

    with ThreadPoolExecutor(1) as thread:
        thread.submit(iterate).result()
    results.put(("end", None))
