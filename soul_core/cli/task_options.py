"""The arguments of ``tasks`` and ``tasks show``. It knows no task."""

import argparse

from soul_core.cli.options import add_json

_LIMIT = 20


def add_tasks(command: argparse.ArgumentParser, program: str) -> None:
    """Without more it lists; ``show NAME`` looks into one task."""
    command.usage = f"{program} tasks [--json] [show NAME [options]]"
    command.epilog = (
        "Behind any task, #rows=1-20,33 or #subjects=Name;Name makes a forget set of your own: "
        "race --task 'tofu:forget10#subjects=Author 181;Author 182'."
    )
    add_json(command)
    actions = command.add_subparsers(dest="action", metavar="show", prog=f"{program} tasks")
    words = "Look at a task's rows before using them."
    usage = f"{program} tasks show NAME [options]"
    show = actions.add_parser("show", help=words, description=words, usage=usage, allow_abbrev=False)
    show.add_argument("name", metavar="NAME", help="A task and a split, such as tofu:forget10, or a task alone.")
    show.add_argument(
        "--set", metavar="NAME", default="rows", help="Which set; rows are those trained on. [default: %(default)s]"
    )
    show.add_argument("--search", metavar="WORDS", default="", help="Only rows with this text.")
    show.add_argument("--subject", metavar="NAME", default="", help="Only rows about this subject.")
    show.add_argument(
        "--limit", metavar="N", type=_count, default=_LIMIT, help="At most so many rows. [default: %(default)s]"
    )
    show.add_argument("--offset", metavar="N", type=_count, default=0, help="Pass over so many rows first.")
    # Not a default of its own: it would undo what stands in front of “show”.
    show.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="As without “show”.")


def _count(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"“{text}” is not a whole number of rows")
    return int(text)
