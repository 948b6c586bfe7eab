import pytest
import torch
import torch.nn.functional as F

from soul_core.optim.curvature import CurvaturePlan, gnb_curvature, squared_gradient_curvature

VOCABULARY, FEATURES = 4, 3


def softmax_model(rows=1):
    """Logits W x at T = 4 positions, of which the two that predict labels 2 and 3 count."""
    generator = torch.Generator().manual_seed(5)
    weight = torch.randn(VOCABULARY, FEATURES, dtype=torch.float64, generator=generator, requires_grad=True)
    x = torch.randn(rows, 4, FEATURES, dtype=torch.float64, generator=generator)
    labels = torch.tensor([[-100, -100, 1, 2]] * rows)
    return weight, x, labels


def draw(weight, x, labels, *, seed=0, batch_factor=0.0):
    generator = torch.Generator().manual_seed(seed)
    (estimate,) = gnb_curvature(x @ weight.T, labels, [weight], batch_factor=batch_factor, generator=generator)
    return estimate


def test_averaged_over_draws_gnb_is_the_diagonal_of_the_gauss_newton_matrix():
    # For softmax, d2 NLL / d logits2 = diag(p) - p p^T, so the diagonal entry of W[v, f] is p_v (1 - p_v) x_f^2,
    # averaged over the N answer tokens. Positions 1 and 2 predict the labels.
    weight, x, labels = softmax_model()
    p = (x @ weight.T).softmax(-1).detach()[0, 1:3]
    exact = ((p * (1 - p)).unsqueeze(2) * x[0, 1:3].unsqueeze(1) ** 2).mean(0)
    draws = torch.stack([draw(weight, x, labels, seed=seed) for seed in range(1000)])
    error = draws.std(0) / len(draws) ** 0.5
    assert ((draws.mean(0) - exact).abs() < 5 * error).all()
    # Fine enough to notice a missing factor N = 2.
    assert ((exact / 2 - exact).abs() > 5 * error).sum() >= 10


def test_one_draw_is_the_factor_times_the_squared_gradient_of_the_mean_nll_of_the_drawn_labels():
    weight, x, labels = softmax_model(rows=3)
    estimate = draw(weight, x, labels, seed=9, batch_factor=11.0)
    rows = (x @ weight.T)[:, 1:3].reshape(6, VOCABULARY)
    drawn = torch.multinomial(rows.softmax(-1), 1, generator=torch.Generator().manual_seed(9)).squeeze(1)
    (g,) = torch.autograd.grad(F.cross_entropy(rows, drawn), weight)
    torch.testing.assert_close(estimate, 11 * g**2)
    torch.testing.assert_close(draw(weight, x, labels, seed=9), 6 * g**2)


def test_the_labels_of_the_data_are_not_looked_at():
    weight, x, labels = softmax_model()
    other = labels.where(labels == -100, 3)
    assert torch.equal(draw(weight, x, labels), draw(weight, x, other))


def test_drawing_follows_the_generator_and_leaves_the_process_random_state_alone():
    weight, x, labels = softmax_model(rows=8)
    before = torch.get_rng_state()
    assert torch.equal(draw(weight, x, labels, seed=1), draw(weight, x, labels, seed=1))
    assert not torch.equal(draw(weight, x, labels, seed=1), draw(weight, x, labels, seed=2))
    assert torch.equal(torch.get_rng_state(), before)


def test_an_estimate_does_not_touch_training_gradients():
    weight, x, labels = softmax_model()
    draw(weight, x, labels)
    assert weight.grad is None
    weight.grad = torch.full_like(weight, 7.0)
    draw(weight, x, labels)
    assert (weight.grad == 7).all()


def test_a_parameter_the_logits_do_not_use_has_no_curvature():
    weight, x, labels = softmax_model()
    unused = torch.ones(2, requires_grad=True)
    estimates = gnb_curvature(
        x @ weight.T, labels, [unused, weight], batch_factor=1.0, generator=torch.Generator().manual_seed(0)
    )
    assert estimates[0].tolist() == [0, 0]
    assert (estimates[1] > 0).any()


def test_no_answer_token_means_no_estimate():
    weight, x, labels = softmax_model()
    with pytest.raises(ValueError, match="at least one answer token"):
        draw(weight, x, torch.full_like(labels, -100))


def test_squared_gradients_are_scaled_after_squaring_and_leave_the_gradients_alone():
    gradient = torch.tensor([1.0, -2.0])
    (estimate,) = squared_gradient_curvature([gradient], batch_factor=3.0)
    assert estimate.tolist() == [3.0, 12.0]
    assert gradient.tolist() == [1.0, -2.0]


def test_the_first_estimate_is_at_step_1_and_then_every_k_steps():
    plan = CurvaturePlan(method="gnb", every=3)
    assert [step for step in range(1, 9) if plan.due(step)] == [1, 4, 7]
