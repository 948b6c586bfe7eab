import json
from pathlib import Path

import pytest
import yaml

from soul_core.cli.launch import hushed, require_launchable
from soul_core.cli.main import main
from soul_core.errors import ConfigError
from soul_core.runs.folder import RunFolder
from tests.launching import launch

CONFIGS = Path(__file__).resolve().parents[2] / "docs" / "launch"
TWO = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}
PROCESSES = {"one-devices.yaml": 1, "two-devices.yaml": 2, "eight-devices.yaml": 8}


def test_a_command_that_every_process_would_repeat_is_refused():
    with pytest.raises(ConfigError, match="score runs in one process, and 2 were started") as caught:
        require_launchable("score", TWO)
    assert "python -m soul_core score without the launcher" in str(caught.value)
    require_launchable("race", TWO)
    require_launchable("score", {"RANK": "0", "WORLD_SIZE": "1"})


def test_only_the_main_process_is_heard(capsys):
    for rank in ("0", "1"):
        with hushed({"RANK": rank, "WORLD_SIZE": "2"}):
            print(f"from {rank}")  # noqa: T201
    assert capsys.readouterr().out == "from 0\n"


def test_a_rank_that_some_other_program_left_in_the_environment_silences_nobody(capsys):
    with hushed({"RANK": "1"}):
        print("heard")  # noqa: T201
    assert capsys.readouterr().out == "heard\n"


@pytest.mark.parametrize(("rank", "heard"), [("0", 1), ("1", 0)])
def test_an_error_before_work_is_one_line_of_the_main_process(rank: str, heard: int, monkeypatch, capsys):
    for name, value in {**TWO, "RANK": rank}.items():
        monkeypatch.setenv(name, value)
    assert main(["tasks"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == heard


def test_a_launcher_that_says_what_cannot_be_done_is_answered(monkeypatch, capsys):
    for name, value in {**TWO, "RANK": "0", "ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "1"}.items():
        monkeypatch.setenv(name, value)
    assert main(["race", "--epochs", "1"]) == 2
    assert capsys.readouterr().err == ("FSDP version 1 is not what is used here. Launch with --fsdp_version 2.\n")


@pytest.mark.parametrize("name", PROCESSES)
def test_accelerate_reads_the_launch_files(name: str):
    accelerate = pytest.importorskip("accelerate.commands.config.config_args")
    config = accelerate.load_config_from_file(str(CONFIGS / name))
    assert config.num_processes == PROCESSES[name]
    assert config.mixed_precision == "no"
    values = yaml.safe_load((CONFIGS / name).read_text(encoding="utf-8"))
    # Sharded with eight, and then by the only version that is taken.
    assert values.get("fsdp_config", {}).get("fsdp_version", 2) == 2
    assert (values["distributed_type"] == "FSDP") == (PROCESSES[name] == 8)


@pytest.mark.slow
def test_two_processes_run_one_race_and_one_of_them_speaks(tmp_path, tiny_model_folder):
    out = tmp_path / "run"
    words = ["race", "--model", str(tiny_model_folder()), "--task", "invented-authors:forget10", "--epochs", "1"]
    words += ["--lanes", "fo", "--batch-size", "64", "--eval-rows", "3", "--max-new-tokens", "2", "--json"]
    done = launch("soul_core", *words, "--out", str(out))
    assert done.returncode == 0, done.stderr[-4000:]
    *_, last = done.stdout.strip().splitlines()
    assert {"fo", "original"} <= json.loads(last).keys()
    assert done.stdout.count("\n") == 1
    assert done.stderr.count("Run folder: ") == 1
    assert RunFolder(out).done


@pytest.mark.slow
def test_an_error_of_the_race_reaches_all_processes_and_is_said_once(tmp_path, tiny_model_folder):
    words = ["race", "--model", str(tiny_model_folder()), "--epochs", "1", "--methods", "influence"]
    done = launch("soul_core", *words, "--out", str(tmp_path / "run"), SOUL_SHARD="1")
    assert done.returncode != 0
    assert done.stderr.count("FSDP spreads over processes. Leave it out. Or launch it without FSDP") == 1
    # Exit status 2, not a bug's 1 and not a signal: each process ended by itself.
    assert "exitcode  : 2" in done.stderr and "bug" not in done.stderr
