"""What probes of a run found, as parts of its report. It knows no model and no files.

Transcripts are a model's words: they are escaped, and only a few of them stand here.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from soul_core.probing.results import AttackResult, Bench, Inspection, ProbeVerdict, Relearning, Rounding, WeightChange
from soul_core.runs.line_svg import Line, lines_svg
from soul_core.runs.probes import ProbesRead
from soul_core.runs.report_style import table_html
from soul_core.runs.styles import lane_style
from soul_core.runs.summary import REFERENCES, RaceSummary
from soul_core.runs.svg import legend_html

MAX_LEAKS, MAX_WORDS = 6, 300


def probes_html(probes: ProbesRead, summary: RaceSummary, verdicts: Sequence[ProbeVerdict] = ()) -> str:
    """Every finding in a part of its own; empty text where nothing was probed."""
    parts = [_verdicts(verdicts, summary)] if probes.found else []
    for finding in probes.found.values():
        if isinstance(finding, Bench):
            parts.append(_bench(finding, summary))
        elif isinstance(finding, Relearning):
            parts.append(_relearning(finding, summary))
        elif isinstance(finding, Rounding):
            parts.append(_rounding(finding, summary))
        else:
            parts.append(_inspection(finding, summary))
    parts += [f'<p class="warn">{escape(trouble)}</p>' for trouble in probes.troubles]
    return "".join(parts)


def _verdicts(verdicts: Sequence[ProbeVerdict], summary: RaceSummary) -> str:
    parts = []
    for verdict in verdicts:
        if verdict.word == "untested":
            continue
        evidence = "".join(f"<li>{escape(one)}</li>" for one in verdict.evidence)
        parts.append(
            f"<dt>{escape(summary.label(verdict.model))}: {escape(verdict.word)}</dt><dd>{escape(verdict.sentence)} "
            f'<span class="soft">{escape(verdict.rule)}</span><ul>{evidence}</ul></dd>'
        )
    return f"<dl>{''.join(parts)}</dl>" if parts else ""


def _bench(bench: Bench, summary: RaceSummary) -> str:
    models = _in_order((result.model for result in bench.results), summary)
    attacks = list(dict.fromkeys(result.attack for result in bench.results))
    rows = [
        [escape(bench.titles.get(attack, attack)), *(_share(bench.find(model, attack)) for model in models)]
        for attack in attacks
    ]
    head = ["Attack", *(escape(summary.label(model)) for model in models)]
    when = "their last weights" if bench.epoch is None else f"the weights after epoch {bench.epoch}"
    return (
        "<h3>Attacks</h3>"
        + table_html(head, rows, caption="Share of answers that leak", numbers=True)
        + f'<p class="note">In brackets: 95 % intervals over rows. Lanes as of {when}. {_said(bench.settings)}</p>'
        + _leaks(bench, summary)
    )


def _share(result: AttackResult | None) -> str:
    if result is None or result.share is None:
        return "–"
    span = "" if result.low is None or result.high is None else f"({100 * result.low:.0f}–{100 * result.high:.0f})"
    return f'{100 * result.share:.0f} % <span class="soft">{span}</span>'


def _leaks(bench: Bench, summary: RaceSummary) -> str:
    """The first leak of each forgotten model under each attack, a few of them."""
    rows = []
    for result in bench.results:
        tried = next((one for one in result.tries if one.leaks), None)
        if tried is not None and result.model not in REFERENCES:
            title = bench.titles.get(result.attack, result.attack)
            words = (summary.label(result.model), title, tried.question, tried.truth, tried.said)
            rows.append([escape(_short(text)) for text in words])
    chosen = rows[:: max(1, -(-len(rows) // MAX_LEAKS))]
    head = ["Model", "Attack", "Question", "Truth", "What it said"]
    return table_html(head, chosen, caption="Some of the leaks", even=True) if chosen else ""


def _relearning(found: Relearning, summary: RaceSummary) -> str:
    models = _in_order((point.model for point in found.points), summary)
    lines = [
        Line(
            label=summary.label(model),
            style=lane_style(model, summary.position(model)),
            points=[(point.step, point.acc) for point in found.points if point.model == model],
        )
        for model in models
    ]
    what = "part of the forget set" if found.on == "forget" else "retain rows"
    title = f"Relearning from {what}"
    steps = sorted({point.step for point in found.points})
    by_place = {(point.model, point.step): point for point in found.points}
    rows = []
    for step in steps:
        points = [by_place.get((model, step)) for model in models]
        cells = ["–" if p is None else f"{100 * p.acc:.0f} % ({100 * p.low:.0f}–{100 * p.high:.0f})" for p in points]
        rows.append([str(step), *cells])
    head = ["Step", *(escape(summary.label(model)) for model in models)]
    drawn = lines_svg(title, lines, below="step", percent=True, marked=True)
    return (
        f'<h3>{title}</h3>{legend_html(summary)}<div class="curves"><figure>{drawn}</figure></div>'
        f"{table_html(head, rows, caption='Accuracy on the forget rows asked', numbers=True)}"
        f'<p class="note">Fine-tuned on {found.trained_rows} rows; {found.asked_rows} other forget rows asked. '
        f"{_said(found.settings)}</p>{_list(found.notes)}"
    )


def _rounding(found: Rounding, summary: RaceSummary) -> str:
    rows = [
        [
            escape(summary.label(one.model)),
            "as they are" if one.bits == 0 else f"{one.bits} bits",
            f"{one.error:.2e}",
            f"{100 * one.forget_acc:.0f} % ({100 * one.forget_low:.0f}–{100 * one.forget_high:.0f})",
            f"{100 * one.retain_acc:.0f} % ({100 * one.retain_low:.0f}–{100 * one.retain_high:.0f})",
            f"{one.forget_probability:.3f}",
        ]
        for one in found.scores
    ]
    head = ["Model", "Weights", "Relative change", "Forget Acc", "Retain Acc", "Forget probability"]
    return (
        f"<h3>Rounded weights</h3>{table_html(head, rows, caption='Asked again after rounding', numbers=True)}"
        f'<p class="note">{escape(found.how)} {_said(found.settings)}</p>{_list(found.notes)}'
    )


def _inspection(found: Inspection, summary: RaceSummary) -> str:
    values = [value for change in found.changes for row in change.values for value in row if value is not None]
    most = max(values, default=0.0)
    maps = "".join(_heat(change, found, most, summary) for change in found.changes)
    likeness = ""
    if found.likeness:
        head = ["Model and set", *(escape(layer) for layer in found.likeness_layers)]
        rows = [
            [
                f"{escape(summary.label(one.model))}, {escape(one.set_name)}",
                *("–" if value is None else f"{value:.3f}" for value in one.by_layer),
            ]
            for one in found.likeness
        ]
        likeness = table_html(
            head, rows, caption="Likeness of hidden states to the original (linear CKA)", numbers=True
        )
    return f"<h3>Where it changed</h3>{maps}{likeness}{_list(found.notes)}"


def _heat(change: WeightChange, found: Inspection, most: float, summary: RaceSummary) -> str:
    head = ["Layer", *(escape(module) for module in found.modules)]
    body = "".join(
        f'<tr><th scope="row">{escape(layer)}</th>{"".join(_heat_cell(value, most) for value in row)}</tr>'
        for layer, row in zip(found.layers, change.values, strict=False)
    )
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    caption = f"{escape(summary.label(change.model))}: relative change of the weights, {change.whole:.2e} in all"
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{caption}"><table class="heat">'
        f"<caption>{caption}</caption><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _heat_cell(value: float | None, most: float) -> str:
    if value is None:
        return "<td>–</td>"
    # Shaded lightly, so that ink on it keeps its contrast in both modes; the number says the same.
    shade = 0.45 * value / most if most > 0 else 0.0
    return f'<td style="background:rgba(217,119,6,{min(max(shade, 0.0), 0.45):.3f})">{value:.1e}</td>'


def _in_order(models: Iterable[str], summary: RaceSummary) -> list[str]:
    """Each model once: original, lanes in the race's order, gold."""
    found = dict.fromkeys(models)
    order = (REFERENCES[0], *summary.lanes, REFERENCES[1])
    return [model for model in order if model in found] + [model for model in found if model not in order]


def _said(settings: Mapping[str, object]) -> str:
    plain = {key: value for key, value in settings.items() if isinstance(value, str | int | float) and value != ""}
    shown = [f"{key.replace('_', ' ')} {value}" for key, value in plain.items()]
    return f"Settings: {escape(', '.join(shown))}." if shown else ""


def _list(notes: Sequence[str]) -> str:
    return f'<ul class="note">{"".join(f"<li>{escape(note)}</li>" for note in notes)}</ul>' if notes else ""


def _short(text: str) -> str:
    return text if len(text) <= MAX_WORDS else text[: MAX_WORDS - 1] + "…"
