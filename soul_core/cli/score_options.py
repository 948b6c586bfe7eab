"""The options of ``score`` with their help. It knows no metric and no file."""

import argparse

from soul_core.cli.options import add_json


def add_score(command: argparse.ArgumentParser) -> None:
    """Options of ``score``."""
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
