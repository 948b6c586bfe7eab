"""BLEU, ROUGE-L in its three conventions and perplexity by hand and at their limits."""

import math

import numpy as np
import pytest

from soul_core.evaluation import overlap
from soul_core.evaluation.evidence import Continued
from soul_core.evaluation.metrics import rouge_l_recall
from soul_core.evaluation.overlap import bleu, measured_perplexity, perplexity, rouge_l_f1, rouge_l_unique_words
from tests.evaluation.evidence_of import asked, by_name, evidence_of, scores_of, texts_of

METRICS = by_name(overlap.METRICS)
SCORES = (bleu, rouge_l_f1, rouge_l_unique_words)


# --- BLEU


def test_bleu_by_hand():
    # the cat sat on the mat / the cat sat on a mat: 5 of 6 words, 3 of 5 pairs, 2 of 4 triples, 1 of 3 fours; equal
    # length: 100 * (5/6 * 3/5 * 2/4 * 1/3)^(1/4) = 100 * (1/12)^(1/4).
    assert bleu(["the cat sat on the mat"], ["the cat sat on a mat"]) == pytest.approx([100 * (1 / 12) ** 0.25])


def test_a_short_text_pays_for_its_brevity():
    # a b c d / a b c d e f g h: all precisions 1, brevity exp(1 - 8/4).
    assert bleu(["a b c d"], ["a b c d e f g h"]) == pytest.approx([100 * math.exp(-1)])
    assert bleu(["a b c d e f g h"], ["a b c d"]) < 100


def test_bleu_is_each_texts_own_and_not_the_corpus():
    pairs = [("a b c d e", "a b c d e"), ("x y z w v", "q r s t u")]
    together = bleu(*zip(*pairs, strict=True))
    assert together.tolist() == [100, 0]
    assert bleu(["x y z w v", "a b c d e"], ["q r s t u", "a b c d e"]).tolist() == [0, 100]


def test_bleu_of_fewer_than_four_words_is_zero_as_in_souls_code():
    # sacreBLEU's sentence score would take an effective order and give 100.
    assert bleu(["a b c"], ["a b c"]).tolist() == [0]


# --- ROUGE-L


def test_rouge_l_f1_by_hand():
    # mara was born near velden / mara quill was born in velden: LCS 4, P 4/5, R 4/6: F1 8/11.
    written, truth = ["Mara was born near Velden"], ["Mara Quill was born in Velden."]
    assert rouge_l_f1(written, truth) == pytest.approx([8 / 11])
    assert rouge_l_f1(truth, written) == pytest.approx([8 / 11])


def test_rouge_l_f1_punishes_length_and_does_not_stem():
    truth = ["Velden"]
    long = ["Velden or somewhere else entirely"]
    assert rouge_l_f1(long, truth) == pytest.approx([2 / 6])
    assert rouge_l_recall(long, truth) == rouge_l_f1(truth, truth) == [1]
    assert rouge_l_f1(["writing novel"], ["writes novels"]).tolist() == [0]
    assert rouge_l_recall(["writing novel"], ["writes novels"]).tolist() == [1]


def test_rouge_l_over_unique_words_by_hand():
    # The truth has four different words. A longest common subsequence with “the night the sea” is “the … the night” or
    # “the … the” …: from the end, “sea” is matched last, and before it “the”: {the, sea}, 2/4. With “the night” as a
    # sentence of its own {the, sea} and {the, night} are joined: 3/4.
    truth = ["the sea and the night"]
    assert rouge_l_unique_words(["the night the sea"], truth) == pytest.approx([2 / 4])
    assert rouge_l_unique_words(["the sea. the night"], truth) == pytest.approx([3 / 4])
    assert rouge_l_unique_words(["the the the the"], truth) == pytest.approx([1 / 4])
    assert rouge_l_unique_words(truth, truth).tolist() == [1]


def test_rouge_l_over_unique_words_keeps_case_and_punctuation():
    assert rouge_l_unique_words(["velden"], ["Velden"]).tolist() == [0]
    assert rouge_l_unique_words(["Velden,"], ["Velden"]).tolist() == [0]
    assert rouge_l_unique_words(["Velden."], ["Velden"]).tolist() == [1]  # a full stop ends a sentence


@pytest.mark.parametrize(
    ("text", "truth", "expected"),
    [
        # Values of the package “rouge” 1.0.1, recall of rouge-l.
        ("She wrote novels. She lived in Velden by the sea", "She lived in Velden. The sea was her subject", 5 / 9),
        ("the cat sat on the mat", "the mat sat on the cat", 3 / 5),
        ("a b c d", "d c b a", 1 / 4),
        ("one two. three four. one", "four three two one. one", 2 / 4),
    ],
)
def test_rouge_l_over_unique_words_is_the_packages_own(text: str, truth: str, expected: float):
    assert rouge_l_unique_words([text], [truth]) == pytest.approx([expected])


@pytest.mark.parametrize("score", SCORES)
def test_empty_texts_score_zero_and_no_rows_are_refused(score):
    assert score(["", "a b c d", "", "...", "{{{{"], ["a b c d", "", "", "a b c d", "a b c d"]).tolist() == [0] * 5
    for written, truths in (([], []), (["a"], [])):
        with pytest.raises(ValueError, match="do not match"):
            score(written, truths)


# --- perplexity


def test_perplexity_by_hand_weighs_texts_by_their_tokens():
    # 1 token at ln 2, 3 tokens at ln 16 together: exp(5 ln 2 / 4) = 2^1.25; not the mean of 2 and 16^(1/3).
    assert perplexity([math.log(2), math.log(16)], [1, 3]) == pytest.approx(2**1.25)
    assert perplexity([math.log(16), math.log(2)], [3, 1]) == pytest.approx(2**1.25)


def test_perplexity_of_equal_chances_is_the_vocabulary_and_of_certainty_one():
    assert perplexity([5 * math.log(300), 9 * math.log(300)], [5, 9]) == pytest.approx(300)
    assert perplexity([0.0, 0.0], [4, 5]) == 1
    assert perplexity([1e6], [1]) == math.inf


@pytest.mark.parametrize(("nll", "tokens"), [([], []), ([1.0], [0]), ([math.nan], [1]), ([1.0], [1, 2])])
def test_perplexity_of_something_else_is_refused(nll: list[float], tokens: list[int]):
    with pytest.raises(ValueError, match="expected two"):
        perplexity(nll, tokens)


def test_the_interval_of_a_perplexity_holds_it_and_shrinks_with_texts():
    draw = np.random.default_rng(0)
    nll, tokens = draw.uniform(50, 150, 40), np.full(40, 50)
    all_of_them, few = measured_perplexity(nll, tokens).measured, measured_perplexity(nll[:5], tokens[:5]).measured
    for found in (all_of_them, few):
        assert 1 < found.low < found.value < found.high
    assert all_of_them.high - all_of_them.low < few.high - few.low
    assert measured_perplexity([3.0, 3.0], [1, 1]).measured.high == pytest.approx(math.exp(3))


def test_a_perplexity_that_is_no_number_has_no_value_and_says_so():
    for nll, tokens in (([math.nan, 1.0], [1, 1]), ([math.inf], [1]), ([1e6, 1e6], [1, 1])):
        found = measured_perplexity(nll, tokens).measured
        assert found.value is None and "not finite" in found.note and found.rows == len(nll)
    assert measured_perplexity([], []).measured.note == "There are no tokens."
    alone = measured_perplexity([math.log(4)], [2]).measured
    assert (alone.value, alone.low) == (pytest.approx(2), None)


# --- metrics


@pytest.mark.parametrize("tokens", [100, 300])
def test_continuations_are_scored_at_their_own_prompt_length(tokens: int):
    right, wrong = "the sea was grey that night", "nothing of the kind"
    texts = (Continued(written=right, truth=right), Continued(written=wrong, truth="a b c d e"))
    evidence = evidence_of(continued={tokens: texts})
    found = METRICS[f"bleu_{tokens}"].of(evidence)
    assert found.per_row == (100, 0) and found.measured.value == 50
    assert METRICS[f"rouge_l_{tokens}"].of(evidence).per_row == (1, 0)
    other = 400 - tokens
    assert METRICS[f"bleu_{other}"].of(evidence) is None and METRICS[f"rouge_l_{other}"].of(evidence) is None
    assert METRICS[f"bleu_{tokens}"].of(evidence_of(continued={tokens: ()})) is None


def test_rouge_at_a_prompt_is_souls_recall_with_a_stemmer():
    texts = (Continued(written="writing novel and much more", truth="writes novels"),)
    assert METRICS["rouge_l_100"].of(evidence_of(continued={100: texts})).measured.value == 1


def test_answers_are_compared_with_their_own_rows():
    # Every row's answer is “the truth”.
    evidence = asked("forget", answers=["the truth", "truth", ""])
    assert METRICS["rouge_l_f1"].of(evidence).per_row == pytest.approx((1, 2 / 3, 0))
    assert METRICS["rouge_l_unique_words"].of(evidence).per_row == pytest.approx((1, 1 / 2, 0))
    for name in ("rouge_l_f1", "rouge_l_unique_words"):
        assert METRICS[name].of(asked("forget")) is None
        assert METRICS[name].better == {"forget": "lower", "retain": "higher", "facts": "higher"}


def test_perplexity_of_texts_is_over_all_tokens_and_of_answers_over_the_answers():
    texts = texts_of(scores_of([1.0, 3.0], answer_from=1), scores_of([2.0, 9.0], ends=True))
    assert METRICS["perplexity"].of(evidence_of(perplexity_texts=texts)).measured.value == pytest.approx(math.exp(2))
    retain = asked("retain", [scores_of([9.0, 1.0, 2.0], answer_from=1, ends=True)])
    found = METRICS["perplexity_retain_answers"].of(evidence_of(retain)).measured
    assert found.value == pytest.approx(math.exp(1.5))
    for name in ("perplexity", "perplexity_retain_answers"):
        assert METRICS[name].of(evidence_of(asked("forget", [scores_of([1.0])]))) is None
