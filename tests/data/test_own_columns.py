"""Which column is what: guessed from names, chosen by hand, and every choice that cannot be."""

import pytest

from soul_core.data.own_columns import MOST_WRONG, ColumnMapping, guess, rows_of, texts_in
from soul_core.data.own_files import Table
from soul_core.errors import DatasetError


def table(columns: str, *rows: tuple[str, ...]) -> Table:
    return Table(name="f.csv", columns=tuple(columns.split(",")), rows=rows)


@pytest.mark.parametrize("question", ["question", "Question", "prompt", "q", "instruction", "Questions", "input"])
@pytest.mark.parametrize("answer", ["answer", "a", "response", "completion", "output", "Correct answer"])
def test_usual_names_are_known(question: str, answer: str):
    mapping = guess(["id", answer, question])
    assert (mapping.question, mapping.answer, mapping.missing) == (question, answer, ())


def test_the_surer_name_wins_over_the_order_of_the_columns():
    mapping = guess(["instruction", "input", "output", "Answer", "question"])
    assert (mapping.question, mapping.answer) == ("question", "Answer")


def test_tofus_own_columns_are_all_known():
    mapping = guess(["question", "answer", "paraphrased_answer", "perturbed_answer", "paraphrased_question"])
    assert mapping == ColumnMapping(
        question="question",
        answer="answer",
        paraphrased_question="paraphrased_question",
        paraphrased_answer="paraphrased_answer",
        perturbed_answers=("perturbed_answer",),
    )


def test_numbered_columns_of_wrong_answers_are_taken_together():
    mapping = guess(["question", "distractor1", "distractor2", "Distractor 3", "correct_answer", "support"])
    assert mapping.perturbed_answers == ("distractor1", "distractor2", "Distractor 3")
    assert mapping.answer == "correct_answer"


def test_a_topic_is_a_subject_and_a_relation_a_kind_of_fact():
    assert (guess(["topic", "relation"]).subject, guess(["topic", "relation"]).fact) == ("topic", "relation")


def test_a_row_has_everything_its_columns_say():
    asked = table("q,a,other words,wrong,who", ("Who?", "Tal", "Which one?", "Quill | Brenn |", "Tal"))
    mapping = ColumnMapping(
        question="q", answer="a", paraphrased_question="other words", perturbed_answers=("wrong",), subject="who"
    )
    (row,) = rows_of(asked, mapping)
    assert (row.question, row.answer, row.subject) == ("Who?", "Tal", "Tal")
    assert row.perturbed_answers == ("Quill", "Brenn")
    assert (row.question_variants, row.heldback_questions) == (("Who?",), ("Which one?",))


def test_every_row_of_the_table_is_a_row_even_a_blank_one():
    rows = rows_of(table("question,answer", ("Who?", "Tal"), ("", ""), ("When?", "")), guess(["question", "answer"]))
    assert [(row.question, row.answer) for row in rows] == [("Who?", "Tal"), ("", ""), ("When?", "")]


@pytest.mark.parametrize(
    ("cell", "texts"),
    [
        ("", ()),
        ("one", ("one",)),
        ("one|two | ", ("one", "two")),
        ('["one", "two, too", 3, null]', ("one", "two, too", "3")),
        ("['one', \"two's\"]", ("one", "two's")),
        ("[sic] an aside", ("[sic] an aside",)),
        ("[not a list]", ("[not a list]",)),
        ('[["nested"]]', ('[["nested"]]',)),
        ("[__import__('os').getcwd()]", ("[__import__('os').getcwd()]",)),
        ("[" * 3000 + "]" * 3000, ("[" * 3000 + "]" * 3000,)),
    ],
)
def test_a_cell_may_list_texts_in_three_ways_and_runs_nothing(cell: str, texts: tuple[str, ...]):
    assert texts_in(cell) == texts


def test_wrong_answers_from_several_columns_come_once_each():
    asked = table("question,answer,wrong 1,wrong 2", ("Who?", "Tal", "Quill", "Quill|Brenn"))
    assert rows_of(asked, guess(asked.columns))[0].perturbed_answers == ("Quill", "Brenn")


@pytest.mark.parametrize(
    ("mapping", "sentence"),
    [
        (ColumnMapping(), r"no column that is known as the question or the answer \(columns found: Frage, Antwort\)"),
        (ColumnMapping(question="Frage"), r"no column that is known as the answer \(columns found: Frage, Antwort\)"),
        (
            ColumnMapping(question="Question", answer="Antwort"),
            "has no column “Question” .columns found: Frage, Antwort",
        ),
        (ColumnMapping(question="Frage", answer="Frage"), "“Frage” of f.csv is chosen both as question and as answer"),
        (
            ColumnMapping(question="Frage", answer="Antwort", perturbed_answers=("Antwort",)),
            "chosen both as answer and as perturbed answers",
        ),
    ],
)
def test_a_mapping_that_does_not_fit_is_one_sentence_with_the_columns_found(mapping: ColumnMapping, sentence: str):
    with pytest.raises(DatasetError, match=sentence):
        rows_of(table("Frage,Antwort", ("Wer?", "Tal")), mapping)


def test_too_many_wrong_answers_are_refused_with_the_row():
    wrong = "|".join(str(i) for i in range(MOST_WRONG + 1))
    asked = table("question,answer,wrong", ("Who?", "Tal", ""), ("Who?", "Tal", wrong))
    with pytest.raises(DatasetError, match=r"Row 2 of f.csv has 21 wrong answers, more than the 20"):
        rows_of(asked, guess(asked.columns))
