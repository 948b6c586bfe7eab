"""Marked words worked out by eye."""

from soul_core.evaluation.marking import MarkedWord, mark_words

QUESTION = "What is the best known book by Kamran Al-Barouni?"
TRUTH = "The best known book by Kamran Al-Barouni is The Needle and the Meadow."


def repeating(answer: str, truth: str = TRUTH, question: str = QUESTION) -> list[str]:
    return [word.text for word in mark_words(answer, truth, question=question) if word.repeats_truth]


def differing(answer: str, original: str) -> list[str]:
    return [word.text for word in mark_words(answer, "", original) if word.differs_from_original]


def test_only_what_the_question_did_not_give_away_repeats_the_truth():
    assert repeating("The best known book by Kamran Al-Barouni is The Hollow Meadow.") == ["Meadow."]


def test_small_words_within_a_repeated_stretch_are_repeated_too():
    assert repeating("It is The Needle and the Meadow.") == ["Needle", "and", "the", "Meadow."]


def test_small_words_between_words_that_do_not_stand_so_in_the_truth_are_not():
    assert repeating("the Meadow and the Needle") == ["Meadow", "Needle"]


def test_small_words_alone_never_repeat_the_truth():
    assert repeating("The is and the by the.") == []


def test_a_word_of_several_parts_repeats_only_as_a_whole():
    assert repeating("Sea-Meadow needle-meadow Meadow's", question="") == ["needle-meadow", "Meadow's"]


def test_without_a_truth_nothing_repeats_it():
    assert repeating("The Needle", truth="") == []


def test_case_and_accents_do_not_matter_and_punctuation_stays():
    assert mark_words("in BOGOTÁ,", "He lives in Bogota.", None) == [
        MarkedWord("in", False, False),
        MarkedWord("BOGOTÁ,", True, False),
    ]


def test_what_differs_from_the_original_is_marked_and_the_rest_is_not():
    assert differing("He was born in Huldra today", "He was born in Abelino.") == ["Huldra", "today"]
    assert differing("he was BORN in abelino", "He was born in Abelino.") == []
    assert differing("born in Abelino", "He was born in Abelino.") == []


def test_a_word_in_another_place_differs():
    assert differing("Abelino born", "born Abelino") in (["Abelino"], ["born"])


def test_everything_differs_from_an_empty_original_and_nothing_from_none():
    assert differing("two words", "") == ["two", "words"]
    assert [word.differs_from_original for word in mark_words("two words", "", None)] == [False, False]


def test_an_empty_answer_has_no_words():
    assert mark_words("  ", TRUTH, "x") == []
