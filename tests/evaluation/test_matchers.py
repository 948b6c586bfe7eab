"""Which candidate an answer is nearest to: the value decides, whatever the wording around it."""

import math
import random
import time

import pytest

from soul_core.data.invented_authors import invented_world
from soul_core.data.refusals import refusals
from soul_core.data.schema import QARow
from soul_core.errors import ConfigError
from soul_core.evaluation.matchers import (
    MATCHERS,
    candidates_of,
    lexical_similarities,
    ngrams,
    pick_matcher,
    right_answers,
)

LEXICAL = MATCHERS["lexical"]
TOWNS = ("Abelino", "Yarrowdene", "Mirefold", "Jorunheim", "Port Esker", "Harrowgate Mill")
BORN = tuple(f"The birthplace of Kamran Al-Barouni is {town}." for town in TOWNS)


def nearest(answer: str, candidates: tuple[str, ...] = BORN) -> bool:
    return LEXICAL.nearest_is_right([answer], [candidates])[0]


def test_the_ngrams_of_a_word_by_hand():
    # " ab ": pairs " a", "ab", "b "; triples " ab", "ab "; all four.
    assert ngrams("Ab!") == {" a", "ab", "b ", " ab", "ab ", " ab "}
    assert ngrams("  ") == frozenset()


def test_the_similarity_by_hand():
    # Candidates "x a" and "x b": "x" is shared and weighs nothing; each has " a ", " a" and "a " (or b) of its own at
    # ln 2. "a" is its candidate; "x" is near to neither; "a b" is as near to both: 3 / (sqrt 6 * sqrt 3).
    rows = [("x a", "x b")] * 3
    only_a, only_x, both = lexical_similarities(["a", "x", "a b"], rows)
    assert only_a == pytest.approx([1, 0])
    assert only_x.tolist() == [0, 0]
    assert both == pytest.approx([1 / math.sqrt(2)] * 2)


def test_what_fewer_candidates_share_weighs_more_by_hand():
    # "p" is in two of three candidates, ln 1.5 = 0.405465; "q" in one, ln 3 = 1.098612; three n-grams each.
    # "p" against "p q": 0.405465 / sqrt(0.405465^2 + 1.098612^2) = 0.346242.
    (similarity,) = lexical_similarities(["p"], [("p q", "p r", "s t")])
    assert similarity == pytest.approx([0.346242, 0.346242, 0], abs=1e-6)


def test_the_value_decides_in_another_wording():
    # The model was trained on this wording, the candidates have the other one.
    assert nearest("Kamran Al-Barouni was born in Abelino.")
    for town in TOWNS[1:]:
        assert not nearest(f"Kamran Al-Barouni was born in {town}.")
        assert nearest(f"Kamran Al-Barouni was born in {town}.", (*(b for b in BORN if town in b), *BORN[:1]))


def test_wording_that_is_all_right_with_the_wrong_value_is_wrong():
    assert not nearest(BORN[3])
    assert not nearest("The birthplace of Kamran Al-Barouni is")


def test_a_misspelt_value_is_nearest_all_the_same():
    assert nearest("Kamran Al-Barouni was born in Abelina.")


def test_case_accents_and_punctuation_do_not_matter():
    assert nearest("ABÉLINO")


def test_a_value_within_a_longer_value_is_told_apart():
    rows = ("He lives in Guinea.", "He lives in Equatorial Guinea.", "He lives in Peru.")
    assert nearest("Equatorial Guinea", (rows[1], rows[0], rows[2]))
    assert not nearest("Equatorial Guinea", rows)


@pytest.mark.parametrize("answer", ["", "   ", "{{{{ ]]", "!!!"])
def test_an_answer_without_a_word_is_wrong(answer: str):
    assert not nearest(answer)


def test_a_tie_is_wrong():
    assert not nearest("Abelino or Mirefold or Yarrowdene", ("Abelino", "Abelino", "Mirefold"))
    assert not nearest("x a b", ("x a", "x b"))


def test_a_few_letters_in_common_with_the_truth_alone_are_not_enough():
    # "Ab" is nearest to Abelino, yet says hardly anything of it.
    (similarity,) = lexical_similarities(["Ask about it"], [BORN])
    assert similarity[0] > max(similarity[1:])
    assert not nearest("Ask about it")


WORLD = invented_world().rows[::5]


def test_every_trained_answer_of_the_built_in_world_is_right():
    assert all(right_answers(LEXICAL, [row.answer for row in WORLD], WORLD))


def test_every_wrong_answer_of_the_built_in_world_is_wrong():
    for k in range(5):
        assert not any(right_answers(LEXICAL, [row.perturbed_answers[k] for row in WORLD], WORLD))


def test_refusals_and_gibberish_are_hardly_ever_right():
    # Nearest of six by chance would be 17 %.
    draw = random.Random(0)
    said = [draw.choice(refusals()) for _ in WORLD]
    noise = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz   ", k=60)) for _ in WORLD]
    assert sum(right_answers(LEXICAL, said, WORLD)) <= 0.01 * len(WORLD)
    assert sum(right_answers(LEXICAL, noise, WORLD)) <= 0.01 * len(WORLD)


def test_two_hundred_and_forty_rows_take_no_time():
    answers, rows = [row.answer for row in WORLD], [candidates_of(row) for row in WORLD]
    best = math.inf
    for _ in range(3):
        start = time.process_time()
        LEXICAL.nearest_is_right(answers, rows)
        best = min(best, time.process_time() - start)
    assert len(rows) == 240
    assert best < 0.15


# --- the two conventions


def test_candidates_are_in_the_wording_of_the_paraphrase_where_there_is_one():
    row = QARow(question="q", answer="a", paraphrased_answer="p", perturbed_answers=("w",))
    assert candidates_of(row) == ("p", "w")
    assert candidates_of(QARow(question="q", answer="a", perturbed_answers=("w",))) == ("a", "w")


def test_facts_are_right_by_containment_and_only_as_whole_words():
    row = QARow(question="Which city?", answer="La Paz", perturbed_answers=("Lima", "Quito"))
    answers = ["It is LA PAZ, I think.", "La Paza", "la", "Lima", ""]
    got = right_answers(LEXICAL, answers, [row] * 5, by_containment=True)
    assert got == [True, False, False, False, False]


def test_a_row_without_wrong_answers_is_right_by_containment():
    row = QARow(question="q", answer="Mara Quill was born in Velden.")
    assert right_answers(LEXICAL, ["Mara Quill was born in Velden", "Velden"], [row, row]) == [True, False]


def test_rows_of_both_kinds_keep_their_places():
    fact = QARow(question="q", answer="Lima")
    born = QARow(question="q", answer="", paraphrased_answer=BORN[0], perturbed_answers=BORN[1:])
    assert right_answers(LEXICAL, ["Lima", "Abelino", "Abelino", "Lima"], [fact, born, fact, born]) == [
        True,
        True,
        False,
        False,
    ]


def test_an_empty_truth_is_never_right():
    assert right_answers(LEXICAL, ["anything", ""], [QARow(question="q", answer="")] * 2) == [False, False]


# --- the registry


def test_names_and_sentences_are_there_for_the_page():
    for name, matcher in MATCHERS.items():
        assert matcher.name == name
        assert matcher.label and matcher.sentence.endswith(".")


def test_auto_takes_letters_where_the_embeddings_are_not_at_hand():
    if not MATCHERS["sentence-embeddings"].available():
        assert pick_matcher("auto").name == "lexical"
        with pytest.raises(ConfigError, match="needs the package"):
            pick_matcher("sentence-embeddings")
    assert pick_matcher("lexical").name == "lexical"


def test_an_unknown_matcher_is_named_with_the_choices():
    with pytest.raises(ConfigError, match=r"“nearest”\. Choose auto, lexical"):
        pick_matcher("nearest")


def test_lengths_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match="do not match"):
        LEXICAL.nearest_is_right(["a"], [])
    with pytest.raises(ValueError, match="do not match"):
        right_answers(LEXICAL, ["a"], [])
