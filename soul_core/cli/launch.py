"""A command as one of several processes that a launcher started: which one speaks. It knows no tensors."""

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout

from soul_core.errors import ConfigError
from soul_core.models.launch import rank_of, read_launch

LAUNCHABLE = ("race",)


def require_launchable(command: str, environment: Mapping[str, str] = os.environ) -> None:
    """Refuse a command that each of several processes would do again.

    Raises:
        ConfigError: It is one, or what the launcher was told cannot be done.
    """
    size = read_launch(environment).size
    if size > 1 and command not in LAUNCHABLE:
        raise ConfigError(
            f"{command} runs in one process, and {size} were started. Run python -m soul_core {command} without the "
            f"launcher; only {' and '.join(LAUNCHABLE)} can be launched in several."
        )


@contextmanager
def hushed(environment: Mapping[str, str] = os.environ) -> Iterator[None]:
    """Within it only the main process writes to the terminal."""
    if rank_of(environment) == 0 or environment.get("WORLD_SIZE", "1") == "1":
        yield
        return
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        yield
