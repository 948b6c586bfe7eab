import pytest
import torch

from soul_core.optim import blocks as blocks_module
from soul_core.optim.sgd import SGD


def weights(*values):
    return torch.nn.Parameter(torch.tensor(values, dtype=torch.float64))


def test_two_steps_by_hand():
    # lr 1/2, decay 1/5: 1 - 0.5 * (0.4 + 0.2) = 0.7, then 0.7 - 0.5 * (-1 + 0.14) = 1.13. Nothing is remembered.
    p = weights(1.0)
    optimizer = SGD([p], lr=0.5, weight_decay=0.2)
    found = []
    for g in (0.4, -1.0):
        p.grad = torch.tensor([g], dtype=torch.float64)
        optimizer.step()
        found.append((p.item(), optimizer.update_norm.item()))
    assert found == [pytest.approx((0.7, 0.3)), pytest.approx((1.13, 0.43))]
    assert optimizer.clip_share is None
    assert not optimizer.state


def test_on_a_quadratic_each_coordinate_shrinks_by_one_minus_rate_times_curvature():
    curvature = torch.tensor([2.0, 10.0, 0.5], dtype=torch.float64)
    p = weights(1.0, -2.0, 3.0)
    start = p.detach().clone()
    optimizer = SGD([p], lr=0.05)
    for _ in range(4):
        optimizer.zero_grad()
        (0.5 * curvature * p**2).sum().backward()
        optimizer.step()
    torch.testing.assert_close(p.detach(), start * (1 - 0.05 * curvature) ** 4)


@pytest.mark.parametrize("block", [1, 5, 1 << 17])
def test_steps_in_blocks_and_groups_are_the_same_and_gradients_are_left_alone(block, monkeypatch):
    monkeypatch.setattr(blocks_module, "CPU_BLOCK", block)
    torch.manual_seed(0)
    params = [torch.nn.Parameter(torch.randn(s, dtype=torch.float64)) for s in [(4, 3), (5,), (2, 2)]]
    unused = weights(4.0)
    before = [p.detach().clone() for p in params]
    gradients = [torch.randn_like(p) for p in params]
    for p, g in zip(params, gradients, strict=True):
        p.grad = g.clone()
    groups = [{"params": params[:1], "weight_decay": 0.3}, {"params": [*params[1:], unused], "weight_decay": 0.0}]
    optimizer = SGD(groups, lr=0.1)
    optimizer.step()
    for p, old, g, decay in zip(params, before, gradients, (0.3, 0.0, 0.0), strict=True):
        torch.testing.assert_close(p.detach(), old - 0.1 * (g + decay * old))
        assert torch.equal(p.grad, g)
    moved = torch.cat([(p.detach() - old).flatten() for p, old in zip(params, before, strict=True)])
    assert optimizer.update_norm.item() == pytest.approx(moved.norm().item())
    assert unused.item() == 4.0


@pytest.mark.parametrize(("settings", "named"), [({"lr": -1.0}, "lr"), ({"lr": 1.0, "weight_decay": -1.0}, "weight")])
def test_a_setting_out_of_range_is_named(settings, named):
    with pytest.raises(ValueError, match=f"SGD: {named}"):
        SGD([weights(0.0)], **settings)
