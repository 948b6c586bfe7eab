from typing import get_args

import pytest
import torch

from soul_core.config import OptimizerConfig, OptimizerName
from soul_core.optim import OPTIMIZERS, build_optimizer, curvature_plan, default_optimizer
from soul_core.optim.adamw import AdamW
from soul_core.optim.sophia import Sophia


def model():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Embedding(5, 3), torch.nn.LayerNorm(3), torch.nn.Linear(3, 2))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_matrices_decay_and_norms_and_biases_do_not(name):
    net = model()
    optimizer = build_optimizer(net, OptimizerConfig(name=name, weight_decay=0.3))
    decays = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert {key: decays[id(p)] for key, p in net.named_parameters()} == {
        "0.weight": 0.3,
        "1.weight": 0.0,
        "1.bias": 0.0,
        "2.weight": 0.3,
        "2.bias": 0.0,
    }


def test_frozen_parameters_are_left_out():
    net = model()
    net[0].requires_grad_(False)
    optimizer = build_optimizer(net, OptimizerConfig(name="sophia"))
    assert all(p is not net[0].weight for group in optimizer.param_groups for p in group["params"])


def test_each_setting_reaches_its_optimizer():
    group = build_optimizer(model(), OptimizerConfig(name="adamw", lr=0.02, beta1=0.7, beta2=0.8)).param_groups[0]
    assert (group["lr"], group["betas"]) == (0.02, (0.7, 0.8))
    sophia = OptimizerConfig(name="sophia", lr=0.02, beta1=0.7, beta2=0.8, rho=9.0)
    group = build_optimizer(model(), sophia).param_groups[0]
    assert (group["lr"], group["betas"], group["rho"]) == (0.02, (0.7, 0.8), 9.0)


def test_only_sophia_has_a_curvature_plan_and_it_says_what_the_settings_say():
    config = OptimizerConfig(
        name="sophia", curvature="squared-gradient", curvature_every=4, curvature_rows="retain", batch_factor=5120
    )
    plan = curvature_plan(config)
    assert (plan.method, plan.every, plan.rows, plan.batch_factor) == ("squared-gradient", 4, "retain", 5120)
    assert curvature_plan(config.but(name="sign-momentum")) is curvature_plan(config.but(name="adamw")) is None


def test_sign_momentum_moves_by_the_rate_and_is_clipped_everywhere():
    net = model()
    before = [p.detach().clone() for p in net.parameters()]
    optimizer = build_optimizer(net, OptimizerConfig(name="sign-momentum", lr=0.25))
    for p in net.parameters():
        p.grad = torch.randn_like(p)
    optimizer.step()
    assert optimizer.clip_share.item() == 1.0
    for p, old in zip(net.parameters(), before, strict=True):
        torch.testing.assert_close(p.detach(), old - 0.25 * p.grad.sign())


def test_every_name_a_setting_can_have_is_an_optimizer_with_defaults_under_that_name():
    assert tuple(OPTIMIZERS) == get_args(OptimizerName)
    assert all(OPTIMIZERS[name].name == default_optimizer(name).name == name for name in OPTIMIZERS)
    assert {info.order for info in OPTIMIZERS.values()} == {"first", "second", "control"}


def test_listed_settings_exist():
    for info in OPTIMIZERS.values():
        assert set(info.settings) <= set(OptimizerConfig.model_fields) - {"name"}


def test_an_optimizer_is_of_the_kind_its_name_says():
    kinds = {name: type(build_optimizer(model(), default_optimizer(name))) for name in OPTIMIZERS}
    assert kinds == {"adamw": AdamW, "sophia": Sophia, "sign-momentum": Sophia}
