"""One model asked and scored on question sets, one generation pass and one scoring pass; it knows no disk, no page."""

import random
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from soul_core.data.prompts import PromptTemplate, encode_example, template_of
from soul_core.data.schema import QARow
from soul_core.data.sets import set_kind
from soul_core.errors import DatasetError
from soul_core.evaluation.generation import context_length, greedy_answers
from soul_core.evaluation.matchers import pick_matcher, right_answers
from soul_core.evaluation.metrics import acc, probability, rouge_l_recall
from soul_core.evaluation.passes import reported
from soul_core.evaluation.scoring import answer_nll
from soul_core.events import Progress, SetScores

LONGEST_EXAMPLE = 512

Asked = Literal["question", "heldback"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One question put to one model."""

    set_name: str
    row: QARow
    question: str
    answer: str
    correct: bool
    rouge_l: float
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """Everything one evaluation found out."""

    scores: dict[str, SetScores]
    answered: tuple[Answered, ...]


def evaluate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    template: PromptTemplate,
    sets: Mapping[str, Sequence[QARow]],
    *,
    max_new_tokens: int,
    batch_size: int = 96,
    autocast_dtype: torch.dtype | None = None,
    matcher: str = "lexical",
    lane: str = "",
    asked: Asked = "question",
) -> Generator[Progress, None, dict[str, SetScores]]:
    """``examine``, returning the scores alone."""
    examination = yield from examine(
        model,
        tokenizer,
        template,
        sets,
        max_new_tokens=max_new_tokens,
        batch_size=batch_size,
        autocast_dtype=autocast_dtype,
        matcher=matcher,
        lane=lane,
        asked=asked,
    )
    return examination.scores


def examine(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    template: PromptTemplate,
    sets: Mapping[str, Sequence[QARow]],
    *,
    max_new_tokens: int,
    batch_size: int = 96,
    autocast_dtype: torch.dtype | None = None,
    matcher: str = "lexical",
    lane: str = "",
    asked: Asked = "question",
) -> Generator[Progress, None, Examination]:
    """Ask every row of every set and score answers and likelihoods; yields after every decode step.

    Accuracy: see ``right_answers``. ROUGE-L recall and probability are those of the row's ``answer``.

    Args:
        model: On its device; its training mode is kept.
        tokenizer: Its tokenizer.
        template: How a question is put.
        sets: Rows by set name; ``data.sets`` tells which are judged by containment.
        max_new_tokens: Longest answer.
        batch_size: Rows per forward.
        autocast_dtype: Reduced precision, or None.
        matcher: A name in ``MATCHERS``, or ``auto``.
        lane: Written into the reports.
        asked: ``question``, or ``heldback``: every phrasing that training never saw.

    Raises:
        DatasetError: A set is empty.
    """
    judge = pick_matcher(matcher)
    questions: list[tuple[str, QARow, str]] = []
    for name, rows in sets.items():
        if not rows:
            raise DatasetError(f"The question set “{name}” is empty. Give it a row or leave it out.")
        questions += [(name, row, question) for row in rows for question in questions_of(row, asked)]
    longest = min(LONGEST_EXAMPLE + template.context_tokens, context_length(model))
    examples = [
        encode_example(tokenizer, template_of(row, template), question, row.answer, max_length=longest)
        for _, row, question in questions
    ]
    prompts = [example.input_ids[: example.prompt_length] for example in examples]

    answers = yield from reported(
        greedy_answers(
            model,
            tokenizer,
            prompts,
            max_new_tokens=max_new_tokens,
            batch_size=batch_size,
            autocast_dtype=autocast_dtype,
        ),
        "Asking questions",
        lane,
    )
    nll_N, tokens_N = yield from reported(
        answer_nll(model, examples, batch_size=batch_size, autocast_dtype=autocast_dtype), "Scoring answers", lane
    )
    likely_N = probability(nll_N, tokens_N)
    rouge_N = rouge_l_recall(answers, [row.answer for _, row, _ in questions])
    scores, answered = {}, []
    for name in sets:
        of_set = [i for i, (set_name, _, _) in enumerate(questions) if set_name == name]
        right = right_answers(
            judge,
            [answers[i] for i in of_set],
            [questions[i][1] for i in of_set],
            by_containment=set_kind(name).by_containment,
        )
        share = acc(right)
        scores[name] = SetScores(
            acc=share.value,
            acc_low=share.low,
            acc_high=share.high,
            rouge_l=float(rouge_N[of_set].mean()),
            probability=float(likely_N[of_set].mean()),
            rows=len(of_set),
        )
        answered += [
            Answered(
                set_name=name,
                row=questions[i][1],
                question=questions[i][2],
                answer=answers[i],
                correct=correct,
                rouge_l=float(rouge_N[i]),
                probability=float(likely_N[i]),
            )
            for i, correct in zip(of_set, right, strict=True)
        ]
    return Examination(scores=scores, answered=tuple(answered))


def questions_of(row: QARow, asked: Asked) -> tuple[str, ...]:
    """What a row is asked: its question, or all its held-back phrasings (the question where it has none)."""
    if asked == "question":
        return (row.question,)
    return row.heldback_questions or ((row.paraphrased_question or row.question),)


def choose_rows(rows: Sequence[QARow], limit: int, seed: int = 0) -> tuple[QARow, ...]:
    """At most ``limit`` rows (0: all) in their order, spread evenly over subjects; the same for the same seed."""
    if limit < 0:
        raise ValueError(f"limit {limit}")
    if not limit or limit >= len(rows):
        return tuple(rows)
    draw = random.Random(f"rows {seed}")
    by_subject: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        by_subject.setdefault(row.subject, []).append(i)
    queues = list(by_subject.values())
    draw.shuffle(queues)
    for queue in queues:
        draw.shuffle(queue)
    rounds = [queue[turn] for turn in range(max(map(len, queues))) for queue in queues if turn < len(queue)]
    return tuple(rows[i] for i in sorted(rounds[:limit]))
