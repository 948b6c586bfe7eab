"""``export-task``, ``train-pocket``, ``train-gold``, ``train-small``: tasks and models, made. It knows no recipe."""

import argparse
from pathlib import Path

from soul_core.cli.screen import Screen, print_json
from soul_core.cli.watching import watched
from soul_core.config import RaceConfig
from soul_core.data.export import export_task
from soul_core.data.tasks import load_task
from soul_core.paths import POCKET_MODELS
from soul_core.session.pocket_make import train_gold, train_pocket
from soul_core.session.small import train_small

_STOPPED = "Stopped; a model that was not finished is not kept."
STOPPED = 130


def run(arguments: argparse.Namespace) -> int:
    """Make the files and say where they are."""
    makers = {"export-task": _export, "train-pocket": _pocket, "train-gold": _gold, "train-small": _small}
    return makers[arguments.command](arguments)


def _export(arguments: argparse.Namespace) -> int:
    """Write the invented authors in TOFU's layout."""
    folder = Path(arguments.folder).expanduser()
    written = export_task(folder)
    Screen(json_wanted=arguments.json).say(f"Written: {len(written)} files in {folder}")
    if arguments.json:
        print_json({"folder": str(folder), "files": [path.name for path in written]})
    return 0


def _pocket(arguments: argparse.Namespace) -> int:
    """Train the shipped models again."""
    out = Path(arguments.out).expanduser() if arguments.out else POCKET_MODELS
    screen = Screen()
    folders = watched(train_pocket(arguments.names, out), screen, stopped=_STOPPED)
    if folders is None:
        return STOPPED
    for folder in folders:
        screen.say(f"Written: {folder}")
    return 0


def _gold(arguments: argparse.Namespace) -> int:
    """Train the gold of one forget set."""
    screen = Screen()
    task = load_task(getattr(arguments, "task", RaceConfig.model_fields["task"].default))
    folder = watched(train_gold(task, Path(arguments.out).expanduser()), screen, stopped=_STOPPED)
    if folder is None:
        return STOPPED
    screen.say(f"Written: {folder}")
    return 0


def _small(arguments: argparse.Namespace) -> int:
    """Train a small original and its gold on any question-answer task."""
    screen = Screen()
    task = load_task(getattr(arguments, "task", RaceConfig.model_fields["task"].default))
    folders = watched(train_small(task, Path(arguments.out).expanduser()), screen, stopped=_STOPPED)
    if folders is None:
        return STOPPED
    for folder in folders:
        screen.say(f"Written: {folder}")
    return 0
