import copy

import pytest
import torch

from soul_core.optim.curvature import squared_gradient_curvature
from soul_core.optim.release import SoulRelease
from soul_core.optim.sophia import Sophia


def weights(*values):
    return torch.nn.Parameter(torch.tensor(values, dtype=torch.float64))


def step_with(optimizer, p, *gradient):
    p.grad = torch.tensor(gradient, dtype=p.dtype)
    optimizer.step()
    return p.tolist()


def test_two_steps_by_hand():
    # beta1 = beta2 = 1/2, rho * bs = 0.5 * 4 = 2, lr = 1, decay 0.1.
    # g = 0.8:  h = 0.32;  m = 0.4, again 0.6;   0.6 / 0.64 = 0.9375;   p = 0.9 * 1 - 0.9375 = -0.0375.
    # g = -0.8: h = 0.16 + 0.32 = 0.48;  m = -0.1, again -0.45;  0.45 / 0.96 = 0.46875;
    #           p = 0.9 * -0.0375 + 0.46875 = 0.435.
    p = weights(1.0)
    optimizer = SoulRelease([p], lr=1.0, betas=(0.5, 0.5), rho=0.5, weight_decay=0.1, batch_factor=4)
    assert [step_with(optimizer, p, g)[0] for g in (0.8, -0.8)] == pytest.approx([-0.0375, 0.435])
    assert optimizer.state[p]["exp_avg"].item() == pytest.approx(-0.45)
    assert optimizer.state[p]["hessian"].item() == pytest.approx(0.48)
    assert optimizer.update_norm.item() == pytest.approx(0.435 + 0.0375)
    assert optimizer.clip_share.item() == 0.0


def test_it_is_sophia_with_the_squared_gradient_each_step_beta1_squared_and_a_factor_of_5120():
    # Gradients around 1 / (0.04 * 5120) = 0.005, so that the clip acts on a part of the coordinates.
    torch.manual_seed(0)
    p = torch.nn.Parameter(torch.randn(400, dtype=torch.float64))
    q = torch.nn.Parameter(p.detach().clone())
    released = SoulRelease([p], lr=0.01, weight_decay=0.1)
    sophia = Sophia([q], lr=0.01, betas=(0.81, 0.95), rho=0.04, weight_decay=0.1)
    for _ in range(6):
        g = 0.02 * torch.randn(400, dtype=torch.float64)
        p.grad, q.grad = g, g.clone()
        sophia.update_curvature(squared_gradient_curvature([g], batch_factor=5120))
        released.step()
        sophia.step()
        torch.testing.assert_close(p, q, rtol=1e-9, atol=1e-9)
        assert released.update_norm.item() == pytest.approx(sophia.update_norm.item())
        assert 0 < released.clip_share.item() < 1
        assert released.clip_share.item() == pytest.approx(sophia.clip_share.item())


def test_averaging_twice_a_step_is_averaging_once_with_beta1_squared():
    p = weights(0.0)
    optimizer = SoulRelease([p], lr=0.1, betas=(0.9, 0.95))
    once = 0.0
    for g in (1.0, -3.0, 0.5, 2.0):
        step_with(optimizer, p, g)
        once = 0.81 * once + 0.19 * g
        assert optimizer.state[p]["exp_avg"].item() == pytest.approx(once, rel=1e-12)


def test_forget_and_retain_gradients_that_cancel_leave_no_curvature():
    # Released: the square of the sum, 0. A sum of squares would be 2.
    p = weights(0.3)
    optimizer = SoulRelease([p], lr=0.1, weight_decay=0.0)
    (-(p - 1.0).sum() + (p - 1.0).sum()).backward()
    optimizer.step()
    assert optimizer.state[p]["hessian"].item() == 0.0
    assert p.item() == pytest.approx(0.3)
    assert optimizer.clip_share.item() == 0.0


def test_decay_apart_no_coordinate_moves_further_than_the_rate():
    torch.manual_seed(0)
    p = torch.nn.Parameter(torch.randn(1000, dtype=torch.float64))
    optimizer = SoulRelease([p], lr=0.01, weight_decay=0.3)
    for scale in (1e-6, 1.0, 1e-3, 1e4):
        before = p.detach().clone()
        p.grad = scale * torch.randn_like(p)
        optimizer.step()
        assert (p.detach() - (1 - 0.01 * 0.3) * before).abs().max() <= 0.01 * (1 + 1e-12)


def test_the_share_of_clipped_coordinates_and_the_norm_of_the_change_are_over_all_parameters():
    # First step: m = 0.19 g and h = 0.05 g^2, so the ratio is 0.19 / (0.04 * 5120 * 0.05 g) = 0.0186 / g: clipped
    # below. 0 and what has no gradient do not move.
    p, q, frozen = weights(0.0, 0.0), weights(0.0, 0.0), weights(7.0)
    optimizer = SoulRelease([p, q, frozen], lr=1.0, weight_decay=0.0)
    p.grad, q.grad = torch.tensor([0.018, -0.001]).double(), torch.tensor([0.037109375, 0.0]).double()
    optimizer.step()
    assert optimizer.clip_share.item() == 0.5
    assert [*p.tolist(), *q.tolist(), frozen.item()] == pytest.approx([-1.0, 1.0, -0.5, 0.0, 7.0])
    assert optimizer.update_norm.item() == pytest.approx(1.5)


def test_resuming_from_a_state_dict_continues_the_same_trajectory():
    def run(optimizer, p, steps):
        for step in steps:
            p.grad = torch.sin(p.detach() * (step + 1)) * 0.01
            optimizer.step()
        return p.detach().clone()

    p = torch.nn.Parameter(torch.linspace(-1, 1, 7))
    optimizer = SoulRelease([p], lr=0.05)
    run(optimizer, p, range(3))
    q = torch.nn.Parameter(p.detach().clone())
    resumed = SoulRelease([q], lr=0.05)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert torch.equal(run(optimizer, p, range(3, 6)), run(resumed, q, range(3, 6)))


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"lr": 0.0}, "lr"),
        ({"lr": 0.1, "betas": (1.0, 0.9)}, r"betas\[0\]"),
        ({"lr": 0.1, "betas": (0.9, 1.0)}, r"betas\[1\]"),
        ({"lr": 0.1, "rho": -1.0}, "rho"),
        ({"lr": 0.1, "weight_decay": -1.0}, "weight_decay"),
        ({"lr": 0.1, "batch_factor": 0.0}, "batch_factor"),
    ],
)
def test_a_setting_out_of_range_is_named_with_its_value(settings, named):
    with pytest.raises(ValueError, match=rf"SoulRelease: {named} is out of range, got"):
        SoulRelease([weights(0.0)], **settings)
