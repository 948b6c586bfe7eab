"""Races run for their numbers alone, each recorded once in a file of JSON lines. It knows no table and no picture."""

import tempfile
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, ValidationError

from soul_core.config import RaceConfig
from soul_core.errors import ConfigError, RunError
from soul_core.events import Event, RaceEnded, StepReport
from soul_core.models.checks import weight_files
from soul_core.models.device import choose_precision, pick_device
from soul_core.models.fingerprint import fingerprint
from soul_core.models.shelf import Shelf
from soul_core.models.source import locate
from soul_core.objectives import options_of
from soul_core.runs.atomic import disk_errors_as_sentences
from soul_core.runs.manifest import installed_versions
from soul_core.runs.store import RunStore
from soul_core.runs.summary import REFERENCES, RaceSummary, summarise
from soul_core.session.race import race

SHELF_BYTES = 2 << 30


class LaneResult(BaseModel):
    """What one lane, or original or gold, scored at the end of one race.

    Attributes:
        clip_share: Mean over all steps of the race; None where the optimizer does not clip.
        seconds: Training and evaluation of this lane.
        diverged: What the race said where the lane ended early; empty otherwise.
    """

    model_config = ConfigDict(frozen=True)

    epoch: int
    forget_acc: float
    retain_acc: float
    forget_rouge_l: float
    retain_rouge_l: float
    forget_probability: float
    retain_probability: float
    forget_rows: int
    retain_rows: int
    clip_share: float | None = None
    seconds: float = 0.0
    diverged: str = ""


class Record(BaseModel):
    """One race: its settings, the weights it began with, and every lane's result.

    Attributes:
        config: With every setting that an objective has of its own, so that a new default changes no old record.
        threads: CPU threads of the arithmetic, 0 where unknown. Another number may change the last bits, and does
            not make it another race.
        precision: The arithmetic, empty where unknown; for that holds the same.
    """

    model_config = ConfigDict(frozen=True)

    config: RaceConfig
    model_fingerprint: str
    versions: dict[str, str]
    lanes: dict[str, LaneResult]
    threads: int = 0
    precision: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """One more of the races is recorded.

    Attributes:
        index: Its place among the races, from 0; they need not be done in their order.
        fresh: Whether it was run now or found in the file.
    """

    index: int
    record: Record
    fresh: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one race came to, and the arithmetic it was done with."""

    lanes: dict[str, LaneResult]
    threads: int
    precision: str


class Book:
    """Records in a file of JSON lines, in the order in which they were made."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[Record]:
        """Every record; a last line that a crash cut short is left out.

        Raises:
            RunError: Another line is no record.
        """
        if not self.path.is_file():
            return []
        with disk_errors_as_sentences(self.path):
            lines = self.path.read_text(encoding="utf-8").splitlines()
        records = []
        for number, line in enumerate(lines, start=1):
            try:
                records.append(Record.model_validate_json(line))
            except (ValidationError, ConfigError):
                if number < len(lines):
                    raise RunError(
                        f"Line {number} of {self.path} is no record of this version. Move the file away."
                    ) from None
        return records

    def add(self, record: Record) -> None:
        """Put a record at the end."""
        with disk_errors_as_sentences(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            kept = self.read()
            # Written whole, so that a line cut short by a crash does not stay in the middle.
            text = "".join(entry.model_dump_json() + "\n" for entry in [*kept, record])
            self.path.write_text(text, encoding="utf-8", newline="\n")

    def find(self, config: RaceConfig, weights: str) -> Record | None:
        """The record of exactly this race from exactly the weights of that fingerprint."""
        return _by_race(self.read()).get((explicit(config), weights))


def explicit(config: RaceConfig) -> RaceConfig:
    """The same race with every setting that its objectives have of their own; unchanged if one is not known here."""
    try:
        return config.but(
            lanes=tuple(lane.but(objective=lane.objective.but(**options_of(lane.objective))) for lane in config.lanes)
        )
    except ConfigError:  # of a plugin that is not loaded
        return config


def fingerprint_of(model: str) -> str:
    """The hash of a model's weights, which are not loaded."""
    return fingerprint(weight_files(locate(model).folder, model))


def work_through(configs: Sequence[RaceConfig], book: Book) -> Iterator[Event | Done]:
    """Run every race that the book does not have yet, record it, and yield its events; then one ``Done`` each.

    Close the iterator to stop; the race under way is then not recorded.
    """
    missing = yield from look_up(configs, book)
    with tempfile.TemporaryDirectory(prefix="soul-trials-") as place:
        shelf = Shelf(SHELF_BYTES)
        for index, weights in missing.items():
            outcome = yield from outcome_of(configs[index], shelf, Path(place))
            yield Done(index=index, record=recorded(configs[index], weights, outcome, book), fresh=True)


def look_up(configs: Sequence[RaceConfig], book: Book) -> Generator[Done, None, dict[int, str]]:
    """One ``Done`` for every race that the book has; returns the places of the others, with their fingerprints."""
    found, missing = _by_race(book.read()), {}
    fingerprints = {model: fingerprint_of(model) for model in dict.fromkeys(config.model for config in configs)}
    for index, config in enumerate(configs):
        weights = fingerprints[config.model]
        record = found.get((explicit(config), weights))
        if record is None:
            missing[index] = weights
        else:
            yield Done(index=index, record=record, fresh=False)
    return missing


def _by_race(records: Sequence[Record]) -> dict[tuple[RaceConfig, str], Record]:
    """Records by what decides that two races are the same; of two such records the first."""
    found: dict[tuple[RaceConfig, str], Record] = {}
    for record in records:
        config = explicit(record.config)
        found.setdefault((config, record.model_fingerprint), record.model_copy(update={"config": config}))
    return found


def recorded(config: RaceConfig, weights: str, outcome: Outcome, book: Book) -> Record:
    """Put a race, the fingerprint it began with and what came of it into the book."""
    record = Record(
        config=explicit(config),
        model_fingerprint=weights,
        versions=installed_versions(),
        lanes=outcome.lanes,
        threads=outcome.threads,
        precision=outcome.precision,
    )
    book.add(record)
    return record


def precision_of(config: RaceConfig) -> str:
    """What ``auto`` comes out as on this machine; measured once per process."""
    return choose_precision(config.precision, pick_device()).name


def outcome_of(
    config: RaceConfig, shelf: Shelf, place: Path, *, precision: str = ""
) -> Generator[Event, None, Outcome]:
    """Run one race in a folder that is thrown away, and return what came of it.

    Args:
        config: The race.
        shelf: Where models are taken from.
        place: Where the folder is made.
        precision: The arithmetic, for races that are to have the same whatever each process would choose.

    Raises:
        RunError: The race failed, or a lane was never evaluated.
    """
    events: list[Event] = []
    chosen = precision or precision_of(config)
    with tempfile.TemporaryDirectory(prefix="trial-", dir=place) as run:
        folder = RunStore(Path(run)).create(config)
        folder.note(precision=chosen)
        for event in race(config, folder, shelf=shelf, keep_epochs=False):
            events.append(event)
            yield event
            if isinstance(event, RaceEnded) and event.status == "failed":
                raise RunError(event.message)
        for lane in config.lanes:
            shelf.drop(str(folder.lane(lane.name)))
    summary = summarise(events)
    names = [name for name in (*REFERENCES, *summary.lanes) if name in summary.reports]
    lanes = {name: _result(summary, name, _clip_shares(events, name)) for name in names}
    return Outcome(lanes=lanes, threads=torch.get_num_threads(), precision=chosen)


def _result(summary: RaceSummary, lane: str, clip_shares: Sequence[float]) -> LaneResult:
    scored = [r for r in summary.reports[lane].values() if "forget" in r.scores and "retain" in r.scores]
    if not scored:
        raise RunError(f"Lane “{lane}” ended without an evaluation. Run the race again.")
    report = scored[-1]
    forget, retain = report.scores["forget"], report.scores["retain"]
    ended = summary.ends.get(lane)
    return LaneResult(
        epoch=report.epoch,
        forget_acc=forget.acc,
        retain_acc=retain.acc,
        forget_rouge_l=forget.rouge_l,
        retain_rouge_l=retain.rouge_l,
        forget_probability=forget.probability,
        retain_probability=retain.probability,
        forget_rows=forget.rows,
        retain_rows=retain.rows,
        clip_share=sum(clip_shares) / len(clip_shares) if clip_shares else None,
        seconds=summary.seconds(lane),
        diverged=ended.message if ended is not None and ended.status == "diverged" else "",
    )


def _clip_shares(events: Sequence[Event], lane: str) -> list[float]:
    steps = [event for event in events if isinstance(event, StepReport) and event.lane == lane]
    return [step.clip_share for step in steps if step.clip_share is not None]
