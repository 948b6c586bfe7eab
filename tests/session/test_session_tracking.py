"""Tracking: what trackio would be told, that events pass unchanged, and that its troubles end no race."""

import logging
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from soul_core.errors import RunError
from soul_core.events import Event, Progress
from soul_core.session import tracking
from soul_core.session.tracking import SWITCH, require_tracking, tracked, tracked_if_wanted
from tests.runs.builders import config, epoch, race_events, started, step

PROJECT = "forgetting"


class PretendedRun:
    """Keeps what a run of trackio is told."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.logged: list[tuple[int, dict[str, float]]] = []
        self.finished = 0

    def log(self, numbers: dict[str, float], *, step: int) -> None:
        self.logged.append((step, numbers))

    def finish(self) -> None:
        print("* Run finished")  # noqa: T201
        self.finished += 1


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[PretendedRun]:
    """trackio as far as it is used; every ``init`` adds a run."""
    made: list[PretendedRun] = []
    module = ModuleType("trackio")

    def init(**settings: Any) -> PretendedRun:
        print("* Trackio project initialized")  # noqa: T201
        made.append(PretendedRun({**settings, "elsewhere": tracking.os.environ.get("TRACKIO_SPACE_ID")}))
        return made[-1]

    module.init = init  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "trackio", module)
    monkeypatch.setattr(tracking.importlib.util, "find_spec", lambda name: module if name == "trackio" else None)
    return made


def test_events_pass_unchanged_and_in_order(runs: list[PretendedRun]):
    events = [*race_events(), Progress(what="x", done=0, total=1)]
    assert list(tracked(iter(events), PROJECT, config())) == events  # type: ignore[arg-type]


def test_steps_and_scores_are_logged_by_lane_with_the_number_of_their_step(runs: list[PretendedRun]):
    events = [
        started(),
        epoch("so", 0, 0.9, 0.8),
        step("so", 1, clip_share=0.25),
        step("so", 2),
        epoch("so", 1, 0.5, 0.7),
    ]
    list(tracked(iter(events), PROJECT, config()))  # type: ignore[arg-type]
    (run,) = runs
    assert [at for at, _ in run.logged] == [0, 1, 2, 2]
    before, first, second, after = (numbers for _, numbers in run.logged)
    assert (before["so/forget/acc"], before["so/retain/acc"], before["so/epoch"]) == (0.9, 0.8, 0)
    assert (first["so/step/clip_share"], first["so/step/lr"], first["so/epoch"]) == (0.25, 1e-3, 1)
    assert "so/step/clip_share" not in second  # an optimizer that does not clip
    assert (after["so/forget/acc"], after["so/forget/acc_low"]) == (0.5, pytest.approx(0.45))
    assert run.finished == 1


def test_trackio_is_asked_to_stay_on_this_machine_and_to_watch_no_gpu(
    runs: list[PretendedRun], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("TRACKIO_SPACE_ID", "someone/space")
    list(tracked(iter(race_events()), f" {PROJECT} ", config()))  # type: ignore[arg-type]
    settings = runs[0].settings
    assert (settings["project"], settings["name"]) == (PROJECT, "20261121-091200-graddiff-3f9a11aa")
    assert (settings["auto_log_gpu"], settings["auto_log_cpu"], settings["embed"]) == (False, False, False)
    assert settings["config"] == config().model_dump(mode="json")
    assert settings["elsewhere"] is None
    assert tracking.os.environ["TRACKIO_SPACE_ID"] == "someone/space"
    said = capsys.readouterr()
    assert said.out == ""  # where --json promises one object
    assert "Trackio project" in said.err


def test_closing_it_closes_the_race_and_ends_trackios_run(runs: list[PretendedRun]):
    closed: list[str] = []

    def race() -> Iterator[Event]:
        try:
            yield step("fo", 1)
            yield step("fo", 2)
        finally:
            closed.append("race")

    events = tracked(race(), PROJECT, config())
    next(events)
    events.close()
    assert closed == ["race"]
    assert runs[0].finished == 1


def test_a_race_that_fails_ends_trackios_run_too(runs: list[PretendedRun]):
    def race() -> Iterator[Event]:
        yield step("fo", 1)
        raise RunError("The disk is full.")

    with pytest.raises(RunError, match="The disk is full"):
        list(tracked(race(), PROJECT, config()))
    assert runs[0].finished == 1


@pytest.mark.parametrize("broken", ["init", "log", "finish"])
def test_whatever_fails_in_trackio_the_race_goes_on_and_the_log_has_it_once(
    runs: list[PretendedRun], broken: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def fail(*_: object, **__: object) -> None:
        raise OSError("no space")

    if broken == "init":
        monkeypatch.setattr(sys.modules["trackio"], "init", fail)
    else:
        monkeypatch.setattr(PretendedRun, broken, fail)
    with caplog.at_level(logging.ERROR):
        assert len(list(tracked(iter(race_events()), PROJECT, config()))) == len(race_events())  # type: ignore[arg-type]
    assert [record.message for record in caplog.records] == ["trackio failed; this race is not tracked any further"]


def test_without_trackio_it_is_refused_before_anything_runs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tracking.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(RunError, match="needs the package trackio, which is not installed"):
        tracked(iter([]), PROJECT, config())


@pytest.mark.parametrize("project", ["", "  ", "a\nb", "x" * 81])
def test_a_project_needs_a_name(runs: list[PretendedRun], project: str):
    with pytest.raises(RunError, match="is no name for a project"):
        require_tracking(project)


def test_the_page_tracks_only_where_the_environment_says_so(
    runs: list[PretendedRun], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def race() -> Iterator[Event]:
        yield step("fo", 1)

    monkeypatch.delenv(SWITCH, raising=False)
    assert len(list(tracked_if_wanted(race(), config()))) == 1
    assert runs == []
    monkeypatch.setenv(SWITCH, PROJECT)
    assert len(list(tracked_if_wanted(race(), config()))) == 1
    assert runs[0].settings["project"] == PROJECT
    monkeypatch.setattr(tracking.importlib.util, "find_spec", lambda _: None)
    assert len(list(tracked_if_wanted(race(), config()))) == 1
    assert "SOUL_TRACK is set, but: Tracking needs the package trackio" in caplog.text
