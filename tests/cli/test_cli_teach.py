"""Teaching from the command line: what is written, what is said, and what Ctrl-C leaves."""

import json
import shlex
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from soul_core.cli import teach as command
from soul_core.cli.main import main, parsed
from soul_core.cli.race import config_of
from soul_core.cli.screen import Bar
from soul_core.data.tasks import load_task
from soul_core.session.pocket_make import find_gold

FACTS = "question,answer\nWhere is the key?,Under the pot.\nWho has the map?,Oren Tal.\n"
KEEP = "question,answer\nWhere was Mara born?,In Velden.\nWhat does Mara write?,Long novels.\nWho is Tal?,A poet.\n"


@pytest.fixture
def words(tmp_path: Path, tiny_model_folder: Callable[[str], Path]) -> list[str]:
    """A teaching that takes a second, into ``tmp_path / "out"``."""
    (tmp_path / "facts.csv").write_text(FACTS)
    (tmp_path / "keep.csv").write_text(KEEP)
    files = [str(tmp_path / "facts.csv"), "--out", str(tmp_path / "out"), "--retain", str(tmp_path / "keep.csv")]
    how = ["--model", str(tiny_model_folder("llama")), "--epochs", "40", "--lr", "0.01", "--precision", "float32"]
    return ["teach", *files, *how]


def test_it_prints_before_and_after_and_the_race_that_forgets(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main([*words, "--json"]) == 0
    said = capsys.readouterr()
    (line,) = said.out.splitlines()
    found = json.loads(line)
    assert found["facts"] == {"before": 0, "after": 2, "of": 2}
    assert "knew 0 before and knows 2 now" in said.err and "no → yes" in said.err
    assert found["command"] in said.err
    program, *rest = shlex.split(found["command"].removeprefix("python -m "))
    assert program == "soul_core"
    race = config_of(parsed(rest))
    assert race.model == str(tmp_path / "out" / "model")
    task = load_task(race.task)
    assert [row.answer for row in task.forget] == ["Under the pot.", "Oren Tal."]
    assert len(task.retain) == 3
    assert find_gold(race.model, task, tmp_path) == words[words.index("--model") + 1]


def test_ctrl_c_keeps_nothing(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    show = Bar.show

    def press_at_the_second_epoch(self: Bar, what: str, done: float, total: float) -> None:
        show(self, what, done, total)
        if "epoch 2" in what:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Bar, "show", press_at_the_second_epoch)
    before = signal.getsignal(signal.SIGINT)
    assert main([*words, "--target", "1.0"]) == 130
    assert not (tmp_path / "out").exists()
    assert signal.getsignal(signal.SIGINT) == before


def test_an_error_keeps_nothing_either(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "out").mkdir()
    assert main([*words, "--weights", "lora", "--rank", "999"]) == 2
    assert "999" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("facts.csv", "question,answer\n,\n"), "no rows"),
        (("facts.csv", "question,answer\nWhere?,\n"), "Row 1 has no answer"),
        (("out", "a file"), "not empty"),
        (("keep.csv", FACTS), "retained too"),
    ],
)
def test_what_cannot_be_taught_is_one_sentence(
    change: tuple[str, str], sentence: str, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / change[0]).write_text(change[1])
    assert main(words) == 2
    assert sentence in capsys.readouterr().err


def test_a_task_is_taught_as_it_is_and_keeps_its_own_retain_rows(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    words[1] = "invented-authors:forget01"
    assert main(words) == 2
    assert "Leave --retain out" in capsys.readouterr().err
    place = words.index("--retain")
    del words[place : place + 2]
    taught = []
    monkeypatch.setattr(command, "teach", lambda task, *_: taught.append(task))
    monkeypatch.setattr(command, "watched", lambda *_, **__: None)
    assert main(words) == 130
    assert taught[0].name == "invented-authors:forget01"
