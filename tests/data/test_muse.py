"""MUSE's layout: a folder like it with rows of our own, and what a folder may lack."""

import json
from pathlib import Path
from typing import Any

import pytest

from soul_core.data.muse import SOURCES
from soul_core.data.progress import listening
from soul_core.data.sets import SETS, TEXTS
from soul_core.data.tasks import load_task
from soul_core.errors import DatasetError
from soul_core.events import Progress

LONG = " ".join(f"Word {n}." for n in range(400))
SPLITS: dict[str, list[dict[str, Any]]] = {
    "raw/forget": [{"text": LONG}, {"text": "The ferry sank on Monday.\nNobody was hurt."}],
    "raw/retain1": [{"text": "A bakery opened."}],
    "verbmem/forget": [
        {"prompt": "The ferry sank", "gt": "on Monday."},
        {"prompt": "The ferry ", "gt": "sank."},
        {"prompt": "The ferry", "gt": "\nsank."},
    ],
    "knowmem/forget_qa": [{"question": "When did the ferry sink?", "answer": "on Monday"}],
    "knowmem/retain_qa": [{"question": "What opened?", "answer": "a bakery"}],
    "privleak/forget": [{"text": "The ferry sank."}],
    "privleak/retain": [{"text": "A bakery opened."}],
    "privleak/holdout": [{"text": "A ferry was launched."}],
}


def laid_out(folder: Path, splits: dict[str, list[dict[str, Any]]] = SPLITS) -> Path:
    for place, rows in splits.items():
        path = folder / f"{place}-00000-of-00001.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(json.dumps(row) for row in rows))
    return folder


def test_the_corpus_is_cut_into_texts_that_joined_are_the_corpus(tmp_path):
    task = load_task(f"{laid_out(tmp_path)}:forget")
    assert [row.subject for row in task.forget] == ["Forget text 1"] * 3 + ["Forget text 2"]
    assert "".join(row.answer for row in task.forget[:3]) == LONG
    assert task.forget[3].answer == "The ferry sank on Monday.\nNobody was hurt."
    assert {(row.form, row.question) for row in task.forget + task.retain} == {("text", "")}
    assert (task.subjects, task.gold_model) == ((), "")


def test_a_prompt_and_its_continuation_get_the_space_that_neither_has_and_no_second_one(tmp_path):
    asked = load_task(f"{laid_out(tmp_path)}:forget").eval_sets["forget"]
    assert [row.question + row.answer for row in asked] == [
        "The ferry sank on Monday.",
        "The ferry sank.",
        "The ferry\nsank.",
    ]
    assert {row.form for row in asked} == {"text"}


def test_every_set_is_there_and_is_one_that_is_known(tmp_path):
    task = load_task(f"{laid_out(tmp_path)}:forget")
    assert {name: len(rows) for name, rows in task.eval_sets.items()} == {
        "forget": 3,
        "forget_knowledge": 1,
        "retain": 1,
    }
    assert task.eval_sets["forget_knowledge"][0].form == "question"
    assert {name: [row.answer for row in rows] for name, rows in task.texts.items()} == {
        "forget_texts": ["The ferry sank."],
        "retain_texts": ["A bakery opened."],
        "holdout": ["A ferry was launched."],
    }
    assert set(task.eval_sets) <= set(SETS) and set(task.texts) <= set(TEXTS)
    assert SETS["forget_knowledge"].role == "forget"


def test_a_copy_from_before_the_splits_were_renamed_reads_the_same(tmp_path):
    older = {place.replace("/retain_qa", "/retain2_qa"): rows for place, rows in SPLITS.items()}
    older["privleak/retain2"] = older.pop("privleak/retain")
    one, other = (load_task(f"{laid_out(tmp_path / n, s)}:forget") for n, s in (("new", SPLITS), ("old", older)))
    assert one.eval_sets == other.eval_sets and one.texts == other.texts


def test_without_questions_and_membership_texts_the_retained_texts_are_what_should_stay(tmp_path):
    few = {place: rows for place, rows in SPLITS.items() if place.startswith(("raw", "verbmem"))}
    task = load_task(f"{laid_out(tmp_path, few)}:forget")
    assert task.eval_sets["retain"] == task.retain
    assert "forget_knowledge" not in task.eval_sets and task.texts == {}


def test_progress_counts_every_split_that_is_read(tmp_path):
    told: list[Progress] = []
    with listening(told.append):
        load_task(f"{laid_out(tmp_path)}:forget")
    assert [progress.done for progress in told] == list(range(8))
    assert {progress.total for progress in told} == {8}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"raw/forget": [{"text": ""}]}, "Row 1 of raw/forget has no text (columns found: text)."),
        ({"verbmem/forget": [{"prompt": "A"}]}, "Row 1 of verbmem/forget has no gt (columns found: prompt)."),
        ({"knowmem/forget_qa": [{"question": "Q?"}]}, "Row 1 of knowmem/forget_qa has no answer"),
        ({"raw/retain1": []}, "raw/retain1 has no rows."),
    ],
)
def test_what_is_wrong_in_a_folder_is_said_with_the_place(tmp_path, change, sentence):
    with pytest.raises(DatasetError) as caught:
        load_task(f"{laid_out(tmp_path, SPLITS | change)}:forget")
    assert sentence in str(caught.value)


def test_both_corpora_are_on_offer_and_a_folder_has_one_split(tmp_path):
    assert [(source.name, source.splits) for source in SOURCES] == [
        ("muse-news", ("forget",)),
        ("muse-books", ("forget",)),
    ]
    with pytest.raises(DatasetError, match=r"has no split “forget10”. Choose forget"):
        load_task(f"{laid_out(tmp_path)}:forget10")
