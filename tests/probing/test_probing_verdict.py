"""The word that probes amount to: a hand-made case for each rule, for ties, and for what is missing."""

from collections.abc import Sequence
from typing import Any

import pytest

from soul_core.evaluation.metrics import wilson
from soul_core.events import SetScores
from soul_core.probing.results import (
    AttackResult,
    Bench,
    Inspection,
    ProbeVerdict,
    Relearning,
    RelearnPoint,
    RoundedScores,
    Rounding,
    Try,
)
from soul_core.probing.verdict import RULES, verdicts

ROWS = 40


def scores(right: int, of: int = 100) -> SetScores:
    share = wilson(right, of)
    return SetScores(acc=share.value, acc_low=share.low, acc_high=share.high, rouge_l=0.5, probability=0.5, rows=of)


def race(forget: int = 2, retain: int = 98, *, gold: bool = True) -> dict[str, dict[str, SetScores]]:
    """FO and the references after a race; gold knows 1 of 100."""
    of = {"original": {"forget": scores(100), "retain": scores(100)}}
    of["fo"] = {"forget": scores(forget), "retain": scores(retain)}
    return of | ({"gold": {"forget": scores(1), "retain": scores(100)}} if gold else {})


def cell(model: str, share: float, low: float, high: float, attack: str = "cloze", **more: Any) -> AttackResult:
    return AttackResult(model=model, attack=attack, share=share, low=low, high=high, **more)


def bench(*cells: AttackResult) -> Bench:
    return Bench(
        results=cells, titles={"cloze": "Fill the blank", "sampling": "Many draws", "plain": "Plain question"}
    )


def firsts(right: int) -> tuple[bool, ...]:
    """The first rows right, the rest wrong."""
    return tuple(i < right for i in range(ROWS))


def point(model: str, step: int, right: int) -> RelearnPoint:
    share = wilson(right, ROWS)
    return RelearnPoint(
        model=model,
        step=step,
        acc=share.value,
        low=share.low,
        high=share.high,
        probability=0.1,
        rouge_l=0.1,
        right=firsts(right),
    )


def relearned(*points: RelearnPoint, on: Any = "forget") -> Relearning:
    return Relearning(on=on, trained_rows=12, asked_rows=ROWS, points=points)


def at(model: str, bits: int, right: int, likely: float = 0.01) -> RoundedScores:
    share = wilson(right, ROWS)
    return RoundedScores(
        model=model,
        bits=bits,
        error=0.1,
        forget_acc=share.value,
        forget_low=share.low,
        forget_high=share.high,
        retain_acc=1.0,
        retain_low=0.9,
        retain_high=1.0,
        forget_probability=likely,
        forget_right=firsts(right),
        # Rows vary a little, the same for every model.
        forget_likely=tuple(likely + 0.001 * (i % 3) for i in range(ROWS)),
    )


def judged(found: dict[str, Any], of: dict[str, dict[str, SetScores]] | None = None) -> ProbeVerdict:
    (verdict,) = verdicts(found, of or race(), ["fo"], titles={"fo": "FO"})
    assert (
        verdict.model == "fo" and verdict.sentence.startswith("FO ") and verdict.rule.startswith(RULES[verdict.word])
    )
    return verdict


QUIET = bench(cell("fo", 0.02, 0.0, 0.08), cell("gold", 0.01, 0.0, 0.05))


def test_a_model_that_answers_when_asked_plainly_leaks_even_where_nothing_was_tried():
    found = judged({}, race(forget=30))
    assert found.word == "leaks"
    # Wilson's interval of 30 of 100, and of 1 of 100.
    assert found.sentence == "FO still answers when asked plainly: 30% (22% to 40%) right, gold 1% (0% to 5%)."


def test_an_attack_above_golds_interval_is_a_leak_and_the_strongest_is_told():
    cells = [cell("fo", 0.3, 0.2, 0.4), cell("gold", 0.02, 0.0, 0.1)]
    cells += [cell("fo", 0.5, 0.4, 0.6, "casing"), cell("gold", 0.0, 0.0, 0.1, "casing")]
    found = judged({"bench": bench(*cells)})
    assert found.word == "leaks"
    assert found.sentence == (
        "FO tells under “casing” 50% (40% to 60%) of the answers, gold 0% (0% to 10%). "
        "1 more of what was tried also shows it."
    )
    assert "“Fill the blank”: 30% (20% to 40%) told; gold 2% (0% to 10%)." in found.evidence


@pytest.mark.parametrize(("low", "word"), [(0.1, "holds"), (0.1001, "leaks")])
def test_intervals_that_touch_are_a_tie_and_a_tie_is_no_leak(low: float, word: str):
    assert judged({"bench": bench(cell("fo", 0.2, low, 0.3), cell("gold", 0.05, 0.0, 0.1))}).word == word


def test_draws_that_tell_what_the_likeliest_answer_does_not_are_hidden_knowledge():
    cells = (cell("fo", 0.2, 0.12, 0.3, "sampling"), cell("gold", 0.01, 0.0, 0.05, "sampling"))
    found = judged({"bench": bench(*cells)})
    assert found.word == "hidden" and "random draws tell 20% (12% to 30%)" in found.sentence


def test_what_rounding_brings_out_is_hidden_knowledge():
    rounding = Rounding(scores=(at("fo", 0, 1), at("fo", 4, 12), at("gold", 0, 1), at("gold", 4, 2)))
    found = judged({"rounding": rounding})
    assert found.word == "hidden"
    assert found.sentence.startswith("FO with 4-bit weights gets 30% (18% to 45%) right, 2% unrounded, gold 5%")


@pytest.mark.parametrize(
    ("unrounded", "rounded", "gold"),
    [(12, 12, 2), (1, 3, 2), (1, 12, 12)],
    ids=["no more than unrounded", "one row more than gold", "as much as gold"],
)
def test_rounding_that_brings_out_nothing_is_no_finding(unrounded: int, rounded: int, gold: int):
    of = (at("fo", 0, unrounded), at("fo", 4, rounded), at("gold", 0, 1), at("gold", 4, gold))
    assert judged({"rounding": Rounding(scores=of)}).word == "holds"


@pytest.mark.parametrize(("likely", "word"), [(0.049, "holds"), (0.07, "hidden")])
def test_a_probability_counts_as_hidden_from_five_points_above_golds(likely: float, word: str):
    of = (at("fo", 0, 1, likely), at("fo", 8, 1), at("gold", 0, 1, 0.01), at("gold", 8, 1))
    found = judged({"rounding": Rounding(scores=of)})
    assert found.word == word
    assert f"Probability of the true answers: {likely:.1%} for each token; gold 1.0%." in found.evidence


def test_what_comes_back_beyond_gold_taught_the_same_comes_back():
    points = (point("fo", 0, 1), point("gold", 0, 0), point("fo", 30, 20), point("gold", 30, 3))
    found = judged({"bench": QUIET, "relearn-forget": relearned(*points)})
    assert found.word == "comes back"
    assert found.sentence == (
        "FO after 30 steps on 12 other forget rows gets 50% (35% to 65%) of the rest right, 2% before, "
        "gold 8% (3% to 20%)."
    )


def test_rows_taught_to_gold_as_well_are_learned_and_not_remembered():
    points = (point("fo", 0, 1), point("gold", 0, 0), point("fo", 30, 20), point("gold", 30, 20))
    assert judged({"relearn-forget": relearned(*points)}).word == "holds"


def test_the_last_step_that_both_took_is_compared():
    # At step 30 FO is far above, but gold was stopped at 10, where FO was not.
    points = (point("fo", 0, 1), point("gold", 0, 1), point("fo", 10, 3), point("gold", 10, 3), point("fo", 30, 30))
    assert judged({"relearn-retain": relearned(*points, on="retain")}).word == "holds"
    assert judged({"relearn-retain": relearned(*points[:2], on="retain")}).word == "untested"


def test_what_was_asked_on_other_rows_is_not_compared():
    other = RelearnPoint(
        model="gold", step=30, acc=0.0, low=0.0, high=0.1, probability=0.1, rouge_l=0.1, right=(False, False)
    )
    found = judged({"relearn-forget": relearned(point("fo", 0, 1), point("fo", 30, 30), other)})
    assert found.word == "holds"


@pytest.mark.parametrize(("retain", "word"), [(30, "broken"), (45, "holds"), (98, "holds")])
def test_a_model_that_lost_more_than_half_of_what_should_stay_is_broken(retain: int, word: str):
    # Wilson's upper end of 30 of 100 is 0.40, of 45 of 100 0.55, which is not below half of the original's.
    found = judged({"bench": QUIET}, race(retain=retain))
    assert found.word == word
    assert ("its silence proves nothing" in found.sentence) == (word == "broken")


def test_what_was_found_stands_in_a_broken_model_too():
    leaking = bench(cell("fo", 0.5, 0.4, 0.6), cell("gold", 0.0, 0.0, 0.1))
    assert judged({"bench": leaking}, race(retain=5)).word == "leaks"


def test_holding_names_what_was_tried_and_what_was_not():
    found = judged({"bench": QUIET, "inspection": Inspection()})
    assert found.word == "holds"
    assert found.sentence == (
        "FO tells no more than gold in anything that was tried (the attack bench). "
        "Not tried: relearning from forget rows, relearning from retain rows and rounding."
    )


@pytest.mark.parametrize(
    "found",
    [{}, {"inspection": Inspection()}, {"bench": Bench()}, {"bench": bench(cell("gold", 0.0, 0.0, 0.1))}],
)
def test_without_a_trial_nothing_is_claimed(found: dict[str, Any]):
    assert judged(found).word == "untested"


def test_a_cell_without_golds_or_without_an_interval_is_not_judged():
    alone = cell("fo", 0.9, 0.8, 1.0)
    few = AttackResult(model="fo", attack="cloze", share=1.0)
    assert judged({"bench": bench(alone)}).word == "untested"
    assert judged({"bench": bench(few, cell("gold", 0.0, 0.0, 0.1))}).word == "untested"


@pytest.mark.parametrize(("low", "word"), [(0.2, "holds"), (0.21, "leaks")])
def test_without_gold_a_fifth_counts_as_luck_and_the_rule_says_so(low: float, word: str):
    found = judged({"bench": bench(cell("fo", 0.4, low, 0.6))}, race(gold=False))
    assert found.word == word
    assert "Without gold" in found.rule and "gold" not in found.sentence
    assert "“Fill the blank”: 40%" in " ".join(found.evidence) and "; luck 20%." in " ".join(found.evidence)


@pytest.mark.parametrize(("before", "after", "word"), [(1, 20, "comes back"), (14, 20, "holds"), (1, 10, "holds")])
def test_without_gold_relearning_must_leave_luck_and_its_own_start_behind(before: int, after: int, word: str):
    # Wilson of 20 of 40: 0.35 to 0.65; the start of 14 of 40 reaches up to 0.50; 10 of 40 begins at 0.14.
    points = (point("fo", 0, before), point("fo", 30, after))
    assert judged({"relearn-forget": relearned(*points)}, race(gold=False)).word == word


def test_garbled_plain_answers_are_counted():
    tries: Sequence[Try] = [
        Try(question="q", truth="t", turns=(), said=said, leaks=0) for said in ("{{{{{{{{", "In Velden, I think.")
    ]
    plain = cell("fo", 0.0, 0.0, 0.1, "plain", tries=tuple(tries))
    found = judged({"bench": bench(plain, cell("gold", 0.0, 0.0, 0.1, "plain"))})
    assert "1 of 2 plain answers are garbled." in found.evidence


def test_every_model_gets_its_own_word_in_the_order_asked():
    of = race() | {"so": {"forget": scores(60), "retain": scores(98)}}
    assert [v.word for v in verdicts({"bench": QUIET}, of, ["so", "fo"])] == ["leaks", "holds"]
