"""``import-task``: from a file to a folder that a race takes, and every refusal before it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from soul_core.cli.main import main
from soul_core.data.own_task import SOURCE, about_own, load_own
from soul_core.data.tasks import TASKS

TOWNS = ("Velden", "Quirrel", "Tarn", "Ostby", "Lund", "Aune", "Morrow", "Sund", "Brack", "Ilm")


@pytest.fixture
def facts(tmp_path: Path) -> Path:
    path = tmp_path / "facts.csv"
    lines = [
        f'"Where was Mara {i} born, then?";"Mara {i} was born in {town}.";Mara {i}' for i, town in enumerate(TOWNS)
    ]
    path.write_text("Prompt;Response;Topic\n" + "\n".join(lines) + "\n")
    return path


def test_ten_facts_become_a_task_and_the_way_to_race_with_it_is_said(
    facts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "task"
    assert main(["import-task", str(facts), "--out", str(out), "--title", "Ten towns"]) == 0
    said = capsys.readouterr().out
    assert "facts.csv: 10 rows; question from Prompt, answer from Response, subject from Topic." in said
    assert "Retained: 1,200 rows (invented-authors)." in said
    assert "Note: 10 of 10 rows have wrong answers, 10 of them made by swapping values between rows." in said
    assert said.rstrip().endswith(f"python -m soul_core race --task 'own:{out}'")
    assert about_own(out).title == "Ten towns"
    assert load_own(str(out)).forget[3].answer == "Mara 3 was born in Ostby."


def test_a_model_is_asked_first_and_everything_is_json(
    facts: Path, tmp_path: Path, tiny_model_folder: Callable[[], Path], capsys: pytest.CaptureFixture[str]
):
    words = ["import-task", str(facts), "--out", str(tmp_path / "task"), "--model", str(tiny_model_folder()), "--json"]
    assert main(words) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert found["task"] == f"own:{tmp_path / 'task'}"
    assert found["columns"] == {"question": "Prompt", "answer": "Response", "subject": "Topic"}
    assert (found["rows"], found["with_wrong"], found["retain_rows"]) == (10, 10, 1200)
    assert found["known"]["share"]["value"] == 0 and found["known"]["verdict"] == "nothing"
    assert [row["row"] for row in found["known"]["rows"]] == list(range(1, 11))
    assert found["tokens"]["longest"] <= found["tokens"]["limit"] == 256
    assert "there is nothing to forget. Teach it first" in said.err
    assert "Written: " in said.err


def test_columns_named_on_the_command_line_are_not_guessed_for_anything_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "f.csv"
    path.write_text("question,answer,who,w1,w2\nWhere?,Velden,Mara,Tarn,Lund\n")
    words = ["--question", "answer", "--answer", "question", "--subject", "who", "--wrong", "w1", "--wrong", "w2"]
    assert main(["import-task", str(path), "--out", str(tmp_path / "task"), *words]) == 0
    (row,) = load_own(str(tmp_path / "task")).forget
    assert (row.question, row.answer, row.subject) == ("Velden", "Where?", "Mara")
    assert row.perturbed_answers == ("Tarn", "Lund")


def test_rows_to_retain_may_be_a_file_and_swaps_may_be_left_out(facts: Path, tmp_path: Path):
    keep = tmp_path / "keep.jsonl"
    lines = [json.dumps({"q": f"Who is {i}?", "a": f"Person {i}"}) for i in range(12)]
    keep.write_text("\n".join(lines))
    words = ["import-task", str(facts), "--out", str(tmp_path / "task"), "--retain", str(keep), "--no-swaps"]
    assert main(words) == 0
    task = load_own(str(tmp_path / "task"))
    assert [row.answer for row in task.retain] == [f"Person {i}" for i in range(12)]
    assert not any(row.perturbed_answers for row in task.forget)


@pytest.mark.parametrize(
    ("text", "words", "sentence"),
    [
        ("x;y\n1;2\n", [], "f.csv has no column that is known as the question or the answer (columns found: x, y)."),
        ("x;y\n1;2\n", ["--question", "z"], "f.csv has no column “z” (columns found: x, y)."),
        ("q;a\nWho?;\n", [], "Row 1 has no answer. Fill it in, or delete the row."),
        ("q;a\nWho?;Tal\n", ["--retain", "tofuu:forget10"], "There is no task “tofuu”. Did you mean “tofu”?"),
        ("q;a\nWho?;Tal\n", ["--model", "no/where/at-all"], "no/where/at-all"),
        ("", [], "f.csv is empty."),
    ],
)
def test_what_cannot_be_used_is_one_sentence_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, words: list[str], sentence: str
):
    path = tmp_path / "f.csv"
    path.write_text(text)
    assert main(["import-task", str(path), "--out", str(tmp_path / "task"), *words]) == 2
    assert sentence in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["f.csv"]


@pytest.mark.parametrize("mark", ["\x1b", "\u009b", "\x07"])
def test_a_file_cannot_steer_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str], mark: str):
    path = tmp_path / "f.json"
    cells = [{"question": f"Who is {i}?", "answer": f"na{mark}n"} for i in range(12)]
    for content, shown in ((cells, "“nan”"), ([{f"a{mark}[2J": 1}], "columns found: a[2J")):
        path.write_text(json.dumps(content))
        main(["import-task", str(path), "--out", str(tmp_path / "task")])
        said = "".join(capsys.readouterr())
        assert shown in said and mark not in said


@pytest.mark.slow
def test_an_imported_task_and_a_bare_file_are_raced(
    facts: Path,
    tmp_path: Path,
    tiny_model_folder: Callable[[], Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setitem(TASKS, SOURCE.name, SOURCE)
    assert main(["import-task", str(facts), "--out", str(tmp_path / "task")]) == 0
    for place in (tmp_path / "task", facts):
        words = ["--model", str(tiny_model_folder()), "--task", f"own:{place}", "--precision", "float32", "--json"]
        small = ["--epochs", "1", "--eval-rows", "4", "--max-new-tokens", "4", "--lanes", "fo"]
        run = tmp_path / f"run-{place.name}"
        assert main(["race", *words, *small, "--out", str(run)]) == 0
        epochs = json.loads(capsys.readouterr().out.splitlines()[-1])["fo"]["epochs"]
        assert [(epoch["epoch"], epoch["forget_rows"], epoch["retain_rows"]) for epoch in epochs] == [
            (0, 4, 4),
            (1, 4, 4),
        ]
