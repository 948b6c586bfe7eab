import itertools
from typing import get_args

import pytest
from fixed_likelihoods import FORGET_MEAN, RETAIN_MEAN, batch, gradient

from soul_core.config import ObjectiveConfig, ObjectiveName
from soul_core.objectives import OBJECTIVES, losses_for

REF = [1.0, 14.0, 0.0, 0.0]


def losses_of(name, likelihoods, **settings):
    return losses_for(ObjectiveConfig(name=name, **settings))(likelihoods)


def test_every_name_a_setting_can_have_is_an_objective_under_that_name():
    assert tuple(OBJECTIVES) == get_args(ObjectiveName)
    assert all(OBJECTIVES[name].name == name for name in OBJECTIVES)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_order_of_the_rows_changes_no_value_and_moves_each_gradient_with_its_row(name):
    straight, nll = batch(ref=REF)
    expected = losses_of(name, straight, gamma=0.7, beta=0.5)
    gradients = gradient(expected.total, nll)
    for order in itertools.permutations(range(4)):
        shuffled, leaf = batch(order, ref=REF)
        losses = losses_of(name, shuffled, gamma=0.7, beta=0.5)
        assert losses.total.item() == pytest.approx(expected.total.item(), rel=1e-12)
        assert gradient(losses.total, leaf) == pytest.approx([gradients[i] for i in order], rel=1e-12)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_retain_loss_is_reported_unweighted_by_every_objective(name):
    assert losses_of(name, batch(ref=REF)[0], gamma=5.0).retain.item() == RETAIN_MEAN


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_settings_an_objective_lists_are_those_that_change_its_loss(name):
    usual = losses_of(name, batch(ref=REF)[0], gamma=1.0, beta=0.5).total.item()
    changed = {
        setting
        for setting, value in (("gamma", 2.0), ("beta", 1.0))
        if losses_of(name, batch(ref=REF)[0], **{"gamma": 1.0, "beta": 0.5, setting: value}).total.item() != usual
    }
    assert changed == set(OBJECTIVES[name].settings)


def test_only_npo_asks_for_a_reference_and_only_po_for_refusals():
    assert [name for name, objective in OBJECTIVES.items() if objective.needs_reference] == ["npo"]
    assert [name for name, objective in OBJECTIVES.items() if objective.needs_refusals] == ["po"]


def test_the_registry_does_not_swap_signs():
    # The same likelihoods: GA and GradDiff want the forget NLL up, PO wants it down.
    for name, expected in (("ga", -FORGET_MEAN), ("graddiff", -FORGET_MEAN), ("po", FORGET_MEAN)):
        assert losses_of(name, batch()[0]).forget.item() == expected
