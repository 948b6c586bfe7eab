"""What a race tells the world, one typed report at a time. It knows no tensors, no disk and no page."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, TypeAdapter


@dataclass(frozen=True, slots=True, kw_only=True)
class SetScores:
    """Scores of one model on one question set.

    Attributes:
        acc: Share of answers nearest to the truth, 0 to 1.
        acc_low: Lower end of its 95 % interval.
        acc_high: Upper end.
        rouge_l: Mean ROUGE-L recall of the greedy answers, 0 to 1.
        probability: Mean of exp(-NLL per answer token), 0 to 1.
        rows: How many rows were asked.
    """

    acc: float
    acc_low: float
    acc_high: float
    rouge_l: float
    probability: float
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceStarted:
    """What is about to run. ``config`` is the RaceConfig as a JSON object."""

    kind: Literal["started"] = "started"
    run_id: str
    config: dict[str, Any]
    forget_rows: int
    retain_rows: int
    eval_rows: dict[str, int]
    steps_per_epoch: int
    parameters: int
    matcher: str
    device: str
    precision: str
    gold: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """One optimizer step.

    Attributes:
        step: Counted from 1 over the whole run of the lane.
        forget_loss: The objective's forget term (its sign is the objective's).
        retain_loss: Token-mean NLL of the retain rows, unweighted; 0 when the objective has no retain term.
        total_loss: What was differentiated.
        grad_norm: Norm of the gradient before clipping.
        update_norm: Norm of the change of the weights.
        clip_share: Share of coordinates whose step was clipped; None where the optimizer does not clip.
        seconds: Wall time of the step.
        memory_mb: Peak memory of the process (CPU) or device (GPU) so far.
    """

    kind: Literal["step"] = "step"
    lane: str = ""
    epoch: int = 0
    step: int
    forget_loss: float
    retain_loss: float
    total_loss: float
    grad_norm: float
    update_norm: float
    clip_share: float | None
    lr: float
    seconds: float
    tokens_per_second: float
    memory_mb: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Something is under way and this much of it is done. Not kept on disk."""

    kind: Literal["progress"] = "progress"
    what: str
    lane: str = ""
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochReport:
    """Scores of one lane after one epoch. Lanes ``original`` and ``gold`` report epoch 0 only.

    Attributes:
        scores: By set name: ``forget`` and ``retain`` always, others at the last epoch.
        clip_share: Mean over the epoch's steps, None where the optimizer does not clip.
        train_seconds: Time of the epoch's steps.
        eval_seconds: Time of the evaluation.
    """

    kind: Literal["epoch"] = "epoch"
    lane: str
    epoch: int
    scores: dict[str, SetScores] = field(default_factory=dict)
    clip_share: float | None = None
    train_seconds: float = 0.0
    eval_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneEnded:
    """A lane is through: ``finished`` all epochs, or ``diverged`` with what to change."""

    kind: Literal["lane-ended"] = "lane-ended"
    lane: str
    status: Literal["finished", "diverged"]
    epoch: int
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceEnded:
    """The last event. ``message`` is one sentence for a person."""

    kind: Literal["ended"] = "ended"
    status: Literal["finished", "stopped", "failed"]
    message: str = ""
    seconds: float = 0.0


Event = RaceStarted | StepReport | Progress | EpochReport | LaneEnded | RaceEnded

_EVENT: TypeAdapter[Event] = TypeAdapter(
    Annotated[Event, Discriminator("kind")], config=ConfigDict(ser_json_inf_nan="constants")
)


def to_json(event: Event) -> str:
    """One line of JSON."""
    return _EVENT.dump_json(event).decode()


def from_json(line: str) -> Event:
    """Read one line back; raises ``ValueError`` on a line cut short."""
    return _EVENT.validate_json(line)
