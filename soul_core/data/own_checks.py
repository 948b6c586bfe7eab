"""What is wrong with a person's rows, or odd about them, said at once and as data; it knows no file and no model."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from soul_core.data.answers import alike, words_in
from soul_core.data.own_overlap import Facts, repeated_in
from soul_core.data.schema import QARow
from soul_core.data.swaps import numbered, sentence_of, without_wrong
from soul_core.errors import DatasetError

FEW_ROWS = 10
"""With fewer, one answer more or less is over ten points of accuracy."""
LONGEST = 512
"""Tokens of a row that are trained on, unless the model's context is shorter."""

Severity = Literal["error", "warning", "info"]
Pairs = Sequence[tuple[int, int]]

_PAIRS_SHOWN = 3
# What programs write into cells that have nothing, or people into those that they mean to fill in later.
_PLACEHOLDERS = frozenset(("nan", "n/a", "#n/a", "na", "null", "none", "nil", "-", "–", "?", "tbd", "todo", "…", "..."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing found.

    Attributes:
        kind: A short name that stays the same, such as ``repeated``.
        severity: With an ``error`` the rows cannot be used; a ``warning`` says what will be measured badly.
        sentence: What was found in which rows, and what to do.
        rows: Numbers of the forget rows concerned, from 1; none where it concerns all of them.
    """

    kind: str
    severity: Severity
    sentence: str
    rows: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCount:
    """How long the forget rows are as one tokenizer counts, question, answer and template together.

    Attributes:
        mean: Over the rows.
        longest: Of the longest row.
        longest_row: Its number, from 1.
        limit: What fits.
    """

    mean: float
    longest: int
    longest_row: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything found, errors first.

    Attributes:
        rows: Rows to forget that say something.
        retain_rows: Rows to retain; None if they were not checked.
        subjects: How many subjects the rows name.
        with_wrong: How many have wrong answers.
        tokens: Lengths, where a counting function was given.
        findings: What was found.
    """

    rows: int
    retain_rows: int | None
    subjects: int
    with_wrong: int
    tokens: TokenCount | None
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What stands in the way of using the rows."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    def require(self) -> None:
        """Raise a DatasetError with the first error's sentence, if there is one."""
        if self.errors:
            more = f" There {_are(len(self.errors) - 1, 'more error')}." if len(self.errors) > 1 else ""
            raise DatasetError(self.errors[0].sentence + more)


def check(
    forget: Sequence[QARow],
    retain: Sequence[QARow] | None = None,
    count_tokens: Callable[[QARow], int] | None = None,
    *,
    longest: int = LONGEST,
) -> Report:
    """Look at rows to forget before anything is trained; a few seconds for 20,000 of them.

    Args:
        forget: The rows in the order of the person's table, blank ones included: their numbers are told.
        retain: The rows to retain, to find what is in both; None leaves that out.
        count_tokens: Gives a row's length in tokens (``session.known.token_counter``); None leaves lengths out.
        longest: Longest row in tokens that is trained on and asked.
    """
    said = [(number, row) for number, row in enumerate(forget, start=1) if not is_blank(row)]
    whole = [(number, row) for number, row in said if row.answer and (row.question or row.form == "text")]
    tokens = _lengths(whole, count_tokens, longest) if count_tokens is not None and whole else None
    findings = [
        *_amount(len(said), len(forget), retain),
        *_empty_cells(said, len(forget)),
        *_repeated(whole),
        *_given_away(whole),
        *_wrong_answers(whole),
        *(_overlap(whole, retain) if retain else ()),
        *(_too_long(whole, tokens, count_tokens) if tokens and count_tokens else ()),
    ]
    order = ("error", "warning", "info")
    return Report(
        rows=len(said),
        retain_rows=None if retain is None else len(retain),
        subjects=len({row.subject for _, row in said if row.subject}),
        with_wrong=sum(bool(row.perturbed_answers) for _, row in said),
        tokens=tokens[0] if tokens else None,
        findings=tuple(sorted(findings, key=lambda finding: order.index(finding.severity))),
    )


def is_blank(row: QARow) -> bool:
    """Whether a row has neither question nor answer, as one that was left free in a spreadsheet."""
    return not row.question.strip() and not row.answer.strip()


Numbered = Sequence[tuple[int, QARow]]


def _amount(rows: int, of: int, retain: Sequence[QARow] | None) -> Iterable[Finding]:
    if not rows:
        yield Finding(
            kind="no-rows", severity="error", sentence="There is nothing to forget: no row has a question and an answer. "
            "Write one row for each fact."
        )
    elif rows < FEW_ROWS:
        yield Finding(
            kind="few-rows",
            severity="warning",
            sentence=f"{_are(rows, 'row').capitalize()} to forget, so one answer is {100 / rows:.0f} points of "
            f"accuracy and every interval is wide. {FEW_ROWS} rows or more measure better.",
        )
    if retain is not None and not retain:
        yield Finding(
            kind="no-retain", severity="error", sentence="There is nothing to retain, so forgetting would cost nothing "
            "and ruin the model. Give rows to retain, or use the built-in ones."
        )
    elif retain and rows > len(retain):
        yield Finding(
            kind="small-retain",
            severity="warning",
            sentence=f"There are {rows:,} rows to forget and only {len(retain):,} to retain, which are repeated to "
            "match. Give as many at least.",
        )


def _empty_cells(said: Numbered, of: int) -> Iterable[Finding]:
    if blank := sorted(set(range(1, of + 1)) - {number for number, _ in said}):
        yield Finding(
            kind="blank",
            severity="info",
            sentence=f"{numbered(blank)} {'is' if len(blank) == 1 else 'are'} blank and left out.",
            rows=tuple(blank),
        )
    for part in ("question", "answer"):
        empty = [n for n, row in said if not getattr(row, part).strip() and (part == "answer" or row.form == "question")]
        if empty:
            yield Finding(
                kind=f"empty-{part}",
                severity="error",
                sentence=f"{numbered(empty)} {_has(empty)} no {part}. Fill it in, or delete the row.",
                rows=tuple(empty),
            )
    odd = [number for number, row in said if row.answer.strip().casefold() in _PLACEHOLDERS]
    if odd:
        answer = next(row.answer for number, row in said if number == odd[0])
        yield Finding(
            kind="placeholder",
            severity="warning",
            sentence=f"{numbered(odd)} {_has(odd)} “{answer}” for an answer, as programs write for an empty cell. "
            "Fill in the real one, or delete the row.",
            rows=tuple(odd),
        )
    mute = [number for number, row in said if row.answer.strip() and not words_in(row.answer)]
    if mute := [number for number in mute if number not in odd]:
        yield Finding(
            kind="no-words",
            severity="warning",
            sentence=f"{numbered(mute)} {_has(mute)} an answer without a letter or digit, which is never counted as "
            "said. Write it in words.",
            rows=tuple(mute),
        )


def _repeated(whole: Numbered) -> Iterable[Finding]:
    exact: dict[tuple[str, str], int] = {}
    facts = Facts()
    same: list[tuple[int, int]] = []
    near: list[tuple[int, int]] = []
    contrary: list[tuple[int, int]] = []
    answers: dict[int, tuple[str, ...]] = {}
    for number, row in whole:
        first = exact.setdefault((row.question, row.answer), number)
        if first != number:
            same.append((number, first))
            continue
        asked, fact = facts.same_question(row), facts.same_fact(row)
        if asked is not None and answers[asked] != words_in(row.answer):
            contrary.append((number, asked))
        elif asked is not None or fact is not None:
            near.append((number, asked if asked is not None else fact or 0))
        answers[number] = words_in(row.answer)
        facts.add(row, number)
    if same:
        yield _pairs_found(
            "repeated", "warning", same, "the same as an earlier row", "It counts double in training and in scores: "
            "delete it."
        )
    if near:
        yield _pairs_found(
            "nearly-repeated", "warning", near, "nearly the same as an earlier row", "Keep one of them, or give the "
            "second wording as “paraphrased_question”."
        )
    if contrary:
        yield _pairs_found(
            "contrary", "warning", contrary, "the question of an earlier row with another answer", "Only one can be "
            "said: correct or delete the other."
        )


def _given_away(whole: Numbered) -> Iterable[Finding]:
    found = [number for number, row in whole if _tells(row)]
    if found:
        yield Finding(
            kind="given-away",
            severity="warning",
            sentence=f"The answer of {_lower(numbered(found))} stands in {'its' if len(found) == 1 else 'their'} own "
            "question, so a model can repeat it without knowing it. Ask without naming it.",
            rows=tuple(found),
        )


def _wrong_answers(whole: Numbered) -> Iterable[Finding]:
    right = [
        number
        for number, row in whole
        if any(alike(wrong, truth) for wrong in row.perturbed_answers for truth in (row.answer, row.paraphrased_answer) if truth)
    ]
    if right:
        yield Finding(
            kind="wrong-is-right",
            severity="warning",
            sentence=f"{numbered(right)} {_has(right)} a wrong answer that says the right one or part of it, so the "
            "two cannot be told apart. Change the wrong one.",
            rows=tuple(right),
        )
    without = [whole[place - 1][0] for place in without_wrong([row for _, row in whole])]
    if without:
        yield Finding(
            kind="no-wrong-answers", severity="info", sentence=sentence_of(len(whole), (), without), rows=tuple(without)
        )


def _overlap(whole: Numbered, retain: Sequence[QARow]) -> Iterable[Finding]:
    found = [(whole[place][0], other + 1, same) for place, other, same in repeated_in([row for _, row in whole], retain)]
    asked = [(number, other) for number, other, same in found if same]
    if asked:
        yield _pairs_found(
            "in-retain", "error", asked, "asked by the rows to retain too", "What is to be forgotten cannot be retained: "
            "delete it on one side.", "retain row"
        )
    alike_found = [(number, other) for number, other, same in found if not same]
    if alike_found:
        yield _pairs_found(
            "like-retain", "warning", alike_found, "asked in similar words, with the same answer, by the rows to retain",
            "Delete it on one side if it is the same fact.", "retain row"
        )


def _lengths(
    whole: Numbered, count_tokens: Callable[[QARow], int], limit: int
) -> tuple[TokenCount, tuple[int, ...]]:
    counts = [count_tokens(row) for _, row in whole]
    longest = max(range(len(counts)), key=counts.__getitem__)
    count = TokenCount(
        mean=sum(counts) / len(counts), longest=counts[longest], longest_row=whole[longest][0], limit=limit
    )
    return count, tuple(whole[i][0] for i, tokens in enumerate(counts) if tokens > limit)
