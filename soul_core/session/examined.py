"""Examinations of models that do not change, kept in memory for the next race. It knows no race and no disk."""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence

import torch

from soul_core.data.schema import QARow
from soul_core.evaluation.scorecard import Examination
from soul_core.session.material import rows_hash

_KEPT = 32


def exam_key(
    fingerprint: str,
    rows: Mapping[str, Sequence[QARow]],
    *,
    max_new_tokens: int,
    autocast_dtype: torch.dtype | None,
    matcher: str,
    device: torch.device,
) -> str:
    """What decides an examination's outcome, to the last bit."""
    return "|".join((fingerprint, rows_hash(rows), str(max_new_tokens), str(autocast_dtype), matcher, str(device)))


class Examined:
    """The most recent examinations by key. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: OrderedDict[str, Examination] = OrderedDict()

    def get(self, key: str) -> Examination | None:
        """The examination of that key, if it is still here."""
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
            return self._found.get(key)

    def put(self, key: str, found: Examination) -> None:
        """Keep an examination; the one that was not asked for longest goes."""
        with self._lock:
            self._found[key] = found
            self._found.move_to_end(key)
            while len(self._found) > _KEPT:
                self._found.popitem(last=False)


EXAMINED = Examined()
"""Shared by all races of the process: the original's scores for the same rows are the same in every race."""
