import itertools

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from soul_core.config import ObjectiveConfig
from soul_core.data.batches import collate
from soul_core.data.prompts import Example
from soul_core.engine.forward import likelihoods_of
from soul_core.objectives import losses_for
from soul_core.optim import curvature
from soul_core.optim.curvature import CurvaturePlan, hutchinson_curvature, random_signs
from soul_core.optim.sophia import Sophia
from tests.tiny import ARCHITECTURES, tiny_model


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def with_signs(monkeypatch, signs):
    """Let the estimate use these signs instead of drawn ones."""
    left = iter(signs)
    monkeypatch.setattr(curvature, "random_signs", lambda like, _: next(left).to(like.dtype).view_as(like))


def test_averaged_over_all_signs_it_is_the_diagonal_of_the_hessian_exactly(monkeypatch):
    # 1/2 x'Ax over two tensors (a 2x1 and a 2): the Hessian is A, negative entries on its diagonal included. The
    # mean over all 16 sign vectors leaves nothing but A_ii.
    torch.manual_seed(0)
    A = torch.randn(4, 4, dtype=torch.float64)
    A = A + A.T
    assert (A.diag() < 0).any() and (A.diag() > 0).any()
    a = torch.randn(2, 1, dtype=torch.float64, requires_grad=True)
    b = torch.randn(2, dtype=torch.float64, requires_grad=True)
    total = torch.zeros(4, dtype=torch.float64)
    for signs in itertools.product((-1.0, 1.0), repeat=4):
        z = torch.tensor(signs)
        with_signs(monkeypatch, [z[:2], z[2:]])
        x = torch.cat([a.flatten(), b])
        first, second = hutchinson_curvature(0.5 * x @ A @ x, [a, b], generator=generator())
        assert first.shape == (2, 1) and second.shape == (2,)
        estimate = torch.cat([first.flatten(), second])
        torch.testing.assert_close(estimate, z.double() * (A @ z.double()))
        total += estimate / 16
    torch.testing.assert_close(total, A.diag())


def test_a_diagonal_hessian_is_found_by_a_single_draw():
    # Away from a minimum too: of sum x^4 it is 12 x^2.
    x = torch.tensor([1.0, -2.0, 0.5], requires_grad=True)
    (estimate,) = hutchinson_curvature((x**4).sum(), [x], generator=generator())
    assert estimate.tolist() == pytest.approx([12.0, 48.0, 3.0])
    assert x.grad is None and not estimate.requires_grad


def test_on_a_diagonal_quadratic_sophia_with_hutchinson_takes_newtons_step():
    # Unclipped, since |x - x*| < 1 everywhere: x - g / h = x* at once, whatever signs are drawn.
    bend, best = torch.tensor([2.0, 10.0, 0.5]), torch.tensor([0.1, -0.2, 0.3])
    x = torch.nn.Parameter(torch.tensor([0.5, 0.3, -0.6]))
    optimizer = Sophia([x], lr=1.0, betas=(0.0, 0.0), rho=1.0)

    def loss():
        return (0.5 * bend * (x - best) ** 2).sum()

    optimizer.update_curvature(hutchinson_curvature(loss(), [x], generator=generator(8)))
    loss().backward()
    optimizer.step()
    torch.testing.assert_close(x.detach(), best)
    assert optimizer.clip_share.item() == 0.0


def test_what_the_loss_does_not_bend_in_has_no_curvature():
    x = torch.tensor([3.0], requires_grad=True)
    unused, linear = torch.ones(2, requires_grad=True), torch.ones(1, requires_grad=True)
    frozen = torch.tensor([2.0])
    loss = (frozen * x**2).sum() + 5 * linear.sum()
    estimates = hutchinson_curvature(loss, [unused, x, frozen, linear], generator=generator())
    assert [e.tolist() for e in estimates] == [[0, 0], [4], [0], [0]]
    assert hutchinson_curvature(loss.detach(), [x, frozen], generator=generator())[0].tolist() == [0]
    assert hutchinson_curvature(7 * linear.sum(), [linear], generator=generator())[0].tolist() == [0]


def test_signs_are_plus_and_minus_one_in_equal_parts_and_follow_the_generator():
    like = torch.zeros(100, 100, dtype=torch.bfloat16)
    before = torch.get_rng_state()
    signs = random_signs(like, generator(1))
    assert signs.dtype == torch.bfloat16 and signs.abs().eq(1).all()
    assert abs(signs.float().mean().item()) < 5 / 100  # five standard deviations of the mean of 10,000
    assert torch.equal(signs, random_signs(like, generator(1)))
    assert not torch.equal(signs, random_signs(like, generator(2)))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_on_a_language_model_it_is_the_second_difference_of_the_gradient(arch):
    # z * (H z) with H z from (gradient(theta + e z) - gradient(theta - e z)) / 2e in double precision.
    model = tiny_model(arch).double()
    examples = [Example((5, 6, 7, 8, 9, 0), 3), Example((11, 12, 13, 14, 15, 16, 17, 0), 4)]
    batch = collate(examples, [True, False], [0, 0], pad_id=0)
    graddiff = losses_for(ObjectiveConfig(name="graddiff", gamma=0.5))
    parameters = list(model.parameters())

    def loss():
        with sdpa_kernel(SDPBackend.MATH):
            return graddiff(likelihoods_of(model, batch, device=torch.device("cpu"), autocast_dtype=None)).total

    estimates = hutchinson_curvature(loss(), parameters, generator=generator(4))
    again = generator(4)
    signs = [random_signs(p, again) for p in parameters]

    def gradient_at(distance):
        with torch.no_grad():
            torch._foreach_add_(parameters, signs, alpha=distance)
        found = torch.autograd.grad(loss(), parameters, allow_unused=True, materialize_grads=True)
        with torch.no_grad():
            torch._foreach_sub_(parameters, signs, alpha=distance)
        return found

    # Norm layers compute in single precision whatever the weights are in, so the difference is not exact.
    step = 1e-4
    for estimate, z, up, down in zip(estimates, signs, gradient_at(step), gradient_at(-step), strict=True):
        expected = z * (up - down) / (2 * step)
        assert (estimate - expected).norm() <= 1e-3 * expected.norm() + 1e-6
    assert any(e.min() < -1e-3 for e in estimates) and any(e.max() > 1e-3 for e in estimates)


@pytest.mark.parametrize("wrong", [{"every": 0}, {"every": 1, "batch_factor": -1.0}])
def test_a_plan_that_cannot_be_followed_is_refused(wrong):
    with pytest.raises(ValueError, match="every starts at 1"):
        CurvaturePlan(method="hutchinson", **wrong)
