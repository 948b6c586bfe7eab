import math

import pytest
import torch
import torch.nn.functional as F

from soul_core.optim.curvature import gnb_curvature
from soul_core.optim.influence import (
    conjugate_gradient,
    diagonal_solve,
    dot,
    gauss_newton_product,
    line_search,
    mean_of,
)


def finish(generator):
    """What a generator yields and what it returns."""
    seen = []
    while True:
        try:
            seen.append(next(generator))
        except StopIteration as end:
            return seen, end.value


def split(flat):
    """A vector of 6 as tensors of shapes (2, 2) and (2,)."""
    return [flat[:4].view(2, 2).clone(), flat[4:].clone()]


def join(parts):
    return torch.cat([x.flatten() for x in parts])


def positive_matrix(size=6):
    torch.manual_seed(0)
    root = torch.randn(size, size, dtype=torch.float64)
    return root @ root.T / size


def test_where_the_hessian_is_diagonal_the_diagonal_step_is_newtons():
    # 1/2 sum d (x - x*)^2: from x the step -g / d ends at x*.
    d = [torch.tensor([[2.0, 10.0]]), torch.tensor([0.5])]
    best = [torch.tensor([[1.0, -1.0]]), torch.tensor([3.0])]
    x = [torch.tensor([[4.0, 4.0]]), torch.tensor([4.0])]
    g = [a * (b - c) for a, b, c in zip(d, x, best, strict=True)]
    step = diagonal_solve(g, d, damping=0.0)
    assert [(a - b).tolist() for a, b in zip(x, step, strict=True)] == [b.tolist() for b in best]
    assert diagonal_solve([torch.tensor([6.0])], [torch.tensor([1.0])], damping=2.0)[0].tolist() == [2.0]


@pytest.mark.parametrize("damping", [0.0, 0.3])
def test_conjugate_gradient_is_exact_after_as_many_iterations_as_there_are_coordinates(damping):
    A = positive_matrix()
    b = torch.arange(1.0, 7.0, dtype=torch.float64)
    products, solution = finish(
        conjugate_gradient(lambda v: split(A @ join(v)), split(b), iterations=6, tolerance=1e-14, damping=damping)
    )
    expected = torch.linalg.solve(A + damping * torch.eye(6, dtype=torch.float64), b)
    torch.testing.assert_close(join(solution.x), expected, rtol=1e-6, atol=1e-8)
    assert [x.shape for x in solution.x] == [(2, 2), (2,)]
    assert products == [1, 2, 3, 4, 5, 6] and solution.iterations == 6
    assert solution.residual < 1e-7


def test_stopped_early_it_says_how_much_is_left_and_is_on_its_way():
    A, b = positive_matrix(), torch.arange(1.0, 7.0, dtype=torch.float64)
    errors = []
    for iterations in range(6):
        _, solution = finish(
            conjugate_gradient(
                lambda v: split(A @ join(v)), split(b), iterations=iterations, tolerance=0.0, damping=0.1
            )
        )
        x = join(solution.x)
        left = (A @ x + 0.1 * x - b).norm() / b.norm()
        assert solution.residual == pytest.approx(left.item(), rel=1e-6)
        error = torch.linalg.solve(A + 0.1 * torch.eye(6, dtype=torch.float64), b) - x
        errors.append(error @ (A @ error + 0.1 * error))  # the norm in which it never grows
    assert errors == sorted(errors, reverse=True)


def test_conjugate_gradient_ends_once_it_is_near_enough():
    # Two different eigenvalues: exact after two products.
    d = torch.tensor([1.0, 1.0, 1.0, 5.0, 5.0, 5.0], dtype=torch.float64)
    b = torch.ones(6, dtype=torch.float64)
    products, solution = finish(
        conjugate_gradient(lambda v: split(d * join(v)), split(b), iterations=50, tolerance=1e-10, damping=0.0)
    )
    assert products == [1, 2]
    torch.testing.assert_close(join(solution.x), 1 / d)


def test_conjugate_gradient_of_nothing_is_nothing_and_without_curvature_it_ends():
    zeros = [torch.zeros(3)]
    _, none = finish(conjugate_gradient(lambda v: v, zeros, iterations=5, tolerance=1e-3, damping=0.0))
    assert none.x[0].tolist() == [0, 0, 0] and none.residual == 0.0 and none.iterations == 0
    _, flat = finish(
        conjugate_gradient(lambda v: [x * 0 for x in v], [torch.ones(3)], iterations=5, tolerance=1e-3, damping=0.0)
    )
    assert flat.x[0].tolist() == [0, 0, 0] and flat.residual == 1.0


def two_layers():
    """Logits of 5 tokens over 3 words, tanh(x a) b: not linear in a, and one parameter unused."""
    torch.manual_seed(1)
    x = torch.randn(5, 4, dtype=torch.float64)
    a = torch.randn(4, 2, dtype=torch.float64, requires_grad=True)
    b = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    unused = torch.ones(2, dtype=torch.float64, requires_grad=True)
    return (lambda a, b: torch.tanh(x @ a) @ b), [a, unused, b]


def explicit_gauss_newton(logits_of, a, b):
    """(14, 14) from the Jacobian written out."""
    J = torch.cat([part.flatten(2) for part in torch.autograd.functional.jacobian(logits_of, (a, b))], dim=2)
    p = logits_of(a, b).softmax(-1).detach()
    middle = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    return torch.einsum("nvi,nvw,nwj->ij", J, middle, J) / len(p)


def test_the_gauss_newton_product_is_that_with_the_matrix_written_out():
    logits_of, (a, unused, b) = two_layers()
    G = explicit_gauss_newton(logits_of, a, b)
    v = torch.randn(14, dtype=torch.float64)
    products = gauss_newton_product(
        logits_of(a, b), [a, unused, b], [v[:8].view(4, 2), torch.ones(2).double(), v[8:].view(2, 3)]
    )
    torch.testing.assert_close(torch.cat([products[0].flatten(), products[2].flatten()]), G @ v)
    assert products[1].tolist() == [0, 0]
    assert a.grad is None


def test_for_logits_linear_in_the_weights_the_product_is_that_with_the_hessian():
    # There Gauss-Newton is the whole Hessian of the NLL, whatever the labels.
    torch.manual_seed(2)
    x, w = torch.randn(6, 3, dtype=torch.float64), torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 3, 2, 1, 0, 2])
    H = torch.autograd.functional.hessian(lambda w: F.cross_entropy(x @ w, labels), w).view(12, 12)
    v = torch.randn(3, 4, dtype=torch.float64)
    (product,) = gauss_newton_product(x @ w, [w], [v])
    torch.testing.assert_close(product.flatten(), H @ v.flatten())


def test_the_products_matrix_has_the_diagonal_that_gnb_estimates():
    torch.manual_seed(3)
    x, w = torch.randn(1, 4, 3, dtype=torch.float64), torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    basis = torch.eye(12, dtype=torch.float64)
    diagonal = torch.stack(
        [gauss_newton_product((x @ w)[0, 1:3], [w], [e.view(3, 4)])[0].flatten() @ e for e in basis]
    )
    draws = torch.stack(
        [
            gnb_curvature((x @ w)[0, 1:3], [w], batch_factor=0, uniform_N=uniform)[0].flatten()
            for uniform in torch.rand(1000, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
        ]
    )
    assert ((draws.mean(0) - diagonal).abs() < 5 * draws.std(0) / 1000**0.5).all()


def test_both_solvers_move_a_softmax_model_by_newtons_step_where_they_should():
    # One weight per word and a fixed input of 1: H = diag(p) - pp'. Damped, so that it can be solved.
    w = torch.tensor([0.3, -0.2, 0.1], dtype=torch.float64, requires_grad=True)
    p = w.detach().softmax(0)
    H = torch.diag(p) - torch.outer(p, p)
    g = [p - torch.tensor([0.0, 1.0, 0.0]).double()]
    damping = 0.1 * mean_of([H.diag()])
    _, solution = finish(
        conjugate_gradient(
            lambda v: gauss_newton_product(w[None, :] * 1.0, [w], v), g, iterations=3, tolerance=1e-12, damping=damping
        )
    )
    torch.testing.assert_close(solution.x[0], torch.linalg.solve(H + damping * torch.eye(3).double(), g[0]))
    torch.testing.assert_close(diagonal_solve(g, [H.diag()], damping=damping)[0], g[0] / (H.diag() + damping))


def test_the_line_search_takes_the_largest_scale_whose_rise_is_allowed():
    # Loss 1 + a^2, rise at most 0.1: of 8, 4, 2, 1, 1/2, 1/4 the last is the first with a^2 <= 0.1.
    seen = []

    def loss(scale):
        seen.append(scale)
        return 1.0 + scale**2

    tries, found = finish(line_search(loss, start=1.0, largest=8.0, retain_rise=0.1))
    assert found == (0.25, 1.0625)
    assert seen == [8.0, 4.0, 2.0, 1.0, 0.5, 0.25] and tries == [1, 2, 3, 4, 5, 6]


def test_a_loss_that_is_no_number_does_not_fit_and_a_retain_loss_that_falls_does():
    losses = {4.0: math.nan, 2.0: math.inf, 1.0: 0.9}
    assert finish(line_search(losses.__getitem__, start=1.0, largest=4.0, retain_rise=0.0))[1] == (1.0, 0.9)


def test_where_no_scale_fits_it_is_0():
    tries, found = finish(line_search(lambda scale: 5.0, start=1.0, largest=1.0, retain_rise=0.1, shrink=0.1, tries=4))
    assert found == (0.0, 1.0) and tries == [1, 2, 3, 4]


@pytest.mark.parametrize("wrong", [{"shrink": 1.0}, {"largest": 0.0}, {"retain_rise": -0.1}])
def test_a_search_that_cannot_end_is_refused(wrong):
    settings = {"start": 1.0, "largest": 1.0, "retain_rise": 0.1}
    with pytest.raises(ValueError, match="cannot search"):
        finish(line_search(lambda scale: 1.0, **{**settings, **wrong}))


def test_means_and_products_go_over_all_coordinates():
    assert mean_of([torch.tensor([[1.0, 2.0]]), torch.tensor([9.0])]) == 4.0
    assert dot([torch.tensor([1.0, 2.0]), torch.tensor([3.0])], [torch.tensor([1.0, 1.0]), torch.tensor([2.0])]) == 9.0
