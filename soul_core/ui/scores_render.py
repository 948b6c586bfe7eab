"""The Scores tab's markup from a table of scorecards: pure functions. They know no component and no job."""

from collections.abc import Iterable, Sequence
from html import escape

from soul_core.data.published import published_numbers
from soul_core.evaluation.tables import (
    ARROWS,
    NOTHING,
    Cell,
    Row,
    Table,
    scope_of,
    table_of,
    to_csv,
    to_latex,
    to_markdown,
)
from soul_core.evaluation.views import Column, View
from soul_core.ui import ids, text_scores
from soul_core.ui.data_desk import task_label
from soul_core.ui.html import notice, swatch

REFERENCES = ("original", "gold")
OTHERS = ("published", "imported")


def tools_html() -> str:
    """Filter, copy and downloads; they act on the table that stands below, whichever it is."""
    downloads = "".join(
        f'<button type="button" class="soul-tool" data-soul-download="{kind}">{escape(label)}</button>'
        for kind, label in text_scores.DOWNLOADS.items()
    )
    return (
        f'<div class="soul-tools"><label>{escape(text_scores.FILTER)} '
        f'<input type="search" id="{ids.SCORES_FILTER}" placeholder="{escape(text_scores.FILTER_HINT)}" '
        f'autocomplete="off" maxlength="80"></label>'
        f'<button type="button" class="soul-tool" data-soul-copy data-said="{escape(text_scores.COPIED)}">'
        f"{escape(text_scores.COPY)}</button>{downloads}"
        f'<span id="{ids.SCORES_SAID}" role="status" aria-live="polite" '
        f'data-said="{escape(text_scores.FILTERED)}"></span></div>'
    )


def table_html(
    rows: Sequence[Row],
    view: View,
    *,
    intervals: bool,
    published: bool,
    any_run: bool = True,
    troubles: Iterable[str] = (),
) -> str:
    """The table with its explanations, notes and what the downloads hold; a sentence where there is nothing.

    Args:
        rows: What is compared, published rows included where they are wanted.
        view: Which columns.
        intervals: Whether a number's interval stands below it.
        published: Whether published rows are wanted; then numbers that are in no table are told too.
        any_run: Whether there is a run that could be scored.
        troubles: What went wrong, as sentences.
    """
    warnings = "".join(notice(trouble) for trouble in troubles)
    if not rows:
        said = text_scores.NO_SCORES if any_run else text_scores.NO_RUNS
        return f'{warnings}<p class="soul-empty">{escape(said)}</p>'
    table = table_of(rows, view)
    if not table.rows:
        return f'{warnings}<p class="soul-empty">{escape(text_scores.NO_ROW_HERE)}</p>'
    notes = _Notes(table)
    tasks = list(dict.fromkeys(row.card.task for row in table.rows if row.kind not in OTHERS))
    body = "".join(
        _row(row, cells, notes, intervals=intervals, tasks=len(tasks) > 1)
        for row, cells in zip(table.rows, table.cells, strict=True)
    )
    said = (
        f"{view.sentence} {text_scores.TASK.format(task=task_label(tasks[0]))}"
        if len(tasks) == 1 and tasks[0]
        else view.sentence
    )
    return (
        f'{warnings}<div class="soul-table-wrap soul-scores-wrap" tabindex="0" role="region" '
        f'aria-label="{escape(view.title)}"><table class="soul-table soul-scores-table">'
        f'<caption><span class="soul-caption">{escape(view.title)} <span>{escape(said)}</span></span></caption>'
        f"{_head(table, notes)}<tbody>{body}</tbody></table></div>"
        f"{''.join(_about(place, column) for place, column in enumerate(table.columns))}"
        f"{_remarks(table, notes)}{_published() if published else ''}{_downloads(rows, view, intervals=intervals)}"
    )


class _Notes:
    """Remarks of numbers, each told once below the table: at the header where it is true of the whole column."""

    def __init__(self, table: Table) -> None:
        self._numbers: dict[str, int] = {}
        self._whole: list[str] = []
        for place in range(len(table.columns)):
            said = {
                cells[place].note
                for row, cells in zip(table.rows, table.cells, strict=True)
                if cells[place].value is not None and row.kind != "published"
            }
            common = said.pop() if len(said) == 1 else ""
            self._whole.append(common)
            if common:
                self._number(common)
        for cells in table.cells:
            for place, cell in enumerate(cells):
                if cell.note and cell.note != self._whole[place]:
                    self._number(cell.note)

    @property
    def said(self) -> list[str]:
        """The remarks in the order of their numbers."""
        return list(self._numbers)

    def of_column(self, place: int) -> str:
        """The mark at a header."""
        return self._mark(self._whole[place])

    def of_cell(self, place: int, cell: Cell) -> str:
        """The mark at a number."""
        return "" if cell.note == self._whole[place] else self._mark(cell.note)

    def _number(self, note: str) -> None:
        self._numbers.setdefault(note, len(self._numbers) + 1)

    def _mark(self, note: str) -> str:
        if not note:
            return ""
        number = self._numbers[note]
        return f'<sup class="soul-mark"><a href="#soul-remark-{number}" title="{escape(note)}">{number}</a></sup>'


def _head(table: Table, notes: _Notes) -> str:
    groups = "".join(f'<th scope="colgroup" colspan="{span}">{escape(title)}</th>' for title, span in table.groups)
    starts = _starts(table)
    heads = "".join(
        _header(place, column, notes.of_column(place), begins=place in starts)
        for place, column in enumerate(table.columns)
    )
    return (
        f'<thead><tr><td></td>{groups}</tr><tr><th scope="col" aria-sort="none" class="soul-first">'
        f'<button type="button" class="soul-sort" data-soul-sort="0" data-better="label" '
        f'title="{escape(text_scores.SORT_BY.format(title=text_scores.METHOD))}">{escape(text_scores.METHOD)}'
        f"</button></th>{heads}</tr></thead>"
    )


def _header(place: int, column: Column, mark: str, *, begins: bool) -> str:
    arrow = ARROWS[column.better]
    # A header breaks between words; the hyphen of ROUGE-L and the minus of 1 − p are no places for it.
    unbroken = column.title.replace("-", "\u2011").replace(" − ", "\u00a0−\u00a0")
    title, full = escape(unbroken), escape(column.full_title)
    sort, why = (words.format(title=full) for words in (text_scores.SORT_BY, text_scores.WHAT_IS))
    return (
        f'<th scope="col" aria-sort="none"{_begins(begins)}><span class="soul-head">'
        f'<button type="button" class="soul-sort" data-soul-sort="{place + 1}" data-better="{column.better}" '
        f'title="{sort}">{title} <span aria-hidden="true">{arrow}</span></button>{mark}'
        f'<button type="button" class="soul-why" popovertarget="soul-about-{place}" aria-label="{why}">?</button>'
        f"</span></th>"
    )


def _about(place: int, column: Column) -> str:
    about = column.about
    said = {
        "meaning": about.meaning,
        "better": text_scores.BETTER[column.better],
        "convention": about.convention,
        "formula": about.formula,
        "source": about.source,
    }
    entries = "".join(
        f"<dt>{escape(text_scores.ABOUT[name])}</dt><dd>{escape(words)}</dd>" for name, words in said.items()
    )
    return (
        f'<div popover id="soul-about-{place}" class="soul-about" role="dialog" '
        f'aria-label="{escape(column.full_title)}"><b>{escape(column.full_title)}</b><dl>{entries}</dl>'
        f'<button type="button" class="soul-tool" popovertarget="soul-about-{place}" popovertargetaction="hide">'
        f"{escape(text_scores.CLOSE)}</button></div>"
    )


def _row(row: Row, cells: Sequence[Cell], notes: _Notes, *, intervals: bool, tasks: bool) -> str:
    """A line of the table; ``tasks`` where rows are of several, so that each says its own."""
    own = row.kind not in OTHERS
    picture = swatch(row.lane, row.position, line=row.kind in REFERENCES) if own else ""
    below = (task_label(row.card.task) if tasks and own else "", row.origin)
    small = "".join(f"<small>{escape(words)}</small>" for words in below if words)
    body = "".join(_cell(place, cell, notes, intervals=intervals) for place, cell in enumerate(cells))
    return (
        f'<tr data-kind="{row.kind}"><th scope="row" data-value="{escape(row.label)}">'
        f'<span class="soul-row-name">{picture}{escape(row.label)}</span>{small}</th>{body}</tr>'
    )


def _cell(place: int, cell: Cell, notes: _Notes, *, intervals: bool) -> str:
    value = "" if cell.value is None else repr(cell.value)
    shown = escape(cell.text)
    if cell.mark == "best":
        shown = f'<b class="soul-best">{shown}</b><span class="soul-hidden"> {escape(text_scores.BEST)}</span>'
    elif cell.mark == "second":
        shown = f'<u class="soul-second">{shown}</u><span class="soul-hidden"> {escape(text_scores.SECOND)}</span>'
    interval = f"<small>{escape(cell.interval.replace(', ', '–' if '-' not in cell.interval else ' to '))}</small>"
    below = interval if intervals and cell.interval else ""
    muted = ' class="soul-muted"' if cell.text == NOTHING else ""
    return f'<td data-value="{value}"{muted}>{shown}{notes.of_cell(place, cell)}{below}</td>'


def _remarks(table: Table, notes: _Notes) -> str:
    kinds = {row.kind for row in table.rows}
    scopes = {scope_of(row.card) for row in table.rows if row.kind not in OTHERS}
    general = [text_scores.TABLE_NOTE]
    if len(scopes) > 1:
        general.append(text_scores.SCOPES_NOTE.format(scopes=len(scopes)))
    if "imported" in kinds:
        general.append(text_scores.IMPORTED_NOTE)
    of_rows: dict[str, list[str]] = {}
    for row in table.rows:
        for note in row.card.notes:
            of_rows.setdefault(note, []).append(row.label)
    said = [note if len(names) == len(table.rows) else f"{_some(names)}: {note}" for note, names in of_rows.items()]
    lead = "".join(f"<p>{escape(words)}</p>" for words in general)
    marks = "".join(f'<li id="soul-remark-{place}">{escape(note)}</li>' for place, note in enumerate(notes.said, 1))
    others = "".join(f"<li>{escape(note)}</li>" for note in said)
    lists = (f"<ol>{marks}</ol>" if marks else "") + (f"<ul>{others}</ul>" if others else "")
    more = f"<details><summary>{escape(text_scores.NOTES)}</summary>{lists}</details>" if lists else ""
    return f'<div class="soul-remarks">{lead}{more}</div>'


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _published() -> str:
    """Published numbers that belong to no table, each with its own task."""
    numbers = published_numbers()
    items = "".join(
        f"<li>{escape(number.task)}, {escape(number.metric.replace('_', ' '))}: {number.value:g}</li>"
        for number in numbers
    )
    sources = " ".join(dict.fromkeys(f"{number.source}. {number.note}" for number in numbers))
    return (
        f'<details class="soul-remarks"><summary>{escape(text_scores.PUBLISHED_NUMBERS)}</summary>'
        f"<p>{escape(sources)}</p><ul>{items}</ul></details>"
    )


def _downloads(rows: Sequence[Row], view: View, *, intervals: bool) -> str:
    """What the buttons above save, in places that nobody sees."""
    files = {
        "csv": ("text/csv", to_csv(rows, view)),
        "md": ("text/markdown", to_markdown(rows, view, intervals=intervals)),
        "tex": ("application/x-tex", to_latex(rows, view, intervals=intervals)),
    }
    return "".join(
        f'<textarea hidden readonly data-soul-file="{kind}" data-name="soul-scores-{view.name}.{kind}" '
        f'data-mime="{mime}">\n{escape(content)}</textarea>'
        for kind, (mime, content) in files.items()
    )


def _starts(table: Table) -> set[int]:
    """Places of the columns that begin a group, for the rule to their left."""
    starts, at = set(), 0
    for _, span in table.groups:
        starts.add(at)
        at += span
    return starts


def _begins(begins: bool) -> str:
    return ' class="soul-begins"' if begins else ""
