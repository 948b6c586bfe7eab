"""The weights of every epoch are kept, cost no room twice, and can be asked afterwards."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from soul_core.models.shelf import Shelf
from soul_core.runs.marks import Marks, write_marks
from soul_core.runs.store import RunStore
from soul_core.session import epochs as epochs_module
from soul_core.session.epochs import drop_old_epochs, epochs_fit, keep_epoch, models_at
from tests.session.tiny_race import new_run, run, tiny_config, tiny_task, use_task


@pytest.fixture
def model(tiny_model_folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    use_task(monkeypatch, tiny_task())
    return tiny_model_folder("llama")


def test_every_epoch_is_kept_and_the_last_is_the_final_weights_without_a_second_copy(model: Path, tmp_path: Path):
    config = tiny_config(model)
    folder = new_run(tmp_path, config)
    run(config, folder)
    for lane in ("fo", "so"):
        assert list(folder.epochs(lane)) == [1, 2, 3]
        weights = [load_file(path / "model.safetensors") for path in folder.epochs(lane).values()]
        final = load_file(folder.lane(lane) / "model.safetensors")
        assert all(torch.equal(weights[-1][name], tensor) for name, tensor in final.items())
        assert any(not torch.equal(weights[0][name], weights[1][name]) for name in final)
        assert not list(folder.lane(lane).rglob("epochs/*/optimizer*"))


def test_kept_weights_are_linked_and_stay_when_the_checkpoint_is_replaced(tmp_path: Path):
    (tmp_path / "checkpoint").mkdir()
    for name in ("model.safetensors", "config.json", "lane.json", "optimizer.safetensors"):
        (tmp_path / "checkpoint" / name).write_text(name)
    place = tmp_path / "epochs" / "1"
    keep_epoch(tmp_path / "checkpoint", place)
    assert sorted(path.name for path in place.iterdir()) == ["config.json", "model.safetensors"]
    assert (place / "config.json").stat().st_ino == (tmp_path / "checkpoint" / "config.json").stat().st_ino
    (tmp_path / "checkpoint" / "config.json").unlink()
    assert (place / "config.json").read_text() == "config.json"


def test_a_disk_without_links_gets_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise OSError(1, "no links here")

    monkeypatch.setattr(epochs_module.os, "link", refuse)
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "config.json").write_text("{}")
    keep_epoch(tmp_path / "checkpoint", tmp_path / "epochs" / "1")
    assert (tmp_path / "epochs" / "1" / "config.json").read_text() == "{}"


def test_a_run_can_do_without_and_weights_too_large_are_not_kept(model: Path, tmp_path: Path):
    config = tiny_config(model, epochs=2)
    folder = new_run(tmp_path, config)
    run(config, folder, keep_epochs=False)
    assert folder.epochs("fo") == {} and folder.weights("fo") is not None
    assert epochs_fit(1 << 30, config) and not epochs_fit((1 << 30) + 1, config)  # 2 epochs of 2 lanes in 4 GiB


def test_models_at_an_epoch_are_those_of_that_epoch(model: Path, tmp_path: Path):
    config = tiny_config(model, epochs=2)
    folder = new_run(tmp_path, config)
    run(config, folder)
    shelf = Shelf(1 << 30)
    start, first, last = (models_at(folder, epoch, shelf) for epoch in (0, 1, 2))
    assert list(first) == ["original", "fo", "so"]
    assert start["fo"] is start["original"] and first["fo"].fingerprint != last["fo"].fingerprint
    kept = load_file(folder.epochs("so")[1] / "model.safetensors")
    assert all(torch.equal(dict(first["so"].model.state_dict())[name], tensor) for name, tensor in kept.items())
    assert models_at(folder, 9, shelf)["so"] is last["so"]


def test_only_the_newest_and_pinned_runs_keep_their_epochs(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(epochs_module, "KEPT_RUNS", 1)
    store = RunStore(tmp_path / "runs")
    folders = []
    for moment in ("20260101-000000", "20260102-000000", "20260103-000000"):
        folder = store.create(tiny_config(model))
        named = folder.path.rename(store.root / f"{moment}-graddiff-0000000{len(folders)}")
        folders.append(store.open(named))
        place = folders[-1].epoch_folder("fo", 1)
        place.mkdir(parents=True)
        (place / "config.json").write_text("{}")
        (place / "model.safetensors").write_text("")
    write_marks(folders[0], Marks(pinned=True))
    assert drop_old_epochs(store) == 1
    assert [bool(folder.epochs("fo")) for folder in folders] == [True, False, True]
