"""The store: ids sort by time and cannot be guessed; nothing from a browser becomes a path."""

from pathlib import Path

import pytest

from soul_core.errors import RunError
from soul_core.runs import store as store_module
from soul_core.runs.store import RunStore, is_run_id, new_run_id
from tests.runs.builders import config


def test_an_id_names_moment_and_objective_and_never_repeats():
    first, second = new_run_id(config()), new_run_id(config())
    assert first.split("-")[2] == "graddiff"
    assert len(first.split("-")[3]) == 8
    assert first != second
    assert is_run_id(first)


@pytest.mark.parametrize("text", ["", "..", "../x", "/etc", "20261121-091200-graddiff-3f9a11aa/..", "a" * 10_000])
def test_no_path_is_an_id(tmp_path: Path, text: str):
    assert not is_run_id(text)
    with pytest.raises(RunError, match="There is no run"):
        RunStore(tmp_path).find(text)


def test_runs_are_listed_newest_first_and_other_folders_are_passed_over(tmp_path: Path, monkeypatch):
    store = RunStore(tmp_path)
    ids = [f"20261121-09120{i}-graddiff-0000000{i}" for i in range(3)]
    for run_id in ids:
        monkeypatch.setattr(store_module, "new_run_id", lambda _, run_id=run_id: run_id)
        store.create(config())
    (tmp_path / "20261121-091209-graddiff-00000009").mkdir()
    (tmp_path / "notes").mkdir()
    assert [folder.run_id for folder in store.list()] == ids[::-1]


def test_a_store_without_runs_is_empty_and_makes_no_folder(tmp_path: Path):
    assert RunStore(tmp_path / "none").list() == []
    assert not (tmp_path / "none").exists()


def test_a_run_opens_by_id_and_by_path(tmp_path: Path):
    store = RunStore(tmp_path / "runs")
    below, outside = store.create(config()), store.create(config(), at=tmp_path / "here")
    assert store.open(below.run_id).path == below.path
    assert store.open(outside.path).run_id == outside.run_id
    assert store.open(str(outside.path)).run_id == outside.run_id


def test_an_unknown_run_and_a_folder_without_one_are_sentences(tmp_path: Path):
    with pytest.raises(RunError, match=r"There is no run “.*nowhere”"):
        RunStore(tmp_path).open(tmp_path / "nowhere")
    with pytest.raises(RunError, match="holds no run"):
        RunStore(tmp_path).open(tmp_path)
