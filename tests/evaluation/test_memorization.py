"""Exact memorization, extraction strength and MA against texts whose hits are counted by hand."""

import numpy as np
import pytest
import torch

from soul_core.data.prompts import Example
from soul_core.evaluation import memorization
from soul_core.evaluation.memorization import exact_memorization, extraction_strength, memorization_accuracy
from soul_core.evaluation.scoring import token_scores
from tests.evaluation.evidence_of import asked, by_name, hits_of
from tests.evaluation.helpers import lively_model, prompts, run_out

METRICS = by_name(memorization.METRICS)


def hits(text: str) -> np.ndarray:
    return np.array([c == "1" for c in text], dtype=bool)


def strength_by_definition(hit_T: np.ndarray) -> float:
    """The shortest k < n after which all tokens are hits, tried one by one; 0 if there is none."""
    n = len(hit_T)
    return next((1 - k / n for k in range(n) if hit_T[k:].all()), 0.0)


@pytest.mark.parametrize(
    ("text", "exact", "strength"),
    [
        ("1111", 1, 1),  # nothing need be given
        ("0111", 3 / 4, 3 / 4),  # give one of four
        ("1011", 3 / 4, 1 / 2),  # give two
        ("0001", 1 / 4, 1 / 4),  # give three
        ("1110", 3 / 4, 0),  # the last is wrong: no beginning helps
        ("0000", 0, 0),
        ("1", 1, 1),
        ("0", 0, 0),
        ("", 0, 0),
    ],
)
def test_by_hand(text: str, exact: float, strength: float):
    assert exact_memorization(hits(text)) == exact
    assert extraction_strength(hits(text)) == strength


def test_knowing_nothing_and_knowing_the_last_token_differ():
    # open-unlearning's loop ends at k = n - 1 without a match, which gives 1/n to both.
    assert extraction_strength(hits("0000")) == 0.0
    assert extraction_strength(hits("0001")) == 0.25


def test_extraction_strength_is_its_definition_on_random_hits():
    draw = np.random.default_rng(0)
    for _ in range(200):
        hit_T = draw.random(draw.integers(1, 12)) < 0.7
        assert extraction_strength(hit_T) == pytest.approx(strength_by_definition(hit_T))
        assert extraction_strength(hit_T) <= exact_memorization(hit_T) + 1e-12


def test_an_end_of_sequence_is_left_out_only_where_there_is_one():
    metric = METRICS["exact_memorization"]
    assert metric.of(asked("forget", [hits_of(1, 0, 0, ends=True)])).measured.value == 0.5
    assert metric.of(asked("forget", [hits_of(1, 0, 0)])).measured.value == pytest.approx(1 / 3)
    strength = METRICS["extraction_strength"]
    assert strength.of(asked("forget", [hits_of(1, 1, 0, ends=True)])).measured.value == 1
    assert strength.of(asked("forget", [hits_of(1, 1, 0)])).measured.value == 0


def test_the_question_counts_for_ma_alone():
    text = hits_of(1, 1, 1, 0, 1, 0, answer_from=3, ends=True)  # answer 0 1, then an end that is not seen
    assert memorization_accuracy(text) == 4 / 5
    found = {name: metric.of(asked("forget", [text])).measured.value for name, metric in METRICS.items()}
    assert found == {"exact_memorization": 0.5, "extraction_strength": 0.5, "memorization_accuracy": 4 / 5}


def test_an_answer_of_nothing_but_its_end_is_not_memorised():
    nothing = hits_of(1, 1, answer_from=1, ends=True)
    assert METRICS["exact_memorization"].of(asked("forget", [nothing])).measured.value == 0
    assert METRICS["extraction_strength"].of(asked("forget", [nothing])).measured.value == 0
    assert memorization_accuracy(hits_of(1, ends=True)) == 0


@pytest.mark.parametrize("name", METRICS)
def test_a_set_has_the_mean_over_its_rows_in_any_order(name: str):
    rows = [hits_of(1, 1), hits_of(0, 1), hits_of(0, 0), hits_of(1, 1)]
    found = METRICS[name].of(asked("forget", rows))
    assert found.per_row == (1, 0.5, 0, 1)
    assert found.measured.value == 0.625 and found.measured.rows == 4
    assert 0 <= found.measured.low < 0.625 < found.measured.high <= 1
    assert METRICS[name].of(asked("forget", rows[::-1])).measured.value == 0.625
    alone = METRICS[name].of(asked("forget", rows[:1])).measured
    assert (alone.value, alone.low, alone.rows) == (1, None, 1)
    assert METRICS[name].better["forget"] == "lower" and METRICS[name].better["retain"] == "higher"


def test_ma_is_the_share_of_greedy_next_tokens_generated_after_every_prefix_whatever_the_batch():
    # The authors' way: one generation of one token after each prefix.
    model, texts = lively_model("llama"), prompts(6, shortest=5)
    # Make hits: every second token is what the model says itself.
    for ids in texts:
        for i in range(1, len(ids), 2):
            with torch.no_grad():
                ids[i] = int(model(torch.tensor([ids[:i]])).logits[0, -1].argmax())
    expected = []
    for ids in texts:
        with torch.no_grad():
            said = [int(model(torch.tensor([ids[:i]])).logits[0, -1].argmax()) for i in range(1, len(ids))]
        expected.append(np.mean([a == b for a, b in zip(said, ids[1:], strict=True)]))
    examples = [Example(tuple(ids), 1) for ids in texts]
    for batch_size in (1, 6):
        _, scores = run_out(token_scores(model, examples, ends=[False] * 6, batch_size=batch_size))
        assert [memorization_accuracy(one) for one in scores] == pytest.approx(expected)
    assert all(0.4 < value <= 1 for value in expected)
