"""The Data tab's markup: pure functions. They know no component; everything that comes from outside is escaped."""

from collections.abc import Collection
from html import escape

from soul_core.data.browsing import TRAINED, Look, Seen
from soul_core.data.own_report import Report
from soul_core.data.preview import Preview
from soul_core.data.schema import ForgetTask
from soul_core.data.source import TaskSource
from soul_core.session.known import Known
from soul_core.session.taught import Taught
from soul_core.ui import text_data as text
from soul_core.ui.data_desk import label_of

CLIP = 220
"""Characters of a cell that show at first; more is behind a click."""
LONGEST = 4000
MOST_ANSWERS = 50


def rows_html(
    look: Look, picked: Collection[int], *, pickable: bool, opened: int | None = None, preview: str = ""
) -> str:
    """One page of rows. A tick or a press on See is told to the page by the table's script.

    Args:
        look: The page.
        picked: Numbers of the rows that are picked.
        pickable: Whether rows can be picked at all.
        opened: Place on this page of the row that ``preview`` stands below; None for none.
        preview: What ``preview_html`` gave.
    """
    if not look.rows:
        return f'<p class="soul-data-empty">{escape(text.NOTHING_FOUND)}</p>'
    can_pick = pickable and any(seen.number for seen in look.rows)
    head = "".join(
        f'<th scope="col">{escape(title)}</th>' for key, title in text.HEAD.items() if can_pick or key != "pick"
    )
    width = len(text.HEAD) + can_pick
    body = "".join(
        _row(at, seen, seen.number in picked, can_pick=can_pick)
        + (f'<tr class="soul-preview-row"><td colspan="{width}">{preview}</td></tr>' if at == opened else "")
        for at, seen in enumerate(look.rows)
    )
    return (
        f'<table class="soul-table soul-data-table"><caption class="soul-hidden">{escape(text.LOOK_TITLE)}</caption>'
        f"<thead><tr>{head}<td></td></tr></thead><tbody>{body}</tbody></table>"
    )


def facts_html(source: TaskSource | None, task: ForgetTask, look: Look) -> str:
    """What there is to know about a task and the set that is shown."""
    told = []
    if source is not None:
        told = [
            (text.LICENCE, source.licence),
            (text.SIZE, source.size),
            (text.MEASURES, ", ".join(source.measures)),
            (text.FROM, source.origin),
        ]
    told += [
        (text.ROWS, f"{text.counted(look.found, look.of)}; {text.sides(len(task.forget), len(task.retain))}"),
        (text.LENGTHS, text.lengths(*look.lengths)),
    ]
    items = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in told)
    about = f"<p>{escape(source.description)}</p>" if source is not None else ""
    return f'{about}<dl class="soul-data-facts">{items}</dl>'


def place_html(look: Look) -> str:
    """Which rows are on this page."""
    said = text.place(look.offset, len(look.rows), look.found)
    return f'<span class="soul-data-place" role="status">{escape(said)}</span>'


def picked_html(spec: str, rows: int) -> str:
    """What would become the forget set."""
    return f'<p class="soul-data-picked">{escape(text.picked(_clipped(spec, 300), rows))}</p>'


def preview_html(preview: Preview, model: str) -> str:
    """A row piece by piece; what is learned is underlined, special tokens are framed."""
    pieces = "".join(
        f'<span class="soul-piece soul-piece-{piece.kind}{" soul-learned" if piece.learned else ""}">'
        f"{escape(piece.text)}</span>"
        for piece in preview.pieces
    )
    kinds = dict.fromkeys(piece.kind for piece in preview.pieces)
    legend = "".join(
        f'<span class="soul-piece soul-piece-{kind}{" soul-learned" if kind == "answer" else ""}">'
        f"{escape(text.PREVIEW_KINDS[kind])}</span>"
        for kind in kinds
    )
    line = text.preview_line(preview.tokens, preview.prompt_length, preview.template, label_of(model))
    return (
        f'<div class="soul-card soul-preview" role="status"><h3>{escape(text.PREVIEW)}</h3>'
        f'<p class="soul-preview-text">{pieces}</p>'
        f'<p class="soul-preview-legend">{legend}</p><p class="soul-muted">{escape(line)}</p></div>'
    )


def findings_html(report: Report) -> str:
    """Everything that was found about a person's rows, errors first."""
    if not report.findings:
        return f'<p class="soul-findings-none">{escape(text.NOTHING_WRONG)}</p>'
    items = "".join(
        f'<li class="soul-finding-{finding.severity}"><b>{escape(text.SEVERITIES[finding.severity])}</b> '
        f"{escape(finding.sentence)}</li>"
        for finding in report.findings
    )
    return f'<ul class="soul-findings">{items}</ul>'


def known_html(known: Known) -> str:
    """What a model answered to the facts, before anything was taught."""
    rows = "".join(
        f"<tr><td>{_cell(row.row.question)}</td><td>{_cell(row.row.answer)}</td>"
        f"<td>{_said(row.answer, known=row.known)}</td></tr>"
        for row in known.rows[:MOST_ANSWERS]
    )
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in text.ANSWER_COLUMNS[:3])
    return (
        f'<p class="soul-taught">{escape(known.sentence)}</p>'
        f'<div class="soul-table-wrap" tabindex="0" role="region" aria-label="{escape(text.ANSWERS_BEFORE)}">'
        f'<table class="soul-table soul-data-table"><caption>{escape(text.ANSWERS_BEFORE)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def taught_html(taught: Taught) -> str:
    """What a teaching did: the facts before and after, and everything else."""
    facts, retain = taught.facts, taught.retain
    said = [text.taught(facts.before, facts.after, facts.of, taught.epochs, taught.seconds)]
    if retain.of:
        said.append(text.kept(retain.before, retain.after, retain.of))
    if facts.after < facts.of:
        said.append(text.not_all(facts.after, facts.of))
    rows = "".join(
        f"<tr><td>{_cell(answer.question)}</td><td>{_cell(answer.truth)}</td>"
        f"<td>{_said(answer.before, known=answer.known_before)}</td>"
        f"<td>{_said(answer.after, known=answer.known_after)}</td></tr>"
        for answer in taught.answers[:MOST_ANSWERS]
    )
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in text.ANSWER_COLUMNS)
    return (
        f'<p class="soul-taught">{escape(" ".join(said))}</p>'
        f'<div class="soul-table-wrap" tabindex="0" role="region" aria-label="{escape(text.ANSWERS)}">'
        f'<table class="soul-table soul-data-table"><caption>{escape(text.ANSWERS)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def set_title(name: str, title: str) -> str:
    """How the list of sets calls one."""
    return text.TRAINED if name == TRAINED else title


def _row(at: int, seen: Seen, ticked: bool, *, can_pick: bool) -> str:
    number = f"{seen.number:,}" if seen.number else "–"
    pick = ""
    if can_pick:
        checked = " checked" if ticked else ""
        named = escape(text.PICK_HELP.format(number=number))
        box = f'<input type="checkbox" data-pick="{seen.number}" aria-label="{named}"{checked}>' if seen.number else ""
        pick = f"<td>{box}</td>"
    side = f'<small class="soul-side-{seen.side}">{seen.side}</small>' if seen.side else ""
    question = _cell(seen.row.question) if seen.row.question else f"<i>{escape(text.NO_QUESTION)}</i>"
    see = escape(text.SEE_HELP.format(number=number))
    return (
        f"<tr>{pick}<td>{number} {side}</td><td>{question}</td><td>{_cell(seen.row.answer)}</td>"
        f"<td>{escape(_clipped(seen.row.subject, 80))}</td>"
        f'<td><button type="button" data-see="{at}" aria-label="{see}">{escape(text.SEE)}</button></td></tr>'
    )


def _cell(words: str) -> str:
    """A cell's words; a long one opens on a click, and a very long one ends with an ellipsis even then."""
    if len(words) <= CLIP:
        return escape(words)
    return f"<details><summary>{escape(_clipped(words, CLIP))}</summary>{escape(_clipped(words, LONGEST))}</details>"


def _said(answer: str, *, known: bool) -> str:
    mark = text.KNOWS if known else text.KNOWS_NOT
    kind = "knows" if known else "not"
    return f'{_cell(answer) or "–"} <span class="soul-badge soul-badge-{kind}">{escape(mark)}</span>'


def _clipped(words: str, most: int) -> str:
    return words if len(words) <= most else f"{words[: most - 1]}…"
