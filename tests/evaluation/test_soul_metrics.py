"""What SOUL and RWKU report, in their own directions."""

import math
import zlib

import numpy as np
import pytest

from soul_core.evaluation import extraction, fluency, membership, memorization, overlap, soul_metrics
from soul_core.evaluation.card import Measured
from soul_core.evaluation.metrics import wilson
from soul_core.evaluation.registry import ModelMetric, SetMetric
from soul_core.evaluation.soul_metrics import soul_mia_score
from tests.evaluation.evidence_of import asked, by_name, evidence_of, scores_of, texts_of

METRICS = by_name(soul_metrics.METRICS)
MODULES = (memorization, extraction, membership, fluency, overlap, soul_metrics)


def told(forget: list[float], facts: list[float]):
    """Sets whose texts have one token of that NLL; one of the facts is a world fact."""
    return evidence_of(
        asked("forget", [scores_of([nll]) for nll in forget]),
        asked("real_authors", [scores_of([nll]) for nll in facts[:-1]]),
        asked("world_facts", [scores_of([nll]) for nll in facts[-1:]]),
    )


def test_accuracy_is_the_share_with_wilsons_interval():
    evidence = asked("forget", answers=["a"] * 4, correct=(True, False, True, True), reworded_correct=(False,) * 4)
    found = METRICS["acc"].of(evidence)
    assert found.measured == Measured(value=wilson(3, 4).value, low=wilson(3, 4).low, high=wilson(3, 4).high, rows=4)
    assert found.per_row == (1, 0, 1, 1)
    assert METRICS["acc_reworded"].of(evidence).measured.value == 0
    one = METRICS["acc"].of(asked("forget", answers=["a"], correct=(True,))).measured
    assert one.value == 1 and one.low < 0.3


def test_accuracy_of_a_set_that_was_not_asked_is_left_out():
    assert METRICS["acc"].of(asked("forget")) is None
    assert METRICS["acc_reworded"].of(asked("forget", answers=["a"], correct=(True,))) is None


def test_souls_score_is_over_the_whole_text_without_its_end_and_rises_as_it_gets_unlikely():
    text = scores_of([5.0, 1.0, 2.0, 9.0], answer_from=1, ends=True)
    assert soul_mia_score(text, 40) == 5  # one of three tokens, of the question
    assert soul_mia_score(scores_of([5.0, 1.0, 2.0, 9.0]), 60) == 7
    assert soul_mia_score(scores_of([2.0]), 10) == 2  # SOUL's int(0.1 * 1) tokens are none, and their mean is NaN


@pytest.mark.parametrize("share", [10, 20, 30, 40, 50, 60])
def test_souls_auc_rises_with_forgetting_and_its_table_falls(share: int):
    metric, table = METRICS[f"soul_mia_{share}"], METRICS["soul_table_mia"]
    known, forgotten = told([0.1, 0.2], [1.0, 2.0, 3.0]), told([7.0, 9.0], [1.0, 2.0, 3.0])
    assert metric.of(known).measured.value == 0 and metric.of(forgotten).measured.value == 1
    assert table.of(known).measured.value == 1 and table.of(forgotten).measured.value == 0
    assert metric.better == "higher" and table.better == "lower"
    assert metric.of(known).measured.rows == 5


def test_souls_auc_by_hand_and_its_complement():
    # Forget 2, 4 against 1, 3, 4: pairs 2>1, 4>1, 4>3, 4=4 -> 3.5 of 6.
    evidence = told([2.0, 4.0], [1.0, 3.0, 4.0])
    assert METRICS["soul_mia_20"].of(evidence).measured.value == pytest.approx(3.5 / 6)
    assert METRICS["soul_table_mia"].of(evidence).measured.value == pytest.approx(2.5 / 6)


def test_souls_nonmembers_are_the_facts_whatever_the_task_holds_out_and_it_says_what_that_means():
    evidence = told([2.0], [1.0, 3.0])
    with_holdout = evidence_of(
        *evidence.sets.values(), nonmembers=texts_of(scores_of([0.0])), nonmember_kind="held out"
    )
    assert METRICS["soul_mia_20"].of(with_holdout) == METRICS["soul_mia_20"].of(evidence)
    assert "another domain" in METRICS["soul_mia_20"].of(evidence).measured.note


def test_souls_mia_without_facts_is_left_out_and_with_a_broken_text_has_no_value():
    alone = evidence_of(asked("forget", [scores_of([1.0])]), asked("retain", [scores_of([1.0])]))
    assert METRICS["soul_mia_20"].of(alone) is None and METRICS["soul_table_mia"].of(alone) is None
    assert METRICS["soul_mia_20"].of(told([math.nan], [1.0, 2.0])).measured.value is None


def test_rwkus_means_by_hand():
    # Answers do not count by themselves: the whole text does, its appended end aside.
    members = texts_of(
        scores_of([1.0, 3.0, 50.0], mean=[-2, -2, 0], deviation=[0.5, 1, 1], answer_from=1, ends=True),
        scores_of([4.0]),
        texts=["one text", "another"],
    )
    evidence = evidence_of(members=members)
    assert METRICS["rwku_loss_forget"].of(evidence).per_row == (-2, -4)
    assert METRICS["rwku_loss_forget"].of(evidence).measured.value == -3
    size = [len(zlib.compress(text.encode())) for text in members.texts]
    assert METRICS["rwku_zlib_forget"].of(evidence).per_row == pytest.approx((-2 / size[0], -4 / size[1]))
    # z: (-1 + 2)/0.5 = 2, (-3 + 2)/1 = -1; lowest 20 % of two is one: -1. The other: -4.
    assert METRICS["rwku_min_k_plus_forget"].of(evidence).per_row == (-1, -4)
    for name in ("loss", "zlib", "min_k_plus"):
        assert METRICS[f"rwku_{name}_other"].of(evidence) is None
        other = METRICS[f"rwku_{name}_other"].of(evidence_of(nonmembers=members))
        assert other == METRICS[f"rwku_{name}_forget"].of(evidence)
        assert METRICS[f"rwku_{name}_forget"].better == "lower"


def test_a_broken_text_leaves_rwkus_mean_without_a_value():
    # RWKU's code skips such a text, which changes what the mean is over.
    found = (
        METRICS["rwku_loss_forget"].of(evidence_of(members=texts_of(scores_of([math.nan]), scores_of([1.0])))).measured
    )
    assert found.value is None and found.note


# --- all metrics of this family


ALL = [metric for module in MODULES for metric in module.METRICS]


def test_names_are_unique_over_all_modules():
    assert len({metric.name for metric in ALL}) == len(ALL)


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
def test_a_metric_tells_a_reader_everything(metric: SetMetric | ModelMetric):
    for text in (metric.title, metric.meaning, metric.convention, metric.formula, metric.source):
        assert text == text.strip() and text
        assert "—" not in text and "  " not in text
    assert metric.meaning.endswith(".") and metric.convention.endswith(".")
    assert len(metric.title) <= 30 and "." not in metric.name


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
def test_one_row_and_identical_rows_have_a_finite_value_or_a_sentence(metric: SetMetric | ModelMetric):
    for count in (1, 3):
        one = scores_of([1.0, 2.0], hits=[1, 0], answer_from=1)
        sets = [
            asked(
                name,
                [one] * count,
                ["the truth"] * count,
                wrong=((one,),) * count,
                correct=(True,) * count,
                reworded_correct=(True,) * count,
            )
            for name in ("forget", "retain", "real_authors")
        ]
        texts, norms = texts_of(*[one] * count), {"members": np.ones(count), "nonmembers": np.ones(count)}
        evidence = evidence_of(
            *sets,
            members=texts,
            nonmembers=texts,
            extraction={n: np.full(count, 0.5) for n in (3, 5, 10)},
            gradient_norms=norms,
            reference_loss=norms,
            perplexity_texts=texts,
        )
        found = metric.of(sets[0] if isinstance(metric, SetMetric) else evidence)  # type: ignore[arg-type]
        if found is None:
            assert metric.name.startswith(("bleu_", "rouge_l_", "privleak_gold"))
            continue
        measured = found.measured
        assert measured.value is not None and math.isfinite(measured.value)
        assert measured.low is None or measured.low <= measured.value <= measured.high
        assert len(found.per_row) in (0, measured.rows)


def test_among_choices_the_answer_must_be_likelier_than_every_wrong_one():
    right, worse, better = scores_of([1.0]), scores_of([2.0]), scores_of([0.5])
    evidence = asked("forget", [right] * 3, wrong=((worse, worse), (worse, better), (right, worse)))
    found = METRICS["acc_choice"].of(evidence)
    assert found.per_row == (1, 0, 0)  # the last is a tie


def test_choices_with_an_undefined_loss_are_never_right():
    evidence = asked("forget", [scores_of([math.nan])], wrong=((scores_of([2.0]),),))
    assert METRICS["acc_choice"].of(evidence).per_row == (0,)


def test_rows_without_wrong_answers_are_no_choice():
    assert METRICS["acc_choice"].of(asked("forget", [scores_of([1.0])], wrong=((),))) is None
