"""A finished or stopped race as one HTML file that needs no network. It knows no files: it returns text.

Answers are a model's words and are never trusted: every string that is not ours goes through ``escape``.
"""

from collections.abc import Iterable, Sequence
from html import escape

from soul_core.config import LaneConfig, Settings
from soul_core.errors import ConfigError
from soul_core.events import SetScores
from soul_core.objectives import find_objective, options_of, retain_name
from soul_core.optim.registry import OPTIMIZERS
from soul_core.runs.answers import AnswerSheet
from soul_core.runs.manifest import Manifest
from soul_core.runs.summary import REFERENCES, RaceSummary
from soul_core.runs.svg import curve_svg, legend_html

SAMPLES_PER_SET = 8
SET_NAMES = {
    "forget": "Forget set",
    "retain": "Retain set",
    "real_authors": "Real authors",
    "world_facts": "World facts",
}

_CSS = """
:root{--ink:#1c2024;--soft:#5b636b;--ground:#fff;--panel:#f5f6f7;--line:#d9dde1}
@media (prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#a5adb5;--ground:#15181b;--panel:#1f2327;--line:#363c42}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem;max-width:76rem;background:var(--ground);color:var(--ink);
font:16px/1.5 system-ui,sans-serif;overflow-wrap:break-word}
h1{font-size:1.6rem;margin:0 0 .25rem}h2{font-size:1.15rem;margin:2rem 0 .5rem}p{margin:.4rem 0}
.verdict{font-size:1.2rem;padding:.9rem 1.1rem;background:var(--panel);border-radius:.6rem}
.soft{color:var(--soft)}.curves{display:grid;gap:1rem;grid-template-columns:repeat(auto-fit,minmax(19rem,1fr))}
figure{margin:0}figcaption{font-weight:600}svg text{fill:var(--soft);font-size:13px}svg .grid{stroke:var(--line)}
.legend span{margin-right:1.4rem;white-space:nowrap}.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%}.even{table-layout:fixed}.even td,.even th,td code
{overflow-wrap:anywhere;hyphens:auto}th,td{text-align:left;vertical-align:top;padding:.4rem .7rem;
border-bottom:1px solid var(--line)}thead th{color:var(--soft);font-weight:600}
td.n{white-space:nowrap;padding:.4rem .45rem;font-variant-numeric:tabular-nums}.even tbody th{font-weight:400}
table:not(.even) tbody th{white-space:nowrap}
code{background:var(--panel);padding:.1rem .3rem;border-radius:.3rem}
pre{background:var(--panel);padding:.8rem;border-radius:.5rem;overflow-x:auto;white-space:pre-wrap}
@media print{body{max-width:none;padding:0}}
"""


def report_html(summary: RaceSummary, manifest: Manifest, answers: AnswerSheet, verdict: str) -> str:
    """Verdict, curves, scores, sample answers side by side, settings, versions, hashes, command."""
    config = manifest.config
    title = f"{config.model}, {config.task}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="soft">Race {escape(manifest.run_id)}, {escape(manifest.created)}. {escape(_how(summary))}</p>',
        f'<p class="verdict">{escape(verdict)}</p>',
        "<h2>Accuracy by epoch</h2>",
        legend_html(summary),
        '<div class="curves">',
        *(
            f"<figure><figcaption>{caption}</figcaption>{curve_svg(summary, name, caption)}</figure>"
            for name, caption in (("forget", "Forget accuracy"), ("retain", "Retain accuracy"))
        ),
        "</div>",
        f'<p class="soft">Shaded: 95 % intervals. {escape(_asked(summary, manifest))}</p>',
        "<h2>Scores at the end</h2>",
        _score_table(summary),
        "<h2>What they answer</h2>",
        _answers(summary, answers),
        "<h2>Settings</h2>",
        _settings(summary, manifest),
        "<h2>Do it again</h2>",
        f"<pre>{escape(manifest.command)}</pre>",
        _facts(manifest),
    ]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<style>{_CSS}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _how(summary: RaceSummary) -> str:
    if summary.ended is None:
        return "It was interrupted before its end; what was finished is shown."
    minutes, seconds = divmod(round(summary.ended.seconds), 60)
    took = f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
    return f"It {'ended' if summary.ended.status == 'finished' else summary.ended.status} after {took}."


def _asked(summary: RaceSummary, manifest: Manifest) -> str:
    rows = summary.started.eval_rows if summary.started else {}
    counts = ", ".join(f"{count} of {SET_NAMES.get(name, name).lower()}" for name, count in rows.items())
    matcher = summary.started.matcher if summary.started else manifest.matcher
    return (f"Questions asked: {counts}. " if counts else "") + (f"Nearness of answers: {matcher}." if matcher else "")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = False, even: bool = False) -> str:
    """Cells must be escaped already; the first column is a header of its row; ``even`` makes columns equally wide,
    and none narrower than a few words."""
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    kind = ' class="n"' if numbers else ""
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td{kind}>{cell}</td>" for cell in row[1:])}</tr>'
        for row in rows
    )
    table = f'<table class="even" style="min-width:{max(44, 9 * len(head))}rem">' if even else "<table>"
    parts = f"{table}<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll" tabindex="0">{parts}</div>'


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
    return (_table(head, rows, numbers=True) if rows else "<p>Nothing was measured.</p>") + said


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
        parts.append(f"<h3>{escape(SET_NAMES.get(name, name))}</h3>{_table(head, cells, even=True)}")
    if not parts:
        return "<p>No answers were kept.</p>"
    return "".join(parts) + '<p class="soft">More answers are in answers.json beside this file.</p>'


def _settings(summary: RaceSummary, manifest: Manifest) -> str:
    fields = type(manifest.config).model_fields
    rows = []
    for name, value in manifest.config.model_dump(mode="json", exclude={"lanes"}).items():
        rows.append([escape(fields[name].title or name), escape(str(value))])
    lanes = manifest.config.lanes
    by_lane = [_lane_settings(lane) for lane in lanes]
    titles = list(dict.fromkeys(title for settings in by_lane for title in settings))
    lane_rows = [[escape(title), *(escape(settings.get(title, "–")) for settings in by_lane)] for title in titles]
    head = ["Setting", *(escape(lane.label) for lane in lanes)]
    return _table(["Setting", "Value"], rows) + "<h3>Lanes</h3>" + _table(head, lane_rows)


def _lane_settings(lane: LaneConfig) -> dict[str, str]:
    """A lane's settings that are read, by title; its objective's own with the values they had."""
    objective, optimizer, weights = lane.objective, lane.optimizer, lane.weights
    shown = {"Objective": objective.name}
    try:
        entry = find_objective(objective.name)
        shown |= {entry.fields[name].title or name: str(value) for name, value in options_of(objective).items()}
        if entry.kind != "trained":
            return shown
        objective = objective.but(retain=retain_name(objective))
    except ConfigError:  # an objective of the person's own that is not loaded now
        shown |= {name: str(value) for name, value in objective.options.items()}
    read: list[tuple[Settings, Iterable[str]]] = [
        (objective, ("gamma", "retain")),
        (optimizer, ("name", *OPTIMIZERS[optimizer.name].settings)),
        (weights, type(weights).model_fields if weights.kind == "lora" else ("kind",)),
    ]
    for settings, names in read:
        shown |= {type(settings).model_fields[name].title or name: str(getattr(settings, name)) for name in names}
    return shown


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
    return _table(["What", "Value"], ([escape(name), f"<code>{escape(x)}</code>"] for name, x in facts.items() if x))
