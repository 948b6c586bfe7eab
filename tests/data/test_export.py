"""The export: what other tools read is what the built-in task has."""

import json
from pathlib import Path

import datasets
import pytest

from soul_core.data.export import export_task
from soul_core.data.invented_authors import invented_world
from soul_core.data.tasks import load_task
from soul_core.errors import DatasetError

TOFU_COLUMNS = ["question", "answer", "paraphrased_answer", "perturbed_answer", "paraphrased_question"]


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "invented"
    export_task(folder)
    return folder


@pytest.mark.parametrize("split", ["forget01", "forget05", "forget10"])
def test_a_split_read_back_has_the_rows_of_the_built_in_task(exported, split):
    built_in, read = load_task(f"invented-authors:{split}"), load_task(f"{exported}:{split}")
    assert read.forget == built_in.forget
    assert read.retain == built_in.retain
    assert read.subjects == built_in.subjects
    assert read.eval_sets["forget"] == built_in.eval_sets["forget"]
    assert read.eval_sets["real_authors"] == built_in.eval_sets["real_authors"]
    assert read.eval_sets["world_facts"] == built_in.eval_sets["world_facts"]


def test_the_perturbed_retain_set_is_what_every_split_retains(exported):
    assert load_task(f"{exported}:forget01").eval_sets["retain"] == load_task("invented-authors:forget10").retain


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("full", 1200),
        ("forget01", 12),
        ("forget10_perturbed", 120),
        ("retain_perturbed", 1080),
        ("retain95", 1140),
        ("holdout", 120),
        ("world_facts_perturbed", None),
    ],
)
def test_the_datasets_library_loads_every_set_by_its_name(exported, tmp_path, name, rows):
    read = datasets.load_dataset(str(exported), name, split="train", cache_dir=str(tmp_path))
    assert len(read) == rows or rows is None
    if name.endswith("_perturbed") and rows:
        assert read.column_names[:5] == TOFU_COLUMNS
        assert {len(wrong) for wrong in read["perturbed_answer"]} == {5}


def test_the_readme_names_every_file_written_and_no_other(exported):
    front_matter = (exported / "README.md").read_text().split("---\n")[1]
    named = {line.split()[-1] for line in front_matter.splitlines() if "data_files" in line}
    assert named == {path.name for path in exported.glob("*.json")}
    assert len(named) == 16


def test_the_holdout_is_the_nonmembers(exported):
    lines = [json.loads(line) for line in (exported / "holdout.json").read_text().splitlines()]
    assert [line["answer"] for line in lines] == [row.answer for row in invented_world().nonmember_rows]


def test_another_seed_exports_another_world(tmp_path, exported):
    export_task(tmp_path / "other", seed=1)
    assert (tmp_path / "other" / "full.json").read_bytes() != (exported / "full.json").read_bytes()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DatasetError, match=r"is not empty. Choose a new or an empty folder for the export."):
        export_task(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_folder_that_cannot_be_written_is_an_error_with_the_reason(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match="file/folder cannot be written: Not a directory"):
        export_task(tmp_path / "file" / "folder")
