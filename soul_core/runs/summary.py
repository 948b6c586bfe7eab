"""A race's events, sorted: what each lane scored, how it ended. It knows no files and no pictures."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from soul_core.events import EpochReport, Event, LaneEnded, RaceEnded, RaceStarted, SetScores, StepReport

REFERENCES = ("original", "gold")
_METRICS = ("acc", "acc_low", "acc_high", "rouge_l", "probability", "rows")


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceSummary:
    """What a stream of events amounts to.

    Attributes:
        lanes: Names of the lanes that run, in the order of the config.
        reports: Per lane (also ``original`` and ``gold``), by epoch; a later report of an epoch replaces the earlier.
        ends: How lanes ended.
        steps: Optimizer steps taken, per lane.
    """

    started: RaceStarted | None = None
    ended: RaceEnded | None = None
    lanes: tuple[str, ...] = ()
    reports: Mapping[str, Mapping[int, EpochReport]] = field(default_factory=dict)
    ends: Mapping[str, LaneEnded] = field(default_factory=dict)
    steps: Mapping[str, int] = field(default_factory=dict)

    def last(self, lane: str) -> EpochReport | None:
        """The lane's newest report."""
        by_epoch = self.reports.get(lane, {})
        return by_epoch[max(by_epoch)] if by_epoch else None

    def score(self, lane: str, name: str = "forget") -> SetScores | None:
        """The lane's newest scores on one set."""
        report = self.last(lane)
        return report.scores.get(name) if report else None

    def label(self, lane: str) -> str:
        """How the page calls the lane."""
        for entry in self.started.config.get("lanes", ()) if self.started else ():
            if entry.get("name") == lane:
                return str(entry.get("label", lane))
        return {"original": "Original", "gold": "Gold"}.get(lane, lane)

    def position(self, lane: str) -> int:
        """The lane's place in the race, from 0: how it looks may hang on it; 0 for original and gold."""
        return self.lanes.index(lane) if lane in self.lanes else 0

    def once(self, lane: str) -> bool:
        """Whether a lane was measured once and never before: it took one step, or only has a prompt."""
        return lane in self.lanes and list(self.reports.get(lane, {})) == [1]

    def seconds(self, lane: str) -> float:
        """Training and evaluation time of the lane so far."""
        return sum(report.train_seconds + report.eval_seconds for report in self.reports.get(lane, {}).values())


def summarise(events: Iterable[Event]) -> RaceSummary:
    """Sort events; order matters only where two reports are about the same lane and epoch."""
    started, ended = None, None
    reports: dict[str, dict[int, EpochReport]] = {}
    ends: dict[str, LaneEnded] = {}
    steps: dict[str, int] = {}
    for event in events:
        if isinstance(event, RaceStarted):
            started = event
        elif isinstance(event, RaceEnded):
            ended = event
        elif isinstance(event, LaneEnded):
            ends[event.lane] = event
        elif isinstance(event, StepReport):
            steps[event.lane] = max(steps.get(event.lane, 0), event.step)
        elif isinstance(event, EpochReport):
            reports.setdefault(event.lane, {})[event.epoch] = event
    named = [str(entry["name"]) for entry in started.config.get("lanes", ())] if started else []
    lanes = tuple(named or [lane for lane in reports if lane not in REFERENCES])
    sorted_reports = {lane: dict(sorted(by_epoch.items())) for lane, by_epoch in reports.items()}
    return RaceSummary(started=started, ended=ended, lanes=lanes, reports=sorted_reports, ends=ends, steps=steps)


def curves_csv(summary: RaceSummary) -> str:
    """One line per lane, epoch and set, as a spreadsheet reads it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("lane", "epoch", "set", *_METRICS, "clip_share", "train_seconds", "eval_seconds"))
    for lane in (*REFERENCES, *summary.lanes):
        for epoch, report in summary.reports.get(lane, {}).items():
            for name, scores in report.scores.items():
                numbers = [_number(getattr(scores, metric)) for metric in _METRICS]
                clip = "" if report.clip_share is None else f"{report.clip_share:.6f}"
                seconds = [f"{report.train_seconds:.3f}", f"{report.eval_seconds:.3f}"]
                writer.writerow([lane, epoch, name, *numbers, clip, *seconds])
    return text.getvalue()


def result_json(summary: RaceSummary) -> dict[str, Any]:
    """The scores as the command line prints them with ``--json``: one entry per lane, its epochs in order."""
    result: dict[str, Any] = {}
    for lane in (*summary.lanes, *REFERENCES):
        if lane not in summary.reports and lane not in summary.lanes:
            continue
        epochs = [_epoch_json(report) for report in summary.reports.get(lane, {}).values()]
        result[lane] = {"seconds": round(summary.seconds(lane), 3), "epochs": epochs}
        if lane in summary.ends and summary.ends[lane].status == "diverged":
            result[lane]["diverged"] = summary.ends[lane].message
    return result


def _epoch_json(report: EpochReport) -> dict[str, Any]:
    entry: dict[str, Any] = {"epoch": report.epoch}
    for name, scores in report.scores.items():
        for metric in _METRICS:
            value = getattr(scores, metric)
            entry[f"{name}_{metric}"] = value if metric == "rows" else round(value, 6)
    entry["clip_share"] = None if report.clip_share is None else round(report.clip_share, 6)
    return entry


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.6f}"
