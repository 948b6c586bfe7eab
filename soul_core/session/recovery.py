"""What a killed or stopped race can go on from: saved weights and the events up to them. It trains nothing."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from soul_core.config import RaceConfig
from soul_core.errors import RunError
from soul_core.events import EpochReport, Event, LaneEnded, Progress, RaceEnded, StepReport
from soul_core.models.storage import recover_folder
from soul_core.runs.folder import RunFolder
from soul_core.runs.manifest import Manifest

STATE_FILE = "lane.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A lane's weights on disk.

    Attributes:
        folder: Where they are.
        epoch: How many epochs they are through.
        final: Whether the lane had ended; there is no optimizer state then.
        diverged: Why it ended early, empty if it did not.
        weight: Where the retain term's weight has moved to; None for an objective that does not move it.
        rows: Forwarded at a time since memory ran out; 0 where it never did.
        notes: What there is to say of the lane so far, in sentences.
    """

    folder: Path
    epoch: int
    final: bool
    diverged: str = ""
    weight: float | None = None
    rows: int = 0
    notes: tuple[str, ...] = ()

    def state(self) -> str:
        """What ``newest_saved`` reads beside the weights."""
        return json.dumps({key: value for key, value in asdict(self).items() if key != "folder"})


def newest_saved(folder: RunFolder, lane: str) -> Saved | None:
    """The lane's final weights, else its last complete epoch, else None."""
    for place in (folder.lane(lane), folder.checkpoint(lane)):
        recover_folder(place)
        try:
            values = json.loads((place / STATE_FILE).read_text(encoding="utf-8"))
            return Saved(
                folder=place,
                epoch=int(values["epoch"]),
                final=bool(values["final"]),
                diverged=str(values["diverged"]),
                weight=None if values.get("weight") is None else float(values["weight"]),
                rows=int(values.get("rows", 0)),
                notes=tuple(str(note) for note in values.get("notes", ())),
            )
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def recover(config: RaceConfig, folder: RunFolder) -> list[Event]:
    """Cut the log back to what the saved weights are the result of, and return what is left.

    Raises:
        RunError: The race came to its end, or has other settings.
    """
    if folder.done:
        raise RunError(f"The race in {folder.path} came to its end; there is nothing to resume. Start a new one.")
    if folder.config != config:
        raise RunError(f"{folder.path} holds a race with other settings. Resume it with its own, or start a new one.")
    saved = {lane.name: newest_saved(folder, lane.name) for lane in config.lanes}
    events = [event for event in folder.events() if _stays(event, saved)]
    folder.rewrite_events(events)
    return events


def check_same(before: Manifest, *, data_hash: str, model_fingerprint: str) -> None:
    """Refuse to go on with other rows or other original weights than the race began with.

    Raises:
        RunError: Either has changed.
    """
    if before.data_hash and before.data_hash != data_hash:
        raise RunError(
            f"The rows of “{before.config.task}” have changed since this race began. "
            "Put them back, or start a new race."
        )
    if before.model_fingerprint and before.model_fingerprint != model_fingerprint:
        raise RunError(
            f"The weights of “{before.config.model}” have changed since this race began. "
            "Put them back, or start a new race."
        )


def _stays(event: Event, saved: dict[str, Saved | None]) -> bool:
    if isinstance(event, RaceEnded | Progress):
        return False
    if not isinstance(event, StepReport | EpochReport | LaneEnded) or event.lane not in saved:
        return True
    found = saved[event.lane]
    if isinstance(event, LaneEnded):
        return found is not None and found.final
    if isinstance(event, StepReport) and found is not None and found.diverged:
        # It ended within an epoch, and the steps of that epoch are in its weights.
        return True
    return event.epoch <= (found.epoch if found is not None else 0)
