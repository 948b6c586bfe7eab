"""The short questions about real authors and about the world that ship with the project; it knows no task."""

import json
from functools import lru_cache
from pathlib import Path

from soul_core.data.schema import QARow
from soul_core.errors import DatasetError
from soul_core.paths import FACTS

FACT_SETS = ("real_authors", "world_facts")


@lru_cache(maxsize=8)
def load_facts(name: str, folder: Path = FACTS) -> tuple[QARow, ...]:
    """Load ``real_authors`` or ``world_facts``: short answers, with three short wrong ones each.

    Raises:
        DatasetError: The file is missing, or a line of it is not such a question.
    """
    path = folder / f"{name}.jsonl"
    try:
        with path.open(encoding="utf-8") as file:
            lines = list(file)
    except OSError as error:
        raise DatasetError(
            f"The questions “{name}” could not be read from {path}: {error.strerror}. Put that file back."
        ) from error
    return tuple(_row(line, path.name, number) for number, line in enumerate(lines, start=1) if line.strip())


def _row(line: str, file: str, number: int) -> QARow:
    try:
        fields = json.loads(line)
        return QARow(
            question=fields["question"],
            answer=fields["answer"],
            perturbed_answers=tuple(fields["perturbed_answer"]),
            question_variants=(fields["question"],),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"Line {number} of {file} is not a question with “question”, “answer” and “perturbed_answer”. "
            "Correct that line."
        ) from error
