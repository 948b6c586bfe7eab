"""What the two prompt methods are made of, and that a stranger's file cannot pass for one."""

import copy
import dataclasses
import json
from typing import Any

import pytest

from soul_core.data.answers import alike, words_in
from soul_core.data.prompt_methods import (
    LONGEST_TEXT,
    MOST_ROWS,
    MOST_SHOTS,
    MOST_SUBJECTS,
    icul_prompt,
    input_based_prompt,
    read_method,
)
from soul_core.data.schema import ForgetTask, QARow
from soul_core.data.tasks import load_task
from soul_core.errors import ConfigError, DatasetError, ModelError

WORLD = load_task("invented-authors:forget10")


def row(question: str, answer: str, *wrong: str, subject: str = "") -> QARow:
    return QARow(question=question, answer=answer, perturbed_answers=wrong, subject=subject)


def task(*forget: QARow, retain: tuple[QARow, ...] = (), subjects: tuple[str, ...] = ()) -> ForgetTask:
    return ForgetTask(name="t:all", forget=forget, retain=retain, subjects=subjects)


# --- input-based


def test_the_subjects_are_named_in_order():
    made = input_based_prompt(
        task(row("Q?", "A"), subjects=("Mara\nQuill", "", "Tom Ash", "Mara Quill")), max_subjects=5
    )
    assert (made["kind"], made["what"], made["items"], made["total"]) == (
        "input-based",
        "subjects",
        ["Mara Quill", "Tom Ash"],
        2,
    )
    assert made["text"].startswith("Do not answer questions about the following subjects")


def test_without_subjects_questions_are_quoted():
    made = input_based_prompt(task(row("Who?", "A"), row("Who?", "B"), row("Where?", "C")), max_subjects=5)
    assert (made["what"], made["items"], made["total"]) == ("questions", ['"Who?"', '"Where?"'], 2)


def test_of_more_than_asked_for_the_seed_draws_some_in_the_tasks_order():
    drawn = [input_based_prompt(WORLD, max_subjects=4, seed=seed) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    for made in drawn:
        assert made["items"] == [name for name in WORLD.subjects if name in made["items"]]
        assert (len(made["items"]), made["total"]) == (4, 10)


def test_a_very_long_question_is_cut():
    made = input_based_prompt(task(row("why " * 500, "A")), max_subjects=1)
    assert len(made["items"][0]) == 300 and made["items"][0].endswith('why w…"')
    read_method(made)


def test_nothing_to_name_and_settings_out_of_bounds_are_errors():
    with pytest.raises(DatasetError, match=r"forget set of “t:all” is empty"):
        input_based_prompt(task(), max_subjects=1)
    for bad in (0, MOST_SUBJECTS + 1):
        with pytest.raises(ConfigError, match=f"max_subjects is {bad}. Choose 1 to 200"):
            input_based_prompt(WORLD, max_subjects=bad)


# --- in-context unlearning


def test_the_pool_holds_every_forget_row_with_a_wrong_answer_and_the_drawn_retain_rows():
    made = icul_prompt(
        task(row("Where?", "In Velden.", "In Lund."), row("Who?", "Mara."), retain=(row("When?", "In 1920."),)),
        wrong_shots=2,
        right_shots=3,
        seed=0,
    )
    assert made == {
        "kind": "icul",
        "wrong_shots": 2,
        "shots_as": "system",
        "forget": [
            {"question": "Where?", "answer": "In Lund.", "row": 0, "reveals": []},
            {"question": "Who?", "answer": "In Velden.", "row": 1, "reveals": [0]},  # row 0's truth
        ],
        "retain": [{"question": "When?", "answer": "In 1920.", "reveals": []}],
    }


@pytest.mark.parametrize("perturbed", [True, False])
def test_no_wrong_answer_of_the_pool_says_its_rows_truth(perturbed: bool):
    forget = [r if perturbed else dataclasses.replace(r, perturbed_answers=()) for r in WORLD.forget]
    made = icul_prompt(dataclasses.replace(WORLD, forget=tuple(forget)), wrong_shots=4, right_shots=4, seed=7)
    assert [entry["question"] for entry in made["forget"]] == [r.question for r in forget]
    for entry, truth in zip(made["forget"], forget, strict=True):
        assert not alike(entry["answer"], truth.answer)
        assert not alike(entry["answer"], truth.paraphrased_answer)


def test_right_examples_are_true_of_different_subjects_and_drawn_by_the_seed():
    made = icul_prompt(WORLD, wrong_shots=1, right_shots=32, seed=5)
    known = {r.question: r for r in WORLD.retain}
    chosen = [known[entry["question"]] for entry in made["retain"]]
    assert [entry["answer"] for entry in made["retain"]] == [r.answer for r in chosen]
    assert len({r.subject for r in chosen}) == 32
    assert made == icul_prompt(WORLD, wrong_shots=1, right_shots=32, seed=5)
    assert made["retain"] != icul_prompt(WORLD, wrong_shots=1, right_shots=32, seed=6)["retain"]


def test_a_retain_row_that_tells_a_forget_answer_or_asks_a_forget_question_is_no_example_while_there_are_others():
    retain = (row("a?", "Certainly in Velden."), row("Where?", "In Lund."), row("b?", "In Oslo."))
    made = icul_prompt(task(row("Where?", "in velden", "x"), retain=retain), wrong_shots=1, right_shots=1, seed=0)
    assert [entry["question"] for entry in made["retain"]] == ["b?"]
    made = icul_prompt(task(row("Where?", "in velden", "x"), retain=retain), wrong_shots=1, right_shots=9, seed=0)
    assert [(entry["question"], entry["reveals"]) for entry in made["retain"]] == [("b?", []), ("a?", [0])]


def test_the_pool_is_bounded_and_leaves_out_what_cannot_be_shown():
    many = [row(f"Question {i}?", f"Answer {i}.") for i in range(MOST_ROWS + 5)]
    made = icul_prompt(task(*many), wrong_shots=1, right_shots=0, seed=0)
    assert len(made["forget"]) == MOST_ROWS
    odd = icul_prompt(
        task(row("x" * (LONGEST_TEXT + 1), "A"), row("", "B"), row("Who\n\tis\x00 it?\ud800", "C"), row("What?", "D")),
        wrong_shots=1,
        right_shots=0,
        seed=0,
    )
    assert [(entry["question"], entry["answer"]) for entry in odd["forget"]] == [("Who is it?", "D"), ("What?", "C")]
    read_method(odd)


def test_no_wrong_answer_at_all_and_settings_out_of_bounds_are_errors():
    with pytest.raises(DatasetError, match=r"“t:all” has no row for which a wrong answer can be found"):
        icul_prompt(task(row("Who?", "Mara")), wrong_shots=1, right_shots=0, seed=0)
    with pytest.raises(ConfigError, match="wrong_shots is 0"):
        icul_prompt(WORLD, wrong_shots=0, right_shots=0, seed=0)
    with pytest.raises(ConfigError, match="right_shots is 33"):
        icul_prompt(WORLD, wrong_shots=1, right_shots=MOST_SHOTS + 1, seed=0)
    with pytest.raises(ConfigError, match="Choose system or turns"):
        icul_prompt(WORLD, wrong_shots=1, right_shots=1, seed=0, shots_as="words")  # type: ignore[arg-type]


# --- read back

TOLD: dict[str, Any] = input_based_prompt(WORLD, max_subjects=3)
SHOWN: dict[str, Any] = icul_prompt(WORLD, wrong_shots=2, right_shots=2, seed=0, shots_as="turns")


def test_a_method_survives_json():
    told, shown = (read_method(json.loads(json.dumps(made))) for made in (TOLD, SHOWN))
    assert (told.text, list(told.items), told.total) == (TOLD["text"], TOLD["items"], 10)
    assert (shown.wrong_shots, shown.shots_as, len(shown.wrong), len(shown.right)) == (2, "turns", 120, 2)
    assert (shown.wrong[5].truth, shown.right[0].truth) == (5, -1)


@pytest.mark.parametrize(
    ("made", "path", "value", "said"),
    [
        (TOLD, ["kind"], "magic", "neither “input-based” nor “icul”"),
        (TOLD, ["text"], None, "“text” holds no text"),
        (TOLD, ["text"], "x" * 2001, "2001 characters, at most 2000"),
        (TOLD, ["what"], ["subjects"], "neither “subjects” nor “questions”"),
        (TOLD, ["items"], [], "not a list of 1 to 200"),
        (TOLD, ["items"], ["a"] * 201, "not a list of 1 to 200"),
        (TOLD, ["items"], "Mara", "not a list"),
        (TOLD, ["items", 0], " ", "holds no text"),
        (TOLD, ["items", 0], "a\nb", "line breaks"),
        (TOLD, ["items", 0], "\ud800", "cannot be shown"),
        (TOLD, ["total"], 2, "whole number from 3"),
        (TOLD, ["total"], True, "whole number"),
        (SHOWN, ["wrong_shots"], 0, "whole number from 1 to 32"),
        (SHOWN, ["wrong_shots"], 2.0, "whole number"),
        (SHOWN, ["shots_as"], "words", "neither “system” nor “turns”"),
        (SHOWN, ["forget"], [], "list of 1 to 2000"),
        (SHOWN, ["forget", 0], "Who?", "no question with an answer"),
        (SHOWN, ["forget", 0, "answer"], 7, "holds no text"),
        (SHOWN, ["forget", 0, "row"], -1, "whole number from 0"),
        (SHOWN, ["forget", 0, "reveals"], [None], "whole number"),
        (SHOWN, ["forget", 0, "reveals"], None, "not a list"),
        (SHOWN, ["retain"], [SHOWN["retain"][0]] * 33, "list of 0 to 32"),
        (SHOWN, ["retain", 0, "question"], "x\x1b[2J", "cannot be shown"),
    ],
)
def test_anything_else_is_one_sentence(made: dict[str, Any], path: list[Any], value: Any, said: str):
    changed = copy.deepcopy(made)
    place: Any = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(ModelError, match=said) as caught:
        read_method(changed)
    assert str(caught.value).endswith("Make the run again.")


def test_the_words_of_the_request_are_bounded_in_any_case():
    assert len(words_in(TOLD["text"])) < 40
