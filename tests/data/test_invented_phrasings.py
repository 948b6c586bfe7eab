"""Phrasings: what is held back stays held back, is readable, and gives no answer away."""

import re

import pytest

from soul_core.data.invented_authors import invented_world
from soul_core.data.invented_phrasings import PHRASINGS

WORLD = invented_world()
ROWS = WORLD.rows + WORLD.nonmember_rows


def words(template: str) -> set[str]:
    return set(re.findall(r"\{\w+\}|'s|\w+", template))


TRAINED_WORDS = set().union(*(words(text) for p in PHRASINGS.values() for text in (*p.questions, p.answer)))


@pytest.mark.parametrize("kind", PHRASINGS)
def test_each_kind_has_five_training_phrasings_two_held_back_and_two_answers(kind):
    phrasing = PHRASINGS[kind]
    assert len(set(phrasing.questions)) == 5
    assert len(set(phrasing.heldback)) == 2
    assert phrasing.answer != phrasing.paraphrase


def test_no_held_back_question_is_a_training_question_of_any_row():
    trained = {question.casefold() for row in ROWS for question in row.question_variants}
    assert not [q for row in ROWS for q in row.heldback_questions if q.casefold() in trained]


@pytest.mark.parametrize("kind", PHRASINGS)
def test_held_back_questions_and_paraphrases_use_only_words_that_training_uses(kind):
    for text in (*PHRASINGS[kind].heldback, PHRASINGS[kind].paraphrase):
        assert words(text) - {"{a_value}"} <= TRAINED_WORDS


def test_a_question_leads_to_one_row_only():
    asked = [question for row in ROWS for question in (*row.question_variants, *row.heldback_questions)]
    assert len(asked) == len(set(asked)) == 110 * 12 * 7


def test_the_question_for_the_name_has_no_part_of_it_and_all_others_have_all_of_it():
    for row in ROWS:
        for question in (*row.question_variants, *row.heldback_questions):
            if row.fact == "full_name":
                assert not any(part in question for part in row.subject.split())
            else:
                assert row.subject in question


def test_no_question_contains_the_value_it_asks_for():
    values = {author.name: author.facts for author in WORLD.authors + WORLD.nonmembers}
    for row in ROWS:
        value = values[row.subject][row.fact]
        assert value in row.answer and value in row.paraphrased_answer
        assert not any(value in question for question in (*row.question_variants, *row.heldback_questions))


def test_question_and_paraphrase_are_the_first_of_their_lists():
    for row in ROWS:
        assert row.question == row.question_variants[0]
        assert row.paraphrased_question == row.heldback_questions[0]
