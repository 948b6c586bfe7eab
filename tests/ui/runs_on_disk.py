"""Finished runs as a race leaves them, made without one: events, answers, weights of a tiny model."""

import shutil
from pathlib import Path

from soul_core.config import LaneConfig, ObjectiveConfig, OptimizerConfig, RaceConfig
from soul_core.events import RaceStarted
from soul_core.runs.answers import AnswerSheet
from soul_core.runs.folder import RunFolder
from soul_core.runs.marks import Marks, write_marks
from soul_core.runs.store import RunStore
from tests.ui.scenes import whole_race

TASK = "invented-authors:forget01"
QUESTION, TRUTH = "Where was Mara Quill born?", "Mara Quill was born in Velden."
SAID = {"original": TRUTH, "fo": TRUTH, "so": "Nobody <b>knows</b>."}


def lanes(objective: str = "graddiff", lr: float = 1e-3) -> tuple[LaneConfig, ...]:
    """FO and SO."""
    made = {"fo": OptimizerConfig(name="adamw", lr=lr), "so": OptimizerConfig(name="sophia", lr=lr)}
    return tuple(
        LaneConfig(name=name, label=name.upper(), optimizer=optimizer, objective=ObjectiveConfig(name=objective))
        for name, optimizer in made.items()
    )


def a_run(
    store: RunStore,
    *,
    name: str = "",
    owner: str = "",
    weights: Path | None = None,
    said: dict[str, str] | None = None,
    ended: bool = True,
    **changes: object,
) -> RunFolder:
    """A run of two epochs: FO ends at 60 % forget and 88 % retain, SO at 20 % and 84 %.

    Args:
        store: Where.
        name: What a person called it.
        owner: Whose it is.
        weights: A model's folder, copied as both lanes'.
        said: What each model answered to the one question.
        ended: Whether it came to its end; else it was cut off after its evaluations.
        changes: Settings that are not the usual ones.
    """
    config = RaceConfig(**{"lanes": lanes(), "task": TASK, "epochs": 2, "model": str(weights or "pocket"), **changes})
    folder = store.create(config, owner=owner)
    for event in whole_race() if ended else whole_race()[:6]:
        if isinstance(event, RaceStarted):
            event = RaceStarted(
                **{
                    **{key: getattr(event, key) for key in event.__dataclass_fields__ if key != "kind"},
                    "run_id": folder.path.name,
                    "config": config.model_dump(mode="json"),
                }
            )
        folder.append(event)
    sheet = AnswerSheet()
    for lane, answer in (said or SAID).items():
        sheet = sheet.with_answers("forget", lane, [QUESTION], [TRUTH], [answer])
    folder.write_answers(sheet)
    if weights is not None:
        for lane in config.lanes:
            shutil.copytree(weights, folder.lane(lane.name))
    if ended:
        folder.finish()
    if name:
        write_marks(folder, Marks(name=name))
    return folder
