"""What a person sees in the terminal: lines, a progress bar, a table. It knows no race and no files.

A model's words reach the terminal only through ``printable``: they could hold escape sequences.
"""

import json
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

_UNWRAPPED = 400


def printable(text: str) -> str:
    """``text`` without control characters, its line breaks as spaces."""
    return "".join(
        " " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c) not in ("Cc", "Cs")
    )


def print_json(value: Any) -> None:
    """One JSON object as one line on standard output: the last line that a command with ``--json`` writes."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n")
    sys.stdout.flush()


class Screen:
    """Words for a person: on standard output, or on standard error when JSON goes to standard output."""

    def __init__(self, *, json_wanted: bool = False) -> None:
        self._console = Console(stderr=json_wanted, highlight=False, markup=False, emoji=False)
        if not self._console.is_terminal:
            # A file or a pipe has no width: nothing is wrapped there.
            self._console.width = _UNWRAPPED

    def say(self, text: str, *, style: str = "") -> None:
        """One line or paragraph."""
        self._console.print(Text(text, style=style))

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table; columns whose every cell begins with a digit, a sign or a dash are set to the right."""
        table = Table(title=title or None, title_justify="left", header_style="bold")
        for number, column in enumerate(columns):
            numeric = bool(rows) and all(row[number][:1].isdigit() or row[number][:1] in "−–-" for row in rows)
            table.add_column(column, justify="right" if numeric else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(printable(cell)) for cell in row))
        self._console.print(table)

    def entry(self, name: str, lines: Iterable[str]) -> None:
        """A name that can be copied, with what is to be said about it indented below."""
        self._console.print(Text(printable(name), style="bold"))
        for line in lines:
            self._console.print(Padding(Text(printable(line)), (0, 0, 0, 4), expand=False))

    def bar(self) -> "Bar":
        """A progress bar on a terminal; silent elsewhere."""
        return Bar(self._console)


class Bar:
    """One bar for the whole of a job, with what is under way in front. Lines printed meanwhile stay above it."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, what: str, done: float, total: float) -> None:
        """Set what is under way and how much of everything is done."""
        self._progress.update(self._task, description=printable(what), completed=done, total=total)
