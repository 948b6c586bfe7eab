"""The answers side by side as markup: marks, labels, the truth above. Pure; model text is escaped, never trusted."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from soul_core.data.schema import QARow
from soul_core.evaluation.labels import RULES, Label, label
from soul_core.evaluation.marking import MarkedWord, mark_words
from soul_core.ui import text
from soul_core.ui.html import swatch
from soul_core.ui.ids import look_of

LABEL_GLYPHS: dict[Label, str] = {"knows": "✓", "same": "=", "refuses": "∅", "garbled": "⌁", "different": "≠"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One answer of one model so far."""

    text: str
    done: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One model's place on the board: its answers, or why it has none; ``position`` is its place in the race,
    and ``once`` whether it acts once."""

    lane: str
    label: str
    position: int = 0
    once: bool = False
    answers: tuple[Said, ...] = ()
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One question with everything said about it. ``truth`` is the known row, if a set asks this question."""

    question: str
    columns: tuple[Column, ...]
    truth: QARow | None = None
    refusals: tuple[str, ...] = ()

    @property
    def original(self) -> str | None:
        """The original's answer once it is complete: what the others' words are compared with."""
        for column in self.columns:
            if column.lane == "original" and column.answers and column.answers[0].done:
                return column.answers[0].text
        return None


def board_html(board: Board | None, *, columns: Sequence[Column] = ()) -> str:
    """The board; with ``columns`` alone it is the empty one before the first question."""
    if board is None:
        top = f'<p class="soul-muted">{escape(text.BOARD_EMPTY)}</p>'
        cells = "".join(_cell(column, "") for column in columns)
        return _frame(top, cells, len(columns), busy=False)
    truth = escape(board.truth.answer) if board.truth else f'<span class="soul-muted">{escape(text.NO_TRUTH)}</span>'
    top = (
        f'<p class="soul-asked">{escape(board.question)}</p>'
        f'<p class="soul-truth"><b>{escape(text.TRUTH)}</b> {truth}</p>'
    )
    cells = "".join(_cell(column, _answers(board, column)) for column in board.columns)
    busy = any(not said.done for column in board.columns for said in column.answers)
    return _frame(top, cells, len(board.columns), busy=busy)


def words_html(words: Sequence[MarkedWord]) -> str:
    """Brackets and bold around words that repeat the truth, a wavy line under those that differ from the original."""
    shown = []
    for repeats, stretch in groupby(words, key=lambda word: word.repeats_truth):
        inner = " ".join(
            f'<span class="soul-changed">{_plain(run)}</span>' if differs else _plain(run)
            for differs, run in groupby(stretch, key=lambda word: word.differs_from_original)
        )
        shown.append(f'<mark class="soul-hit">{inner}</mark>' if repeats else inner)
    return " ".join(shown)


def _plain(words: Iterable[MarkedWord]) -> str:
    return escape(" ".join(word.text for word in words))


def legend_html() -> str:
    """What the marks mean."""
    return (
        f'<p class="soul-marks"><span>{escape(text.LEGEND_MARKS)}</span> '
        f'<mark class="soul-hit">{escape(text.MARK_TRUTH)}</mark> '
        f'<span class="soul-changed">{escape(text.MARK_CHANGED)}</span></p>'
    )


def _frame(top: str, cells: str, count: int, *, busy: bool) -> str:
    state = "true" if busy else "false"
    return (
        f'<div class="soul-board" aria-busy="{state}"><div class="soul-board-top">{top}</div>'
        f'<div class="soul-columns" style="--columns:{max(1, count)}">{cells}</div></div>'
    )


def _cell(column: Column, answers: str) -> str:
    body = answers or f'<p class="soul-muted">{escape(column.message)}</p>'
    meaning = escape(text.LANE_MEANING.get(column.lane, ""))
    colour = look_of(column.lane, column.position).colour
    return (
        f'<section class="soul-answer" data-lane="{escape(column.lane)}" aria-label="{escape(column.label)}" '
        f'style="border-top-color:{colour}">'
        f"<header>{swatch(column.lane, column.position, line=not column.once)}<b>{escape(column.label)}</b>"
        f"<small>{meaning}</small></header>{body}</section>"
    )


def _answers(board: Board, column: Column) -> str:
    return "".join(_answer(board, column, said) for said in column.answers)


def _answer(board: Board, column: Column, said: Said) -> str:
    compared = board.original if column.lane != "original" else None
    truth = board.truth.answer if board.truth else ""
    words = mark_words(said.text, truth, compared, question=board.question)
    shown = words_html(words) or ("" if said.done else text.WAITING)
    badge = _badge(board, column, said) if said.done else ""
    return f'<div class="soul-said"><p>{shown}</p><div class="soul-badge-line">{badge}</div></div>'


def _badge(board: Board, column: Column, said: Said) -> str:
    original = board.original if column.lane != "original" else None
    if board.truth is None and original is None:
        return ""
    found = label(said.text, truth=board.truth, original=original, question=board.question, refusals=board.refusals)
    rule = escape(RULES[found])
    return (
        f'<span class="soul-badge soul-badge-{found}" tabindex="0" data-tip="{rule}" aria-description="{rule}">'
        f"{LABEL_GLYPHS[found]} {escape(text.LABELS[found])}</span>"
    )
