"""What the Learn tab can ask for: a browser's finished races as evidence, its progress, what a link names.

It knows no component.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Self

from soul_core.errors import RunError, SoulError
from soul_core.probing.results import Bench
from soul_core.runs.folder import RunFolder
from soul_core.runs.manifest import owner_mark
from soul_core.runs.probes import probes_of
from soul_core.runs.scores import scores_of
from soul_core.runs.store import is_run_id
from soul_core.runs.summary import RaceSummary, summarise
from soul_core.ui import text_learn
from soul_core.ui.desk import Desk
from soul_core.ui.learn_checks import CHECKS, Evidence, Outcome, Raced
from soul_core.ui.lessons import LESSONS, Lesson

STATE = "lessons"
"""Key of the browser's state under which progress is kept."""
LOOKED_AT = 50
"""Races of a browser that are looked at, newest first."""
_SLUG = re.compile(r"[a-z0-9-]{1,40}")
_BENCH = "bench"
_ASKED_ONCE = "?"  # a lesson that is done needs no further question


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How far a browser is with one lesson.

    Attributes:
        predicted: Key of the option; empty before a prediction.
        since: When it was made, in seconds since 1970.
        saw: Key of what was measured; empty where that decided nothing.
        run: The race that it was checked with; empty until the lesson is done.
    """

    predicted: str = ""
    since: float = 0.0
    saw: str = ""
    run: str = ""

    @property
    def done(self) -> bool:
        """Whether the lesson is done."""
        return bool(self.run)

    @classmethod
    def read(cls, value: Any, lesson: Lesson) -> Self:
        """What a browser has kept of a lesson; whatever does not fit is as if it were not there."""
        kept = value if isinstance(value, dict) else {}
        predicted, saw, run = (str(kept.get(name, "")) for name in ("predicted", "saw", "run"))
        since = kept.get("since", 0.0)
        if predicted not in lesson.options:
            return cls()
        return cls(
            predicted=predicted,
            since=float(since) if isinstance(since, int | float) else 0.0,
            saw=saw if saw in lesson.options else "",
            run=run if is_run_id(run) else "",
        )

    def to_state(self) -> dict[str, Any]:
        """As the browser keeps it."""
        return {"predicted": self.predicted, "since": self.since, "saw": self.saw, "run": self.run}


@dataclass(frozen=True, slots=True)
class LearnDesk:
    """The tab's one way to everything below it. ``owner`` is always the token of the browser that asks."""

    desk: Desk

    def marks(self, state: Mapping[str, Any] | None) -> dict[str, Mark]:
        """A browser's progress, by lesson."""
        kept = (state or {}).get(STATE)
        kept = kept if isinstance(kept, dict) else {}
        return {slug: Mark.read(kept.get(slug), lesson) for slug, lesson in LESSONS.items()}

    def kept(self, state: Mapping[str, Any] | None, slug: str, mark: Mark | None) -> dict[str, Any]:
        """The browser's state with one lesson's progress; None takes the lesson's progress away."""
        marks = {name: one.to_state() for name, one in self.marks(state).items() if one.predicted}
        marks.pop(slug, None)
        if mark is not None:
            marks[slug] = mark.to_state()
        return {**(state or {}), STATE: marks}

    def check(self, lesson: Lesson, mark: Mark, *, owner: str, asked: str = "") -> tuple[Mark, Outcome]:
        """Whether the lesson's action happened since the prediction, and what came of it.

        Args:
            lesson: Which.
            mark: How far the browser is with it.
            owner: Whose races count.
            asked: The question on the board of Ask.
        """
        races = self._races(owner)
        if mark.done:  # what was found stays found, in the words of that race, whatever was run since
            older = tuple(race for race in races if race.run <= mark.run)
            found = CHECKS[lesson.check](Evidence(races=older, since=mark.since, asked=asked or _ASKED_ONCE))
            same = found.done and found.run == mark.run
            return mark, found if same else Outcome(done=True, saw=mark.saw, run=mark.run)
        if not mark.predicted:
            return mark, Outcome()
        found = CHECKS[lesson.check](Evidence(races=races, since=mark.since, asked=asked))
        if not found.done:
            return mark, found
        return Mark(predicted=mark.predicted, since=mark.since, saw=found.saw, run=found.run), found

    def _races(self, owner: str) -> tuple[Raced, ...]:
        """A browser's races that came to their own end, newest first; one that cannot be read is passed over."""
        if not owner:
            return ()
        mine, found = owner_mark(owner), []
        for folder in self.desk.store.list():
            try:
                manifest = folder.manifest()
            except RunError:
                continue
            if manifest.owner != mine or not folder.done:
                continue
            found.append(
                Raced(
                    run=manifest.run_id,
                    created=_seconds(manifest.created),
                    config=manifest.config,
                    summary=partial(_summary, folder),
                    answers=folder.answers,
                    cards=partial(_cards, folder),
                    bench=partial(_bench, folder),
                )
            )
            if len(found) == LOOKED_AT:
                break
        return tuple(found)


def predicted_now(option: str) -> Mark:
    """A prediction made at this moment; whole seconds, as runs are dated."""
    return Mark(predicted=option, since=float(int(time.time())))


def lesson_of(slug: str) -> Lesson | None:
    """The lesson that a link names; None for any other words."""
    return LESSONS.get(slug) if _SLUG.fullmatch(slug) else None


def unknown(slug: str) -> str:
    """Why a link opened no lesson; empty for a link that names none."""
    return text_learn.unknown_lesson(slug) if slug and lesson_of(slug) is None else ""


def _seconds(created: str) -> float:
    try:
        return datetime.fromisoformat(created).timestamp()
    except ValueError:
        return 0.0


def _summary(folder: RunFolder) -> RaceSummary:
    """Read once: a race that is done does not change."""
    return _summary_of(folder.path)


@lru_cache(maxsize=64)
def _summary_of(path: Path) -> RaceSummary:
    return summarise(RunFolder(path).events())


def _cards(folder: RunFolder) -> Mapping[str, Any]:
    return scores_of(folder.path).read_all().cards


def _bench(folder: RunFolder) -> Bench | None:
    try:
        found = probes_of(folder.path).read(_BENCH)
    except SoulError:  # damaged: as if nobody had probed; the Probe tab says what is wrong with it
        return None
    return found if isinstance(found, Bench) else None
