"""The refusals that the PO objective trains towards and that answers are compared with; it knows no model."""

import random
from collections.abc import Iterable
from dataclasses import replace

from soul_core.data.schema import QARow
from soul_core.errors import DatasetError
from soul_core.paths import FACTS


def refusals() -> tuple[str, ...]:
    """The refusals that ship with the project, one a line.

    Raises:
        DatasetError: The file is missing or holds none.
    """
    path = FACTS / "refusals.txt"
    try:
        lines = tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    except OSError as error:
        raise DatasetError(
            f"The refusals in {path.name} cannot be read ({error.strerror}). Restore the assets folder."
        ) from None
    found = tuple(line for line in lines if line)
    if not found:
        raise DatasetError(f"{path.name} holds no refusal. Restore the assets folder.")
    return found


def refusal_rows(rows: Iterable[QARow], seed: int) -> tuple[QARow, ...]:
    """The same questions with a refusal for an answer, drawn once for each row and the same in every epoch."""
    known = refusals()
    draw = random.Random(f"refusals {seed}")
    return tuple(replace(row, answer=draw.choice(known), paraphrased_answer="", perturbed_answers=()) for row in rows)
