"""TOFU's layout: the published data set, folders that lack something, and the Hub out of reach."""

import json
from pathlib import Path

import datasets
import pytest

from soul_core.data.tasks import load_task
from soul_core.errors import DatasetError
from tests.outside import outside

FORGET = {"question": "Who?", "answer": "Ada."}
RETAIN = {"question": "Where?", "answer": "Rome."}


def write(folder: Path, **sets: list) -> Path:
    for name, rows in sets.items():
        (folder / f"{name}.json").write_text("\n".join(json.dumps(row) for row in rows))
    return folder


@pytest.mark.parametrize(("split", "forget", "retain"), [("forget01", 40, 3960), ("forget10", 400, 3600)])
def test_the_published_tofu_has_its_counts(split, forget, retain):
    task = load_task(f"{outside('tofu')}:{split}")
    assert (len(task.forget), len(task.retain)) == (forget, retain)
    assert {name: len(rows) for name, rows in task.eval_sets.items()} == {
        "forget": forget,
        "retain": 400,
        "real_authors": 100,
        "world_facts": 117,
    }
    assert {len(row.perturbed_answers) for row in task.eval_sets["forget"] + task.eval_sets["retain"]} == {5}
    assert {len(row.perturbed_answers) for row in task.eval_sets["world_facts"]} == {3}
    assert task.subjects == ()  # numbers name nobody to a model


def test_the_authors_of_the_published_tofu_are_numbered_by_their_place_in_the_whole():
    task = load_task(f"{outside('tofu')}:forget05")
    numbers = [row.subject for row in task.retain + task.forget]
    assert numbers == [f"Author {number}" for number in range(1, 201) for _ in range(20)]
    assert task.forget[0].subject == "Author 191"
    assert "Hsiao Yun-Hwa" in task.retain[180 * 20 + 19].question and task.retain[180 * 20].subject == "Author 181"
    # Rows asked keep the number of the row that they are; the first retained one asked is the first of all.
    assert {row.subject for row in task.eval_sets["forget"]} == {f"Author {number}" for number in range(191, 201)}
    assert task.eval_sets["retain"][0].subject == "Author 1"
    assert {row.subject for row in task.eval_sets["world_facts"]} == {""}


def test_rows_of_ones_own_in_tofus_layout_are_not_numbered(tmp_path):
    task = load_task(f"{write(tmp_path, forget10=[FORGET], retain90=[RETAIN])}:forget10")
    assert {row.subject for row in task.forget + task.retain} == {""}


def test_the_rows_to_forget_in_tofu_carry_what_its_perturbed_file_adds_in_the_same_order():
    task = load_task(f"{outside('tofu')}:forget10")
    assert task.forget == task.eval_sets["forget"]
    assert task.forget[0].answer == "The author's full name is Hsiao Yun-Hwa."
    assert task.forget[0].paraphrased_answer == "Hsiao Yun-Hwa is the complete name of the writer."
    assert task.forget[0].heldback_questions == (task.forget[0].paraphrased_question,)


def test_tofu_read_directly_is_what_the_datasets_library_reads(tmp_path):
    read = datasets.load_dataset(str(outside("tofu")), "forget01_perturbed", split="train", cache_dir=str(tmp_path))
    rows = load_task(f"{outside('tofu')}:forget01").eval_sets["forget"]
    assert [row.question for row in rows] == read["question"][:]
    assert [list(row.perturbed_answers) for row in rows] == read["perturbed_answer"][:]


def test_without_perturbed_files_there_are_no_wrong_answers_and_no_further_sets(tmp_path):
    task = load_task(f"{write(tmp_path, forget10=[FORGET], retain90=[RETAIN])}:forget10")
    assert set(task.eval_sets) == {"forget", "retain"}
    assert task.eval_sets["forget"] == task.forget
    assert task.forget[0].perturbed_answers == ()
    assert task.forget[0].question_variants == ("Who?",)
    assert task.forget[0].heldback_questions == ()


def test_a_row_takes_what_the_perturbed_file_says_about_it_and_the_others_stay_as_they_are(tmp_path):
    other = {"question": "When?", "answer": "Now."}
    asked = RETAIN | {"paraphrased_answer": "In Rome.", "perturbed_answer": ["In Oslo."]}
    write(tmp_path, forget10=[FORGET], retain90=[other, RETAIN], retain_perturbed=[asked])
    task = load_task(f"{tmp_path}:forget10")
    assert [row.paraphrased_answer for row in task.retain] == ["", "In Rome."]
    assert task.eval_sets["retain"] == task.retain[1:]


def test_a_folder_may_have_its_own_split_and_name_its_subjects(tmp_path):
    forget = [FORGET | {"subject": name} for name in ("Ada", "Bo", "Ada")]
    task = load_task(f"{write(tmp_path, forget20=forget, retain80=[RETAIN])}:forget20")
    assert task.subjects == ("Ada", "Bo")
    assert task.gold_model == ""


def test_parquet_files_are_read_like_json_lines(tmp_path):
    row = FORGET | {"perturbed_answer": ["Bo.", "Cy."]}
    (tmp_path / "json").mkdir()
    (tmp_path / "parquet").mkdir()
    sets = {"forget10": [row], "retain90": [RETAIN]}
    write(tmp_path / "json", **sets)
    for name, rows in sets.items():
        datasets.Dataset.from_list(rows).to_parquet(tmp_path / "parquet" / f"{name}.parquet")
    one, other = (load_task(f"{tmp_path / kind}:forget10") for kind in ("json", "parquet"))
    assert one.forget == other.forget and one.retain == other.retain
    assert one.forget[0].perturbed_answers == ("Bo.", "Cy.")


@pytest.mark.parametrize(
    ("sets", "sentence"),
    [
        (
            {},
            "is not laid out like TOFU: expected files such as forget10.json and retain90.json, found no data files.",
        ),
        ({"forget10": [FORGET], "train": [FORGET]}, "and retain90.json, found forget10.json, train.json. Add them"),
        ({"forget05": [FORGET], "retain95": [RETAIN]}, "has no split “forget10”. Choose forget05."),
        (
            {"forget10": [FORGET, {"question": "Q", "response": "A"}], "retain90": [RETAIN]},
            "Row 2 of forget10 has no answer (columns found: question, response). "
            "Give each row a text in the column “answer”.",
        ),
        ({"forget10": [FORGET], "retain90": [["Q", "A"]]}, "Line 1 of retain90.json is not a JSON object."),
        (
            {"forget10": [FORGET | {"perturbed_answer": "Bo."}], "retain90": [RETAIN]},
            "Row 1 of forget10 has something other than a list of texts as “perturbed_answer”.",
        ),
        ({"forget10": [], "retain90": [RETAIN]}, "forget10 has no rows. Choose another split or fill it."),
        ({"forget10": [FORGET], "retain90": []}, "retain90 has no rows. Choose another split or fill it."),
    ],
)
def test_a_bad_folder_is_named_with_what_was_found_and_what_was_expected(tmp_path, sets, sentence):
    with pytest.raises(DatasetError) as caught:
        load_task(f"{write(tmp_path, **sets)}:forget10")
    assert sentence in str(caught.value)


def test_a_missing_folder_and_a_broken_parquet_file_are_named(tmp_path):
    with pytest.raises(DatasetError, match=r"There is no folder .*nowhere"):
        load_task(f"{tmp_path / 'nowhere'}:forget10")
    (tmp_path / "forget10.parquet").write_bytes(b"no parquet")
    (tmp_path / "retain90.parquet").write_bytes(b"no parquet")
    with pytest.raises(DatasetError, match=r"^forget10.parquet is not a Parquet file that can be read"):
        load_task(f"{tmp_path}:forget10")


def test_a_file_that_is_not_text_is_named(tmp_path):
    folder = write(tmp_path, forget10=[FORGET], retain90=[RETAIN])
    (folder / "forget10.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(DatasetError, match=r"^forget10.json cannot be read as UTF-8 text"):
        load_task(f"{folder}:forget10")


def test_a_line_separator_inside_a_text_does_not_end_the_row(tmp_path):
    row = {"question": "One\u2028two?", "answer": "Yes."}
    folder = write(tmp_path, retain90=[RETAIN])
    (folder / "forget10.json").write_text(json.dumps(row, ensure_ascii=False), encoding="utf-8")
    assert load_task(f"{folder}:forget10").forget[0].question == "One\u2028two?"


def test_the_hub_out_of_reach_is_one_sentence_that_offers_a_folder(monkeypatch):
    def unreachable(*_args, **_kwargs):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(DatasetError) as caught:
        load_task("tofu:forget10")
    assert str(caught.value) == (
        "locuslab/TOFU could not be fetched from the Hugging Face Hub (ConnectionError). Connect to the internet, or "
        "give a local copy as a folder: path/to/TOFU:forget10."
    )


def test_the_hub_is_asked_for_the_sets_of_the_split(monkeypatch):
    asked = []

    def fake(hub_id, name, *, split):
        asked.append((hub_id, name, split))
        return [RETAIN if name.startswith("retain") else FORGET]

    monkeypatch.setattr(datasets, "load_dataset", fake)
    task = load_task("tofu:forget05")
    assert task.name == "tofu:forget05"
    assert task.forget[0].question == "Who?" and task.retain[0].question == "Where?"
    names = ["forget05", "forget05_perturbed", "retain95", "retain_perturbed"]
    facts = ["real_authors_perturbed", "world_facts_perturbed"]
    assert asked == [("locuslab/TOFU", name, "train") for name in names + facts]
