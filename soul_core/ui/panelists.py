"""Who answers a question: the models of the browser's run, or those that ship. It knows no component."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from soul_core.config import RaceConfig
from soul_core.data.refusals import refusals
from soul_core.errors import ModelError, RunError
from soul_core.models.loading import LoadedModel, load_model
from soul_core.runs.folder import RunFolder
from soul_core.session.ask import ask
from soul_core.session.runmodels import models_of_run
from soul_core.ui import text, text_runs
from soul_core.ui.board import Board, Column, Said
from soul_core.ui.desk import Desk
from soul_core.ui.questions import checked_question, known_row
from soul_core.ui.track import kind_of

SHOW_EVERY = 0.08  # seconds between two pictures of the growing answers


@dataclass(frozen=True, slots=True, kw_only=True)
class AskForm:
    """What is asked and how."""

    question: str
    temperature: float = 0.0
    samples: int = 1


def empty_columns(*, after_run: bool = False) -> tuple[Column, ...]:
    """The board before anything was asked; after a run its lanes no longer wait for one."""
    waiting = "" if after_run else text.NO_LANE_YET
    return tuple(
        Column(lane=lane, label=text.LANE_LABELS[lane], message=waiting if lane in ("fo", "so") else "")
        for lane in ("original", "fo", "so", "gold")
    )


def answers(desk: Desk, config: RaceConfig, form: AskForm, *, job_id: str, owner: str = "") -> Iterator[Board]:
    """The board while the answers grow; ends with the complete one.

    Args:
        desk: Where the models are.
        config: What Setup says, for a browser that has no run.
        form: The question.
        job_id: The browser's run, empty if it has none.
        owner: The browser's token; on a shared host it may ask what it taught itself.
    """
    question = checked_question(form.question)
    folder = _folder(desk, job_id)
    config = folder.config if folder else config
    if folder is None:  # what a run was allowed to take, its questions may
        desk.host.check(config, owner=owner)
    known = known_row(config.task, question)
    yield Board(question=question, columns=_loading(config), truth=known)
    models = models_of_run(folder, desk.shelf) if folder else _without_run(desk, config, owner)
    gone = bool(job_id) and folder is None
    columns = _columns(config, models, running=bool(job_id) and desk.alive(job_id), gone=gone)
    board = Board(question=question, columns=columns, truth=known, refusals=tuple(refusals()))
    updates = ask(
        models,
        question,
        max_new_tokens=config.max_new_tokens,
        temperature=form.temperature,
        samples=form.samples,
        seed=config.seed,
    )
    said: dict[str, dict[int, Said]] = {lane: {0: Said(text="", done=False)} for lane in models}
    yield _filled(board, said)
    shown = time.monotonic()
    for update in updates:
        said[update.model][update.sample] = Said(text=update.text, done=update.done)
        if time.monotonic() - shown > SHOW_EVERY:
            yield _filled(board, said)
            shown = time.monotonic()
    yield _filled(board, said)


def _folder(desk: Desk, job_id: str) -> RunFolder | None:
    try:
        return desk.store.find(job_id) if job_id else None
    except RunError:
        return None


def _without_run(desk: Desk, config: RaceConfig, owner: str) -> dict[str, LoadedModel]:
    """The original and, where one is at hand, the gold."""
    specs = {"original": config.model, "gold": desk.gold_of(config)}
    found = {}
    for lane, spec in specs.items():
        if not spec:
            continue
        try:
            found[lane] = desk.shelf.get(
                spec,
                lambda spec=spec: load_model(spec, allow_local=desk.host.reads(spec, owner=owner)),  # type: ignore[misc]
            )
        except ModelError:
            # A gold that cannot be had leaves its column empty; without the original there is nothing to ask.
            if lane != "gold":
                raise
    return found


def _places(config: RaceConfig) -> list[Column]:
    """Every column, in order, still empty."""
    lanes = [
        Column(lane=lane.name, label=lane.label, position=at, once=kind_of(lane) != "trained")
        for at, lane in enumerate(config.lanes)
    ]
    original, gold = (Column(lane=name, label=text.LANE_LABELS[name]) for name in ("original", "gold"))
    return [original, *lanes, gold]


def _loading(config: RaceConfig) -> tuple[Column, ...]:
    return tuple(replace(column, message=text.WAITING) for column in _places(config))


def _columns(config: RaceConfig, models: dict[str, LoadedModel], *, running: bool, gone: bool) -> tuple[Column, ...]:
    missing = {"gold": text.NO_GOLD}
    waiting = text_runs.RUN_GONE if gone else text.LANE_TRAINING if running else text.NO_LANE_YET
    return tuple(
        replace(column, message="" if column.lane in models else missing.get(column.lane, waiting))
        for column in _places(config)
    )


def _filled(board: Board, said: dict[str, dict[int, Said]]) -> Board:
    columns = tuple(
        replace(column, answers=tuple(answer for _, answer in sorted(said.get(column.lane, {}).items())))
        for column in board.columns
    )
    return replace(board, columns=columns)
