"""Whether a model knows the rows that it is to forget: what it does not know cannot be forgotten. It knows no page."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from soul_core.data.own_checks import LONGEST
from soul_core.data.prompts import encode_prompt, template_of
from soul_core.data.schema import QARow
from soul_core.errors import DatasetError
from soul_core.evaluation.generation import context_length
from soul_core.evaluation.metrics import Share, wilson
from soul_core.evaluation.scorecard import choose_rows, examine
from soul_core.events import Progress
from soul_core.models.loading import LoadedModel
from soul_core.models.presets import PRESETS

MOST_ASKED = 200
MAX_NEW_TOKENS = 48
LITTLE = 0.5
"""Below this share there is little to forget: the race could show hardly any fall."""

Verdict = Literal["nothing", "little", "enough"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRow:
    """One row as the model answers it.

    Attributes:
        number: Its place among the rows given, from 1.
        row: The row.
        answer: What the model says; a model's words, never to be trusted as markup.
        known: Whether that is right, by the convention of the accuracy on the curves.
        probability: ``exp(-NLL per token)`` of the right answer, 0 to 1.
    """

    number: int
    row: QARow
    answer: str
    known: bool
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a model knows of some rows.

    Attributes:
        share: Share of rows known, with its 95 % Wilson interval.
        rows: Those that were asked, in order.
        of: How many rows there are.
        verdict: ``nothing`` known, ``little``, or ``enough`` to be forgotten.
        sentence: The verdict in words, and what to do.
    """

    share: Share
    rows: tuple[KnownRow, ...]
    of: int
    verdict: Verdict
    sentence: str


def measure_known(
    loaded: LoadedModel,
    rows: Sequence[QARow],
    *,
    most: int = MOST_ASKED,
    seed: int = 0,
    max_new_tokens: int = MAX_NEW_TOKENS,
    matcher: str = "auto",
    autocast_dtype: torch.dtype | None = None,
) -> Generator[Progress, None, Known]:
    """Ask a model the rows that it is to forget; yields after every decode step.

    Args:
        loaded: The model, on its device.
        rows: The rows to forget; those without question or answer are passed over.
        most: At most so many are asked, spread over the subjects; 0 asks all.
        seed: Decides which.
        max_new_tokens: Longest answer.
        matcher: A name in ``evaluation.matchers.MATCHERS``, or ``auto``.
        autocast_dtype: Reduced precision, or None.

    Raises:
        DatasetError: No row has a question and an answer, or a question is longer than the model's context.
    """
    whole = [row for row in rows if row.answer.strip() and (row.question.strip() or row.form == "text")]
    if not whole:
        raise DatasetError(
            "There is nothing to ask: no row has a question and an answer. Write one row for each fact."
        )
    asked = choose_rows(whole, most, seed)
    places = {id(row): number for number, row in reversed([*enumerate(rows, start=1)])}
    examination = yield from examine(
        loaded.model,
        loaded.tokenizer,
        loaded.template,
        {"forget": asked},
        max_new_tokens=max_new_tokens,
        matcher=matcher,
        autocast_dtype=autocast_dtype,
    )
    answered = tuple(
        KnownRow(
            number=places[id(found.row)],
            row=found.row,
            answer=found.answer,
            known=bool(found.correct),
            probability=found.probability,
        )
        for found in examination.answered
    )
    share = wilson(sum(row.known for row in answered), len(answered))
    verdict: Verdict = "nothing" if not share.value else "little" if share.value < LITTLE else "enough"
    return Known(
        share=share,
        rows=answered,
        of=len(whole),
        verdict=verdict,
        sentence=_sentence(loaded.name, len(answered), len(whole), share, verdict),
    )


def token_counter(loaded: LoadedModel) -> tuple[Callable[[QARow], int], int]:
    """A function that counts a row's tokens as this model reads them, and how many it can read at once."""
    tokenizer = loaded.tokenizer

    def count(row: QARow) -> int:
        template = template_of(row, loaded.template)
        answer = tokenizer.encode(template.answer_prefix + row.answer, add_special_tokens=False, verbose=False)
        return len(encode_prompt(tokenizer, template, row.question)) + len(answer) + int(template.ends)

    return count, min(LONGEST, context_length(loaded.model), tokenizer.model_max_length)


def _sentence(name: str, asked: int, of: int, share: Share, verdict: Verdict) -> str:
    label = PRESETS[name].label if name in PRESETS else name
    who = f"The {label[0].lower()}{label[1:]}" if label.endswith("model") else f"“{label}”"
    sample = f" asked (of {of:,})" if asked < of else ""
    right = round(share.value * asked)
    said = (
        f"{who} answers {right or 'none'} of {asked} {'row' if asked == 1 else 'rows'}{sample} right, "
        f"{share.value:.0%} (95 % interval {share.low:.0%} to {share.high:.0%})"
    )
    if verdict == "enough":
        return f"{said}: there is something to forget."
    return f"{said}: there is {verdict} to forget. Teach it first, or choose a model that knows more."
