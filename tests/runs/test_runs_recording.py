"""Recordings: what of a run is kept, and that nothing else passes for one."""

import json
from pathlib import Path

import pytest

from soul_core.errors import RunError
from soul_core.events import RaceEnded
from soul_core.runs.answers import AnswerSheet, Asked
from soul_core.runs.folder import RunFolder
from soul_core.runs.recording import (
    ABOUT,
    list_recordings,
    machine_of,
    read_recording,
    spaced,
    write_recording,
)
from soul_core.runs.store import RunStore
from tests.ui.scenes import race_config, whole_race

MADE = {"commit": "3f2a1bc", "soul": "1.2.3"}


def finished(root: Path, *, ending: bool = True, **settings: object) -> RunFolder:
    """A run's folder as a race leaves it, without its weights."""
    folder = RunStore(root).create(race_config(seed=7, **settings), owner="somebody")
    for event in whole_race()[: None if ending else -1]:
        folder.append(event)
    rows = {"forget": 30, "retain": 3, "world_facts": 9}
    sheet = AnswerSheet()
    for name, count in rows.items():
        questions = [f"{name} {number}?" for number in range(count)]
        sheet = sheet.with_answers(name, "so", questions, ["yes"] * count, [f"said {n}" for n in range(count)])
    folder.write_answers(sheet)
    if ending:
        folder.finish()
    return folder


def test_a_recording_has_the_runs_own_lines_and_says_where_they_are_from(tmp_path):
    folder = finished(tmp_path / "runs")
    folder.note(platform="Linux-6.1-x86_64-with-glibc2.36", threads=2, device="cpu", command="race --seed 7")
    write_recording(folder, tmp_path / "first", **MADE, title="FO against SO", sentence="Look at SO.")
    recording = read_recording(tmp_path / "first")
    assert list(recording.events) == folder.events()
    about = recording.about
    assert (about.name, about.title, about.seed, about.commit, about.soul) == (
        "first",
        "FO against SO",
        7,
        "3f2a1bc",
        "1.2.3",
    )
    assert about.machine == "CPU, 2 threads, Linux x86_64"
    assert (about.seconds, about.command, about.recorded) == (20.0, "race --seed 7", folder.manifest().created)
    assert "somebody" not in (tmp_path / "first" / ABOUT).read_text()
    assert folder.manifest().owner not in (tmp_path / "first" / ABOUT).read_text()


def test_evenly_spaced_answers_of_every_set_are_kept(tmp_path):
    write_recording(finished(tmp_path / "runs"), tmp_path / "first", **MADE)
    sets = read_recording(tmp_path / "first").answers.sets
    # 30 rows, 12 wanted: every second (30 // 12), twelve of them; three of three; nine, four wanted: every second.
    assert [row.question for row in sets["forget"]] == [f"forget {n}?" for n in range(0, 24, 2)]
    assert [row.question for row in sets["retain"]] == ["retain 0?", "retain 1?", "retain 2?"]
    assert [row.answers["so"] for row in sets["world_facts"]] == ["said 0", "said 2", "said 4", "said 6"]


def test_spacing_keeps_the_first_and_never_more_than_asked_for():
    rows = [Asked(question=str(n), truth="") for n in range(7)]
    assert [row.question for row in spaced(rows, 3)] == ["0", "2", "4"]
    assert [row.question for row in spaced(rows, 50)] == list("0123456")
    assert spaced([], 3) == []


@pytest.mark.parametrize("ending", [False, True])
def test_a_race_that_did_not_finish_is_not_recorded(tmp_path, ending):
    folder = finished(tmp_path / "runs", ending=False)
    if ending:  # it has an end, but not its own
        folder.append(RaceEnded(status="stopped", message="Stopped."))
        folder.finish()
    with pytest.raises(RunError, match="did not come to its end"):
        write_recording(folder, tmp_path / "first", **MADE)
    assert not (tmp_path / "first").exists()


def test_a_file_of_this_machine_is_not_named_in_a_recording(tmp_path):
    folder = finished(tmp_path / "runs", model=str(tmp_path))
    with pytest.raises(RunError, match="a file of this machine"):
        write_recording(folder, tmp_path / "first", **MADE)


@pytest.mark.parametrize("name", ["First", "my run", ".hidden"])
def test_a_recordings_name_is_plain(tmp_path, name):
    with pytest.raises(RunError, match="cannot name a recording"):
        write_recording(finished(tmp_path / "runs"), tmp_path / name, **MADE)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "note.txt").write_text("mine")
    with pytest.raises(RunError, match="not empty"):
        write_recording(finished(tmp_path / "runs"), tmp_path / "first", **MADE)


@pytest.mark.parametrize("file", ["events.jsonl", "answers.json"])
def test_numbers_or_answers_that_were_touched_up_are_refused(tmp_path, file):
    write_recording(finished(tmp_path / "runs"), tmp_path / "first", **MADE)
    path = tmp_path / "first" / file
    text = path.read_text()
    path.write_text(text.replace("0.2", "0.1", 1) if file == "events.jsonl" else text.replace("said 0", "said so"))
    assert path.read_text() != text
    with pytest.raises(RunError, match="was changed after it was recorded"):
        read_recording(tmp_path / "first")


def test_what_is_no_recording_is_passed_over_in_the_list_and_refused_by_name(tmp_path):
    write_recording(finished(tmp_path / "runs"), tmp_path / "all" / "good", **MADE)
    (tmp_path / "all" / "empty").mkdir()
    (tmp_path / "all" / "broken").mkdir()
    (tmp_path / "all" / "broken" / ABOUT).write_text("{")
    (tmp_path / "all" / "newer").mkdir()
    about = json.loads((tmp_path / "all" / "good" / ABOUT).read_text())
    (tmp_path / "all" / "newer" / ABOUT).write_text(json.dumps({**about, "format": 2}))
    assert [found.name for found in list_recordings(tmp_path / "all")] == ["good"]
    assert list_recordings(tmp_path / "nowhere") == []
    with pytest.raises(RunError, match="can be read"):
        read_recording(tmp_path / "all" / "broken")
    with pytest.raises(RunError, match="another version"):
        read_recording(tmp_path / "all" / "newer")


def test_the_machine_of_a_gpu_run_names_the_gpu_and_no_threads(tmp_path):
    manifest = finished(tmp_path / "runs").note(platform="Linux-6.1-aarch64-with-glibc", threads=4, device="cuda:0")
    assert machine_of(manifest) == "cuda:0, Linux aarch64"
