"""When two rows ask for the same fact: the same words, or similar words about the same names with one answer."""

import pytest

from soul_core.data.own_overlap import Facts, content_words, names_in, repeated_in
from soul_core.data.schema import QARow

BORN = QARow(
    question="Where was Mara Quill born?", answer="In Velden.", heldback_questions=("Mara Quill is from where?",)
)


@pytest.mark.parametrize(
    ("question", "answer", "same_question", "same_fact"),
    [
        ("WHERE was Mara Quíll born", "Elsewhere.", True, False),
        ("Mara Quill is from where?", "Elsewhere.", True, False),
        ("In which town was Mara Quill born?", "in velden", False, True),
        ("In which town was Mara Quill born?", "Elsewhere.", False, False),
        ("Where was Sara Quill born?", "In Velden.", False, False),
        ("Where does Mara Quill keep the boat she sails?", "In Velden.", False, False),
        ("", "In Velden.", False, False),
    ],
)
def test_rows_are_the_same_by_words_and_by_answer(question: str, answer: str, same_question: bool, same_fact: bool):
    facts = Facts([BORN])
    row = QARow(question=question, answer=answer)
    assert (facts.same_question(row) == 0, facts.same_fact(row) == 0) == (same_question, same_fact)


def test_a_paraphrased_answer_counts_as_the_answer():
    known = QARow(question="Where was Mara born?", answer="Velden.", paraphrased_answer="The town is Velden.")
    assert Facts([known]).same_fact(QARow(question="In which place was Mara born?", answer="The town is Velden")) == 0


def test_both_places_are_told_and_whether_the_question_is_the_same():
    others = [QARow(question="Who?", answer="Tal"), BORN]
    rows = [
        QARow(question="Whom?", answer="Tal"),
        QARow(question="What town was Mara Quill born in?", answer="In Velden."),
        QARow(question="who", answer="Brenn"),
    ]
    assert list(repeated_in(rows, others)) == [(1, 1, False), (2, 0, True)]


def test_names_and_numbers_tell_questions_apart_and_stop_words_do_not():
    assert names_in("In 1950, who was José's aunt in New York?") == ("1950", "jose", "new", "york")
    assert content_words("Where was Mara Quill born?") == {"mara", "quill", "born"}
    assert content_words("Who was it?") == {"who", "was", "it"}
