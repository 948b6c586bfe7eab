"""A race from the command line to its end: JSON, table, Ctrl-C, resume, questions."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from soul_core.cli.main import main
from soul_core.cli.race import Watch, table_of
from soul_core.events import EpochReport, Event, RaceStarted, SetScores
from soul_core.runs.folder import RunFolder
from soul_core.runs.summary import summarise
from tests.session.tiny_race import same_weights, tiny_config, tiny_task, use_task

SMALL = ["--task", "tiny:forget", "--batch-size", "2", "--max-new-tokens", "4", "--precision", "float32"]


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch, tiny_model_folder: Callable[[str], Path]) -> list[str]:
    """A race that takes a second."""
    use_task(monkeypatch, tiny_task())
    monkeypatch.setattr("soul_core.cli.race.load_task", lambda _: tiny_task())
    return ["race", "--model", str(tiny_model_folder("llama")), *SMALL]


@pytest.mark.slow
def test_the_last_line_is_the_scores_as_one_json_object_and_words_go_elsewhere(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "run"
    assert main([*words, "--epochs", "2", "--out", str(out), "--json", "--so.rho", "0.5", "--lr", "0.01"]) == 0
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 1
    result = json.loads(said.out)
    assert list(result) == ["fo", "so", "original"]
    assert [epoch["epoch"] for epoch in result["fo"]["epochs"]] == [0, 1, 2]
    assert [epoch["epoch"] for epoch in result["original"]["epochs"]] == [0]
    wanted = {"epoch", "forget_acc", "retain_acc", "forget_rouge_l", "retain_rouge_l"}
    assert all(wanted <= set(epoch) for lane in result.values() for epoch in lane["epochs"])
    assert result["fo"]["epochs"][0]["forget_acc"] == result["original"]["epochs"][0]["forget_acc"]
    assert result["so"]["seconds"] > 0
    assert "Forget ROUGE-L" in said.err and str(out / "report.html") in said.err
    lanes = {lane.name: lane.optimizer for lane in RunFolder(out).config.lanes}
    assert (lanes["fo"].rho, lanes["so"].rho, lanes["fo"].lr, lanes["so"].lr) == (0.04, 0.5, 0.01, 0.01)
    assert {"manifest.json", "events.jsonl", "curves.csv", "report.html", "DONE"} <= {p.name for p in out.iterdir()}


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_finished_and_resuming_ends_with_the_weights_of_an_unbroken_race(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    show = Watch.show

    def press_after_the_first_epoch(self: Watch, event: Event) -> None:
        show(self, event)
        if isinstance(event, EpochReport) and (event.lane, event.epoch) == ("so", 1):
            signal.raise_signal(signal.SIGINT)

    broken, whole = tmp_path / "broken", tmp_path / "whole"
    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patched:
        patched.setattr(Watch, "show", press_after_the_first_epoch)
        assert main([*words, "--epochs", "3", "--out", str(broken)]) == 130
    assert signal.getsignal(signal.SIGINT) == before
    said = capsys.readouterr().out
    assert f"python -m soul_core race --resume {broken}" in said
    assert (broken / "report.html").is_file() and not (broken / "DONE").exists()

    assert main(["race", "--resume", str(broken)]) == 0
    assert main([*words, "--epochs", "3", "--out", str(whole)]) == 0
    for lane in ("fo", "so"):
        assert same_weights(broken / "lanes" / lane, whole / "lanes" / lane)
    assert not same_weights(whole / "lanes" / "fo", whole / "lanes" / "so")


@pytest.mark.slow
def test_a_run_keeps_its_settings_when_it_is_resumed_and_cannot_be_resumed_when_done(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "run"
    assert main([*words, "--epochs", "1", "--lanes", "fo", "--out", str(out)]) == 0
    capsys.readouterr()
    assert main(["race", "--resume", str(out), "--epochs", "3"]) == 2
    assert capsys.readouterr().err.startswith("--epochs cannot be changed while resuming")
    assert main(["race", "--resume", str(out), "--fo.lr", "3"]) == 2
    assert capsys.readouterr().err.startswith("--fo.lr cannot be changed while resuming")
    assert main(["race", "--resume", str(out)]) == 2
    assert "came to its end" in capsys.readouterr().err
    assert main([*words, "--out", str(out)]) == 2
    assert "already holds a run" in capsys.readouterr().err


@pytest.mark.slow
def test_the_models_of_a_run_answer_and_any_model_does(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "run"
    monkeypatch.setattr("soul_core.session.runmodels.load_task", lambda _: tiny_task())
    assert main([*words, "--epochs", "1", "--out", str(out)]) == 0
    capsys.readouterr()
    question = tiny_task().forget[2].question
    ask = ["ask", "--question", question, "--max-new-tokens", "5", "--json"]
    assert main([*ask, "--run", str(out)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["question"] == question and said["truth"] == tiny_task().forget[2].answer
    assert list(said["answers"]) == ["original", "fo", "so"]
    assert main([*ask, "--model", words[2]]) == 0
    alone = json.loads(capsys.readouterr().out)
    assert alone["answers"] == {words[2]: said["answers"]["original"]}


@pytest.mark.parametrize(
    ("question", "said"), [("", "empty"), (" \n", "empty"), ("x" * 2001, "2001 characters"), ("\x00\x07", "empty")]
)
def test_a_question_that_cannot_be_asked_is_refused_before_any_model_is_loaded(
    question: str, said: str, capsys: pytest.CaptureFixture[str]
):
    assert main(["ask", "--model", "/nowhere", "--question", question]) == 2
    assert said in capsys.readouterr().err


def test_a_folder_that_holds_no_run_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["ask", "--run", str(tmp_path), "--question", "Who?"]) == 2
    assert "holds no run" in capsys.readouterr().err


def test_an_unknown_task_leaves_no_run_folder_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["race", "--task", "nonsense:forget10", "--out", str(tmp_path / "run")]) == 2
    assert "no task “nonsense”" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_the_table_shows_each_lanes_newest_scores_between_original_and_gold(tiny_model_folder: Callable[[str], Path]):
    def scores(acc: float) -> dict[str, SetScores]:
        one = SetScores(acc=acc, acc_low=acc - 0.1, acc_high=acc + 0.1, rouge_l=acc / 2, probability=0.5, rows=10)
        return {"forget": one, "retain": one}

    started = RaceStarted(
        run_id="r",
        config=tiny_config(tiny_model_folder("llama")).model_dump(mode="json"),
        forget_rows=1,
        retain_rows=1,
        eval_rows={},
        steps_per_epoch=1,
        parameters=1,
        matcher="m",
        device="cpu",
        precision="float32",
    )
    events = [
        started,
        EpochReport(lane="gold", epoch=0, scores=scores(0.2)),
        EpochReport(lane="original", epoch=0, scores=scores(0.9)),
        EpochReport(lane="fo", epoch=0, scores=scores(0.9)),
        EpochReport(lane="fo", epoch=1, scores=scores(0.5), clip_share=0.25, train_seconds=1, eval_seconds=2),
    ]
    columns, rows = table_of(summarise(events))
    assert [row[0] for row in rows] == ["Original", "FO", "Gold"]
    newest = dict(zip(columns, rows[1], strict=True))
    assert newest["Forget Acc"] == "0.500 (0.40–0.60)"
    assert (newest["Epoch"], newest["Clip share"], newest["Seconds"]) == ("1", "0.250", "3.0")
