"""``sweep``, ``study`` and ``compare``: many races for their numbers. It knows no race's insides."""

import argparse
import shlex
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from soul_core.cli.interrupts import interrupts
from soul_core.cli.options import given
from soul_core.cli.race import race_line
from soul_core.cli.screen import Screen, print_json
from soul_core.config import WEIGHT_OPTIONS, LaneConfig, ObjectiveConfig, RaceConfig, WeightsConfig
from soul_core.errors import ConfigError
from soul_core.events import Progress, StepReport
from soul_core.session.changes import changed_lanes
from soul_core.session.checks import check_race
from soul_core.session.comparison import comparison_configs, plan, trained_objectives, write_comparison
from soul_core.session.methods import NAMED
from soul_core.session.parallel import usual_jobs, work_in_parallel
from soul_core.session.search import Space
from soul_core.session.study import study_configs, write_study
from soul_core.session.sweep import (
    budget_of,
    method_lanes,
    objective_lanes,
    said_of,
    spaces_for,
    sweep_configs,
    sweep_race,
)
from soul_core.session.sweep_choice import apply_choices
from soul_core.session.sweep_report import write_sweep
from soul_core.session.sweep_rule import Rule, best, second_round
from soul_core.session.trials import Book, Done, Record

STOPPED = 130
ALL = "all"
_RUNNERS = {"fo": "adamw", "so": "sophia", "sign": "sign-momentum"}
_SPACE = "space"


def run(arguments: argparse.Namespace) -> int:
    """Run what is not recorded yet and write the files."""
    return {"sweep": sweep, "study": study, "compare": compare}[arguments.command](arguments)


def sweep(arguments: argparse.Namespace) -> int:
    """Every method's settings; then the spreadsheet, the picture and the page."""
    screen = Screen(json_wanted=arguments.json)
    lanes = _swept_lanes(arguments)
    given_budget = _number(arguments, "budget") if arguments.budget else None
    spaces = spaces_for(
        lanes,
        shared=arguments.space,
        own=_own_spaces(arguments, lanes),
        budget=given_budget,
        fixed={*arguments.own, *given(arguments, ("gamma",))},
    )
    budget = budget_of(spaces, given_budget)
    rule = Rule(finalists=_number(arguments, "finalists"), more_seeds=_number(arguments, "more_seeds"))
    base = sweep_race(
        **_values(arguments, ("model", "task", "epochs")),
        seed=arguments.seed,
        eval_rows=arguments.eval_rows,
        lanes=lanes,
    )
    check_race(base)
    configs = sweep_configs(base, spaces, budget)
    name = arguments.name or f"{base.task.rpartition(':')[2]}-{_name(arguments, lanes)}"
    out = Path(arguments.out)
    work = _Work(screen, Book(out / f"{name}.jsonl"), arguments, lambda record: _swept(record, spaces))
    screen.say(f"{len(configs)} settings, {len(configs) // len(lanes)} for each of {', '.join(spaces)}.")
    first = work.through(configs)
    more = work.through(second_round(first, rule)) if first is not None else None
    if first is None or more is None:
        return STOPPED
    records = [*first, *more]
    page = write_sweep(out, name, records, spaces, _command(arguments), budget=budget, rule=rule)
    chosen = best(records, rule)
    for lane, trial in chosen.items():
        screen.say(f"Best of {lane}: forget {trial.forget_acc:.3f} retain {trial.retain_acc:.3f}")
    screen.say(f"Written: {page}")
    if arguments.apply and (left_out := apply_choices(records, spaces, source=page.as_posix(), rule=rule)):
        screen.say(left_out)
    if arguments.json:
        print_json(
            {
                lane: {
                    "optimizer": trial.optimizer.model_dump(),
                    "objective": trial.config.objective.model_dump(),
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
    names: list[Any] = _listed(arguments.presets)
    out = Path(arguments.out)
    configs = study_configs(names, _seeds(arguments), **_values(arguments, ("model", "task", "epochs")))
    records = _Work(screen, Book(out / f"{arguments.name}.jsonl"), arguments).through(configs)
    if records is None:
        return STOPPED
    page = write_study(out, arguments.name, records, _command(arguments), readme=_readme(arguments))
    return _written(screen, arguments, page, len(records))


def compare(arguments: argparse.Namespace) -> int:
    """Every objective with every optimizer and every seed; then the one table."""
    screen = Screen(json_wanted=arguments.json)
    objectives = trained_objectives() if arguments.objectives == ALL else _listed(arguments.objectives)
    methods = list(NAMED) if arguments.methods == ALL else _listed(arguments.methods)
    values = _values(arguments, ("model", "task", "epochs"))
    entries = plan(objectives, _listed(arguments.lanes), methods, preset=arguments.preset)
    configs = comparison_configs(entries, _seeds(arguments), **values, preset=arguments.preset)
    if not configs:
        raise ConfigError("Nothing is to be compared. Name objectives or methods.")
    for config in configs:
        check_race(config)
    name, out = arguments.name or f"{values['task'].rpartition(':')[2]}-methods", Path(arguments.out)
    records = _Work(screen, Book(out / f"{name}.jsonl"), arguments).through(configs)
    if records is None:
        return STOPPED
    page = write_comparison(out, name, entries, records, _command(arguments), readme=_readme(arguments))
    return _written(screen, arguments, page, len(records))


class _Work:
    """Races for the numbers of one command."""

    def __init__(
        self,
        screen: Screen,
        book: Book,
        arguments: argparse.Namespace,
        say: Callable[[Record], str] | None = None,
    ) -> None:
        self._screen = screen
        self._book = book
        self._arguments = arguments
        self._say = say or _recorded_line

    def through(self, configs: Sequence[RaceConfig]) -> list[Record] | None:
        """Records of all races in their order; None where Ctrl-C ended it first."""
        if not configs:
            return []
        given_jobs = self._arguments.jobs
        jobs = _number(self._arguments, "jobs") if given_jobs else usual_jobs(configs[0])
        if jobs < 1:
            raise ConfigError(f"Jobs is {jobs}, but should be at least 1. Change it and try again.")
        records: dict[int, Record] = {}
        work = work_in_parallel(configs, self._book, jobs=jobs, plugins=self._arguments.plugins)
        with interrupts() as interrupted, self._screen.bar() as bar, closing(work) as events:  # type: ignore[type-var]
            for event in events:
                if isinstance(event, Done):
                    records[event.index] = event.record
                    found = "" if event.fresh else " (recorded before)"
                    self._screen.say(f"{len(records)}/{len(configs)} {self._say(event.record)}{found}")
                elif isinstance(event, StepReport | Progress):
                    bar.show(race_line(event), len(records), len(configs))
                if interrupted() and len(records) < len(configs):
                    self._screen.say(
                        f"Stopped; {len(records)} of {len(configs)} are recorded. The same command goes on."
                    )
                    return None
        return [records[index] for index in range(len(configs))]


def _swept_lanes(arguments: argparse.Namespace) -> list[LaneConfig]:
    """The methods before anything is searched, with what is fixed for all trials."""
    if hasattr(arguments, "methods"):
        if hasattr(arguments, "objective"):
            raise ConfigError("--methods says what is swept, so --objective says it twice. Leave one of them out.")
        lanes = method_lanes(_listed(arguments.methods))
    else:
        weights = WeightsConfig(**{WEIGHT_OPTIONS[k]: v for k, v in arguments.own.items() if k in WEIGHT_OPTIONS})
        lanes = objective_lanes(getattr(arguments, "objective", ObjectiveConfig().name), weights=weights)
    fixed = arguments.own | given(arguments, ("gamma",))
    single = [setting for setting in arguments.lane_settings if setting.setting != _SPACE]
    return list(changed_lanes(lanes, fixed, single))


def _own_spaces(arguments: argparse.Namespace, lanes: Sequence[LaneConfig]) -> dict[str, str]:
    """Axes by lane: those of its optimizer, then its own."""
    found: dict[str, str] = {}
    for runner, optimizer in _RUNNERS.items():
        if text := getattr(arguments, runner):
            mine = {lane.name: text for lane in lanes if lane.optimizer.name == optimizer}
            if not mine:
                raise ConfigError(f"No method of this sweep has the optimizer that --{runner} is for. Leave it out.")
            found |= mine
    return found | {lane: text for lane, setting, text in arguments.lane_settings if setting == _SPACE}


def _name(arguments: argparse.Namespace, lanes: Sequence[LaneConfig]) -> str:
    if hasattr(arguments, "methods"):
        return "_".join(lane.name for lane in lanes)
    kind = lanes[0].weights.kind
    return lanes[0].objective.name + {"lora": "-lora", "bfloat16": "-bf16"}.get(kind, "")


def _swept(record: Record, spaces: dict[str, Space]) -> str:
    lane = record.config.lanes[0]
    settings = f"lr {lane.optimizer.lr:g} {said_of(lane, spaces[lane.name])}".strip()
    return f"seed {record.config.seed} {lane.name} {settings}: {_scores(record, lane)}"


def _recorded_line(record: Record) -> str:
    lanes = "; ".join(
        f"{lane.name}{'' if lane.name not in _RUNNERS else f' {lane.objective.name}'}: {_scores(record, lane)}"
        for lane in record.config.lanes
    )
    return f"{record.config.preset} seed {record.config.seed}; {lanes}"


def _scores(record: Record, lane: LaneConfig) -> str:
    result = record.lanes[lane.name]
    clip = "" if result.clip_share is None else f" clip {result.clip_share:.2f}"
    ended = " diverged" if result.diverged else ""
    return f"forget {result.forget_acc:.3f} retain {result.retain_acc:.3f}{clip}{ended}"


def _written(screen: Screen, arguments: argparse.Namespace, page: Path, races: int) -> int:
    screen.say(f"Written: {page}")
    if arguments.json:
        print_json({"page": str(page), "races": races})
    return 0


def _values(arguments: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    defaults = {name: RaceConfig.model_fields[name].default for name in names}
    return {**defaults, **given(arguments, names)} | {"epochs": _number(arguments, "epochs")}


def _number(arguments: argparse.Namespace, name: str) -> int:
    """An option as a whole number: some are needed as one before any settings are checked."""
    text = getattr(arguments, name, None)
    try:
        return int(RaceConfig.model_fields[name].default if text is None else text)
    except ValueError:
        said = name.replace("_", " ").capitalize()
        raise ConfigError(f"{said} is “{text}”, but should be a whole number. Change it and try again.") from None


def _seeds(arguments: argparse.Namespace) -> list[int]:
    try:
        return list(dict.fromkeys(int(seed) for seed in arguments.seeds.split(",")))
    except ValueError:
        raise ConfigError(
            f"Seeds are “{arguments.seeds}”, but should be numbers with commas, such as 0,1,2."
        ) from None


def _listed(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _readme(arguments: argparse.Namespace) -> Path | None:
    return Path(arguments.readme) if arguments.readme else None


def _command(arguments: argparse.Namespace) -> str:
    return shlex.join(["python", "-m", "soul_core", *arguments.words])
