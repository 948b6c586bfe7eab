import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from soul_core.errors import RunError
from soul_core.models import fila
from soul_core.models.fila import fila_factors, fisher_of, relative_importance, relative_importances, residual
from soul_core.models.layers import chosen_layers
from tests.tiny import tiny_model

Batch = tuple[int, int]


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def truncated(matrix: Tensor, rank: int) -> Tensor:
    u, values, vh = torch.linalg.svd(matrix, full_matrices=False)
    return (u[:, :rank] * values[:rank]) @ vh[:rank]


def test_what_is_taken_out_and_what_is_left_make_the_weight():
    weight, importance = random(6, 9), random(6, 9, seed=1).square()
    a, b = fila_factors(weight, importance, rank=3, scale=2.0)
    assert (a.shape, b.shape) == ((3, 9), (6, 3))
    torch.testing.assert_close(residual(weight, a, b, scale=2.0) + 2.0 * b @ a, weight)


def test_with_equal_rows_it_is_the_truncated_svd():
    weight = random(6, 9)
    # 9 entries of 400 in a row: s = 60, so that 1e-5 beside it is nothing.
    a, b = fila_factors(weight, torch.full((6, 9), 400.0, dtype=torch.float64), rank=2, scale=2.0)
    torch.testing.assert_close(2.0 * b @ a, truncated(weight, 2), rtol=1e-5, atol=1e-6)


def test_at_full_rank_nothing_is_left():
    weight = random(6, 4)
    a, b = fila_factors(weight, random(6, 4, seed=1).square() + 100, rank=4, scale=0.5)
    torch.testing.assert_close(0.5 * b @ a, weight, rtol=1e-5, atol=1e-6)


def test_by_hand_the_important_row_is_taken_out():
    # s = (sqrt(3 + 1), sqrt(0)) = (2, 0): S = 2 * |(3, 4)| = 10, U = (1, 0), V = (0.6, 0.8).
    # A = sqrt(10 / 0.4) V = (3, 4) and B = sqrt(10 / 0.4) / 2.00001 (1, 0), up to a sign: 0.4 B A is the first row.
    weight = torch.tensor([[3.0, 4.0], [100.0, 0.0]], dtype=torch.float64)
    a, b = fila_factors(weight, torch.tensor([[3.0, 1.0], [0.0, 0.0]], dtype=torch.float64), rank=1, scale=0.4)
    torch.testing.assert_close(a.abs(), torch.tensor([[3.0, 4.0]], dtype=torch.float64))
    torch.testing.assert_close(b.abs(), torch.tensor([[5 / 2.00001], [0.0]], dtype=torch.float64))
    left = residual(weight, a, b, scale=0.4)
    torch.testing.assert_close(left, torch.tensor([[0.0, 0.0], [100.0, 0.0]], dtype=torch.float64), rtol=0, atol=1e-4)


def test_beyond_the_rank_of_what_matters_the_factors_are_zero():
    # Two rows matter, so the third component has nothing to hold, however it is rounded.
    weight, importance = random(5, 7).float(), torch.zeros(5, 7)
    importance[1:3] = 1.0
    a, b = fila_factors(weight, importance, rank=3, scale=1.0)
    assert not a[2].any() and not b[:, 2].any() and not b[[0, 3, 4]].any()
    torch.testing.assert_close((b @ a)[1:3], weight[1:3], rtol=1e-4, atol=1e-4)


def test_no_other_matrix_of_the_rank_is_closer_where_rows_count_by_their_importance():
    weight, importance = random(6, 9), random(6, 9, seed=1).square() * 100
    s = importance.sum(1).sqrt()
    a, b = fila_factors(weight, importance, rank=2, scale=1.0)
    # Eckart-Young: the smallest error is that of the singular values left out.
    least = torch.linalg.svdvals(s[:, None] * weight)[2:].square().sum().sqrt()
    assert (s[:, None] * (weight - b @ a)).norm().item() == pytest.approx(least.item(), rel=1e-5)
    plain = (s[:, None] * (weight - truncated(weight, 2))).norm()
    assert plain > 1.05 * least


def test_large_weights_are_decomposed_alike_each_time_and_leave_the_global_random_numbers(
    monkeypatch: pytest.MonkeyPatch,
):
    # A spectrum that falls slowly, as that of weights: 1, 1/2, 1/3 ...
    u, v = torch.linalg.qr(random(60, 60)).Q, torch.linalg.qr(random(80, 60, seed=1)).Q
    weight = u * (1 / torch.arange(1, 61, dtype=torch.float64)) @ v.T
    ones = torch.full_like(weight, 100.0)
    exact = fila_factors(weight, ones, rank=4, scale=1.0)
    monkeypatch.setattr(fila, "EXACT_SIZE", 10)
    state = torch.random.get_rng_state()
    first, second = (fila_factors(weight, ones, rank=4, scale=1.0) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(x, y) for x, y in zip(first, second, strict=True))
    torch.testing.assert_close(first[1] @ first[0], exact[1] @ exact[0], rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("rank", "scale", "importance"),
    [(0, 1.0, torch.ones(2, 3)), (3, 1.0, torch.ones(2, 3)), (1, 0.0, torch.ones(2, 3)), (1, 1.0, torch.ones(3, 2))]
    + [(1, 1.0, torch.full((2, 3), value)) for value in (-1.0, 0.0, float("nan"))],
)
def test_impossible_arguments_are_refused(rank: int, scale: float, importance: Tensor):
    with pytest.raises(ValueError, match=r"expected|must be"):
        fila_factors(torch.ones(2, 3), importance, rank=rank, scale=scale)


def test_relative_importance_by_hand():
    # 6 / (1e-5 + 2) and 1e-5 / (1e-5 + 0).
    forget, retain = torch.tensor([6.0, 1e-5]), torch.tensor([2.0, 0.0])
    torch.testing.assert_close(relative_importance(forget, retain), torch.tensor([6 / 2.00001, 1.0]))
    first, second = {"a": forget}, {"a": retain}
    torch.testing.assert_close(relative_importances(first, second)["a"], torch.tensor([6 / 2.00001, 1.0]))
    assert first == second == {}
    with pytest.raises(ValueError, match="same layers"):
        relative_importances({"a": forget}, {"b": retain})


@pytest.mark.parametrize("arch", ["llama", "gpt2"])
def test_the_fisher_is_the_mean_of_squared_gradients_by_tokens(arch: str):
    model = tiny_model(arch).requires_grad_(False)
    layers = chosen_layers(model, "down_proj" if arch == "llama" else "mlp.c_proj")

    def nll_of(batch: Batch) -> tuple[Tensor, int]:
        ids = torch.arange(*batch).view(1, -1)
        return F.cross_entropy(model(ids).logits[0, :-1], ids[0, 1:]), ids.shape[1] - 1

    batches = [(10, 16), (50, 53), (7, 8)]  # 5, 2 and no tokens
    pass_ = fisher_of(model, layers, batches, nll_of)
    done = [next(pass_), next(pass_), next(pass_)]
    with pytest.raises(StopIteration) as stop:
        next(pass_)
    got: dict[str, Tensor] = stop.value.value
    assert done == [1, 2, 3]
    assert all(p.grad is None and not p.requires_grad for p in model.parameters())
    model.requires_grad_(True)
    for name, layer in layers.items():
        squares = [torch.autograd.grad(nll_of(batch)[0], layer.weight)[0].square() for batch in batches[:2]]
        torch.testing.assert_close(got[name], (5 * squares[0] + 2 * squares[1]) / 7)


def test_a_pass_that_is_given_up_leaves_no_gradients_and_hooks():
    model = tiny_model("llama")
    layers = chosen_layers(model, "q_proj")
    pass_ = fisher_of(model, layers, [1, 2], lambda _: (model(torch.tensor([[1, 2, 3]])).logits.sum(), 1))
    next(pass_)
    pass_.close()
    assert all(p.grad is None and not p.requires_grad for p in model.parameters())
    model.requires_grad_(True)
    model(torch.tensor([[1, 2, 3]])).logits.sum().backward()
    assert all(layer.weight.grad is not None for layer in layers.values())


def test_no_tokens_and_infinite_gradients_are_sentences():
    model = tiny_model("llama")
    layers = chosen_layers(model, "q_proj")
    with pytest.raises(RunError, match="no answer tokens"):
        list(fisher_of(model, layers, [], lambda _: pytest.fail("asked")))
    with pytest.raises(RunError, match=r"layer model\.layers\.0\.self_attn\.q_proj is not finite"):
        list(fisher_of(model, layers, [1], lambda _: (model(torch.tensor([[1, 2, 3]])).logits.sum() * 1e30, 1)))
