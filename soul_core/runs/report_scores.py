"""The scorecards of a run as one compact table of the report, each number with its convention. It knows no files."""

from collections.abc import Mapping
from html import escape

from soul_core.evaluation.card import Scorecard
from soul_core.evaluation.tables import ARROWS, Cell, Row, table_of
from soul_core.evaluation.views import VIEWS, Column, Group, View
from soul_core.runs.report_style import table_html
from soul_core.runs.scores import ScoresRead
from soul_core.runs.summary import REFERENCES, RaceSummary

COMPACT = View(
    name="report",
    title="Scorecard",
    sentence="How much is forgotten, what stays, and whether the texts are still inside.",
    groups=(
        Group(
            title="Forget set",
            keys=(
                "forget.acc",
                "forget.rouge_l",
                "forget.probability",
                "forget.truth_ratio",
                "forget.extraction_strength",
                "forget.readable",
            ),
        ),
        Group(title="Retain set", keys=("retain.acc", "retain.rouge_l", "retain.probability")),
        Group(title="Real authors", keys=("real_authors.acc",)),
        Group(title="World facts", keys=("world_facts.acc",)),
        Group(
            title="Whole model",
            keys=("forget_quality_log10", "same_model_ks", "model_utility", "soul_table_mia", "privleak"),
        ),
    ),
)


def scores_html(scores: ScoresRead, summary: RaceSummary) -> str:
    """Numbers down, models across, and below how each number is computed; empty text where nothing is scored."""
    rows = [_row(name, card, summary) for name, card in scores.cards.items()]
    table = table_of(rows, COMPACT)
    if not table.columns:  # a task whose sets have other names
        table = table_of(rows, VIEWS["everything"])
    troubles = "".join(f'<p class="warn">{escape(trouble)}</p>' for trouble in scores.troubles)
    if not table.columns:
        return troubles
    lines = [
        [_title(column), *(_cell(cells[place]) for cells in table.cells)] for place, column in enumerate(table.columns)
    ]
    head = ["Number", *(escape(row.label) for row in table.rows)]
    return (
        table_html(head, lines, caption=COMPACT.sentence, numbers=True)
        + '<p class="note">In brackets: 95 % intervals. ↑ higher is better, ↓ lower, → gold nearer to the gold model. '
        "Bold: best of the methods, where they differ as shown.</p>"
        + _settings(scores.cards)
        + _conventions(table.columns)
        + _notes(scores.cards, summary)
        + troubles
    )


def _row(name: str, card: Scorecard, summary: RaceSummary) -> Row:
    kinds = {REFERENCES[0]: "original", REFERENCES[1]: "gold"}
    return Row(
        id=name,
        label=summary.label(name),
        kind=kinds.get(name, "method"),  # type: ignore[arg-type]
        card=card,
    )


def _title(column: Column) -> str:
    return f"{escape(column.full_title)} {ARROWS[column.better]}".strip()


def _cell(cell: Cell) -> str:
    said = escape(cell.text)
    if cell.mark == "best":
        said = f"<strong>{said}</strong>"
    interval = f' <span class="soft">({escape(cell.interval)})</span>' if cell.interval else ""
    return said + interval


def _settings(cards: Mapping[str, Scorecard]) -> str:
    """How it was measured, said once where all models were measured in the same way."""
    kinds = {escape(", ".join(f"{key} {value}" for key, value in card.settings.items())) for card in cards.values()}
    if len(kinds) == 1 and (said := kinds.pop()):
        return f'<p class="note">Measured with: {said}.</p>'
    return '<p class="warn">The models were not all measured with the same settings.</p>' if len(kinds) > 1 else ""


def _conventions(columns: tuple[Column, ...]) -> str:
    about = {column.about.title: column.about for column in columns}
    parts = [
        f"<dt>{escape(title)}</dt><dd>{escape(of.meaning)} {escape(of.convention)} "
        f'<span class="soft">{escape(of.formula)}. {escape(of.source)}</span></dd>'
        for title, of in about.items()
    ]
    return f"<h3>How each number is computed</h3><dl>{''.join(parts)}</dl>"


def _notes(cards: Mapping[str, Scorecard], summary: RaceSummary) -> str:
    about: dict[str, list[str]] = {}
    for name, card in cards.items():
        for note in card.notes:
            about.setdefault(note, []).append(summary.label(name))
    said = [note if len(who) == len(cards) else f"{', '.join(who)}: {note}" for note, who in about.items()]
    return f'<ul class="note">{"".join(f"<li>{escape(note)}</li>" for note in said)}</ul>' if said else ""
