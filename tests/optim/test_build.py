from typing import get_args

import pytest
import torch

from soul_core.config import Curvature, OptimizerConfig, OptimizerName
from soul_core.errors import ConfigError
from soul_core.optim import OPTIMIZERS, build_optimizer, curvature_plan, default_optimizer
from soul_core.optim.adamw import AdamW
from soul_core.optim.protocol import TakesCurvature
from soul_core.optim.release import SoulRelease
from soul_core.optim.rounding import StochasticRounding
from soul_core.optim.sgd import SGD
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
    assert kinds == {
        "adamw": AdamW,
        "sophia": Sophia,
        "soul-release": SoulRelease,
        "sign-momentum": Sophia,
        "sgd": SGD,
    }


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_rounding_wraps_the_same_optimizer_with_the_same_settings(name):
    config = default_optimizer(name)
    wrapped = build_optimizer(model().bfloat16(), config, rounding=True)
    plain = build_optimizer(model(), config)
    assert isinstance(wrapped, StochasticRounding) and type(wrapped.inner) is type(plain)
    for ours, theirs in zip(wrapped.param_groups, plain.param_groups, strict=True):
        assert {k: v for k, v in ours.items() if k != "params"} == {k: v for k, v in theirs.items() if k != "params"}
        assert [p.shape for p in ours["params"]] == [p.shape for p in theirs["params"]]
        assert all(p.dtype == torch.bfloat16 for p in ours["params"])


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("rounding", [False, True])
def test_the_engine_can_drive_each_and_gives_curvature_to_sophia_alone(name, rounding):
    optimizer = build_optimizer(model(), default_optimizer(name), rounding=rounding)
    assert optimizer.update_norm.item() == 0.0
    takes = isinstance(optimizer.inner if rounding else optimizer, TakesCurvature)
    assert takes == (name in ("sophia", "sign-momentum"))
    assert (curvature_plan(default_optimizer(name)) is not None) == (name == "sophia")
    assert (optimizer.clip_share is None) == (name in ("adamw", "sgd"))


def test_the_release_starts_as_it_was_released_and_a_batch_factor_of_0_is_its_5120():
    config = default_optimizer("soul-release")
    (group, _) = build_optimizer(model(), config).param_groups
    assert (group["betas"], group["rho"], group["weight_decay"]) == ((0.9, 0.95), 0.04, 0.1)
    for factor, meant in ((0, 5120), (7, 7)):
        optimizer = build_optimizer(model(), config.but(batch_factor=factor))
        assert optimizer.param_groups[0]["batch_factor"] == meant


@pytest.mark.parametrize("method", get_args(Curvature))
def test_each_way_to_curvature_reaches_the_plan_with_its_interval(method):
    plan = curvature_plan(OptimizerConfig(name="sophia", curvature=method, curvature_every=7))
    assert (plan.method, plan.every, plan.rows, plan.batch_factor) == (method, 7, "batch", 0)
    with pytest.raises(ConfigError, match="Curvature every"):
        OptimizerConfig(name="sophia", curvature=method, curvature_every=0)


def test_a_setting_an_optimizer_reads_is_listed_and_one_it_does_not_read_is_not():
    # Each setting moved alone: what is built differs if and only if the setting is in the list.
    other = {
        "lr": 0.5,
        "beta1": 0.3,
        "beta2": 0.3,
        "weight_decay": 0.7,
        "curvature": "squared-gradient",
        "rho": 3.0,
        "curvature_every": 4,
        "curvature_rows": "forget",
        "batch_factor": 9.0,
        "state": "int8",
    }
    assert set(other) == set(OptimizerConfig.model_fields) - {"name"}

    def built(config):
        optimizer = build_optimizer(model(), config)
        groups = optimizer.param_groups
        read = set(groups[0]) - {"params"}
        if config.name == "sign-momentum":  # without curvature h stays 0, whatever it would be averaged or scaled by
            read -= {"rho"}
            groups = [{**group, "betas": group["betas"][0]} for group in groups]
        return (
            [{key: group[key] for key in read} for group in groups],
            curvature_plan(config),
            getattr(optimizer, "eight_bit", False),
        )

    for name, info in OPTIMIZERS.items():
        config = default_optimizer(name)
        assert {key for key, value in other.items() if built(config.but(**{key: value})) != built(config)} == set(
            info.settings
        )
        assert info.sentence.endswith(".") and info.source
