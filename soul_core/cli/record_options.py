"""The options of ``record`` with their help. It knows no run."""

import argparse

from soul_core.cli.options import add_json


def add_record(command: argparse.ArgumentParser, program: str) -> None:
    """Options of ``record``."""
    command.usage = f"{program} record RUN --out DIR [options]"
    command.epilog = "The page replays what lies in assets/recorded, labelled as recorded."
    command.add_argument("run", metavar="RUN", help="A finished run: its id in runs/, or its folder.")
    command.add_argument("--out", metavar="DIR", required=True, help="A new folder; its name is the recording's.")
    command.add_argument("--title", metavar="TEXT", default="", help="A few words for the list.")
    command.add_argument("--sentence", metavar="TEXT", default="", help="What can be seen in it.")
    command.add_argument("--machine", metavar="TEXT", default="", help="What it ran on. [default: as the run noted]")
    command.add_argument(
        "--commit", metavar="HASH", default="", help="Of the code that ran the race. [default: of this checkout]"
    )
    add_json(command)
