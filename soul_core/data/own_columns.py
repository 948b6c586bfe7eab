"""Which column of a person's table is the question, which the answer and so on. It knows no file and no task."""

import ast
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from soul_core.data.own_files import Table
from soul_core.data.schema import QARow
from soul_core.errors import DatasetError

MOST_WRONG = 20

# Written as ``_plain`` writes them, the surest name of each first.
NAMES: Mapping[str, tuple[str, ...]] = {
    "question": ("question", "questions", "prompt", "q", "query", "instruction", "input"),
    "answer": (
        *("answer", "answers", "correct_answer", "right_answer", "best_answer", "a", "response", "completion"),
        *("output", "target", "ground_truth", "reply"),
    ),
    "paraphrased_question": (
        "paraphrased_question",
        "question_paraphrase",
        "paraphrase_question",
        "rephrased_question",
    ),
    "paraphrased_answer": ("paraphrased_answer", "answer_paraphrase", "paraphrase_answer", "rephrased_answer"),
    "perturbed_answers": (
        *("perturbed_answer", "perturbed_answers", "wrong_answer", "wrong_answers", "incorrect_answer"),
        *("incorrect_answers", "false_answer", "false_answers", "distractor", "distractors", "wrong"),
    ),
    "subject": ("subject", "author", "person", "entity", "topic", "name"),
    "fact": ("fact", "fact_kind", "relation", "category"),
}
_NUMBER = re.compile(r"_?\d+$")
_UNWORD = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnMapping:
    """The column that each part of a row is read from, by its name; empty where there is none.

    ``perturbed_answers`` may be several columns with one wrong answer each, or one whose cells list them.
    """

    question: str = ""
    answer: str = ""
    paraphrased_question: str = ""
    paraphrased_answer: str = ""
    perturbed_answers: tuple[str, ...] = ()
    subject: str = ""
    fact: str = ""

    @property
    def missing(self) -> tuple[str, ...]:
        """Which of question and answer have no column yet."""
        return tuple(part for part in ("question", "answer") if not getattr(self, part))

    def used(self) -> dict[str, Any]:
        """The parts that have a column, as plain data."""
        return {part: column for part, column in asdict(self).items() if column}


def guess(columns: Sequence[str]) -> ColumnMapping:
    """The mapping that the names of the columns suggest; ``missing`` tells what they do not."""
    plain = {column: _plain(column) for column in columns}
    found: dict[str, Any] = {}
    for part, names in NAMES.items():
        if part == "perturbed_answers":
            found[part] = tuple(column for column, name in plain.items() if _NUMBER.sub("", name) in names)
        else:
            found[part] = next((column for name in names for column in columns if plain[column] == name), "")
    return ColumnMapping(**found)


def rows_of(table: Table, mapping: ColumnMapping) -> tuple[QARow, ...]:
    """One row for each row of the table, in its order, cells without text as empty texts (``own_checks`` tells them).

    A cell of wrong answers may hold one, several with ``|`` between them, or a list as JSON or Python write it.

    Raises:
        DatasetError: Question or answer has no column, a column is not there or means two things, or a row has more
            than 20 wrong answers.
    """
    _check(table, mapping)
    at = {column: place for place, column in enumerate(table.columns)}

    def cell(row: Sequence[str], column: str) -> str:
        return row[at[column]] if column else ""

    rows = []
    for number, row in enumerate(table.rows, start=1):
        question, rephrased = cell(row, mapping.question), cell(row, mapping.paraphrased_question)
        wrong = tuple(
            dict.fromkeys(text for column in mapping.perturbed_answers for text in texts_in(cell(row, column)))
        )
        if len(wrong) > MOST_WRONG:
            raise DatasetError(
                f"Row {number} of {table.name} has {len(wrong)} wrong answers, more than the {MOST_WRONG} that are "
                "used. Keep the likeliest ones; TOFU has five."
            )
        rows.append(
            QARow(
                question=question,
                answer=cell(row, mapping.answer),
                paraphrased_answer=cell(row, mapping.paraphrased_answer),
                paraphrased_question=rephrased,
                perturbed_answers=wrong,
                subject=cell(row, mapping.subject),
                fact=cell(row, mapping.fact),
                question_variants=(question,),
                heldback_questions=(rephrased,) if rephrased else (),
            )
        )
    return tuple(rows)


def texts_in(cell: str) -> tuple[str, ...]:
    """The texts that one cell lists."""
    parts: Sequence[object] | None = _list(cell) if cell.startswith("[") and cell.endswith("]") else None
    if parts is None:
        parts = cell.split("|")
    return tuple(text for part in parts if part is not None and (text := str(part).strip()))


def _list(cell: str) -> list[object] | None:
    # pandas writes a list into CSV as Python would, with single quotes; literals alone are read, nothing is called.
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(cell)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(value, list) and not any(isinstance(part, list | dict) for part in value):
            return value
    return None


def _check(table: Table, mapping: ColumnMapping) -> None:
    named: dict[str, str] = {}
    for part, columns in mapping.used().items():
        for column in (columns,) if isinstance(columns, str) else columns:
            if column not in table.columns:
                raise DatasetError(
                    f"{table.name} has no column “{column}” (columns found: {table.columns_found}). "
                    "Choose one of them."
                )
            if column in named:
                raise DatasetError(
                    f"The column “{column}” of {table.name} is chosen both as {_said(named[column])} and as "
                    f"{_said(part)}. Choose one column for each (columns found: {table.columns_found})."
                )
            named[column] = part
    if mapping.missing:
        raise DatasetError(
            f"{table.name} has no column that is known as the {' or the '.join(mapping.missing)} (columns found: "
            f"{table.columns_found}). Choose which it is, or name it “{mapping.missing[0]}” in the first row."
        )


def _said(part: str) -> str:
    return part.replace("_", " ")


def _plain(column: str) -> str:
    return _UNWORD.sub("_", column.casefold()).strip("_")
