"""Everything that metrics need to know about one model on one task, found out in two passes. It knows no metric."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from soul_core.data.prompts import template_of
from soul_core.data.schema import ForgetTask, QARow
from soul_core.data.sets import set_kind
from soul_core.errors import DatasetError
from soul_core.evaluation.evidence import Continued, Evidence, Floats, Gold, SetEvidence, TextEvidence
from soul_core.evaluation.extraction import extraction_likelihoods
from soul_core.evaluation.generation import context_length
from soul_core.evaluation.gradients import gradient_norms
from soul_core.evaluation.matchers import Matcher, pick_matcher, right_answers
from soul_core.evaluation.passes import AnswerWish, Beginning, Pass, Passed, ScoreWish, reported
from soul_core.evaluation.scorecard import LONGEST_EXAMPLE, choose_rows
from soul_core.events import Progress
from soul_core.models.loading import LoadedModel

PROMPT_LENGTHS = (100, 300)
"""Tokens of a text that are given when the model is to write it on (SOUL, Table 2)."""

# A continuation of fewer tokens has hardly a 4-gram to compare.
_LEAST_CONTINUATION = 10
# The perplexity of a corpus is known from this many of its texts to a few per cent.
_MOST_RUNNING = 200
# The authors of EL try every beginning of texts of 200 tokens; longer ones are tried as often, in larger steps.
_MOST_BEGINNINGS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How much is found out.

    Attributes:
        rows: At most this many rows of each set, spread over its subjects; 0 for all.
        max_new_tokens: Longest answer, and longest continuation compared.
        slow: Whether to measure extraction likelihood and gradient norms too, which need passes of their own.
        seed: Which rows are drawn.
        matcher: A name in ``MATCHERS``, or ``auto``.
    """

    rows: int = 0
    max_new_tokens: int = 200
    slow: bool = False
    seed: int = 0
    matcher: str = "auto"


class Gathering:
    """One model's wishes on one task, ready to be fulfilled.

    Args:
        loaded: The model, on its device.
        task: What it is asked.
        depth: How much is found out.

    Raises:
        DatasetError: A set is empty, or a row does not fit into the model.
        ConfigError: The matcher is not available.
    """

    def __init__(self, loaded: LoadedModel, task: ForgetTask, depth: Depth) -> None:
        self._loaded = loaded
        self._depth = depth
        self._judge = pick_matcher(depth.matcher)
        longest = min(LONGEST_EXAMPLE + loaded.template.context_tokens, context_length(loaded.model))
        self._longest = min(longest, loaded.tokenizer.model_max_length)
        self._pass = Pass(loaded.tokenizer, loaded.template, longest=longest)
        self._sets = [self._set_wishes(name, self._some(rows, name)) for name, rows in task.eval_sets.items()]
        self._members = self._text_wishes(task.texts.get("forget_texts") or task.forget)
        nonmembers, self._nonmember_kind = nonmembers_of(task)
        self._nonmembers = self._text_wishes(nonmembers) if nonmembers else None
        running = choose_rows([row for row in task.retain if row.form == "text"], _MOST_RUNNING, depth.seed)
        self._running = self._text_wishes(running) if running else None
        self._continued = {tokens: self._beginnings(task.forget, tokens) for tokens in PROMPT_LENGTHS}

    @property
    def wanted(self) -> Pass:
        """All texts and prompts."""
        return self._pass

    @property
    def texts(self) -> int:
        """How many distinct texts are scored, each in one forward."""
        return self._pass.texts

    @property
    def full(self) -> int:
        """How many distinct texts fill the longest example, most of them cut at their end."""
        return self._pass.full

    @property
    def prompts(self) -> int:
        """How many distinct prompts are answered, each once."""
        return self._pass.prompts

    def run(
        self,
        *,
        gold: Gold | None = None,
        reference: Mapping[str, Floats] | None = None,
        batch_size: int = 96,
        autocast_dtype: torch.dtype | None = None,
        lane: str = "",
    ) -> Generator[Progress, None, Evidence]:
        """Fulfil all wishes; yields after every forward.

        Args:
            gold: The gold model's truth ratios, for forget quality.
            reference: ``losses_of`` what was found out about a reference model on the same texts, for attacks that
                compare with one.
            batch_size: Most rows per forward.
            autocast_dtype: Reduced precision of the arithmetic, or None.
            lane: Written into the reports.

        Raises:
            ValueError: The reference was gathered on other texts.
        """
        passed = yield from self._pass.run(
            self._loaded.model,
            max_new_tokens=self._depth.max_new_tokens,
            batch_size=batch_size,
            autocast_dtype=autocast_dtype,
            lane=lane,
        )
        evidence = Evidence(
            sets={wishes.name: wishes.evidence(passed, self._judge) for wishes in self._sets},
            members=self._members.evidence(passed),
            nonmembers=self._nonmembers.evidence(passed) if self._nonmembers else None,
            nonmember_kind=self._nonmember_kind,
            continued={
                tokens: tuple(Continued(written=passed.answer(b.wish), truth=b.truth) for b in begun)
                for tokens, begun in self._continued.items()
                if begun
            },
            gold=gold,
            perplexity_texts=self._running.evidence(passed) if self._running else None,
        )
        if self._depth.slow:
            evidence = yield from self._slowly(evidence, passed, batch_size, autocast_dtype, lane)
        if reference is None:
            return evidence
        own = losses_of(evidence)
        if {name: len(loss_N) for name, loss_N in reference.items()} != {name: len(own[name]) for name in own}:
            raise ValueError("the reference was gathered on other texts")
        return replace(evidence, reference_loss=reference)

    def _slowly(
        self, evidence: Evidence, passed: Passed, batch_size: int, autocast_dtype: torch.dtype | None, lane: str
    ) -> Generator[Progress, None, Evidence]:
        """The evidence with what takes many more forwards and backwards."""
        model, tokenizer = self._loaded.model, self._loaded.tokenizer
        known = [passed.scores(wish) for wish in self._members.scores]
        ids = [self._pass.example(wish).input_ids for wish in self._members.scores]
        extraction = yield from reported(
            extraction_likelihoods(
                model,
                tokenizer,
                [text[: len(text) - scores.ends] for text, scores in zip(ids, known, strict=True)],
                hits=[scores.hit_T for scores in known],
                most=_MOST_BEGINNINGS,
                batch_size=batch_size,
                autocast_dtype=autocast_dtype,
            ),
            "Writing on from every beginning",
            lane,
        )
        norms: dict[str, Floats] = {}
        for name, texts in (("members", self._members), ("nonmembers", self._nonmembers)):
            if texts is not None:
                examples = [self._pass.example(wish) for wish in texts.scores]
                norms[name] = yield from reported(
                    gradient_norms(model, examples, autocast_dtype=autocast_dtype), f"Gradients of {name}", lane
                )
        return replace(evidence, extraction=extraction, gradient_norms=norms)

    def _some(self, rows: Sequence[QARow], name: str) -> tuple[QARow, ...]:
        if not rows:
            raise DatasetError(f"The question set “{name}” is empty. Give it a row or leave it out.")
        return choose_rows(rows, self._depth.rows, self._depth.seed)

    def _set_wishes(self, name: str, rows: tuple[QARow, ...]) -> "_SetWishes":
        ask, score = self._pass.ask, self._pass.score
        truth = [score(row) for row in rows]
        reworded = any(row.paraphrased_question for row in rows)
        return _SetWishes(
            name=name,
            rows=rows,
            truth=truth,
            paraphrase=[
                score(row, row.paraphrased_answer) if row.paraphrased_answer else own
                for row, own in zip(rows, truth, strict=True)
            ],
            wrong=[[score(row, answer) for answer in row.perturbed_answers] for row in rows],
            asked=_all_or_none(ask(row) for row in rows),
            reworded=_all_or_none(ask(row, row.paraphrased_question or None) for row in rows) if reworded else [],
        )

    def _text_wishes(self, rows: Sequence[QARow]) -> "_TextWishes":
        chosen = choose_rows(rows, self._depth.rows, self._depth.seed)
        wishes = [self._pass.score(row, whole=True) for row in chosen]
        return _TextWishes([self._whole(row, wish) for row, wish in zip(chosen, wishes, strict=True)], wishes)

    def _whole(self, row: QARow, wish: ScoreWish) -> str:
        """The row as one text, as the model sees it: of a text that was cut, what was scored."""
        ids = self._pass.example(wish).input_ids
        if len(ids) >= self._longest:
            return str(self._loaded.tokenizer.decode(list(ids), skip_special_tokens=True))
        template = template_of(row, self._loaded.template)
        return f"{template.prompt(row.question)}{template.answer_prefix}{row.answer}"

    def _beginnings(self, rows: Sequence[QARow], tokens: int) -> list[Beginning]:
        running = [row for row in rows if row.form == "text"]
        found = (
            self._pass.go_on(row, tokens, further=self._depth.max_new_tokens, least=_LEAST_CONTINUATION)
            for row in choose_rows(running, self._depth.rows, self._depth.seed)
        )
        return [beginning for beginning in found if beginning is not None]


def gather(
    loaded: LoadedModel,
    task: ForgetTask,
    depth: Depth,
    *,
    gold: Gold | None = None,
    reference: Mapping[str, Floats] | None = None,
    batch_size: int = 96,
    autocast_dtype: torch.dtype | None = None,
    lane: str = "",
) -> Generator[Progress, None, Evidence]:
    """``Gathering`` and its ``run`` in one."""
    return Gathering(loaded, task, depth).run(
        gold=gold, reference=reference, batch_size=batch_size, autocast_dtype=autocast_dtype, lane=lane
    )


def nonmembers_of(task: ForgetTask) -> tuple[tuple[QARow, ...], str]:
    """Rows that members are told apart from, and what they are; none where the task has none.

    Texts held out of the same kind where the task has them. Else texts to retain, as RWKU does, which the model may
    have been trained on too; else the task's facts, as SOUL does, which differ from the forget set in kind.
    """
    if task.texts.get("holdout"):
        return task.texts["holdout"], "held-out texts of the same kind"
    if task.texts.get("retain_texts"):
        return task.texts["retain_texts"], "texts to retain, as in RWKU, which the model may have seen too"
    names = [name for name in task.eval_sets if set_kind(name).role == "facts"]
    if not names:
        return (), ""
    titles = " and ".join(set_kind(name).title.lower() for name in names)
    return tuple(row for name in names for row in task.eval_sets[name]), f"{titles}, as in SOUL"


def losses_of(evidence: Evidence) -> dict[str, Floats]:
    """Mean NLL per answer token of members and nonmembers, in nats: what this model is to another as a reference."""
    both = (("members", evidence.members), ("nonmembers", evidence.nonmembers))
    return {name: np.array([scores.loss for scores in of.scores]) for name, of in both if of is not None}


def _all_or_none(wishes: Iterable[AnswerWish | None]) -> list[AnswerWish]:
    """The wishes, if every row could be asked; else none, as answers stand beside rows."""
    found = list(wishes)
    asked = [wish for wish in found if wish is not None]
    return asked if len(asked) == len(found) else []


@dataclass(frozen=True, slots=True, kw_only=True)
class _SetWishes:
    """The wishes of one question set."""

    name: str
    rows: tuple[QARow, ...]
    truth: list[ScoreWish]
    paraphrase: list[ScoreWish]
    wrong: list[list[ScoreWish]]
    asked: list[AnswerWish]
    reworded: list[AnswerWish]

    def evidence(self, passed: Passed, judge: Matcher) -> SetEvidence:
        """What came of them."""

        def answered(wishes: Sequence[AnswerWish]) -> tuple[tuple[str, ...], tuple[bool, ...]]:
            if not wishes:
                return (), ()
            answers = tuple(passed.answer(wish) for wish in wishes)
            return answers, tuple(
                right_answers(judge, answers, self.rows, by_containment=set_kind(self.name).by_containment)
            )

        answers, correct = answered(self.asked)
        reworded, reworded_correct = answered(self.reworded)
        return SetEvidence(
            name=self.name,
            rows=self.rows,
            truth=tuple(passed.scores(wish) for wish in self.truth),
            paraphrase=tuple(passed.scores(wish) for wish in self.paraphrase),
            wrong=tuple(tuple(passed.scores(wish) for wish in wishes) for wishes in self.wrong),
            answers=answers,
            correct=correct,
            reworded=reworded,
            reworded_correct=reworded_correct,
        )


@dataclass(frozen=True, slots=True)
class _TextWishes:
    """The wishes of some texts."""

    texts: list[str]
    scores: list[ScoreWish]

    def evidence(self, passed: Passed) -> TextEvidence:
        """What came of them."""
        return TextEvidence(texts=tuple(self.texts), scores=tuple(passed.scores(wish) for wish in self.scores))
