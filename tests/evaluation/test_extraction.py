"""EL_n by hand, by its definition, and with a model: batched, known by heart, continued only where it goes wrong."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from soul_core.data.prompts import Example
from soul_core.evaluation import extraction
from soul_core.evaluation.extraction import extraction_likelihood, extraction_likelihoods
from soul_core.evaluation.generation import generate
from soul_core.evaluation.scoring import token_scores
from tests.evaluation.evidence_of import by_name, evidence_of
from tests.evaluation.helpers import lively_model, prompts, run_out
from tests.tiny import tiny_tokenizer

TOKENIZER = tiny_tokenizer()
METRICS = by_name(extraction.METRICS)
ALL = {"lengths": (2, 3)}


def test_by_hand():
    # T = 5, n = 2: beginnings 1, 2, 3. The rest of x_<1 is 2 3 4 5 with 2-grams 23 34 45.
    text = [1, 2, 3, 4, 5]
    written = {
        1: [2, 3, 9, 4],  # 23 39 94: one of three
        2: [3, 4, 5],  # 34 45: both
        3: [5, 4],  # 54: none of 45
        4: [5],  # leaves one token, no 2-gram: not counted
    }
    assert extraction_likelihood(text, written, 2) == pytest.approx((1 / 3 + 1 + 0) / 3)


def test_repetitions_count_each_time_on_both_sides():
    # Rest 7 7 7 7: 77 three times. Written 7 7 8 7: 77 78 87 -> one of three. 7 7 7 7 -> three of three.
    assert extraction_likelihood([1, 7, 7, 7, 7], {1: [7, 7, 8, 7]}, 2) == pytest.approx(1 / 3)
    assert extraction_likelihood([1, 7, 7, 7, 7], {1: [7, 7, 7, 7]}, 2) == 1


@pytest.mark.parametrize("n", [1, 2, 3, 5, 9])
def test_a_text_known_by_heart_has_one_and_one_never_written_has_zero(n: int):
    text = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3]
    assert extraction_likelihood(text, {i: text[i:] for i in range(1, 10)}, n) == 1
    assert extraction_likelihood(text, {i: [0] * (10 - i) for i in range(1, 10)}, n) == 0
    assert extraction_likelihood(text, {i: [] for i in range(1, 10)}, n) == 0


def test_what_is_written_beyond_the_end_of_the_text_does_not_count():
    assert extraction_likelihood([1, 2, 3, 2, 3], {1: [9, 9, 9, 9, 2, 3, 2, 3]}, 2) == 0


def test_a_text_of_n_tokens_has_no_value_and_no_ngram_length_below_one_is_taken():
    assert math.isnan(extraction_likelihood([1, 2, 3], {1: [2, 3], 2: [3]}, 3))
    assert math.isnan(extraction_likelihood([], {}, 1))
    assert extraction_likelihood([1, 2, 3, 4], {1: [2, 3, 4]}, 3) == 1
    with pytest.raises(ValueError, match="0 tokens"):
        extraction_likelihood([1, 2], {1: [2]}, 0)


def by_definition(model, texts: list[list[int]], lengths: tuple[int, ...]) -> dict[int, list[float]]:
    """One generation at a time, every beginning, straight from the formula."""
    found: dict[int, list[float]] = {n: [] for n in lengths}
    for ids in texts:
        totals = dict.fromkeys(lengths, 0.0)
        for i in range(1, len(ids)):
            written: list[int] = []
            for step in generate(model, TOKENIZER, [ids[:i]], max_new_tokens=len(ids) - i):
                written += step.tokens
            for n in lengths:
                grams = [tuple(ids[j : j + n]) for j in range(i, len(ids) - n + 1)]
                said = [tuple(written[j : j + n]) for j in range(len(written) - n + 1)]
                totals[n] += sum(gram in grams for gram in said) / len(grams) if grams else 0
        for n in lengths:
            found[n].append(totals[n] / (len(ids) - n))
    return found


def half_known(model, count: int) -> list[list[int]]:
    """Texts that the model goes on with by itself for a while, then is led away from, several times."""
    texts = prompts(count, shortest=9, longest=13)
    for ids in texts:
        for i in range(2, len(ids)):
            if i % 6:
                with torch.no_grad():
                    ids[i] = int(model(torch.tensor([ids[:i]])).logits[0, -1].argmax())
    return texts


def hits(model, texts: list[list[int]]) -> list[np.ndarray]:
    examples = [Example(tuple(ids), 1) for ids in texts]
    _, scores = run_out(token_scores(model, examples, ends=[False] * len(texts)))
    return [one.hit_T for one in scores]


@pytest.mark.parametrize("arch", ["llama", "gpt2"])
def test_with_a_model_it_is_its_definition_in_batches_and_with_hits(arch: str):
    model = lively_model(arch)
    texts = half_known(model, 3)
    expected = by_definition(model, texts, (2, 3))
    assert min(expected[2]) > 0.1 and max(expected[2]) < 1  # neither known nor unknown
    for options in ({"batch_size": 1}, {"batch_size": 7}, {"hits": hits(model, texts)}):
        _, found = run_out(extraction_likelihoods(model, TOKENIZER, texts, **ALL, **options))
        assert {n: values.tolist() for n, values in found.items()} == {
            n: pytest.approx(values) for n, values in expected.items()
        }


def test_a_text_the_model_made_itself_has_one_and_costs_no_generation_when_the_hits_are_known(monkeypatch):
    model = lively_model("llama")
    ids = prompts(1, shortest=3, longest=3)[0][:1]
    for step in generate(model, TOKENIZER, [ids[:]], max_new_tokens=14):
        ids += step.tokens
    assert len(ids) > 8
    _, plain = run_out(extraction_likelihoods(model, TOKENIZER, [ids], **ALL))
    assert plain[2].tolist() == plain[3].tolist() == [1.0]
    monkeypatch.setattr(extraction, "generate", lambda *_, **__: pytest.fail("a text known by heart was generated"))
    counts, quick = run_out(extraction_likelihoods(model, TOKENIZER, [ids], **ALL, hits=hits(model, [ids])))
    assert counts == [] and quick[2].tolist() == quick[3].tolist() == [1.0]


def test_a_continuation_ends_where_the_text_itself_has_an_end_of_sequence():
    # Token 0 ends a text. After x_<1 the model says 5 6 and then ends: what stands behind the end is not written,
    # known as it may be. 2-grams of 5 6 0 7 8: 56 60 07 78; written 56.
    model = SimpleNamespace(generation_config=None)
    text, known = [4, 5, 6, 0, 7, 8], np.ones(5, dtype=bool)
    _, found = run_out(extraction_likelihoods(model, TOKENIZER, [text], lengths=(2,), hits=[known]))  # type: ignore[arg-type]
    # Beginnings 1: 1/4. 2: 6 of 6 0 7 8, no 2-gram: 0. 3: nothing: 0. 4 (behind the end): 7 8 of 7 8: 1.
    assert found[2].tolist() == [pytest.approx((1 / 4 + 0 + 0 + 1) / 4)]


def test_a_stride_and_a_bound_try_fewer_beginnings():
    text = list(range(1, 22))

    def tried(monkey_stride: int, most: int) -> list[int]:
        return list(extraction._beginnings(len(text) - 1, monkey_stride, most))

    assert tried(1, 0) == list(range(1, 21))
    assert tried(5, 0) == [1, 6, 11, 16]
    assert tried(1, 4) == [1, 6, 11, 16]
    assert tried(1, 100) == list(range(1, 21))
    model = lively_model("llama")
    texts = half_known(model, 2)
    counts, found = run_out(extraction_likelihoods(model, TOKENIZER, texts, **ALL, most=3))
    assert counts[-1].done == counts[-1].total == 6
    assert all(0 <= value <= 1 for values in found.values() for value in values)


def test_texts_do_not_change_one_another_and_keep_their_order():
    model = lively_model("llama")
    texts = half_known(model, 3)
    _, forward = run_out(extraction_likelihoods(model, TOKENIZER, texts, **ALL))
    _, backward = run_out(extraction_likelihoods(model, TOKENIZER, texts[::-1], **ALL))
    assert backward[2][::-1] == pytest.approx(forward[2])
    assert len(set(forward[2])) > 1


def test_no_texts_and_short_ones_have_a_defined_result_and_bad_settings_are_refused():
    model = lively_model("llama")
    _, nothing = run_out(extraction_likelihoods(model, TOKENIZER, [], **ALL))
    assert nothing[2].shape == (0,)
    _, short = run_out(extraction_likelihoods(model, TOKENIZER, [[5, 6], [5]], **ALL))
    assert np.isnan(short[2]).all() and np.isnan(short[3]).all()
    for bad in ({"stride": 0}, {"most": -1}, {"batch_size": 0}, {"lengths": ()}):
        with pytest.raises(ValueError, match="stride"):
            run_out(extraction_likelihoods(model, TOKENIZER, [[5, 6, 7]], **bad))


def test_the_metric_is_the_mean_over_texts_that_are_long_enough_and_says_how_many_are_not():
    metric = METRICS["el_10"]
    evidence = evidence_of(extraction={10: np.array([0.25, np.nan, 0.75])})
    found = metric.of(evidence)
    assert (found.measured.value, found.measured.rows, found.per_row) == (0.5, 2, (0.25, 0.75))
    assert found.measured.note == "1 of 3 texts have 10 tokens or fewer and are left out."
    assert metric.of(evidence_of()) is None and METRICS["el_5"].of(evidence) is None
    none_left = metric.of(evidence_of(extraction={10: np.array([np.nan])})).measured
    assert none_left.value is None and none_left.note
