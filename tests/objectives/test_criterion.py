from dataclasses import replace
from typing import Annotated

import pytest
import torch
from fixed_likelihoods import FORGET_MEAN, RETAIN_MEAN, batch, gradient
from fixed_tokens import LN2, case
from pydantic import Field

from soul_core.config import ObjectiveConfig
from soul_core.errors import ConfigError
from soul_core.objectives import (
    OBJECTIVES,
    Criterion,
    Needs,
    Objective,
    find_objective,
    losses_for,
    needs_of,
    options_of,
    register_objective,
    retain_name,
)
from soul_core.objectives.likelihoods import Likelihoods, forget_nll


def losses_of(name, likelihoods, **settings):
    return losses_for(ObjectiveConfig(name=name, **settings))(likelihoods)


def test_gradient_ascent_watches_the_retain_loss_without_using_it():
    likelihoods, nll = batch()
    losses = losses_of("ga", likelihoods, gamma=5.0)
    assert losses.total.item() == losses.forget.item() == -FORGET_MEAN
    assert losses.retain.item() == RETAIN_MEAN and not losses.retain.requires_grad
    assert gradient(losses.total, nll) == [-0.25, -0.25, 0.0, 0.0]


def test_gradient_difference_adds_gamma_times_the_retain_mean():
    likelihoods, nll = batch()
    losses = losses_of("graddiff", likelihoods, gamma=2.0)
    assert losses.total.item() == -FORGET_MEAN + 2 * RETAIN_MEAN
    assert (losses.forget.item(), losses.retain.item()) == (-FORGET_MEAN, RETAIN_MEAN)  # unweighted
    assert gradient(losses.total, nll) == pytest.approx([-0.25, -0.25, 2 / 6, 2 / 6])


def test_gamma_0_and_no_retain_term_push_alike():
    for settings in ({"gamma": 0.0}, {"retain": "none"}):
        likelihoods, nll = batch()
        assert gradient(losses_of("graddiff", likelihoods, **settings).total, nll) == [-0.25, -0.25, 0.0, 0.0]


def test_a_long_retain_row_does_not_weaken_the_forget_term():
    # One mean over all tokens of the batch would make each forget token push with 1/10.
    likelihoods, nll = batch()
    assert gradient(losses_of("graddiff", likelihoods).total, nll)[0] == -0.25


def test_the_default_retain_term_is_the_objectives_first():
    chosen = {name: retain_name(ObjectiveConfig(name=name)) for name in ("ga", "graddiff", "ga-kl", "rmu", "undial")}
    assert chosen == {"ga": "none", "graddiff": "nll", "ga-kl": "kl", "rmu": "hidden", "undial": "none"}


@pytest.mark.parametrize(("name", "retain"), [("ga", "nll"), ("npo", "hidden"), ("pdu", "none"), ("finetune", "none")])
def test_a_retain_term_that_does_not_fit_is_refused_with_those_that_do(name, retain):
    with pytest.raises(
        ConfigError, match=f"cannot have the retain term “{retain}”. Choose {OBJECTIVES[name].retains[0]}"
    ):
        Criterion(ObjectiveConfig(name=name, retain=retain))


def test_what_is_needed_of_the_original_is_what_both_terms_need():
    def needs(name, **settings):
        return needs_of(ObjectiveConfig(name=name, **settings))

    nothing = Needs(nll=False, logits=False, hidden=False, own_logits=False)
    assert needs("graddiff") == needs("simnpo") == needs("wga") == nothing
    own = replace(nothing, own_logits=True)
    assert needs("pdu") == needs("ihl") == needs("influence") == own
    assert needs("npo") == needs("dpo") == replace(nothing, nll=True)
    assert needs("npo", retain="kl") == replace(own, nll=True, logits=True)
    assert needs("ga-kl") == needs("kl") == needs("undial") == replace(own, logits=True)
    assert needs("ga-kl", retain="nll") == nothing
    assert needs("rmu") == needs("rmu", retain="nll") == replace(nothing, hidden=True)


@pytest.mark.parametrize("name", ["input-based", "icul", "influence"])
def test_what_is_not_trained_has_no_loss(name):
    with pytest.raises(ConfigError, match="is not trained step by step"):
        Criterion(ObjectiveConfig(name=name))


def test_the_weight_of_a_constraint_moves_from_gamma_with_the_retain_loss():
    config = ObjectiveConfig(name="pdu", gamma=2.0, budget=0.25, dual_rate=3.0)
    criterion, likelihoods = Criterion(config), case().likelihoods
    before = criterion(likelihoods)
    criterion.stepped(0.75)
    after = criterion(likelihoods)
    assert criterion.weight == 3.5
    # 5/3 ln 2 of retain loss, weighed by 1.5 more.
    assert (after.total - before.total).item() == pytest.approx(1.5 * 5 / 3 * LN2)
    assert after.retain.item() == before.retain.item()
    assert Criterion(config, weight=3.5)(likelihoods).total.item() == after.total.item()  # a resumed lane


def test_every_other_weight_stays_at_gamma():
    criterion = Criterion(ObjectiveConfig(name="npo", gamma=2.0))
    criterion.stepped(100.0)
    assert criterion.weight == 2.0


def capped_ascent(
    likelihoods: Likelihoods,
    *,
    cap: Annotated[float, Field(gt=0, title="Cap", description="Where the ascent ends.")] = 2.5,
) -> torch.Tensor:
    return -forget_nll(likelihoods).clamp(max=cap)


def capped(**changes):
    entry = {
        "name": "capped",
        "label": "Capped",
        "idea": "ascent",
        "sentence": "Climb to the cap.",
        "formula": "-x",
        "paper": "none",
        "forget": capped_ascent,
    }
    return Objective(**{**entry, **changes})


@pytest.fixture
def registered():
    """Registers; afterwards the registry is as it was."""
    before = dict(OBJECTIVES)
    yield register_objective
    OBJECTIVES.clear()
    OBJECTIVES.update(before)


def test_an_objective_of_ones_own_is_configured_and_trained_like_any_other(registered):
    registered(capped())
    assert options_of(ObjectiveConfig(name="capped")) == {"cap": 2.5}
    assert losses_of("capped", batch()[0]).forget.item() == -2.5
    likelihoods, nll = batch()
    losses = losses_of("capped", likelihoods, cap=4.0, gamma=2.0)
    assert losses.total.item() == -FORGET_MEAN + 2 * RETAIN_MEAN
    assert gradient(losses.total, nll) == pytest.approx([-0.25, -0.25, 2 / 6, 2 / 6])
    with pytest.raises(ConfigError, match="Cap is 0"):
        options_of(ObjectiveConfig(name="capped", cap=0))


def test_the_registry_is_as_it_was_after_such_a_test():
    with pytest.raises(ConfigError, match="no objective “capped”"):
        find_objective("capped")


def test_an_objective_that_cannot_work_is_refused_when_it_is_registered(registered):
    def untyped(likelihoods, *, cap=1.0):
        return -forget_nll(likelihoods)

    def like_gamma(likelihoods, *, gamma: float = 1.0):
        return -forget_nll(likelihoods)

    with pytest.raises(TypeError, match="setting cap needs a type and a default"):
        registered(capped(forget=untyped))
    with pytest.raises(ConfigError, match="has a setting “gamma”"):
        registered(capped(forget=like_gamma))
    with pytest.raises(ConfigError, match=r"has the retain term “l2”\. Choose among nll, kl, hidden, none"):
        registered(capped(retains=("nll", "l2")))
    with pytest.raises(ConfigError, match="“npo” already"):
        registered(capped(name="npo"))
    assert "capped" not in OBJECTIVES
