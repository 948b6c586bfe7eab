"""What the pickers offer and say."""

import pytest

from soul_core.config import WeightsConfig
from soul_core.objectives import IDEAS, OBJECTIVES, RETAINS, find_objective
from soul_core.session.methods import NAMED, method_names
from soul_core.ui import text
from soul_core.ui.picker import (
    formula_of,
    has_retain,
    idea_choices,
    is_trained,
    method_choices,
    methods_for,
    methods_html,
    needs_of,
    objective_choices,
    objective_text,
    preset_html,
    retain_choices,
)
from tests.ui.scenes import TRAINED, UNTRAINED


def test_every_objective_is_under_exactly_one_idea_in_the_page_s_order():
    ideas = [idea for _, idea in idea_choices()]
    assert ideas == [idea for idea in IDEAS if idea in ideas]
    found = [name for idea in ideas for _, name in objective_choices(idea)]
    assert sorted(found) == sorted(OBJECTIVES)
    assert all(find_objective(name).idea == idea for idea in ideas for _, name in objective_choices(idea))


@pytest.mark.parametrize("objective", TRAINED)
def test_the_formula_is_the_forget_term_plus_gamma_times_the_retain_term(objective):
    forget = find_objective(objective).formula.split(r", \quad")[0]
    for _, retain in retain_choices(objective):
        shown = formula_of(objective, retain)
        assert forget in shown
        if retain == "none":
            assert r"\gamma" not in shown
        else:
            assert rf"+ \gamma \cdot {RETAINS[retain].formula}" in shown


def test_what_a_letter_means_stands_below_both_terms():
    shown = formula_of("wga", "nll")
    assert shown.index(r"\gamma") < shown.index("p_t = ") < shown.index(r"\end{aligned}")
    assert r"\quad" not in shown


@pytest.mark.parametrize("objective", UNTRAINED)
def test_what_is_not_trained_has_its_own_formula_alone(objective):
    assert formula_of(objective, "none") == find_objective(objective).formula
    assert not is_trained(objective)


def test_the_words_below_the_formula_name_paper_and_needs_once():
    said = objective_text("kl", "kl")
    assert find_objective("kl").paper in said
    assert said.count(text.NEEDS_LOGITS) == 1  # both terms look at the original's distribution
    assert f"{text.NEEDS}:" not in objective_text("graddiff", "nll")
    assert text.NEEDS_LOGITS in objective_text("graddiff", "kl")


def test_two_retain_terms_are_told_apart():
    assert "SO's retain term is KL" in objective_text("graddiff", "nll", "kl")
    assert "SO's" not in objective_text("graddiff", "nll", "nll")


def test_the_page_says_needs_in_the_registry_s_words():
    # Written twice, because the registry has words for the forget term alone: here they are held together.
    assert text.NEEDS_LOGITS in find_objective("kl").needs
    assert text.NEEDS_HIDDEN in find_objective("rmu").needs
    assert needs_of(find_objective("rmu"), "hidden") == (text.NEEDS_HIDDEN,)


def test_retain_terms_are_those_of_the_objective_its_own_first():
    assert [name for _, name in retain_choices("rmu")] == ["hidden", "nll", "kl", "none"]
    assert retain_choices("graddiff")[0] == ("NLL", "nll")
    assert has_retain("graddiff") and not has_retain("ga")


def test_every_method_is_offered_under_a_readable_label():
    choices = method_choices()
    assert [name for _, name in choices] == method_names()
    assert ("SO-NPO", "so-npo") in choices
    assert len({label for label, _ in choices}) == len(choices)


@pytest.mark.parametrize("objective", UNTRAINED)
def test_a_method_without_fo_and_so_is_raced_against_those_of_graddiff(objective):
    *against, last = methods_for(objective)
    assert against == ["fo-graddiff", "so-graddiff"]
    assert NAMED[last].objective == objective
    assert methods_for("npo") == ["fo-npo", "so-npo"]


def test_each_chosen_method_is_said_and_what_is_none_is_left_out():
    shown = methods_html(["loku", "so-npo-lora", "<b>", "mine=so-po"], "same-settings")
    assert shown.count("<li>") == 3
    assert methods_html(["fo-po", "so-po"], "same-settings").count("<li>") == 1  # one objective, one sentence
    assert NAMED["loku"].sentence in shown
    assert "<code>mine</code>" in shown
    assert methods_html([], "same-settings") == ""


def test_only_the_studied_objective_has_the_finding_and_every_one_has_a_source():
    assert text.FINDING in preset_html("same-settings", "graddiff")
    assert text.FINDING not in preset_html("same-settings", "npo")
    assert text.FINDING not in preset_html("same-settings", "graddiff", weights=WeightsConfig(kind="lora"))
    assert text.FINDING not in preset_html("same-settings", "graddiff", edited=True)
    assert text.PRESET_OF_METHODS in preset_html("same-settings")
    for objective in TRAINED:
        assert text.SETTINGS_FROM in preset_html("as-published", objective)
