import pytest
import torch
import torch.nn.functional as F

from soul_core.objectives import answer_logits
from soul_core.optim import curvature
from soul_core.optim.curvature import CurvaturePlan, drawn_nll, gnb_curvature, squared_gradient_curvature

VOCABULARY, FEATURES = 4, 3


def softmax_model(rows=1):
    """Logits W x at T = 4 positions, of which the two that predict labels 2 and 3 count."""
    generator = torch.Generator().manual_seed(5)
    weight = torch.randn(VOCABULARY, FEATURES, dtype=torch.float64, generator=generator, requires_grad=True)
    x = torch.randn(rows, 4, FEATURES, dtype=torch.float64, generator=generator)
    labels = torch.tensor([[-100, -100, 1, 2]] * rows)
    return weight, x, labels


def uniform(count, seed=0):
    return torch.rand(count, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def draw(weight, x, labels, *, seed=0, batch_factor=0.0):
    logits, _ = answer_logits(x @ weight.T, labels)
    drawn_by = uniform(len(logits), seed)
    (estimate,) = gnb_curvature(logits, [weight], batch_factor=batch_factor, uniform_N=drawn_by)
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


@pytest.mark.parametrize("at_a_time", [1 << 22, 5])
def test_a_label_is_the_word_whose_stretch_of_the_distribution_the_number_falls_into(monkeypatch, at_a_time):
    # Cumulated: 1/4, 3/4, 3/4, 1. The third word is impossible and is not drawn near the border either.
    monkeypatch.setattr(curvature, "_AT_A_TIME", at_a_time)
    logits = torch.tensor([0.25, 0.5, 0.0, 0.25]).log().expand(6, 4)
    points = [0.0, 0.2499999, 0.2500001, 0.7499999, 0.7500001, 1 - 1e-12]
    nll = drawn_nll(logits, torch.tensor(points, dtype=torch.float64))
    words = torch.tensor([0, 0, 1, 1, 3, 3])
    assert nll.tolist() == F.cross_entropy(logits, words, reduction="none").tolist()


def test_a_word_that_is_hardly_ever_drawn_is_drawn_where_it_should_be():
    # 1 - 1e-9 and 1e-9: in single precision the first alone adds up to 1.
    logits = torch.tensor([[1 - 1e-9, 1e-9]], dtype=torch.float64).log()
    for point, word in ((1 - 2e-9, 0), (1 - 5e-10, 1)):
        assert curvature._drawn(logits.float(), torch.tensor([point], dtype=torch.float64)).tolist() == [word]


def test_a_token_draws_the_same_label_in_whatever_company():
    weight, x, _ = softmax_model(rows=8)
    logits, drawn_by = (x @ weight.T).flatten(0, 1), uniform(32)
    whole = drawn_nll(logits, drawn_by)
    apart = torch.cat([drawn_nll(logits[i : i + 3], drawn_by[i : i + 3]) for i in range(0, 32, 3)])
    torch.testing.assert_close(apart, whole)
    assert not torch.equal(whole, drawn_nll(logits, drawn_by.flip(0)))


def test_one_draw_is_the_factor_times_the_squared_gradient_of_the_mean_nll_of_the_drawn_labels():
    weight, x, labels = softmax_model(rows=3)
    estimate = draw(weight, x, labels, seed=9, batch_factor=11.0)
    rows = (x @ weight.T)[:, 1:3].reshape(6, VOCABULARY)
    drawn = (rows.softmax(-1).cumsum(-1) <= uniform(6, 9)[:, None]).sum(-1)
    (g,) = torch.autograd.grad(F.cross_entropy(rows, drawn), weight)
    torch.testing.assert_close(estimate, 11 * g**2)
    torch.testing.assert_close(draw(weight, x, labels, seed=9), 6 * g**2)


def test_the_labels_of_the_data_are_not_looked_at():
    weight, x, labels = softmax_model()
    other = labels.where(labels == -100, 3)
    assert torch.equal(draw(weight, x, labels), draw(weight, x, other))


def test_drawing_follows_the_numbers_given_and_leaves_the_process_random_state_alone():
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
    logits, _ = answer_logits(x @ weight.T, labels)
    estimates = gnb_curvature(logits, [unused, weight], batch_factor=1.0, uniform_N=uniform(2))
    assert estimates[0].tolist() == [0, 0]
    assert (estimates[1] > 0).any()


def test_squared_gradients_are_scaled_after_squaring_and_leave_the_gradients_alone():
    gradient = torch.tensor([1.0, -2.0])
    (estimate,) = squared_gradient_curvature([gradient], batch_factor=3.0)
    assert estimate.tolist() == [3.0, 12.0]
    assert gradient.tolist() == [1.0, -2.0]


def test_the_first_estimate_is_at_step_1_and_then_every_k_steps():
    plan = CurvaturePlan(method="gnb", every=3)
    assert [step for step in range(1, 9) if plan.due(step)] == [1, 4, 7]
