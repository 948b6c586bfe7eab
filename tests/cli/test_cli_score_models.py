"""``score`` on runs and models: whom it scores, what it prints and writes, and what it refuses."""

import csv
import json
import signal
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from soul_core.cli import score_models as cli
from soul_core.cli.main import main
from soul_core.evaluation import intervals
from soul_core.events import Progress
from soul_core.runs.folder import RunFolder
from soul_core.runs.scores import ScoreFolder, scores_of
from soul_core.session import score as session
from tests.session.test_session_score import changed
from tests.session.tiny_race import new_run, tiny_config, tiny_task

QUICK = ("--rows", "2", "--max-new-tokens", "3", "--matcher", "lexical")
Folder = Callable[..., Path]


@pytest.fixture(autouse=True)
def _tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "load_task", lambda _: tiny_task())
    monkeypatch.setattr(session, "load_task", lambda _: tiny_task())
    monkeypatch.setattr(intervals, "RESAMPLES", 50)


@pytest.fixture
def run(tmp_path: Path, tiny_model_folder: Folder) -> RunFolder:
    folder = new_run(tmp_path, tiny_config(tiny_model_folder()))
    changed(tiny_model_folder(), folder.lane("fo"))
    changed(tiny_model_folder(), folder.lane("so"), by=-0.1)
    return folder


def scored(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main(["score", *words, *QUICK, "--json"]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_one_model_is_a_table_with_intervals_and_json_with_how_it_was_measured(
    tiny_model_folder: Folder, capsys: pytest.CaptureFixture[str]
):
    spec = str(tiny_model_folder())
    assert main(["score", spec, *QUICK, "--json"]) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)["models"][spec]
    assert found["forget.rouge_l"] >= 0 and found["rows"]["forget.rouge_l"] == 2
    assert found["settings"]["rows"] == 2 and found["settings"]["max_new_tokens"] == 3
    assert found["task"] == "tiny:forget" and found["fingerprint"]
    assert "95 % interval" in said.err and "Forget: ROUGE-L" in said.err


def test_a_run_is_scored_as_a_whole_and_keeps_its_scorecards(run: RunFolder, capsys: pytest.CaptureFixture[str]):
    found = scored(capsys, str(run.path))
    assert list(found["models"]) == ["original", "fo", "so"]
    assert list(scores_of(run.path).read_all().cards) == ["original", "fo", "so"]
    assert found["troubles"] == []


def test_gold_is_scored_too_and_makes_forget_quality(
    tmp_path: Path, tiny_model_folder: Folder, capsys: pytest.CaptureFixture[str]
):
    gold = str(changed(tiny_model_folder(), tmp_path / "gold"))
    spec = str(tiny_model_folder())
    found = scored(capsys, spec, "--gold", gold)["models"]
    assert list(found) == ["gold", spec]
    assert found["gold"]["forget_quality"] == 1.0 and "forget_quality" in found[spec]


def test_several_targets_stand_side_by_side_under_names_that_tell_them_apart(
    run: RunFolder, tiny_model_folder: Folder, capsys: pytest.CaptureFixture[str]
):
    spec = str(tiny_model_folder("gpt2"))
    found = scored(capsys, str(run.path), spec)["models"]
    assert list(found) == [*(f"{run.run_id}/{name}" for name in ("original", "fo", "so")), spec]


def test_scorecards_of_models_are_kept_where_asked_and_found_again(
    tmp_path: Path, tiny_model_folder: Folder, capsys: pytest.CaptureFixture[str]
):
    spec, out = str(tiny_model_folder()), str(tmp_path / "cards")
    first = scored(capsys, spec, "--out", out)
    assert ScoreFolder(tmp_path / "cards").find(spec) is not None
    assert scored(capsys, spec, "--out", out) == first  # down to its seconds: nothing was measured again


def test_tables_are_written_and_printed(tmp_path: Path, run: RunFolder, capsys: pytest.CaptureFixture[str]):
    words = ["score", str(run.path), *QUICK, "--csv", "t.csv", "--markdown", "--latex", "--view", "soul"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "| Method |" in said and r"\begin{tabular}" in said and r"\toprule" in said
    with (tmp_path / "t.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["row"] for line in lines] == ["Original", "FO", "SO"]
    assert all(0 <= float(line["forget.rouge_l"]) <= 1 for line in lines)


def test_ctrl_c_stops_between_two_forwards_and_prints_what_is_done(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    gather = session.Gathering.run

    def pressed(self: Any, **settings: Any) -> Generator[Progress, None, Any]:
        if settings["lane"] == "fo":
            signal.raise_signal(signal.SIGINT)
        return (yield from gather(self, **settings))

    monkeypatch.setattr(session.Gathering, "run", pressed)
    assert main(["score", str(run.path), *QUICK, "--json"]) == 130
    assert list(json.loads(capsys.readouterr().out)["models"]) == ["original"]
    assert list(scores_of(run.path).read_all().cards) == ["original"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "Say what to score: a run's folder, a model, or --tofu-log FILE."),
        (["pocket", "--tofu-log", "a.json"], "A log and models are scored apart"),
        (["/nowhere/at/all"], "“/nowhere/at/all” could not be scored. The model folder /nowhere/at/all is not there."),
        (["pocket", "--view", "all"], "There is no view “all”. Choose soul, tofu"),
        (["pocket", "--rows", "-3"], "Rows scored is '-3'"),
    ],
)
def test_what_cannot_be_scored_is_one_line_and_status_2(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
):
    assert main(["score", *words]) == 2
    said = capsys.readouterr().err
    assert sentence in said and "Traceback" not in said


def test_a_run_is_not_scored_on_another_task(run: RunFolder, capsys: pytest.CaptureFixture[str]):
    assert main(["score", str(run.path), "--task", "tofu:forget10"]) == 2
    assert "scored on its own task" in capsys.readouterr().err


def test_help_names_its_targets(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["score", "--help"])
    assert "TARGET" in capsys.readouterr().out
