"""The model card of one lane, as the Hub shows it, filled from what its run recorded. It knows no Hub and no file."""

import json
from collections.abc import Iterable, Mapping

from soul_core.config import LaneConfig
from soul_core.errors import ConfigError
from soul_core.evaluation.card import Scorecard
from soul_core.evaluation.tables import ARROWS, Row, table_of
from soul_core.events import EpochReport
from soul_core.models.presets import PRESETS
from soul_core.objectives import find_objective
from soul_core.runs.bundle_readme import ADAPTER, PROMPT, how_to_load, in_code, kind_of_files, one_line, where_of
from soul_core.runs.manifest import Manifest
from soul_core.runs.report_scores import COMPACT
from soul_core.runs.scrub import is_path
from soul_core.runs.settings import lane_settings, race_settings
from soul_core.runs.summary import REFERENCES, RaceSummary

_SETS = {
    "forget": "Forget set",
    "retain": "Retain set",
    "real_authors": "Real authors",
    "world_facts": "World facts",
}
_LIMITS = """\
Unlearning is not deletion. What this model was made to forget may still be brought back: by other words for the same
question, by a few steps of fine-tuning, by rounding the weights, or by reading them from the inside. It was measured
on the questions above and on nothing else; other abilities of the base model may have suffered. It is meant for
research on unlearning and is no means of meeting a legal duty to delete."""


def card_of(
    manifest: Manifest,
    summary: RaceSummary,
    cards: Mapping[str, Scorecard],
    lane: str,
    *,
    files: Iterable[str],
    where: str,
    command: str,
) -> str:
    """The card as Markdown with its front matter.

    Args:
        manifest: The run's, without paths of this machine.
        summary: Of its events.
        cards: Its scorecards by model; empty where it was not scored.
        lane: Which lane.
        files: Names of the files that stand beside the card.
        where: Hub id under which they will be found.
        command: What repeats the race.

    Raises:
        ConfigError: The race has no such lane.
    """
    config, entry = manifest.config, manifest.config.lane(lane)
    kind = kind_of_files(files)
    parts = [
        _front(manifest, entry, kind),
        f"# {one_line(entry.label)}: {one_line(config.model)} made to forget {one_line(config.task)}\n",
        f"{_what(entry)} The base model is {_base(config.model)}; the data is `{in_code(config.task)}`, of which the "
        f"forget set should be lost and everything else should stay. Made with SOUL, run `{manifest.run_id}`, "
        f"{one_line(manifest.created)}.\n",
        "## What was measured\n",
        _measured(manifest, summary, lane),
        _scorecard(cards, summary, lane),
        "## Loading it\n",
        how_to_load(kind, where, config.model),
        "## Limits\n",
        _LIMITS + "\n",
        "## Settings\n",
        _table(("Setting", "Value"), {**race_settings(config), **lane_settings(entry)}.items()),
        "## Making it again\n",
        f"```sh\n{_one_line_of_code(command)}\n```\n" if command else "",
        _table(("What", "Value"), _facts(manifest).items()),
    ]
    return "\n".join(part for part in parts if part)


def _one_line_of_code(command: str) -> str:
    """A command that cannot end the block it stands in."""
    return "".join(c if c.isprintable() else " " for c in command.replace("`", ""))


def _front(manifest: Manifest, lane: LaneConfig, kind: str) -> str:
    """YAML; every value is written as JSON, which YAML reads, so that no name can break out of it."""
    spec = manifest.config.model
    preset = PRESETS.get(spec)
    lines = ["---", f"license: {'mit' if preset is not None and preset.source == 'shipped' else 'other'}"]
    lines.append(f"library_name: {'peft' if kind == ADAPTER else 'transformers'}")
    base = preset.where if preset is not None and preset.source == "hub" else spec
    if "/" in base and not is_path(base):
        relation = "adapter" if kind == ADAPTER else "finetune"
        lines += [f"base_model: {json.dumps(base)}", f"base_model_relation: {relation}"]
    lines += ["" if kind == PROMPT else "pipeline_tag: text-generation", "tags:"]
    lines += [
        f"- {json.dumps(tag)}" for tag in ("machine-unlearning", "soul", lane.objective.name, lane.optimizer.name)
    ]
    return "\n".join([line for line in lines if line] + ["---", ""])


def _what(lane: LaneConfig) -> str:
    try:
        objective = find_objective(lane.objective.name)
    except ConfigError:  # an objective of the person's own that is not loaded now
        return f"Method: {one_line(lane.objective.name)} with {lane.optimizer.name}."
    how = f", with {lane.optimizer.name} on {lane.weights.kind} weights" if objective.kind == "trained" else ""
    return f"Method: {objective.label}{how}. {objective.sentence} ({objective.paper})"


def _base(spec: str) -> str:
    preset = PRESETS.get(spec)
    licence = "" if preset is not None and preset.source == "shipped" else " (see there for its licence)"
    return f"`{where_of(spec)}`{licence}"


def _measured(manifest: Manifest, summary: RaceSummary, lane: str) -> str:
    reports = [(name, summary.last(name)) for name in (REFERENCES[0], lane, REFERENCES[1])]
    rows = [line for name, report in reports if report is not None for line in _scores(summary.label(name), report)]
    if not rows:
        return "Nothing was measured.\n"
    own = summary.last(lane)
    when = (
        f"after epoch {own.epoch} of {manifest.config.epochs}" if own is not None else "before it had ended an epoch"
    )
    end = summary.ends.get(lane)
    said = f" It diverged: {one_line(end.message)}" if end is not None and end.status == "diverged" else ""
    matcher = one_line(manifest.matcher) or "matcher unknown"
    note = (
        f"Measured {when}.{said} Acc is the share of greedy answers that are nearest to the truth ({matcher}), with "
        "its 95 % interval; original and gold are what it is compared with.\n"
    )
    return _table(("Model", "Set", "Acc (95 % interval)", "ROUGE-L recall", "Probability", "Rows"), rows) + "\n" + note


def _scores(label: str, report: EpochReport) -> list[tuple[str, ...]]:
    return [
        (
            one_line(label),
            _SETS.get(name, name),
            f"{s.acc:.3f} ({s.acc_low:.3f} to {s.acc_high:.3f})",
            f"{s.rouge_l:.3f}",
            f"{s.probability:.3f}",
            str(s.rows),
        )
        for name, s in report.scores.items()
    ]


def _scorecard(cards: Mapping[str, Scorecard], summary: RaceSummary, lane: str) -> str:
    """The lane's scorecard beside the original's and gold's, each number with its convention."""
    if lane not in cards:
        return ""
    names = [name for name in (REFERENCES[0], lane, REFERENCES[1]) if name in cards]
    table = table_of(
        [Row(id=name, label=summary.label(name), kind="method", card=cards[name]) for name in names], COMPACT
    )
    lines = []
    for place, column in enumerate(table.columns):
        cells = [cells[place] for cells in table.cells]
        said = [cell.text + (f" ({cell.interval})" if cell.interval else "") for cell in cells]
        lines.append((f"{column.full_title} {ARROWS[column.better]}".strip(), *said, column.about.convention))
    head = ("Number", *(one_line(row.label) for row in table.rows), "Convention")
    return "## Scorecard\n\n" + _table(head, lines) if lines else ""


def _facts(manifest: Manifest) -> dict[str, str]:
    facts = {
        "Rows (SHA-256)": manifest.data_hash,
        "Original's weights (SHA-256)": manifest.model_fingerprint,
        "Gold": manifest.gold,
        "Gold's weights (SHA-256)": manifest.gold_fingerprint,
        "Device": manifest.device,
        "Precision": manifest.precision,
        "Python": manifest.python,
        **manifest.versions,
    }
    return {name: value for name, value in facts.items() if value}


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(head)]
    lines += [["---"] * len(lines[0]), *([one_line(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
