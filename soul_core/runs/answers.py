"""What every model answered at its last evaluation, bounded in size. It knows no scores."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

MAX_ROWS = 200
MAX_CHARACTERS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question with its true answer and what each lane said."""

    question: str
    truth: str
    answers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AnswerSheet:
    """Questions by set name, with the answers of every lane that was asked so far."""

    sets: Mapping[str, tuple[Asked, ...]] = field(default_factory=dict)

    def with_answers(
        self, name: str, lane: str, questions: Sequence[str], truths: Sequence[str], answers: Sequence[str]
    ) -> "AnswerSheet":
        """A sheet in which ``lane`` has answered the set ``name``; at most ``MAX_ROWS`` rows are kept."""
        before = {row.question: row.answers for row in self.sets.get(name, ())}
        rows = tuple(
            Asked(
                question=_short(question),
                truth=_short(truth),
                answers={**before.get(_short(question), {}), lane: _short(answer)},
            )
            for question, truth, answer in list(zip(questions, truths, answers, strict=True))[:MAX_ROWS]
        )
        return AnswerSheet({**self.sets, name: rows})

    def to_json(self) -> str:
        """The file's text."""
        sets = {
            name: [{"question": row.question, "truth": row.truth, "answers": dict(row.answers)} for row in rows]
            for name, rows in self.sets.items()
        }
        return json.dumps({"sets": sets}, ensure_ascii=False, indent=1)

    @classmethod
    def from_json(cls, text: str) -> "AnswerSheet":
        """Read the file back; raises ``ValueError`` where it is not such a file."""
        value = json.loads(text)
        try:
            return cls({name: tuple(Asked(**row) for row in rows) for name, rows in value["sets"].items()})
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not an answer sheet: {error}") from error


def _short(text: str) -> str:
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "…"
