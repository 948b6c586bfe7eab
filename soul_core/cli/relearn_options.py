"""The options of ``relearn``, ``round``, ``inspect`` and ``verdicts`` with their help. It knows no model."""

import argparse
from collections.abc import Callable

from soul_core.cli.options import add_json, add_settings
from soul_core.probing.settings import RelearnConfig, RoundingConfig

ROWS = 24


def add_relearning(command: Callable[[str, str], argparse.ArgumentParser], program: str) -> None:
    """The four commands.

    Args:
        command: Makes a command of a name and what it does.
        program: How a command line begins.
    """
    relearn = _on_run(
        command("relearn", "Teach a run's models a little of what they forgot and see what else comes back."), program
    )
    add_settings(relearn, RelearnConfig, RelearnConfig.model_fields)
    rounding = _on_run(command("round", "Round the weights of a run's models to a few bits and ask again."), program)
    rounding.add_argument(
        "--bits",
        default="8,4",
        metavar="LIST",
        help=f"{RoundingConfig.model_fields['bits'].description} 8, 4, or both with a comma. [default: 8,4]",
    )
    add_settings(rounding, RoundingConfig, [name for name in RoundingConfig.model_fields if name != "bits"])
    inspect = _on_run(
        command("inspect", "Show where a run's models differ from the original: weights and hidden states."), program
    )
    inspect.add_argument(
        "--rows", default=str(ROWS), metavar="N", help="At most this many rows of each set are read. [default: 24]"
    )
    inspect.add_argument(
        "--epoch", default="", metavar="N", help="Of the lanes' weights, where they are kept. [default: their last]"
    )
    _on_run(command("verdicts", "Say what all probes of a run together tell about each lane."), program, probes=False)


def _on_run(command: argparse.ArgumentParser, program: str, *, probes: bool = True) -> argparse._ArgumentGroup:
    command.usage = f"{program} {command.prog.split()[-1]} RUN [options]"
    command.add_argument("run", metavar="RUN", help="A run's folder or id.")
    add_json(command)
    how = command.add_argument_group("how")
    if probes:
        how.add_argument(
            "--models", default="", metavar="NAMES", help="Only these: original, gold or lanes. [default: all]"
        )
    return how
