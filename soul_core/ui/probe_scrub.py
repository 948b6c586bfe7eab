"""One question to a run's models as they were after an epoch: answers, token lens, when it was forgotten.

It knows no component.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from soul_core.data.refusals import refusals
from soul_core.data.schema import QARow
from soul_core.errors import ConfigError, SoulError
from soul_core.evaluation.labels import knows
from soul_core.probing.results import Lens
from soul_core.runs.folder import RunFolder
from soul_core.session.ask import ask
from soul_core.session.probe import answers_at, lens_of_run
from soul_core.session.runmodels import models_of_run
from soul_core.ui import text_probe
from soul_core.ui.board import Board, Column, Said
from soul_core.ui.probe_desk import ProbeDesk, Who, moment_of, who_of
from soul_core.ui.questions import checked_question, known_row

REMEMBERED = 256
Key = tuple[object, ...]
Kept = TypeVar("Kept")
LONGEST_ANSWER = 48  # tokens, as in a race


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What every model says of one question after one epoch.

    Attributes:
        known: The row that asks this question, if a set of the run's task has it.
        answers: By model; a model whose weights of then were not kept has none.
        lens: The true answer under each model; None where no answer is known or it cannot be read.
        trouble: Why there is no lens.
        seconds: How long this took; near 0 where it was asked before.
    """

    question: str
    known: QARow | None
    answers: Mapping[str, str]
    lens: Lens | None
    trouble: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Scrub:
    """Looks back at runs; what was asked once is remembered."""

    probes: ProbeDesk
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _lenses: OrderedDict[Key, Lens] = field(default_factory=OrderedDict)
    _answers: OrderedDict[Key, dict[str, str]] = field(default_factory=OrderedDict)

    def moment(self, run_id: str, owner: str, question: str, answer: str, epoch: int) -> Moment:
        """Answers and token lens of one question after one epoch.

        Args:
            run_id: The run.
            owner: The browser's token.
            question: What is asked.
            answer: The true answer that the lens reads; empty takes the one that the task knows.
            epoch: 0 is before forgetting. Of a run whose epochs were not kept the last weights are asked.

        Raises:
            ConfigError: The question is empty or too long.
            RunError: There is no such run.
            SoulError: A model can no longer be loaded or asked.
        """
        began = time.monotonic()
        folder = self.probes.folder(run_id, owner)
        asked = checked_question(question)
        known = known_row(folder.config.task, asked)
        truth = (answer or "").strip() or (known.answer if known else "")
        at = epoch if kept_epochs(folder) else None
        answers = self._asked(folder, asked, at)
        lens, trouble = None, text_probe.LENS_NO_ANSWER
        if truth:
            try:
                lens, trouble = self._lens(folder, asked, truth, at), ""
            except SoulError as error:  # an answer that is too long for the lens has been answered all the same
                trouble = str(error)
        return Moment(
            question=asked,
            known=known,
            answers=answers,
            lens=lens,
            trouble=trouble,
            seconds=time.monotonic() - began,
        )

    def when(self, run_id: str, owner: str, question: str) -> Iterator[tuple[str, ...]]:
        """Sentences of when each lane stopped saying the answer, growing epoch by epoch; the last is the whole.

        Raises:
            ConfigError: The question is in none of the sets, or the run's epochs were not kept.
            RunError: There is no such run.
        """
        folder = self.probes.folder(run_id, owner)
        asked = checked_question(question)
        known = known_row(folder.config.task, asked)
        if known is None:
            raise ConfigError(text_probe.WHEN_NO_TRUTH)
        epochs = kept_epochs(folder)
        if not epochs:
            raise ConfigError(text_probe.NO_EPOCHS)
        said: dict[str, dict[int, bool]] = {lane.name: {} for lane in folder.config.lanes}
        who = [one for one in who_of(folder.config, gold=False) if one.name in said]
        for epoch in epochs:
            answers = self._asked(folder, asked, epoch)
            for name, by_epoch in said.items():
                if name in answers:
                    by_epoch[epoch] = knows(answers[name], known)
            yield tuple(_when(one, said[one.name]) for one in who if said[one.name])

    def _asked(self, folder: RunFolder, question: str, epoch: int | None) -> dict[str, str]:
        key = (folder.path, moment_of(folder), question, epoch)
        with self._lock:
            if key in self._answers:
                return self._answers[key]
        shelf = self.probes.desk.shelf
        if epoch is not None:
            found = answers_at(folder, question, epoch=epoch, max_new_tokens=LONGEST_ANSWER, shelf=shelf)
        else:
            models = models_of_run(folder, shelf)
            found = {}
            for update in ask(models, question, max_new_tokens=LONGEST_ANSWER):
                found[update.model] = update.text
        self._remember(self._answers, key, found)
        return found

    def _lens(self, folder: RunFolder, question: str, answer: str, epoch: int | None) -> Lens:
        key = (folder.path, moment_of(folder), question, answer, epoch)
        with self._lock:
            if key in self._lenses:
                return self._lenses[key]
        found = lens_of_run(folder, question, answer, epoch=epoch, shelf=self.probes.desk.shelf)
        self._remember(self._lenses, key, found)
        return found

    def _remember(self, place: OrderedDict[Key, Kept], key: Key, found: Kept) -> None:
        with self._lock:
            place[key] = found
            while len(place) > REMEMBERED:
                place.popitem(last=False)


def kept_epochs(folder: RunFolder) -> tuple[int, ...]:
    """0 and every epoch after which a lane's weights were kept; empty where none were."""
    kept = {epoch for lane in folder.config.lanes for epoch in folder.epochs(lane.name)}
    return (0, *sorted(kept - {0})) if kept else ()


def board_of(moment: Moment, who: tuple[Who, ...]) -> Board:
    """The answers side by side, in the run's order."""
    columns = tuple(
        Column(
            lane=one.name,
            label=one.label,
            position=one.position,
            once=one.once,
            answers=(Said(text=moment.answers[one.name], done=True),) if one.name in moment.answers else (),
            message="" if one.name in moment.answers else text_probe.NOT_KEPT,
        )
        for one in who
    )
    return Board(question=moment.question, columns=columns, truth=moment.known, refusals=tuple(refusals()))


def _when(who: Who, said: Mapping[int, bool]) -> str:
    """The first epoch after which a lane does not say it, and whether it says it again later."""
    epochs = sorted(said)
    first = next((epoch for epoch in epochs if not said[epoch]), None)
    again = next((epoch for epoch in epochs if first is not None and epoch > first and said[epoch]), None)
    return text_probe.forgot_when(who.label, first, again=again, last=epochs[-1], at_start=said[epochs[0]])
