"""Exporting a run and importing it elsewhere: what was measured comes through, nothing of the machine does."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from soul_core.errors import ConfigError, RunError
from soul_core.runs.bundle import export_lane, export_run, import_run
from soul_core.runs.folder import RunFolder
from soul_core.runs.manifest import owner_mark
from soul_core.runs.marks import Marks, read_marks, write_marks
from soul_core.runs.probes import probes_of
from soul_core.runs.scores import scores_of
from soul_core.runs.store import RunStore
from soul_core.runs.trash import Trash
from tests.runs.builders import config
from tests.runs.kept_runs import kept_run, whole_run

LANE_FILES = {
    "lanes/fo/config.json",
    "lanes/fo/lane.json",
    "lanes/fo/model.safetensors",
    "lanes/fo/soul.json",
    "lanes/fo/tokenizer.json",
    "lanes/so/adapter_config.json",
    "lanes/so/adapter_model.safetensors",
    "lanes/so/soul.json",
}
RESULTS = {"README.md", "bundle.json", "manifest.json", "events.jsonl", "answers.json", "curves.csv", "report.html"}
PROBES = {f"probes/{kind}.json" for kind in ("bench", "relearn-forget", "rounding", "inspection")}
SCORES = {f"scores/{model}.json" for model in ("original", "fo", "so", "gold")}


def names(path: Path) -> set[str]:
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def texts(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        return "\n".join(archive.read(name).decode("utf-8", "replace") for name in archive.namelist())


def test_an_export_holds_results_scores_probes_and_weights_and_no_checkpoint_no_pickle_no_optimizer(tmp_path: Path):
    folder = whole_run(tmp_path / "runs")
    write_marks(folder, Marks(name="mine"))
    out = export_run(folder, tmp_path / "out" / "run.zip")
    assert names(out) == RESULTS | PROBES | SCORES | LANE_FILES | {"marks.json"}
    assert [path.name for path in out.parent.iterdir()] == ["run.zip"]


def test_weights_and_scores_can_be_left_out(tmp_path: Path):
    out = export_run(whole_run(tmp_path / "runs"), tmp_path / "run.zip", weights=False, scores=False)
    assert names(out) == RESULTS
    assert "The weights were left out." in texts(out)


def test_the_same_run_makes_the_same_bytes(tmp_path: Path):
    folder = whole_run(tmp_path / "runs")
    first = export_run(folder, tmp_path / "a.zip").read_bytes()
    assert export_run(folder, tmp_path / "b.zip").read_bytes() == first


def test_no_path_of_this_machine_and_no_owner_leaves_it(tmp_path: Path):
    store = RunStore(tmp_path / "runs")
    folder = kept_run(
        store, owner="token", model="/home/ann/models/mine", task="own:/home/ann/facts & co:all#rows=1-2"
    )
    folder.note(gold="/home/ann/golds/g1", command="race --model /home/ann/models/mine --out /home/ann/x")
    whole = folder.path / "report.html"
    whole.write_text(
        f"<p>/home/ann/facts &amp; co and {folder.path} and {Path.home() / 'x'} and http://a.b/home/ann/models/mine</p>"
    )
    out = export_run(folder, tmp_path / "run.zip")
    said = texts(out)
    assert "http://a.b/home/ann/models/mine" in said  # an address is no path
    assert "/home/ann/models/mine" not in said.replace("http://a.b/home/ann/models/mine", "")
    for path in ("/home/ann/golds", "/home/ann/facts", str(tmp_path), owner_mark("token"), f'"{Path.home()}'):
        assert path not in said
    with zipfile.ZipFile(out) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    assert (manifest["config"]["model"], manifest["gold"], manifest["owner"]) == ("mine", "g1", "")
    assert manifest["config"]["task"] == "own:facts & co:all#rows=1-2"
    assert manifest["command"].startswith("race --model mine ")


def test_an_adapter_and_a_model_name_their_base_without_its_folder(tmp_path: Path):
    out = export_run(whole_run(tmp_path / "runs"), tmp_path / "run.zip")
    with zipfile.ZipFile(out) as archive:
        adapter = json.loads(archive.read("lanes/so/adapter_config.json"))
        model = json.loads(archive.read("lanes/fo/config.json"))
    assert adapter == {"base_model_name_or_path": "pocket", "r": 8}
    assert model == {"model_type": "llama", "_name_or_path": "mine"}


def test_a_fresh_report_takes_the_place_of_the_one_on_disk(tmp_path: Path):
    folder = whole_run(tmp_path / "runs")
    said = texts(export_run(folder, tmp_path / "a.zip", report=lambda run: f"<p>fresh, {run.path}</p>"))
    assert "<p>fresh, " in said and str(tmp_path) not in said and "an old report" not in said
    assert "an old report" in texts(export_run(folder, tmp_path / "b.zip"))


def test_of_an_unfinished_lane_the_last_complete_epoch_is_exported_without_its_state(tmp_path: Path):
    folder = whole_run(tmp_path / "runs")
    for name in ("config.json", "lane.json"):
        (folder.lane("fo") / name).rename(folder.checkpoint("fo") / name)
    (folder.lane("fo") / "model.safetensors").unlink()
    found = names(export_run(folder, tmp_path / "run.zip"))
    assert {name for name in found if name.startswith("lanes/fo")} == {
        "lanes/fo/config.json",
        "lanes/fo/model.safetensors",
    }


def test_one_lane_alone_lies_at_the_top_of_its_zip_with_how_to_load_it(tmp_path: Path):
    folder = whole_run(tmp_path / "runs")
    out = export_lane(folder, "so", tmp_path / "so.zip")
    assert names(out) == {"README.md", "adapter_config.json", "adapter_model.safetensors", "soul.json"}
    assert 'PeftModel.from_pretrained(base, ".")' in texts(out)
    with pytest.raises(ConfigError, match="There is no lane “sgd”"):
        export_lane(folder, "sgd", tmp_path / "x.zip")
    with pytest.raises(RunError, match="has no weights of fo on the disk"):
        export_lane(kept_run(RunStore(tmp_path / "other")), "fo", tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()


def test_a_disk_that_refuses_leaves_no_half_zip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = whole_run(tmp_path / "runs")
    (folder.lane("so") / "gone").symlink_to("nowhere")
    monkeypatch.setattr("soul_core.runs.bundle.shutil.copyfileobj", full)
    with pytest.raises(RunError, match="The disk is full"):
        export_run(folder, tmp_path / "out" / "run.zip")
    assert list((tmp_path / "out").iterdir()) == []


def full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_what_is_imported_is_what_was_exported(tmp_path: Path):
    folder = whole_run(tmp_path / "runs", owner="ann")
    write_marks(folder, Marks(name="mine", pinned=True, note="n"))
    out = export_run(folder, tmp_path / "run.zip")
    store = RunStore(tmp_path / "elsewhere")
    found = import_run(store, out, owner="bob", report=lambda _: "<p>made anew</p>")
    assert found.path == store.root / folder.run_id
    assert found.manifest() == folder.manifest().but(owner=owner_mark("bob"), command="")
    assert (found.events(), found.answers(), found.done) == (folder.events(), folder.answers(), True)
    assert read_marks(found) == read_marks(folder)
    assert (
        scores_of(found.path).read_all().cards["so"].measured == scores_of(folder.path).read_all().cards["so"].measured
    )
    assert probes_of(found.path).read_all() == probes_of(folder.path).read_all()
    assert (found.path / "report.html").read_text() == "<p>made anew</p>"
    assert (found.path / "curves.csv").read_text().startswith("lane,epoch,set,acc")
    weights = load_file(found.lane("fo") / "model.safetensors")
    np.testing.assert_array_equal(weights["w"], np.arange(6).reshape(2, 3))
    assert [run.path.name for run in store.list()] == [folder.run_id]
    assert [path.name for path in store.root.iterdir()] == [folder.run_id]


def test_the_report_of_a_zip_is_never_kept(tmp_path: Path):
    out = export_run(whole_run(tmp_path / "runs"), tmp_path / "run.zip")
    assert not (import_run(RunStore(tmp_path / "elsewhere"), out).path / "report.html").exists()


def test_an_id_that_is_taken_here_or_in_the_trash_is_changed(tmp_path: Path):
    store = RunStore(tmp_path / "runs")
    folder = whole_run(tmp_path / "runs")
    out, first = export_run(folder, tmp_path / "run.zip"), folder.run_id
    second = import_run(store, out)
    assert second.run_id != first
    assert second.path.name == second.run_id == second.events()[0].run_id  # type: ignore[union-attr]
    Trash(store).delete(first)
    third = import_run(store, out)
    assert third.run_id not in (first, second.run_id)
    assert Trash(store).restore(first).run_id == first


def test_an_unfinished_run_stays_unfinished(tmp_path: Path):
    folder = kept_run(RunStore(tmp_path / "runs"), events=6)
    found = import_run(RunStore(tmp_path / "elsewhere"), export_run(folder, tmp_path / "run.zip"))
    assert (found.done, len(found.events())) == (False, 6)


def test_names_of_local_files_are_only_believed_on_ones_own_machine(tmp_path: Path):
    shared, own = RunStore(tmp_path / "shared"), RunStore(tmp_path / "own")
    folder = kept_run(RunStore(tmp_path / "runs"), model="../secret/model", task="copyright:book.txt")
    folder.note(gold="./golds/g")
    out = export_run(folder, tmp_path / "run.zip")
    found = import_run(shared, out).manifest()
    assert (found.config.model, found.config.task, found.gold) == (
        "not-here-model",
        "not-here:copyright",
        "not-here-g",
    )
    assert import_run(own, out, local=True).manifest().config == folder.config


def test_an_adapters_base_that_is_a_path_is_not_read_here(tmp_path: Path):
    folder = whole_run(tmp_path / "runs")
    (folder.lane("so") / "soul.json").write_text(json.dumps({"known_as": "x", "base": "runs/other/lanes/fo"}))
    out = export_run(folder, tmp_path / "run.zip")
    found = import_run(
        RunStore(tmp_path / "elsewhere"), repacked(out, **{"lanes/so/soul.json": '{"base": "../../etc/m"}'})
    )
    assert json.loads((found.lane("so") / "soul.json").read_text()) == {"base": "not-here-m"}


def repacked(path: Path, *, drop: str = "", **changed: str) -> Path:
    """The zip with some files changed, added or left out."""
    out = path.with_name(f"changed-{path.name}")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(out, "w") as target:
        for name in dict.fromkeys((*source.namelist(), *changed)):
            if name != drop:
                target.writestr(name, changed[name] if name in changed else source.read(name))
    return out


def test_config_of_the_builders_is_what_an_import_gives_back(tmp_path: Path):
    folder = kept_run(RunStore(tmp_path / "runs"))
    found = import_run(RunStore(tmp_path / "elsewhere"), export_run(folder, tmp_path / "run.zip"))
    assert isinstance(found, RunFolder) and found.config == config()
