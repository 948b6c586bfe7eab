"""Races run for their numbers alone, each recorded once in a file of JSON lines. It knows no table and no picture."""

import tempfile
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from soul_core.config import RaceConfig
from soul_core.errors import ConfigError, RunError
from soul_core.events import Event, RaceEnded, StepReport
from soul_core.models.loading import load_model
from soul_core.models.shelf import Shelf
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
    """One race: its settings, the weights it began with, and every lane's result."""

    model_config = ConfigDict(frozen=True)

    config: RaceConfig
    model_fingerprint: str
    versions: dict[str, str]
    lanes: dict[str, LaneResult]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """One more of the races is recorded; ``fresh`` says whether it was run now or found in the file."""

    number: int
    total: int
    record: Record
    fresh: bool


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

    def find(self, config: RaceConfig, fingerprint: str) -> Record | None:
        """The record of exactly this race from exactly these weights."""
        matching = (r for r in self.read() if r.config == config and r.model_fingerprint == fingerprint)
        return next(matching, None)


def work_through(configs: Sequence[RaceConfig], book: Book) -> Iterator[Event | Done]:
    """Run every race that the book does not have yet, record it, and yield its events; then one ``Done`` each.

    Close the iterator to stop; the race under way is then not recorded.
    """
    shelf = Shelf(SHELF_BYTES)
    for number, config in enumerate(configs, start=1):
        fingerprint = shelf.get(config.model, lambda spec=config.model: load_model(spec)).fingerprint  # type: ignore[misc]
        record = book.find(config, fingerprint)
        fresh = record is None
        if record is None:
            lanes = yield from lane_results(config, shelf)
            record = Record(config=config, model_fingerprint=fingerprint, versions=installed_versions(), lanes=lanes)
            book.add(record)
        yield Done(number=number, total=len(configs), record=record, fresh=fresh)


def lane_results(config: RaceConfig, shelf: Shelf) -> Generator[Event, None, dict[str, LaneResult]]:
    """Run one race in a folder that is thrown away, and return what every lane scored.

    Raises:
        RunError: The race failed, or a lane was never evaluated.
    """
    events: list[Event] = []
    with tempfile.TemporaryDirectory(prefix="soul-trial-") as place:
        folder = RunStore(Path(place)).create(config)
        for event in race(config, folder, shelf=shelf):
            events.append(event)
            yield event
            if isinstance(event, RaceEnded) and event.status == "failed":
                raise RunError(event.message)
        for lane in config.lanes:
            shelf.drop(str(folder.lane(lane.name)))
    summary = summarise(events)
    names = [name for name in (*REFERENCES, *summary.lanes) if name in summary.reports]
    return {name: _result(summary, name, _clip_shares(events, name)) for name in names}


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
