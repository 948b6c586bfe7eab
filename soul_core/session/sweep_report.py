"""A sweep's trials as a spreadsheet, a picture and a page of Markdown. It knows no race and runs nothing."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from soul_core.runs.atomic import disk_errors_as_sentences, write_text
from soul_core.runs.scatter import Dot, alt_text, scatter_svg
from soul_core.session.sweep import Axes, choices
from soul_core.session.sweep_rule import FINALISTS, MARGIN, MORE_SEEDS, Trial, best, best_unclipped, trials_of
from soul_core.session.trials import Record

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
    """One line per run; ``chosen`` and ``keeps_retain`` are 0 or 1 and speak of the setting with all its seeds."""
    chosen = best(records)
    runs = [
        {"lane": trial.lane, "lr": trial.optimizer.lr, "variant": _variant(trial, grid), "seed": record.config.seed}
        | {column: getattr(result, column) for column in _COLUMNS}
        | {"keeps_retain": int(trial.keeps_retain), "chosen": int(chosen.get(trial.lane) == trial)}
        | {"diverged": int(bool(result.diverged))}
        for trial in trials_of(records)
        for record, result in zip(trial.records, trial.results, strict=True)
    ]
    return pd.DataFrame(runs).to_csv(index=False, float_format="%.6g", lineterminator="\n")


def sweep_svg(records: Sequence[Record], grid: Mapping[str, Axes]) -> str:
    """Every trial as a point."""
    return scatter_svg(_dots(records, grid), limit=_limit(records), labels=_labels(records), title=_title(records))


def sweep_markdown(name: str, records: Sequence[Record], grid: Mapping[str, Axes], command: str) -> str:
    """What was tried, the rule, the choice of each optimizer, and the command that makes it again."""
    first, chosen = records[0], best(records)
    original = first.lanes["original"]
    trials = trials_of(records)
    counts = {lane: sum(trial.lane == lane for trial in trials) for lane in grid}
    lines = [
        f"# {_title(records)}",
        "",
        f"![{alt_text(_dots(records, grid), labels=_labels(records), title=_title(records))}]({name}.svg)",
        "",
        f"Rule, the same for each optimizer: among the settings that keep retain Acc within {100 * MARGIN:g} points "
        f"of the original ({original.retain_acc:.3f}, so at least {_limit(records):.3f}), the lowest forget Acc; of "
        f"equals the higher retain Acc, then the lower rate. Every setting is run with one seed; the {FINALISTS} that "
        f"the rule likes best of each optimizer are run with {MORE_SEEDS} more; the choice is made on the means.",
        "",
        f"Settings: {', '.join(f'{_labels(records)[lane]} {count}' for lane, count in counts.items())}; "
        f"{len(records)} runs; first seed {first.config.seed}, {first.config.epochs} epochs, batch "
        f"{first.config.batch_size}, γ {first.config.lanes[0].objective.gamma:g}; {original.forget_rows} forget and "
        f"{original.retain_rows} retain rows asked.",
        "",
        "| Optimizer | Learning rate | Other settings | Forget Acc | Retain Acc | Clip share | Keep retain |",
        "|---|---|---|---|---|---|---|",
    ]
    for lane in grid:
        label = _labels(records)[lane]
        within = sum(trial.keeps_retain for trial in trials if trial.lane == lane)
        if lane not in chosen:
            lines.append(f"| {label} | – | – | – | – | – | {within} of {counts[lane]} |")
            continue
        trial = chosen[lane]
        lines.append(
            f"| {label} | {trial.optimizer.lr:g} | {_variant(trial, grid)} | {trial.forget_acc:.3f} | "
            f"{trial.retain_acc:.3f} | {_clip(trial)} | {within} of {counts[lane]} |"
        )
    free = best_unclipped(records)
    if free is not None and "sign" in chosen:
        control = chosen["sign"]
        lines += [
            "",
            f"Where curvature decides most steps: the best setting of SO with under half of its steps clipped is lr "
            f"{free.optimizer.lr:g}, {_variant(free, grid)}: forget Acc {free.forget_acc:.3f}, retain Acc "
            f"{free.retain_acc:.3f}, clip share {_clip(free)}; the control at its best, all of it clipped, has "
            f"{control.forget_acc:.3f} and {control.retain_acc:.3f}.",
        ]
    edges = [line for lane, trial in chosen.items() for line in _edge(trial, grid[lane], _labels(records)[lane])]
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


def _edge(trial: Trial, axes: Axes, label: str) -> list[str]:
    """A choice at the edge of the grid may have a better neighbour outside: that is said."""
    at_edge = trial.optimizer.lr in (min(axes.rates), max(axes.rates))
    return [f"{label}'s rate is at the edge of the grid."] if at_edge else []


def _dots(records: Sequence[Record], grid: Mapping[str, Axes]) -> list[Dot]:
    chosen = best(records)
    return [
        Dot(
            lane=trial.lane,
            forget_acc=trial.forget_acc,
            retain_acc=trial.retain_acc,
            said=f"{_labels(records)[trial.lane]}, lr {trial.optimizer.lr:g}, {_variant(trial, grid)}: "
            f"forget {trial.forget_acc:.3f}, retain {trial.retain_acc:.3f}, seeds {len(trial.records)}",
            chosen=chosen.get(trial.lane) == trial,
        )
        for trial in trials_of(records)
    ]


def _variant(trial: Trial, grid: Mapping[str, Axes]) -> str:
    return grid[trial.lane].variant_of(trial.optimizer)


def _labels(records: Sequence[Record]) -> dict[str, str]:
    return {lane.name: lane.label for record in records for lane in record.config.lanes}


def _limit(records: Sequence[Record]) -> float:
    return records[0].lanes["original"].retain_acc - MARGIN


def _title(records: Sequence[Record]) -> str:
    config = records[0].config
    return f"Sweep: {config.lanes[0].objective.name} on {config.task}, {config.model}"


def _clip(trial: Trial) -> str:
    return "–" if trial.clip_share is None else f"{trial.clip_share:.2f}"


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
