"""``teach``: a person's facts taught to a model, and the command that lets it forget them. It knows no tensors."""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from soul_core.cli.options import given
from soul_core.cli.screen import Screen, print_json, printable
from soul_core.cli.teach_options import FLAGS, SETTINGS, WEIGHTS
from soul_core.cli.watching import watched
from soul_core.config import WEIGHT_OPTIONS, TeachConfig, WeightsConfig
from soul_core.data.own_files import SUFFIXES
from soul_core.data.own_retain import BUILT_IN
from soul_core.data.own_rows import origin_of, rows_from
from soul_core.data.own_task import prepare, save_own_task
from soul_core.data.schema import ForgetTask
from soul_core.data.tasks import load_task
from soul_core.errors import ConfigError
from soul_core.session.command import command_of
from soul_core.session.taught import Answer
from soul_core.session.teach import teach

STOPPED = 130
FACTS, MODEL = "facts", "model"
_SHOWN = 20


def run(arguments: argparse.Namespace) -> int:
    """Read the facts, teach them, show what the model knew before and after, say how to race."""
    screen = Screen(json_wanted=arguments.json)
    config = config_of(arguments)
    out = Path(arguments.out).expanduser().resolve()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} is not empty. Choose a new or an empty folder.")
    made = not out.exists()
    try:
        work = teach(task_of(arguments, out, screen), config, out / MODEL)
        taught = watched(work, screen, stopped="Stopped; nothing is kept.")
    except BaseException:
        _clear(out, made=made)
        raise
    if taught is None:
        _clear(out, made=made)
        return STOPPED
    screen.table("", ["Question", "Before", "After", "Known"], table_of(taught.answers[:_SHOWN]))
    screen.say(taught.sentence)
    command = command_of(taught.race())
    screen.say(f"Taught model: {taught.folder}")
    screen.say(f"Let it forget them: {command}")
    if arguments.json:
        print_json({**taught.to_json(), "command": command})
    return 0


def config_of(arguments: argparse.Namespace) -> TeachConfig:
    """The settings that were typed."""
    weights = {WEIGHT_OPTIONS[name]: value for name, value in given(arguments, WEIGHTS).items()}
    return TeachConfig(**given(arguments, (*SETTINGS, *FLAGS)), weights=WeightsConfig(**weights))


def task_of(arguments: argparse.Namespace, out: Path, screen: Screen) -> ForgetTask:
    """The facts as a task: a file's are kept in ``out``, so that the race finds them; a task is taken as it is.

    Raises:
        DatasetError: The file or the task cannot be used.
        ConfigError: Rows to retain are given for a task that has its own.
    """
    path = Path(arguments.file).expanduser()
    if not (path.is_file() or path.suffix.lower() in SUFFIXES):
        if arguments.retain:
            raise ConfigError(f"“{arguments.file}” is a task and retains its own rows. Leave --retain out.")
        return load_task(arguments.file)
    rows, mapping = rows_from(path)
    prepared = prepare(rows, arguments.retain or BUILT_IN)
    for finding in prepared.report.findings:
        screen.say(printable(finding.sentence))
    prepared.report.require()
    return save_own_task(out / FACTS, prepared.forget, retain=prepared.kept, origin=origin_of(path), mapping=mapping)


def table_of(answers: Sequence[Answer]) -> list[list[str]]:
    """A row for each fact; a model's words, which the screen makes safe."""
    yes_no = {True: "yes", False: "no"}
    return [[a.question, a.before, a.after, f"{yes_no[a.known_before]} → {yes_no[a.known_after]}"] for a in answers]


def _clear(out: Path, *, made: bool) -> None:
    """Leave the folder as it was: not there, or empty."""
    for name in (FACTS, MODEL):
        shutil.rmtree(out / name, ignore_errors=True)
    if made and out.is_dir() and not any(out.iterdir()):
        out.rmdir()
