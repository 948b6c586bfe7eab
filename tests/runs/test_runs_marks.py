"""Name, pin and note of a run: what is kept, what is brought into shape, what is unreadable."""

import json
from pathlib import Path

import pytest

from soul_core.errors import RunError
from soul_core.runs.folder import RunFolder
from soul_core.runs.marks import MARKS, Marks, read_marks, write_marks
from soul_core.runs.store import RunStore
from tests.runs.kept_runs import kept_run


def test_marks_are_read_as_they_were_written(tmp_path: Path):
    folder = kept_run(RunStore(tmp_path))
    assert read_marks(folder) == Marks()
    marks = Marks(name="Größe 50 % 👩‍🔬", pinned=True, note="line one\nline two")
    write_marks(folder, marks)
    assert read_marks(folder) == marks
    assert (marks.name, marks.note) == ("Größe 50 % 👩‍🔬", "line one\nline two")
    assert [path.name for path in folder.path.glob("*.tmp")] == []


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("  two\n\nlines\t ", "two lines"),
        ("bell\x07 and esc\x1b[31m", "bell and esc[31m"),
        ("turned \u202e round", "turned round"),
        ("half \ud800 a letter", "half a letter"),
        ("x" * 100, "x" * 80),
        ("x" * 79 + " y", "x" * 79),
    ],
)
def test_a_name_is_one_line_of_at_most_80_characters_that_can_be_shown(given: str, kept: str):
    assert Marks(name=given).name == kept


def test_a_note_keeps_its_lines_and_at_most_2000_characters():
    assert Marks(note="a\r\nb\rc\x00\n").note == "a\nb\nc"
    assert len(Marks(note="x" * 5000).note) == 2000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        "null",
        '{"name": 3, "pinned": "yes", "note": []}',
        "[" * 100_000,
        '{"name": "' + "x" * 70_000,
    ],
)
def test_marks_that_cannot_be_read_are_none(tmp_path: Path, text: str):
    folder = kept_run(RunStore(tmp_path))
    (folder.path / MARKS).write_text(text)
    assert read_marks(folder) == Marks()


def test_what_can_be_read_of_marks_counts(tmp_path: Path):
    folder = kept_run(RunStore(tmp_path))
    (folder.path / MARKS).write_text(json.dumps({"name": "a", "pinned": True, "note": 3, "more": 1}))
    assert read_marks(folder) == Marks(name="a", pinned=True)


def test_marks_are_not_written_where_there_is_no_run(tmp_path: Path):
    with pytest.raises(RunError, match="holds no run"):
        write_marks(RunFolder(tmp_path), Marks(name="a"))
    assert list(tmp_path.iterdir()) == []
