"""The options of ``sweep``, ``study`` and ``compare`` with their help. It knows no search and no race."""

import argparse

from soul_core.cli.options import add_json, add_settings
from soul_core.config import ObjectiveConfig, RaceConfig


def add_sweep(command: argparse.ArgumentParser) -> None:
    """Options of ``sweep``."""
    add_settings(command.add_argument_group("what"), RaceConfig, ("model", "task", "epochs"))
    same = command.add_argument_group("the same for every trial")
    same.add_argument(
        "--objective",
        metavar="NAME",
        default=argparse.SUPPRESS,
        help=f"The loss that makes it forget, for FO, SO and the control. [default: {ObjectiveConfig().name}]",
    )
    same.add_argument(
        "--methods",
        metavar="NAMES",
        default=argparse.SUPPRESS,
        help="Instead: up to six methods, such as so-ihl-lora,fo-ihl-lora,loku.",
    )
    same.add_argument(
        "--gamma",
        default=argparse.SUPPRESS,
        metavar="X",
        help="Weight of the retain term; it is then not searched. Any other setting may be fixed as well, such as "
        "--weights lora, --beta 0.2 or, for one lane, --so.curvature-rows forget. [default: that of “Same settings”]",
    )
    same.add_argument("--seed", default="100", metavar="N", help="None of the study's seeds. [default: %(default)s]")
    same.add_argument("--eval-rows", default="400", metavar="N", help="Rows asked of each set. [default: %(default)s]")
    axes = command.add_argument_group(
        "what is searched",
        "AXES are settings with blanks between them: values (gamma=1,3,10), a range (beta=0.05..0.5), a range over "
        "orders of magnitude (lr=log:1e-4..1e-2), or values that belong together "
        "(curvature+rho=gnb/0.04,squared-gradient/10).",
    )
    axes.add_argument(
        "--space",
        default="",
        metavar="AXES",
        help="For every method that has the setting. [default: the learning rate and, at random, γ]",
    )
    for lane, optimizer in (("fo", "AdamW"), ("so", "Sophia"), ("sign", "sign momentum")):
        words = f"What else is searched with {optimizer}; without --space, all that is. [default: four variants]"
        axes.add_argument(f"--{lane}", default="", metavar="AXES", help=words)
    axes.add_argument("--METHOD.space", dest="_", metavar="AXES", help="The same for one method, by its name.")
    axes.add_argument(
        "--budget",
        default="",
        metavar="N",
        help="Draw N settings at random for each method, shared ones alike. [default: the full grid; 24 with ranges]",
    )
    how = command.add_argument_group("how it is chosen and run")
    how.add_argument("--finalists", default="6", metavar="N", help="Settings run again. [default: %(default)s]")
    how.add_argument("--more-seeds", default="2", metavar="N", help="Seeds they get. [default: %(default)s]")
    _jobs(how)
    how.add_argument("--name", default="", help="Name of the files. [default: split and objective]")
    how.add_argument("--apply", action="store_true", help="Write the choice into the preset “Each at its best”.")
    how.add_argument("--out", metavar="DIR", default="docs/sweeps", help="Their folder. [default: %(default)s]")
    add_json(command)


def add_study(command: argparse.ArgumentParser) -> None:
    """Options of ``study``."""
    add_settings(command.add_argument_group("what"), RaceConfig, ("model", "task", "epochs"))
    command.add_argument("--seeds", default="0,1,2,3,4", metavar="LIST", help="Seeds. [default: %(default)s]")
    command.add_argument(
        "--presets",
        default="same-settings,each-at-its-best,as-published",
        metavar="LIST",
        help="Presets. [default: %(default)s]",
    )
    _results(command, "[default: %(default)s]", "forget10-graddiff")


def add_compare(command: argparse.ArgumentParser) -> None:
    """Options of ``compare``."""
    what = command.add_argument_group("what")
    add_settings(what, RaceConfig, ("model", "task", "epochs"))
    what.add_argument(
        "--objectives", default="all", metavar="NAMES", help="Those trained step by step. [default: %(default)s]"
    )
    what.add_argument("--lanes", default="fo,so,sign", metavar="NAMES", help="Optimizers. [default: %(default)s]")
    what.add_argument(
        "--methods",
        default="all",
        metavar="NAMES",
        help="Methods with a name of their own, a row each; empty for none. [default: %(default)s]",
    )
    what.add_argument("--seeds", default="0,1,2", metavar="LIST", help="Seeds. [default: %(default)s]")
    what.add_argument(
        "--preset", default="each-at-its-best", metavar="NAME", help="Whose settings. [default: %(default)s]"
    )
    _results(command, "[default: split and “methods”]", "")


def _results(command: argparse.ArgumentParser, default: str, name: str) -> None:
    command.add_argument("--name", default=name, help=f"Name of the files. {default}")
    command.add_argument("--out", metavar="DIR", default="docs/results", help="Their folder. [default: %(default)s]")
    command.add_argument("--readme", metavar="FILE", default="", help="Also put the table between this file's marks.")
    _jobs(command)
    add_json(command)


def _jobs(command: "argparse._ActionsContainer") -> None:
    command.add_argument(
        "--jobs",
        default="",
        metavar="N",
        help="Races at a time, each in a process of its own. [default: one for each core; 1 on a GPU]",
    )
