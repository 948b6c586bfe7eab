"""``probe``, ``lens`` and ``attacks``: what they print, row by row, and what they refuse."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from soul_core.cli.main import main
from soul_core.events import RaceEnded
from soul_core.probing import talks as talks_module
from soul_core.probing.attacks import ATTACKS
from soul_core.runs.folder import RunFolder
from soul_core.runs.probes import probes_of
from soul_core.session import probe as session
from tests.session.test_session_score import changed
from tests.session.tiny_race import new_run, tiny_config, tiny_task

QUICK = ("--rows", "2", "--max-new-tokens", "2", "--attacks", "plain,casing,own")
Folder = Callable[..., Path]


@pytest.fixture
def run(tmp_path: Path, tiny_model_folder: Folder, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(session, "load_task", lambda _: tiny_task())
    folder = new_run(tmp_path, tiny_config(tiny_model_folder()))
    changed(tiny_model_folder(), folder.lane("fo"))
    folder.append(RaceEnded(status="finished"))
    return folder


def test_the_table_is_printed_row_by_row_and_json_comes_last(run: RunFolder, capsys: pytest.CaptureFixture[str]):
    assert main(["probe", str(run.path), *QUICK, "--own", "Say: {question}", "--json"]) == 0
    said = capsys.readouterr()
    lines = [line.split() for line in said.err.splitlines()]
    assert lines[0] == ["Attack", "original", "fo"]
    assert [line[0] for line in lines[1:4]] == ["plain", "casing", "own-1"]
    assert "Share of answers that leak" in said.err
    found = json.loads(said.out.splitlines()[-1])
    assert [(cell["attack"], cell["model"]) for cell in found["cells"]] == [
        (attack, model) for attack in ("plain", "casing", "own-1") for model in ("original", "fo")
    ]
    assert all(cell["rows"] == 2 and "tries" not in cell for cell in found["cells"])
    assert Path(found["bench"]).is_file()


def test_one_model_and_one_attack_can_be_chosen(run: RunFolder, capsys: pytest.CaptureFixture[str]):
    words = ["probe", str(run.path), "--attacks", "plain", "--models", "fo", "--rows", "1", "--max-new-tokens", "1"]
    assert main([*words, "--json"]) == 0
    (cell,) = json.loads(capsys.readouterr().out.splitlines()[-1])["cells"]
    # One row says nothing about how rows vary, so there is no interval.
    assert (cell["model"], cell["low"], cell["high"]) == ("fo", None, None)


def test_what_a_reader_must_know_stands_below_the_table(run: RunFolder, capsys: pytest.CaptureFixture[str]):
    assert main(["probe", str(run.path), "--attacks", "heldback,plain", "--rows", "2", "--max-new-tokens", "1"]) == 0
    said = capsys.readouterr().out
    assert "heldback" in said and "–" in said
    assert "heldback: 2 of 2 rows left out. The row has no wording that was held back." in said


def test_ctrl_c_stops_and_keeps_what_is_done(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    decode, calls = talks_module.generate, []

    def pressed(*arguments: Any, **settings: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            signal.raise_signal(signal.SIGINT)
        return decode(*arguments, **settings)

    monkeypatch.setattr(talks_module, "generate", pressed)
    assert main(["probe", str(run.path), *QUICK[:4], "--json"]) == 130
    said = capsys.readouterr()
    assert "Stopped; what was found until then is in" in said.err
    assert [cell["model"] for cell in json.loads(said.out.splitlines()[-1])["cells"]] == ["original"]
    kept = probes_of(run.path).read("bench")
    assert kept is not None and len(kept.results) == 1  # type: ignore[union-attr]


def test_the_lens_prints_every_token_and_the_bits(run: RunFolder, capsys: pytest.CaptureFixture[str]):
    assert main(["lens", str(run.path), "Where was Mara 1 born?", "--top", "2", "--json"]) == 0
    said = capsys.readouterr()
    assert "True answer: Mara 1 was born in Velden 1." in said.err
    assert "Bits" in said.err and "⟨end⟩" in said.err
    found = json.loads(said.out.splitlines()[-1])
    assert [column["model"] for column in found["columns"]] == ["original", "fo"]
    assert len(found["columns"][0]["tokens"][0]["alternatives"]) == 2


def test_the_lens_takes_an_answer_and_an_epoch(run: RunFolder, capsys: pytest.CaptureFixture[str]):
    assert main(["lens", str(run.path), "Who?", "--answer", "Nobody.", "--epoch", "0", "--json"]) == 0
    columns = json.loads(capsys.readouterr().out.splitlines()[-1])["columns"]
    assert [column["model"] for column in columns] == ["original", "fo", "so"]
    assert len({column["bits"] for column in columns}) == 1


def test_attacks_are_listed_with_what_they_do_and_what_leaks(capsys: pytest.CaptureFixture[str]):
    assert main(["attacks", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out.splitlines()[-1])["attacks"]
    assert [(entry["name"], entry["what"], entry["a leak"]) for entry in listed] == [
        (name, attack.what, attack.leak) for name, attack in ATTACKS.items()
    ]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["probe", "RUN", "--attacks", "magic"], "There is no attack “magic”."),
        (["probe", "RUN", "--own", "What?"], "The attack “What?” has no {question} in it"),
        (["probe", "RUN", "--models", "nobody"], "There is no model “nobody” in this run."),
        (["probe", "RUN", "--rows", "0"], "Rows attacked is '0'"),
        (["probe", "RUN", "--epoch", "x"], "--epoch is “x”. Write a whole number from 0 to 3."),
        (["probe", "RUN", "--epoch", "9"], "--epoch is “9”."),
        (["probe", "/nowhere/at/all"], "There is no run “/nowhere/at/all”."),
        (["lens", "RUN", "Who?"], "The task knows no answer to this question."),
        (["lens", "RUN", ""], "The question is empty."),
        (["lens", "RUN", "Who?", "--top", "0"], "--top is “0”. Write a whole number from 1 to 100."),
        (["lens", "RUN", "Who?", "--answer", "Me.", "--epoch", "2"], "The weights after epoch 2 were not kept."),
    ],
)
def test_what_cannot_be_done_is_one_line_and_status_2(
    words: list[str], sentence: str, run: RunFolder, capsys: pytest.CaptureFixture[str]
):
    assert main([str(run.path) if word == "RUN" else word for word in words]) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1
