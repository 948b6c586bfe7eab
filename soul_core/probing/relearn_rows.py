"""Which rows forgotten models are taught again, and which they are asked. It knows no model."""

from dataclasses import dataclass
from typing import NamedTuple

from soul_core.data.schema import ForgetTask, QARow
from soul_core.errors import DatasetError
from soul_core.evaluation.scorecard import choose_rows
from soul_core.probing.settings import RelearnConfig

FORGET = "forget"


@dataclass(frozen=True, slots=True, kw_only=True)
class RelearnRows:
    """What every model is trained on and asked.

    Attributes:
        trained: Rows that it is trained on.
        asked: Forget rows that it is not trained on.
        again: Forget rows that it is trained on, as they are asked; empty where it is trained on retain rows.
        notes: What a reader must know.
    """

    trained: tuple[QARow, ...]
    asked: tuple[QARow, ...]
    again: tuple[QARow, ...] = ()
    notes: tuple[str, ...] = ()


class _Question(NamedTuple):
    """What makes two rows the same fact: one may be as it is trained on, the other as it is asked."""

    question: str
    answer: str


def relearn_rows(task: ForgetTask, config: RelearnConfig) -> RelearnRows:
    """Choose rows by the seed: what is trained on, and what is asked and never trained on.

    With ``forget``, the rows trained on are spread over subjects and at most half of the forget set. With ``retain``,
    they are of the subjects that are to be forgotten where the task has such rows, else any.

    Raises:
        DatasetError: The task has no rows for it.
    """
    everything = task.eval_sets.get(FORGET) or task.forget
    if not everything:
        raise DatasetError(f"“{task.name}” has no forget rows to ask. Choose another task.")
    if config.on == "retain":
        return _from_retain(task, config, everything)
    if len(task.forget) < 2:
        raise DatasetError(
            f"“{task.name}” has one forget row, so none is left to ask. Relearn from retain rows instead."
        )
    count = min(config.rows, len(task.forget) // 2)
    notes = []
    if count < config.rows:
        notes.append(
            f"The forget set has {len(task.forget)} rows, so {count} are trained on and not {config.rows}: "
            "at least half of them are left to ask."
        )
    trained = choose_rows(task.forget, count, config.seed)
    known = {_Question(question, row.answer) for row in trained for question in (row.question, *row.question_variants)}
    again = tuple(row for row in everything if _Question(row.question, row.answer) in known)
    rest = tuple(row for row in everything if _Question(row.question, row.answer) not in known)
    if not rest:
        raise DatasetError(f"All rows of “{task.name}” that can be asked would be trained on. Train on fewer rows.")
    asked = choose_rows(rest, config.asked, config.seed)
    return RelearnRows(trained=trained, asked=asked, again=choose_rows(again, config.rows), notes=tuple(notes))


def _from_retain(task: ForgetTask, config: RelearnConfig, everything: tuple[QARow, ...]) -> RelearnRows:
    if not task.retain:
        raise DatasetError(f"“{task.name}” has no retain rows. Relearn from forget rows instead.")
    subjects = {row.subject for row in everything if row.subject}
    near = tuple(row for row in task.retain if row.subject in subjects)
    note = "The retain rows trained on are of the subjects that were to be forgotten."
    if not near:
        note = "No retain row is of a subject that was to be forgotten, so rows of other subjects are trained on."
    return RelearnRows(
        trained=choose_rows(near or task.retain, config.rows, config.seed),
        asked=choose_rows(everything, config.asked, config.seed),
        notes=(note,),
    )
