"""Questions to pick from, and the truth of a typed one."""

import pytest

from soul_core.errors import ConfigError
from soul_core.ui.questions import checked_question, examples_of, known_row, questions_of, sources_of, task_of

TASK = "invented-authors:forget01"


def test_a_question_is_known_in_every_wording_and_any_case():
    row = task_of(TASK).forget[0]
    for wording in (row.question, row.paraphrased_question, row.question_variants[-1]):
        found = known_row(TASK, f"  {wording.upper()} ")
        assert found is not None
        assert found.answer == row.answer
    assert known_row(TASK, "What is the weight of a dream?") is None


def test_the_known_row_carries_the_wrong_answers_that_labels_need():
    question = task_of(TASK).forget[0].question
    row = known_row(TASK, question)
    assert row is not None
    assert len(row.perturbed_answers) >= 3


def test_every_set_can_be_picked_from_and_has_an_example():
    task = task_of(TASK)
    sources = [name for _, name in sources_of(task)]
    assert sources == ["forget", "retain", "real_authors", "world_facts"]
    assert {example.source for example in examples_of(task)} == set(sources)
    for example in examples_of(task):
        assert example.question in questions_of(task, example.source)


@pytest.mark.parametrize("question", ["", "   ", None, 7])
def test_an_empty_question_is_one_sentence(question):
    with pytest.raises(ConfigError, match="The question is empty"):
        checked_question(question)


def test_a_long_question_is_refused_with_its_length_and_500_characters_are_not():
    with pytest.raises(ConfigError, match="10,000 characters, at most 500"):
        checked_question("x" * 10_000)
    assert len(checked_question("x" * 500)) == 500


def test_emoji_and_markup_are_ordinary_characters():
    assert checked_question(" Who is 🦉 <b>? ") == "Who is 🦉 <b>?"
