"""``probe`` and ``lens``: what a run's models can still be made to say, and what they hold likely. No tensors here."""

import argparse
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from soul_core.cli.options import given
from soul_core.cli.race import RUNS
from soul_core.cli.screen import Screen, print_json, printable
from soul_core.cli.watching import watched
from soul_core.errors import ConfigError
from soul_core.events import Progress
from soul_core.probing.attacks import chosen
from soul_core.probing.lens import MAX_ALTERNATIVES
from soul_core.probing.results import AttackResult, Bench, LensColumn
from soul_core.probing.settings import AttackConfig
from soul_core.runs.folder import RunFolder
from soul_core.runs.probes import probes_of
from soul_core.runs.store import RunStore
from soul_core.session.probe import attack_run, lens_of_run

STOPPED = 130
_TITLE, _CELL = 23, 21
_LISTS = ("attacks", "templates")


def run(arguments: argparse.Namespace) -> int:
    """Attack a run's models, or look into them, and print what was found."""
    path = Path(arguments.run).expanduser()
    folder = RunStore(RUNS).open(path if path.exists() else arguments.run)
    command = _lens if arguments.command == "lens" else _probe
    return command(arguments, folder, Screen(json_wanted=arguments.json))


def _probe(arguments: argparse.Namespace, folder: RunFolder, screen: Screen) -> int:
    settings = given(arguments, [name for name in AttackConfig.model_fields if name not in _LISTS])
    config = AttackConfig(attacks=_names(arguments.attacks), templates=tuple(arguments.templates), **settings)
    table = _Table([attack.name for attack in chosen(config)], screen)
    work = attack_run(folder, config, models=_names(arguments.models), epoch=_epoch(arguments, folder))
    place = probes_of(folder.path).path
    found = watched(table.filled(work), screen, stopped=f"Stopped; what was found until then is in {place}.")
    table.end()
    if found is not None:
        screen.say(f"Share of answers that leak, with the 95 % interval over rows. Every conversation is in {place}.")
    if arguments.json:
        print_json({"cells": [_plain(cell) for cell in table.cells], "bench": str(place / "bench.json")})
    return STOPPED if found is None else 0


class _Table:
    """The table while it fills: an attack is printed as soon as every model was tried."""

    def __init__(self, attacks: Sequence[str], screen: Screen) -> None:
        self.cells: list[AttackResult] = []
        self._screen = screen
        self._attacks = list(attacks)
        self._row: list[AttackResult] = []
        self._headed = False
        self._notes: dict[str, list[str]] = {}

    def filled(self, work: Generator[Progress | AttackResult, None, Bench]) -> Generator[Progress, None, Bench]:
        """The work's progress; a row is printed when the next begins."""
        with closing(work):
            while True:
                try:
                    each = next(work)
                except StopIteration as end:
                    bench: Bench = end.value
                    return bench
                if isinstance(each, Progress):
                    yield Progress(what=f"{each.lane}: {each.what}".lstrip(": "), done=each.done, total=each.total)
                    continue
                if self._row and self._row[0].attack != each.attack:
                    self._print()
                self.cells.append(each)
                self._row.append(each)

    def end(self) -> None:
        """Print what is left, and what must be known about it."""
        self._print()
        for note, attacks in self._notes.items():
            self._screen.say(f"{', '.join(dict.fromkeys(attacks))}: {printable(note)}")

    def _print(self) -> None:
        if not self._row:
            return
        if not self._headed:
            self._headed = True
            self._screen.say(_line("Attack", [cell.model for cell in self._row]), style="bold")
        self._screen.say(_line(self._row[0].attack, [_share(cell) for cell in self._row]))
        for cell in self._row:
            if cell.note:
                self._notes.setdefault(cell.note, []).append(cell.attack)
        self._row = []


def _lens(arguments: argparse.Namespace, folder: RunFolder, screen: Screen) -> int:
    top = _whole("--top", arguments.top, least=1, most=MAX_ALTERNATIVES)
    epoch = _epoch(arguments, folder)
    found = lens_of_run(folder, arguments.question, arguments.answer, epoch=epoch, top=top)
    screen.say(f"{printable(found.question)}\nTrue answer: {printable(found.answer)}")
    if len({tuple(token.text for token in column.tokens) for column in found.columns}) == 1:
        tokens = found.columns[0].tokens
        rows = [
            [repr(token.text)[1:-1], *(_likely(column.tokens[place].probability) for column in found.columns)]
            for place, token in enumerate(tokens)
        ]
        screen.table("", ["Token", *(column.model for column in found.columns)], rows)
    else:
        for column in found.columns:
            rows = [[repr(token.text)[1:-1], _likely(token.probability)] for token in column.tokens]
            screen.table(column.model, ["Token", "Probability"], rows)
    screen.table("", ["Model", "Bits", "Least likely token"], [_summary(column) for column in found.columns])
    if arguments.json:
        print_json(asdict(found))
    return 0


def _summary(column: LensColumn) -> list[str]:
    least = min(column.tokens, key=lambda token: token.probability)
    return [column.model, f"{column.bits:.2f}", f"{least.text} ({_likely(least.probability)})"]


def _line(first: str, cells: Sequence[str]) -> str:
    return "".join([first.ljust(_TITLE), *(printable(cell).ljust(_CELL) for cell in cells)]).rstrip()


def _share(cell: AttackResult) -> str:
    if cell.share is None:
        return "–"
    ends = f" ({cell.low:.0%} to {cell.high:.0%})" if cell.low is not None and cell.high is not None else ""
    return f"{cell.share:.0%}{ends}"


def _likely(probability: float) -> str:
    return f"{probability:.3f}" if probability >= 0.001 else f"{probability:.1e}"


def _plain(cell: AttackResult) -> dict[str, Any]:
    """A cell as JSON, without its conversations."""
    return {key: value for key, value in asdict(cell).items() if key != "tries"} | {"rows": len(cell.tries)}


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _epoch(arguments: argparse.Namespace, folder: RunFolder) -> int | None:
    if not arguments.epoch:
        return None
    return _whole("--epoch", arguments.epoch, least=0, most=folder.config.epochs)


def _whole(option: str, text: str, *, least: int, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and least <= int(text) <= most):
        raise ConfigError(f"{option} is “{text[:80]}”. Write a whole number from {least} to {most}.")
    return int(text)
