"""A person's own rows as a task: saved, loaded, straight from a file, and what stays beside them."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from soul_core.data.facts import load_facts
from soul_core.data.invented_authors import invented_world
from soul_core.data.own_columns import ColumnMapping
from soul_core.data.own_retain import BUILT_IN, retained
from soul_core.data.own_rows import origin_of, rows_from
from soul_core.data.own_task import SOURCE, about_own, load_own, prepare, save_own_task
from soul_core.data.schema import QARow
from soul_core.data.tasks import TASKS, is_local, load_task
from soul_core.errors import DatasetError

PEOPLE = ("Mara Quill", "Oren Tal", "Lope Brenn", "Ida Vance", "Sol Aune")
TOWNS = ("Velden", "Quirrel", "Tarn", "Ostby", "Lund")


def csv(facts: str, people: tuple[str, ...] = PEOPLE) -> str:
    lines = [
        f"{facts.format(name)},{name} has to do with {town}.,{name}" for name, town in zip(people, TOWNS, strict=True)
    ]
    return "question,answer,subject\n" + "\n".join(lines) + "\n"


@pytest.fixture
def facts(tmp_path: Path) -> Path:
    path = tmp_path / "facts.csv"
    path.write_text(csv("Where was {} born?"))
    return path


@pytest.fixture
def keep(tmp_path: Path) -> Path:
    path = tmp_path / "keep.csv"
    path.write_text(csv("Where did {} die?", ("A B", "C D", "E F", "G H", "I J")))
    return path


@pytest.fixture(autouse=True)
def _offered(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(TASKS, SOURCE.name, SOURCE)


def test_a_saved_task_is_loaded_as_it_was_from_any_directory(
    facts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    rows, mapping = rows_from(facts)
    ready = prepare(rows)
    monkeypatch.chdir(tmp_path)
    task = save_own_task(
        Path("deep/my task"), ready.forget, title=" Five towns ", origin=origin_of(facts), mapping=mapping
    )
    assert task.name == f"own:{tmp_path / 'deep' / 'my task'}"
    monkeypatch.chdir("/")
    assert load_task(task.name) == task
    assert task.forget == task.eval_sets["forget"] == ready.forget
    assert task.retain == task.eval_sets["retain"] == invented_world().rows
    assert set(task.eval_sets) == {"forget", "retain", "real_authors", "world_facts"}
    assert task.subjects == PEOPLE
    about = about_own(tmp_path / "deep" / "my task")
    assert (about.title, about.forget_rows, about.retain_rows, about.retain_from) == ("Five towns", 5, 1200, BUILT_IN)
    assert about.origin is not None and about.origin.sha256 == hashlib.sha256(facts.read_bytes()).hexdigest()
    assert about.mapping == {"question": "question", "answer": "answer", "subject": "subject"}
    assert about.made_with.startswith("SOUL ")


def test_a_file_is_a_task_with_its_columns_guessed_and_wrong_answers_made(facts: Path):
    task = load_task(f"own:{facts}")
    assert task.forget == prepare(rows_from(facts)[0]).forget
    assert [len(row.perturbed_answers) for row in task.forget] == [4] * 5
    assert task.retain == invented_world().rows
    assert load_task(task.name) == task


def test_blank_rows_of_a_file_are_left_out(facts: Path):
    facts.write_text(facts.read_text().replace("Where was Oren", ",,\nWhere was Oren"))
    assert len(load_own(str(facts)).forget) == 5


def test_behind_a_plus_stands_a_file_to_retain(facts: Path, keep: Path):
    task = load_task(f"own:{facts}+{keep}")
    assert [row.subject for row in task.retain] == ["A B", "C D", "E F", "G H", "I J"]
    assert task.eval_sets["retain"] == task.retain
    assert "world_facts" in task.eval_sets


def test_behind_a_plus_stands_a_task_whose_retain_rows_and_sets_are_taken(facts: Path):
    task = load_task(f"own:{facts}+invented-authors:forget10")
    whole = load_task("invented-authors:forget10")
    assert task.retain == whole.retain
    assert task.eval_sets["world_facts"] == whole.eval_sets["world_facts"]


def test_rows_of_a_task_that_are_asked_otherwise_are_kept_apart(
    facts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = load_task("invented-authors:forget10")
    asked = tuple(replace(row, paraphrased_answer="Elsewise.") for row in whole.retain[:7])
    blanks = whole.retain[:3]
    other = replace(whole, eval_sets={**whole.eval_sets, "retain": asked, "retain_fb": blanks, "forget_fb": blanks})
    monkeypatch.setitem(TASKS, "other", replace(TASKS["invented-authors"], name="other", load=lambda _: other))
    task = save_own_task(tmp_path / "task", prepare(rows_from(facts)[0]).forget, retain="other:forget10")
    assert task.retain == whole.retain
    assert task.eval_sets["retain"] == asked
    assert task.eval_sets["retain_fb"] == blanks
    assert "forget_fb" not in task.eval_sets


def test_what_is_forgotten_is_not_retained_by_the_built_in_rows_nor_asked_as_a_fact():
    known = invented_world().rows[14]
    fact = load_facts("world_facts")[3]
    forget = (
        QARow(question=known.heldback_questions[0].upper(), answer="Whatever it is."),
        QARow(question=fact.question, answer=fact.answer),
    )
    kept = retained(BUILT_IN, forget)
    assert known not in kept.rows and len(kept.rows) == 1199 and kept.left_out == 1
    assert kept.sets["retain"] == kept.rows
    assert fact not in kept.sets["world_facts"]
    assert len(kept.sets["world_facts"]) == len(load_facts("world_facts")) - 1
    assert kept.sets["real_authors"] == load_facts("real_authors")


def test_values_for_wrong_answers_come_from_rows_of_ones_own_and_not_from_the_built_in_ones(keep: Path):
    (row,) = prepare([QARow(question="Where was Mara Quill born?", answer="In Velden.")]).forget
    assert row.perturbed_answers == ()
    (row,) = prepare([QARow(question="Where was Mara Quill born?", answer="In Velden.")], str(keep)).forget
    assert set(row.perturbed_answers) == {"In Quirrel.", "In Tarn.", "In Ostby.", "In Lund."}
    (row,) = prepare(
        [QARow(question="Where was Mara Quill born?", answer="In Velden.")], str(keep), swaps=False
    ).forget
    assert row.perturbed_answers == ()


def test_a_row_on_both_sides_is_refused(facts: Path, tmp_path: Path):
    rows = rows_from(facts)[0]
    with pytest.raises(DatasetError, match=r"Row 2 \(retain row 1\) is to be retained too"):
        save_own_task(tmp_path / "task", rows, retain=rows[1:2])
    assert not (tmp_path / "task").exists()
    with pytest.raises(DatasetError, match="are to be retained too"):
        load_own(f"{facts}+{facts}")


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (QARow(question="Who?", answer=""), "Row 1 has no answer"),
        (QARow(question="", answer=""), "There is nothing to forget"),
    ],
)
def test_rows_with_errors_are_not_saved(row: QARow, sentence: str, tmp_path: Path):
    with pytest.raises(DatasetError, match=sentence):
        save_own_task(tmp_path / "task", [row])
    assert list(tmp_path.iterdir()) == []


def test_errors_of_the_rows_to_retain_are_named_as_theirs(facts: Path, keep: Path):
    keep.write_text("question,answer\nWho?,\n")
    with pytest.raises(DatasetError, match=r"Of the rows to retain \(keep\.csv\): Row 1 has no answer"):
        load_own(f"{facts}+{keep}")
    with pytest.raises(DatasetError, match=r"Of the rows to retain .* There is no row"):
        prepare(rows_from(facts)[0], [])


def test_a_folder_with_something_in_it_is_never_written_into(facts: Path, tmp_path: Path):
    folder = tmp_path / "task"
    folder.mkdir()
    rows = rows_from(facts)[0]
    assert save_own_task(folder, rows).forget == rows
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(DatasetError, match=r"is not empty\. Choose a new or an empty folder"):
        save_own_task(folder, rows[:3])
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_folder_that_cannot_be_written_leaves_nothing_behind(facts: Path, tmp_path: Path):
    with pytest.raises(DatasetError, match="cannot be written"):
        save_own_task(facts / "task", rows_from(facts)[0])
    assert [path.name for path in tmp_path.iterdir()] == ["facts.csv"]


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        ("task.json", None, "is not a folder with a task of your own"),
        ("task.json", "[1]", "is not a folder with a task of your own"),
        ("task.json", '{"format": 1, "title": 3}', "is not a folder with a task of your own"),
        ("task.json", '{"format": 99}', r"was written by a newer SOUL \(format 99\)"),
        ("forget.jsonl", None, "forget.jsonl cannot be read"),
        ("forget.jsonl", "", "forget.jsonl has no rows"),
        ("forget.jsonl", '{"question": "Who?", "answer": 5}\n', "Line 1 of .*forget.jsonl is not as it was written"),
        ("retain.jsonl", "{", "Line 1 of .*retain.jsonl is not as it was written"),
        ("world_facts.jsonl", "\udcff", "world_facts.jsonl cannot be read"),
    ],
)
def test_a_folder_that_was_changed_is_refused(facts: Path, tmp_path: Path, file: str, text: str | None, sentence: str):
    folder = tmp_path / "task"
    save_own_task(folder, rows_from(facts)[0])
    if text is None:
        (folder / file).unlink()
    else:
        (folder / file).write_text(text, errors="surrogateescape")
    with pytest.raises(DatasetError, match=sentence):
        load_own(str(folder))


def test_what_is_neither_file_nor_folder_is_named(tmp_path: Path):
    with pytest.raises(DatasetError, match="cannot be opened"):
        load_own(str(tmp_path / "none.csv"))
    with pytest.raises(DatasetError, match="No file is named"):
        load_own("  ")


def test_a_saved_task_is_plain_json_lines_with_letters_as_they_are(tmp_path: Path):
    rows = [QARow(question=f"Wo wurde Zoë {i} geboren?", answer=f"=cmd() <b>Zürich {i}</b>") for i in range(3)]
    folder = tmp_path / "task"
    assert save_own_task(folder, rows).forget == tuple(rows)
    first = (folder / "forget.jsonl").read_text(encoding="utf-8").splitlines()[0]
    assert "Zoë 0" in first and json.loads(first)["answer"] == "=cmd() <b>Zürich 0</b>"


def test_it_is_local_and_parts_of_it_can_be_picked(facts: Path):
    assert is_local(f"own:{facts}")
    task = load_task(f"own:{facts}#rows=1-2")
    assert [row.subject for row in task.forget] == ["Mara Quill", "Oren Tal"]
    assert task.retain[:3] == load_task(f"own:{facts}").forget[2:]


def test_columns_chosen_by_hand_are_used(tmp_path: Path):
    path = tmp_path / "f.csv"
    path.write_text("Frage;Antwort\nWo?;Velden\n")
    with pytest.raises(DatasetError, match="columns found: Frage, Antwort"):
        rows_from(path)
    rows, mapping = rows_from(path, ColumnMapping(question="Frage", answer="Antwort"))
    assert (rows[0].question, rows[0].answer, mapping.answer) == ("Wo?", "Velden", "Antwort")
