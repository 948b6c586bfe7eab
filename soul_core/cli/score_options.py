"""The options of ``score`` with their help. It knows no metric and no file."""

import argparse

from soul_core.cli.options import add_json, add_settings
from soul_core.config import RaceConfig, ScoreConfig

SWITCHES = ("slow", "zero_shot")


def add_score(command: argparse.ArgumentParser) -> None:
    """Options of ``score``."""
    command.usage = "python -m soul_core score [TARGET …] [options]"
    command.add_argument(
        "targets",
        nargs="*",
        metavar="TARGET",
        help="A run's folder or id (original, lanes and gold are scored), or a model: preset, hub id or folder.",
    )
    what = command.add_argument_group("how models are scored")
    what.add_argument(
        "--task",
        default="",
        metavar="TASK",
        help=f"What models are asked; a run has its own task. [default: {RaceConfig.model_fields['task'].default}]",
    )
    what.add_argument(
        "--gold",
        default="",
        metavar="MODEL",
        help="The model trained without the forget set: preset, hub id or folder. [default: the one that is known]",
    )
    add_settings(what, ScoreConfig, [name for name in ScoreConfig.model_fields if name not in SWITCHES])
    for name in SWITCHES:
        what.add_argument(
            f"--{name.replace('_', '-')}",
            action="store_true",
            default=argparse.SUPPRESS,
            help=ScoreConfig.model_fields[name].description,
        )
    what.add_argument(
        "--out",
        default="",
        metavar="DIR",
        help="Keep scorecards of models here, and find them here again. A run keeps its own in scores/.",
    )
    table = command.add_argument_group("tables")
    table.add_argument(
        "--view",
        default="everything",
        metavar="NAME",
        help="Which numbers: soul, tofu, memorization, privacy, copyright or everything. [default: %(default)s]",
    )
    table.add_argument("--csv", default="", metavar="FILE", help="Write the table to this file, to full precision.")
    table.add_argument("--markdown", action="store_true", help="Print the table as Markdown.")
    table.add_argument("--latex", action="store_true", help="Print the table for LaTeX.")
    log = command.add_argument_group("a log of TOFU's evaluation, whoever made it")
    log.add_argument(
        "--tofu-log",
        metavar="FILE",
        default="",
        help="An eval_log_aggregated.json, full or reduced, rows as objects or as lists.",
    )
    log.add_argument(
        "--gold-log",
        metavar="FILE",
        default="",
        help="The same of the model trained without the forget set; forget quality needs it.",
    )
    add_json(command)
