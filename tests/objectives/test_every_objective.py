"""What holds for every objective that is trained, with every retain term it can have."""

import itertools

import pytest
import torch
from fixed_tokens import BY_HAND, OPTIONS, RETAIN_BY_HAND, case

from soul_core.config import ObjectiveConfig
from soul_core.objectives import OBJECTIVES, Criterion

TRAINED = [name for name, objective in OBJECTIVES.items() if objective.kind == "trained"]
EVERY = [(name, retain) for name in TRAINED for retain in OBJECTIVES[name].retains]
GAMMA = 0.7


def criterion(name, retain="default", **options):
    return Criterion(ObjectiveConfig(name=name, retain=retain, gamma=GAMMA, **{**OPTIONS.get(name, {}), **options}))


def gradients(fixed, loss):
    return fixed.gradient(loss), fixed.gradient(loss, "hidden")


def test_every_trained_objective_was_worked_out_by_hand():
    assert list(BY_HAND) == TRAINED


@pytest.mark.parametrize("name", TRAINED)
def test_the_forget_term_has_the_value_worked_out_by_hand(name):
    assert criterion(name)(case().likelihoods).forget.item() == pytest.approx(BY_HAND[name], rel=1e-12)


@pytest.mark.parametrize(("name", "retain"), EVERY)
def test_the_total_is_the_forget_term_plus_gamma_times_the_retain_term(name, retain):
    losses = criterion(name, retain)(case().likelihoods)
    assert losses.total.item() == pytest.approx(BY_HAND[name] + GAMMA * RETAIN_BY_HAND[retain], rel=1e-12)


@pytest.mark.parametrize(("name", "retain"), EVERY)
def test_the_retain_nll_is_reported_unweighted_whatever_protects_the_rows(name, retain):
    assert criterion(name, retain)(case().likelihoods).retain.item() == pytest.approx(RETAIN_BY_HAND["nll"])


@pytest.mark.parametrize(("name", "retain"), EVERY)
def test_gradients_are_finite_and_reach_forget_and_retain_tokens_alone(name, retain):
    # ``Case.gradient`` fails if prompt or padding is pushed.
    fixed = case()
    logits, hidden = gradients(fixed, criterion(name, retain)(fixed.likelihoods).total)
    assert logits.isfinite().all() and hidden.isfinite().all()
    pushed = [bool(logits[:3].any() or hidden[:3].any()), bool(logits[3:].any() or hidden[3:].any())]
    assert pushed == [name != "finetune", retain != "none"]


@pytest.mark.parametrize(("name", "retain"), EVERY)
def test_the_references_receive_no_gradient(name, retain):
    fixed = case()
    total = criterion(name, retain)(fixed.likelihoods).total
    for what, leaf in fixed.references.items():
        (found,) = torch.autograd.grad(total, leaf, allow_unused=True, retain_graph=True)
        assert found is None, f"the reference's {what} are pushed"


@pytest.mark.parametrize(("name", "retain"), EVERY)
def test_columns_of_prompt_and_padding_change_neither_value_nor_gradient(name, retain):
    narrow = case()
    expected = criterion(name, retain)(narrow.likelihoods).total
    for before, after in ((3, 0), (0, 4), (2, 2)):
        wide = case(before=before, after=after)
        total = criterion(name, retain)(wide.likelihoods).total
        assert total.item() == pytest.approx(expected.item(), rel=1e-12)
        for found, usual in zip(gradients(wide, total), gradients(narrow, expected), strict=True):
            torch.testing.assert_close(found, usual)


@pytest.mark.parametrize(("name", "retain"), EVERY)
def test_the_order_of_the_rows_changes_no_value_and_moves_each_gradient_with_its_row(name, retain):
    straight = case()
    expected = criterion(name, retain)(straight.likelihoods).total
    for order in itertools.permutations(range(4)):
        shuffled = case(order)
        total = criterion(name, retain)(shuffled.likelihoods).total
        assert total.item() == pytest.approx(expected.item(), rel=1e-12)
        for found, usual in zip(gradients(shuffled, total), gradients(straight, expected), strict=True):
            torch.testing.assert_close(found, usual)


@pytest.mark.parametrize(("name", "retain"), EVERY)
def test_a_batch_without_retain_rows_is_trained_on_its_forget_rows(name, retain):
    # Rows C and D have no answers any more: the retain term is 0 and pushes nothing.
    fixed = case()
    only = case(labels_kept=3)
    losses = criterion(name, retain)(only.likelihoods)
    assert losses.total.item() == pytest.approx(BY_HAND[name], rel=1e-12)
    alone = criterion(name, retain)(fixed.likelihoods).forget
    if alone.requires_grad:
        torch.testing.assert_close(only.gradient(losses.total)[:3], fixed.gradient(alone)[:3])


def test_single_precision_comes_close_to_double():
    for name, retain in EVERY:
        losses = criterion(name, retain)(case(dtype=torch.float32).likelihoods)
        assert losses.total.dtype == torch.float32
        expected = BY_HAND[name] + GAMMA * RETAIN_BY_HAND[retain]
        assert losses.total.item() == pytest.approx(expected, rel=1e-5, abs=1e-6)
