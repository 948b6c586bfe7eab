"""``sweep`` and ``study``: many races for their numbers. It knows no race's insides."""

import argparse
import shlex
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from soul_core.cli.interrupts import interrupts
from soul_core.cli.options import given
from soul_core.cli.race import race_line
from soul_core.cli.screen import Screen, print_json
from soul_core.config import ObjectiveConfig, RaceConfig
from soul_core.errors import ConfigError
from soul_core.events import Progress, StepReport
from soul_core.session.presets import preset_cell, record_choice
from soul_core.session.study import study_configs, write_study
from soul_core.session.sweep import axes_from_text, choices, grid_for, sweep_configs, sweep_race
from soul_core.session.sweep_report import write_sweep
from soul_core.session.sweep_rule import best, second_round
from soul_core.session.trials import Book, Done, Record, work_through

STOPPED = 130


def run(arguments: argparse.Namespace) -> int:
    """Run what is not recorded yet and write the files."""
    return {"sweep": sweep, "study": study}[arguments.command](arguments)


def sweep(arguments: argparse.Namespace) -> int:
    """Every optimizer's grid; then the spreadsheet, the picture and the page."""
    screen = Screen(json_wanted=arguments.json)
    shared = preset_cell("same-settings", arguments.objective).objectives["fo"]
    objective = ObjectiveConfig(**{"name": arguments.objective, **shared, **given(arguments, ("gamma",))})
    usual = grid_for(objective.name)
    grid = {lane: axes_from_text(text) if (text := getattr(arguments, lane)) else axes for lane, axes in usual.items()}
    base = sweep_race(
        **_values(arguments, ("model", "task", "epochs")),
        seed=arguments.seed,
        eval_rows=arguments.eval_rows,
        objective=objective,
    )
    name = arguments.name or f"{base.task.rpartition(':')[2]}-{objective.name}"
    out = Path(arguments.out)
    book = Book(out / f"{name}.jsonl")
    first, stopped = _work(screen, sweep_configs(base, grid), book)
    more: list[Record] = []
    if not stopped:
        more, stopped = _work(screen, second_round(first), book)
    if stopped:
        return STOPPED
    records = [*first, *more]
    page = write_sweep(out, name, records, grid, _command(arguments))
    chosen = best(records)
    for lane, trial in chosen.items():
        screen.say(f"Best of {lane}: forget {trial.forget_acc:.3f} retain {trial.retain_acc:.3f}")
    screen.say(f"Written: {page}")
    if arguments.apply:
        record_choice(objective.name, choices(records, grid), gamma=objective.gamma, source=page.as_posix())
    if arguments.json:
        print_json(
            {
                lane: {
                    "optimizer": trial.optimizer.model_dump(),
                    "forget_acc": trial.forget_acc,
                    "retain_acc": trial.retain_acc,
                    "clip_share": trial.clip_share,
                }
                for lane, trial in chosen.items()
            }
        )
    return 0


def study(arguments: argparse.Namespace) -> int:
    """Every preset with every seed; then the table."""
    screen = Screen(json_wanted=arguments.json)
    try:
        seeds = [int(seed) for seed in arguments.seeds.split(",")]
    except ValueError:
        raise ConfigError(
            f"Seeds are “{arguments.seeds}”, but should be numbers with commas, such as 0,1,2."
        ) from None
    names: list[Any] = arguments.presets.split(",")
    out = Path(arguments.out)
    configs = study_configs(names, seeds, **_values(arguments, ("model", "task", "epochs")))
    records, stopped = _work(screen, configs, Book(out / f"{arguments.name}.jsonl"))
    if stopped:
        return STOPPED
    readme = Path(arguments.readme) if arguments.readme else None
    page = write_study(out, arguments.name, records, _command(arguments), readme=readme)
    screen.say(f"Written: {page}")
    if arguments.json:
        print_json({"page": str(page), "races": len(records)})
    return 0


def _work(screen: Screen, configs: Sequence[RaceConfig], book: Book) -> tuple[list[Record], bool]:
    """Records of all races, and whether Ctrl-C ended it first."""
    records: list[Record] = []
    with interrupts() as interrupted, screen.bar() as bar, closing(work_through(configs, book)) as events:  # type: ignore[type-var]
        for event in events:
            if isinstance(event, Done):
                records.append(event.record)
                found = "" if event.fresh else " (recorded before)"
                screen.say(f"{event.number}/{event.total} {_trial_line(event.record)}{found}")
            elif isinstance(event, StepReport | Progress):
                bar.show(race_line(event), len(records), len(configs))
            if interrupted():
                screen.say(f"Stopped; {len(records)} of {len(configs)} are recorded. The same command goes on.")
                return records, True
    return records, False


def _trial_line(record: Record) -> str:
    parts = []
    for lane in record.config.lanes:
        result = record.lanes[lane.name]
        clip = "" if result.clip_share is None else f" clip {result.clip_share:.2f}"
        ended = " diverged" if result.diverged else ""
        knobs = f"β₁ {lane.optimizer.beta1:g} β₂ {lane.optimizer.beta2:g} ρ {lane.optimizer.rho:g}"
        parts.append(
            f"{lane.name} lr {lane.optimizer.lr:g} {knobs}: forget {result.forget_acc:.3f} retain "
            f"{result.retain_acc:.3f}{clip}{ended}"
        )
    return f"{record.config.preset} seed {record.config.seed}; " + "; ".join(parts)


def _values(arguments: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    defaults = {name: RaceConfig.model_fields[name].default for name in names}
    return {**defaults, **given(arguments, names)} | {"epochs": _whole(arguments)}


def _whole(arguments: argparse.Namespace) -> int:
    """Epochs as a number: two other settings are made of it before the settings are checked."""
    text = getattr(arguments, "epochs", RaceConfig.model_fields["epochs"].default)
    try:
        return int(text)
    except ValueError:
        raise ConfigError(f"Epochs is “{text}”, but should be a whole number. Change it and try again.") from None


def _command(arguments: argparse.Namespace) -> str:
    return shlex.join(["python", "-m", "soul_core", *arguments.words])
