"""``runs``: everything that can be done with runs that are there, its JSON, its sentences."""

import json
import os
from pathlib import Path

import pytest

from soul_core.cli.main import main
from soul_core.runs.folder import RunFolder
from soul_core.runs.marks import Marks, read_marks, write_marks
from soul_core.runs.store import RunStore
from tests.runs.kept_runs import kept_run, whole_run

Printed = pytest.CaptureFixture[str]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def told(root: Path, capsys: Printed, *words: str) -> dict[str, object]:
    """What the command prints as its one JSON object."""
    capsys.readouterr()
    assert main(["runs", *words, "--runs", str(root), "--json"]) == 0
    said = capsys.readouterr().out
    assert len(said.splitlines()) == 1
    return dict(json.loads(said))


def refused(root: Path, capsys: Printed, *words: str) -> str:
    capsys.readouterr()
    assert main(["runs", *words, "--runs", str(root)]) == 2
    said = capsys.readouterr().err.strip()
    assert "\n" not in said
    return said


def test_runs_are_listed_newest_first_and_pinned_ones_before_them(root: Path, capsys: Printed):
    folders = [kept_run(RunStore(root), seed=seed) for seed in range(3)]
    newest_first = [folder.path.name for folder in RunStore(root).list()]
    oldest = newest_first[-1]
    assert told(root, capsys, "pin", oldest)["pinned"] is True
    runs = told(root, capsys, "list")["runs"]
    assert [run["run"] for run in runs] == [oldest, *newest_first[:-1]]  # type: ignore[index]
    assert runs[0]["verdict"].startswith("SO forgot 88 of 100")  # type: ignore[index]
    assert told(root, capsys, "pin", oldest, "--off")["pinned"] is False
    assert len(folders) == 3


def test_runs_are_found_by_all_the_words_of_a_search(root: Path, capsys: Printed):
    write_marks(kept_run(RunStore(root)), Marks(name="Lima and Rome"))
    kept_run(RunStore(root))
    assert len(told(root, capsys, "list", "--search", "rome POCKET")["runs"]) == 1  # type: ignore[arg-type]
    assert told(root, capsys, "list", "--search", "paris")["runs"] == []


def test_a_run_is_called_by_its_id_its_folder_or_its_name(root: Path, capsys: Printed):
    folder = kept_run(RunStore(root))
    assert told(root, capsys, "rename", folder.run_id, "My run")["name"] == "My run"
    assert told(root, capsys, "note", "My run", "two\nlines")["note"] == "two\nlines"
    for call in (folder.run_id, str(folder.path), "My run"):
        shown = told(root, capsys, "show", call)
        assert (shown["run"], shown["note"], shown["state"]) == (folder.run_id, "two\nlines", "finished")
    assert shown["scores"]["so"]["epochs"][-1]["forget_acc"] == 0.09  # type: ignore[index]
    assert read_marks(folder) == Marks(name="My run", note="two\nlines")
    write_marks(kept_run(RunStore(root)), Marks(name="My run"))
    assert "2 runs are called “My run”" in refused(root, capsys, "show", "My run")
    assert "There is no run “gone”" in refused(root, capsys, "show", "gone")


def test_deleting_says_how_to_take_it_back_and_taking_it_back_works(root: Path, capsys: Printed):
    folder = whole_run(root)
    run_id = folder.run_id
    assert main(["runs", "delete", run_id, "--runs", str(root)]) == 0
    assert f"python -m soul_core runs restore {run_id} --runs {root}" in capsys.readouterr().out
    assert told(root, capsys, "list")["runs"] == []
    assert told(root, capsys, "list", "--deleted")["deleted"][0]["run"] == run_id  # type: ignore[index]
    assert told(root, capsys, "restore", run_id)["run"] == run_id
    assert folder.done
    assert "is not in the trash" in refused(root, capsys, "restore", run_id)


def test_a_run_that_seems_to_be_running_is_not_deleted(root: Path, capsys: Printed):
    folder = kept_run(RunStore(root), events=5)
    assert "seems to be running. Stop it first, or wait." in refused(root, capsys, "delete", folder.run_id)
    os.utime(folder.path / "events.jsonl", (1, 1))
    assert told(root, capsys, "delete", folder.run_id)["deleted"] == folder.path.name


def test_a_run_elsewhere_is_not_deleted_from_here(root: Path, tmp_path: Path, capsys: Printed):
    folder = kept_run(RunStore(tmp_path / "other"))
    assert "is not among the runs in" in refused(root, capsys, "delete", str(folder.path))
    assert folder.done


def test_an_export_is_imported_elsewhere_with_a_report_made_anew(root: Path, tmp_path: Path, capsys: Printed):
    folder = whole_run(root)
    out = tmp_path / "run.zip"
    assert told(root, capsys, "export", folder.run_id, "--out", str(out))["bytes"] == out.stat().st_size
    found = told(tmp_path / "new", capsys, "import", str(out))
    imported = RunFolder(Path(str(found["folder"])))
    assert imported.config == folder.config
    assert "How each number is computed" in (imported.path / "report.html").read_text()
    assert "There is no file" in refused(root, capsys, "import", str(tmp_path / "none.zip"))


def test_an_export_of_one_lane_or_into_a_folder_is_named_by_itself(root: Path, tmp_path: Path, capsys: Printed):
    folder = whole_run(root)
    told(root, capsys, "export", folder.run_id, "--lane", "so", "--out", str(tmp_path))
    told(root, capsys, "export", folder.run_id, "--no-weights", "--no-scores", "--out", str(tmp_path))
    assert {path.name for path in tmp_path.glob("*.zip")} == {f"{folder.run_id}-so.zip", f"{folder.run_id}.zip"}


def test_two_runs_are_compared_and_written_as_a_table(root: Path, tmp_path: Path, capsys: Printed):
    first, second = kept_run(RunStore(root)), kept_run(RunStore(root), seed=3)
    found = told(root, capsys, "compare", first.run_id, second.run_id, "--csv", str(tmp_path / "c.csv"))
    assert found["settings"] == [{"setting": "Seed", "first": "0", "second": "3"}]
    assert (tmp_path / "c.csv").read_text().startswith("part,what,model,first,second\n")


def test_a_report_is_made_anew_and_none_of_a_run_without_measurement(root: Path, tmp_path: Path, capsys: Printed):
    folder = whole_run(root)
    told(root, capsys, "report", folder.run_id)
    assert "Relearning" in (folder.path / "report.html").read_text()
    told(root, capsys, "report", folder.run_id, "--out", str(tmp_path / "r.html"))
    assert "Relearning" in (tmp_path / "r.html").read_text()
    empty = kept_run(RunStore(root), events=1)
    assert "no model has been measured yet" in refused(root, capsys, "report", empty.run_id)
    assert told(root, capsys, "export", empty.run_id, "--out", str(tmp_path / "e.zip"))


def test_the_token_comes_from_the_environment_or_a_prompt_and_is_never_an_option(
    root: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
):
    folder, asked = whole_run(root), []
    monkeypatch.setattr(
        "soul_core.cli.runs.push_run", lambda *words, **more: asked.append((words[3], more)) or answer()
    )
    monkeypatch.setenv("HF_TOKEN", "hf_environment")
    assert told(root, capsys, "push", folder.run_id, "so", "ann/mine") == {"url": "https://hub/ann/mine"}
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("soul_core.cli.runs.getpass.getpass", lambda _: "hf_typed")
    told(root, capsys, "push", folder.run_id, "so", "ann/mine", "--public")
    assert asked == [("hf_environment", {"private": True}), ("hf_typed", {"private": False})]
    with pytest.raises(SystemExit):
        main(["runs", "push", folder.run_id, "so", "ann/mine", "--token", "hf_x"])


def answer():
    yield from ()
    return "https://hub/ann/mine"


def test_the_card_can_be_read_without_sending_anything(root: Path, capsys: Printed):
    folder = whole_run(root)
    assert main(["runs", "push", folder.run_id, "so", "ann/mine", "--card", "--runs", str(root)]) == 0
    assert capsys.readouterr().out.startswith("---\nlicense: mit\n")


def test_one_broken_run_hides_no_other(root: Path, capsys: Printed):
    broken, good = kept_run(RunStore(root)), kept_run(RunStore(root))
    (broken.path / "manifest.json").write_text("{")
    assert [run["run"] for run in told(root, capsys, "list")["runs"]] == [good.run_id]  # type: ignore[attr-defined]


def test_tracking_without_trackio_is_refused_before_a_run_is_made(
    tmp_path: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("soul_core.session.tracking.importlib.util.find_spec", lambda _: None)
    assert main(["race", "--track", "mine", "--out", str(tmp_path / "x")]) == 2
    assert "needs the package trackio" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
