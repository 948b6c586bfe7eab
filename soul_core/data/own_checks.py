"""What is wrong with a person's rows, or odd about them, before anything is trained; it knows no file and no model."""

from collections.abc import Callable, Iterator, Sequence

from soul_core.data.answers import alike, words_in
from soul_core.data.own_overlap import Facts, repeated_in
from soul_core.data.own_report import SEVERITIES, Finding, Report, TokenCount
from soul_core.data.schema import QARow
from soul_core.data.swaps import numbered, sentence_of

FEW_ROWS = 10
"""With fewer, one answer more or less is over ten points of accuracy."""
LONGEST = 512
"""Tokens of a row that are trained on, unless the model's context is shorter."""

Counter = Callable[[QARow], int]
Numbered = Sequence[tuple[int, QARow]]

_PAIRS_SHOWN = 3
# What programs write into cells that have nothing, or people into those that they mean to fill in later.
_PLACEHOLDERS = frozenset(
    ("nan", "n/a", "#n/a", "na", "null", "none", "nil", "-", "–", "?", "tbd", "todo", "…", "...")
)


def check(
    forget: Sequence[QARow],
    retain: Sequence[QARow] | None = None,
    count_tokens: Counter | None = None,
    *,
    longest: int = LONGEST,
    swapped: Sequence[int] = (),
) -> Report:
    """Look at rows to forget; a few seconds for 20,000 of them.

    Args:
        forget: The rows in the order of the person's table, blank ones included: findings name their numbers.
        retain: The rows to retain, to find what is in both; None leaves that out.
        count_tokens: Gives a row's length in tokens (``session.known.token_counter``); None leaves lengths out.
        longest: Longest row in tokens that is trained on and asked.
        swapped: Numbers of the rows whose wrong answers were made by swapping values (``swaps.Swapped.made``).
    """
    said = [(number, row) for number, row in enumerate(forget, start=1) if not is_blank(row)]
    whole = [(number, row) for number, row in said if row.answer.strip() and (row.question.strip() or _is_text(row))]
    lengths = [count_tokens(row) for _, row in whole] if count_tokens is not None else []
    findings = [
        *_amount(len(said), retain),
        *_cells(said, len(forget)),
        *_repeated(whole),
        *_given_away(whole),
        *_wrong_answers(whole, swapped),
        *_overlap(whole, retain or ()),
        *_too_long(whole, lengths, longest),
    ]
    return Report(
        rows=len(said),
        retain_rows=None if retain is None else len(retain),
        subjects=len({row.subject for _, row in said if row.subject}),
        with_wrong=sum(bool(row.perturbed_answers) for _, row in said),
        tokens=_tokens(whole, lengths, longest) if lengths else None,
        findings=tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))),
    )


def is_blank(row: QARow) -> bool:
    """Whether a row has neither question nor answer, as one that was left free in a spreadsheet."""
    return not row.question.strip() and not row.answer.strip()


def _amount(rows: int, retain: Sequence[QARow] | None) -> Iterator[Finding]:
    if not rows:
        sentence = "There is nothing to forget: no row has a question and an answer. Write one row for each fact."
        yield Finding(kind="no-rows", severity="error", sentence=sentence)
    elif rows < FEW_ROWS:
        only = "There is only 1 row" if rows == 1 else f"There are only {rows} rows"
        sentence = (
            f"{only} to forget, so one answer is {100 / rows:.0f} points of accuracy and every interval is wide. "
            f"Give {FEW_ROWS} rows or more if you can."
        )
        yield Finding(kind="few-rows", severity="warning", sentence=sentence)
    if retain is not None and not retain:
        sentence = "There is nothing to retain. Give rows that should stay, or use the built-in ones."
        yield Finding(kind="no-retain", severity="error", sentence=sentence)
    elif retain and len(retain) < rows:
        sentence = (
            f"There are {rows:,} rows to forget and only {len(retain):,} to retain, so these come several times an "
            "epoch. Give as many at least if you can."
        )
        yield Finding(kind="small-retain", severity="warning", sentence=sentence)


def _cells(said: Numbered, total: int) -> Iterator[Finding]:
    """Cells that are empty, or as good as empty."""
    blank = sorted(set(range(1, total + 1)) - {number for number, _ in said})
    if blank and said:
        sentence = f"{numbered(blank)} {'is' if len(blank) == 1 else 'are'} blank and left out."
        yield Finding(kind="blank", severity="info", sentence=sentence, rows=tuple(blank))
    empty = {
        "question": [number for number, row in said if not row.question.strip() and not _is_text(row)],
        "answer": [number for number, row in said if not row.answer.strip()],
    }
    for part, rows in empty.items():
        if rows:
            sentence = f"{numbered(rows)} {_has(rows)} no {part}. Fill it in, or delete the row."
            yield Finding(kind=f"empty-{part}", severity="error", sentence=sentence, rows=tuple(rows))
    odd = {number: row.answer for number, row in said if row.answer.strip().casefold() in _PLACEHOLDERS}
    if odd:
        sentence = (
            f"{numbered([*odd])} {_has(odd)} “{next(iter(odd.values())).strip()}” for an answer, as programs write "
            "for an empty cell. Fill in the real answer, or delete the row."
        )
        yield Finding(kind="placeholder", severity="warning", sentence=sentence, rows=tuple(odd))
    mute = [
        n for n, row in said if row.answer.strip() and not words_in(row.answer) and n not in odd and not _is_text(row)
    ]
    if mute:
        sentence = f"{numbered(mute)} {_has(mute)} an answer without letters and digits. Write the answer in words."
        yield Finding(kind="no-words", severity="warning", sentence=sentence, rows=tuple(mute))


def _repeated(whole: Numbered) -> Iterator[Finding]:
    exact: dict[tuple[str, str], int] = {}
    facts, answers = Facts(), dict[int, tuple[str, ...]]()
    same: list[tuple[int, int]] = []
    near: list[tuple[int, int]] = []
    contrary: list[tuple[int, int]] = []
    for number, row in whole:
        first = exact.setdefault((row.question, row.answer), number)
        if first != number:
            same.append((number, first))
            continue
        asked = facts.same_question(row)
        earlier = facts.same_fact(row) if asked is None else asked
        if asked is not None and answers[asked] != words_in(row.answer):
            contrary.append((number, asked))
        elif earlier is not None:
            near.append((number, earlier))
        answers[number] = words_in(row.answer)
        facts.add(row, number)
    for kind, pairs, what, remedy in (
        ("repeated", same, "the same as an earlier row", "It would count twice: delete it."),
        (
            "nearly-repeated",
            near,
            "nearly the same as an earlier row",
            "Delete it, or give it as the “paraphrased_question” of the other.",
        ),
        (
            "contrary",
            contrary,
            "the question of an earlier row with another answer",
            "A model can say only one: correct it, or delete it.",
        ),
    ):
        if pairs:
            sentence = f"{_paired(pairs)} {'is' if len(pairs) == 1 else 'are'} {what}. {remedy}"
            rows = tuple(number for number, _ in pairs)
            yield Finding(kind=kind, severity="warning", sentence=sentence, rows=rows)


def _given_away(whole: Numbered) -> Iterator[Finding]:
    rows = [number for number, row in whole if not _is_text(row) and _tells(row.question, row.answer)]
    if rows:
        sentence = (
            f"The answer of {numbered(rows).lower()} stands in {'its' if len(rows) == 1 else 'their'} own question, "
            "so a model can repeat it without knowing it. Ask in other words."
        )
        yield Finding(kind="given-away", severity="warning", sentence=sentence, rows=tuple(rows))


def _wrong_answers(whole: Numbered, swapped: Sequence[int]) -> Iterator[Finding]:
    rows = [number for number, row in whole if any(_is_right(wrong, row) for wrong in row.perturbed_answers)]
    if rows:
        sentence = f"{numbered(rows)} {_has(rows)} a wrong answer that says the right one, or part of it. Change it."
        yield Finding(kind="wrong-is-right", severity="warning", sentence=sentence, rows=tuple(rows))
    without = tuple(number for number, row in whole if not row.perturbed_answers)
    if without or swapped:
        sentence = sentence_of(len(whole), swapped, without)
        yield Finding(kind="wrong-answers", severity="info", sentence=sentence, rows=without)


def _overlap(whole: Numbered, retain: Sequence[QARow]) -> Iterator[Finding]:
    found = list(repeated_in([row for _, row in whole], retain))
    asked = [(whole[place][0], other + 1) for place, other, same in found if same]
    if asked:
        sentence = (
            f"{_paired(asked, 'retain row')} {'is' if len(asked) == 1 else 'are'} to be retained too. Delete "
            f"{'it' if len(asked) == 1 else 'them'} on one side."
        )
        rows = tuple(number for number, _ in asked)
        yield Finding(kind="in-retain", severity="error", sentence=sentence, rows=rows)
    akin = [(whole[place][0], other + 1) for place, other, same in found if not same]
    if akin:
        sentence = (
            f"{_paired(akin, 'retain row')} {_has(akin)} the answer of a row to retain to a similar question. If it "
            "is the same fact, delete it on one side."
        )
        yield Finding(
            kind="like-retain", severity="warning", sentence=sentence, rows=tuple(number for number, _ in akin)
        )


def _too_long(whole: Numbered, lengths: Sequence[int], limit: int) -> Iterator[Finding]:
    rows = [number for (number, _), tokens in zip(whole, lengths, strict=False) if tokens > limit]
    if rows:
        sentence = (
            f"{numbered(rows)} {_has(rows)} more than the {limit} tokens that fit, and what is behind them is neither "
            "learned nor forgotten. Shorten or divide the answer."
        )
        yield Finding(kind="too-long", severity="warning", sentence=sentence, rows=tuple(rows))


def _tokens(whole: Numbered, lengths: Sequence[int], limit: int) -> TokenCount:
    longest = max(range(len(lengths)), key=lengths.__getitem__)
    mean = sum(lengths) / len(lengths)
    return TokenCount(mean=mean, longest=lengths[longest], longest_row=whole[longest][0], limit=limit)


def _is_text(row: QARow) -> bool:
    return row.form == "text"


def _tells(question: str, answer: str) -> bool:
    told = " ".join(words_in(answer))
    return bool(told) and f" {told} " in f" {' '.join(words_in(question))} "


def _is_right(wrong: str, row: QARow) -> bool:
    return any(alike(wrong, truth) for truth in (row.answer, row.paraphrased_answer) if words_in(truth))


def _has(rows: Sequence[object] | dict[int, str]) -> str:
    return "has" if len(rows) == 1 else "have"


def _paired(pairs: Sequence[tuple[int, int]], other: str = "row") -> str:
    """``Row 7 (row 2)``, ``Rows 7 (row 2) and 9 (row 4)``, or the first three and how many more."""
    shown = [f"{number} ({other} {first})" for number, first in pairs[:_PAIRS_SHOWN]]
    more = len(pairs) - len(shown)
    last = f"{more} more" if more else shown.pop()
    return f"Row{'s' if len(pairs) > 1 else ''} {', '.join(shown)}{' and ' if shown else ''}{last}"
