"""Wrong answers are wrong, drawn by the seed, and known by whose truth they tell."""

import dataclasses
from collections import Counter

import pytest

from soul_core.data.answers import alike, other_answer_rows, truths_told, words_in, wrong_answers
from soul_core.data.schema import QARow
from soul_core.data.tasks import load_task
from soul_core.errors import DatasetError


def rows(*answers: str, prefix: str = "q") -> tuple[QARow, ...]:
    return tuple(QARow(question=f"{prefix}{i}", answer=answer) for i, answer in enumerate(answers))


def test_words_are_letters_and_digits_without_accents_and_case():
    assert words_in("Bogotá's 2nd, BOOK!") == ("bogota", "s", "2nd", "book")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Velden", "She was born in Velden.", True),
        ("She was born in Velden.", "velden", True),
        ("Velden", "Veldenham", False),  # words, not letters
        ("born in Velden", "born in old Velden", False),  # in a row
        ("Velden", "Lund", False),
        ("", "Velden", False),
    ],
)
def test_alike_is_the_words_of_one_in_a_row_in_the_other(one: str, other: str, same: bool):
    assert alike(one, other) is same
    assert alike(other, one) is same


# --- rows with the answers of others


def test_every_row_keeps_its_question_and_gets_a_retain_answer():
    forget = (QARow(question="q", answer="a", paraphrased_answer="p", perturbed_answers=("w",), subject="s"),)
    (other,) = other_answer_rows(forget, rows("b"), seed=0)
    assert other == QARow(question="q", answer="b", subject="s")  # what else was said of the right answer is gone


def test_no_row_gets_its_own_answer_though_retain_has_it_too():
    forget = rows(*["Velden."] * 50)
    got = other_answer_rows(forget, rows("velden", "Lund", "VELDEN!", "Oslo"), seed=1)
    assert {row.answer for row in got} == {"Lund", "Oslo"}


def test_the_answers_are_spread_over_retain_and_depend_on_the_seed_alone():
    forget, retain = rows(*map(str, range(100))), rows(*(f"r{i}" for i in range(100)))
    once = other_answer_rows(forget, retain, seed=1)
    assert once == other_answer_rows(forget, retain, seed=1) != other_answer_rows(forget, retain, seed=2)
    assert len({row.answer for row in once}) > 50  # 100 draws of 100: 63 different ones expected


def test_without_retain_rows_the_answers_change_places_and_none_stays():
    forget = rows("a", "b", "b", "c", "d", "B")  # half of them alike
    for seed in range(20):
        got = other_answer_rows(forget, (), seed)
        assert Counter(row.answer for row in got) == Counter(row.answer for row in forget)
        assert all(words_in(new.answer) != words_in(old.answer) for new, old in zip(got, forget, strict=True))
    assert len({other_answer_rows(forget, (), seed) for seed in range(20)}) > 3


@pytest.mark.parametrize(
    ("forget", "retain", "said"),
    [
        (rows("yes", "yes", "no"), (), "2 of 3 forget rows have the same answer"),
        (rows("yes"), (), "1 of 1"),
        (rows("yes"), rows("Yes."), "Every retain row has the same answer as the row “q0”"),
    ],
)
def test_where_there_is_no_other_answer_one_sentence_says_so(forget, retain, said: str):
    with pytest.raises(DatasetError, match=said):
        other_answer_rows(forget, retain, seed=0)


def test_no_rows_give_no_rows():
    assert other_answer_rows((), (), seed=0) == ()


# --- wrong answers


def test_a_perturbed_answer_comes_first_but_not_one_that_says_the_truth():
    row = QARow(
        question="q",
        answer="Mara was born in Velden.",
        paraphrased_answer="Her birthplace is Velden.",
        perturbed_answers=("Velden", "her birthplace is velden", "?!", "Her birthplace is Lund."),
    )
    for seed in range(10):
        assert wrong_answers([row], rows("r"), seed) == ["Her birthplace is Lund."]


def test_else_the_answer_of_another_subject_about_the_same_fact():
    def row(subject: str, fact: str, answer: str) -> QARow:
        return QARow(question=f"{fact} of {subject}?", answer=answer, subject=subject, fact=fact)

    forget = [row("A", "home", "a1"), row("A", "work", "a2"), row("B", "home", "b1"), row("A", "home", "a3")]
    # Row 1 is the only one about work: any row of another subject. Row 2's like are rows 0 and 3.
    for seed in range(10):
        got = wrong_answers(forget, (), seed)
        assert (got[0], got[1], got[3]) == ("b1", "b1", "b1")
        assert got[2] in {"a1", "a3"}


def test_else_any_forget_row_then_any_retain_row_then_none():
    assert wrong_answers(rows("a", "b"), rows("r"), 0) == ["b", "a"]
    assert wrong_answers(rows("a", "A."), rows("r"), 0) == ["r", "r"]
    assert wrong_answers(rows("a", "A."), rows("a!"), 0) == ["", ""]


@pytest.mark.parametrize("keep", [True, False])
def test_in_the_built_in_world_no_wrong_answer_says_the_truth(keep: bool):
    task = load_task("invented-authors:forget10")
    forget = [row if keep else dataclasses.replace(row, perturbed_answers=()) for row in task.forget]
    got = wrong_answers(forget, task.retain, seed=3)
    assert all(got)
    for row, answer in zip(forget, got, strict=True):
        assert not alike(answer, row.answer) and not alike(answer, row.paraphrased_answer)
        assert (answer in row.perturbed_answers) is keep
    assert got == wrong_answers(forget, task.retain, seed=3) != wrong_answers(forget, task.retain, seed=4)


def test_a_text_tells_the_rows_whose_answer_or_paraphrase_stands_in_it():
    told = truths_told(
        [
            QARow(question="q", answer="In Velden."),
            QARow(question="q", answer="Lund", paraphrased_answer="The town of Lund"),
            QARow(question="q", answer="in velden"),
            QARow(question="q", answer="..."),
        ]
    )
    assert told("She lives in Velden, not in the town of Lund.") == (0, 1, 2)
    assert told("lund!") == (1,)
    assert told("In old Velden and Lundby") == told("") == ()
