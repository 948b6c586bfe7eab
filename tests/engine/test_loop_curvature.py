"""The engine's second ways to curvature, and weights in bf16."""

import copy

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from soul_core.config import ObjectiveConfig, OptimizerConfig
from soul_core.data.batches import collate
from soul_core.engine.forward import likelihoods_of
from soul_core.engine.step import seed_of
from soul_core.errors import Diverged
from soul_core.models.storage import load_optimizer, save_optimizer
from soul_core.objectives import losses_for
from soul_core.optim import build_optimizer
from soul_core.optim.curvature import CurvaturePlan, hutchinson_curvature
from tests.engine.test_loop import CPU, GRADDIFF, LR, OPTIMIZERS, batches, example, flat, run
from tests.tiny import ARCHITECTURES, tiny_model

HUTCHINSON = OPTIMIZERS["hutchinson"]


def curvature_of(optimizer):
    return torch.cat([state["h"].flatten() for state in optimizer.state.values()])


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_hutchinson_is_of_the_whole_unlearning_loss_on_the_steps_first_batch(arch):
    model = tiny_model(arch)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    twin, two = copy.deepcopy(model), batches(2)
    optimizer = build_optimizer(model, HUTCHINSON)
    list(run(model, HUTCHINSON, two, optimizer=optimizer, accumulation=2, seed=3))
    with sdpa_kernel(SDPBackend.MATH):
        total = GRADDIFF(likelihoods_of(twin, two[0], device=CPU, autocast_dtype=None)).total
        parameters = [p for group in build_optimizer(twin, HUTCHINSON).param_groups for p in group["params"]]
        generator = torch.Generator().manual_seed(seed_of(3, 1))
        expected = hutchinson_curvature(total, parameters, generator=generator)
    expected = torch.cat([0.1 * e.flatten() for e in expected])
    found = torch.cat([optimizer.state[p]["h"].flatten() for g in optimizer.param_groups for p in g["params"]])
    assert (found - expected).norm() < 1e-4 * expected.norm()
    assert (found < 0).any() and (found > 0).any()  # a forgetting loss bends both ways


def test_hutchinson_leaves_the_training_gradient_alone():
    (batch,) = batches(1)
    momenta = []
    for config in (HUTCHINSON, OPTIMIZERS["sign-momentum"]):
        model = tiny_model("llama")
        optimizer = build_optimizer(model, config)
        list(run(model, config, [batch], optimizer=optimizer))
        momenta.append(torch.cat([s["m"].flatten() for s in optimizer.state.values()]))
    assert torch.equal(*momenta)


def test_hutchinson_does_not_read_the_rows_setting():
    forget_only = collate([example(0)], [True], [0], pad_id=0)
    list(run(tiny_model("llama"), HUTCHINSON.but(curvature_rows="retain"), [forget_only]))


def test_non_finite_hutchinson_curvature_is_not_folded_in():
    model = tiny_model("llama")
    optimizer = build_optimizer(model, HUTCHINSON)
    before = flat(model)

    def kinked(likelihoods):
        losses = GRADDIFF(likelihoods)
        zero = (likelihoods.nll_B.sum() * 0.0).abs() ** 1.5  # slope 0, infinite bend
        return type(losses)(losses.forget, losses.retain, losses.total + zero)

    with pytest.raises(Diverged, match=r"^Step 1: the curvature is not finite, .*raise γ"):
        list(run(model, HUTCHINSON, batches(1), losses_of=kinked, optimizer=optimizer))
    assert torch.equal(flat(model), before) and not optimizer.state


def test_where_forget_and_retain_gradients_cancel_the_squared_gradient_sees_nothing_and_gnb_does():
    # The same rows on both sides and gamma 1: the GradDiff gradient is 0, the model's own distribution as sharp as
    # ever. Hutchinson looks at the same loss, whose Hessian is 0 too.
    same = collate([example(i) for i in (0, 1, 0, 1)], [True, True, False, False], [0, 1, 0, 1], pad_id=0)
    balanced = losses_for(ObjectiveConfig(name="graddiff", gamma=1.0))
    largest = {}
    for name in ("gnb", "squared-gradient", "hutchinson"):
        model = tiny_model("llama")
        config = OPTIMIZERS[name].but(batch_factor=0.0)
        optimizer = build_optimizer(model, config)
        list(run(model, config, [same], losses_of=balanced, optimizer=optimizer, lr_at=lambda step: 0.0))
        largest[name] = curvature_of(optimizer).abs().max().item()
    assert largest["gnb"] > 1e-3
    assert largest["squared-gradient"] < 1e-10
    assert largest["hutchinson"] < 1e-4


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_bf16_weights_are_trained_and_a_resumed_run_is_the_same_bit_for_bit(name, tmp_path):
    config, four = OPTIMIZERS[name], batches(4)
    if name == "sgd":
        config = config.but(lr=0.05)
    rates = {"lr_at": lambda step: config.lr}

    def fresh():
        model = tiny_model("llama").bfloat16()
        return model, build_optimizer(model, config, rounding=True)

    unbroken, optimizer = fresh()
    reports = list(run(unbroken, config, four, optimizer=optimizer, **rates))
    assert all(p.dtype == torch.bfloat16 for p in unbroken.parameters())
    assert all(0 < r.update_norm < 10 and 0 < r.grad_norm < 100 for r in reports)
    assert (flat(unbroken) != flat(fresh()[0])).float().mean() > 0.1

    model, optimizer = fresh()
    list(run(model, config, four[:2], optimizer=optimizer, **rates))
    save_optimizer(optimizer, tmp_path / "o.safetensors")
    torch.rand(3)
    resumed, other = fresh()
    resumed.load_state_dict(model.state_dict())
    load_optimizer(other, tmp_path / "o.safetensors")
    again = list(run(resumed, config, four[2:], optimizer=other, first_step=3, **rates))
    assert torch.equal(flat(resumed), flat(unbroken))
    assert [(r.total_loss, r.update_norm, r.clip_share) for r in again] == [
        (r.total_loss, r.update_norm, r.clip_share) for r in reports[2:]
    ]


def test_in_bf16_stochastic_rounding_forgets_as_fp32_does_where_rounding_to_the_nearest_hardly_moves():
    # Steps of 5e-6, as published. The forget loss of GradDiff is minus the NLL and falls.
    config = OptimizerConfig(name="sign-momentum", lr=5e-6)
    ends = {}
    for kind in ("fp32", "stochastic", "nearest"):
        model = tiny_model("llama")
        with torch.no_grad():
            for p in model.parameters():
                p.copy_(p.bfloat16())
        if kind != "fp32":
            model.bfloat16()
        start = flat(model).float()
        optimizer = build_optimizer(model, config, rounding=kind == "stochastic")
        list(run(model, config, batches(1) * 40, optimizer=optimizer, lr_at=lambda step: config.lr))
        ends[kind] = flat(model).float() - start
    right = ends["fp32"] @ ends["fp32"]
    assert (ends["stochastic"] @ ends["fp32"]) / right == pytest.approx(1.0, abs=0.1)
    assert (ends["nearest"] @ ends["fp32"]) / right < 0.6


def test_a_curvature_plan_for_a_rounded_optimizer_without_curvature_is_a_bug_that_says_so():
    model, config = tiny_model("llama").bfloat16(), OptimizerConfig(name="adamw", lr=LR)
    optimizer = build_optimizer(model, config, rounding=True)
    plan = CurvaturePlan(method="hutchinson", every=1)
    with pytest.raises(TypeError, match="AdamW takes no curvature"):
        list(run(model, config, batches(1), optimizer=optimizer, curvature=plan))
