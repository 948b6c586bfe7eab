"""A sweep's trials as a spreadsheet, a picture and a page of Markdown. It knows no race and runs nothing."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from soul_core.runs.atomic import disk_errors_as_sentences, write_text
from soul_core.runs.scatter import Dot, alt_text, scatter_svg
from soul_core.session.sweep import MARGIN, Axes, best, choices, keeps_retain, result_of
from soul_core.session.trials import LaneResult, Record

_COLUMNS = (
    "forget_acc",
    "retain_acc",
    "forget_rouge_l",
    "retain_rouge_l",
    "forget_probability",
    "retain_probability",
    "clip_share",
    "seconds",
)


def write_sweep(folder: Path, name: str, records: Sequence[Record], grid: Mapping[str, Axes], command: str) -> Path:
    """Write ``name.csv``, ``name.svg`` and ``name.md`` and return the last."""
    with disk_errors_as_sentences(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / f"{name}.csv", sweep_csv(records, grid))
        write_text(folder / f"{name}.svg", sweep_svg(records, grid))
        write_text(folder / f"{name}.md", sweep_markdown(name, records, grid, command))
    return folder / f"{name}.md"


def sweep_csv(records: Sequence[Record], grid: Mapping[str, Axes]) -> str:
    """One line per trial; ``chosen`` and ``keeps_retain`` are 0 or 1."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["lane", "lr", "variant", *_COLUMNS, "keeps_retain", "chosen", "diverged"])
    chosen = best(records)
    for record in records:
        lane, variant = _variant(record, grid)
        result = result_of(record)
        numbers = ["" if (number := getattr(result, c)) is None else f"{number:.6g}" for c in _COLUMNS]
        marks = [int(keeps_retain(record)), int(chosen.get(lane) is record), int(bool(result.diverged))]
        rate = f"{record.config.lanes[0].optimizer.lr:g}"
        writer.writerow([lane, rate, variant, *numbers, *marks])
    return text.getvalue()


def sweep_svg(records: Sequence[Record], grid: Mapping[str, Axes]) -> str:
    """Every trial as a point."""
    return scatter_svg(_dots(records, grid), limit=_limit(records), labels=_labels(records), title=_title(records))


def sweep_markdown(name: str, records: Sequence[Record], grid: Mapping[str, Axes], command: str) -> str:
    """What was tried, the rule, the choice of each optimizer, and the command that makes it again."""
    first, chosen = records[0], best(records)
    original = first.lanes["original"]
    counts = {lane: sum(r.config.lanes[0].name == lane for r in records) for lane in grid}
    lines = [
        f"# {_title(records)}",
        "",
        f"![{alt_text(_dots(records, grid), labels=_labels(records), title=_title(records))}]({name}.svg)",
        "",
        f"Rule, the same for each optimizer: among the settings that keep retain Acc within {100 * MARGIN:g} points "
        f"of the original ({original.retain_acc:.3f}, so at least {_limit(records):.3f}), the lowest forget Acc; of "
        "equals the higher retain Acc, then the lower rate.",
        "",
        f"Trials: {', '.join(f'{_labels(records)[lane]} {count}' for lane, count in counts.items())}; seed "
        f"{first.config.seed}, {first.config.epochs} epochs, batch {first.config.batch_size}, γ "
        f"{first.config.lanes[0].objective.gamma:g}; {original.forget_rows} forget and {original.retain_rows} retain "
        "rows asked.",
        "",
        "| Optimizer | Learning rate | Other settings | Forget Acc | Retain Acc | Clip share | Keep retain |",
        "|---|---|---|---|---|---|---|",
    ]
    for lane in grid:
        within = sum(keeps_retain(r) for r in records if r.config.lanes[0].name == lane)
        if lane not in chosen:
            lines.append(f"| {_labels(records)[lane]} | – | – | – | – | – | 0 of {counts[lane]} |")
            continue
        variant = _variant(chosen[lane], grid)[1]
        result, rate = result_of(chosen[lane]), chosen[lane].config.lanes[0].optimizer.lr
        lines.append(
            f"| {_labels(records)[lane]} | {rate:g} | {variant} | {result.forget_acc:.3f} | "
            f"{result.retain_acc:.3f} | {_clip(result)} | {within} of {counts[lane]} |"
        )
    edges = [line for lane, record in chosen.items() for line in _edge(record, grid[lane], _labels(records)[lane])]
    lines += ["", *edges, *([""] if edges else []), "Axes:", ""]
    lines += [
        f"- {_labels(records)[lane]}: lr {_listed(axes.rates)}; {' · '.join(axes.variants)}"
        for lane, axes in grid.items()
    ]
    versions = ", ".join(f"{package} {version}" for package, version in first.versions.items())
    lines += [
        "",
        f"Chosen settings: `{json.dumps(choices(records, grid))}`",
        "",
        f"Every trial: [{name}.csv]({name}.csv); complete records: [{name}.jsonl]({name}.jsonl).",
        "",
        "```sh",
        command,
        "```",
        "",
        f"Original weights {first.model_fingerprint[:12]}; {versions}.",
        "",
    ]
    return "\n".join(lines)


def _edge(record: Record, axes: Axes, label: str) -> list[str]:
    """A choice at the edge of the grid may have a better neighbour outside: that is said."""
    rate = record.config.lanes[0].optimizer.lr
    return [f"{label}'s rate is at the edge of the grid."] if rate in (min(axes.rates), max(axes.rates)) else []


def _dots(records: Sequence[Record], grid: Mapping[str, Axes]) -> list[Dot]:
    chosen, dots = best(records), []
    for record in records:
        lane, variant = _variant(record, grid)
        result, rate = result_of(record), record.config.lanes[0].optimizer.lr
        said = f"{_labels(records)[lane]}, lr {rate:g}, {variant}"
        dots.append(
            Dot(
                lane=lane,
                forget_acc=result.forget_acc,
                retain_acc=result.retain_acc,
                said=f"{said}: forget {result.forget_acc:.3f}, retain {result.retain_acc:.3f}",
                chosen=chosen.get(lane) is record,
            )
        )
    return dots


def _variant(record: Record, grid: Mapping[str, Axes]) -> tuple[str, str]:
    lane = record.config.lanes[0]
    return lane.name, grid[lane.name].variant_of(lane.optimizer)


def _labels(records: Sequence[Record]) -> dict[str, str]:
    return {lane.name: lane.label for record in records for lane in record.config.lanes}


def _limit(records: Sequence[Record]) -> float:
    return records[0].lanes["original"].retain_acc - MARGIN


def _title(records: Sequence[Record]) -> str:
    config = records[0].config
    return f"Sweep: {config.lanes[0].objective.name} on {config.task}, {config.model}"


def _clip(result: LaneResult) -> str:
    return "–" if result.clip_share is None else f"{result.clip_share:.2f}"


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
