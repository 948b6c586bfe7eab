"""Models held in memory within a budget, least recently used first out; it knows not what they are used for."""

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable
from concurrent.futures import Future

from soul_core.models.loading import LoadedModel


class Shelf:
    """Loaded models by key. Threads may share it.

    The budget is a wish: the model just asked for and pinned ones stay even when they alone exceed it.

    Args:
        budget_bytes: Memory the models may take together.
    """

    def __init__(self, budget_bytes: int) -> None:
        if budget_bytes < 0:
            raise ValueError(f"budget_bytes must be >= 0, got {budget_bytes}")
        self._budget = budget_bytes
        self._lock = threading.Lock()
        self._models: OrderedDict[str, LoadedModel] = OrderedDict()
        self._loading: dict[str, Future[LoadedModel]] = {}
        self._pins: Counter[str] = Counter()

    def get(self, key: str, loader: Callable[[], LoadedModel]) -> LoadedModel:
        """The model of that key, loaded if it is not here; threads that ask meanwhile wait for the same load.

        An error of the loader reaches all of them, and the next call tries again.
        """
        with self._lock:
            if key in self._models:
                self._models.move_to_end(key)
                return self._models[key]
            waiting = self._loading.get(key)
            mine: Future[LoadedModel] = Future()
            if waiting is None:
                self._loading[key] = mine
        if waiting is not None:
            return waiting.result()
        try:
            loaded = loader()
        except BaseException as error:
            with self._lock:
                del self._loading[key]
            mine.set_exception(error)
            raise
        with self._lock:
            del self._loading[key]
            self._keep(key, loaded)
        mine.set_result(loaded)
        return loaded

    def put(self, key: str, loaded: LoadedModel) -> None:
        """Keep a model under that key, in place of the one there was."""
        with self._lock:
            self._keep(key, loaded)

    def drop(self, key: str) -> None:
        """Let go of the model of that key, if it is here."""
        with self._lock:
            self._models.pop(key, None)

    def pin(self, key: str) -> None:
        """Never evict that key until ``unpin`` was called as often; it need not be here yet."""
        with self._lock:
            self._pins[key] += 1

    def unpin(self, key: str) -> None:
        """Take one pin away."""
        with self._lock:
            if self._pins[key] <= 0:
                raise ValueError(f"{key} is not pinned")
            self._pins[key] -= 1
            self._evict(keep=key)

    def keys(self) -> tuple[str, ...]:
        """What is here, least recently used first."""
        with self._lock:
            return tuple(self._models)

    @property
    def nbytes(self) -> int:
        """Memory taken by the models here."""
        with self._lock:
            return self._total()

    def _keep(self, key: str, loaded: LoadedModel) -> None:
        self._models[key] = loaded
        self._models.move_to_end(key)
        self._evict(keep=key)

    def _evict(self, *, keep: str) -> None:
        for key in list(self._models):
            if self._total() <= self._budget:
                return
            if key != keep and not self._pins[key]:
                del self._models[key]

    def _total(self) -> int:
        # By memory and not by model: one trained with LoRA shares most of its weights with its original.
        tensors = (t for x in self._models.values() for t in (*x.model.parameters(), *x.model.buffers()))
        return sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}.values())
