"""The commands with their help, and what happens to their errors. It knows no command's work.

A command's module is imported when the command runs: torch takes seconds to import and ``--help`` needs none of it.
"""

import argparse
import importlib
import logging
import secrets
import sys
from collections.abc import Callable, Sequence

from soul_core import __version__
from soul_core.cli.launch import hushed, require_launchable
from soul_core.cli.measure_options import add_compare, add_study, add_sweep
from soul_core.cli.options import add_json, add_settings, own_settings, race_settings, split_lane_settings
from soul_core.cli.own_options import add_import
from soul_core.cli.probe_options import add_probing
from soul_core.cli.record_options import add_record
from soul_core.cli.relearn_options import add_relearning
from soul_core.cli.runs_options import add_runs
from soul_core.cli.score_options import add_score
from soul_core.cli.task_options import add_tasks
from soul_core.cli.teach_options import add_teach
from soul_core.config import (
    OBJECTIVE_OPTIONS,
    OPTIMIZER_OPTIONS,
    WEIGHT_OPTIONS,
    AskConfig,
    ObjectiveConfig,
    OptimizerConfig,
    RaceConfig,
    WeightsConfig,
)
from soul_core.errors import SoulError

PROGRAM = "python -m soul_core"
MODULES = {
    "race": "soul_core.cli.race",
    "ask": "soul_core.cli.ask",
    "models": "soul_core.cli.lists",
    "tasks": "soul_core.cli.lists",
    "methods": "soul_core.cli.lists",
    "metrics": "soul_core.cli.lists",
    "export-task": "soul_core.cli.make",
    "import-task": "soul_core.cli.own",
    "teach": "soul_core.cli.teach",
    "train-pocket": "soul_core.cli.make",
    "train-gold": "soul_core.cli.make",
    "train-small": "soul_core.cli.make",
    "sweep": "soul_core.cli.measure",
    "study": "soul_core.cli.measure",
    "compare": "soul_core.cli.measure",
    "score": "soul_core.cli.score_models",
    "probe": "soul_core.cli.probe",
    "lens": "soul_core.cli.probe",
    "attacks": "soul_core.cli.lists",
    "runs": "soul_core.cli.runs",
    "relearn": "soul_core.cli.relearn",
    "round": "soul_core.cli.relearn",
    "inspect": "soul_core.cli.relearn",
    "verdicts": "soul_core.cli.relearn",
    "record": "soul_core.cli.record",
}
_PRESETS_DEFAULT = "default: the preset's"
_WITH_LANES = ("race", "sweep")

logger = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status.

    0: done. 1: a bug, with its traceback and an id on standard error. 2: something a person can mend, in one line.
    130: stopped with Ctrl-C.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        with hushed():
            arguments = parsed(words)
        require_launchable(arguments.command)
        for file in arguments.plugins:
            importlib.import_module("soul_core.session.plugins").load_plugin(file)
        command: Callable[[argparse.Namespace], int] = importlib.import_module(MODULES[arguments.command]).run
        return command(arguments)
    except SoulError as error:
        with hushed():
            sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("Stopped.\n")
        return 130
    except BrokenPipeError:
        # Whoever read the output (head, less) has left; Python would complain again when it closes stdout.
        sys.stderr.close()
        return 0
    except Exception:
        bug = secrets.token_hex(4)
        logger.exception("bug %s", bug)
        sys.stderr.write(f"This is a bug in SOUL, not in what you did (id {bug}). Please report the lines above.\n")
        return 1


def parsed(words: Sequence[str]) -> argparse.Namespace:
    """The arguments, with what only some lanes have in ``lane_settings`` and ``own``.

    Raises:
        ConfigError: A setting is written without its value.
    """
    rest, lane_settings = split_lane_settings(words)
    arguments, unknown = parser().parse_known_args(rest)
    if unknown or lane_settings:
        if arguments.command not in _WITH_LANES:
            parser().error(f"unrecognized arguments: {' '.join(unknown) or '--' + '.'.join(lane_settings[0][:2])}")
        # Which settings objectives have of their own, only the registry knows, and that needs torch.
        arguments.own = own_settings(unknown)
    else:
        arguments.own = {}
    arguments.lane_settings, arguments.words = lane_settings, list(words)
    return arguments


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog=PROGRAM,
        usage=f"{PROGRAM} COMMAND [options]",
        description="SOUL: watch a language model forget, with first-order and second-order optimizers side by side.",
        epilog=f"Help on one command: {PROGRAM} race --help. The page: make app.",
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"soul {__version__}")
    top.add_argument(
        "--with",
        dest="plugins",
        metavar="FILE.py",
        action="append",
        default=[],
        help="First run this file of yours, which registers objectives of your own; may be given again.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", title="commands")
    _race(_command(commands, "race", "Let optimizers make copies of one model forget, epoch by epoch, and compare."))
    _ask(_command(commands, "ask", "Ask the models of a run, or any model, one question."))
    for name, words in (
        ("models", "List the models that have a short name."),
        ("methods", "List objectives, optimizers and presets."),
        ("metrics", "List every number of a scorecard: meaning, direction, convention, formula, source."),
        ("attacks", "List the attacks that probe tries: what each does and what counts as a leak."),
    ):
        add_json(_command(commands, name, words))
    add_tasks(_command(commands, "tasks", "List the tasks and their forget sets, or show the rows of one."), PROGRAM)
    export = _command(
        commands, "export-task", "Write the invented authors as a folder that datasets.load_dataset reads."
    )
    export.usage = f"{PROGRAM} export-task DIR [options]"
    export.add_argument("folder", metavar="DIR", help="A new or empty folder.")
    add_json(export)
    add_import(_command(commands, "import-task", "Make a task of your own questions and answers."), PROGRAM)
    add_teach(_command(commands, "teach", "Teach facts of your own to a model, to let it forget them."), PROGRAM)
    pocket = _command(commands, "train-pocket", "Train the shipped models again: tokenizer, original and gold.")
    pocket.usage = f"{PROGRAM} train-pocket [NAME …] [options]"
    pocket.add_argument("names", nargs="*", metavar="NAME", help="Which of them. [default: all]")
    pocket.add_argument("--out", metavar="DIR", default="", help="Where to. [default: the project's assets]")
    gold = _command(commands, "train-gold", "Train a gold model: one that never saw the forget set.")
    add_settings(gold.add_argument_group("what"), RaceConfig, ("task",))
    gold.add_argument(
        "--out",
        metavar="DIR",
        default="runs/golds",
        help="Folder below which the model gets its own; races in runs/ find it there. [default: %(default)s]",
    )
    small = _command(
        commands, "train-small", "Train a small model that knows a task, and its gold, from nothing: to measure on."
    )
    add_settings(small.add_argument_group("what"), RaceConfig, ("task",))
    small.add_argument(
        "--out", metavar="DIR", default="runs/small", help="Gets the folders original and gold. [default: %(default)s]"
    )
    add_sweep(_command(commands, "sweep", "Try the same number of settings for each method and record every trial."))
    add_study(_command(commands, "study", "Race every preset with several seeds; write the README's table."))
    add_compare(_command(commands, "compare", "Race every objective with FO, SO and the control; write one table."))
    add_record(_command(commands, "record", "Keep a finished run as a recording that the page can replay."), PROGRAM)
    add_runs(_command(commands, "runs", "List, name, delete, export, import, compare and push runs."), PROGRAM)
    add_score(_command(commands, "score", "Score runs, models or a log: every number with its interval."))
    add_probing(lambda name, words: _command(commands, name, words), PROGRAM)
    add_relearning(lambda name, words: _command(commands, name, words), PROGRAM)
    return top


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, words: str
) -> argparse.ArgumentParser:
    usage = f"{PROGRAM} {name} [options]"
    return commands.add_parser(name, help=words, description=words, usage=usage, allow_abbrev=False)


def _race(command: argparse.ArgumentParser) -> None:
    main_settings = ("model", "task", "preset", "epochs", "seed")
    what = command.add_argument_group("what")
    add_settings(what, RaceConfig, main_settings)
    what.add_argument(
        "--objective",
        dest="objective",
        default=argparse.SUPPRESS,
        metavar="NAME",
        help=f"The loss that makes it forget; see {PROGRAM} methods. [default: {ObjectiveConfig().name}]",
    )
    what.add_argument(
        "--lanes",
        default=argparse.SUPPRESS,
        metavar="NAMES",
        help="Who runs: fo, so, and sign, the control. [default: fo,so]",
    )
    what.add_argument(
        "--methods",
        default=argparse.SUPPRESS,
        metavar="NAMES",
        help="Instead of objective and lanes: up to six methods, such as so-graddiff,fo-npo,loku,influence; "
        f"see {PROGRAM} methods.",
    )
    where = command.add_argument_group("where")
    where.add_argument(
        "--out", metavar="DIR", default="", help="The run's folder, new or empty. [default: a new one in runs/]"
    )
    where.add_argument("--resume", metavar="DIR", default="", help="Go on with this run from its last complete epoch.")
    where.add_argument(
        "--track",
        metavar="PROJECT",
        default="",
        help="Log it to trackio as well, on this machine; trackio is an extra.",
    )
    add_json(where)
    rest = [name for name in race_settings() if name not in main_settings]
    add_settings(command.add_argument_group("training and evaluation"), RaceConfig, rest)
    lanes = command.add_argument_group(
        "optimizer and objective of every lane",
        "For one lane alone put its name in front: --fo.lr 0.002 --so.rho 0.1. What an objective has of its own, such "
        f"as --beta 0.2, is listed by {PROGRAM} methods.",
    )
    optimizer = [name for name in OPTIMIZER_OPTIONS if name != "optimizer"]
    add_settings(lanes, OptimizerConfig, optimizer, default_text=_PRESETS_DEFAULT)
    objective = [name for name in OBJECTIVE_OPTIONS if name != "objective"]
    add_settings(lanes, ObjectiveConfig, objective, default_text=_PRESETS_DEFAULT)
    add_settings(lanes, WeightsConfig, WEIGHT_OPTIONS, default_text=_PRESETS_DEFAULT)


def _ask(command: argparse.ArgumentParser) -> None:
    add_settings(command.add_argument_group("what"), AskConfig, ("question",), default_text="needed")
    whom = command.add_argument_group("whom (one of these)")
    whom.add_argument("--run", metavar="DIR", default="", help="A run's folder: original, lanes and gold answer.")
    whom.add_argument(
        "--model", metavar="NAME", action="append", default=[], help="A preset, hub id or folder; may be given again."
    )
    how = command.add_argument_group("how")
    add_settings(how, AskConfig, [name for name in AskConfig.model_fields if name != "question"])
    add_json(how)
