"""The Runs tab's markup: pure functions. They know no component; everything that comes from outside is escaped."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from html import escape
from typing import TypeVar

from soul_core.config import RaceConfig
from soul_core.evaluation.marking import mark_words
from soul_core.runs.answers import AnswerSheet
from soul_core.runs.compare import RunComparison
from soul_core.runs.marks import MAX_NAME
from soul_core.runs.settings import lane_settings, race_settings
from soul_core.runs.summary import REFERENCES, RaceSummary
from soul_core.runs.trash import KEPT_DAYS, Trashed
from soul_core.ui import ids, text, text_runs
from soul_core.ui.board import words_html
from soul_core.ui.html import notice, swatch, term
from soul_core.ui.runs_desk import Listed
from soul_core.ui.runs_lines import LaneLine, RunLine, accuracy

MOST_ANSWERS = 30
"""Rows of a table of answers; the export holds all that were kept."""
CLIP = 400

Row = TypeVar("Row")


def tools_html() -> str:
    """The field that finds runs; it acts on the list below, whichever it is."""
    return (
        f'<div class="soul-tools"><label>{escape(text_runs.FIND)} '
        f'<input type="search" id="{ids.RUNS_FIND}" placeholder="{escape(text_runs.FIND_HINT)}" '
        f'autocomplete="off" maxlength="120"></label>'
        f'<span id="{ids.RUNS_SAID}" role="status" aria-live="polite" data-said="{escape(text_runs.FOUND)}" '
        f'data-most="{escape(text_runs.TWO_AT_MOST)}"></span></div>'
    )


def list_html(listed: Listed, chosen: Collection[str]) -> str:
    """The runs as a table; a press on it is told to the page by its script."""
    if not listed.lines:
        return f'<p class="soul-empty">{escape(text_runs.NO_RUNS)}</p>'
    head = "".join(
        f'<th scope="col" role="columnheader">{_heading(key, title)}</th>' for key, title in text_runs.HEAD.items()
    )
    body = "".join(_row(line, line.id in chosen) for line in listed.lines)
    more = listed.there - len(listed.lines)
    rest = f"<p>{escape(text_runs.only_newest(len(listed.lines), listed.there))}</p>" if more > 0 else ""
    return (
        f'<div class="soul-runs-wrap" role="region" tabindex="0" aria-label="{escape(text_runs.LIST_NAME)}">'
        f'<table class="soul-table soul-runs-table" role="table"><caption>{escape(text_runs.HOW_TO_CHOOSE)}</caption>'
        f'<thead role="rowgroup"><tr role="row">{head}</tr></thead><tbody role="rowgroup">{body}</tbody></table></div>'
        f'<p class="soul-empty" data-soul-none hidden>{escape(text_runs.NOTHING_FITS)}</p>{rest}'
    )


def trash_html(trash: Sequence[Trashed], *, just: str = "") -> str:
    """What can be restored; the run that was deleted just now has its Undo where it is seen."""
    last = next((one for one in trash if one.run_id == just), None)
    banner = ""
    if last is not None:
        banner = (
            f'<div class="soul-notice soul-notice-info soul-undo" role="status">'
            f"<span>{escape(text_runs.deleted(_called(last)))}</span>"
            f'<button type="button" class="soul-tool" data-restore="{escape(last.run_id)}">{escape(text_runs.UNDO)}'
            "</button></div>"
        )
    if not trash:
        return ""
    items = "".join(
        f"<li><span><b>{escape(_called(one))}</b> <small>{escape(text_runs.when(one.deleted_at))}, "
        f"{escape(text_runs.size(one.nbytes))}</small></span>"
        f'<button type="button" class="soul-tool" data-restore="{escape(one.run_id)}" '
        f'aria-label="{escape(text_runs.RESTORE)} {escape(_called(one))}">{escape(text_runs.RESTORE)}</button></li>'
        for one in trash
    )
    return (
        f'{banner}<details class="soul-trash"><summary>{escape(text_runs.TRASH_TITLE)} ({len(trash)})</summary>'
        f"<p>{escape(text_runs.TRASH_HELP.format(days=KEPT_DAYS))}</p><ul>{items}</ul></details>"
    )


def head_html(line: RunLine) -> str:
    """A run's name and what it was, above its details."""
    facts = (text_runs.when(line.when), line.model, line.task, _state(line), text_runs.size(line.nbytes), line.id)
    shown = "".join(f"<li>{escape(_clipped(fact, 160))}</li>" for fact in facts)
    return f'<div class="soul-heading"><h2>{escape(line.title)}</h2></div><ul class="soul-run-facts">{shown}</ul>'


def legend_html(line: RunLine) -> str:
    """The lines of the charts."""
    items = "".join(f"<li>{_swatch(lane)} {escape(lane.label)}</li>" for lane in line.lanes)
    flat = "".join(f"<li>{swatch(name)} {escape(text.LANE_LABELS[name])}</li>" for name in REFERENCES)
    return f'<ul class="soul-legend">{items}{flat}</ul>'


def pictures_html(chart: str) -> str:
    """Buttons that save a chart as a picture."""
    return "".join(
        f'<button type="button" class="soul-tool" data-soul-picture="{kind}" data-chart="{chart}" '
        f'title="{escape(text_runs.PICTURE_TIP.format(kind=label))}">{escape(label)}</button>'
        for kind, label in text_runs.PICTURES.items()
    )


def settings_html(config: RaceConfig) -> str:
    """What all lanes share, then the lanes side by side."""
    shared = "".join(_line(title, [value]) for title, value in race_settings(config).items())
    by_lane = [lane_settings(lane) for lane in config.lanes]
    titles = list(dict.fromkeys(title for settings in by_lane for title in settings))
    own = "".join(_line(title, [settings.get(title, "–") for settings in by_lane]) for title in titles)
    return _table(text_runs.ALL_LANES, [text_runs.VALUE], shared) + _table(
        text_runs.HEAD["methods"], [lane.label for lane in config.lanes], own
    )


def answers_html(sheet: AnswerSheet, labels: Mapping[str, str]) -> str:
    """The rows that a model answers otherwise than the original; forget rows first.

    Args:
        sheet: The last answers.
        labels: Names of the models by lane, in order.
    """
    asked, found = 0, []
    for name in text_runs.SETS:
        for row in sheet.sets.get(name, ()):
            asked += 1
            original = row.answers.get("original")
            said = {lane: row.answers[lane] for lane in labels if lane in row.answers}
            others = [answer for lane, answer in said.items() if lane not in REFERENCES]
            if original is None or any(answer != original for answer in others):
                found.append((name, row.question, row.truth, said, original))
    if not asked:
        return f'<p class="soul-muted">{escape(text_runs.NO_ANSWERS)}</p>'
    if not found:
        return f'<p class="soul-muted">{escape(text_runs.NOTHING_CHANGED.format(rows=asked))}</p>'
    lanes = [lane for lane in labels if any(lane in said for _, _, _, said, _ in found)]
    body = "".join(
        _answer_row(name, question, truth, [(said.get(lane), lane == "original") for lane in lanes], original)
        for name, question, truth, said, original in _some(found)
    )
    return _answer_table([labels[lane] for lane in lanes], body, len(found))


def compared_html(comparison: RunComparison) -> str:
    """The heading over two runs, with what a reader must know before comparing them."""
    first, second = (escape(_clipped(name, 80)) for name in comparison.names)
    title = text_runs.COMPARE_TITLE.format(first=first, second=second)
    notes = "".join(notice(said) for said in comparison.notes)
    legends = "".join(
        f'<ul class="soul-legend"><li><b>{escape(side)}</b></li>{_lanes_of(summary)}</ul>'
        for side, summary in zip(text_runs.SIDES, comparison.curves, strict=True)
    )
    return f'<div class="soul-heading"><h2>{title}</h2><p>{escape(text_runs.LINES)}</p></div>{notes}{legends}'


def differences_html(comparison: RunComparison) -> str:
    """Which settings differ, both values side by side."""
    if not comparison.settings:
        return f"<p>{escape(text_runs.SAME_SETTINGS.format(count=comparison.same))}</p>"
    body = "".join(_line(title, [first, second]) for title, first, second in comparison.settings)
    rest = text_runs.OTHERS_SAME.format(count=comparison.same)
    table = _table(text_runs.DIFFERENT, [_clipped(name, 60) for name in comparison.names], body)
    return f'{table}<p class="soul-muted">{escape(rest)}</p>'


def different_answers_html(comparison: RunComparison) -> str:
    """The questions that the two runs answer differently, every model beside the others."""
    rows = comparison.answers
    if not rows:
        return f'<p class="soul-muted">{escape(text_runs.NO_COMMON)}</p>'
    found = [row for row in rows if _differ(row[3])]
    if not found:
        return f'<p class="soul-muted">{escape(text_runs.SAME_ANSWERS.format(rows=len(rows)))}</p>'
    labels = list(dict.fromkeys(label for row in found for label in row[3]))
    body = "".join(
        _answer_row(name, question, truth, [(said.get(label), False) for label in labels], None)
        for name, question, truth, said in _some(found)
    )
    return _answer_table(labels, body, len(found))


def _differ(said: Mapping[str, str]) -> bool:
    """Whether a model says one thing in the first run and another in the second; any of them where none is in both."""
    first, second = (
        {label.partition(": ")[2]: answer for label, answer in said.items() if label.startswith(f"{side}: ")}
        for side in text_runs.SIDES
    )
    common = first.keys() & second.keys() - {text.LANE_LABELS[name] for name in REFERENCES}
    if common:
        return any(first[model] != second[model] for model in common)
    return set(first.values()) != set(second.values())


def _lanes_of(summary: RaceSummary) -> str:
    return "".join(
        f"<li>{swatch(lane, summary.position(lane), line=lane in REFERENCES)} {escape(summary.label(lane))}</li>"
        for lane in (*summary.lanes, *REFERENCES)
        if lane in summary.reports
    )


def _row(line: RunLine, chosen: bool) -> str:
    name, run_id = escape(line.title), escape(line.id)
    said = {key: escape(getattr(text_runs, key).format(name=line.title)) for key in ("CHOOSE", "RENAME", "SHOW")}
    pin = escape((text_runs.UNPIN if line.marks.pinned else text_runs.PIN).format(name=line.title))
    below = f"{text_runs.when(line.when)} · {line.model} · {line.task}"
    first = (
        f'<span class="soul-run-name"><button type="button" class="soul-run-show" data-show="{run_id}" '
        f'title="{said["SHOW"]}">{name}</button>'
        f'<button type="button" class="soul-icon" data-rename="{run_id}" data-name="{escape(line.marks.name)}" '
        f'data-most="{MAX_NAME}" data-label="{escape(text_runs.NAME_LABEL)}" aria-label="{said["RENAME"]}" '
        f'title="{said["RENAME"]}">✎</button>'
        f'<button type="button" class="soul-icon" data-pin="{run_id}" aria-pressed="{str(line.marks.pinned).lower()}" '
        f'aria-label="{pin}" title="{pin}">{"★" if line.marks.pinned else "☆"}</button></span>'
        f"<small>{escape(_clipped(below, 140))}</small>"
    )
    cells = {
        "methods": "".join(f"<div>{_swatch(lane)} {escape(lane.label)}</div>" for lane in line.lanes),
        "forget": "".join(f"<div>{accuracy(lane.forget)}</div>" for lane in line.lanes),
        "retain": "".join(f"<div>{accuracy(lane.retain)}</div>" for lane in line.lanes),
        "state": f'<span class="soul-state" data-state="{line.state}">{escape(_state(line))}</span>',
        "size": escape(text_runs.size(line.nbytes)),
    }
    rest = "".join(
        f'<td role="cell" data-part="{key}" data-title="{escape(text_runs.HEAD[key])}">{cell}</td>'
        for key, cell in cells.items()
    )
    return (
        f'<tr role="row" data-run="{run_id}" data-find="{escape(line.words)}"{" data-chosen" if chosen else ""}>'
        f'<td role="cell" data-part="choose"><input type="checkbox" data-choose="{run_id}" data-name="{name}" '
        f'aria-label="{said["CHOOSE"]}"{" checked" if chosen else ""}></td>'
        f'<th role="rowheader" scope="row">{first}</th>{rest}</tr>'
    )


def _heading(key: str, title: str) -> str:
    if key == "choose":
        return f'<span class="soul-hidden">{escape(title)}</span>'
    return term(title) if key in ("forget", "retain") else escape(title)


def _swatch(lane: LaneLine) -> str:
    return swatch(lane.lane, lane.position, line=not lane.once)


def _state(line: RunLine) -> str:
    return text_runs.STATES.get(line.state, line.state)


def _called(one: Trashed) -> str:
    return one.name or one.run_id


def _line(title: str, values: Iterable[str]) -> str:
    cells = "".join(f"<td>{escape(_clipped(value, CLIP))}</td>" for value in values)
    return f'<tr><th scope="row">{escape(title)}</th>{cells}</tr>'


def _table(caption: str, columns: Sequence[str], body: str) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in (text_runs.SETTING, *columns))
    return (
        f'<div class="soul-table-wrap" tabindex="0" role="region" aria-label="{escape(caption)}">'
        f'<table class="soul-table soul-run-settings"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _answer_row(
    name: str, question: str, truth: str, said: Iterable[tuple[str | None, bool]], original: str | None
) -> str:
    cells = "".join(
        f"<td>{_said(answer, truth, None if is_original else original, question)}</td>" for answer, is_original in said
    )
    return (
        f'<tr><th scope="row"><small>{escape(text_runs.SETS.get(name, name))}</small> '
        f"{escape(_clipped(question, CLIP))}</th><td>{escape(_clipped(truth, CLIP))}</td>{cells}</tr>"
    )


def _said(answer: str | None, truth: str, original: str | None, question: str) -> str:
    if answer is None:
        return "–"
    return words_html(mark_words(_clipped(answer, CLIP), truth, original, question=question)) or "–"


def _answer_table(labels: Sequence[str], body: str, found: int) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in (text_runs.QUESTION, text_runs.TRUTH, *labels))
    shown = min(found, MOST_ANSWERS)
    caption = text_runs.MOST_ANSWERS.format(shown=shown, all=found) if found > shown else ""
    more = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'<div class="soul-table-wrap soul-answers-wrap" tabindex="0" role="region" '
        f'aria-label="{escape(text_runs.ANSWERS_TITLE)}"><table class="soul-table soul-answers-table" '
        f'style="--columns:{len(labels) + 2}">{more}'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _some(rows: Sequence[Row]) -> Sequence[Row]:
    return rows[:MOST_ANSWERS]


def _clipped(words: str, most: int) -> str:
    return words if len(words) <= most else f"{words[: most - 1]}…"
