import copy

import pytest
import torch

from soul_core.optim import blocks as blocks_module
from soul_core.optim.adamw import AdamW

SETTINGS = {"lr": 0.03, "betas": (0.8, 0.9), "weight_decay": 0.4}


def parameters():
    torch.manual_seed(0)
    return [torch.nn.Parameter(torch.randn(s, dtype=torch.float64)) for s in [(6, 5), (4,), (3, 3)]]


def gradients(params, step):
    for i, p in enumerate(params):
        p.grad = torch.cos(p.detach() * (step + 1) + i)


def test_the_steps_are_torchs_own():
    ours, theirs = parameters(), parameters()
    one, other = AdamW([{"params": ours}], **SETTINGS), torch.optim.AdamW(theirs, foreach=False, **SETTINGS)
    for step in range(4):
        gradients(ours, step)
        gradients(theirs, step)
        one.step()
        other.step()
    for p, q in zip(ours, theirs, strict=True):
        torch.testing.assert_close(p, q)


@pytest.mark.parametrize("block", [4, 1 << 17])
def test_the_reported_norm_is_that_of_the_change_of_the_weights(block, monkeypatch):
    monkeypatch.setattr(blocks_module, "CPU_BLOCK", block)
    params = parameters()
    optimizer = AdamW(
        [{"params": params[:1]}, {"params": params[1:], "weight_decay": 0.0}], **{**SETTINGS, "eps": 1e-2}
    )
    for step in range(3):
        before = torch.cat([p.detach().flatten() for p in params])
        gradients(params, step)
        optimizer.step()
        after = torch.cat([p.detach().flatten() for p in params])
        assert optimizer.update_norm.item() == pytest.approx((after - before).norm().item(), rel=1e-6)


def test_the_first_step_moves_each_coordinate_by_the_rate():
    # m_hat = g and v_hat = g^2, so the step is lr * sign(g) and its norm over 39 + 4 coordinates lr * sqrt(43).
    params = parameters()
    optimizer = AdamW([{"params": params}], lr=0.03)
    gradients(params, 0)
    optimizer.step()
    assert optimizer.update_norm.item() == pytest.approx(0.03 * 43**0.5, rel=1e-5)


def test_resuming_from_a_state_dict_continues_the_same_trajectory():
    def run(optimizer, params, steps):
        for step in steps:
            gradients(params, step)
            optimizer.step()
        return [p.detach().clone() for p in params]

    params = parameters()
    optimizer = AdamW([{"params": params}], **SETTINGS)
    run(optimizer, params, range(3))
    copies = [torch.nn.Parameter(p.detach().clone()) for p in params]
    resumed = AdamW([{"params": copies}], **SETTINGS)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    pairs = zip(run(optimizer, params, range(3, 6)), run(resumed, copies, range(3, 6)), strict=True)
    assert all(torch.equal(p, q) for p, q in pairs)
    assert torch.equal(optimizer.update_norm, resumed.update_norm)


def test_nothing_is_said_about_clipping():
    assert AdamW([{"params": parameters()}], **SETTINGS).clip_share is None
