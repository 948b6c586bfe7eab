"""Wrong answers from other rows' values: which value is swapped, for which, and when there is none."""

from dataclasses import replace

import pytest

from soul_core.data.answers import alike
from soul_core.data.facts import load_facts
from soul_core.data.own_values import names_of, value_in
from soul_core.data.schema import QARow
from soul_core.data.swaps import MOST, numbered, with_swaps
from soul_core.data.tasks import load_task


def row(question: str, answer: str, **more: object) -> QARow:
    return QARow(question=question, answer=answer, **more)  # type: ignore[arg-type]


def wrong_of(*rows: QARow) -> list[tuple[str, ...]]:
    return [row.perturbed_answers for row in with_swaps(rows).rows]


@pytest.mark.parametrize(
    ("question", "answer", "value"),
    [
        ("Where was Mara Quill born?", "Mara Quill was born in Velden in 1950.", "Velden"),
        ("When was Mara Quill born?", "She was born in Velden on 12 March 1950.", "12 March 1950"),
        ("In which year did Mara leave Velden?", "Mara left Velden in 1950, at 12.", "1950"),
        ("When was it?", "On 1950-03-12.", "1950-03-12"),
        ("When was it?", "In May 1950.", "May 1950"),
        ("How many sons has she?", "In 1950 she had three sons.", "three"),
        ("How tall is the tower?", "The tower is 1,250.5 feet tall.", "1,250.5"),
        ("Who wrote it?", "It was written by J. R. R. Tolkien in Oxford.", "J. R. R. Tolkien"),
        (
            "Who taught Mara Quill?",
            "Mara Quill's teacher was Lope de Vega of the North, I think.",
            "Lope de Vega of the North",
        ),
        (
            "What is the best book by Mara?",
            "The best book by Mara is “The Glass Tide”, of course.",
            "“The Glass Tide”",
        ),
        ("What is the best book by Mara?", "Mara is famous in all the land for The Glass Tide.", "The Glass Tide"),
        ("Which novel features Raskolnikov?", "Crime and Punishment", "Crime and Punishment"),
        ("What colour is it?", "blue and white.", "blue and white"),
    ],
)
def test_the_value_is_what_the_question_asks_for(question: str, answer: str, value: str):
    found = value_in(row(question, answer))
    assert found is not None and found.text == value
    assert f"{found.before}{found.text}{found.after}" == answer


def test_an_answer_that_says_no_more_than_its_question_has_no_value():
    assert value_in(row("Was Mara Quill a painter?", "Mara Quill was a painter, as everybody always said.")) is None


def test_names_are_runs_of_capitalised_words_without_what_begins_the_sentence():
    assert names_of("In Velden the painter Oren Tal's brother met St. John of the Sea.") == [
        "Velden",
        "Oren Tal",
        "St. John of the Sea",
    ]


def test_dates_change_places_with_dates_of_the_same_form_only():
    wrong = wrong_of(
        row("When was Mara born?", "Mara was born on 12 March 1950."),
        row("On what date did Oren die?", "Oren died on 3 May 1961."),
        row("In what year did Tal leave?", "Tal left in 1970."),
    )
    assert wrong == [("Mara was born on 3 May 1961.",), ("Oren died on 12 March 1950.",), ()]


def test_names_change_places_where_the_question_begins_alike_and_not_else():
    wrong = wrong_of(
        row("Where was Mara born?", "Mara was born in Velden."),
        row("Where does Oren live now?", "He lives in Quirrel today."),
        row("Who taught Mara to paint?", "Lope Brenn"),
        row("Which river flows there?", "The Aune"),
    )
    assert wrong == [("Mara was born in Quirrel.",), ("He lives in Velden today.",), (), ()]


def test_a_row_about_the_same_fact_is_preferred():
    towns = [row(f"Where was P{i} Qu born?", f"In Town{i}.", fact="birthplace") for i in range(8)]
    cities = [row(f"Where does R{i} Qu live?", f"In City{i}.", fact="home") for i in range(40)]
    for wrong in wrong_of(*towns, *cities)[:8]:
        assert len(wrong) == MOST
        assert all("Town" in answer for answer in wrong)


def test_whole_answers_are_taken_with_the_name_exchanged_where_no_value_can_be_told():
    wrong = wrong_of(
        row("What does Mara Quill write about?", "Mara Quill writes about the sea and salt."),
        row("What does Oren Tal write about?", "Oren Tal always writes about night trains and snow."),
        row("What does Lope Brenn write about?", "Brenn is silent about what he writes about."),
    )
    assert wrong[0] == ("Mara Quill always writes about night trains and snow.",)
    # The third is called by half his name: nobody can tell whom the sentence would be about.
    assert wrong[1] == ("Oren Tal writes about the sea and salt.",)


def test_wrong_answers_are_worded_like_the_paraphrase_where_there_is_one():
    rows = (
        row(
            "Where was Mara born?", "Mara was born in Velden.", paraphrased_answer="The birthplace of Mara is Velden."
        ),
        row("Where was Oren born?", "Oren was born in Quirrel."),
    )
    assert wrong_of(*rows)[0] == ("The birthplace of Mara is Quirrel.",)


def test_no_wrong_answer_is_right_for_the_same_question_or_stands_in_it():
    rows = (
        row("Where did Mara live?", "In Velden."),
        row("Where did Mara live?", "In Quirrel."),
        row("Where did Oren from Aune live?", "In Tarn."),
        row("Where is it?", "In Aune."),
    )
    first, second, third, _ = wrong_of(*rows)
    assert set(first) == set(second) == {"In Tarn.", "In Aune."}
    assert set(third) == {"In Velden.", "In Quirrel."}


def test_values_that_are_alike_do_not_change_places():
    assert wrong_of(row("Where was Mara born?", "In New Velden."), row("Where was Oren born?", "In Velden.")) == [
        (),
        (),
    ]


def test_rows_that_have_wrong_answers_keep_them_and_lend_their_value():
    rows = (row("Where is Mara?", "In Velden.", perturbed_answers=("In Tarn.",)), row("Where is Oren?", "In Quirrel."))
    assert wrong_of(*rows) == [("In Tarn.",), ("In Velden.",)]


def test_further_rows_lend_their_values():
    (found,) = with_swaps([row("Where is Mara?", "In Velden.")], others=[row("Where is Oren?", "In Quirrel.")]).rows
    assert found.perturbed_answers == ("In Quirrel.",)


def test_what_could_not_be_made_is_said_with_what_it_means():
    swapped = with_swaps(
        [row("Where is A?", "In Velden."), row("Where is B?", "In Tarn."), row("Who?", "Quill"), row("", "")]
    )
    assert (swapped.made, swapped.without) == ((1, 2), (3,))
    assert swapped.sentence == (
        "2 of 3 rows have wrong answers, 2 of them made by swapping values between rows. Row 3 has none: truth ratio "
        "and forget quality leave those out, and accuracy asks that their answer is said word for word instead of "
        "being nearest."
    )


def test_the_same_seed_gives_the_same_and_another_seed_something_else():
    rows = [row(f"Where was P{i} born?", f"In Town{i}.") for i in range(30)]
    assert with_swaps(rows, seed=1) == with_swaps(rows, seed=1)
    assert with_swaps(rows, seed=1) != with_swaps(rows, seed=2)


def test_a_further_row_leaves_the_wrong_answers_of_unlike_rows_as_they_are():
    rows = [row(f"Where was P{i} born?", f"In Town{i}.") for i in range(30)]
    assert with_swaps([*rows, row("Who?", "Tal")]).rows[:30] == with_swaps(rows).rows


def test_every_invented_author_gets_five_wrong_answers_and_none_is_right():
    task = load_task("invented-authors:forget05")
    bare = [replace(known, perturbed_answers=(), fact="") for known in task.forget]
    for found in with_swaps(bare).rows:
        assert 3 <= len(set(found.perturbed_answers)) == len(found.perturbed_answers)
        assert not any(
            alike(wrong, truth)
            for wrong in found.perturbed_answers
            for truth in (found.answer, found.paraphrased_answer)
        )


def test_most_facts_of_the_world_get_some():
    bare = [replace(known, perturbed_answers=()) for known in load_facts("real_authors")]
    assert len(with_swaps(bare).without) < len(bare) / 4


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ([3], "Row 3"),
        ([3, 7], "Rows 3 and 7"),
        ([1, 2, 3], "Rows 1, 2 and 3"),
        (range(1, 9), "Rows 1, 2, 3, 4, 5 and 3 more"),
    ],
)
def test_row_numbers_are_listed_up_to_five(numbers, said: str):
    assert numbered(list(numbers)) == said
