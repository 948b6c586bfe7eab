"""WMDP's layout: a folder like it with rows of our own, the Hub's two data sets, and the one that is gated."""

import json
from pathlib import Path
from typing import Any

import datasets
import pytest

from soul_core.data import wmdp
from soul_core.data.tasks import load_task
from soul_core.errors import DatasetError

LONG = " ".join(f"Line {n}." for n in range(1000))
QUESTION = {"question": "Which port?", "choices": ["21", "22", "23", "80"], "answer": 1}
FORGET, RETAIN = {"text": LONG}, {"text": "short text"}
PLACES: dict[str, list[dict[str, Any]]] = {
    "cyber-forget-corpus": [FORGET, {"text": "tiny"}],
    "cyber-retain-corpus/train-00000-of-00001": [RETAIN, {"text": LONG}],
    "wmdp-cyber/test-00000-of-00001": [QUESTION],
}


def laid_out(folder: Path, places: dict[str, list[dict[str, Any]]] = PLACES) -> Path:
    for place, rows in places.items():
        path = folder / f"{place}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(json.dumps(row) for row in rows))
    return folder


def test_the_beginning_of_every_text_is_a_row_and_its_wrong_choices_are_what_a_question_perturbs(tmp_path):
    task = load_task(f"{laid_out(tmp_path)}:cyber")
    assert [row.subject for row in task.forget] == ["Forget text 1", "Forget text 2"]
    assert LONG.startswith(task.forget[0].answer) and 200 <= len(task.forget[0].answer.split()) <= 300
    (asked,) = task.eval_sets["forget"]
    assert (asked.question, asked.answer, asked.perturbed_answers) == ("Which port?", "22", ("21", "23", "80"))
    assert {row.form for row in task.forget + task.retain} == {"text"}


def test_of_what_is_retained_the_second_half_is_asked_where_there_is_one(tmp_path):
    task = load_task(f"{laid_out(tmp_path)}:cyber")
    (asked,) = task.eval_sets["retain"]
    assert asked.question + asked.answer == task.retain[1].answer
    assert 100 <= len(asked.question.split()) <= 150
    short = PLACES | {"cyber-retain-corpus/train-00000-of-00001": [RETAIN]}
    task = load_task(f"{laid_out(tmp_path, short)}:cyber")
    assert task.eval_sets["retain"] == task.retain


def test_a_corpus_without_end_is_read_only_so_far(tmp_path, monkeypatch):
    monkeypatch.setattr(wmdp, "MOST_TEXTS", 1)
    assert len(load_task(f"{laid_out(tmp_path)}:cyber").forget) == 1


def test_a_folder_offers_the_splits_that_it_has_whole(tmp_path):
    with pytest.raises(DatasetError, match=r"has no split “bio”. Choose cyber"):
        load_task(f"{laid_out(tmp_path)}:bio")
    (tmp_path / "bio-forget-corpus.jsonl").write_text(json.dumps({"title": "T", "text": "pathogen"}))
    (tmp_path / "bio-retain-corpus.jsonl").write_text(json.dumps(RETAIN))
    laid_out(tmp_path, {"wmdp-bio/test-00000-of-00001": [QUESTION]})
    assert load_task(f"{tmp_path}:bio").forget[0].answer == "pathogen"


@pytest.mark.parametrize(
    "broken",
    [
        {"question": "Q?", "choices": "21", "answer": 0},
        {"question": "Q?", "choices": ["21"], "answer": 0},
        {"question": "Q?", "choices": ["21", "22"], "answer": 2},
        {"question": "Q?", "choices": ["21", "22"], "answer": "22"},
        {"question": "Q?", "choices": ["21", ""], "answer": 0},
    ],
)
def test_a_question_without_choices_or_without_a_right_one_is_named(tmp_path, broken):
    places = PLACES | {"wmdp-cyber/test-00000-of-00001": [QUESTION, broken]}
    with pytest.raises(DatasetError, match=r"^Row 2 of wmdp-cyber is no multiple-choice question"):
        load_task(f"{laid_out(tmp_path, places)}:cyber")


def test_the_hub_is_asked_for_corpora_and_questions_of_the_split(monkeypatch):
    asked = []

    def fake(hub_id, name, *, split):
        asked.append((hub_id, name, split))
        return [QUESTION if hub_id == "cais/wmdp" else RETAIN]

    monkeypatch.setattr(datasets, "load_dataset", fake)
    assert load_task("wmdp:cyber").name == "wmdp:cyber"
    assert asked == [
        ("cais/wmdp-corpora", "cyber-forget-corpus", "train"),
        ("cais/wmdp", "wmdp-cyber", "test"),
        ("cais/wmdp-corpora", "cyber-retain-corpus", "train"),
    ]


def test_the_biology_texts_being_gated_is_said_before_anything_large_is_fetched(monkeypatch):
    asked = []

    def gated(hub_id, name, *, split):
        asked.append(hub_id)
        raise datasets.exceptions.DatasetNotFoundError(f"Dataset '{hub_id}' is a gated dataset on the Hub.")

    monkeypatch.setattr(datasets, "load_dataset", gated)
    with pytest.raises(DatasetError) as caught:
        load_task("wmdp:bio")
    assert str(caught.value).startswith("cais/wmdp-bio-forget-corpus is gated: its owners give access on request.")
    assert "path/to/WMDP:bio" in str(caught.value)
    assert set(asked) == {"cais/wmdp-bio-forget-corpus"}
