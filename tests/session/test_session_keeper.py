"""The keeper: what the disk refuses is told once; stopped races are wrapped up from their folder alone."""

from pathlib import Path

import pytest

from soul_core.errors import RunError
from soul_core.events import Progress
from soul_core.runs.folder import RunFolder
from soul_core.runs.store import RunStore
from soul_core.session.keeper import Keeper, finish
from tests.runs.builders import config, race_events, step


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunStore(tmp_path).create(config())


def refuse(sentence: str):
    def write() -> None:
        raise RunError(sentence)

    return write


def test_only_the_first_refusal_is_told(folder: RunFolder):
    keeper = Keeper(folder)
    assert keeper.attempt(lambda: None)
    assert not keeper.attempt(refuse("The disk is full."))
    assert not keeper.attempt(refuse("The disk is still full."))
    keeper.remember("Gold could not be asked.")
    keeper.remember("Gold could not be asked.")
    assert keeper.trouble == ("The disk is full.", "Gold could not be asked.")


def test_events_stay_in_memory_when_the_disk_refuses(folder: RunFolder, monkeypatch):
    monkeypatch.setattr(folder, "append", lambda _: refuse("The disk is full.")())
    keeper = Keeper(folder)
    keeper.append(step("so", 1))
    keeper.append(Progress(what="asking", done=1, total=2))
    assert keeper.events == [step("so", 1)]


def test_answers_of_several_sets_and_lanes_gather(folder: RunFolder):
    keeper = Keeper(folder)
    keeper.add_answers("so", [("forget", "q", "t", "a"), ("retain", "r", "u", "b"), ("forget", "q2", "t2", "a2")])
    keeper.add_answers("fo", [("forget", "q", "t", "c"), ("forget", "q2", "t2", "d")])
    sheet = folder.answers()
    assert [dict(row.answers) for row in sheet.sets["forget"]] == [{"so": "a", "fo": "c"}, {"so": "a2", "fo": "d"}]
    assert [dict(row.answers) for row in sheet.sets["retain"]] == [{"so": "b"}]


def test_a_race_cut_off_anywhere_gets_its_curves_and_report(folder: RunFolder):
    for event in race_events()[:8]:
        folder.append(event)
    finish(folder)
    assert "So far, after epoch 1 of 2" in (folder.path / "report.html").read_text()
    assert (folder.path / "curves.csv").read_text().count("\nso,1,forget,0.400000") == 1
