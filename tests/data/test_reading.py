"""Rows of data sets laid out as on the Hub: every layout and format of a folder, and a Hub that is really asked."""

import csv
import json
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import datasets
import pytest
from huggingface_hub import constants
from huggingface_hub.errors import HfHubHTTPError

from soul_core.data import files
from soul_core.data.progress import followed, listening
from soul_core.data.reading import announced, folder_reader, hub_reader
from soul_core.errors import DatasetError
from soul_core.events import Progress
from tests.data.dataset_hub import DatasetHub, handler_of, point_datasets_to

ONE, TWO = {"prompt": "a", "gt": "b"}, {"prompt": "c", "gt": "d, e\nf"}
COPY = "path/to/copy:forget"


def put(path: Path, rows: list[dict[str, str]]) -> Path:
    """Rows as a file of the kind that its ending says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        datasets.Dataset.from_list(rows).to_parquet(path)
    elif path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    else:
        path.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return path


@pytest.mark.parametrize("suffix", files.SUFFIXES)
@pytest.mark.parametrize("place", ["verbmem/forget", "verbmem/forget-00000-of-00001"])
def test_a_split_is_found_by_its_name_in_every_format(tmp_path, place, suffix):
    put(tmp_path / f"{place}{suffix}", [ONE, TWO])
    put(tmp_path / f"verbmem/forget_qa-00000-of-00001{suffix}", [ONE])
    read = folder_reader(tmp_path)
    assert [dict(row) for row in read("verbmem", "forget") or []] == [ONE, TWO]
    assert read("verbmem", "forget", limit=1) == [ONE]
    assert read("verbmem", "retain") is None
    assert read("knowmem", "forget") is None


def test_numbered_parts_are_read_in_order_and_a_limit_counts_over_all_of_them(tmp_path):
    for number, row in enumerate((ONE, TWO, ONE)):
        put(tmp_path / "raw" / f"train-{number:05d}-of-00003.parquet", [row])
    read = folder_reader(tmp_path)
    assert read("raw") == [ONE, TWO, ONE]
    assert read("raw", limit=2) == [ONE, TWO]


def test_a_configuration_that_is_a_file_is_its_train_split_and_only_that(tmp_path):
    put(tmp_path / "forget10.jsonl", [ONE])
    assert folder_reader(tmp_path)("forget10") == [ONE]
    assert folder_reader(tmp_path)("forget10", "test") is None


def test_a_data_set_without_configurations_keeps_its_splits_in_the_folder_or_in_data(tmp_path):
    put(tmp_path / "data" / "train-00000-of-00001.parquet", [ONE])
    put(tmp_path / "test.jsonl", [TWO])
    read = folder_reader(tmp_path)
    assert (read("default"), read("default", "test")) == ([ONE], [TWO])


def test_the_readme_says_where_a_split_is_and_never_leads_out_of_the_folder(tmp_path):
    folder = tmp_path / "clone"
    put(folder / "All" / "level2.jsonl", [ONE])
    put(tmp_path / "secret.jsonl", [TWO])
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: forget_level2\n  data_files:\n  - split: test\n    path: All/level2.*\n"
        "- config_name: whole\n  data_files: All/level2.jsonl\n"
        "- config_name: out\n  data_files: ../secret.jsonl\n"
        f"- config_name: absolute\n  data_files: {tmp_path}/secret.jsonl\n---\n# RWKU\n"
    )
    read = folder_reader(folder)
    assert read("forget_level2", "test") == [ONE]
    assert read("whole") == [ONE]
    assert read("out") is None and read("absolute") is None


def test_a_readme_that_is_no_yaml_is_passed_over(tmp_path):
    put(tmp_path / "raw" / "forget.jsonl", [ONE])
    (tmp_path / "README.md").write_text("---\nconfigs: [\n---\n")
    assert folder_reader(tmp_path)("raw", "forget") == [ONE]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.json", b'[{"x": 1}, 2]', "Line 1 of a.json is not a JSON object. Write one object per line"),
        ("a.jsonl", b'{"x": 1}\n{', "Line 2 of a.jsonl is not a JSON object."),
        ("a.jsonl", b"\xff\xfe", "a.jsonl cannot be read as UTF-8 text. Save it as JSON lines in UTF-8."),
        ("a.csv", b"x,y\n1\n", "Row 1 of a.csv has not as many cells as the header."),
        ("a.csv", b"x,y\n1,2,3\n", "Row 1 of a.csv has not as many cells as the header."),
        ("a.csv", b'x,y\n1,"2\n', "is not CSV (unexpected end of data). Export it again."),
        ("a.parquet", b"PAR1", "a.parquet is not a Parquet file that can be read."),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_what_to_do(tmp_path, name, content, sentence):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError) as caught:
        folder_reader(tmp_path)("a")
    assert sentence in str(caught.value)


def test_a_column_damaged_inside_is_one_sentence(tmp_path):
    rows = [{"text": f"{number} " * 50} for number in range(3000)]
    path = put(tmp_path / "raw" / "forget.parquet", rows)
    whole = bytearray(path.read_bytes())
    for place in range(60, len(whole) // 2, 7):
        whole[place] ^= 0x5A
    path.write_bytes(whole)
    with pytest.raises(DatasetError, match="is not a Parquet file that can be read"):
        folder_reader(tmp_path)("raw", "forget")


def test_lists_without_end_are_one_sentence(tmp_path):
    path = put(tmp_path / "raw" / "forget.json", [ONE])
    path.write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(DatasetError, match=r"Line 1 of forget\.json is not a JSON object"):
        folder_reader(tmp_path)("raw", "forget")


def test_half_a_surrogate_pair_becomes_a_question_mark_and_a_whole_one_its_character(tmp_path):
    path = put(tmp_path / "raw" / "forget.jsonl", [ONE])
    path.write_text(r'{"text": "\ud83d\ude00 \ud83d"}', encoding="utf-8")
    assert folder_reader(tmp_path)("raw", "forget") == [{"text": "\U0001f600 ?"}]


@pytest.mark.parametrize(
    "header",
    ["day: 2024-99-99", f"a: {'[' * 5000}", "configs:\n- config_name: raw\n  data_files: 'data/**.json'"],
    ids=["no such date", "nested without end", "no pattern"],
)
def test_a_readme_whose_header_means_nothing_is_passed_over(tmp_path, header):
    put(tmp_path / "raw" / "forget.json", [ONE])
    (tmp_path / "README.md").write_text(f"---\n{header}\n---\n", encoding="utf-8")
    assert folder_reader(tmp_path)("raw", "forget") == [ONE]


def test_more_rows_than_are_read_at_once_are_refused_unless_only_some_are_wanted(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MOST_ROWS", 2)
    put(tmp_path / "a.jsonl", [ONE, ONE, ONE])
    with pytest.raises(DatasetError, match=r"^a.jsonl has more than 2 rows. Give a part of it"):
        folder_reader(tmp_path)("a")
    assert folder_reader(tmp_path)("a", limit=2) == [ONE, ONE]
    monkeypatch.setattr(files, "MOST_BYTES", 10)
    with pytest.raises(DatasetError, match="at most 0 are read"):
        folder_reader(tmp_path)("a", limit=2)


def test_an_article_longer_than_what_the_csv_module_takes_by_itself_is_read_whole(tmp_path):
    put(tmp_path / "a.csv", [{"text": "word " * 40_000}])
    assert (folder_reader(tmp_path)("a") or [{}])[0]["text"] == "word " * 40_000


def test_who_listens_is_told_each_split_before_it_is_read(tmp_path):
    put(tmp_path / "a.jsonl", [ONE])
    told: list[Progress] = []
    read = announced(folder_reader(tmp_path), "MUSE", 2)
    with listening(told.append):
        assert read("a") == [ONE]
        assert read("verbmem", "forget") is None
    read("a")
    assert [(p.what, p.done, p.total) for p in told] == [
        ("Fetching MUSE: a", 0, 2),
        ("Fetching MUSE: verbmem forget", 1, 2),
    ]


def test_followed_work_yields_what_it_tells_and_returns_its_result_or_raises_its_error(tmp_path):
    put(tmp_path / "a.jsonl", [ONE])
    read = announced(folder_reader(tmp_path), "MUSE", 1)
    following = followed(lambda: read("a"))
    assert next(following).what == "Fetching MUSE: a"
    with pytest.raises(StopIteration) as end:
        next(following)
    assert end.value.value == [ONE]
    (tmp_path / "a.jsonl").write_text("no")
    with pytest.raises(DatasetError, match="Line 1"):
        list(followed(lambda: read("a")))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[DatasetHub]:
    local = DatasetHub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(local))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    point_datasets_to(f"http://127.0.0.1:{server.server_port}", monkeypatch, tmp_path)
    yield local
    server.shutdown()
    server.server_close()
    thread.join()


def a_data_set(folder: Path) -> Path:
    put(folder / "verbmem" / "forget-00000-of-00001.parquet", [ONE, TWO])
    put(folder / "forget10.parquet", [ONE])
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: verbmem\n  data_files:\n  - split: forget\n    path: verbmem/forget-*\n"
        "- config_name: forget10\n  data_files: forget10.parquet\n---\n"
    )
    return folder


def test_the_hub_is_read_once_then_never_asked_again_and_gives_what_its_folder_gives(hub, tmp_path, capfd):
    hub.folders["me/set"] = a_data_set(tmp_path / "set")
    read = hub_reader("me/set", copy=COPY)
    with listening(lambda _: None):
        assert read("verbmem", "forget") == folder_reader(tmp_path / "set")("verbmem", "forget") == [ONE, TWO]
    assert "it/s" not in capfd.readouterr().err  # who is told of the progress gets no second bar
    assert read("forget10", limit=5) == [ONE]
    assert any("verbmem/forget-00000-of-00001.parquet" in request for request in hub.requests)
    hub.requests.clear()
    del hub.folders["me/set"]
    assert read("verbmem", "forget") == [ONE, TWO]
    assert hub_reader("me/set", copy=COPY)("forget10") == [ONE]
    assert hub.requests == []
    assert not datasets.config.HF_HUB_OFFLINE


def test_what_was_fetched_is_read_offline_and_what_was_not_is_one_sentence(hub, tmp_path, monkeypatch):
    hub.folders["me/set"] = a_data_set(tmp_path / "set")
    read = hub_reader("me/set", copy=COPY)
    assert read("verbmem", "forget") == [ONE, TWO]
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert read("verbmem", "forget") == [ONE, TWO]
    with pytest.raises(DatasetError) as caught:
        read("forget10")
    assert str(caught.value) == (
        "me/set is not in the cache, and the Hub is switched off (HF_HUB_OFFLINE or HF_DATASETS_OFFLINE). Switch it "
        "on once, or give a local copy as a folder: path/to/copy:forget."
    )


def test_a_split_that_the_hub_has_not_is_none_fetched_or_not(hub, tmp_path):
    hub.folders["me/set"] = a_data_set(tmp_path / "set")
    read = hub_reader("me/set", copy=COPY)
    assert read("scal", "forget_1") is None
    assert read("verbmem", "retain") is None
    read("verbmem", "forget")
    assert read("verbmem", "retain") is None


def test_a_file_on_the_hub_that_is_broken_is_not_blamed_on_the_network(hub, tmp_path):
    hub.folders["me/set"] = a_data_set(tmp_path / "set")
    (tmp_path / "set" / "forget10.parquet").write_bytes(b"no parquet")
    with pytest.raises(DatasetError, match=r"^me/set was fetched from the Hugging Face Hub and cannot be read \("):
        hub_reader("me/set", copy=COPY)("forget10")


def test_a_download_that_breaks_off_is_one_sentence_whichever_library_reports_it(monkeypatch):
    (library_error,) = (base for base in HfHubHTTPError.__bases__ if base is not OSError)

    def broken_off(*_: object, **__: object) -> None:
        if not datasets.config.HF_HUB_OFFLINE:  # the cache, asked first, has nothing
            raise library_error("peer closed connection")
        raise ConnectionError

    monkeypatch.setattr(datasets, "load_dataset", broken_off)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    with pytest.raises(DatasetError, match=r"^me/set could not be fetched from the Hugging Face Hub \(HTTPError\)"):
        hub_reader("me/set", copy=COPY)("default")


def test_a_gated_data_set_and_one_that_is_not_there_are_told_apart(hub):
    hub.gated.add("me/gated")
    with pytest.raises(DatasetError) as caught:
        hub_reader("me/gated", copy="path/to/WMDP:bio")("default")
    assert str(caught.value) == (
        "me/gated is gated: its owners give access on request. Ask for it at "
        "https://huggingface.co/datasets/me/gated, log in with “hf auth login”, or give a copy of yours as a folder: "
        "path/to/WMDP:bio."
    )
    with pytest.raises(DatasetError, match=r"^There is no me/none on the Hugging Face Hub, or it needs a login"):
        hub_reader("me/none", copy=COPY)("default")
