"""Logs published with TOFU give the numbers of its own code, in every layout and by each convention."""

import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import hmean

from soul_core.evaluation.tofu_log import TofuLog, parse_tofu_log, scorecard_of_log
from soul_core.evaluation.tofu_metrics import FIRST, OF_MODEL
from soul_core.evaluation.tofu_numbers import UTILITY_KEYS, forget_quality, same_model_ks
from soul_core.evaluation.tofu_sets import SetNumbers, gold_of, ratios_of
from tests.outside import outside

Logs = dict[str, dict[str, Any]]

# The p-values are below pytest's usual absolute tolerance of 1e-12: each comparison sets it to 0.
P, D = 2.1942743021891237e-16, 0.34666667
P_ARITHMETIC, D_ARITHMETIC = 2.4311e-17, 0.35667
UTILITY = {"full": (0.5220737132, 0.5033530268), "retain90": (0.5319909118, 0.5130011801)}
SAME_MODEL_P = {"full": 0.51827, "retain90": 5.40e-18}


@pytest.fixture(scope="module")
def golden() -> Path:
    return outside("golden")


@pytest.fixture(scope="module")
def raw(golden: Path) -> dict[str, Logs]:
    return {name: json.loads((golden / f"fixture_phi_{name}.json").read_text()) for name in UTILITY}


@pytest.fixture(scope="module")
def logs(raw: dict[str, Logs]) -> dict[str, TofuLog]:
    return {name: parse_tofu_log(json.dumps(log)) for name, log in raw.items()}


def as_lists(log: Logs) -> Logs:
    """The layout of later repositories."""
    return {name: {field: list(rows.values()) for field, rows in fields.items()} for name, fields in log.items()}


def sorted_as_words(log: Logs) -> Logs:
    """Rows 0, 1, 10, 100, 101 and so on, as a JSON writer that sorts its keys leaves them."""
    return json.loads(json.dumps(log, sort_keys=True))


def shuffled(log: Logs) -> Logs:
    """Every field's rows in an order of its own."""
    draw = random.Random(0)
    return {
        name: {field: dict(draw.sample(list(rows.items()), len(rows))) for field, rows in fields.items()}
        for name, fields in log.items()
    }


def full(log: Logs) -> Logs:
    """With everything else that TOFU's evaluation writes; none of it may change a number."""
    made = {}
    for name, fields in log.items():
        rows = list(fields["avg_gt_loss"])
        made[name] = fields | {
            "gt_loss": {row: 7 * fields["avg_gt_loss"][row] for row in rows},
            "num_token_gt": dict.fromkeys(rows, 7),
            "generated_text": {row: ["Question: Who?\n", "A guess.", "The truth."] for row in rows},
            "rouge1_recall": dict.fromkeys(rows, 0.5),
            "truth_ratio": dict.fromkeys(rows, 1.0),
            "paraphrased_loss": dict.fromkeys(rows, 1.0),
            "perturb_loss": {row: [1.0, 2.0] for row in rows},
            "num_token_paraphrased": dict.fromkeys(rows, 9),
            "num_token_perturb": {row: [9, 9] for row in rows},
            "normalized_gt_loss": dict.fromkeys(rows, 0.1),
        }
    return made


@pytest.mark.parametrize("layout", [dict, as_lists, sorted_as_words, shuffled, full])
def test_the_published_numbers_in_every_layout(raw: dict[str, Logs], layout: Callable[[Logs], Logs]):
    model, gold = (parse_tofu_log(json.dumps(layout(raw[name]))) for name in ("full", "retain90"))
    card = scorecard_of_log(model, gold)
    assert card.value("forget_quality") == pytest.approx(P, rel=1e-9, abs=0)
    assert card.value("forget_quality_d") == pytest.approx(D, abs=1e-8)
    assert card.value("forget_quality_log10") == pytest.approx(np.log10(P), abs=1e-9)
    # These are published to five digits.
    assert card.value("forget_quality_arithmetic") == pytest.approx(P_ARITHMETIC, rel=5e-5, abs=0)
    for log, name in ((model, "full"), (gold, "retain90")):
        card = scorecard_of_log(log, gold)
        found = (card.value("model_utility"), card.value("model_utility_arithmetic"))
        assert found == pytest.approx(UTILITY[name], abs=1e-6)
        assert card.value("same_model_ks") == pytest.approx(1 - SAME_MODEL_P[name], abs=5e-6)


def test_each_utility_lies_within_its_interval(logs: dict[str, TofuLog]):
    for name, values in UTILITY.items():
        card = scorecard_of_log(logs[name])
        for key, value in zip(("model_utility", "model_utility_arithmetic"), values, strict=True):
            measured = card.measured[key]
            assert value - 0.06 < measured.low < value < measured.high < value + 0.06
            assert measured.rows == 517


def test_gold_against_itself_is_1(logs: dict[str, TofuLog]):
    card = scorecard_of_log(logs["retain90"], logs["retain90"])
    assert (card.value("forget_quality"), card.value("forget_quality_d")) == (1.0, 0.0)
    assert card.value("forget_quality_arithmetic") == 1.0


def test_p_is_the_same_for_a_truth_ratio_and_its_inverse(logs: dict[str, TofuLog]):
    model, gold = (ratios_of(logs[name].sets["forget"], "geometric") for name in ("full", "retain90"))
    assert forget_quality(1 / model, 1 / gold).p == pytest.approx(P, rel=1e-9, abs=0)


def test_the_arithmetic_distance_and_souls_p(logs: dict[str, TofuLog]):
    model, gold = (ratios_of(logs[name].sets["forget"], "arithmetic") for name in ("full", "retain90"))
    assert forget_quality(model, gold).d == pytest.approx(D_ARITHMETIC, abs=5e-6)
    for name, p in SAME_MODEL_P.items():
        forget, retain = (ratios_of(logs[name].sets[of], "arithmetic") for of in ("forget", "retain"))
        # Published to five and to three digits.
        assert same_model_ks(forget, retain).p == pytest.approx(p, rel=1e-3, abs=0)


def test_mixing_the_conventions_would_be_noticed(logs: dict[str, TofuLog]):
    # Two of the released functions have one name and differ in the truth ratio. Whoever takes one convention for any
    # of the three sets and the other for the rest is further from both published values than these tests allow.
    for name, published in UTILITY.items():
        card = scorecard_of_log(logs[name])
        members = {key: _member(card.measured, key) for key in UTILITY_KEYS}
        assert hmean(list(members.values())) == pytest.approx(published[0], abs=1e-6)
        for mixed in (("retain",), ("real_authors",), ("world_facts",), ("retain", "world_facts")):
            swapped = {f"{of}.truth_ratio": card.value(f"{of}.truth_ratio_arithmetic") for of in mixed}
            wrong = hmean(list((members | swapped).values()))
            assert all(abs(wrong - value) > 1e-4 for value in published)
    geometric = ratios_of(logs["full"].sets["forget"], "geometric")
    arithmetic_gold = ratios_of(logs["retain90"].sets["forget"], "arithmetic")
    assert forget_quality(geometric, arithmetic_gold).p != pytest.approx(P, rel=1e-3, abs=0)


def _member(measured: Mapping[str, Any], key: str) -> float:
    facts = key.startswith(("real_authors", "world_facts"))
    return measured[f"{key}_normalised" if facts and key.endswith("probability") else key].value


def test_plain_probability_of_facts_would_be_noticed(logs: dict[str, TofuLog]):
    card = scorecard_of_log(logs["full"])
    members = {key: card.value(key) for key in UTILITY_KEYS}
    assert abs(hmean(list(members.values())) - UTILITY["full"][0]) > 0.1


def test_all_rows_count_and_the_first_300_only_under_their_own_name():
    # 400 rows: the model is gold on the first 300, and on the last 100 its ratios lie above all of gold's.
    same = np.linspace(0.5, 1.5, 300)
    model, gold = _with_ratios([*same, *np.linspace(2, 3, 100)]), _with_ratios([*same, *np.linspace(0.5, 1.5, 100)])
    of_gold = gold_of({"forget": gold}, "gold")
    found = {key: OF_MODEL[key]({"forget": model}, of_gold) for key in OF_MODEL}
    assert found["forget_quality_d"].measured.value == pytest.approx(0.25)
    assert found["forget_quality"].measured.value < 1e-10
    assert found["forget_quality"].measured.rows == 400
    assert found["forget_quality_first300"].measured.value == 1.0
    assert found["forget_quality_first300"].measured.rows == FIRST


def _with_ratios(ratio_N: list[float]) -> SetNumbers:
    """One wrong answer a row, so that R = exp(0 - loss(wrong)) and loss(wrong) = 5 - ln R with a paraphrase at 5."""
    wrong = tuple(np.array([5 - np.log(ratio)]) for ratio in ratio_N)
    return SetNumbers(role="forget", paraphrase_loss_N=np.full(len(ratio_N), 5.0), wrong_loss_NK=wrong)
