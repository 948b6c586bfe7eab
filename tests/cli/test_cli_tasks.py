"""``tasks show``: a task's rows as words and as JSON, searched, by subject, a page at a time."""

import json
from typing import Any

import pytest

from soul_core.cli.main import main
from soul_core.data.tasks import load_task

TASK = load_task("invented-authors:forget01")


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[dict[str, Any], str]:
    """The JSON on standard output and the words on standard error."""
    assert main(["tasks", "show", *words, "--json"]) == 0
    said = capsys.readouterr()
    return json.loads(said.out), said.err


def test_a_task_alone_means_its_first_split_and_a_page_of_what_is_trained_on(capsys: pytest.CaptureFixture[str]):
    found, words = shown(capsys, "invented-authors")
    assert found["task"] == "invented-authors:forget01"
    assert (found["forget"], found["retain"], found["found"], len(found["rows"])) == (12, 1188, 1200, 20)
    assert found["sets"] == {
        "rows": 1200,
        "forget": 12,
        "retain": 1188,
        "real_authors": 155,
        "world_facts": 144,
        "holdout": 120,
    }
    assert [(row["row"], row["side"]) for row in found["rows"]] == [
        (n, "forget" if n <= 12 else "retain") for n in range(1, 21)
    ]
    assert found["rows"][0]["question"] == TASK.forget[0].question
    assert found["rows"][0]["answer_words"] == len(TASK.forget[0].answer.split())
    assert "12 rows to forget, 1,188 to retain" in words and TASK.forget[0].subject in words


def test_rows_are_searched_by_text_and_subject_and_passed_over_in_pages(capsys: pytest.CaptureFixture[str]):
    subject = TASK.retain[12].subject
    found, _ = shown(capsys, "invented-authors:forget01", "--subject", subject, "--offset", "2", "--limit", "3")
    assert (found["found"], [row["subject"] for row in found["rows"]]) == (12, [subject] * 3)
    # Twelve rows to forget stand before the retained ones; the second author's third row is the 27th.
    assert [row["row"] for row in found["rows"]] == [27, 28, 29]
    found, _ = shown(capsys, "invented-authors:forget01", "--search", TASK.forget[3].question.upper())
    assert [row["row"] for row in found["rows"]] == [4]


def test_rows_that_are_asked_have_the_number_by_which_they_are_picked_and_facts_none(
    capsys: pytest.CaptureFixture[str],
):
    found, _ = shown(capsys, "invented-authors:forget01", "--set", "retain", "--limit", "1")
    assert [(row["row"], row["side"]) for row in found["rows"]] == [(13, "retain")]
    found, words = shown(capsys, "invented-authors:forget01", "--set", "world_facts", "--limit", "1")
    assert [(row["row"], row["side"]) for row in found["rows"]] == [(None, None)]
    assert len(found["rows"][0]["perturbed_answers"]) == 3 and "world_facts" in words


def test_a_forget_set_of_ones_own_is_shown_as_it_would_be_used(capsys: pytest.CaptureFixture[str]):
    found, _ = shown(capsys, "invented-authors:forget01#rows=1-2,13", "--limit", "4")
    assert [row["side"] for row in found["rows"]] == ["forget"] * 3 + ["retain"]


def test_nothing_found_is_said(capsys: pytest.CaptureFixture[str]):
    found, words = shown(capsys, "invented-authors:forget01", "--search", "xyzzy")
    assert found["rows"] == []
    assert "No rows here: 0 of the 1,200 in “rows” match" in words


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["tofo:forget10"], "There is no task “tofo”."),
        (["invented-authors", "--set", "fb"], "has no set “fb”. Choose “rows”, “forget”, “retain”"),
        (["invented-authors", "--subject", "Nobody"], "has nothing about “Nobody”. The nearest names are “"),
        (["invented-authors", "--set", "world_facts", "--subject", "X"], "Its rows name no subjects."),
    ],
)
def test_a_mistake_is_one_line(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]):
    assert main(["tasks", "show", *words]) == 2
    assert sentence in capsys.readouterr().err


def test_json_may_be_asked_for_in_front_as_well_and_a_count_must_be_one(capsys: pytest.CaptureFixture[str]):
    assert main(["tasks", "--json", "show", "invented-authors", "--limit", "1"]) == 0
    assert len(json.loads(capsys.readouterr().out)["rows"]) == 1
    with pytest.raises(SystemExit):
        main(["tasks", "show", "invented-authors", "--limit", "-1"])
    assert "whole number of rows" in capsys.readouterr().err


def test_the_list_says_licence_size_and_what_can_be_measured(capsys: pytest.CaptureFixture[str]):
    assert main(["tasks", "--json"]) == 0
    listed = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)["tasks"]}
    assert listed["muse-news"]["licence"] == "CC BY 4.0"
    assert "membership (privleak)" in listed["muse-news"]["measures"]
    assert "2 MB" in listed["tofu"]["size"]
    assert "path/to/book.txt" in listed["copyright"]["behind the colon"]
