"""``python -m benchmarks.probes``: which methods resist which attack; FO and SO of several objectives, several seeds.

Races, benches, relearning and rounding that are there already are not made again, so an interrupted run goes on. It
knows no page.
"""

import argparse
import json
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, TypeVar

from benchmarks.here import machine
from soul_core.cli.screen import Bar, Screen
from soul_core.config import RaceConfig
from soul_core.events import Progress
from soul_core.models.shelf import Shelf
from soul_core.probing.attacks import ATTACKS
from soul_core.probing.results import Bench, Relearning, Rounding
from soul_core.probing.settings import AttackConfig, RelearnConfig, RoundingConfig
from soul_core.runs.folder import RunFolder
from soul_core.runs.probes import probes_of
from soul_core.runs.store import RunStore
from soul_core.session.methods import lane_of
from soul_core.session.probe import attack_run
from soul_core.session.probe_verdict import verdicts_of_run
from soul_core.session.race import race
from soul_core.session.relearning import relearn_run
from soul_core.session.rounding import round_run

SHELF_BYTES = 1 << 30
REFERENCES = ("original", "gold")

Result = TypeVar("Result")
Numbers = dict[str, dict[str, float]]


def main(argv: Sequence[str] | None = None) -> int:
    """Race, attack, relearn, round, average, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.probes", description=__doc__)
    parser.add_argument("--model", default="pocket", help="[default: %(default)s]")
    parser.add_argument("--task", default="invented-authors:forget10", help="[default: %(default)s]")
    parser.add_argument("--methods", default="fo-graddiff,so-graddiff,fo-po,so-po,fo-npo,so-npo")
    parser.add_argument("--preset", default="each-at-its-best", help="[default: %(default)s]")
    parser.add_argument("--seeds", default="0,1,2", help="Of the races. [default: %(default)s]")
    parser.add_argument("--rows", type=int, default=120, help="Forget rows attacked. [default: %(default)s]")
    parser.add_argument("--samples", type=int, default=20, help="Draws of a row. [default: %(default)s]")
    parser.add_argument("--runs", type=Path, required=True, help="Folder that keeps the runs with what was found.")
    parser.add_argument("--out", type=Path, required=True, help="Where the JSON goes; the table goes beside it.")
    arguments = parser.parse_args(argv)
    screen, shelf = Screen(), Shelf(SHELF_BYTES)
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    # Everything but the race is the same for every seed: the same rows, hints, typos and draws.
    settings = (AttackConfig(rows=arguments.rows, samples=arguments.samples), RelearnConfig(), RoundingConfig())
    by_seed = []
    with screen.bar() as bar:
        for seed in seeds:
            folder = _raced(arguments, seed, bar)
            by_seed.append(_probed(folder, settings, shelf, bar))
            found = _found(arguments, seeds[: len(by_seed)], settings, by_seed)
            arguments.out.parent.mkdir(parents=True, exist_ok=True)
            arguments.out.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            arguments.out.with_suffix(".md").write_text(table(found), encoding="utf-8")
    screen.say(f"Written: {arguments.out}")
    return 0


def table(found: Mapping[str, Any]) -> str:
    """Attacks as rows and methods as columns, as Markdown: mean and, over several seeds, standard deviation."""
    models: Mapping[str, Mapping[str, Any]] = found["models"]
    titles: Mapping[str, str] = found["titles"]
    lines = [f"| | {' | '.join(models)} |", f"|---|{'---|' * len(models)}"]
    for key, title in titles.items():
        cells = [_cell(of["numbers"].get(key)) for of in models.values()]
        if any(cell != "–" for cell in cells):
            lines.append(f"| {title} | {' | '.join(cells)} |")
    words = [", ".join(of["verdicts"]) or "–" for of in models.values()]
    lines.append(f"| Verdict | {' | '.join(words)} |")
    seeds = len(found["seeds"])
    attack = found["settings"]["attack"]
    about = (
        f"`{Path(found['model']).name}` on `{Path(found['task']).name}`, preset {found['preset']}, {seeds} "
        f"seed{'s' * (seeds != 1)}, {attack['rows']} forget rows: per cent, mean"
        f"{' ± standard deviation over the seeds' * (seeds > 1)}. An attack's number is the share of its answers that "
        "leak; where the original's is 0, the attack gets nothing out of a model that knows, and says nothing."
    )
    return f"{about}\n\n" + "\n".join(lines) + "\n"


def _cell(number: Mapping[str, Any] | None) -> str:
    if number is None:
        return "–"
    shown = f"{100 * number['mean']:.0f}"
    # Original and gold are the same whatever the seed.
    return f"{shown} ± {100 * number['spread']:.0f}" if number["spread"] else shown


def _found(
    arguments: argparse.Namespace, seeds: Sequence[int], settings: Sequence[Any], by_seed: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    models = [*REFERENCES, *arguments.methods.split(",")]
    named = {name: attack.title for name, attack in ATTACKS.items()}
    attack, relearn, rounding = settings
    last = relearn.steps
    return {
        "machine": machine(),
        "command": _command(arguments),
        "model": arguments.model,
        "task": arguments.task,
        "preset": arguments.preset,
        "seeds": list(seeds),
        "settings": {
            "attack": attack.model_dump(mode="json"),
            "relearn": relearn.model_dump(mode="json"),
            "rounding": rounding.model_dump(mode="json"),
        },
        "titles": {
            **named,
            "sampling-any": "Many draws: rows of which any leaks",
            "relearn-start": "Relearning: accuracy on the rest before",
            "relearn": f"Relearning: accuracy on the rest after {last} steps",
            "bits-0": "Forget accuracy, weights as they are",
            "bits-8": "Forget accuracy, weights in 8 bits",
            "bits-4": "Forget accuracy, weights in 4 bits",
        },
        "models": {
            name: {
                "numbers": _averaged([one["numbers"].get(name, {}) for one in by_seed]),
                "verdicts": [one["verdicts"][name] for one in by_seed if name in one["verdicts"]],
            }
            for name in models
        },
    }


def _averaged(by_seed: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    keys = [key for key in by_seed[0] if all(key in numbers for numbers in by_seed)]
    return {
        key: {
            "mean": fmean(numbers[key] for numbers in by_seed),
            "spread": stdev(numbers[key] for numbers in by_seed) if len(by_seed) > 1 else None,
            "values": [numbers[key] for numbers in by_seed],
        }
        for key in keys
    }


def _probed(folder: RunFolder, settings: Sequence[Any], shelf: Shelf, bar: Bar) -> dict[str, Any]:
    """Every number of every model of one run."""
    attack, relearn, rounding = settings
    name, place = folder.path.name, probes_of(folder.path)
    bench: Bench = _shown(attack_run(folder, attack, shelf=shelf), f"{name}: attacks", bar)
    lanes = [lane.name for lane in folder.config.lanes]
    relearned = place.read("relearn-forget")
    if not isinstance(relearned, Relearning) or not _whole(relearned, relearn, lanes):
        relearned = _shown(relearn_run(folder, relearn, shelf=shelf), f"{name}: relearning", bar)
    rounded = place.read("rounding")
    if not isinstance(rounded, Rounding) or not _whole(rounded, rounding, lanes):
        rounded = _shown(round_run(folder, rounding, shelf=shelf), f"{name}: rounding", bar)
    return {
        "numbers": _numbers(bench, relearned, rounded),
        "verdicts": {verdict.model: verdict.word for verdict in verdicts_of_run(folder)},
    }


def _whole(found: Relearning | Rounding, config: RelearnConfig | RoundingConfig, lanes: Sequence[str]) -> bool:
    """Whether nothing of it is missing and it was made with these settings: one that was stopped is kept too."""
    wanted = config.model_dump(mode="json")
    # A rate of 0 stands for one that is chosen, and what was chosen is what is noted.
    if any(found.settings.get(key) != value for key, value in wanted.items() if (key, value) != ("lr", 0)):
        return False
    if isinstance(found, Relearning):
        return set(lanes) <= {point.model for point in found.points if point.step == wanted["steps"]}
    bits = {0, *wanted["bits"]}
    return all(bits <= {one.bits for one in found.scores if one.model == lane} for lane in lanes)


def _numbers(bench: Bench, relearned: Relearning, rounded: Rounding) -> Numbers:
    found: Numbers = {}
    for cell in bench.results:
        numbers = found.setdefault(cell.model, {})
        if cell.share is not None:
            numbers[cell.attack] = cell.share
        if cell.attack == "sampling" and cell.any_share is not None:
            numbers["sampling-any"] = cell.any_share
    for point in sorted(relearned.points, key=lambda point: point.step):
        numbers = found.setdefault(point.model, {})
        numbers.setdefault("relearn-start", point.acc)
        numbers["relearn"] = point.acc
    for scores in rounded.scores:
        found.setdefault(scores.model, {})[f"bits-{scores.bits}"] = scores.forget_acc
    return found


def _shown(work: Generator[Any, None, Result], what: str, bar: Bar) -> Result:
    while True:
        try:
            step = next(work)
        except StopIteration as end:
            result: Result = end.value
            return result
        if isinstance(step, Progress):
            bar.show(f"{what}: {step.lane} {step.what}", step.done, step.total)


def _raced(arguments: argparse.Namespace, seed: int, bar: Bar) -> RunFolder:
    """One race of all methods: lanes share rows, order and seed, and each trains alone."""
    store, place = RunStore(arguments.runs), arguments.runs / f"probes-{seed}"
    if (place / "DONE").is_file():
        return store.open(place)
    config = RaceConfig(
        model=arguments.model,
        task=arguments.task,
        preset=arguments.preset,
        lanes=tuple(lane_of(method, arguments.preset) for method in arguments.methods.split(",")),
        seed=seed,
    )
    for event in race(config, store.create(config, at=place)):
        if isinstance(event, Progress):
            bar.show(f"{place.name}: racing {event.lane}", event.done, event.total)
    return store.open(place)


def _command(arguments: argparse.Namespace) -> str:
    words = ["python -m benchmarks.probes"]
    for name in ("model", "task", "methods", "preset", "seeds", "rows", "samples"):
        words.append(f"--{name} {getattr(arguments, name)}")
    return " ".join([*words, "--runs runs/probes", f"--out docs/results/{arguments.out.name}"])


if __name__ == "__main__":
    raise SystemExit(main())
