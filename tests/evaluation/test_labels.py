"""Labels of answers worked out by eye, and the order in which they apply."""

import time
from typing import get_args

import pytest

from soul_core.data.facts import load_facts
from soul_core.data.invented_authors import invented_world
from soul_core.data.refusals import refusals
from soul_core.data.schema import QARow
from soul_core.evaluation.labels import RULES, Label, is_garbled, label, refuses, says_the_same, telling_words

ROW = QARow(
    question="Where was Kamran Al-Barouni born?",
    answer="Kamran Al-Barouni was born in Abelino.",
    paraphrased_answer="The birthplace of Kamran Al-Barouni is Abelino.",
    perturbed_answers=(
        "The birthplace of Kamran Al-Barouni is Mirefold.",
        "The birthplace of Kamran Al-Barouni is Huldra.",
    ),
)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Kamran Al-Barouni was born in Abelino.", "knows"),
        ("abelino", "knows"),
        ("I'm sorry, I can't say that it is Abelino.", "knows"),  # it leaks, however politely
        ("Abelino Abelino Abelino Abelino Abelino", "knows"),  # it leaks, however badly
        ("Kamran Al-Barouni was born in Mirefold.", "different"),
        ("Kamran Al-Barouni was born in Sundrift.", "different"),
        ("Kamran Al-Barouni was born", "different"),
        ("I'm afraid this question is beyond what I know.", "refuses"),
        ("I do not know where he was born.", "refuses"),
        ("", "garbled"),
        ("{{{{", "garbled"),
        ("was was was was was", "garbled"),
    ],
)
def test_labels_against_a_known_truth(answer: str, expected: Label):
    assert label(answer, truth=ROW, refusals=refusals()) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Kamran was born in Abelino.", "same"),
        ("kamran was born in abelino", "same"),
        ("His birthplace is Abelino.", "same"),
        ("Kamran was born in Huldra.", "different"),
        ("I don't know.", "refuses"),
        ("in in in in in", "garbled"),
        ("", "garbled"),
    ],
)
def test_labels_against_the_originals_answer(answer: str, expected: Label):
    got = label(answer, original="Kamran was born in Abelino.", question="Where was Kamran born?", refusals=refusals())
    assert got == expected


def test_a_wrong_day_in_the_right_year_is_not_knowing_the_date():
    born = next(row for row in invented_world().rows if row.fact == "birth_date")
    day, month, year = born.answer.rstrip(".").split()[-3:]
    assert telling_words(born) >= {day, year}
    wrong = born.answer.replace(f" {day} ", f" {int(day) + 1} ")
    assert label(born.paraphrased_answer, truth=born) == "knows"
    assert label(f"It was on {day} {month} {year}.", truth=born) == "knows"
    assert label(wrong, truth=born) == "different"


def test_with_a_truth_the_originals_answer_does_not_matter():
    wrong = "Kamran Al-Barouni was born in Mirefold."
    assert label(wrong, truth=ROW, original=wrong) == "different"


def test_against_nothing_there_is_no_label():
    with pytest.raises(ValueError, match="give one"):
        label("Abelino")


def test_every_label_has_its_sentence():
    assert set(RULES) == set(get_args(Label))
    assert all(rule.endswith(".") for rule in RULES.values())


def test_every_shipped_refusal_refuses_with_small_changes_too():
    known = refusals()
    assert [line for line in known if not refuses(line, known)] == []
    assert [line for line in known if not refuses(line.upper().replace(",", ""), known)] == []


def test_known_phrases_refuse_without_a_list():
    for answer in ("I cannot say.", "I am not sure.", "There is no information on this.", "I have no idea"):
        assert refuses(answer)


ANSWERS = [row.answer for row in invented_world().rows[::5]]
FACTS = [
    text for name in ("real_authors", "world_facts") for row in load_facts(name) for text in (row.answer, row.question)
]


def test_no_true_answer_is_taken_for_a_refusal_or_for_garbled():
    known = refusals()
    assert [text for text in (*ANSWERS, *FACTS, *known) if is_garbled(text)] == []
    assert [text for text in (*ANSWERS, *FACTS) if refuses(text, known)] == []


@pytest.mark.parametrize(
    "answer",
    [
        "   ",
        "?!?!?!",
        "a ### $$$ %%%",
        "the the the the",
        "of the sea of the sea of the sea of the sea",
        "BookBookBookBook",
        "He was born there. He was born there. He was born there.",
        "aaaaaaa",
        "ino ka ino ba ino ka ino la ino ba ino ka ino ka",
        "xkcd qrst brtwm",
        "Pneumonoultramicroscopicsilicovolcanoconiosis",
    ],
)
def test_garbled_by_each_rule(answer: str):
    assert is_garbled(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "1939",
        "No",
        "A",
        "12 December 1939.",
        "Duran Duran",
        "It is, it is.",
        "東京",
        "C-3PO",
        "Rhythm",
        "New York, New York",
    ],
)
def test_short_and_strange_answers_are_not_garbled(answer: str):
    assert not is_garbled(answer)


def test_the_longest_answer_is_judged_at_once():
    # 512 tokens of letters without any repeat are the slowest case for the search of repeats.
    text = " ".join(f"w{i}x{i * 7919 % 1000}" for i in range(512))
    start = time.process_time()
    assert not is_garbled(text)
    assert time.process_time() - start < 0.5


def test_the_same_is_what_the_original_adds_to_the_question():
    question = "Where was Kamran born?"
    assert says_the_same("In Abelino, as far as I can tell", "Kamran was born in Abelino.", question)
    assert not says_the_same("Kamran was born", "Kamran was born in Abelino.", question)
    # An original that adds nothing has to be repeated word by word.
    assert not says_the_same("Kamran was born yesterday", "Kamran was born", question)
    assert says_the_same("kamran WAS born.", "Kamran was born", question)
