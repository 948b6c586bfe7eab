"""The options of ``probe`` and ``lens`` with their help. It knows no model."""

import argparse
from collections.abc import Callable

from soul_core.cli.options import add_json, add_settings
from soul_core.probing.settings import AttackConfig

ALTERNATIVES = 10


def add_probing(command: Callable[[str, str], argparse.ArgumentParser], program: str) -> None:
    """The two commands.

    Args:
        command: Makes a command of a name and what it does.
        program: How a command line begins.
    """
    probe = command("probe", "Attack a run's models: try in many ways to get out what they were to forget.")
    probe.usage = f"{program} probe RUN [options]"
    _add_run(probe)
    how = probe.add_argument_group("how")
    how.add_argument(
        "--attacks",
        default="",
        metavar="NAMES",
        help=f"Only these, with commas; own is your own; see {program} attacks. [default: all]",
    )
    how.add_argument(
        "--own",
        dest="templates",
        action="append",
        default=[],
        metavar="TEXT",
        help="An attack of your own: a prompt in which {question} stands where the question goes; may be given again.",
    )
    how.add_argument(
        "--models", default="", metavar="NAMES", help="Only these: original, gold or lanes. [default: all]"
    )
    add_settings(
        how, AttackConfig, [name for name in AttackConfig.model_fields if name not in ("attacks", "templates")]
    )
    _add_epoch(how)
    add_json(probe)
    lens = command("lens", "Show how likely each token of a true answer is under every model of a run.")
    lens.usage = f"{program} lens RUN QUESTION [options]"
    _add_run(lens)
    lens.add_argument("question", metavar="QUESTION", help="One of the task's, or any other with --answer.")
    lens.add_argument("--answer", default="", metavar="TEXT", help="The true answer. [default: the task's]")
    lens.add_argument(
        "--top",
        default=str(ALTERNATIVES),
        metavar="N",
        help="How many of the likeliest tokens stand at each place in the JSON. [default: %(default)s]",
    )
    _add_epoch(lens)
    add_json(lens)


def _add_run(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", metavar="RUN", help="A run's folder or id.")


def _add_epoch(group: "argparse._ActionsContainer") -> None:
    group.add_argument(
        "--epoch",
        default="",
        metavar="N",
        help="Of the lanes' weights, 0 for the start, where they were kept. [default: their last]",
    )
