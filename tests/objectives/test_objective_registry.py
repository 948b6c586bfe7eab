import re

import pytest
from fixed_likelihoods import FORGET_MEAN, batch

from soul_core.config import ObjectiveConfig
from soul_core.errors import ConfigError
from soul_core.objectives import IDEAS, OBJECTIVES, RETAINS, Criterion, find_objective

ORDER = (
    "ga graddiff ga-kl kl wga satimp ihl npo simnpo dpo po random-labels undial ceu pdu finetune rmu input-based icul"
)


def test_the_objectives_stand_in_the_order_of_the_page():
    assert list(OBJECTIVES) == [*ORDER.split(), "influence"]
    assert all(OBJECTIVES[name].name == name == ObjectiveConfig(name=name).name for name in OBJECTIVES)


def test_the_retain_terms_stand_in_the_order_of_the_page():
    assert list(RETAINS) == ["nll", "kl", "hidden", "none"]
    assert {name for name, term in RETAINS.items() if term.needs_logits} == {"kl"}
    assert {name for name, term in RETAINS.items() if term.needs_hidden} == {"hidden"}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_tells_what_it_is(name):
    objective = OBJECTIVES[name]
    assert objective.label and objective.idea in IDEAS
    assert objective.sentence.endswith(".") and objective.sentence[0].isupper() and len(objective.sentence) < 120
    for paper in objective.paper.split("; "):
        assert re.fullmatch(r"[A-Z][A-Za-z .]+ (19|20)\d\d, arXiv:\d{4}\.\d{5}", paper)
    assert balanced(objective.formula)
    assert (objective.forget is None) == (objective.kind != "trained")


@pytest.mark.parametrize("name", RETAINS)
def test_every_retain_term_tells_what_it_is(name):
    term = RETAINS[name]
    assert term.label and term.sentence.endswith(".")
    assert balanced(term.formula) == (name != "none")


def balanced(formula):
    """Not empty; no delimiters, no angle brackets (a page takes them for tags); braces and \\left closed."""
    braces = formula.replace(r"\{", "").replace(r"\}", "")
    pairs = len(re.findall(r"\\left(?![a-z])", formula)) == len(re.findall(r"\\right(?![a-z])", formula))
    return bool(formula) and not set("$<>") & set(formula) and braces.count("{") == braces.count("}") and pairs


def test_no_two_objectives_have_one_label_or_one_sentence():
    for texts in ([o.label for o in OBJECTIVES.values()], [o.sentence for o in OBJECTIVES.values()]):
        assert len(set(texts)) == len(texts)


def test_every_idea_of_the_page_has_an_objective():
    assert {objective.idea for objective in OBJECTIVES.values()} == set(IDEAS)


def test_the_hidden_states_are_held_by_rmu_alone():
    assert [name for name, objective in OBJECTIVES.items() if "hidden" in objective.retains] == ["rmu"]


def test_each_objective_says_what_it_needs():
    needing = {name: objective.needs for name, objective in OBJECTIVES.items() if objective.needs}
    without = {"ga", "graddiff", "wga", "satimp", "ihl", "simnpo", "ceu", "pdu", "finetune"}
    assert set(OBJECTIVES) - set(needing) == without
    assert needing["ga-kl"] == ("the original's distribution at every step",)  # its own retain term's
    assert needing["dpo"] == (
        "a refusal beside each forget answer",
        "the original's likelihood of the forget answers, scored once",
    )


def test_the_registry_does_not_swap_signs():
    # The same likelihoods: ascent wants the forget NLL up, learning other answers wants it down.
    for name, expected in (("ga", -FORGET_MEAN), ("graddiff", -FORGET_MEAN), ("po", FORGET_MEAN)):
        assert Criterion(ObjectiveConfig(name=name))(batch()[0]).forget.item() == expected


def test_a_name_that_is_not_known_is_answered_with_the_nearest_one():
    with pytest.raises(ConfigError, match=r"no objective “simpo”\. Did you mean “simnpo”\?"):
        find_objective("simpo")
