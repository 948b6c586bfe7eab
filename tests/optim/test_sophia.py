import copy

import pytest
import torch

from soul_core.optim import blocks as blocks_module
from soul_core.optim.sophia import Sophia, clipped_count


def weights(*values):
    return torch.nn.Parameter(torch.tensor(values, dtype=torch.float64))


def step_with(optimizer, p, *gradient):
    p.grad = torch.tensor(gradient, dtype=p.dtype)
    optimizer.step()
    return p.tolist()


def one_coordinate_at_a_time(p, m, h, g, *, lr, beta1, rho, weight_decay, eps=1e-15):
    """Sophia's step written as its definition reads, for one number each."""
    m = beta1 * m + (1 - beta1) * g
    ratio = min(1.0, max(-1.0, m / max(rho * h, eps)))
    return p - lr * weight_decay * p - lr * ratio, m, abs(ratio) >= 1.0


def test_two_steps_by_hand():
    # beta1 = 1/2, rho*h = 1, g = 0.4: m = 0.2, then 0.3 (averaged twice a step it would be 0.3, then 0.375).
    # p: 1 -> 0.9*1 - 0.2 = 0.7 -> 0.9*0.7 - 0.3 = 0.33.
    p = weights(1.0)
    optimizer = Sophia([p], lr=1.0, betas=(0.5, 0.0), rho=0.5, weight_decay=0.1)
    optimizer.update_curvature([torch.full_like(p, 2.0)])
    assert [step_with(optimizer, p, 0.4)[0] for _ in range(2)] == pytest.approx([0.7, 0.33])


def test_one_unclipped_step_with_the_exact_curvature_is_newtons():
    # 1/2 sum c (x - x*)^2 has gradient c (x - x*), so x - gradient / c = x*.
    curvature, minimum = torch.tensor([2.0, 10.0], dtype=torch.float64), torch.tensor([0.1, -0.2], dtype=torch.float64)
    p = weights(0.5, -0.3)
    optimizer = Sophia([p], lr=1.0, betas=(0.0, 0.0), rho=20.0)
    optimizer.update_curvature([curvature / 20.0])
    (0.5 * curvature * (p - minimum) ** 2).sum().backward()
    with torch.no_grad():
        p.grad.clamp_(-2.0, 2.0)
    optimizer.step()
    torch.testing.assert_close(p.detach(), minimum)


def test_without_curvature_each_coordinate_moves_by_the_rate_against_its_sign():
    p = weights(0.0, 0.0, 0.0)
    assert step_with(Sophia([p], lr=0.1), p, 1e-6, -4.0, 0.0) == [-0.1, 0.1, 0.0]


def test_with_ever_more_curvature_the_step_vanishes_in_proportion():
    moved = []
    for h in (1e3, 1e6, 1e9):
        p = weights(0.0)
        optimizer = Sophia([p], lr=1.0, betas=(0.0, 0.0), rho=1.0)
        optimizer.update_curvature([torch.full_like(p, h)])
        moved += step_with(optimizer, p, 2.0)
    assert moved == pytest.approx([-2e-3, -2e-6, -2e-9])


def test_decay_apart_no_coordinate_moves_further_than_the_rate():
    torch.manual_seed(0)
    p = torch.nn.Parameter(torch.randn(1000, dtype=torch.float64))
    optimizer = Sophia([p], lr=0.01, weight_decay=0.3)
    for _ in range(5):
        optimizer.update_curvature([torch.rand(1000, dtype=torch.float64) * 10 ** torch.randn(1000).double()])
        before = p.detach().clone()
        p.grad = torch.randn_like(p)
        optimizer.step()
        assert (p.detach() - (1 - 0.01 * 0.3) * before).abs().max() <= 0.01 * (1 + 1e-12)


def test_curvature_is_averaged_only_when_it_is_given():
    # beta2 = 3/4: h = 1/4 * 8 = 2; two steps without an estimate leave it; then 3/4 * 2 + 1/4 * 4 = 2.5.
    p = weights(0.0)
    optimizer = Sophia([p], lr=0.1, betas=(0.9, 0.75))
    optimizer.update_curvature([torch.full_like(p, 8.0)])
    assert optimizer.state[p]["h"].item() == 2.0
    step_with(optimizer, p, 1.0)
    step_with(optimizer, p, 5.0)
    assert optimizer.state[p]["h"].item() == 2.0
    optimizer.update_curvature([torch.full_like(p, 4.0)])
    assert optimizer.state[p]["h"].item() == 2.5


def test_a_curvature_update_leaves_the_momentum_alone():
    p = weights(0.0)
    optimizer = Sophia([p], lr=0.1, betas=(0.5, 0.5))
    step_with(optimizer, p, 1.0)
    optimizer.update_curvature([torch.ones_like(p)])
    assert optimizer.state[p]["m"].item() == 0.5


def test_clip_share_counts_coordinates_at_the_clip():
    # rho*h = 1, beta1 = 0, so the ratio is the gradient: 1 and -3 are clipped, 0.999 is not. The fifth has neither
    # momentum nor curvature and does not move; the sixth has momentum alone and is clipped. 3 of 6.
    p = weights(*[0.0] * 6)
    optimizer = Sophia([p], lr=0.1, betas=(0.0, 0.0), rho=1.0)
    optimizer.update_curvature([torch.tensor([1.0, 1.0, 1.0, 1.0, 0.0, 0.0], dtype=torch.float64)])
    step_with(optimizer, p, 1.0, -3.0, 0.999, 0.0, 0.0, 1e-9)
    assert optimizer.clip_share.item() == 0.5


def test_a_ratio_one_rounding_below_one_is_not_counted_as_clipped():
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        one = torch.ones(2, dtype=dtype)
        one[0] = torch.nextafter(one[1], torch.zeros((), dtype=dtype))
        assert clipped_count(one).item() == 1.0


def test_weight_decay_does_not_count_as_clipping():
    p = weights(100.0)
    optimizer = Sophia([p], lr=0.1, betas=(0.0, 0.0), rho=1.0, weight_decay=1.0)
    optimizer.update_curvature([torch.ones_like(p)])
    step_with(optimizer, p, 0.5)
    assert optimizer.clip_share.item() == 0.0


@pytest.mark.parametrize("block", [1, 7, 64, 1 << 17])
def test_steps_in_blocks_are_the_definition_applied_to_each_coordinate(block, monkeypatch):
    monkeypatch.setattr(blocks_module, "CPU_BLOCK", block)
    torch.manual_seed(3)
    settings = {"lr": 0.05, "rho": 0.3}
    shapes = [(5, 4), (9,), (2, 3, 2), (1,)]
    params = [torch.nn.Parameter(torch.randn(s, dtype=torch.float64)) for s in shapes]
    groups = [{"params": params[:2], "weight_decay": 0.2}, {"params": params[2:], "weight_decay": 0.0}]
    optimizer = Sophia(groups, betas=(0.8, 0.6), **settings)
    expected = [[(value, 0.0, 0.0) for value in p.flatten().tolist()] for p in params]
    for step in range(3):
        before = torch.cat([p.detach().flatten() for p in params])
        estimates = [torch.rand_like(p) * 5 for p in params]
        if step != 1:
            optimizer.update_curvature(estimates)
        for p in params:
            p.grad = torch.randn_like(p)
        optimizer.step()
        clipped = 0
        for i, (p, estimate) in enumerate(zip(params, estimates, strict=True)):
            row = []
            for (value, m, h), e, g in zip(
                expected[i], estimate.flatten().tolist(), p.grad.flatten().tolist(), strict=True
            ):
                new_h = 0.6 * h + 0.4 * e if step != 1 else h
                decay = 0.2 if i < 2 else 0.0
                value, m, at_clip = one_coordinate_at_a_time(
                    value, m, new_h, g, beta1=0.8, weight_decay=decay, **settings
                )
                clipped += at_clip
                row.append((value, m, new_h))
            expected[i] = row
            assert p.flatten().tolist() == pytest.approx([x[0] for x in row], rel=1e-12)
        after = torch.cat([p.detach().flatten() for p in params])
        assert 0 < optimizer.clip_share.item() < 1
        assert optimizer.clip_share.item() == pytest.approx(clipped / len(after))
        assert optimizer.update_norm.item() == pytest.approx((after - before).norm().item())


def test_a_gradient_in_another_memory_layout_and_a_transposed_weight_are_handled(monkeypatch):
    monkeypatch.setattr(blocks_module, "CPU_BLOCK", 4)
    p = torch.nn.Parameter(torch.zeros(3, 4, dtype=torch.float64).t())
    q = torch.nn.Parameter(torch.zeros(4, 3, dtype=torch.float64))
    gradient = torch.arange(12, dtype=torch.float64).view(3, 4).t() - 5.5
    optimizer = Sophia([p, q], lr=1.0)
    p.grad, q.grad = gradient.contiguous(), gradient
    optimizer.step()
    assert torch.equal(p.detach(), -gradient.sign())
    assert torch.equal(q.detach(), -gradient.sign())


def test_a_parameter_without_a_gradient_stays_and_is_not_counted():
    p, frozen = weights(1.0), weights(5.0)
    optimizer = Sophia([p, frozen], lr=0.1, weight_decay=0.5)
    step_with(optimizer, p, 1.0)
    assert frozen.item() == 5.0
    assert optimizer.clip_share.item() == 1.0


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_resuming_from_a_state_dict_continues_the_same_trajectory(dtype):
    def run(optimizer, p, steps):
        for step in steps:
            if step % 2 == 0:
                optimizer.update_curvature([torch.full_like(p, 0.5 + step)])
            p.grad = torch.sin(p.detach() * (step + 1))
            optimizer.step()
        return p.detach().clone()

    p = torch.nn.Parameter(torch.linspace(-1, 1, 7, dtype=dtype))
    optimizer = Sophia([p], lr=0.05, rho=0.2)
    run(optimizer, p, range(3))
    q = torch.nn.Parameter(p.detach().clone())
    resumed = Sophia([q], lr=0.05, rho=0.2)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert torch.equal(run(optimizer, p, range(3, 8)), run(resumed, q, range(3, 8)))
    assert optimizer.clip_share == resumed.clip_share


def test_the_state_dict_holds_one_momentum_and_one_curvature_of_each_parameters_shape():
    p, q = torch.nn.Parameter(torch.zeros(3, 2)), torch.nn.Parameter(torch.zeros(4))
    optimizer = Sophia([p, q], lr=0.1)
    p.grad, q.grad = torch.ones(3, 2), torch.ones(4)
    optimizer.step()
    state = optimizer.state_dict()["state"]
    assert {i: {k: tuple(x.shape) for k, x in s.items()} for i, s in state.items()} == {
        0: {"m": (3, 2), "h": (3, 2)},
        1: {"m": (4,), "h": (4,)},
    }


def test_estimates_that_do_not_match_the_parameters_are_refused():
    optimizer = Sophia([weights(1.0), weights(2.0)], lr=0.1)
    with pytest.raises(ValueError, match="2 parameters but 1 curvature"):
        optimizer.update_curvature([torch.ones(1)])


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"lr": 0.0}, "lr"),
        ({"lr": 0.1, "betas": (1.0, 0.9)}, r"betas\[0\]"),
        ({"lr": 0.1, "betas": (0.9, -0.1)}, r"betas\[1\]"),
        ({"lr": 0.1, "rho": 0.0}, "rho"),
        ({"lr": 0.1, "weight_decay": -1.0}, "weight_decay"),
    ],
)
def test_a_setting_out_of_range_is_named_with_its_value(settings, named):
    with pytest.raises(ValueError, match=rf"{named} is out of range, got"):
        Sophia([weights(0.0)], **settings)
