"""A race as one HTML file that needs no network, finished or not. It knows no files: it returns text.

Answers are a model's words and are never trusted: every string that is not ours goes through ``escape``.
"""

from collections.abc import Iterable, Sequence
from html import escape

from soul_core.events import Event, SetScores, StepReport
from soul_core.probing.results import ProbeVerdict
from soul_core.runs.answers import AnswerSheet
from soul_core.runs.line_svg import Line, lines_svg
from soul_core.runs.manifest import Manifest
from soul_core.runs.marks import Marks
from soul_core.runs.probes import ProbesRead
from soul_core.runs.report_probes import probes_html
from soul_core.runs.report_scores import scores_html
from soul_core.runs.report_style import page_html, table_html
from soul_core.runs.scores import ScoresRead
from soul_core.runs.settings import lane_settings, race_settings
from soul_core.runs.styles import lane_style
from soul_core.runs.summary import REFERENCES, RaceSummary
from soul_core.runs.svg import curve_svg, legend_html

SAMPLES_PER_SET = 8
SET_NAMES = {
    "forget": "Forget set",
    "retain": "Retain set",
    "real_authors": "Real authors",
    "world_facts": "World facts",
}


def report_html(
    summary: RaceSummary,
    manifest: Manifest,
    answers: AnswerSheet,
    verdict: str,
    *,
    events: Iterable[Event] = (),
    scores: ScoresRead | None = None,
    probes: ProbesRead | None = None,
    probe_verdicts: Sequence[ProbeVerdict] = (),
    marks: Marks | None = None,
    query: str = "",
    unfinished: str = "",
) -> str:
    """Verdict, curves, scorecard, answers, probes, steps, settings, versions, hashes, and how to do it again.

    Args:
        summary: Of the events.
        manifest: The run's.
        answers: The last ones of every model.
        verdict: One sentence.
        events: For the figures by step.
        scores: The run's scorecards, where it has been scored.
        probes: What probes found, where it has been probed.
        probe_verdicts: What the probes say together, one for each model.
        marks: The person's name for the run and note.
        query: Of the address that sets up the same race.
        unfinished: A sentence that says that and why the race is not whole; empty for one that ended.
    """
    config, marks = manifest.config, marks or Marks()
    title = marks.name or f"{config.model}, {config.task}"
    sets = (("forget", "Forget accuracy"), ("retain", "Retain accuracy"))
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(config.model)}, {escape(config.task)}</p>" if marks.name else "",
        f'<p class="soft">Race {escape(manifest.run_id)}, {escape(manifest.created)}. {escape(_how(summary))}</p>',
        f'<p class="warn" role="note">{escape(unfinished)}</p>' if unfinished else "",
        f'<p class="verdict">{escape(verdict)}</p>',
        _note(marks.note),
        "<h2>Accuracy by epoch</h2>",
        legend_html(summary),
        '<div class="curves">',
        *(f"<figure><figcaption>{said}</figcaption>{curve_svg(summary, name, said)}</figure>" for name, said in sets),
        "</div>",
        f'<p class="soft">Shaded: 95 % intervals. {escape(_asked(summary, manifest))}</p>',
        "<h2>Scores at the end</h2>",
        _score_table(summary),
        _section("Scorecard", scores_html(scores, summary) if scores else ""),
        "<h2>What they answer</h2>",
        _answers(summary, answers),
        _section("Probes", probes_html(probes, summary, probe_verdicts) if probes else ""),
        _section("Steps", _steps(summary, events)),
        "<h2>Settings</h2>",
        _settings(manifest),
        "<h2>Do it again</h2>",
        _again(manifest, query),
        _facts(manifest),
    ]
    return page_html(title, "".join(parts))


def _section(title: str, body: str) -> str:
    return f"<h2>{title}</h2>{body}" if body else ""


def _note(text: str) -> str:
    return f"<h2>Note</h2><pre>{escape(text)}</pre>" if text else ""


def _again(manifest: Manifest, query: str) -> str:
    """The command, the address's query, and what must be the same for the same numbers."""
    parts = [f"<p>On the command line:</p><pre>{escape(manifest.command)}</pre>"] if manifest.command else []
    if query:
        parts.append(f"<p>On the page, behind its address:</p><pre>?{escape(query)}</pre>")
    parts.append(
        '<p class="soft">The seed decides order and draws. On the same machine, with the same versions and number of '
        "CPU threads, the weights come out the same bit for bit; elsewhere the last digits may differ. Rows and "
        "weights are the same if their hashes are.</p>"
    )
    return "".join(parts)


def _steps(summary: RaceSummary, events: Iterable[Event]) -> str:
    """How large the steps were and how much of them was clipped, over the whole race."""
    steps = [event for event in events if isinstance(event, StepReport) and event.lane in summary.lanes]
    clipped = any(step.clip_share is not None for step in steps)
    figures = [("Size of the step (norm of the change of the weights)", "update_norm", False)]
    figures += [("Clip share (coordinates cut to the largest step)", "clip_share", True)] if clipped else []
    parts = []
    for title, field, percent in figures:
        points: dict[str, list[tuple[float, float]]] = {}
        for step in steps:
            if (value := getattr(step, field)) is not None:
                points.setdefault(step.lane, []).append((step.step, value))
        lines = [
            Line(label=summary.label(lane), style=lane_style(lane, summary.position(lane)), points=points[lane])
            for lane in summary.lanes
            if lane in points
        ]
        svg = lines_svg(title, lines, below="step", percent=percent)
        parts += [f"<figure><figcaption>{title}</figcaption>{svg}</figure>"] if svg else []
    return f'{legend_html(summary)}<div class="curves">{"".join(parts)}</div>' if parts else ""


def _how(summary: RaceSummary) -> str:
    if summary.ended is None:
        return "It has not come to an end."
    minutes, seconds = divmod(round(summary.ended.seconds), 60)
    took = f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
    return f"It {'ended' if summary.ended.status == 'finished' else summary.ended.status} after {took}."


def _asked(summary: RaceSummary, manifest: Manifest) -> str:
    rows = summary.started.eval_rows if summary.started else {}
    counts = ", ".join(f"{count} of {SET_NAMES.get(name, name).lower()}" for name, count in rows.items())
    matcher = summary.started.matcher if summary.started else manifest.matcher
    return (f"Questions asked: {counts}. " if counts else "") + (f"Nearness of answers: {matcher}." if matcher else "")


def _score_table(summary: RaceSummary) -> str:
    lanes = [lane for lane in (REFERENCES[0], *summary.lanes, REFERENCES[1]) if summary.last(lane) is not None]
    sets = [name for name in SET_NAMES if any(summary.score(lane, name) for lane in lanes)]
    head = ["Model", "Epoch", *(f"{SET_NAMES[name]} Acc" for name in sets)]
    head += ["Forget ROUGE-L", "Retain ROUGE-L", "Forget prob.", "Retain prob.", "Clipped", "Seconds"]
    rows = []
    for lane in lanes:
        report = summary.last(lane)
        if report is None:
            continue
        clip = "–" if report.clip_share is None else f"{100 * report.clip_share:.0f} %"
        forget, retain = report.scores.get("forget"), report.scores.get("retain")
        end = summary.ends.get(lane)
        note = " (diverged)" if end is not None and end.status == "diverged" else ""
        rows.append(
            [
                escape(summary.label(lane)) + note,
                str(report.epoch) if lane in summary.lanes else "–",
                *(_acc(report.scores.get(name)) for name in sets),
                *(f"{x.rouge_l:.2f}" if x else "–" for x in (forget, retain)),
                *(f"{x.probability:.2f}" if x else "–" for x in (forget, retain)),
                clip,
                f"{summary.seconds(lane):.1f}",
            ]
        )
    said = "".join(f"<p>{escape(end.message)}</p>" for end in summary.ends.values() if end.message)
    return (table_html(head, rows, numbers=True) if rows else "<p>Nothing was measured.</p>") + said


def _acc(scores: SetScores | None) -> str:
    if scores is None:
        return "–"
    span = f"{100 * scores.acc_low:.0f}–{100 * scores.acc_high:.0f}"
    return f'{100 * scores.acc:.0f} % <span class="soft">({span})</span>'


def _answers(summary: RaceSummary, sheet: AnswerSheet) -> str:
    lanes = (REFERENCES[0], *summary.lanes, REFERENCES[1])
    parts = []
    for name, rows in sheet.sets.items():
        answered = [lane for lane in lanes if any(lane in row.answers for row in rows)]
        chosen = rows[:: max(1, len(rows) // SAMPLES_PER_SET)][:SAMPLES_PER_SET]
        cells = [
            [escape(row.question), escape(row.truth), *(escape(row.answers.get(lane, "–")) for lane in answered)]
            for row in chosen
        ]
        head = ["Question", "Truth", *(escape(summary.label(lane)) for lane in answered)]
        parts.append(f"<h3>{escape(SET_NAMES.get(name, name))}</h3>{table_html(head, cells, even=True)}")
    if not parts:
        return "<p>No answers were kept.</p>"
    return "".join(parts) + '<p class="soft">More answers are in answers.json beside this file.</p>'


def _settings(manifest: Manifest) -> str:
    shared = [[escape(title), escape(value)] for title, value in race_settings(manifest.config).items()]
    lanes = manifest.config.lanes
    by_lane = [lane_settings(lane) for lane in lanes]
    titles = list(dict.fromkeys(title for settings in by_lane for title in settings))
    rows = [[escape(title), *(escape(settings.get(title, "–")) for settings in by_lane)] for title in titles]
    head = ["Setting", *(escape(lane.label) for lane in lanes)]
    return table_html(["Setting", "Value"], shared) + "<h3>Lanes</h3>" + table_html(head, rows)


def _facts(manifest: Manifest) -> str:
    facts = {
        "Platform": manifest.platform,
        "Python": manifest.python,
        "Device": manifest.device,
        "Precision": manifest.precision,
        "CPU threads": str(manifest.threads or ""),
        "Rows (SHA-256)": manifest.data_hash,
        "Original's weights (SHA-256)": manifest.model_fingerprint,
        "Gold": manifest.gold,
        "Gold's weights (SHA-256)": manifest.gold_fingerprint,
        **manifest.versions,
    }
    return table_html(
        ["What", "Value"], ([escape(name), f"<code>{escape(x)}</code>"] for name, x in facts.items() if x)
    )
