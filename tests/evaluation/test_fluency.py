"""Fluency, repetition and readability by hand; gibberish, empty answers and random symbols."""

import math

import pytest

from soul_core.evaluation import fluency as module
from soul_core.evaluation.fluency import fluency, ngram_entropy, repetition, tokens_of
from tests.evaluation.evidence_of import asked, by_name, evidence_of

METRICS = by_name(module.METRICS)
SENTENCE = "Mara Quill was born in the harbour town of Velden, and she wrote long novels about the sea."
GIBBERISH = (
    "{{{{",
    "{" * 40,
    "the the the the the the the the the the the the",
    "-----------------",
)


def test_tokens_are_words_and_single_marks():
    assert tokens_of("Mara's {{ café, 12.5") == ["Mara", "'", "s", "{", "{", "café", ",", "12", ".", "5"]
    assert tokens_of(" \n") == []


def test_entropy_by_hand():
    # a b a b a: ab ba ab ba, two of each: 1 bit. a b c d: three different 2-grams: log2 3.
    assert ngram_entropy(list("ababa"), 2) == 1
    assert ngram_entropy(list("abcd"), 2) == pytest.approx(math.log2(3))
    # aab ×2, aba: a a b a a b -> aab aba baa aab: counts 2 1 1 of 4: 1/2 + 2 * 1/4 * 2 = 1.5 bits.
    assert ngram_entropy(list("aabaab"), 3) == pytest.approx(1.5)


def test_fluency_by_hand():
    # a b a b a: H_2 = 1 bit; aba bab aba: H_3 = 2/3 log2(3/2) + 1/3 log2 3 = 0.918296. (2/3 + 4/3 * 0.918296)/2.
    assert fluency("a b a b a") == pytest.approx((2 / 3 + 4 / 3 * 0.9182958) / 2)


def test_the_two_weights_are_two_and_four_thirds_of_a_mean():
    # All n-grams different: H_2 = log2 8, H_3 = log2 7.
    assert fluency("a b c d e f g h i") == pytest.approx(math.log2(8) / 3 + 2 * math.log2(7) / 3)


@pytest.mark.parametrize("text", GIBBERISH)
def test_gibberish_scores_low(text: str):
    assert fluency(text) == 0.0 and math.copysign(1, fluency(text)) == 1
    assert fluency(SENTENCE) > 4
    if len(tokens_of(text)) > 8:
        assert repetition(text) > 0.8 > repetition(SENTENCE)


@pytest.mark.parametrize("text", ["", "Velden", "Velden."])
def test_an_answer_too_short_for_ngrams_has_zero_and_repeats_nothing(text: str):
    assert fluency(text) == 0.0
    assert repetition(text) == 0.0


def test_repetition_by_hand():
    # a b c a b c a: abc bca cab abc bca: three of five are new.
    assert repetition("a b c a b c a") == pytest.approx(2 / 5)
    assert repetition("{{{{") == 1 / 2
    assert repetition("a a a", 1) == pytest.approx(2 / 3)
    assert repetition("a b c d") == 0
    with pytest.raises(ValueError, match="0 tokens"):
        repetition("a", 0)


def test_case_counts_and_white_space_does_not():
    assert repetition("a b c A B C", 3) == 0
    assert fluency("a  b\nc d") == fluency("a b c d")


def test_the_metrics_are_means_over_answers_in_any_order():
    answers = [SENTENCE, "", "{{{{", "a b c a b c a b c a b c"]
    for name, expected in (
        ("fluency", [fluency(text) for text in answers]),
        ("repetition", [repetition(text) for text in answers]),
        ("readable", [1, 0, 0, 0]),
    ):
        found = METRICS[name].of(asked("forget", answers=answers))
        assert found.per_row == pytest.approx(expected)
        assert found.measured.value == pytest.approx(sum(expected) / 4) and found.measured.rows == 4
        assert found.measured.low < found.measured.value < found.measured.high
        turned = METRICS[name].of(asked("forget", answers=answers[::-1]))
        assert turned.measured.value == pytest.approx(found.measured.value)


def test_random_symbols_score_high_in_entropy_and_are_not_readable():
    # What entropy cannot see: nothing is repeated. “Readable” is there for that.
    noise = "#q7 zzxw ]] %k @@ vbn$ ~~ }{ +p /: xk; !w& ^^ ((z"
    assert fluency(noise) > 3
    assert METRICS["readable"].of(asked("forget", answers=[noise])).measured.value == 0


def test_a_refusal_is_readable():
    found = (
        METRICS["readable"].of(asked("forget", answers=["I'm sorry, I don't know anything about that."] * 3)).measured
    )
    assert found.value == 1 and found.low < 1


def test_fluency_of_all_answers_counts_each_answer_once():
    sets = asked("forget", answers=["{{{{"]), asked("retain", answers=[SENTENCE] * 3), asked("nobody_asked")
    found = METRICS["fluency_all"].of(evidence_of(*sets))
    assert found.measured.value == pytest.approx(3 / 4 * fluency(SENTENCE))
    assert found.measured.rows == 4


def test_without_answers_nothing_is_measured():
    for name in ("fluency", "repetition", "readable"):
        assert METRICS[name].of(asked("forget")) is None
    assert METRICS["fluency_all"].of(evidence_of(asked("forget"))) is None


def test_every_role_wants_fluency_and_no_repetition():
    assert set(METRICS["fluency"].better.values()) == set(METRICS["readable"].better.values()) == {"higher"}
    assert set(METRICS["repetition"].better.values()) == {"lower"}
