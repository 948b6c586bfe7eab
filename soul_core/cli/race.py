"""``race``: settings from the options, a race, its progress and its table. It knows no tensors."""

import argparse
import shlex
from contextlib import closing
from pathlib import Path
from typing import Any

from soul_core.cli.interrupts import interrupts
from soul_core.cli.launch import hushed
from soul_core.cli.options import given, race_settings
from soul_core.cli.screen import Bar, Screen, print_json
from soul_core.config import (
    OBJECTIVE_OPTIONS,
    OPTIMIZER_OPTIONS,
    WEIGHT_OPTIONS,
    LaneConfig,
    ObjectiveConfig,
    RaceConfig,
    WeightsConfig,
)
from soul_core.data.tasks import load_task
from soul_core.errors import ConfigError, SoulError
from soul_core.events import EpochReport, Event, LaneEnded, Progress, RaceEnded, RaceStarted, StepReport
from soul_core.models.world import World, join
from soul_core.objectives import find_objective
from soul_core.runs.folder import RunFolder
from soul_core.runs.store import RunStore
from soul_core.runs.summary import REFERENCES, RaceSummary, result_json, summarise
from soul_core.session.changes import changed_lanes
from soul_core.session.checks import check_race
from soul_core.session.methods import lane_of
from soul_core.session.presets import lanes_for
from soul_core.session.race import finish, race
from soul_core.session.tracking import require_tracking, tracked
from soul_core.session.verdict import verdict

RUNS = Path("runs")
STOPPED = 130
MAX_LANES = 6


def run(arguments: argparse.Namespace) -> int:
    """Start or resume a race, show it, and print what came out; of several processes the main one does the latter."""
    world = join()
    try:
        with hushed():
            status = _run(arguments, world)
    except SoulError:  # which all processes have; after anything else the others may not be there to part from
        world.close()
        raise
    world.close()
    return status


def _run(arguments: argparse.Namespace, world: World) -> int:
    screen = Screen(json_wanted=arguments.json)
    if arguments.track:
        world.from_main(lambda: require_tracking(arguments.track))
    folder, config = world.from_main(lambda: _opened(arguments))
    screen.say(f"Run folder: {folder.path}")
    stopped = False
    with interrupts() as interrupted, screen.bar() as bar:
        watch = Watch(screen, bar, config)
        running = race(config, folder, resume=bool(arguments.resume), world=world)
        if arguments.track and world.main:
            running = tracked(running, arguments.track, config)
        with closing(running) as events:
            for event in events:
                watch.show(event)
                # Between two of these reports every process has events of its own, so there none can ask the others.
                if world.size == 1 or isinstance(event, StepReport | EpochReport):
                    stopped = world.any(interrupted())
                    if stopped:
                        break
    if not world.main:
        return STOPPED if stopped else 0
    stopped = stopped and not folder.done
    if stopped:
        finish(folder)
    summary = summarise(folder.events())
    screen.table("", *table_of(summary))
    screen.say(verdict(folder.events()))
    status = 0
    if stopped:
        again = f"python -m soul_core race --resume {shlex.quote(str(folder.path))}"
        screen.say(f"Stopped; what was finished is in {folder.path}. Go on with: {again}")
        status = STOPPED
    elif (folder.path / "report.html").is_file():
        screen.say(f"Report: {folder.path / 'report.html'}")
    if arguments.json:
        print_json(result_json(summary))
    return status


def config_of(arguments: argparse.Namespace) -> RaceConfig:
    """The race that the options describe.

    Raises:
        ConfigError: A setting, lane or objective does not exist, or a value is out of bounds.
    """
    values = given(arguments, race_settings())
    preset = values.get("preset", RaceConfig.model_fields["preset"].default)
    lanes = _methods(arguments, preset) if hasattr(arguments, "methods") else _of_one_objective(arguments, preset)
    every = given(arguments, {*OPTIMIZER_OPTIONS, *OBJECTIVE_OPTIONS, *WEIGHT_OPTIONS} - {"objective", "optimizer"})
    config = RaceConfig(**values, lanes=changed_lanes(lanes, every | arguments.own, arguments.lane_settings))
    check_race(config)
    return config


def _methods(arguments: argparse.Namespace, preset: str) -> list[LaneConfig]:
    for name in ("objective", "lanes"):
        if hasattr(arguments, name):
            raise ConfigError(f"--methods says who runs, so --{name} says it twice. Leave one of them out.")
    names = _listed(arguments.methods)
    if not names:
        raise ConfigError("No method is to run. Name at least one, such as --methods so-graddiff,fo-npo.")
    if len(names) > MAX_LANES:
        raise ConfigError(f"{len(names)} methods are named, but a race has room for {MAX_LANES}. Leave some out.")
    return [lane_of(name, preset, _weights(arguments)) for name in names]


def _of_one_objective(arguments: argparse.Namespace, preset: str) -> list[LaneConfig]:
    objective = find_objective(getattr(arguments, "objective", ObjectiveConfig().name))
    if objective.kind != "trained":
        raise ConfigError(f"{objective.label} has no FO and SO. Run it with --methods {objective.name}.")
    weights = WeightsConfig(**_weights(arguments))
    offered = {lane.name: lane for lane in lanes_for(preset, objective.name, control=True, weights=weights)}
    names = _listed(getattr(arguments, "lanes", "fo,so"))
    if not names:
        raise ConfigError(f"No lane is to run. Name at least one of {', '.join(offered)}, such as --lanes fo,so.")
    for name in names:
        if name not in offered:
            raise ConfigError(f"There is no lane “{name}”. Choose from {', '.join(offered)}, such as --lanes fo,so.")
    return [offered[name] for name in names]


def _weights(arguments: argparse.Namespace) -> dict[str, Any]:
    """The weights' settings that were typed for all lanes."""
    return {WEIGHT_OPTIONS[name]: value for name, value in given(arguments, WEIGHT_OPTIONS).items()}


def _listed(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _opened(arguments: argparse.Namespace) -> tuple[RunFolder, RaceConfig]:
    folder = resumed(arguments) if arguments.resume else begun(arguments)
    return folder, folder.config


def begun(arguments: argparse.Namespace) -> RunFolder:
    """A new run; nothing is written for a task that does not exist."""
    config = config_of(arguments)
    load_task(config.task)
    return RunStore(RUNS).create(config, at=Path(arguments.out).expanduser() if arguments.out else None)


def resumed(arguments: argparse.Namespace) -> RunFolder:
    """The run to go on with.

    Raises:
        ConfigError: Other settings are given too; a run keeps its own.
    """
    settings = {*race_settings(), *OPTIMIZER_OPTIONS, *OBJECTIVE_OPTIONS, *WEIGHT_OPTIONS, "methods", "lanes"}
    changed = [f"--{name.replace('_', '-')}" for name in given(arguments, settings)]
    changed += [f"--{lane}.{setting}" for lane, setting, _ in arguments.lane_settings]
    changed += [f"--{name.replace('_', '-')}" for name in arguments.own]
    changed += ["--out"] if arguments.out else []
    if changed:
        raise ConfigError(
            f"{changed[0]} cannot be changed while resuming: the run keeps its settings. Leave it out, or start a new "
            "race without --resume."
        )
    return RunStore(RUNS).open(arguments.resume)


class Watch:
    """Turns events into the bar and the lines above it."""

    def __init__(self, screen: Screen, bar: Bar, config: RaceConfig) -> None:
        self._screen, self._bar = screen, bar
        self._labels = {lane.name: lane.label for lane in config.lanes} | {"original": "Original", "gold": "Gold"}
        kinds = [find_objective(lane.objective.name).kind for lane in config.lanes]
        self._trained, self._epochs = kinds.count("trained"), config.epochs
        self._steps: dict[str, int] = {}
        self._total = 0

    def show(self, event: Event) -> None:
        """Take note of one event."""
        match event:
            case RaceStarted():
                self._total = event.steps_per_epoch * self._epochs * self._trained
                for note in event.notes:
                    self._screen.say(note)
            case StepReport():
                self._steps[event.lane] = event.step
                self._move(event)
            case Progress():
                self._move(event)
            case EpochReport():
                self._screen.say(epoch_line(self._label(event.lane), event))
            case LaneEnded() if event.message:
                self._screen.say(f"{self._label(event.lane)}: {event.message}")
            case RaceEnded():
                self._screen.say(event.message)

    def _label(self, lane: str) -> str:
        return self._labels.get(lane, lane)

    def _move(self, event: StepReport | Progress) -> None:
        what = race_line(event, self._label(event.lane))
        self._bar.show(what, min(sum(self._steps.values()), self._total), self._total or 1)


def race_line(event: StepReport | Progress, label: str = "") -> str:
    """What is under way."""
    who = label or event.lane
    if isinstance(event, StepReport):
        return f"{who}, epoch {event.epoch}"
    return f"{who} {event.what} {event.done}/{event.total}".strip()


def epoch_line(label: str, report: EpochReport) -> str:
    """What one lane scored after one epoch, as one line."""
    parts = [f"{name.replace('_', ' ')} Acc {scores.acc:.0%}" for name, scores in report.scores.items()]
    when = "" if report.lane in REFERENCES else f", epoch {report.epoch}"
    return f"{label}{when}: {', '.join(parts) or 'not evaluated'}"


def table_of(summary: RaceSummary) -> tuple[list[str], list[list[str]]]:
    """Columns and rows of the table at the end: the newest scores of every lane."""
    columns = [
        "Lane",
        "Epoch",
        "Forget Acc",
        "Retain Acc",
        "Forget ROUGE-L",
        "Retain ROUGE-L",
        "Clip share",
        "Seconds",
    ]
    rows = []
    for lane in ("original", *summary.lanes, "gold"):
        report = summary.last(lane)
        if report is None:
            continue
        scores = [summary.score(lane, name) for name in ("forget", "retain")]
        acc = [f"{s.acc:.3f} ({s.acc_low:.2f}–{s.acc_high:.2f})" if s else "–" for s in scores]
        rouge = [f"{s.rouge_l:.3f}" if s else "–" for s in scores]
        clip = "–" if report.clip_share is None else f"{report.clip_share:.3f}"
        rows.append([summary.label(lane), str(report.epoch), *acc, *rouge, clip, f"{summary.seconds(lane):.1f}"])
    return columns, rows
