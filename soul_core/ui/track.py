"""What the events of a race add up to: curves, last numbers, what happens now. It knows no page and no job."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from soul_core.config import LaneConfig, RaceConfig
from soul_core.errors import ConfigError
from soul_core.events import EpochReport, Event, LaneEnded, RaceEnded, RaceStarted, SetScores, StepReport
from soul_core.objectives import find_objective
from soul_core.objectives.entry import Kind
from soul_core.ui import text


@dataclass(slots=True, kw_only=True)
class LaneTrack:
    """One lane so far. ``scores`` by epoch, then by set; ``last`` holds the newest score of every set.

    ``position`` is its place in the race, from 0; ``kind`` is its objective's, ``trained`` for original and gold.
    """

    name: str
    label: str
    position: int = 0
    kind: Kind = "trained"
    scores: dict[int, dict[str, SetScores]] = field(default_factory=dict)
    last: dict[str, SetScores] = field(default_factory=dict)
    steps: int = 0
    epoch: int = 0
    clip_share: float | None = None
    grad_norm: float | None = None
    train_seconds: float = 0.0
    status: str = ""
    message: str = ""

    @property
    def once(self) -> bool:
        """Whether it acts once: then it has one point and no line."""
        return self.kind != "trained"

    def points(self, name: str) -> list[tuple[int, SetScores]]:
        """The scored epochs of one set, in order."""
        return [(epoch, sets[name]) for epoch, sets in sorted(self.scores.items()) if name in sets]


@dataclass(slots=True, kw_only=True)
class RaceTrack:
    """All events of one race, folded. Feed it with :meth:`take`; reading it is cheap."""

    started: RaceStarted | None = None
    config: RaceConfig | None = None
    lanes: dict[str, LaneTrack] = field(default_factory=dict)
    ended: RaceEnded | None = None
    now: str = ""

    def take(self, events: Iterable[Event]) -> None:
        """Fold in further events."""
        for event in events:
            match event:
                case RaceStarted():
                    self._start(event)
                case StepReport():
                    self._step(event)
                case EpochReport():
                    self._epoch(event)
                case LaneEnded():
                    lane = self._lane(event.lane)
                    lane.status, lane.message = event.status, event.message
                case RaceEnded():
                    self.ended, self.now = event, ""
                case _:
                    pass

    @property
    def epochs(self) -> int:
        """Epochs of the race, 0 before it started."""
        return self.config.epochs if self.config else 0

    def label(self, lane: str) -> str:
        """How the page calls a lane."""
        return self.lanes[lane].label if lane in self.lanes else text.LANE_LABELS.get(lane, lane)

    def in_order(self) -> list[LaneTrack]:
        """Original first, gold last, the runners between them."""
        return sorted(self.lanes.values(), key=lambda lane: (lane.name == "gold", lane.name != "original"))

    def _start(self, event: RaceStarted) -> None:
        """Begin; a resumed race says again what is about to run, and its finished epochs stay."""
        self.started, self.ended = event, None
        self.config = RaceConfig(**event.config)
        self._lane("original")
        for position, entry in enumerate(self.config.lanes):
            lane = self._lane(entry.name)
            lane.label, lane.position, lane.kind = entry.label, position, kind_of(entry)
        if event.gold:
            self._lane("gold")

    def _step(self, event: StepReport) -> None:
        lane = self._lane(event.lane)
        lane.steps, lane.epoch = event.step, event.epoch
        lane.grad_norm, lane.clip_share = event.grad_norm, event.clip_share
        if lane.once:
            self.now = text.now_once(lane.label, lane.kind)
            return
        per_epoch = self.started.steps_per_epoch if self.started else 0
        in_epoch = event.step - (event.epoch - 1) * per_epoch
        self.now = text.now_training(lane.label, event.epoch, self.epochs, in_epoch, per_epoch)

    def _epoch(self, event: EpochReport) -> None:
        lane = self._lane(event.lane)
        again = event.epoch in lane.scores
        lane.scores[event.epoch] = dict(event.scores)
        lane.last |= event.scores
        if event.clip_share is not None:
            lane.clip_share = event.clip_share
        if not again:
            lane.train_seconds += event.train_seconds

    def _lane(self, name: str) -> LaneTrack:
        if name not in self.lanes:
            self.lanes[name] = LaneTrack(name=name, label=text.LANE_LABELS.get(name, name))
        return self.lanes[name]


def kind_of(lane: LaneConfig) -> Kind:
    """How a lane forgets: trained, in one step, or by a prompt."""
    try:
        return find_objective(lane.objective.name).kind
    except ConfigError:  # an objective of the person's own that is not loaded now: only what is trained can be
        return "trained"
