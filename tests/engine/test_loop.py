import copy
import math

import pytest
import torch

from soul_core.config import ObjectiveConfig, OptimizerConfig
from soul_core.data.batches import IGNORED, collate
from soul_core.data.prompts import Example
from soul_core.engine import unlearn
from soul_core.engine.forward import Reference, likelihoods_of
from soul_core.engine.loop import _finite
from soul_core.errors import Diverged, RunError
from soul_core.objectives import Losses, losses_for
from soul_core.optim import build_optimizer, curvature_plan
from soul_core.optim.curvature import CurvaturePlan
from tests.tiny import tiny_model

CPU = torch.device("cpu")
LR = 2e-3
GRADDIFF = losses_for(ObjectiveConfig(name="graddiff", gamma=0.5))
OPTIMIZERS = {
    "adamw": OptimizerConfig(name="adamw", lr=LR, weight_decay=0.1),
    "gnb": OptimizerConfig(name="sophia", lr=LR, beta2=0.9, curvature_every=2, weight_decay=0.1),
    "squared-gradient": OptimizerConfig(
        name="sophia", lr=LR, beta2=0.9, curvature="squared-gradient", curvature_every=2, batch_factor=20_000
    ),
    "hutchinson": OptimizerConfig(name="sophia", lr=LR, curvature="hutchinson", curvature_every=2, beta2=0.9),
    "soul-release": OptimizerConfig(name="soul-release", lr=LR, weight_decay=0.1),
    "sign-momentum": OptimizerConfig(name="sign-momentum", lr=LR),
    "sgd": OptimizerConfig(name="sgd", lr=LR, weight_decay=0.1),
}


def example(seed, prompt=3, answer=4):
    draw = torch.Generator().manual_seed(seed)
    return Example(tuple(torch.randint(1, 300, (prompt + answer,), generator=draw).tolist()), prompt)


def batches(count, *, answer=4):
    """Two forget and two retain rows in each; all rows differ."""
    return [
        collate(
            [example(4 * i + j, answer=answer) for j in range(4)], [True, True, False, False], [0, 1, 0, 1], pad_id=0
        )
        for i in range(count)
    ]


def run(model, optimizer_config, some_batches, *, optimizer=None, **changes):
    optimizer = optimizer or build_optimizer(model, optimizer_config)
    settings = {
        "lr_at": lambda step: LR,
        "max_grad_norm": 1.0,
        "device": CPU,
        "memory_mb": lambda: 12.5,
        "curvature": curvature_plan(optimizer_config),
        "seed": 3,
    }
    return unlearn(model, some_batches, changes.pop("losses_of", GRADDIFF), optimizer, **{**settings, **changes})


def flat(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def gradient_of(model, batch, losses_of=GRADDIFF):
    """Loss and flat gradient by a plain forward and backward."""
    losses = losses_of(likelihoods_of(model, batch, device=CPU, autocast_dtype=None))
    gradients = torch.autograd.grad(losses.total, list(model.parameters()))
    return losses, torch.cat([g.flatten() for g in gradients])


def test_one_adamw_step_is_torchs_on_the_clipped_gradient_and_the_report_says_what_happened():
    model = tiny_model("llama")
    twin = copy.deepcopy(model)
    (batch,) = batches(1)
    losses, gradient = gradient_of(twin, batch)
    norm = gradient.norm().item()
    assert norm > 0.5  # so that clipping at 0.5 acts
    decayed = [p for p in twin.parameters() if p.ndim >= 2]
    bare = [p for p in twin.parameters() if p.ndim < 2]
    plain = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.1}, {"params": bare, "weight_decay": 0.0}], lr=LR, foreach=False
    )
    for p, g in zip(twin.parameters(), gradient.split([p.numel() for p in twin.parameters()]), strict=True):
        p.grad = (g * 0.5 / norm).view_as(p)
    before = flat(model)
    plain.step()
    (report,) = run(model, OPTIMIZERS["adamw"], [batch], max_grad_norm=0.5)
    # Adam divides small gradients by themselves: a rounding difference in a near-0 gradient may flip a whole step.
    off = (flat(model) - flat(twin)).abs() > 1e-6
    assert off.float().mean() < 1e-3
    assert report.step == 1 and report.lr == LR and report.clip_share is None and report.memory_mb == 12.5
    assert report.forget_loss == pytest.approx(losses.forget.item(), rel=1e-5)
    assert report.retain_loss == pytest.approx(losses.retain.item(), rel=1e-5)
    assert report.total_loss == pytest.approx(losses.total.item(), rel=1e-5)
    assert report.grad_norm == pytest.approx(norm, rel=1e-4)  # before clipping
    assert report.update_norm == pytest.approx((flat(model) - before).norm().item(), rel=1e-4)
    assert report.tokens_per_second == pytest.approx(4 * 7 / report.seconds)


def test_two_sophia_steps_with_squared_gradients_are_the_formula_on_the_clipped_gradient():
    # h is estimated at step 1 only (every 2 steps): 0.1 * 20000 * g1^2. m: 0.1 g1, then 0.9 m + 0.1 g2.
    model = tiny_model("llama")
    theta, m, h = flat(model), 0.0, 0.0
    two = batches(2)
    for step, batch in enumerate(two, start=1):
        twin = copy.deepcopy(model)
        torch.nn.utils.vector_to_parameters(theta.clone(), twin.parameters())
        _, g = gradient_of(twin, batch)
        g = g * min(1.0, 0.5 / g.norm().item())
        if step == 1:
            h = 0.1 * 20_000 * g**2
        m = 0.9 * m + 0.1 * g
        ratio = m / (0.04 * h).clamp_min(1e-15)
        theta = theta - LR * ratio.clamp(-1, 1)
    reports = list(run(model, OPTIMIZERS["squared-gradient"], two, max_grad_norm=0.5))
    off = (flat(model) - theta).abs() > 1e-6
    assert off.float().mean() < 1e-3
    assert 0.1 < reports[1].clip_share < 0.9  # so that both curvature and clip are in play
    assert reports[1].clip_share == pytest.approx((ratio.abs() >= 1).float().mean().item(), abs=1e-3)


def test_gnb_curvature_comes_from_the_chosen_rows_and_from_drawn_labels():
    (batch,) = batches(1)
    momenta = {}
    curvatures = {}
    for rows in ("batch", "forget", "retain"):
        model = tiny_model("llama")
        config = OPTIMIZERS["gnb"].but(curvature_rows=rows)
        optimizer = build_optimizer(model, config)
        list(run(model, config, [batch], optimizer=optimizer))
        momenta[rows] = torch.cat([s["m"].flatten() for s in optimizer.state.values()])
        curvatures[rows] = torch.cat([s["h"].flatten() for s in optimizer.state.values()])
    # The training gradient is the same whatever the curvature was estimated on.
    assert torch.equal(momenta["batch"], momenta["forget"]) and torch.equal(momenta["batch"], momenta["retain"])
    assert not torch.equal(curvatures["forget"], curvatures["retain"])
    # An embedding row can only have curvature if its token is in a chosen row (the head is untied).
    model = tiny_model("llama")
    config = OPTIMIZERS["gnb"].but(curvature_rows="forget")
    optimizer = build_optimizer(model, config)
    list(run(model, config, [batch], optimizer=optimizer))
    seen = optimizer.state[model.get_input_embeddings().weight]["h"].any(dim=1).nonzero().flatten().tolist()
    assert set(seen) <= set(batch.input_ids_BT[:2].flatten().tolist())


def test_curvature_is_estimated_at_step_1_and_then_every_k_steps_counted_over_the_whole_run():
    model = tiny_model("llama")
    config = OPTIMIZERS["gnb"].but(curvature_every=3)
    optimizer = build_optimizer(model, config)
    seen, weight = [], next(model.parameters())
    for first_step, count in ((1, 2), (3, 3)):
        for _ in run(model, config, batches(count), optimizer=optimizer, first_step=first_step):
            seen.append(optimizer.state[weight]["h"].sum().item())
    assert [a != b for a, b in zip([0.0, *seen], seen, strict=False)] == [True, False, False, True, False]


@pytest.mark.parametrize("name", ["adamw", "squared-gradient"])
def test_accumulating_equal_batches_is_one_large_batch(name):
    parts = batches(2)
    whole = collate([example(i) for i in (0, 1, 4, 5, 2, 3, 6, 7)], [True] * 4 + [False] * 4, [0] * 8, pad_id=0)
    config = OPTIMIZERS[name]
    one, other = tiny_model("llama"), tiny_model("llama")
    (split,) = run(one, config, parts, accumulation=2)
    (full,) = run(other, config, [whole])
    for name in ("forget_loss", "retain_loss", "total_loss", "grad_norm"):
        assert getattr(split, name) == pytest.approx(getattr(full, name), rel=1e-5)
    assert ((flat(one) - flat(other)).abs() > 1e-6).float().mean() < 1e-3


def test_a_last_group_that_is_short_is_averaged_over_its_own_size():
    three = batches(3)
    reports = list(run(tiny_model("llama"), OPTIMIZERS["adamw"], three, accumulation=2, lr_at=lambda step: 0.0))
    assert [report.step for report in reports] == [1, 2]
    _, gradient = gradient_of(tiny_model("llama"), three[2])
    assert reports[1].grad_norm == pytest.approx(gradient.norm().item(), rel=1e-4)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("arch", ["llama", "gpt2"])
def test_the_same_seed_gives_the_same_bits_dropout_included(name, arch):
    results = []
    for noise in (1, 2):
        torch.manual_seed(noise)  # what the process drew before must not matter
        model = tiny_model(arch)
        results.append((list(run(model, OPTIMIZERS[name], batches(3))), flat(model)))
    (first, weights), (second, others) = results
    assert torch.equal(weights, others)
    assert [(r.total_loss, r.grad_norm, r.update_norm, r.clip_share) for r in first] == [
        (r.total_loss, r.grad_norm, r.update_norm, r.clip_share) for r in second
    ]


def test_another_seed_draws_other_curvature_labels():
    ends = []
    for seed in (0, 1):
        model = tiny_model("llama")
        list(run(model, OPTIMIZERS["gnb"], batches(1), seed=seed))
        ends.append(flat(model))
    assert not torch.equal(*ends)


def test_each_step_draws_anew():
    model = tiny_model("llama")
    config = OPTIMIZERS["gnb"].but(curvature_every=1, beta2=0.0)
    optimizer = build_optimizer(model, config)
    weight = model.get_output_embeddings().weight
    steps = run(model, config, batches(1) * 2, optimizer=optimizer, lr_at=lambda step: 0.0)
    first, second = (optimizer.state[weight]["h"].clone() for _ in steps)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("arch", ["llama", "gpt2"])
def test_a_run_continued_from_saved_state_equals_an_unbroken_one_bit_for_bit(name, arch):
    config, five = OPTIMIZERS[name], batches(5)
    falling = {"lr_at": lambda step: LR / step}
    unbroken = tiny_model(arch)
    list(run(unbroken, config, five, **falling))

    model = tiny_model(arch)
    optimizer = build_optimizer(model, config)
    list(run(model, config, five[:3], optimizer=optimizer, **falling))
    saved = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
    torch.rand(10)
    resumed = tiny_model(arch, seed=99)
    resumed.load_state_dict(saved[0])
    other = build_optimizer(resumed, config)
    other.load_state_dict(saved[1])
    reports = list(run(resumed, config, five[3:], optimizer=other, first_step=4, **falling))
    assert [report.step for report in reports] == [4, 5]
    assert torch.equal(flat(resumed), flat(unbroken))


def test_a_non_finite_loss_is_not_applied_and_says_what_to_change():
    model = tiny_model("llama")
    before, optimizer = flat(model), build_optimizer(model, OPTIMIZERS["adamw"])

    def broken(likelihoods):
        losses = GRADDIFF(likelihoods)
        return Losses(losses.forget, losses.retain, losses.total * math.nan)

    with pytest.raises(Diverged, match=r"^Step 1: the loss is nan.*not taken.*Lower the learning rate .*0\.002"):
        list(run(model, OPTIMIZERS["adamw"], batches(2), losses_of=broken, optimizer=optimizer))
    assert torch.equal(flat(model), before)
    assert not optimizer.state
    assert all(p.grad is None for p in model.parameters())


def test_a_finite_loss_with_a_non_finite_gradient_is_not_applied():
    model = tiny_model("llama")
    before = flat(model)

    def root_at_zero(likelihoods):
        losses = GRADDIFF(likelihoods)
        zero = (likelihoods.nll_B.sum() * 0.0).sqrt()  # 0, with an infinite slope
        return Losses(losses.forget, losses.retain, losses.total + zero)

    with pytest.raises(Diverged, match="the norm of the gradient nan"):
        list(run(model, OPTIMIZERS["sign-momentum"], batches(1), losses_of=root_at_zero))
    assert torch.equal(flat(model), before)


def test_non_finite_curvature_is_not_folded_in():
    model = tiny_model("llama")
    optimizer = build_optimizer(model, OPTIMIZERS["gnb"])
    plan = CurvaturePlan(method="gnb", every=1, batch_factor=1e38)
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(1e-6)  # steep: the norm layer divides by it
    before = flat(model)
    with pytest.raises(Diverged, match="curvature is not finite"):
        list(run(model, OPTIMIZERS["gnb"], batches(1), optimizer=optimizer, curvature=plan))
    assert torch.equal(flat(model), before) and not optimizer.state


def test_closing_the_iterator_leaves_the_weights_of_the_last_report():
    model = tiny_model("llama")
    steps = run(model, OPTIMIZERS["adamw"], batches(3))
    next(steps)
    after_one = flat(model)
    steps.close()
    assert torch.equal(flat(model), after_one)


@pytest.mark.parametrize("training", [True, False])
def test_between_steps_the_model_is_as_it_was_given_and_holds_no_gradients(training):
    model = tiny_model("gpt2").train(training)
    modes = []
    model.register_forward_pre_hook(lambda module, _: modes.append(module.training))
    for _ in run(model, OPTIMIZERS["gnb"], batches(2)):
        assert model.training is training
        assert all(p.grad is None for p in model.parameters())
    assert modes == [True] * 3  # two steps and one curvature estimate


def test_the_rate_of_each_step_is_what_the_schedule_says():
    reports = list(run(tiny_model("llama"), OPTIMIZERS["sign-momentum"], batches(2), lr_at=lambda step: 0.01 * step))
    assert [report.lr for report in reports] == [0.01, 0.02]
    # Every weight that has a gradient moves by the rate.
    assert reports[1].update_norm / reports[0].update_norm == pytest.approx(2.0, rel=0.05)


def test_forget_and_retain_rows_share_one_forward():
    model, calls = tiny_model("llama"), []
    model.register_forward_pre_hook(lambda *_: calls.append(1))
    list(run(model, OPTIMIZERS["adamw"], batches(3)))
    assert len(calls) == 3


def test_npo_reads_the_reference_of_each_row():
    batch = batches(1)[0]
    npo = losses_for(ObjectiveConfig(name="npo", gamma=0.0, beta=0.1))
    model = tiny_model("llama")
    with torch.no_grad():
        nll = likelihoods_of(model, batch, device=CPU, autocast_dtype=None).nll_B[:2]
    (report,) = run(model, OPTIMIZERS["adamw"], [batch], losses_of=npo, reference=Reference(nll_N=nll))
    assert report.forget_loss == pytest.approx(2 * math.log(2) / 0.1, rel=1e-5)


def test_the_process_random_state_is_left_alone():
    before = torch.get_rng_state()
    list(run(tiny_model("gpt2"), OPTIMIZERS["gnb"], batches(2)))
    assert torch.equal(torch.get_rng_state(), before)


def test_batch_factor_0_means_the_answer_tokens_of_all_accumulated_batches():
    # 2 batches of 4 answers of 4 tokens: 32.
    curvatures = []
    for factor in (0, 32):
        model = tiny_model("llama")
        config = OPTIMIZERS["squared-gradient"].but(batch_factor=factor)
        optimizer, two = build_optimizer(model, config), batches(2)
        assert sum(int((b.labels_BT != IGNORED).sum()) for b in two) == 32
        list(run(model, config, two, optimizer=optimizer, accumulation=2))
        curvatures.append(torch.cat([s["h"].flatten() for s in optimizer.state.values()]))
    assert curvatures[0].any() and torch.equal(*curvatures)


def test_curvature_from_rows_that_are_not_there_is_a_sentence():
    forget_only = collate([example(0)], [True], [0], pad_id=0)
    config = OPTIMIZERS["gnb"].but(curvature_rows="retain")
    with pytest.raises(RunError, match="on retain rows, but the batch has none"):
        list(run(tiny_model("llama"), config, [forget_only]))


def test_a_curvature_plan_for_an_optimizer_without_curvature_is_a_bug_that_says_so():
    with pytest.raises(TypeError, match="AdamW takes no curvature"):
        list(run(tiny_model("llama"), OPTIMIZERS["adamw"], batches(1), curvature=CurvaturePlan(method="gnb", every=1)))


@pytest.mark.parametrize("changes", [{"accumulation": 0}, {"first_step": 0}])
def test_counts_start_at_1(changes):
    with pytest.raises(ValueError, match="start at 1"):
        list(run(tiny_model("llama"), OPTIMIZERS["adamw"], batches(1), **changes))


@pytest.mark.parametrize(
    ("estimates", "factor", "expected"),
    [
        ([], None, True),
        ([torch.zeros(0, 3)], 2.0, True),
        ([torch.zeros(0), torch.ones(2)], None, True),
        ([torch.zeros(0), torch.tensor([1.0, math.nan])], None, False),
        ([torch.tensor([1e20])], 1.0, False),  # its square is not finite
        ([torch.tensor([1e20])], None, True),
    ],
)
def test_what_is_folded_in_is_finite_where_all_of_it_is_and_parts_may_be_empty(estimates, factor, expected):
    assert _finite(estimates, factor) is expected
