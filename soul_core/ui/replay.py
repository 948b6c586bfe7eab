"""A recording at one moment as the page shows it, and why one is offered. It knows no component and runs no race."""

from dataclasses import dataclass
from html import escape

from soul_core.data.schema import QARow
from soul_core.data.sets import set_kind
from soul_core.errors import SoulError
from soul_core.jobs import JobView
from soul_core.runs.recording import About, Recording
from soul_core.session.recorded import Replay
from soul_core.session.verdict import verdict
from soul_core.ui import text, text_host
from soul_core.ui.board import Board, Column, Said
from soul_core.ui.desk import JUDGED, Desk
from soul_core.ui.questions import known_row
from soul_core.ui.track import RaceTrack, kind_of

PATIENCE = 5.0
"""Seconds that a model may load before a recording is offered meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What a replay shows after ``at`` events."""

    at: int
    recording: Recording
    track: RaceTrack
    verdict: str
    fraction: float
    elapsed: float
    now: str

    @property
    def chart_id(self) -> str:
        """Tells the charts whose zoom to keep."""
        return f"recorded-{self.recording.about.name}"


def frame(replay: Replay, at: int, *, moving: bool = True) -> Frame:
    """Fold the first ``at`` events exactly as those of a race that runs."""
    recording = replay.recording
    seen = recording.events[:at]
    track = RaceTrack()
    track.take(seen)
    elapsed = replay.recorded_seconds(at)
    over = at >= replay.length
    now = text_host.ENDED if over else (track.now or text_host.BEFORE) if moving else text_host.HALTED
    return Frame(
        at=at,
        recording=recording,
        track=track,
        verdict=verdict(seen) if any(isinstance(event, JUDGED) for event in seen) else "",
        fraction=1.0 if over else elapsed / replay.seconds if replay.seconds else 0.0,
        elapsed=elapsed,
        now=now,
    )


def banner_html(about: About) -> str:
    """What everything below it is: recorded, when, where, by which code."""
    line = text_host.recorded_on(about.recorded[:10], about.seed, about.commit, about.machine)
    command = f"<code>{escape(about.command)}</code>" if about.command else ""
    return (
        f'<div class="soul-recorded-banner" role="note"><b>{escape(text_host.RECORDED)}</b> '
        f"<span>{escape(about.title)}. {escape(line)} {escape(text_host.NOT_RUNNING)}</span>"
        f"<p>{escape(about.sentence)}</p>{command}</div>"
    )


def progress_html(shown: Frame, *, whole: float) -> str:
    """How far the replay is; its label says recorded, so that no picture of it can be taken for a race."""
    share = text_host.share_line(shown.fraction)
    ended = shown.at >= len(shown.recording.events)
    announced = shown.now if ended else ""
    times = text.duration(shown.elapsed)
    told = text_host.pace_line(whole, shown.recording.about.seconds) if ended else ""
    return (
        f'<div class="soul-progress soul-recorded-progress" data-announce="{escape(announced)}">'
        f'<progress max="1" value="{shown.fraction:.4f}" aria-label="{escape(text_host.REPLAYED)}">{share}</progress>'
        f'<div class="soul-progress-line"><b class="soul-recorded-mark">{escape(text_host.RECORDED)}</b>'
        f'<span class="soul-now">{escape(shown.now)}</span>'
        f'<span class="soul-times">{escape(times)}</span><span class="soul-share">{share}</span></div>'
        f'<p class="soul-recorded-pace">{escape(told) or "&nbsp;"}</p></div>'
    )


def answer_choices(recording: Recording) -> list[tuple[str, str]]:
    """Label and question of everything that was recorded, set by set."""
    return [
        (text_host.recorded_lane(set_kind(name).title, row.question), row.question)
        for name, rows in recording.answers.sets.items()
        for row in rows
    ]


def answers_board(recording: Recording, question: str) -> Board:
    """The board of one recorded question; a column says so where its lane was not recorded."""
    asked = next(
        (row for rows in recording.answers.sets.values() for row in rows if row.question == question),
        None,
    )
    said = dict(asked.answers) if asked else {}
    return Board(
        question=question,
        columns=tuple(
            Column(
                lane=name,
                label=label,
                position=position,
                once=once,
                answers=(Said(text=said[name], done=True),) if name in said else (),
                message=text_host.NO_ANSWER,
            )
            for name, label, position, once in _places(recording)
        ),
        truth=_truth(recording.about.task, question, asked.truth if asked else ""),
    )


def _places(recording: Recording) -> list[tuple[str, str, int, bool]]:
    track = RaceTrack()
    track.take(recording.events[:1])
    lanes = track.config.lanes if track.config else ()
    between = [(lane.name, lane.label, at, kind_of(lane) != "trained") for at, lane in enumerate(lanes)]
    gold = [("gold", text.LANE_LABELS["gold"], 0, False)] if "gold" in track.lanes else []
    return [("original", text.LANE_LABELS["original"], 0, False), *between, *gold]


def _truth(task: str, question: str, answer: str) -> QARow | None:
    """The row that the question is from, which knows the wrong answers too; else what was recorded of it."""
    try:
        row = known_row(task, question)
    except SoulError:  # a task that is not on this machine
        row = None
    if row is None and answer:
        row = QARow(question=question, answer=answer)
    return row


def why_offered(view: JobView | None, *, waited: float) -> str:
    """Why a browser's own race gives reason to offer a recording meanwhile; empty where it gives none.

    Args:
        view: The browser's own race; None if it has none.
        waited: Seconds since it was looked at first.
    """
    if view is None:
        return ""
    if view.state == "queued":
        return text_host.ahead(view.queue_position) if view.queue_position else ""
    if view.state == "running" and not view.events and waited >= PATIENCE:
        return text_host.LOADING
    if view.state == "failed" and not view.events:
        return text_host.COULD_NOT_BEGIN
    return ""


def own_view(desk: Desk, job_id: str) -> JobView | None:
    """The browser's own race, if this server knows it."""
    try:
        return desk.jobs.status(job_id) if job_id else None
    except SoulError:
        return None
