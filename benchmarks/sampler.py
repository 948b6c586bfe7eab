"""Where a thread's time goes, by looking at its stack many times a second. It knows the layers' file names only."""

import sys
import threading
import time
from collections import Counter
from types import FrameType

EVERY = 0.005
# The innermost frame that matches decides; what is called is named by where it is written.
PLACES = {
    "evaluation/generation.py": "generation",
    "evaluation/scoring.py": "scoring",
    "evaluation/metrics.py": "metrics",
    "evaluation/matchers.py": "metrics",
    "optim/curvature.py": "curvature",
    "optim/sophia.py": "optimizer steps",
    "optim/adamw.py": "optimizer steps",
    "torch/autograd/": "backward",
    "torch/_tensor.py": "backward",
    "engine/forward.py": "forward",
    "objectives/": "forward",
    "models/loading.py": "loading",
    "models/fingerprint.py": "loading",
    "models/device.py": "choosing the precision",
    "models/storage.py": "saving",
    "soul_core/runs/": "saving",
    "soul_core/data/": "data",
}


class Sampler:
    """Samples the thread it is made in, from ``start`` to ``stop``."""

    def __init__(self) -> None:
        self._watched = threading.get_ident()
        self._seen: Counter[str] = Counter()
        self._running = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._running.set()
        self._thread.start()

    def stop(self) -> dict[str, float]:
        """Shares of the time by place, largest first."""
        self._running.clear()
        self._thread.join()
        total = sum(self._seen.values()) or 1
        return {place: count / total for place, count in self._seen.most_common()}

    def _sample(self) -> None:
        while self._running.is_set():
            frame = sys._current_frames().get(self._watched)
            if frame is not None:
                self._seen[place_of(frame)] += 1
            time.sleep(EVERY)


def place_of(frame: FrameType | None) -> str:
    """The place of the innermost frame that has one."""
    while frame is not None:
        path = frame.f_code.co_filename.replace("\\", "/")
        for part, place in PLACES.items():
            if part in path:
                return place
        frame = frame.f_back
    return "other"
