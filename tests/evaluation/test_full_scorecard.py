"""Every registered metric, computed from what was found out about a model."""

import math

import pytest

from soul_core.data.sets import set_kind
from soul_core.errors import DatasetError
from soul_core.evaluation import full_scorecard
from soul_core.evaluation.all_metrics import METRICS
from soul_core.evaluation.card import Measured, Scorecard
from soul_core.evaluation.evidence import Evidence
from soul_core.evaluation.full_scorecard import NOT_FINITE, scorecard_of
from soul_core.evaluation.gather import Depth, gather
from soul_core.evaluation.registry import MODEL_METRICS, SET_METRICS, Found, ModelMetric, SetMetric, explained
from soul_core.evaluation.tofu_sets import gold_of_evidence
from tests.evaluation.helpers import run_out
from tests.evaluation.test_gather import loaded, people, task

DEPTH = Depth(max_new_tokens=6, matcher="lexical", slow=True)


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    _, found = run_out(gather(loaded(), task(texts={"holdout": people("Nobody", 5)}), DEPTH))
    return found


def made_up(name: str, of) -> ModelMetric:
    words = dict.fromkeys(("title", "meaning", "convention", "formula", "source"), "x")
    return ModelMetric(name=name, group="Text", better="none", of=of, **words)


def test_every_metric_is_registered_once_and_found_by_its_key():
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names) == len(SET_METRICS) + len(MODEL_METRICS)
    for metric in METRICS:
        key = f"world_facts.{metric.name}" if isinstance(metric, SetMetric) else metric.name
        assert explained(key) is metric


def test_every_metric_says_what_it_means_by_which_convention_and_where_it_is_from():
    for metric in METRICS:
        assert all((metric.title, metric.meaning, metric.convention, metric.formula, metric.source)), metric.name


def test_a_scorecard_has_each_sets_numbers_by_its_role_and_the_models_own(evidence: Evidence):
    card = scorecard_of(evidence, model="so", spec="pocket", fingerprint="f", task="tiny:forget")
    for key in card.measured:
        metric, (name, _, _) = explained(key), key.partition(".")
        assert metric is not None
        if isinstance(metric, SetMetric):
            assert set_kind(name).role in metric.roles
    assert {"forget.rouge_l", "retain.probability", "world_facts.probability_normalised"} <= card.measured.keys()
    assert "forget.probability_normalised" not in card.measured
    assert {"same_model_ks", "mia_loss", "mia_gradient_norm", "el_3"} <= card.measured.keys()
    assert (card.model, card.spec, card.fingerprint, card.task) == ("so", "pocket", "f", "tiny:forget")


def test_every_number_is_finite_or_says_why_it_is_not(evidence: Evidence):
    card = scorecard_of(evidence, model="so")
    for key, measured in card.measured.items():
        assert measured.note if measured.value is None else math.isfinite(measured.value), key
    assert sum(measured.value is not None for measured in card.measured.values()) > 40


def test_means_are_the_means_of_their_rows(evidence: Evidence):
    card = scorecard_of(evidence, model="so")
    for key in ("forget.rouge_l", "retain.probability", "world_facts.truth_ratio"):
        rows = card.per_row[key]
        assert card.value(key) == pytest.approx(sum(rows) / len(rows))


def test_a_scorecard_does_not_depend_on_batch_size():
    cards = []
    for batch_size in (1, 64):
        _, found = run_out(gather(loaded("gpt2"), task(), DEPTH, batch_size=batch_size))
        cards.append(scorecard_of(found, model="so"))
    first, second = ({key: (each.value, each.low, each.high) for key, each in card.measured.items()} for card in cards)
    assert first.keys() == second.keys()
    for key in first:
        for one, other in zip(first[key], second[key], strict=True):
            assert other == (None if one is None else pytest.approx(one, rel=1e-5, abs=1e-5)), key


def test_gold_makes_forget_quality_and_gold_against_itself_has_the_best(evidence: Evidence):
    gold = gold_of_evidence(evidence, "gold")
    with_gold = Evidence(sets=evidence.sets, gold=gold)
    assert scorecard_of(evidence, model="x").value("forget_quality") is None
    assert scorecard_of(with_gold, model="x").value("forget_quality") == 1.0


def test_numbers_that_are_not_finite_have_no_value_and_can_be_kept(monkeypatch, evidence: Evidence):
    infinite = made_up(
        "infinite", lambda _: Found(measured=Measured(value=math.inf, low=0.0), per_row=(1.0, math.nan))
    )
    endless = made_up("endless", lambda _: Found(measured=Measured(value=1.0, low=0.0, high=math.inf)))
    monkeypatch.setattr(full_scorecard, "METRICS", (infinite, endless))
    card = scorecard_of(evidence, model="so")
    assert card.measured == {
        "infinite": Measured(value=None, note=NOT_FINITE),
        "endless": Measured(value=1.0, low=0.0, high=None),
    }
    assert card.per_row == {}
    assert Scorecard.from_json(card.to_json()) == card


def test_a_metric_that_refuses_leaves_its_sentence_and_one_without_material_is_left_out(
    monkeypatch, evidence: Evidence
):
    def refuses(_: Evidence) -> Found:
        raise DatasetError("One row is not enough. Score more.")

    absent = made_up("absent", lambda _: None)
    monkeypatch.setattr(full_scorecard, "METRICS", (made_up("refuses", refuses), absent))
    card = scorecard_of(evidence, model="so")
    assert card.measured == {"refuses": Measured(value=None, note="One row is not enough. Score more.")}


def test_a_bug_in_a_metric_is_not_hidden(monkeypatch, evidence: Evidence):
    monkeypatch.setattr(full_scorecard, "METRICS", (made_up("broken", lambda _: 1 // 0),))
    with pytest.raises(ZeroDivisionError):
        scorecard_of(evidence, model="so")
