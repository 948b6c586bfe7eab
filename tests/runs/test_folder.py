"""A run folder: manifest first, events appended, broken lines skipped, disk errors as sentences."""

import errno
import json
from pathlib import Path

import pytest

from soul_core.errors import RunError
from soul_core.events import Progress, RaceEnded
from soul_core.runs import atomic
from soul_core.runs.answers import MAX_ROWS, AnswerSheet
from soul_core.runs.folder import EVENTS, MANIFEST, RunFolder
from soul_core.runs.manifest import new_manifest, owner_mark
from soul_core.runs.store import RunStore, is_run_id
from tests.runs.builders import config, epoch, race_events, step


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunStore(tmp_path / "runs").create(config(seed=7))


def test_the_manifest_stands_before_any_event_and_reads_back_the_settings(folder: RunFolder):
    assert [path.name for path in folder.path.iterdir()] == [MANIFEST]
    assert folder.config == config(seed=7)
    assert is_run_id(folder.run_id)
    assert folder.manifest().versions["torch"]


def test_a_note_in_the_manifest_keeps_everything_else(folder: RunFolder):
    before = folder.manifest()
    folder.note(precision="bfloat16", data_hash="ab")
    after = folder.manifest()
    assert (after.precision, after.data_hash) == ("bfloat16", "ab")
    assert after.but(precision="", data_hash="") == before


def test_the_owners_token_is_not_in_the_folder(tmp_path: Path):
    folder = RunStore(tmp_path).create(config(), owner="secret-token")
    assert "secret-token" not in (folder.path / MANIFEST).read_text()
    assert folder.manifest().owner == owner_mark("secret-token") != ""


def test_events_come_back_in_order_without_progress(folder: RunFolder):
    folder.append(epoch("fo", 1, 0.5, 0.9))
    folder.append(Progress(what="asking", done=1, total=2))
    folder.append(step("so", 3))
    assert folder.events() == [epoch("fo", 1, 0.5, 0.9), step("so", 3)]


def test_a_line_cut_short_is_skipped_and_the_next_event_is_not_glued_to_it(folder: RunFolder):
    folder.append(epoch("fo", 1, 0.5, 0.9))
    log = folder.path / EVENTS
    log.write_bytes(log.read_bytes() + b'{"kind":"epoch","lane":"s')
    assert RunFolder(folder.path).events() == [epoch("fo", 1, 0.5, 0.9)]
    RunFolder(folder.path).append(step("so", 1))
    assert RunFolder(folder.path).events() == [epoch("fo", 1, 0.5, 0.9), step("so", 1)]


def test_bytes_that_are_no_text_do_not_stop_the_reader(folder: RunFolder):
    folder.append(step("so", 1))
    log = folder.path / EVENTS
    log.write_bytes(b"\xff\xfe\x00\n" + log.read_bytes())
    assert folder.events() == [step("so", 1)]


def test_rewriting_the_log_replaces_it(folder: RunFolder):
    for event in race_events():
        folder.append(event)
    folder.rewrite_events(race_events()[:3])
    folder.append(RaceEnded(status="stopped"))
    assert folder.events() == [*race_events()[:3], RaceEnded(status="stopped")]


def test_done_is_a_mark_that_can_be_taken_away(folder: RunFolder):
    assert not folder.done
    folder.finish()
    assert folder.done
    folder.reopen()
    assert not folder.done


def test_final_weights_are_preferred_to_the_checkpoint_and_a_half_written_folder_is_not_taken(folder: RunFolder):
    assert folder.weights("so") is None
    checkpoint = folder.checkpoint("so")
    checkpoint.mkdir(parents=True)
    (checkpoint / "config.json").write_text("{}")
    assert folder.weights("so") is None
    (checkpoint / "model.safetensors").write_bytes(b"")
    assert folder.weights("so") == checkpoint
    for name in ("config.json", "model.safetensors"):
        (folder.lane("so") / name).write_bytes(b"")
    assert folder.weights("so") == folder.lane("so")


def test_a_folder_that_holds_a_run_is_refused_and_left_alone(folder: RunFolder):
    text = (folder.path / MANIFEST).read_text()
    with pytest.raises(RunError, match="already holds a run"):
        RunFolder(folder.path).begin(new_manifest("x", config()))
    assert (folder.path / MANIFEST).read_text() == text


def test_a_folder_with_other_files_is_refused(tmp_path: Path):
    (tmp_path / "thesis.tex").write_text("dear")
    with pytest.raises(RunError, match="not empty"):
        RunStore(tmp_path / "runs").create(config(), at=tmp_path)


def test_a_file_in_the_place_of_the_folder_or_of_its_parent_is_named(tmp_path: Path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(RunError, match=r"taken is a file, not a folder"):
        RunStore(tmp_path).create(config(), at=tmp_path / "taken")
    with pytest.raises(RunError, match=r"taken/run is not a folder, or lies inside a file"):
        RunStore(tmp_path).create(config(), at=tmp_path / "taken" / "run")


def test_a_full_disk_is_one_sentence_and_keeps_what_was_there(folder: RunFolder):
    (folder.path / EVENTS).symlink_to("/dev/full")
    with pytest.raises(RunError, match=r"The disk is full: .* Free some space") as caught:
        folder.append(step("so", 1))
    assert str(folder.path) in str(caught.value)
    assert folder.config == config(seed=7)


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.EROFS, "read-only"), (errno.EACCES, "read-only"), (errno.ENOENT, "is gone"), (errno.EIO, "could not be")],
)
def test_each_disk_error_says_what_to_do(folder: RunFolder, monkeypatch, number: int, said: str):
    before = (folder.path / MANIFEST).read_text()

    def refuse(*_: object) -> None:
        raise OSError(number, "refused")

    monkeypatch.setattr(atomic.os, "fsync", refuse)
    with pytest.raises(RunError, match=said):
        folder.note(precision="float32")
    assert (folder.path / MANIFEST).read_text() == before
    assert [path.name for path in folder.path.iterdir()] == [MANIFEST]  # no temporary file stays


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"run_id": "x"}', '{"run_id":"x","created":"","config":{"lanes":[]}}']
)
def test_a_broken_manifest_is_a_sentence(folder: RunFolder, text: str):
    (folder.path / MANIFEST).write_text(text)
    with pytest.raises(RunError, match="cannot be read"):
        folder.manifest()


def test_answers_of_lanes_gather_on_one_sheet(folder: RunFolder):
    sheet = AnswerSheet().with_answers("forget", "original", ["q1", "q2"], ["t1", "t2"], ["a", "b"])
    folder.write_answers(sheet.with_answers("forget", "so", ["q1", "q2"], ["t1", "t2"], ["c", "d"]))
    rows = folder.answers().sets["forget"]
    assert [dict(row.answers) for row in rows] == [{"original": "a", "so": "c"}, {"original": "b", "so": "d"}]
    assert [row.truth for row in rows] == ["t1", "t2"]


def test_answers_are_bounded():
    many = [f"q{i}" for i in range(MAX_ROWS + 50)]
    sheet = AnswerSheet().with_answers("forget", "so", many, many, ["x" * 9000] * len(many))
    assert len(sheet.sets["forget"]) == MAX_ROWS
    assert max(len(answer) for row in sheet.sets["forget"] for answer in row.answers.values()) == 2000


@pytest.mark.parametrize("text", ["", "[]", '{"sets": 3}', json.dumps({"sets": {"forget": [{"x": 1}]}})])
def test_a_broken_answer_sheet_reads_as_empty(folder: RunFolder, text: str):
    (folder.path / "answers.json").write_text(text)
    assert folder.answers() == AnswerSheet()
