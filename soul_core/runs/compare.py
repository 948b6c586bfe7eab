"""Two runs side by side: which settings differ, what each came to, what each answers. It knows no page."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from soul_core.runs.answers import AnswerSheet, Asked
from soul_core.runs.folder import RunFolder
from soul_core.runs.manifest import Manifest
from soul_core.runs.marks import read_marks
from soul_core.runs.settings import lane_settings, race_settings
from soul_core.runs.summary import REFERENCES, RaceSummary, summarise

FIRST, SECOND = "First", "Second"
ANSWER_SETS = ("forget", "retain")
MAX_ROWS = 100
"""Of each set; what both runs were asked beyond them is not listed."""
NOT_SET = "–"

Difference = tuple[str, str, str]
AnswerRow = tuple[str, str, str, Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunComparison:
    """What two runs have in common and what not.

    Attributes:
        names: What the person calls them, else their ids.
        settings: Title, value in the first, value in the second, of each setting that differs. A lane's settings have
            its label in front; a dash stands where a run has no such setting.
        same: How many settings are equal.
        curves: What each came to.
        answers: Set, question, truth, and by label (``First: FO``) what each model said, for questions that both runs
            asked. A model that the runs share, such as the same original, stands there once.
        notes: What a reader must know before comparing: other rows, other original weights, other matchers.
    """

    names: tuple[str, str]
    settings: tuple[Difference, ...] = ()
    same: int = 0
    curves: tuple[RaceSummary, RaceSummary] = field(default_factory=lambda: (RaceSummary(), RaceSummary()))
    answers: tuple[AnswerRow, ...] = ()
    notes: tuple[str, ...] = ()


def compare_runs(first: RunFolder, second: RunFolder) -> RunComparison:
    """Compare two runs; they may be the same, unfinished, or of different tasks.

    Raises:
        RunError: One of them is no run, or cannot be read.
    """
    manifests = (first.manifest(), second.manifest())
    curves = (summarise(first.events()), summarise(second.events()))
    pairs = list(_settings(*manifests))
    return RunComparison(
        names=(_name(first, manifests[0]), _name(second, manifests[1])),
        settings=tuple(pair for pair in pairs if pair[1] != pair[2]),
        same=sum(pair[1] == pair[2] for pair in pairs),
        curves=curves,
        answers=tuple(_answers((first.answers(), second.answers()), curves, manifests)),
        notes=tuple(_notes(*manifests)),
    )


def comparison_csv(comparison: RunComparison) -> str:
    """Settings that differ, scores by epoch and answers as one table: ``part, what, model, first, second``.

    A text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("part", "what", "model", "first", "second"))
    for row in _lines(comparison):
        writer.writerow([_no_formula(cell) for cell in row])
    return text.getvalue()


def _lines(comparison: RunComparison) -> Iterator[tuple[str, str, str, str, str]]:
    yield ("run", "name", "", *comparison.names)
    for title, first, second in comparison.settings:
        yield ("setting", title, "", first, second)
    a, b = comparison.curves
    for lane in dict.fromkeys((*REFERENCES, *a.lanes, *b.lanes)):
        epochs = sorted({*a.reports.get(lane, {}), *b.reports.get(lane, {})})
        for epoch in epochs:
            for name in ANSWER_SETS:
                accs = [_acc(run, lane, epoch, name) for run in comparison.curves]
                yield ("score", f"{name} Acc, epoch {epoch}", lane, accs[0], accs[1])
    for name, question, truth, said in comparison.answers:
        yield ("truth", f"{name}: {question}", "", truth, truth)
        for label, answer in said.items():
            side, _, model = label.partition(": ")
            if not model:
                yield ("answer", f"{name}: {question}", side, answer, answer)
            else:
                cells = (answer, "") if side == FIRST else ("", answer)
                yield ("answer", f"{name}: {question}", model, *cells)


def _acc(summary: RaceSummary, lane: str, epoch: int, name: str) -> str:
    report = summary.reports.get(lane, {}).get(epoch)
    scores = report.scores.get(name) if report else None
    return f"{scores.acc:.6f}" if scores else ""


def _settings(first: Manifest, second: Manifest) -> Iterator[Difference]:
    """Every setting of either run, differing or not."""
    yield from _pairs(race_settings(first.config), race_settings(second.config))
    lanes = [{lane.name: lane for lane in manifest.config.lanes} for manifest in (first, second)]
    for name in dict.fromkeys((*lanes[0], *lanes[1])):
        mine, theirs = lanes[0].get(name), lanes[1].get(name)
        label = next(lane.label for lane in (mine, theirs) if lane is not None)
        if mine is None or theirs is None:
            yield (f"Lane {label}", "runs" if mine else NOT_SET, "runs" if theirs else NOT_SET)
        else:
            yield from _pairs(lane_settings(mine), lane_settings(theirs), prefix=f"{label}: ")


def _pairs(first: Mapping[str, str], second: Mapping[str, str], *, prefix: str = "") -> Iterator[Difference]:
    for title in dict.fromkeys((*first, *second)):
        yield (prefix + title, first.get(title, NOT_SET), second.get(title, NOT_SET))


def _answers(
    sheets: tuple[AnswerSheet, AnswerSheet],
    curves: tuple[RaceSummary, RaceSummary],
    manifests: tuple[Manifest, Manifest],
) -> Iterator[AnswerRow]:
    shared = _shared(*manifests)
    for name in ANSWER_SETS:
        rows = [{row.question: row for row in sheet.sets.get(name, ())} for sheet in sheets]
        common = [question for question in rows[0] if question in rows[1]]
        for question in common[:MAX_ROWS]:
            first, second = rows[0][question], rows[1][question]
            said: dict[str, str] = {}
            for side, row, summary in zip((FIRST, SECOND), (first, second), curves, strict=True):
                said |= _said(side, row, summary, shared)
            yield (name, question, first.truth, said)


def _said(side: str, row: Asked, summary: RaceSummary, shared: Iterable[str]) -> dict[str, str]:
    models = [model for model in (REFERENCES[0], *summary.lanes, REFERENCES[1]) if model in row.answers]
    return {
        summary.label(model) if model in shared else f"{side}: {summary.label(model)}": row.answers[model]
        for model in models
    }


def _shared(first: Manifest, second: Manifest) -> tuple[str, ...]:
    """The references that are the same weights in both, so that one column is enough."""
    same_asking = (first.config.max_new_tokens, first.precision) == (second.config.max_new_tokens, second.precision)
    pairs = {
        REFERENCES[0]: (first.model_fingerprint, second.model_fingerprint),
        REFERENCES[1]: (first.gold_fingerprint, second.gold_fingerprint),
    }
    return tuple(model for model, (a, b) in pairs.items() if same_asking and a and a == b)


def _notes(first: Manifest, second: Manifest) -> Iterator[str]:
    if first.data_hash and second.data_hash and first.data_hash != second.data_hash:
        yield "They trained on or were asked different rows, so their numbers are not of the same questions."
    if first.model_fingerprint and second.model_fingerprint and first.model_fingerprint != second.model_fingerprint:
        yield "They began from different weights."
    if first.matcher and second.matcher and first.matcher != second.matcher:
        yield f"Answers were judged by different matchers ({first.matcher}, {second.matcher})."


def _name(folder: RunFolder, manifest: Manifest) -> str:
    return read_marks(folder).name or manifest.run_id


def _no_formula(text: str) -> str:
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
