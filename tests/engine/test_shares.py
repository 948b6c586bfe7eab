"""A batch in shares, over time and over processes, against the same batch whole."""

import copy
import math
from functools import cache

import pytest
import torch
from fake_peers import in_threads

from soul_core.config import ObjectiveConfig
from soul_core.data.batches import Batch, collate
from soul_core.data.prompts import Example
from soul_core.engine.forward import Reference, likelihoods_of
from soul_core.engine.shares import Shares, cut
from soul_core.engine.step import seed_of
from soul_core.models.world import ALONE
from soul_core.objectives import OBJECTIVES, losses_for, needs_of
from soul_core.optim import build_optimizer
from soul_core.optim.curvature import CurvaturePlan
from tests.engine.test_loop import CPU, OPTIMIZERS, example, flat, run
from tests.tiny import tiny_model

EVERY = [
    (name, retain)
    for name, objective in OBJECTIVES.items()
    if objective.kind == "trained"
    for retain in objective.retains
]
LAYOUTS = [(1, 1), (2, 1), (3, 1), (0, 2), (1, 3), (0, 8)]
"""Rows at a time (0: all) and processes; of 8, two have no row at all."""
FEW = [(1, 1), (0, 3), (1, 2)]
GRADDIFF = ObjectiveConfig(name="graddiff", gamma=0.7)


def uneven():
    """Three forget rows, of which the last is what is preferred to the first, and three retain rows: 1 to 6 answer
    tokens, longest first, so that no share has its part of the tokens."""
    rows = [example(seed, prompt=2 + seed % 3, answer=6 - seed) for seed in range(6)]
    some = collate(rows, [True] * 3 + [False] * 3, [0, 1, 0, 0, 1, 2], pad_id=0)
    return Batch(
        some.input_ids_BT,
        some.attention_mask_BT,
        some.labels_BT,
        some.is_forget_B,
        some.row_B,
        torch.tensor([False, False, True, False, False, False]),
    )


def unpaired():
    some = uneven()
    return Batch(some.input_ids_BT, some.attention_mask_BT, some.labels_BT, some.is_forget_B, torch.arange(6))


def batch_of(name):
    # DPO looks at both halves of a pair and at nothing else: its second forget row has no other half.
    return uneven().rows(torch.tensor([0, 2, 3, 4, 5])) if name == "dpo" else uneven()


@cache
def reference(rank=0):
    """One for each process: the model's hidden states are collected in it."""
    return Reference(
        nll_N=torch.tensor([[3.0, 2.0], [9.0, 8.0]]),
        model=copy.deepcopy(tiny("llama", 1)).double(),
        logits=True,
        layer=0,
        direction_H=torch.nn.functional.normalize(torch.ones(32).double(), dim=0),
    )


def shares_of(model, config, given, peers=ALONE):
    return Shares(
        model=model,
        device=CPU,
        autocast_dtype=None,
        reference=given,
        peers=peers,
        own_logits=needs_of(config).own_logits,
    )


tiny = cache(lambda arch, seed=0: tiny_model(arch, seed=seed))


def copies(size, dtype=torch.float64):
    """One model for each process, made before there are threads: random numbers are the process's."""
    return [copy.deepcopy(tiny("llama")).to(dtype) for _ in range(size)]


def gradient_in(layout, config, some):
    """Losses and flat gradient in shares, summed over processes."""
    most, size = layout
    models, given = copies(size), [reference(rank) for rank in range(size)]

    def one(peer):
        model = models[peer.rank]
        losses = shares_of(model, config, given[peer.rank], peer).differentiate(
            some, losses_for(config), lambda total: total.backward(), most=most, seed_of=lambda share: 0
        )
        peer.sum_gradients(list(model.parameters()))
        return losses, flat_gradient(model)

    found = in_threads(size, one)
    for losses, gradient in found[1:]:
        assert torch.equal(losses, found[0][0]) and torch.equal(gradient, found[0][1])
    return found[0]


def flat_gradient(model):
    return torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in model.parameters()])


def whole(config, some, given):
    """The same by a plain forward and backward."""
    (model,) = copies(1)
    losses = losses_for(config)(likelihoods_of(model, some, device=CPU, autocast_dtype=None, reference=given))
    losses.total.backward()
    return torch.stack([losses.forget, losses.retain, losses.total]).detach(), flat_gradient(model)


@pytest.mark.parametrize(("name", "retain"), EVERY)
def test_every_objectives_gradient_in_shares_is_that_of_the_whole_batch(name, retain):
    config, some, given = ObjectiveConfig(name=name, retain=retain, gamma=0.7), batch_of(name), reference()
    losses, gradient = whole(config, some, given)
    assert gradient.any()
    for layout in LAYOUTS:
        found, parts = gradient_in(layout, config, some)
        torch.testing.assert_close(found, losses, rtol=1e-9, atol=1e-12)
        assert (parts - gradient).norm() <= 1e-6 * gradient.norm(), layout


def test_the_mean_of_the_shares_own_losses_would_be_another_gradient():
    # The usual bug of accumulated micro-batches: a share of short answers weighs as much as one of long ones.
    some, given = uneven(), reference()
    _, gradient = whole(GRADDIFF, some, given)
    parts = [whole(GRADDIFF, some.rows(torch.tensor(rows)), given)[1] for rows in ([0, 1, 3], [2, 4, 5])]
    assert (sum(parts) / 2 - gradient).norm() > 0.05 * gradient.norm()
    assert (gradient_in((3, 1), GRADDIFF, some)[1] - gradient).norm() <= 1e-9 * gradient.norm()


def test_rows_are_dealt_out_in_turn_and_cut_evenly():
    def dealt(most, size, **settings):
        return [
            [s.batch.row_B.tolist() if len(s.at_n) else [] for s in own]
            for own in cut(some, most=most, size=size, **settings)
        ]

    some = unpaired()
    assert dealt(0, 1) == [[[0, 1, 2, 3, 4, 5]]]
    assert dealt(4, 1) == [[[0, 1, 2], [3, 4, 5]]]
    assert dealt(0, 4) == [[[0, 4]], [[1, 5]], [[2]], [[3]]]
    # As many shares for one process as for another: what has no row left has an empty one.
    assert dealt(1, 4) == [[[0], [4]], [[1], [5]], [[], [2]], [[], [3]]]
    assert [len(own) for own in dealt(0, 8)] == [1] * 8 and dealt(0, 8)[6:] == [[[]], [[]]]


def test_every_answer_token_is_in_one_share():
    for most, size in LAYOUTS:
        at = [share.at_n for own in cut(uneven(), most=most, size=size) for share in own]
        assert sorted(torch.cat(at).tolist()) == list(range(1 + 2 + 3 + 4 + 5 + 6))


def test_a_pair_is_kept_together_where_it_has_to_be():
    some = uneven()
    rows = [share.batch for (own,) in [cut(some, most=1, size=1, whole_pairs=True)] for share in own]
    assert [b.row_B.tolist() for b in rows] == [[0, 0], [1], [0], [1], [2]]
    assert rows[0].is_preferred_B.tolist() == [False, True]


def test_one_share_costs_one_forward_and_more_cost_one_more_each_but_the_last():
    for (most, size), forwards, gathers in (((0, 1), 1, 0), ((2, 1), 3 + 2, 1), ((0, 2), 1, 1), ((1, 3), 2 + 1, 1)):
        models = copies(size)

        def one(peer, most=most, forwards=forwards, gathers=gathers, models=models):
            model, calls = models[peer.rank], []
            model.register_forward_pre_hook(lambda *_: calls.append(torch.is_grad_enabled()))
            shares_of(model, GRADDIFF, Reference(), peer).differentiate(
                unpaired(), losses_for(GRADDIFF), lambda total: total.backward(), most=most, seed_of=lambda share: 0
            )
            # Of objectives that read likelihoods only, one vector is exchanged.
            assert len(calls) == forwards and peer.gathers == gathers
            assert calls == sorted(calls)  # those without a graph come first

        in_threads(size, one)


def test_a_share_draws_the_same_dropout_in_both_of_its_forwards():
    model, seen = tiny_model("gpt2").train(), []

    def losses_of(likelihoods):
        seen.append(likelihoods.nll_B.detach())
        return losses_for(GRADDIFF)(likelihoods)

    settings = {"most": 2, "seed_of": lambda share: seed_of(7, share)}
    with torch.random.fork_rng(devices=[]):
        shares_of(model, GRADDIFF, Reference()).differentiate(
            unpaired(), losses_of, lambda total: total.backward(), **settings
        )
    assert len(seen) == 3
    for other in seen[1:]:
        torch.testing.assert_close(other, seen[0])
    model.eval()
    still = likelihoods_of(model, unpaired(), device=CPU, autocast_dtype=None).nll_B
    assert (still - seen[0]).abs().max() > 1e-3  # and dropout there was


def curvature_in(layout, config, name="graddiff", rows="batch", seed=3):
    """What the first step of a run folds in, in shares."""
    most, size = layout
    objective, models, given = (
        ObjectiveConfig(name=name, gamma=0.7),
        copies(size),
        [reference(rank) for rank in range(size)],
    )
    plan = CurvaturePlan(method=config.curvature, every=1, rows=rows, batch_factor=config.batch_factor)

    def one(peer):
        model = models[peer.rank]
        optimizer = build_optimizer(model, config)
        settings = {"losses_of": losses_for(objective), "reference": given[peer.rank], "curvature": plan}
        settings |= {"peers": peer, "micro_batch": most, "seed": seed}
        list(run(model, config, [batch_of(name)], optimizer=optimizer, **settings))
        return torch.cat([optimizer.state[p]["h"].flatten() for p in model.parameters()])

    return in_threads(size, one)


@pytest.mark.parametrize("rows", ["batch", "forget", "retain"])
def test_gnb_draws_the_same_labels_and_squares_after_adding_up_however_rows_are_shared(rows):
    (expected,) = curvature_in((0, 1), OPTIMIZERS["gnb"], rows=rows)
    assert expected.any()
    for layout in FEW:
        for found in curvature_in(layout, OPTIMIZERS["gnb"], rows=rows):
            assert (found - expected).norm() <= 1e-6 * expected.norm(), layout
    (other,) = curvature_in((0, 1), OPTIMIZERS["gnb"], rows=rows, seed=4)
    assert (other - expected).norm() > 0.1 * expected.norm()


def test_squares_of_shares_would_add_up_to_another_curvature():
    some, given = unpaired(), Reference()
    _, gradient = whole(GRADDIFF, some, given)
    parts = []
    for rows in ([0, 1], [2, 3], [4, 5]):
        (model,) = copies(1)
        everything = likelihoods_of(model, some, device=CPU, autocast_dtype=None).nll_B
        kept = torch.isin(torch.arange(6), torch.tensor(rows))
        likelihoods = likelihoods_of(model, some, device=CPU, autocast_dtype=None)
        mixed = torch.where(kept, everything, everything.detach())
        losses_for(GRADDIFF)(type(likelihoods)(mixed, likelihoods.tokens_B, likelihoods.is_forget_B)).total.backward()
        parts.append(flat_gradient(model))
    torch.testing.assert_close(sum(parts), gradient)
    squares = sum(part**2 for part in parts)
    assert (squares - gradient**2).norm() > 0.1 * (gradient**2).norm()


@pytest.mark.parametrize("name", ["graddiff", "npo", "dpo", "rmu"])
def test_hutchinson_in_shares_is_that_of_the_whole_loss_pairs_included(name):
    (expected,) = curvature_in((0, 1), OPTIMIZERS["hutchinson"], name)
    assert expected.any()
    for layout in FEW:
        for found in curvature_in(layout, OPTIMIZERS["hutchinson"], name):
            assert (found - expected).norm() <= 1e-6 * expected.norm(), layout


@pytest.mark.parametrize("name", ["adamw", "gnb", "squared-gradient", "hutchinson"])
@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-6), (torch.float64, 1e-9)], ids=["32", "64"])
def test_five_steps_in_shares_end_where_five_whole_ones_do(name, dtype, close):
    rows = [[example(10 * i + j, answer=1 + j) for j in range(6)] for i in range(5)]
    some = [collate(six, [True] * 3 + [False] * 3, [0] * 6, pad_id=0) for six in rows]
    # A gradient that is 0 but for rounding moves its weight by as much as the rate.
    lr = 1e-4
    config = OPTIMIZERS[name].but(lr=lr)

    def ends(layout):
        most, size = layout
        models = copies(size, dtype)

        def one(peer):
            model = models[peer.rank]
            settings = {"lr_at": lambda step: lr, "own_logits": False, "peers": peer, "micro_batch": most}
            reports = list(run(model, config, some, **settings))
            told = [(r.forget_loss, r.retain_loss, r.total_loss, r.grad_norm, r.clip_share or 0) for r in reports]
            return told, flat(model)

        return in_threads(size, one)

    ((told, expected),) = ends((0, 1))
    moved = (expected - flat(copies(1, dtype)[0])).abs().max()
    assert moved > 4 * lr
    for layout in [(2, 1), (1, 2)]:
        for reports, found in ends(layout):
            assert (found - expected).abs().max() < close
            for report, other in zip(reports, told, strict=True):
                assert report == pytest.approx(other, rel=1e-4, abs=1e-6)


def test_the_batch_of_one_row_is_one_share_for_one_process_and_nothing_for_the_other():
    config, given = ObjectiveConfig(name="ga"), Reference()
    some = collate([Example((5, 6, 7, 8), prompt_length=2)], [True], [0], pad_id=0)
    losses, gradient = whole(config, some, given)
    found, parts = gradient_in((0, 2), config, some)
    torch.testing.assert_close(found, losses)
    torch.testing.assert_close(parts, gradient)
    assert math.isfinite(found[2]) and gradient.any()


def test_rows_at_a_time_are_not_negative():
    with pytest.raises(ValueError, match="micro_batch starts at 0, got -1"):
        list(run(tiny_model("llama"), OPTIMIZERS["adamw"], [unpaired()], micro_batch=-1))
