"""Deleting runs and taking it back: nothing is lost for a week, and then it is gone."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from soul_core.errors import RunError
from soul_core.runs.marks import Marks, write_marks
from soul_core.runs.store import RunStore
from soul_core.runs.trash import KEPT_DAYS, Trash, size_of
from tests.runs.kept_runs import kept_run, whole_run


def contents(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


def aged(store: RunStore, run_id: str, days: float) -> None:
    """As if it had been deleted so many days ago."""
    moment = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    (store.root / ".trash" / run_id / ".deleted.json").write_text(json.dumps({"deleted_at": moment}))


def test_deleting_and_restoring_gives_the_run_back_byte_for_byte(tmp_path: Path):
    store = RunStore(tmp_path)
    folder = whole_run(tmp_path, owner="ann")
    write_marks(folder, Marks(name="mine"))
    before, run_id, size = contents(folder.path), folder.run_id, size_of(folder.path)
    trash = Trash(store)
    trash.delete(run_id)
    assert store.list() == []
    (gone,) = trash.list()
    assert (gone.run_id, gone.name, gone.owner) == (run_id, "mine", folder_owner(tmp_path, run_id))
    assert size <= gone.nbytes < size + 200
    assert datetime.now(UTC) - gone.deleted_at < timedelta(minutes=1)
    assert contents(trash.restore(run_id).path) == before
    assert [run.path.name for run in store.list()] == [run_id]
    assert trash.list() == ()


def folder_owner(root: Path, run_id: str) -> str:
    return str(json.loads((root / ".trash" / run_id / "manifest.json").read_text())["owner"])


def test_a_run_deleted_while_it_is_open_elsewhere_is_missing_in_one_sentence(tmp_path: Path):
    store = RunStore(tmp_path)
    run_id = kept_run(store).run_id
    Trash(store).delete(run_id)
    with pytest.raises(RunError, match=f"There is no run “{run_id}”. It may have been deleted; start a new one."):
        store.find(run_id)
    with pytest.raises(RunError, match="There is no run"):
        Trash(store).delete(run_id)


@pytest.mark.parametrize("run_id", ["../x", "", "x" * 200, "20261121-091200-graddiff-3f9a11aa"])
def test_only_ids_of_runs_that_are_there_are_deleted_or_restored(tmp_path: Path, run_id: str):
    (tmp_path / "x").mkdir()
    with pytest.raises(RunError, match="There is no run"):
        Trash(RunStore(tmp_path / "runs")).delete(run_id)
    with pytest.raises(RunError, match=r"is not in the trash\. Deleted runs are kept for 7 days"):
        Trash(RunStore(tmp_path / "runs")).restore(run_id)
    assert (tmp_path / "x").is_dir()


def test_a_run_whose_manifest_is_damaged_can_be_deleted_and_restored_too(tmp_path: Path):
    store = RunStore(tmp_path)
    run_id = kept_run(store).run_id
    (tmp_path / run_id / "manifest.json").write_text("{")
    trash = Trash(store)
    trash.delete(run_id)
    assert trash.list()[0].owner == ""
    assert trash.restore(run_id).path == tmp_path / run_id
    assert (tmp_path / run_id / "manifest.json").read_text() == "{"


def test_deleting_empties_the_trash_of_what_is_older_than_a_week(tmp_path: Path):
    store, trash = RunStore(tmp_path), Trash(RunStore(tmp_path))
    old, young, third = (kept_run(store).run_id for _ in range(3))
    trash.delete(old)
    trash.delete(young)
    aged(store, old, KEPT_DAYS + 0.1)
    aged(store, young, KEPT_DAYS - 0.1)
    trash.delete(third)
    assert [one.run_id for one in trash.list()] == [third, young]


def test_purging_says_how_many_runs_went_and_zero_days_empties_it(tmp_path: Path):
    store, trash = RunStore(tmp_path), Trash(RunStore(tmp_path))
    for _ in range(3):
        trash.delete(kept_run(store).run_id)
    assert trash.purge(1) == 0
    assert trash.purge(0) == 3
    assert trash.list() == ()
    assert Trash(RunStore(tmp_path / "none")).purge(0) == 0


def test_restoring_overwrites_no_other_run(tmp_path: Path):
    store = RunStore(tmp_path)
    run_id = kept_run(store).run_id
    Trash(store).delete(run_id)
    (tmp_path / run_id).mkdir()
    with pytest.raises(RunError, match="another run with the id"):
        Trash(store).restore(run_id)
    (tmp_path / run_id / "manifest.json").write_text("{}")
    with pytest.raises(RunError, match="is in the trash already"):
        Trash(store).delete(run_id)


def test_a_file_under_two_names_counts_once(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"x" * 1000)
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    (tmp_path / "c").symlink_to(tmp_path / "a")
    assert size_of(tmp_path) == 1000
