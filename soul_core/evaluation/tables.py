"""Scorecards as one table: cells with intervals, best and second marked, as CSV, Markdown and LaTeX.

It knows no page. Names of models and methods may be a stranger's: each format escapes them in its own way.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from soul_core.data.published import PublishedRow, published_rows
from soul_core.evaluation.card import Measured, Scorecard
from soul_core.evaluation.registry import Direction
from soul_core.evaluation.views import VIEWS, Column, View, columns_of

Kind = Literal["original", "gold", "method", "imported", "published"]
Mark = Literal["", "best", "second"]

ARROWS: dict[Direction, str] = {"higher": "↑", "lower": "↓", "gold": "→ gold", "none": ""}
NOTHING = "–"
LONGEST_LABEL = 80
CANDIDATES: tuple[Kind, ...] = ("method", "imported")
"""Whose numbers can be the best; original and gold are what they are compared with, published rows another model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a table.

    Attributes:
        id: Tells it from every other row of the page.
        label: What people call it.
        kind: Where it is from.
        card: Its numbers.
        origin: Its run, file or paper in a few words.
        lane: Name of the lane whose look it has; empty for a look by its place.
        position: Its place among the methods, from 0.
    """

    id: str
    label: str
    kind: Kind
    card: Scorecard
    origin: str = ""
    lane: str = ""
    position: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One number as it is shown; ``text`` is a dash where there is none and ``note`` may say why."""

    text: str = NOTHING
    value: float | None = None
    interval: str = ""
    rows: int = 0
    note: str = ""
    mark: Mark = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows and columns with a cell for each pair."""

    view: View
    columns: tuple[Column, ...] = ()
    rows: tuple[Row, ...] = ()
    cells: tuple[tuple[Cell, ...], ...] = ()

    @property
    def groups(self) -> list[tuple[str, int]]:
        """Headings with how many columns stand under each."""
        found: list[tuple[str, int]] = []
        for column in self.columns:
            if found and found[-1][0] == column.group:
                found[-1] = (column.group, found[-1][1] + 1)
            else:
                found.append((column.group, 1))
        return found


@dataclass(frozen=True, slots=True)
class _Look:
    """How a text format writes what a table consists of."""

    best: str
    second: str
    interval: str
    arrows: Mapping[Direction, str] = field(default_factory=dict)


def published_as_rows(found: Iterable[PublishedRow] | None = None) -> tuple[Row, ...]:
    """What papers report, as rows; those that ship with the project by default."""
    return tuple(
        Row(
            id=f"published-{place}",
            label=row.method,
            kind="published",
            origin=f"published, another model: {row.model}",
            card=Scorecard(
                model=row.method,
                spec=row.model,
                task=row.task,
                measured={key: Measured(value=value) for key, value in row.values.items()},
                settings={"published": row.source},
                notes=tuple(note for note in (f"Published: {row.source}.", row.note) if note),
            ),
        )
        for place, row in enumerate(published_rows() if found is None else found)
    )


def scope_of(card: Scorecard) -> str:
    """What two scorecards must share to be compared: task, rows, and every setting that decides a number."""
    return json.dumps([card.task, dict(card.settings)], sort_keys=True, default=str)


def comparable(first: Row, second: Row) -> bool:
    """Whether the two were asked the same rows in the same way."""
    return scope_of(first.card) == scope_of(second.card)


def table_of(rows: Sequence[Row], view: View) -> Table:
    """The table of these rows: columns that somebody has, rows that have one of them.

    The best number of a column is marked among rows of the same scope, if two of them or more differ as shown; the
    second where a third is behind it. ``gold`` as direction means nearest to the gold row of the same scope.
    """
    keys = list(dict.fromkeys(key for row in rows for key, of in row.card.measured.items() if of.value is not None))
    columns = columns_of(view, keys)
    kept = tuple(row for row in rows if any(row.card.value(column.key) is not None for column in columns))
    columns_of_cells = [_marked(column, kept) for column in columns]
    return Table(view=view, columns=columns, rows=kept, cells=tuple(zip(*columns_of_cells, strict=True)))


def figure(value: float | None, digits: int) -> str:
    """A number with so many decimals; what they would show as 0 in powers of ten; a dash for none."""
    if value is None:
        return NOTHING
    tiny = value != 0 and abs(value) < 0.5 * 10**-digits
    return f"{value:.1e}" if tiny else f"{value:.{digits}f}"


def plain(label: str) -> str:
    """A name that may be a stranger's, on one line, printable and of bounded length."""
    words = " ".join("".join(c if c.isprintable() else " " for c in label).split())
    return words if len(words) <= LONGEST_LABEL else f"{words[: LONGEST_LABEL - 1]}…"


def to_csv(rows: Sequence[Row], view: View = VIEWS["everything"]) -> str:
    """Every number in full, with the ends of its interval in columns of their own.

    A name that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    table = table_of(rows, view)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    keys = [column.key for column in table.columns]
    writer.writerow(["row", "kind", "from", "task", *(f"{key}{end}" for key in keys for end in ("", ".low", ".high"))])
    for row in table.rows:
        found = [row.card.measured.get(key, Measured(value=None)) for key in keys]
        numbers = [number for of in found for number in (of.value, of.low, of.high)]
        words = [_no_formula(plain(text)) for text in (row.label, row.kind, row.origin, row.card.task)]
        writer.writerow([*words, *("" if number is None else repr(number) for number in numbers)])
    return file.getvalue()


def to_markdown(rows: Sequence[Row], view: View, *, intervals: bool = False) -> str:
    """A table in GitHub's Markdown: best bold, second underlined."""
    table = table_of(rows, view)
    look = _Look("**{}**", "<u>{}</u>", " [{}]", ARROWS)
    titles = [_markdown(f"{column.full_title} {look.arrows[column.better]}".strip()) for column in table.columns]
    lines = [["Method", *titles], ["---", *("---:" for _ in titles)]]
    for row, cells in zip(table.rows, table.cells, strict=True):
        lines.append([_markdown(_named(row)), *(_written(cell, look, _markdown, intervals) for cell in cells)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def to_latex(rows: Sequence[Row], view: View, *, intervals: bool = False) -> str:
    """A ``tabular`` for the package booktabs: best bold, second underlined."""
    table = table_of(rows, view)
    arrows: dict[Direction, str] = {
        "higher": r" $\uparrow$",
        "lower": r" $\downarrow$",
        "gold": r" ($\to$ gold)",
        "none": "",
    }
    look = _Look(r"\textbf{{{}}}", r"\underline{{{}}}", r" {{\scriptsize [{}]}}", arrows)
    heads, rules, at = [], [], 2
    for title, span in table.groups:
        heads.append(rf"\multicolumn{{{span}}}{{c}}{{{_latex(title)}}}")
        rules.append(rf"\cmidrule(lr){{{at}-{at + span - 1}}}")
        at += span
    titles = [f"{_latex(column.title)}{look.arrows[column.better]}" for column in table.columns]
    lines = [
        r"% \usepackage{booktabs}",
        rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
        r"\toprule",
        " & ".join(["", *heads]) + r" \\",
        "".join(rules),
        " & ".join(["Method", *titles]) + r" \\",
        r"\midrule",
    ]
    for row, cells in zip(table.rows, table.cells, strict=True):
        written = [_written(cell, look, _latex, intervals) for cell in cells]
        lines.append(" & ".join([_latex(_named(row)), *written]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _marked(column: Column, rows: Sequence[Row]) -> list[Cell]:
    cells = [_cell(column, row) for row in rows]
    scopes = [scope_of(row.card) for row in rows]
    for scope in dict.fromkeys(scopes):
        places = [place for place, other in enumerate(scopes) if other == scope]
        worth = _worth(column, [(rows[place], cells[place]) for place in places])
        steps = sorted({value for value in worth if value is not None})
        for place, value in zip(places, worth, strict=True):
            if len(steps) >= 2 and value == steps[0]:
                cells[place] = replace(cells[place], mark="best")
            elif len(steps) >= 3 and value == steps[1]:
                cells[place] = replace(cells[place], mark="second")
    return cells


def _cell(column: Column, row: Row) -> Cell:
    of = row.card.measured.get(column.key)
    if of is None:
        return Cell()
    digits = column.about.digits
    ends = [of.low, of.high] if of.low is not None and of.high is not None else []
    return Cell(
        text=figure(of.value, digits),
        value=of.value,
        interval=", ".join(figure(end, digits) for end in ends),
        rows=of.rows,
        note=of.note,
    )


def _worth(column: Column, found: Sequence[tuple[Row, Cell]]) -> list[float | None]:
    """How far each is from the best there can be, as shown, so that what looks equal is equal; None: no candidate."""
    gold = next((_shown(cell) for row, cell in found if row.kind == "gold"), None)
    worth: list[float | None] = []
    for row, cell in found:
        shown = _shown(cell)
        if row.kind not in CANDIDATES or shown is None or column.better == "none":
            worth.append(None)
        elif column.better == "gold":
            worth.append(None if gold is None else round(abs(shown - gold), 12))
        else:
            worth.append(shown if column.better == "lower" else -shown)
    return worth


def _shown(cell: Cell) -> float | None:
    return None if cell.value is None else float(cell.text)


def _named(row: Row) -> str:
    return f"{row.label} (published, another model)" if row.kind == "published" else row.label


def _written(cell: Cell, look: _Look, escaped: "_Escape", intervals: bool) -> str:
    text = escaped(cell.text)
    marks: dict[Mark, str] = {"": "{}", "best": look.best, "second": look.second}
    text = marks[cell.mark].format(text)
    return text + look.interval.format(escaped(cell.interval)) if intervals and cell.interval else text


class _Escape:
    """Turns a name or number into a format's own words."""

    def __init__(self, special: Mapping[str, str]) -> None:
        self._special = special
        self._pattern = re.compile("|".join(re.escape(one) for one in sorted(special, key=len, reverse=True)))

    def __call__(self, text: str) -> str:
        return self._pattern.sub(lambda found: self._special[found[0]], plain(text))


_markdown = _Escape(
    {character: f"\\{character}" for character in "\\`*_{}[]|~#"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
)
_latex = _Escape(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': "''",
        "–": "--",
        "−": "$-$",
        "₁₀": "$_{10}$",
        "…": r"\ldots{}",
    }
)


def _no_formula(text: str) -> str:
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
