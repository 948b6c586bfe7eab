"""``relearn``, ``round``, ``inspect``, ``verdicts``: what is left in a run's models. It knows no tensors."""

import argparse
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from soul_core.cli.options import given
from soul_core.cli.race import RUNS
from soul_core.cli.screen import Screen, print_json, printable
from soul_core.cli.watching import watched
from soul_core.errors import ConfigError
from soul_core.events import Progress
from soul_core.probing.results import Inspection, Relearning, RelearnPoint, RoundedScores, Rounding, WeightChange
from soul_core.probing.settings import RelearnConfig, RoundingConfig
from soul_core.runs.folder import RunFolder
from soul_core.runs.probes import Finding, probes_of
from soul_core.runs.store import RunStore
from soul_core.session.inspection import inspect_run
from soul_core.session.probe_verdict import verdicts_of_run
from soul_core.session.relearning import relearn_run
from soul_core.session.rounding import round_run

STOPPED = 130
_MOST_ROWS = 2000
_PER_ROW = ("right", "likely", "forget_right", "forget_likely")

Part = TypeVar("Part", RelearnPoint, RoundedScores)
Result = TypeVar("Result")


def run(arguments: argparse.Namespace) -> int:
    """Probe what was asked for, print it and what it means."""
    commands: dict[str, Callable[[argparse.Namespace, RunFolder, Screen], tuple[str, Finding | None]]] = {
        "relearn": _relearn,
        "round": _round,
        "inspect": _inspect,
    }
    screen = Screen(json_wanted=arguments.json)
    path = Path(arguments.run).expanduser()
    folder = RunStore(RUNS).open(path if path.exists() else arguments.run)
    found, kind = None, ""
    if arguments.command in commands:
        kind, found = commands[arguments.command](arguments, folder, screen)
    judged = verdicts_of_run(folder)
    for verdict in judged:
        screen.say(f"{verdict.word}: {printable(verdict.sentence)}")
    if arguments.json:
        print_json({"verdicts": [asdict(verdict) for verdict in judged]} | ({"found": _plain(found)} if found else {}))
    return STOPPED if kind and found is None else 0


def _relearn(arguments: argparse.Namespace, folder: RunFolder, screen: Screen) -> tuple[str, Finding | None]:
    config = RelearnConfig(**given(arguments, RelearnConfig.model_fields))
    work = _shown(relearn_run(folder, config, models=_names(arguments)), screen, _point)
    found = watched(work, screen, stopped=_stopped(folder))
    if found is not None:
        _show_relearning(found, screen)
    return f"relearn-{config.on}", found


def _round(arguments: argparse.Namespace, folder: RunFolder, screen: Screen) -> tuple[str, Finding | None]:
    settings = given(arguments, RoundingConfig.model_fields)
    bits = [word.strip() for word in settings.pop("bits").split(",")]
    if not all(word in ("8", "4") for word in bits):
        raise ConfigError(f"Bits are “{arguments.bits[:80]}”. Write 8, 4, or 8,4.")
    settings["bits"] = tuple(int(word) for word in bits)
    config = RoundingConfig(**settings)
    work = _shown(round_run(folder, config, models=_names(arguments)), screen, _rounded)
    found = watched(work, screen, stopped=_stopped(folder))
    if found is not None:
        _show_rounding(found, screen)
    return "rounding", found


def _inspect(arguments: argparse.Namespace, folder: RunFolder, screen: Screen) -> tuple[str, Finding | None]:
    rows = _whole("--rows", arguments.rows, least=1, most=_MOST_ROWS)
    epoch = None if not arguments.epoch else _whole("--epoch", arguments.epoch, least=0, most=folder.config.epochs)
    work = inspect_run(folder, models=_names(arguments), rows=rows, epoch=epoch)
    found = watched(work, screen, stopped=_stopped(folder))
    if found is not None:
        _show_inspection(found, screen)
    return "inspection", found


def _shown(
    work: Generator[Progress | Part, None, Result], screen: Screen, words: Callable[[Part], str]
) -> Generator[Progress, None, Result]:
    """The work's progress; each part that is done is said as it comes."""
    with closing(work):
        while True:
            try:
                each = next(work)
            except StopIteration as end:
                result: Result = end.value
                return result
            if isinstance(each, Progress):
                yield each
            else:
                screen.say(words(each))


def _point(point: RelearnPoint) -> str:
    return f"{point.model}, step {point.step}: {_share(point.acc, point.low, point.high)} right"


def _rounded(scores: RoundedScores) -> str:
    forget = _share(scores.forget_acc, scores.forget_low, scores.forget_high)
    return f"{scores.model}, {_bits(scores.bits)}: {forget} of forget right, {scores.retain_acc:.0%} of retain"


def _show_relearning(found: Relearning, screen: Screen) -> None:
    steps = list(dict.fromkeys(point.step for point in found.points))
    of = {(point.model, point.step): point for point in found.points}
    rows = [
        [name, *(f"{of[name, step].acc:.0%}" if (name, step) in of else "–" for step in steps)]
        for name in dict.fromkeys(point.model for point in found.points)
    ]
    what = "other forget rows" if found.on == "forget" else "forget rows"
    title = f"Trained on {found.trained_rows} {found.on} rows; of {found.asked_rows} {what}, right after step"
    screen.table(title, ["Model", *map(str, steps)], rows)
    _say_notes(found.notes, screen)


def _show_rounding(found: Rounding, screen: Screen) -> None:
    rows = [
        [
            score.model,
            _bits(score.bits),
            f"{score.error:.4f}",
            _share(score.forget_acc, score.forget_low, score.forget_high),
            _share(score.retain_acc, score.retain_low, score.retain_high),
            f"{score.forget_probability:.3f}",
        ]
        for score in found.scores
    ]
    screen.table("", ["Model", "Weights", "Change", "Forget right", "Retain right", "Forget probability"], rows)
    screen.say(found.how)
    _say_notes(found.notes, screen)


def _show_inspection(found: Inspection, screen: Screen) -> None:
    for change in found.changes:
        screen.table(
            f"{change.model}: relative weight change, {change.whole:.4f} of all weights",
            ["Layer", *found.modules],
            _rows_of(change, found.layers),
        )
    rows = [[one.model, one.set_name, *map(_figure, one.by_layer)] for one in found.likeness if one.by_layer]
    screen.table("CKA of hidden states to the original", ["Model", "Set", *found.likeness_layers], rows)
    _say_notes(found.notes, screen)


def _rows_of(change: WeightChange, layers: Sequence[str]) -> list[list[str]]:
    return [
        [layer, *("–" if value is None else f"{value:.4f}" for value in row)]
        for layer, row in zip(layers, change.values, strict=True)
    ]


def _say_notes(notes: Sequence[str], screen: Screen) -> None:
    for note in notes:
        screen.say(printable(note))


def _plain(found: Finding) -> dict[str, Any]:
    """A finding as JSON, without what it keeps of single rows."""

    def without(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: without(of) for key, of in value.items() if key not in _PER_ROW}
        return [without(of) for of in value] if isinstance(value, list | tuple) else value

    plain: dict[str, Any] = without(asdict(found))
    return plain


def _names(arguments: argparse.Namespace) -> tuple[str, ...]:
    return tuple(name.strip() for name in arguments.models.split(",") if name.strip())


def _whole(option: str, text: str, *, least: int, most: int) -> int:
    if not text.isdecimal() or not least <= int(text) <= most:
        raise ConfigError(f"{option} is “{text[:80]}”. Write a whole number from {least} to {most}.")
    return int(text)


def _stopped(folder: RunFolder) -> str:
    return f"Stopped; what was found until then is in {probes_of(folder.path).path}."


def _share(value: float, low: float, high: float) -> str:
    return f"{value:.0%} ({low:.0%} to {high:.0%})"


def _bits(bits: int) -> str:
    return f"{bits} bits" if bits else "as they are"


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
