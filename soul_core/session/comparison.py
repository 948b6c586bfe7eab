"""Every objective with every optimizer over several seeds, in one table. It runs nothing itself."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

import pandas as pd

from soul_core.config import LaneConfig, PresetName, RaceConfig
from soul_core.errors import ConfigError, RunError
from soul_core.objectives import IDEAS, OBJECTIVES, Objective, find_objective
from soul_core.runs.atomic import disk_errors_as_sentences, write_text
from soul_core.session.methods import NAMED, lane_of
from soul_core.session.presets import ALL_WEIGHTS, lanes_for, preset_cell
from soul_core.session.standing import LANES, Scores, verdict
from soul_core.session.study import EVAL_ROWS, between_marks
from soul_core.session.trials import LaneResult, Record

MARKS = ("<!-- methods:start -->", "<!-- methods:end -->")
SWEEPS = "docs/sweeps/"
_METRICS = (
    "forget_acc",
    "retain_acc",
    "forget_rouge_l",
    "retain_rouge_l",
    "forget_probability",
    "retain_probability",
    "clip_share",
    "seconds",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One run of the comparison's plan.

    Attributes:
        row: Objective or named method whose row it is.
        column: ``fo``, ``so`` or the control; a named method has ``fo`` alone.
        lane: What runs.
    """

    row: str
    column: str
    lane: LaneConfig


def plan(objectives: Sequence[str], lanes: Sequence[str], methods: Sequence[str], *, preset: str) -> list[Entry]:
    """Who runs: every objective with every optimizer, by idea; then the named methods.

    Raises:
        ConfigError: There is no such objective, lane, method or preset, or an objective is not trained step by step.
    """
    unknown = next((lane for lane in lanes if lane not in LANES), None)
    if unknown is not None or not lanes:
        raise ConfigError(f"Lanes are “{','.join(lanes)[:80]}”, but should be some of {', '.join(LANES)}.")
    found = [find_objective(name) for name in dict.fromkeys(objectives)]
    for objective in found:
        if objective.kind != "trained":
            raise ConfigError(f"{objective.label} has no FO and SO. Name it under --methods.")
    entries = []
    for objective in sorted(found, key=lambda objective: list(IDEAS).index(objective.idea)):
        offered = {lane.name: lane for lane in lanes_for(preset, objective.name, control=True)}
        entries += [Entry(row=objective.name, column=name, lane=offered[name]) for name in lanes]
    return entries + [Entry(row=name, column="fo", lane=lane_of(name, preset)) for name in dict.fromkeys(methods)]


def trained_objectives() -> list[str]:
    """Names of all objectives that have an FO and an SO."""
    return [name for name, objective in OBJECTIVES.items() if objective.kind == "trained"]


def comparison_configs(
    entries: Sequence[Entry], seeds: Sequence[int], *, model: str, task: str, epochs: int, preset: PresetName
) -> list[RaceConfig]:
    """One race of one lane for every entry and seed, evaluated at its two ends; all entries before the next seed."""
    return [
        RaceConfig(
            model=model,
            task=task,
            preset=preset,
            lanes=(entry.lane,),
            epochs=epochs,
            eval_every=epochs,
            eval_rows=EVAL_ROWS,
            seed=seed,
        )
        for seed in seeds
        for entry in entries
    ]


def table_of(entries: Sequence[Entry], records: Sequence[Record]) -> dict[str, dict[str, Scores]]:
    """By row and column, the scores of every seed; ``records`` in the order of ``comparison_configs``."""
    rows: dict[str, dict[str, list[LaneResult]]] = {}
    for place, record in enumerate(records):
        entry = entries[place % len(entries)]
        rows.setdefault(entry.row, {}).setdefault(entry.column, []).append(record.lanes[entry.lane.name])
    return {row: {column: Scores(tuple(found)) for column, found in by.items()} for row, by in rows.items()}


def comparison_markdown(entries: Sequence[Entry], records: Sequence[Record], command: str, *, at: str = "") -> str:
    """The table, who is ahead, and the command.

    Args:
        entries: The plan.
        records: A record for every race of the plan.
        command: What makes it again.
        at: Folder of the page, seen from the project; links to sweeps are written as seen from there.
    """
    rows, first = table_of(entries, records), records[0]
    columns = [column for column in LANES if any(column in found for row, found in rows.items() if row in OBJECTIVES)]
    heads = [f"{LANES[column]} {what}" for column in columns for what in ("forget ↓", "retain ↑")]
    clips = ["SO clip share"] if "so" in columns else []
    seeds = ", ".join(str(seed) for seed in dict.fromkeys(record.config.seed for record in records))
    original = first.lanes["original"]
    references = [
        f"{name.capitalize()}: forget {first.lanes[name].forget_acc:.3f}, retain {first.lanes[name].retain_acc:.3f}."
        for name in ("original", "gold")
        if name in first.lanes
    ]
    lines = [
        f"`{first.config.task}`, {first.config.model}, {first.config.epochs} epochs, seeds {seeds}: accuracy as mean "
        f"± standard deviation over the seeds after the last epoch; {original.forget_rows} forget and "
        f"{original.retain_rows} retain questions asked. {' '.join(references)}",
        "",
        f"| Idea | Objective | {' | '.join([*heads, *clips])} | Settings from |",
        f"|---|---|{'---|' * (len(heads) + len(clips))}---|",
    ]
    for row, found in rows.items():
        objective, label = _names(row)
        cells = [cell for column in columns for cell in _cells(found.get(column))]
        shares = [_spread(found["so"].clip_shares) if "so" in found else "–"] if clips else []
        source = _source(row, first.config.preset, at)
        lines.append(f"| {IDEAS[objective.idea]} | {label} | {' | '.join([*cells, *shares])} | {source} |")
    said = verdict({row: found for row, found in rows.items() if row in OBJECTIVES})
    return "\n".join([*lines, *(["", said] if said else []), "", "```sh", command, "```", ""])


def comparison_csv(entries: Sequence[Entry], records: Sequence[Record]) -> str:
    """One line per run."""
    runs = []
    for place, record in enumerate(records):
        entry = entries[place % len(entries)]
        result = record.lanes[entry.lane.name]
        runs.append(
            {"row": entry.row, "lane": entry.lane.name, "seed": record.config.seed, "lr": entry.lane.optimizer.lr}
            | {metric: getattr(result, metric) for metric in _METRICS}
            | {"diverged": int(bool(result.diverged))}
        )
    return pd.DataFrame(runs).to_csv(index=False, float_format="%.6g", lineterminator="\n")


def write_comparison(
    folder: Path,
    name: str,
    entries: Sequence[Entry],
    records: Sequence[Record],
    command: str,
    *,
    readme: Path | None = None,
) -> Path:
    """Write ``name.csv`` and ``name.md``, and put the table between the marks of ``readme``; return the page."""
    if not records or len(records) % len(entries):
        raise RunError("The comparison is not complete. Run it to its end.")
    page = comparison_markdown(entries, records, command, at=folder.as_posix())
    with disk_errors_as_sentences(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / f"{name}.csv", comparison_csv(entries, records))
        write_text(folder / f"{name}.md", f"# Every objective on {records[0].config.task}\n\n{page}")
    if readme is not None:
        table = comparison_markdown(entries, records, command, at=readme.parent.as_posix())
        with disk_errors_as_sentences(readme):
            write_text(readme, between_marks(readme.read_text(encoding="utf-8"), table, MARKS))
    return folder / f"{name}.md"


def _names(row: str) -> tuple[Objective, str]:
    if row in NAMED:
        method = NAMED[row]
        objective = find_objective(method.objective)
        return objective, f"{method.label} ({'FO' if objective.kind == 'trained' else 'no optimizer'})"
    return find_objective(row), find_objective(row).label


def _cells(scores: Scores | None) -> list[str]:
    if scores is None:
        return ["–", "–"]
    ended = f" ({scores.diverged} of {len(scores.results)} diverged)" if scores.diverged else ""
    return [_spread(scores.forget) + ended, _spread(scores.retain)]


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "–"
    return f"{fmean(values):.3f} ± {stdev(values):.3f}" if len(values) > 1 else f"{values[0]:.3f}"


def _source(row: str, preset: str, at: str) -> str:
    named = NAMED.get(row)
    objective = named.objective if named else row
    if find_objective(objective).kind != "trained":
        return "its defaults"
    cell = preset_cell(preset, objective, weights=named.weights if named else ALL_WEIGHTS)
    source = cell.source
    if not source.startswith(SWEEPS):
        return "not swept"
    # A named method runs one lane, the swept one; of an objective's lanes some may have kept no retain.
    partly = "" if not cell.note or named else ", in part"
    return f"[sweep]({Path(os.path.relpath(source, at or '.')).as_posix()}){partly}"
