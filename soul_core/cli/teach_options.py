"""The options of ``teach`` with their help. It knows no model and no file."""

import argparse

from soul_core.cli.options import add_json, add_settings
from soul_core.config import TeachConfig, WeightsConfig

FLAGS = ("merge",)
SETTINGS = tuple(name for name in TeachConfig.model_fields if name not in ("weights", *FLAGS))
WEIGHTS = ("weights", "rank", "alpha", "targets")


def add_teach(command: argparse.ArgumentParser, program: str) -> None:
    """Options of ``teach``."""
    command.usage = f"{program} teach FILE --out DIR [options]"
    command.epilog = "The untouched model is the gold of the race that forgets the facts again."
    command.add_argument(
        "file",
        metavar="FILE|TASK",
        help="CSV, JSON, JSON lines or Parquet with questions and answers; or a task, whose forget set is taught.",
    )
    command.add_argument(
        "--out", metavar="DIR", required=True, help="A new or empty folder: the facts and the taught model go there."
    )
    command.add_argument(
        "--retain",
        metavar="FILE|TASK",
        default="",
        help="With a file: what should stay, a file like it, or a task. [default: the built-in invented authors]",
    )
    how = command.add_argument_group("how")
    add_settings(how, TeachConfig, SETTINGS)
    add_settings(how, WeightsConfig, WEIGHTS)
    merge = TeachConfig.model_fields["merge"].description or ""
    how.add_argument("--merge", action="store_true", default=argparse.SUPPRESS, help=merge)
    add_json(command)
