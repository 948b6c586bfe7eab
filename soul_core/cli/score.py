"""``score``: every number of a model or of an imported log, with its interval. It knows no metric's formula."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from soul_core.cli.screen import Screen, print_json
from soul_core.errors import ConfigError
from soul_core.evaluation.card import Measured, Scorecard
from soul_core.evaluation.registry import Explained
from soul_core.evaluation.tofu_log import read_tofu_log, scorecard_of_log
from soul_core.evaluation.tofu_metrics import METRICS

COLUMNS = ("Number", "Value", "95 % interval", "Rows")


def run(arguments: argparse.Namespace) -> int:
    """Score what was asked for and print it."""
    if arguments.gold_log and not arguments.tofu_log:
        raise ConfigError("--gold-log belongs to --tofu-log FILE, the log to be scored. Give both.")
    if arguments.tofu_log:
        return score_log(arguments)
    raise ConfigError("Say what to score: --tofu-log FILE for a log of TOFU's evaluation.")


def score_log(arguments: argparse.Namespace) -> int:
    """Numbers of a log in TOFU's layout, against the gold model's where that is given."""
    log = read_tofu_log(Path(arguments.tofu_log))
    gold = read_tofu_log(Path(arguments.gold_log)) if arguments.gold_log else None
    card = scorecard_of_log(log, gold, name=Path(arguments.tofu_log).stem)
    metrics = {metric.name: metric for metric in METRICS}
    show(Screen(json_wanted=arguments.json), card, metrics)
    if arguments.json:
        print_json(as_json(card, metrics))
    return 0


def show(screen: Screen, card: Scorecard, metrics: Mapping[str, Explained]) -> None:
    """The scorecard as a table, the whole model's numbers first; then what must be known about it."""
    whole = [key for key in card.measured if key in metrics]
    rows = [_row(key, card.measured[key], metrics) for key in (*whole, *(k for k in card.measured if k not in whole))]
    screen.table(card.model, COLUMNS, rows)
    for note in notes_of(card, metrics):
        screen.say(note)


def as_json(card: Scorecard, metrics: Mapping[str, Explained]) -> dict[str, Any]:
    """The numbers by key, those that are not defined left out; then intervals, rows' counts and notes."""
    defined = {key: of for key, of in card.measured.items() if of.value is not None}
    return {
        **{key: of.value for key, of in defined.items()},
        "intervals": {key: [of.low, of.high] for key, of in defined.items() if of.low is not None},
        "rows": {key: of.rows for key, of in defined.items()},
        "notes": notes_of(card, metrics),
    }


def notes_of(card: Scorecard, metrics: Mapping[str, Explained]) -> list[str]:
    """The scorecard's notes and those of its numbers, each said once, with the names of the numbers it is about."""
    about: dict[str, list[str]] = {}
    for key, of in card.measured.items():
        if of.note:
            about.setdefault(of.note, []).append(title_of(key, metrics))
    return [*card.notes, *(f"{'; '.join(titles)}: {note}" for note, titles in about.items())]


def title_of(key: str, metrics: Mapping[str, Explained]) -> str:
    """A number's name for people: ``Forget: ROUGE-L`` of ``forget.rouge_l``."""
    set_name, dot, name = key.rpartition(".")
    metric = metrics.get(name)
    title = metric.title if metric is not None else name
    return f"{set_name.replace('_', ' ').capitalize()}: {title}" if dot else title


def _row(key: str, of: Measured, metrics: Mapping[str, Explained]) -> tuple[str, ...]:
    metric = metrics.get(key.rpartition(".")[2])
    digits = metric.digits if metric is not None else 3
    interval = f"{_figure(of.low, digits)} to {_figure(of.high, digits)}" if of.low is not None else ""
    return (title_of(key, metrics), _figure(of.value, digits), interval, str(of.rows or ""))


def _figure(value: float | None, digits: int) -> str:
    """A number with ``digits`` decimals; one that they would show as 0 in powers of ten; a dash for none."""
    if value is None:
        return "–"
    tiny = value != 0 and abs(value) < 0.5 * 10**-digits
    return f"{value:.2e}" if tiny else f"{value:.{digits}f}"
