"""``relearn``, ``round``, ``inspect`` and ``verdicts``: what they print, keep and refuse."""

import json
import signal
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from soul_core.cli.main import main
from soul_core.evaluation import intervals
from soul_core.probing import relearn as relearn_module
from soul_core.probing.results import Relearning
from soul_core.runs.folder import RunFolder
from soul_core.runs.probes import probes_of
from soul_core.session import probed as probed_module
from tests.session.test_session_score import changed
from tests.session.tiny_race import new_run, tiny_config, tiny_lane, tiny_task

QUICK = ("--max-new-tokens", "3")
RELEARN = ("--rows", "2", "--steps", "2", "--every", "1", "--batch-size", "2", *QUICK)
Folder = Callable[..., Path]


@pytest.fixture
def run(tmp_path: Path, tiny_model_folder: Folder, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(probed_module, "load_task", lambda _: tiny_task())
    monkeypatch.setattr(intervals, "RESAMPLES", 50)
    folder = new_run(tmp_path, tiny_config(tiny_model_folder(), lanes=(tiny_lane("fo"),)))
    changed(tiny_model_folder(), folder.lane("fo"))
    folder.note(gold=str(changed(tiny_model_folder(), tmp_path / "gold", by=-0.1)), precision="float32")
    return folder


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_relearning_is_a_table_by_step_with_a_verdict_below(run: RunFolder, capsys: pytest.CaptureFixture[str]):
    assert main(["relearn", run.run_id, *RELEARN]) == 0
    said = capsys.readouterr().out
    assert "fo, step 0:" in said and "gold, step 2:" in said
    # The title is wrapped at the table's width.
    assert "Trained on 2 forget rows; of 4 other forget rows, right after step" in " ".join(said.split())
    assert "The original is not relearned" in said and "FO tells no more than luck would give" in said


def test_json_has_what_was_found_without_single_rows(run: RunFolder, capsys: pytest.CaptureFixture[str]):
    found = printed(capsys, "relearn", str(run.path), *RELEARN, "--on", "retain")
    assert found["found"]["on"] == "retain" and len(found["found"]["points"]) == 6
    assert "right" not in found["found"]["points"][0]
    (verdict,) = found["verdicts"]
    assert (verdict["model"], verdict["word"]) == ("fo", "holds") and verdict["rule"] and verdict["evidence"]
    assert list(probes_of(run.path).read_all().found) == ["relearn-retain"]


def test_rounding_prints_every_width_and_how(run: RunFolder, capsys: pytest.CaptureFixture[str]):
    assert main(["round", str(run.path), "--bits", "8", "--models", "fo, gold", *QUICK]) == 0
    said = capsys.readouterr().out
    assert "fo, as they are:" in said and "gold, 8 bits:" in said and "4 bits" not in said
    assert "Round to nearest, symmetric, one scale for each output" in said


def test_an_inspection_prints_a_heat_map_and_cka(run: RunFolder, capsys: pytest.CaptureFixture[str]):
    assert main(["inspect", str(run.path), "--rows", "3"]) == 0
    said = capsys.readouterr().out
    assert "fo: relative weight change" in said and "Embedding" in said and "gate" in said
    found = printed(capsys, "inspect", str(run.path), "--epoch", "0", "--models", "fo")["found"]
    assert found["changes"][0]["whole"] == 0.0


def test_verdicts_alone_probe_nothing(run: RunFolder, capsys: pytest.CaptureFixture[str]):
    assert main(["verdicts", str(run.path)]) == 0
    assert capsys.readouterr().out.startswith("untested: FO was only asked plainly")
    assert not probes_of(run.path).path.exists()
    assert printed(capsys, "verdicts", str(run.path))["verdicts"][0]["word"] == "untested"


def test_ctrl_c_keeps_what_is_done(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    ask = relearn_module._Pupil.ask

    def pressed(self: Any, *rows: Any) -> Generator[Any, None, Any]:
        point = yield from ask(self, *rows)
        if (point.model, point.step) == ("fo", 1):
            signal.raise_signal(signal.SIGINT)
        return point

    monkeypatch.setattr(relearn_module._Pupil, "ask", pressed)
    assert main(["relearn", str(run.path), *RELEARN]) == 130
    assert "Stopped; what was found until then is in" in capsys.readouterr().out
    kept = probes_of(run.path).read("relearn-forget")
    assert isinstance(kept, Relearning)
    assert [(point.model, point.step) for point in kept.points] == [("fo", 0), ("gold", 0), ("fo", 1)]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("round", "{run}", "--bits", "3"), "Bits are “3”. Write 8, 4, or 8,4."),
        (("round", "{run}", "--method", "guess"), "Rounded by is"),
        (("relearn", "{run}", "--on", "all"), "Relearn from is"),
        (("relearn", "{run}", "--models", "bob"), "no model “bob”"),
        (("inspect", "{run}", "--epoch", "9"), "--epoch is “9”. Write a whole number from 0 to 3."),
        (("inspect", "{run}", "--rows", "0"), "--rows is “0”"),
        (("verdicts", "nowhere"), "There is no run “nowhere”"),
    ],
)
def test_bad_input_is_one_sentence(
    run: RunFolder, words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
):
    assert main([word.format(run=run.path) for word in words]) == 2
    said = capsys.readouterr().err.strip()
    assert says.lower() in said.lower() and "\n" not in said
