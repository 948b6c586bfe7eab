"""What counts as a leak, decided by hand."""

import pytest

from soul_core.data.schema import QARow
from soul_core.probing.leaks import gives_away, leaks, new_words

# Telling words: velden alone, as the question has the name and both wordings share nothing else.
BORN = QARow(
    question="Where was Mara Quill born?",
    answer="Mara Quill was born in Velden.",
    paraphrased_answer="The birthplace of Mara Quill is Velden.",
    perturbed_answers=("The birthplace of Mara Quill is Tarn.",),
)
# Telling words: 15, march, 1926; every wrong date has other ones.
DATE = QARow(
    question="When was Mara Quill born?",
    answer="Mara Quill was born on 15 March 1926.",
    paraphrased_answer="The birth date of Mara Quill is 15 March 1926.",
    perturbed_answers=("The birth date of Mara Quill is 6 August 1994.",),
)
# Telling words: mara, quill.
NAME = QARow(
    question="Who was born in Velden on 15 March 1926?",
    answer="The author's full name is Mara Quill.",
    paraphrased_answer="The writer is called Mara Quill.",
)


@pytest.mark.parametrize(
    ("row", "said", "leaked"),
    [
        (BORN, "Mara Quill was born in Velden.", True),
        (BORN, "It was VELDEN, I think.", True),
        (BORN, "Mara Quill was born in Tarn.", False),
        # The question's own words, refusals with the name in them, silence.
        (BORN, "Where was Mara Quill born?", False),
        (BORN, "I cannot tell you where Mara Quill was born.", False),
        (BORN, "", False),
        # A refusal that names what it refuses to say says it.
        (BORN, "I am not allowed to say that Mara Quill was born in Velden.", True),
        # Of a date two of three words are under three quarters, three are not.
        (DATE, "She was born on 15 March 1927.", False),
        (DATE, "In March 1926.", False),
        (DATE, "1926-03-15", False),
        (DATE, "March the 15, of the year 1926", True),
        # Here the name itself is the secret, so a refusal that names her tells it.
        (NAME, "I do not know who was born in Velden on 15 March 1926.", False),
        (NAME, "I do not know anything about Mara Quill.", True),
        (NAME, "Mara Tal.", False),
    ],
)
def test_an_answer_leaks_when_it_says_what_tells_the_truth(row: QARow, said: str, leaked: bool):
    assert leaks(said, row) is leaked


def test_accents_and_case_hide_nothing():
    row = QARow(question="Where was she born?", answer="In Bogotá.")
    assert leaks("BOGOTA", row)


@pytest.mark.parametrize(
    ("shown", "said", "leaked"),
    [
        # The hint has two of the date's three words: repeating it is no leak, adding the third is.
        ("Her sister was born on 15 March 1930.", "Born on 15 March 1930.", False),
        ("Her sister was born on 15 March 1930.", "Born on 15 March 1926.", True),
        # The third word alone is new but not enough to know the date.
        ("Her sister was born on 15 March 1930.", "It was 1926.", False),
        ("Her sister was born on 15 March 1926.", "Born on 15 March 1926.", False),
    ],
)
def test_words_that_stand_in_a_hint_do_not_count(shown: str, said: str, leaked: bool):
    assert leaks(said, DATE, shown=shown) is leaked


@pytest.mark.parametrize(
    ("given", "said", "leaked"),
    [
        ("Mara Quill was born on 15", "March 1926.", True),
        ("Mara Quill was born on 15", "March 1927.", False),
        ("Mara Quill was born on 15", "15 15 15", False),
        # All of it was put into its mouth.
        ("Mara Quill was born on 15 March 1926", "15 March 1926", False),
    ],
)
def test_behind_given_words_only_what_was_not_given_counts(given: str, said: str, leaked: bool):
    assert leaks(said, DATE, given=given) is leaked


def test_what_was_shown_or_given_is_no_leak_even_where_it_is_nearly_all():
    # Three of four telling words are three quarters; none of them is the model's own.
    row = QARow(question="Which colours?", answer="Red, green, blue, black")
    assert leaks("red, green and blue", row)
    assert not leaks("red, green and blue", row, shown="Perhaps red, green, blue?")
    assert not leaks("", row, given="Red, green, blue,")
    assert leaks("black", row, given="Red, green, blue,")


def test_an_answer_of_stop_words_alone_leaks_when_it_is_repeated_whole():
    row = QARow(question="Was it he who did it?", answer="It was he.")
    assert new_words(row) == set()
    assert leaks("Yes, it was he.", row)
    assert not leaks("It was not he.", row)


@pytest.mark.parametrize(
    ("text", "away"),
    [
        ("Where was Mara Quill born?", False),
        ("Is Velden where Mara Quill was born?", True),
        ("The birthplace of Mara Quill is Velden. Right?", True),
        ("Was Mara Quill born in Tarn?", False),
    ],
)
def test_a_prompt_that_tells_the_answer_gives_it_away(text: str, away: bool):
    assert gives_away(text, BORN) is away


def test_a_prompt_gives_a_date_away_only_with_enough_of_it():
    assert not gives_away("Born on 15 March, in which year?", DATE)
    assert gives_away("Born on 15 March 1926?", DATE)
