"""``python -m benchmarks.scorecards``: FO and SO of several objectives, several seeds, each with its full scorecard.

Runs and scorecards that are there already are not made again, so an interrupted run goes on. It knows no page.
"""

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from benchmarks.here import machine
from soul_core.cli.screen import Bar, Screen
from soul_core.config import RaceConfig
from soul_core.data.schema import ForgetTask
from soul_core.data.tasks import load_task
from soul_core.evaluation.card import Scorecard
from soul_core.models.shelf import Shelf
from soul_core.runs.folder import RunFolder
from soul_core.runs.scores import ScoreFolder
from soul_core.runs.store import RunStore
from soul_core.session.methods import lane_of
from soul_core.session.pocket_make import find_gold
from soul_core.session.race import race
from soul_core.session.score import ScoreConfig, score_model

SHELF_BYTES = 1 << 30
SHOWN = (
    "forget.acc", "forget.rouge_l", "forget.probability", "retain.acc", "retain.rouge_l", "real_authors.acc",
    "world_facts.acc", "forget_quality", "forget_quality_log10", "model_utility", "model_utility_arithmetic",
    "same_model_ks", "forget.readable", "forget.extraction_strength", "forget.exact_memorization",
)  # fmt: skip
"""The columns of the printed table; the JSON has every number."""


def main(argv: Sequence[str] | None = None) -> int:
    """Race, score, average, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scorecards", description=__doc__)
    parser.add_argument("--model", default="pocket", help="[default: %(default)s]")
    parser.add_argument("--task", default="invented-authors:forget10", help="[default: %(default)s]")
    parser.add_argument("--gold", default="", help="Its gold model. [default: the one that is known]")
    parser.add_argument("--methods", default="fo-graddiff,so-graddiff,fo-po,so-po,fo-npo,so-npo")
    parser.add_argument("--preset", default="each-at-its-best", help="[default: %(default)s]")
    parser.add_argument("--settings", type=Path, help="JSON: by method, what replaces the preset's settings.")
    parser.add_argument("--seeds", default="0,1,2", help="[default: %(default)s]")
    parser.add_argument("--rows", type=int, default=0, help="Rows scored of each set; 0 means all.")
    parser.add_argument("--slow", action="store_true", help="Slow metrics too.")
    parser.add_argument("--runs", type=Path, required=True, help="Folder that keeps runs and scorecards.")
    parser.add_argument("--out", type=Path, required=True, help="Where the JSON goes; the table goes beside it.")
    arguments = parser.parse_args(argv)
    screen = Screen()
    task = load_task(arguments.task)
    gold = arguments.gold or find_gold(arguments.model, task, Path("runs/golds"))
    config = ScoreConfig(rows=arguments.rows, slow=arguments.slow)
    changes = json.loads(arguments.settings.read_text(encoding="utf-8")) if arguments.settings else {}
    shelf, scores = Shelf(SHELF_BYTES), ScoreFolder(arguments.runs / "scores")
    with screen.bar() as bar:
        cards = {
            name: [_scored(spec, name, gold, task, config, scores, shelf, bar)]
            for name, spec in (("original", arguments.model), ("gold", gold))
            if spec
        }
        for method in arguments.methods.split(","):
            cards[method] = []
            for seed in arguments.seeds.split(","):
                folder = _raced(arguments, method, int(seed), changes.get(method, {}), bar)
                weights = folder.weights(folder.config.lanes[0].name)
                cards[method].append(_scored(str(weights), f"{method}-{seed}", gold, task, config, scores, shelf, bar))
    found = {
        "machine": machine(),
        "model": arguments.model,
        "gold": gold,
        "task": task.name,
        "preset": arguments.preset,
        "changed": changes,
        "seeds": [int(seed) for seed in arguments.seeds.split(",")],
        "scoring": config.model_dump(),
        "methods": {name: _averaged(of) for name, of in cards.items()},
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    arguments.out.with_suffix(".md").write_text(table(found), encoding="utf-8")
    screen.say(f"Written: {arguments.out}")
    return 0


def table(found: Mapping[str, Any]) -> str:
    """Mean and, over several seeds, standard deviation of the shown columns, as Markdown."""
    methods: Mapping[str, Mapping[str, Any]] = found["methods"]
    keys = [key for key in SHOWN if any(key in of["numbers"] for of in methods.values())]
    lines = [f"| | {' | '.join(keys)} | seconds |", f"|---|{'---|' * (len(keys) + 1)}"]
    for name, of in methods.items():
        cells = [_cell(of["numbers"].get(key)) for key in keys]
        lines.append(f"| {name} | {' | '.join(cells)} | {of['seconds']:.0f} |")
    seeds = len(found["seeds"])
    plural = "s" if seeds != 1 else ""
    what = f"`{Path(found['model']).name}` on `{Path(found['task']).name}`"
    about = f"{what}, preset {found['preset']}, {seeds} seed{plural}"
    return f"{about}: mean, and standard deviation over several seeds.\n\n" + "\n".join(lines) + "\n"


def _cell(number: Mapping[str, Any] | None) -> str:
    if number is None:
        return "–"
    tiny = 0 < abs(number["mean"]) < 0.0005
    shown = f"{number['mean']:.1e}" if tiny else f"{number['mean']:.3f}"
    return shown if number["spread"] is None or tiny else f"{shown} ± {number['spread']:.3f}"


def _averaged(cards: Sequence[Scorecard]) -> dict[str, Any]:
    keys = [key for key in cards[0].measured if all(card.value(key) is not None for card in cards)]
    numbers = {}
    for key in keys:
        values = [float(card.value(key) or 0.0) for card in cards]
        numbers[key] = {
            "mean": fmean(values),
            "spread": stdev(values) if len(values) > 1 else None,
            "values": values,
            "interval": [cards[0].measured[key].low, cards[0].measured[key].high] if len(values) == 1 else None,
        }
    return {"numbers": numbers, "seconds": fmean(float(card.facts["seconds"]) for card in cards)}


def _raced(arguments: argparse.Namespace, method: str, seed: int, changes: Mapping[str, Any], bar: Bar) -> RunFolder:
    store = RunStore(arguments.runs)
    place = arguments.runs / f"race-{method}-{seed}"
    if (place / "DONE").is_file():
        return store.open(place)
    lane = lane_of(method, arguments.preset)
    lane = lane.model_copy(
        update={
            "objective": lane.objective.model_copy(update=changes.get("objective", {})),
            "optimizer": lane.optimizer.model_copy(update=changes.get("optimizer", {})),
        }
    )
    config = RaceConfig(
        model=arguments.model,
        task=arguments.task,
        preset=arguments.preset,
        lanes=(lane,),
        seed=seed,
        eval_rows=20,
        eval_every=100,
    )
    folder = store.create(config, at=place)
    began = time.perf_counter()
    for _ in race(config, folder):
        bar.show(f"{method}, seed {seed}", min(999, int(time.perf_counter() - began)), 1000)
    return folder


def _scored(
    spec: str, name: str, gold: str, task: ForgetTask, config: ScoreConfig, scores: ScoreFolder, shelf: Shelf, bar: Bar
) -> Scorecard:
    # Gold against itself is what score_model keeps under the name of gold.
    work = score_model(spec, task, config, name=name, gold_spec=gold, shelf=shelf, folder=scores)
    while True:
        try:
            progress = next(work)
        except StopIteration as end:
            card: Scorecard = end.value
            return card
        bar.show(f"Scoring {name}: {progress.what}", progress.done, progress.total)


if __name__ == "__main__":
    raise SystemExit(main())
