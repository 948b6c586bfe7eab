"""``score``: every number of runs, of models or of an imported log. It knows no metric's formula."""

import argparse
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from soul_core.cli import score
from soul_core.cli.interrupts import Interrupted, interrupts
from soul_core.cli.options import given
from soul_core.cli.race import RUNS
from soul_core.cli.screen import Bar, Screen, print_json
from soul_core.config import RaceConfig, ScoreConfig
from soul_core.data.tasks import load_task
from soul_core.errors import ConfigError, ModelError
from soul_core.evaluation.all_metrics import METRICS
from soul_core.evaluation.card import Scorecard
from soul_core.evaluation.registry import Explained
from soul_core.evaluation.tables import Kind, Row, figure, table_of, to_csv, to_latex, to_markdown
from soul_core.evaluation.views import VIEWS
from soul_core.events import Progress
from soul_core.runs.atomic import disk_errors_as_sentences, write_text
from soul_core.runs.folder import MANIFEST, RunFolder
from soul_core.runs.scores import ScoreFolder, ScoresRead
from soul_core.runs.store import RunStore, is_run_id
from soul_core.session.pocket_make import GOLDS, find_gold
from soul_core.session.score import GOLD, score_models, score_run

STOPPED = 130
_KINDS: dict[str, Kind] = {"original": "original", GOLD: "gold"}

Scoring = Generator[Progress | Scorecard, None, ScoresRead]


@dataclass
class _Scored:
    """What came out so far: rows of the table in order, and a sentence for each model that could not be scored."""

    rows: list[Row] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    stopped: bool = False


def run(arguments: argparse.Namespace) -> int:
    """Score what was asked for, print it, write its tables."""
    if arguments.tofu_log or arguments.gold_log:
        if arguments.targets:
            raise ConfigError("A log and models are scored apart: leave out --tofu-log, or the models.")
        return score.run(arguments)
    if not arguments.targets:
        raise ConfigError("Say what to score: a run's folder, a model, or --tofu-log FILE.")
    view = VIEWS.get(arguments.view)
    if view is None:
        raise ConfigError(f"There is no view “{arguments.view}”. Choose {', '.join(VIEWS)}.")
    screen, found = Screen(json_wanted=arguments.json), _Scored()
    config = ScoreConfig(**given(arguments, ScoreConfig.model_fields))
    with interrupts() as interrupted, screen.bar() as bar:
        _score_all(arguments, config, found, bar, interrupted)
    if not found.rows and found.troubles:
        raise ModelError(found.troubles[0])
    metrics: dict[str, Explained] = {metric.name: metric for metric in METRICS}
    _show(screen, found.rows, metrics)
    for trouble in found.troubles:
        screen.say(trouble)
    if arguments.csv:
        path = Path(arguments.csv)
        with disk_errors_as_sentences(path.parent):
            write_text(path, to_csv(found.rows, view))
        screen.say(f"Written: {path}")
    # Not through the screen, which would wrap a table's lines at the terminal's width.
    words = sys.stderr if arguments.json else sys.stdout
    if arguments.markdown:
        words.write(to_markdown(found.rows, view, intervals=True))
    if arguments.latex:
        words.write(to_latex(found.rows, view, intervals=True))
    if arguments.json:
        print_json({"models": {row.id: as_json(row.card, metrics) for row in found.rows}, "troubles": found.troubles})
    return STOPPED if found.stopped else 0


def as_json(card: Scorecard, metrics: Mapping[str, Explained]) -> dict[str, Any]:
    """A log's numbers as ``score.as_json`` has them, with how they were measured."""
    about = {"model": card.model, "spec": card.spec, "fingerprint": card.fingerprint, "task": card.task}
    return {**score.as_json(card, metrics), **about, "settings": dict(card.settings), "facts": dict(card.facts)}


def _score_all(
    arguments: argparse.Namespace, config: ScoreConfig, found: _Scored, bar: Bar, interrupted: Interrupted
) -> None:
    """Runs and models in the order given; models that share a gold are scored with it once."""
    store = RunStore(RUNS)
    runs = [_as_run(target, store) for target in arguments.targets]
    if arguments.task and any(runs):
        raise ConfigError("A run is scored on its own task, so --task goes with models alone. Leave it out.")
    for folder in runs:
        if folder is not None and not found.stopped:
            name = folder.run_id if len(arguments.targets) > 1 else ""
            _follow(score_run(folder, config, gold_spec=arguments.gold), _Place(found, name, folder), bar, interrupted)
    models = [target for target, folder in zip(arguments.targets, runs, strict=True) if folder is None]
    if not models or found.stopped:
        return
    task = load_task(arguments.task or RaceConfig.model_fields["task"].default)
    kept = ScoreFolder(Path(arguments.out)) if arguments.out else None
    by_gold: dict[str, list[str]] = {}
    for target in models:
        gold = arguments.gold or find_gold(target, task, RUNS / GOLDS)
        by_gold.setdefault(gold, []).append(target)
    for gold, targets in by_gold.items():
        if not found.stopped:
            specs = {target: target for target in targets if target != gold} | ({GOLD: gold} if gold else {})
            _follow(score_models(specs, task, config, folder=kept), _Place(found, "", None), bar, interrupted)


@dataclass(frozen=True)
class _Place:
    """Where scorecards that arrive belong."""

    found: _Scored
    run: str
    folder: RunFolder | None

    def add(self, card: Scorecard) -> None:
        """Put a scorecard in as a row."""
        lanes = {lane.name: lane.label for lane in self.folder.config.lanes} if self.folder is not None else {}
        label = lanes.get(card.model, card.model.capitalize() if card.model in _KINDS else card.model)
        row = Row(
            id=f"{self.run}/{card.model}" if self.run else card.model,
            label=label,
            kind=_KINDS.get(card.model, "method"),
            card=card,
            origin=self.run,
            position=list(lanes).index(card.model) if card.model in lanes else 0,
        )
        self.found.rows.append(row)


def _follow(scoring: Scoring, place: _Place, bar: Bar, interrupted: Interrupted) -> None:
    """Show what is under way; on Ctrl-C stop between two forwards, with every model that is done."""
    with closing(scoring):
        while True:
            try:
                event = next(scoring)
            except StopIteration as end:
                place.found.troubles += end.value.troubles
                return
            if isinstance(event, Scorecard):
                place.add(event)
            else:
                bar.show(f"{event.lane}: {event.what}", event.done, event.total)
            if interrupted():
                place.found.stopped = True
                return


def _show(screen: Screen, rows: Sequence[Row], metrics: Mapping[str, Explained]) -> None:
    """One model as a table with intervals; several side by side; nothing where Ctrl-C came before the first."""
    if not rows:
        return
    if len(rows) == 1:
        score.show(screen, rows[0].card, metrics)
        return
    table = table_of(rows, VIEWS["everything"])
    lines = [
        [column.full_title, *(figure(row.card.value(column.key), column.about.digits) for row in table.rows)]
        for column in table.columns
    ]
    screen.table("", ["Number", *(row.id if row.origin else row.label for row in table.rows)], lines)
    for row in rows:
        for note in row.card.notes:
            screen.say(f"{row.label}: {note}")


def _as_run(target: str, store: RunStore) -> RunFolder | None:
    """The run that a target is; None for a model."""
    path = Path(target).expanduser()
    if (path / MANIFEST).is_file():
        return store.open(path)
    return store.open(target) if is_run_id(target) else None
