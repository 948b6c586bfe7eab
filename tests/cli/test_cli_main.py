"""What every command has in common: help, errors, lists, JSON."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from soul_core.cli import lists
from soul_core.cli.main import MODULES, main
from soul_core.cli.screen import printable
from soul_core.data.tasks import TASKS
from soul_core.errors import ModelError
from soul_core.evaluation.all_metrics import METRICS
from soul_core.models.presets import PRESETS as MODELS
from soul_core.objectives.registry import OBJECTIVES
from soul_core.optim.registry import OPTIMIZERS
from soul_core.session.presets import PRESETS

ROOT = Path(__file__).resolve().parents[2]


def test_help_needs_neither_torch_nor_transformers():
    script = (
        "import sys; from soul_core.cli.main import parser; parser().format_help();"
        "print([name for name in ('torch', 'transformers', 'gradio', 'numpy') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603
    assert said.stdout.strip() == "[]"


@pytest.mark.parametrize("command", MODULES)
def test_every_command_has_help_and_a_module_that_runs_it(command: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert f"python -m soul_core {command}" in capsys.readouterr().out
    assert callable(importlib.import_module(MODULES[command]).run)


def test_what_a_person_can_mend_is_one_line_and_status_2(capsys: pytest.CaptureFixture[str]):
    assert main(["ask", "--question", "Who?"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "Say whom to ask: --run DIR for the models of a run, or --model NAME for any model.\n"


def test_a_bug_is_reported_with_its_traceback_and_an_id_and_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(lists, "tasks", lambda: 1 // 0)
    assert main(["tasks"]) == 1
    said = capsys.readouterr().err
    bug = said.split("(id ")[1].split(")")[0]
    assert "Please report" in said and bug in caplog.text and "ZeroDivisionError" in caplog.text


def test_a_soul_error_deep_inside_is_shown_verbatim(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def fail() -> None:
        raise ModelError("The disk is gone. Bring it back.")

    monkeypatch.setattr(lists, "models", fail)
    assert main(["models"]) == 2
    assert capsys.readouterr().err == "The disk is gone. Bring it back.\n"


@pytest.mark.parametrize(
    ("command", "key", "names"),
    [
        ("models", "models", MODELS),
        ("tasks", "tasks", TASKS),
        ("methods", "objectives", OBJECTIVES),
        ("methods", "optimizers", OPTIMIZERS),
        ("methods", "presets", PRESETS),
        ("metrics", "metrics", {metric.name: metric for metric in METRICS}),
    ],
)
def test_a_list_has_everything_registered_as_words_and_as_json(
    command: str, key: str, names: dict[str, object], capsys: pytest.CaptureFixture[str]
):
    assert main([command, "--json"]) == 0
    said = capsys.readouterr()
    assert [entry["name"] for entry in json.loads(said.out)[key]] == list(names)
    # Words are elsewhere, and a name stands alone on its line, to be copied.
    assert set(names) <= set(said.err.splitlines())


def test_export_task_says_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["export-task", str(tmp_path / "out"), "--json"]) == 0
    written = json.loads(capsys.readouterr().out)["files"]
    assert "forget10_perturbed.json" in written
    assert sorted(written) == sorted(path.name for path in (tmp_path / "out").iterdir())


def test_an_export_never_writes_into_a_folder_with_something_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["export-task", str(tmp_path)]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_models_words_cannot_steer_the_terminal():
    # ESC ] 0 ; changes a window's title, ESC [ 2 J clears the screen, BEL rings, \u009b is ESC [ in one character.
    assert printable("a\x1b]0;x\x07b\x1b[2J\u009b1m\nc🙂") == "a]0;xb[2J1m c🙂"
