"""How much of a job is done and how long the rest takes, from its events alone. It knows no clock and no thread."""

from soul_core.events import EpochReport, Event, LaneEnded, Progress, RaceEnded, RaceStarted, StepReport
from soul_core.runs.summary import REFERENCES


class Outlook:
    """Feed it every event; it holds sums only. Times come from the events, so pauses do not count."""

    def __init__(self) -> None:
        self._steps_per_lane = 0
        self._lanes = 0
        self._evaluations = 0
        self._steps: dict[str, int] = {}
        self._step_seconds = 0.0
        self._steps_timed = 0
        self._evaluated = 0
        self._eval_seconds: list[float] = []
        self._now: Progress | None = None
        self._over = False

    def take(self, event: Event) -> None:
        """Learn from one event."""
        if isinstance(event, RaceStarted):
            epochs = int(event.config.get("epochs", 1))
            self._lanes = len(event.config.get("lanes", ()))
            self._steps_per_lane = epochs * event.steps_per_epoch
            # At the end every model is asked two further sets, about as long as another evaluation.
            references = 2 if event.gold else 1
            further = len(event.eval_rows) > 2
            self._evaluations = self._lanes * epochs + references + further * (self._lanes + references)
        elif isinstance(event, StepReport):
            self._steps[event.lane] = max(event.step, self._steps.get(event.lane, 0))
            self._step_seconds += event.seconds
            self._steps_timed += 1
            self._now = None
        elif isinstance(event, EpochReport):
            self._evaluated += 1 if event.epoch or event.lane in REFERENCES else 0
            if event.eval_seconds > 0:
                self._eval_seconds.append(event.eval_seconds)
            self._now = None
        elif isinstance(event, LaneEnded):
            self._steps[event.lane] = self._steps_per_lane
        elif isinstance(event, Progress):
            self._now = event
        elif isinstance(event, RaceEnded):
            self._over = event.status == "finished"

    def seconds_left(self) -> float | None:
        """A guess, None before anything was timed."""
        if self._over:
            return 0.0
        if not self._steps_per_lane or not self._steps_timed or not self._eval_seconds:
            return None
        steps_left = self._lanes * self._steps_per_lane - sum(self._steps.values())
        evaluations_left = max(0.0, self._evaluations - self._evaluated - self._share_of_progress())
        mean_eval = sum(self._eval_seconds) / len(self._eval_seconds)
        return max(0, steps_left) * self._step_seconds / self._steps_timed + evaluations_left * mean_eval

    def fraction(self) -> float:
        """Share of the work done, 0 to 1."""
        if self._over:
            return 1.0
        left = self.seconds_left()
        if left is None:
            return 0.0 if self._steps_per_lane else self._share_of_progress()
        done = self._step_seconds + sum(self._eval_seconds)
        return done / (done + left) if done + left else 0.0

    def _share_of_progress(self) -> float:
        return self._now.done / self._now.total if self._now and self._now.total else 0.0
