"""Writes a race to its folder and goes on when the disk refuses. It knows no models and no training."""

from collections.abc import Callable, Iterable
from pathlib import Path
from shutil import disk_usage

from soul_core.errors import RunError
from soul_core.events import Event, Progress, RaceEnded
from soul_core.models.world import ALONE, World
from soul_core.runs.answers import AnswerSheet
from soul_core.runs.folder import RunFolder
from soul_core.runs.summary import curves_csv, summarise
from soul_core.session.report import report_from

_SPARE_BYTES = 32 << 20


class Keeper:
    """A run folder behind which a full or read-only disk costs files, never the race.

    Of several processes only the main one touches the folder; the others know the events.

    Attributes:
        events: All events of the race in memory, progress left out.
        sheet: The answers of every model so far.
        trouble: What a person must know at the end, in sentences: the first thing that could not be written, and
            whatever else was remembered.
    """

    def __init__(self, folder: RunFolder, events: Iterable[Event] = (), *, world: World = ALONE) -> None:
        self.folder = folder
        self.world = world
        self.events = list(events)
        self.sheet = AnswerSheet()
        self.trouble: tuple[str, ...] = ()
        self._refused = False

    def append(self, event: Event) -> None:
        """Keep an event in memory and, if possible, on disk."""
        if not isinstance(event, Progress):
            self.events.append(event)
            self.attempt(lambda: self.folder.append(event))

    def add_answers(self, lane: str, answered: Iterable[tuple[str, str, str, str]]) -> None:
        """Put a model's answers on the sheet: (set, question, truth, answer) each."""
        by_set: dict[str, list[tuple[str, str, str]]] = {}
        for name, *rest in answered:
            by_set.setdefault(name, []).append((rest[0], rest[1], rest[2]))
        for name, rows in by_set.items():
            questions, truths, answers = zip(*rows, strict=True)
            self.sheet = self.sheet.with_answers(name, lane, questions, truths, answers)
        self.attempt(lambda: self.folder.write_answers(self.sheet))

    def attempt(self, write: Callable[[], object]) -> bool:
        """Whether the write went well, or is not this process's; the first that did not is remembered."""
        return not self.world.main or self.attempt_together(write)

    def attempt_together(self, write: Callable[[], object]) -> bool:
        """The same of what all processes have a part in, and which goes well for all of them or for none."""
        try:
            write()
        except RunError as error:
            self._refuse(str(error))
            return False
        return True

    def has_room(self, path: Path, nbytes: int) -> bool:
        """Whether the disk can take so much more; if not, that is remembered. To be asked by all processes."""
        return self.world.from_main(lambda: self._has_room(path, nbytes))

    def _has_room(self, path: Path, nbytes: int) -> bool:
        place = next((x for x in (path, *path.parents) if x.exists()), path)
        try:
            free = disk_usage(place).free
        except OSError:
            return True  # the write itself will tell
        if free >= nbytes + _SPARE_BYTES:
            return True
        self._refuse(
            f"The disk has {free >> 20} MB left and a checkpoint needs {nbytes >> 20} MB, so none was written to "
            f"{self.folder.path}. Free some space before the next race."
        )
        return False

    def remember(self, sentence: str) -> None:
        """Say this, once, when the race ends."""
        if sentence not in self.trouble:
            self.trouble += (sentence,)

    def _refuse(self, sentence: str) -> None:
        # One full disk makes every write fail: the first sentence is enough.
        if not self._refused:
            self._refused = True
            self.remember(sentence)

    def write_outputs(self, ended: RaceEnded | None = None) -> None:
        """Write the curves' CSV and the report from what is in memory."""
        events = [*self.events, *([ended] if ended is not None else [])]
        self.attempt(lambda: write_outputs(self.folder, events, self.sheet))


def write_outputs(folder: RunFolder, events: Iterable[Event], sheet: AnswerSheet) -> None:
    """Curves and report of a race, finished or not."""
    events = list(events)
    folder.write_curves(curves_csv(summarise(events)))
    folder.write_report(report_from(folder, events, sheet))


def finish(folder: RunFolder) -> None:
    """Write curves and report of a race that was stopped or killed, from what its folder holds."""
    write_outputs(folder, folder.events(), folder.answers())
