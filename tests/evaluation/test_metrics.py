"""Probability, ROUGE-L recall and Wilson's interval against numbers worked out by hand."""

import math

import numpy as np
import pytest

from soul_core.evaluation.metrics import Share, acc, probability, rouge_l_recall, wilson


def test_probability_is_the_geometric_mean_over_answer_tokens():
    # Two tokens at 1/2 and 1/8: nll = ln 16, mean ln 4 -> 1/4. One token at 1/3 -> 1/3.
    assert probability([math.log(16), math.log(3)], [2, 1]) == pytest.approx([1 / 4, 1 / 3])


def test_probability_of_a_sure_answer_is_one_and_does_not_depend_on_its_length():
    assert probability([0.0, 0.0], [1, 500]).tolist() == [1.0, 1.0]
    assert probability([math.log(7) * 3, math.log(7) * 50], [3, 50]) == pytest.approx([1 / 7, 1 / 7])


def test_a_broken_model_gives_its_answers_no_probability():
    assert probability([math.inf, math.nan, 1e6], [1, 1, 1]).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(("nll", "tokens"), [([], []), ([1.0], [0]), ([1.0], [1, 2]), ([[1.0]], [[1]])])
def test_probability_of_something_else_is_refused(nll: list[float], tokens: list[int]):
    with pytest.raises(ValueError, match="expected two"):
        probability(nll, tokens)


def test_rouge_l_recall_by_hand():
    truth = "Mara Quill was born in Velden."
    answers = [
        "Mara Quill was born in Velden.",  # all 6 words
        "Mara was born near Velden",  # mara was born velden: 4 of 6
        "Velden was where they say Mara Quill grew up",  # in order at most "mara quill": 2 of 6
        "I'm sorry, Mara Quill was born in Velden, I believe, but who knows",  # recall does not punish length
        "",
        "{{{{",
    ]
    assert rouge_l_recall(answers, [truth] * 6) == pytest.approx([1, 4 / 6, 2 / 6, 1, 0, 0])


def test_rouge_l_stems_words():
    assert rouge_l_recall(["writing novel"], ["writes novels"]).tolist() == [1.0]


def test_rouge_l_of_an_empty_truth_is_zero_and_of_no_rows_is_refused():
    assert rouge_l_recall(["anything"], [""]).tolist() == [0.0]
    for answers, truths in (([], []), (["a"], [])):
        with pytest.raises(ValueError, match="do not match"):
            rouge_l_recall(answers, truths)


def test_wilson_by_hand():
    # z = 1.959964, z^2 = 3.841459. 0 of 10: low 0, high z^2/(10 + z^2) = 3.841459/13.841459.
    low_end = wilson(0, 10)
    assert (low_end.value, low_end.low) == (0.0, 0.0)
    assert low_end.high == pytest.approx(3.841459 / 13.841459, abs=1e-6)
    # 5 of 10: half width = z/(1 + z^2/10) * sqrt(1/40 + z^2/400) = 1.416000 * 0.186023 = 0.263409.
    assert wilson(5, 10) == pytest.approx(Share(0.5, 0.5 - 0.263409, 0.5 + 0.263409), abs=1e-5)


@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (3, 40), (399, 400), (400, 400)])
def test_wilson_mirrors_and_holds_the_share_within_zero_and_one(k: int, n: int):
    share, mirrored = wilson(k, n), wilson(n - k, n)
    assert 0 <= share.low <= share.value <= share.high <= 1
    assert share.low < share.high
    assert (share.low, share.high) == pytest.approx((1 - mirrored.high, 1 - mirrored.low))


def test_accuracy_is_the_share_of_correct_answers():
    assert acc([True, False, True, True]) == wilson(3, 4)
    assert acc(np.array([False])).value == 0.0


def test_a_share_of_nothing_is_refused():
    for k, n in ((0, 0), (3, 2), (-1, 2)):
        with pytest.raises(ValueError, match="is not a proportion"):
            wilson(k, n)
    with pytest.raises(ValueError, match="0 of 0"):
        acc([])
    with pytest.raises(ValueError, match="expected"):
        acc([[True]])
