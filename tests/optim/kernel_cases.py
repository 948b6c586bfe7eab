"""Checks of the Triton kernels that need its interpreter, which has to be on before Triton is imported.

``test_kernels.py`` runs this file in a process of its own.
"""

import pytest
import torch

from soul_core.optim import blocks, fused, kernels
from soul_core.optim.rounding import StochasticRounding
from soul_core.optim.sophia import EPS, Sophia

SHAPES = [(1000,), (3,), (57, 113), (1,), (0,), (kernels.BLOCK,), (kernels.BLOCK + 1,)]
SPACING = 2.0**-7  # of bf16 numbers between 1 and 2


@pytest.fixture
def on_kernels(monkeypatch):
    monkeypatch.setattr(fused, "_on", lambda device_type: kernels)


def drawn(seed, *, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator) * scale for shape in SHAPES]


def trained(betas, weight_decay):
    params = [torch.nn.Parameter(x) for x in drawn(0)]
    optimizer = Sophia(params, lr=0.01, betas=betas, weight_decay=weight_decay)
    for step in range(3):
        optimizer.update_curvature(drawn(10 + step))
        optimizer.update_curvature(drawn(20 + step), factor=2.0)
        for p, g in zip(params, drawn(30 + step, scale=0.1), strict=True):
            p.grad = g
        optimizer.step()
    kept = [x for p in params if p.numel() for x in (p.detach(), *optimizer.state[p].values())]
    return kept, optimizer


@pytest.mark.parametrize(("betas", "weight_decay"), [((0.9, 0.95), 0.0), ((0.3, 0.2), 0.1), ((0.0, 0.0), 0.1)])
def test_a_step_is_the_reference_step(betas, weight_decay, monkeypatch):
    monkeypatch.setattr(fused, "_on", lambda device_type: None)
    expected, reference = trained(betas, weight_decay)
    monkeypatch.setattr(fused, "_on", lambda device_type: kernels)
    found, optimizer = trained(betas, weight_decay)
    for x, y in zip(found, expected, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-6, atol=1e-6)
    assert 0.5 < reference.clip_share < 1
    assert optimizer.clip_share.item() == pytest.approx(reference.clip_share.item(), rel=1e-6)
    assert optimizer.update_norm.item() == pytest.approx(reference.update_norm.item(), rel=1e-5)


def test_two_steps_by_hand(on_kernels):
    # As in test_sophia.py: m = 0.2, then 0.3; p: 1 -> 0.9 - 0.2 = 0.7 -> 0.63 - 0.3 = 0.33.
    p = torch.nn.Parameter(torch.ones(1))
    optimizer = Sophia([p], lr=1.0, betas=(0.5, 0.0), rho=0.5, weight_decay=0.1)
    optimizer.update_curvature([torch.full_like(p, 2.0)])
    for expected in (0.7, 0.33):
        p.grad = torch.tensor([0.4])
        optimizer.step()
        assert p.item() == pytest.approx(expected)


def test_the_rate_is_read_from_a_tensor_at_the_step(on_kernels):
    p = torch.nn.Parameter(torch.zeros(5))
    optimizer = Sophia([p], lr=1.0)
    rate = optimizer.param_groups[0]["lr"] = torch.tensor(0.5)
    p.grad = torch.ones(5)
    optimizer.step()
    rate.fill_(0.25)
    optimizer.step()
    assert p.tolist() == [-0.75] * 5
    assert optimizer.update_norm.item() == pytest.approx(0.25 * 5**0.5)


def test_what_is_clipped_is_counted_and_the_end_of_a_block_is_not(on_kernels):
    # As in test_sophia.py: 3 of 6, among them a coordinate with momentum and no curvature.
    p = torch.nn.Parameter(torch.zeros(6))
    optimizer = Sophia([p], lr=0.1, betas=(0.0, 0.0), rho=1.0)
    optimizer.update_curvature([torch.tensor([1.0, 1.0, 1.0, 1.0, 0.0, 0.0])])
    p.grad = torch.tensor([1.0, -3.0, 0.999, 0.0, 0.0, 1e-9])
    optimizer.step()
    assert optimizer.clip_share.item() == 0.5


def test_what_is_not_a_number_stays_none():
    nan = float("nan")
    p, m, h = [torch.zeros(2)], [torch.zeros(2)], [torch.ones(2)]
    kernels.step(p, m, h, [torch.tensor([nan, 1.0])], lr=1.0, beta1=0.0, rho=1.0, weight_decay=0.0, eps=EPS)
    assert p[0].isnan().tolist() == [True, False]


@pytest.mark.parametrize("gradient_type", [torch.bfloat16, torch.float32])
def test_weights_in_bf16_are_rounded_up_or_down_in_proportion(gradient_type, on_kernels):
    # A move of a quarter of the spacing: 1/4 of the coordinates go up. Each of the four streams of random numbers
    # and each program has its own: neighbours agree as often as chance has it, 1/16 + 9/16.
    size, share = 40_000, 0.25
    p = torch.nn.Parameter(torch.full((size,), 1.5, dtype=torch.bfloat16))
    optimizer = StochasticRounding([{"params": [p]}], lambda groups: Sophia(groups, lr=share * SPACING))
    p.grad = -torch.ones(size, dtype=gradient_type).to(p.dtype)
    torch.manual_seed(0)
    optimizer.step()
    assert {x.dtype for x in optimizer.state[p].values()} == {torch.float32}
    up = p.detach() > 1.5
    assert set(p.tolist()) == {1.5, 1.5 + SPACING}
    assert abs(up.double().mean().item() - share) < 5 * (share * (1 - share) / size) ** 0.5
    for distance in (1, 2, 3, 4, kernels.BLOCK // 4, kernels.BLOCK):
        agree = (up[distance:] == up[:-distance]).double().mean().item()
        assert abs(agree - 10 / 16) < 0.015
    assert optimizer.clip_share.item() == 1.0
    assert optimizer.update_norm.item() == pytest.approx(share * SPACING * size**0.5)


def test_a_seed_decides_the_rounding_and_another_step_or_tensor_draws_anew(on_kernels):
    def rounded(seed):
        torch.manual_seed(seed)
        params = [torch.nn.Parameter(torch.full((3000,), 1.5, dtype=torch.bfloat16)) for _ in range(2)]
        optimizer = StochasticRounding([{"params": params}], lambda groups: Sophia(groups, lr=SPACING / 2))
        found = []
        for _ in range(2):
            for p in params:
                p.data.fill_(1.5)
                p.grad = -torch.ones_like(p)
            optimizer.step()
            found += [p.detach().clone() for p in params]
        return found

    first, again, other = rounded(1), rounded(1), rounded(2)
    assert all(torch.equal(x, y) for x, y in zip(first, again, strict=True))
    kinds = [*first, other[0]]
    assert all(not torch.equal(kinds[i], kinds[j]) for i in range(5) for j in range(i))


def test_what_bf16_can_hold_stays_and_no_finite_weight_becomes_infinite():
    largest = torch.finfo(torch.bfloat16).max
    values = torch.tensor([0.0, 1.5, largest, -largest, float("inf"), -float("inf"), 2.0**-126]).bfloat16()
    p, zeros = [values.clone()], torch.zeros(7)
    kernels.step(p, [zeros.clone()], [zeros], [zeros], lr=1.0, beta1=0.0, rho=1.0, weight_decay=0.0, eps=EPS)
    assert torch.equal(p[0], values)
    # Beyond the largest bf16 number there are fp32 numbers, and the next bf16 one would be infinite.
    p = [torch.full((200,), largest, dtype=torch.bfloat16)]
    settings = {"lr": 1e36, "beta1": 0.0, "rho": 1.0, "weight_decay": 0.0, "eps": EPS}
    kernels.step(p, [torch.zeros(200)], [torch.zeros(200)], [-torch.ones(200)], **settings)
    assert p[0].isfinite().all()


def test_rounding_by_the_kernel_and_by_handles_agree_in_everything_that_is_not_drawn(monkeypatch):
    def trained_in_bf16():
        p = torch.nn.Parameter(torch.linspace(-2, 2, 5000).bfloat16())
        optimizer = StochasticRounding([{"params": [p]}], lambda groups: Sophia(groups, lr=0.05, weight_decay=0.1))
        optimizer.update_curvature([torch.ones(5000)])
        p.grad = torch.linspace(-1, 1, 5000).bfloat16()
        optimizer.step()
        return optimizer, p.detach().float(), optimizer.state[p]

    ours, weights, state = None, None, None
    monkeypatch.setattr(fused, "_on", lambda device_type: kernels)
    ours, weights, state = trained_in_bf16()
    monkeypatch.setattr(fused, "_on", lambda device_type: None)
    theirs, their_weights, their_state = trained_in_bf16()
    torch.testing.assert_close(state["m"], their_state["m"])
    torch.testing.assert_close(state["h"], their_state["h"])
    assert ours.update_norm.item() == pytest.approx(theirs.update_norm.item(), rel=1e-5)
    assert ours.clip_share.item() == pytest.approx(theirs.clip_share.item(), abs=1e-6)
    spacing = torch.clamp(2.0 ** torch.floor(torch.log2(their_weights.abs() + 1e-30)) * SPACING, min=1e-30)
    assert ((weights - their_weights).abs() <= 2 * spacing).all()
    assert not torch.equal(weights, their_weights)


def test_a_transposed_weight_in_bf16_goes_by_handles(on_kernels, monkeypatch):
    monkeypatch.setattr(blocks, "CPU_BLOCK", 4)
    p = torch.nn.Parameter(torch.zeros(3, 4, dtype=torch.bfloat16).t())
    optimizer = StochasticRounding([{"params": [p]}], lambda groups: Sophia(groups, lr=1.0))
    gradient = torch.arange(12).view(4, 3).bfloat16() - 5.5
    p.grad = gradient
    optimizer.step()
    assert torch.equal(p.detach(), -gradient.sign())
