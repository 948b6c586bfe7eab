"""The questions one can pick from a task, and the known answer to a typed one. It knows no model and no component."""

from dataclasses import dataclass
from functools import lru_cache

from soul_core.data.schema import ForgetTask, QARow
from soul_core.data.sets import set_kind
from soul_core.data.tasks import load_task
from soul_core.errors import ConfigError
from soul_core.session.ask import clean_question
from soul_core.ui import text

EXAMPLES_FROM = 36  # of the first rows of a set, the shortest questions become examples


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A ready question and the set it is from."""

    source: str
    question: str


@lru_cache(maxsize=8)
def task_of(spec: str) -> ForgetTask:
    """A task, kept: the page asks for it at every change."""
    return load_task(spec)


def sources_of(task: ForgetTask) -> list[tuple[str, str]]:
    """Label and name of every set that questions can be picked from."""
    return [(set_kind(name).title, name) for name in task.eval_sets]


def questions_of(task: ForgetTask, source: str) -> list[str]:
    """The questions of one set, each once, in order."""
    return list(dict.fromkeys(row.question for row in task.eval_sets.get(source, ())))


def examples_of(task: ForgetTask) -> list[Example]:
    """Ready questions: two that should be forgotten, then one of every other set; short ones, to fit on a chip."""
    found = []
    for source in task.eval_sets:
        shortest = sorted(questions_of(task, source)[:EXAMPLES_FROM], key=len)
        found += [Example(source=source, question=question) for question in shortest[: 2 if source == "forget" else 1]]
    return found


def known_row(spec: str, question: str) -> QARow | None:
    """The row that asks this question in any of its wordings; None if no set has it."""
    return _index(spec).get(_key(question))


def checked_question(question: object) -> str:
    """The question as it will be asked; a ConfigError if it is empty or too long."""
    said = question.strip() if isinstance(question, str) else ""
    if not said or len(said) > text.QUESTION_LIMIT:
        raise ConfigError(text.question_length(len(said)))
    return clean_question(said)


@lru_cache(maxsize=8)
def _index(spec: str) -> dict[str, QARow]:
    task = task_of(spec)
    index: dict[str, QARow] = {}
    # The sets to ask come first: their rows carry the wrong answers that a label is decided by.
    for rows in (*task.eval_sets.values(), task.forget, task.retain):
        for row in rows:
            for wording in (
                row.question,
                row.paraphrased_question,
                *row.question_variants,
                *row.heldback_questions,
            ):
                if wording:
                    index.setdefault(_key(wording), row)
    return index


def _key(question: str) -> str:
    return " ".join(question.casefold().split())
