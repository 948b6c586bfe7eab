"""Every preset raced with several seeds, and the table of what came out. It knows no optimizer's insides."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from soul_core.config import PresetName, RaceConfig
from soul_core.errors import RunError
from soul_core.runs.atomic import disk_errors_as_sentences, write_text
from soul_core.session.presets import PRESETS, STUDIED, lanes_for
from soul_core.session.trials import LaneResult, Record

MARKS = ("<!-- results:start -->", "<!-- results:end -->")
EVAL_ROWS = 400
"""All of forget10 and enough of retain for an interval of about a point."""
_METRICS = {
    "forget_acc": "Forget Acc ↓",
    "retain_acc": "Retain Acc ↑",
    "forget_rouge_l": "Forget ROUGE-L ↓",
    "retain_rouge_l": "Retain ROUGE-L ↑",
    "clip_share": "Clip share",
}


def study_configs(
    names: Sequence[PresetName], seeds: Sequence[int], *, model: str, task: str, epochs: int
) -> list[RaceConfig]:
    """One race of FO, SO and sign momentum per preset and seed, evaluated at its two ends only."""
    return [
        RaceConfig(
            model=model,
            task=task,
            preset=name,
            lanes=lanes_for(name, STUDIED, control=True),
            epochs=epochs,
            eval_every=epochs,
            eval_rows=EVAL_ROWS,
            seed=seed,
        )
        for name in names
        for seed in seeds
    ]


def write_study(folder: Path, name: str, records: Sequence[Record], command: str, *, readme: Path | None) -> Path:
    """Write ``name.json`` and ``name.md``, and put the table between the marks of ``readme``; return the page."""
    if not records:
        raise RunError("There is no finished race to write about. Run the study to its end.")
    table = study_markdown(records, command)
    page = f"# {STUDIED} on {records[0].config.task}\n\n{table}"
    text = json.dumps(study_json(records), indent=1) + "\n"
    with disk_errors_as_sentences(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / f"{name}.json", text)
        write_text(folder / f"{name}.md", page)
    if readme is not None:
        with disk_errors_as_sentences(readme):
            write_text(readme, between_marks(readme.read_text(encoding="utf-8"), table))
    return folder / f"{name}.md"


def study_frame(records: Sequence[Record]) -> pd.DataFrame:
    """One row per preset, lane and seed, with every metric; missing where a lane has none."""
    return pd.DataFrame(
        [
            {"preset": record.config.preset, "lane": lane, "seed": str(record.config.seed)}
            | {metric: getattr(result, metric) for metric in _METRICS}
            for record in records
            for lane, result in record.lanes.items()
        ]
    ).astype(dict.fromkeys(_METRICS, float))


def study_json(records: Sequence[Record]) -> dict[str, Any]:
    """The table's figures: per preset, lane and metric the mean, the standard deviation and every seed's value."""
    found: dict[str, Any] = {}
    for preset, races in study_frame(records).groupby("preset", sort=False):
        found[str(preset)] = {
            str(lane): _figures(group.set_index("seed")) for lane, group in races.groupby("lane", sort=False)
        }
    return found


def _figures(by_seed: pd.DataFrame) -> dict[str, Any]:
    return {
        metric: {
            "mean": _plain(by_seed[metric].mean()),
            "standard_deviation": _plain(by_seed[metric].std()),
            "by_seed": {seed: _plain(value) for seed, value in by_seed[metric].items()},
        }
        for metric in _METRICS
    }


def study_markdown(records: Sequence[Record], command: str) -> str:
    """The table: mean and standard deviation over the seeds, per preset and lane."""
    first = records[0]
    by_preset = _by_preset(records)
    seeds = ", ".join(str(record.config.seed) for record in next(iter(by_preset.values())))
    forget, retain = first.lanes["original"].forget_rows, first.lanes["original"].retain_rows
    lines = [
        f"GradDiff on `{first.config.task}`, {first.config.epochs} epochs, seeds {seeds}: mean ± standard deviation "
        f"over the seeds after the last epoch, {forget} forget and {retain} retain questions asked. Clip share: mean "
        "over all steps.",
        "",
        f"| Preset | Model | {' | '.join(_METRICS.values())} |",
        f"|---|---|{'---|' * len(_METRICS)}",
    ]
    references = [name for name in ("original", "gold") if name in first.lanes]
    lines += [_row("", name.capitalize(), [first.lanes[name]]) for name in references]
    for preset, group in by_preset.items():
        for lane in group[0].config.lanes:
            label = f"{lane.label}, lr {lane.optimizer.lr:g}, γ {lane.objective.gamma:g}"
            lines.append(_row(PRESETS[preset].label, label, [record.lanes[lane.name] for record in group]))
    findings = [f"- *{PRESETS[preset].label}*: {PRESETS[preset].finding}" for preset in by_preset]
    lines += ["", *(line for line in findings if not line.endswith(": ")), "", "```sh", command, "```", ""]
    return "\n".join(lines)


def between_marks(text: str, table: str, marks: tuple[str, str] = MARKS) -> str:
    """``text`` with everything between the two marks replaced.

    Raises:
        RunError: The marks are not there, once each and in order.
    """
    start, end = marks
    if text.count(start) != 1 or text.count(end) != 1 or text.index(start) > text.index(end):
        raise RunError(f"The file has no pair of lines {start} and {end}. Put them where the table belongs.")
    before, rest = text.split(start)
    after = rest.split(end)[1]
    return f"{before}{start}\n{table}\n{end}{after}"


def _by_preset(records: Sequence[Record]) -> Mapping[PresetName, list[Record]]:
    groups: dict[PresetName, list[Record]] = {}
    for record in records:
        groups.setdefault(record.config.preset, []).append(record)
    return groups


def _row(preset: str, label: str, results: Sequence[LaneResult]) -> str:
    diverged = sum(bool(result.diverged) for result in results)
    note = f" ({diverged} of {len(results)} diverged)" if diverged else ""
    cells = [
        _mean_and_spread(pd.Series([getattr(result, metric) for result in results], dtype=float))
        for metric in _METRICS
    ]
    return f"| {preset} | {label}{note} | {' | '.join(cells)} |"


def _mean_and_spread(values: pd.Series) -> str:
    known = values.dropna()
    if known.empty:
        return "–"
    spread = f" ± {known.std():.3f}" if len(known) > 1 else ""
    return f"{known.mean():.3f}{spread}"


def _plain(value: float) -> float | None:
    """For JSON, which has no NaN."""
    return None if pd.isna(value) else float(value)
