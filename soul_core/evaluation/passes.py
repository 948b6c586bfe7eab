"""Wishes for scores and answers, gathered first and then fulfilled in one scoring pass and one generation pass.

Each distinct text is scored once and each distinct prompt answered once, whoever wished for it. It knows no question
set and no metric.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from soul_core.data.prompts import Example, PromptTemplate, encode_example, encode_prompt, end_id, template_of
from soul_core.data.schema import QARow
from soul_core.evaluation.evidence import TokenScores
from soul_core.evaluation.generation import Count, greedy_answers
from soul_core.evaluation.scoring import token_scores
from soul_core.events import Progress

Result = TypeVar("Result")


class ScoreWish(NamedTuple):
    """A text to be scored: which of the distinct texts, where its answer begins, whether an end follows it."""

    text: int
    answer_from: int
    ends: bool


class AnswerWish(NamedTuple):
    """A prompt to be answered: which of the distinct prompts."""

    prompt: int


class Beginning(NamedTuple):
    """A wish for how a text goes on, with how it truly does."""

    wish: AnswerWish
    truth: str


@dataclass(frozen=True, slots=True)
class Passed:
    """What came of a pass; ask it with the wishes."""

    _scores: Sequence[TokenScores]
    _answers: Sequence[str]
    _told: dict[ScoreWish, TokenScores]

    def scores(self, wish: ScoreWish) -> TokenScores:
        """The scores of the wish's text, seen from its own answer."""
        if wish not in self._told:
            self._told[wish] = replace(self._scores[wish.text], answer_from=wish.answer_from, ends=wish.ends)
        return self._told[wish]

    def answer(self, wish: AnswerWish) -> str:
        """The greedy answer to the wish's prompt."""
        return self._answers[wish.prompt]


class Pass:
    """Collects wishes, then fulfils all of them.

    Args:
        tokenizer: The model's.
        template: How a question is put; running text is put without it.
        longest: Most tokens of a text with its prompt; what is longer is cut at its end.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, template: PromptTemplate, *, longest: int) -> None:
        self._tokenizer = tokenizer
        self._template = template
        self._longest = longest
        self._texts: dict[tuple[int, ...], int] = {}
        self._examples: list[Example] = []
        self._ends: list[bool] = []
        self._whole: list[bool] = []
        self._prompts: dict[tuple[int, ...], int] = {}
        self._full: set[tuple[int, ...]] = set()

    @property
    def texts(self) -> int:
        """How many distinct texts are scored, each in one forward."""
        return len(self._texts)

    @property
    def examples(self) -> tuple[Example, ...]:
        """The distinct texts."""
        return tuple(self._examples)

    @property
    def questions(self) -> tuple[tuple[int, ...], ...]:
        """The distinct prompts."""
        return tuple(self._prompts)

    @property
    def full(self) -> int:
        """How many distinct texts are as long as may be; all but a few of them had more to say and were cut."""
        return len(self._full)

    @property
    def prompts(self) -> int:
        """How many distinct prompts are answered, each once."""
        return len(self._prompts)

    def score(self, row: QARow, answer: str | None = None, *, whole: bool = False) -> ScoreWish:
        """Wish for the scores of a row's question with its own answer, or with another one.

        Unless the ``whole`` text is asked for, only the NLL and the hits of the answer are told.

        Raises:
            DatasetError: The answer is empty, or the question leaves no room for it.
        """
        template = template_of(row, self._template)
        example = self._encoded(row, row.answer if answer is None else answer)
        # What was cut has lost its end.
        ends = example.input_ids[-1] == end_id(self._tokenizer, template)
        if example.input_ids not in self._texts:
            self._texts[example.input_ids] = len(self._texts)
            self._examples.append(example)
            self._ends.append(ends)
            self._whole.append(False)
        text = self._texts[example.input_ids]
        # The same text with its answer beginning elsewhere is another wish, which the first one's answer may not hold.
        self._whole[text] |= whole or example.prompt_length != self._examples[text].prompt_length
        return ScoreWish(text, example.prompt_length - 1, ends)

    def ask(self, row: QARow, question: str | None = None) -> AnswerWish | None:
        """Wish for the answer to a row's question, or to another wording of it.

        Returns:
            None where there is nothing to ask: a running text without a beginning.
        """
        text = row.question if question is None else question
        prompt = encode_prompt(self._tokenizer, template_of(row, self._template), text)
        return self._answered(prompt) if text else None

    def go_on(self, row: QARow, tokens: int, *, further: int, least: int) -> Beginning | None:
        """Wish for how the model goes on after a text's first tokens.

        Args:
            row: The text: question and answer as one, in the template that its form has.
            tokens: How many tokens are given.
            further: How many of the tokens behind them are the truth to compare with.
            least: How many must be there.

        Returns:
            None for a text that is too short.
        """
        ids = self._encoded(row, row.answer).input_ids
        if len(ids) < tokens + least:
            return None
        truth = self._tokenizer.decode(list(ids[tokens : tokens + further]), skip_special_tokens=True)
        return Beginning(self._answered(ids[:tokens]), str(truth).strip())

    def example(self, wish: ScoreWish) -> Example:
        """The wish's text as tokens."""
        return Example(self._examples[wish.text].input_ids, wish.answer_from + 1)

    def run(
        self,
        model: PreTrainedModel,
        *,
        max_new_tokens: int,
        batch_size: int = 96,
        autocast_dtype: torch.dtype | None = None,
        lane: str = "",
    ) -> Generator[Progress, None, Passed]:
        """Fulfil every wish: one generation pass, then one scoring pass; yields after every forward.

        Args:
            model: Whose tokenizer and template these are.
            max_new_tokens: Longest answer; one that would leave the model's context ends there.
            batch_size: Most rows per forward.
            autocast_dtype: Reduced precision of the arithmetic, or None.
            lane: Written into the reports.

        Raises:
            DatasetError: A question does not fit into the model.
        """
        asking = greedy_answers(
            model,
            self._tokenizer,
            list(self._prompts),
            max_new_tokens=max_new_tokens,
            batch_size=batch_size,
            autocast_dtype=autocast_dtype,
        )
        answers = yield from reported(asking, "Asking questions", lane)
        scoring = token_scores(
            model,
            self._examples,
            ends=self._ends,
            whole=self._whole,
            batch_size=batch_size,
            autocast_dtype=autocast_dtype,
        )
        scores = yield from reported(scoring, "Scoring texts", lane)
        return Passed(scores, answers, {})

    def _encoded(self, row: QARow, answer: str) -> Example:
        template = template_of(row, self._template)
        example = encode_example(self._tokenizer, template, row.question, answer, max_length=self._longest)
        if len(example.input_ids) >= self._longest:
            self._full.add(example.input_ids)
        return example

    def _answered(self, prompt: Sequence[int]) -> AnswerWish:
        return AnswerWish(self._prompts.setdefault(tuple(prompt), len(self._prompts)))


def reported(counts: Generator[Count, None, Result], what: str, lane: str) -> Generator[Progress, None, Result]:
    """Pass a generator's counts on as Progress, and its result through."""
    while True:
        try:
            count = next(counts)
        except StopIteration as stop:
            result: Result = stop.value
            return result
        yield Progress(what=what, lane=lane, done=count.done, total=count.total)
